const shape = /^[1-9][0-9]{0,6}-[0-9]$|^0-[0-9]$/

/** Mod 10 over the digits from the right, every second one doubled and its digits added (Luhn). */
function checkDigit(digits: string): number {
  let sum = 0
  for (let i = 0; i < digits.length; i++) {
    const digit = digits.charCodeAt(digits.length - 1 - i) - 48
    const weighed = i % 2 === 0 ? digit * 2 : digit
    sum += weighed > 9 ? weighed - 9 : weighed
  }
  return (10 - (sum % 10)) % 10
}

/**
 * Whether a text has the form of a LOINC number and its mod-10 check digit is right; says nothing about its being assigned.
 *
 * @param code  e.g. `8867-4`; parts (`LP…`) and answers (`LA…`) are not LOINC numbers
 * @see         https://loinc.org/kb/users-guide/ appendix on the check digit
 */
export function isLoincWellFormed(code: string): boolean {
  if (!shape.test(code)) return false
  const [digits = '', check = ''] = code.split('-')
  return checkDigit(digits) === Number(check)
}
