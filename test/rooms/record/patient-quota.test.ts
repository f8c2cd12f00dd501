/** An account keeps no more patients in its own right than it may, whoever is faster, and by whatever way they come. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Grant } from '#access'
import { isProblem } from '#kernel'
import type { Record } from '#record'
import { openMemoryKeys, openMemoryStore, openSqliteKeys, openSqliteStore } from '#store'
import { create, everything, grantOf, heartRate, openTestRecord, patient, update } from './family.ts'

const folder = mkdtempSync(join(tmpdir(), 'kinhold-quota-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const all = everything()
const exceeded = { kind: 'full', code: 'record.patients-exceeded' }

async function of(record: Record, account: string): Promise<Grant> {
  return grantOf('user/*.cruds', { account, patients: await record.patientsOf(account) })
}

const add = async (record: Record, account: string) =>
  (await create(record, await of(record, account), patient('Amsel'))).id
const used = async (record: Record, account = 'anna') => (await record.patientQuota(account)).used

/** Two processes on one store, where an account may keep three. */
async function twoProcesses(kind: 'memory' | 'sqlite') {
  const path = join(folder, `${kind}.sqlite`)
  const [store, keys] =
    kind === 'memory'
      ? [openMemoryStore(), openMemoryKeys()]
      : [await openSqliteStore({ path }), await openSqliteKeys({ path: `${path}-keys` })]
  const { record, beside } = await openTestRecord(store, keys, { mostPatients: 3 })
  return { record, other: await beside() }
}

it.each(['memory', 'sqlite'] as const)('is exact when two processes add at the same moment, on %s', async kind => {
  const { record, other } = await twoProcesses(kind)
  const tries = await Promise.allSettled(
    [record, other, record, other, record, other].flatMap(each => [add(each, 'anna'), add(each, 'bert')]),
  )
  for (const account of ['anna', 'bert']) {
    expect(await record.patientQuota(account)).toEqual({ used: 3, most: 3 })
    expect(await other.patientsOf(account)).toHaveLength(3)
  }
  const refused = tries.flatMap(each => (each.status === 'rejected' ? [each.reason] : []))
  expect(refused.map(each => (isProblem(each) ? each.code : String(each)))).toEqual(
    Array.from({ length: 6 }, () => exceeded.code),
  )
  // What was refused left nobody.
  expect(await record.allPatients()).toHaveLength(6)
  await other.close()
})

describe('whom an account may keep', () => {
  let record: Record
  beforeEach(async () => {
    ;({ record } = await openTestRecord(openMemoryStore(), openMemoryKeys(), { mostPatients: 2 }))
  })

  it('comes in wholly or not at all, of several in one transaction', async () => {
    await add(record, 'anna')
    const writer = record.writer(await of(record, 'anna'))
    const two = writer.transact(async txn => {
      await txn.create(patient('one'))
      await txn.create(patient('two'))
    })
    await expect(two).rejects.toMatchObject(exceeded)
    expect(await used(record)).toBe(1)
  })

  it('is told apart from whom it keeps by invitation, and from whom another account keeps', async () => {
    const [first, second] = [await add(record, 'anna'), await add(record, 'anna')]
    await add(record, 'bert')
    for (const one of [first, second]) await record.addPatientTo('bert', one, { role: 'guardian' })
    expect([await used(record, 'bert'), await used(record)]).toEqual([1, 2])
    await add(record, 'bert')
    await expect(add(record, 'bert')).rejects.toMatchObject(exceeded)
  })

  it('is counted when they are given, or attached by the host, and gives room back', async () => {
    const [first, second] = [await add(record, 'anna'), await add(record, 'anna')]
    const third = (await create(record, all, patient('third'))).id
    await expect(record.addPatientTo('anna', third)).rejects.toMatchObject(exceeded)
    await expect(add(record, 'anna')).rejects.toMatchObject(exceeded)
    await record.givePatient({ patient: first, from: 'anna', to: 'bert', keeps: { role: 'guardian' } }, async () => [])
    expect([await used(record), await used(record, 'bert')]).toEqual([1, 1])
    await record.addPatientTo('anna', third)
    const back = { patient: first, from: 'bert', to: 'anna' }
    await expect(record.givePatient(back, async () => [])).rejects.toMatchObject(exceeded)
    // Whom it owns already is nobody new.
    await record.addPatientTo('anna', third)
    await record.shred(second)
    expect(await used(record)).toBe(1)
    expect(await record.givePatient(back, async () => [])).toEqual([first])
    await record.setPatientQuota('bert', 0)
    const beyond = { patient: first, from: 'anna', to: 'bert', isBeyondQuota: true }
    expect(await record.givePatient(beyond, async () => [])).toEqual([first])
  })

  it('is as was said of the account; less than it keeps forbids another one, and nothing else', async () => {
    const first = await add(record, 'anna')
    await add(record, 'anna')
    await record.setPatientQuota('anna', 3)
    await add(record, 'anna')
    await record.setPatientQuota('anna', 1)
    expect(await record.patientQuota('anna')).toEqual({ used: 3, most: 1 })
    await expect(add(record, 'anna')).rejects.toMatchObject(exceeded)
    await create(record, await of(record, 'anna'), heartRate(first, 60))
    await update(record, await of(record, 'anna'), { ...patient('Drossel'), id: first })
    await record.givePatient({ patient: first, from: 'anna', to: 'bert' }, async () => [])
    await expect(add(record, 'anna')).rejects.toMatchObject(exceeded)
    await record.setPatientQuota('anna', undefined)
    expect(await record.patientQuota('anna')).toEqual({ used: 2, most: 2 })
  })

  it('is not asked of who acts for no account', async () => {
    for (let at = 0; at < 4; at++) await create(record, all, patient(`nobody’s ${at}`))
    expect(await record.allPatients()).toHaveLength(4)
  })
})
