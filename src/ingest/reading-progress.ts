/** How far an import is. */
export interface Progress {
  readonly bytesRead: number
  readonly bytesTotal: number
  readonly rows: number
}

/**
 * How far the reading of a file is, which is read more than once: it is looked through, once or twice, before it is taken in. Looking
 * through it once is half of the way, twice two thirds; what is left is the last reading. It moves as bytes are read, and never back.
 */
export class ReadingProgress {
  readonly #sizeBytes: number
  #read = 0
  /** How far it was when the last reading began. */
  #before: number | undefined
  rows = 0

  constructor(sizeBytes: number) {
    this.#sizeBytes = sizeBytes
  }

  add(bytes: number): void {
    this.#read += bytes
  }

  looked(): void {
    this.#before = this.#bytesRead
    this.#read = 0
  }

  get told(): Progress {
    return { bytesRead: Math.floor(this.#bytesRead), bytesTotal: this.#sizeBytes, rows: this.rows }
  }

  get #bytesRead(): number {
    const [size, read, before] = [this.#sizeBytes, this.#read, this.#before]
    if (size === 0 || read === 0) return before ?? 0
    if (before === undefined) return (size * read) / (size + read)
    return before + (size - before) * Math.min(1, read / size)
  }
}
