/** An account is deleted: after a time in which it can be kept, with what is its own alone and nothing that is others'. */
import { Problem, silentLog } from '#kernel'
import { askForDeletion, takeDeletionBack } from '../../../src/smart/deletion/asking.ts'
import { openParts } from '../../../src/smart/parts.ts'
import {
  addApp,
  addPatient,
  allow,
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

const dayMs = 24 * 60 * 60_000
const busy = new Problem('busy', 'store.busy', 'The store is in use.')

let house: House
const ended: string[] = []
/** So many calls of what the rest of the house does are refused. */
let refusals = 0
function refuse(): void {
  if (refusals-- > 0) throw busy
}

async function open(): Promise<House> {
  const opened: House = await openHouse({
    accountEnds: {
      erasePatient: async patient => {
        refuse()
        await opened.smart.forgetPatient(patient)
        await opened.record.shred(patient)
      },
      endReach: async account => {
        refuse()
        ended.push(account)
      },
    },
  })
  return opened
}

beforeEach(async () => {
  ended.length = 0
  refusals = 0
  house = await open()
})
afterEach(() => house.close())

const all = grantOf('system/*.cruds')
const member = (name: string) => newMember(house, name)
const gretaOf = ({ patients }: Member): string => patients[0] ?? ''

type Fields = Readonly<Record<string, string | readonly string[]>>

async function ask({ visitor }: Member, more: Fields = {}) {
  const page = await visitor.ask('/account/delete')
  return visitor.post('/account/delete', { csrf: hidden(page.text, 'csrf'), current: password, ...more })
}

async function takeBack({ visitor }: Member) {
  return visitor.post('/account/delete/take-back', { csrf: await csrfOf(visitor) })
}

async function invite(from: Member, to: Member, patient: string, more: Fields = { role: 'guardian' }) {
  const csrf = await csrfOf(from.visitor)
  const made = await from.visitor.post('/account/invitations', { csrf, current: password, patient, ...more })
  expect(done(await accept(to.visitor, urlIn(made)))).toBe('keeping')
}

const household = async ({ account }: { readonly account: string }) =>
  (
    await house.record
      .writer(grantOf('user/*.cruds', { account, patients: await house.record.patientsOf(account) }))
      .transact(txn => txn.create({ resourceType: 'List', status: 'current', mode: 'working', title: 'errands' }))
  ).id

const isThere = (type: string, id: string) =>
  codeOf(house.record.reader(all).read(type, id)).then(code => code === 'no problem')
const roleOf = async (account: string, patient: string) => (await house.record.keepingOf(account, patient))?.role

async function wait(days = 14): Promise<void> {
  house.clock.advance(days * dayMs)
  await house.smart.endDueAccounts()
}

describe('an account that waits to be deleted', () => {
  it('is told so at each login, has nothing open but what asked, and is as before once it is kept', async () => {
    const anna = await member('Anna')
    const other = new Visitor(house)
    await other.logIn('Anna')
    const token = await house.smart.mint({ scope: 'user/*.cruds', account: anna.account, ttlMs: 60_000 })
    const asked = await ask(anna, { erase: anna.patients })
    expect([asked.status, done(asked)]).toEqual([303, 'deletion'])
    const day = new Date(house.clock.nowMs() + 14 * dayMs).toISOString().slice(0, 10)
    expect((await anna.visitor.ask('/account')).text).toContain(`This account is deleted on ${day}.`)
    expect((await other.ask('/account')).status).toBe(303)
    expect(await codeOf(house.smart.authenticate(token))).toBe('token.unknown')
    await other.logIn('Anna')
    expect((await other.ask('/account')).text).toContain(`This account is deleted on ${day}.`)
    expect(await codeOf(addPatient(house, anna.account, 'Nils', 'nils'))).toBe('record.account-closed')
    await wait(13)
    expect(await isThere('Patient', gretaOf(anna))).toBe(true)
    await other.logIn('Anna')
    expect(done(await takeBack({ ...anna, visitor: other }))).toBe('deletion-ended')
    expect((await other.ask('/account')).text).not.toContain('This account is deleted')
    await addPatient(house, anna.account, 'Emma', 'emma')
    await wait(30)
    expect(await house.record.patientsOf(anna.account)).toEqual([...anna.patients, 'emma'])
    expect(done(await takeBack({ ...anna, visitor: (await member('Eva')).visitor }))).toBe('deletion-begun')
  })

  it('takes nobody in by invitation, which stays good for when it is kept', async () => {
    const [anna, bert] = [await member('Anna'), await member('Bert')]
    const fields = { current: password, patient: gretaOf(bert), role: 'guardian' }
    const url = urlIn(await bert.visitor.post('/account/invitations', { csrf: await csrfOf(bert.visitor), ...fields }))
    await ask(anna, { erase: anna.patients })
    expect((await accept(anna.visitor, url)).text).toContain('smart.account-leaving')
    expect((await bert.visitor.ask('/account')).text).not.toContain('<strong>Anna</strong> keeps')
    await takeBack(anna)
    expect(done(await accept(anna.visitor, url))).toBe('keeping')
    expect(await roleOf(anna.account, gretaOf(bert))).toBe('guardian')
  })

  it('whose day passed long ago, as in a backup that was restored, can be kept for one day more', async () => {
    for (const name of ['Anna', 'Bert']) {
      await addPatient(house, await house.smart.createAccount({ name }), name, name.toLowerCase())
      await house.smart.deleteAccount(name)
    }
    await wait(30)
    const dueAtMs = house.clock.nowMs() + dayMs
    expect(await house.smart.listDeletions()).toMatchObject([
      { state: 'waiting', dueAtMs },
      { state: 'waiting', dueAtMs },
    ])
    expect(await house.smart.keepAccount('Anna')).toBe(true)
    // Once: whoever is there seldom has it done all the same.
    await wait(30)
    expect((await house.smart.listAccounts()).map(({ name }) => name)).toEqual(['Anna'])
    expect([await isThere('Patient', 'anna'), await isThere('Patient', 'bert')]).toEqual([true, false])
  })

  it('ends the apps that were let in, of this account alone', async () => {
    const [gone, stays] = [await allow(house, { name: 'Anna' }), await allow(house, { name: 'Bert' })]
    const [mine, theirs] = [await redeem(house, gone), await redeem(house, stays)]
    await house.smart.deleteAccount('Anna')
    const authenticate = ({ json }: typeof mine) => codeOf(house.smart.authenticate(String(json.access_token)))
    expect([await authenticate(mine), await authenticate(theirs)]).toEqual(['token.unknown', 'no problem'])
  })

  it('lets apps in again that take the data along, which end with it', async () => {
    const anna = await member('Anna')
    await ask(anna, { erase: anna.patients })
    const clientId = await addApp(house)
    const page = await openConsent(anna.visitor, authorizeParams(house, clientId))
    const sent = await decide(anna.visitor, page, { patient: gretaOf(anna), duration: 'year' })
    const code = sent.location?.searchParams.get('code') ?? ''
    const { json } = await redeem(house, { ...anna, clientId, code, patient: gretaOf(anna) })
    expect(await codeOf(house.smart.authenticate(String(json.access_token)))).toBe('no problem')
    await wait()
    expect(await codeOf(house.smart.authenticate(String(json.access_token)))).toBe('token.unknown')
  })
})

describe('asking for it', () => {
  it('says in words what becomes of each, by who else keeps them', async () => {
    const [anna, bert, cleo] = [await member('Anna'), await member('Bert'), await member('Cleo')]
    await invite(anna, bert, gretaOf(anna))
    await invite(anna, cleo, gretaOf(anna), { role: 'member' })
    await invite(anna, cleo, emilOf(anna), { role: 'member' })
    await invite(anna, bert, emilOf(anna), { role: 'guardian', until: '2999-12-31' })
    await invite(bert, anna, emilOf(bert))
    const shared = await addPatient(house, anna.account, 'Shared', 'shared')
    await house.record.addPatientTo(cleo.account, shared)
    const { text } = await anna.visitor.ask('/account/delete')
    expect(text).toContain('<strong>Greta Weber</strong> stays. Only your account leaves, and a guardian keeps')
    expect(text).toContain(`value="${gretaOf(anna)} ${bert.account}" selected>Bert`)
    expect(text).not.toContain(cleo.account)
    expect(text).toContain('<strong>Emil Weber</strong>: nobody else could decide about them.')
    expect(text).toContain('<strong>Emil Weber</strong> stays with whoever else keeps them.')
    expect(text).toContain('<strong>Shared Weber</strong> stays with whoever else keeps them.')
    expect([...text.matchAll(/name="erase"/g)]).toHaveLength(1)
    expect(text).toContain('in <strong>14 days</strong>')
    expect(text).not.toContain('the only account')
    // Who is kept by another account alone is nobody's here.
    expect(text).not.toContain(gretaOf(bert))
  })

  it.each<[string, Fields, string]>([
    ['who is erased', {}, 'smart.deletion-open'],
    ['all of them', { erase: 'anna-greta' }, 'smart.deletion-open'],
    ['those of the account', { erase: ['bert-greta', 'bert-emil'] }, 'smart.deletion-open'],
    ['the password', { erase: ['anna-greta', 'anna-emil'], current: 'another password' }, 'smart.login-failed'],
    ['a form of this browser', { erase: ['anna-greta', 'anna-emil'], csrf: 'x' }, 'smart.form-forged'],
    ['an heir who is a guardian', { heir: ['anna-greta nobody', 'anna-emil'] }, 'smart.deletion-open'],
  ])('does nothing without %s', async (_, fields, code) => {
    const anna = await member('Anna')
    await member('Bert')
    const answer = await ask(anna, fields)
    expect(answer.text).toContain(code)
    expect(answer.status).toBeGreaterThanOrEqual(400)
    expect(await house.smart.listDeletions()).toEqual([])
    await wait()
    expect(await house.record.patientsOf(anna.account)).toEqual(anna.patients)
  })

  it('is for who is logged in', async () => {
    const visitor = new Visitor(house)
    for (const path of ['/account/delete', '/account/delete/take-back']) {
      const answer = await visitor.post(path, { csrf: 'x' })
      expect([answer.status, answer.text.includes('smart.form-forged')]).toEqual([403, true])
    }
    expect((await visitor.ask('/account/delete')).location?.pathname).toBe('/auth/login')
  })
})

describe('an account that is deleted', () => {
  it('takes along what is its own, and nothing of another family', async () => {
    const [anna, bert] = [await member('Anna'), await member('Bert')]
    const [mine, theirs] = [await household(anna), await household(bert)]
    const theirToken = await house.smart.mint({ scope: 'user/*.cruds', account: bert.account, ttlMs: 90 * dayMs })
    await ask(anna, { erase: anna.patients })
    await wait()
    for (const patient of anna.patients) expect(await isThere('Patient', patient)).toBe(false)
    for (const patient of bert.patients) expect(await isThere('Patient', patient)).toBe(true)
    expect([await isThere('List', mine), await isThere('List', theirs)]).toEqual([false, true])
    expect((await house.smart.listAccounts()).map(({ name }) => name)).toEqual(['Bert'])
    expect(await house.smart.listDeletions()).toEqual([])
    expect(ended).toEqual([anna.account])
    expect((await anna.visitor.ask('/account')).status).toBe(303)
    expect((await new Visitor(house).logIn('Anna')).text).toContain('smart.login-failed')
    expect(await codeOf(house.smart.authenticate(theirToken))).toBe('no problem')
    // The name is free, and whoever has it now has nothing of before.
    const again = await house.smart.createAccount({ name: 'Anna' })
    expect(await house.record.patientsOf(again)).toEqual([])
    await house.record.flush()
    const audits = await house.record.reader(all).history({ type: 'AuditEvent', count: 500 })
    expect(audits.items.map(({ json }) => json.toString()).join()).toContain('the account was deleted')
  })

  it('leaves whom others keep: as they did, or a guardian in its place, who was told', async () => {
    const [anna, bert, cleo] = [await member('Anna'), await member('Bert'), await member('Cleo')]
    const [greta, emil] = [gretaOf(anna), emilOf(anna)]
    await invite(anna, cleo, greta)
    await invite(anna, bert, greta)
    await invite(anna, bert, emil, { role: 'member' })
    await invite(bert, anna, emilOf(bert))
    const shared = await addPatient(house, anna.account, 'Shared', 'shared')
    await house.record.addPatientTo(cleo.account, shared)
    await ask(anna, { erase: emil, heir: `${greta} ${bert.account}` })
    const [berts, cleos] = [await bert.visitor.ask('/account'), await cleo.visitor.ask('/account')]
    expect(berts.text).toContain('You then keep Greta Weber in your own right.')
    expect(berts.text).toContain('All that is kept of Emil Weber is erased then.')
    expect(cleos.text).toContain('Somebody else then keeps Greta Weber in their own right')
    await wait()
    expect([await roleOf(bert.account, greta), await roleOf(cleo.account, greta)]).toEqual(['owner', 'guardian'])
    expect([await roleOf(bert.account, emilOf(bert)), await roleOf(cleo.account, shared)]).toEqual(['owner', 'owner'])
    expect([await isThere('Patient', emil), await isThere('Patient', greta)]).toEqual([false, true])
    expect(await house.record.keepersOf(emilOf(bert))).toHaveLength(1)
    await bert.visitor.logIn('Bert')
    expect((await bert.visitor.ask('/account')).text).toContain('<strong>Cleo</strong> keeps Greta Weber too')
  })

  it('takes nobody along into whom was merged whom another account keeps', async () => {
    const [anna, bert] = [await member('Anna'), await member('Bert')]
    const [greta, emil] = [gretaOf(anna), emilOf(anna)]
    const twin = await addPatient(house, anna.account, 'Twin', 'twin')
    await house.record.addPatientTo(bert.account, twin)
    const merge = (source: string, target: string) =>
      house.record.writer(all).transact(txn => txn.merged(source, target))
    // By way of another one.
    await merge(twin, emil)
    await merge(emil, greta)
    await ask(anna)
    await wait()
    expect((await house.smart.listAccounts()).map(({ name }) => name)).toEqual(['Bert'])
    expect([await roleOf(bert.account, greta), await roleOf(bert.account, twin)]).toEqual(['owner', 'owner'])
    expect([await isThere('Patient', greta), await house.smart.listDeletions()]).toEqual([true, []])
  })

  it('goes to another guardian where the chosen one has left, and waits where nobody is left and nothing was said', async () => {
    const [anna, bert, cleo] = [await member('Anna'), await member('Bert'), await member('Cleo')]
    const greta = gretaOf(anna)
    await invite(anna, bert, greta)
    await invite(anna, cleo, greta)
    await ask(anna, { erase: emilOf(anna), heir: `${greta} ${bert.account}` })
    const leave = async ({ visitor, account }: Member) =>
      visitor.post('/account/guardians/end', { csrf: await csrfOf(visitor), patient: greta, guardian: account })
    await leave(bert)
    const { text } = await anna.visitor.ask('/account/delete')
    expect(text).toContain(`value="${greta} ${cleo.account}" selected>Cleo`)
    await leave(cleo)
    await wait()
    expect((await house.smart.listDeletions()).map(({ state }) => state)).toEqual(['put-off'])
    expect([await isThere('Patient', greta), await isThere('Patient', emilOf(anna))]).toEqual([true, true])
    await anna.visitor.logIn('Anna')
    expect((await anna.visitor.ask('/account')).text).toContain('it was not said what becomes of somebody')
    await ask(anna, { erase: anna.patients })
    await wait()
    expect([await isThere('Patient', greta), await house.smart.listDeletions()]).toEqual([false, []])
  })

  it('takes back what it passed on, and its second session under way opens nothing', async () => {
    const [anna, bert] = [await member('Anna'), await member('Bert')]
    const csrf = await csrfOf(anna.visitor)
    const fields = { csrf, current: password, patient: gretaOf(anna), role: 'member' }
    const url = urlIn(await anna.visitor.post('/account/invitations', fields))
    const reset = await house.smart.resetAccount('Anna')
    await house.smart.deleteAccount('Anna', { isNow: true })
    expect((await accept(bert.visitor, url)).text).toContain('smart.invitation-refused')
    expect((await bert.visitor.ask(reset.url)).text).toContain('smart.reset-refused')
    expect(await house.record.patientsOf(bert.account)).toEqual(bert.patients)
  })

  it('cannot be kept any more once it has begun; of both at the same moment one is done whole', async () => {
    for (const name of ['Anna', 'Bert', 'Cleo']) {
      const account = await house.smart.createAccount({ name })
      await addPatient(house, account, name, name.toLowerCase())
      await house.smart.deleteAccount(name)
      house.clock.advance(14 * dayMs)
      const [kept] = await Promise.all([house.smart.keepAccount(name).catch(() => false), house.smart.endDueAccounts()])
      expect(await isThere('Patient', name.toLowerCase())).toBe(kept)
      expect((await house.smart.listAccounts()).map(each => each.name).includes(name)).toBe(kept)
      expect(await house.record.patientsOf(account)).toEqual(kept ? [name.toLowerCase()] : [])
      if (kept) await addPatient(house, account, 'Emma', `emma-${name.toLowerCase()}`)
    }
  })

  it('is one of several that end, by two processes at once', async () => {
    const names = ['Anna', 'Bert', 'Cleo']
    const accounts = await Promise.all(names.map(async name => house.smart.createAccount({ name })))
    for (const [at, account] of accounts.entries()) await addPatient(house, account, 'Greta', `greta-${at}`)
    // All three keep one, so that of the last two none may rely on the other.
    await addPatient(house, accounts[0] ?? '', 'Shared', 'shared')
    for (const account of accounts.slice(1)) await house.record.addPatientTo(account, 'shared')
    const other = await house.again()
    const told: unknown[] = []
    for (const name of names) {
      told.push((await house.smart.fatesOf(name)).get('shared'))
      await house.smart.deleteAccount(name)
      house.clock.advance(1)
    }
    expect(told).toEqual(['stays', 'stays', 'erased'])
    house.clock.advance(14 * dayMs)
    await Promise.all([house.smart.endDueAccounts(), other.endDueAccounts()])
    await house.smart.endDueAccounts()
    expect([await house.smart.listAccounts(), await house.smart.listDeletions()]).toEqual([[], []])
    expect(await isThere('Patient', 'shared')).toBe(false)
    for (const at of accounts.keys()) expect(await isThere('Patient', `greta-${at}`)).toBe(false)
  })
})

describe('of two owners who both want to go', () => {
  async function owners() {
    const [anna, bert] = [await member('Anna'), await member('Bert')]
    const shared = await addPatient(house, anna.account, 'Shared', 'shared')
    await house.record.addPatientTo(bert.account, shared)
    await ask(anna, { erase: anna.patients })
    house.clock.advance(dayMs)
    await bert.visitor.logIn('Bert')
    return { anna, bert, shared }
  }

  it('whoever is due later says what becomes of a person, and the first one need not', async () => {
    const { bert, shared } = await owners()
    expect((await bert.visitor.ask('/account/delete')).text).toContain('<strong>Shared Weber</strong>: nobody else')
    expect((await ask(bert, { erase: bert.patients })).text).toContain('smart.deletion-open')
    await ask(bert, { erase: [...bert.patients, shared] })
    await wait(13)
    expect((await house.smart.listAccounts()).map(({ name }) => name)).toEqual(['Bert'])
    expect(await isThere('Patient', shared)).toBe(true)
    await wait(1)
    expect([await isThere('Patient', shared), await house.smart.listAccounts()]).toEqual([false, []])
  })

  it('the second one erases nobody whom the first one goes on keeping', async () => {
    const { anna, bert, shared } = await owners()
    await ask(bert, { erase: [...bert.patients, shared] })
    await anna.visitor.logIn('Anna')
    expect(done(await takeBack(anna))).toBe('deletion-ended')
    await wait()
    expect((await house.smart.listAccounts()).map(({ name }) => name)).toEqual(['Anna'])
    expect(await house.record.keepersOf(shared)).toEqual([{ account: anna.account, keeping: { role: 'owner' } }])
  })

  it('whoever asks anew is due later, and says it too', async () => {
    const { anna, bert, shared } = await owners()
    await ask(bert, { erase: [...bert.patients, shared] })
    await anna.visitor.logIn('Anna')
    expect((await ask(anna, { erase: anna.patients })).text).toContain('smart.deletion-open')
    expect((await ask(anna, { erase: [...anna.patients, shared] })).status).toBe(303)
  })

  it('one begins where each relies on the other, in whatever process', async () => {
    const parts = [openParts({ ...house, log: silentLog }), openParts({ ...house, log: silentLog })]
    const accounts = [
      await house.smart.createAccount({ name: 'Anna' }),
      await house.smart.createAccount({ name: 'Bert' }),
    ]
    for (const name of ['Anna', 'Bert']) await house.smart.deleteAccount(name)
    house.clock.advance(14 * dayMs)
    const begun = await Promise.all(
      accounts.map((account, at) => parts[at]?.deletions.begin(account, house.clock.nowMs(), [accounts[1 - at] ?? ''])),
    )
    expect(begun.filter(each => each === true)).toHaveLength(1)
  })
})

describe('somebody who is to be given to a guardian', () => {
  async function given() {
    const [anna, bert] = [await member('Anna'), await member('Bert')]
    await invite(anna, bert, gretaOf(anna))
    await ask(anna, { erase: emilOf(anna) })
    return { anna, bert, greta: gretaOf(anna) }
  }

  const hasBegun = async () => (await house.smart.listDeletions()).some(({ state }) => state === 'begun')

  /** Somebody does something while it goes on. */
  async function endWith(isTime: () => Promise<boolean>, work: () => Promise<unknown>): Promise<void> {
    const { store } = house
    const commit = store.commit.bind(store)
    store.commit = async batch => {
      const isDone = await commit(batch)
      if (await isTime()) {
        store.commit = commit
        await work()
      }
      return isDone
    }
    await house.smart.endDueAccounts()
    await house.smart.endDueAccounts()
  }

  it('is not, where the guardian is to go as well: nothing is done until it is said', async () => {
    const { anna, bert, greta } = await given()
    house.clock.advance(dayMs)
    await bert.visitor.logIn('Bert')
    await ask(bert, { erase: bert.patients })
    await wait(13)
    expect((await house.smart.listDeletions()).map(({ name, state }) => [name, state])).toEqual([
      ['Bert', 'waiting'],
      ['Anna', 'put-off'],
    ])
    expect(await roleOf(anna.account, greta)).toBe('owner')
    await wait(1)
    expect(await roleOf(anna.account, greta)).toBe('owner')
    expect((await house.smart.listAccounts()).map(({ name }) => name)).toEqual(['Anna'])
  })

  it('stays for the administrator where the guardian leaves after it has begun, and the audit says so', async () => {
    const { anna, bert, greta } = await given()
    house.clock.advance(14 * dayMs)
    await endWith(hasBegun, () => house.record.removePatientFrom(bert.account, greta))
    expect(await house.smart.listAccounts()).toMatchObject([{ name: 'Bert' }])
    expect([await isThere('Patient', greta), await isThere('Patient', emilOf(anna))]).toEqual([true, false])
    expect(await house.record.keepersOf(greta)).toEqual([])
    await house.record.flush()
    const audits = await house.record.reader(all).history({ type: 'AuditEvent', count: 500 })
    expect(audits.items.map(({ json }) => json.toString()).join()).toContain('nobody keeps them in their own right')
  })

  it('is not erased although that was said, where somebody has come who keeps them by then', async () => {
    const { anna, bert, greta } = await given()
    const emil = emilOf(anna)
    const isGiven = async () => (await roleOf(bert.account, greta)) === 'owner'
    house.clock.advance(14 * dayMs)
    await endWith(isGiven, () => house.record.addPatientTo(bert.account, emil, { role: 'guardian' }))
    expect(await house.smart.listAccounts()).toMatchObject([{ name: 'Bert' }])
    expect([await isThere('Patient', emil), await roleOf(bert.account, emil)]).toEqual([true, 'owner'])
  })
})

it('the last account leaves a house that nobody can claim, and of which its owner was told', async () => {
  const url = (await house.smart.claimUrl()) ?? ''
  const visitor = new Visitor(house)
  const page = await visitor.ask(url)
  const again = 'seven purple kettles sing'
  const fields = {
    csrf: hidden(page.text, 'csrf'),
    code: hidden(page.text, 'code'),
    name: 'Olga',
    password: again,
    again,
  }
  await visitor.post('/claim', fields)
  expect((await visitor.ask('/account/delete')).text).toContain('Yours is the only account here.')
  await house.smart.createAccount({ name: 'Bert' })
  expect((await visitor.ask('/account/delete')).text).toContain('Yours is the account that claimed this server.')
  await house.smart.deleteAccount('Bert', { isNow: true })
  await house.smart.deleteAccount('Olga', { isNow: true })
  expect(await house.smart.listAccounts()).toEqual([])
  for (const smart of [house.smart, await house.again()]) {
    expect([await smart.isClaimed(), await smart.claimUrl()]).toEqual([true, undefined])
    const route = smart.routes.find(({ method, path }) => method === 'POST' && path === '/claim')
    expect(route).toBeDefined()
  }
  const stranger = new Visitor(house)
  expect((await stranger.ask(url)).text).toContain('smart.claim-refused')
  const login = await stranger.ask('/auth/login')
  expect([login.status, login.text.includes('name="password"')]).toEqual([200, true])
  // Whoever runs the server goes on.
  const anew = await house.smart.createAccount({ name: 'Olga' })
  expect(await house.record.patientsOf(anew)).toEqual([])
})

describe('an end that is cut off', () => {
  /** A house with two families, of which one is due. */
  async function due() {
    const anna = await house.smart.createAccount({ name: 'Anna' })
    const bert = await house.smart.createAccount({ name: 'Bert' })
    for (const [id, of] of [
      ['greta', anna],
      ['emil', anna],
      ['nils', bert],
    ] as const)
      await addPatient(house, of, id, id)
    await house.record.addPatientTo(bert, 'emil', { role: 'guardian' })
    const list = await household({ account: anna })
    await house.smart.deleteAccount('Anna')
    house.clock.advance(14 * dayMs)
    return { anna, bert, list }
  }

  async function checkEnded({ anna, bert, list }: Awaited<ReturnType<typeof due>>): Promise<void> {
    expect(await house.smart.listDeletions()).toEqual([])
    expect((await house.smart.listAccounts()).map(({ name }) => name)).toEqual(['Bert'])
    const there = [isThere('Patient', 'greta'), isThere('Patient', 'emil'), isThere('List', list)]
    expect(await Promise.all(there)).toEqual([false, true, false])
    expect([await house.record.patientsOf(anna), await house.record.patientsOf(bert)]).toEqual([[], ['nils', 'emil']])
    expect(await roleOf(bert, 'emil')).toBe('owner')
    expect(ended).toContain(anna)
  }

  it.each(['before', 'after'])('at any of its commits, right %s it, is gone on with', async when => {
    let commits = Number.POSITIVE_INFINITY
    for (let cut = 0; cut < commits; cut++) {
      const state = await due()
      const { store } = house
      const commit = store.commit.bind(store)
      let count = 0
      store.commit = async batch => {
        const isCut = count++ === cut
        if (isCut && when === 'before') throw busy
        const result = await commit(batch)
        if (isCut) throw busy
        return result
      }
      await house.smart.endDueAccounts()
      // As whoever opens the house next.
      await (await house.again()).endDueAccounts()
      store.commit = commit
      await house.smart.endDueAccounts()
      await checkEnded(state)
      if (count <= cut) commits = 0
      await house.close()
      house = await open()
    }
  })

  it('is not asked for a second time, and not taken back', async () => {
    await due()
    const [anna] = await house.smart.listAccounts()
    refusals = 1
    await house.smart.endDueAccounts()
    expect((await house.smart.listDeletions()).map(({ state }) => state)).toEqual(['begun'])
    const parts = openParts({ ...house, log: silentLog })
    const account = await parts.accounts.get(anna?.id ?? '')
    if (account === undefined) throw new Error('the account is gone already')
    const asked = { said: { erases: ['greta'], heirs: {} }, actor: { kind: 'account', id: account.id } } as const
    expect(await codeOf(askForDeletion(account, asked, parts))).toBe('smart.deletion-begun')
    expect(await takeDeletionBack(account.id, asked.actor, parts)).toBe(false)
  })

  it.each([1, 2, 3])('by what the rest of the house refuses, %s times, is gone on with', async times => {
    const state = await due()
    refusals = times
    for (let round = 0; round <= times; round++) await house.smart.endDueAccounts()
    await checkEnded(state)
  })
})
