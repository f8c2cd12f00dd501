import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Grant, parseScope } from '#access'
import type { Resource } from '#fhir'
import { collect, FixedClock, isProblem, silentLog } from '#kernel'
import { openRecord, type Record as PatientRecord } from '#record'
import {
  type AccountEnds,
  type Fetch,
  type GuardianLeft,
  openSmart,
  type Recovery,
  type Smart,
  type SmartOptions,
} from '#smart'
import { openMemoryKeys, openMemoryStore, type Store } from '#store'
import { type Documents, newRecoveryCode, openVault, recoveryRoot, type Vault, type VaultOptions } from '#vault'
import type { WebRequest } from '#web'

/** Real rooms on the memory store behind a real HTTP server on the loopback. */
export interface House {
  readonly baseUrl: string
  readonly fhirBase: string
  readonly server: Server
  readonly smart: Smart
  readonly record: PatientRecord
  readonly documents: Documents
  readonly vault: Vault
  readonly store: Store
  readonly clock: FixedClock
  /** The same store as another process would open it. */
  again(): Promise<Smart>
  close(): Promise<void>
}

export const password = 'correct horse battery staple'

function toWebRequest(request: IncomingMessage, baseUrl: string): WebRequest {
  const url = new URL(request.url ?? '/', baseUrl)
  return {
    method: request.method ?? 'GET',
    path: url.pathname,
    query: url.searchParams,
    header: name => {
      const value = request.headers[name.toLowerCase()]
      return Array.isArray(value) ? value.join(', ') : value
    },
    body: () => collect(request, 1024 * 1024),
    remoteAddress: request.headers['x-test-address']?.toString() ?? '192.0.2.1',
  }
}

async function answer(smart: Smart, baseUrl: string, request: IncomingMessage, response: ServerResponse) {
  const web = toWebRequest(request, baseUrl)
  if (web.path === '/fhir/.well-known/smart-configuration') {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(smart.configuration()))
    return
  }
  const route = smart.routes.find(row => row.method === web.method && row.path === web.path)
  if (route === undefined) {
    response.writeHead(404).end()
    return
  }
  const { status, headers, body } = await route.handler(web)
  response.writeHead(status, headers).end(body)
}

/** What several processes have in common. */
export type Shared = Pick<VaultOptions, 'keys' | 'root'> & { readonly clock: FixedClock; readonly store: Store }

export async function openHouse(
  options: {
    fetch?: Fetch
    providers?: SmartOptions['providers']
    recovery?: Recovery
    sessionIdleMs?: number
    guardianLeft?: GuardianLeft
    accountEnds?: AccountEnds
    deletionWaitMs?: number
    /** The base URL that the server is told of, by its port; as behind a proxy, where people know another one than it listens at. */
    toldUrl?: (port: number) => string
    /** What another process has open, or will have. */
    shared?: Shared
  } = {},
): Promise<House> {
  const { toldUrl, shared, ...others } = options
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const baseUrl = `http://127.0.0.1:${port}`
  const {
    clock = new FixedClock(Date.now()),
    store = openMemoryStore(),
    keys = openMemoryKeys(),
    root = recoveryRoot(newRecoveryCode()),
  } = shared ?? {}
  const vault = await openVault({ keys, root, clock })
  const record = await openRecord({ store, vault, clock, log: silentLog, baseUrl: `${baseUrl}/fhir` })
  const { documents } = record
  const told = toldUrl?.(port) ?? baseUrl
  const rooms = { record, documents, vault, clock, log: silentLog, baseUrl: told, ...others }
  const smart = await openSmart(rooms)
  server.on('request', (request, response) => {
    answer(smart, baseUrl, request, response).catch(error => response.writeHead(500).end(String(error)))
  })
  return {
    baseUrl,
    fhirBase: `${baseUrl}/fhir`,
    server,
    smart,
    record,
    documents,
    vault,
    store,
    clock,
    again: () => openSmart(rooms),
    close: async () => {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
      await record.close()
    },
  }
}

export function grantOf(scopes: string, rest: Partial<Grant> = {}): Grant {
  const terms = scopes.split(' ').map(scope => {
    const term = parseScope(scope)
    if (term === undefined) throw new Error(`not a scope: ${scope}`)
    return term
  })
  return {
    id: 'a-test',
    actor: { kind: 'administrator', id: 'test' },
    patients: 'all',
    terms,
    expiresAtMs: 9e15,
    ...rest,
  }
}

