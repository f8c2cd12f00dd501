import { exportJWK, generateKeyPair, type JWK, type JWTHeaderParameters, SignJWT } from 'jose'
import { FixedClock } from '#kernel'
import { openGuardedFetch } from '#web'
import { openKeySetFetcher } from '../../../src/smart/clients/key-set-fetcher.ts'
import { callsOf } from '../../computing.ts'
import { openForeign } from '../web/foreign-server.ts'
import { codeOf, type House, openHouse, postForm } from './house.ts'

const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
type Key = Awaited<ReturnType<typeof makeKey>>

async function makeKey(alg: 'RS384' | 'ES384', kid: string) {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  return { alg, kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid } as JWK }
}

let house: House
let rsa: Key
let ec: Key
beforeAll(async () => {
  house = await openHouse()
  rsa = await makeKey('RS384', 'rsa-1')
  ec = await makeKey('ES384', 'ec-1')
})
afterAll(() => house.close())

async function addBackend(
  keys: readonly JWK[] = [rsa.jwk, ec.jwk],
  approved = 'system/Observation.rs system/Patient.rs',
) {
  const client = await house.smart.registerClient({
    client_name: 'Night job',
    grant_types: ['client_credentials'],
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys },
    scope: 'system/Observation.rs system/Patient.rs',
  })
  if (approved !== '') await house.smart.approveClient(String(client.client_id), approved)
  return String(client.client_id)
}

let jtis = 0
type Claims = { readonly [name: string]: unknown }
function assert(
  clientId: string,
  {
    key = rsa,
    claims = {},
    header = {},
    clock = house.clock,
  }: { key?: Key; claims?: Claims; header?: Partial<JWTHeaderParameters>; clock?: FixedClock } = {},
): Promise<string> {
  const nowSeconds = Math.floor(clock.nowMs() / 1000)
  return new SignJWT({
    iss: clientId,
    sub: clientId,
    aud: `${house.baseUrl}/auth/token`,
    exp: nowSeconds + 240,
    jti: `jti-${++jtis}`,
    ...claims,
  })
    .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: 'JWT', ...header })
    .sign(key.privateKey)
}

const ask = (assertion: string, more: Readonly<Record<string, string>> = {}) =>
  postForm(house, '/auth/token', {
    grant_type: 'client_credentials',
    scope: 'system/Observation.rs',
    client_assertion_type: assertionType,
    client_assertion: assertion,
    ...more,
  })

