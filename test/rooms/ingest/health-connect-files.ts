import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { zipOfMany } from './zips.ts'

const common =
  'row_id INTEGER PRIMARY KEY AUTOINCREMENT, uuid BLOB, last_modified_time INTEGER, client_record_id TEXT, client_record_version TEXT, device_info_id INTEGER, app_info_id INTEGER, recording_method INTEGER, dedupe_hash BLOB'
const instant =
  'time INTEGER, zone_offset INTEGER, local_date INTEGER, local_date_time INTEGER AS (time + 1000 * zone_offset)'
const interval =
  'start_time INTEGER, start_zone_offset INTEGER, end_time INTEGER, end_zone_offset INTEGER, local_date INTEGER, local_date_time_start_time INTEGER AS (start_time + 1000 * start_zone_offset)'

/** The columns of each table as Android makes them, as far as the tests need them. */
const columns: Readonly<Record<string, string>> = {
  application_info_table: 'row_id INTEGER PRIMARY KEY, package_name TEXT, app_name TEXT, app_icon BLOB',
  device_info_table: 'row_id INTEGER PRIMARY KEY, manufacturer TEXT, model TEXT, device_type INTEGER',
  weight_record_table: `${common}, ${instant}, weight REAL`,
  blood_pressure_record_table: `${common}, ${instant}, measurement_location TEXT, systolic REAL, diastolic REAL, body_position TEXT`,
  basal_metabolic_rate_record_table: `${common}, ${instant}, basal_metabolic_rate REAL`,
  menstruation_flow_record_table: `${common}, ${instant}, flow INTEGER`,
  steps_record_table: `${common}, ${interval}, count INTEGER`,
  total_calories_burned_record_table: `${common}, ${interval}, energy REAL`,
  nutrition_record_table: `${common}, ${interval}, energy REAL, protein REAL, vitamin_c REAL, meal_type INTEGER, meal_name TEXT`,
  heart_rate_record_table: `${common}, ${interval}`,
  heart_rate_record_series_table: 'parent_key INTEGER, beats_per_minute INTEGER, epoch_millis INTEGER',
  sleep_session_record_table: `${common}, ${interval}, notes TEXT, title TEXT`,
  sleep_stages_table: 'parent_key INTEGER, stage_start_time INTEGER, stage_end_time INTEGER, stage_type INTEGER',
  exercise_session_record_table: `${common}, ${interval}, notes TEXT, exercise_type INTEGER, title TEXT, has_route INTEGER`,
  exercise_laps_table: 'parent_key INTEGER, lap_start_time INTEGER, lap_end_time INTEGER, lap_length REAL',
  exercise_segments_table:
    'parent_key INTEGER, segment_start_time INTEGER, segment_end_time INTEGER, segment_type INTEGER, repetitions_count INTEGER',
  exercise_route_table: 'parent_key INTEGER, timestamp_millis INTEGER, latitude REAL, longitude REAL',
  medical_resource_table:
    'medical_resource_row_id INTEGER PRIMARY KEY AUTOINCREMENT, fhir_resource_type INTEGER, fhir_resource_id TEXT, fhir_data TEXT, data_source_id INTEGER',
  medical_data_source_table: 'medical_data_source_row_id INTEGER PRIMARY KEY, fhir_base_uri TEXT',
}

/** 2024-03-10 08:00 in a zone of one hour. */
export const at = Date.UTC(2024, 2, 10, 7)
const hour = 3600

let names = 0

/** What every record has, by default: a name, an app, a device, a zone. */
export function record(rest: object, length?: number): object {
  names += 1
  const times =
    length === undefined
      ? { time: at, zone_offset: hour }
      : { start_time: at, start_zone_offset: hour, end_time: at + length, end_zone_offset: hour }
  const uuid = Buffer.alloc(16, names)
  return { uuid, last_modified_time: at, app_info_id: 1, device_info_id: 1, recording_method: 2, ...times, ...rest }
}

const people: Rows = {
  application_info_table: [
    { row_id: 1, package_name: 'com.example.app', app_name: 'Example', app_icon: Buffer.alloc(200_000, 7) },
  ],
  device_info_table: [{ row_id: 1, manufacturer: 'Acme', model: 'Band 3', device_type: 6 }],
}

export type Rows = Readonly<Record<string, readonly object[]>>

/** A database of these rows, and of what else is done to it; `made`: a table of instants that is not listed above. */
export function databaseOf(rows: Rows, more = '', made?: { table: string; cells: readonly string[] }): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'kinhold-connect-'))
  const path = join(folder, 'health_connect_export.db')
  const db = new DatabaseSync(path)
  for (const [table, some] of Object.entries({ ...people, ...rows })) {
    db.exec(
      `CREATE TABLE IF NOT EXISTS ${table} (${columns[table] ?? `${common}, ${instant}, ${made?.cells.join(', ')}`})`,
    )
    for (const row of some) {
      const marks = Object.keys(row).map(() => '?')
      const insert = db.prepare(`INSERT INTO ${table} (${Object.keys(row).join(', ')}) VALUES (${marks.join(', ')})`)
      insert.run(...Object.values(row))
    }
  }
  db.exec(more)
  db.close()
  const bytes = readFileSync(path)
  rmSync(folder, { recursive: true })
  return bytes
}

export function zipOf(data: Buffer, name = 'health_connect_export.db'): Buffer {
  return zipOfMany([{ name, data }])
}
