/** Logging in through a provider of identities, with a real one: https://openid.net/specs/openid-connect-core-1_0.html#CodeFlowAuth */
import { createHmac } from 'node:crypto'
import { FixedClock } from '#kernel'
import { openMemoryKeys, openMemoryStore } from '#store'
import { newRecoveryCode, recoveryRoot } from '#vault'
import {
  addApp,
  addFamily,
  authorizeParams,
  grantOf,
  type House,
  hidden,
  openHouse,
  password,
  Visitor,
} from './house.ts'
import {
  beginLinking,
  codeIn,
  csrfOf,
  depart,
  doneOf,
  type IdentityProvider,
  isIn,
  leadsTo,
  linkAs,
  logInAt,
  loopbackFetch,
  openIdentityProvider,
  origin,
  visiting,
  walk,
} from './identity-provider.ts'

let provider: IdentityProvider
let house: House

beforeAll(async () => {
  provider = await openIdentityProvider()
})
afterAll(() => provider.close())
beforeEach(async () => {
  house = await openOne()
})
afterEach(() => house.close())

const openOne = (more: Parameters<typeof openHouse>[0] = {}) =>
  openHouse({
    toldUrl: () => origin,
    providers: { settings: [provider.settings()], fetch: loopbackFetch },
    ...more,
  })

/** An account to which somebody at the provider is linked, and a browser that is logged in to it. */
async function linked(name: string, who = name.toLowerCase()) {
  const { account } = await addFamily(house, name)
  const visitor = await visiting(house, name)
  expect(doneOf(await linkAs(visitor, who))).toBe('linked')
  return { account, visitor }
}

/** The whole audit, as text. */
async function audited(): Promise<string> {
  const { items } = await house.record.reader(grantOf('system/*.cruds')).history({ type: 'AuditEvent', count: 500 })
  return items.map(({ json }) => json.toString()).join()
}

function totp(key: string, nowMs: number): string {
  const bits = [...key].map(each => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(each).toString(2).padStart(5, '0'))
  const bytes = (bits.join('').match(/.{8}/g) ?? []).map(each => Number.parseInt(each, 2))
  const step = Buffer.alloc(8)
  step.writeBigUInt64BE(BigInt(Math.floor(nowMs / 30_000)))
  const mac = createHmac('sha1', Buffer.from(bytes)).update(step).digest()
  const at = (mac[19] ?? 0) & 15
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, '0')
}

/** A second step; resolves to the codes for paper. */
async function setUpCode(visitor: Visitor): Promise<string[]> {
  const page = await visitor.post('/account/second-factor', { csrf: await csrfOf(visitor), current: password })
  const key = /type the key in: <code>([A-Z2-7 ]+)<\/code>/.exec(page.text)?.[1]?.replaceAll(' ', '') ?? ''
  const code = totp(key, house.clock.nowMs())
  const fields = { csrf: hidden(page.text, 'csrf'), setup: hidden(page.text, 'setup'), code }
  const done = await visitor.post('/account/second-factor/confirm', fields)
  return [...done.text.matchAll(/<li><code>([^<]+)<\/code>/g)].map(([, each]) => each ?? '')
}

