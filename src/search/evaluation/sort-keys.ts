import { type Steps, spend } from '#kernel'
import type { Column } from '../columns/column.ts'
import type { TypeTable } from '../columns/type-table.ts'
import { canonicalValue } from '../kinds/quantity.ts'
import { referenceSortText, resolvesTo } from '../kinds/reference.ts'
import { stringSortText } from '../kinds/string.ts'
import { tokenSortText } from '../kinds/token.ts'
import { type ParameterType, searchParameter } from '../parameters.ts'
import type { SortKey } from '../query/types.ts'
import { Pace } from './pieces.ts'
import { conversionWork } from './place-tests.ts'

/** One sort key over the rows of one table: a number by which they are ordered here, and the value itself for other tables. */
export interface RowKey {
  readonly descending: boolean
  /** NaN: the row has no value, and comes last. */
  value(row: number): number
  /** Instead of `value`, where rows are better compared two by two. */
  readonly compare?: (a: number, b: number) => number
  /** The values by row, where they lie ready in a column. */
  readonly direct?: Float64Array
  shown(row: number): number | string | undefined
  /** Where something is kept of each row that was compared: not of this one any more. */
  readonly forget?: (row: number) => void
}

type TextOf = (entry: string, descending: boolean) => string | undefined

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

function* numericKey(table: TypeTable, key: SortKey): Steps<RowKey> {
  const columns: { column: Column; number: (place: number) => number }[] = []
  for (const column of columnsOf(table, key))
    if (column.lows !== undefined) columns.push({ column, number: yield* numberOf(column) })
  const direct = columns.length === 1 ? directValues(table, columns[0]?.column) : undefined
  if (direct !== undefined) {
    const value = (row: number): number => direct[row] as number
    return { descending: key.descending, direct, value, shown: row => numberOrNone(value(row)) }
  }
  const value = bestOf(columns, key.descending)
  return { descending: key.descending, value, shown: row => numberOrNone(value(row)) }
}

function columnsOf(table: TypeTable, { name }: SortKey): readonly Column[] {
  return (table.plan.uses.get(name) ?? []).flatMap(({ index }) => table.columns[index] ?? [])
}

/** A column with how its entries are read; undefined for those that the parameter does not mean. */
interface TextColumn {
  readonly column: Column
  readonly textOf: TextOf
}

/** Where a parameter means references to one type (`where(resolve() is Patient)`), others are no values of it. */
function textColumnsOf(table: TypeTable, { name }: SortKey, textOf: TextOf): readonly TextColumn[] {
  return (table.plan.uses.get(name) ?? []).flatMap(({ index, resolves }) => {
    const column = table.columns[index]
    if (column === undefined) return []
    if (resolves === undefined) return { column, textOf }
    const isMeant = resolvesTo(resolves, '')
    return { column, textOf: (entry, descending) => (isMeant(entry) ? textOf(entry, descending) : undefined) }
  })
}

/** The lower ends of a column of dates or numbers that has one place for each row of the table. */
function directValues(table: TypeTable, column: Column | undefined): Float64Array | undefined {
  if (column?.lows === undefined || column.ids !== undefined || column.starts !== undefined) return undefined
  return column.rows === table.count ? column.lows.array : undefined
}

function numberOrNone(value: number): number | undefined {
  return Number.isNaN(value) ? undefined : value
}

function* numberOf(column: Column): Steps<(place: number) => number> {
  const { dictionary, ids } = column
  const low = (place: number) => column.lows?.array[place] as number
  if (dictionary === undefined || ids === undefined) return low
  const scales = [(value: number) => value]
  const pace = new Pace()
  const count = dictionary.count
  for (let unit = 1; unit <= count; unit++) {
    const text = dictionary.text(unit)
    if (pace.read(conversionWork + text.length)) yield
    scales.push(canonicalValue(text))
  }
  pace.end()
  return place => scales[ids.array[place] as number]?.(low(place)) ?? Number.NaN
}

/** Up to so many dictionary entries are put in order once; of more, only the rows that are compared are read. */
const mostRanked = 4_096

