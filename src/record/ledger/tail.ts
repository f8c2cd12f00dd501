import type { IndexRow } from '#search'

/** What a segment holds at most. */
export const rowsOfSegment = 4096

/** The same, and no row more once they hold so many values, or letters in them. */
const most = { rows: rowsOfSegment, values: 65_536, letters: 4 * 1024 * 1024 }

/**
 * About what a row, a cell and a value of it take in memory; a letter takes a byte. Measured, in bytes: an Observation of six cells 1,598,
 * a Patient of eight 1,692, a Condition of three 698, the audit of twenty of nine cells and 28 values 3,272.
 */
const bytesOf = { row: 260, cell: 140, value: 48 }

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
  #open: Weight = nothing
  #held: Weight = nothing

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
    const { rows, cells, values, letters } = this.#held
    return rows * bytesOf.row + cells * bytesOf.cell + values * bytesOf.value + letters
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
    const weight = weightOf(row)
    this.#held = sum(this.#held, weight)
    this.#open = sum(this.#open, weight)
    if (!isFull(this.#open)) return
    this.#cuts.push(row.seq)
    this.#open = nothing
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

  /** Forgets rows that no full segment holds: they are made anew when one is to become longer. */
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
    this.#held = nothing
    this.#cuts = []
    this.#open = nothing
    for (const row of rows) this.push(row)
  }
}

interface Weight {
  readonly rows: number
  readonly cells: number
  readonly values: number
  readonly letters: number
}

const nothing: Weight = { rows: 0, cells: 0, values: 0, letters: 0 }

function weightOf(row: IndexRow): Weight {
  let [count, values, letters] = [0, 0, 0]
  for (const { cells } of [row, ...(row.contained ?? [])])
    for (const cell of cells) {
      count++
      values += cell.count
      letters += cell.letters
    }
  return { rows: 1, cells: count, values, letters }
}

function sum(a: Weight, b: Weight): Weight {
  const [rows, cells] = [a.rows + b.rows, a.cells + b.cells]
  return { rows, cells, values: a.values + b.values, letters: a.letters + b.letters }
}

function isFull({ rows, values, letters }: Weight): boolean {
  return rows >= most.rows || values >= most.values || letters >= most.letters
}
