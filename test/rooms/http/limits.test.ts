import { once } from 'node:events'
import { WebSocket } from 'ws'
import { type HttpConfig, type Listening, listen } from '#http'
import { limitTable } from '../../../src/http/admission/limits.ts'
import { type Client, openClient } from '../../journeys/server/client.ts'
import { openWebHouse, type WebHouse } from './web-house.ts'

const off = { points: Number.POSITIVE_INFINITY, seconds: 1 }
const unlimited = { network: off, token: off, strangers: off, misses: off }
const few = { points: 5, seconds: 60 }

let house: WebHouse
let server: Listening
const clients: Client[] = []

async function open(config: Partial<HttpConfig>): Promise<void> {
  house = await openWebHouse({ baseUrl: 'http://127.0.0.1:1', ...config })
  server = await listen(house.app, { host: '127.0.0.1', port: 0 })
}
async function client(scope?: string): Promise<Client> {
  const opened = openClient(
    `http://127.0.0.1:${server.port}`,
    scope === undefined ? undefined : await house.token(scope),
  )
  clients.push(opened)
  return opened
}
afterEach(async () => {
  for (const each of clients.splice(0)) each.close()
  await server.close(0)
  await house.close()
})

/** The statuses of the same question, asked one after the other. */
async function ask(by: Client, path: string, times: number, headers: Record<string, string> = {}): Promise<number[]> {
  const statuses: number[] = []
  for (let n = 0; n < times; n++) statuses.push((await by.send({ path, headers })).status)
  return statuses
}

