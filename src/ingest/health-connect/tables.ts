import { systems } from '../codes.ts'
import { type Measure, type MeasureRow, type Source, toMeasure } from '../measures/tables.ts'
import { lazyTable, perEdition } from '../tables.ts'

interface ChildRow extends MeasureRow {
  readonly table: string
  readonly start: string
  readonly end: string
  readonly as: 'component' | 'member'
}

interface RecordRow extends MeasureRow {
  readonly table: string
  readonly series?: { readonly table: string; readonly time: string }
  readonly children?: readonly ChildRow[]
}

/** Rows of another table that belong to a record: components with their period, or members with an Observation of their own. */
export interface ChildType {
  readonly table: string
  readonly start: string
  readonly end: string
  readonly as: 'component' | 'member'
  readonly measure: Measure
  readonly known: ReadonlySet<string>
}

/** A kind of record. */
export interface RecordType {
  readonly table: string
  readonly measure: Measure
  /** The table of samples, each an Observation. */
  readonly series: { readonly table: string; readonly time: string } | undefined
  readonly children: readonly ChildType[]
  /** Columns that are read, or that say nothing of the person. */
  readonly known: ReadonlySet<string>
}

interface ConnectTables {
  readonly types: readonly RecordType[]
  /** Tables of the phone, which say nothing of the person. */
  readonly passed: ReadonlySet<string>
}

interface RecordFile {
  readonly rows: readonly RecordRow[]
  readonly bookkeeping: { readonly columns: readonly string[]; readonly tables: readonly string[] }
}

const recordTable = lazyTable<RecordFile>('health-connect/record-types.json')
const exerciseTable = lazyTable<{ rows: readonly { set: string; code: number; text: string }[] }>(
  'health-connect/exercise-types.json',
)

function sourceOf(): Source {
  const bySet = Map.groupBy(exerciseTable().rows, ({ set }) => set)
  const sets = [...bySet].map(
    ([set, rows]) => [set, new Map(rows.map(({ code, text }) => [String(code), text]))] as const,
  )
  return { system: systems.healthConnect, sets: Object.fromEntries(sets) }
}

/** The tables of `mappings/health-connect`, indexed. */
export const connectTables = perEdition(load)

function load(): ConnectTables {
  const { rows, bookkeeping } = recordTable()
  const source = sourceOf()
  const knownOf = (row: MeasureRow, ...more: readonly string[]): ReadonlySet<string> =>
    new Set([...bookkeeping.columns, ...more, ...fieldsOf(row)])
  return {
    passed: new Set(bookkeeping.tables),
    types: rows.map(row => ({
      table: row.table,
      measure: toMeasure(row, source),
      series: row.series,
      known: knownOf(row, ...(row.series === undefined ? [] : [row.series.time])),
      children: (row.children ?? []).map(child => ({
        table: child.table,
        start: child.start,
        end: child.end,
        as: child.as,
        measure: toMeasure(child.as === 'member' ? { ...codesOf(row), ...child } : child, source),
        known: knownOf(child, child.start, child.end),
      })),
    })),
  }
}

/** A member is the same thing as its record, for a shorter time. */
function codesOf({ like, text, loinc, snomed, pghd, category }: RecordRow): Partial<RecordRow> {
  return Object.fromEntries(
    Object.entries({ like, text, loinc, snomed, pghd, category }).filter(([, value]) => value !== undefined),
  )
}

function fieldsOf({ value, coded, components = [] }: MeasureRow): readonly string[] {
  return [value, coded, ...components].flatMap(field => (field === undefined ? [] : [field.field]))
}
