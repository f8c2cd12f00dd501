import { parseResource } from '#fhir'
import { isProblem } from '#kernel'
import { wordsOfHost } from '../../../src/smart/accounts/guessing.ts'
import { addFamily, codeOf, grantOf, type House, hidden, openHouse, password, Visitor } from './house.ts'

let house: House
beforeEach(async () => {
  house = await openHouse()
})
afterEach(() => house.close())

async function claimFields(visitor: Visitor, url: string) {
  const page = await visitor.ask(url)
  return {
    page,
    fields: { csrf: hidden(page.text, 'csrf'), code: hidden(page.text, 'code'), password, again: password },
  }
}

describe('claiming a new server', () => {
  it('makes the first account once, and logs its owner in', async () => {
    const url = (await house.smart.claimUrl()) ?? ''
    expect(new URL(url).searchParams.get('code')).toMatch(/^[\w-]{43}$/)
    expect(await house.smart.claimUrl()).toBe(url)
    const owner = new Visitor(house)
    const { page, fields } = await claimFields(owner, url)
    expect(page.status).toBe(200)
    const claimed = await owner.post('/claim', { ...fields, name: 'Anna' })
    expect(claimed.location?.pathname).toBe('/account')
    expect((await owner.ask('/account')).text).toContain('Anna')
    expect(await house.smart.claimUrl()).toBeUndefined()
    const late = await new Visitor(house).ask(url)
    expect(late.status).toBe(403)
    expect(late.text).toContain('smart.claim-refused')
  })

  it('lets one of two racing claims win', async () => {
    const url = (await house.smart.claimUrl()) ?? ''
    const rivals = await Promise.all(
      ['Anna', 'Boris'].map(async name => {
        const visitor = new Visitor(house)
        const { fields } = await claimFields(visitor, url)
        return { visitor, fields: { ...fields, name } }
      }),
    )
    const answers = await Promise.all(rivals.map(({ visitor, fields }) => visitor.post('/claim', fields)))
    expect(answers.map(({ status }) => status).sort()).toEqual([303, 403])
  })

  it('refuses a wrong secret, and any secret once an account was made otherwise', async () => {
    const url = (await house.smart.claimUrl()) ?? ''
    expect((await new Visitor(house).ask('/claim?code=guess')).status).toBe(403)
    const early = new Visitor(house)
    const { fields } = await claimFields(early, url)
    await house.smart.createAccount({ name: 'Anna', password })
    expect((await early.post('/claim', { ...fields, name: 'Eve' })).status).toBe(403)
    expect(await house.smart.claimUrl()).toBeUndefined()
  })

  it('keeps the page open when the password will not do', async () => {
    const url = (await house.smart.claimUrl()) ?? ''
    const owner = new Visitor(house)
    const { fields } = await claimFields(owner, url)
    const differing = await owner.post('/claim', { ...fields, name: 'Anna', again: 'something else entirely' })
    expect(differing.text).toContain('data-code="smart.passwords-differ"')
    const weak = await owner.post('/claim', { ...fields, name: 'Anna', password: 'short', again: 'short' })
    expect(weak.text).toContain('A password has 12 to 256 characters')
    expect((await owner.post('/claim', { ...fields, name: 'Anna' })).status).toBe(303)
  })
})

