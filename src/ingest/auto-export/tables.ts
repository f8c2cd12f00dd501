import { appleTables } from '../apple/tables.ts'
import { lazyTable, perEdition } from '../tables.ts'

interface MetricsTable {
  readonly rows: readonly { readonly name: string; readonly type: string }[]
  readonly sums: readonly string[]
  readonly units: Readonly<Record<string, string>>
  readonly workouts: Readonly<Record<string, string>>
  readonly symptomValues: Readonly<Record<string, string>>
}

const table = lazyTable<MetricsTable>('auto-export/metrics.json')

interface AutoExportTables {
  /** HealthKit's identifier of a quantity type, by the app's name. */
  readonly quantities: ReadonlyMap<string, string>
  /** HealthKit's identifier of a category type, by its name in small letters without spaces. */
  readonly categories: ReadonlyMap<string, string>
  /** Identifiers whose values over a time are added up. */
  readonly sums: ReadonlySet<string>
  /** What Apple calls a unit. */
  readonly units: ReadonlyMap<string, string>
  /** HealthKit's identifier of an activity, by the app's name in small letters. */
  readonly workouts: ReadonlyMap<string, string>
  /** What a category type says, by its set and the app's word in small letters. */
  readonly values: ReadonlyMap<string, string>
}

const [quantityPrefix, categoryPrefix] = ['HKQuantityTypeIdentifier', 'HKCategoryTypeIdentifier']

/** `StepCount` → `step_count`, as the app names what has no name of its own in the table. */
function snake(type: string): string {
  return type
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/([A-Z]+)([A-Z][a-z])/g, '$1_$2')
    .toLowerCase()
}

/** A name as it is compared: letters and digits alone. */
export function plainName(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '')
}

/** The tables of `mappings/auto-export`, and those of Apple Health that they lead to. */
export const autoExportTables = perEdition(load)

function load(): AutoExportTables {
  const { rows, sums, units, workouts, symptomValues } = table()
  const apple = appleTables()
  const derived = [...apple.quantities.keys()].map(type => [snake(type.slice(quantityPrefix.length)), type] as const)
  const named = rows.map(({ name, type }) => [name, quantityPrefix + type] as const)
  const activities = [...apple.workouts].map(
    ([type, { concept }]) => [(concept.text ?? '').toLowerCase(), type] as const,
  )
  const values = [...apple.values].map(([key, concept]) => {
    const [set = ''] = key.split(' ')
    return [`${set} ${plainName(concept.text ?? '')}`, key.slice(set.length + 1)] as const
  })
  return {
    quantities: new Map([...derived, ...named]),
    categories: new Map([...apple.categories.keys()].map(type => [plainName(type.slice(categoryPrefix.length)), type])),
    sums: new Set(sums.map(type => quantityPrefix + type)),
    units: new Map(Object.entries(units)),
    workouts: new Map([
      ...activities,
      ...Object.entries(workouts).map(([name, type]) => [name, `HKWorkoutActivityType${type}`] as const),
    ]),
    values: new Map([...values, ...Object.entries(symptomValues)]),
  }
}
