import { type Steps, spend } from '#kernel'
import type { TypeTable } from '../columns/type-table.ts'
import type { SortKey } from '../query/types.ts'
import { type Holder, holderOf, holderOrder, type RowIndex } from '../row-index.ts'
import type { Matching } from './matcher.ts'
import { compareShown, type RowKey, rowKey, updatedKey } from './sort-keys.ts'
import type { Hit } from './types.ts'

/** A match with what it is sorted by. */
export interface Candidate {
  readonly index: RowIndex
  readonly table: TypeTable
  readonly row: number
  readonly keys: readonly (number | string | undefined)[]
}

function compareNumbers(a: number, b: number, descending: boolean): number {
  if (a === b) return 0
  if (Number.isNaN(a)) return Number.isNaN(b) ? 0 : 1
  if (Number.isNaN(b)) return -1
  return a < b === descending ? 1 : -1
}

/** Rows of one table: by the keys, then newest first, then by holder and seq. */
function rowOrder(index: RowIndex, table: TypeTable, keys: readonly RowKey[]): (a: number, b: number) => number {
  const updated = table.updated.array
  const ownerOrder = (a: number, b: number) => holderOrder(holderOf(index, table, a), holderOf(index, table, b))
  return (a, b) => {
    for (const key of keys) {
      const order = key.compare?.(a, b) ?? compareNumbers(key.value(a), key.value(b), key.descending)
      if (order !== 0) return order
    }
    // Those of one holder lie in the order of their seq.
    return (updated[b] as number) - (updated[a] as number) || ownerOrder(a, b) || b - a
  }
}

/** Keeps the first `limit` of the rows it is given, in a heap whose root is the last of those kept. */
class FirstRows {
  readonly #limit: number
  readonly #order: (a: number, b: number) => number
  readonly #forget: (row: number) => void
  readonly #heap: number[] = []
  #compared = 0

