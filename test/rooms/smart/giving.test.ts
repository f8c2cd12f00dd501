/** A person is given from one account to another: in one commit, as both were told, and once. */
import type { Keeping } from '#access'
import { silentLog } from '#kernel'
import { acceptGiven, endLeft, offer } from '../../../src/smart/family/giving.ts'
import { comingOfAge } from '../../../src/smart/family/majority.ts'
import { openParts, type Parts } from '../../../src/smart/parts.ts'
import {
  type Answer,
  addApp,
  authorizeParams,
  codeOf,
  decide,
  grantOf,
  type House,
  hidden,
  openConsent,
  openHouse,
  password,
  redeem,
  Visitor,
} from './house.ts'
import { accept, csrfOf, done, emilOf, type Member, newMember, urlIn } from './members.ts'

let house: House
const left: string[] = []
let linksFail = false
beforeEach(async () => {
  left.length = 0
  linksFail = false
  house = await openHouse({
    guardianLeft: async (account, patient) => {
      if (linksFail) throw new Error('the disk is gone')
      left.push(`${account} ${patient}`)
    },
  })
})
afterEach(() => house.close())

const member = (name: string) => newMember(house, name)

type More = Readonly<Record<string, string | string[]>>

async function post({ visitor }: Member, path: string, more: More): Promise<Answer> {
  return visitor.post(path, { csrf: await csrfOf(visitor), current: password, ...more })
}

const give = (from: Member, patient: string, more: More = { role: 'nothing' }) =>
  post(from, '/account/people/give', { patient, ...more })

const keepingOf = ({ account }: Member, patient: string) => house.record.keepingOf(account, patient)

/** Who keeps somebody in their own right. */
async function ownersOf(patient: string, members: readonly Member[]): Promise<readonly string[]> {
  const as = await Promise.all(members.map(each => keepingOf(each, patient)))
  return members.filter((_, at) => as[at]?.role === 'owner').map(({ name }) => name)
}

const viewing = { role: 'viewer', category: ['vital-signs'] }

