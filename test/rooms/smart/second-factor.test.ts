/** The second step of a login: RFC 6238, by a reckoning of this file's own, and ten codes on paper. */
import { createHmac } from 'node:crypto'
import {
  type Answer,
  addApp,
  addFamily,
  authorizeParams,
  type House,
  hidden,
  openConsent,
  openHouse,
  password,
  Visitor,
} from './house.ts'

let house: House
beforeEach(async () => {
  house = await openHouse()
})
afterEach(() => house.close())

const stepMs = 30_000

function fromBase32(text: string): Buffer {
  const bits = [...text].map(letter => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0'))
  return Buffer.from(
    bits
      .join('')
      .match(/.{8}/g)
      ?.map(byte => Number.parseInt(byte, 2)) ?? [],
  )
}

/** https://www.rfc-editor.org/rfc/rfc4226#section-5.3 with the counter of https://www.rfc-editor.org/rfc/rfc6238#section-4.2 */
function totp(secret: Buffer, atMs: number): string {
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(atMs / stepMs)))
  const mac = createHmac('sha1', secret).update(counter).digest()
  const offset = (mac.at(-1) ?? 0) & 15
  return String((mac.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, '0')
}

it('reckons as the vectors of RFC 6238 appendix B do, cut to six digits', () => {
  const secret = Buffer.from('12345678901234567890')
  expect([59, 1111111109, 1234567890, 20000000000].map(s => totp(secret, s * 1000))).toEqual([
    '287082',
    '081804',
    '005924',
    '353130',
  ])
})

interface Guarded {
  readonly name: string
  readonly account: string
  readonly visitor: Visitor
  readonly code: () => string
  readonly paper: readonly string[]
}

const csrfOf = async (visitor: Visitor) => hidden((await visitor.ask('/account')).text, 'csrf')

/** Somebody who has set a second step up, and waited until its first code is over. */
async function guarded(name: string): Promise<Guarded> {
  const { account } = await addFamily(house, name)
  return guardedOf({ name, account })
}

async function guardedOf({ name, account }: Pick<Guarded, 'name' | 'account'>): Promise<Guarded> {
  const visitor = new Visitor(house)
  await visitor.logIn(name)
  const proposed = await visitor.post('/account/second-factor', { csrf: await csrfOf(visitor), current: password })
  expect(proposed.text).toContain('<svg')
  const secret = fromBase32(
    /type the key in: <code>([A-Z2-7 ]+)<\/code>/.exec(proposed.text)?.[1]?.replaceAll(' ', '') ?? '',
  )
  const code = () => totp(secret, house.clock.nowMs())
  const form = { csrf: hidden(proposed.text, 'csrf'), setup: hidden(proposed.text, 'setup') }
  const wrong = await visitor.post('/account/second-factor/confirm', { ...form, code: '12345' })
  expect(wrong.text).toContain('data-code="smart.code-wrong"')
  const done = await visitor.post('/account/second-factor/confirm', {
    ...form,
    setup: hidden(wrong.text, 'setup'),
    code: code(),
  })
  const paper = [...done.text.matchAll(/<li><code>([^<]+)<\/code>/g)].map(([, each]) => each ?? '')
  expect(new Set(paper).size).toBe(10)
  house.clock.advance(2 * stepMs)
  return { name, account, visitor, code, paper }
}

/** Types name and password, and then a code. */
async function logIn(
  name: string,
  code: string,
  { visitor = new Visitor(house), request = undefined as string | undefined } = {},
) {
  const asked = await visitor.logIn(name, password, request)
  const fields = { csrf: hidden(asked.text, 'csrf'), half: hidden(asked.text, 'half') }
  const sealed = hidden(asked.text, 'request')
  const answer = await visitor.post('/auth/login/code', {
    ...fields,
    code,
    ...(sealed === '' ? {} : { request: sealed }),
  })
  return { asked, answer, visitor, fields }
}

const isIn = async (visitor: Visitor) => (await visitor.ask('/account')).status === 200

