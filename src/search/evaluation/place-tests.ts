import { type Steps, spend } from '#kernel'
import type { Column } from '../columns/column.ts'
import type { EntryKeys } from '../columns/entry-lookup.ts'
import type { SourceKind } from '../extraction/cell.ts'
import type { SourceUse } from '../extraction/plan.ts'
import { nearTest } from '../kinds/position.ts'
import { quantityBox } from '../kinds/quantity.ts'
import { anywhere, type Box, dateBoxes, fits, numberBoxes } from '../kinds/range.ts'
import {
  displayTest,
  identifierTest,
  referenceKeys,
  referenceTest,
  resolvesTo,
  soughtReferenceKeys,
} from '../kinds/reference.ts'
import { soughtStringKeys, stringKeys, stringTest } from '../kinds/string.ts'
import { soughtTokenKeys, tokenKeys, tokenTest } from '../kinds/token.ts'
import { uriTest } from '../kinds/uri.ts'
import { wordsTest } from '../kinds/words.ts'
import type { ParameterType } from '../parameters.ts'
import type { Comparison, Modifier, Operand, QuantityOperand, RangeOperand } from '../query/types.ts'
import { Pace, pieces } from './pieces.ts'

/**
 * What a criterion comes down to in one column: 1 for each dictionary entry that fulfils it, or the limits of which a value
 * must keep some, by the number of its unit (0 where the column has no units), or what is asked of two numbers together.
 */
export type PlaceTest =
  | { readonly kind: 'mask'; readonly mask: Uint8Array }
  | { readonly kind: 'boxes'; readonly byUnit: readonly (readonly Box[])[] }
  | { readonly kind: 'pair'; readonly fits: (low: number, high: number) => boolean }

/** What is sought, whatever the column. */
export interface Sought {
  readonly parameter: ParameterType
  readonly modifier: Modifier | Comparison | undefined
  readonly operands: readonly Operand[]
  readonly baseUrl: string
}

type EntryTest = (entry: string, number: number) => boolean

function only<K extends Operand['kind']>(kind: K, operands: readonly Operand[]): Extract<Operand, { kind: K }>[] {
  return operands.filter((operand): operand is Extract<Operand, { kind: K }> => operand.kind === kind)
}

const entryTests: Readonly<Partial<Record<ParameterType, (sought: Sought) => EntryTest>>> = {
  token: ({ operands }) => tokenTest(only('token', operands)),
  string: ({ operands, modifier }) => stringTest(only('string', operands), modifier),
  uri: ({ operands, modifier }) => uriTest(only('uri', operands), modifier),
  special: ({ operands }) => wordsTest(only('words', operands)),
  reference: ({ operands, modifier, baseUrl }) => {
    if (modifier === 'identifier') return identifierTest(only('token', operands))
    if (modifier === 'text') return displayTest(only('string', operands))
    return referenceTest(only('reference', operands), baseUrl, modifier)
  },
}

const entryKeys: Readonly<Partial<Record<SourceKind, EntryKeys>>> = {
  token: tokenKeys,
  string: stringKeys,
  reference: referenceKeys,
}

/** Dictionaries up to this size are looked through, which is faster than building a lookup. */
const smallDictionary = 512

/**
 * One byte per dictionary entry, entry 0 being "no value".
 *
 * @param keys   under which alone entries may pass; undefined: any may
 * @param rows   whose entries alone matter; undefined: all do
 * @param apart  the same test in parts, any of which may pass, for long texts
 */
export function* maskOf(
  column: Column,
  test: EntryTest,
  {
    keys,
    rows,
    apart = [],
  }: { keys?: readonly string[] | undefined; rows?: Uint8Array; apart?: readonly EntryTest[] } = {},
): Steps<PlaceTest> {
  const { dictionary } = column
  const count = dictionary?.count ?? 0
  const mask = new Uint8Array(count + 1)
  const pace = new Pace()
  for (const number of yield* numbersToTest(column, count, keys, rows)) {
    const text = dictionary?.text(number) ?? ''
    if (pace.read(text.length)) yield
    if (number > count) continue
    const passes =
      text.length < longText || apart.length < 2 ? test(text, number) : yield* passesApart(apart, text, number)
    if (passes) mask[number] = 1
  }
  pace.end()
  return { kind: 'mask', mask }
}

