import { Problem } from '#kernel'
import { wordsOf } from '../words/stems.ts'
import { limits, tooCostly } from './limits.ts'

/** What is sought in a text, as it is written. */
export type TextSearch =
  | { readonly kind: 'and' | 'or'; readonly parts: readonly TextSearch[] }
  | { readonly kind: 'not'; readonly part: TextSearch }
  | SoughtWords

/** Words that stand one after the other; of the last only the beginning, where a star follows it. */
export interface SoughtWords {
  readonly kind: 'words'
  readonly words: readonly string[]
  readonly isBeginning: boolean
}

/** A hyphen before a bracket or a quotation is no sign that stands alone. */
const part = /"[^"]*"|"|[(),]|-(?=[("])|(?:\\.|[^\s()",\\-]|-(?![("]))+|\\/gs

/** Reads what is sought from left to right: `not` binds most, then `and`, which may be left out, then `or` and the comma. */
class TextSearchReading {
  readonly #parts: readonly string[]
  readonly #name: string
  #at = 0
  #depth = 0

  constructor(text: string, name: string) {
    this.#name = name
    this.#parts = partsOf(text)
    if (this.#parts.includes('"')) throw this.#malformed('a text in quotes does not end')
  }

  whole(): TextSearch {
    const found = this.#any()
    if (this.#at < this.#parts.length) throw this.#malformed('a bracket ends that was not begun')
    return found
  }

  #any(): TextSearch {
    if (++this.#depth > limits.nesting) throw tooCostly('nesting', this.#name)
    const parts = [this.#all()]
    while (this.#take('or', ',')) parts.push(this.#all())
    this.#depth--
    return joined('or', parts)
  }

  #all(): TextSearch {
    const parts = [this.#one()]
    while (this.#take('and') || !this.#isEnd()) parts.push(this.#one())
    return joined('and', parts)
  }

  /** Whether what comes next begins nothing. */
  #isEnd(): boolean {
    const next = this.#parts[this.#at]?.toLowerCase()
    return next === undefined || next === ')' || next === ',' || next === 'or'
  }

  #one(): TextSearch {
    let isNot = false
    while (this.#take('not')) isNot = !isNot
    const found = this.#take('(') ? this.#bracket() : this.#words()
    return isNot ? { kind: 'not', part: found } : found
  }

  #bracket(): TextSearch {
    const found = this.#any()
    if (!this.#take(')')) throw this.#malformed('a bracket does not end')
    return found
  }

  #words(): TextSearch {
    const next = this.#isEnd() ? undefined : this.#parts[this.#at++]
    const words = wordsOf(next ?? '')
    if (next === undefined || words.length === 0 || next.toLowerCase() === 'and')
      throw this.#malformed('a word is missing')
    const sought: SoughtWords = { kind: 'words', words, isBeginning: /\*"?$/.test(next) }
    return next.startsWith('-') ? { kind: 'not', part: sought } : sought
  }

  #take(...wanted: readonly string[]): boolean {
    const found = wanted.includes(this.#parts[this.#at]?.toLowerCase() ?? '')
    if (found) this.#at++
    return found
  }

  #malformed(what: string): Problem {
    const text = `What is sought in texts is not understood: ${what}. It is words, "texts in quotes", and, or, not and brackets.`
    return new Problem('invalid', 'search.text-malformed', text, { expression: this.#name })
  }
}

function joined(kind: 'and' | 'or', parts: readonly TextSearch[]): TextSearch {
  return parts.length === 1 ? (parts[0] as TextSearch) : { kind, parts }
}

/** Brackets, commas, texts in quotes and words. Signs that stand alone are no words, and nothing is asked by them. */
function partsOf(text: string): readonly string[] {
  const found = text.match(part) ?? []
  return found
    .filter(each => /^[(),"-]$/.test(each) || wordsOf(each).length > 0)
    .map(each => (each === '-' ? 'not' : each))
}

/**
 * The expression of `_text` and `_content`, whose form R4 leaves to servers; its example is `(bone OR liver) and metastases`.
 *
 * @param name  of the parameter, for messages
 * @throws Problem `invalid` · `search.text-malformed`; `too-costly` · `search.too-costly`
 * @see https://hl7.org/fhir/R4/search.html#text
 */
export function parseTextSearch(text: string, name: string): TextSearch {
  return new TextSearchReading(text, name).whole()
}