describe('logging in with a second step', () => {
  it('takes a code after the password, and without one opens nothing', async () => {
    const { name, code } = await guarded('Anna')
    const visitor = new Visitor(house)
    const asked = await visitor.logIn(name)
    expect([asked.status, asked.location]).toEqual([200, undefined])
    expect(asked.text).toContain('name="code"')
    expect(await isIn(visitor)).toBe(false)
    const { answer } = await logIn(name, code(), { visitor })
    expect(answer.location?.pathname).toBe('/account')
    expect(await isIn(visitor)).toBe(true)
  })

  it('takes each code of the phone once, also of two who bring it at the same moment', async () => {
    const { name, code } = await guarded('Anna')
    const now = code()
    const both = await Promise.all([logIn(name, now), logIn(name, now)])
    expect(both.map(({ answer }) => answer.status).sort()).toEqual([303, 400])
    expect((await logIn(name, now)).answer.text).toContain('data-code="smart.code-refused"')
    house.clock.advance(stepMs)
    expect((await logIn(name, code())).answer.status).toBe(303)
  })

  it.each([
    ['one step before', -stepMs, 303],
    ['one step after', stepMs, 303],
    ['three steps before', -3 * stepMs, 400],
    ['three steps after', 3 * stepMs, 400],
  ])('takes what a clock shows that is %s its own or not', async (_, offMs, status) => {
    const { name, code } = await guarded('Anna')
    house.clock.advance(6 * stepMs)
    const here = house.clock.nowMs()
    house.clock.advance(offMs)
    const there = code()
    house.clock.advance(here - house.clock.nowMs())
    expect((await logIn(name, there)).answer.status).toBe(status)
  })

  it('takes each code on paper once, however it is typed', async () => {
    const { name, paper } = await guarded('Anna')
    const [first = '', second = ''] = paper
    expect((await logIn(name, ` ${first.toUpperCase().replaceAll('-', ' ')} `)).answer.status).toBe(303)
    expect((await logIn(name, first)).answer.status).toBe(400)
    const { visitor } = await logIn(name, second)
    expect((await visitor.ask('/account')).text).toContain('8 of the codes on paper are left')
  })

  it('leads on to the consent that waits', async () => {
    const { name, code } = await guarded('Anna')
    const visitor = new Visitor(house)
    const sent = await openConsent(visitor, authorizeParams(house, await addApp(house)))
    const request = sent.location?.searchParams.get('request') ?? ''
    const { answer } = await logIn(name, code(), { visitor, request })
    expect(answer.location?.pathname).toBe('/auth/consent')
    expect((await visitor.ask(answer.location ?? '')).text).toContain('Heart Diary')
  })

  it('takes no half of somebody else, of another browser, of an old password, or of long ago', async () => {
    const anna = await guarded('Anna')
    const bert = await guarded('Bert')
    const [a, b] = [new Visitor(house), new Visitor(house)]
    const [ofAnna, ofBert] = [await a.logIn('Anna'), await b.logIn('Bert')]
    const post = (visitor: Visitor, page: { text: string }, half: string, code: string) =>
      visitor.post('/auth/login/code', { csrf: hidden(page.text, 'csrf'), half, code })
    // Bert's half and code in Anna's browser, and Anna's half with Bert's code.
    expect((await post(a, ofAnna, hidden(ofBert.text, 'half'), bert.code())).text).toContain('smart.login-lost')
    expect((await post(a, ofAnna, hidden(ofAnna.text, 'half'), bert.code())).text).toContain('smart.code-refused')
    for (const half of ['', 'made-up', hidden(ofAnna.text, 'half').slice(0, -2)])
      expect((await post(a, ofAnna, half, anna.code())).text).toContain('smart.login-lost')
    house.clock.advance(10 * 60_000)
    expect((await post(b, ofBert, hidden(ofBert.text, 'half'), bert.code())).text).toContain('smart.login-lost')
    const again = await a.logIn('Anna')
    await house.smart.resetPassword({ name: 'Anna', password: 'another long password' })
    expect((await post(a, again, hidden(again.text, 'half'), anna.code())).text).toContain('smart.login-lost')
  })

  it('slows guessing down, and not the device that the person knows', async () => {
    const { name, code, visitor } = await guarded('Anna')
    const thief = new Visitor(house, { 'x-test-address': '198.51.100.7' })
    const answers: string[] = []
    for (let each = 0; each < 8; each++)
      answers.push(/data-code="([^"]+)"/.exec((await logIn(name, '000000', { visitor: thief })).answer.text)?.[1] ?? '')
    expect(answers.slice(0, 5)).toEqual(Array(5).fill('smart.code-refused'))
    expect(answers.at(-1)).toBe('smart.throttled')
    // A quiet hour gives one try, and not the free ones anew.
    house.clock.advance(2 * 3_600_000)
    const after: string[] = []
    for (let each = 0; each < 2; each++)
      after.push(/data-code="([^"]+)"/.exec((await logIn(name, '000000', { visitor: thief })).answer.text)?.[1] ?? '')
    expect(after).toEqual(['smart.code-refused', 'smart.throttled'])
    expect((await logIn(name, code(), { visitor })).answer.status).toBe(303)
  })

  it('counts browsers together in which the password alone was typed before, however many', async () => {
    const { account } = await addFamily(house, 'Anna')
    const thieves = Array.from({ length: 8 }, () => new Visitor(house))
    for (const thief of thieves) expect((await thief.logIn('Anna')).status).toBe(303)
    const { code, visitor } = await guardedOf({ name: 'Anna', account })
    const answers: string[] = []
    for (const thief of thieves)
      answers.push(
        /data-code="([^"]+)"/.exec((await logIn('Anna', '000000', { visitor: thief })).answer.text)?.[1] ?? '',
      )
    expect(answers.at(0)).toBe('smart.code-refused')
    expect(answers.at(-1)).toBe('smart.throttled')
    expect((await logIn('Anna', code(), { visitor })).answer.status).toBe(303)
  })
})