describe('accounts', () => {
  it('refuses weak passwords, deceptive names and names that are taken', async () => {
    const make = (name: string, secret = password) => codeOf(house.smart.createAccount({ name, password: secret }))
    expect(await make('Anna', 'too short')).toBe('smart.password-weak')
    expect(await make('Anna', 'aaaaaaaaaaaaaaaa')).toBe('smart.password-weak')
    expect(await make('Annabella Maria', 'annabella maria')).toBe('smart.password-weak')
    expect(await make('  ')).toBe('smart.account-name-invalid')
    expect(await make('Anna\u202e')).toBe('smart.account-name-invalid')
    expect(await make('Anna')).toBe('no problem')
    expect(await make(' ANNA ')).toBe('smart.account-name-taken')
  })

  describe('refuse passwords that would soon be guessed – https://pages.nist.gov/800-63-4/sp800-63b.html', () => {
    const refusal = async (secret: string, name = 'Anna Weber') => {
      try {
        await house.smart.createAccount({ name, password: secret })
      } catch (error) {
        return isProblem(error) ? [error.code, error.text] : [String(error)]
      }
      return ['no problem']
    }

    it.each([
      'password1234',
      'Password1234!',
      'P@ssw0rd2019!',
      'P@55w0rdP@55w0rd',
      '123456789012',
      'qwertyuiop[]',
      'qwerty123456',
      '1q2w3e4r5t6y',
      'zaq12wsxcde3',
      'iloveyou1234',
      'letmeinletmein',
      'trustno1trustno1',
      'abcdefghijkl',
      'abcdabcdabcd',
      'liverpool2020',
      'Summer2026!!',
      'admin123admin',
      'dragon dragon',
      'jesusislord1',
      '1234567890'.repeat(20),
      'ab1!'.repeat(64),
    ])('%s', async secret => {
      const [code, text = ''] = await refusal(secret)
      expect(code).toBe('smart.password-common')
      expect(text).not.toContain(secret)
    })

    it.each([
      ['the name', 'my anna weber tomato kite'],
      ['the name without its blank', 'tomato AnnaWeber kite 77'],
      ['a word of the name', 'purple WEBER tomato kite'],
      ['the name of the software', 'KinHold purple tomato kite'],
      ['the host', 'purple 127.0.0.1 tomato kite'],
    ])('with %s in it', async (_, secret) => {
      expect(await refusal(secret)).toEqual([
        'smart.password-common',
        expect.stringContaining('your name, the name of this server, or “Kinhold”'),
      ])
    })

    it('and take others, in any language, up to the longest', async () => {
      const good = [
        'seven purple kites',
        'Katze Hund Maus Pferd',
        'naïve Äpfel über 7 Brücken',
        '鯨は空を飛ぶ七つの青い凧の夢',
        'x9$kQ!v2Lm@z',
      ]
      for (const [at, secret] of [...good, `${'wxkq7 tomato '.repeat(19)}kite`].entries())
        expect(await refusal(secret, `Somebody ${at}`)).toEqual(['no problem'])
    })

    it('knows the words of a host name, but not its last label, short ones and numbers', () => {
      expect(wordsOfHost('https://health.weber-family.example')).toEqual([
        'kinhold',
        'health.weber-family.example',
        'health',
        'weber-family',
      ])
      expect(wordsOfHost('http://127.0.0.1:8080')).toEqual(['kinhold', '127.0.0.1'])
      expect(wordsOfHost('http://nas:8080')).toEqual(['kinhold'])
    })

    it('at the claim, at a reset and at a change alike, in words', async () => {
      const url = (await house.smart.claimUrl()) ?? ''
      const owner = new Visitor(house)
      const { fields } = await claimFields(owner, url)
      const common = { password: 'password1234', again: 'password1234' }
      const claimed = await owner.post('/claim', { ...fields, name: 'Anna', ...common })
      expect(claimed.text).toContain('data-code="smart.password-common"')
      expect(claimed.text).toContain('This is similar to a commonly used password.')
      expect((await owner.post('/claim', { ...fields, name: 'Anna' })).status).toBe(303)
      const csrf = hidden((await owner.ask('/account')).text, 'csrf')
      const changed = await owner.post('/account/password', { csrf, current: password, password: 'password1234' })
      expect(changed.text).toContain('data-code="smart.password-common"')
      const reset = await owner.ask((await house.smart.resetAccount('Anna')).url)
      const sent = await owner.post('/account/reset', {
        csrf: hidden(reset.text, 'csrf'),
        code: hidden(reset.text, 'code'),
        ...common,
      })
      expect(sent.text).toContain('data-code="smart.password-common"')
    })
  })

  it('gives a name to one of two who want it at once', async () => {
    const made = await Promise.all(['Anna', 'anna'].map(name => codeOf(house.smart.createAccount({ name, password }))))
    expect(made.sort()).toEqual(['no problem', 'smart.account-name-taken'])
  })

  it('is found by the name its owner logs in with: smart.account-absent for any other', async () => {
    const id = await house.smart.createAccount({ name: 'Berta', password })
    expect(await house.smart.accountId('Berta')).toBe(id)
    expect(await codeOf(house.smart.accountId('nobody'))).toBe('smart.account-absent')
  })

  it('keeps no password and no account name in the store', async () => {
    await house.smart.createAccount({ name: 'Wilhelmina', password })
    const stored = await house.store.documents('smart.accounts', house.clock.nowMs())
    expect(stored).toHaveLength(1)
    for (const { sealed, key } of stored) {
      const text = `${Buffer.from(sealed).toString('latin1')} ${key}`
      expect(text).not.toContain('Wilhelmina')
      expect(text).not.toContain(password)
    }
  })

  it('get a new password from the host, and are logged out everywhere', async () => {
    await house.smart.createAccount({ name: 'Anna', password })
    const visitor = new Visitor(house)
    await visitor.logIn('Anna')
    const reset = (name: string, secret: string) => codeOf(house.smart.resetPassword({ name, password: secret }))
    expect(await reset('Nobody', 'another long password')).toBe('smart.account-absent')
    expect(await reset('anna', 'short')).toBe('smart.password-weak')
    expect(await reset('anna', 'another long password')).toBe('no problem')
    expect((await visitor.ask('/account')).location?.pathname).toBe('/auth/login')
    expect((await visitor.logIn('Anna', 'another long password')).status).toBe(303)
  })

  it('says busy rather than hash for everybody at once', async () => {
    const codes = await Promise.all(
      Array.from({ length: 38 }, (_, n) => codeOf(house.smart.createAccount({ name: `Guest ${n}`, password }))),
    )
    expect(codes).toContain('smart.busy')
    expect(codes.filter(code => code === 'no problem').length).toBeGreaterThan(30)
  })
})