describe('logging in through a provider', () => {
  it('is offered where one is set up, and leads there by code, PKCE, state and nonce', async () => {
    await house.close()
    house = await openOne({ providers: undefined })
    expect((await new Visitor(house).ask('/auth/login')).text).not.toContain('/auth/login/provider')
    await house.close()
    house = await openOne()
    const page = await depart(new Visitor(house))
    const url = leadsTo(page)
    expect([page.status, url.origin]).toEqual([200, provider.issuer])
    expect(Object.fromEntries(url.searchParams)).toEqual({
      client_id: 'kinhold',
      response_type: 'code',
      redirect_uri: `${origin}/auth/login/provider/1`,
      scope: 'openid',
      state: expect.stringMatching(/^[\w-]{43}$/),
      nonce: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge_method: 'S256',
    })
    const [cookie = ''] = page.headers.getSetCookie()
    expect(cookie).toMatch(/^__Host-kinhold-provider=[\w-]+; Max-Age=600; Path=\/; HttpOnly; Secure; SameSite=Lax$/)
    // Nothing of what ties the answer to this browser is told to anybody but it.
    const again = leadsTo(await depart(new Visitor(house)))
    for (const name of ['state', 'nonce', 'code_challenge'])
      expect(again.searchParams.get(name)).not.toBe(url.searchParams.get(name))
  })

  it('opens the account whose link it is, without name and password, and shows when it was used', async () => {
    await linked('Anna')
    await linked('Bert')
    for (const name of ['Bert', 'Anna']) {
      const visitor = new Visitor(house)
      const sent = await logInAt(visitor, name.toLowerCase())
      expect([sent.status, sent.location?.pathname]).toEqual([303, '/account'])
      expect(visitor.cookies.has('__Host-kinhold-provider')).toBe(false)
      const page = (await visitor.ask('/account')).text
      expect(page).toContain(`logged in as <strong>${name}</strong>`)
      expect(page).toMatch(/<legend>Our Keycloak<\/legend>[\s\S]*last used on \d{4}-/)
    }
    expect(await audited()).toContain('with a provider')
  })

  it('opens nothing for somebody who is linked to no account, whatever they are called there', async () => {
    await linked('Anna', 'somebody-else')
    const visitor = new Visitor(house)
    const sent = await logInAt(visitor, 'Anna')
    expect([sent.status, codeIn(sent)]).toEqual([400, 'smart.provider-unlinked'])
    expect(await isIn(visitor)).toBe(false)
    expect(await audited()).toContain('an identity of a provider that opens no account')
  })

  it('is told to be refused where the provider logs nobody in, without a word of the provider', async () => {
    const sent = await logInAt(new Visitor(house), '')
    expect([sent.status, codeIn(sent)]).toEqual([400, 'smart.provider-refused'])
    expect(sent.text).not.toMatch(/a word of the provider|access_denied/)
  })

  it('goes on with the app that waits', async () => {
    const { account } = await linked('Anna')
    const visitor = new Visitor(house)
    const asked = await visitor.ask(
      `/auth/authorize?${authorizeParams(house, await addApp(house), { aud: `${origin}/fhir` })}`,
    )
    const login = await visitor.ask(asked.location ?? '')
    const request = login.location?.searchParams.get('request') ?? ''
    expect(request.length).toBeGreaterThan(100)
    const sent = await logInAt(visitor, 'anna', { request })
    expect([sent.location?.pathname, sent.location?.searchParams.get('request')]).toEqual(['/auth/consent', request])
    const consent = await visitor.ask(sent.location ?? '')
    expect(consent.text).toContain('Heart Diary')
    expect(account).toBeDefined()
  })

  it('carries no request that is too long for a cookie, and says so', async () => {
    const sent = await depart(new Visitor(house), { request: 'a'.repeat(3_500) })
    expect([sent.status, codeIn(sent)]).toEqual([400, 'smart.provider-request-long'])
    expect(sent.text).toContain(`name="request" value="${'a'.repeat(3_500)}"`)
    expect((await depart(new Visitor(house), { request: 'a'.repeat(2_500) })).status).toBe(200)
  })

  it('is the first step alone: an account with a second step asks for its code', async () => {
    const { visitor } = await linked('Anna')
    const [paper = '', other = ''] = await setUpCode(visitor)
    const stranger = new Visitor(house)
    const page = await logInAt(stranger, 'anna', { request: 'some-request' })
    expect([page.status, await isIn(stranger)]).toEqual([200, false])
    const fields = { csrf: hidden(page.text, 'csrf'), half: hidden(page.text, 'half'), request: 'some-request' }
    const wrong = await stranger.post('/auth/login/code', { ...fields, code: '000000' })
    expect([codeIn(wrong), await isIn(stranger)]).toEqual(['smart.code-refused', false])
    const sent = await stranger.post('/auth/login/code', { ...fields, code: paper })
    expect([sent.location?.pathname, await isIn(stranger)]).toEqual(['/auth/consent', true])
    // A half whose link, or whose password, has ended meanwhile opens nothing.
    const late = new Visitor(house)
    const half = await logInAt(late, 'anna')
    const link = /name="link" value="([^"]+)"/.exec((await stranger.ask('/account')).text)?.[1] ?? ''
    await stranger.post('/account/links/end', { csrf: await csrfOf(stranger), link })
    const kept = { csrf: hidden(half.text, 'csrf'), half: hidden(half.text, 'half'), code: other }
    expect(codeIn(await late.post('/auth/login/code', kept))).toBe('smart.login-lost')
    expect(await isIn(late)).toBe(false)
  })
})