/** From so many letters on a text is compared with one thing that is sought in one go, not with all. */
const longText = 16_384

function* passesApart(apart: readonly EntryTest[], text: string, number: number): Steps<boolean> {
  const pace = new Pace()
  for (const test of apart) {
    if (test(text, number)) return true
    if (pace.read(text.length)) yield
  }
  pace.end()
  return false
}

/** Entries that may pass: those under the keys, or else those that the rows use. */
function* numbersToTest(
  column: Column,
  count: number,
  keys: readonly string[] | undefined,
  rows: Uint8Array | undefined,
): Steps<Iterable<number>> {
  // Texts of words are long: those of rows that are out cost nothing, however few there are.
  const isFew = rows !== undefined && rows.length < count
  if (count <= smallDictionary && !isFew && column.source.kind !== 'words') return numbersTo(count)
  const keysOf = keys === undefined ? undefined : entryKeys[column.source.kind]
  const lookup = keysOf === undefined ? undefined : column.lookup(keysOf)
  if (lookup !== undefined && keys !== undefined) {
    yield* lookup.ready()
    return lookup.candidates(keys)
  }
  return rows === undefined ? numbersTo(count) : numbersIn(yield* usedEntries(column, rows))
}

function* numbersTo(count: number): Iterable<number> {
  for (let number = 1; number <= count; number++) yield number
}

function* numbersIn(used: Uint8Array): Iterable<number> {
  for (let number = 1; number < used.length; number++) if (used[number] === 1) yield number
}

/** Which dictionary entries the rows use: others need not be followed. */
export function* usedEntries(column: Column, rows: Uint8Array): Steps<Uint8Array> {
  const used = new Uint8Array((column.dictionary?.count ?? 0) + 1)
  let missing = used.length - 1
  spend('work', rows.length)
  yield* pieces(Math.min(rows.length, column.rows), (from, to) => {
    if (missing > 0) missing -= markUsed(column, { rows, used, missing }, from, to)
  })
  return used
}

/** @returns how many entries were not known to be used */
function markUsed(
  column: Column,
  { rows, used, missing }: { readonly rows: Uint8Array; readonly used: Uint8Array; readonly missing: number },
  from: number,
  to: number,
): number {
  const ids = column.ids?.array ?? new Uint32Array()
  let found = 0
  for (let row = from; row < to && found < missing; row++) {
    if (rows[row] === 0) continue
    const end = column.endOf(row)
    for (let place = column.startOf(row); place < end; place++) {
      const id = ids[place] as number
      if (id !== 0 && used[id] === 0) {
        used[id] = 1
        found++
      }
    }
  }
  return found
}

function within(use: SourceUse, baseUrl: string, test: EntryTest): EntryTest {
  if (use.resolves === undefined) return test
  const resolves = resolvesTo(use.resolves, baseUrl)
  return (entry, number) => resolves(entry) && test(entry, number)
}

function boxesOf(sought: Sought, boxes: Readonly<Record<string, (operand: RangeOperand) => Box>>): PlaceTest {
  const each = only('range', sought.operands).flatMap(operand => boxes[operand.prefix]?.(operand) ?? [])
  return { kind: 'boxes', byUnit: [each] }
}

/** What the conversion of a limit to another unit takes, in values compared. */
export const conversionWork = 500

/** For each unit of the column the limits that values in it must keep. */
function* quantityBoxes({ dictionary }: Column, operands: readonly QuantityOperand[]): Steps<PlaceTest> {
  const byUnit: (readonly Box[])[] = [[]]
  const pace = new Pace()
  const count = dictionary?.count ?? 0
  for (let unit = 1; unit <= count; unit++) {
    const text = dictionary?.text(unit) ?? ''
    if (pace.read(conversionWork + text.length, operands.length)) yield
    byUnit.push(operands.flatMap(operand => quantityBox(operand, text) ?? []))
  }
  pace.end()
  return { kind: 'boxes', byUnit }
}

