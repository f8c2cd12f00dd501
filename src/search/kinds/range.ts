import { implicitRange, parseDateInterval } from '#fhir'
import { Problem } from '#kernel'
import type { Prefix, RangeOperand } from '../query/types.ts'

/** Whether a stored range fulfils an operand. */
export type RangeTest = (low: number, high: number) => boolean

const prefixPattern = /^(eq|ne|gt|lt|ge|le|sa|eb|ap)(?=[^a-z])/
const numberPattern = /^[+-]?(?:[0-9]+(?:\.[0-9]+)?)(?:[eE][+-]?[0-9]+)?$/
/** `ap` without a rule of its own: a tenth of the value, or of the time between it and now. */
const approximation = 0.1

export function splitPrefix(text: string): { prefix: Prefix; rest: string } {
  const prefix = prefixPattern.exec(text)?.[1] as Prefix | undefined
  return prefix === undefined ? { prefix: 'eq', rest: text } : { prefix, rest: text.slice(2) }
}

/**
 * The interval that a FHIR date search value denotes; `2026-03` is all of March.
 *
 * @param nowMs  for `ap`, whose width depends on the distance to now
 * @throws Problem `invalid` · `search.date-malformed`
 * @see https://hl7.org/fhir/R4/search.html#date
 */
export function parseDateOperand(text: string, name: string, nowMs: number): RangeOperand {
  const { prefix, rest } = splitPrefix(text)
  const interval = parseDateInterval(rest)
  if (interval === undefined)
    throw new Problem('invalid', 'search.date-malformed', 'The value is not a FHIR date.', { expression: name })
  const { fromMs, untilMs } = interval
  const slack = prefix === 'ap' ? Math.abs(nowMs - fromMs) * approximation : 0
  return { kind: 'range', prefix, low: fromMs - slack, high: untilMs + slack, exact: fromMs }
}

/** `+5` and `007` are numbers for a person, though not for JSON. */
function canonicalNumber(text: string): string {
  return text.replace(/^\+/, '').replace(/^(-?)0+(?=[0-9])/, '$1')
}

/**
 * A number and the range that its digits denote.
 *
 * @throws Problem `invalid` · `search.number-malformed`
 * @see https://hl7.org/fhir/R4/search.html#number
 */
export function parseNumberOperand(text: string, name: string): RangeOperand {
  const { prefix, rest } = splitPrefix(text)
  const exact = Number(rest)
  if (!numberPattern.test(rest) || !Number.isFinite(exact))
    throw new Problem('invalid', 'search.number-malformed', 'The value is not a number.', { expression: name })
  const { low, high } = implicitRange(canonicalNumber(rest))
  if (prefix !== 'ap') return { kind: 'range', prefix, low, high, exact }
  const slack = Math.abs(exact) * approximation
  return { kind: 'range', prefix, low: Math.min(low, exact - slack), high: Math.max(high, exact + slack), exact }
}

/**
 * Dates: both ranges are half open, and the search value is a range even after a prefix.
 *
 * @see https://hl7.org/fhir/R4/search.html#prefix
 */
export const dateTests: Readonly<Record<Prefix, (operand: RangeOperand) => RangeTest>> = {
  eq:
    ({ low: a, high: b }) =>
    (low, high) =>
      low >= a && high <= b,
  ne:
    ({ low: a, high: b }) =>
    (low, high) =>
      low < a || high > b,
  gt:
    ({ high: b }) =>
    (_low, high) =>
      high > b,
  lt:
    ({ low: a }) =>
    low =>
      low < a,
  ge:
    ({ low: a, high: b }) =>
    (low, high) =>
      high > b || (low >= a && high <= b),
  le:
    ({ low: a, high: b }) =>
    (low, high) =>
      low < a || (low >= a && high <= b),
  sa:
    ({ high: b }) =>
    low =>
      low >= b,
  eb:
    ({ low: a }) =>
    (_low, high) =>
      high <= a,
  ap:
    ({ low: a, high: b }) =>
    (low, high) =>
      low < b && high > a,
}

/**
 * Numbers: stored values are exact, `eq`, `ne` and `ap` take the range of the digits, the others the number as it stands
 * (`gt100`: greater than exactly 100).
 *
 * @see https://hl7.org/fhir/R4/search.html#number
 */
export const numberTests: Readonly<Record<Prefix, (operand: RangeOperand) => RangeTest>> = {
  eq:
    ({ low: a, high: b }) =>
    (low, high) =>
      low >= a && high < b,
  ne:
    ({ low: a, high: b }) =>
    (low, high) =>
      low < a || high >= b,
  gt:
    ({ exact }) =>
    (_low, high) =>
      high > exact,
  lt:
    ({ exact }) =>
    low =>
      low < exact,
  ge:
    ({ exact }) =>
    (_low, high) =>
      high >= exact,
  le:
    ({ exact }) =>
    low =>
      low <= exact,
  sa:
    ({ exact }) =>
    low =>
      low > exact,
  eb:
    ({ exact }) =>
    (_low, high) =>
      high < exact,
  ap:
    ({ low: a, high: b }) =>
    (low, high) =>
      low <= b && high >= a,
}