describe('a person who is given', () => {
  it.each<[string, More, Keeping | undefined, string, string]>([
    ['nothing', { role: 'nothing' }, undefined, 'you keep nothing', 'keeps nothing of Emil Weber from then on'],
    ['a guardian', { role: 'guardian' }, { role: 'guardian' }, 'as a guardian', 'as a guardian'],
    ['a member', { role: 'member' }, { role: 'member' }, 'as a member', 'as a member'],
    ['a viewer', viewing, { role: 'viewer', categories: ['vital-signs'] }, 'as a viewer', 'who sees: vital signs'],
    [
      'a guardian until a day',
      { role: 'guardian', until: '2999-12-31' },
      { role: 'guardian', untilMs: Date.parse('3000-01-01T00:00:00Z') },
      'until 2999-12-31',
      'ends by itself after <strong>2999-12-31</strong>',
    ],
  ])('leaves who gave them %s, as both were told', async (_, more, as, toGiver, toReceiver) => {
    const [anna, bert] = [await member('Anna'), await member('Bert')]
    const emil = emilOf(anna)
    const made = await give(anna, emil, more)
    expect(made.text).toContain(toGiver)
    expect((await anna.visitor.ask('/account')).text).toContain('Emil Weber is offered to somebody')
    const page = (await bert.visitor.ask(urlIn(made))).text
    expect(page).toContain('<strong>Anna</strong> gives you what is kept here of <strong>Emil Weber</strong>')
    expect(page).toContain('you can do everything with what is kept of this person, and share and erase it')
    expect(page).toContain(toReceiver)
    expect(await ownersOf(emil, [anna, bert])).toEqual(['Anna'])
    expect(done(await accept(bert.visitor, urlIn(made)))).toBe('given')
    expect([await keepingOf(bert, emil), await keepingOf(anna, emil)]).toEqual([{ role: 'owner' }, as])
    const [annas, berts] = [await anna.visitor.ask('/account'), await bert.visitor.ask('/account')]
    expect(annas.text.includes('By invitation of <strong>Bert</strong>')).toBe(as !== undefined)
    expect(berts.text.includes('<strong>Anna</strong> keeps Emil Weber too')).toBe(as !== undefined)
    expect(annas.text).not.toContain('is offered to somebody')
    expect(left).toEqual([`${anna.account} ${emil}`])
  })

  it('goes to whoever has no account yet, as at the coming of age', async () => {
    const anna = await member('Anna')
    const url = urlIn(await give(anna, emilOf(anna), { role: 'guardian' }))
    const visitor = new Visitor(house)
    const again = 'seven purple kettles sing'
    expect((await accept(visitor, url, { name: 'Anna', password: again, again })).text).toContain(
      'smart.account-name-taken',
    )
    expect(done(await accept(visitor, url, { name: 'Emil', password: again, again }))).toBe('given')
    const emil = await house.smart.accountId('Emil')
    expect(await house.record.keepingOf(emil, emilOf(anna))).toEqual({ role: 'owner' })
    expect((await visitor.ask('/account')).text).toContain('<strong>Anna</strong> keeps Emil Weber too')
  })

  it('goes to who kept them by invitation, who does so by no invitation then', async () => {
    const [anna, bert] = [await member('Anna'), await member('Bert')]
    const emil = emilOf(anna)
    const until = { role: 'member', until: '2999-12-31' }
    await accept(bert.visitor, urlIn(await post(anna, '/account/invitations', { patient: emil, ...until })))
    expect(await keepingOf(bert, emil)).toMatchObject({ role: 'member' })
    await accept(bert.visitor, urlIn(await give(anna, emil, { role: 'member' })))
    expect([await keepingOf(bert, emil), await keepingOf(anna, emil)]).toEqual([{ role: 'owner' }, { role: 'member' }])
    const parts = openParts({ ...house, log: silentLog })
    expect((await parts.guardians.of(emil)).map(({ account, from }) => [account, from])).toEqual([
      [anna.account, bert.account],
    ])
    // And back again.
    await accept(anna.visitor, urlIn(await give(bert, emil)))
    expect([await keepingOf(bert, emil), await keepingOf(anna, emil)]).toEqual([undefined, { role: 'owner' }])
    expect(await parts.guardians.of(emil)).toEqual([])
  })

  it('is kept by the others as before', async () => {
    const [anna, bert, cleo] = [await member('Anna'), await member('Bert'), await member('Cleo')]
    const emil = emilOf(anna)
    await accept(cleo.visitor, urlIn(await post(anna, '/account/invitations', { patient: emil, ...viewing })))
    await accept(bert.visitor, urlIn(await give(anna, emil)))
    expect(await keepingOf(cleo, emil)).toEqual({ role: 'viewer', categories: ['vital-signs'] })
    expect((await bert.visitor.ask('/account')).text).toContain('<strong>Cleo</strong> keeps Emil Weber too')
    const asked = { patient: emil, guardian: cleo.account }
    expect(done(await post(bert, '/account/guardians/end', asked))).toBe('keeping-ended')
    expect((await post(anna, '/account/guardians/end', asked)).status).toBe(403)
    expect(await house.record.patientsOf(anna.account)).toEqual([anna.patients[0]])
  })

  it('counts as the new role for what the giver has open, at once', async () => {
    const [anna, bert] = [await member('Anna'), await member('Bert')]
    const emil = emilOf(anna)
    const clientId = await addApp(house)
    const sent = await decide(anna.visitor, await openConsent(anna.visitor, authorizeParams(house, clientId)), {
      patient: emil,
    })
    const code = sent.location?.searchParams.get('code') ?? ''
    const granted = { visitor: anna.visitor, clientId, patient: emil, account: anna.account, code }
    const ofApp = String((await redeem(house, granted)).json.access_token)
    const everybody = await house.smart.mint({ scope: 'user/*.cruds', account: anna.account, ttlMs: 3_600_000 })
    const scope = 'user/Patient.r patient/*.rs'
    const ofHost = await house.smart.mint({ scope, account: anna.account, patient: emil, ttlMs: 3_600_000 })
    const condition = {
      resourceType: 'Condition',
      code: { text: 'x' },
      subject: { reference: `Patient/${emil}` },
    } as const
    const { id } = await house.record.writer(grantOf('system/*.cruds')).transact(txn => txn.create(condition))
    const read = async (token: string) =>
      codeOf((async () => house.record.reader(await house.smart.authenticate(token)).read('Condition', id))())
    expect([await read(everybody), await read(ofHost)]).toEqual(['no problem', 'no problem'])
    await accept(bert.visitor, urlIn(await give(anna, emil, viewing)))
    expect([await read(everybody), await read(ofHost)]).toEqual(['record.unknown', 'scope.missing'])
    expect(await codeOf(house.smart.authenticate(ofApp))).toBe('no problem')
    // What is left is taken off by who keeps them now.
    expect(done(await post(bert, '/account/guardians/end', { patient: emil, guardian: anna.account }))).toBe(
      'keeping-ended',
    )
    for (const token of [ofApp, ofHost]) expect(await codeOf(house.smart.authenticate(token))).toBe('token.unknown')
  })

  it('takes apps and tokens for this person from who keeps nothing, and who of the account the person was', async () => {
    const [anna, bert] = [await member('Anna'), await member('Bert')]
    const [greta = '', emil = ''] = anna.patients
    const parts = openParts({ ...house, log: silentLog })
    const account = await parts.accounts.get(anna.account)
    if (account === undefined) throw new Error('no account')
    await parts.accounts.setSelf(account, emil)
    const tokens = await Promise.all(
      [emil, greta].map(patient =>
        house.smart.mint({ scope: 'user/Patient.r patient/*.rs', account: anna.account, patient, ttlMs: 3_600_000 }),
      ),
    )
    await accept(bert.visitor, urlIn(await give(anna, emil)))
    expect(await Promise.all(tokens.map(token => codeOf(house.smart.authenticate(token))))).toEqual([
      'token.unknown',
      'no problem',
    ])
    expect((await parts.accounts.get(anna.account))?.self).toBeUndefined()
    expect(await house.record.ownsPatient(grantOf('user/*.rs', { account: anna.account, patients: [] }), emil)).toBe(
      false,
    )
  })

  it('takes with them who was merged into them', async () => {
    const [anna, bert] = [await member('Anna'), await member('Bert')]
    const [greta = '', emil = ''] = anna.patients
    await house.record.writer(grantOf('system/*.cruds')).transact(txn => txn.merged(greta, emil))
    expect(done(await give(anna, greta))).toBe('invitation-failed')
    await accept(bert.visitor, urlIn(await give(anna, emil)))
    expect(await house.record.patientsOf(anna.account)).toEqual([])
    for (const patient of [greta, emil]) expect(await ownersOf(patient, [anna, bert])).toEqual(['Bert'])
    expect([...left].sort()).toEqual([`${anna.account} ${emil}`, `${anna.account} ${greta}`])
  })
})

