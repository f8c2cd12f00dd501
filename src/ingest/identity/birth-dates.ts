/** `alike`: what a slip of the pen makes – two digits that changed places, one wrong digit, day and month exchanged. */
export type DateLikeness = 'same' | 'alike' | 'other' | 'unknown'

/** Compares to the precision that both have: a year agrees with any day in it. */
export function compareBirthDates(one: string | undefined, other: string | undefined): DateLikeness {
  if (one === undefined || other === undefined) return 'unknown'
  const length = Math.min(one.length, other.length)
  const [a, b] = [digitsOf(one, length), digitsOf(other, length)]
  if (a === b) return 'same'
  return isOneDigitOff(a, b) || isTransposed(a, b) || isDayForMonth(a, b) ? 'alike' : 'other'
}

function digitsOf(date: string, length: number): string {
  return date.slice(0, length).replaceAll('-', '')
}

// Of a year alone one digit is too much: it may be a decade.
function isOneDigitOff(a: string, b: string): boolean {
  return a.length > 4 && a.length === b.length && [...a].filter((digit, at) => digit !== b[at]).length === 1
}

function isTransposed(a: string, b: string): boolean {
  const at = [...a].findIndex((digit, place) => digit !== b[place])
  return a.slice(0, at) + (a[at + 1] ?? '') + (a[at] ?? '') + a.slice(at + 2) === b
}

function isDayForMonth(a: string, b: string): boolean {
  return a.length === 8 && a.slice(0, 4) + a.slice(6) + a.slice(4, 6) === b
}
