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
  readonly text: string
  readonly kind: 'exercise' | 'sleep' | 'other'
}

interface FitTables {
  readonly types: ReadonlyMap<string, FitType>
  readonly nutrients: ReadonlyMap<string, { readonly code: CodeableConcept; readonly ucum: string }>
  readonly activities: ReadonlyMap<string, Activity>
}

interface NutrientRow {
  readonly key: string
  readonly text: string
  readonly ucum: string
}

const typeTable = lazyTable<{ rows: TypeRow[]; nutrients: NutrientRow[] }>('google-fit/data-types.json')
const activityTable = lazyTable<{ rows: (Activity & { code: number })[] }>('google-fit/activities.json')

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

/** The tables of `mappings/google-fit`, indexed. */
export const fitTables = perEdition(
  (): FitTables => ({
    types: new Map(typeTable().rows.map(row => [row.type, toType(row)])),
    nutrients: new Map(
      typeTable().nutrients.map(row => [row.key, { ucum: row.ucum, code: fitConcept(row, `nutrition.${row.key}`) }]),
    ),
    activities: new Map(activityTable().rows.map(row => [String(row.code), row])),
  }),
)
