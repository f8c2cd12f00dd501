import type { SaxesParser } from 'saxes'

/** For each name the parser looks for its namespace in all elements that are open, and takes the attributes of one all in one go. */
export const xmlBounds = {
  /** Elements within one another. A resource has at most 64 of them; a narrative nests a few dozen. */
  deepest: 256,
  /** Attributes of one element. XHTML's has fewer than a hundred. */
  mostAttributes: 1_000,
  /** References, such as `&amp;`, of one narrative: the parser keeps a piece of text for each, and joins them in one go. */
  mostReferences: 500_000,
} as const

/** Counts what is open, and what one element has, before the parser looks at it. */
export class Bounds {
  #depth = 0
  #attributes = 0

  /** @param exceeded  what is done about more than that; it throws, or the parser goes on */
  constructor(parser: SaxesParser<{ xmlns: true }>, exceeded: (bound: 'deepest' | 'mostAttributes') => void) {
    parser.on('opentagstart', () => {
      this.#attributes = 0
      if (++this.#depth > xmlBounds.deepest) exceeded('deepest')
    })
    parser.on('attribute', () => {
      if (++this.#attributes > xmlBounds.mostAttributes) exceeded('mostAttributes')
    })
  }

  /** An element has ended. */
  closed(): void {
    this.#depth--
  }
}