describe('SMART 2.2 §1G asymmetric clients – https://hl7.org/fhir/smart-app-launch/STU2.2/client-confidential-asymmetric.html', () => {
  it.each(['RS384', 'ES384'] as const)(
    '40, 41: gives a %s client a token of five minutes and no refresh token',
    async alg => {
      const { status, json, headers } = await ask(await assert(await addBackend(), { key: alg === 'RS384' ? rsa : ec }))
      expect(status).toBe(200)
      expect(json).toMatchObject({ token_type: 'Bearer', expires_in: 300, scope: 'system/Observation.rs' })
      expect(json.refresh_token).toBeUndefined()
      expect(headers.get('cache-control')).toContain('no-store')
      const grant = await house.smart.authenticate(String(json.access_token))
      expect(grant).toMatchObject({ patients: 'all', actor: { kind: 'client', display: 'Night job' } })
      house.clock.advance(300_000)
      expect(await codeOf(house.smart.authenticate(String(json.access_token)))).toBe('token.expired')
    },
  )

  it('42: refuses an assertion that comes twice, even at the same moment', async () => {
    const assertion = await assert(await addBackend())
    const replies = await Promise.all([ask(assertion), ask(assertion)])
    expect(replies.map(({ status }) => status).sort()).toEqual([200, 401])
    expect((await ask(assertion)).json.error).toBe('invalid_client')
  })

  it('takes the issuer as audience as well, but no list and no other server (A43)', async () => {
    const id = await addBackend()
    expect((await ask(await assert(id, { claims: { aud: house.baseUrl } }))).status).toBe(200)
    for (const aud of [`${house.baseUrl}/`, 'https://evil.example/token', [`${house.baseUrl}/auth/token`, 'https://x']])
      expect((await ask(await assert(id, { claims: { aud } }))).status).toBe(401)
  })

  it('A43: refuses wrong or missing claims', async () => {
    const id = await addBackend()
    const other = await addBackend()
    const nowSeconds = Math.floor(house.clock.nowMs() / 1000)
    const wrong: Claims[] = [
      { exp: nowSeconds - 60 },
      { exp: nowSeconds + 3600 },
      { exp: undefined },
      { jti: undefined },
      { jti: '' },
      { jti: 'x'.repeat(300) },
      { iss: other },
      { sub: other },
      { sub: undefined },
      { nbf: nowSeconds + 120 },
    ]
    for (const claims of wrong) expect((await ask(await assert(id, { claims }))).json.error).toBe('invalid_client')
    expect((await ask(await assert(id), { client_id: other })).json.error).toBe('invalid_client')
    expect((await ask(await assert(id), { client_id: id })).status).toBe(200)
  })

  /** Claims and header as they are written, under the client's own good signature. */
  async function signedAsWritten(
    id: string,
    { header = {}, claims = '' }: { header?: object | string; claims?: string },
  ) {
    const exp = Math.floor(house.clock.nowMs() / 1000) + 200
    const rest = `"sub":"${id}","aud":"${house.baseUrl}/auth/token","exp":${exp},"jti":"written-${++jtis}"`
    const heading = typeof header === 'string' ? header : JSON.stringify({ alg: 'RS384', kid: rsa.kid, ...header })
    const said = claims === '' ? `{"iss":"${id}",${rest}}` : claims.replace('ID', id).replace('REST', rest)
    const text = [heading, said].map(part => Buffer.from(part).toString('base64url')).join('.')
    const key = { name: 'RSASSA-PKCS1-v1_5' }
    const signature = await crypto.subtle.sign(key, rsa.privateKey as CryptoKey, Buffer.from(text))
    return `${text}.${Buffer.from(signature).toString('base64url')}`
  }

  it.each<[what: string, written: { header?: object | string; claims?: string }]>([
    ['a claim twice', { claims: '{"iss":"x","iss":"ID",REST}' }],
    ['a claim twice, once by an escape', { claims: '{"\\u0069ss":"x","iss":"ID",REST}' }],
    ['a claim of the prototype', { claims: '{"__proto__":{"iss":"ID"},REST}' }],
    ['an array of claims', { claims: '[{"iss":"ID",REST}]' }],
    ['no claims', { claims: 'null' }],
    ['an algorithm twice', { header: '{"alg":"none","alg":"RS384","kid":"rsa-1"}' }],
    ['no algorithm', { header: '{"kid":"rsa-1"}' }],
    ['several algorithms', { header: { alg: ['RS384'] } }],
    ['an algorithm in small letters', { header: { alg: 'rs384' } }],
    ['another algorithm of the same key', { header: { alg: 'RS256' } }],
    ['an empty list of critical headers', { header: { crit: [] } }],
    ['a critical header that is known', { header: { crit: ['exp'], exp: 1 } }],
    ['a body that is not encoded', { header: { crit: ['b64'], b64: false } }],
    ['its own key', { header: { jwk: {} } }],
    ['its own certificate', { header: { x5c: ['AAAA'] } }],
    ['an address of a certificate', { header: { x5u: 'https://127.0.0.1/x' } }],
    ['an address of keys', { header: { jku: 'file:///etc/passwd' } }],
    ['no key id', { header: '{"alg":"RS384"}' }],
    ['a key id that is a number', { header: { kid: 1 } }],
    ['a key id that is a list', { header: { kid: ['rsa-1'] } }],
    ['a key id and more', { header: { kid: 'rsa-1\u0000' } }],
    ['a key id of the prototype', { header: { kid: '__proto__' } }],
    ['the type of an access token', { header: { typ: 'at+jwt' } }],
    ['a type that is an object', { header: { typ: {} } }],
  ])('A41–A44: refuses, under a good signature, %s', async (_what, written) => {
    const id = await addBackend()
    expect((await ask(await signedAsWritten(id, {}))).status).toBe(200)
    expect((await ask(await signedAsWritten(id, written))).json).toMatchObject({ error: 'invalid_client' })
  })

  it.each<[what: string, spell: (jwt: string) => string]>([
    ['padding', jwt => `${jwt}==`],
    ['a line break', jwt => `${jwt.slice(0, -4)}\n${jwt.slice(-4)}`],
    ['a blank before it', jwt => ` ${jwt}`],
    ['a blank after it', jwt => `${jwt} `],
    ['a byte that is no letter', jwt => `${jwt}\u0000`],
    ['the other alphabet', jwt => `${jwt.slice(0, -1)}+/`],
    ['nothing for a signature', jwt => jwt.slice(0, jwt.lastIndexOf('.') + 1)],
  ])(
    'A44: refuses a JWT that is spelled with %s – https://www.rfc-editor.org/rfc/rfc7515#section-2',
    async (_what, spell) => {
      const id = await addBackend()
      expect((await ask(spell(await assert(id)))).json).toMatchObject({ error: 'invalid_client' })
    },
  )

  it('A41, A42, A44: refuses other algorithms, foreign keys and critical headers', async () => {
    const id = await addBackend()
    const payload = (await assert(id)).split('.')[1] ?? ''
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const none = `${encode({ alg: 'none', kid: rsa.kid })}.${payload}.`
    const secret = new TextEncoder().encode(` ${rsa.jwk.n}`)
    const hmac = await new SignJWT({ iss: id, sub: id }).setProtectedHeader({ alg: 'HS256', kid: rsa.kid }).sign(secret)
    const mine = await makeKey('RS384', rsa.kid)
    const own = await assert(id, { key: mine, header: { jwk: mine.jwk } })
    const jku = await assert(id, { header: { jku: 'https://evil.example/jwks' } })
    const path = await assert(id, { header: { kid: '../../dev/null' } })
    const jwe = 'eyJhbGciOiJQQkVTMi1IUzI1NitBMTI4S1ciLCJwMmMiOjEwMDAwMDAwMDB9.a.b.c.d'
    const typ = await assert(id, { header: { typ: 'at+jwt' } })
    const hashed = await callsOf(SubtleCrypto.prototype, 'deriveBits', async () => {
      for (const assertion of [none, hmac, own, jku, path, jwe, typ, 'a.b.c', '..', 'x'.repeat(9000)])
        expect((await ask(assertion)).json.error).toBe('invalid_client')
    })
    // Hashing as often as the encrypted assertion asks would take minutes.
    expect(hashed).toBe(0)
    const crit = `${encode({ alg: 'RS384', kid: rsa.kid, crit: ['exp'], exp: 1 })}.${payload}.AAAA`
    expect((await ask(crit)).json.error).toBe('invalid_client')
    const operator = `${encode({ alg: 'RS384', kid: { $ne: 1 } })}.${payload}.AAAA`
    expect((await ask(operator)).json.error).toBe('invalid_client')
  })

  it('40: needs exactly one key for kid and kind', async () => {
    const twin = await makeKey('RS384', 'rsa-1')
    const id = await addBackend([rsa.jwk, twin.jwk])
    expect((await ask(await assert(id))).json.error).toBe('invalid_client')
    const mixed = await addBackend([rsa.jwk, { ...ec.jwk, kid: 'rsa-1' }])
    expect((await ask(await assert(mixed))).status).toBe(200)
  })

  it('42: answers 400 or 401 to other assertion types and two ways of authenticating at once', async () => {
    const id = await addBackend()
    const type = await ask(await assert(id), { client_assertion_type: 'urn:x' })
    expect([type.status, type.json.error]).toEqual([401, 'invalid_client'])
    const headers = { authorization: `Basic ${Buffer.from('a:b').toString('base64')}` }
    const both = await postForm(
      house,
      '/auth/token',
      { grant_type: 'client_credentials', client_assertion: 'x' },
      headers,
    )
    expect([both.status, both.json.error]).toEqual([400, 'invalid_request'])
  })

  it('43, A47: fails a request for more than the administrator allowed', async () => {
    const id = await addBackend()
    for (const scope of [
      'system/*.rs',
      'system/Observation.cruds',
      'system/Condition.rs',
      'patient/Observation.rs',
      'x',
    ])
      expect((await ask(await assert(id), { scope })).json.error).toBe('invalid_scope')
    const all = await ask(await assert(id), { scope: '' })
    expect(all.json.scope).toBe('system/Observation.rs system/Patient.rs')
  })

  it('gives nothing to a client that registered itself and was not approved', async () => {
    const id = await addBackend(undefined, '')
    const reply = await ask(await assert(id))
    expect([reply.status, reply.json.error]).toEqual([400, 'unauthorized_client'])
    expect(await codeOf(house.smart.approveClient(id, 'patient/*.rs'))).toBe('smart.approval-malformed')
    expect(await codeOf(house.smart.approveClient('nobody', 'system/*.rs'))).toBe('smart.client-absent')
  })

  it('1J: verifies the assertions that the guide publishes', async () => {
    const { verifyGuideExamples } = await import('./guide-assertions.ts')
    expect(await verifyGuideExamples()).toEqual(['RS384', 'ES384'])
  })
})

