import { createHash, randomBytes } from 'node:crypto'
import type { Bundle, Observation, OperationOutcome, Patient } from '@medplum/fhirtypes'
import * as openid from 'openid-client'
import { claimAddress } from './server/claim-address.ts'
import { type Answer, openClient } from './server/client.ts'
import { type Home, lastLine } from './server/home.ts'
import { newReachableHome } from './server/reachable-home.ts'
import { type RunningServer, startServer } from './server/start-server.ts'
import { type Filled, type Page, Visitor } from './server/visitor.ts'

const owner = { name: 'anna', password: 'seven words that nobody would ever guess' }
const callback = 'https://app.example/callback'
const category = 'http://terminology.hl7.org/CodeSystem/observation-category'
const vitalSigns = `patient/Observation.rs?category=${category}|vital-signs`

let home: Home
let server: RunningServer
let greta: string
let emil: string

beforeAll(async () => {
  home = await newReachableHome('smart')
  server = await startServer(home)
})
afterAll(async () => {
  expect(await server.stop()).toBe(0)
  await home.remove()
})

interface Tokens {
  readonly access_token: string
  readonly refresh_token?: string
  readonly scope: string
  readonly patient?: string
  readonly expires_in: number
}

async function ask(token: string | undefined, path: string, body?: object): Promise<Answer> {
  const client = openClient(server.url, token)
  const answer = await client.send({ path, ...(body === undefined ? {} : { method: 'POST', body }) })
  client.close()
  return answer
}

async function postForm(path: string, fields: Record<string, string>): Promise<Answer> {
  const client = openClient(server.url)
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const answer = await client.send({ method: 'POST', path, headers, body: new URLSearchParams(fields).toString() })
  client.close()
  return answer
}

async function registerApp(name: string): Promise<string> {
  const metadata = {
    client_name: name,
    redirect_uris: [callback],
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token'],
  }
  const client = openClient(server.url)
  const headers = { 'content-type': 'application/json' }
  const answer = await client.send({ method: 'POST', path: '/auth/register', headers, body: metadata })
  client.close()
  expect(answer.status).toBe(201)
  return answer.json<{ client_id: string }>().client_id
}

/** Sends a person from an app to the server, and lets them decide; logs them in where they are asked to. */
async function authorize(visitor: Visitor, clientId: string, scope: string, decide: (page: Page) => Filled) {
  const verifier = randomBytes(32).toString('base64url')
  const state = randomBytes(9).toString('base64url')
  const asked = new URLSearchParams({
    response_type: 'code',
    client_id: clientId,
    redirect_uri: callback,
    scope,
    state,
    aud: `${home.origin}/fhir`,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  })
  let page = await visitor.open(`/auth/authorize?${asked}`)
  if (page.url.pathname === '/auth/login') page = await visitor.submit(page, '/auth/login', owner)
  expect([page.status, page.url.pathname]).toEqual([200, '/auth/consent'])
  expect(page.text).not.toMatch(/<script|\son\w+=|javascript:/i)
  const sent = await visitor.submit(page, '/auth/consent', decide(page))
  expect(`${sent.location?.origin}${sent.location?.pathname}`).toBe(callback)
  expect(sent.location?.searchParams.get('state')).toBe(state)
  const code = sent.location?.searchParams.get('code') ?? ''
  return { code, error: sent.location?.searchParams.get('error'), verifier }
}

const exchange = (clientId: string, code: string, verifier: string) =>
  postForm('/auth/token', {
    grant_type: 'authorization_code',
    client_id: clientId,
    code,
    redirect_uri: callback,
    code_verifier: verifier,
  })

