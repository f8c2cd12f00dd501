import type { Steps } from '#kernel'
import type { Cell } from '../extraction/cell.ts'
import { type Plan, planOf } from '../extraction/plan.ts'
import { Column } from './column.ts'
import { GrowFloat64, GrowUint32 } from './growable.ts'
import { IdColumn } from './ids.ts'
import { RowsRemembered } from './rows-remembered.ts'

/** Seq of a row that nothing has replaced. */
export const alive = 0xffff_ffff

/** Before every seq: of rows whose holder has left. */
export const neverThere = 0

const nothing: ReadonlyMap<string, TypeTable> = new Map()

/** All rows of one resource type in one compartment, as columns. Rows are in the order of their seq. */
export class TypeTable {
  readonly plan: Plan
  readonly ids = new IdColumn()
  readonly seqs = new GrowUint32()
  /** Seq of the version that replaced or removed the row. */
  readonly deadAt = new GrowUint32()
  readonly updated = new GrowFloat64()
  readonly remembered = new RowsRemembered()
  /** Whether any row has been replaced or removed. */
  hasDead = false
  readonly #shared: number[] = []
  #sharedUntil = 0
  /** By the index of their source; undefined until some row has a value. */
  readonly columns: (Column | undefined)[] = []

  /** Rows of the resources within those of the same compartment, by their type; a row has the seq of its container. */
  readonly contained: ReadonlyMap<string, TypeTable>

  constructor(type: string, contained: ReadonlyMap<string, TypeTable> = nothing) {
    this.plan = planOf(type)
    this.contained = contained
  }

  get count(): number {
    return this.seqs.length
  }

  get sizeBytes(): number {
    const { ids, seqs, deadAt, updated, remembered } = this
    const arrays = seqs.array.byteLength + deadAt.array.byteLength + updated.array.byteLength
    const own = ids.sizeBytes + arrays + remembered.sizeBytes
    return this.columns.reduce((sum, column) => sum + (column?.sizeBytes ?? 0), own)
  }

  /** The column of a source, made if it is not there. */
  column(index: number): Column {
    let column = this.columns[index]
    const source = this.plan.sources[index]
    if (column === undefined && source !== undefined) this.columns[index] = column = new Column(source)
    return column as Column
  }

  /** Appends a row without values. @returns its number */
  place(seq: number, updatedMs: number, packedId: Uint8Array): number {
    this.seqs.push(seq)
    this.updated.push(updatedMs)
    this.deadAt.push(alive)
    this.ids.push(packedId)
    return this.count - 1
  }

  append(seq: number, updatedMs: number, packedId: Uint8Array, cells: readonly Cell[]): void {
    const row = this.place(seq, updatedMs, packedId)
    for (const cell of cells) this.column(cell.source.index).append(row, cell)
  }

  /** What the rows from one on say, as a table of its own that is only looked at: of what replaced them it knows nothing. */
  since(from: number): TypeTable {
    const table = new TypeTable(this.plan.type, this.contained)
    for (let row = from; row < this.count; row++)
      table.place(this.seqs.array[row] as number, this.updated.array[row] as number, this.ids.bytes(row))
    for (const [at, column] of this.columns.entries()) table.columns[at] = column?.since(from)
    return table
  }

  /** Gives the texts of a row to come their numbers. */
  *prepare(cells: readonly Cell[]): Steps<void> {
    for (const cell of cells) yield* this.column(cell.source.index).prepare(cell)
  }

  /** Rows that lie in other compartments too, ascending. */
  get sharedRows(): readonly number[] {
    const column = this.columns[this.plan.shared.index]
    for (; this.#sharedUntil < (column?.rows ?? 0); this.#sharedUntil++)
      if (column?.isFilled(this.#sharedUntil) === true) this.#shared.push(this.#sharedUntil)
    return this.#shared
  }

  isShared(row: number): boolean {
    const column = this.columns[this.plan.shared.index]
    return column !== undefined && row < column.rows && column.isFilled(row)
  }

  /** Rows whose seq is at most `seq`. */
  countUntil(seq: number): number {
    const seqs = this.seqs.array
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((seqs[middle] as number) <= seq) low = middle + 1
      else high = middle
    }
    return low
  }

  /** The rows of one seq: one, or all that lie within one resource. */
  rowsAt(seq: number): readonly number[] {
    const rows: number[] = []
    for (let row = this.countUntil(seq) - 1; row >= 0 && this.seqs.array[row] === seq; row--) rows.push(row)
    return rows
  }

  /** Rows of these seqs, both inclusive, are gone, and were never there. @returns how many they are */
  forget(fromSeq: number, untilSeq: number): number {
    const from = this.countUntil(fromSeq - 1)
    const until = this.countUntil(untilSeq)
    if (until > from) this.hasDead = true
    this.deadAt.array.fill(neverThere, from, until)
    return until - from
  }

  /** Notes that the row of `superseded` is replaced by `seq`. */
  supersede(superseded: number, seq: number): void {
    const row = this.countUntil(superseded) - 1
    if (row < 0 || this.seqs.array[row] !== superseded) return
    this.deadAt.array[row] = seq
    this.hasDead = true
  }
}
