import { zstdDecompressSync } from 'node:zlib'
import { Problem } from '#kernel'
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
}

/**
 * Appends a segment's rows to the tables they belong to.
 *
 * @throws Problem `fault` · `search.segment-outdated` when rows must be extracted anew, `search.segment-malformed`
 */
export function decodeSegment(bytes: Uint8Array, { begin, tableOf, containedOf }: SegmentPlaces): void {
  const reader = new SegmentReader(zstdDecompressSync(bytes, { maxOutputLength: largestBytes }))
  if (reader.whole() !== segmentFormat) throw outdated()
  begin(reader.whole())
  for (let types = reader.whole(); types > 0; types--) readType(reader, tableOf(reader.text()))
  for (let types = reader.whole(); types > 0; types--) readContained(reader, containedOf(reader.text()))
}

function readContained(reader: SegmentReader, table: TypeTable): void {
  const first = table.count
  const count = reader.whole()
  const seqs = reader.numbers(count)
  const lengths = reader.wholes(count)
  for (let i = 0; i < count; i++) table.place(seqs[i] as number, Number.NaN, reader.raw(lengths[i] as number))
  readColumns(reader, table, first, count)
}

/** Replacements are noted after the rows, since a row may replace one of the same segment. */
function readType(reader: SegmentReader, table: TypeTable): void {
  const replaced: [number, number][] = []
  for (let deletions = reader.whole(); deletions > 0; deletions--) {
    const seq = reader.whole()
    replaced.push([reader.whole(), seq])
  }
  const count = reader.whole()
  if (count > 0) readRows(reader, table, count, replaced)
  for (const [superseded, seq] of replaced) if (superseded > 0) table.supersede(superseded, seq)
}

function readRows(reader: SegmentReader, table: TypeTable, count: number, replaced: [number, number][]): void {
  const first = table.count
  const seqs = reader.numbers(count)
  const distances = reader.wholes(count)
  const updated = reader.numbers(count)
  const lengths = reader.wholes(count)
  for (let i = 0; i < count; i++) {
    const seq = seqs[i] as number
    const distance = distances[i] as number
    table.place(seq, updated[i] as number, reader.raw(lengths[i] as number))
    if (distance > 0) replaced.push([seq - distance, seq])
  }
  readColumns(reader, table, first, count)
}

function readColumns(reader: SegmentReader, table: TypeTable, first: number, rows: number): void {
  for (let columns = reader.whole(); columns > 0; columns--) readColumn(reader, table, first, rows)
}

function readColumn(reader: SegmentReader, table: TypeTable, first: number, rows: number): void {
  const key = reader.text()
  const source = table.plan.sources.find(each => each.key === key)
  if (source === undefined) throw outdated()
  const column = table.column(source.index)
  const mode = reader.whole()
  const counts = mode === spread.one ? undefined : reader.wholes(rows)
  const values = counts === undefined ? rows : sum(counts)
  const ids = source.storage === 'range' ? undefined : readTexts(reader, column, values)
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

/** The segment's own numbers become those of the column's dictionary. */
function readTexts(reader: SegmentReader, column: Column, values: number): Uint32Array {
  const known = new Uint32Array(reader.whole())
  for (let i = 0; i < known.length; i++) known[i] = column.dictionary?.number(reader.raw(reader.whole())) ?? 0
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