describe('a new server and its owner – https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html', () => {
  const visitor = () => new Visitor(home.origin)

  it('is claimed with a form, and its owner types the recovery code back', async () => {
    const claim = await claimAddress(server)
    const browser = visitor()
    const filled = { ...owner, again: owner.password }
    const shown = await browser.submit(await browser.open(claim), '/claim', filled)
    const code = /<code>([0-9A-Z-]{47})<\/code>/.exec(shown.text)?.[1] ?? ''
    const page = await browser.submit(shown, '/account/recovery/try', { code })
    expect([page.url.pathname, page.status]).toEqual(['/account', 200])
  })

  it('takes in a family through an app of its owner', async () => {
    const id = await registerApp('Family book')
    const { code, verifier } = await authorize(visitor(), id, 'user/*.cruds', () => ({ decision: 'allow' }))
    const { access_token: token, scope } = (await exchange(id, code, verifier)).json<Tokens>()
    expect(scope).toBe('user/*.cruds')
    const create = async (given: string) =>
      (await ask(token, '/fhir/Patient', { resourceType: 'Patient', name: [{ given: [given] }] })).json<Patient>().id
    greta = String(await create('Greta'))
    emil = String(await create('Emil'))
    for (const [patient, kind] of [greta, emil].flatMap(each =>
      ['vital-signs', 'laboratory'].map(kind => [each, kind]),
    ))
      expect((await ask(token, '/fhir/Observation', observation(String(patient), String(kind)))).status).toBe(201)
  })

  it('narrows what an app gets: code, token, reading, refreshing, and the end of it', async () => {
    const id = await registerApp('Pulse chart')
    const scope = 'launch/patient patient/*.rs offline_access'
    const browser = visitor()
    const asked = await authorize(browser, id, scope, page => {
      expect(page.text).toContain('Pulse chart')
      return { decision: 'allow', patient: greta, 'only-0': ['limit', vitalSigns], duration: 'day' }
    })
    const answer = await exchange(id, asked.code, asked.verifier)
    expect(answer.headers['cache-control']).toBe('no-store')
    const tokens = answer.json<Tokens>()
    expect(tokens).toMatchObject({ token_type: 'Bearer', patient: greta })
    expect(tokens.scope.split(' ')).toEqual(expect.arrayContaining([vitalSigns, 'offline_access']))
    expect(tokens.scope).not.toContain('patient/*')
    expect(await reach(tokens.access_token)).toEqual({ vital: [greta], conditions: 403, emil: 404, greta: 403 })

    const used = await exchange(id, asked.code, asked.verifier)
    expect([used.status, used.json<{ error: string }>().error]).toEqual([400, 'invalid_grant'])
    expect((await ask(tokens.access_token, '/fhir/Observation')).status).toBe(401)

    const again = await authorize(browser, id, scope, () => ({ decision: 'allow', patient: greta, duration: 'day' }))
    const first = (await exchange(id, again.code, again.verifier)).json<Tokens>()
    const refresh = (token: string | undefined) =>
      postForm('/auth/token', { grant_type: 'refresh_token', client_id: id, refresh_token: String(token) })
    const second = (await refresh(first.refresh_token)).json<Tokens>()
    expect(second).toMatchObject({ scope: first.scope, patient: greta })
    expect(second.refresh_token).not.toBe(first.refresh_token)
    expect((await ask(second.access_token, `/fhir/Patient/${greta}`)).status).toBe(200)

    const revoked = await postForm('/auth/revoke', { client_id: id, token: String(second.refresh_token) })
    expect(revoked.status).toBe(200)
    const refused = await ask(second.access_token, `/fhir/Patient/${greta}`)
    expect([refused.status, codeOf(refused)]).toEqual([401, 'token.unknown'])
    expect((await refresh(second.refresh_token)).status).toBe(400)
  })

  it('ends the access of an app on the account page, at once', async () => {
    const id = await registerApp('Nosy neighbour')
    const browser = visitor()
    const scope = 'launch/patient patient/Observation.rs offline_access'
    const asked = await authorize(browser, id, scope, () => ({ decision: 'allow', patient: emil }))
    const { access_token: token } = (await exchange(id, asked.code, asked.verifier)).json<Tokens>()
    expect((await ask(token, '/fhir/Observation')).status).toBe(200)
    const account = await browser.open('/account')
    const [, part = ''] = account.text.split('Nosy neighbour')
    const permission = /name="permission" value="([^"]+)"/.exec(part)?.[1] ?? ''
    const done = await browser.submit(account, '/account/revoke', { permission })
    expect(done.text).toContain('The access has ended.')
    expect((await ask(token, '/fhir/Observation')).status).toBe(401)
  })

  it('lets somebody see one kind of data of one person; what is changed and ended counts for the token that is there', async () => {
    const browser = visitor()
    const account = await browser.submit(await browser.open('/account'), '/auth/login', owner)
    const asked = { patient: greta, role: 'viewer', category: 'vital-signs', current: owner.password }
    const made = await browser.submit(account, '/account/invitations', asked)
    const address = /<code>(http[^<]+)<\/code>/.exec(made.text)?.[1] ?? ''
    const carer = visitor()
    const password = 'three orange bicycles in the river'
    const filled = { name: 'carer', password, again: password }
    const accepted = await carer.submit(await carer.open(address), '/account/invitation', filled)
    expect(accepted.text).toContain('as a viewer, who sees: vital signs')
    const id = await registerApp('Carer app')
    const scope = 'launch/patient patient/*.rs user/Observation.rs'
    const allowed = await authorize(carer, id, scope, () => ({ decision: 'allow', patient: greta }))
    const tokens = (await exchange(id, allowed.code, allowed.verifier)).json<Tokens>()
    expect(tokens.scope.split(' ')).toEqual(expect.arrayContaining([vitalSigns, 'patient/Patient.rs']))
    expect(tokens.scope).not.toContain('patient/*')
    const token = tokens.access_token
    const expected = { vital: [greta], conditions: 403, emil: 404, greta: 200 }
    expect([await reach(token), await kinds(token)]).toEqual([expected, ['vital-signs']])

    const change = { patient: greta, role: 'viewer', category: 'laboratory' }
    await browser.submit(await browser.open('/account'), '/account/guardians/change', change)
    expect(await kinds(token)).toEqual(['laboratory'])

    const page = await browser.open('/account')
    const guardian = /name="guardian" value="([^"]+)"/.exec(page.text)?.[1] ?? ''
    const done = await browser.submit(page, '/account/guardians/end', { patient: greta, guardian })
    expect(done.text).toContain('That has ended.')
    expect((await ask(token, '/fhir/Observation')).status).toBe(401)
  })

  it('gives a person to somebody who makes an account; what the giver keeps counts for the token that is there', async () => {
    const browser = visitor()
    const account = await browser.submit(await browser.open('/account'), '/auth/login', owner)
    const added = await browser.submit(account, '/account/people', { given: 'Ida', family: 'Weber' })
    const [, offering = ''] = added.text.split('Give Ida Weber to somebody')
    const ida = /name="patient" value="([^"]+)"/.exec(offering)?.[1] ?? ''
    const id = await registerApp('Whole family')
    const allowed = await authorize(browser, id, 'user/*.cruds', () => ({ decision: 'allow' }))
    const token = (await exchange(id, allowed.code, allowed.verifier)).json<Tokens>().access_token
    const write = async () => (await ask(token, '/fhir/Observation', observation(ida, 'laboratory'))).status
    const read = async () => (await ask(token, `/fhir/Patient/${ida}`)).status
    expect([await write(), await read()]).toEqual([201, 200])

    const asked = { patient: ida, role: 'viewer', category: 'activity', current: owner.password }
    const made = await browser.submit(await browser.open('/account'), '/account/people/give', asked)
    const address = /<code>(http[^<]+)<\/code>/.exec(made.text)?.[1] ?? ''
    const grown = visitor()
    const password = 'a kettle of eleven quiet lanterns'
    const filled = { name: 'ida', password, again: password }
    const accepted = await grown.submit(await grown.open(address), '/account/invitation', filled)
    expect(accepted.text).toContain('You keep this person in your own right from now on.')
    expect([await write(), await read()]).toEqual([403, 200])

    const guardian = /name="guardian" value="([^"]+)"/.exec(accepted.text)?.[1] ?? ''
    await grown.submit(accepted, '/account/guardians/end', { patient: ida, guardian })
    expect([await write(), await read()]).toEqual([403, 404])
  })

  it('gives nothing to an app that is not allowed', async () => {
    const id = await registerApp('Unwanted')
    const scope = 'launch/patient patient/*.rs'
    const asked = await authorize(visitor(), id, scope, () => ({ decision: 'deny' }))
    expect(asked).toMatchObject({ code: '', error: 'access_denied' })
  })
})

