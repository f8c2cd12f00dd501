import type { Column } from '../columns/column.ts'
import type { TypeTable } from '../columns/type-table.ts'
import type { CompartmentIndex } from '../compartment-index.ts'
import { canonicalValue } from '../kinds/quantity.ts'
import { referenceSortText } from '../kinds/reference.ts'
import { stringSortText } from '../kinds/string.ts'
import { tokenSortText } from '../kinds/token.ts'
import { type ParameterType, searchParameter } from '../parameters.ts'
import type { SortKey } from '../query/types.ts'

/** A match with what it is sorted by. */
export interface Candidate {
  readonly index: CompartmentIndex
  readonly table: TypeTable
  readonly row: number
  readonly keys: readonly (number | string | undefined)[]
}

/** One sort key over the rows of one table: a number by which they are ordered here, and the value itself for other tables. */
interface RowKey {
  readonly descending: boolean
  /** NaN: the row has no value, and comes last. */
  value(row: number): number
  /** Instead of `value`, where rows are better compared two by two. */
  readonly compare?: (a: number, b: number) => number
  /** The values by row, where they lie ready in a column. */
  readonly direct?: Float64Array
  shown(row: number): number | string | undefined
}

const sortTexts: Readonly<Partial<Record<ParameterType, (entry: string, descending: boolean) => string>>> = {
  token: tokenSortText,
  string: stringSortText,
  reference: referenceSortText,
  uri: entry => entry,
}

function orderOf(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** A row's values as numbers: of several, ascending order looks at the least and descending at the greatest. */
function bestOf(columns: readonly { column: Column; number: (place: number) => number }[], descending: boolean) {
  return (row: number): number => {
    let best = Number.NaN
    for (const { column, number } of columns) {
      if (row >= column.rows) continue
      const end = column.endOf(row)
      for (let place = column.startOf(row); place < end; place++) {
        const value = number(place)
        if (Number.isNaN(best) || (descending ? value > best : value < best)) best = value
      }
    }
    return best
  }
}

function numericKey(table: TypeTable, key: SortKey): RowKey {
  const uses = table.plan.uses.get(key.name) ?? []
  const columns = uses.flatMap(({ index }) => {
    const column = table.columns[index]
    return column?.lows === undefined ? [] : [{ column, number: numberOf(column) }]
  })
  const direct = columns.length === 1 ? directValues(table, columns[0]?.column) : undefined
  if (direct !== undefined) {
    const value = (row: number): number => direct[row] as number
    return { descending: key.descending, direct, value, shown: row => numberOrNone(value(row)) }
  }
  const value = bestOf(columns, key.descending)
  return { descending: key.descending, value, shown: row => numberOrNone(value(row)) }
}

/** The lower ends of a column of dates or numbers that has one place for each row of the table. */
function directValues(table: TypeTable, column: Column | undefined): Float64Array | undefined {
  if (column?.lows === undefined || column.ids !== undefined || column.starts !== undefined) return undefined
  return column.rows === table.count ? column.lows.array : undefined
}

function numberOrNone(value: number): number | undefined {
  return Number.isNaN(value) ? undefined : value
}

function numberOf(column: Column): (place: number) => number {
  const lows = column.lows?.array ?? new Float64Array()
  const { dictionary, ids } = column
  if (dictionary === undefined || ids === undefined) return place => lows[place] as number
  const scales = [(value: number) => value]
  for (let unit = 1; unit <= dictionary.count; unit++) scales.push(canonicalValue(dictionary.text(unit)))
  return place => scales[ids.array[place] as number]?.(lows[place] as number) ?? Number.NaN
}

/** Dictionary entries in the order of what they are sorted by; equal texts share a rank. */
function textKey(table: TypeTable, key: SortKey, textOf: (entry: string, descending: boolean) => string): RowKey {
  const uses = table.plan.uses.get(key.name) ?? []
  const columns = uses.flatMap(({ index }) => table.columns[index] ?? [])
  const texts = columns.map(column => {
    const { dictionary } = column
    return Array.from({ length: dictionary?.count ?? 0 }, (_, i) =>
      textOf(dictionary?.text(i + 1) ?? '', key.descending),
    )
  })
  const ordered = [...new Set(texts.flat())].sort(orderOf)
  const rankOf = new Map(ordered.map((text, rank) => [text, rank]))
  const ranked = columns.map((column, i) => {
    const ranks = Float64Array.from([Number.NaN, ...(texts[i] ?? []).map(text => rankOf.get(text) ?? Number.NaN)])
    return { column, number: (place: number) => ranks[column.ids?.array[place] ?? 0] as number }
  })
  const value = bestOf(ranked, key.descending)
  return { descending: key.descending, value, shown: row => ordered[value(row)] }
}

/** Ids have no ranks: a million of them would have to be sorted to show fifty. */
function idKey(table: TypeTable, { descending }: SortKey): RowKey {
  const sign = descending ? -1 : 1
  const compare = (a: number, b: number): number => sign * orderOf(table.ids.id(a), table.ids.id(b))
  return { descending, compare, value: () => Number.NaN, shown: row => table.ids.id(row) }
}

function updatedKey(table: TypeTable, { descending }: SortKey): RowKey {
  const direct = table.updated.array
  const value = (row: number): number => direct[row] as number
  return { descending, direct, value, shown: value }
}

const ownKeys: Readonly<Record<string, (table: TypeTable, key: SortKey) => RowKey>> = {
  _id: idKey,
  _lastUpdated: updatedKey,
}

function rowKey(table: TypeTable, key: SortKey): RowKey {
  const own = ownKeys[key.name]
  if (own !== undefined) return own(table, key)
  const textOf = sortTexts[searchParameter(table.plan.type, key.name)?.type ?? 'special']
  return textOf === undefined ? numericKey(table, key) : textKey(table, key, textOf)
}

function compareNumbers(a: number, b: number, descending: boolean): number {
  if (a === b) return 0
  if (Number.isNaN(a)) return Number.isNaN(b) ? 0 : 1
  if (Number.isNaN(b)) return -1
  return a < b === descending ? 1 : -1
}

/** Rows of one table: by the keys, then newest first, then by seq. */
function rowOrder(table: TypeTable, keys: readonly RowKey[]): (a: number, b: number) => number {
  const updated = table.updated.array
  return (a, b) => {
    for (const key of keys) {
      const order = key.compare?.(a, b) ?? compareNumbers(key.value(a), key.value(b), key.descending)
      if (order !== 0) return order
    }
    // Rows lie in the order of their seq.
    return (updated[b] as number) - (updated[a] as number) || b - a
  }
}

/** Keeps the first `limit` of the rows it is given, in a heap whose root is the last of those kept. */
class FirstRows {
  readonly #limit: number
  readonly #order: (a: number, b: number) => number
  readonly #heap: number[] = []

  constructor(limit: number, order: (a: number, b: number) => number) {
    this.#limit = limit
    this.#order = order
  }

  offer(row: number): void {
    if (this.#heap.length < this.#limit) {
      this.#heap.push(row)
      this.#rise(this.#heap.length - 1)
    } else if (this.#order(row, this.#heap[0] as number) < 0) {
      this.#heap[0] = row
      this.#sink()
    }
  }

  /** The last of the rows kept; undefined while there is still room. */
  get last(): number | undefined {
    return this.#heap.length < this.#limit ? undefined : this.#heap[0]
  }

  sorted(): number[] {
    return this.#heap.sort(this.#order)
  }

  #rise(from: number): void {
    const heap = this.#heap
    let at = from
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (this.#order(heap[at] as number, heap[parent] as number) <= 0) return
      this.#swap(at, parent)
      at = parent
    }
  }

  #sink(): void {
    const heap = this.#heap
    let at = 0
    for (;;) {
      const left = 2 * at + 1
      if (left >= heap.length) return
      const right = left + 1
      const isRight = right < heap.length && this.#order(heap[right] as number, heap[left] as number) > 0
      const later = isRight ? right : left
      if (this.#order(heap[later] as number, heap[at] as number) <= 0) return
      this.#swap(at, later)
      at = later
    }
  }

  #swap(a: number, b: number): void {
    const held = this.#heap[a] as number
    this.#heap[a] = this.#heap[b] as number
    this.#heap[b] = held
  }
}

