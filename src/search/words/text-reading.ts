import { fold } from '../kinds/fold.ts'
import { sentenceEnd } from './narrative.ts'
import { Remembered } from './remembered.ts'
import { type Language, languages, stemOf, wordsOf } from './stems.ts'
import { plainText, type Writing } from './writing.ts'

/** Such texts are mostly names, which come again and again. */
const shortText = 64
const rememberedTexts = 4_096
const shortTexts = new Map(languages.map(language => [language, new Remembered(rememberedTexts)]))

/** The stems of a short text, a space before and after each; empty where it has no words. */
function shortStems(text: string, language: Language): string {
  const remembered = shortTexts.get(language) as Remembered
  return remembered.of(text, each => {
    const reading = new TextReading(each, language)
    reading.goOn(each.length)
    return reading.sentences.join(sentenceEnd)
  })
}

/** Whether accents may decide what is taken for the ending of a word. */
const beyondAscii = /[^a-z\d]/

/** Reads the words of one text, as much at a time as one may. */
export class TextReading {
  readonly sentences: string[] = []
  readonly #text: string
  readonly #language: Language
  readonly #writing: Writing
  #stems: string[] = []
  /** Words that are written with more than the letters of ASCII. */
  readonly #beyondAscii = new Set<string>()
  /** What words come to where they are written without their accents, and it is not the same. */
  readonly #plainer = new Set<string>()
  #at = 0

  constructor(text: string, language: Language, writing = plainText) {
    this.#text = text
    this.#language = language
    this.#writing = writing
  }

  /** @returns whether all is read */
  goOn(characters: number): boolean {
    const until = this.#writing.pieceEnd(this.#text, this.#at, characters)
    const [first = '', ...others] = this.#writing.shown(this.#text.slice(this.#at, until)).split(sentenceEnd)
    this.#read(first)
    for (const sentence of others) {
      this.#end()
      this.#read(sentence)
    }
    this.#at = until
    if (until < this.#text.length) return false
    this.#end()
    for (const stem of this.#plainer) this.sentences.push(` ${stem} `)
    return true
  }

  #read(sentence: string): void {
    for (const word of wordsOf(sentence)) {
      const stem = stemOf(word, this.#language)
      this.#stems.push(stem)
      if (beyondAscii.test(word) && !this.#beyondAscii.has(word)) this.#addPlainer(word, stem)
    }
  }

  #addPlainer(word: string, stem: string): void {
    this.#beyondAscii.add(word)
    const other = stemOf(fold(word), this.#language)
    if (other !== stem) this.#plainer.add(other)
  }

  #end(): void {
    if (this.#stems.length === 0) return
    this.sentences.push(` ${this.#stems.join(' ')} `)
    this.#stems = []
  }
}

/** Reads the words of many texts, each of them once. */
export class TextsReading {
  readonly sentences: string[] = []
  readonly #texts: readonly string[]
  /** To tell them apart takes longer than a slice where they are many, so it is done on the way. */
  readonly #read = new Set<string>()
  readonly #language: Language
  #at = 0
  #long: TextReading | undefined

  constructor(texts: readonly string[], language: Language) {
    this.#texts = texts
    this.#language = language
  }

  /** @returns whether all are read */
  goOn(characters: number): boolean {
    for (let left = characters; this.#at < this.#texts.length; left -= shortText, this.#at++) {
      if (left <= 0) return false
      const text = this.#texts[this.#at] as string
      if (this.#read.has(text)) continue
      if (!this.#readOne(text, characters)) return false
      this.#read.add(text)
    }
    return true
  }

  #readOne(text: string, characters: number): boolean {
    if (text.length <= shortText) {
      const stems = shortStems(text, this.#language)
      if (stems !== '') this.sentences.push(stems)
      return true
    }
    this.#long ??= new TextReading(text, this.#language)
    if (!this.#long.goOn(characters)) return false
    for (const sentence of this.#long.sentences) this.sentences.push(sentence)
    this.#long = undefined
    return true
  }
}
