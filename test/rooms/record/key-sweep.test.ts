import { FixedClock, silentLog } from '#kernel'
import { Registry } from '../../../src/record/registry/registry.ts'
import { KeySweep } from '../../../src/record/upkeep/key-sweep.ts'
import { create, everything, heartRate, openTestRecord, patient, update } from './family.ts'

const all = everything()
const named = (id: string) => ({ ...patient('Amsel'), id })
const minutes = (count: number) => count * 60_000

async function house() {
  const opened = await openTestRecord()
  const { store, keys, vault, record } = opened
  await update(record, all, named('greta'))
  const clock = new FixedClock(0)
  const { documents } = record
  const changes = { lastSeq: async () => 0, changedSince: async () => undefined }
  const registry = new Registry({ documents, vault, log: silentLog, repair: async () => undefined, changes })
  await registry.open()
  const sweep = new KeySweep({ store, vault, registry, clock, log: silentLog })
  const owners = async () => new Set((await keys.all()).map(({ owner }) => owner))
  return { ...opened, sweep, owners, clock }
}

describe('keys of somebody who never came to be', () => {
  it('are removed when they have been nobody’s for ten minutes, and no others are', async () => {
    const { record, vault, sweep, owners, clock } = await house()
    await update(record, all, named('emil'))
    await record.shred('emil')
    const before = await owners()
    const planned = await vault.planCompartment('patient')
    await planned.keep()
    expect(await sweep.run()).toBe(0)
    clock.advance(minutes(9))
    expect(await sweep.run()).toBe(0)
    expect((await owners()).has(planned.compartment)).toBe(true)
    clock.advance(minutes(1))
    expect(await sweep.run()).toBe(1)
    expect(await owners()).toEqual(before)
    await expect(vault.compartment(planned.compartment)).rejects.toMatchObject({ code: 'vault.key-destroyed' })
    await create(record, all, heartRate('greta', 60))
  })

  it('stay when they became somebody’s between two looks', async () => {
    const { record, sweep, owners, clock } = await house()
    expect(await sweep.run()).toBe(0)
    await update(record, all, named('ida'))
    const before = await owners()
    clock.advance(minutes(60))
    expect([await sweep.run(), await owners()]).toEqual([0, before])
  })

  it('stay when the database was put back to a time before them: the noted heads know of them', async () => {
    const { record, store, keys, sweep, owners, clock } = await house()
    await record.flush()
    const before = await owners()
    for (const [compartment] of await store.allHeads()) {
      if ((await keys.note(`head:${compartment}`)) === undefined) throw new Error('every head is noted by a flush')
      await store.dropCompartment(compartment)
    }
    const [greta] = (await store.documents('compartments', 0)).slice(-1)
    await store.commit({
      appends: [],
      documents: [{ op: 'delete', collection: 'compartments', key: greta?.key ?? '' }],
    })
    await sweep.run()
    clock.advance(minutes(60))
    expect([await sweep.run(), await owners()]).toEqual([0, before])
  })
})

describe('a write that is refused or loses its race', () => {
  it('leaves no keys: of two who take in the same person one makes them', async () => {
    const { record, beside, keys } = await house()
    const server = await beside()
    const before = (await keys.all()).length
    await Promise.all([record, server].map(each => update(each, all, named('otto'))))
    expect((await keys.all()).length - before).toBe(2)
  })

  it('leaves none when another entry of the same transaction is refused', async () => {
    const { record, keys } = await house()
    const before = (await keys.all()).length
    const refused = record.writer(all).transact(async txn => {
      await txn.create(patient('Neu'), { id: 'neu' })
      await txn.update('Patient', 'greta', named('greta'), { ifMatch: '7' })
    })
    await expect(refused).rejects.toMatchObject({ code: 'version.stale' })
    expect((await keys.all()).length).toBe(before)
  })
})
