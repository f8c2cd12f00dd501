import { createHmac } from 'node:crypto'
import type { PasskeyAnswer } from '../../../src/smart/accounts/passkey-answers.ts'
import { parseAnswer } from '../../../src/smart/accounts/passkey-answers.ts'
import { passkeyHost } from '../../../src/smart/accounts/passkey-ceremonies.ts'
import { openPasskeys, parsePasskeyName } from '../../../src/smart/accounts/passkeys.ts'
import { Authenticator, askedBy, type Lies } from './authenticator.ts'
import { type Answer, addFamily, codeOf, grantOf, type House, hidden, openHouse, password, Visitor } from './house.ts'

const origin = 'https://family.example'
let house: House

/** Each test has a house of its own. */
function ownHouses(): void {
  beforeEach(async () => {
    house = await openHouse({ toldUrl: () => origin })
  })
  afterEach(() => house.close())
}

/** All tests have one house with one account; what was counted of tries is forgotten before each. */
function oneHouse(): { readonly anna: Awaited<ReturnType<typeof keyed>> } {
  const held: { anna?: Awaited<ReturnType<typeof keyed>> } = {}
  beforeAll(async () => {
    house = await openHouse({ toldUrl: () => origin })
    held.anna = await keyed('Anna')
  })
  beforeEach(() => house.clock.advance(2 * 60 * 60_000))
  afterAll(() => house.close())
  return {
    get anna() {
      if (held.anna === undefined) throw new Error('the house is not open')
      return held.anna
    },
  }
}

async function csrfOf(visitor: Visitor): Promise<string> {
  return hidden((await visitor.ask('/account')).text, 'csrf')
}

const isIn = async (visitor: Visitor) => (await visitor.ask('/account')).status === 200
const codeOfPage = ({ text }: Answer) =>
  /data-code="([^"]+)"/.exec(text)?.[1] ?? text.match(/smart\.[a-z-]+/)?.[0] ?? ''
const doneOf = ({ location }: Answer) => location?.searchParams.get('done')

/** The page that asks the browser for a new passkey. */
async function propose(visitor: Visitor, fields: Record<string, string> = {}): Promise<Answer> {
  const csrf = await csrfOf(visitor)
  return visitor.post('/account/passkeys', { csrf, name: 'My phone', current: password, ...fields })
}

async function confirm(visitor: Visitor, page: Answer, response: Record<string, string>): Promise<Answer> {
  const { setup } = askedBy(page.text)
  return visitor.post('/account/passkeys/confirm', {
    csrf: hidden(page.text, 'csrf'),
    setup,
    response: JSON.stringify(response),
  })
}

async function add(visitor: Visitor, name = 'My phone', lies: Lies = {}): Promise<Authenticator> {
  const page = await propose(visitor, { name })
  const device = new Authenticator(origin)
  expect(doneOf(await confirm(visitor, page, device.make(askedBy(page.text), lies)))).toBe('passkey-added')
  return device
}

/** An account with a passkey, and a browser that is logged in to it. */
async function keyed(name: string) {
  const { account } = await addFamily(house, name)
  const visitor = new Visitor(house)
  await visitor.logIn(name)
  return { account, visitor, device: await add(visitor) }
}

/** Brings an answer to the question of a login page. */
async function enter(
  device: Authenticator,
  {
    visitor = new Visitor(house),
    lies = {} as Lies,
    change = (answer: Record<string, string>) => answer,
    request = '',
  } = {},
) {
  const page = await visitor.ask(request === '' ? '/auth/login' : `/auth/login?request=${request}`)
  const asked = askedBy(page.text)
  const fields = {
    csrf: hidden(page.text, 'csrf'),
    setup: asked.setup,
    response: JSON.stringify(change(device.sign(asked, lies))),
    ...(request === '' ? {} : { request }),
  }
  return { visitor, fields, answer: await visitor.post('/auth/login/passkey', fields) }
}

/** The whole audit, as text. */
async function audited(): Promise<string> {
  const { items } = await house.record.reader(grantOf('system/*.cruds')).history({ type: 'AuditEvent', count: 500 })
  return items.map(({ json }) => json.toString()).join()
}

