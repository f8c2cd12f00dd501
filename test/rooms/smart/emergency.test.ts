/** Somebody is named for an emergency: reaches nothing by that, asks, and keeps the person when nobody has said no in time. */
import { type Keeping, restrict } from '#access'
import { silentLog } from '#kernel'
import { parseQuery } from '#search'
import {
  acceptContact,
  askInEmergency,
  nameContact,
  openEmergency,
  refuseEmergency,
} from '../../../src/smart/family/emergency.ts'
import { acceptGiven } from '../../../src/smart/family/giving.ts'
import { accept as acceptKeeping, endGuardianship } from '../../../src/smart/family/keeping.ts'
import { openParts, type Parts } from '../../../src/smart/parts.ts'
import { type Answer, codeOf, grantOf, type House, openHouse, password, Visitor } from './house.ts'
import { accept, csrfOf, done, emilOf, type Member, newMember, urlIn } from './members.ts'

const dayMs = 24 * 60 * 60_000

let house: House
let parts: Parts
let anna: Member
let bert: Member
let emil: string

beforeEach(async () => {
  house = await openHouse({
    accountEnds: { erasePatient: id => house.record.shred(id), endReach: async () => undefined },
  })
  parts = openParts({ ...house, log: silentLog })
  anna = await newMember(house, 'Anna')
  bert = await newMember(house, 'Bert')
  emil = emilOf(anna)
})
afterEach(() => house.close())

type More = Readonly<Record<string, string | string[]>>

async function post({ visitor, name }: Member, path: string, more: More): Promise<Answer> {
  // Days have passed since.
  if ((await visitor.ask('/account')).status !== 200) await visitor.logIn(name)
  return visitor.post(`/account/emergencies${path}`, { csrf: await csrfOf(visitor), ...more })
}

const page = async ({ visitor, name }: Member) => {
  const shown = await visitor.ask('/account')
  if (shown.status === 200) return shown.text
  await visitor.logIn(name)
  return (await visitor.ask('/account')).text
}

const nameFor = (from: Member, more: More = {}) =>
  post(from, '', { patient: emil, role: 'guardian', wait: '7', current: password, ...more })

const ask = (who: Member, more: More = {}) => post(who, '/ask', { patient: emil, current: password, ...more })
const open = (who: Member) => post(who, '/open', { patient: emil })
const refuse = (who: Member, contact = bert) => post(who, '/refuse', { patient: emil, contact: contact.account })
const end = (who: Member, contact = bert) => post(who, '/end', { patient: emil, contact: contact.account })
const keepingOf = ({ account }: Member) => house.record.keepingOf(account, emil)

async function account({ account }: Member) {
  const found = await parts.accounts.get(account)
  if (found === undefined) throw new Error('no such account')
  return found
}

async function named(more: More = {}): Promise<void> {
  expect(done(await accept(bert.visitor, urlIn(await nameFor(anna, more))))).toBe('emergency')
}

async function asked(more: More = {}): Promise<void> {
  await named(more)
  expect(done(await ask(bert))).toBe('emergency-asked')
}

async function giveTo(member: Member): Promise<void> {
  const { secret } = await parts.invitations.make({ patient: emil, from: anna.account, gives: {} })
  await acceptGiven(await account(member), secret, parts)
}

async function leaveTo(name: string): Promise<void> {
  await house.record.addPatientTo((await newMember(house, name)).account, emil)
  await house.smart.deleteAccount('Anna', { isNow: true })
  expect(await house.record.keepersOf(emil)).toHaveLength(1)
}

const later = (ms: number) => house.clock.advance(ms)

