import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import type { Recovery } from '#smart'
import {
  addApp,
  addFamily,
  allow,
  codeOf,
  type House,
  hidden,
  openHouse,
  password,
  postForm,
  redeem,
  untouchedFields,
  Visitor,
} from './house.ts'

let house: House
let key: { privateKey: CryptoKey; jwk: JWK }
beforeAll(async () => {
  house = await openHouse()
  const { privateKey, publicKey } = await generateKeyPair('ES384', { extractable: true })
  key = { privateKey, jwk: { ...(await exportJWK(publicKey)), kid: 'k1' } }
})
afterAll(() => house.close())

async function addBackend(scope = 'system/Observation.rs system/Patient.rs patient/*.rs'): Promise<string> {
  const client = await house.smart.registerClient({
    client_name: 'Night job',
    grant_types: ['client_credentials'],
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: [key.jwk] },
    scope,
  })
  return String(client.client_id)
}

let jtis = 0
async function askAs(id: string) {
  const claims = { iss: id, sub: id, aud: `${house.baseUrl}/auth/token`, jti: `j${++jtis}` }
  const assertion = await new SignJWT({ ...claims, exp: Math.floor(house.clock.nowMs() / 1000) + 200 })
    .setProtectedHeader({ alg: 'ES384', kid: 'k1' })
    .sign(key.privateKey)
  return postForm(house, '/auth/token', {
    grant_type: 'client_credentials',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
  })
}

describe('the administrator of the host and the apps', () => {
  it('sees every app, oldest first, with what waits for a word, and no secret', async () => {
    const backend = await addBackend()
    house.clock.advance(1)
    const app = await addApp(house)
    const listed = await house.smart.listClients()
    expect(listed.find(({ id }) => id === backend)).toMatchObject({
      name: 'Night job',
      isBackend: true,
      wantedScope: 'system/Observation.rs system/Patient.rs',
      permissions: 0,
    })
    expect(listed.find(({ id }) => id === app)).toMatchObject({ isBackend: false, wantedScope: '' })
    expect(listed.map(({ createdAtMs }) => createdAtMs)).toEqual(
      listed.map(({ createdAtMs }) => createdAtMs).toSorted((a, b) => a - b),
    )
    expect(JSON.stringify(listed)).not.toMatch(/secret|jwk/i)
  })

  it('approves what a backend client asked for, or less, and what it held before ends', async () => {
    const id = await addBackend()
    expect((await askAs(id)).json.error).toBe('unauthorized_client')
    expect(await house.smart.approveClient(id)).toBe('system/Observation.rs system/Patient.rs')
    const { json } = await askAs(id)
    expect(json.scope).toBe('system/Observation.rs system/Patient.rs')
    expect(await house.smart.approveClient(id, 'system/Patient.r')).toBe('system/Patient.r')
    expect(await codeOf(house.smart.authenticate(String(json.access_token)))).toBe('token.unknown')
    expect((await askAs(id)).json.scope).toBe('system/Patient.r')
  })

  it('refuses to approve people’s apps, nothing at all, or scopes that are no system/ scopes', async () => {
    const id = await addBackend()
    for (const scope of ['', ' ', 'patient/*.rs', 'system/*.rs user/*.rs', 'system/*.sr', 'openid'])
      expect(await codeOf(house.smart.approveClient(id, scope))).toBe('smart.approval-malformed')
    expect(await codeOf(house.smart.approveClient(await addApp(house)))).toBe('smart.approval-malformed')
    expect(await codeOf(house.smart.approveClient(await addBackend('patient/*.rs')))).toBe('smart.approval-malformed')
    expect(await codeOf(house.smart.approveClient('nobody'))).toBe('smart.client-absent')
    expect(await codeOf(house.smart.endClient('nobody'))).toBe('smart.client-absent')
  })

  it('ends a backend client: its token, its key and its place in the list are gone', async () => {
    const id = await addBackend()
    await house.smart.approveClient(id)
    const { json } = await askAs(id)
    await house.smart.endClient(id)
    expect(await codeOf(house.smart.authenticate(String(json.access_token)))).toBe('token.unknown')
    expect((await askAs(id)).json.error).toBe('invalid_client')
    expect((await house.smart.listClients()).some(client => client.id === id)).toBe(false)
  })

  it('ends an app with everything that people allowed it, and the origins that only it came from', async () => {
    const shared = 'https://shared.example.com'
    const app = { redirect_uris: ['http://127.0.0.1:9/callback', 'https://own.example.com/cb', `${shared}/cb`] }
    const granted = await allow(house, { app })
    await addApp(house, { redirect_uris: [`${shared}/other`] })
    const { json } = await redeem(house, granted)
    await house.smart.endClient(granted.clientId)
    expect(await codeOf(house.smart.authenticate(String(json.access_token)))).toBe('token.unknown')
    const refreshed = { grant_type: 'refresh_token', refresh_token: String(json.refresh_token) }
    expect((await postForm(house, '/auth/token', refreshed)).status).toBe(400)
    expect((await granted.visitor.ask('/account')).text).not.toContain(`value="${granted.clientId}"`)
    expect(await house.smart.allowsOrigin('https://own.example.com')).toBe(false)
    expect(await house.smart.allowsOrigin(shared)).toBe(true)
  })

  it('leaves a code that was given out before the end worth nothing', async () => {
    const granted = await allow(house)
    await house.smart.endClient(granted.clientId)
    expect((await redeem(house, granted)).json.error).toBe('invalid_client')
  })
})

