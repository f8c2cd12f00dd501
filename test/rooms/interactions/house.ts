import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Grant, parseScope } from '#access'
import { type BulkLimits, openBulk } from '#bulk'
import { operationOutcome, printJson, problemTable, type Resource } from '#fhir'
import {
  defaultLimits,
  type FhirRequest,
  type FhirResponse,
  type ImportPort,
  type IngestPort,
  type Limits,
  matcher,
  type PeoplePort,
  perform,
  type Rooms,
  rootMatcher,
} from '#interactions'
import { FixedClock, isProblem, Problem, silentLog } from '#kernel'
import { openRecord, type Record } from '#record'
import { openMemoryKeys, openMemoryStore, type Store } from '#store'
import { openSubscriptions, type Subscriptions, type SubscriptionsOptions } from '#subscriptions'
import { openShelf, type Shelf } from '#terminology'
import { createValidator } from '#validation'
import { fileRoot, openVault, type Vault } from '#vault'

export const baseUrl = 'http://127.0.0.1:8080/fhir'

/** An answer with its body read. */
export interface Answer {
  readonly status: number
  readonly headers: FhirResponse['headers']
  readonly text: string
  readonly bytes: Buffer
  /** As it was parsed: a test looks wherever it likes into an answer. */
  readonly json: ReturnType<typeof JSON.parse>
}

export interface Asked {
  readonly grant?: Grant
  readonly headers?: { readonly [name: string]: string }
  /** Text and bytes go as they are. */
  readonly body?: object | string | Buffer
  readonly renew?: FhirRequest['renew']
}

/** The real rooms on the memory store, asked without HTTP. */
export interface House {
  readonly rooms: Rooms
  readonly record: Record
  readonly clock: FixedClock
  readonly vault: Vault
  readonly subscriptions: Subscriptions
  /** Grants that stand, by id: those that have asked. */
  readonly grants: Map<string, Grant>
  ask(method: string, url: string, asked?: Asked): Promise<Answer>
  close(): Promise<void>
}

const nothingKept = () => new Problem('not-found', 'ingest.letter-unknown', 'Nothing was refused in this house.')
export const noLetters: IngestPort['letters'] = {
  list: () => Promise.resolve([]),
  show: () => Promise.reject(nothingKept()),
  resend: () => Promise.reject(nothingKept()),
  drop: () => Promise.reject(nothingKept()),
}

/** What is asked for by tests that import nothing. */
const closedPort: IngestPort = {
  start: () => Promise.reject(new Error('no imports in this house')),
  job: () => Promise.resolve(undefined),
  hl7v2: () => Promise.reject(new Error('no messages in this house')),
  letters: noLetters,
}

/** What is asked for by tests that import nothing in bulk. */
const closedImports: ImportPort = {
  begin: () => Promise.reject(new Error('no bulk imports in this house')),
  find: () => Promise.resolve(undefined),
  faults: () => Promise.resolve(undefined),
  remove: () => Promise.resolve(false),
}

const nothingWaits = () => new Problem('not-found', 'ingest.review-unknown', 'Nothing waits in this house.')
const noSuchPatient = () => new Problem('not-found', 'record.unknown', 'Nobody is merged in this house.')

const nobody: PeoplePort = {
  match: () => Promise.resolve([]),
  merge: () => Promise.reject(noSuchPatient()),
  unmerge: () => Promise.reject(noSuchPatient()),
  review: {
    page: () => Promise.resolve({ held: [] }),
    show: () => Promise.reject(nothingWaits()),
    decide: () => Promise.reject(nothingWaits()),
  },
}

