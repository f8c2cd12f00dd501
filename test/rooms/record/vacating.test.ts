/** The household of an account that is deleted ends by its key, and nothing comes to that account any more. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Grant } from '#access'
import type { Resource } from '#fhir'
import { Problem } from '#kernel'
import type { Record } from '#record'
import { openMemoryKeys, openMemoryStore, openSqliteKeys, openSqliteStore } from '#store'
import { create, everything, grantOf, heartRate, ids, openTestRecord, patient, update } from './family.ts'
import { refusing } from './refusing.ts'

const folder = mkdtempSync(join(tmpdir(), 'kinhold-vacating-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const all = everything()
const note = (text: string): Resource => ({ resourceType: 'List', status: 'current', mode: 'working', title: text })
const closed = { kind: 'forbidden', code: 'record.account-closed' }
const unknown = { code: 'record.unknown' }

async function of(record: Record, account: string): Promise<Grant> {
  return grantOf('user/*.cruds', { account, patients: await record.patientsOf(account) })
}

let files = 0
const stores = {
  memory: async () => [openMemoryStore(), openMemoryKeys()] as const,
  sqlite: async () => {
    const path = join(folder, `${++files}.sqlite`)
    return [await openSqliteStore({ path }), await openSqliteKeys({ path: `${path}-keys` })] as const
  },
}

async function faultsOf(record: Record): Promise<string[]> {
  const found: string[] = []
  for await (const { kind } of record.verify()) found.push(kind)
  return found
}

/** Two families: each account has a person, a note of its household and one of the person. */
async function twoFamilies(kind: keyof typeof stores = 'memory') {
  const house = await openTestRecord(...(await stores[kind]()))
  const { record } = house
  const family = async (account: string) => {
    const person = (await create(record, await of(record, account), patient(account))).id
    const grant = await of(record, account)
    const list = (await create(record, grant, note(`of ${account}`))).id
    await create(record, grant, heartRate(person, 60))
    return { person, list }
  }
  return { ...house, anna: await family('anna'), bert: await family('bert') }
}

const listsOf = async (record: Record, grant: Grant) => ids(record, grant, 'List', '')

describe.each(['memory', 'sqlite'] as const)('a household that ends, on %s', kind => {
  it('is nobody’s to read, and what belongs to a person or another account stays', async () => {
    const { record, vault, again, anna, bert } = await twoFamilies(kind)
    const before = new Set((await vault.keys.tombstones()).map(({ owner }) => owner))
    expect((await listsOf(record, all)).toSorted()).toEqual([anna.list, bert.list].toSorted())
    expect(await record.vacate('anna')).toBe('whole')
    expect((await vault.keys.tombstones()).filter(({ owner }) => !before.has(owner))).toHaveLength(1)
    for (const each of [record, await again()]) {
      expect(await each.patientsOf('anna')).toEqual([])
      await expect(each.reader(all).read('List', anna.list)).rejects.toMatchObject(unknown)
      expect(await listsOf(each, all)).toEqual([bert.list])
      expect(await listsOf(each, await of(each, 'bert'))).toEqual([bert.list])
      expect(await ids(each, all, 'Observation', `subject=Patient/${anna.person}`)).toHaveLength(1)
      expect(await faultsOf(each)).toEqual([])
      // Who leaves is no patient who was erased.
      expect((await each.allPatients()).toSorted()).toEqual([anna.person, bert.person].toSorted())
      expect(await each.vacate('anna')).toBe('whole')
    }
  })

  it('leaves its audit to who sees everybody, and to nobody else', async () => {
    const { record, anna, again } = await twoFamilies(kind)
    await record.reader(await of(record, 'anna')).read('List', anna.list)
    await record.flush()
    const about = `entity=List/${anna.list}`
    const seen = await ids(record, all, 'AuditEvent', about)
    expect(seen.length).toBeGreaterThan(1)
    await record.vacate('anna')
    for (const each of [record, await again()]) {
      expect(await ids(each, all, 'AuditEvent', about)).toEqual(seen)
      expect(await ids(each, grantOf('user/*.cruds', { account: 'anna', patients: [] }), 'AuditEvent', about)).toEqual(
        [],
      )
      expect(await ids(each, await of(each, 'bert'), 'AuditEvent', about)).toEqual([])
    }
  })

  it('takes nothing that another process had under way, and is never made again', async () => {
    const { record, beside, anna, bert } = await twoFamilies(kind)
    const other = await beside()
    const late = await of(other, 'anna')
    await other.reader(late).read('List', anna.list)
    await record.vacate('anna')
    await expect(update(other, late, { ...note('late'), id: anna.list })).rejects.toBeDefined()
    await expect(create(other, late, note('late'))).rejects.toMatchObject(closed)
    await expect(create(other, late, patient('late'))).rejects.toMatchObject(closed)
    await expect(other.reader(late).read('List', anna.list)).rejects.toMatchObject(unknown)
    expect(await listsOf(other, all)).toEqual([bert.list])
    await create(other, await of(other, 'bert'), note('another'))
    await other.close()
  })
})

