import type { SaxesTagNS } from 'saxes'
import { xhtmlNamespace } from './names.ts'
import type { Window } from './window.ts'

const xmlNamespace = 'http://www.w3.org/XML/1998/namespace'
const xmlnsNamespace = 'http://www.w3.org/2000/xmlns/'
const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '"': '&quot;',
  '\t': '&#9;',
  '\n': '&#10;',
  '\r': '&#13;',
}

/**
 * A narrative whose elements have prefixes, or their namespace from further out, written as JSON has it: without prefixes and with an
 * xmlns of its own. What stands between its tags stays letter by letter.
 */
export class Unprefixed {
  readonly #text: Window
  readonly #pieces: string[] = []
  #taken: number

  /** @param from  where the first tag begins */
  constructor(text: Window, from: number) {
    this.#text = text
    this.#taken = from
  }

  /** How far the text was taken. */
  get taken(): number {
    return this.#taken
  }

  /**
   * A tag that has begun, and ends before `until`.
   *
   * @returns whether it is one of XHTML
   */
  open({ local, uri, attributes, isSelfClosing }: SaxesTagNS, until: number): boolean {
    const own = Object.values(attributes).filter(attribute => attribute.uri !== xmlnsNamespace)
    if (uri !== xhtmlNamespace || own.some(each => each.uri !== '' && each.uri !== xmlNamespace)) return false
    const namespace = this.#pieces.length === 0 ? ` xmlns="${xhtmlNamespace}"` : ''
    const told = own.map(
      ({ name, value }) => ` ${name}="${value.replace(/[&<"\t\n\r]/g, letter => escapes[letter] ?? '')}"`,
    )
    this.#put(`<${local}${namespace}${told.join('')}${isSelfClosing ? '/' : ''}>`, until)
    return true
  }

  /** The end tag that ends before `until`. */
  close({ local, isSelfClosing }: SaxesTagNS, until: number): void {
    if (!isSelfClosing) this.#put(`</${local}>`, until)
  }

  toString(): string {
    return this.#pieces.join('')
  }

  #put(tag: string, until: number): void {
    this.#pieces.push(this.#text.slice(this.#taken, this.#text.tagBefore(until)), tag)
    this.#taken = until
  }
}
