import { zstdDecompressSync } from 'node:zlib'
import { Problem, type Steps } from '#kernel'
import type { Block, Column } from '../columns/column.ts'
import type { TypeTable } from '../columns/type-table.ts'
import { ends, segmentFormat, spread } from './encode.ts'
import { SegmentReader } from './reader.ts'

/** An uncompressed segment of 4,096 rows is a few hundred kilobytes; this only stops a fault from filling the memory. */
const largestBytes = 512 * 1024 * 1024

function outdated(): Problem {
  return new Problem(
    'fault',
    'search.segment-outdated',
    'A segment of the search index is of another release; reindex.',
  )
}

/** Where the rows of a segment go. */
export interface SegmentPlaces {
  /** Hears the last seq that the segment covers, before anything is changed. */
  begin(lastSeq: number): void
  tableOf(type: string): TypeTable
  /** The table of resources of a type within others. */
  containedOf(type: string): TypeTable
  /** Hears when something was written. */
  wrote(atMs: number): void
  /** Under which seq a row of the ledger stands in the tables. */
  arrivalOf(seq: number): number
  /** Hears that a row was replaced or removed, both in the seqs of the tables; `atMs` 0 when the segment does not say when. */
  replace(table: TypeTable, superseded: number, by: number, atMs: number): void
}

/** One replacement, in the seqs of the ledger. */
interface Replacement {
  readonly superseded: number
  readonly by: number
  readonly atMs: number
}

/**
 * Appends a segment's rows to the tables they belong to, bit by bit.
 *
 * @throws Problem `fault` · `search.segment-outdated` when rows must be extracted anew, `search.segment-malformed`
 */
export function* decodeSegment(bytes: Uint8Array, places: SegmentPlaces): Steps<void> {
  const reader = new SegmentReader(isCompressed(bytes) ? decompressed(bytes) : bytes)
  if (reader.whole() !== segmentFormat) throw outdated()
  places.begin(reader.whole())
  for (let types = reader.whole(); types > 0; types--) yield* readType(reader, places)
  for (let types = reader.whole(); types > 0; types--) yield* readContained(reader, places)
}

/** What is not begins with the number of its format, which is smaller. https://www.rfc-editor.org/rfc/rfc8878#section-3.1.1 */
function isCompressed(bytes: Uint8Array): boolean {
  return bytes[0] === 0x28
}

function decompressed(bytes: Uint8Array): Uint8Array {
  return zstdDecompressSync(bytes, { maxOutputLength: largestBytes })
}

function* readContained(reader: SegmentReader, { containedOf, arrivalOf }: SegmentPlaces): Steps<void> {
  const table = containedOf(reader.text())
  const first = table.count
  const count = reader.whole()
  const seqs = reader.numbers(count)
  const lengths = reader.wholes(count)
  for (let i = 0; i < count; i++)
    table.place(arrivalOf(seqs[i] as number), Number.NaN, reader.raw(lengths[i] as number))
  yield* readColumns(reader, table, first, count)
}

/** Replacements are noted after the rows, since a row may replace one of the same segment. */
function* readType(reader: SegmentReader, places: SegmentPlaces): Steps<void> {
  const { arrivalOf } = places
  const table = places.tableOf(reader.text())
  const replaced: Replacement[] = []
  for (let deletions = reader.whole(); deletions > 0; deletions--) {
    const by = reader.whole()
    const superseded = reader.whole()
    const atMs = reader.whole()
    replaced.push({ superseded, by, atMs })
    places.wrote(atMs)
  }
  const count = reader.whole()
  if (count > 0) yield* readRows(reader, table, count, { replaced, arrivalOf })
  if (count > 0) places.wrote(table.updated.array[table.count - 1] as number)
  for (const { superseded, by, atMs } of replaced)
    if (superseded > 0) places.replace(table, arrivalOf(superseded), arrivalOf(by), atMs)
}

function* readRows(
  reader: SegmentReader,
  table: TypeTable,
  count: number,
  { replaced, arrivalOf }: { readonly replaced: Replacement[]; readonly arrivalOf: (seq: number) => number },
): Steps<void> {
  const first = table.count
  const seqs = reader.numbers(count)
  const distances = reader.wholes(count)
  const updated = reader.numbers(count)
  const lengths = reader.wholes(count)
  for (let i = 0; i < count; i++) {
    const seq = seqs[i] as number
    const distance = distances[i] as number
    const atMs = updated[i] as number
    table.place(arrivalOf(seq), atMs, reader.raw(lengths[i] as number))
    if (distance > 0) replaced.push({ superseded: seq - distance, by: seq, atMs })
  }
  yield* readColumns(reader, table, first, count)
}

function* readColumns(reader: SegmentReader, table: TypeTable, first: number, rows: number): Steps<void> {
  for (let columns = reader.whole(); columns > 0; columns--) yield* readColumn(reader, table, first, rows)
}

function* readColumn(reader: SegmentReader, table: TypeTable, first: number, rows: number): Steps<void> {
  const key = reader.text()
  const source = table.plan.sourceByKey.get(key)
  if (source === undefined) throw outdated()
  const column = table.column(source.index)
  const mode = reader.whole()
  const counts = mode === spread.one ? undefined : reader.wholes(rows)
  const values = counts === undefined ? rows : sum(counts)
  const ids = source.storage === 'range' ? undefined : yield* readTexts(reader, column, values)
  const ranges = source.storage === 'text' ? undefined : readRanges(reader, values)
  const groups = source.grouped ? reader.wholes(values) : undefined
  const block: Block = {
    rows,
    counts,
    many: mode === spread.many,
    ids,
    lows: ranges?.lows,
    highs: ranges?.highs,
    groups,
  }
  column.appendBlock(first, block)
}

function sum(counts: Uint32Array): number {
  let total = 0
  for (const count of counts) total += count
  return total
}

/** Texts that get their numbers in one go. */
const textsAtATime = 256

/** The segment's own numbers become those of the column's dictionary. */
function* readTexts(reader: SegmentReader, column: Column, values: number): Steps<Uint32Array> {
  const known = new Uint32Array(reader.whole())
  for (let i = 0; i < known.length; i++) {
    known[i] = column.dictionary?.number(reader.raw(reader.whole())) ?? 0
    if (i % textsAtATime === 0) yield
  }
  const ids = reader.wholes(values)
  for (let i = 0; i < values; i++) ids[i] = known[ids[i] as number] as number
  return ids
}

function readRanges(reader: SegmentReader, values: number): { lows: Float64Array; highs: Float64Array } {
  const mode = reader.whole()
  const lows = reader.numbers(values)
  if (mode === ends.same) return { lows, highs: lows }
  const highs = reader.numbers(values)
  if (mode === ends.widths) for (let i = 0; i < values; i++) highs[i] = (highs[i] as number) + (lows[i] as number)
  return { lows, highs }
}