describe('SMART 2.2 §1C symmetric clients – https://hl7.org/fhir/smart-app-launch/STU2.2/client-confidential-symmetric.html', () => {
  const basic = (id: string, secret: string) => ({
    authorization: `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`,
  })

  it('authenticates by a secret that is told once and kept as a hash', async () => {
    const client = await house.smart.registerClient({
      client_name: 'Clinic',
      redirect_uris: ['https://clinic.example/cb'],
    })
    const [id, secret] = [String(client.client_id), String(client.client_secret)]
    expect(JSON.stringify(await house.smart.listClients())).not.toContain(secret)
    const fields = { grant_type: 'authorization_code', code: 'BAD_CODE' }
    expect((await postForm(house, '/auth/token', fields, basic(id, secret))).json.error).toBe('invalid_grant')
    const wrong = await postForm(house, '/auth/token', fields, basic(id, `${secret}x`))
    expect([wrong.status, wrong.json.error]).toEqual([401, 'invalid_client'])
    expect(wrong.headers.get('www-authenticate')).toContain('Basic')
    for (const more of [{ client_id: id }, { client_id: id, client_secret: secret }])
      expect((await postForm(house, '/auth/token', { ...fields, ...more })).json.error).toBe('invalid_client')
    expect((await postForm(house, '/auth/token', fields, { authorization: 'Basic !!!' })).status).toBe(401)
  })

  it('authenticates by a secret in the form where the client registered for that – https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1', async () => {
    const metadata = { redirect_uris: ['https://clinic.example/cb'], token_endpoint_auth_method: 'client_secret_post' }
    const client = await house.smart.registerClient(metadata)
    const [client_id, client_secret] = [String(client.client_id), String(client.client_secret)]
    expect(client).toMatchObject({ token_endpoint_auth_method: 'client_secret_post', client_secret_expires_at: 0 })
    const ask = async (more: Readonly<Record<string, string>>, headers = {}) => {
      const fields = { grant_type: 'authorization_code', code: 'BAD_CODE', ...more }
      return (await postForm(house, '/auth/token', fields, headers)).json.error
    }
    expect(await ask({ client_id, client_secret })).toBe('invalid_grant')
    expect(await ask({ client_id, client_secret: `${client_secret}x` })).toBe('invalid_client')
    expect(await ask({ client_id, client_secret: '' })).toBe('invalid_client')
    expect(await ask({ client_secret })).toBe('invalid_client')
    expect(await ask({ client_id: 'nobody', client_secret })).toBe('invalid_client')
    expect(await ask({}, basic(client_id, client_secret))).toBe('invalid_client')
    expect(await ask({ client_id, client_secret }, basic(client_id, client_secret))).toBe('invalid_request')
    const assertion = { client_assertion_type: assertionType, client_assertion: 'x.y.z' }
    expect(await ask({ client_id, client_secret, ...assertion })).toBe('invalid_request')
    const revoked = await postForm(house, '/auth/revoke', { token: 'x', client_id, client_secret })
    expect(revoked.status).toBe(200)
    expect((await postForm(house, '/auth/introspect', { token: 'x', client_id, client_secret })).json.active).toBe(
      false,
    )
  })

  it('41: symmetric secrets are not for backend services', async () => {
    const metadata = { grant_types: ['client_credentials'], token_endpoint_auth_method: 'client_secret_basic' }
    expect(await codeOf(house.smart.registerClient(metadata))).toBe('smart.invalid-client-metadata')
    const client = await house.smart.registerClient({ redirect_uris: ['https://clinic.example/cb'] })
    const headers = basic(String(client.client_id), String(client.client_secret))
    const reply = await postForm(house, '/auth/token', { grant_type: 'client_credentials' }, headers)
    expect(reply.json.error).toBe('unauthorized_client')
  })
})

