/**
 * Registration is open, so an app that nobody has let in must not lead people anywhere with this server's name: RFC 9700
 * §4.11.2 names wrong scopes, prompt=none and whatever else makes a server send people away at once.
 */
import { addApp, allow, authorizeParams, decide, type House, letIn, openConsent, openHouse, Visitor } from './house.ts'

let house: House
beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house.close())

const evil = 'https://evil.example/cb'

/** Each makes an error that OAuth would send to the app. */
const wrongs: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  invalid_scope: { scope: 'nonsense' },
  unsupported_response_type: { response_type: 'token' },
  'invalid_request (no PKCE)': { code_challenge: '' },
  'invalid_request (plain PKCE)': { code_challenge_method: 'plain' },
  'invalid_request (another audience)': { aud: 'https://other.example/fhir' },
  'invalid_request (launch)': { launch: 'x' },
  'invalid_request (prompt)': { prompt: 'nothing' },
  'invalid_request (max_age)': { max_age: 'x' },
  'invalid_request (nonce)': { nonce: 'x'.repeat(600) },
  request_not_supported: { request: 'x' },
  'login_required (prompt=none)': { prompt: 'none' },
}

async function addEvil(uri = evil): Promise<string> {
  return addApp(house, { client_name: 'Your session ended, log in at evil.example', redirect_uris: [uri] })
}

/** Follows the server's own redirects, as a browser does; stops where it would leave the server. */
async function follow(visitor: Visitor, start: string, init: RequestInit = {}) {
  let answer = await visitor.ask(start, init)
  while (answer.location?.origin === house.baseUrl) answer = await visitor.ask(answer.location)
  return answer
}

describe('an app that nobody has let in', () => {
  it.each(Object.entries(wrongs))('leads nobody away by %s: a page says where it wants to', async (_, more) => {
    const params = authorizeParams(house, await addEvil(), { redirect_uri: evil, ...more })
    for (const init of [{}, { method: 'POST', body: params }]) {
      const url = init.method === undefined ? `/auth/authorize?${params}` : '/auth/authorize'
      const { status, text, headers } = await follow(new Visitor(house), url, init)
      expect([status, headers.get('location'), headers.get('refresh')]).toEqual([400, null, null])
      expect(headers.get('content-type')).toContain('text/html')
      expect(text).toContain('<code>evil.example</code>')
      expect(text).toMatch(/<a href="https:\/\/evil\.example\/cb\?error=\w+&amp;[^"]*iss=/)
      expect(text).not.toContain('Your session ended')
    }
  })

  it('leads nobody away who is logged in either', async () => {
    const { visitor } = await allow(house)
    for (const more of [{ prompt: 'none' }, { scope: '' }]) {
      const params = authorizeParams(house, await addEvil(), { redirect_uri: evil, ...more })
      expect((await follow(visitor, `/auth/authorize?${params}`)).status).toBe(400)
    }
  })

  it.each([
    ['com.evil.app:/cb', 'com.evil.app:'],
    ['http://127.0.0.1:81/cb', '127.0.0.1:81'],
    ['https://app.example/cb?next=/a', 'app.example'],
  ])('says that it wants to %s, whatever kind of address that is', async (uri, told) => {
    const params = authorizeParams(house, await addEvil(uri), { redirect_uri: uri, scope: 'x' })
    const { status, text } = await follow(new Visitor(house), `/auth/authorize?${params}`)
    expect([status, text]).toEqual([400, expect.stringContaining(`<code>${told}</code>`)])
  })

  it('may be refused by a person, who was told beforehand where that leads', async () => {
    const { visitor } = await allow(house)
    const page = await openConsent(visitor, authorizeParams(house, await addEvil(), { redirect_uri: evil }))
    expect(page.text).toContain('<code>evil.example</code>, and there you are sent whatever you decide')
    const sent = await decide(visitor, page, { decision: 'deny' })
    expect(sent.location?.href).toContain(`${evil}?error=access_denied`)
    const params = authorizeParams(house, await addEvil(), { redirect_uri: evil, scope: 'x' })
    expect((await follow(visitor, `/auth/authorize?${params}`)).status).toBe(400)
  })
})

