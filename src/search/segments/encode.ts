import { zstdCompressSync } from 'node:zlib'
import { atOnce, type Steps } from '#kernel'
import { packId } from '../columns/ids.ts'
import type { Cell, Source } from '../extraction/cell.ts'
import type { IndexRow } from '../extraction/row.ts'
import { SegmentWriter } from './writer.ts'

/** Changed whenever rows of the same resources would come out differently: older segments are then rebuilt. */
export const segmentFormat = 5
/**
 * A segment below this is left as it is. To set up for it takes as long as all of the rest of reading it, and most patients have so
 * few rows; what is saved are some hundred bytes.
 */
const leastCompressed = 4_096
/** How the values of a column are spread over the rows. */
export const spread = { one: 0, atMostOne: 1, many: 2 }
/** How the upper ends are written. */
export const ends = { same: 0, widths: 1, own: 2 }

function byType(rows: readonly IndexRow[]): Map<string, IndexRow[]> {
  const groups = new Map<string, IndexRow[]>()
  for (const row of rows) {
    const group = groups.get(row.type)
    if (group === undefined) groups.set(row.type, [row])
    else group.push(row)
  }
  return groups
}

/**
 * Rows as compact bytes: column by column, compressed where they are many. Order of the rows is that of their seq.
 *
 * @param rows  of any types, deletions included, ascending by seq
 */
export function encodeSegment(rows: readonly IndexRow[]): Uint8Array {
  return atOnce(encodeSegmentInSteps(rows))
}

/** As `encodeSegment`, interruptible: thousands of rows, or one of thousands of values, take some 50 ms. */
export function* encodeSegmentInSteps(rows: readonly IndexRow[]): Steps<Uint8Array> {
  const writer = new SegmentWriter()
  writer.whole(segmentFormat)
  writer.whole(rows.at(-1)?.seq ?? 0)
  const groups = byType(rows)
  writer.whole(groups.size)
  for (const [type, group] of groups) {
    writer.text(type)
    writeDeletions(
      writer,
      group.filter(row => row.deleted),
    )
    yield* writeRows(
      writer,
      group.filter(row => !row.deleted),
    )
  }
  yield* writeContained(writer, rows)
  const bytes = writer.take()
  return bytes.length < leastCompressed ? bytes : zstdCompressSync(bytes)
}

function writeDeletions(writer: SegmentWriter, rows: readonly IndexRow[]): void {
  writer.whole(rows.length)
  for (const { seq, supersedes = 0, lastUpdatedMs } of rows) {
    writer.whole(seq)
    writer.whole(supersedes)
    writer.whole(lastUpdatedMs)
  }
}

/** Resources within others, by type; each has the seq of its container. */
function* writeContained(writer: SegmentWriter, rows: readonly IndexRow[]): Steps<void> {
  const all = rows.flatMap(({ seq, contained = [] }) => contained.map(inner => ({ seq, ...inner })))
  const groups = Map.groupBy(all, ({ type }) => type)
  writer.whole(groups.size)
  for (const [type, group] of groups) {
    writer.text(type)
    writer.whole(group.length)
    writer.numbers(group.map(({ seq }) => seq))
    yield* writeIds(
      writer,
      group.map(({ fragment }) => fragment),
    )
    yield* writeColumns(writer, group)
  }
}

/** Ids that are packed, and rows or columns of numbers that are written, before others have a turn; about a millisecond. */
const rowsAtATime = 1_024

function* writeIds(writer: SegmentWriter, ids: readonly string[]): Steps<void> {
  const packed: Uint8Array[] = []
  for (const id of ids) {
    if (packed.push(packId(id)) % rowsAtATime === 0) yield
  }
  writer.wholes(packed.map(id => id.length))
  for (const id of packed) writer.raw(id)
}

function* writeRows(writer: SegmentWriter, rows: readonly IndexRow[]): Steps<void> {
  writer.whole(rows.length)
  if (rows.length === 0) return
  writer.numbers(rows.map(row => row.seq))
  yield
  writer.wholes(rows.map(({ seq, supersedes }) => (supersedes === undefined ? 0 : seq - supersedes)))
  writer.numbers(rows.map(row => row.lastUpdatedMs))
  yield
  yield* writeIds(
    writer,
    rows.map(({ id }) => id),
  )
  yield
  yield* writeColumns(writer, rows)
}

function* writeColumns(writer: SegmentWriter, rows: readonly Pick<IndexRow, 'cells'>[]): Steps<void> {
  const columns = new Map<Source, (Cell | undefined)[]>()
  rows.forEach(({ cells }, row) => {
    for (const cell of cells) {
      let column = columns.get(cell.source)
      if (column === undefined) {
        column = new Array<Cell | undefined>(rows.length).fill(undefined)
        columns.set(cell.source, column)
      }
      column[row] = cell
    }
  })
  writer.whole(columns.size)
  for (const [source, cells] of columns) {
    writer.text(source.key)
    yield* writeColumn(writer, source, cells)
  }
}

function* writeColumn(writer: SegmentWriter, source: Source, cells: readonly (Cell | undefined)[]): Steps<void> {
  const counts = cells.map(cell => cell?.count ?? 0)
  const mode = counts.some(count => count > 1) ? spread.many : counts.includes(0) ? spread.atMostOne : spread.one
  writer.whole(mode)
  if (mode !== spread.one) writer.wholes(counts)
  const filled = cells.filter(cell => cell !== undefined)
  if (source.storage !== 'range') yield* writeTexts(writer, filled)
  if (source.storage !== 'text') writeRanges(writer, filled)
  yield
  if (source.grouped) writer.wholes(filled.flatMap(cell => cell.groups))
}

/** Texts that are looked at before others have a turn; about a millisecond. */
const textsAtATime = 1_024

function* writeTexts(writer: SegmentWriter, cells: readonly Cell[]): Steps<void> {
  const numbers = new Map<string, number>()
  const ids: number[] = []
  for (const cell of cells) {
    for (const text of cell.texts) {
      const number = numbers.get(text) ?? numbers.size
      if (number === numbers.size) numbers.set(text, number)
      ids.push(number)
      if (ids.length % textsAtATime === 0) yield
    }
  }
  writer.whole(numbers.size)
  let written = 0
  for (const text of numbers.keys()) {
    writer.text(text)
    if (++written % textsAtATime === 0) yield
  }
  writer.wholes(ids)
}

function writeRanges(writer: SegmentWriter, cells: readonly Cell[]): void {
  const lows = cells.flatMap(cell => cell.lows)
  const highs = cells.flatMap(cell => cell.highs)
  const widths = highs.map((high, i) => high - (lows[i] as number))
  const mode = widths.every(width => width === 0) ? ends.same : areExact(lows, highs) ? ends.widths : ends.own
  writer.whole(mode)
  writer.numbers(lows)
  if (mode !== ends.same) writer.numbers(mode === ends.widths ? widths : highs)
}

/** Whole numbers can be written as widths without losing a bit; open ends and decimals cannot. */
function areExact(lows: readonly number[], highs: readonly number[]): boolean {
  return [lows, highs].every(values => values.every(Number.isSafeInteger))
}
