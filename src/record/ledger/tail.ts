import type { IndexRow } from '#search'

/** What a segment holds at most. */
export const rowsOfSegment = 4096

/** The same, and no row more once they hold so many values. */
const most = { rows: rowsOfSegment, values: 65_536 }

/** About what a row and a value of it take in memory. */
const bytesOf = { row: 320, value: 48 }

/**
 * The index rows behind the last full segment, of the entries `start` and up. Those before `from` are not in memory: a segment
 * that is not full yet holds them. Where a segment is full depends on the rows alone, so that every process that seals them
 * cuts at the same places.
 */
export class Tail {
  #rows: IndexRow[] = []
  #from = 1
  #start = 1
  /** Seqs of the last rows of full segments. */
  #cuts: number[] = []
  #open = { rows: 0, values: 0 }
  #values = 0

  /** Begins anew, empty, at a seq; the next segment begins at `start`. */
  startAt(seq: number, start = seq): void {
    this.#from = seq
    this.#start = start
    this.#refill([])
  }

  get from(): number {
    return this.#from
  }

  /** Where the next segment begins. */
  get start(): number {
    return this.#start
  }

  get sizeBytes(): number {
    return this.#rows.length * bytesOf.row + this.#values * bytesOf.value
  }

  /** Seq of the last row; that before `from` when there is none. */
  get until(): number {
    return this.#from + this.#rows.length - 1
  }

  get rows(): readonly IndexRow[] {
    return this.#rows
  }

  /** The rows between two seqs, both included; rows lie without gaps. */
  between(fromSeq: number, untilSeq: number): readonly IndexRow[] {
    return this.#rows.slice(Math.max(0, fromSeq - this.#from), Math.max(0, untilSeq + 1 - this.#from))
  }

  /** Seq of the last row of the first full segment; undefined while none is full, or when rows are lacking to tell. */
  get fullUntil(): number | undefined {
    return this.#start === this.#from ? this.#cuts[0] : undefined
  }

  /** Whether a segment may be full, which only its rows could tell that are not here. */
  get lacksRows(): boolean {
    const lacking = this.#from - this.#start
    return lacking > 0 && (this.#cuts.length > 0 || lacking + this.#rows.length >= most.rows)
  }

  push(row: IndexRow): void {
    this.#rows.push(row)
    const values = valuesOf(row)
    this.#values += values
    this.#open.rows += 1
    this.#open.values += values
    if (this.#open.rows < most.rows && this.#open.values < most.values) return
    this.#cuts.push(row.seq)
    this.#open = { rows: 0, values: 0 }
  }

  /** Forgets the rows that a full segment holds; dropping them twice is harmless. */
  dropUntil(seq: number): void {
    if (seq >= this.#start) this.restartAt(seq + 1)
  }

  /** The next segment is the one that begins here; what lies before it is in others. */
  restartAt(start: number): void {
    this.#start = start
    this.#keepFrom(start)
  }

  /** Forgets rows that a segment holds which is not full: they are made anew when it is to become longer. */
  forgetUntil(seq: number): void {
    this.#keepFrom(seq + 1)
  }

  #keepFrom(seq: number): void {
    this.#from = Math.max(this.#from, seq)
    this.#refill(this.#rows.filter(row => row.seq >= this.#from))
  }

  /** Takes back rows that are not here. */
  prepend(rows: readonly IndexRow[], from: number): void {
    this.#from = from
    this.#start = Math.min(this.#start, from)
    this.#refill([...rows, ...this.#rows])
  }

  #refill(rows: readonly IndexRow[]): void {
    this.#rows = []
    this.#values = 0
    this.#cuts = []
    this.#open = { rows: 0, values: 0 }
    for (const row of rows) this.push(row)
  }
}

function valuesOf(row: IndexRow): number {
  let values = 0
  for (const { cells } of [row, ...(row.contained ?? [])]) for (const { count } of cells) values += count
  return values
}
