/**
 * What was read of a text and may still be asked for: from the tag that was begun last, or from where something is to be kept. The rest
 * is let go of, so that a long text is never held as a whole.
 */
export class Window {
  #text = ''
  /** Where in the text its first letter stands. */
  #from = 0
  #newest = ''

  /** @param isKept  whether all that is there is to stay */
  add(piece: string, isKept: boolean): void {
    // Only the newest piece is searched: to look through all that was kept, for each piece, would take ever longer.
    const tag = isKept ? -1 : this.#newest.lastIndexOf('<')
    if (tag >= 0) {
      this.#from += this.#text.length - this.#newest.length + tag
      this.#text = this.#newest.slice(tag)
    }
    this.#text += piece
    this.#newest = piece
  }

  slice(from: number, until: number): string {
    return this.#text.slice(from - this.#from, until - this.#from)
  }

  /** Where the last tag before a place begins. */
  tagBefore(place: number): number {
    return this.#text.lastIndexOf('<', place - 1 - this.#from) + this.#from
  }
}