describe('logging in by passkey – https://www.w3.org/TR/webauthn-3/#sctn-verifying-assertion', () => {
  ownHouses()

  it('takes neither name nor password, and shows when it was used', async () => {
    const { device } = await keyed('Anna')
    const { answer, visitor } = await enter(device)
    expect([answer.status, answer.location?.pathname]).toEqual([303, '/account'])
    const page = (await visitor.ask('/account')).text
    expect(page).toContain('logged in as <strong>Anna</strong>')
    expect(page).toMatch(/<legend>My phone<\/legend>[\s\S]*last used on \d{4}-/)
  })

  it('asks for a device that makes sure who holds it, names nobody, and does so at the configured host alone', async () => {
    const page = await new Visitor(house, { host: 'evil.example', 'x-forwarded-host': 'evil.example' }).ask(
      '/auth/login',
    )
    const { options } = askedBy(page.text)
    expect(options).toMatchObject({ rpId: 'family.example', userVerification: 'required', allowCredentials: [] })
    expect(page.text).not.toContain('evil.example')
  })

  it('is both steps of a login: no code is asked for', async () => {
    const { visitor, device } = await keyed('Anna')
    await setUpCode(visitor)
    expect((await new Visitor(house).logIn('Anna')).text).toContain('name="code"')
    const { answer, visitor: other } = await enter(device)
    expect(answer.location?.pathname).toBe('/account')
    expect(await isIn(other)).toBe(true)
  })

  it('opens the account whose passkey it is, of several accounts with several passkeys each', async () => {
    const [anna, bert] = [await keyed('Anna'), await keyed('Bert')]
    const second = await add(anna.visitor, 'Key on my ring')
    for (const [device, name] of [
      [second, 'Anna'],
      [bert.device, 'Bert'],
      [anna.device, 'Anna'],
    ] as const) {
      const { visitor } = await enter(device)
      expect((await visitor.ask('/account')).text).toContain(`logged in as <strong>${name}</strong>`)
    }
  })

  it('names an account to devices by something random, the same for each of its passkeys', async () => {
    const [anna, bert] = [await keyed('Anna'), await keyed('Bert')]
    const second = await add(anna.visitor, 'Second')
    expect(second.userHandle).toBe(anna.device.userHandle)
    expect(anna.device.userHandle).toMatch(/^[\w-]{43}$/)
    expect(bert.device.userHandle).not.toBe(anna.device.userHandle)
    expect(Buffer.from(anna.device.userHandle, 'base64url').toString('latin1')).not.toContain(anna.account)
  })

  it('leads on to the consent that waits', async () => {
    const { device } = await keyed('Anna')
    const { answer } = await enter(device, { request: 'some-request' })
    expect(answer.location?.pathname).toBe('/auth/consent')
    expect(answer.location?.searchParams.get('request')).toBe('some-request')
  })

  it('takes devices that do not count', async () => {
    await addFamily(house, 'Anna')
    const visitor = new Visitor(house)
    await visitor.logIn('Anna')
    const device = await add(visitor, 'My phone', { counter: 0 })
    for (const _ of [1, 2]) expect((await enter(device, { lies: { counter: 0 } })).answer.status).toBe(303)
  })
})

describe('an answer that is not the one that was asked for', () => {
  const shared = oneHouse()

  const liar = createHmac('sha256', 'a').update('b').digest('base64url')
  it.each<[string, Lies]>([
    ['of another origin', { origin: 'https://family.example.evil.example' }],
    ['of the origin without encryption', { origin: 'http://family.example' }],
    ['of another port', { origin: 'https://family.example:8443' }],
    ['of another host', { host: 'evil.example' }],
    ['of the address behind the proxy', { origin: 'http://127.0.0.1', host: '127.0.0.1' }],
    ['of a device that did not make sure who holds it', { flags: 1 }],
    ['of a device that nobody touched', { flags: 0 }],
    ['that says it is backed up and cannot be', { flags: 0x15 }],
    ['of a device that can be backed up, where this one could not', { flags: 0x0d }],
    ['of a page in a frame', { crossOrigin: true }],
    ['to another question', { challenge: liar }],
    ['for making a passkey', { type: 'webauthn.create' }],
    ['that names another account', { userHandle: liar }],
    ['that names no account', { userHandle: '' }],
    ['of an unknown passkey', { credential: liar }],
  ])('%s is refused', async (_, lies) => {
    const { device } = shared.anna
    const { answer, visitor } = await enter(device, { lies })
    expect([answer.status, codeOfPage(answer)]).toEqual([400, 'smart.passkey-refused'])
    expect(await isIn(visitor)).toBe(false)
    // The page asks anew, and the true one goes on working.
    const asked = askedBy(answer.text)
    const fields = { csrf: hidden(answer.text, 'csrf'), setup: asked.setup }
    const sent = await visitor.post('/auth/login/passkey', { ...fields, response: JSON.stringify(device.sign(asked)) })
    expect(sent.status).toBe(303)
  })

  it("signed by one passkey in another one's name is refused, of the same account and of another", async () => {
    const { anna } = shared
    const bert = await keyed('Bert')
    await anna.visitor.logIn('Anna')
    const second = await add(anna.visitor, 'Second')
    for (const other of [second, bert.device]) {
      const lies = { credential: anna.device.id, userHandle: anna.device.userHandle }
      expect(codeOfPage((await enter(other, { lies })).answer)).toBe('smart.passkey-refused')
    }
    // Bert's own signature, with Anna's name.
    const lies = { userHandle: anna.device.userHandle }
    expect(codeOfPage((await enter(bert.device, { lies })).answer)).toBe('smart.passkey-refused')
  })

  const cut = (name: string, at: number) => (answer: Record<string, string>) => ({
    ...answer,
    [name]: answer[name]?.slice(0, at) ?? '',
  })
  const put = (name: string, value: unknown) => (answer: Record<string, string>) =>
    ({ ...answer, [name]: value }) as Record<string, string>
  it.each<[string, (answer: Record<string, string>) => Record<string, string>]>([
    ['cut authenticator data', cut('authenticatorData', 20)],
    [
      'authenticator data that promise a key that is not there',
      put('authenticatorData', Buffer.alloc(37, 0xff).toString('base64url')),
    ],
    ['a cut signature', cut('signature', 30)],
    ['a signature of zeros', put('signature', Buffer.alloc(70).toString('base64url'))],
    ['cut client data', cut('clientDataJSON', 30)],
    ['client data that are null', put('clientDataJSON', Buffer.from('null').toString('base64url'))],
    ['no client data', ({ clientDataJSON: _, ...answer }) => answer],
    ['no signature', ({ signature: _, ...answer }) => answer],
    ['a number for a signature', put('signature', 7)],
    ['a list for an id', put('id', ['a'])],
    ['a field of its own', put('constructor', 'a')],
    ['a huge field', put('signature', 'A'.repeat(20_000))],
    ['what is not base64url', put('signature', 'a+/=')],
  ])('with %s is refused, and harms nothing', async (_, change) => {
    const { device } = shared.anna
    const { answer } = await enter(device, { change })
    expect([answer.status, codeOfPage(answer)]).toEqual([400, 'smart.passkey-refused'])
  })

  it.each(['', 'nonsense', '[]', 'null', '"x"', '{}', '{"id":', '[['.repeat(5_000)])(
    'that reads %.20s is none',
    text => {
      expect(parseAnswer(text)).toBeUndefined()
      const good: PasskeyAnswer = { id: 'AAAA', signature: 'BBBB' }
      expect(parseAnswer(JSON.stringify(good))).toEqual(good)
    },
  )

  it('that is a huge body is refused as a form', async () => {
    const visitor = new Visitor(house)
    const page = await visitor.ask('/auth/login')
    const response = 'A'.repeat(100_000)
    const sent = await visitor.post('/auth/login/passkey', { csrf: hidden(page.text, 'csrf'), setup: '', response })
    expect([sent.status, codeOfPage(sent)]).toEqual([400, 'smart.invalid-request'])
  })
})

