import { sentenceEnd } from './narrative.ts'
import { type Language, languageOf, unsaid } from './stems.ts'

/**
 * What a dictionary keeps of the words of a resource, as one text: sentences of stems in their order, before them the language unless
 * it is the one of texts that do not say. Resources that say the same share an entry.
 */
export function printSentences(sentences: readonly string[], language: Language): string {
  const text = sentences.join(sentenceEnd)
  return language === unsaid ? text : language + text
}

/** A sentence begins with a space, so that letters before the first are a language. */
export function entryLanguage(entry: string): Language {
  return entry.startsWith(' ') ? unsaid : languageOf(entry.slice(0, 2))
}
