interface Section {
  readonly opens: string
  readonly closes: string
}

const comment: Section = { opens: '<!--', closes: '-->' }
const sections: readonly Section[] = [comment, { opens: '<![CDATA[', closes: ']]>' }]

/** What a sieve tells. */
export interface SieveEvents {
  /** A comment has two hyphens within, which XML forbids and which costs nothing. */
  blemish?(): void
  /** A CDATA section was left out: elements of an export have no text. */
  cdata?(): void
}

/**
 * Takes comments and CDATA sections out of the text of an export as it streams by, however long they are: nothing that stands in
 * them is an element. Holds a few characters. What looks like one within a tag is none (https://www.w3.org/TR/xml/#sec-comments).
 */
export class CommentSieve {
  readonly #events: SieveEvents
  /** Characters that may begin a section, or end the one that is open. */
  #held = ''
  #open: Section | undefined
  #isInTag = false

  constructor(events: SieveEvents = {}) {
    this.#events = events
  }

  /** What of the text stands outside of all sections. */
  take(text: string): string {
    let rest = this.#held + text
    let outside = ''
    this.#held = ''
    while (rest !== '') {
      const [passed, left] =
        this.#open === undefined ? this.#passOutside(rest) : ['', this.#passWithin(rest, this.#open)]
      outside += passed
      rest = left
    }
    return outside
  }

  /** What is left when the text ends: what began a section and was none. */
  end(): string {
    return this.#open === undefined ? this.#held : ''
  }

  /** @returns what is outside, and what is still to be looked at */
  #passOutside(text: string): [passed: string, left: string] {
    for (let at = text.indexOf('<!'); at >= 0; at = text.indexOf('<!', at + 2)) {
      const found = sections.find(({ opens }) => opens.startsWith(text.slice(at, at + opens.length)))
      if (found === undefined || this.#isTagOpen(text.slice(0, at))) continue
      const passed = this.#pass(text.slice(0, at))
      // What the end of the text cuts in two is looked at with what follows.
      if (text.length - at < found.opens.length) this.#held = text.slice(at)
      else this.#begin(found)
      return [passed, this.#held === '' ? text.slice(at + found.opens.length) : '']
    }
    if (text.endsWith('<')) this.#held = '<'
    return [this.#pass(this.#held === '' ? text : text.slice(0, -1)), '']
  }

  #begin(section: Section): void {
    this.#open = section
    if (section !== comment) this.#events.cdata?.()
  }

  /** @returns what follows the section */
  #passWithin(text: string, { closes }: Section): string {
    const end = text.indexOf(closes)
    const body = end < 0 ? text : text.slice(0, end)
    if (this.#open === comment && /--(?=[^>])/.test(body)) this.#events.blemish?.()
    if (end < 0) this.#held = text.slice(1 - closes.length)
    else this.#open = undefined
    return end < 0 ? '' : text.slice(end + closes.length)
  }

  #pass(text: string): string {
    this.#isInTag = this.#isTagOpen(text)
    return text
  }

  /** Whether a tag has begun and not ended behind a text. */
  #isTagOpen(text: string): boolean {
    const [opened, closed] = [text.lastIndexOf('<'), text.lastIndexOf('>')]
    if (opened < 0 && closed < 0) return this.#isInTag
    return opened > closed && /^<[A-Za-z_/]/.test(text.slice(opened, opened + 2))
  }
}

/** Comments before the first element are looked through so far; a document that begins with more is none. Characters. */
const mostComments = 16 * 1024 ** 2

/**
 * The beginning of a document without its comments, however long they are.
 *
 * @param length  how much of it is wanted, characters
 */
export async function headBehindComments(texts: AsyncIterable<string>, length: number): Promise<string> {
  const sieve = new CommentSieve()
  let head = ''
  let looked = 0
  for await (const text of texts) {
    head += sieve.take(text)
    looked += text.length
    if (head.length >= length || looked > mostComments || /<[A-Za-z_][^\s>]*[\s>]/.test(head)) break
  }
  return head.slice(0, length)
}