describe('a question to a browser', () => {
  ownHouses()

  it('that is answered wrongly is told to the audit', async () => {
    const { device } = await keyed('Anna')
    await enter(device, { lies: { flags: 1 } })
    expect(await audited()).toContain('a passkey was refused')
  })

  it('is answered once', async () => {
    const { device } = await keyed('Anna')
    const { answer, visitor, fields } = await enter(device)
    expect(answer.status).toBe(303)
    await visitor.post('/auth/logout', { csrf: await csrfOf(visitor) })
    const again = await visitor.post('/auth/login/passkey', fields)
    expect(again.status).not.toBe(303)
    expect(await isIn(visitor)).toBe(false)
  })

  it('is answered by one of two who bring the same answer at once', async () => {
    const { device } = await keyed('Anna')
    const visitor = new Visitor(house)
    const page = await visitor.ask('/auth/login')
    const asked = askedBy(page.text)
    const fields = { csrf: hidden(page.text, 'csrf'), setup: asked.setup, response: JSON.stringify(device.sign(asked)) }
    const headers = { cookie: [...visitor.cookies].map(([name, value]) => `${name}=${value}`).join('; ') }
    const send = () => new Visitor(house, headers).post('/auth/login/passkey', fields)
    const answers = await Promise.all([send(), send(), send()])
    expect(answers.map(({ status }) => status).toSorted()).toEqual([303, 400, 400])
  })

  it('is good in the browser that was asked alone, and for five minutes', async () => {
    const { device } = await keyed('Anna')
    const [mine, theirs] = [new Visitor(house), new Visitor(house)]
    const [own, foreign] = [await mine.ask('/auth/login'), await theirs.ask('/auth/login')]
    const asked = askedBy(foreign.text)
    const csrf = hidden(own.text, 'csrf')
    const stolen = { csrf, setup: asked.setup, response: JSON.stringify(device.sign(asked)) }
    expect(codeOfPage(await mine.post('/auth/login/passkey', stolen))).toBe('smart.passkey-lost')
    for (const setup of ['', 'made-up', asked.setup.slice(0, -2)])
      expect(codeOfPage(await mine.post('/auth/login/passkey', { ...stolen, setup }))).toBe('smart.passkey-lost')
    house.clock.advance(5 * 60_000)
    const late = askedBy(own.text)
    const fields = { csrf, setup: late.setup, response: JSON.stringify(device.sign(late)) }
    expect(codeOfPage(await mine.post('/auth/login/passkey', fields))).toBe('smart.passkey-lost')
  })

  it('for making a passkey is none for logging in, nor the other way round', async () => {
    const { visitor, device } = await keyed('Anna')
    const making = await propose(visitor)
    const { setup } = askedBy(making.text)
    const response = JSON.stringify(device.sign(askedBy(making.text), { host: 'family.example' }))
    const sent = await visitor.post('/auth/login/passkey', { csrf: hidden(making.text, 'csrf'), setup, response })
    expect(codeOfPage(sent)).toBe('smart.passkey-lost')
  })

  it('leaves nothing here until it is answered', async () => {
    for (let each = 0; each < 3; each++) await new Visitor(house).ask('/auth/login')
    expect(await house.store.documents('smart.passkey-challenges', house.clock.nowMs())).toEqual([])
  })

  it('wants a form of ours', async () => {
    const { device } = await keyed('Anna')
    const { fields, visitor } = await enter(device)
    expect((await visitor.post('/auth/login/passkey', { ...fields, csrf: 'made-up' })).status).toBe(403)
  })
})