describe('an offer', () => {
  it('is made by the owner alone, with the password, and of what can be kept', async () => {
    const [anna, bert] = [await member('Anna'), await member('Bert')]
    const emil = emilOf(anna)
    await accept(bert.visitor, urlIn(await post(anna, '/account/invitations', { patient: emil, role: 'guardian' })))
    const failing: [Member, More][] = [
      [anna, { role: 'nothing', current: 'not the password' }],
      [bert, { role: 'nothing' }],
      [await member('Cleo'), { role: 'nothing' }],
      [anna, {}],
      [anna, { role: 'owner' }],
      [anna, { role: 'viewer' }],
      [anna, { role: 'member', until: '2020-01-01' }],
    ]
    for (const [who, more] of failing) expect(done(await give(who, emil, more))).toBe('invitation-failed')
    expect((await anna.visitor.post('/account/people/give', { csrf: 'made-up', patient: emil })).status).toBe(403)
    const stranger = new Visitor(house)
    const csrf = hidden((await stranger.ask('/auth/login')).text, 'csrf')
    const sent = await stranger.post('/account/people/give', { csrf, patient: emil, role: 'nothing' })
    expect(sent.location?.pathname).toBe('/auth/login')
  })

  it('ends after three days, when it is taken back, and with the person', async () => {
    const [anna, bert] = [await member('Anna'), await member('Bert')]
    const [greta = '', emil = ''] = anna.patients
    const taken = urlIn(await give(anna, emil))
    const invitation = /name="invitation" value="([0-9a-f]+)"/.exec((await anna.visitor.ask('/account')).text)?.[1]
    await post(bert, '/account/invitations/withdraw', { invitation: invitation ?? '' })
    expect((await bert.visitor.ask(taken)).status).toBe(200)
    await post(anna, '/account/invitations/withdraw', { invitation: invitation ?? '' })
    const erased = urlIn(await give(anna, greta))
    await house.smart.forgetPatient(greta)
    await house.record.shred(greta)
    const late = urlIn(await give(anna, emil))
    expect((await bert.visitor.ask(late)).status).toBe(200)
    house.clock.advance(3 * 24 * 3_600_000)
    for (const url of [taken, erased, late]) {
      const page = await accept(new Visitor(house), url)
      expect([page.status, page.text.includes('smart.invitation-refused')]).toEqual([403, true])
    }
    expect(await ownersOf(emil, [anna, bert])).toEqual(['Anna'])
  })

  it('keeps nothing for the giver whose day has passed before it is accepted', async () => {
    const [anna, bert] = [await member('Anna'), await member('Bert')]
    const emil = emilOf(anna)
    const until = new Date(house.clock.nowMs()).toISOString().slice(0, 10)
    const url = urlIn(await give(anna, emil, { role: 'guardian', until }))
    house.clock.advance(26 * 3_600_000)
    await bert.visitor.logIn('Bert')
    expect((await bert.visitor.ask(url)).text).toContain('keeps nothing of Emil Weber from then on')
    expect(done(await accept(bert.visitor, url))).toBe('given')
    expect(await house.record.patientsOf(anna.account)).toEqual([anna.patients[0]])
  })

  it('is nothing for who made it, and leads to no second owner', async () => {
    const [anna, bert, cleo] = [await member('Anna'), await member('Bert'), await member('Cleo')]
    const emil = emilOf(anna)
    const [first, second] = [urlIn(await give(anna, emil, { role: 'guardian' })), urlIn(await give(anna, emil))]
    expect((await accept(anna.visitor, first)).text).toContain('smart.keeps-already')
    expect(done(await accept(bert.visitor, first))).toBe('given')
    for (const url of [first, second]) expect((await accept(cleo.visitor, url)).status).toBe(403)
    expect(await ownersOf(emil, [anna, bert, cleo])).toEqual(['Bert'])
  })

  it('is taken by one of those who come at the same moment, also of those who make an account with it', async () => {
    const members = [await member('Bert'), await member('Cleo')]
    const anna = await member('Anna')
    const emil = emilOf(anna)
    const url = urlIn(await give(anna, emil, { role: 'member' }))
    const again = 'seven purple kettles sing'
    const newcomers = ['Oma', 'Opa']
    const answers = await Promise.all([
      ...members.map(({ visitor }) => accept(visitor, url)),
      ...newcomers.map(name => accept(new Visitor(house), url, { name, password: again, again })),
    ])
    expect(answers.map(({ status }) => status).sort()).toEqual([303, 403, 403, 403])
    const accounts = await house.smart.listAccounts()
    const as = await Promise.all(accounts.map(({ id }) => house.record.keepingOf(id, emil)))
    expect(as.filter(each => each?.role === 'owner')).toHaveLength(1)
    expect(as.filter(each => each?.role === 'member')).toHaveLength(1)
    // Who came too late without an account has none.
    const made = accounts.filter(({ name }) => newcomers.includes(name))
    expect(made).toHaveLength(answers.slice(2).filter(({ status }) => status === 303).length)
  })

  it('gives nobody whom the giver has lost meanwhile', async () => {
    const [anna, bert, cleo] = [await member('Anna'), await member('Bert'), await member('Cleo')]
    const emil = emilOf(anna)
    const [toBert, toCleo] = [urlIn(await give(anna, emil)), urlIn(await give(anna, emil))]
    const page = await bert.visitor.ask(toBert)
    await accept(cleo.visitor, toCleo)
    const fields = { csrf: hidden(page.text, 'csrf'), code: hidden(page.text, 'code') }
    expect((await bert.visitor.post('/account/invitation', fields)).status).toBe(403)
    expect(await ownersOf(emil, [anna, bert, cleo])).toEqual(['Cleo'])
  })
})

