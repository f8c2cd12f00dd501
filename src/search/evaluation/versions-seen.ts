import type { Steps } from '#kernel'
import type { TypeTable } from '../columns/type-table.ts'
import type { CompartmentIndex } from '../compartment-index.ts'
import { pieces } from './pieces.ts'
import type { Erased, Vision } from './types.ts'
import { Visibility } from './visibility.ts'

/** What a vision shows of one resource in one compartment. */
export interface VersionsSeen {
  /** Seqs of the versions that are seen, the newest first; deletions have no row, and are not among them. */
  readonly seqs: readonly number[]
  /** Whether the last version that says anything is seen. */
  readonly isLastSeen: boolean
  /** Whether there is any version that says anything, seen or not. */
  readonly isThere: boolean
  /** The version that stands at the head, if it is seen. */
  readonly current: number | undefined
}

/** Who looks, and what they see. */
export interface Looking {
  readonly vision: Vision
  /** Nobody unless told. */
  readonly erased?: Erased | undefined
}

interface Remembered {
  readonly vision: WeakRef<Vision>
  readonly erased: number
  readonly rows: Uint8Array | undefined
}

/** Of so many who look the rows that they see are remembered: one byte a row each. */
const mostRemembered = 4

// @NOTE each read of whoever sees some rows alone asks; what a row says never changes.
const remembered = new WeakMap<TypeTable, Remembered[]>()

/**
 * Which versions of a resource a vision shows in a compartment, of those that others have replaced too, each by what it says itself. What it
 * costs depends on how many rows there are, whether one of them is meant or none, and on the size of none.
 *
 * @param head  up to where versions are there
 * @throws Problem `too-costly` · `budget.work-exceeded`
 */
export function* versionsSeen(
  index: CompartmentIndex,
  { type, id }: { readonly type: string; readonly id: string },
  looking: Looking,
  head: number,
): Steps<VersionsSeen> {
  const table = index.tables.get(type)
  if (table === undefined) return nothingSeen
  const seen = yield* rowsSeen(index, table, looking)
  yield* table.ids.ready()
  const rows = table.ids.rowsOf(id).filter(row => (table.seqs.array[row] as number) <= head)
  const shown = rows.filter(row => isSeen(seen, row))
  const [last] = rows
  const stands = last !== undefined && (table.deadAt.array[last] as number) > head
  const isLastSeen = last !== undefined && shown[0] === last
  return {
    seqs: shown.map(row => table.seqs.array[row] as number),
    isLastSeen,
    isThere: last !== undefined,
    current: stands && isLastSeen ? table.seqs.array[last] : undefined,
  }
}

const nothingSeen: VersionsSeen = { seqs: [], isLastSeen: false, isThere: false, current: undefined }

/** What is seen of one type in one compartment. */
interface Judged {
  readonly index: CompartmentIndex
  readonly table: TypeTable
  /** One byte for each row; none where nothing is seen. */
  readonly seen: Uint8Array | undefined
}

/**
 * Seqs of some compartments of which a vision shows nothing: versions by what they say, and deletions of what is not seen whole. What is
 * seen in another one of them is seen in each where it lies. Whatever an index does not tell is not among them.
 *
 * @returns for each compartment one byte for each seq, 1 where nothing is seen
 */
export function* seqsUnseen(indexes: readonly CompartmentIndex[], looking: Looking): Steps<readonly Uint8Array[]> {
  const unseen = new Map(indexes.map(index => [index, new Uint8Array(index.head + 1)]))
  const judged = yield* judgedIn(indexes, looking)
  for (const { index, table } of judged)
    yield* pieces(table.count, (from, to) =>
      markEach(table.deadAt.array.subarray(from, to), unseen.get(index) as Uint8Array),
    )
  // What replaces another version has a row of its own.
  for (const { index, table, seen } of judged) {
    const marks = unseen.get(index) as Uint8Array
    yield* pieces(table.count, (from, to) => {
      for (let row = from; row < to; row++) {
        const seq = table.seqs.array[row] as number
        if (seq < marks.length) marks[seq] = isSeen(seen, row) ? 0 : 1
      }
    })
    for (const row of table.sharedRows) {
      const seq = table.seqs.array[row] as number
      if (marks[seq] === 1 && (yield* isSeenBeside(table, row, indexes, judged))) marks[seq] = 0
    }
  }
  return [...unseen.values()]
}

function* judgedIn(indexes: readonly CompartmentIndex[], looking: Looking): Steps<readonly Judged[]> {
  const judged: Judged[] = []
  for (const index of indexes)
    for (const [type, table] of index.tables)
      if (!isSeenWhole(looking.vision(type, index.holder)))
        judged.push({ index, table, seen: yield* rowsSeen(index, table, looking) })
  return judged
}

/** Whether any version of the resource of a row is seen in another compartment. */
function* isSeenBeside(
  { ids, plan }: TypeTable,
  row: number,
  indexes: readonly CompartmentIndex[],
  judged: readonly Judged[],
): Steps<boolean> {
  const id = ids.id(row)
  for (const { tables } of indexes) {
    const table = tables.get(plan.type)
    if (table === undefined || table.ids === ids) continue
    yield* table.ids.ready()
    const judgement = judged.find(each => each.table === table)
    if (table.ids.rowsOf(id).some(other => judgement === undefined || isSeen(judgement.seen, other))) return true
  }
  return false
}

function markEach(seqs: Uint32Array, marks: Uint8Array): void {
  for (const seq of seqs) if (seq < marks.length) marks[seq] = 1
}

function isSeenWhole(sight: ReturnType<Vision>): boolean {
  return sight.kind === 'all' && sight.named === undefined
}

/** A row that came meanwhile is not judged yet: whoever opens it finds out. */
function isSeen(rows: Uint8Array | undefined, row: number): boolean {
  return rows !== undefined && rows[row] !== 0
}

function* rowsSeen(
  index: CompartmentIndex,
  table: TypeTable,
  { vision, erased }: Looking,
): Steps<Uint8Array | undefined> {
  const count = erased?.count ?? 0
  const known = remembered.get(table) ?? []
  const before = known.find(each => each.vision.deref() === vision && each.erased === count)
  if (before !== undefined && (before.rows === undefined || before.rows.length === table.count)) return before.rows
  const moment = { arrivals: new Map(), untilMs: undefined, erased, isEver: true }
  const rows = yield* new Visibility([index], vision, moment, '').rows(index, table.plan.type)
  const others = known.filter(each => each !== before && each.vision.deref() !== undefined)
  const kept = { vision: new WeakRef(vision), erased: count, rows }
  remembered.set(table, [kept, ...others.slice(0, mostRemembered - 1)])
  return rows
}