describe('linking', () => {
  it('takes the password, and the second step where there is one', async () => {
    await addFamily(house, 'Anna')
    const visitor = await visiting(house, 'Anna')
    expect(doneOf(await beginLinking(visitor, { current: 'wrong' }))).toBe('link-failed')
    const [paper = ''] = await setUpCode(visitor)
    expect(doneOf(await beginLinking(visitor))).toBe('link-failed')
    expect(doneOf(await beginLinking(visitor, { code: '000000' }))).toBe('link-failed')
    expect((await beginLinking(visitor, { code: paper })).status).toBe(200)
    expect(await house.store.documents('smart.provider-links', house.clock.nowMs())).toEqual([])
  })

  it('has the person log in at the provider anew, for somebody else may be known there', async () => {
    await addFamily(house, 'Anna')
    const page = await beginLinking(await visiting(house, 'Anna'))
    expect(leadsTo(page).searchParams.get('prompt')).toBe('login')
  })

  it.each(['2', '0', '', '1x', 'constructor'])('to the provider %j, which there is not, fails', async n => {
    await addFamily(house, 'Anna')
    const visitor = await visiting(house, 'Anna')
    expect(doneOf(await beginLinking(visitor, { provider: n }))).toBe('link-failed')
  })

  it('gives an identity to one account, and once', async () => {
    const { visitor } = await linked('Anna')
    expect(doneOf(await linkAs(visitor, 'anna'))).toBe('link-known')
    await addFamily(house, 'Bert')
    const bert = await visiting(house, 'Bert')
    expect(doneOf(await linkAs(bert, 'anna'))).toBe('link-known')
    const stranger = new Visitor(house)
    await logInAt(stranger, 'anna')
    expect((await stranger.ask('/account')).text).toContain('logged in as <strong>Anna</strong>')
  })

  it('has room for ten', async () => {
    const { visitor } = await linked('Anna')
    for (let each = 0; each < 9; each++) expect(doneOf(await linkAs(visitor, `anna-${each}`))).toBe('linked')
    expect(doneOf(await beginLinking(visitor))).toBe('link-failed')
    expect((await visitor.ask('/account')).text.match(/End the link to Our Keycloak/g)).toHaveLength(10)
  })

  it('keeps nothing of who somebody is there, here or in the audit', async () => {
    const who = 'a-very-telling-subject'
    await linked('Anna', who)
    await logInAt(new Visitor(house), who)
    expect(await audited()).toContain('an identity at a provider was linked')
    expect(await audited()).not.toContain(who)
    const kept = await house.documents.list('smart.provider-links')
    expect(kept).toHaveLength(1)
    expect(JSON.stringify(kept)).not.toContain(who)
  })

  it('is done for nobody whose session has ended before they come back', async () => {
    const { visitor } = await linked('Anna')
    const back = await walk(leadsTo(await beginLinking(visitor)), 'second')
    await house.smart.resetAccount('Anna', { endNow: true })
    expect((await visitor.ask(back)).location?.pathname).toBe('/auth/login')
    expect(await house.documents.list('smart.provider-links')).toEqual([])
  })

  it('is undone where the session ends at the moment at which it is written', async () => {
    await addFamily(house, 'Anna')
    const visitor = await visiting(house, 'Anna')
    const back = await walk(leadsTo(await beginLinking(visitor)), 'anna')
    // All that is open ends between the two looks at the session.
    const { documents } = house
    const commit = documents.commit.bind(documents)
    let ended = false
    documents.commit = async writes => {
      // A link is written with the turn of its account; all else comes alone.
      if (writes.length === 1) return commit(writes)
      documents.commit = commit
      ended = true
      await house.smart.resetAccount('Anna', { endNow: true })
      return commit(writes)
    }
    expect((await visitor.ask(back)).location?.pathname).toBe('/auth/login')
    expect(ended).toBe(true)
    expect(await documents.list('smart.provider-links')).toEqual([])
  })

  it('is not what somebody comes back to who logged in to another account meanwhile', async () => {
    await addFamily(house, 'Anna')
    await addFamily(house, 'Bert')
    const visitor = await visiting(house, 'Anna')
    const back = await walk(leadsTo(await beginLinking(visitor)), 'anna')
    await visitor.logIn('Bert')
    expect(codeIn(await visitor.ask(back))).toBe('smart.provider-lost')
    expect(await house.documents.list('smart.provider-links')).toEqual([])
  })
})

