import { type CodeableConcept, type CodeFacts, categoryOf, conceptOf, systems } from '../codes.ts'
import { frozen, lazyTable, perEdition } from '../tables.ts'

interface QuantityRow extends CodeFacts {
  readonly type: string
  readonly ucum: string
  readonly fraction?: true
  readonly category: string
  readonly variants?: readonly { readonly ucum: string; readonly loinc: readonly string[] }[]
}

interface UnitRow {
  readonly unit: string
  readonly ucum: string
  readonly to?: readonly Conversion[]
}

/** `(value + offset) * factor`, in the unit `ucum`. */
export interface Conversion {
  readonly ucum: string
  readonly factor: number
  readonly exact?: boolean
  readonly offset?: number
}

interface CategoryRow extends CodeFacts {
  readonly type: string
  readonly category: string
  readonly values: string
}

interface ValueRow {
  readonly set: string
  readonly code: string
  readonly display: string
  readonly snomed?: string
}

interface WorkoutRow {
  readonly type: string
  readonly text: string
  readonly distance?: string
}

interface MetadataRow {
  readonly key: string
  readonly text: string
  readonly kind?: Exclude<MetadataKey['kind'], 'coded'>
  readonly values?: readonly { readonly value: string; readonly display: string; readonly snomed?: string }[]
  readonly bodySite?: true
  readonly hundredths?: true
}

/** How the values of a MetadataEntry are read. */
export interface MetadataKey {
  readonly key: string
  readonly kind: 'coded' | 'quantity' | 'boolean' | 'text' | 'zone' | 'identifier' | 'method'
  readonly code: CodeableConcept
  readonly values: ReadonlyMap<string, CodeableConcept>
  readonly bodySite: boolean
  /** Written as 7700 % for 77 %. */
  readonly hundredths: boolean
}

/** One attribute of ActivitySummary. */
export interface RingType {
  readonly attribute: string
  readonly unitAttribute: string | undefined
  readonly type: QuantityType
}

interface RingRow {
  readonly attribute: string
  readonly unitAttribute?: string
  readonly ucum: string
  readonly text: string
}

interface CharacteristicsTable {
  readonly bloodTypeCode: { readonly loinc: string; readonly text: string }
  readonly bloodTypes: readonly { readonly value: string; readonly display: string; readonly snomed: string }[]
  readonly genders: readonly { readonly value: string; readonly gender: string }[]
}

/** A quantity type, ready for use: its frozen parts are shared by all resources of the type. */
export interface QuantityType {
  readonly name: string
  readonly text: string
  readonly ucum: string
  readonly fraction: boolean
  readonly code: CodeableConcept
  readonly category: readonly CodeableConcept[]
  readonly variants: ReadonlyMap<string, CodeableConcept>
}

export interface CategoryType {
  readonly name: string
  readonly code: CodeableConcept
  readonly category: readonly CodeableConcept[]
  readonly values: string
}

export interface Unit {
  readonly ucum: string
  readonly to: ReadonlyMap<string, Conversion>
}

interface AppleTables {
  /** By full identifier, `HKQuantityTypeIdentifierHeartRate`. */
  readonly quantities: ReadonlyMap<string, QuantityType>
  readonly categories: ReadonlyMap<string, CategoryType>
  /** By set and code, `sleep HKCategoryValueSleepAnalysisAwake`. */
  readonly values: ReadonlyMap<string, CodeableConcept>
  readonly units: ReadonlyMap<string, Unit>
  readonly workouts: ReadonlyMap<string, { readonly concept: CodeableConcept; readonly distance: string | undefined }>
  /** By key, with the prefix of the constant's name and without it. */
  readonly metadata: ReadonlyMap<string, MetadataKey>
  readonly rings: readonly RingType[]
  readonly bloodTypeCode: CodeableConcept
  readonly bloodTypes: ReadonlyMap<string, CodeableConcept>
  readonly genders: ReadonlyMap<string, string>
}

const quantityTable = lazyTable<{ prefix: string; rows: QuantityRow[] }>('apple-health/quantity-types.json')
const categoryTable = lazyTable<{ prefix: string; rows: CategoryRow[] }>('apple-health/category-types.json')
const valueTable = lazyTable<{ rows: ValueRow[] }>('apple-health/category-values.json')
const unitTable = lazyTable<{ rows: UnitRow[] }>('apple-health/units.json')
const workoutTable = lazyTable<{ prefix: string; rows: WorkoutRow[] }>('apple-health/workout-types.json')
const metadataTable = lazyTable<{ rows: MetadataRow[] }>('apple-health/metadata.json')
const ringTable = lazyTable<{ rows: RingRow[] }>('apple-health/activity-summary.json')
const characteristicsTable = lazyTable<CharacteristicsTable>('apple-health/characteristics.json')

