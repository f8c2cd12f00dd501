import { mkdtempSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { IngestLimits } from '#ingest'
import { openMemoryStore } from '#store'
import { randomFrom } from '../../random.ts'
import { at, databaseOf, type Rows, record, zipOf } from './health-connect-files.ts'
import { createPatient, everything, found, ingested, openHouse, readPatient, versionsOf } from './house.ts'
import { zipOfMany } from './zips.ts'

const minute = 60_000

const weights: Rows = { weight_record_table: [record({ weight: 64_000 }), record({ weight: 65_000 })] }

async function houseWith(limits: Partial<IngestLimits> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'kinhold-spool-'))
  const house = await openHouse(limits, openMemoryStore(), { zone: 'UTC', known: [] }, folder)
  return { house, left: () => readdirSync(folder).filter(name => name !== 'kept') }
}

/** What becomes of a file, read in memory or from a file on disk. */
async function fate(file: Buffer, limits: Partial<IngestLimits> = {}) {
  const { house, left } = await houseWith(limits)
  const { state, counts, report } = await ingested(house, house.anna, everything(), file)
  return { house, state, counts, text: JSON.stringify(report), left: left() }
}

const ways: readonly (readonly [string, Partial<IngestLimits>])[] = [
  ['in memory', {}],
  ['on disk', { databaseInMemory: 0 }],
]

describe.each(ways)('a database that is no good, read %s', (_, limits) => {
  it('is read if it is one, and leaves nothing behind', async () => {
    expect(await fate(databaseOf(weights), limits)).toMatchObject({ state: 'done', counts: { mapped: 2 }, left: [] })
    expect(await fate(zipOf(databaseOf(weights)), limits)).toMatchObject({
      state: 'done',
      counts: { mapped: 2 },
      left: [],
    })
  })

  it.each([
    ['of somebody else', 'CREATE TABLE notes (text TEXT); DROP TABLE weight_record_table'],
    [
      'with views in place of tables',
      'DROP TABLE weight_record_table; CREATE VIEW weight_record_table AS SELECT 1 AS row_id',
    ],
    [
      'with tables that a module makes',
      'DROP TABLE weight_record_table; CREATE VIRTUAL TABLE weight_record_table USING fts5(weight)',
    ],
    ['of which another table tells of apps', 'DROP TABLE application_info_table'],
  ])('%s is refused', async (_, more) => {
    expect(await fate(databaseOf(weights, more), limits)).toMatchObject({
      state: 'failed',
      counts: { rows: 0, problem: { code: 'ingest.database-unknown' } },
      left: [],
    })
  })

  it.each([
    ['that is cut off', (bytes: Buffer) => bytes.subarray(0, 4096)],
    ['of noise', (bytes: Buffer) => Buffer.concat([bytes.subarray(0, 100), Buffer.alloc(bytes.length - 100, 0x5a)])],
    ['of a head alone', (bytes: Buffer) => bytes.subarray(0, 16)],
    [
      'with a table whose rows have no ids',
      () =>
        databaseOf(
          weights,
          'DROP TABLE weight_record_table; CREATE TABLE weight_record_table (row_id INTEGER, time INTEGER, PRIMARY KEY (row_id)) WITHOUT ROWID',
        ),
    ],
    ['with a column in place of the ids', () => databaseOf(weights, 'CREATE TABLE steps_record_table (rowid TEXT)')],
  ])('%s is damaged', async (_, change) => {
    expect(await fate(change(databaseOf(weights)), limits)).toMatchObject({
      state: 'failed',
      counts: { problem: { code: 'ingest.database-malformed' } },
      left: [],
    })
  })

  it.each([
    ['more tables than any export', Array.from({ length: 2500 }, (_, nth) => `CREATE TABLE t${nth} (a);`).join('')],
    [
      'tables that say more than any export',
      Array.from({ length: 6 }, (_, nth) => `CREATE TABLE t${nth} (a /* ${'x'.repeat(900_000)} */);`).join(''),
    ],
  ])('%s are told before SQLite reads them', async (_, tables) => {
    expect(await fate(databaseOf(weights, `BEGIN; ${tables} COMMIT`), limits)).toMatchObject({
      state: 'failed',
      counts: { rows: 0, problem: { code: 'ingest.database-unknown' } },
      left: [],
    })
  })

  it('executes nothing of what it brings: triggers, computed columns, indexes of expressions', async () => {
    const forever = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n'
    const more = `
      CREATE TRIGGER t AFTER INSERT ON weight_record_table BEGIN SELECT (${forever}); END;
      CREATE VIEW steps_record_table AS ${forever};
      ALTER TABLE weight_record_table ADD COLUMN heavy AS (hex(zeroblob(400000000)));
      CREATE INDEX i ON weight_record_table (uuid, weight) WHERE weight > 64500;`
    expect(await fate(databaseOf(weights, more), limits)).toMatchObject({
      state: 'done',
      counts: { rows: 2, mapped: 2 },
      left: [],
    })
  })

  it('does not take giant values for values', async () => {
    const more =
      "UPDATE weight_record_table SET weight = zeroblob(8000000), client_record_id = printf('%.*c', 3000000, 'x') WHERE row_id = 1"
    expect(await fate(databaseOf(weights, more), limits)).toMatchObject({
      state: 'done',
      counts: { rows: 2, mapped: 1, rejected: [{ reason: 'value-malformed', expression: 'WeightRecord.weight' }] },
      left: [],
    })
  })

  it('names whatever stands where something else should', async () => {
    const texts = ['__proto__', 'constructor', '', ' ', '1e999', 'NaN', '-', "x'"]
    const odd = texts.flatMap(text => [
      record({ weight: text }),
      record({ weight: 1, time: text }),
      record({ weight: 2, uuid: text, app_info_id: text }),
    ])
    const { counts, text, house } = await fate(databaseOf({ weight_record_table: odd }), limits)
    expect(counts).toMatchObject({ rows: odd.length, problem: undefined })
    expect(counts.mapped).toBe(texts.length)
    expect(text).not.toContain('__proto__')
    expect(await found(house.record, 'Observation')).toHaveLength(texts.length)
  })
})