describe('ending a link', () => {
  const linkIn = async (visitor: Visitor) =>
    /name="link" value="([^"]+)"/.exec((await visitor.ask('/account')).text)?.[1] ?? ''

  it('ends what it opened, and nothing else; linked anew it does not open that again', async () => {
    const { visitor } = await linked('Anna')
    const by = new Visitor(house)
    await logInAt(by, 'anna')
    const fields = { csrf: await csrfOf(visitor), link: await linkIn(visitor) }
    expect(doneOf(await visitor.post('/account/links/end', fields))).toBe('link-ended')
    expect([await isIn(visitor), await isIn(by)]).toEqual([true, false])
    expect((await visitor.ask('/account')).text).not.toContain('Log this browser out')
    expect(codeIn(await logInAt(new Visitor(house), 'anna'))).toBe('smart.provider-unlinked')
    expect(doneOf(await linkAs(visitor, 'anna'))).toBe('linked')
    expect(await isIn(by)).toBe(false)
  })

  it('is done to one’s own alone', async () => {
    const [anna, bert] = [await linked('Anna'), await linked('Bert')]
    const link = await linkIn(anna.visitor)
    await bert.visitor.post('/account/links/end', { csrf: await csrfOf(bert.visitor), link })
    expect((await logInAt(new Visitor(house), 'anna')).status).toBe(303)
    for (const wrong of ['', link.slice(0, -1), link.split('.')[0] ?? '', `${link}.x`, 'constructor'])
      await anna.visitor.post('/account/links/end', { csrf: await csrfOf(anna.visitor), link: wrong })
    expect((await logInAt(new Visitor(house), 'anna')).status).toBe(303)
  })

  it('is possible where the provider is set up no more', async () => {
    await house.close()
    const shared = {
      store: openMemoryStore(),
      keys: openMemoryKeys(),
      root: recoveryRoot(newRecoveryCode()),
      clock: new FixedClock(Date.now()),
    }
    house = await openOne({ shared })
    const { visitor } = await linked('Anna')
    const by = new Visitor(house)
    await logInAt(by, 'anna')
    expect((await visitor.ask('/account')).text).toContain('Log this browser out')
    const bare = await openOne({ shared, providers: undefined })
    const at = ({ cookies }: Visitor) =>
      new Visitor(bare, { cookie: [...cookies].map(each => each.join('=')).join('; ') })
    const there = at(visitor)
    // What was begun there is worth nothing, nor shown as open.
    expect(await isIn(at(by))).toBe(false)
    expect((await there.ask('/account')).text).not.toContain('Log this browser out')
    expect(await isIn(by)).toBe(true)
    const page = (await there.ask('/account')).text
    expect(page).toContain(`End the link to ${provider.issuer}`)
    expect(page).toContain('Nobody can log in there for this server at the moment')
    expect(page).toContain('name="keep-links"')
    expect(page).not.toContain('name="provider"')
    expect((await bare.smart.listAccounts())[0]).toMatchObject({ links: 1 })
    const fields = { csrf: hidden(page, 'csrf'), link: /name="link" value="([^"]+)"/.exec(page)?.[1] ?? '' }
    expect(doneOf(await there.post('/account/links/end', fields))).toBe('link-ended')
    expect(codeIn(await logInAt(new Visitor(house), 'anna'))).toBe('smart.provider-unlinked')
    await bare.close()
  })
})