describe('who is named for an emergency', () => {
  it('reaches nothing by that, nor by asking, and keeps the person when nobody has said no', async () => {
    const made = await nameFor(anna)
    expect(made.text).toContain('as a guardian, who sees and changes all, 7 days after they have asked')
    expect(await page(anna)).toContain('Somebody is invited to keep Emil Weber in an emergency')
    const shown = await bert.visitor.ask(urlIn(made))
    expect(shown.text).toContain(
      '<strong>Anna</strong> names you as somebody who can keep the health data of <strong>Emil Weber</strong>',
    )
    expect(done(await accept(bert.visitor, urlIn(made)))).toBe('emergency')
    const token = await house.smart.mint({ scope: 'user/*.cruds', account: bert.account, ttlMs: 90 * dayMs })
    const reaches = async () =>
      [...((await house.smart.authenticate(token)).patients as Iterable<string>)].includes(emil)
    expect([await keepingOf(bert), await reaches()]).toEqual([undefined, false])
    expect(await page(anna)).toContain('<strong>Bert</strong> may ask to keep Emil Weber in an emergency')
    expect(done(await open(bert))).toBe('emergency-failed')
    expect(done(await ask(bert))).toBe('emergency-asked')
    expect(await page(anna)).toContain('<strong>Bert</strong> has asked to keep Emil Weber in an emergency')
    later(7 * dayMs - 1)
    expect(done(await open(bert))).toBe('emergency-failed')
    expect([await keepingOf(bert), await reaches()]).toEqual([undefined, false])
    later(1)
    expect(done(await open(bert))).toBe('emergency-opened')
    const untilMs = house.clock.nowMs() + 14 * dayMs
    expect(await keepingOf(bert)).toEqual({ role: 'guardian', untilMs } satisfies Keeping)
    expect(await reaches()).toBe(true)
    expect(await page(anna)).toContain('<strong>Bert</strong> keeps Emil Weber too')
    later(14 * dayMs)
    expect([await keepingOf(bert), await reaches()]).toEqual([undefined, false])
    // And may ask anew.
    expect(done(await open(bert))).toBe('emergency-failed')
    expect(done(await ask(bert))).toBe('emergency-asked')
  })

  it.each<[string, More, Keeping]>([
    ['a member', { role: 'member', wait: '1' }, { role: 'member' }],
    ['a viewer', { role: 'viewer', category: 'medicines', wait: '1' }, { role: 'viewer', categories: ['medicines'] }],
  ])('keeps the person then as what was said: %s', async (_, more, as) => {
    await asked(more)
    later(dayMs)
    expect(done(await open(bert))).toBe('emergency-opened')
    expect(await keepingOf(bert)).toEqual({ ...as, untilMs: house.clock.nowMs() + 14 * dayMs })
  })

  it.each<[string, More]>([
    ['no days', { wait: '' }],
    ['days that cannot be chosen', { wait: '0' }],
    ['a day on which it ends', { until: '2999-12-31' }],
    ['no role', { role: '' }],
    ['the role of an owner', { role: 'owner' }],
    ['a viewer of nothing', { role: 'viewer' }],
    ['a wrong password', { current: 'wrong' }],
    ["somebody else's person", { patient: 'nobody' }],
  ])('is not named with %s', async (_, more) => {
    expect(done(await nameFor(anna, more))).toBe('invitation-failed')
  })

  it('has a week to use it, then asks anew', async () => {
    await asked()
    later(14 * dayMs)
    expect(done(await open(bert))).toBe('emergency-failed')
    expect(await page(anna)).not.toContain('has asked to keep')
    expect(done(await ask(bert))).toBe('emergency-asked')
    later(7 * dayMs)
    expect(done(await open(bert))).toBe('emergency-opened')
  })

  it('asks with the password, and asking again begins nothing anew', async () => {
    await named()
    expect(done(await ask(bert, { current: 'wrong' }))).toBe('emergency-failed')
    expect(done(await ask(bert))).toBe('emergency-asked')
    later(6 * dayMs)
    await ask(bert)
    later(dayMs)
    expect(done(await open(bert))).toBe('emergency-opened')
  })

  it('can be whoever has no account yet', async () => {
    const visitor = new Visitor(house)
    const again = 'seven purple kettles sing'
    const url = urlIn(await nameFor(anna))
    expect(done(await accept(visitor, url, { name: 'Oma', password: again, again }))).toBe('emergency')
    const text = (await visitor.ask('/account')).text
    expect(text).toContain('<strong>Anna</strong> has named you for an emergency of Emil Weber')
    expect(text).toContain('Nobody yet.')
  })
})

