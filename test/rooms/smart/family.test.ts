/** Several accounts keep one person: by invitation, with an end, and nothing that a guardian does ends or leads away what is another's. */
import { printJson } from '#fhir'
import { Problem, silentLog } from '#kernel'
import { readKeeping } from '../../../src/smart/family/as-what.ts'
import { openInvitations } from '../../../src/smart/family/invitations.ts'
import { accept as accepted, endGuardianship } from '../../../src/smart/family/keeping.ts'
import { openParts } from '../../../src/smart/parts.ts'
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
/** Whether the links of who leaves can be ended. */
let isBusy = false
beforeEach(async () => {
  left.length = 0
  isBusy = false
  const guardianLeft = async (account: string, patient: string) => {
    if (isBusy) throw new Problem('busy', 'store.busy', 'The store is in use.')
    left.push(`${account} ${patient}`)
  }
  house = await openHouse({ guardianLeft })
})
afterEach(() => house.close())

const member = (name: string) => newMember(house, name)

async function invite(
  { visitor }: Member,
  patient: string,
  current = password,
  more: Readonly<Record<string, string | string[]>> = { role: 'guardian' },
): Promise<Answer> {
  return visitor.post('/account/invitations', { csrf: await csrfOf(visitor), patient, current, ...more })
}

/** Anna and Bert, who keeps Anna's Emil too. */
async function together(): Promise<{ anna: Member; bert: Member; emil: string }> {
  const [anna, bert] = [await member('Anna'), await member('Bert')]
  const emil = emilOf(anna)
  expect(done(await accept(bert.visitor, urlIn(await invite(anna, emil))))).toBe('keeping')
  return { anna, bert, emil }
}

async function end({ visitor }: Member, patient: string, guardian: string): Promise<Answer> {
  return visitor.post('/account/guardians/end', { csrf: await csrfOf(visitor), patient, guardian })
}

/** A token of an app for everybody whom an account keeps, and how many Patients it finds. */
async function userToken({ account }: Member, scope = 'user/*.cruds'): Promise<string> {
  return house.smart.mint({ scope, account, ttlMs: 3_600_000 })
}

async function reached(token: string): Promise<readonly string[]> {
  const { patients } = await house.smart.authenticate(token)
  return patients === 'all' ? ['all'] : [...patients].sort()
}