/** A Patient that the account keeps. */
export async function addPatient(house: House, account: string, given: string, id: string): Promise<string> {
  const resource: Resource = {
    resourceType: 'Patient',
    name: [{ given: [given], family: 'Weber' }],
    birthDate: '1950-04-01',
  }
  await house.record.writer(grantOf('system/*.cruds')).transact(txn => txn.update('Patient', id, { ...resource, id }))
  await house.record.addPatientTo(account, id)
  return id
}

/** An account that keeps a grandmother and a child. */
export async function addFamily(house: House, name = 'Anna'): Promise<{ account: string; patients: string[] }> {
  const account = await house.smart.createAccount({ name, password })
  const patients = [
    await addPatient(house, account, 'Greta', `${name.toLowerCase()}-greta`),
    await addPatient(house, account, 'Emil', `${name.toLowerCase()}-emil`),
  ]
  return { account, patients }
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** Where a redirect leads. */
  readonly location: URL | undefined
}

/** A person's browser: keeps cookies, shows pages, follows no redirect by itself. */
export class Visitor {
  readonly cookies = new Map<string, string>()
  readonly #house: House
  readonly #headers: Readonly<Record<string, string>>

  constructor(house: House, headers: Readonly<Record<string, string>> = {}) {
    this.#house = house
    this.#headers = headers
  }

  async ask(target: string | URL, init: RequestInit = {}): Promise<Answer> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(new URL(target, this.#house.baseUrl), {
      redirect: 'manual',
      ...init,
      headers: { ...this.#headers, ...(cookie === '' ? {} : { cookie }), ...(init.headers as Record<string, string>) },
    })
    for (const line of response.headers.getSetCookie()) {
      const [name = '', value = ''] = (line.split(';', 1)[0] ?? '').split('=')
      if (value === '') this.cookies.delete(name)
      else this.cookies.set(name, value)
    }
    const location = response.headers.get('location')
    return {
      status: response.status,
      headers: response.headers,
      text: await response.text(),
      location: location === null ? undefined : new URL(location, this.#house.baseUrl),
    }
  }

  post(target: string, fields: Readonly<Record<string, string | readonly string[]>>): Promise<Answer> {
    const body = new URLSearchParams()
    for (const [name, value] of Object.entries(fields)) for (const each of [value].flat()) body.append(name, each)
    return this.ask(target, { method: 'POST', body })
  }

  async logIn(name: string, secret = password, request?: string): Promise<Answer> {
    const page = await this.ask(request === undefined ? '/auth/login' : `/auth/login?request=${request}`)
    const fields = { csrf: hidden(page.text, 'csrf'), name, password: secret }
    return this.post('/auth/login', request === undefined ? fields : { ...fields, request })
  }
}

/** The value of a hidden field. */
export function hidden(page: string, name: string): string {
  return new RegExp(`<input type="hidden" name="${name}" value="([^"]*)"`).exec(page)?.[1] ?? ''
}

/** The fields of a page's form as a browser would send them untouched: ticked boxes, hidden and selected values. */
export function untouchedFields(page: string): Record<string, string[]> {
  const fields: Record<string, string[]> = {}
  const add = (name: string, value: string) => {
    fields[name] = [...(fields[name] ?? []), value.replaceAll('&amp;', '&').replaceAll('&quot;', '"')]
  }
  for (const [, type, name = '', value = '', rest = ''] of page.matchAll(
    /<input type="(\w+)" name="([^"]+)" value="([^"]*)"([^>]*)>/g,
  ))
    if (type === 'hidden' || rest.includes('checked')) add(name, value)
  for (const [, name = '', options = ''] of page.matchAll(/<select [^>]*name="([^"]+)"[^>]*>([\s\S]*?)<\/select>/g)) {
    const value = /value="([^"]*)" selected/.exec(options)?.[1]
    if (value !== undefined) add(name, value)
  }
  return fields
}

// RFC 7636 appendix B
export const verifier = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
export const challenge = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'

export const redirectUri = 'http://127.0.0.1:9/callback'