function* textKey(table: TypeTable, key: SortKey, textOf: TextOf): Steps<RowKey> {
  const columns = textColumnsOf(table, key, textOf)
  const entries = columns.reduce((sum, { column }) => sum + (column.dictionary?.count ?? 0), 0)
  return entries <= mostRanked ? yield* rankedKey(columns, key) : readKey(columns, key)
}

/** Dictionary entries in the order of what they are sorted by; equal texts share a rank. */
function* rankedKey(columns: readonly TextColumn[], { descending }: SortKey): Steps<RowKey> {
  const texts: (string | undefined)[][] = []
  for (const { column, textOf } of columns)
    texts.push(yield* entriesOf(column.dictionary, entry => textOf(entry, descending)))
  const ordered = [...new Set(texts.flat())].filter(text => text !== undefined).sort(orderOf)
  const rankOf = new Map<string | undefined, number>(ordered.map((text, rank) => [text, rank]))
  const ranked = columns.map(({ column }, i) => {
    const ranks = Float64Array.from([Number.NaN, ...(texts[i] ?? []).map(text => rankOf.get(text) ?? Number.NaN)])
    return { column, number: (place: number) => ranks[column.ids?.array[place] ?? 0] as number }
  })
  const value = bestOf(ranked, descending)
  return { descending, value, shown: row => ordered[value(row)] }
}

/** Entries that are ranked in one go. */
const rankedAtATime = 512

function* entriesOf<T>(dictionary: Column['dictionary'], textOf: (entry: string) => T): Steps<T[]> {
  const texts: T[] = []
  for (let unit = 1; unit <= (dictionary?.count ?? 0); unit++) {
    texts.push(textOf(dictionary?.text(unit) ?? ''))
    if (unit % rankedAtATime === 0) yield
  }
  spend('work', texts.length * readWork)
  return texts
}

/** What reading what a row is sorted by takes, in values compared. */
const readWork = 150

/** Read when they are compared, and kept only for the rows that are. */
function readKey(columns: readonly TextColumn[], { descending }: SortKey): RowKey {
  const kept = new Map<number, string | undefined>()
  const shown = (row: number) => {
    if (!kept.has(row)) kept.set(row, bestText(columns, row, descending))
    return kept.get(row)
  }
  const compare = (a: number, b: number) => compareShown(shown(a), shown(b), descending)
  return { descending, compare, value: () => Number.NaN, shown, forget: row => void kept.delete(row) }
}

function bestText(columns: readonly TextColumn[], row: number, descending: boolean): string | undefined {
  let best: string | undefined
  for (const { column, textOf } of columns) {
    for (const entry of column.textsOf(row)) {
      spend('work', readWork + entry.length)
      const text = textOf(entry, descending)
      if (text === undefined) continue
      if (best === undefined || (descending ? text > best : text < best)) best = text
    }
  }
  return best
}

/** Ids have no ranks: a million of them would have to be sorted to show fifty. */
function idKey(table: TypeTable, { descending }: SortKey): RowKey {
  const sign = descending ? -1 : 1
  const compare = (a: number, b: number): number => sign * orderOf(table.ids.id(a), table.ids.id(b))
  return { descending, compare, value: () => Number.NaN, shown: row => table.ids.id(row) }
}

export function updatedKey(table: TypeTable, { descending }: SortKey): RowKey {
  const direct = table.updated.array
  const value = (row: number): number => direct[row] as number
  return { descending, direct, value, shown: value }
}

const ownKeys: Readonly<Record<string, (table: TypeTable, key: SortKey) => RowKey>> = {
  _id: idKey,
  _lastUpdated: updatedKey,
}

/** What the rows of a table are sorted by; what has to be read or ranked for it is, in steps. */
export function* rowKey(table: TypeTable, key: SortKey): Steps<RowKey> {
  const own = ownKeys[key.name]
  if (own !== undefined) return own(table, key)
  const textOf = sortTexts[searchParameter(table.plan.type, key.name)?.type ?? 'special']
  return textOf === undefined ? yield* numericKey(table, key) : yield* textKey(table, key, textOf)
}

/** Two values of one key; what has none comes last. */
export function compareShown(
  a: number | string | undefined,
  b: number | string | undefined,
  descending: boolean,
): number {
  if (a === b) return 0
  if (a === undefined) return 1
  if (b === undefined) return -1
  return a < b === descending ? 1 : -1
}