describe('what a new password does to links', () => {
  const renewed = 'a new and long password'
  const renew = async (visitor: Visitor, fields: Record<string, string> = {}) =>
    visitor.post('/account/password', { csrf: await csrfOf(visitor), current: password, password: renewed, ...fields })

  it('ends them, for somebody who knew the old one may have added one', async () => {
    const { visitor } = await linked('Anna')
    const by = new Visitor(house)
    await logInAt(by, 'anna')
    await renew(visitor)
    expect([await isIn(visitor), await isIn(by)]).toEqual([true, false])
    expect(codeIn(await logInAt(new Visitor(house), 'anna'))).toBe('smart.provider-unlinked')
    expect(await audited()).toContain('no provider logs in any more')
  })

  it('keeps them where the person says so, and the browser that was logged in by one', async () => {
    await linked('Anna')
    const by = new Visitor(house)
    await logInAt(by, 'anna')
    await renew(by, { 'keep-links': 'yes' })
    expect(await isIn(by)).toBe(true)
    expect((await logInAt(new Visitor(house), 'anna')).status).toBe(303)
  })

  it('keeps the browser logged in that changed it, when that was logged in by a link that ends', async () => {
    await linked('Anna')
    const by = new Visitor(house)
    await logInAt(by, 'anna')
    await renew(by)
    expect(await isIn(by)).toBe(true)
  })

  it('is the same by a one-time address, and by the administrator, at once where they say so', async () => {
    await linked('Anna')
    const visitor = new Visitor(house)
    const page = await visitor.ask(new URL((await house.smart.resetAccount('Anna')).url).href.replace(origin, ''))
    expect(page.text).toContain('name="keep-links"')
    expect((await logInAt(new Visitor(house), 'anna')).status).toBe(303)
    const fields = {
      csrf: hidden(page.text, 'csrf'),
      code: hidden(page.text, 'code'),
      password: renewed,
      again: renewed,
    }
    await visitor.post('/account/reset', fields)
    expect(codeIn(await logInAt(new Visitor(house), 'anna'))).toBe('smart.provider-unlinked')
    for (const [name, end] of [
      ['Bert', () => house.smart.resetAccount('Bert', { endNow: true })],
      ['Cleo', () => house.smart.resetAccount('Cleo', { endSecondFactor: true })],
      ['Dora', () => house.smart.resetPassword({ name: 'Dora', password: renewed })],
    ] as const) {
      await linked(name)
      await end()
      expect(codeIn(await logInAt(new Visitor(house), name.toLowerCase()))).toBe('smart.provider-unlinked')
    }
  })

  it('opens nothing for who was on the way to the provider while it was set', async () => {
    const { visitor } = await linked('Anna')
    const by = new Visitor(house)
    const back = await walk(leadsTo(await depart(by)), 'anna')
    await renew(visitor)
    expect(codeIn(await by.ask(back))).toBe('smart.provider-unlinked')
  })
})

describe('an account that is being deleted', () => {
  it('is logged in to while it waits, and not once it has begun, and then nothing is left of it', async () => {
    await house.close()
    const accountEnds = {
      erasePatient: (patient: string) => house.record.shred(patient),
      endReach: async () => undefined,
    }
    house = await openOne({ accountEnds })
    await linked('Anna')
    await house.smart.deleteAccount('Anna')
    const visitor = new Visitor(house)
    expect((await logInAt(visitor, 'anna')).status).toBe(303)
    await visitor.post('/account/delete/take-back', { csrf: await csrfOf(visitor) })
    expect(await house.smart.listDeletions()).toEqual([])
    await house.smart.deleteAccount('Anna', { isNow: true })
    expect(codeIn(await logInAt(new Visitor(house), 'anna'))).toBe('smart.provider-unlinked')
    expect(await house.store.documents('smart.provider-links', house.clock.nowMs())).toEqual([])
  })
})
