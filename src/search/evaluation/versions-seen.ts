import type { Steps } from '#kernel'
import type { TypeTable } from '../columns/type-table.ts'
import { CompartmentIndex } from '../compartment-index.ts'
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
  /** Whether that one was removed since, or went elsewhere. */
  readonly hasLeft: boolean
  /** The version that stands at the head, if it is seen. */
  readonly current: number | undefined
}

/** Who looks, and what they see. */
export interface Looking {
  readonly vision: Vision
  /** Nobody unless told. */
  readonly erased?: Erased | undefined
}

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
    hasLeft: last !== undefined && !stands,
    current: stands && isLastSeen ? table.seqs.array[last] : undefined,
  }
}

const nothingSeen: VersionsSeen = { seqs: [], isLastSeen: false, isThere: false, hasLeft: false, current: undefined }

/** What is seen of one type in one compartment. */
interface Judged {
  readonly index: CompartmentIndex
  readonly table: TypeTable
  /** One byte for each row; none where nothing is seen. */
  readonly seen: Uint8Array | undefined
}

/**
 * Seqs of some compartments of which a vision shows nothing: versions by what they say, and deletions of what is not seen whole. What is
 * seen in another one of them is seen in each where it lies, and so is its deletion. Whatever an index does not tell is not among them.
 *
 * @param isBeside  whether what these hold may lie in others too, of which is not known what is seen
 * @returns for each compartment one byte for each seq, 1 where nothing is seen
 */
export function* seqsUnseen(
  indexes: readonly CompartmentIndex[],
  looking: Looking,
  isBeside = false,
): Steps<readonly Uint8Array[]> {
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
      const seqs = [table.seqs.array[row] as number, table.deadAt.array[row] as number]
      const marked = seqs.filter(seq => marks[seq] === 1)
      if (marked.length === 0 || !(isBeside || (yield* isSeenBeside(table, row, indexes, judged)))) continue
      for (const seq of marked) marks[seq] = 0
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

function* rowsSeen(index: CompartmentIndex, table: TypeTable, looking: Looking): Steps<Uint8Array | undefined> {
  const { vision, erased } = looking
  const count = erased?.count ?? 0
  const before = table.remembered.of(vision, count)
  if (before !== undefined && (before.rows === undefined || before.rows.length === table.count)) return before.rows
  const known = before?.rows
  // What a row says never changes: only those that came since are looked at.
  const rows =
    known === undefined
      ? yield* rowsOf(index, table, looking)
      : joined(known, yield* rowsOf(index, table.since(known.length), looking))
  table.remembered.keep(vision, count, rows)
  return rows
}

function* rowsOf(
  { holder }: CompartmentIndex,
  table: TypeTable,
  { vision, erased }: Looking,
): Steps<Uint8Array | undefined> {
  const { type } = table.plan
  const alone = new CompartmentIndex(holder)
  alone.tables.set(type, table)
  const moment = { arrivals: new Map(), untilMs: undefined, erased, isEver: true }
  return yield* new Visibility([alone], vision, moment, '').rows(alone, type)
}

function joined(known: Uint8Array, more: Uint8Array | undefined): Uint8Array {
  if (more === undefined) return known
  const rows = new Uint8Array(known.length + more.length)
  rows.set(known)
  rows.set(more, known.length)
  return rows
}