/** What an entry must be: with `is-not` what is sought is what no entry of which is. */
function entryTest(sought: Sought): EntryTest {
  if (sought.modifier !== 'is-not') return entryTests[sought.parameter]?.(sought) ?? (() => false)
  const isSame = entryTest({ ...sought, modifier: sought.parameter === 'string' ? 'is' : undefined })
  return (entry, number) => !isSame(entry, number)
}

function soughtKeys({ parameter, modifier, operands }: Sought): readonly string[] | undefined {
  if (modifier === 'is-not') return undefined
  if (parameter === 'token') return soughtTokenKeys(only('token', operands))
  if (parameter === 'string') return soughtStringKeys(only('string', operands), modifier)
  return parameter === 'reference' && modifier !== 'identifier' && modifier !== 'text'
    ? soughtReferenceKeys(only('reference', operands))
    : undefined
}

/** What `sought` comes down to in a column, as far as `rows` are concerned. */
export function* placeTest(column: Column, use: SourceUse, sought: Sought, rows?: Uint8Array): Steps<PlaceTest> {
  if (column.source.kind === 'position') return { kind: 'pair', fits: nearTest(only('near', sought.operands)) }
  if (sought.parameter === 'date') return boxesOf(sought, dateBoxes)
  if (sought.parameter === 'number') return boxesOf(sought, numberBoxes)
  if (sought.parameter === 'quantity') return yield* quantityBoxes(column, only('quantity', sought.operands))
  const testOf = (of: Sought) => within(use, of.baseUrl, entryTest(of))
  // None of what is sought is something else than not one of it.
  const operands = sought.modifier === 'is-not' || sought.operands.length > mostApart ? [] : sought.operands
  const apart = operands.map(operand => testOf({ ...sought, operands: [operand] }))
  return yield* maskOf(column, testOf(sought), { keys: soughtKeys(sought), apart, ...(rows && { rows }) })
}

/** What can be sought in texts, of which a search has so much at most; codes and references beyond that are looked up. */
const mostApart = 200

/** Whether a place holds a value at all, for `:missing`. */
export function* presenceTest(column: Column, use: SourceUse, baseUrl: string): Steps<PlaceTest> {
  if (column.ids !== undefined)
    return yield* maskOf(
      column,
      within(use, baseUrl, () => true),
    )
  return { kind: 'boxes', byUnit: [[anywhere]] }
}

/** Whether any value of a row passes. */
export function rowPasses(column: Column, row: number, test: PlaceTest): boolean {
  if (row >= column.rows) return false
  const end = column.endOf(row)
  for (let place = column.startOf(row); place < end; place++) if (placePasses(column, place, test)) return true
  return false
}

export function placePasses(column: Column, place: number, test: PlaceTest): boolean {
  const id = column.ids?.array[place] ?? 0
  if (test.kind === 'mask') return test.mask[id] === 1
  const low = column.lows?.array[place] ?? Number.NaN
  // NaN marks an empty place; it would pass where a box is turned round.
  if (Number.isNaN(low)) return false
  const high = column.highs?.array[place] ?? low
  if (test.kind === 'pair') return test.fits(low, high)
  for (const box of test.byUnit[id] ?? []) if (fits(box, low, high)) return true
  return false
}

/** Sets `hits[row]` for each row of `rows` of which some value passes. */
export function* markRows(column: Column, test: PlaceTest, rows: Uint8Array, hits: Uint8Array): Steps<void> {
  const single = test.kind === 'boxes' ? singleBoxes(test.byUnit) : undefined
  yield* pieces(Math.min(rows.length, column.rows), (from, to) =>
    markStretch(column, { test, single, rows, hits }, from, to),
  )
}

interface Stretch {
  readonly test: PlaceTest
  readonly single: SingleBoxes | undefined
  readonly rows: Uint8Array
  readonly hits: Uint8Array
}

/** How a column keeps its values may have changed since the last stretch, because others wrote. */
function markStretch(column: Column, { test, single, rows, hits }: Stretch, from: number, to: number): void {
  if (column.starts !== undefined) markMany(column, test, rows, hits, from, to)
  else if (test.kind === 'mask') markMasked(column.ids?.array ?? new Uint32Array(to), test.mask, rows, hits, from, to)
  else if (single === undefined) markEach(column, test, rows, hits, from, to)
  else markBoxed(column, single, rows, hits, from, to)
}

