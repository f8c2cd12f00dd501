/** What a provider, or whoever comes between, must not get: https://www.rfc-editor.org/rfc/rfc9700#section-4 */
import type { ServerResponse } from 'node:http'
import { openGuardedFetch } from '#web'
import { type FalseProvider, type Lies, openFalseGithub, openFalseProvider } from './false-provider.ts'
import { type Answer, addFamily, type House, hidden, openHouse, Visitor } from './house.ts'
import {
  beginLinking,
  codeIn,
  depart,
  doneOf,
  isIn,
  leadsTo,
  loopbackFetch,
  origin,
  visiting,
} from './identity-provider.ts'

let provider: FalseProvider
let hub: FalseProvider
/** With one account, whose owner is `anna` at the provider and 4711 at the hub. */
let house: House

beforeAll(async () => {
  ;[provider, hub] = [await openFalseProvider(), await openFalseGithub()]
  tellTruth()
  house = await openOne()
  await addFamily(house, 'Anna')
  const visitor = await visiting(house, 'Anna')
  for (const n of ['1', '2'])
    expect(doneOf(await visitor.ask(back(await beginLinking(visitor, { provider: n }))))).toBe('linked')
})
afterAll(async () => {
  await house.close()
  await provider.close()
  await hub.close()
})
// What was counted of tries is forgotten, and what a provider said of itself.
beforeEach(() => {
  house.clock.advance(2 * 60 * 60_000)
  tellTruth()
})

function tellTruth(): void {
  for (const [each, subject] of [
    [provider, 'anna'],
    [hub, '4711'],
  ] as const) {
    each.lies = {}
    each.asked.length = 0
    each.truth = { nonce: '', subject }
  }
}

const openOne = (fetch = loopbackFetch) =>
  openHouse({ toldUrl: () => origin, providers: { settings: [provider.settings(), hub.settings({ n: 2 })], fetch } })

/** With another house for one test. */
async function inAnother(fetch: typeof loopbackFetch, work: () => Promise<void>): Promise<void> {
  const kept = house
  house = await openOne(fetch)
  await work().finally(() => house.close())
  house = kept
}

/** Where the provider leads back to, and what it knows of the question. */
function back(page: Answer, more: Readonly<Record<string, string | undefined>> = {}): string {
  const asked = leadsTo(page)
  provider.truth.nonce = asked.searchParams.get('nonce') ?? ''
  const { pathname } = new URL(asked.searchParams.get('redirect_uri') ?? '')
  const iss = asked.origin === provider.issuer ? provider.issuer : undefined
  const said = { code: 'a-code', state: asked.searchParams.get('state') ?? '', iss, ...more }
  const query = Object.entries(said).filter((each): each is [string, string] => each[1] !== undefined)
  return `${pathname}?${new URLSearchParams(query)}`
}

async function tryWith(lies: Lies, { n = 1, more = {} as Readonly<Record<string, string | undefined>> } = {}) {
  const visitor = new Visitor(house)
  ;(n === 1 ? provider : hub).lies = lies
  const page = await depart(visitor, { n })
  if (!page.headers.has('refresh')) return { visitor, answer: page }
  return { visitor, answer: await visitor.ask(back(page, more)) }
}

async function expectRefused(lies: Lies, code: string, more: Parameters<typeof tryWith>[1] = {}): Promise<void> {
  const { visitor, answer } = await tryWith(lies, more)
  expect(codeIn(answer)).toBe(code)
  expect(await isIn(visitor)).toBe(false)
}

it('an answer that is true logs in, and the user info is never asked for', async () => {
  const { answer, visitor } = await tryWith({})
  expect([answer.status, await isIn(visitor)]).toEqual([303, true])
  expect(provider.asked.map(({ path }) => path)).not.toContain('/userinfo')
  const { form, headers } = provider.asked.find(({ path }) => path === '/token') ?? {}
  expect(Object.fromEntries(form ?? [])).toMatchObject({
    grant_type: 'authorization_code',
    code: 'a-code',
    redirect_uri: `${origin}/auth/login/provider/1`,
    code_verifier: expect.stringMatching(/^[\w-]{43}$/),
  })
  expect(headers?.authorization).toMatch(/^Basic /)
})

