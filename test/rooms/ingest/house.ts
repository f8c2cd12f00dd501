import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Grant, parseScope, restrict, type Term } from '#access'
import { parseResource, type Resource } from '#fhir'
import { type Ingest, type IngestLimits, openIngest, type Senders } from '#ingest'
import { FixedClock, silentLog } from '#kernel'
import { openRecord, type Record } from '#record'
import { parseQuery } from '#search'
import { openMemoryKeys, openMemoryStore, type Store } from '#store'
import { openFetch } from '#subscriptions'
import { createValidator } from '#validation'
import { fileRoot, openVault } from '#vault'

export const baseUrl = 'http://127.0.0.1:8080/fhir'
export const samples = new URL('../../../samples/', import.meta.url)

/** Real rooms on a store in memory, with two patients of whom nothing is known yet, so that any file may be theirs. */
export interface TestHouse {
  readonly record: Record
  readonly store: Store
  readonly clock: FixedClock
  readonly ingest: Ingest
  /** Ids of two patients. */
  readonly anna: string
  readonly bert: string
}

export const validator = createValidator()

export async function openHouse(
  limits: Partial<IngestLimits> = {},
  store = openMemoryStore(),
  senders: Senders = { zone: 'UTC', known: [] },
  spoolFolder = mkdtempSync(join(tmpdir(), 'kinhold-spool-')),
  validating = validator,
): Promise<TestHouse> {
  const keys = openMemoryKeys()
  const clock = new FixedClock(Date.parse('2026-03-01T10:00:00Z'))
  const root = fileRoot(join(mkdtempSync(join(tmpdir(), 'kinhold-test-')), 'root.key'))
  const vault = await openVault({ keys, root, clock })
  const record = await openRecord({ store, vault, clock, log: silentLog, baseUrl })
  const ingest = openIngest({
    record,
    validator: validating,
    clock,
    log: silentLog,
    baseUrl,
    limits,
    senders,
    spoolFolder,
    fetch: openFetch(['127.0.0.0/8']),
  })
  const anna = await createPatient(record, {})
  const bert = await createPatient(record, {})
  return { record, store, clock, ingest, anna, bert }
}

let grants = 0

export function grantOf(scopes: string, rest: Partial<Grant> = {}): Grant {
  const terms = scopes.split(' ').map((scope): Term => {
    const term = parseScope(scope)
    if (term === undefined) throw new Error(`not a scope: ${scope}`)
    return term
  })
  const actor = { kind: 'account', id: 'tester', display: 'A tester' } as const
  return { id: `grant-${++grants}`, actor, patients: 'all', terms, expiresAtMs: 9e15, ...rest }
}

export const everything = (): Grant => grantOf('system/*.cruds')

export const ofPatient = (patient: string, scopes = 'patient/*.cruds'): Grant =>
  grantOf(scopes, { patient, patients: [] })

export async function createPatient(record: Record, elements: object): Promise<string> {
  const created = await record
    .writer(everything())
    .transact(txn => txn.create({ resourceType: 'Patient', ...elements }))
  return created.id
}

export async function found(record: Record, type: string, query = '', grant = everything()): Promise<Resource[]> {
  const parameters = new URLSearchParams(query)
  parameters.set('_count', '1000')
  const page = await record.reader(grant).search(restrict(parseQuery(type, parameters, { baseUrl }), grant))
  return page.matches.map(({ json }) => parseResource(json))
}

export async function readPatient(record: Record, id: string): Promise<Resource> {
  return parseResource((await record.reader(everything()).read('Patient', id)).json)
}

/** Everything that one patient's record holds, as text, to compare before and after. */
export async function versionsOf(record: Record): Promise<string> {
  const page = await record.reader(everything()).history({ count: 1000 })
  return page.items
    .filter(({ type }) => type !== 'AuditEvent')
    .map(({ type, id, version }) => `${type}/${id}/${version}`)
    .sort()
    .join('\n')
}

export async function* streamOf(...chunks: readonly (string | Uint8Array)[]): AsyncGenerator<Uint8Array, void, void> {
  for (const chunk of chunks) yield typeof chunk === 'string' ? Buffer.from(chunk, 'utf8') : chunk
}

/** A file that comes as a body, imported to its end. */
export async function ingested(house: TestHouse, patient: string, grant: Grant, ...chunks: (string | Uint8Array)[]) {
  const job = await house.ingest.start({ grant, patient, body: streamOf(...chunks) })
  await job.done
  const shown = (await house.ingest.job(job.id, grant)) ?? job
  return { state: shown.state, id: job.id, report: shown.report, counts: countsOf(shown.report) }
}

interface Parameter {
  readonly name: string
  readonly valueInteger?: number
  readonly valueCode?: string
  readonly valueString?: string
  readonly part?: readonly Parameter[]
}

/** The report's numbers, and its other lines as plain objects. */
export function countsOf(report: Resource | undefined) {
  const parameters = (report?.parameter ?? []) as readonly Parameter[]
  const number = (name: string) => parameters.find(one => one.name === name)?.valueInteger
  const plain = (of: readonly Parameter[] = []) =>
    Object.fromEntries(of.map(one => [one.name, one.valueCode ?? one.valueString ?? one.valueInteger]))
  const parts = (name: string) => parameters.filter(one => one.name === name).map(one => plain(one.part))
  return {
    mapped: number('mapped'),
    created: number('created'),
    updated: number('updated'),
    duplicate: number('duplicate'),
    rows: number('rows'),
    unmapped: parts('unmapped'),
    rejected: parts('rejected'),
    problem: parts('problem')[0],
  }
}
