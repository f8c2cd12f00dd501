import { standsIn } from './standing.ts'

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

// With the flag u a pair of surrogates at the end is not seen by V8.
const inWord = /[\p{L}\p{M}\p{N}]$/v

const asciiInWord = /[a-z\d]/i
const isAsciiInWord = Array.from({ length: 128 }, (_, code) => asciiInWord.test(String.fromCharCode(code)))

/** Whether some word of a text begins what is sought; both folded. */
export function beginsWord(text: string, sought: string): boolean {
  return standsIn(text, sought, at => at === 0 || !isInWord(text, at))
}

/** Whether the sign before a place belongs to a word. */
function isInWord(text: string, at: number): boolean {
  return isAsciiInWord[text.charCodeAt(at - 1)] ?? inWord.test(text.slice(Math.max(0, at - 2), at))
}
