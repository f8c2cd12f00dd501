import { addApp, addFamily, addPatient, allow, codeOf, type House, openHouse, postForm, redeem } from './house.ts'

let house: House
beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house.close())

const hour = 3600_000

describe('tokens of the administrator', () => {
  it('system/*.cruds gives everything, for as long as was said', async () => {
    const token = await house.smart.mint({ scope: 'system/*.cruds', ttlMs: hour })
    const grant = await house.smart.authenticate(token)
    expect(grant).toMatchObject({ patients: 'all', actor: { kind: 'administrator' } })
    expect(grant.expiresAtMs).toBe(house.clock.nowMs() + hour)
    house.clock.advance(hour)
    expect(await codeOf(house.smart.authenticate(token))).toBe('token.expired')
  })

  it('patient/ scopes reach the named patient only', async () => {
    const { patients } = await addFamily(house, 'Anna')
    const scope = 'patient/Patient.rs patient/Observation.rs?category=vital-signs'
    const token = await house.smart.mint({ scope, patient: patients[0] ?? '', ttlMs: hour })
    const grant = await house.smart.authenticate(token)
    expect(grant).toMatchObject({ patient: patients[0], patients: [] })
    expect(grant.account).toBeUndefined()
    const reader = house.record.reader(grant)
    await expect(reader.read('Patient', patients[0] ?? '')).resolves.toBeDefined()
    expect(await codeOf(reader.read('Patient', patients[1] ?? ''))).toBe('record.unknown')
  })

  it('A45, A46: refuses scopes that are malformed, need an account, or lack their patient', async () => {
    const mint = (scope: string, patient?: string, ttlMs = hour) =>
      codeOf(house.smart.mint({ scope, ttlMs, ...(patient === undefined ? {} : { patient }) }))
    for (const scope of ['', 'openid', 'system/Nothing.rs', 'system/*.sr', 'system/*.rs nonsense', 'patient%2F*.rs'])
      expect(await mint(scope)).toBe('smart.mint-scope-malformed')
    expect(await mint('patient/*.rs')).toBe('smart.mint-patient-missing')
    expect(await mint('system/*.rs', 'p1')).toBe('smart.mint-patient-missing')
    expect(await mint('user/*.rs')).toBe('smart.mint-scope-of-user')
    expect(await mint('system/*.rs', undefined, 0)).toBe('smart.mint-ttl-invalid')
    expect(await mint('system/*.rs', undefined, Number.NaN)).toBe('smart.mint-ttl-invalid')
  })

  it('can be ended by whoever holds one', async () => {
    const token = await house.smart.mint({ scope: 'system/*.rs', ttlMs: hour })
    expect((await postForm(house, '/auth/revoke', { token })).status).toBe(200)
    expect(await codeOf(house.smart.authenticate(token))).toBe('token.unknown')
  })
})

describe('a token that is presented again and again', () => {
  it('is looked up once, and anew when a document was written or its time is over', async () => {
    const { document } = house.store
    let lookups = 0
    house.store.document = (...of) => {
      lookups += 1
      return document.apply(house.store, of)
    }
    const token = await house.smart.mint({ scope: 'system/*.rs', ttlMs: hour })
    const present = async (times: number) => {
      const before = lookups
      for (let time = 0; time < times; time++) await house.smart.authenticate(token)
      return lookups - before
    }
    await present(1)
    expect(await present(10)).toBe(0)
    const other = await house.smart.mint({ scope: 'system/*.rs', ttlMs: hour })
    expect(await present(10)).toBe(1)
    await postForm(house, '/auth/revoke', { token: other })
    expect(await codeOf(house.smart.authenticate(other))).toBe('token.unknown')
    house.clock.advance(hour)
    expect(await codeOf(house.smart.authenticate(token))).toBe('token.expired')
    house.store.document = document
  })
})

describe('the grant of a family member', () => {
  it('is the same until a patient is added to the family, and then reaches that one too', async () => {
    const { json } = await redeem(house, await allow(house, { scope: 'openid fhirUser user/Observation.rs' }))
    const authenticate = () => house.smart.authenticate(String(json.access_token))
    const grant = await authenticate()
    expect(await authenticate()).toBe(grant)
    await addPatient(house, String(grant.account), 'Nora', 'another')
    expect((await authenticate()).patients).toEqual([...grant.patients, 'another'])
  })
})

