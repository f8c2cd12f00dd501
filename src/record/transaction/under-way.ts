import type { Holder, IndexRow } from '#search'

/** A row that a commit writes, and into whose compartment. */
export interface WrittenRow {
  readonly holder: Holder
  readonly row: IndexRow
}

/** What one commit writes. */
export interface Batch {
  readonly number: number
  readonly rows: readonly WrittenRow[]
  /** Resolves when it is known what became of it. */
  readonly settled: Promise<void>
  state: 'under way' | 'durable' | 'lost'
}

/** From which commit on somebody has not seen what was written. */
export interface Watch {
  from: number
}

/**
 * What this process commits, until it is durable, and as long as somebody decides on a look that came before: an index of what is
 * durable does not show it.
 */
export class UnderWay {
  readonly #batches: Batch[] = []
  readonly #watches = new Set<Watch>()
  #next = 1

  /** To be called before one looks: what is not durable now may not be seen. */
  watch(): Watch {
    const from = this.#batches.find(({ state }) => state === 'under way')?.number ?? this.#next
    const watch = { from }
    this.#watches.add(watch)
    return watch
  }

  ended(watch: Watch): void {
    this.#watches.delete(watch)
    this.#forget()
  }

  /** A commit has been given its places. @returns to be told what became of it */
  add(rows: readonly WrittenRow[]): (won: boolean) => void {
    if (rows.length === 0) return () => undefined
    const { promise, resolve } = Promise.withResolvers<void>()
    const batch: Batch = { number: this.#next++, rows, settled: promise, state: 'under way' }
    this.#batches.push(batch)
    return won => {
      batch.state = won ? 'durable' : 'lost'
      this.#forget()
      resolve()
    }
  }

  /**
   * The first commit that somebody may not have seen and by which something is changed. All together are asked about first, for
   * mostly none is; and what is looked through without finding one is not looked through again.
   */
  firstUnseen(watch: Watch, changes: (rows: readonly WrittenRow[]) => boolean): Batch | undefined {
    const unseen = this.#batches.filter(({ number, state }) => number >= watch.from && state !== 'lost')
    if (unseen.length > 0 && changes(unseen.flatMap(({ rows }) => rows))) {
      const first = unseen.find(({ rows }) => changes(rows))
      if (first !== undefined) return first
    }
    watch.from = this.#next
    return undefined
  }

  /** What everybody who looks from now on sees, and nobody watches for. */
  #forget(): void {
    const until = Math.min(this.#next, ...Array.from(this.#watches, ({ from }) => from))
    const kept = this.#batches.findIndex(({ number, state }) => number >= until || state === 'under way')
    this.#batches.splice(0, kept < 0 ? this.#batches.length : kept)
  }
}