  /** @param forget  hears which row is not kept, or not any more */
  constructor(limit: number, order: (a: number, b: number) => number, forget: (row: number) => void) {
    this.#limit = limit
    this.#forget = forget
    this.#order = (a, b) => {
      this.#compared++
      return order(a, b)
    }
  }

  offer(row: number): void {
    if (this.#heap.length < this.#limit) {
      this.#heap.push(row)
      this.#rise(this.#heap.length - 1)
    } else if (this.#order(row, this.#heap[0] as number) < 0) {
      this.#forget(this.#heap[0] as number)
      this.#heap[0] = row
      this.#sink()
    } else this.#forget(row)
  }

  /** The last of the rows kept; undefined while there is still room. */
  get last(): number | undefined {
    return this.#heap.length < this.#limit ? undefined : this.#heap[0]
  }

  /** Whether enough was compared that others may want their turn: to compare texts, they may have to be read. */
  get isDue(): boolean {
    return this.#compared >= comparedAtATime
  }

  /** Charges the comparisons since the last time. */
  charge(): void {
    spend('work', this.#compared * comparingWork)
    this.#compared = 0
  }

  /** In order; nothing is left. */
  *sorted(): Steps<readonly number[]> {
    const heap = this.#heap
    const sorted = new Array<number>(heap.length)
    for (let at = heap.length - 1; at >= 0; at--) {
      sorted[at] = heap[0] as number
      const last = heap.pop() as number
      if (heap.length > 0) {
        heap[0] = last
        this.#sink()
      }
      if (at % sortedAtATime === 0) {
        this.charge()
        yield
      }
    }
    return sorted
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

/** What comparing two rows takes, in values compared. */
const comparingWork = 5
/** Rows that are offered, compared or put in order, in one go. */
const offeredAtATime = 8_192
const comparedAtATime = 1_024
const sortedAtATime = 1_024

function* offerAll(first: FirstRows, rows: Uint8Array): Steps<void> {
  for (let row = rows.length - 1; row >= 0; row--) {
    if (rows[row] === 1) first.offer(row)
    if (row % offeredAtATime !== 0 && !first.isDue) continue
    first.charge()
    yield
  }
}

/** Newest rows lie last and are usually wanted first, so that most others are refused at the first glance. */
function* offerBest(first: FirstRows, rows: Uint8Array, values: Float64Array, descending: boolean): Steps<void> {
  const sign = descending ? -1 : 1
  let limit = Number.NaN
  for (let row = rows.length - 1; row >= 0; row--) {
    if (rows[row] !== 0 && !(sign * (values[row] as number) > limit)) {
      first.offer(row)
      const { last } = first
      if (last !== undefined) limit = sign * (values[last] as number)
    }
    if (row % offeredAtATime !== 0 && !first.isDue) continue
    first.charge()
    yield
  }
}

/** The first rows of one table, in order; what they are sorted by is read when it is asked for. */
interface Ordered extends Omit<Matching, 'rows'> {
  readonly keys: readonly RowKey[]
  readonly rows: readonly number[]
}

function* firstRows({ index, table, rows }: Matching, sort: readonly SortKey[], limit: number): Steps<Ordered> {
  spend('work', rows.length)
  const keys: RowKey[] = []
  for (const key of sort) keys.push(yield* rowKey(table, key))
  const forget = (row: number) => {
    for (const key of keys) key.forget?.(row)
  }
  const first = new FirstRows(limit, rowOrder(index, table, keys), forget)
  const [leading] = sort.length === 0 ? [updatedKey(table, { name: '_lastUpdated', descending: true })] : keys
  if (leading?.direct !== undefined) yield* offerBest(first, rows, leading.direct, leading.descending)
  else yield* offerAll(first, rows)
  return { index, table, keys, rows: yield* first.sorted() }
}

function candidateAt({ index, table, keys, rows }: Ordered, at: number): Candidate | undefined {
  const row = rows[at]
  return row === undefined ? undefined : { index, table, row, keys: keys.map(key => key.shown(row)) }
}

/** Lists in order, merged: a heap whose root is the list with the first of all fronts. */
class Merged {
  readonly #order: (a: Candidate, b: Candidate) => number
  readonly #fronts: { readonly list: Ordered; at: number; front: Candidate }[] = []

  constructor(lists: readonly Ordered[], sort: readonly SortKey[]) {
    this.#order = candidateOrder(sort)
    for (const list of lists) {
      const front = candidateAt(list, 0)
      if (front !== undefined) this.#fronts.push({ list, at: 0, front })
    }
    for (let at = (this.#fronts.length >> 1) - 1; at >= 0; at--) this.#sink(at)
  }

  take(): Candidate | undefined {
    const [first] = this.#fronts
    if (first === undefined) return undefined
    const taken = first.front
    const next = candidateAt(first.list, ++first.at)
    if (next !== undefined) first.front = next
    else {
      const last = this.#fronts.pop()
      if (last !== undefined && last !== first) this.#fronts[0] = last
    }
    this.#sink(0)
    return taken
  }

  #sink(from: number): void {
    const fronts = this.#fronts
    for (let at = from; ; ) {
      let least = at
      for (const child of [2 * at + 1, 2 * at + 2])
        if (child < fronts.length && this.#isBefore(child, least)) least = child
      if (least === at) return
      const held = fronts[at] as (typeof fronts)[number]
      fronts[at] = fronts[least] as (typeof fronts)[number]
      fronts[least] = held
      at = least
    }
  }

  #isBefore(a: number, b: number): boolean {
    const [left, right] = [this.#fronts[a]?.front, this.#fronts[b]?.front]
    return left !== undefined && right !== undefined && this.#order(left, right) < 0
  }
}

/** The matches from `offset` up to `end`, of all tables, in order. */
export function* firstCandidates(
  found: readonly Matching[],
  sort: readonly SortKey[],
  offset: number,
  end: number,
): Steps<readonly Candidate[]> {
  const lists: Ordered[] = []
  for (const matching of found) lists.push(yield* firstRows(matching, sort, end))
  const [only, ...more] = lists
  if (only !== undefined && more.length === 0)
    return only.rows.slice(offset, end).flatMap((_, at) => candidateAt(only, offset + at) ?? [])
  const merged = new Merged(lists, sort)
  const taken: Candidate[] = []
  for (let at = 0; at < end; at++) {
    const candidate = merged.take()
    if (candidate === undefined) break
    if (at >= offset) taken.push(candidate)
    if (at % sortedAtATime === 0) yield
  }
  spend('work', (offset + taken.length) * comparingWork)
  return taken
}

/**
 * Matches of different tables: by the keys, then newest first, then by holder, then by seq.
 */
export function candidateOrder(sort: readonly SortKey[]): (a: Candidate, b: Candidate) => number {
  return (a, b) => {
    for (const [i, { descending }] of sort.entries()) {
      const order = compareShown(a.keys[i], b.keys[i], descending)
      if (order !== 0) return order
    }
    const newer = (b.table.updated.array[b.row] as number) - (a.table.updated.array[a.row] as number)
    if (newer !== 0) return newer
    const owners = holderOrder(holderOf(a.index, a.table, a.row), holderOf(b.index, b.table, b.row))
    return owners || (b.table.seqs.array[b.row] as number) - (a.table.seqs.array[a.row] as number)
  }
}

/** A match by its place, with what it is sorted by: it says no more of the table in which it was found. */
export interface Ranked {
  readonly hit: Hit
  readonly holder: Holder
  readonly updatedMs: number
  readonly keys: Candidate['keys']
}

export function toRanked({ index, table, row, keys }: Candidate): Ranked {
  const holder = holderOf(index, table, row)
  const seq = index.seqAt(table.seqs.array[row] as number)
  const hit = { compartment: holder.compartment, seq, type: table.plan.type }
  return { hit, holder, updatedMs: table.updated.array[row] as number, keys }
}

/** The order of candidates. */
export function rankedOrder(sort: readonly SortKey[]): (a: Ranked, b: Ranked) => number {
  return (a, b) => {
    for (const [i, { descending }] of sort.entries()) {
      const order = compareShown(a.keys[i], b.keys[i], descending)
      if (order !== 0) return order
    }
    return b.updatedMs - a.updatedMs || holderOrder(a.holder, b.holder) || b.hit.seq - a.hit.seq
  }
}
