/** Key sets of clients are fetched by the server as it is composed, under the guard – SMART 2.2 §1G, check 40. */
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { loadConfig } from '#config'
import { silentLog } from '#kernel'
import { openGate } from '../../../src/compose.ts'
import { type ForeignServer, openForeign } from '../web/foreign-server.ts'

let foreign: ForeignServer
let privateKey: CryptoKey

beforeAll(async () => {
  const pair = await generateKeyPair('ES384')
  privateKey = pair.privateKey
  const keys = [{ ...(await exportJWK(pair.publicKey)), kid: '1' }]
  foreign = await openForeign((_, response) => void response.end(JSON.stringify({ keys })))
})
afterAll(() => foreign.close())

/** The status of a token request that is signed with the key at `jwks_uri`. */
async function statusWith(networks: string, jwksUri: string): Promise<number | undefined> {
  const { config } = loadConfig({ KINHOLD_STORE: 'memory', KINHOLD_NOTIFY_NETWORKS: networks }, { cwd: '/' })
  const { smart, close } = await openGate(config, { make: true, log: silentLog })
  const { client_id: id } = await smart.registerClient({
    grant_types: ['client_credentials'],
    token_endpoint_auth_method: 'private_key_jwt',
    jwks_uri: jwksUri,
  })
  await smart.approveClient(String(id), 'system/*.rs')
  const client_assertion = await new SignJWT({ jti: '1' })
    .setProtectedHeader({ alg: 'ES384', kid: '1', typ: 'JWT' })
    .setIssuer(String(id))
    .setSubject(String(id))
    .setAudience(`${config.baseUrl}/auth/token`)
    .setExpirationTime('4m')
    .sign(privateKey)
  const route = smart.routes.find(({ path }) => path === '/auth/token')
  const type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
  const form = { grant_type: 'client_credentials', client_assertion_type: type, client_assertion }
  const answer = await route?.handler({
    method: 'POST',
    path: '/auth/token',
    query: new URLSearchParams(),
    header: name => (name.toLowerCase() === 'content-type' ? 'application/x-www-form-urlencoded' : undefined),
    body: async () => Buffer.from(new URLSearchParams(form).toString()),
    remoteAddress: '192.0.2.1',
  })
  await close()
  return answer?.status
}

it('a client proves itself by the keys at its address, where the configuration allows that', async () => {
  expect(await statusWith('127.0.0.1', `${foreign.url}/jwks`)).toBe(200)
  expect(foreign.asked).toEqual(['GET /jwks'])
})

it.each(['127.0.0.1', 'localhost', '[::1]'])('elsewhere it proves nothing, and %s is not asked', async host => {
  const before = foreign.asked.length
  expect(await statusWith('', `${foreign.url.replace('127.0.0.1', host)}/jwks`)).toBe(401)
  expect(foreign.asked).toHaveLength(before)
})
