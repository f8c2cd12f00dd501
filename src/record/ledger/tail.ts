import type { IndexRow } from '#search'

/** What a segment holds at most: so many rows, and no row more once they hold so many values. */
const most = { rows: 4096, values: 65_536 }

/**
 * The index rows behind the last segment: of the entries `from` and up. Where a segment is full depends on the rows alone,
 * so that every process that seals them cuts at the same places.
 */
export class Tail {
  #rows: IndexRow[] = []
  #from = 1
  /** Seqs of the last rows of full segments. */
  #cuts: number[] = []
  #open = { rows: 0, values: 0 }

  /** Begins anew, empty, at a seq. */
  startAt(seq: number): void {
    this.#from = seq
    this.#refill([])
  }

  get from(): number {
    return this.#from
  }

  /** Seq of the last row; that before `from` when there is none. */
  get until(): number {
    return this.#from + this.#rows.length - 1
  }

  get rows(): readonly IndexRow[] {
    return this.#rows
  }

  /** Seq of the last row of the first full segment; undefined while none is full. */
  get fullUntil(): number | undefined {
    return this.#cuts[0]
  }

  push(row: IndexRow): void {
    this.#rows.push(row)
    this.#open.rows += 1
    for (const { cells } of [row, ...(row.contained ?? [])]) for (const { count } of cells) this.#open.values += count
    if (this.#open.rows < most.rows && this.#open.values < most.values) return
    this.#cuts.push(row.seq)
    this.#open = { rows: 0, values: 0 }
  }

  /** Forgets the rows that a segment holds; dropping them twice is harmless. */
  dropUntil(seq: number): void {
    if (seq < this.#from) return
    this.#from = seq + 1
    this.#refill(this.#rows.filter(row => row.seq > seq))
  }

  /** Takes back rows that no segment holds any more. */
  prepend(rows: readonly IndexRow[], from: number): void {
    this.#from = from
    this.#refill([...rows, ...this.#rows])
  }

  #refill(rows: readonly IndexRow[]): void {
    this.#rows = []
    this.#cuts = []
    this.#open = { rows: 0, values: 0 }
    for (const row of rows) this.push(row)
  }
}