describe('an app that somebody has let in', () => {
  it('is told of errors by a redirect, also after that access ended, and at another port of the same machine', async () => {
    const { clientId } = await allow(house, { name: 'Ender' })
    await house.smart.resetPassword({ name: 'Ender', password: 'another long password' })
    const uri = 'http://127.0.0.1:5123/callback'
    const params = authorizeParams(house, clientId, { redirect_uri: uri, scope: 'x' })
    expect((await follow(new Visitor(house), `/auth/authorize?${params}`)).location?.port).toBe('5123')
  })

  it('is believed for the address that was consented to, not for others that it registered', async () => {
    const clientId = await addApp(house, { redirect_uris: ['https://app.example/cb', evil] })
    await letIn(house, clientId, 'https://app.example/cb')
    const ask = async (uri: string) => {
      const params = authorizeParams(house, clientId, { redirect_uri: uri, scope: 'x' })
      return (await follow(new Visitor(house), `/auth/authorize?${params}`)).status
    }
    expect([await ask('https://app.example/cb'), await ask(evil)]).toEqual([303, 400])
  })
})

describe('a registration that nobody uses', () => {
  const day = 24 * 60 * 60_000
  const isKnown = async (clientId: string, uri: string) => {
    const params = authorizeParams(house, clientId, { redirect_uri: uri })
    return (await new Visitor(house).ask(`/auth/authorize?${params}`)).status === 303
  }

  it('is forgotten after thirty days, with its origin; one that was let in stays', async () => {
    const [idle, used] = ['https://idle.example/cb', 'https://used.example/cb']
    const idleId = await addApp(house, { redirect_uris: [idle] })
    const usedId = await addApp(house, { redirect_uris: [used] })
    await letIn(house, usedId, used)
    house.clock.advance(29 * day)
    expect([await isKnown(idleId, idle), await isKnown(usedId, used)]).toEqual([true, true])
    house.clock.advance(2 * day)
    expect([await isKnown(idleId, idle), await isKnown(usedId, used)]).toEqual([false, true])
    const origins = [idle, used].map(uri => house.smart.allowsOrigin(new URL(uri).origin))
    expect(await Promise.all(origins)).toEqual([false, true])
  })

  it('keeps its origin while a later one, or one in use, comes from there', async () => {
    const uri = 'https://shared.example/cb'
    await addApp(house, { redirect_uris: [uri] })
    house.clock.advance(20 * day)
    await addApp(house, { redirect_uris: [uri] })
    house.clock.advance(20 * day)
    expect(await house.smart.allowsOrigin('https://shared.example')).toBe(true)
    house.clock.advance(20 * day)
    expect(await house.smart.allowsOrigin('https://shared.example')).toBe(false)
  })

  it('stays once the administrator has approved it', async () => {
    const jwk = { kty: 'EC', crv: 'P-384', kid: 'k', x: 'x', y: 'y' }
    const { client_id: id } = await house.smart.registerClient({
      grant_types: ['client_credentials'],
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [jwk] },
      scope: 'system/Observation.rs',
    })
    await house.smart.approveClient(String(id))
    house.clock.advance(400 * day)
    expect((await house.smart.listClients()).map(client => client.id)).toContain(id)
  })

  it('makes room when three hundred wait: the oldest goes, never one in use', async () => {
    const used = await addApp(house)
    await letIn(house, used)
    const first = await addApp(house)
    for (let n = 0; n < 300; n++) await addApp(house)
    const left = (await house.smart.listClients()).map(client => client.id)
    expect([left.includes(used), left.includes(first)]).toEqual([true, false])
    expect(left.length).toBeLessThan(400)
  })
})
