/** Somebody is erased by another process, whose keys this one has not at hand: it finds the key destroyed before it has heard of it. */
import { Problem, silentLog } from '#kernel'
import { openRecord, type Record } from '#record'
import { openMemoryKeys, openMemoryStore } from '#store'
import { openVault } from '#vault'
import { Dice } from '../../journeys/non-interference/dice.ts'
import {
  baseUrl,
  create,
  everything,
  grantOf,
  heartRate,
  ids,
  ofPatient,
  openTestRecord,
  patient,
  remove,
  testRoot,
  update,
} from './family.ts'
import { outcome } from './ledgers-model/world.ts'
import { storeWith } from './store-with.ts'

const all = everything()
const unknown = { code: 'record.unknown' }

/** Two processes, of which the second keeps no key at hand. `rows` says whether the first can remove what the keys have sealed. */
async function openTwo(rows: 'removed' | 'left', searchedApart?: number) {
  const [store, keys] = [openMemoryStore(), openMemoryKeys()]
  const busy = async () => {
    throw new Problem('busy', 'store.busy', 'Somebody else writes.')
  }
  const first = await openTestRecord(rows === 'left' ? storeWith(store, { dropCompartment: busy }) : store, keys)
  const { record, clock } = first
  const [anna, berta] = [
    (await create(record, all, patient('Amsel'))).id,
    (await create(record, all, patient('Drossel'))).id,
  ]
  const hers = await create(record, all, heartRate(anna, 60))
  await create(record, all, heartRate(berta, 70))
  const vault = await openVault({ keys, root: testRoot, clock, keyBytes: 1 })
  const apart = searchedApart === undefined ? {} : { searchedApart }
  const beside = await openRecord({ store, vault, clock, log: silentLog, baseUrl, openLedgers: 1, ...apart })
  await ids(beside, all, 'Observation', 'code=8867-4')
  // Only the key that was used last is at hand: berta's.
  await beside.reader(all).read('Patient', berta)
  const close = () => Promise.all([beside.close(), record.close()])
  return { record, beside, anna, berta, hers: hers.id, close }
}

describe.each(['removed', 'left'] as const)('who was erased by another process, and whose rows are %s', rows => {
  const ways: Readonly<{ [what: string]: (beside: Record, anna: string, hers: string) => Promise<unknown> }> = {
    'is owned nothing that is created': (beside, anna) => create(beside, all, heartRate(anna, 61)),
    'is owned nothing that is updated': (beside, anna, hers) =>
      update(beside, all, { ...heartRate(anna, 61), id: hers }),
    'is owned nothing under the terms of an account': (beside, anna) =>
      create(beside, grantOf('user/*.cruds', { account: 'family', patients: [anna] }), heartRate(anna, 61)),
  }
  // An id is in use as long as there are rows under it.
  const codes = rows === 'left' ? ['record.owner-unknown', 'record.id-taken'] : ['record.owner-unknown']
  it.each(Object.keys(ways))('%s: record.owner-unknown', async what => {
    const { record, beside, anna, hers, close } = await openTwo(rows)
    await record.shred(anna)
    expect(codes).toContain(await outcome(async () => ways[what]?.(beside, anna, hers)))
    await close()
  })

  const reads: Readonly<{ [what: string]: (beside: Record, anna: string, hers: string) => Promise<unknown> }> = {
    read: (beside, _anna, hers) => beside.reader(all).read('Observation', hers),
    'read under her own terms': (beside, anna, hers) => beside.reader(ofPatient(anna)).read('Observation', hers),
    'asked for a version': (beside, _anna, hers) => beside.reader(all).vread('Observation', hers, '1'),
    'asked for its history': (beside, _anna, hers) =>
      beside.reader(all).history({ type: 'Observation', id: hers, count: 5 }),
  }
  it.each(Object.keys(reads))('leaves nothing that can be %s: record.unknown', async what => {
    const { record, beside, anna, hers, close } = await openTwo(rows)
    await record.shred(anna)
    await expect(reads[what]?.(beside, anna, hers)).rejects.toMatchObject(unknown)
    await close()
  })

  it('leaves nothing that can be deleted', async () => {
    const { record, beside, anna, hers, close } = await openTwo(rows)
    await record.shred(anna)
    expect(await remove(beside, all, 'Observation', hers)).toBeUndefined()
    await close()
  })

  it.each([
    ['by an index of all', 0],
    ['by an index of each', 100],
  ])('is not found, and others are, %s', async (_how, apart) => {
    const { record, beside, anna, berta, close } = await openTwo(rows, apart)
    await record.shred(anna)
    expect(await ids(beside, all, 'Observation', 'code=8867-4')).toHaveLength(1)
    expect(await ids(beside, all, 'Patient', '')).toEqual([berta])
    const { items } = await beside.reader(all).history({ type: 'Observation', count: 50 })
    expect(items).toHaveLength(1)
    await close()
  })
})

describe('while somebody is being erased', () => {
  it.each([0, 100])('whoever asks everybody is answered, at whatever moment (searched apart: %i)', async apart => {
    const dice = new Dice(7)
    for (let time = 0; time < 6; time++) {
      const { record, beside, anna, close } = await openTwo('removed', apart)
      const erasing = record.shred(anna)
      for (let ask = 0; ask < 6; ask++) {
        for (let turn = dice.below(4); turn > 0; turn--) await new Promise(resolve => setImmediate(resolve))
        const asked = [beside, record].map(each => ids(each, all, 'Observation', 'code=8867-4'))
        for (const found of await Promise.all(asked)) expect([1, 2]).toContain(found.length)
      }
      await erasing
      await close()
    }
  })
})