describe('no', () => {
  it('is said by who took the person in, at any moment before it is opened', async () => {
    await asked()
    later(8 * dayMs)
    expect(done(await refuse(anna))).toBe('emergency-refused')
    expect(done(await open(bert))).toBe('emergency-failed')
    expect(await page(bert)).toContain('Ask to keep Emil Weber')
  })

  it('is said by the patient, whatever they may do themself', async () => {
    await asked()
    const self = await newMember(house, 'Emil')
    await house.record.addPatientTo(self.account, emil, { role: 'viewer', categories: ['medicines'] })
    expect((await refuse(self)).status).toBe(403)
    await parts.accounts.setSelf(await account(self), emil)
    expect(await page(self)).toContain('<strong>Bert</strong> has asked to keep Emil Weber in an emergency')
    expect(done(await refuse(self))).toBe('emergency-refused')
    later(7 * dayMs)
    expect(done(await open(bert))).toBe('emergency-failed')
  })

  it('is not said by others, nor by who claims to be the patient and does not keep them', async () => {
    await asked()
    const [cleo, dora] = [await newMember(house, 'Cleo'), await newMember(house, 'Dora')]
    await house.record.addPatientTo(dora.account, emil, { role: 'guardian' })
    await parts.accounts.setSelf(await account(cleo), emil)
    for (const other of [cleo, dora]) {
      expect((await refuse(other)).status).toBe(403)
      expect((await end(other)).status).toBe(403)
    }
    expect(await page(dora)).not.toContain('has asked to keep')
    later(7 * dayMs)
    expect(done(await open(bert))).toBe('emergency-opened')
  })

  it.each([0, 1, 2, 3])('and opening at the same moment leave one of the two (%i)', async turns => {
    await asked()
    later(7 * dayMs)
    const [annas, berts] = [await account(anna), await account(bert)]
    const no = async () => {
      for (let turn = 0; turn < turns; turn++) await new Promise(resolve => setImmediate(resolve))
      await refuseEmergency(annas, { patient: emil, contact: bert.account }, parts)
    }
    const [opened] = await Promise.allSettled([openEmergency(berts, emil, parts), no()])
    const isKept = (await keepingOf(bert)) !== undefined
    expect(isKept).toBe(opened.status === 'fulfilled')
    expect((await parts.guardians.get(emil, bert.account)) !== undefined).toBe(isKept)
    expect(await codeOf(openEmergency(berts, emil, parts))).toBe(
      isKept ? 'smart.keeps-already' : 'smart.emergency-closed',
    )
  })
})

