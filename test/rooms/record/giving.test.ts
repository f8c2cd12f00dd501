/** A patient comes from one account to another in one commit, or not at all. */
import { create, everything, openTestRecord, patient } from './family.ts'

const all = everything()
const nothingMore = async () => []

async function twoAccounts() {
  const house = await openTestRecord()
  const [emil, greta] = await Promise.all(
    ['Emil', 'Greta'].map(async name => (await create(house.record, all, patient(name))).id),
  )
  if (emil === undefined || greta === undefined) throw new Error('nobody')
  for (const one of [emil, greta]) await house.record.addPatientTo('anna', one)
  const ownersOf = async (one: string) => {
    const as = await Promise.all(['anna', 'bert', 'cleo'].map(each => house.record.keepingOf(each, one)))
    return ['anna', 'bert', 'cleo'].filter((_, at) => as[at]?.role === 'owner')
  }
  return { ...house, emil, greta, ownersOf }
}

it('is of one account at every moment, also when two are given the same one in two processes', async () => {
  const { record, beside, emil, ownersOf } = await twoAccounts()
  const other = await beside()
  const given = await Promise.all([
    record.givePatient({ patient: emil, from: 'anna', to: 'bert', keeps: { role: 'member' } }, nothingMore),
    other.givePatient({ patient: emil, from: 'anna', to: 'cleo' }, nothingMore),
  ])
  expect(given.filter(each => each !== undefined)).toEqual([[emil]])
  expect(await ownersOf(emil)).toEqual([given[0] === undefined ? 'cleo' : 'bert'])
  await other.close()
})

it('is not given by who does not keep them in their own right, nor to who gives them', async () => {
  const { record, emil, ownersOf } = await twoAccounts()
  await record.addPatientTo('bert', emil, { role: 'guardian' })
  for (const [from, to] of [
    ['bert', 'cleo'],
    ['cleo', 'bert'],
    ['anna', 'anna'],
  ] as const)
    expect(await record.givePatient({ patient: emil, from, to }, nothingMore)).toBeUndefined()
  expect(await ownersOf(emil)).toEqual(['anna'])
})

it('is kept by another owner as before, and by who has both as before', async () => {
  const { record, emil, greta, ownersOf } = await twoAccounts()
  await record.addPatientTo('cleo', emil)
  await record.addPatientTo('bert', greta, { role: 'viewer', categories: ['activity'] })
  expect(await record.givePatient({ patient: emil, from: 'anna', to: 'bert' }, nothingMore)).toEqual([emil])
  expect(await ownersOf(emil)).toEqual(['bert', 'cleo'])
  expect(await record.keepingOf('bert', greta)).toEqual({ role: 'viewer', categories: ['activity'] })
  expect(await record.givePatient({ patient: emil, from: 'bert', to: 'cleo' }, nothingMore)).toEqual([emil])
  expect([await ownersOf(emil), await ownersOf(greta)]).toEqual([['cleo'], ['anna']])
})

it('comes with what is to be committed with it, or neither comes', async () => {
  const { record, emil, ownersOf } = await twoAccounts()
  const { documents } = record
  await documents.put('notes', 'a', 1)
  let asked = 0
  const given = await record.givePatient({ patient: emil, from: 'anna', to: 'bert' }, async () => {
    asked++
    const { revision = 0 } = (await documents.get('notes', 'a')) ?? {}
    // Somebody else is faster, the first time.
    if (asked === 1) await documents.put('notes', 'a', 2)
    return [documents.remove('notes', 'a', { ifRevision: revision }), documents.write('notes', 'b', asked)]
  })
  expect([given, asked, await documents.get('notes', 'a')]).toEqual([[emil], 2, undefined])
  expect((await documents.get<number>('notes', 'b'))?.value).toBe(2)
  const refused = record.givePatient({ patient: emil, from: 'bert', to: 'anna' }, async () => {
    throw new TypeError('taken')
  })
  await expect(refused).rejects.toThrow('taken')
  expect(await ownersOf(emil)).toEqual(['bert'])
})

it.each(['erased', 'merged'])('is not given once they are %s in another process', async what => {
  const { record, beside, emil, greta, ownersOf } = await twoAccounts()
  const other = await beside()
  const asked = record.givePatient({ patient: emil, from: 'anna', to: 'bert' }, async () => {
    if (what === 'erased') await other.shred(emil)
    else if (!(await other.isReplaced(emil))) await other.writer(all).transact(txn => txn.merged(emil, greta))
    return []
  })
  if (what === 'erased') await expect(asked).rejects.toMatchObject({ code: 'record.owner-unknown' })
  else expect(await asked).toBeUndefined()
  expect(await record.patientsOf('bert')).toEqual([])
  expect(await ownersOf(emil)).toEqual(what === 'erased' ? [] : ['anna'])
  await other.close()
})

it('leaves a condition that is not met any more unmet, and does not try it again', async () => {
  const { record } = await twoAccounts()
  const { documents } = record
  await documents.put('notes', 'a', 1)
  for (const revision of [0, 2]) {
    const drafts = [documents.check('notes', 'a', revision), documents.write('notes', 'b', revision)]
    expect(await documents.commit(drafts)).toBe(false)
  }
  expect(await documents.get('notes', 'b')).toBeUndefined()
  expect(await documents.commit([documents.check('notes', 'a', 1), documents.write('notes', 'b', 1)])).toBe(true)
})