/** A public app. */
export async function addApp(house: House, more: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const client = await house.smart.registerClient({
    client_name: 'Heart Diary',
    redirect_uris: [redirectUri],
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token'],
    ...more,
  })
  return String(client.client_id)
}

export function authorizeParams(house: House, clientId: string, more: Readonly<Record<string, string>> = {}) {
  return new URLSearchParams({
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    scope: 'launch/patient patient/Observation.rs offline_access',
    state: 'a state & more',
    aud: house.fhirBase,
    code_challenge: challenge,
    code_challenge_method: 'S256',
    ...more,
  })
}

/** Goes from an authorize request to the consent page of a person who is logged in. */
export async function openConsent(visitor: Visitor, params: URLSearchParams): Promise<Answer> {
  const sent = await visitor.ask(`/auth/authorize?${params}`)
  if (sent.location?.pathname !== '/auth/consent') return sent
  return visitor.ask(sent.location)
}

/** Allows what the page offers, with some fields answered otherwise; resolves to the redirect to the app. */
export function decide(
  visitor: Visitor,
  page: Answer,
  fields: Readonly<Record<string, string | readonly string[]>>,
): Promise<Answer> {
  return visitor.post('/auth/consent', { ...untouchedFields(page.text), decision: 'allow', ...fields })
}

export interface TokenReply {
  readonly status: number
  readonly headers: Headers
  readonly json: Record<string, unknown>
}

export async function postForm(
  house: House,
  path: string,
  fields: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<TokenReply> {
  const response = await fetch(`${house.baseUrl}${path}`, {
    method: 'POST',
    body: new URLSearchParams(fields),
    headers,
  })
  return {
    status: response.status,
    headers: response.headers,
    json: (await response.json()) as Record<string, unknown>,
  }
}

export interface Granted {
  readonly visitor: Visitor
  readonly clientId: string
  readonly patient: string
  readonly account: string
  readonly code: string
}

interface Regular {
  readonly visitor: Visitor
  readonly account: string
  readonly patient: string
  readonly sinceMs: number
}

const regulars = new WeakMap<House, Promise<Regular>>()

async function makeRegular(house: House, name: string): Promise<Regular> {
  const { account, patients } = await addFamily(house, name)
  const visitor = new Visitor(house)
  await visitor.logIn(name)
  return { visitor, account, patient: patients[0] ?? '', sinceMs: house.clock.nowMs() }
}

/** Somebody who is logged in; hashing a password for each test would take most of the time. */
async function regularOf(house: House): Promise<Regular> {
  const kept = await regulars.get(house)
  if (kept !== undefined && house.clock.nowMs() - kept.sinceMs < 11 * 3600_000) return kept
  const made = makeRegular(house, `Regular${Math.random().toString(36).slice(2)}`)
  regulars.set(house, made)
  return made
}

/** Somebody lets an app in that is there, to be brought back to this address. */
export async function letIn(house: House, clientId: string, uri = redirectUri): Promise<void> {
  const { visitor, patient } = await regularOf(house)
  const page = await openConsent(visitor, authorizeParams(house, clientId, { redirect_uri: uri }))
  const sent = await decide(visitor, page, { patient })
  if (!sent.location?.href.startsWith(uri)) throw new Error(`not let in: ${sent.status}`)
}

/** A family, an app, and a code that the app may redeem. With a `name` the family is a new one. */
export async function allow(
  house: House,
  options: {
    scope?: string
    fields?: Readonly<Record<string, string | readonly string[]>>
    app?: Readonly<Record<string, unknown>>
    name?: string
  } = {},
): Promise<Granted> {
  const { visitor, account, patient } = await (options.name === undefined
    ? regularOf(house)
    : makeRegular(house, options.name))
  const clientId = await addApp(house, options.app)
  const scope = options.scope === undefined ? {} : { scope: options.scope }
  const page = await openConsent(visitor, authorizeParams(house, clientId, scope))
  const sent = await decide(visitor, page, { patient, ...options.fields })
  return { visitor, clientId, patient, account, code: sent.location?.searchParams.get('code') ?? '' }
}

export function redeem(house: House, { code, clientId }: Granted, more: Readonly<Record<string, string>> = {}) {
  return postForm(house, '/auth/token', {
    grant_type: 'authorization_code',
    code,
    redirect_uri: redirectUri,
    client_id: clientId,
    code_verifier: verifier,
    ...more,
  })
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