describe('an ID token', () => {
  const now = () => Math.floor(Date.now() / 1000)
  it.each<[string, () => Lies]>([
    ['of another issuer', () => ({ claims: { iss: 'https://evil.example' } })],
    ['for another client', () => ({ claims: { aud: 'another' } })],
    [
      'for several, of which another one may use it',
      () => ({ claims: { aud: ['kinhold', 'another'], azp: 'another' } }),
    ],
    ['that has expired', () => ({ claims: { iat: now() - 700, exp: now() - 400 } })],
    ['that says not when it expires', () => ({ claims: { exp: undefined } })],
    ['with the nonce of another question', () => ({ claims: { nonce: 'A'.repeat(43) } })],
    ['without nonce', () => ({ claims: { nonce: undefined } })],
    ['without subject', () => ({ claims: { sub: undefined } })],
    ['with an empty subject', () => ({ claims: { sub: '' } })],
    ['with a number for a subject', () => ({ claims: { sub: 7 } })],
    ['with a list for a subject', () => ({ claims: { sub: ['anna'] } })],
    ['with a subject of more than 255 characters', () => ({ claims: { sub: 'a'.repeat(256) } })],
    ['with half a character in its subject', () => ({ claims: { sub: 'anna\ud800' } })],
    ['signed by nobody', () => ({ signed: 'by nobody' })],
    ['signed by another key', () => ({ signed: 'by another key' })],
    ['signed with our own secret', () => ({ signed: 'with the secret' })],
    ['signed under a key id that is not there', () => ({ signed: 'under an unknown key id' })],
    ['that is not there', () => ({ tokens: { id_token: undefined } })],
    ['that is none', () => ({ tokens: { id_token: 'a.b.c' } })],
    ['that is a number', () => ({ tokens: { id_token: 7 } })],
  ])('%s logs nobody in', async (_, lies) => {
    await expectRefused(lies(), 'smart.provider-refused')
  })
})

it.each(['Anna', 'anna ', '\u0430nna', 'anna\u0000', 'ann\u00e4', 'a\u200bnna'])(
  'a subject that looks like another one is somebody else: %j',
  async sub => {
    await expectRefused({ claims: { sub } }, 'smart.provider-unlinked')
  },
)

