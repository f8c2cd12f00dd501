import { exportJWK, generateKeyPair } from 'jose'
import * as client from 'openid-client'
import request from 'supertest'
import { addFamily, decide, type House, openHouse, redirectUri, Visitor } from './house.ts'

let house: House
beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house.close())

const loopback = { execute: [client.allowInsecureRequests] }

async function consent(url: URL, name: string): Promise<URL> {
  const { patients } = await addFamily(house, name)
  const visitor = new Visitor(house)
  await visitor.logIn(name)
  const started = await visitor.ask(url)
  const page = await visitor.ask(started.location ?? '')
  const sent = await decide(visitor, page, { patient: patients[0] ?? '', self: patients[1] ?? '' })
  return sent.location ?? new URL('about:blank')
}

async function authorizeUrl(config: client.Configuration, scope: string) {
  const verifier = client.randomPKCECodeVerifier()
  const state = client.randomState()
  const nonce = client.randomNonce()
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri,
    scope,
    state,
    nonce,
    aud: house.fhirBase,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  })
  return { url, checks: { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce } }
}

describe('SMART 2.2 §1F with openid-client – https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html', () => {
  it('registers, discovers, logs in, refreshes, introspects and revokes', async () => {
    const config = await client.dynamicClientRegistration(
      new URL(house.baseUrl),
      {
        client_name: 'A foreign client',
        redirect_uris: [redirectUri],
        grant_types: ['authorization_code', 'refresh_token'],
        token_endpoint_auth_method: 'client_secret_basic',
      },
      client.ClientSecretBasic(),
      loopback,
    )
    const { url, checks } = await authorizeUrl(
      config,
      'openid fhirUser launch/patient patient/Observation.rs offline_access',
    )
    const sent = await consent(url, 'Mara')
    const tokens = await client.authorizationCodeGrant(config, sent, checks)
    const claims = tokens.claims()
    expect(claims).toMatchObject({ iss: house.baseUrl, fhirUser: `${house.fhirBase}/Patient/mara-emil` })
    expect(String(claims?.sub).length).toBeLessThan(256)
    expect(tokens.patient).toBe('mara-greta')

    const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token ?? '')
    expect(refreshed.scope).toBe(tokens.scope)
    const described = await client.tokenIntrospection(config, refreshed.access_token)
    expect(described).toMatchObject({
      active: true,
      scope: tokens.scope,
      patient: 'mara-greta',
      sub: claims?.sub,
      iss: house.baseUrl,
      fhirUser: claims?.fhirUser,
      client_id: config.clientMetadata().client_id,
    })
    await client.tokenRevocation(config, refreshed.refresh_token ?? '')
    expect(await client.tokenIntrospection(config, refreshed.access_token)).toEqual({ active: false })
  })

  it('38: fhirUser lets the app read exactly the resource that it names', async () => {
    const metadata = { redirect_uris: [redirectUri], token_endpoint_auth_method: 'none', client_name: 'Who' }
    const registered = await house.smart.registerClient(metadata)
    const id = String(registered.client_id)
    const config = await client.discovery(new URL(house.baseUrl), id, undefined, client.None(), loopback)
    const { url, checks } = await authorizeUrl(config, 'openid fhirUser launch/patient patient/Observation.rs')
    const tokens = await client.authorizationCodeGrant(config, await consent(url, 'Vera'), checks)
    const grant = await house.smart.authenticate(tokens.access_token)
    const reader = house.record.reader(grant)
    await expect(reader.read('Patient', 'vera-emil')).resolves.toMatchObject({ id: 'vera-emil' })
    await expect(reader.read('Patient', 'vera-greta')).rejects.toMatchObject({ code: expect.any(String) })
  })

  it('41: client credentials with private_key_jwt', async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES384', { extractable: true })
    const jwk = { ...(await exportJWK(publicKey)), kid: 'k1' }
    const registered = await house.smart.registerClient({
      client_name: 'Backend',
      grant_types: ['client_credentials'],
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [jwk] },
    })
    const id = String(registered.client_id)
    await house.smart.approveClient(id, 'system/*.rs')
    const auth = client.PrivateKeyJwt({ key: privateKey, kid: 'k1' })
    const config = await client.discovery(new URL(house.baseUrl), id, undefined, auth, loopback)
    // The client dates what it signs by its own clock.
    house.clock.advance(Date.now() - house.clock.nowMs())
    const tokens = await client.clientCredentialsGrant(config, { scope: 'system/Patient.rs' })
    expect(tokens).toMatchObject({ expires_in: 300, scope: 'system/Patient.rs' })
  })

  it('discovers the same server by RFC 8414', async () => {
    const options = { ...loopback, algorithm: 'oauth2' as const }
    const config = await client.discovery(new URL(house.baseUrl), 'x', undefined, client.None(), options)
    expect(config.serverMetadata().token_endpoint).toBe(`${house.baseUrl}/auth/token`)
  })
})

describe('SMART 2.2 §1A discovery – https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html', () => {
  it('1-6: names what works and nothing else', async () => {
    const configuration = house.smart.configuration() as Record<string, unknown>
    for (const [name, value] of Object.entries(configuration))
      if (name.endsWith('_endpoint') || name.endsWith('_uri'))
        expect(String(value)).toMatch(/^http:\/\/127\.0\.0\.1:\d+\//)
    expect(configuration).toMatchObject({
      issuer: house.baseUrl,
      code_challenge_methods_supported: ['S256'],
      grant_types_supported: ['authorization_code', 'refresh_token', 'client_credentials'],
      token_endpoint_auth_signing_alg_values_supported: ['RS384', 'ES384'],
    })
    expect(configuration.capabilities).toEqual(
      expect.arrayContaining(['launch-standalone', 'context-standalone-patient', 'permission-v1', 'permission-v2']),
    )
    for (const absent of ['launch-ehr', 'context-banner', 'context-style', 'permission-online', 'smart-app-state'])
      expect(configuration.capabilities).not.toContain(absent)
    const scopes = configuration.scopes_supported as string[]
    expect(scopes).toContain(
      'patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|vital-signs',
    )
    const paths = house.smart.routes.map(route => route.path)
    for (const name of ['authorization', 'token', 'introspection', 'revocation', 'registration', 'management'])
      expect(paths).toContain(new URL(String(configuration[`${name}_endpoint`])).pathname)
  })

  it('36, 37: publishes an RSA key with a kid, and never its private half', async () => {
    const { body, headers } = await request(house.server).get('/auth/jwks').expect(200)
    expect(headers['content-type']).toContain('application/json')
    expect(Object.keys(body.keys[0]).sort()).toEqual(['alg', 'e', 'kid', 'kty', 'n', 'use'])
    const again = await house.again()
    const route = again.routes.find(({ path }) => path === '/auth/jwks')
    const answer = await route?.handler({
      method: 'GET',
      path: '/auth/jwks',
      query: new URLSearchParams(),
      header: () => undefined,
      body: async () => Buffer.alloc(0),
      remoteAddress: '192.0.2.1',
    })
    expect(JSON.parse(String(answer?.body))).toEqual(body)
  })
})
