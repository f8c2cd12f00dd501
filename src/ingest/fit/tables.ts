import { type CodeableConcept, type CodeFacts, categoryOf, conceptOf, systems } from '../codes.ts'
import { frozen, lazyTable, perEdition } from '../tables.ts'

/** One value of a data point: a number with a unit, or an integer that stands for words. */
export interface FieldRow extends CodeFacts {
  readonly field: number
  readonly ucum?: string
  readonly factor?: number
  readonly values?: Readonly<Record<string, string>>
  readonly required?: boolean
  readonly zeroMeansAbsent?: boolean
  /** What Fit calls the field. */
  readonly name?: string
  /** Where it goes, if not into a component: those of a vital sign are vital signs too. */
  readonly as?: 'bodySite' | 'bodyPosition' | 'method' | 'extension'
}

interface TypeRow extends CodeFacts {
  readonly type: string
  readonly category: string
  readonly value?: { readonly field: number; readonly ucum: string; readonly factor?: number }
  readonly components?: readonly FieldRow[]
  readonly coded?: Readonly<Record<string, string>>
}

export interface FitType {
  readonly name: string
  readonly code: CodeableConcept
  readonly category: readonly CodeableConcept[]
  readonly value: { readonly field: number; readonly ucum: string; readonly factor?: number } | undefined
  readonly components: readonly (FieldRow & { readonly code: CodeableConcept })[]
  readonly coded: ReadonlyMap<string, CodeableConcept> | undefined
}

export interface Activity {
  /** Fit's number. */
  readonly code: number
  readonly text: string
  readonly kind: 'exercise' | 'sleep' | 'other'
}

interface ActivityRow extends Activity {
  /** What a session calls it. */
  readonly name?: string
  /** What columns of daily metrics call it, beside its text. */
  readonly headings?: readonly string[]
}

/** Which field of which type a column of daily metrics is. */
export interface Column {
  readonly type: string
  readonly field: number
}

interface ColumnTable {
  readonly columns: readonly (Column & { readonly column: string })[]
  readonly summaries: readonly { readonly type: string; readonly of: string }[]
}

interface FitTables {
  readonly types: ReadonlyMap<string, FitType>
  readonly nutrients: ReadonlyMap<string, { readonly code: CodeableConcept; readonly ucum: string }>
  /** By its number. */
  readonly activities: ReadonlyMap<string, Activity>
  /** By what a session calls it. */
  readonly named: ReadonlyMap<string, Activity>
  /** By what a heading calls it, in small letters. */
  readonly headed: ReadonlyMap<string, Activity>
  /** By its heading. */
  readonly columns: ReadonlyMap<string, Column>
  /** The type of the points that a summary is of. */
  readonly summarised: ReadonlyMap<string, string>
}

interface NutrientRow {
  readonly key: string
  readonly text: string
  readonly ucum: string
}

const typeTable = lazyTable<{ rows: TypeRow[]; nutrients: NutrientRow[] }>('google-fit/data-types.json')
const activityTable = lazyTable<{ rows: ActivityRow[] }>('google-fit/activities.json')
const columnTable = lazyTable<ColumnTable>('google-fit/daily-columns.json')

/** The codes of a row, and the name of the data type itself, which every row has. */
export function fitConcept(facts: CodeFacts, name: string): CodeableConcept {
  const concept = conceptOf(facts)
  return frozen({ ...concept, coding: [...(concept.coding ?? []), { system: systems.googleFit, code: name }] })
}

function toType(row: TypeRow): FitType {
  const coded = Object.entries(row.coded ?? {}).map(([value, text]): [string, CodeableConcept] => [
    value,
    frozen({ coding: [{ system: systems.googleFit, code: `${row.type}.${value}` }], text }),
  ])
  return {
    name: row.type,
    code: fitConcept(row, row.type),
    category: frozen(categoryOf(row.category)),
    value: row.value,
    components: (row.components ?? []).map(field => ({ ...field, code: fieldConcept(field, row.type) })),
    coded: coded.length === 0 ? undefined : new Map(coded),
  }
}

function fieldConcept(field: FieldRow, type: string): CodeableConcept {
  return field.name === undefined ? frozen(conceptOf(field)) : fitConcept(field, `${type}.${field.name}`)
}

function headingsOf({ text, headings = [] }: ActivityRow): readonly string[] {
  return [text, ...headings].map(heading => heading.toLowerCase())
}

/** The tables of `mappings/google-fit`, indexed. */
export const fitTables = perEdition(
  (): FitTables => ({
    types: new Map(typeTable().rows.map(row => [row.type, toType(row)])),
    nutrients: new Map(
      typeTable().nutrients.map(row => [row.key, { ucum: row.ucum, code: fitConcept(row, `nutrition.${row.key}`) }]),
    ),
    activities: new Map(activityTable().rows.map(row => [String(row.code), row])),
    named: new Map(activityTable().rows.flatMap(row => (row.name === undefined ? [] : [[row.name, row] as const]))),
    headed: new Map(activityTable().rows.flatMap(row => headingsOf(row).map(heading => [heading, row] as const))),
    columns: new Map(columnTable().columns.map(({ column, type, field }) => [column, { type, field }])),
    summarised: new Map(columnTable().summaries.map(({ type, of }) => [type, of])),
  }),
)