describe('the same over HTTP', () => {
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
  const mint = (scope: string) => house.smart.mint({ scope, ttlMs: 60_000 })
  const list = async (headers: Readonly<Record<string, string>>) => {
    const response = await fetch(`${house.baseUrl}/auth/clients`, { headers })
    return { status: response.status, json: (await response.json()) as Record<string, unknown> }
  }

  it('lists, approves and ends with a token that was minted on the host for everything', async () => {
    const id = await addBackend()
    const admin = bearer(await mint('system/*.cruds'))
    const { json } = await list(admin)
    const mine = (json.clients as { client_id: string }[]).find(({ client_id }) => client_id === id)
    expect(mine).toMatchObject({ backend: true, wanted_scope: 'system/Observation.rs system/Patient.rs' })
    const fields = { client_id: id, scope: 'system/Patient.rs' }
    expect((await postForm(house, '/auth/clients/approve', fields, admin)).json.approved_scope).toBe(
      'system/Patient.rs',
    )
    expect((await askAs(id)).status).toBe(200)
    expect((await postForm(house, '/auth/clients/end', { client_id: id }, admin)).json.ended).toBe(true)
    expect((await postForm(house, '/auth/clients/end', { client_id: id }, admin)).status).toBe(400)
    expect((await postForm(house, '/auth/clients/end', {}, admin)).json.error).toBe('invalid_request')
  })

  it('is refused to everybody else, be it a client that was approved for everything', async () => {
    const id = await addBackend('system/*.cruds')
    await house.smart.approveClient(id)
    const everything = String((await askAs(id)).json.access_token)
    const person = String((await redeem(house, await allow(house))).json.access_token)
    for (const token of [everything, person, await mint('system/*.rs'), await mint('system/Patient.cruds')]) {
      const refused = await postForm(house, '/auth/clients/approve', { client_id: id }, bearer(token))
      expect([refused.status, refused.json.error]).toEqual([403, 'insufficient_scope'])
      expect((await list(bearer(token))).status).toBe(403)
    }
    expect((await list({})).json.error).toBe('invalid_token')
    expect((await list(bearer('nonsense'))).status).toBe(401)
  })
})

