import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Grant, parseScope, restrict, type Term } from '#access'
import type { Resource } from '#fhir'
import { FixedClock, silentLog } from '#kernel'
import { openRecord, type Record, type RecordRooms, type Stored } from '#record'
import { parseQuery, type Query, type Restricted } from '#search'
import { type KeyStore, openMemoryKeys, openMemoryStore, type Store } from '#store'
import { fileRoot, openVault, type Vault } from '#vault'

export const baseUrl = 'http://127.0.0.1:8080/fhir'

const rootDirectory = mkdtempSync(join(tmpdir(), 'kinhold-record-'))
/** A file, because a passphrase is slow on purpose. */
export const testRoot = fileRoot(join(rootDirectory, 'root.key'))
process.on('exit', () => rmSync(rootDirectory, { recursive: true, force: true }))

/** A record on the memory store with real keys, and the parts it was built from. */
export interface TestRecord {
  readonly record: Record
  readonly store: Store
  readonly keys: KeyStore
  readonly vault: Vault
  readonly clock: FixedClock
  /** The same store and vault, opened again. */
  again(more?: Partial<RecordRooms>): Promise<Record>
  /** The same store and keys, opened as another process would. */
  beside(more?: Partial<RecordRooms>): Promise<Record>
}

export async function openTestRecord(
  store: Store = openMemoryStore(),
  keys = openMemoryKeys(),
  more: Partial<RecordRooms> = {},
): Promise<TestRecord> {
  const clock = new FixedClock(Date.parse('2026-03-01T10:00:00Z'))
  const ownVault = () => openVault({ keys, root: testRoot, clock })
  const vault = await ownVault()
  const rooms = { store, keys, vault, clock, log: silentLog, baseUrl, ...more }
  return {
    record: await openRecord(rooms),
    store,
    keys,
    vault,
    clock,
    again: other => openRecord({ ...rooms, ...other }),
    beside: async other => openRecord({ ...rooms, vault: await ownVault(), ...other }),
  }
}

function terms(scopes: string): Term[] {
  return scopes.split(' ').map(scope => {
    const term = parseScope(scope)
    if (term === undefined) throw new Error(`not a scope: ${scope}`)
    return term
  })
}

let grants = 0

export function grantOf(scopes: string, rest: Partial<Grant> = {}): Grant {
  const id = `grant-${++grants}`
  return {
    id,
    actor: { kind: 'account', id: 'tester' },
    patients: 'all',
    terms: terms(scopes),
    expiresAtMs: 9e15,
    ...rest,
  }
}

export const everything = (): Grant => grantOf('system/*.cruds')

export const ofPatient = (patient: string, scopes = 'patient/*.cruds'): Grant =>
  grantOf(scopes, { patient, patients: [] })

export function create(record: Record, grant: Grant, resource: Resource, id?: string): Promise<Stored> {
  return record.writer(grant).transact(txn => txn.create(resource, id === undefined ? {} : { id }))
}

export function update(record: Record, grant: Grant, resource: Resource, ifMatch?: string): Promise<Stored> {
  const id = resource.id ?? ''
  const options = ifMatch === undefined ? {} : { ifMatch }
  return record.writer(grant).transact(txn => txn.update(resource.resourceType, id, resource, options))
}

export function remove(record: Record, grant: Grant, type: string, id: string): Promise<Stored | undefined> {
  return record.writer(grant).transact(txn => txn.delete(type, id))
}

export function queryOf(grant: Grant, type: string, text: string): Restricted<Query> {
  return restrict(parseQuery(type, new URLSearchParams(text), { baseUrl }), grant)
}

export async function ids(record: Record, grant: Grant, type: string, text: string): Promise<string[]> {
  const page = await record.reader(grant).search(queryOf(grant, type, text))
  return page.matches.map(({ id }) => id)
}

export const patient = (family: string): Resource => ({ resourceType: 'Patient', name: [{ family }] })

export const heartRate = (of: string, value: number, when = '2026-01-01T08:00:00Z'): Resource => ({
  resourceType: 'Observation',
  status: 'final',
  category: [
    { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: 'vital-signs' }] },
  ],
  code: { coding: [{ system: 'http://loinc.org', code: '8867-4' }] },
  subject: { reference: `Patient/${of}` },
  effectiveDateTime: when,
  valueQuantity: { value, unit: '/min', system: 'http://unitsofmeasure.org', code: '/min' },
})

export const potassium = (of: string, value: number): Resource => ({
  ...heartRate(of, value),
  category: [
    { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: 'laboratory' }] },
  ],
  code: { coding: [{ system: 'http://loinc.org', code: '2823-3' }] },
  valueQuantity: { value, unit: 'mmol/L', system: 'http://unitsofmeasure.org', code: 'mmol/L' },
})
