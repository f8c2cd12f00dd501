import { Problem } from '#kernel'

// TypeScript's library does not know JSON.rawJSON yet. https://tc39.es/proposal-json-parse-with-source/
const { rawJSON } = JSON as typeof JSON & { rawJSON(text: string): unknown }

const grammar = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/

/**
 * A number whose text is not what JavaScript would print: `1.50`, `1e3`, twenty digits. JSON.stringify writes the text back.
 *
 * @throws Problem `invalid` · `fhir.decimal-malformed`
 * @see    https://hl7.org/fhir/R4/datatypes.html#decimal
 */
export class Decimal {
  readonly text: string

  constructor(text: string) {
    if (!grammar.test(text)) throw new Problem('invalid', 'fhir.decimal-malformed', 'The number is not a FHIR decimal.')
    this.text = text
  }

  /** The nearest double, so that comparisons and arithmetic work. */
  valueOf(): number {
    return Number(this.text)
  }

  toJSON(): unknown {
    return rawJSON(this.text)
  }

  toString(): string {
    return this.text
  }
}

/** Digits without point: value = mantissa · 10^exponent. */
interface Scaled {
  readonly mantissa: bigint
  readonly exponent: number
  /** Significant digits as written; leading zeros do not count. */
  readonly digits: number
  readonly isScientific: boolean
}

function scale(text: string): Scaled {
  if (!grammar.test(text)) throw new Problem('invalid', 'fhir.decimal-malformed', 'The number is not a FHIR decimal.')
  const [significand = '', power] = text.toLowerCase().split('e')
  const [whole = '', fraction = ''] = significand.split('.')
  return {
    mantissa: BigInt(whole + fraction),
    exponent: Number(power ?? 0) - fraction.length,
    digits: (whole + fraction).replace(/^-?0*/, '').length,
    isScientific: power !== undefined,
  }
}

/** Whether two decimal texts denote the same number, however they are written: `1.50` and `15e-1`. Exact, without rounding. */
export function isSameDecimal(a: string, b: string): boolean {
  const left = withoutTrailingZeros(a)
  const right = withoutTrailingZeros(b)
  return left.mantissa === right.mantissa && (left.exponent === right.exponent || left.mantissa === 0n)
}

function withoutTrailingZeros(text: string): { readonly mantissa: bigint; readonly exponent: number } {
  const { mantissa, exponent } = scale(text)
  const zeros = mantissa === 0n ? 0 : (/0*$/.exec(String(mantissa))?.[0].length ?? 0)
  return { mantissa: mantissa / 10n ** BigInt(zeros), exponent: exponent + zeros }
}

/** Half a unit of the last digit written. */
export interface ImplicitRange {
  /** Inclusive. */
  readonly low: number
  /** Exclusive. */
  readonly high: number
}

/**
 * The range that the digits of a number denote: 5.40 → [5.395, 5.405), 100 → [99.5, 100.5), -5 → [-5.5, -4.5).
 * A lone digit with an exponent takes a tenth of that, since the specification's example reads 1e2 as [95, 105).
 *
 * @throws Problem `invalid` · `fhir.decimal-malformed`
 * @see    https://hl7.org/fhir/R4/search.html#number
 */
export function implicitRange(text: string): ImplicitRange {
  const { mantissa, exponent, digits, isScientific } = scale(text)
  const places = isScientific && digits <= 1 ? 2 : 1
  const unit = mantissa * 10n ** BigInt(places)
  const value = toNumber(mantissa, exponent)
  // @NOTE with more digits than a double has, both ends would round to the value and the range would be empty.
  const next = value + Math.abs(value) * Number.EPSILON
  return { low: toNumber(unit - 5n, exponent - places), high: Math.max(toNumber(unit + 5n, exponent - places), next) }
}

/** Correctly rounded: the text goes through JavaScript's own number parser. */
function toNumber(mantissa: bigint, exponent: number): number {
  return Number(`${mantissa}e${exponent}`)
}