describe('login', () => {
  it('starts a session in a cookie that scripts cannot read, under a new secret', async () => {
    await addFamily(house)
    const visitor = new Visitor(house)
    const page = await visitor.ask('/auth/login')
    const before = visitor.cookies.get('kinhold')
    const sent = await visitor.post('/auth/login', { csrf: hidden(page.text, 'csrf'), name: 'ANNA', password })
    for (const cookie of sent.headers.getSetCookie()) expect(cookie).toMatch(/; HttpOnly; SameSite=Lax$/)
    expect(sent.headers.getSetCookie()).toHaveLength(2)
    expect(visitor.cookies.get('kinhold')).not.toBe(before)
    expect((await visitor.ask('/account')).status).toBe(200)
  })

  it('reads its own cookies among others, and takes nothing that it did not make', async () => {
    await addFamily(house)
    const visitor = new Visitor(house)
    await visitor.logIn('Anna')
    const session = visitor.cookies.get('kinhold') ?? ''
    const account = async (cookie: string) =>
      (await fetch(`${house.baseUrl}/account`, { headers: { cookie }, redirect: 'manual' })).status
    for (const cookie of [
      `a=b; kinhold=${session}`,
      `kinhold=${session};theme=dark`,
      `x="kinhold=1"; kinhold=${session}`,
    ])
      expect(await account(cookie)).toBe(200)
    const encoded = [...session].map(character => `%${character.charCodeAt(0).toString(16)}`).join('')
    for (const cookie of [
      `kinhold=${encoded}`,
      `kinhold=x; kinhold=${session}`,
      `Kinhold=${session}`,
      `kinhold = `,
      `__proto__=${session}`,
    ])
      expect(await account(cookie)).toBe(303)
  })

  it('ends a session on logout and after twelve hours', async () => {
    await addFamily(house)
    const visitor = new Visitor(house)
    await visitor.logIn('Anna')
    const stolen = new Map(visitor.cookies)
    const account = await visitor.ask('/account')
    await visitor.post('/auth/logout', { csrf: hidden(account.text, 'csrf') })
    for (const [name, value] of stolen) visitor.cookies.set(name, value)
    expect((await visitor.ask('/account')).location?.pathname).toBe('/auth/login')
    await visitor.logIn('Anna')
    house.clock.advance(12 * 3600_000)
    expect((await visitor.ask('/account')).location?.pathname).toBe('/auth/login')
  })

  it('refuses forms that were not made for this browser', async () => {
    await addFamily(house)
    const mine = new Visitor(house)
    const other = new Visitor(house)
    const foreign = hidden((await other.ask('/auth/login')).text, 'csrf')
    const own = hidden((await mine.ask('/auth/login')).text, 'csrf')
    const forged = await mine.post('/auth/login', { csrf: foreign, name: 'Anna', password })
    expect(forged.status).toBe(403)
    expect(forged.text).toContain('smart.form-forged')
    const body = new URLSearchParams({ csrf: own, name: 'Anna', password })
    for (const headers of [{ origin: 'https://evil.example' }, { 'sec-fetch-site': 'cross-site' }])
      expect((await mine.ask('/auth/login', { method: 'POST', body, headers })).status).toBe(403)
    const fromOurPage = { origin: 'null', 'sec-fetch-site': 'same-origin' }
    expect((await mine.ask('/auth/login', { method: 'POST', body, headers: fromOurPage })).status).toBe(303)
  })

  it('changes the password after the old one, and logs other browsers out', async () => {
    await addFamily(house)
    const here = new Visitor(house)
    const there = new Visitor(house)
    await here.logIn('Anna')
    await there.logIn('Anna')
    const csrf = hidden((await here.ask('/account')).text, 'csrf')
    const wrong = await here.post('/account/password', {
      csrf,
      current: 'not this one',
      password: 'a new long password',
    })
    expect(wrong.text).toContain('data-code="smart.login-failed"')
    const next = await here.post('/account/password', { csrf, current: password, password: 'a new long password' })
    expect(next.location?.search).toBe('?done=password')
    expect((await here.ask('/account')).status).toBe(200)
    expect((await there.ask('/account')).location?.pathname).toBe('/auth/login')
    expect((await there.logIn('Anna')).status).toBe(400)
    expect((await there.logIn('Anna', 'a new long password')).status).toBe(303)
  })
})

