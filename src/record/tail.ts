import type { IndexRow } from '#search'

/** The index rows behind the last segment: of the entries `from` and up. */
export class Tail {
  #rows: IndexRow[] = []
  #from = 1

  /** Begins anew, empty, at a seq. */
  startAt(seq: number): void {
    this.#rows = []
    this.#from = seq
  }

  get from(): number {
    return this.#from
  }

  get rows(): readonly IndexRow[] {
    return this.#rows
  }

  push(row: IndexRow): void {
    this.#rows.push(row)
  }

  /** Forgets the rows that a segment holds; dropping them twice is harmless. */
  dropUntil(seq: number): void {
    if (seq < this.#from) return
    this.#rows = this.#rows.filter(row => row.seq > seq)
    this.#from = seq + 1
  }

  /** Takes back rows that no segment holds any more. */
  prepend(rows: readonly IndexRow[], from: number): void {
    this.#rows = [...rows, ...this.#rows]
    this.#from = from
  }
}