// @NOTE the three loops below run over every row of a compartment; they are plain so that they stay at about a nanosecond a row.

function markMasked(
  ids: Uint32Array,
  mask: Uint8Array,
  rows: Uint8Array,
  hits: Uint8Array,
  from: number,
  to: number,
): void {
  for (let row = from; row < to; row++) {
    hits[row] = (hits[row] as number) | ((mask[ids[row] as number] as number) & (rows[row] as number))
  }
}

/** At most one box for each unit, with its limits side by side. */
interface SingleBoxes {
  readonly first: Box
  readonly lowMin: Float64Array
  readonly lowMax: Float64Array
  readonly highMin: Float64Array
  readonly highMax: Float64Array
  readonly outside: Uint8Array
}

/** Undefined where some unit has several boxes. */
function singleBoxes(byUnit: readonly (readonly Box[])[]): SingleBoxes | undefined {
  if (byUnit.some(boxes => boxes.length > 1)) return undefined
  const boxes = byUnit.map(([box]) => box ?? nowhere)
  return {
    first: boxes[0] ?? nowhere,
    lowMin: Float64Array.from(boxes, box => box.lowMin),
    lowMax: Float64Array.from(boxes, box => box.lowMax),
    highMin: Float64Array.from(boxes, box => box.highMin),
    highMax: Float64Array.from(boxes, box => box.highMax),
    outside: Uint8Array.from(boxes, box => (box.outside ? 1 : 0)),
  }
}

function markBoxed(
  column: Column,
  single: SingleBoxes,
  rows: Uint8Array,
  hits: Uint8Array,
  from: number,
  to: number,
): void {
  const lows = column.lows?.array ?? new Float64Array()
  const highs = column.highs?.array ?? lows
  if (column.ids === undefined) markBox(lows, highs, single.first, rows, hits, from, to)
  else markUnits({ lows, highs, units: column.ids.array }, single, rows, hits, from, to)
}

const nowhere: Box = { ...anywhere, lowMin: Number.POSITIVE_INFINITY, lowMax: Number.NEGATIVE_INFINITY }

function markUnits(
  { lows, highs, units }: { readonly lows: Float64Array; readonly highs: Float64Array; readonly units: Uint32Array },
  { lowMin, lowMax, highMin, highMax, outside }: SingleBoxes,
  rows: Uint8Array,
  hits: Uint8Array,
  from: number,
  to: number,
): void {
  for (let row = from; row < to; row++) {
    if (rows[row] === 0) continue
    const unit = units[row] as number
    const low = lows[row] as number
    const high = highs[row] as number
    const inLow = low >= (lowMin[unit] as number) && low <= (lowMax[unit] as number)
    const inside = inLow && high >= (highMin[unit] as number) && high <= (highMax[unit] as number)
    if (inside !== (outside[unit] === 1) && !Number.isNaN(low)) hits[row] = 1
  }
}

function markBox(
  lows: Float64Array,
  highs: Float64Array,
  { lowMin, lowMax, highMin, highMax, outside }: Box,
  rows: Uint8Array,
  hits: Uint8Array,
  from: number,
  to: number,
): void {
  for (let row = from; row < to; row++) {
    if (rows[row] === 0) continue
    const low = lows[row] as number
    const high = highs[row] as number
    const inside = low >= lowMin && low <= lowMax && high >= highMin && high <= highMax
    if (inside !== outside && !Number.isNaN(low)) hits[row] = 1
  }
}

function markEach(column: Column, test: PlaceTest, rows: Uint8Array, hits: Uint8Array, from: number, to: number): void {
  for (let row = from; row < to; row++) {
    if (rows[row] === 1 && hits[row] === 0 && placePasses(column, row, test)) hits[row] = 1
  }
}

function markMany(column: Column, test: PlaceTest, rows: Uint8Array, hits: Uint8Array, from: number, to: number): void {
  const starts = column.starts?.array ?? new Uint32Array()
  for (let row = from; row < to; row++) {
    if (rows[row] === 0 || hits[row] === 1) continue
    const end = starts[row + 1] as number
    for (let place = starts[row] as number; place < end; place++) {
      if (placePasses(column, place, test)) {
        hits[row] = 1
        break
      }
    }
  }
}
