/** Two people's records in real files, a note of where each version lies in them, and copies to begin anew from. */
import { copyFile, cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type House, openHouse } from '../../../src/compose.ts'
import { loadConfig } from '../../../src/config.ts'
import { silentLog } from '../../../src/kernel/index.ts'
import { type Client, openClient } from '../server/client.ts'
import { type Home, lastLine, newHome } from '../server/home.ts'
import { startServer } from '../server/start-server.ts'

/** What all plaintexts of the estate contain, so that any answer or log that holds plaintext is known by it. */
export const mark = 'Quillfeatherstone'

/** Where one version lies: `id` is its row. */
export interface Row {
  readonly id: number
  readonly compartment: string
  readonly seq: number
}

export interface Person {
  readonly patient: string
  readonly compartment: string
  /** `Observation/…`, each with this many versions. */
  readonly observations: readonly string[]
}

export interface Estate {
  readonly home: Home
  readonly token: string
  readonly anna: Person
  readonly bert: Person
  /** Under which the document lies that says which compartment is Anna's; hex. */
  readonly registrationKey: string
  /** The row of a version. */
  rowOf(reference: string, version: number): Row
  /** Puts the files back as they were. */
  restore(): Promise<void>
  /** Opens the files in this process. */
  open(): Promise<House>
}

export const dataFile = (home: Home) => join(home.data, 'kinhold.sqlite')
export const keysFile = (home: Home) => join(home.keys, 'keystore.sqlite')

/** Runs statements on a database file from outside, as somebody who has the file would. */
export function tamper(
  path: string,
  ...statements: readonly (readonly [sql: string, ...values: (string | number | Uint8Array)[]])[]
): void {
  const database = new DatabaseSync(path)
  for (const [sql, ...values] of statements) database.prepare(sql).run(...values)
  database.close()
}

type Value = string | number | Uint8Array

export function columnOf(path: string, sql: string, ...values: readonly (string | number)[]): Value {
  const database = new DatabaseSync(path, { readOnly: true })
  const row = database.prepare(sql).get(...values) ?? {}
  database.close()
  return Object.values(row)[0] as Value
}

export function bytesOf(path: string, sql: string, ...values: readonly (string | number)[]): Buffer {
  return Buffer.from(columnOf(path, sql, ...values) as Uint8Array)
}

/** In a segment and behind it, so that both the index at rest and its tail can be tampered with. */
export const manyEntries = 4_200

export async function buildEstate(): Promise<Estate> {
  const home = await newHome('tamper')
  const server = await startServer(home)
  const token = await lastLine(home, 'token', '--scope', 'system/*.cruds', '--ttl', '1h')
  const client = openClient(server.url, token)
  const [annaSays, bertSays] = [await begin(client), await begin(client)]
  await fill(client, annaSays, manyEntries)
  const [anna, bert] = [await live(client, annaSays), await live(client, bertSays)]
  client.close()
  await server.stop()
  const house = await open(home)
  const locators = new Map([...anna, ...bert].map(reference => [reference, locatorOf(house, reference)]))
  const registrationKey = house.vault.documentKey('compartments', `patient/${annaSays}`)
  const compartments = compartmentsOf(home)
  await house.close()
  const pristine = `${home.folder}-pristine`
  await cp(home.folder, pristine, { recursive: true })
  const rowOf = (reference: string, version: number) =>
    findRow(home, compartments, locators.get(reference) ?? '', version)
  const person = (patient: string, observations: readonly string[]): Person => ({
    patient,
    observations,
    compartment: rowOf(observations[0] ?? '', 1).compartment,
  })
  return {
    home: { ...home, remove: async () => void (await Promise.all([home.remove(), rm(pristine, { recursive: true })])) },
    token,
    registrationKey,
    anna: person(annaSays, anna),
    bert: person(bertSays, bert),
    rowOf,
    restore: () => restore(home, pristine),
    open: () => open(home),
  }
}

async function begin(client: Client): Promise<string> {
  const patient = { resourceType: 'Patient', name: [{ family: mark }] }
  const answer = await client.send({ method: 'POST', path: '/fhir/Patient', body: patient })
  return answer.json<{ id: string }>().id
}

function observation(patient: string, text: string) {
  return {
    resourceType: 'Observation',
    status: 'final',
    code: { text: `${mark} ${text}` },
    subject: { reference: `Patient/${patient}` },
  }
}

async function fill(client: Client, patient: string, count: number): Promise<void> {
  for (let from = 0; from < count; from += 500) {
    const entry = Array.from({ length: Math.min(500, count - from) }, (_, at) => ({
      resource: observation(patient, `filling ${from + at}`),
      request: { method: 'POST', url: 'Observation' },
    }))
    const answer = await client.send({
      method: 'POST',
      path: '/fhir',
      body: { resourceType: 'Bundle', type: 'transaction', entry },
    })
    if (answer.status !== 200) throw new Error(`filling answered ${answer.status}`)
  }
}

/** Four Observations in three versions each. */
async function live(client: Client, patient: string): Promise<string[]> {
  const references: string[] = []
  for (let at = 0; at < 4; at++) {
    const created = await client.send({
      method: 'POST',
      path: '/fhir/Observation',
      body: observation(patient, 'first'),
    })
    const { id } = created.json<{ id: string }>()
    for (const text of ['second', 'third'])
      await client.send({ method: 'PUT', path: `/fhir/Observation/${id}`, body: { ...observation(patient, text), id } })
    references.push(`Observation/${id}`)
  }
  return references
}

function open(home: Home): Promise<House> {
  return openHouse(loadConfig(home.env, { cwd: home.folder }).config, { log: silentLog })
}

function locatorOf(house: House, reference: string): string {
  const [type = '', id = ''] = reference.split('/')
  return house.vault.locator(type, id)
}

function compartmentsOf(home: Home): ReadonlyMap<number, string> {
  const database = new DatabaseSync(dataFile(home), { readOnly: true })
  const rows = database.prepare('SELECT number, hex(id) AS id FROM compartments').all()
  database.close()
  return new Map(rows.map(row => [Number(row.number), String(row.id).toLowerCase()]))
}

function findRow(home: Home, compartments: ReadonlyMap<number, string>, locator: string, version: number): Row {
  const database = new DatabaseSync(dataFile(home), { readOnly: true })
  const found = database
    .prepare('SELECT id FROM entries WHERE locator = ? AND version = ?')
    .get(Buffer.from(locator, 'hex'), version)
  database.close()
  const id = Number(found?.id)
  return { id, compartment: compartments.get(Math.floor(id / 2 ** 28)) ?? '', seq: id % 2 ** 28 }
}

async function restore(home: Home, pristine: string): Promise<void> {
  for (const file of ['data/kinhold.sqlite', 'keys/keystore.sqlite']) {
    const to = join(home.folder, file)
    for (const suffix of ['-wal', '-shm']) await rm(`${to}${suffix}`, { force: true })
    await copyFile(join(pristine, file), to)
  }
}