describe('the account page', () => {
  it('says what was done in words of its own, whatever the address says', async () => {
    await house.smart.createAccount({ name: 'Anna', password })
    const visitor = new Visitor(house)
    await visitor.logIn('Anna')
    expect((await visitor.ask('/account?done=added')).text).toContain('The person was added.')
    for (const said of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '<b>', '']) {
      const { status, text } = await visitor.ask(`/account?done=${encodeURIComponent(said)}`)
      expect([said, status, text.includes('role="status"')]).toEqual([said, 200, false])
    }
  })

  it('adds a person whose data the account keeps', async () => {
    const account = await house.smart.createAccount({ name: 'Anna', password })
    const visitor = new Visitor(house)
    await visitor.logIn('Anna')
    const empty = await visitor.ask('/account')
    expect(empty.text).toContain('Nobody yet.')
    expect(empty.text).toContain(account)
    const csrf = hidden(empty.text, 'csrf')
    const sent = await visitor.post('/account/people', {
      csrf,
      given: 'Greta Maria',
      family: "O'Brien <Weber>",
      birthdate: '1950-04-01',
      gender: 'female',
    })
    expect(sent.location?.search).toBe('?done=added')
    const [id = ''] = await house.record.patientsOf(account)
    const { json } = await house.record.reader(grantOf('system/Patient.r')).read('Patient', id)
    expect(parseResource(json)).toMatchObject({ gender: 'female', birthDate: '1950-04-01' })
    const shown = await visitor.ask('/account')
    expect(shown.text).toContain('Greta Maria O&#39;Brien &lt;Weber&gt;, born 1950-04-01')
    expect(await house.record.patientsOf(account)).toHaveLength(1)
  })

  it('asks for all that senders are held against, and takes a person of whom it is not said', async () => {
    const account = await house.smart.createAccount({ name: 'Anna', password })
    const visitor = new Visitor(house)
    await visitor.logIn('Anna')
    const { text } = await visitor.ask('/account')
    for (const field of ['given', 'family', 'birthdate', 'gender']) expect(text).toContain(`name="${field}"`)
    const untouched = { csrf: hidden(text, 'csrf'), given: 'Emil', family: 'Weber', birthdate: '', gender: '' }
    expect((await visitor.post('/account/people', untouched)).location?.search).toBe('?done=added')
    expect(await house.record.patientsOf(account)).toHaveLength(1)
  })

  it('refuses people without names, and birth dates that are no day', async () => {
    const account = await house.smart.createAccount({ name: 'Anna', password })
    const visitor = new Visitor(house)
    await visitor.logIn('Anna')
    const csrf = hidden((await visitor.ask('/account')).text, 'csrf')
    const add = (more: Readonly<Record<string, string>>) =>
      visitor.post('/account/people', { csrf, given: 'Greta', family: 'Weber', birthdate: '', ...more })
    for (const more of [
      { given: ' ' },
      { family: '' },
      { birthdate: '1950' },
      { birthdate: '1950-02-31' },
      { gender: 'x' },
    ])
      expect((await add(more)).text).toContain('data-code="smart.person-invalid"')
    expect((await add({ csrf: 'forged' })).status).toBe(403)
    expect(await house.record.patientsOf(account)).toEqual([])
  })

  it('sends whoever is not logged in to the login page', async () => {
    const visitor = new Visitor(house)
    const csrf = hidden((await visitor.ask('/auth/login')).text, 'csrf')
    for (const path of ['/account/people', '/account/revoke', '/account/password'])
      expect((await visitor.post(path, { csrf })).location?.pathname).toBe('/auth/login')
  })
})