describe('an invitation', () => {
  it('lets another account keep the person, and nobody before it was accepted', async () => {
    const [anna, bert] = [await member('Anna'), await member('Bert')]
    const emil = emilOf(anna)
    const token = await userToken(bert)
    const url = urlIn(await invite(anna, emil))
    expect(await reached(token)).not.toContain(emil)
    const page = await bert.visitor.ask(url)
    expect(page.text).toContain(
      '<strong>Anna</strong> invites you to keep the health data of <strong>Emil Weber</strong>',
    )
    expect(done(await accept(bert.visitor, url))).toBe('keeping')
    expect(await reached(token)).toEqual([...bert.patients, emil].sort())
    expect(await reached(await userToken(anna))).toEqual([...anna.patients].sort())
    expect((await bert.visitor.ask('/account')).text).toContain('By invitation of <strong>Anna</strong>')
    expect((await anna.visitor.ask('/account')).text).toContain('<strong>Bert</strong> keeps Emil Weber too')
  })

  it('brings an account with it to whoever has none', async () => {
    const anna = await member('Anna')
    const url = urlIn(await invite(anna, emilOf(anna)))
    const visitor = new Visitor(house)
    const fields = { name: 'Oma', password: 'seven purple kettles sing', again: 'seven purple kettles sing' }
    expect((await accept(visitor, url, { ...fields, again: 'another' })).text).toContain('smart.passwords-differ')
    expect((await accept(visitor, url, { ...fields, name: 'Anna' })).text).toContain('smart.account-name-taken')
    expect((await accept(visitor, url, { ...fields, password: 'short', again: 'short' })).text).toContain(
      'smart.password-weak',
    )
    expect(done(await accept(visitor, url, fields))).toBe('keeping')
    expect((await visitor.ask('/account')).text).toContain('Emil Weber')
    expect((await house.smart.listAccounts()).map(({ name, isOwner }) => [name, isOwner])).toContainEqual([
      'Oma',
      false,
    ])
  })

  it('is good once, also for two at the same moment', async () => {
    const anna = await member('Anna')
    const others = await Promise.all(['Bert', 'Cleo'].map(member))
    const url = urlIn(await invite(anna, emilOf(anna)))
    const answers = await Promise.all(others.map(({ visitor }) => accept(visitor, url)))
    expect(answers.map(({ status }) => status).sort()).toEqual([303, 403])
    const late = await others[0]?.visitor.ask(url)
    expect([late?.status, late?.text.includes('smart.invitation-refused')]).toEqual([403, true])
    const keepers = await Promise.all(others.map(({ account }) => house.record.patientsOf(account)))
    expect(keepers.filter(patients => patients.includes(emilOf(anna)))).toHaveLength(1)
  })

  it('makes one account of several who come at the same moment without one', async () => {
    const anna = await member('Anna')
    const url = urlIn(await invite(anna, emilOf(anna)))
    const again = 'seven purple kettles sing'
    const answers = await Promise.all(
      ['Oma', 'Opa', 'Tante'].map(name => accept(new Visitor(house), url, { name, password: again, again })),
    )
    expect(answers.map(({ status }) => status).sort()).toEqual([303, 403, 403])
    const names = (await house.smart.listAccounts()).map(({ name }) => name)
    expect(names.filter(name => name !== 'Anna')).toHaveLength(1)
  })

  it('ends after three days, when it is taken back, and with the person', async () => {
    const [anna, bert] = [await member('Anna'), await member('Bert')]
    const [greta = '', emil = ''] = anna.patients
    const late = urlIn(await invite(anna, emil))
    const taken = urlIn(await invite(anna, emil))
    const page = await anna.visitor.ask('/account')
    const ids = [...page.text.matchAll(/name="invitation" value="([0-9a-f]+)"/g)].map(([, id]) => id ?? '')
    expect(ids).toHaveLength(2)
    // Somebody else's are none of his.
    await bert.visitor.post('/account/invitations/withdraw', {
      csrf: await csrfOf(bert.visitor),
      invitation: ids[1] ?? '',
    })
    expect((await bert.visitor.ask(taken)).status).toBe(200)
    for (const invitation of ids.slice(1))
      await anna.visitor.post('/account/invitations/withdraw', { csrf: await csrfOf(anna.visitor), invitation })
    expect([(await bert.visitor.ask(late)).status, (await bert.visitor.ask(taken)).status].sort()).toEqual([200, 403])
    house.clock.advance(3 * 24 * 3_600_000)
    expect((await new Visitor(house).ask(late)).status).toBe(403)
    await anna.visitor.logIn('Anna')
    const erased = urlIn(await invite(anna, greta))
    await house.smart.forgetPatient(greta)
    await house.record.shred(greta)
    expect((await new Visitor(house).ask(erased)).status).toBe(403)
  })

  it('is not made without the password, for others, or by a guardian, and there are twenty at most', async () => {
    const { anna, bert, emil } = await together()
    expect(done(await invite(anna, emil, 'not the password'))).toBe('invitation-failed')
    for (const patient of [emil, anna.patients[0] ?? '', 'nobody', ''])
      expect(done(await invite(bert, patient))).toBe('invitation-failed')
    for (let each = 0; each < 20; each++) expect(urlIn(await invite(anna, emil))).not.toBe('')
    expect(done(await invite(anna, emil))).toBe('invitation-failed')
    const invitations = openInvitations(house)
    expect(await codeOf(invitations.make({ patient: emil, from: anna.account }))).toBe('smart.too-many-invitations')
  })

  it('changes nothing for who keeps the person already', async () => {
    const { anna, bert, emil } = await together()
    const url = urlIn(await invite(anna, emil))
    for (const { visitor } of [anna, bert]) expect((await accept(visitor, url)).text).toContain('smart.keeps-already')
    expect(await house.record.ownsPatient(await house.smart.authenticate(await userToken(anna)), emil)).toBe(true)
    const cleo = await member('Cleo')
    expect(done(await accept(cleo.visitor, url))).toBe('keeping')
  })

  it('wants a form of ours', async () => {
    const { bert, anna, emil } = await together()
    const url = new URL(urlIn(await invite(anna, emil)))
    const code = url.searchParams.get('code') ?? ''
    expect((await bert.visitor.post('/account/invitation', { csrf: 'made-up', code })).status).toBe(403)
    for (const path of [
      '/account/invitations',
      '/account/invitations/withdraw',
      '/account/guardians/change',
      '/account/guardians/end',
    ]) {
      expect((await anna.visitor.post(path, { csrf: 'made-up', patient: emil, guardian: bert.account })).status).toBe(
        403,
      )
      const stranger = new Visitor(house)
      const csrf = hidden((await stranger.ask('/auth/login')).text, 'csrf')
      expect((await stranger.post(path, { csrf, patient: emil, guardian: bert.account })).location?.pathname).toBe(
        '/auth/login',
      )
    }
    expect(await house.record.patientsOf(bert.account)).toContain(emil)
  })
})

