import { gunzipSync } from 'node:zlib'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { type Answer, type Client, openClient, type Sent } from './server/client.ts'
import { type Home, lastLine, newHome } from './server/home.ts'
import { type RunningServer, startServer } from './server/start-server.ts'
import { until } from './server/waiting.ts'

let home: Home
let server: RunningServer
let stranger: Client

beforeAll(async () => {
  home = await newHome('export')
  server = await startServer(home)
  stranger = openClient(server.url)
})
afterAll(async () => {
  stranger.close()
  expect(await server.stop()).toBe(0)
  await home.remove()
})

const form = (fields: Readonly<Record<string, string>>): Pick<Sent, 'headers' | 'body'> => ({
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
  body: new URLSearchParams(fields).toString(),
})
const pathOf = (url: string | undefined) => new URL(url ?? '').pathname

describe('a backend service exports – https://hl7.org/fhir/uv/bulkdata/STU2/authorization.html', () => {
  let id: string
  let privateKey: CryptoKey
  let service: Client
  let jtis = 0

  async function askToken(): Promise<Answer> {
    const claims = { iss: id, sub: id, aud: `${home.origin}/auth/token`, jti: `export-${++jtis}` }
    const assertion = await new SignJWT({ ...claims, exp: Math.floor(Date.now() / 1000) + 200 })
      .setProtectedHeader({ alg: 'ES384', kid: 'k1' })
      .sign(privateKey)
    const fields = {
      grant_type: 'client_credentials',
      scope: 'system/*.rs',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: assertion,
    }
    return stranger.send({ method: 'POST', path: '/auth/token', ...form(fields) })
  }
  const newService = async () =>
    openClient(server.url, (await askToken()).json<{ access_token: string }>().access_token)
  const begin = () => service.send({ path: '/fhir/Patient/$export', headers: { prefer: 'respond-async' } })

  async function manifestOf(status: string): Promise<{ output: { type: string; url: string; count: number }[] }> {
    let answer = await service.send({ path: status })
    await until(async () => {
      if (answer.status === 200) return true
      expect([answer.status, answer.headers['retry-after']]).toEqual([202, '1'])
      answer = await service.send({ path: status })
      return false
    })
    return answer.json()
  }

  beforeAll(async () => {
    const pair = await generateKeyPair('ES384', { extractable: true })
    privateKey = pair.privateKey
    const registration = {
      client_name: 'Night job',
      grant_types: ['client_credentials'],
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [{ ...(await exportJWK(pair.publicKey)), kid: 'k1' }] },
      scope: 'system/*.rs',
    }
    const headers = { 'content-type': 'application/json' }
    const registered = await stranger.send({ method: 'POST', path: '/auth/register', headers, body: registration })
    id = registered.json<{ client_id: string }>().client_id
  })
  afterAll(() => service.close())

  it('once the administrator has approved it, and with its next token as well', async () => {
    const early = await askToken()
    expect([early.status, early.json()]).toEqual([400, expect.objectContaining({ error: 'unauthorized_client' })])
    expect(await lastLine(home, 'client', 'approve', id)).toBe('system/*.rs')
    for (const _ of [1, 2]) await lastLine(home, 'patient', 'create')
    service = await newService()
    const { status, headers } = await begin()
    expect(status).toBe(202)
    service.close()
    service = await newService()
    const { output } = await manifestOf(pathOf(headers['content-location']))
    expect(output).toMatchObject([{ type: 'Patient', count: 2 }])
    const file = pathOf(output[0]?.url)
    const plain = await service.send({ path: file })
    expect([plain.status, plain.headers['content-type']]).toEqual([200, 'application/fhir+ndjson'])
    expect(
      plain.body
        .toString()
        .trim()
        .split('\n')
        .map(line => JSON.parse(line).resourceType),
    ).toEqual(['Patient', 'Patient'])
    const packed = await service.send({ path: file, headers: { 'accept-encoding': 'gzip' } })
    expect(packed.headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'Origin, Accept, Accept-Encoding' })
    expect(gunzipSync(packed.body)).toEqual(plain.body)
    const head = await service.send({ method: 'HEAD', path: file })
    expect([head.status, head.body.length]).toEqual([200, 0])
  })

  it('and fetches nothing after its end', async () => {
    const status = pathOf((await begin()).headers['content-location'])
    const { output } = await manifestOf(status)
    await lastLine(home, 'client', 'end', id)
    for (const path of [status, pathOf(output[0]?.url)]) expect((await service.send({ path })).status).toBe(401)
    expect((await askToken()).status).toBe(401)
  })
})
