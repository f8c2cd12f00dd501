import { randomBytes } from 'node:crypto'
import {
  addApp,
  addFamily,
  allow,
  authorizeParams,
  challenge,
  codeOf,
  decide,
  type Granted,
  type House,
  hidden,
  letIn,
  openConsent,
  openHouse,
  postForm,
  redeem,
  redirectUri,
  Visitor,
  verifier,
} from './house.ts'

let house: House
let known: Promise<Granted>
beforeAll(async () => {
  house = await openHouse()
  known = allow(house)
})
afterAll(() => house.close())

const tooMany = Array.from({ length: 201 }, (_, n) => `patient/Observation.rs?code=${n}`).join(' ')
const authorize = (params: URLSearchParams) => new Visitor(house).ask(`/auth/authorize?${params}`)

describe('SMART 2.2 §1B authorize – https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html', () => {
  it('leads a person from login over consent to a code, with the exact state and this issuer', async () => {
    const { patients } = await addFamily(house, 'Anna')
    const clientId = await addApp(house)
    const visitor = new Visitor(house)
    const started = await visitor.ask(`/auth/authorize?${authorizeParams(house, clientId)}`)
    expect(started.status).toBe(303)
    const toLogin = await visitor.ask(started.location ?? '')
    expect(toLogin.location?.pathname).toBe('/auth/login')
    const sealed = toLogin.location?.searchParams.get('request') ?? ''
    const loggedIn = await visitor.logIn('anna', undefined, sealed)
    const page = await visitor.ask(loggedIn.location ?? '')
    expect(page.text).toContain('Heart Diary')
    expect(page.text).toContain('Greta Weber, born 1950-04-01')
    expect(page.text).toContain('Measurements and test results')
    const sent = await decide(visitor, page, { patient: patients[1] ?? '' })
    expect(sent.status).toBe(303)
    expect(`${sent.location?.origin}${sent.location?.pathname}`).toBe(redirectUri)
    expect(sent.location?.searchParams.get('state')).toBe('a state & more')
    expect(sent.location?.searchParams.get('iss')).toBe(house.baseUrl)
    expect(sent.location?.searchParams.get('code')).toMatch(/^[\w-]{43}$/)
  })

  it('8: takes a POST as well as a GET', async () => {
    const clientId = await addApp(house)
    const fields = Object.fromEntries(authorizeParams(house, clientId))
    const started = await new Visitor(house).post('/auth/authorize', fields)
    expect(started.location?.pathname).toBe('/auth/consent')
  })

  it('8, A50: shows an error page, and redirects nobody, for an unknown app or address', async () => {
    const clientId = await addApp(house)
    const foreign = [
      `${redirectUri}/more`,
      redirectUri.slice(0, -1),
      'https://127.0.0.1:9/callback',
      'http://localhost:9/callback',
      'http://127.0.0.1:9@evil.example/callback',
      'http://127.0.0.1:9//callback',
      `${redirectUri}#fragment`,
      'http://127.0.0.1:9/%63allback',
      `${redirectUri}?x=1`,
      'https://evil.example/callback',
      'HTTP://127.0.0.1:9/callback',
    ]
    for (const redirect_uri of foreign) {
      const answer = await authorize(authorizeParams(house, clientId, { redirect_uri }))
      expect([answer.status, answer.location]).toEqual([400, undefined])
      expect(answer.text).toContain('smart.redirect-unknown')
    }
    const unknown = await authorize(authorizeParams(house, 'nobody'))
    expect([unknown.status, unknown.location]).toEqual([400, undefined])
    expect(unknown.text).toContain('smart.client-unknown')
    const doubled = authorizeParams(house, clientId)
    doubled.append('redirect_uri', 'https://evil.example')
    expect((await authorize(doubled)).text).toContain('smart.invalid-request')
    const long = await authorize(authorizeParams(house, clientId, { state: 'x'.repeat(2049) }))
    expect([long.status, long.location]).toEqual([400, undefined])
  })

  it.each([
    ['9: a foreign aud', { aud: 'https://inferno.healthit.gov/invalid_aud' }, 'invalid_request'],
    ['9: a missing aud', { aud: '' }, 'invalid_request'],
    ['A52: a foreign resource beside the right aud', { resource: 'https://evil.example/fhir' }, 'invalid_request'],
    ['10: a missing challenge', { code_challenge: '' }, 'invalid_request'],
    ['10: a plain challenge', { code_challenge_method: 'plain' }, 'invalid_request'],
    ['10: a missing challenge method', { code_challenge_method: '' }, 'invalid_request'],
    ['10: a challenge that is no hash', { code_challenge: 'abc' }, 'invalid_request'],
    ['another response type', { response_type: 'token' }, 'unsupported_response_type'],
    ['a missing response type', { response_type: '' }, 'invalid_request'],
    ['another response mode', { response_mode: 'fragment' }, 'invalid_request'],
    ['a request object', { request: 'eyJ' }, 'request_not_supported'],
    ['A52: a launch that was not started here', { launch: 'launch-of-user-b' }, 'invalid_request'],
    ['scopes that nobody can grant', { scope: 'system/*.rs patient/*.sr unknown' }, 'invalid_scope'],
    ['no scope', { scope: '' }, 'invalid_scope'],
    ['more scopes than a page can ask', { scope: tooMany }, 'invalid_scope'],
    ['a nonce that is too long', { nonce: 'x'.repeat(513) }, 'invalid_request'],
    ['a prompt it does not know', { prompt: 'maybe' }, 'invalid_request'],
    ['contradicting prompts', { prompt: 'none login' }, 'invalid_request'],
    ['a max_age that is no number', { max_age: 'soon' }, 'invalid_request'],
  ])('tells an app that was let in before of %s, with state and issuer and without a code', async (_, more, error) => {
    const { clientId } = await known
    const answer = await authorize(authorizeParams(house, clientId, more))
    const params = answer.location?.searchParams
    expect(answer.location?.href.startsWith(redirectUri)).toBe(true)
    expect(params?.get('error')).toBe(error)
    expect(params?.get('state')).toBe('a state & more')
    expect(params?.get('iss')).toBe(house.baseUrl)
    expect(params?.has('code')).toBe(false)
  })

  it('9: takes aud with a slash at its end, and resource in its place', async () => {
    const clientId = await addApp(house)
    for (const more of [{ aud: `${house.fhirBase}/` }, { aud: '', resource: house.fhirBase }]) {
      const params = authorizeParams(house, clientId, more)
      if (more.aud === '') params.delete('aud')
      expect((await authorize(params)).location?.pathname).toBe('/auth/consent')
    }
  })

  it('takes long lists of granular scopes, which fit into a URL sealed, and refuses what does not', async () => {
    const { clientId } = await allow(house)
    const codes = Array.from({ length: 60 }, (_, n) => `patient/Observation.rs?code=http://loinc.org|${10_000 + n}-1`)
    const long = await new Visitor(house).post('/auth/authorize', {
      ...Object.fromEntries(authorizeParams(house, clientId)),
      scope: codes.join(' '),
    })
    expect(long.location?.pathname).toBe('/auth/consent')
    expect(long.location?.href.length).toBeLessThan(2000)
    const random = Array.from({ length: 100 }, () => `patient/Observation.rs?code=${randomBytes(100).toString('hex')}`)
    const longer = await new Visitor(house).post('/auth/authorize', {
      ...Object.fromEntries(authorizeParams(house, clientId)),
      scope: random.join(' '),
    })
    expect(longer.location?.searchParams.get('error')).toBe('invalid_request')
  })

  it('keeps the query of a redirect URI as the app registered it', async () => {
    const uri = 'https://app.example/cb?b=%20&a=1'
    const clientId = await addApp(house, { redirect_uris: [uri] })
    await letIn(house, clientId, uri)
    const answer = await authorize(authorizeParams(house, clientId, { redirect_uri: uri, aud: 'x' }))
    expect(answer.headers.get('location')?.startsWith(`${uri}&error=invalid_request`)).toBe(true)
  })

  it('asks nobody under prompt=none', async () => {
    await addFamily(house, 'Nora')
    const visitor = new Visitor(house)
    const { clientId } = await allow(house)
    const params = authorizeParams(house, clientId, { prompt: 'none' })
    const anonymous = await openConsent(visitor, params)
    expect(anonymous.location?.searchParams.get('error')).toBe('login_required')
    await visitor.logIn('Nora')
    const known = await openConsent(visitor, params)
    expect(known.location?.searchParams.get('error')).toBe('consent_required')
  })

  it('asks for the password again under prompt=login, and when max_age has passed', async () => {
    await addFamily(house, 'Olga')
    const clientId = await addApp(house)
    const visitor = new Visitor(house)
    await visitor.logIn('Olga')
    house.clock.advance(60_000)
    for (const more of [{ prompt: 'login' }, { max_age: '30' }]) {
      const toLogin = await openConsent(visitor, authorizeParams(house, clientId, more))
      expect(toLogin.location?.pathname).toBe('/auth/login')
      const sealed = toLogin.location?.searchParams.get('request') ?? ''
      const back = await visitor.logIn('Olga', undefined, sealed)
      expect((await visitor.ask(back.location ?? '')).text).toContain('Heart Diary')
      house.clock.advance(60_000)
    }
    expect((await openConsent(visitor, authorizeParams(house, clientId, { max_age: '3600' }))).status).toBe(200)
  })

  it('refuses a request that was tampered with, or that took longer than half an hour', async () => {
    const started = await authorize(authorizeParams(house, await addApp(house)))
    const sealed = started.location?.searchParams.get('request') ?? ''
    const changed = `${sealed.slice(0, 40)}${sealed[40] === 'A' ? 'B' : 'A'}${sealed.slice(41)}`
    for (const request of [changed, 'rubbish', ''])
      expect((await new Visitor(house).ask(`/auth/consent?request=${request}`)).text).toContain('smart.request-lost')
    house.clock.advance(31 * 60_000)
    expect((await new Visitor(house).ask(`/auth/consent?request=${sealed}`)).text).toContain('smart.request-lost')
  })
})