describe('an answer', () => {
  it.each<[string, string, Readonly<Record<string, string | undefined>>]>([
    ['with another state', 'smart.provider-lost', { state: 'A'.repeat(43) }],
    ['without state', 'smart.provider-lost', { state: undefined }],
    ['of another issuer', 'smart.provider-refused', { iss: 'https://evil.example' }],
    ['without issuer, where that is promised', 'smart.provider-refused', { iss: undefined }],
    ['without code', 'smart.provider-refused', { code: undefined }],
    ['that is an error', 'smart.provider-refused', { code: undefined, error: 'access_denied' }],
    ['that is an error and a code', 'smart.provider-refused', { error: 'server_error' }],
  ])('%s logs nobody in, and asks for no token', async (_, code, more) => {
    provider.asked.length = 0
    await expectRefused({}, code, { more })
    expect(provider.asked.map(({ path }) => path)).not.toContain('/token')
  })

  it('quotes nothing of what came with it', async () => {
    const more = { code: undefined, error: 'telling_error', error_description: 'Anna Weber is ill' }
    const { answer } = await tryWith({}, { more })
    expect(answer.text).not.toMatch(/telling_error|Anna Weber/)
  })

  it('is good once, also for two who bring it at the same moment', async () => {
    const visitor = new Visitor(house)
    const address = back(await depart(visitor))
    const headers = { cookie: [...visitor.cookies].map(each => each.join('=')).join('; ') }
    const answers = await Promise.all([1, 2, 3].map(() => new Visitor(house, headers).ask(address)))
    expect(answers.map(({ status }) => status).toSorted()).toEqual([303, 400, 400])
    expect(codeIn(await new Visitor(house, headers).ask(address))).toBe('smart.provider-lost')
    expect(provider.asked.filter(({ path }) => path === '/token')).toHaveLength(1)
  })

  it('is good in the browser that was asked alone: nobody is logged in as somebody else', async () => {
    const [attacker, victim] = [new Visitor(house), new Visitor(house)]
    const address = back(await depart(attacker))
    for (const prepare of [async () => undefined, () => victim.ask('/auth/login'), () => depart(victim)]) {
      await prepare()
      expect(codeIn(await victim.ask(address))).toBe('smart.provider-lost')
      expect(await isIn(victim)).toBe(false)
    }
    // Nor with the attacker's cookie beside a session of the victim's own: https://www.rfc-editor.org/rfc/rfc9700#section-4.7
    victim.cookies.set('__Host-kinhold-provider', attacker.cookies.get('__Host-kinhold-provider') ?? '')
    expect(codeIn(await victim.ask(address))).toBe('smart.provider-lost')
    expect((await attacker.ask(address)).status).toBe(303)
  })

  it('does not link what is somebody else’s to an account', async () => {
    const anna = await visiting(house, 'Anna')
    await addFamily(house, 'Mallory')
    const mallory = await visiting(house, 'Mallory')
    const page = await beginLinking(mallory)
    provider.truth.subject = 'mallory'
    const address = back(page)
    expect(codeIn(await anna.ask(address))).toBe('smart.provider-lost')
    const own = await beginLinking(anna)
    expect(codeIn(await anna.ask(address))).toBe('smart.provider-lost')
    // What Anna herself began goes on.
    provider.truth.subject = 'anna-too'
    expect(doneOf(await anna.ask(back(own)))).toBe('linked')
  })

  it('of somebody whose session has ended meanwhile is not brought to the provider', async () => {
    await addFamily(house, 'Nora')
    const nora = await visiting(house, 'Nora')
    const address = back(await beginLinking(nora))
    await house.smart.resetAccount('Nora', { endNow: true })
    expect((await nora.ask(address)).location?.pathname).toBe('/auth/login')
    expect(provider.asked.map(({ path }) => path)).not.toContain('/token')
  })

  it('of one provider is none of another: https://www.rfc-editor.org/rfc/rfc9700#section-4.4', async () => {
    const visitor = new Visitor(house)
    const address = back(await depart(visitor))
    expect(codeIn(await visitor.ask(address.replace('/provider/1', '/provider/2')))).toBe('smart.provider-lost')
    expect(hub.asked).toEqual([])
    expect((await visitor.ask(address)).status).toBe(303)
  })

  it('is too late after ten minutes', async () => {
    const visitor = new Visitor(house)
    const address = back(await depart(visitor))
    house.clock.advance(10 * 60_000)
    expect(codeIn(await visitor.ask(address))).toBe('smart.provider-lost')
  })

  it.each(['', 'made-up', 'A'.repeat(400), 'A'.repeat(5_000)])('fits to no cookie that holds %#', async cookie => {
    const visitor = new Visitor(house)
    const address = back(await depart(visitor))
    visitor.cookies.set('__Host-kinhold-provider', cookie)
    expect(codeIn(await visitor.ask(address))).toBe('smart.provider-lost')
  })

  it('with a parameter twice is refused', async () => {
    const visitor = new Visitor(house)
    const address = back(await depart(visitor))
    expect(codeIn(await visitor.ask(`${address}&state=x`))).toBe('smart.provider-lost')
    expect(codeIn(await visitor.ask(`${address}&code=x`))).toBe('smart.provider-refused')
  })

  it('is asked for by a form of ours alone', async () => {
    const visitor = new Visitor(house)
    await visitor.ask('/auth/login')
    const sent = await visitor.post('/auth/login/provider/1', { csrf: 'A'.repeat(43) })
    expect([sent.status, codeIn(sent)]).toEqual([403, 'smart.form-forged'])
    expect(provider.asked).toEqual([])
  })
})