describe('accounts that the administrator makes', () => {
  it('have no password until the person behind them has chosen one, at an address that works once', async () => {
    const id = await house.smart.createAccount({ name: 'Invited' })
    expect((await house.smart.listAccounts()).find(account => account.id === id)).toMatchObject({
      name: 'Invited',
      hasPassword: false,
      isOwner: false,
      patients: 0,
    })
    expect((await new Visitor(house).logIn('Invited', '')).status).toBe(400)
    const { url } = await house.smart.resetAccount('invited')
    const visitor = new Visitor(house)
    const page = await visitor.ask(url)
    expect(page.text).toContain('<strong>Invited</strong>')
    const fields = { ...untouchedFields(page.text), password, again: password }
    expect((await visitor.post('/account/reset', { ...fields, again: 'another one' })).text).toContain(
      'data-code="smart.passwords-differ"',
    )
    expect((await visitor.post('/account/reset', { ...fields, password: 'short', again: 'short' })).text).toContain(
      'data-code="smart.password-weak"',
    )
    const sent = await visitor.post('/account/reset', fields)
    expect([sent.status, sent.location?.pathname]).toEqual([303, '/account'])
    expect((await visitor.ask('/account')).text).toContain('Invited')
    expect((await house.smart.listAccounts()).find(account => account.id === id)?.hasPassword).toBe(true)
    const late = { ...fields, csrf: hidden((await visitor.ask('/account')).text, 'csrf') }
    const again = await visitor.post('/account/reset', late)
    expect([again.status, again.text]).toEqual([403, expect.stringContaining('smart.reset-refused')])
  })

  it('keep the old password until the address is used, which also ends sessions and apps', async () => {
    const granted = await allow(house, { name: 'Forgetful' })
    const { json } = await redeem(house, granted)
    const { url } = await house.smart.resetAccount('Forgetful')
    expect((await new Visitor(house).logIn('Forgetful')).status).toBe(303)
    const visitor = new Visitor(house)
    const page = await visitor.ask(url)
    const fields = { ...untouchedFields(page.text), password: 'seven purple kites', again: 'seven purple kites' }
    expect((await visitor.post('/account/reset', fields)).location?.search).toBe('?done=password')
    expect((await granted.visitor.ask('/account')).location?.pathname).toBe('/auth/login')
    expect(await codeOf(house.smart.authenticate(String(json.access_token)))).toBe('token.unknown')
    expect((await new Visitor(house).logIn('Forgetful', 'seven purple kites')).status).toBe(303)
  })

  it('have one address at a time, for a day, and none for a name that is nobody’s', async () => {
    await house.smart.createAccount({ name: 'Slow' })
    const first = await house.smart.resetAccount('Slow')
    const second = await house.smart.resetAccount('Slow')
    expect((await new Visitor(house).ask(first.url)).status).toBe(403)
    expect((await new Visitor(house).ask(second.url)).status).toBe(200)
    house.clock.advance(24 * 3600_000)
    expect((await new Visitor(house).ask(second.url)).status).toBe(403)
    expect((await new Visitor(house).ask('/account/reset?code=guess')).status).toBe(403)
    expect(await codeOf(house.smart.resetAccount('Nobody here'))).toBe('smart.account-absent')
  })
})

describe('the recovery code', () => {
  const paper = 'WXYZ-1234'
  let state: Awaited<ReturnType<Recovery['state']>> = 'none'
  let made = 0
  const recovery: Recovery = {
    state: async () => state,
    make: async () => {
      state = 'untried'
      made += 1
      return paper
    },
    check: async code => {
      const fits = code.toUpperCase().replaceAll(/[^A-Z0-9]/g, '') === 'WXYZ1234'
      if (fits) state = 'tried'
      return fits
    },
  }
  let safe: House
  beforeAll(async () => {
    safe = await openHouse({ recovery })
  })
  afterAll(() => safe.close())

  it('is shown once at the claim, and typed back', async () => {
    const owner = new Visitor(safe)
    const page = await owner.ask((await safe.smart.claimUrl()) ?? '')
    const fields = { ...untouchedFields(page.text), name: 'Anna', password, again: password }
    const claimed = await owner.post('/claim', fields)
    expect([claimed.status, claimed.text]).toEqual([200, expect.stringContaining(paper)])
    expect(claimed.headers.get('cache-control')).toContain('no-store')
    expect((await owner.ask('/account')).text).toContain('Nobody has typed the recovery code back yet.')
    const csrf = hidden(claimed.text, 'csrf')
    const wrong = await owner.post('/account/recovery/try', { csrf, code: 'WXYZ-1235' })
    expect([wrong.status, wrong.text]).toEqual([400, expect.stringContaining('data-code="smart.recovery-wrong"')])
    expect(wrong.text).not.toContain(paper)
    const right = await owner.post('/account/recovery/try', { csrf, code: ' wxyz 1234 ' })
    expect(right.location?.search).toBe('?done=recovery')
    expect((await owner.ask('/account')).text).toContain('it was tried')
  })

  it('is made anew for the owner only, after the password', async () => {
    const owner = new Visitor(safe)
    await owner.logIn('Anna')
    const before = made
    const ask = async (visitor: Visitor, current: string) => {
      const csrf = hidden((await visitor.ask('/account')).text, 'csrf')
      return visitor.post('/account/recovery', { csrf, current })
    }
    expect((await ask(owner, 'not this one')).location?.search).toBe('?done=recovery-failed')
    await addFamily(safe, 'Guest')
    const guest = new Visitor(safe)
    await guest.logIn('Guest')
    expect((await guest.ask('/account')).text).not.toContain('ecovery code')
    expect((await ask(guest, password)).location?.pathname).toBe('/account')
    expect(made).toBe(before)
    expect((await ask(owner, password)).text).toContain(paper)
    expect(made).toBe(before + 1)
  })
})