describe('a guardian', () => {
  it('writes what the other reads', async () => {
    const { anna, bert, emil } = await together()
    const grant = await house.smart.authenticate(await userToken(bert))
    const written = await house.record.writer(grant).transact(txn =>
      txn.create({
        resourceType: 'Observation',
        status: 'final',
        code: { text: 'weight' },
        subject: { reference: `Patient/${emil}` },
      }),
    )
    const reader = house.record.reader(await house.smart.authenticate(await userToken(anna)))
    expect((await reader.read('Observation', written.id)).id).toBe(written.id)
  })

  it('neither takes off who invited, nor ends another guardian', async () => {
    const { anna, bert, emil } = await together()
    const cleo = await member('Cleo')
    await accept(cleo.visitor, urlIn(await invite(anna, emil)))
    for (const guardian of [anna.account, cleo.account]) {
      const refused = await end(bert, emil, guardian)
      expect([refused.status, refused.text.includes('smart.not-owner')]).toEqual([403, true])
    }
    for (const { account } of [anna, cleo]) expect(await house.record.patientsOf(account)).toContain(emil)
  })

  it('leads nothing away: says of nobody whom they keep by invitation that another one takes their place', async () => {
    const { anna, bert, emil } = await together()
    const own = emilOf(bert)
    const grant = await house.smart.authenticate(await userToken(bert))
    const patient = (id: string, type: string, other: string) => ({
      resourceType: 'Patient' as const,
      id,
      name: [{ family: 'Weber' }],
      link: [{ type, other: { reference: `Patient/${other}` } }],
    })
    for (const said of [
      patient(emil, 'replaced-by', own),
      patient(own, 'replaces', emil),
      patient(own, 'replaced-by', emil),
      patient(emil, 'replaces', own),
    ])
      expect(await codeOf(house.record.writer(grant).transact(txn => txn.update('Patient', said.id, said)))).toBe(
        'record.owner-foreign',
      )
    const both = await house.smart.authenticate(await userToken(anna))
    const [greta = ''] = anna.patients
    const fine = patient(greta, 'replaced-by', emil)
    expect(await codeOf(house.record.writer(both).transact(txn => txn.update('Patient', greta, fine)))).toBe(
      'no problem',
    )
  })

  it('leads nobody away whom they have deleted first', async () => {
    const { bert, emil } = await together()
    const own = emilOf(bert)
    const writer = house.record.writer(await house.smart.authenticate(await userToken(bert)))
    await writer.transact(txn => txn.delete('Patient', emil))
    for (const type of ['replaced-by', 'replaces']) {
      const link = [{ type, other: { reference: `Patient/${own}` } }]
      const said = { resourceType: 'Patient' as const, id: emil, link }
      expect(await codeOf(writer.transact(txn => txn.update('Patient', emil, said)))).toBe('record.owner-foreign')
    }
    const plain = { resourceType: 'Patient' as const, id: emil }
    expect(await codeOf(writer.transact(txn => txn.update('Patient', emil, plain)))).toBe('no problem')
  })

  it('who changes something else of the person leaves a link as it was said', async () => {
    const { anna, bert, emil } = await together()
    const [greta = ''] = anna.patients
    const linked = {
      resourceType: 'Patient' as const,
      id: emil,
      link: [{ type: 'replaces', other: { reference: `Patient/${greta}` } }],
    }
    const owner = await house.smart.authenticate(await userToken(anna))
    await house.record.writer(owner).transact(txn => txn.update('Patient', emil, linked))
    const guardian = await house.smart.authenticate(await userToken(bert))
    const changed = { ...linked, gender: 'male' }
    expect(await codeOf(house.record.writer(guardian).transact(txn => txn.update('Patient', emil, changed)))).toBe(
      'no problem',
    )
  })
})