describe('SMART 2.2 §1C token – https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#obtain-access-token', () => {
  it('14, 15: redeems a code for tokens in the context of the chosen patient', async () => {
    const granted = await allow(house)
    const { status, headers, json } = await redeem(house, granted)
    expect(status).toBe(200)
    expect(json).toMatchObject({
      token_type: 'Bearer',
      expires_in: 3600,
      scope: 'launch/patient offline_access patient/Observation.rs',
      patient: granted.patient,
    })
    expect(headers.get('cache-control')).toContain('no-store')
    expect(headers.get('pragma')).toContain('no-cache')
    const grant = await house.smart.authenticate(String(json.access_token))
    expect(grant).toMatchObject({ patient: granted.patient, patients: [], account: granted.account })
    expect(grant.terms.map(term => term.text)).toEqual(['patient/Observation.rs'])
  })

  it('16: refuses a token after its hour', async () => {
    const { json } = await redeem(house, await allow(house))
    house.clock.advance(3600_000)
    expect(await codeOf(house.smart.authenticate(String(json.access_token)))).toBe('token.expired')
    house.clock.advance(3600_000)
    expect(await codeOf(house.smart.authenticate(String(json.access_token)))).toBe('token.unknown')
  })

  it('17: answers 400 to a bad code and 401 to a bad client', async () => {
    const granted = await allow(house)
    const badCode = await redeem(house, { ...granted, code: 'BAD_CODE' })
    expect([badCode.status, badCode.json.error]).toEqual([400, 'invalid_grant'])
    const badClient = await redeem(house, { ...granted, clientId: 'BAD_CLIENT_ID' })
    expect([badClient.status, badClient.json.error]).toEqual([401, 'invalid_client'])
    expect((await redeem(house, granted)).status).toBe(200)
  })

  it.each([
    ['absent', ''],
    ['blank', ' '],
    ['wrong', 'x'.repeat(43)],
    ['the challenge itself', challenge],
  ])('18: refuses a code whose verifier is %s, and burns it', async (_, code_verifier) => {
    const granted = await allow(house)
    const refused = await redeem(house, granted, { code_verifier })
    expect([refused.status, refused.json.error]).toEqual([400, 'invalid_grant'])
    expect((await redeem(house, granted)).status).toBe(400)
  })

  it('refuses a code after a minute, under another redirect URI, or for another app (A51)', async () => {
    const late = await allow(house)
    house.clock.advance(60_000)
    expect((await redeem(house, late)).json.error).toBe('invalid_grant')
    const moved = await redeem(house, await allow(house), { redirect_uri: `${redirectUri}2` })
    expect(moved.json.error).toBe('invalid_grant')
    const swapped = await redeem(house, { ...(await allow(house)), clientId: await addApp(house) })
    expect(swapped.json.error).toBe('invalid_grant')
  })

  it('19, A51: refuses a replayed code and ends what came of it', async () => {
    const granted = await allow(house)
    const { json } = await redeem(house, granted)
    const replayed = await redeem(house, granted)
    expect([replayed.status, replayed.json.error]).toEqual([400, 'invalid_grant'])
    expect(await codeOf(house.smart.authenticate(String(json.access_token)))).toBe('token.unknown')
    const refreshed = await postForm(house, '/auth/token', {
      grant_type: 'refresh_token',
      refresh_token: String(json.refresh_token),
      client_id: granted.clientId,
    })
    expect(refreshed.json.error).toBe('invalid_grant')
  })

  it('lets one of two racing redemptions win', async () => {
    const granted = await allow(house)
    const replies = await Promise.all([redeem(house, granted), redeem(house, granted), redeem(house, granted)])
    expect(replies.map(({ status }) => status).sort()).toEqual([200, 400, 400])
  })

  it.each([
    ['no grant type', { grant_type: '' }, 'invalid_request'],
    ['an unknown grant type', { grant_type: 'password' }, 'unsupported_grant_type'],
    ['no code', { code: '' }, 'invalid_request'],
  ])('answers 400 to %s', async (_, more, error) => {
    const reply = await redeem(house, await allow(house), more)
    expect([reply.status, reply.json.error]).toEqual([400, error])
  })

  it('refuses bodies that are no forms, and repeated parameters', async () => {
    const url = `${house.baseUrl}/auth/token`
    const json = await fetch(url, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } })
    expect([json.status, await json.json()]).toMatchObject([400, { error: 'invalid_request' }])
    const twice = new URLSearchParams('grant_type=authorization_code&grant_type=refresh_token')
    expect((await fetch(url, { method: 'POST', body: twice })).status).toBe(400)
    const long = new URLSearchParams({ grant_type: 'authorization_code', code: 'x'.repeat(70_000) })
    expect((await fetch(url, { method: 'POST', body: long })).status).toBe(400)
  })
})