describe('a count of signatures that goes back – https://www.w3.org/TR/webauthn-3/#sctn-sign-counter', () => {
  ownHouses()

  it('is refused, and told to the owner and the audit', async () => {
    const { device, visitor } = await keyed('Anna')
    device.counter = 2
    expect((await enter(device)).answer.status).toBe(303)
    for (const counter of [0, 1, 2, 3]) {
      const { answer, visitor: thief } = await enter(device, { lies: { counter } })
      expect([answer.status, codeOfPage(answer)]).toEqual([400, 'smart.passkey-copied'])
      expect(await isIn(thief)).toBe(false)
    }
    expect((await visitor.ask('/account')).text).toContain('somebody may have copied it')
    expect(await audited()).toContain('the count of a passkey went back: it was copied')
  })

  it('is believed of the passkey alone: what is not signed by it marks nothing', async () => {
    const { device, visitor } = await keyed('Anna')
    device.counter = 5
    await enter(device)
    const change = (answer: Record<string, string>) => ({
      ...answer,
      signature: Buffer.alloc(70).toString('base64url'),
    })
    expect(codeOfPage((await enter(device, { lies: { counter: 1 }, change })).answer)).toBe('smart.passkey-refused')
    expect((await visitor.ask('/account')).text).not.toContain('somebody may have copied it')
  })
})

/** Sets a code of the phone up in a browser; resolves to the codes on paper. */
async function setUpCode(visitor: Visitor): Promise<string[]> {
  const csrf = await csrfOf(visitor)
  const page = await visitor.post('/account/second-factor', { csrf, current: password })
  const key = /type the key in: <code>([A-Z2-7 ]+)<\/code>/.exec(page.text)?.[1]?.replaceAll(' ', '') ?? ''
  const code = totp(key, house.clock.nowMs())
  const setup = hidden(page.text, 'setup')
  const done = await visitor.post('/account/second-factor/confirm', { csrf: hidden(page.text, 'csrf'), setup, code })
  return [...done.text.matchAll(/<li><code>([^<]+)<\/code>/g)].map(([, each]) => each ?? '')
}

/** RFC 6238, of a key in base32. */
function totp(key: string, nowMs: number): string {
  const bits = [...key]
    .map(letter => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0'))
    .join('')
  const secret = Buffer.from(bits.match(/.{8}/g)?.map(byte => Number.parseInt(byte, 2)) ?? [])
  const step = Buffer.alloc(8)
  step.writeBigUInt64BE(BigInt(Math.floor(nowMs / 30_000)))
  const mac = createHmac('sha1', secret).update(step).digest()
  const at = (mac.at(-1) ?? 0) & 15
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, '0')
}

