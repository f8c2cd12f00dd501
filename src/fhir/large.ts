import type { Steps } from '#kernel'
import { Decimal } from './decimal.ts'
import { encodeJsonInSteps, printJson } from './json-print.ts'
import type { Resource } from './resource.ts'

/** As much as is validated or made ready to be stored in a turn of the event loop: a few milliseconds. */
const valuesOfATurn = 2_000
/** Formats are looked at letter by letter: so many letters take as long as a value. */
const lettersOfAValue = 4_096
/** The same of a narrative, in which whatever could be active is looked for: https://hl7.org/fhir/R4/narrative.html */
const lettersOfMarkup = 256

/** Whether work on each value of a resource takes so long that others would notice. Looks no further than it must. */
export function isLarge(resource: Resource): boolean {
  return weightLeft(resource, valuesOfATurn) < 0
}

/** How many values a resource has, about; looks no further than `most`. */
export function weightOf(resource: Resource, most: number): number {
  return most - Math.max(0, weightLeft(resource, most))
}

function weightLeft(value: unknown, left: number): number {
  if (typeof value === 'string') return left - 1 - value.length / lettersOfAValue
  if (typeof value !== 'object' || value === null || value instanceof Decimal) return left - 1
  let rest = left - 1 - markupIn(value) / lettersOfMarkup
  for (const child of Object.values(value)) {
    rest = weightLeft(child, rest)
    if (rest < 0) return rest
  }
  return rest
}

function markupIn(value: object): number {
  return 'div' in value && typeof value.div === 'string' ? value.div.length : 0
}

/** Values that are counted in one go. */
const valuesAtATime = 1_000
/** Bytes of a value beside its letters, about. */
const bytesOfAValue = 32

/** How many bytes of memory a resource takes, about; looks no further than `most`, and bit by bit. */
export function* bytesOf(resource: Resource, most: number): Steps<number> {
  const waiting: unknown[] = [resource]
  let bytes = 0
  for (let seen = 1; waiting.length > 0 && bytes < most; seen++) {
    const value = waiting.pop()
    bytes += bytesOfAValue
    if (typeof value === 'string') bytes += value.length
    else if (typeof value === 'object' && value !== null && !(value instanceof Decimal))
      for (const child of Object.values(value)) waiting.push(child)
    if (seen % valuesAtATime === 0) yield
  }
  return Math.min(bytes, most)
}

/** The JSON text of a resource, in UTF-8; that of a large one is made bit by bit. */
export function* encodeResource(resource: Resource): Steps<Buffer> {
  return isLarge(resource) ? yield* encodeJsonInSteps(resource) : Buffer.from(printJson(resource), 'utf8')
}
