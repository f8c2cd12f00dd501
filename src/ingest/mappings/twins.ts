import { type Found, memberOf, partsOf, type Tables, type Tell, valuesAt } from './tables.ts'

/** By what rows of a table are told apart: two with the same are two rows for one thing. */
interface Identity {
  readonly file: string
  readonly rows: string
  /** Columns that together tell a row. A list in a column means each of its entries. */
  readonly by: readonly string[]
}

const identities: readonly Identity[] = [
  { file: 'apple-health/quantity-types.json', rows: 'rows/*', by: ['type'] },
  { file: 'apple-health/category-types.json', rows: 'rows/*', by: ['type'] },
  { file: 'apple-health/category-values.json', rows: 'rows/*', by: ['set', 'code'] },
  { file: 'apple-health/units.json', rows: 'rows/*', by: ['unit'] },
  { file: 'apple-health/workout-types.json', rows: 'rows/*', by: ['type'] },
  { file: 'apple-health/metadata.json', rows: 'rows/*', by: ['key'] },
  { file: 'apple-health/activity-summary.json', rows: 'rows/*', by: ['attribute'] },
  { file: 'apple-health/characteristics.json', rows: 'bloodTypes/*', by: ['value'] },
  { file: 'apple-health/characteristics.json', rows: 'genders/*', by: ['value'] },
  { file: 'auto-export/metrics.json', rows: 'rows/*', by: ['name'] },
  { file: 'google-fit/data-types.json', rows: 'rows/*', by: ['type'] },
  { file: 'google-fit/data-types.json', rows: 'nutrients/*', by: ['key'] },
  { file: 'google-fit/activities.json', rows: 'rows/*', by: ['code'] },
  { file: 'google-fit/activities.json', rows: 'rows/*', by: ['name'] },
  { file: 'google-fit/activities.json', rows: 'rows/*', by: ['headings'] },
  { file: 'google-fit/daily-columns.json', rows: 'columns/*', by: ['column'] },
  { file: 'google-fit/daily-columns.json', rows: 'columns/*', by: ['type', 'field'] },
  { file: 'google-fit/daily-columns.json', rows: 'summaries/*', by: ['type'] },
  { file: 'fitbit/files.json', rows: 'rows/*', by: ['form', 'files'] },
  { file: 'fitbit/files.json', rows: 'rows/*', by: ['list'] },
  { file: 'health-connect/record-types.json', rows: 'rows/*', by: ['table'] },
  { file: 'health-connect/exercise-types.json', rows: 'rows/*', by: ['set', 'code'] },
  { file: 'ccda/sections.json', rows: 'rows/*', by: ['templates'] },
  { file: 'ccda/entries.json', rows: 'rows/*', by: ['templates'] },
  { file: 'ccda/entries.json', rows: 'elements/fallback/rows/*', by: ['element'] },
  { file: 'ccda/code-systems.json', rows: 'rows/*', by: ['oid'] },
  { file: 'ccda/code-systems.json', rows: 'identifiers/registers/rows/*', by: ['oid'] },
  { file: 'hl7v2/messages.json', rows: '*/*', by: ['type', 'event'] },
  { file: 'hl7v2/segments.json', rows: 'maps/*', by: ['segment', 'resource'] },
  { file: 'hl7v2/own-segments.json', rows: 'maps/*', by: ['segment', 'resource'] },
  { file: 'hl7v2/data-types.json', rows: 'maps/*', by: ['type'] },
  { file: 'labels/sensitivities.json', rows: 'rows/*', by: ['label'] },
  { file: 'labels/sensitivities.json', rows: 'systems/*', by: ['codes'] },
  { file: 'labels/sensitivities.json', rows: 'systems/*', by: ['urls'] },
  { file: 'identity.json', rows: 'identifierTypes/rows/*', by: ['code'] },
  { file: 'identity.json', rows: 'systemTypes/rows/*', by: ['system'] },
  { file: 'identity.json', rows: 'thresholds/rows/*', by: ['part'] },
]

/** Two rows for one thing, of which one would count for nothing. */
export function checkTwins(tables: Tables, tell: Tell): void {
  for (const { file, rows, by } of identities) twinsOf(valuesAt(tables, file, rows), row => namesOf(row, by), tell)
  for (const set of valuesAt(tables, 'ccda/code-sets.json', 'sets/*/rows'))
    twinsOf(partsOf(set), row => [String(memberOf(row.value, 'snomed') ?? memberOf(row.value, 'code'))], tell)
  for (const file of ['hl7v2/segments.json', 'hl7v2/own-segments.json', 'hl7v2/data-types.json'])
    for (const map of valuesAt(tables, file, 'maps/*/rows')) twinsOf(partsOf(map), row => [effectOf(row)], tell)
}

/** All that a row says but where it is from. */
function effectOf({ value }: Found): string {
  return JSON.stringify(value, (key, part) => (key === 'source' ? undefined : part))
}

function namesOf({ value }: Found, by: readonly string[]): readonly string[] {
  return by.reduce<readonly string[]>(
    (names, column) => {
      const cell = memberOf(value, column)
      const texts = cell === undefined ? [] : [cell].flat().map(String)
      return names.flatMap(name => texts.map(text => (name === '' ? text : `${name} ${text}`)))
    },
    [''],
  )
}

function twinsOf(rows: readonly Found[], names: (row: Found) => readonly string[], tell: Tell): void {
  const first = new Map<string, Found>()
  for (const row of rows)
    for (const name of names(row)) {
      const other = first.get(name)
      if (other === undefined) first.set(name, row)
      else if (other !== row)
        tell(row, `Another row says the same thing already, ${other.pointer}: ${name.slice(0, 120)}`)
    }
}