describe('adding a passkey – https://www.w3.org/TR/webauthn-3/#sctn-registering-a-new-credential', () => {
  ownHouses()

  it('asks for one that is kept on the device and makes sure who holds it, without naming its maker', async () => {
    const { visitor, device } = await keyed('Anna')
    const { options } = askedBy((await propose(visitor)).text)
    expect(options).toMatchObject({
      rp: { id: 'family.example' },
      attestation: 'none',
      authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
      excludeCredentials: [{ type: 'public-key', id: device.id }],
    })
  })

  it('takes no cut or wild CBOR, wherever it is cut', async () => {
    await addFamily(house, 'Anna')
    const visitor = new Visitor(house)
    await visitor.logIn('Anna')
    let page = await propose(visitor)
    const whole = Buffer.from(new Authenticator(origin).make(askedBy(page.text)).attestationObject ?? '', 'base64url')
    const wild = [
      ...[1, 5, 20, 60, 90, 120, whole.length - 1].map(length => whole.subarray(0, length)),
      Buffer.alloc(8_000, 0x81),
      Buffer.from('bfffffffffffffff', 'hex'),
      Buffer.from('5bffffffffffffffff', 'hex'),
      Buffer.from('a163666d74646e6f6e65', 'hex'),
    ]
    for (const object of wild) {
      const made = new Authenticator(origin).make(askedBy(page.text))
      page = await confirm(visitor, page, { ...made, attestationObject: object.toString('base64url') })
      expect([page.status, codeOfPage(page)]).toEqual([400, 'smart.passkey-invalid'])
    }
    expect((await visitor.ask('/account')).text).not.toContain('<legend>My phone</legend>')
  })

  it('takes one only once, whoever brings it', async () => {
    const { device } = await keyed('Anna')
    await addFamily(house, 'Bert')
    const bert = new Visitor(house)
    await bert.logIn('Bert')
    const page = await propose(bert)
    const taken = await confirm(bert, page, device.make(askedBy(page.text)))
    expect([taken.status, codeOfPage(taken)]).toEqual([409, 'smart.passkey-known'])
    device.userHandle = askedBy(page.text).options.user?.id ?? ''
    expect(codeOfPage((await enter(device)).answer)).toBe('smart.passkey-refused')
  })

  it('takes an answer once, in the browser that was asked, for the account that asked, and for five minutes', async () => {
    const anna = await keyed('Anna')
    const page = await propose(anna.visitor)
    const asked = askedBy(page.text)
    const here = new Visitor(house)
    await here.logIn('Anna')
    const post = (visitor: Visitor, csrf: string) =>
      visitor.post('/account/passkeys/confirm', {
        csrf,
        setup: asked.setup,
        response: JSON.stringify(new Authenticator(origin).make(asked)),
      })
    expect(codeOfPage(await post(here, await csrfOf(here)))).toBe('smart.passkey-lost')
    const csrf = hidden(page.text, 'csrf')
    expect(doneOf(await post(anna.visitor, csrf))).toBe('passkey-added')
    expect(codeOfPage(await post(anna.visitor, csrf))).toBe('smart.passkey-lost')
    const late = await propose(anna.visitor)
    house.clock.advance(5 * 60_000)
    const made = new Authenticator(origin).make(askedBy(late.text))
    expect(codeOfPage(await confirm(anna.visitor, late, made))).toBe('smart.passkey-lost')
  })

  it('wants the code as well, where there is one: the password alone makes no way around it', async () => {
    await addFamily(house, 'Anna')
    const visitor = new Visitor(house)
    await visitor.logIn('Anna')
    const [paper = ''] = await setUpCode(visitor)
    for (const code of ['', '000000']) expect(doneOf(await propose(visitor, { code }))).toBe('passkey-failed')
    expect((await propose(visitor, { code: paper })).text).toContain('data-passkey="create"')
  })

  it('ends at twenty', async () => {
    const { visitor } = await keyed('Anna')
    const page = await propose(visitor)
    for (let each = 1; each < 20; each++) await add(visitor, `Key ${each}`)
    const one = await confirm(visitor, page, new Authenticator(origin).make(askedBy(page.text)))
    expect([one.status, codeOfPage(one)]).toEqual([409, 'smart.too-many-passkeys'])
    expect(doneOf(await propose(visitor))).toBe('passkey-failed')
    const [, id = ''] = /name="passkey" value="([^"]+)"/.exec((await visitor.ask('/account')).text) ?? []
    await visitor.post('/account/passkeys/end', { csrf: await csrfOf(visitor), passkey: id })
    await add(visitor, 'The twentieth')
  })

  it.each([0, 15, 19, 20])('ends at twenty, and not before, when several are added at once to %d', async before => {
    const clock = house.clock
    // As two processes, which know of each other what lies in the store.
    const passkeys = [
      openPasskeys({ documents: house.documents, clock }),
      openPasskeys({ documents: house.documents, clock }),
    ]
    const add = (id: string, at = 0) => {
      const kept = { account: 'anna', name: id, host: 'family.example', addedAtMs: clock.nowMs(), counter: 0 }
      return passkeys[at % 2]?.add(id, { ...kept, userHandle: 'AAAA', publicKey: 'AAAA', deviceType: 'singleDevice' })
    }
    const count = async () => (await passkeys[0]?.of('anna'))?.length
    for (let each = 0; each < before; each++) await add(`before-${each}`)
    const racing = Array.from({ length: 25 }, (_, each) => codeOf(add(`racing-${each}`, each) ?? Promise.reject()))
    const refused = (await Promise.all(racing)).filter(code => code === 'smart.too-many-passkeys').length
    expect([refused, await count()]).toEqual([25 - (20 - before), 20])
    // One that goes makes room for one.
    await passkeys[0]?.end((await passkeys[0].of('anna'))[0]?.id ?? '', 'anna')
    await add('one-more')
    expect(await codeOf(add('too-many') ?? Promise.reject())).toBe('smart.too-many-passkeys')
    // One that is here already is told as that, whoever else is added at the moment.
    await passkeys[0]?.endAll('anna')
    const twice = await Promise.all([0, 1, 2, 3].map(at => codeOf(add(`twin-${at % 2}`, at) ?? Promise.reject())))
    expect(twice.filter(code => code === 'smart.passkey-known')).toHaveLength(2)
    expect(await count()).toBe(2)
  })

  it.each(['', '/confirm', '/name', '/end'])('wants a login and a form of ours at /account/passkeys%s', async path => {
    const { visitor } = await keyed('Anna')
    const stranger = new Visitor(house)
    const csrf = hidden((await stranger.ask('/auth/login')).text, 'csrf')
    expect((await stranger.post(`/account/passkeys${path}`, { csrf })).location?.pathname).toBe('/auth/login')
    expect((await visitor.post(`/account/passkeys${path}`, { csrf: 'made-up' })).status).toBe(403)
  })
})