function observation(patient: string, kind: string): object {
  return {
    resourceType: 'Observation',
    status: 'final',
    category: [{ coding: [{ system: category, code: kind }] }],
    code: { coding: [{ system: 'http://loinc.org', code: '8867-4' }] },
    subject: { reference: `Patient/${patient}` },
  }
}

/** Of which kind the Observations are that a token finds. */
async function kinds(token: string): Promise<readonly (string | undefined)[]> {
  const found = (await ask(token, '/fhir/Observation')).json<Bundle>().entry ?? []
  return found.map(({ resource }) => (resource as Observation).category?.[0]?.coding?.[0]?.code)
}

const codeOf = (answer: Answer) => answer.json<OperationOutcome>().issue?.[0]?.details?.coding?.[0]?.code

/** What a token reaches that is for one patient's vital signs alone. */
async function reach(token: string): Promise<object> {
  const found = (await ask(token, '/fhir/Observation')).json<Bundle>().entry ?? []
  const subjects = found.map(({ resource }) => (resource as { subject?: { reference?: string } }).subject?.reference)
  const [conditions, person] = await Promise.all(
    ['/fhir/Condition', `/fhir/Patient/${greta}`].map(path => ask(token, path)),
  )
  const others = await ask(token, `/fhir/Patient/${emil}/Observation`)
  return {
    vital: subjects.map(reference => reference?.replace('Patient/', '')),
    conditions: conditions?.status,
    emil: others.status,
    greta: person?.status,
  }
}