describe('RFC 7591 registration – https://www.rfc-editor.org/rfc/rfc7591', () => {
  const register = async (metadata: unknown, headers: Readonly<Record<string, string>> = {}) => {
    const response = await fetch(`${house.baseUrl}/auth/register`, {
      method: 'POST',
      body: typeof metadata === 'string' ? metadata : JSON.stringify(metadata),
      headers: { 'content-type': 'application/json', 'x-test-address': `198.51.100.${++jtis % 250}`, ...headers },
    })
    return { status: response.status, json: (await response.json()) as Record<string, unknown> }
  }

  it('registers an app and tells what was kept', async () => {
    const { status, json } = await register({
      client_name: 'Diary',
      redirect_uris: ['https://diary.example/cb'],
      token_endpoint_auth_method: 'none',
      scope: 'patient/Observation.rs launch/patient made-up',
      client_uri: 'https://diary.example.com/',
      contacts: ['mail@diary.example'],
      unknown_member: 1,
    })
    expect(status).toBe(201)
    expect(json).toMatchObject({
      client_name: 'Diary',
      redirect_uris: ['https://diary.example/cb'],
      grant_types: ['authorization_code'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      scope: 'launch/patient patient/Observation.rs',
    })
    expect(json.client_secret).toBeUndefined()
    expect(json).not.toHaveProperty('unknown_member')
    const confidential = await register({ redirect_uris: ['https://diary.example/cb'] })
    expect(confidential.json).toMatchObject({
      token_endpoint_auth_method: 'client_secret_basic',
      client_secret_expires_at: 0,
    })
  })

  it.each([
    ['javascript: redirects (A56)', { redirect_uris: ['javascript:alert(1)'] }, 'invalid_redirect_uri'],
    ['http redirects', { redirect_uris: ['http://app.example/cb'] }, 'invalid_redirect_uri'],
    ['no redirects', {}, 'invalid_redirect_uri'],
    ['an empty list', { redirect_uris: [] }, 'invalid_redirect_uri'],
    ['an internal logo (A56)', { logo_uri: 'https://192.168.1.1/logo.png' }, 'invalid_client_metadata'],
    ['an http logo', { logo_uri: 'http://app.example.com/logo.png' }, 'invalid_client_metadata'],
    ['a javascript: home page', { client_uri: 'javascript:alert(1)' }, 'invalid_client_metadata'],
    ['other grant types', { grant_types: ['password'] }, 'invalid_client_metadata'],
    ['other response types', { response_types: ['token'] }, 'invalid_client_metadata'],
    ['other ways to authenticate', { token_endpoint_auth_method: 'client_secret_jwt' }, 'invalid_client_metadata'],
    ['names that turn the reading direction', { client_name: 'Bank\u202eexe' }, 'invalid_client_metadata'],
    ['names that are too long', { client_name: 'x'.repeat(101) }, 'invalid_client_metadata'],
    [
      'private keys',
      {
        token_endpoint_auth_method: 'private_key_jwt',
        jwks: { keys: [{ kty: 'RSA', kid: '1', n: 'x', e: 'y', d: 'z' }] },
      },
      'invalid_client_metadata',
    ],
    [
      'short keys',
      {
        token_endpoint_auth_method: 'private_key_jwt',
        jwks: { keys: [{ kty: 'RSA', kid: '1', n: 'x'.repeat(171), e: 'AQAB' }] },
      },
      'invalid_client_metadata',
    ],
    ['no keys', { token_endpoint_auth_method: 'private_key_jwt' }, 'invalid_client_metadata'],
    [
      'key URLs where nothing is fetched',
      { token_endpoint_auth_method: 'private_key_jwt', jwks_uri: 'https://app.example.com/jwks' },
      'invalid_client_metadata',
    ],
  ])('refuses %s', async (_, metadata, error) => {
    const redirect_uris = error === 'invalid_client_metadata' ? { redirect_uris: ['https://app.example/cb'] } : {}
    const { status, json } = await register({ ...redirect_uris, ...metadata })
    expect([status, json.error]).toEqual([400, error])
  })

  it('refuses bodies that are no object, repeat a name, or are too long', async () => {
    for (const body of ['[]', 'null', '{', '{"client_name":"a","client_name":"b"}', `{"x":"${'x'.repeat(70_000)}"}`])
      expect((await register(body)).json.error).toBe('invalid_client_metadata')
  })

  it('slows an address down that registers without end', async () => {
    const statuses: number[] = []
    const headers = { 'x-test-address': '203.0.113.9' }
    for (let n = 0; n < 25; n++)
      statuses.push((await register({ redirect_uris: ['https://a.example/'] }, headers)).status)
    expect(statuses.slice(0, 20).every(status => status === 201)).toBe(true)
    expect(statuses.at(-1)).toBe(429)
  })
})

describe('SMART 2.2 §1G key sets at a URL – https://hl7.org/fhir/smart-app-launch/STU2.2/client-confidential-asymmetric.html#signature-verification', () => {
  const url = 'https://app.example.com/jwks'
  let withFetch: House
  afterAll(() => withFetch.close())

  function serve(body: unknown, headers: Readonly<Record<string, string>> = {}, status = 200) {
    const seen: { url: string; redirect: string }[] = []
    const fetch = async (target: string, init: { readonly redirect: 'error' }) => {
      seen.push({ url: target, redirect: init.redirect })
      const text = typeof body === 'string' ? body : JSON.stringify(body)
      return new Response(text, { status, headers })
    }
    return { seen, fetch }
  }

  it('authenticates a client by the keys at its registered URL, and follows a rotation', async () => {
    const next = await makeKey('ES384', 'ec-2')
    let keys = [ec.jwk]
    let fetched = 0
    withFetch = await openHouse({
      fetch: async () => {
        fetched += 1
        return Response.json({ keys }, { headers: { 'cache-control': 'max-age=600' } })
      },
    })
    const client = await withFetch.smart.registerClient({
      grant_types: ['client_credentials'],
      token_endpoint_auth_method: 'private_key_jwt',
      jwks_uri: url,
    })
    const id = String(client.client_id)
    await withFetch.smart.approveClient(id, 'system/*.rs')
    expect(fetched).toBe(0)
    const post = async (key: Key, header: Partial<JWTHeaderParameters> = {}) =>
      postForm(withFetch, '/auth/token', {
        grant_type: 'client_credentials',
        client_assertion_type: assertionType,
        client_assertion: await assert(id, { key, claims: { aud: withFetch.baseUrl }, header, clock: withFetch.clock }),
      })
    expect((await post(ec)).status).toBe(200)
    expect((await post(ec, { jku: url })).status).toBe(200)
    expect((await post(ec, { jku: 'https://evil.example/jwks' })).status).toBe(401)
    expect(fetched).toBe(1)
    keys = [next.jwk]
    expect((await post(next)).status).toBe(401)
    withFetch.clock.advance(31_000)
    expect((await post(next)).status).toBe(200)
    expect(fetched).toBe(2)
  })

  it('41: keeps keys no longer than Cache-Control says, and follows no redirect', async () => {
    const clock = new FixedClock(0)
    const { seen, fetch } = serve({ keys: [rsa.jwk] }, { 'cache-control': 'max-age=10' })
    const fetchKeys = openKeySetFetcher({ fetch, clock })
    expect((await fetchKeys(url))?.keys).toHaveLength(1)
    await fetchKeys(url)
    expect(seen).toEqual([{ url, redirect: 'error' }])
    clock.advance(10_000)
    await fetchKeys(url)
    expect(seen).toHaveLength(2)
    const never = serve({ keys: [rsa.jwk] }, { 'cache-control': 'no-store' })
    const fetchAlways = openKeySetFetcher({ fetch: never.fetch, clock })
    await fetchAlways(url)
    await fetchAlways(url)
    expect(never.seen).toHaveLength(2)
  })

  it('A42: asks no address inside the house, and takes nothing that is too long or no key set', async () => {
    const clock = new FixedClock(0)
    const { seen, fetch } = serve({ keys: [rsa.jwk] })
    const fetchKeys = openKeySetFetcher({ fetch, clock })
    for (const inner of [
      'http://app.example.com/jwks',
      'https://10.1.2.3/jwks',
      'https://nas.local/jwks',
      'file:///etc/passwd',
    ])
      expect(await fetchKeys(inner)).toBeUndefined()
    expect(seen).toHaveLength(0)
    for (const body of [
      'x'.repeat(70_000),
      'not json',
      '[]',
      { keys: [] },
      { keys: [{ kty: 'oct', k: 'x', kid: '1' }] },
    ])
      expect(await openKeySetFetcher({ fetch: serve(body).fetch, clock })(url)).toBeUndefined()
    expect(await openKeySetFetcher({ fetch: serve({ keys: [rsa.jwk] }, {}, 500).fetch, clock })(url)).toBeUndefined()
    const failing = openKeySetFetcher({ fetch: () => Promise.reject(new Error('refused')), clock })
    expect(await failing(url)).toBeUndefined()
  })

  it('asks an address once for all who need its keys at the same time, and again after a failure', async () => {
    const asked: (() => void)[] = []
    const fetch = () => new Promise<Response>(resolve => asked.push(() => resolve(Response.json({ keys: [rsa.jwk] }))))
    const fetchKeys = openKeySetFetcher({ fetch, clock: new FixedClock(0) })
    const both = Promise.all([fetchKeys(url), fetchKeys(url), fetchKeys(url)])
    expect(asked).toHaveLength(1)
    asked[0]?.()
    expect((await both).map(found => found?.keys.length)).toEqual([1, 1, 1])
    const answers = [() => Promise.reject(new Error('refused')), async () => Response.json({ keys: [rsa.jwk] })]
    const recovering = openKeySetFetcher({ fetch: () => answers.shift()?.() ?? fetch(), clock: new FixedClock(0) })
    expect(await recovering(url)).toBeUndefined()
    expect((await recovering(url))?.keys).toHaveLength(1)
  })

  it('under the guard of the server: a real one is asked where that is allowed, and rotation, redirect and size are those above', async () => {
    const clock = new FixedClock(0)
    let keys = [rsa.jwk]
    const served = await openForeign((request, response) => {
      if (request.url === '/moved') return void response.writeHead(302, { location: '/jwks' }).end()
      if (request.url === '/large') return void response.end(JSON.stringify({ keys, more: 'x'.repeat(70_000) }))
      response.setHeader('cache-control', 'max-age=60').end(JSON.stringify({ keys }))
    })
    const fetchKeys = openKeySetFetcher({ fetch: openGuardedFetch(['127.0.0.1']), clock })
    const address = `${served.url}/jwks`
    expect((await fetchKeys(address))?.keys).toMatchObject([{ kid: rsa.jwk.kid }])
    keys = [ec.jwk]
    expect((await fetchKeys(address))?.keys).toMatchObject([{ kid: rsa.jwk.kid }])
    clock.advance(60_000)
    expect((await fetchKeys(address))?.keys).toMatchObject([{ kid: ec.jwk.kid }])
    for (const path of ['/moved', '/large']) expect(await fetchKeys(`${served.url}${path}`)).toBeUndefined()
    expect(served.asked).toEqual(['GET /jwks', 'GET /jwks', 'GET /moved', 'GET /large'])
    expect(await openKeySetFetcher({ fetch: openGuardedFetch([]), clock })(address)).toBeUndefined()
    expect(served.asked).toHaveLength(4)
    await served.close()
  })
})