describe('A58: guessing passwords', () => {
  it('throttles by account and by address, tells when to come back, and never locks for good', async () => {
    await addFamily(house)
    const guesser = new Visitor(house)
    const csrf = hidden((await guesser.ask('/auth/login')).text, 'csrf')
    const guess = (name: string) => guesser.post('/auth/login', { csrf, name, password: 'a wrong password' })
    const statuses: number[] = []
    for (let n = 0; n < 10; n++) statuses.push((await guess('Anna')).status)
    // The rest without a network in between, else this test takes longer than all others together.
    const cookie = [...guesser.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const headers = new Map([
      ['cookie', cookie],
      ['content-type', 'application/x-www-form-urlencoded'],
    ])
    const body = Buffer.from(String(new URLSearchParams({ csrf, name: 'Anna', password: 'a wrong password' })))
    const login = house.smart.routes.find(({ method, path }) => method === 'POST' && path === '/auth/login')
    for (let n = 10; n < 1000; n++) {
      const answer = await login?.handler({
        method: 'POST',
        path: '/auth/login',
        query: new URLSearchParams(),
        header: name => headers.get(name.toLowerCase()),
        body: async () => body,
        remoteAddress: '192.0.2.1',
      })
      statuses.push(answer?.status ?? 0)
    }
    expect(statuses.slice(0, 5)).toEqual([400, 400, 400, 400, 400])
    expect(statuses.slice(6).every(status => status === 429)).toBe(true)
    const throttled = await guess('Anna')
    expect(Number(throttled.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(throttled.text).toContain('data-code="smart.throttled"')
    const owner = new Visitor(house, { 'x-test-address': '192.0.2.77' })
    expect((await owner.logIn('Anna')).status).toBe(429)
    house.clock.advance(61_000)
    expect((await owner.logIn('Anna')).status).toBe(303)
  })

  it('counts guesses at many accounts by their address', async () => {
    const guesser = new Visitor(house)
    const csrf = hidden((await guesser.ask('/auth/login')).text, 'csrf')
    const answers = []
    for (let n = 0; n < 22; n++)
      answers.push(await guesser.post('/auth/login', { csrf, name: `name ${n}`, password: 'a wrong password' }))
    expect(answers.at(-1)?.status).toBe(429)
    const other = new Visitor(house, { 'x-test-address': '192.0.2.78' })
    expect((await other.logIn('name 1')).status).toBe(400)
  })

  it('does not let strangers slow down a device that logged in before, even behind one address', async () => {
    await addFamily(house)
    const owner = new Visitor(house)
    await owner.logIn('Anna')
    owner.cookies.delete('kinhold')
    const guesser = new Visitor(house)
    const csrf = hidden((await guesser.ask('/auth/login')).text, 'csrf')
    for (let n = 0; n < 10; n++) await guesser.post('/auth/login', { csrf, name: 'Anna', password: 'a wrong password' })
    expect((await new Visitor(house).logIn('Anna')).status).toBe(429)
    expect((await owner.logIn('Anna')).status).toBe(303)
    // The cookie counts for the name it was given under, and its own tries are counted as well.
    expect((await owner.logIn('Boris')).status).toBe(400)
    owner.cookies.set('kinhold-device', `${'x'.repeat(43)}.${'x'.repeat(43)}`)
    expect((await owner.logIn('Anna')).status).toBe(429)
  })

  it('slows a device down that guesses itself', async () => {
    await addFamily(house)
    const stolen = new Visitor(house)
    await stolen.logIn('Anna')
    const statuses: number[] = []
    for (let n = 0; n < 12; n++) statuses.push((await stolen.logIn('Anna', 'a wrong password')).status)
    expect(statuses.at(-1)).toBe(429)
  })

  it('does not let parallel guesses share one try', async () => {
    await addFamily(house)
    const guesser = new Visitor(house)
    const csrf = hidden((await guesser.ask('/auth/login')).text, 'csrf')
    const answers = await Promise.all(
      Array.from({ length: 30 }, () =>
        guesser.post('/auth/login', { csrf, name: 'Anna', password: 'a wrong password' }),
      ),
    )
    expect(answers.filter(({ status }) => status === 400).length).toBeLessThanOrEqual(6)
  })

  it('works as hard for a name that does not exist', async () => {
    await addFamily(house)
    const work = async (name: string) => {
      const visitor = new Visitor(house, { 'x-test-address': `192.0.2.${name.length}` })
      const csrf = hidden((await visitor.ask('/auth/login')).text, 'csrf')
      const before = process.cpuUsage().user
      for (let n = 0; n < 3; n++) await visitor.post('/auth/login', { csrf, name, password: 'a wrong password' })
      return process.cpuUsage().user - before
    }
    const known = await work('Anna')
    const unknown = await work('Nobody')
    // Without the hashing it is a thirtieth.
    expect(unknown).toBeGreaterThan(known / 5)
    expect(known).toBeGreaterThan(unknown / 5)
  })
})
