import { atOnce, Problem, type Steps } from '#kernel'
import { packId } from './columns/ids.ts'
import { TypeTable } from './columns/type-table.ts'
import type { IndexRow } from './extraction/row.ts'
import type { Holder, RowIndex } from './row-index.ts'
import { decodeSegment } from './segments/decode.ts'

/** What is searched: all rows of one compartment as typed columns in memory. */
export class CompartmentIndex implements RowIndex {
  readonly holder: Holder
  readonly holders: readonly Holder[]
  readonly tables = new Map<string, TypeTable>()
  readonly departures = 0
  /** Resources within others: no search finds them, only chains pass through them. */
  readonly #contained = new Map<string, TypeTable>()
  #head = 0

  constructor(holder: Holder) {
    this.holder = holder
    this.holders = [holder]
  }

  get name(): string {
    return this.holder.compartment
  }

  /** Seq of the last version applied; 0 when there is none. */
  get head(): number {
    return this.#head
  }

  /** About how much memory the columns take, for an LRU with a budget. */
  get sizeBytes(): number {
    let size = 1024
    for (const tables of [this.tables, this.#contained]) for (const table of tables.values()) size += table.sizeBytes
    return size
  }

  holderAt(): number {
    return 0
  }

  seqAt(arrival: number): number {
    return arrival
  }

  writtenMs(): number {
    return 0
  }

  stretches(
    _table: TypeTable,
    from: number,
    to: number,
    use: (holder: number, from: number, to: number) => void,
  ): void {
    use(0, from, to)
  }

  /**
   * Applies the rows of a segment; segments come in the order of their seq.
   *
   * @throws Problem `fault` · `search.segment-outdated`, `search.segment-malformed`, `search.rows-unordered`
   */
  addSegment(bytes: Uint8Array): void {
    atOnce(this.addSegmentInSteps(bytes))
  }

  /** As `addSegment`, bit by bit: for an index that nobody sees yet. */
  addSegmentInSteps(bytes: Uint8Array): Steps<void> {
    return decodeSegment(bytes, {
      begin: lastSeq => this.#advance(lastSeq),
      tableOf: type => this.#table(type, this.tables),
      containedOf: type => this.#table(type, this.#contained),
      wrote: () => undefined,
      arrivalOf: seq => seq,
      replace: (table, superseded, by) => table.supersede(superseded, by),
    })
  }

  /**
   * Applies one version, with a seq beyond the head.
   *
   * @throws Problem `fault` · `search.rows-unordered`
   */
  addRow(row: IndexRow): void {
    this.#advance(row.seq)
    const table = this.#table(row.type, this.tables)
    if (row.supersedes !== undefined && row.supersedes > 0) table.supersede(row.supersedes, row.seq)
    if (!row.deleted) table.append(row.seq, row.lastUpdatedMs, packId(row.id), row.cells)
    for (const { type, fragment, cells } of row.contained ?? [])
      this.#table(type, this.#contained).append(row.seq, Number.NaN, packId(fragment), cells)
  }

  /**
   * Does what of `addRow` takes longest and may be done before, bit by bit: for a row of many values. A row that never comes leaves
   * nothing behind but texts that no row has.
   */
  *prepareRow({ type, cells, contained = [] }: Pick<IndexRow, 'type' | 'cells' | 'contained'>): Steps<void> {
    yield* this.#table(type, this.tables).prepare(cells)
    for (const within of contained) yield* this.#table(within.type, this.#contained).prepare(within.cells)
  }

  #advance(seq: number): void {
    if (seq <= this.#head && seq !== 0) throw rowsUnordered()
    this.#head = Math.max(this.#head, seq)
  }

  #table(type: string, tables: Map<string, TypeTable>): TypeTable {
    const table = tables.get(type) ?? new TypeTable(type, this.#contained)
    tables.set(type, table)
    return table
  }
}

export const rowsUnordered = (): Problem =>
  new Problem('fault', 'search.rows-unordered', 'Rows of the search index came out of order.')