describe('what was opened', () => {
  it('is opened by whoever clicks twice, once', async () => {
    await asked()
    later(7 * dayMs)
    const berts = await account(bert)
    const results = await Promise.allSettled([0, 1, 2].map(() => openEmergency(berts, emil, parts)))
    expect(results.some(({ status }) => status === 'fulfilled')).toBe(true)
    expect(await keepingOf(bert)).toMatchObject({ role: 'guardian' })
    expect(await parts.guardians.of(emil)).toHaveLength(1)
  })

  it('ends when who took the person in ends it, and does not open again by what was asked', async () => {
    await asked()
    later(7 * dayMs)
    expect(done(await open(bert))).toBe('emergency-opened')
    await page(anna)
    const ends = { csrf: await csrfOf(anna.visitor), patient: emil, guardian: bert.account }
    expect(done(await anna.visitor.post('/account/guardians/end', ends))).toBe('keeping-ended')
    expect(await keepingOf(bert)).toBeUndefined()
    expect(done(await open(bert))).toBe('emergency-failed')
  })

  /** Parts of which one fails when the patient is being taken in, before or after that. */
  const cutAt = (when: 'before' | 'after', does: () => Promise<unknown>): Parts => {
    const addPatientTo: Parts['record']['addPatientTo'] = async (...args) => {
      if (when === 'after') await house.record.addPatientTo(...args)
      await does()
      if (when === 'before') await house.record.addPatientTo(...args)
    }
    const record = new Proxy(house.record, {
      get: (target, name) => (name === 'addPatientTo' ? addPatientTo : Reflect.get(target, name).bind(target)),
    })
    return { ...parts, record }
  }
  const powerGoes = () => Promise.reject(new Error('the power is gone'))

  it('goes on where it was cut off', async () => {
    await asked()
    later(7 * dayMs)
    const berts = await account(bert)
    await expect(openEmergency(berts, emil, cutAt('before', powerGoes))).rejects.toThrow('the power is gone')
    expect(await keepingOf(bert)).toBeUndefined()
    await openEmergency(berts, emil, parts)
    expect(await keepingOf(bert)).toMatchObject({ role: 'guardian' })
  })

  it('does not open again where it was cut off and ended then', async () => {
    await asked()
    later(7 * dayMs)
    const [annas, berts] = [await account(anna), await account(bert)]
    await expect(openEmergency(berts, emil, cutAt('after', powerGoes))).rejects.toThrow('the power is gone')
    expect(await keepingOf(bert)).toMatchObject({ role: 'guardian' })
    await endGuardianship({ actor: annas, patient: emil, guardian: bert.account }, parts)
    expect(await keepingOf(bert)).toBeUndefined()
    expect(await codeOf(openEmergency(berts, emil, parts))).toBe('smart.emergency-closed')
  })

  it.each(['before', 'after'] as const)('is undone where no was said just %s it', async when => {
    await asked()
    later(7 * dayMs)
    const [annas, berts] = [await account(anna), await account(bert)]
    const no = () => refuseEmergency(annas, { patient: emil, contact: bert.account }, parts)
    expect(await codeOf(openEmergency(berts, emil, cutAt(when, no)))).toBe('smart.emergency-closed')
    expect([await keepingOf(bert), await parts.guardians.of(emil)]).toEqual([undefined, []])
  })
})