describe('a provider', () => {
  const huge = (_: unknown, response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(`{"issuer":"${'a'.repeat(100_000)}"}`)
  }
  const elsewhere = (_: unknown, response: ServerResponse) => {
    response.writeHead(302, { location: `${provider.issuer}/elsewhere` }).end()
  }
  const broken = (_: unknown, response: ServerResponse) => response.writeHead(503).end()
  const gone = (_: unknown, response: ServerResponse) => response.destroy()
  const html = (_: unknown, response: ServerResponse) =>
    response.writeHead(200, { 'content-type': 'text/html' }).end('<p>Anna')

  it.each<[string, string, (request: unknown, response: ServerResponse) => void]>([
    ['answers hugely', 'smart.provider-unreachable', huge],
    ['leads elsewhere', 'smart.provider-refused', elsewhere],
    ['is broken', 'smart.provider-unreachable', broken],
    ['hangs up', 'smart.provider-unreachable', gone],
    ['answers with a page', 'smart.provider-refused', html],
  ])('that %s logs nobody in, whatever it is asked, and is asked again the next time', async (_, code, does) => {
    for (const path of ['/.well-known/openid-configuration', '/keys', '/token']) {
      house.clock.advance(2 * 60 * 60_000)
      await expectRefused({ does: { [path]: does } }, code)
      const { answer } = await tryWith({})
      expect(answer.status).toBe(303)
    }
    expect(provider.asked.map(({ path }) => path)).not.toContain('/elsewhere')
  })

  it('that does not answer in time logs nobody in', async () => {
    const silent = () => undefined
    await inAnother(openGuardedFetch(['127.0.0.1'], { timeoutMs: 100 }), () =>
      expectRefused({ does: { '/token': silent } }, 'smart.provider-unreachable'),
    )
  })

  it('outside of the networks that were named is not asked', async () => {
    await inAnother(openGuardedFetch([]), () => expectRefused({}, 'smart.provider-unreachable'))
    expect(provider.asked).toEqual([])
  })

  it.each<[string, NonNullable<Lies['metadata']>]>([
    ['another issuer', { issuer: 'https://evil.example' }],
    ['no place to log in', { authorization_endpoint: undefined }],
    ['a script for a place to log in', { authorization_endpoint: 'javascript:alert(1)' }],
    ['data for a place to log in', { authorization_endpoint: 'data:text/html,x' }],
  ])('that says of itself %s is not gone to', async (_, metadata) => {
    await expectRefused({ metadata }, 'smart.provider-refused')
  })

  it.each<[string, NonNullable<Lies['metadata']>]>([
    ['tokens', { token_endpoint: 'http://10.0.0.1/token' }],
    ['keys', { jwks_uri: 'http://10.0.0.1/keys' }],
  ])('that says of itself another inner network for %s is not asked there', async (_, metadata) => {
    await expectRefused({ metadata }, 'smart.provider-unreachable')
  })

  it.each(['token_endpoint', 'jwks_uri'])(
    'that says that its %s is a neighbour in its inner network has nobody ask there',
    async name => {
      await expectRefused(
        { metadata: { [name]: `${hub.issuer}/login/oauth/access_token` } },
        'smart.provider-unreachable',
      )
      expect(hub.asked).toEqual([])
    },
  )

  it('is asked for its configuration once in an hour, also by many at once', async () => {
    await Promise.all([1, 2, 3, 4].map(() => depart(new Visitor(house))))
    const asked = () => provider.asked.filter(({ path }) => path.startsWith('/.well-known')).length
    expect(asked()).toBe(1)
    house.clock.advance(61 * 60_000)
    await depart(new Visitor(house))
    expect(asked()).toBe(2)
  })

  it('takes our secret in the form where it says so', async () => {
    await tryWith({ metadata: { token_endpoint_auth_methods_supported: ['client_secret_post'] } })
    const { form, headers } = provider.asked.find(({ path }) => path === '/token') ?? {}
    expect([form?.get('client_id'), form?.has('client_secret')]).toEqual(['kinhold', true])
    expect(headers?.authorization).toBeUndefined()
  })
})