it.each<[limit: 'network' | 'token' | 'strangers', scope: string | undefined]>([
  ['network', 'system/*.rs'],
  ['network', undefined],
  ['token', 'system/*.rs'],
  ['strangers', undefined],
])('messages over a websocket count as requests of the %s', async (limit, scope) => {
  await open({ limits: { ...unlimited, [limit]: { points: 3, seconds: 60 } } })
  const headers = scope === undefined ? {} : { authorization: `Bearer ${await house.token(scope)}` }
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/ws/subscriptions`, { headers })
  const send = () => socket.send('bind none')
  socket.on('open', send).on('message', send)
  expect((await once(socket, 'close'))[0]).toBe(1013)
})

const basic = (n: number) => `Basic ${Buffer.from(`client-${n}:secret`).toString('base64')}`
const bearer = (n: number) => `Bearer ${String(n).padEnd(43, 'a')}`

/** An app that keeps a secret. */
async function registered(): Promise<{ readonly id: string; readonly secret: string }> {
  const body = { redirect_uris: ['https://app.example/cb'], token_endpoint_auth_method: 'client_secret_basic' }
  const sent = { method: 'POST', path: '/auth/register', headers: { 'content-type': 'application/json' }, body }
  const { client_id: id, client_secret: secret } = (await (await client()).send(sent)).json() as Record<string, string>
  return { id: id ?? '', secret: secret ?? '' }
}

describe('limits – https://www.rfc-editor.org/rfc/rfc6585#section-4', () => {
  it('are not reached by what an app or a feed does', async () => {
    await open({})
    expect(limitTable.token.points / limitTable.token.seconds).toBeGreaterThan(40_000)
    expect(limitTable.strangers.points).toBeGreaterThanOrEqual(500)
    const admin = await client('system/*.cruds')
    expect(new Set(await ask(admin, '/fhir/metadata', 100))).toEqual(new Set([200]))
    expect(new Set(await ask(admin, '/fhir/Patient/none', 100))).toEqual(new Set([404]))
  })

  it.each([
    ['without a token', '/fhir/Patient', {}, 401],
    ['with a token that is none', '/fhir/Patient', { authorization: 'Bearer abc' }, 401],
    ['with a header that is none', '/fhir/Patient', { authorization: 'Basic abc' }, 401],
    ['of a public document', '/fhir/metadata', {}, 200],
    ['of a page', '/auth/login', {}, 200],
    ['of what is not there', '/wp-login.php', {}, 404],
    ['of a link that is none', '/share/x', {}, 400],
  ])('slow a stranger down who asks %s, and nobody who has a token', async (_how, path, headers, status) => {
    await open({ limits: { ...unlimited, strangers: few } })
    const admin = await client('system/*.cruds')
    const stranger = await client()
    const statuses = await ask(stranger, path, 10, headers)
    expect(statuses.slice(0, 5)).toEqual(Array(5).fill(status))
    expect(statuses.slice(6)).toEqual(Array(4).fill(429))
    const refused = await stranger.send({ path, headers })
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
    expect(refused.json()).toMatchObject({ resourceType: 'OperationOutcome', issue: [{ code: 'throttled' }] })
    expect(refused.body.toString()).toContain('request.too-many')
    expect(await ask(admin, '/fhir/Patient', 3)).toEqual([200, 200, 200])
    expect(await ask(stranger, '/healthz', 20)).toEqual(Array(20).fill(200))
  })

  it.each([
    ['/', 200],
    ['/openapi.json', 200],
    ['/docs/', 200],
    ['/auth/login', 200],
    ['/.well-known/oauth-protected-resource/fhir', 200],
    ['/share/x', 400],
    ['/share/x/files/y', 404],
    ['/fhir/metadata', 200],
    ['/wp-login.php', 404],
    // Nobody may see figures here.
    ['/metrics', 404],
    // Where it is looked at, and proves nothing.
    ['/share', 401],
    ['/auth/clients', 401],
    ['/auth/token', 405],
  ])('are not got round by a header that proves nothing: %s', async (path, status) => {
    await open({ limits: { ...unlimited, strangers: few } })
    const stranger = await client()
    const statuses: number[] = []
    for (let n = 0; n < 8; n++)
      statuses.push(
        ...(await ask(stranger, path, 1, { authorization: n % 2 === 0 ? 'x' : `Bearer ${'a'.repeat(43)}` })),
      )
    expect(statuses.slice(0, 5)).toEqual(Array(5).fill(status))
    // Where it is looked at somebody else's may be good; who shows nothing is refused.
    expect((await ask(stranger, '/', 1)).at(-1)).toBe(429)
  })

  it('do not count who shows what is good where it is looked at', async () => {
    await open({ limits: { ...unlimited, strangers: few } })
    const admin = await client('system/*.cruds')
    expect(await ask(admin, '/share', 20)).toEqual(Array(20).fill(200))
    expect(await ask(admin, '/auth/clients', 20)).toEqual(Array(20).fill(200))
    expect(await ask(await client(), '/', 1)).toEqual([200])
  })

  it('count a document that is to be made by what it costs, and once', async () => {
    await open({ limits: { ...unlimited, strangers: { points: 120, seconds: 60 } } })
    const stranger = await client()
    const document = (types: string) => ask(stranger, `/openapi.json?type=${types}`, 1)
    // What is kept, however it is written, and names of nothing, which all mean the same document.
    for (const types of ['common', 'Goal', 'Goal,Goal', 'nothing,Goal', 'common', 'none', 'nobody', ''])
      expect([types, ...(await document(types))]).toEqual([types, 200])
    const many = 'Account,Basic,Flag,Group,Library,Linkage,List,Media,Person,Schedule,Slot,Specimen,Substance,Task'
    const statuses: (number | undefined)[] = []
    for (let left = many; left !== ''; left = left.split(',').slice(1).join(','))
      statuses.push(...(await document(left)))
    expect(statuses.slice(0, 2)).toEqual([200, 200])
    expect(statuses.slice(6)).toEqual(Array(8).fill(429))
  })

  describe.each<[what: string, method: string, path: string, status: number, proof: (n: number) => string]>([
    ['secrets of clients at the token endpoint', 'POST', '/auth/token', 401, basic],
    ['what is no secret there', 'POST', '/auth/token', 401, n => `Basic ${n}`],
    ['clients that look at tokens', 'POST', '/auth/introspect', 401, basic],
    ['clients that end tokens', 'POST', '/auth/revoke', 401, basic],
    ['tokens that list links', 'GET', '/share', 401, bearer],
    ['tokens that make links', 'POST', '/share', 401, bearer],
    ['tokens of the administrator', 'GET', '/auth/clients', 401, bearer],
    ['by other methods', 'GET', '/auth/token', 405, basic],
    ['tokens for figures', 'GET', '/metrics', 401, bearer],
  ])('slow down who guesses (A47, A93): %s', (_what, method, path, status, proof) => {
    const guess = (by: Client, n: number) =>
      by.send({
        method,
        path,
        headers: { 'content-type': 'application/x-www-form-urlencoded', authorization: proof(n) },
        ...(method === 'POST' ? { body: 'grant_type=client_credentials&token=x' } : {}),
      })

    it('and is told so in place of the refusal', async () => {
      await open({
        limits: { ...unlimited, strangers: few },
        metrics: { token: 'figures-are-shown-to-whoever-has-this' },
      })
      const stranger = await client()
      const statuses: number[] = []
      for (let n = 0; n < 10; n++) statuses.push((await guess(stranger, n)).status)
      expect(statuses.slice(0, 5)).toEqual(Array(5).fill(status))
      expect(statuses.slice(6)).toEqual(Array(4).fill(429))
      const refused = await guess(stranger, 10)
      expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
      expect(refused.headers['www-authenticate']).toBeUndefined()
      expect((await ask(stranger, '/', 1)).at(-1)).toBe(429)
    })

    it('but nobody who shows what is good', async () => {
      await open({
        limits: { ...unlimited, strangers: few },
        metrics: { token: 'figures-are-shown-to-whoever-has-this' },
      })
      const { id, secret } = await registered()
      const stranger = await client()
      for (let n = 0; n < 10; n++) await guess(stranger, n)
      const good = (authorization: string, path: string) => stranger.send({ path, headers: { authorization } })
      const secretly = `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`
      const form = { method: 'POST', path: '/auth/introspect', body: 'token=x' }
      const headers = { 'content-type': 'application/x-www-form-urlencoded', authorization: secretly }
      for (let n = 0; n < 3; n++) expect((await stranger.send({ ...form, headers })).status).toBe(200)
      const malformed = { ...form, path: '/auth/token', body: 'grant_type=none', headers }
      for (let n = 0; n < 3; n++)
        expect((await stranger.send(malformed)).json()).toMatchObject({ error: 'unsupported_grant_type' })
      const admin = `Bearer ${await house.token('system/*.cruds')}`
      for (const shown of ['/share', '/auth/clients', '/fhir/Patient'])
        expect([shown, (await good(admin, shown)).status]).toEqual([shown, 200])
      expect((await good('Bearer figures-are-shown-to-whoever-has-this', '/metrics')).status).toBe(200)
    })
  })

  it('slow a token down that tries out ids, and no other (A93)', async () => {
    await open({ limits: { ...unlimited, misses: few } })
    const trying = await client('system/*.cruds')
    const other = await client('system/*.cruds')
    const statuses = await ask(trying, '/fhir/Patient/none', 10)
    expect(statuses.slice(6)).toEqual(Array(4).fill(429))
    expect(await ask(trying, '/fhir/Patient', 1)).toEqual([429])
    expect(await ask(other, '/fhir/Patient', 2)).toEqual([200, 200])
  })

  it('count what many tokens of one network try out together, against those that do', async () => {
    await open({ limits: { ...unlimited, misses: few } })
    const honest = await client('system/*.cruds')
    for (let n = 0; n < 6; n++) await ask(await client('system/*.cruds'), '/fhir/Patient/none', 4)
    const late = await client('system/*.cruds')
    expect((await ask(late, '/fhir/Patient/none', 4)).at(-1)).toBe(429)
    expect(await ask(honest, '/fhir/Patient', 2)).toEqual([200, 200])
  })

  it.each(['network', 'token'] as const)('count all requests of one %s where that is wished', async kind => {
    await open({ limits: { ...unlimited, [kind]: few } })
    const admin = await client('system/*.cruds')
    expect((await ask(admin, '/fhir/Patient', 10)).slice(6)).toEqual(Array(4).fill(429))
    expect((await admin.send({ path: '/healthz' })).status).toBe(200)
  })

  it('count by what a trusted proxy says, and by nothing else (A96)', async () => {
    await open({ limits: { ...unlimited, strangers: few }, trustedProxies: ['127.0.0.1'] })
    const proxy = await client()
    const from = (address: string) => ({ 'x-forwarded-for': address })
    expect((await ask(proxy, '/fhir/metadata', 10, from('203.0.113.1'))).at(-1)).toBe(429)
    expect(await ask(proxy, '/fhir/metadata', 2, from('203.0.113.2'))).toEqual([200, 200])
    expect(await ask(proxy, '/fhir/metadata', 1, from('203.0.113.2, 203.0.113.1'))).toEqual([429])
    expect(await ask(proxy, '/fhir/metadata', 5, from('2001:db8:1:2::1'))).toEqual(Array(5).fill(200))
    expect((await ask(proxy, '/fhir/metadata', 3, from('2001:db8:1:2:3:4:5:6'))).at(-1)).toBe(429)
  })

  it('are not got round by a header of who is no proxy (A96)', async () => {
    await open({ limits: { ...unlimited, strangers: few } })
    const stranger = await client()
    const statuses: number[] = []
    for (let n = 0; n < 10; n++)
      statuses.push(...(await ask(stranger, '/fhir/metadata', 1, { 'x-forwarded-for': `203.0.113.${n}` })))
    expect(statuses.at(-1)).toBe(429)
  })
})

describe('who logs in behind a proxy', () => {
  it('is not kept away by a stranger who guesses names there', async () => {
    await open({ limits: unlimited })
    await house.smart.createAccount({ name: 'Anna', password: 'correct horse battery staple' })
    const browser = await client()
    const logIn = async (name: string, password: string) => {
      const page = await browser.send({ path: '/auth/login' })
      const csrf = /name="csrf" value="([^"]*)"/.exec(page.body.toString())?.[1] ?? ''
      const cookie = [page.headers['set-cookie']]
        .flat()
        .map(line => String(line).split(';')[0])
        .join('; ')
      return browser.send({
        method: 'POST',
        path: '/auth/login',
        headers: { 'content-type': 'application/x-www-form-urlencoded', cookie },
        body: new URLSearchParams({ csrf, name, password }).toString(),
      })
    }
    for (let n = 0; n < 28; n++)
      expect((await logIn(`nobody-${n}`, 'wrong wrong wrong')).body.toString()).toContain('smart.login-failed')
    expect((await logIn('Anna', 'correct horse battery staple')).status).toBe(303)
  })
})