describe.each(['constructor', '__proto__'])('a device of the kind %s', kind => {
  it('is a device of no kind', async () => {
    const devices = { device_info_table: [{ row_id: 2, manufacturer: 'Acme', model: 'X', device_type: kind }] }
    const rows = { ...devices, weight_record_table: [record({ weight: 64_000, device_info_id: 2 })] }
    const { house, state } = await fate(databaseOf(rows))
    expect(state).toBe('done')
    const [device] = await found(house.record, 'Device')
    expect(device).toMatchObject({ modelNumber: 'X' })
    expect(device).not.toHaveProperty('type')
  })
})

describe('a database on disk', () => {
  it('is not taken when there is no room for it', async () => {
    const file = zipOf(databaseOf(weights))
    expect(await fate(file, { databaseInMemory: 0, maxSpooledPerGrant: 1000 })).toMatchObject({
      state: 'failed',
      counts: { problem: { code: 'ingest.spool-quota' } },
      left: [],
    })
    expect(await fate(file, { databaseInMemory: 0, keepFree: Number.MAX_SAFE_INTEGER })).toMatchObject({
      state: 'failed',
      counts: { problem: { code: 'ingest.spool-unwritable' } },
      left: [],
    })
  })

  it('gives its room back', async () => {
    const { house } = await houseWith({ databaseInMemory: 0, maxSpooledPerGrant: 1024 ** 2, maxSpooled: 1024 ** 2 })
    const file = databaseOf(weights)
    for (let times = 0; times < 6; times++)
      expect(await ingested(house, house.anna, everything(), file)).toMatchObject({ state: 'done' })
  })
})

describe('mutated databases', () => {
  const random = randomFrom(20240310)
  const whole = databaseOf({
    ...weights,
    heart_rate_record_table: [record({ row_id: 1 }, minute)],
    heart_rate_record_series_table: Array.from({ length: 300 }, (_, nth) => ({
      parent_key: 1,
      beats_per_minute: 60,
      epoch_millis: at + nth,
    })),
    sleep_session_record_table: [record({ row_id: 1 }, minute)],
    sleep_stages_table: [{ parent_key: 1, stage_start_time: at, stage_end_time: at + minute, stage_type: 5 }],
  })

  it('end in a report whose counts add up, or in a clear Problem', async () => {
    const { house, left } = await houseWith({ databaseInMemory: whole.length - 1 })
    const ends = new Set<string>()
    for (let times = 0; times < 60; times++) {
      const bytes = Buffer.from(whole)
      const changes = 1 + Math.floor(random() * 8)
      for (let nth = 0; nth < changes; nth++)
        bytes[16 + Math.floor(random() * (bytes.length - 16))] = Math.floor(random() * 256)
      const { counts, state } = await ingested(
        house,
        house.anna,
        everything(),
        random() < 0.2 ? bytes.subarray(0, Math.floor(random() * bytes.length)) : bytes,
      )
      const { rows = 0, mapped = 0, duplicate = 0, unmapped, rejected } = counts
      const sum = (of: readonly { count?: unknown }[]) => of.reduce((all, { count }) => all + Number(count), 0)
      expect(mapped + duplicate + sum(unmapped) + sum(rejected)).toBe(rows)
      ends.add(state === 'done' ? 'done' : String(counts.problem?.code))
    }
    expect(
      [...ends].filter(end => !['done', 'ingest.database-malformed', 'ingest.database-unknown'].includes(end)),
    ).toEqual([])
    expect(ends).toContain('done')
    expect(left()).toEqual([])
  })

  it('whose pages lead to each other in a circle end', async () => {
    const bytes = Buffer.from(whole)
    const db = new DatabaseSync(':memory:')
    db.deserialize(bytes)
    const root = Number(
      db.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'heart_rate_record_series_table'").get()?.rootpage,
    )
    db.close()
    const page = bytes.readUInt16BE(16)
    const head = (root - 1) * page
    expect(bytes[head]).toBe(5)
    // Every child of the root is its first one.
    const first = bytes.readUInt16BE(head + 12) + head
    for (let nth = 1; nth < bytes.readUInt16BE(head + 3); nth++)
      bytes.writeUInt32BE(bytes.readUInt32BE(first), head + bytes.readUInt16BE(head + 12 + 2 * nth))
    bytes.writeUInt32BE(bytes.readUInt32BE(first), head + 8)
    expect(await fate(bytes)).toMatchObject({
      state: 'failed',
      counts: { problem: { code: 'ingest.database-malformed' } },
    })
  })
})

