import { checkTables } from './check.ts'
import type { Finding, Table } from './read-table.ts'
import { shippedTables, tablesIn } from './table-files.ts'
import { isNode } from './tables.ts'

/** What was found in mapping tables. */
export interface MappingReport {
  readonly findings: readonly Finding[]
  readonly tables: number
  readonly rows: number
  /** How many of the tables are those of the folder. */
  readonly own: number
}

/**
 * Checks the mapping tables that come with the server, with those of a folder in their places.
 *
 * @param folder  has tables of the same names: `apple-health/units.json`
 * @throws        Problem `not-found` · `ingest.mappings-unreadable`
 */
export function checkMappings(folder?: string): MappingReport {
  const shipped = shippedTables()
  const own = folder === undefined ? { tables: new Map<string, Table>(), findings: [] } : tablesIn(folder)
  const tables = new Map([...shipped.tables, ...own.tables])
  const findings = [...shipped.findings, ...own.findings, ...checkTables(tables)]
  const rows = [...tables.values()].reduce((sum, { value }) => sum + rowsIn(value), 0)
  return { findings, tables: tables.size, rows, own: own.tables.size }
}

/** Lists of rows, and objects whose members are rows. */
const lists = new Set(['rows', 'nutrients', 'bloodTypes', 'genders', 'refused', 'elsewhere', 'omitted', 'tables'])
const members = new Set([
  'codes',
  'systems',
  'labels',
  'units',
  'ucum',
  'workouts',
  'symptomValues',
  'groups',
  'structures',
])

function rowsIn(value: unknown): number {
  if (Array.isArray(value)) return value.reduce<number>((sum, entry) => sum + rowsIn(entry), 0)
  if (!isNode(value)) return 0
  return Object.entries(value).reduce((sum, [key, part]) => sum + rowsAt(key, part) + rowsIn(part), 0)
}

function rowsAt(key: string, part: unknown): number {
  if (Array.isArray(part)) return lists.has(key) ? part.length : 0
  return members.has(key) && isNode(part) ? Object.keys(part).length : 0
}
