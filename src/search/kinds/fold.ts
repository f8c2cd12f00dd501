// biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant
const ascii = /^[\x00-\x7f]*$/
const marks = /\p{M}+/gu

/**
 * A text as search compares it: without case, accents and compatibility forms. `Müller` and `MULLER` fold to the same.
 *
 * @see https://hl7.org/fhir/R4/search.html#string
 */
export function fold(text: string): string {
  if (ascii.test(text)) return text.toLowerCase().replace(/\s+/g, ' ').trim()
  const decomposed = text.normalize('NFKD').replace(marks, '')
  // Upper case first, so that ß becomes ss and both Greek sigmas become one.
  return decomposed.toUpperCase().toLowerCase().replaceAll('ς', 'σ').replace(/\s+/g, ' ').trim()
}
