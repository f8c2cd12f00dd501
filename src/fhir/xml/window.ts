/**
 * What was read of a text and may still be asked for: the newest piece, and of those before it what is to be kept, or else what begins
 * with the last tag. The rest is let go of, so that a long text is never held as a whole, and never joined again for each piece.
 */
export class Window {
  #older = ''
  /** Where in the text its first letter stands. */
  #from = 0
  #newest = ''

  /** @param keptFrom  where that begins which is to stay; by default the last tag */
  add(piece: string, keptFrom = this.#lastTag()): void {
    this.#older = this.slice(keptFrom, this.#newestFrom + this.#newest.length)
    this.#from = keptFrom
    this.#newest = piece
  }

  slice(from: number, until: number): string {
    const [first, last] = [from - this.#newestFrom, until - this.#newestFrom]
    if (first >= 0) return this.#newest.slice(first, last)
    return this.#older.slice(from - this.#from, until - this.#from) + this.#newest.slice(0, Math.max(0, last))
  }

  /** Where the last tag before a place begins, which lies in the newest piece. */
  tagBefore(place: number): number {
    const at = this.#newest.lastIndexOf('<', place - 1 - this.#newestFrom)
    return at >= 0 ? this.#newestFrom + at : this.#from + this.#older.lastIndexOf('<')
  }

  get #newestFrom(): number {
    return this.#from + this.#older.length
  }

  #lastTag(): number {
    const at = this.#newest.lastIndexOf('<')
    return at >= 0 ? this.#newestFrom + at : this.#from
  }
}
