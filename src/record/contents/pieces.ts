/** Bytes that arrive, to be taken in portions of so many. */
export class Pieces {
  readonly #source: AsyncIterator<Uint8Array>
  #left: Uint8Array | undefined
  #isOver = false

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  /** Whether more follows; waits until that is known. */
  async hasMore(): Promise<boolean> {
    while (this.#left === undefined && !this.#isOver) {
      const { done, value } = await this.#source.next()
      if (done === true) this.#isOver = true
      else if (value.length > 0) this.#left = value
    }
    return this.#left !== undefined
  }

  /** The next bytes, at most so many. */
  async *take(bytes: number): AsyncGenerator<Uint8Array, void, void> {
    for (let wanted = bytes; wanted > 0 && (await this.hasMore()); ) {
      const piece = this.#left ?? nothing
      const given = piece.subarray(0, wanted)
      this.#left = given.length < piece.length ? piece.subarray(given.length) : undefined
      wanted -= given.length
      yield given
    }
  }

  /** Nothing more is wanted. */
  async end(): Promise<void> {
    this.#isOver = true
    this.#left = undefined
    await this.#source.return?.()
  }
}

const nothing = new Uint8Array(0)