function offerAll(first: FirstRows, rows: Uint8Array): void {
  for (let row = rows.length - 1; row >= 0; row--) if (rows[row] === 1) first.offer(row)
}

/** Newest rows lie last and are usually wanted first, so that most others are refused at the first glance. */
function offerBest(first: FirstRows, rows: Uint8Array, values: Float64Array, descending: boolean): void {
  const sign = descending ? -1 : 1
  let limit = Number.NaN
  for (let row = rows.length - 1; row >= 0; row--) {
    if (rows[row] === 0 || sign * (values[row] as number) > limit) continue
    first.offer(row)
    const { last } = first
    if (last !== undefined) limit = sign * (values[last] as number)
  }
}

/** The first `limit` rows of one table, in order. */
export function firstRows(
  index: CompartmentIndex,
  table: TypeTable,
  rows: Uint8Array,
  sort: readonly SortKey[],
  limit: number,
): readonly Candidate[] {
  if (limit === 0) return []
  const keys = sort.map(key => rowKey(table, key))
  const first = new FirstRows(limit, rowOrder(table, keys))
  const [leading] = sort.length === 0 ? [updatedKey(table, { name: '_lastUpdated', descending: true })] : keys
  if (leading?.direct === undefined) offerAll(first, rows)
  else offerBest(first, rows, leading.direct, leading.descending)
  return first.sorted().map(row => ({ index, table, row, keys: keys.map(key => key.shown(row)) }))
}

function compareShown(a: number | string | undefined, b: number | string | undefined, descending: boolean): number {
  if (a === b) return 0
  if (a === undefined) return 1
  if (b === undefined) return -1
  return a < b === descending ? 1 : -1
}

/**
 * Matches of different tables: by the keys, then newest first, then patients' before common property before records of
 * access, so that what one commit wrote has an order of its own; compartments are named at random. Then by seq.
 */
export function candidateOrder(sort: readonly SortKey[]): (a: Candidate, b: Candidate) => number {
  return (a, b) => {
    for (const [i, { descending }] of sort.entries()) {
      const order = compareShown(a.keys[i], b.keys[i], descending)
      if (order !== 0) return order
    }
    const newer = (b.table.updated.array[b.row] as number) - (a.table.updated.array[a.row] as number)
    if (newer !== 0) return newer
    const holders = orderOf(b.index.holder.kind, a.index.holder.kind)
    const compartments = holders || orderOf(a.index.holder.compartment, b.index.holder.compartment)
    return compartments || (b.table.seqs.array[b.row] as number) - (a.table.seqs.array[a.row] as number)
  }
}
