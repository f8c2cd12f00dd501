import { implicitRange, parseDateInterval } from '#fhir'
import { Problem } from '#kernel'
import type { Prefix, RangeOperand } from '../query/types.ts'
import { neighbour } from './neighbour.ts'

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
 * Limits on the two ends of a stored range, all inclusive; `outside` turns the answer round. Every prefix comes down to one
 * of these, so that a column is scanned by comparisons alone.
 */
export interface Box {
  readonly lowMin: number
  readonly lowMax: number
  readonly highMin: number
  readonly highMax: number
  readonly outside: boolean
}

/** No limits at all. */
export const anywhere: Box = {
  lowMin: Number.NEGATIVE_INFINITY,
  lowMax: Number.POSITIVE_INFINITY,
  highMin: Number.NEGATIVE_INFINITY,
  highMax: Number.POSITIVE_INFINITY,
  outside: false,
}

/** Whether a stored range, which must not be NaN, fulfils an operand. */
export function fits(box: Box, low: number, high: number): boolean {
  const inside = low >= box.lowMin && low <= box.lowMax && high >= box.highMin && high <= box.highMax
  return inside !== box.outside
}

function overlapping({ low, high }: RangeOperand): Box {
  return { ...anywhere, lowMax: neighbour(high, -1), highMin: neighbour(low, 1) }
}

type Boxes = Readonly<Record<Prefix, (operand: RangeOperand) => Box>>

/**
 * Dates: both ranges are half open, and the search value is a range even after a prefix.
 *
 * @see https://hl7.org/fhir/R4/search.html#prefix
 */
export const dateBoxes: Boxes = {
  eq: ({ low, high }) => ({ ...anywhere, lowMin: low, highMax: high }),
  ne: ({ low, high }) => ({ ...anywhere, lowMin: low, highMax: high, outside: true }),
  gt: ({ high }) => ({ ...anywhere, highMin: neighbour(high, 1) }),
  lt: ({ low }) => ({ ...anywhere, lowMax: neighbour(low, -1) }),
  // gt or eq, which is all but: ends by then and starts before.
  ge: ({ low, high }) => ({ ...anywhere, lowMax: neighbour(low, -1), highMax: high, outside: true }),
  le: ({ low, high }) => ({ ...anywhere, lowMin: low, highMin: neighbour(high, 1), outside: true }),
  sa: ({ high }) => ({ ...anywhere, lowMin: high }),
  eb: ({ low }) => ({ ...anywhere, highMax: low }),
  ap: overlapping,
  po: overlapping,
  co: ({ low, high }) => ({ ...anywhere, lowMax: low, highMin: high }),
}

/** Whoever asks with so many digits that a range is hardly wider than the slack finds what lies at its end, too. */
const hardlyWider = 500

function withinDigits({ low, high, exact, slack = 0 }: RangeOperand): Box {
  const end = high - exact > slack * hardlyWider ? neighbour(high - slack, -1) : high + slack
  return { ...anywhere, lowMin: low - slack, highMax: end }
}

function near({ low, high, slack = 0 }: RangeOperand): Box {
  return { ...anywhere, lowMax: high + slack, highMin: low - slack }
}

/**
 * Numbers: stored values are exact, `eq`, `ne` and `ap` take the range of the digits, the others the number as it stands
 * (`gt100`: greater than exactly 100).
 *
 * @see https://hl7.org/fhir/R4/search.html#number
 */
export const numberBoxes: Boxes = {
  eq: withinDigits,
  ne: operand => ({ ...withinDigits(operand), outside: true }),
  gt: ({ exact, slack = 0 }) => ({ ...anywhere, highMin: neighbour(exact + slack, 1) }),
  lt: ({ exact, slack = 0 }) => ({ ...anywhere, lowMax: neighbour(exact - slack, -1) }),
  ge: ({ exact, slack = 0 }) => ({ ...anywhere, highMin: exact - slack }),
  le: ({ exact, slack = 0 }) => ({ ...anywhere, lowMax: exact + slack }),
  sa: ({ exact, slack = 0 }) => ({ ...anywhere, lowMin: neighbour(exact + slack, 1) }),
  eb: ({ exact, slack = 0 }) => ({ ...anywhere, highMax: neighbour(exact - slack, -1) }),
  ap: near,
  po: near,
  co: ({ exact, slack = 0 }) => ({ ...anywhere, lowMax: exact + slack, highMin: exact - slack }),
}