/** The same without pages. */
async function without(): Promise<{ parts: Parts; anna: Member; bert: Member; emil: string; secret: string }> {
  const [anna, bert] = [await member('Anna'), await member('Bert')]
  const emil = emilOf(anna)
  const parts = openParts({
    ...house,
    log: silentLog,
    guardianLeft: async (account, patient) => {
      if (linksFail) throw new Error('the disk is gone')
      left.push(`${account} ${patient}`)
    },
  })
  const secret = await offer(await accountOf(parts, anna), { patient: emil, keeps: undefined }, parts)
  return { parts, anna, bert, emil, secret }
}

async function accountOf(parts: Parts, { account }: Member) {
  const found = await parts.accounts.get(account)
  if (found === undefined) throw new Error('no account')
  return found
}

describe('at the same moment', () => {
  it('somebody who is taken off as a guardian keeps whom they were given', async () => {
    const { parts, anna, bert, emil, secret } = await without()
    await accept(bert.visitor, urlIn(await post(anna, '/account/invitations', { patient: emil, role: 'guardian' })))
    const berts = await accountOf(parts, bert)
    const { endGuardianship } = await import('../../../src/smart/family/keeping.ts')
    // Given after it was looked whether Bert keeps Emil in his own right, and before he was taken off.
    const removePatientFrom: typeof parts.record.removePatientFrom = async (account, patient) => {
      await acceptGiven(berts, secret, parts).catch(() => undefined)
      await parts.record.removePatientFrom(account, patient)
    }
    const record = { ...parts.record, removePatientFrom }
    const actor = await accountOf(parts, anna)
    await endGuardianship({ actor, patient: emil, guardian: bert.account }, { ...parts, record })
    expect(await ownersOf(emil, [anna, bert])).toEqual(['Bert'])
  })

  it.each(['erased', 'merged'])('nobody is given who is %s', async what => {
    const { parts, anna, bert, emil, secret } = await without()
    const invitations: Parts['invitations'] = {
      ...parts.invitations,
      // The last that is asked before the commit.
      async taking(...asked) {
        const taking = await parts.invitations.taking(...asked)
        if (what === 'erased') await house.record.shred(emil)
        else await house.record.writer(grantOf('system/*.cruds')).transact(txn => txn.merged(emil, anna.patients[0]))
        return taking
      },
    }
    const refused = await codeOf(acceptGiven(await accountOf(parts, bert), secret, { ...parts, invitations }))
    expect(refused).toBe(what === 'erased' ? 'record.owner-unknown' : 'smart.invitation-refused')
    expect(await house.record.patientsOf(bert.account)).toEqual(bert.patients)
    expect(await ownersOf(emil, [anna, bert])).toEqual(what === 'erased' ? [] : ['Anna'])
  })
})

