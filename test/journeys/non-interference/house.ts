/** One store with the rooms on it, asked below HTTP; and how a story is told to it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Grant, parseScope } from '#access'
import { openBulk } from '#bulk'
import { operationOutcome, printJson, problemTable } from '#fhir'
import { openIngest } from '#ingest'
import {
  defaultLimits,
  type FhirRequest,
  type FhirResponse,
  matcher,
  perform,
  type Rooms,
  rootMatcher,
} from '#interactions'
import { FixedClock, isProblem, silentLog } from '#kernel'
import { openRecord, type RecordRooms } from '#record'
import { type KeyStore, openMemoryKeys, openMemoryStore, type Store } from '#store'
import { openSubscriptions } from '#subscriptions'
import { openShelf } from '#terminology'
import { createValidator } from '#validation'
import { fileRoot, openVault } from '#vault'
import type { Chapter, Deed } from './story.ts'

export const baseUrl = 'http://127.0.0.1:8080/fhir'

/** A request as it can be written down. */
export interface Ask {
  readonly method: string
  readonly url: string
  readonly headers?: { readonly [name: string]: string }
  readonly body?: string
}

export interface Answer {
  readonly status: number
  readonly headers: { readonly [name: string]: string }
  readonly body: string
}

export interface House {
  readonly rooms: Rooms
  /** Knows a permission by which somebody acts without asking. */
  admit(grant: Grant): void
  ask(grant: Grant, asked: Ask): Promise<Answer>
  /** Time passes; what was recorded of reads is written. */
  settle(ms: number): Promise<void>
  close(): Promise<void>
}

// One for all houses: it holds nothing but compiled schemas.
const validator = createValidator()

/** However slow the machine is, what one request reads is recorded behind it. */
const auditWindowMs = 3_600_000

/** Where a house rests. */
export interface Rests {
  readonly store: Store
  readonly keys: KeyStore
}

const inMemory = (): Rests => ({ store: openMemoryStore(), keys: openMemoryKeys() })

export async function openHouse(
  more: Pick<RecordRooms, 'searchedApart' | 'populationBytes'> = {},
  { store, keys }: Rests = inMemory(),
): Promise<House> {
  const folder = mkdtempSync(join(tmpdir(), 'kinhold-non-interference-'))
  const clock = new FixedClock(Date.UTC(2026, 2, 1, 12))
  const vault = await openVault({ keys, root: fileRoot(join(folder, 'root.key')), clock })
  const record = await openRecord({ store, vault, clock, log: silentLog, baseUrl, auditWindowMs, ...more })
  const ingest = openIngest({ record, validator, clock, log: silentLog, baseUrl })
  const bulk = openBulk({ record, clock, log: silentLog, limits: { settleMs: 0 } })
  const grants = new Map<string, Grant>()
  const subscriptions = openSubscriptions({
    record,
    documents: record.documents,
    vault,
    clock,
    log: silentLog,
    baseUrl,
    standing: async given => grants.get(given.id),
    networks: ['127.0.0.1'],
    random: () => 0,
  })
  const rooms: Rooms = {
    record: subscriptions.record,
    subscriptions,
    validator,
    clock,
    ingest,
    people: ingest.people,
    bulk,
    imports: ingest.bulk,
    purge: patient => record.shred(patient),
    smartConfiguration: () => ({ token_endpoint: 'http://127.0.0.1:8080/auth/token' }),
    shelf: openShelf(join(folder, 'terminology')),
    limits: defaultLimits,
    software: { name: 'Kinhold', version: '0.0.0' },
  }
  const admit = (grant: Grant) => void grants.set(grant.id, grant)
  return {
    rooms,
    admit,
    ask: (grant, asked) => {
      admit(grant)
      return ask(rooms, grant, asked)
    },
    settle: async ms => {
      await subscriptions.round()
      await record.flush()
      clock.advance(ms)
    },
    close: async () => {
      await subscriptions.close()
      await bulk.close()
      await ingest.close()
      await record.close()
      vault.close()
      await Promise.all([store.close(), keys.close()])
      rmSync(folder, { recursive: true })
    },
  }
}

async function ask(rooms: Rooms, grant: Grant, asked: Ask): Promise<Answer> {
  const [path = '', search = ''] = asked.url.split(/\?(.*)/s)
  const match = matcher.match(asked.method, path) ?? rootMatcher.match(asked.method, path)
  try {
    if (match === undefined) throw matcher.explainMiss(path)
    return toAnswer(await perform(match, requestOf(asked, path, search, grant), rooms))
  } catch (error) {
    // What nobody foresaw is a fault, whatever it tells.
    if (!isProblem(error)) return { status: 500, headers: {}, body: error instanceof Error ? (error.stack ?? '') : '' }
    return toAnswer({ status: problemTable[error.kind].httpStatus, headers: {}, body: operationOutcome(error) })
  }
}

function requestOf({ method, headers = {}, body = '' }: Ask, path: string, search: string, grant: Grant): FhirRequest {
  const bytes = Buffer.from(body)
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
  }
}

function toAnswer({ status, headers, body }: FhirResponse): Answer {
  if (body === undefined) return { status, headers, body: '' }
  return {
    status,
    headers,
    body: Buffer.isBuffer(body) || typeof body === 'string' ? body.toString() : printJson(body),
  }
}

export function grantOf(scopes: string, about: Partial<Grant> = {}): Grant {
  const terms = scopes.split(' ').map(text => {
    const term = parseScope(text)
    if (term === undefined) throw new TypeError(`not a scope: ${text}`)
    return term
  })
  const actor = { kind: 'account', id: 'tester' } as const
  const id = ['grant', scopes, about.account, about.patient].filter(each => each !== undefined).join(' ')
  return { id, actor, patients: [], terms, expiresAtMs: Number.MAX_SAFE_INTEGER, ...about }
}

/** Writes the story; may do everything. */
export const teller = grantOf('system/*.cruds', { id: 'teller', patients: 'all' })

const chapterMs = 1000

export async function tell(house: House, chapters: readonly Chapter[]): Promise<void> {
  for (const chapter of chapters) {
    await house.settle(chapterMs)
    const [first, ...more] = chapter
    if (first === undefined) continue
    const { status, body } = await house.ask(teller, more.length === 0 ? single(first) : together(chapter))
    if (status > 299) throw new Error(`the story cannot be told: ${status} ${body}`)
  }
}

function single({ type, id, resource }: Deed): Ask {
  const url = `/${type}/${id}`
  return resource === undefined ? { method: 'DELETE', url } : { method: 'PUT', url, body: printJson(resource) }
}

function together(chapter: Chapter): Ask {
  const entry = chapter.map(({ type, id, resource }) => {
    const url = `${type}/${id}`
    return resource === undefined
      ? { request: { method: 'DELETE', url } }
      : { request: { method: 'PUT', url }, resource }
  })
  return { method: 'POST', url: '/', body: printJson({ resourceType: 'Bundle', type: 'transaction', entry }) }
}