function toQuantityType(row: QuantityRow): QuantityType {
  return frozen({
    name: row.type,
    text: row.text,
    ucum: row.ucum,
    fraction: row.fraction === true,
    code: conceptOf(row),
    category: categoryOf(row.category),
    variants: new Map((row.variants ?? []).map(v => [v.ucum, frozen(conceptOf({ ...row, loinc: v.loinc }))])),
  })
}

function toCategoryType(row: CategoryRow): CategoryType {
  return frozen({ name: row.type, code: conceptOf(row), category: categoryOf(row.category), values: row.values })
}

function toValue(row: ValueRow): CodeableConcept {
  const own = { system: systems.healthKit, code: row.code, display: row.display }
  const coding = row.snomed === undefined ? [own] : [{ system: systems.snomed, code: row.snomed }, own]
  return frozen({ coding, text: row.display })
}

function metadataKeys(row: MetadataRow): [string, MetadataKey][] {
  const values = (row.values ?? []).map(({ value, display, snomed }): [string, CodeableConcept] => [
    value,
    frozen(
      snomed === undefined ? { text: display } : { coding: [{ system: systems.snomed, code: snomed }], text: display },
    ),
  ])
  const key: MetadataKey = {
    key: row.key,
    kind: row.kind ?? 'coded',
    code: frozen({ coding: [{ system: systems.healthKit, code: row.key }], text: row.text }),
    values: new Map(values),
    bodySite: row.bodySite === true,
    hundredths: row.hundredths === true,
  }
  return namesOf(row.key).map(name => [name, key])
}

/** The value of a constant is its name, or its name without `MetadataKey`; exporters have printed both. */
function namesOf(key: string): readonly string[] {
  const long = key.startsWith('HKMetadataKey') ? key : `HKMetadataKey${key.slice(2)}`
  return [long, `HK${long.slice('HKMetadataKey'.length)}`]
}

function toRing({ attribute, unitAttribute, ucum, text }: RingRow): RingType {
  const type: QuantityType = frozen({
    name: attribute,
    text,
    ucum,
    fraction: false,
    code: { coding: [{ system: systems.healthKit, code: `HKActivitySummary.${attribute}` }], text },
    category: categoryOf('activity'),
    variants: new Map(),
  })
  return { attribute, unitAttribute, type }
}

/** The tables of `mappings/apple-health`, indexed. Read when the first export arrives. */
export const appleTables = perEdition(loadTables)

function loadTables(): AppleTables {
  const quantity = quantityTable()
  const category = categoryTable()
  const workout = workoutTable()
  const person = characteristicsTable()
  return {
    quantities: new Map(quantity.rows.map(row => [quantity.prefix + row.type, toQuantityType(row)])),
    categories: new Map(category.rows.map(row => [category.prefix + row.type, toCategoryType(row)])),
    values: new Map(valueTable().rows.map(row => [`${row.set} ${row.code}`, toValue(row)])),
    units: new Map(
      unitTable().rows.map(row => [row.unit, { ucum: row.ucum, to: new Map((row.to ?? []).map(c => [c.ucum, c])) }]),
    ),
    workouts: new Map(
      workout.rows.map(row => [
        workout.prefix + row.type,
        {
          concept: frozen({
            coding: [{ system: systems.healthKit, code: workout.prefix + row.type }],
            text: row.text,
          }),
          distance: row.distance,
        },
      ]),
    ),
    metadata: new Map(metadataTable().rows.flatMap(metadataKeys)),
    rings: ringTable().rows.map(toRing),
    bloodTypeCode: frozen(conceptOf({ text: person.bloodTypeCode.text, loinc: [person.bloodTypeCode.loinc] })),
    bloodTypes: new Map(
      person.bloodTypes.map(row => [
        row.value,
        frozen({ coding: [{ system: systems.snomed, code: row.snomed }], text: row.display }),
      ]),
    ),
    genders: new Map(person.genders.map(row => [row.value, row.gender])),
  }
}