describe('the end of keeping a person', () => {
  it.each(['by who invited', 'by the guardian'])('takes everything %s, at once, and nothing else', async who => {
    const { anna, bert, emil } = await together()
    const everybody = await userToken(bert)
    const clientId = await addApp(house)
    const page = await openConsent(bert.visitor, authorizeParams(house, clientId))
    const sent = await decide(bert.visitor, page, { patient: emil })
    const code = sent.location?.searchParams.get('code') ?? ''
    const { json } = await redeem(house, {
      visitor: bert.visitor,
      clientId,
      patient: emil,
      account: bert.account,
      code,
    })
    const access = String(json.access_token)
    expect(await codeOf(house.smart.authenticate(access))).toBe('no problem')
    const actor = who === 'by the guardian' ? bert : anna
    expect(done(await end(actor, emil, bert.account))).toBe('keeping-ended')
    expect(await codeOf(house.smart.authenticate(access))).toBe('token.unknown')
    expect(await reached(everybody)).toEqual([...bert.patients].sort())
    expect(left).toEqual([`${bert.account} ${emil}`])
    expect((await bert.visitor.ask('/account')).text).not.toContain('By invitation')
    expect((await anna.visitor.ask('/account')).text).not.toContain('<strong>Bert</strong>')
    // Once more changes nothing.
    await end(anna, emil, bert.account)
    expect(left).toHaveLength(1)
  })

  it('lets no consent through that was under way', async () => {
    const { anna, bert, emil } = await together()
    const page = await openConsent(bert.visitor, authorizeParams(house, await addApp(house)))
    await end(anna, emil, bert.account)
    const sent = await decide(bert.visitor, page, { patient: emil })
    expect(sent.location?.searchParams.get('code') ?? null).toBeNull()
  })

  it('is not the end of a person whom an account keeps in its own right', async () => {
    const { anna, bert, emil } = await together()
    await end(anna, emil, anna.account)
    await end(bert, emilOf(bert), bert.account)
    expect(await house.record.patientsOf(anna.account)).toContain(emil)
    expect(await house.record.patientsOf(bert.account)).toContain(emilOf(bert))
  })

  it('is the end of tokens that were minted for the account and the person', async () => {
    const { anna, bert, emil } = await together()
    const scope = 'user/*.rs patient/*.rs'
    const mint = (account: string, patient: string) => house.smart.mint({ scope, account, patient, ttlMs: 3_600_000 })
    const ended = await mint(bert.account, emil)
    const others = [await mint(bert.account, emilOf(bert)), await mint(anna.account, emil)]
    await end(anna, emil, bert.account)
    expect(await codeOf(house.smart.authenticate(ended))).toBe('token.unknown')
    for (const token of others) expect(await codeOf(house.smart.authenticate(token))).toBe('no problem')
  })

  it.each(['before the person was added', 'while it went on'])(
    'leaves nobody who accepts at the same moment and is on no list: ended %s',
    async when => {
      const [anna, bert] = [await member('Anna'), await member('Bert')]
      const patient = emilOf(anna)
      const parts = openParts({ ...house, log: silentLog })
      const { secret } = await parts.invitations.make({ patient, from: anna.account })
      const [inviting, invited] = [await parts.accounts.get(anna.account), await parts.accounts.get(bert.account)]
      if (inviting === undefined || invited === undefined) throw new Error('no accounts')
      const [listed, going] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
      const addPatientTo: typeof parts.record.addPatientTo = async (...asked) => {
        listed.resolve()
        await going.promise
        await parts.record.addPatientTo(...asked)
      }
      const accepting = codeOf(accepted(invited, secret, { ...parts, record: { ...parts.record, addPatientTo } }))
      await listed.promise
      const guardianLeft = async () => {
        if (when !== 'while it went on') return
        going.resolve()
        await accepting
      }
      await endGuardianship({ actor: inviting, patient, guardian: bert.account }, { ...parts, guardianLeft })
      going.resolve()
      expect(await accepting).toBe(when === 'while it went on' ? 'no problem' : 'smart.invitation-refused')
      expect([await house.record.patientsOf(bert.account), await parts.guardians.of(patient)]).toEqual([
        bert.patients,
        [],
      ])
    },
  )

  it('does not come to who was given the person since in their own right', async () => {
    const { anna, bert, emil } = await together()
    await house.record.addPatientTo(bert.account, emil)
    for (const { visitor } of [anna, bert])
      expect((await visitor.ask('/account')).text).not.toContain('</strong> keeps')
    for (const actor of [anna, bert]) await end(actor, emil, bert.account)
    expect(await house.record.patientsOf(bert.account)).toContain(emil)
    expect(left).toEqual([])
  })

  it('is not undone by the administrator who gives the person to the account in its own right', async () => {
    const { bert, emil, anna } = await together()
    await house.record.addPatientTo(bert.account, emil)
    const grant = await house.smart.authenticate(await userToken(bert))
    expect(await house.record.ownsPatient(grant, emil)).toBe(true)
    expect(urlIn(await invite(bert, emil))).not.toBe('')
    expect(await house.record.ownsPatient(await house.smart.authenticate(await userToken(anna)), emil)).toBe(true)
  })
})

