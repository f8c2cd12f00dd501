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

const inWord = /[\p{L}\p{M}\p{N}]$/u

/** Whether some word of a text begins what is sought; both folded. */
export function beginsWord(text: string, sought: string): boolean {
  for (let at = text.indexOf(sought); at >= 0; at = text.indexOf(sought, at + 1))
    if (at === 0 || !inWord.test(text.slice(Math.max(0, at - 2), at))) return true
  return false
}
