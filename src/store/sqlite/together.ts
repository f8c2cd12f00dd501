interface Waiting<T> {
  readonly item: T
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Gathers what is to be written in one turn of the event loop, so that it shares one flush of the disk. */
export class Together<T> {
  readonly #write: (items: readonly T[]) => Promise<void>
  #waiting: Waiting<T>[] = []
  #running: Promise<void> = Promise.resolve()

  constructor(write: (items: readonly T[]) => Promise<void>) {
    this.#write = write
  }

  /** Resolves when it is written; rejects with all others of its turn. */
  add(item: T): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject })
      if (this.#waiting.length > 1) return
      this.#running = new Promise(done => setImmediate(() => void this.#flush().then(done)))
    })
  }

  /** Resolves when nothing waits any more. */
  settled(): Promise<void> {
    return this.#running
  }

  async #flush(): Promise<void> {
    const waiting = this.#waiting
    this.#waiting = []
    try {
      await this.#write(waiting.map(({ item }) => item))
      for (const { resolve } of waiting) resolve()
    } catch (error) {
      for (const { reject } of waiting) reject(error)
    }
  }
}