describe('what may be asked for', () => {
  it('ends by their own wish or that of who took the person in, and with the asking', async () => {
    await asked()
    expect(done(await end(bert))).toBe('emergency-ended')
    later(7 * dayMs)
    expect(done(await open(bert))).toBe('emergency-failed')
    expect(await page(bert)).not.toContain('In an emergency')
    await asked()
    expect(done(await end(anna))).toBe('emergency-ended')
    later(7 * dayMs)
    expect(done(await open(bert))).toBe('emergency-failed')
  })

  it('is nothing to who keeps the person already', async () => {
    const url = urlIn(await nameFor(anna))
    await house.record.addPatientTo(bert.account, emil, { role: 'viewer', categories: ['medicines'] })
    expect((await accept(bert.visitor, url)).text).toContain('smart.keeps-already')
    await house.record.removePatientFrom(bert.account, emil)
    await asked()
    await house.record.addPatientTo(bert.account, emil, { role: 'viewer', categories: ['medicines'] })
    later(7 * dayMs)
    expect(done(await open(bert))).toBe('emergency-failed')
    expect(await keepingOf(bert)).toMatchObject({ role: 'viewer' })
  })

  it.each<[string, () => Promise<unknown>]>([
    ['is erased', () => house.record.shred(emil).then(() => house.smart.forgetPatient(emil))],
    ['is given away', async () => giveTo(await newMember(house, 'Cleo'))],
    ['is left by an account that is deleted', () => house.smart.deleteAccount('Bert', { isNow: true })],
    ['stays with another when the account that named somebody is deleted', () => leaveTo('Cleo')],
  ])('ends when the person %s', async (_, ends) => {
    await asked()
    expect(await parts.emergencies.ofAccount(bert.account)).toHaveLength(1)
    await ends()
    expect([await parts.emergencies.ofAccount(bert.account), await parts.emergencies.ofPatient(emil)]).toEqual([[], []])
  })

  it('is not of an account that waits to be deleted', async () => {
    await asked()
    later(7 * dayMs)
    await house.smart.deleteAccount('Bert')
    expect(await codeOf(openEmergency(await account(bert), emil, parts))).toBe('smart.account-leaving')
    expect(await codeOf(askInEmergency(await account(bert), emil, parts))).toBe('smart.account-leaving')
  })

  it('is nothing to whom nobody has named, nor where who named keeps the person no more', async () => {
    await named()
    const cleo = await newMember(house, 'Cleo')
    expect(await codeOf(askInEmergency(await account(cleo), emil, parts))).toBe('smart.emergency-over')
    const gift = { patient: emil, from: anna.account, to: cleo.account, keeps: undefined }
    await house.record.givePatient(gift, async () => [])
    expect(await codeOf(askInEmergency(await account(bert), emil, parts))).toBe('smart.emergency-over')
    expect(await page(bert)).not.toContain('In an emergency')
  })

  it('is of twenty at most', async () => {
    const annas = await account(anna)
    for (let at = 0; at < 20; at++)
      await parts.emergencies.add(
        { patient: emil, account: `a${at}`, from: anna.account, as: { role: 'member' }, waitMs: dayMs },
        [],
      )
    const wanted = { patient: emil, as: { role: 'member' as const }, waitMs: dayMs }
    expect(await codeOf(nameContact(annas, wanted, parts))).toBe('smart.too-many-contacts')
  })
})

it('an address is good for what it was made for alone, once', async () => {
  const [annas, berts] = [await account(anna), await account(bert)]
  const wanted = { patient: emil, as: { role: 'member' as const }, waitMs: dayMs }
  const secret = await nameContact(annas, wanted, parts)
  expect(await codeOf(acceptKeeping(berts, secret, parts))).toBe('smart.invitation-refused')
  expect(await codeOf(acceptGiven(berts, secret, parts))).toBe('smart.invitation-refused')
  const { secret: plain } = await parts.invitations.make({ patient: emil, from: anna.account, as: { role: 'member' } })
  expect(await codeOf(acceptContact(berts, plain, parts))).toBe('smart.invitation-refused')
  expect(await codeOf(acceptGiven(berts, plain, parts))).toBe('smart.invitation-refused')
  const cleos = await account(await newMember(house, 'Cleo'))
  const both = await Promise.allSettled([berts, cleos].map(each => acceptContact(each, secret, parts)))
  expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  expect(await parts.emergencies.ofPatient(emil)).toHaveLength(1)
})

it('what was done stands in the audit of the person', async () => {
  await asked()
  await refuse(anna)
  await ask(bert)
  later(7 * dayMs)
  await open(bert)
  await end(bert)
  const grant = grantOf('patient/AuditEvent.rs', { patient: emil, patients: [] })
  const query = parseQuery('AuditEvent', new URLSearchParams({ _count: '100' }), { baseUrl: house.fhirBase })
  const { matches } = await house.record.reader(grant).search(restrict(query, grant))
  const text = matches.map(({ json }) => json.toString('utf8')).join()
  expect(text).not.toContain('Weber')
  for (const detail of [
    'somebody was invited to keep the patient in an emergency',
    'may ask to keep the patient',
    'asked to keep the patient',
    'was told no',
    'keeps the patient in an emergency: nobody said no',
    'somebody may not ask any more',
  ])
    expect(text).toContain(detail)
})
