import { stemmer as danish } from '@orama/stemmers/danish'
import { stemmer as dutch } from '@orama/stemmers/dutch'
import { stemmer as english } from '@orama/stemmers/english'
import { stemmer as finnish } from '@orama/stemmers/finnish'
import { stemmer as french } from '@orama/stemmers/french'
import { stemmer as german } from '@orama/stemmers/german'
import { stemmer as hungarian } from '@orama/stemmers/hungarian'
import { stemmer as italian } from '@orama/stemmers/italian'
import { stemmer as norwegian } from '@orama/stemmers/norwegian'
import { stemmer as portuguese } from '@orama/stemmers/portuguese'
import { stemmer as romanian } from '@orama/stemmers/romanian'
import { stemmer as russian } from '@orama/stemmers/russian'
import { stemmer as spanish } from '@orama/stemmers/spanish'
import { stemmer as swedish } from '@orama/stemmers/swedish'
import { stemmer as turkish } from '@orama/stemmers/turkish'
import { fold } from '../kinds/fold.ts'
import { Remembered } from './remembered.ts'

/** By the first part of a language's tag: https://www.rfc-editor.org/rfc/rfc5646 – each of two letters. */
const stemmers = {
  en: english,
  da: danish,
  de: german,
  es: spanish,
  fi: finnish,
  fr: french,
  hu: hungarian,
  it: italian,
  nb: norwegian,
  nl: dutch,
  no: norwegian,
  pt: portuguese,
  ro: romanian,
  ru: russian,
  sv: swedish,
  tr: turkish,
} as const satisfies Readonly<Record<string, (word: string) => string>>

export type Language = keyof typeof stemmers

export const languages = Object.keys(stemmers) as readonly Language[]

/** What is taken for the language of a text that does not say: its words are found by the same rules, whatever it is. */
export const unsaid: Language = 'en'

/** @param tag  `de-AT`, as `Resource.language` has it, or anything */
export function languageOf(tag: unknown): Language {
  const first = typeof tag === 'string' ? tag.slice(0, 3).toLowerCase().replace(/-.*/, '') : ''
  return Object.hasOwn(stemmers, first) ? (first as Language) : unsaid
}

const asciiWord = /[a-z0-9]+/g
// biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant
const ascii = /^[\x00-\x7f]*$/
/** Scripts that put no space between words: each of their characters is a word, and what is sought is a row of them. */
const unspaced =
  '\\p{sc=Han}\\p{sc=Hiragana}\\p{sc=Katakana}\\p{sc=Thai}\\p{sc=Lao}\\p{sc=Khmer}\\p{sc=Myanmar}\\p{sc=Tibetan}'
const anyWord = new RegExp(`[${unspaced}]\\p{M}*|(?:(?![${unspaced}])[\\p{L}\\p{M}\\p{N}])+`, 'gu')

/**
 * Finds a place where a word ends whatever follows.
 *
 * @param within  signs that parts of a word may be written with
 */
export function betweenWords(within = ''): RegExp {
  return new RegExp(`[^\\p{L}\\p{M}\\p{N}${within}]|(?!\\p{M})[${unspaced}]`, 'u')
}

/** The words of a text in lower case, in their order; whatever is neither letter nor digit parts them. */
export function wordsOf(text: string): readonly string[] {
  const lower = text.toLowerCase()
  return (ascii.test(lower) ? lower.match(asciiWord) : lower.normalize('NFC').match(anyWord)) ?? []
}

/** A longer word is no word of a language, and one with digits is a name. */
const longestWord = 40
const rememberedWords = 8_192
const remembered = new Map(languages.map(language => [language, new Remembered(rememberedWords)]))

/** A word in lower case without its ending and its accents. What is too long for a word would take much to remember. */
export function stemOf(word: string, language: Language): string {
  if (word.length > longestWord) return fold(word)
  const stems = remembered.get(language) as Remembered
  return stems.of(word, each => fold((!/\d/.test(each) && stemmers[language](each)) || each))
}