describe('resources of clinics that the phone keeps', () => {
  const patientOf = (birthDate: string) => ({
    resourceType: 'Patient',
    id: 'p',
    name: [{ family: 'Wolf', given: ['Anna'] }],
    birthDate,
  })
  const told = (birthDate: string) =>
    databaseOf({
      ...weights,
      medical_resource_table: [
        { fhir_resource_type: 1, fhir_resource_id: 'p', fhir_data: JSON.stringify(patientOf(birthDate), null, 2) },
        {
          fhir_resource_type: 2,
          fhir_resource_id: 'a',
          fhir_data: JSON.stringify({
            resourceType: 'Condition',
            id: 'c',
            code: { text: 'Hay fever' },
            subject: { reference: 'Patient/p' },
          }),
        },
        { fhir_resource_type: 2, fhir_resource_id: 'x', fhir_data: 'no JSON' },
      ],
    })

  it('go in with the records', async () => {
    const { house } = await houseWith()
    const anna = await createPatient(house.record, patientOf('1980-02-03'))
    const { counts } = await ingested(house, anna, everything(), told('1980-02-03'))
    expect(counts).toMatchObject({ rows: 5, rejected: [{ reason: 'structure-unknown', count: 1 }] })
    expect(await found(house.record, 'Condition')).toMatchObject([{ subject: { reference: `Patient/${anna}` } }])
  })

  it('a name that a clinic writes in its own way costs its Patient alone, and is told for what it is', async () => {
    const { house } = await houseWith()
    const married = { ...patientOf('1980-02-03'), name: [{ family: 'Berg', given: ['Anna'] }] }
    const anna = await createPatient(house.record, married)
    const { counts } = await ingested(house, anna, everything(), told('1980-02-03'))
    expect(counts.rejected).toMatchObject([
      { reason: 'doubtful-patient', expression: 'Patient.name', count: 1 },
      { reason: 'structure-unknown', count: 1 },
    ])
    expect(await found(house.record, 'Condition')).toMatchObject([{ subject: { reference: `Patient/${anna}` } }])
  })

  it('of somebody else are somebody else’s phone', async () => {
    const { house } = await houseWith()
    const anna = await createPatient(house.record, patientOf('1980-02-03'))
    const before = await versionsOf(house.record)
    const { counts, state } = await ingested(house, anna, everything(), told('2015-06-07'))
    expect({ state, code: counts.problem?.code }).toEqual({ state: 'failed', code: 'ingest.patient-contradicted' })
    expect(await versionsOf(house.record)).toBe(before)
    expect((await readPatient(house.record, anna)).birthDate).toBe('1980-02-03')
  })

  it.each([
    ['first', (mine: Buffer, other: Buffer) => [mine, other]],
    ['last', (mine: Buffer, other: Buffer) => [other, mine]],
  ])('of several databases nothing is written when one is somebody else’s, the patient’s own %s', async (_, order) => {
    const { house, left } = await houseWith()
    const anna = await createPatient(house.record, patientOf('1980-02-03'))
    const before = await versionsOf(house.record)
    const files = order(told('1980-02-03'), told('2015-06-07'))
    const zip = zipOfMany(files.map((data, nth) => ({ name: `${nth}/health_connect_export.db`, data })))
    const { counts, state } = await ingested(house, anna, everything(), zip)
    expect({ state, code: counts.problem?.code }).toEqual({ state: 'failed', code: 'ingest.patient-contradicted' })
    expect(await versionsOf(house.record)).toBe(before)
    expect(left()).toEqual([])
  })

  it.each(ways)('a database of something else beside it is named, read %s', async (_, limits) => {
    const foreign = databaseOf(weights, 'DROP TABLE application_info_table')
    for (const [first, second] of [
      [foreign, databaseOf(weights)],
      [databaseOf(weights), foreign],
    ] as const) {
      const zip = zipOfMany([
        { name: 'a.db', data: first },
        { name: 'b.db', data: second },
      ])
      expect(await fate(zip, limits)).toMatchObject({
        state: 'done',
        counts: { rows: 3, mapped: 2, unmapped: [{ row: 'file.db', count: 1 }] },
        left: [],
      })
    }
  })
})