describe('a new passkey', () => {
  const shared = oneHouse()

  it.each<[string, Lies]>([
    ['of another origin', { origin: 'https://evil.example' }],
    ['of another host', { host: 'evil.example' }],
    ['of a device that did not make sure who holds it', { flags: 1 }],
    ['of a page in a frame', { crossOrigin: true }],
    ['that was made for logging in', { type: 'webauthn.get' }],
    ['to another question', { challenge: 'A'.repeat(43) }],
    ['with a key of an unknown kind', { algorithm: -65535 }],
    ['that names another credential', { credential: 'A'.repeat(43) }],
    ['with somebody else vouching for the device', { format: 'fido-u2f' }],
    ['in an unknown format', { format: 'nonsense' }],
  ])('takes no answer %s', async (_, lies) => {
    const { visitor } = shared.anna
    await visitor.logIn('Anna')
    const page = await propose(visitor)
    const device = new Authenticator(origin)
    const refused = await confirm(visitor, page, device.make(askedBy(page.text), lies))
    expect([refused.status, codeOfPage(refused)]).toEqual([400, 'smart.passkey-invalid'])
    // Asked anew, it may be done better.
    const made = device.make(askedBy(refused.text))
    expect(doneOf(await confirm(visitor, refused, made))).toBe('passkey-added')
  })

  it.each([
    ['the password', { current: 'not the password' }],
    ['any password', { current: '' }],
    ['a name', { name: ' ' }],
    ['a name that shows', { name: 'a\u202eb' }],
    ['a short name', { name: 'a'.repeat(61) }],
  ])('wants %s: an open browser is not enough', async (_, fields) => {
    const { visitor } = shared.anna
    await visitor.logIn('Anna')
    expect(doneOf(await propose(visitor, fields))).toBe('passkey-failed')
  })

  it('has a name that shows, however it was spaced', async () => {
    expect(parsePasskeyName('  My\t phone ')).toBe('My phone')
    for (const name of ['', ' ', 'a\u202eb', 'a\u0000b', 'a'.repeat(61)])
      expect(await codeOf((async () => parsePasskeyName(name))())).toBe('smart.passkey-name-invalid')
  })
})

describe('calling a passkey something else', () => {
  ownHouses()

  const rename = async (visitor: Visitor, passkey: string, name: string) =>
    visitor.post('/account/passkeys/name', { csrf: await csrfOf(visitor), passkey, name })

  it('changes what is shown and nothing else', async () => {
    const { visitor, device } = await keyed('Anna')
    await enter(device)
    await add(visitor, 'Second')
    expect(doneOf(await rename(visitor, device.id, '  Old <b>phone</b> '))).toBe('passkey-renamed')
    const page = (await visitor.ask('/account')).text
    expect(page).toMatch(/<legend>Old &lt;b&gt;phone&lt;\/b&gt;<\/legend>[\s\S]*last used on[\s\S]*<legend>Second</)
    expect(page).not.toContain('<legend>My phone</legend>')
    // The count of signatures is kept.
    expect(codeOfPage((await enter(device, { lies: { counter: 1 } })).answer)).toBe('smart.passkey-copied')
    device.counter = 7
    expect((await enter(device)).answer.status).toBe(303)
    expect(await audited()).toContain('a passkey got another name')
    expect(await audited()).not.toMatch(/phone/)
  })

  it.each(['', ' ', 'a\u202eb', 'a'.repeat(61)])('wants a name that shows: %j', async name => {
    const { visitor, device } = await keyed('Anna')
    expect(doneOf(await rename(visitor, device.id, name))).toBe('passkey-not-renamed')
    expect((await visitor.ask('/account')).text).toContain('<legend>My phone</legend>')
  })

  it('is done to one’s own alone, and to one that is there', async () => {
    const [anna, bert] = [await keyed('Anna'), await keyed('Bert')]
    for (const id of [anna.device.id, '', '__proto__', 'constructor']) await rename(bert.visitor, id, 'Mine')
    for (const { visitor } of [anna, bert])
      expect((await visitor.ask('/account')).text).toContain('<legend>My phone</legend>')
    await anna.visitor.post('/account/passkeys/end', { csrf: await csrfOf(anna.visitor), passkey: anna.device.id })
    await rename(anna.visitor, anna.device.id, 'Back')
    expect((await anna.visitor.ask('/account')).text).not.toContain('<legend>Back</legend>')
  })

  it('loses no use that is noted at the same time', async () => {
    const { visitor, device } = await keyed('Anna')
    device.counter = 4
    const [, { answer }] = await Promise.all([rename(visitor, device.id, 'Renamed'), enter(device)])
    expect(answer.status).toBe(303)
    expect((await visitor.ask('/account')).text).toMatch(/<legend>Renamed<\/legend>[\s\S]*last used on/)
    expect(codeOfPage((await enter(device, { lies: { counter: 5 } })).answer)).toBe('smart.passkey-copied')
  })
})

describe('ending a passkey', () => {
  ownHouses()

  it('ends what it opened, and nothing else', async () => {
    const { visitor, device } = await keyed('Anna')
    const second = await add(visitor, 'Second')
    const [byFirst, bySecond] = [(await enter(device)).visitor, (await enter(second)).visitor]
    const sent = await visitor.post('/account/passkeys/end', { csrf: await csrfOf(visitor), passkey: device.id })
    expect(doneOf(sent)).toBe('passkey-ended')
    expect([await isIn(visitor), await isIn(byFirst), await isIn(bySecond)]).toEqual([true, false, true])
    expect((await visitor.ask('/account')).text.match(/Log this browser out/g)).toHaveLength(1)
    expect(codeOfPage((await enter(device)).answer)).toBe('smart.passkey-refused')
  })

  it('is done to one’s own alone', async () => {
    const [anna, bert] = [await keyed('Anna'), await keyed('Bert')]
    await bert.visitor.post('/account/passkeys/end', { csrf: await csrfOf(bert.visitor), passkey: anna.device.id })
    expect((await enter(anna.device)).answer.status).toBe(303)
  })
})