describe('openid-client – https://openid.net/specs/openid-connect-core-1_0.html', () => {
  it('registers, discovers, logs in, reads, refreshes and revokes', async () => {
    const options = { execute: [openid.allowInsecureRequests] }
    const metadata = {
      client_name: 'A stranger',
      redirect_uris: [callback],
      token_endpoint_auth_method: 'client_secret_basic',
      grant_types: ['authorization_code', 'refresh_token'],
    }
    const origin = new URL(home.origin)
    const config = await openid.dynamicClientRegistration(origin, metadata, openid.ClientSecretBasic(), options)
    const pkceCodeVerifier = openid.randomPKCECodeVerifier()
    const [expectedState, expectedNonce] = [openid.randomState(), openid.randomNonce()]
    const url = openid.buildAuthorizationUrl(config, {
      redirect_uri: callback,
      scope: 'openid fhirUser launch/patient patient/Observation.rs offline_access',
      state: expectedState,
      nonce: expectedNonce,
      aud: `${home.origin}/fhir`,
      code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
    })
    const browser = new Visitor(home.origin)
    const consent = await browser.submit(await browser.open(url), '/auth/login', owner)
    const filled = { decision: 'allow', patient: emil, self: greta }
    const { location } = await browser.submit(consent, '/auth/consent', filled)
    const checks = { pkceCodeVerifier, expectedState, expectedNonce }
    const tokens = await openid.authorizationCodeGrant(config, location ?? origin, checks)
    expect(tokens.claims()).toMatchObject({ iss: home.origin, fhirUser: `${home.origin}/fhir/Patient/${greta}` })
    expect(tokens.patient).toBe(emil)
    const found = (await ask(tokens.access_token, '/fhir/Observation')).json<Bundle>()
    expect(found.entry).toHaveLength(2)

    const refreshed = await openid.refreshTokenGrant(config, String(tokens.refresh_token))
    expect((await openid.tokenIntrospection(config, refreshed.access_token)).active).toBe(true)
    await openid.tokenRevocation(config, String(refreshed.refresh_token))
    expect((await ask(refreshed.access_token, '/fhir/Observation')).status).toBe(401)
    expect(await openid.tokenIntrospection(config, refreshed.access_token)).toEqual({ active: false })
  })

  it.each([
    ['client_secret_post', openid.ClientSecretPost()],
    ['client_secret_basic', openid.ClientSecretBasic()],
  ] as const)('proves itself by %s at every endpoint that asks', async (method, proof) => {
    const options = { execute: [openid.allowInsecureRequests] }
    const metadata = { redirect_uris: [callback], token_endpoint_auth_method: method, client_name: method }
    const config = await openid.dynamicClientRegistration(new URL(home.origin), metadata, proof, options)
    const pkceCodeVerifier = openid.randomPKCECodeVerifier()
    const expectedState = openid.randomState()
    const url = openid.buildAuthorizationUrl(config, {
      redirect_uri: callback,
      scope: 'launch/patient patient/Observation.rs',
      state: expectedState,
      aud: `${home.origin}/fhir`,
      code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
    })
    const browser = new Visitor(home.origin)
    const consent = await browser.submit(await browser.open(url), '/auth/login', owner)
    const { location } = await browser.submit(consent, '/auth/consent', { decision: 'allow', patient: emil })
    const tokens = await openid.authorizationCodeGrant(config, location ?? new URL(home.origin), {
      pkceCodeVerifier,
      expectedState,
    })
    expect((await openid.tokenIntrospection(config, tokens.access_token)).active).toBe(true)
    await openid.tokenRevocation(config, tokens.access_token)
    expect((await ask(tokens.access_token, '/fhir/Observation')).status).toBe(401)
  })

  it.each([
    ['ES384', { name: 'ECDSA', namedCurve: 'P-384' }],
    [
      'RS384',
      { name: 'RSASSA-PKCS1-v1_5', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-384' },
    ],
  ] as const)('acts without a person with a %s key, from registration by approval to its end', async (_, algorithm) => {
    const pair = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
    if (!('publicKey' in pair)) throw new Error('one key where two were asked for')
    const { kty = '', crv = '', x = '', y = '', n = '', e = '' } = await crypto.subtle.exportKey('jwk', pair.publicKey)
    const jwk = kty === 'EC' ? { kty, crv, x, y, kid: 'a key' } : { kty, n, e, kid: 'a key' }
    const metadata = {
      client_name: 'Nightly copy',
      token_endpoint_auth_method: 'private_key_jwt',
      grant_types: ['client_credentials'],
      scope: 'system/Observation.rs',
      jwks: { keys: [jwk] },
    }
    const proof = openid.PrivateKeyJwt({ key: pair.privateKey, kid: 'a key' })
    const options = { execute: [openid.allowInsecureRequests] }
    const config = await openid.dynamicClientRegistration(new URL(home.origin), metadata, proof, options)
    const id = config.clientMetadata().client_id
    const asked = () => openid.clientCredentialsGrant(config, { scope: 'system/Observation.rs' })
    await expect(asked()).rejects.toMatchObject({ error: 'unauthorized_client' })

    const [admin] = [await lastLine(home, 'token', '--scope', 'system/*.cruds')]
    const listed = async () =>
      (await ask(admin, '/auth/clients'))
        .json<{ clients: { client_id: string }[] }>()
        .clients.map(each => each.client_id)
    const post = async (path: string) => {
      const client = openClient(server.url, admin)
      const headers = { 'content-type': 'application/x-www-form-urlencoded' }
      const answer = await client.send({
        method: 'POST',
        path,
        headers,
        body: new URLSearchParams({ client_id: id }).toString(),
      })
      client.close()
      return answer.status
    }
    expect(await listed()).toContain(id)
    expect(await post('/auth/clients/approve')).toBe(200)
    const byRoute = (await asked()).access_token
    expect((await ask(byRoute, '/fhir/Observation?_summary=count')).status).toBe(200)
    expect((await ask(byRoute, '/fhir/Patient?_summary=count')).status).toBe(403)

    // A new approval takes back what it holds from the earlier one.
    expect(await lastLine(home, 'client', 'approve', id)).toBe('system/Observation.rs')
    expect((await ask(byRoute, '/fhir/Observation?_summary=count')).status).toBe(401)
    const byCommand = (await asked()).access_token
    expect((await ask(byCommand, '/fhir/Observation?_summary=count')).status).toBe(200)
    expect(await post('/auth/clients/end')).toBe(200)
    expect((await ask(byCommand, '/fhir/Observation?_summary=count')).status).toBe(401)
    await expect(asked()).rejects.toMatchObject({ error: 'invalid_client' })
    expect(await listed()).not.toContain(id)
  })
})