describe('what is no access token', () => {
  it('A43: id_tokens, refresh tokens, codes and rubbish are not', async () => {
    const granted = await allow(house, { scope: 'openid launch/patient patient/Observation.rs offline_access' })
    const { json } = await redeem(house, granted)
    for (const text of [json.id_token, json.refresh_token, granted.code, '', 'x'.repeat(43), `${json.access_token}x`])
      expect(await codeOf(house.smart.authenticate(String(text)))).toBe('token.unknown')
  })

  it('is kept nowhere as it was told', async () => {
    const { json } = await redeem(house, await allow(house))
    const stored = await house.documents.list<object>('smart.tokens')
    const text = JSON.stringify(stored)
    expect(stored.length).toBeGreaterThan(1)
    expect(text).not.toContain(String(json.access_token))
    expect(text).not.toContain(String(json.refresh_token))
  })

  it('a token whose context was lost reaches nothing (A45)', async () => {
    const { json } = await redeem(house, await allow(house))
    const name = house.vault.mac('smart.token', Buffer.from(String(json.access_token))).toString('hex')
    const found = await house.documents.get<{ patient?: string; account?: string }>('smart.tokens', name)
    const { patient: _, account: __, ...rest } = found?.value ?? {}
    await house.documents.put('smart.tokens', name, rest)
    const other = await house.again()
    expect((await other.authenticate(String(json.access_token))).terms).toEqual([])
  })
})

describe('SMART 2.2 §1F introspection – https://hl7.org/fhir/smart-app-launch/STU2.2/token-introspection.html', () => {
  const bearer = (token: unknown) => ({ authorization: `Bearer ${token}` })
  const introspect = (token: unknown, headers: Readonly<Record<string, string>> = {}) =>
    postForm(house, '/auth/introspect', { token: String(token) }, headers)

  it('39: tells a bearer about its own token, and exactly active:false of what is no token', async () => {
    const { json } = await redeem(house, await allow(house))
    const { status, json: described } = await introspect(json.access_token, bearer(json.access_token))
    expect(status).toBe(200)
    expect(described).toMatchObject({ active: true, scope: json.scope, patient: json.patient, token_type: 'Bearer' })
    expect(described.exp).toBe(Math.floor((house.clock.nowMs() + hour) / 1000))
    expect((await introspect('invalid_token_value', bearer(json.access_token))).json).toEqual({ active: false })
    const refresh = await introspect(json.refresh_token, bearer(json.access_token))
    expect(refresh.json.active).toBe(true)
  })

  it('39: a token that may read everything may ask about any', async () => {
    const { json } = await redeem(house, await allow(house))
    const admin = await house.smart.mint({ scope: 'system/*.rs', ttlMs: hour })
    expect((await introspect(json.access_token, bearer(admin))).json.active).toBe(true)
    const narrow = await house.smart.mint({ scope: 'system/Observation.rs', ttlMs: hour })
    expect((await introspect(json.access_token, bearer(narrow))).json).toEqual({ active: false })
    const stranger = await redeem(house, await allow(house, { name: 'Stranger' }))
    expect((await introspect(json.access_token, bearer(stranger.json.access_token))).json).toEqual({ active: false })
  })

  it('tells nothing to strangers, public clients and broken tokens', async () => {
    expect((await introspect('x')).json.error).toBe('invalid_client')
    const clientId = await addApp(house)
    const named = await postForm(house, '/auth/introspect', { token: 'x', client_id: clientId })
    expect([named.status, named.json.error]).toEqual([401, 'invalid_client'])
    const broken = await introspect('x', bearer('nonsense'))
    expect([broken.status, broken.json.error]).toEqual([401, 'invalid_token'])
    const admin = await house.smart.mint({ scope: 'system/*.rs', ttlMs: hour })
    expect((await postForm(house, '/auth/introspect', {}, bearer(admin))).json.error).toBe('invalid_request')
  })

  it('tells of expired and spent tokens that they are not active', async () => {
    const granted = await allow(house)
    const { json } = await redeem(house, granted)
    const admin = await house.smart.mint({ scope: 'system/*.rs', ttlMs: 10 * hour })
    await postForm(house, '/auth/token', {
      grant_type: 'refresh_token',
      refresh_token: String(json.refresh_token),
      client_id: granted.clientId,
    })
    expect((await introspect(json.refresh_token, bearer(admin))).json).toEqual({ active: false })
    house.clock.advance(hour)
    expect((await introspect(json.access_token, bearer(admin))).json).toEqual({ active: false })
  })
})