export async function openHouse(
  given: {
    ingest?: IngestPort
    people?: PeoplePort
    limits?: Partial<Limits>
    bulk?: Partial<BulkLimits>
    imports?: ImportPort
    store?: Store
    mail?: SubscriptionsOptions['mail']
    shelf?: Shelf
    /** Stands before the vault. */
    vaultAs?: (vault: Vault) => Vault
  } = {},
): Promise<House> {
  const folder = mkdtempSync(join(tmpdir(), 'kinhold-interactions-'))
  const clock = new FixedClock(Date.UTC(2026, 2, 1, 12))
  const { store = openMemoryStore() } = given
  const keys = openMemoryKeys()
  const { vaultAs = (own: Vault) => own } = given
  const vault = vaultAs(await openVault({ keys, root: fileRoot(join(folder, 'root.key')), clock }))
  const record = await openRecord({ store, vault, clock, log: silentLog, baseUrl })
  const bulk = openBulk({ record, clock, log: silentLog, limits: { settleMs: 0, ...given.bulk } })
  const grants = new Map<string, Grant>()
  const subscriptions = openSubscriptions({
    record,
    documents: record.documents,
    vault,
    clock,
    log: silentLog,
    baseUrl,
    standing: async ({ id }) => grants.get(id),
    networks: ['127.0.0.0/8'],
    ...(given.mail === undefined ? {} : { mail: given.mail }),
    random: () => 0,
  })
  const rooms: Rooms = {
    record: subscriptions.record,
    subscriptions,
    validator: createValidator(),
    clock,
    ingest: given.ingest ?? closedPort,
    people: given.people ?? nobody,
    bulk,
    imports: given.imports ?? closedImports,
    purge: async patient => {
      await subscriptions.forgetPatient(patient)
      await bulk.forgetPatient(patient)
      return record.shred(patient)
    },
    smartConfiguration: () => ({ token_endpoint: 'http://127.0.0.1:8080/auth/token' }),
    shelf: given.shelf ?? openShelf(join(folder, 'terminology')),
    limits: { ...defaultLimits, ...given.limits },
    software: { name: 'Kinhold', version: '0.0.0' },
  }
  return {
    rooms,
    record,
    clock,
    vault,
    grants,
    subscriptions,
    ask: (method, url, asked = {}) => {
      if (asked.grant !== undefined) grants.set(asked.grant.id, asked.grant)
      return ask(rooms, method, url, asked)
    },
    close: async () => {
      await subscriptions.close()
      await bulk.close()
      await record.close()
      vault.close()
      rmSync(folder, { recursive: true })
    },
  }
}

async function ask(rooms: Rooms, method: string, url: string, asked: Asked): Promise<Answer> {
  const [path = '', search = ''] = url.split(/\?(.*)/s)
  const match = matcher.match(method, path) ?? rootMatcher.match(method, path)
  try {
    if (match === undefined) throw matcher.explainMiss(path)
    return await read(await perform(match, requestOf(method, path, search, asked), rooms))
  } catch (error) {
    if (!isProblem(error)) throw error
    return read({ status: problemTable[error.kind].httpStatus, headers: {}, body: operationOutcome(error) })
  }
}

function requestOf(
  method: string,
  path: string,
  search: string,
  { grant, headers = {}, body, renew }: Asked,
): FhirRequest {
  const bytes = Buffer.isBuffer(body)
    ? body
    : Buffer.from(body === undefined ? '' : typeof body === 'string' ? body : printJson(body))
  const all: { readonly [name: string]: string } = { 'content-type': 'application/fhir+json', ...headers }
  return {
    method,
    path,
    query: new URLSearchParams(search),
    header: name => all[name],
    body: () => Promise.resolve(bytes),
    stream: async function* () {
      yield bytes
    },
    grant,
    baseUrl,
    ...(renew === undefined ? {} : { renew }),
  }
}

async function read({ status, headers, body, stream }: FhirResponse): Promise<Answer> {
  if (stream !== undefined) return read({ status, headers, body: Buffer.concat(await Array.fromAsync(stream)) })
  const told = body === undefined ? '' : Buffer.isBuffer(body) || typeof body === 'string' ? body : printJson(body)
  const bytes = Buffer.from(told)
  const text = bytes.toString()
  return { status, headers, text, bytes, json: /^[[{]/.test(text) ? parsed(text) : undefined }
}

/** What a Binary holds may look like JSON. */
function parsed(text: string): Answer['json'] {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A grant by its scopes, as the authorization server would make it. */
export function grantOf(scopes: string, about: Partial<Grant> = {}): Grant {
  const terms = scopes.split(' ').map(text => {
    const term = parseScope(text)
    if (term === undefined) throw new Error(`not a scope: ${text}`)
    return term
  })
  const actor = { kind: 'account', id: 'tester' } as const
  return {
    id: `grant-${scopes}-${about.patient ?? ''}`,
    actor,
    patients: [],
    terms,
    expiresAtMs: Number.MAX_SAFE_INTEGER,
    ...about,
  }
}

/** May do everything. */
export const admin = grantOf('system/*.cruds')

export const patientA: Resource = {
  resourceType: 'Patient',
  id: 'a',
  name: [{ family: 'Alder' }],
  birthDate: '1950-02-03',
}
export const patientB: Resource = {
  resourceType: 'Patient',
  id: 'b',
  name: [{ family: 'Birch' }],
  birthDate: '1980-04-05',
}

/** A weight of somebody. */
export function weightOf(patient: string, value: number, more: object = {}): Resource {
  return {
    resourceType: 'Observation',
    status: 'final',
    category: [
      { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: 'vital-signs' }] },
    ],
    code: { coding: [{ system: 'http://loinc.org', code: '29463-7' }] },
    subject: { reference: `Patient/${patient}` },
    effectiveDateTime: '2026-02-01T08:00:00Z',
    valueQuantity: { value, unit: 'kg', system: 'http://unitsofmeasure.org', code: 'kg' },
    ...more,
  }
}
