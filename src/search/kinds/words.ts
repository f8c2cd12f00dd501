import type { SoughtWords } from '../query/text-syntax.ts'
import { entryLanguage } from '../words/entry.ts'
import { type Language, stemOf } from '../words/stems.ts'
import { fold } from './fold.ts'
import { standsIn } from './standing.ts'

/** What stands in an entry of a language where the words do; any of them. */
function needlesOf({ words, isBeginning }: SoughtWords, language: Language): readonly string[] {
  const stems = words.map(word => stemOf(word, language))
  const whole = ` ${stems.join(' ')} `
  // An ending that was taken away is no more there to begin with.
  return isBeginning ? [` ${[...stems.slice(0, -1), fold(words.at(-1) ?? '')].join(' ')}`, whole] : [whole]
}

/** Whether some of the words sought stand in an entry, those of one operand one after the other. */
export function wordsTest(operands: readonly SoughtWords[]): (entry: string) => boolean {
  const byLanguage = new Map<Language, readonly string[]>()
  return entry => {
    const language = entryLanguage(entry)
    const needles = byLanguage.get(language) ?? operands.flatMap(operand => needlesOf(operand, language))
    byLanguage.set(language, needles)
    return needles.some(needle => standsIn(entry, needle))
  }
}
