import { type CodeableConcept, type CodeFacts, categoryOf, conceptOf } from '../codes.ts'
import { frozen } from '../tables.ts'
import { factsLike } from './like.ts'

/** Where a field goes that is no component: those of a vital sign are vital signs too. */
type Place = 'bodySite' | 'bodyPosition' | 'method' | 'note' | 'extension'

/** A field of a record: a number with a unit, an integer that stands for words, or a text. */
export interface FieldRow extends Partial<CodeFacts> {
  readonly field: string
  /** The row of another mapping whose codes and unit are meant. */
  readonly like?: string
  readonly ucum?: string
  /** From the unit as stored, exact unless `stored` names that unit: then the original is kept beside the value. */
  readonly factor?: number
  readonly stored?: string
  readonly values?: Readonly<Record<string, string>>
  /** The set of values, where a table has several. */
  readonly set?: string
  readonly kind?: 'text'
  readonly required?: boolean
  readonly zeroMeansAbsent?: boolean
  readonly as?: Place
}

/** A kind of record, as a mapping has it. */
export interface MeasureRow extends Partial<CodeFacts> {
  readonly type: string
  readonly like?: string
  readonly category?: string
  readonly value?: FieldRow
  readonly coded?: FieldRow
  readonly components?: readonly FieldRow[]
  /** That it happened is the fact. */
  readonly event?: boolean
  /** At least one component is needed. */
  readonly some?: boolean
}

/** A field, ready for use: its frozen parts are shared by all resources. */
export interface Field {
  readonly name: string
  readonly code: CodeableConcept
  readonly ucum: string | undefined
  readonly factor: number | undefined
  readonly stored: string | undefined
  readonly values: ReadonlyMap<string, CodeableConcept> | undefined
  readonly required: boolean
  readonly zeroMeansAbsent: boolean
  readonly as: Place | undefined
}

/** A kind of record, ready for use. */
export interface Measure {
  readonly name: string
  readonly code: CodeableConcept
  readonly category: readonly CodeableConcept[]
  readonly value: Field | undefined
  readonly coded: Field | undefined
  readonly components: readonly Field[]
  readonly event: boolean
  readonly some: boolean
}

/** What the mapping of a source has besides its rows. */
export interface Source {
  /** The code system of its own names, which every code carries. */
  readonly system: string
  readonly sets?: Readonly<Record<string, ReadonlyMap<string, string>>>
}

/** The codes of a row, those of the row that it is like, and the source's own name. */
function codeOf(row: MeasureRow | FieldRow, name: string, { system }: Source): CodeableConcept {
  const facts = { text: name, ...(row.like === undefined ? {} : factsLike(row.like)), ...row }
  const concept = conceptOf(facts)
  return frozen({ coding: [...(concept.coding ?? []), { system, code: name }], text: facts.text })
}

function toField(row: FieldRow, type: string, source: Source): Field {
  const name = `${type}.${row.field}`
  const listed = row.set === undefined ? Object.entries(row.values ?? {}) : [...(source.sets?.[row.set] ?? [])]
  const values = listed.map(([value, text]): [string, CodeableConcept] => [
    value,
    frozen({ coding: [{ system: source.system, code: `${name}.${value}` }], text }),
  ])
  return {
    name: row.field,
    code: codeOf(row, name, source),
    ucum: row.ucum ?? (row.like === undefined ? undefined : factsLike(row.like).ucum),
    factor: row.factor,
    stored: row.stored,
    values: values.length === 0 ? undefined : new Map(values),
    required: row.required === true,
    zeroMeansAbsent: row.zeroMeansAbsent === true,
    as: row.as,
  }
}

/** A row of a mapping, ready for use. */
export function toMeasure(row: MeasureRow, source: Source): Measure {
  const like = row.like === undefined ? undefined : factsLike(row.like)
  const value = row.value && {
    ...row.value,
    ...(row.value.ucum === undefined && like?.ucum !== undefined ? { ucum: like.ucum } : {}),
  }
  return {
    name: row.type,
    code: codeOf(row, row.type, source),
    category: frozen(categoryOf(row.category ?? like?.category ?? 'activity')),
    value: value && toField(value, row.type, source),
    coded: row.coded && toField(row.coded, row.type, source),
    components: (row.components ?? []).map(field => toField(field, row.type, source)),
    event: row.event === true,
    some: row.some === true,
  }
}