describe('an account that is closed', () => {
  it('takes nobody in, by whatever way and in whatever process, until it is open again', async () => {
    const { record, beside, anna, bert } = await twoFamilies()
    const other = await beside()
    await record.closeAccount('anna', true)
    await record.closeAccount('cleo', true)
    for (const each of [record, other]) {
      const grant = await of(each, 'anna')
      await expect(create(each, grant, patient('new'))).rejects.toMatchObject(closed)
      await expect(each.addPatientTo('anna', bert.person)).rejects.toMatchObject(closed)
      await expect(create(each, await of(each, 'cleo'), note('first'))).rejects.toMatchObject(closed)
      const giving = { patient: bert.person, from: 'bert', to: 'anna' }
      await expect(each.givePatient(giving, async () => [])).rejects.toMatchObject(closed)
      // What is there already goes on.
      await create(each, grant, heartRate(anna.person, 61))
      await create(each, grant, note('more'))
    }
    await record.limitKeeping('anna', anna.person, { role: 'viewer' })
    expect(await record.keepingOf('anna', anna.person)).toEqual({ role: 'owner' })
    await record.closeAccount('anna', false)
    await create(other, await of(other, 'anna'), patient('new'))
    expect(await other.patientsOf('anna')).toHaveLength(2)
    await other.close()
  })

  it('stays so while people are given away and leave', async () => {
    const { record, anna } = await twoFamilies()
    await record.addPatientTo('anna', (await create(record, all, patient('guest'))).id, { role: 'member' })
    const guest = (await record.patientsOf('anna')).find(each => each !== anna.person) ?? ''
    await record.closeAccount('anna', true)
    const keeps = { role: 'member' } as const
    await record.givePatient({ patient: anna.person, from: 'anna', to: 'bert', keeps }, async () => [])
    await record.removePatientFrom('anna', guest)
    expect(await record.patientsOf('anna')).toEqual([anna.person])
    await expect(create(record, await of(record, 'anna'), patient('new'))).rejects.toMatchObject(closed)
  })
})

it('who keeps somebody is told of all accounts, without those whose time is over', async () => {
  const { record, clock, anna } = await twoFamilies()
  await record.addPatientTo('bert', anna.person, { role: 'guardian' })
  await record.addPatientTo('cleo', anna.person, { role: 'member', untilMs: clock.nowMs() + 1000 })
  const keepers = async () =>
    (await record.keepersOf(anna.person)).map(({ account, keeping }) => `${account} ${keeping.role}`).toSorted()
  expect(await keepers()).toEqual(['anna owner', 'bert guardian', 'cleo member'])
  clock.advance(1000)
  expect(await keepers()).toEqual(['anna owner', 'bert guardian'])
})

describe('an end that is cut off', () => {
  it('is gone on with once the key is destroyed, by whoever opens the house', async () => {
    const { record, vault, again, anna, bert } = await twoFamilies()
    const { compartment } = (await record.reader(all).read('List', anna.list)).holder
    await vault.destroy(compartment)
    const opened = await again()
    await expect(opened.reader(all).read('List', anna.list)).rejects.toMatchObject(unknown)
    expect(await listsOf(opened, all)).toEqual([bert.list])
    expect(await faultsOf(opened)).toEqual([])
    expect(await opened.vacate('anna')).toBe('whole')
  })

  it('is owed where the store does not let go of it', async () => {
    const full = new Problem('full', 'store.full', 'There is no room.')
    const { state, part } = refusing(openMemoryStore(), full, name => name === 'dropCompartment')
    const { record } = await openTestRecord(part)
    const list = (await create(record, await of(record, 'anna'), note('of anna'))).id
    expect(await record.vacate('anna')).toBe('owed')
    await expect(record.reader(all).read('List', list)).rejects.toMatchObject(unknown)
    state.isOver = true
    expect(await record.vacate('anna')).toBe('whole')
    await record.close()
  })
})
