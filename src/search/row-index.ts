import type { TypeTable } from './columns/type-table.ts'

/** Whose record a compartment is. */
export interface Holder {
  /** The compartment's random id. */
  readonly compartment: string
  readonly kind: 'patient' | 'household' | 'commons' | 'audit'
  /** The Patient's id, for a patient's compartment and its audit. */
  readonly patient?: string
  /** The account, for its household and that one's audit; the household of the instance has none. */
  readonly account?: string
}

/**
 * Rows as typed columns, of one holder or of many. What tables call the seq of a row is its *arrival* in this index: the seq in
 * the ledger where there is one holder, else a number that is counted over all of them. It rises within each holder as the seq does.
 */
export interface RowIndex {
  /** Tells this index from every other, also from one that is made of the same rows later. */
  readonly name: string
  readonly tables: ReadonlyMap<string, TypeTable>
  /** The newest arrival; 0 when there is none. */
  readonly head: number
  /** Counts what changes answers without an arrival: holders that leave. */
  readonly departures: number
  /** Whose rows are here, by number. */
  readonly holders: readonly Holder[]
  /** The number of the holder of an arrival. */
  holderAt(arrival: number): number
  /** The seq that an arrival has in its holder's ledger. */
  seqAt(arrival: number): number
  /** When an arrival that replaced or removed a row was written, Unix milliseconds; 0 where that is not kept. */
  writtenMs(arrival: number): number
  /** Rows of a table, from one up to another (exclusive), by their holder: rows that lie side by side and have the same one. */
  stretches(table: TypeTable, from: number, to: number, use: (holder: number, from: number, to: number) => void): void
}

function orderOf(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/**
 * Patients before households before common property before records of access, and one patient before another by id, so that what
 * one commit wrote has an order of its own: compartments are named at random.
 */
export function holderOrder(a: Holder, b: Holder): number {
  if (a === b) return 0
  const kinds = orderOf(b.kind, a.kind)
  return kinds || orderOf(a.patient ?? '', b.patient ?? '') || orderOf(a.compartment, b.compartment)
}

/** The holder of a row. */
export function holderOf(index: RowIndex, table: TypeTable, row: number): Holder {
  return index.holders[index.holderAt(table.seqs.array[row] as number)] as Holder
}