describe('what a new password does to passkeys', () => {
  ownHouses()

  const renewed = 'a new and long password'
  const renew = async (visitor: Visitor, fields: Record<string, string> = {}) =>
    visitor.post('/account/password', { csrf: await csrfOf(visitor), current: password, password: renewed, ...fields })

  it('ends them, for somebody who knew the old one may have added one', async () => {
    const { visitor, device } = await keyed('Anna')
    const { visitor: by } = await enter(device)
    await renew(visitor)
    expect([await isIn(visitor), await isIn(by)]).toEqual([true, false])
    expect(codeOfPage((await enter(device)).answer)).toBe('smart.passkey-refused')
  })

  it('keeps them where the person says so', async () => {
    const { device } = await keyed('Anna')
    const { visitor } = await enter(device)
    await renew(visitor, { 'keep-passkeys': 'yes' })
    expect(await isIn(visitor)).toBe(true)
    expect((await enter(device)).answer.status).toBe(303)
  })

  it('keeps the browser logged in that changed it, when that was logged in by a passkey that ends', async () => {
    const { device } = await keyed('Anna')
    const { visitor } = await enter(device)
    await renew(visitor)
    expect(await isIn(visitor)).toBe(true)
  })

  it('is the same by a one-time address, and by the administrator, at once where they say so', async () => {
    const { device } = await keyed('Anna')
    const visitor = new Visitor(house)
    const page = await visitor.ask(new URL((await house.smart.resetAccount('Anna')).url).href.replace(origin, ''))
    expect((await enter(device)).answer.status).toBe(303)
    const fields = {
      csrf: hidden(page.text, 'csrf'),
      code: hidden(page.text, 'code'),
      password: renewed,
      again: renewed,
    }
    await visitor.post('/account/reset', fields)
    expect(codeOfPage((await enter(device)).answer)).toBe('smart.passkey-refused')
    for (const [name, end] of [
      ['Bert', () => house.smart.resetAccount('Bert', { endNow: true })],
      ['Cleo', () => house.smart.resetAccount('Cleo', { endSecondFactor: true })],
      ['Dora', () => house.smart.resetPassword({ name: 'Dora', password: renewed })],
    ] as const) {
      const { device: other } = await keyed(name)
      await end()
      expect(codeOfPage((await enter(other)).answer)).toBe('smart.passkey-refused')
    }
  })

  it('undoes a passkey that was being added meanwhile', async () => {
    const { visitor } = await keyed('Anna')
    const page = await propose(visitor)
    const device = new Authenticator(origin)
    const made = device.make(askedBy(page.text))
    await house.smart.resetAccount('Anna', { endNow: true })
    expect((await confirm(visitor, page, made)).location?.pathname).toBe('/auth/login')
    expect(codeOfPage((await enter(device)).answer)).toBe('smart.passkey-refused')
  })
})

describe('an account that is being deleted', () => {
  ownHouses()

  it('is logged in to by passkey while it waits, and not once it has begun, and then nothing is left of it', async () => {
    await house.close()
    const accountEnds = {
      erasePatient: (patient: string) => house.record.shred(patient),
      endReach: async () => undefined,
    }
    house = await openHouse({ toldUrl: () => origin, accountEnds })
    const { device } = await keyed('Anna')
    await house.smart.deleteAccount('Anna')
    expect((await enter(device)).answer.status).toBe(303)
    await house.smart.deleteAccount('Anna', { isNow: true })
    expect(codeOfPage((await enter(device)).answer)).toBe('smart.passkey-refused')
    expect(await house.store.documents('smart.passkeys', house.clock.nowMs())).toEqual([])
  })
})

describe('slowing down', () => {
  ownHouses()

  it('counts tries of one passkey, and forgets them when one was good', async () => {
    const { device } = await keyed('Anna')
    const codes: string[] = []
    for (let each = 0; each < 11; each++)
      codes.push(codeOfPage((await enter(device, { lies: { flags: 1 }, visitor: at(each) })).answer))
    expect(codes.slice(0, 10)).toEqual(Array(10).fill('smart.passkey-refused'))
    expect(codes.at(-1)).toBe('smart.throttled')
    house.clock.advance(60_000)
    expect((await enter(device)).answer.status).toBe(303)
    expect(codeOfPage((await enter(device, { lies: { flags: 1 } })).answer)).toBe('smart.passkey-refused')
  })

  it('counts those of an address, whatever they bring', async () => {
    const visitor = new Visitor(house)
    const codes: string[] = []
    for (let each = 0; each < 21; each++)
      codes.push(codeOfPage((await enter(new Authenticator(origin), { visitor })).answer))
    expect([codes[0], codes.at(-1)]).toEqual(['smart.passkey-refused', 'smart.throttled'])
  })

  it.each(['127.0.0.1', '10.0.0.7', 'fd00::7', 'unknown'])(
    'counts strangers behind the proxy at %s by themselves: the owner comes in from a new browser beside them',
    async address => {
      const { device } = await keyed('Anna')
      const behind = () => new Visitor(house, { 'x-test-address': address })
      const codes: string[] = []
      for (let each = 0; each < 51; each++)
        codes.push(codeOfPage((await enter(new Authenticator(origin), { visitor: behind() })).answer))
      expect([codes[0], codes.at(-1)]).toEqual(['smart.passkey-refused', 'smart.throttled'])
      expect((await enter(device, { visitor: behind() })).answer.status).toBe(303)
      // Tries of the passkey itself are counted there as well.
      for (let each = 0; each < 10; each++) await enter(device, { visitor: behind(), lies: { flags: 1 } })
      expect(codeOfPage((await enter(device, { visitor: behind() })).answer)).toBe('smart.throttled')
    },
  )

  function at(each: number): Visitor {
    return new Visitor(house, { 'x-test-address': `198.51.100.${each + 1}` })
  }
})