describe('SMART 2.2 §1C refresh – https://www.rfc-editor.org/rfc/rfc9700#section-4.14', () => {
  const refresh = (clientId: string, token: unknown, more: Readonly<Record<string, string>> = {}) =>
    postForm(house, '/auth/token', {
      grant_type: 'refresh_token',
      refresh_token: String(token),
      client_id: clientId,
      ...more,
    })

  async function start(scope = 'launch/patient patient/Observation.rs patient/Condition.rs offline_access') {
    const granted = await allow(house, { scope })
    return { ...granted, json: (await redeem(house, granted)).json }
  }

  it('20: gives new tokens with the same context, with and without scope', async () => {
    const { clientId, patient, json } = await start()
    const second = await refresh(clientId, json.refresh_token)
    expect(second.status).toBe(200)
    expect(second.headers.get('pragma')).toContain('no-cache')
    expect(second.json).toMatchObject({ scope: json.scope, patient, token_type: 'Bearer', expires_in: 3600 })
    expect(second.json.refresh_token).not.toBe(json.refresh_token)
    const third = await refresh(clientId, second.json.refresh_token, { scope: 'patient/Condition.rs launch/patient' })
    expect(third.json.scope).toBe('launch/patient patient/Condition.rs')
    const narrowed = await house.smart.authenticate(String(third.json.access_token))
    expect(narrowed.terms.map(term => term.text)).toEqual(['patient/Condition.rs'])
    const fourth = await refresh(clientId, third.json.refresh_token)
    expect(fourth.json.scope).toBe(json.scope)
  })

  it('A47: refuses to widen, and does not spend the token for it', async () => {
    const { clientId, json } = await start()
    for (const scope of ['patient/*.rs', 'patient/Observation.cruds', 'user/Observation.rs', 'openid', 'nonsense'])
      expect((await refresh(clientId, json.refresh_token, { scope })).json.error).toBe('invalid_scope')
    expect((await refresh(clientId, json.refresh_token, { scope: 'patient/Observation.r' })).status).toBe(200)
  })

  it('20: takes a public app that leaves client_id out, and no other app', async () => {
    const { json } = await start()
    const fields = { grant_type: 'refresh_token', refresh_token: String(json.refresh_token) }
    const foreign = await postForm(house, '/auth/token', { ...fields, client_id: await addApp(house) })
    expect(foreign.json.error).toBe('invalid_grant')
    expect((await postForm(house, '/auth/token', fields)).status).toBe(200)
  })

  it('21: refuses unknown tokens', async () => {
    const clientId = await addApp(house)
    const reply = await refresh(clientId, '6f0c2f0a-94f5-4a8e-8e7e-3f1f5c9f0f5e')
    expect([reply.status, reply.json.error]).toEqual([400, 'invalid_grant'])
    expect((await refresh(clientId, '')).json.error).toBe('invalid_request')
    const { json } = await start()
    expect((await refresh(clientId, json.access_token)).json.error).toBe('invalid_grant')
  })

  it('21, A53: ends the whole family when an old token comes again', async () => {
    const { clientId, json } = await start()
    const second = await refresh(clientId, json.refresh_token)
    expect((await refresh(clientId, json.refresh_token)).json.error).toBe('invalid_grant')
    expect(await codeOf(house.smart.authenticate(String(second.json.access_token)))).toBe('token.unknown')
    expect((await refresh(clientId, second.json.refresh_token)).json.error).toBe('invalid_grant')
  })

  it('gives at most one of two racing refreshes new tokens, and then ends the family', async () => {
    const { clientId, json } = await start()
    const replies = await Promise.all([refresh(clientId, json.refresh_token), refresh(clientId, json.refresh_token)])
    expect(replies.filter(({ status }) => status === 200).length).toBeLessThanOrEqual(1)
    expect(await codeOf(house.smart.authenticate(String(json.access_token)))).toBe('token.unknown')
    for (const { json: answer } of replies)
      expect(await codeOf(house.smart.authenticate(String(answer.access_token)))).toBe('token.unknown')
  })

  it('23: keeps access for as long as the person chose', async () => {
    const { visitor, clientId, account } = await start()
    const page = await openConsent(visitor, authorizeParams(house, clientId))
    expect(page.text).toContain('keep its access while you are not using it')
    const patient = (await house.record.patientsOf(account))[0] ?? ''
    const sent = await decide(visitor, page, { patient, duration: 'month' })
    const code = sent.location?.searchParams.get('code') ?? ''
    const { json } = await redeem(house, { visitor, clientId, account, patient, code })
    house.clock.advance(29 * 24 * 3600_000)
    const renewed = await refresh(clientId, json.refresh_token)
    expect(renewed.status).toBe(200)
    house.clock.advance(24 * 3600_000)
    expect((await refresh(clientId, renewed.json.refresh_token)).json.error).toBe('invalid_grant')
  })

  it('ends when the account no longer keeps the patient', async () => {
    const granted = await allow(house, { name: 'Former' })
    const { json } = await redeem(house, granted)
    await house.documents.put('households', granted.account, { patients: [] })
    expect((await refresh(granted.clientId, json.refresh_token)).json.error).toBe('invalid_grant')
  })

  it('gives no refresh token to whoever was allowed an hour, or did not ask', async () => {
    const hour = await redeem(house, await allow(house, { fields: { duration: 'hour' } }))
    expect(hour.json.refresh_token).toBeUndefined()
    expect(hour.json.scope).toBe('launch/patient patient/Observation.rs')
    const once = await redeem(house, await allow(house, { scope: 'launch/patient patient/Observation.rs' }))
    expect(once.json.refresh_token).toBeUndefined()
    const unregistered = await allow(house, { app: { grant_types: ['authorization_code'] } })
    expect((await redeem(house, unregistered)).json.refresh_token).toBeUndefined()
  })
})

