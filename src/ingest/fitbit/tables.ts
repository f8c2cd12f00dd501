import { systems } from '../codes.ts'
import { type Measure, type MeasureRow, toMeasure } from '../measures/tables.ts'
import { lazyTable, perEdition } from '../tables.ts'

export type Clock = 'utc' | 'local' | 'day'

interface FileRow extends MeasureRow {
  readonly files?: readonly string[]
  readonly list?: string
  readonly form: 'csv' | 'json'
  readonly clock: Clock
  readonly time: string
  readonly hour?: string
  readonly end?: string
  readonly key?: string
  readonly passed?: readonly string[]
}

/** A kind of file, or of a list in one. */
export interface FileType extends Pick<FileRow, 'clock' | 'time' | 'hour' | 'end' | 'key'> {
  readonly form: 'csv' | 'json'
  readonly measure: Measure
  /** Fields that are read, or that say nothing of the person. */
  readonly known: ReadonlySet<string>
}

interface FitbitTables {
  /** By form and name: `csv heart_rate`. */
  readonly files: ReadonlyMap<string, FileType>
  /** By the member of a Web API answer. */
  readonly lists: ReadonlyMap<string, FileType>
}

const table = lazyTable<{ readonly rows: readonly FileRow[] }>('fitbit/files.json')

/** The table of `mappings/fitbit`, indexed. */
export const fitbitTables = perEdition(load)

function load(): FitbitTables {
  const types = table().rows.map(row => ({ row, type: toType(row) }))
  return {
    files: new Map(
      types.flatMap(({ row, type }) => (row.files ?? []).map(name => [`${row.form} ${name}`, type] as const)),
    ),
    lists: new Map(types.flatMap(({ row, type }) => (row.list === undefined ? [] : [[row.list, type] as const]))),
  }
}

function toType(row: FileRow): FileType {
  const { form, clock, time, hour, end, key, value, components = [], passed = [] } = row
  const fields = [time, hour, end, key, value?.field, ...components.map(({ field }) => field), ...passed]
  return {
    form,
    clock,
    time,
    ...(hour === undefined ? {} : { hour }),
    ...(end === undefined ? {} : { end }),
    ...(key === undefined ? {} : { key }),
    measure: toMeasure(row, { system: systems.fitbit }),
    known: new Set(fields.filter(field => field !== undefined)),
  }
}