describe('the pages', () => {
  ownHouses()

  it('run one script of ours by its hash, and only where it is needed', async () => {
    const { visitor } = await keyed('Anna')
    const pages = [await new Visitor(house).ask('/auth/login'), await propose(visitor)]
    for (const { headers, text } of pages) {
      expect(headers.get('content-security-policy')).toMatch(
        /default-src 'none'; script-src 'self'; require-trusted-types-for 'script'/,
      )
      expect(headers.get('content-security-policy')).not.toMatch(/unsafe|connect-src/)
      expect(text.match(/<script/g)).toHaveLength(1)
      expect(text).toMatch(/<script src="\/auth\/passkeys-[0-9a-f]{16}\.js" integrity="sha256-[^"]+" defer><\/script>/)
      // Without script there is nothing that does not work.
      expect(text).toMatch(/<form [^>]*data-passkey="\w+"[^>]* hidden>/)
    }
    const account = await visitor.ask('/account')
    expect(account.headers.get('content-security-policy')).not.toContain('script-src')
    expect(account.text).not.toContain('<script')
  })

  it('serve it as a file that may be kept, and nothing at another hash', async () => {
    const path = /src="([^"]+)"/.exec((await new Visitor(house).ask('/auth/login')).text)?.[1] ?? ''
    const { status, headers, text } = await new Visitor(house).ask(path)
    expect([status, headers.get('content-type')]).toEqual([200, 'text/javascript; charset=utf-8'])
    expect(headers.get('cache-control')).toContain('immutable')
    expect(text).toContain('navigator.credentials.get')
    expect((await new Visitor(house).ask('/auth/passkeys-0000000000000000.js')).status).toBe(404)
  })

  it.each([
    ['https://family.example', 'family.example'],
    ['https://family.example:8443', 'family.example'],
    ['http://localhost:8080', 'localhost'],
    ['http://kinhold.localhost', 'kinhold.localhost'],
    ['http://family.example', undefined],
    ['https://192.0.2.7', undefined],
    ['https://[2001:db8::1]:8443', undefined],
    ['http://127.0.0.1:8080', undefined],
  ])('of %s make passkeys for %s – https://www.w3.org/TR/webauthn-3/#rp-id', (baseUrl, host) => {
    expect(passkeyHost(baseUrl)).toBe(host)
  })

  it('of a server without a name offer none, and say why', async () => {
    const bare = await openHouse()
    await addFamily(bare, 'Anna')
    const visitor = new Visitor(bare)
    const login = await visitor.ask('/auth/login')
    expect(login.text).not.toContain('passkey')
    expect(login.headers.get('content-security-policy')).not.toContain('script-src')
    await visitor.logIn('Anna')
    const page = await visitor.ask('/account')
    expect(page.text).toContain('only where a server has a name')
    const sent = await visitor.post('/account/passkeys', {
      csrf: hidden(page.text, 'csrf'),
      name: 'A',
      current: password,
    })
    expect(doneOf(sent)).toBe('passkey-failed')
    await bare.close()
  })
})

it('the administrator sees how many passkeys each account has', async () => {
  house = await openHouse({ toldUrl: () => origin })
  const { visitor, device } = await keyed('Anna')
  await addFamily(house, 'Bert')
  const counts = async () => (await house.smart.listAccounts()).map(({ name, passkeys }) => `${name} ${passkeys}`)
  await add(visitor, 'Second')
  expect((await counts()).toSorted()).toEqual(['Anna 2', 'Bert 0'])
  await visitor.post('/account/passkeys/end', { csrf: await csrfOf(visitor), passkey: device.id })
  expect((await counts()).toSorted()).toEqual(['Anna 1', 'Bert 0'])
  await house.smart.resetAccount('Anna', { endNow: true })
  expect((await counts()).toSorted()).toEqual(['Anna 0', 'Bert 0'])
  await house.close()
})

it('nothing of a passkey lies readable in the store', async () => {
  house = await openHouse({ toldUrl: () => origin })
  const { device } = await keyed('Anna')
  const kept = JSON.stringify(await house.store.documents('smart.passkeys', house.clock.nowMs()), (_, value) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value,
  )
  for (const text of ['Anna', 'My phone', device.id, device.userHandle]) expect(kept).not.toContain(text)
  await house.close()
})