describe('what is cut off after the person was given', () => {
  it.each(['when the server starts again', 'when somebody looks at their account'])(
    'is gone on with %s',
    async when => {
      const { parts, anna, bert, emil, secret } = await without()
      const scope = 'user/Patient.r patient/*.rs'
      const token = await house.smart.mint({ scope, account: anna.account, patient: emil, ttlMs: 3_600_000 })
      linksFail = true
      expect(await codeOf(acceptGiven(await accountOf(parts, bert), secret, parts))).toBe('no problem')
      expect([await ownersOf(emil, [anna, bert]), left]).toEqual([['Bert'], []])
      expect(await codeOf(house.smart.authenticate(token))).toBe('token.unknown')
      await endLeft(parts)
      linksFail = false
      if (when === 'when the server starts again') await (await house.again()).goOn()
      else await bert.visitor.ask('/account')
      expect(left).toEqual([`${anna.account} ${emil}`])
      await endLeft(parts)
      expect(left).toHaveLength(1)
    },
  )

  it('ends nothing of who was given the person back', async () => {
    const { parts, anna, bert, emil, secret } = await without()
    linksFail = true
    await acceptGiven(await accountOf(parts, bert), secret, parts)
    const back = await offer(await accountOf(parts, bert), { patient: emil, keeps: { role: 'guardian' } }, parts)
    await acceptGiven(await accountOf(parts, anna), back, parts)
    linksFail = false
    await endLeft(parts)
    expect(left).toEqual([`${bert.account} ${emil}`])
  })
})

