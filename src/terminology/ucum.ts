import { createRequire } from 'node:module'
import { remembering } from '#kernel'

/** A unit seen through UCUM: the base units it is made of, and how its values become values in them. */
export interface CanonicalUnit {
  /** Base units in a fixed order, e.g. `g1.m-3`; two units are comparable when these are the same text. */
  readonly unit: string
  /** A value in base units is `value * factor + offset`, as exact as doubles are. */
  readonly factor: number
  readonly offset: number
  /** A value in this unit → the value in base units. */
  toCanonical(value: number): number
  /** The inverse of `toCanonical`. */
  fromCanonical(value: number): number
}

interface BaseUnits {
  readonly status: string
  readonly magnitude?: number
  readonly unitToExp?: Readonly<Record<string, number>>
}

interface Ucum {
  convertToBaseUnits(unit: string, value: number): BaseUnits
  getSpecifiedUnit(
    unit: string,
    mode: 'validate',
  ): { readonly status: string; readonly unit: { readonly csCode_: string } | null }
}

const remembered = 10_000
/** Printable ASCII without spaces; the library would read `MG ` as megagauss. */
const writable = /^[!-~]{1,128}$/
const known = new Map<string, CanonicalUnit | undefined>()
const valid = new Map<string, boolean>()
let library: Ucum | undefined

// A unit may say anything between its braces.
remembering(() => {
  known.clear()
  valid.clear()
})

// @NOTE the library reads its tables at load (about 100 ms), so it is loaded by the first unit that anybody asks for.
function ucum(): Ucum {
  library ??= createRequire(import.meta.url)('@lhncbc/ucum-lhc').UcumLhcUtils.getInstance() as Ucum
  return library
}

function remember<V>(cache: Map<string, V>, key: string, value: V): V {
  if (cache.size >= remembered) cache.clear()
  cache.set(key, value)
  return value
}

/** Thirteen digits: enough for any measurement, and the library's own rounding disappears. */
function rounded(value: number): number {
  return Number.isFinite(value) ? Number(value.toPrecision(13)) : value
}

function at(unit: string, value: number): BaseUnits | undefined {
  const result = ucum().convertToBaseUnits(unit, value)
  return result.status === 'succeeded' && Number.isFinite(result.magnitude) ? result : undefined
}

function dimension(exponents: Readonly<Record<string, number>>): string {
  const parts = Object.entries(exponents).map(([base, exponent]) => `${base}${exponent}`)
  return parts.length === 0 ? '1' : parts.sort().join('.')
}

/** What one more is in base units: seen far from zero, where the offset takes no digits from it. */
function slope(code: string, offset: number): number {
  return ((at(code, faraway)?.magnitude ?? Number.NaN) - offset) / faraway
}

const faraway = 2 ** 20

// @NOTE only units on a straight line (x·a + b, so °C too) are canonical: pH and dB have no inverse in the library,
// and are compared unit by unit instead.
function measure(code: string): CanonicalUnit | undefined {
  const zero = at(code, 0)
  const one = at(code, 1)
  const ten = at(code, 10)
  if (zero?.magnitude === undefined || one?.magnitude === undefined || ten?.magnitude === undefined) return undefined
  const offset = zero.magnitude
  const factor = offset === 0 ? one.magnitude : slope(code, offset)
  const straight = Math.abs(offset + 10 * factor - ten.magnitude) <= 1e-9 * Math.max(1, Math.abs(ten.magnitude))
  if (!straight || !(Math.abs(factor) > 0)) return undefined
  return {
    unit: dimension(one.unitToExp ?? {}),
    factor,
    offset,
    toCanonical: value => rounded(value * factor + offset),
    fromCanonical: value => rounded((value - offset) / factor),
  }
}

/**
 * The canonical form of a UCUM unit, so that `5 mg` and `0.005 g` can be compared.
 * The library is loaded on first use; answers are remembered per code.
 *
 * @param code  UCUM code, case sensitive, e.g. `mm[Hg]`
 * @returns     undefined for what is no UCUM unit, and for arbitrary (`[IU]`) and logarithmic (`[pH]`) units
 * @see         https://ucum.org/ucum
 */
export function canonicalUnit(code: string): CanonicalUnit | undefined {
  if (known.has(code)) return known.get(code)
  return remember(known, code, writable.test(code) ? measure(code) : undefined)
}

/**
 * Whether a text is a UCUM unit (case sensitive); unit names such as `gram` are not codes.
 *
 * @see https://ucum.org/ucum
 */
export function isUcum(code: string): boolean {
  const answer = valid.get(code)
  if (answer !== undefined) return answer
  if (!writable.test(code)) return remember(valid, code, false)
  const found = ucum().getSpecifiedUnit(code, 'validate')
  return remember(valid, code, found.status === 'valid' && found.unit !== null)
}