describe('setting a second step up', () => {
  it('wants the password, ends every other browser, and keeps this one', async () => {
    const { account } = await addFamily(house, 'Anna')
    expect(account).not.toBe('')
    const [here, there] = [new Visitor(house), new Visitor(house)]
    await here.logIn('Anna')
    await there.logIn('Anna')
    const refused = await here.post('/account/second-factor', { csrf: await csrfOf(here), current: 'not the password' })
    expect(refused.location?.searchParams.get('done')).toBe('factor-failed')
    const proposed = await here.post('/account/second-factor', { csrf: await csrfOf(here), current: password })
    const secret = fromBase32(
      /type the key in: <code>([A-Z2-7 ]+)<\/code>/.exec(proposed.text)?.[1]?.replaceAll(' ', '') ?? '',
    )
    // Proposed is not set up: nothing is asked for yet.
    expect((await new Visitor(house).logIn('Anna')).status).toBe(303)
    const form = { csrf: hidden(proposed.text, 'csrf'), setup: hidden(proposed.text, 'setup') }
    const done = await here.post('/account/second-factor/confirm', { ...form, code: totp(secret, house.clock.nowMs()) })
    expect(done.text).toContain('only this once')
    expect([await isIn(here), await isIn(there)]).toEqual([true, false])
  })

  it('takes no setup of another account, nor one that is too old', async () => {
    const anna = await guarded('Anna')
    await addFamily(house, 'Bert')
    const bert = new Visitor(house)
    await bert.logIn('Bert')
    const proposed = await bert.post('/account/second-factor', { csrf: await csrfOf(bert), current: password })
    const setup = hidden(proposed.text, 'setup')
    const foreign = await anna.visitor.post('/account/second-factor/confirm', {
      csrf: await csrfOf(anna.visitor),
      setup,
      code: '000000',
    })
    expect([foreign.status, foreign.text.includes('smart.setup-lost')]).toEqual([400, true])
    house.clock.advance(31 * 60_000)
    const late = await bert.post('/account/second-factor/confirm', { csrf: await csrfOf(bert), setup, code: '000000' })
    expect(late.text).toContain('smart.setup-lost')
  })

  it('is changed only by who has a code: a password alone neither replaces, renews nor removes it', async () => {
    const { name, visitor, code, paper } = await guarded('Anna')
    const again = await visitor.post('/account/second-factor', { csrf: await csrfOf(visitor), current: password })
    expect(again.location?.pathname).toBe('/account')
    for (const path of ['codes', 'remove']) {
      const answer = await visitor.post(`/account/second-factor/${path}`, {
        csrf: await csrfOf(visitor),
        current: password,
        code: '000000',
      })
      expect(answer.location?.searchParams.get('done')).toBe('factor-failed')
    }
    const renewed = await visitor.post('/account/second-factor/codes', { csrf: await csrfOf(visitor), code: code() })
    expect(renewed.text).toContain('Ten codes')
    expect((await logIn(name, paper[0] ?? '')).answer.status).toBe(400)
    const fresh = /<li><code>([^<]+)<\/code>/.exec(renewed.text)?.[1] ?? ''
    const removed = await visitor.post('/account/second-factor/remove', {
      csrf: await csrfOf(visitor),
      current: password,
      code: fresh,
    })
    expect(removed.location?.searchParams.get('done')).toBe('factor-removed')
    expect((await new Visitor(house).logIn(name)).status).toBe(303)
    expect(await isIn(visitor)).toBe(true)
  })

  it('is not replaced by another key that was proposed before it, in whatever order they come', async () => {
    await addFamily(house, 'Anna')
    const visitor = new Visitor(house)
    await visitor.logIn('Anna')
    const proposals: { setup: string; code: string }[] = []
    for (let each = 0; each < 2; each++) {
      const { text } = await visitor.post('/account/second-factor', { csrf: await csrfOf(visitor), current: password })
      const key = /type the key in: <code>([A-Z2-7 ]+)<\/code>/.exec(text)?.[1]?.replaceAll(' ', '') ?? ''
      proposals.push({ setup: hidden(text, 'setup'), code: totp(fromBase32(key), house.clock.nowMs()) })
    }
    const [first, second] = proposals
    const taken = await visitor.post('/account/second-factor/confirm', {
      csrf: await csrfOf(visitor),
      setup: '',
      ...first,
    })
    expect(taken.text).toContain('Ten codes')
    for (const again of [first, second]) {
      const form = { csrf: await csrfOf(visitor), setup: '', ...again }
      const refused = await visitor.post('/account/second-factor/confirm', form)
      expect([refused.status, refused.text.includes('smart.setup-lost')]).toEqual([400, true])
    }
    const [paper = ''] = [...taken.text.matchAll(/<li><code>([^<]+)<\/code>/g)].map(([, each]) => each ?? '')
    expect((await logIn('Anna', paper)).answer.status).toBe(303)
  })

  it.each(['', '/confirm', '/codes', '/remove'])(
    'wants a login and a form of ours at /account/second-factor%s',
    async path => {
      const { visitor } = await guarded('Anna')
      const stranger = new Visitor(house)
      const page = await stranger.ask('/auth/login')
      const fields = { current: password, setup: '', code: '000000' }
      const asked = await stranger.post(`/account/second-factor${path}`, { ...fields, csrf: hidden(page.text, 'csrf') })
      expect(asked.location?.pathname).toBe('/auth/login')
      expect((await visitor.post(`/account/second-factor${path}`, { ...fields, csrf: 'made-up' })).status).toBe(403)
    },
  )
})

