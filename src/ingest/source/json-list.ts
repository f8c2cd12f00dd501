import { Problem } from '#kernel'

const quote = 0x22
const comma = 0x2c
const backslash = 0x5c
const openBracket = 0x5b
const closeBracket = 0x5d
const openBrace = 0x7b
const closeBrace = 0x7d

/** The name of a list, and the space behind it. Characters. */
const longestName = 200

/**
 * Cuts a JSON object into the elements of one of its lists and the rest, as it streams by: what is held is one element, and the
 * rest. Only where things begin and end is looked at; whoever parses the pieces sees what is malformed within them.
 */
export class JsonListSplitter {
  readonly #list: string
  readonly #maxLength: number
  #depth = 0
  #inString = false
  #escaped = false
  #inList = false
  /** Never looked into before the end: to look into it is to copy all of it. */
  #shell = ''
  /** Its end. */
  #tail = ''
  #around = ''
  #held = ''
  #elements: string[] = []

  /** @param maxLength  characters of one element, and of all that is no element */
  constructor(list: string, maxLength: number) {
    this.#list = list
    this.#maxLength = maxLength
  }

  /** The elements that end in this text. @throws Problem `too-large` · `ingest.token-too-long` */
  write(text: string): string[] {
    this.#elements = []
    this.#around = ''
    let from = 0
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at)
      if (this.#inString) this.#takeInString(code)
      else if (code === quote) this.#inString = true
      else if (code === openBrace || code === openBracket) from = this.#opened(code, text, from, at)
      else if (code === closeBrace || code === closeBracket) from = this.#closed(text, from, at)
      else if (code === comma) from = this.#separated(text, from, at)
    }
    this.#add(text.slice(from))
    return this.#elements
  }

  /** What of the text that was written last stands around the elements. */
  get around(): string {
    return this.#around
  }

  /** What stood around the elements. @throws Problem `invalid` · `ingest.truncated` */
  end(): string {
    if (this.#depth > 0 || this.#inString)
      throw new Problem('invalid', 'ingest.truncated', 'The file ends before its last element is closed.')
    return this.#shell
  }

  #takeInString(code: number): void {
    if (this.#escaped) this.#escaped = false
    else if (code === backslash) this.#escaped = true
    else if (code === quote) this.#inString = false
  }

  #opened(code: number, text: string, from: number, at: number): number {
    this.#depth += 1
    if (code !== openBracket || this.#depth !== 2 || this.#inList) return from
    this.#add(text.slice(from, at + 1))
    this.#inList = this.#endsWithName()
    return at + 1
  }

  /** Whether what stands before a bracket is the name of the list. */
  #endsWithName(): boolean {
    const [, name] = /"((?:[^"\\]|\\.)*)"\s*:\s*\[$/.exec(this.#tail) ?? []
    return name === this.#list
  }

  #closed(text: string, from: number, at: number): number {
    this.#depth -= 1
    if (!this.#inList || this.#depth !== 1) return from
    this.#finish(text.slice(from, at))
    this.#inList = false
    return at
  }

  #separated(text: string, from: number, at: number): number {
    if (!this.#inList || this.#depth !== 2) return from
    this.#finish(text.slice(from, at))
    return at + 1
  }

  #finish(text: string): void {
    this.#add(text)
    const element = this.#held.trim()
    this.#held = ''
    if (element !== '') this.#elements.push(element)
  }

  #add(text: string): void {
    if (this.#inList) this.#held += text
    else this.#surround(text)
    if (this.#held.length <= this.#maxLength && this.#shell.length <= this.#maxLength) return
    throw new Problem(
      'too-large',
      'ingest.token-too-long',
      `One element of the file is longer than ${this.#maxLength} characters.`,
    )
  }

  #surround(text: string): void {
    this.#shell += text
    this.#around += text
    this.#tail = (this.#tail + text).slice(-longestName)
  }
}