describe('GitHub', () => {
  it('is asked for nothing but who somebody is, and that is a number', async () => {
    const page = await depart(new Visitor(house), { n: 2 })
    const { origin: at, pathname, searchParams } = leadsTo(page)
    expect([at, pathname]).toEqual([hub.issuer, '/login/oauth/authorize'])
    expect([...searchParams.keys()].toSorted()).toEqual([
      'client_id',
      'code_challenge',
      'code_challenge_method',
      'redirect_uri',
      'response_type',
      'state',
    ])
    const linking = await beginLinking(await visiting(house, 'Anna'), { provider: '2' })
    expect(leadsTo(linking).searchParams.get('prompt')).toBe('select_account')
    // Called otherwise, it is still the same account; another one of that name is another.
    const renamed = await tryWith({ claims: { login: 'somebody' } }, { n: 2 })
    expect(renamed.answer.status).toBe(303)
    hub.truth.subject = '4712'
    await expectRefused({ claims: { login: 'anna' } }, 'smart.provider-unlinked', { n: 2 })
    const { headers } = hub.asked.findLast(({ path }) => path === '/api/v3/user') ?? {}
    expect(headers).toMatchObject({ authorization: 'Bearer gho_an-access-token', 'user-agent': 'Kinhold' })
  })

  it.each<[string, Lies]>([
    ['no number', { claims: { id: undefined } }],
    ['a text', { claims: { id: '4711' } }],
    ['a number that is none', { claims: { id: 4711.5 } }],
    ['a number below one', { claims: { id: -1 } }],
    ['a number that is too large to be told from others', { claims: { id: 2 ** 60 } }],
    ['a list', { claims: { id: [4711] } }],
    ['no token', { tokens: { access_token: undefined } }],
    ['an error in place of a token', { tokens: { access_token: undefined, error: 'bad_verification_code' } }],
    ['a token of another type', { tokens: { token_type: 'mac' } }],
    ['nobody', { does: { '/api/v3/user': (_, response) => void response.writeHead(401).end('{"id":4711}') } }],
    ['what is no JSON', { does: { '/api/v3/user': (_, response) => void response.writeHead(200).end('{') } }],
    ['null', { does: { '/api/v3/user': (_, response) => void response.writeHead(200).end('null') } }],
  ])('that says %s logs nobody in', async (_, lies) => {
    await expectRefused(lies, 'smart.provider-refused', { n: 2 })
  })

  it('with the number of somebody at another provider is somebody else', async () => {
    provider.truth.subject = '4711'
    await expectRefused({}, 'smart.provider-unlinked')
  })
})

describe('slowing down', () => {
  it('counts answers of an address that log nobody in, before the provider is asked', async () => {
    provider.truth.subject = 'nobody-here'
    const codes: string[] = []
    for (let each = 0; each < 21; each++) codes.push(codeIn((await tryWith({})).answer))
    expect(codes).toEqual([...Array(20).fill('smart.provider-unlinked'), 'smart.throttled'])
    expect(provider.asked.filter(({ path }) => path === '/token')).toHaveLength(20)
    house.clock.advance(16 * 60_000)
    provider.truth.subject = 'anna'
    expect((await tryWith({})).answer.status).toBe(303)
  })
})

it('the page on the way says where it leads, and runs nothing', async () => {
  const page = await depart(new Visitor(house))
  expect(page.headers.get('content-security-policy')).toMatch(/default-src 'none'; style-src [^;]+; form-action 'self'/)
  expect(page.headers.get('cache-control')).toBe('no-store')
  expect(page.text).toContain(`<a href="${leadsTo(page).href.replaceAll('&', '&amp;')}">Go on to A false one</a>`)
  expect(hidden(page.text, 'csrf')).toBe('')
})
