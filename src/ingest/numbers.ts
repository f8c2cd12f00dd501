import { Decimal } from '#fhir'

/** A number as FHIR JSON carries it: a `Decimal` where JavaScript would print other digits than were given. */
export type FhirNumber = number | Decimal

const decimalText = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/

/** The number a text denotes with the digits it has; undefined when it is not a FHIR decimal. */
export function toFhirNumber(text: string): FhirNumber | undefined {
  const value = Number(text)
  if (String(value) === text) return Number.isFinite(value) ? value : undefined
  if (decimalText.test(text) && Number.isFinite(value)) return new Decimal(text)
  // @NOTE `.5`, `+3` and `007` are not FHIR decimals but say a number plainly; their digits are printed anew.
  return /^[+-]?\d*\.?\d+$/.test(text) && Number.isFinite(value) ? value : undefined
}

/** How many digits carry meaning: 0.0302 → 3, 150 → 3. */
export function significantDigits(text: string): number {
  const digits = text
    .replace(/[eE].*$/, '')
    .replace(/^[+-]?[0.]*/, '')
    .replace('.', '')
  return digits.length
}

/** Moves the decimal point or multiplies by an exact factor, without the noise of binary fractions. */
export function exactly(value: number): number {
  return Number(value.toPrecision(15))
}

/**
 * Rounds a converted value to the digits of what was measured, at least four of them: exporters drop trailing zeros,
 * so `5.5 ft` is not a statement that the height is known to two digits.
 */
export function rounded(value: number, digits: number): number {
  return Number(value.toPrecision(Math.min(15, Math.max(4, digits))))
}

/** The shortest decimal that is the same 32-bit float: 36.599998474 → 36.6. */
export function fromFloat32(value: number): number {
  const single = Math.fround(value)
  for (let digits = 6; digits < 9; digits++) {
    const shorter = Number(single.toPrecision(digits))
    if (Math.fround(shorter) === single) return shorter
  }
  return Number(single.toPrecision(9))
}
