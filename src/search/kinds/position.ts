import { Problem } from '#kernel'
import { canonicalUnit } from '#terminology'
import { splitAt, unescaped } from '../query/split.ts'
import type { NearOperand } from '../query/types.ts'

/** How far is near where nobody says: "the server can use its own discretion". */
const nearKilometres = 5
/** The mean radius of the Earth: R₁ of https://doi.org/10.1007/s001900050278 */
const earthKilometres = 6371.0088

/**
 * `[latitude]|[longitude]|[distance]|[units]`, in degrees of WGS 84; kilometres unless another UCUM unit of length is named.
 *
 * @throws Problem `invalid` · `search.near-malformed`
 * @see https://hl7.org/fhir/R4/location.html#search
 */
export function parseNearOperand(text: string, name: string): NearOperand {
  const [latitude, longitude, distance = '', unit = '', ...more] = splitAt(text, '|').map(unescaped)
  const kilometres = distance === '' ? nearKilometres : numberIn(distance, name) * kilometresOf(unit, name)
  const operand = { kind: 'near', latitude: numberIn(latitude, name), longitude: numberIn(longitude, name) } as const
  const isOnEarth = Math.abs(operand.latitude) <= 90 && Math.abs(operand.longitude) <= 180
  if (more.length > 0 || !isOnEarth || kilometres < 0) throw malformed(name)
  return { ...operand, kilometres }
}

function malformed(name: string): Problem {
  const text =
    'A place is latitude|longitude|distance|units, in degrees and a UCUM unit of length such as km or [mi_us].'
  return new Problem('invalid', 'search.near-malformed', text, { expression: name })
}

function numberIn(text: string | undefined, name: string): number {
  if (text === undefined || !/^[+-]?\d{1,9}(?:\.\d{1,30})?(?:e[+-]?\d{1,2})?$/i.test(text)) throw malformed(name)
  return Number(text)
}

function kilometresOf(unit: string, name: string): number {
  if (unit === '' || unit === 'km') return 1
  const [own, kilometre] = [canonicalUnit(unit), canonicalUnit('km')]
  if (own === undefined || kilometre === undefined || own.unit !== kilometre.unit) throw malformed(name)
  return kilometre.fromCanonical(own.toCanonical(1))
}

const radians = (degrees: number) => (degrees * Math.PI) / 180

/** Along the surface, by the haversine formula. */
function kilometresBetween(
  { latitude, longitude }: NearOperand,
  otherLatitude: number,
  otherLongitude: number,
): number {
  const half = (from: number, to: number) => Math.sin(radians(to - from) / 2) ** 2
  const across = Math.cos(radians(latitude)) * Math.cos(radians(otherLatitude)) * half(longitude, otherLongitude)
  return 2 * earthKilometres * Math.asin(Math.sqrt(Math.min(1, half(latitude, otherLatitude) + across)))
}

/** Whether a place is near one of those sought. */
export function nearTest(operands: readonly NearOperand[]): (latitude: number, longitude: number) => boolean {
  return (latitude, longitude) =>
    operands.some(operand => kilometresBetween(operand, latitude, longitude) <= operand.kilometres)
}
