import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compactDecrypt } from 'jose'
import type { Grant } from '#access'
import type { Resource } from '#fhir'
import { FixedClock, isProblem, Problem, silentLog } from '#kernel'
import { openRecord } from '#record'
import { openShare, type Share } from '#share'
import { openMemoryKeys, openMemoryStore } from '#store'
import { type Documents, fileRoot, openVault } from '#vault'
import type { WebRequest, WebResponse } from '#web'
import { answerProblem } from '../../../src/http/problem-response.ts'
import { create, everything, grantOf, heartRate, patient, potassium, type TestRecord } from '../record/family.ts'

export const origin = 'https://family.example'

type Rooms = Pick<TestRecord, 'record' | 'vault' | 'clock'>

/** A record with two patients, and the room over it; `tokens` are the bearers it knows. */
export interface House extends Rooms {
  readonly share: Share
  readonly tokens: Map<string, Grant>
}

const folder = mkdtempSync(join(tmpdir(), 'kinhold-share-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** As the tests of the record do, but with a key file: stretching a passphrase takes longer than most of these tests. */
async function openRooms(): Promise<Rooms> {
  const clock = new FixedClock(Date.parse('2026-03-01T10:00:00Z'))
  const [store, keys] = [openMemoryStore(), openMemoryKeys()]
  const vault = await openVault({ keys, root: fileRoot(join(folder, 'root.key')), clock })
  const record = await openRecord({ store, vault, clock, log: silentLog, baseUrl: `${origin}/fhir` })
  return { record, vault, clock }
}

export async function openHouse(): Promise<House> {
  const rooms = await openRooms()
  const tokens = new Map<string, Grant>()
  return { ...rooms, tokens, share: openShareOver(rooms, rooms.record.documents, tokens) }
}

function openShareOver({ record, vault, clock }: Rooms, documents: Documents, tokens: Map<string, Grant>): Share {
  const authenticate = async (bearer: string) => {
    const grant = tokens.get(bearer)
    if (grant === undefined) throw new Problem('unauthenticated', 'token.unknown', 'Not a token of this test.')
    return grant
  }
  return openShare({ record, documents, vault, clock, log: silentLog, baseUrl: origin, authenticate })
}

/** The same house, where before every conditional write somebody else writes what is there once more. */
export function againstRivals(house: House): House {
  const { documents } = house.record
  const rivalled: Documents = {
    get: (collection, name) => documents.get(collection, name),
    recent: (collection, name) => documents.recent(collection, name),
    list: (collection, options) => documents.list(collection, options),
    each: collection => documents.each(collection),
    some: (collection, keys, options) => documents.some(collection, keys, options),
    take: (collection, name) => documents.take(collection, name),
    delete: (collection, name, options) => documents.delete(collection, name, options),
    check: (collection, name, ifRevision) => documents.check(collection, name, ifRevision),
    remove: (collection, name, options) => documents.remove(collection, name, options),
    write: (collection, name, value, options) => documents.write(collection, name, value, options),
    commit: drafts => documents.commit(drafts),
    purge: () => documents.purge(),
    async put(collection, name, value, options) {
      const found = await documents.get(collection, name)
      if (found !== undefined) await documents.put(collection, name, found.value)
      return documents.put(collection, name, value, options)
    },
  }
  return { ...house, share: openShareOver(house, rivalled, house.tokens) }
}

/** Greta and Emil, each with two findings; Greta's heart rate was taken by a nurse of a practice. */
export async function addFamily({ record }: House): Promise<void> {
  const all = everything()
  await create(record, all, { resourceType: 'Organization', name: 'Practice' }, 'practice')
  await create(record, all, { resourceType: 'Organization', name: 'Elsewhere' }, 'elsewhere')
  await create(record, all, { resourceType: 'CodeSystem', status: 'active', content: 'complete' }, 'codes')
  const nurse: Resource = {
    resourceType: 'PractitionerRole',
    organization: { reference: 'Organization/practice' },
  }
  await create(record, all, nurse, 'nurse')
  for (const [id, name] of [
    ['greta', 'Weber'],
    ['emil', 'Winter'],
  ] as const) {
    await create(record, all, patient(name), id)
    await create(record, all, potassium(id, 4.5), `${id}-potassium`)
  }
  await create(
    record,
    all,
    { ...heartRate('greta', 60), performer: [{ reference: 'PractitionerRole/nurse' }] },
    'greta-pulse',
  )
  await create(record, all, heartRate('emil', 90), 'emil-pulse')
}

/** The grant of somebody who keeps these patients. */
export const keeperOf = (patients: readonly string[], scopes = 'user/*.cruds', who = 'anna'): Grant =>
  grantOf(scopes, { patients, account: who, actor: { kind: 'account', id: who } })

export interface Asking {
  readonly query?: string
  readonly token?: string
  readonly body?: unknown
  readonly accept?: string
}

/** Asks the room's routes as `http` would: finds the row by method and path pattern. */
export async function ask(
  { share }: House,
  method: string,
  url: string,
  { token, body, query = '', accept }: Asking = {},
): Promise<WebResponse> {
  const path = url.startsWith(origin) ? url.slice(origin.length) : url
  const parts = path.split('/')
  const route = share.routes.find(row => {
    const pattern = row.path.split('/')
    return (
      row.method === method &&
      pattern.length === parts.length &&
      pattern.every((name, at) => name.startsWith(':') || name === parts[at])
    )
  })
  if (route === undefined) throw new Error(`no route for ${method}`)
  const headers = new Map(token === undefined ? [] : [['authorization', `Bearer ${token}`]])
  if (accept !== undefined) headers.set('accept', accept)
  const request: WebRequest = {
    method,
    path,
    query: new URLSearchParams(query),
    header: name => headers.get(name.toLowerCase()),
    body: async () => Buffer.from(typeof body === 'string' ? body : JSON.stringify(body ?? {})),
    remoteAddress: '192.0.2.1',
  }
  try {
    return await route.handler(request)
  } catch (error) {
    if (!isProblem(error)) throw error
    return answerProblem(error, { baseUrl: origin, tokenPresented: token !== undefined, allowed: [], page: false })
  }
}

export function jsonOf(answer: WebResponse): Record<string, unknown> {
  return JSON.parse(String(answer.body)) as Record<string, unknown>
}

/** The code of the Problem in an OperationOutcome. */
export function problemIn(answer: WebResponse): string {
  const { issue } = jsonOf(answer) as { issue: { details: { coding: { code: string }[] } }[] }
  return issue[0]?.details.coding[0]?.code ?? ''
}

/** What a viewer reads from a link. */
export interface Payload {
  readonly url: string
  readonly key: string
  readonly exp: number
  readonly flag?: string
  readonly label?: string
  readonly v: number
}

export function payloadOf(link: string): Payload {
  const [, encoded = ''] = /^shlink:\/([A-Za-z0-9_-]+)$/.exec(link) ?? []
  return JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8')) as Payload
}

interface Opened {
  readonly header: unknown
  readonly bundle: { type: string; timestamp: string; entry: { fullUrl: string; resource: Resource }[] }
  /** `Type/id` of the entries, in their order. */
  readonly names: readonly string[]
}

/** Opens a JWE with the key of a link. */
export async function decrypt(jwe: string, key: string): Promise<Opened> {
  const { plaintext, protectedHeader } = await compactDecrypt(jwe, Buffer.from(key, 'base64url'))
  const bundle = JSON.parse(Buffer.from(plaintext).toString('utf8')) as Opened['bundle']
  return {
    header: protectedHeader,
    bundle,
    names: bundle.entry.map(({ resource }) => `${resource.resourceType}/${resource.id}`),
  }
}

/** Does what a viewer does that has the link (and the passcode). */
export async function view(house: House, link: string, passcode?: string): Promise<Opened> {
  const { url, key } = payloadOf(link)
  const body = { recipient: 'Dr. Example', ...(passcode === undefined ? {} : { passcode }) }
  const manifest = jsonOf(await ask(house, 'POST', url, { body })) as { files: { embedded: string }[] }
  return decrypt(manifest.files[0]?.embedded ?? '', key)
}

/** The code of the Problem that some work ends with. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
  } catch (error) {
    if (isProblem(error)) return error.code
    throw error
  }
  return 'no problem'
}