describe('a new password beside a second step', () => {
  const renewed = 'a new and long password'
  const renewing = ({ text }: Answer) => ({
    csrf: hidden(text, 'csrf'),
    code: hidden(text, 'code'),
    password: renewed,
    again: renewed,
  })

  it('leaves it: a one-time address opens nothing without a code', async () => {
    const { name, code } = await guarded('Anna')
    const visitor = new Visitor(house)
    const page = await visitor.ask((await house.smart.resetAccount(name)).url)
    expect((await visitor.post('/account/reset', renewing(page))).location?.pathname).toBe('/auth/login')
    expect(await isIn(visitor)).toBe(false)
    const asked = await visitor.logIn(name, renewed)
    const half = { csrf: hidden(asked.text, 'csrf'), half: hidden(asked.text, 'half') }
    expect((await visitor.post('/auth/login/code', { ...half, code: code() })).status).toBe(303)
  })

  it('leaves the browser logged in that has shown both', async () => {
    const { visitor } = await guarded('Anna')
    const sent = await visitor.post('/account/password', {
      csrf: await csrfOf(visitor),
      current: password,
      password: renewed,
    })
    expect(sent.location?.searchParams.get('done')).toBe('password')
    expect(await isIn(visitor)).toBe(true)
  })

  it('goes with it where the administrator says so, and then the old password opens nothing', async () => {
    const { name, visitor } = await guarded('Anna')
    expect((await house.smart.listAccounts()).map(each => each.hasSecondFactor)).toEqual([true])
    const { url } = await house.smart.resetAccount(name, { endSecondFactor: true })
    expect(await isIn(visitor)).toBe(false)
    expect((await new Visitor(house).logIn(name)).text).toContain('smart.login-failed')
    const fresh = new Visitor(house)
    const page = await fresh.ask(url)
    expect((await fresh.post('/account/reset', renewing(page))).location?.pathname).toBe('/account')
    expect((await house.smart.listAccounts()).map(each => each.hasSecondFactor)).toEqual([false])
  })
})

it('holds for another process, and nothing of it lies readable in the store', async () => {
  const { name, paper } = await guarded('Anna')
  const other = await house.again()
  expect((await other.listAccounts()).map(each => each.hasSecondFactor)).toEqual([true])
  const kept = JSON.stringify(await house.store.documents('smart.second-factors', house.clock.nowMs()), (_, value) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value,
  )
  for (const code of paper) expect(kept).not.toContain(code.replaceAll('-', ''))
  expect(kept).not.toContain(name)
})

it('is asked for by the deletion of the account, which ends it', async () => {
  const { name, account, visitor, code } = await guarded('Anna')
  const erase = await house.record.patientsOf(account)
  const ask = async (fields: Record<string, string>) => {
    const page = await visitor.ask('/account/delete')
    expect(page.text).toContain('name="code"')
    return visitor.post('/account/delete', { csrf: hidden(page.text, 'csrf'), current: password, erase, ...fields })
  }
  for (const wrong of ['', '000000', 'nothing like it'])
    expect((await ask({ code: wrong })).text).toMatch(/smart\.(code-refused|throttled)/)
  expect(await house.smart.listDeletions()).toEqual([])
  house.clock.advance(20 * 60_000)
  expect((await ask({ code: code() })).location?.searchParams.get('done')).toBe('deletion')
  expect((await house.smart.listDeletions()).map(each => each.name)).toEqual([name])
})
