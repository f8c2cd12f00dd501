import type { Column } from '../columns/column.ts'
import type { EntryKeys } from '../columns/entry-lookup.ts'
import type { SourceKind } from '../extraction/cell.ts'
import type { SourceUse } from '../extraction/plan.ts'
import { quantityTest } from '../kinds/quantity.ts'
import { dateTests, numberTests, type RangeTest } from '../kinds/range.ts'
import { identifierTest, referenceKeys, referenceTest, resolvesTo, soughtReferenceKeys } from '../kinds/reference.ts'
import { stringTest } from '../kinds/string.ts'
import { soughtTokenKeys, tokenKeys, tokenTest } from '../kinds/token.ts'
import { uriTest } from '../kinds/uri.ts'
import type { ParameterType } from '../parameters.ts'
import type { Modifier, Operand, QuantityOperand, RangeOperand } from '../query/types.ts'

/** What a criterion comes down to in one column: 1 for each dictionary entry that fulfils it, or a test of a value's place. */
export type PlaceTest =
  | { readonly kind: 'mask'; readonly mask: Uint8Array }
  | { readonly kind: 'test'; readonly test: (place: number) => boolean }

/** What is sought, whatever the column. */
export interface Sought {
  readonly parameter: ParameterType
  readonly modifier: Modifier | undefined
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
  reference: ({ operands, modifier, baseUrl }) =>
    modifier === 'identifier'
      ? identifierTest(only('token', operands))
      : referenceTest(only('reference', operands), baseUrl),
}

const entryKeys: Readonly<Partial<Record<SourceKind, EntryKeys>>> = { token: tokenKeys, reference: referenceKeys }

/** Dictionaries up to this size are looked through, which is faster than building a lookup. */
const smallDictionary = 512

/**
 * One byte per dictionary entry, entry 0 being "no value".
 *
 * @param keys  under which alone entries may pass; undefined: any may
 */
export function maskOf(column: Column, test: EntryTest, keys?: readonly string[]): PlaceTest {
  const { dictionary } = column
  const count = dictionary?.count ?? 0
  const mask = new Uint8Array(count + 1)
  const keysOf = entryKeys[column.source.kind]
  if (keys !== undefined && keysOf !== undefined && count > smallDictionary) {
    for (const number of column.lookup(keysOf)?.candidates(keys) ?? []) {
      if (test(dictionary?.text(number) ?? '', number)) mask[number] = 1
    }
    return { kind: 'mask', mask }
  }
  for (let number = 1; number <= count; number++) if (test(dictionary?.text(number) ?? '', number)) mask[number] = 1
  return { kind: 'mask', mask }
}

function within(use: SourceUse, baseUrl: string, test: EntryTest): EntryTest {
  if (use.resolves === undefined) return test
  const resolves = resolvesTo(use.resolves, baseUrl)
  return (entry, number) => resolves(entry) && test(entry, number)
}

function rangeTest(column: Column, tests: readonly RangeTest[]): PlaceTest {
  const lows = column.lows?.array ?? new Float64Array()
  const highs = column.highs?.array ?? lows
  const [first] = tests
  // NaN, the mark of an empty place, fails some comparisons and passes others (`ne`), so it is asked for itself.
  const fulfils = (low: number, high: number): boolean => tests.some(test => test(low, high))
  const test = tests.length === 1 && first !== undefined ? first : fulfils
  return {
    kind: 'test',
    test: place => {
      const low = lows[place] as number
      return !Number.isNaN(low) && test(low, highs[place] as number)
    },
  }
}

function rangesOf(sought: Sought, tests: Readonly<Record<string, (operand: RangeOperand) => RangeTest>>): RangeTest[] {
  return only('range', sought.operands).flatMap(operand => tests[operand.prefix]?.(operand) ?? [])
}

/** For each unit of the column the tests that values in it must pass. */
function quantityPlaces(column: Column, operands: readonly QuantityOperand[]): PlaceTest {
  const { dictionary } = column
  const units = column.ids?.array ?? new Uint32Array()
  const lows = column.lows?.array ?? new Float64Array()
  const highs = column.highs?.array ?? lows
  const byUnit: (readonly RangeTest[])[] = [[]]
  for (let unit = 1; unit <= (dictionary?.count ?? 0); unit++) {
    const text = dictionary?.text(unit) ?? ''
    byUnit.push(operands.flatMap(operand => quantityTest(operand, text) ?? []))
  }
  return {
    kind: 'test',
    test: place => {
      const tests = byUnit[units[place] as number] as readonly RangeTest[]
      for (const test of tests) if (test(lows[place] as number, highs[place] as number)) return true
      return false
    },
  }
}

function soughtKeys({ parameter, modifier, operands }: Sought): readonly string[] | undefined {
  if (parameter === 'token') return soughtTokenKeys(only('token', operands))
  return parameter === 'reference' && modifier === undefined
    ? soughtReferenceKeys(only('reference', operands))
    : undefined
}

/** What `sought` comes down to in a column. */
export function placeTest(column: Column, use: SourceUse, sought: Sought): PlaceTest {
  if (sought.parameter === 'date') return rangeTest(column, rangesOf(sought, dateTests))
  if (sought.parameter === 'number') return rangeTest(column, rangesOf(sought, numberTests))
  if (sought.parameter === 'quantity') return quantityPlaces(column, only('quantity', sought.operands))
  const test = entryTests[sought.parameter]?.(sought) ?? (() => false)
  return maskOf(column, within(use, sought.baseUrl, test), soughtKeys(sought))
}

/** Whether a place holds a value at all, for `:missing`. */
export function presenceTest(column: Column, use: SourceUse, baseUrl: string): PlaceTest {
  if (column.ids !== undefined)
    return maskOf(
      column,
      within(use, baseUrl, () => true),
    )
  const lows = column.lows?.array ?? new Float64Array()
  return { kind: 'test', test: place => !Number.isNaN(lows[place]) }
}

/** Whether any value of a row passes. */
export function rowPasses(column: Column, row: number, test: PlaceTest): boolean {
  if (row >= column.rows) return false
  const end = column.endOf(row)
  for (let place = column.startOf(row); place < end; place++) if (placePasses(column, place, test)) return true
  return false
}

export function placePasses(column: Column, place: number, test: PlaceTest): boolean {
  return test.kind === 'test' ? test.test(place) : test.mask[column.ids?.array[place] ?? 0] === 1
}

/** Sets `hits[row]` for each row of `rows` of which some value passes. */
export function markRows(column: Column, test: PlaceTest, rows: Uint8Array, hits: Uint8Array): void {
  const count = Math.min(rows.length, column.rows)
  const ids = column.ids?.array
  if (column.starts !== undefined) markMany(column, test, rows, hits, count)
  else if (test.kind === 'test') markEach(test.test, rows, hits, count)
  else if (ids !== undefined) markMasked(ids, test.mask, rows, hits, count)
}

function markMasked(ids: Uint32Array, mask: Uint8Array, rows: Uint8Array, hits: Uint8Array, count: number): void {
  for (let row = 0; row < count; row++) {
    hits[row] = (hits[row] as number) | ((mask[ids[row] as number] as number) & (rows[row] as number))
  }
}

function markEach(test: (place: number) => boolean, rows: Uint8Array, hits: Uint8Array, count: number): void {
  for (let row = 0; row < count; row++) if (rows[row] === 1 && hits[row] === 0 && test(row)) hits[row] = 1
}

function markMany(column: Column, test: PlaceTest, rows: Uint8Array, hits: Uint8Array, count: number): void {
  const starts = column.starts?.array ?? new Uint32Array()
  for (let row = 0; row < count; row++) {
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