it('says in the audit of the person who came and who went', async () => {
  const { anna, bert, emil } = await together()
  await end(anna, emil, bert.account)
  const grant = grantOf('patient/AuditEvent.rs', {
    patient: emil,
    patients: [],
    actor: { kind: 'account', id: anna.account },
  })
  const { parseQuery } = await import('#search')
  const { restrict } = await import('#access')
  const query = restrict(
    parseQuery('AuditEvent', new URLSearchParams({ _count: '100' }), { baseUrl: house.fhirBase }),
    grant,
  )
  const { matches } = await house.record.reader(grant).search(query)
  const texts = matches.map(({ json }) => json.toString('utf8'))
  const told = ['somebody was invited', 'keeps the patient too, by invitation', 'keeps the patient no more']
  expect(told.map(text => texts.filter(each => each.includes(text)).length)).toEqual([1, 1, 1])
  expect(texts.join('')).not.toContain(printJson('Weber'))
})

describe('a lesser role', () => {
  const viewing = { role: 'viewer', category: ['vital-signs', 'medicines'] }

  /** Bert, who keeps Anna's Emil as this. */
  async function lesser(more: Readonly<Record<string, string | string[]>>) {
    const [anna, bert] = [await member('Anna'), await member('Bert')]
    const emil = emilOf(anna)
    const url = urlIn(await invite(anna, emil, password, more))
    return { anna, bert, emil, url, accepted: done(await accept(bert.visitor, url)) }
  }

  const mayOf = async ({ account }: Member, emil: string) => house.record.keepingOf(account, emil)

  async function change({ visitor }: Member, patient: string, guardian: string, more: object): Promise<Answer> {
    return visitor.post('/account/guardians/change', { csrf: await csrfOf(visitor), patient, guardian, ...more })
  }

  it('is what the invitation says, to both of them', async () => {
    const [anna, bert] = [await member('Anna'), await member('Bert')]
    const emil = emilOf(anna)
    const made = await invite(anna, emil, password, viewing)
    expect(made.text).toContain('as a viewer, who sees: vital signs')
    const url = urlIn(made)
    expect((await bert.visitor.ask(url)).text).toMatch(/see what is chosen, and nothing else: vital signs.*medicines/)
    expect((await anna.visitor.ask('/account')).text).toContain('Somebody is invited to keep Emil Weber as a viewer')
    expect(done(await accept(bert.visitor, url))).toBe('keeping')
    expect(await mayOf(bert, emil)).toEqual({ role: 'viewer', categories: ['vital-signs', 'medicines'] })
    for (const { visitor } of [anna, bert])
      expect((await visitor.ask('/account')).text).toContain('as a viewer, who sees: vital signs')
  })

  it.each([
    ['no role', {}],
    ['the owner’s', { role: 'owner' }],
    ['one that there is not', { role: 'steward' }],
    ['a viewer of nothing', { role: 'viewer' }],
    ['a viewer of what there is not', { role: 'viewer', category: ['constructor', '__proto__'] }],
    ['a day that has passed', { role: 'member', until: '2020-01-01' }],
    ['no day', { role: 'member', until: '2999-02-30' }],
    ['half a day', { role: 'member', until: '2999' }],
  ])('is not made of %s, neither by inviting nor by changing', async (_, more) => {
    const { anna, bert, emil } = await together()
    expect(done(await invite(anna, emil, password, more))).toBe('invitation-failed')
    expect(done(await change(anna, emil, bert.account, more))).toBe('role-failed')
    const form = new URLSearchParams(
      Object.entries(more).flatMap(([name, each]) => [each].flat().map(value => [name, value])),
    )
    expect(await codeOf((async () => readKeeping(form, house.clock.nowMs()))())).toBe('smart.role-invalid')
    expect(await mayOf(bert, emil)).toEqual({ role: 'guardian' })
  })

  it('reaches with a token what it leaves, also with one that was there before', async () => {
    const { anna, bert, emil } = await together()
    const everybody = await userToken(bert)
    const scope = 'patient/*.cruds user/Patient.rs'
    const one = await house.smart.mint({ scope, patient: emil, account: bert.account, ttlMs: 3_600_000 })
    const lab = { resourceType: 'Condition', code: { text: 'x' }, subject: { reference: `Patient/${emil}` } }
    const written = await house.record.writer(grantOf('system/*.cruds')).transact(txn => txn.create(lab))
    const read = async (token: string) =>
      codeOf(house.record.reader(await house.smart.authenticate(token)).read('Condition', written.id))
    for (const token of [everybody, one]) expect(await read(token)).toBe('no problem')
    expect(done(await change(anna, emil, bert.account, viewing))).toBe('role-changed')
    expect([await read(everybody), await read(one)]).toEqual(['record.unknown', 'scope.missing'])
    expect(new Set(left)).toEqual(new Set([`${bert.account} ${emil}`]))
    const before = left.length
    expect(done(await change(anna, emil, bert.account, { role: 'member' }))).toBe('role-changed')
    for (const token of [everybody, one]) expect(await read(token)).toBe('no problem')
    // Nothing was taken away.
    expect(left).toHaveLength(before)
  })

  it('is not lowered while the links that go with it cannot be ended, and can be lowered again', async () => {
    const { anna, bert, emil } = await together()
    isBusy = true
    await change(anna, emil, bert.account, viewing).catch(() => undefined)
    expect(await mayOf(bert, emil)).toEqual({ role: 'guardian' })
    isBusy = false
    expect(done(await change(anna, emil, bert.account, viewing))).toBe('role-changed')
    expect(left).toContain(`${bert.account} ${emil}`)
  })

  it('is the owner’s to change, of who keeps the person by invitation', async () => {
    const { anna, bert, emil } = await lesser({ role: 'member' })
    const cleo = await member('Cleo')
    for (const { visitor } of [bert, cleo]) {
      const csrf = await csrfOf(visitor)
      const asked = { csrf, patient: emil, guardian: bert.account, role: 'guardian' }
      const refused = await visitor.post('/account/guardians/change', asked)
      expect([refused.status, refused.text.includes('smart.not-owner')]).toEqual([403, true])
    }
    await change(anna, emil, anna.account, viewing)
    await change(anna, emil, cleo.account, { role: 'guardian' })
    expect(await mayOf(anna, emil)).toEqual({ role: 'owner' })
    expect(await mayOf(cleo, emil)).toBeUndefined()
    expect(await mayOf(bert, emil)).toEqual({ role: 'member' })
  })

  it('invites nobody and takes nobody off', async () => {
    const { anna, bert, emil } = await lesser(viewing)
    expect(done(await invite(bert, emil))).toBe('invitation-failed')
    expect((await end(bert, emil, anna.account)).status).toBe(403)
    expect(done(await end(bert, emil, bert.account))).toBe('keeping-ended')
    expect(await mayOf(bert, emil)).toBeUndefined()
  })

  it('gives an app no more of the person, and says so to it', async () => {
    const { bert, emil } = await lesser(viewing)
    const app = async (scope: string, patient: string) => {
      const clientId = await addApp(house)
      const page = await openConsent(bert.visitor, authorizeParams(house, clientId, { scope }))
      const sent = await decide(bert.visitor, page, { patient })
      const code = sent.location?.searchParams.get('code') ?? ''
      if (code === '') return sent.location?.searchParams.get('error')
      return (await redeem(house, { visitor: bert.visitor, clientId, patient, account: bert.account, code })).json.scope
    }
    const scope = 'launch/patient patient/Observation.rs patient/Condition.rs patient/Patient.cruds'
    expect(await app(scope, emilOf(bert))).toBe(scope)
    const category = 'http://terminology.hl7.org/CodeSystem/observation-category|vital-signs'
    expect(await app(scope, emil)).toBe(`launch/patient patient/Observation.rs?category=${category} patient/Patient.rs`)
    expect(await app('patient/Condition.rs', emil)).toBe('access_denied')
  })

  it('ends by itself after its last day, with all that was given for it', async () => {
    const until = new Date(house.clock.nowMs() + 5 * 24 * 3_600_000).toISOString().slice(0, 10)
    const { anna, bert, emil } = await lesser({ role: 'guardian', until })
    const scope = 'patient/*.rs user/*.rs'
    const token = await house.smart.mint({ scope, patient: emil, account: bert.account, ttlMs: 30 * 24 * 3_600_000 })
    const given = await house.smart.authenticate(token)
    for (const { visitor } of [anna, bert]) expect((await visitor.ask('/account')).text).toContain(`until ${until}`)
    expect((await bert.visitor.ask('/account')).text).toContain(`After ${until} you keep Emil Weber no more`)
    house.clock.advance(Date.parse(until) + 24 * 3_600_000 - 1 - house.clock.nowMs())
    expect(await codeOf(house.smart.authenticate(token))).toBe('no problem')
    expect((await house.smart.standing(given))?.patient).toBe(emil)
    house.clock.advance(1)
    expect(await codeOf(house.smart.authenticate(token))).toBe('token.unknown')
    expect(await house.smart.standing(given)).toBeUndefined()
    expect(await reached(await userToken(bert))).toEqual([...bert.patients].sort())
    await bert.visitor.logIn('Bert')
    await anna.visitor.logIn('Anna')
    expect((await bert.visitor.ask('/account')).text).not.toContain('By invitation')
    expect((await anna.visitor.ask('/account')).text).not.toContain('<strong>Bert</strong>')
    // Who invited can begin anew.
    const again = urlIn(await invite(anna, emil, password, { role: 'member' }))
    expect(done(await accept(bert.visitor, again))).toBe('keeping')
    expect(await mayOf(bert, emil)).toEqual({ role: 'member' })
  })

  it('is not accepted any more once its last day has passed', async () => {
    const anna = await member('Anna')
    const until = new Date(house.clock.nowMs()).toISOString().slice(0, 10)
    const url = urlIn(await invite(anna, emilOf(anna), password, { role: 'member', until }))
    house.clock.advance(Date.parse(until) + 24 * 3_600_000 - house.clock.nowMs())
    expect((await new Visitor(house).ask(url)).status).toBe(403)
  })

  it('is that of one person alone', async () => {
    const { bert, emil } = await lesser(viewing)
    const grant = await house.smart.authenticate(await userToken(bert))
    expect([...(grant.within?.keys() ?? [])]).toEqual([emil])
    const own = { resourceType: 'Condition', code: { text: 'x' }, subject: { reference: `Patient/${emilOf(bert)}` } }
    expect(await codeOf(house.record.writer(grant).transact(txn => txn.create(own)))).toBe('no problem')
  })
})