describe('SMART 2.2 §1C revocation – https://www.rfc-editor.org/rfc/rfc7009', () => {
  it('22: a person ends an app on the account page, and nothing of it works from then on', async () => {
    const granted = await allow(house, { name: 'Ursula' })
    const { json } = await redeem(house, granted)
    const page = await granted.visitor.ask('/account')
    expect(page.text).toContain('Heart Diary')
    expect(page.text).toContain('Data of <strong>Greta Weber</strong>')
    const permission = /name="permission" value="([^"]+)"/.exec(page.text)?.[1] ?? ''
    const stranger = new Visitor(house)
    await addFamily(house, 'Stranger')
    await stranger.logIn('Stranger')
    const csrf = hidden((await stranger.ask('/account')).text, 'csrf')
    await stranger.post('/account/revoke', { csrf, permission })
    await expect(house.smart.authenticate(String(json.access_token))).resolves.toBeDefined()
    await granted.visitor.post('/account/revoke', { csrf: hidden(page.text, 'csrf'), permission })
    expect(await codeOf(house.smart.authenticate(String(json.access_token)))).toBe('token.unknown')
    const refreshed = await postForm(house, '/auth/token', {
      grant_type: 'refresh_token',
      refresh_token: String(json.refresh_token),
      client_id: granted.clientId,
    })
    expect(refreshed.json.error).toBe('invalid_grant')
    expect((await granted.visitor.ask('/account')).text).toContain('No app has access.')
  })

  it('is seen at once by another process on the same store', async () => {
    const granted = await allow(house)
    const { json } = await redeem(house, granted)
    const other = await house.again()
    await expect(other.authenticate(String(json.access_token))).resolves.toBeDefined()
    await postForm(house, '/auth/revoke', { token: String(json.refresh_token), client_id: granted.clientId })
    expect(await codeOf(other.authenticate(String(json.access_token)))).toBe('token.unknown')
  })

  it('22: answers 200 to tokens that are unknown, foreign or over', async () => {
    const granted = await allow(house)
    const { json } = await redeem(house, granted)
    const token = String(json.access_token)
    const foreign = await addApp(house)
    expect((await postForm(house, '/auth/revoke', { token: 'unknown', client_id: foreign })).status).toBe(200)
    expect((await postForm(house, '/auth/revoke', { token, client_id: foreign })).status).toBe(200)
    await expect(house.smart.authenticate(token)).resolves.toBeDefined()
    expect((await postForm(house, '/auth/revoke', { token, client_id: granted.clientId })).status).toBe(200)
    expect(await codeOf(house.smart.authenticate(token))).toBe('token.unknown')
    expect((await postForm(house, '/auth/revoke', { token, client_id: granted.clientId })).status).toBe(200)
    expect((await postForm(house, '/auth/revoke', { client_id: granted.clientId })).json.error).toBe('invalid_request')
  })

  it('a refresh that races with a revocation leaves nothing alive', async () => {
    const granted = await allow(house)
    const { json } = await redeem(house, granted)
    const fields = { refresh_token: String(json.refresh_token), client_id: granted.clientId }
    const [refreshed] = await Promise.all([
      postForm(house, '/auth/token', { grant_type: 'refresh_token', ...fields }),
      postForm(house, '/auth/revoke', { token: fields.refresh_token, client_id: granted.clientId }),
    ])
    expect(await codeOf(house.smart.authenticate(String(refreshed.json.access_token)))).toBe('token.unknown')
    expect(await codeOf(house.smart.authenticate(String(json.access_token)))).toBe('token.unknown')
  })
})

describe('RFC 7636 – https://www.rfc-editor.org/rfc/rfc7636', () => {
  it('takes the verifier of appendix B for its challenge, end to end', async () => {
    expect((await redeem(house, await allow(house), { code_verifier: verifier })).status).toBe(200)
  })
})