it('says in the audit of the person that they were offered and given, and that an offer was taken back', async () => {
  const [anna, bert] = [await member('Anna'), await member('Bert')]
  const emil = emilOf(anna)
  await give(anna, emil)
  const invitation = /name="invitation" value="([0-9a-f]+)"/.exec((await anna.visitor.ask('/account')).text)?.[1]
  await post(anna, '/account/invitations/withdraw', { invitation: invitation ?? '' })
  await accept(bert.visitor, urlIn(await give(anna, emil, { role: 'member' })))
  const grant = grantOf('patient/AuditEvent.rs', { patient: emil, patients: [] })
  const { parseQuery } = await import('#search')
  const { restrict } = await import('#access')
  const asked = new URLSearchParams({ _count: '100' })
  const query = restrict(parseQuery('AuditEvent', asked, { baseUrl: house.fhirBase }), grant)
  const { matches } = await house.record.reader(grant).search(query)
  const texts = matches.map(({ json }) => json.toString('utf8'))
  const told = [
    ['was offered to somebody', 2],
    ['offered to nobody any more', 1],
    ['in their own right from now on, as was offered; who gives them keeps them as a member', 1],
  ] as const
  for (const [text, count] of told)
    expect([text, texts.filter(each => each.includes(text)).length]).toEqual([text, count])
  expect(texts.join('')).not.toContain('Weber')
})

describe('the coming of age', () => {
  const at = (day: string) => Date.parse(`${day}T12:00:00Z`)

  it.each([
    ['2008-03-01', '2026-02-01', '2026-03-01'],
    ['2008-03-01', '2026-12-01', '2026-03-01'],
    ['2008-02-29', '2026-02-01', '2026-03-01'],
    ['2008-03-01', '2025-01-01', undefined],
    ['2008-03-01', '2027-04-01', undefined],
    ['1940-03-01', '2026-03-01', undefined],
    ['2008-03', '2026-02-01', undefined],
    [undefined, '2026-02-01', undefined],
  ])('of who was born on %s is said on %s: %s', (born, today, said) => {
    expect(comingOfAge(born, at(today))).toBe(said)
  })

  it('is announced to who keeps the person in their own right', async () => {
    const anna = await member('Anna')
    const emil = emilOf(anna)
    const soon = new Date(house.clock.nowMs() + 30 * 24 * 3_600_000).toISOString().slice(0, 10)
    const [year = '', rest = ''] = [soon.slice(0, 4), soon.slice(4)]
    const birthDate = `${Number(year) - 18}${rest}`
    const patient = { resourceType: 'Patient' as const, id: emil, name: [{ text: 'Emil Weber' }], birthDate }
    await house.record.writer(grantOf('system/*.cruds')).transact(txn => txn.update('Patient', emil, patient))
    expect((await anna.visitor.ask('/account')).text).toContain(`Emil Weber reaches them on <strong>${soon}</strong>`)
  })
})
