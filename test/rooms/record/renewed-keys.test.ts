import type { Record } from '#record'
import { type KeyStore, openMemoryKeys, openMemoryStore, type Store } from '#store'
import { rotateInstance } from '#vault'
import { create, everything, heartRate, ids, openTestRecord, patient, testRoot, update } from './family.ts'

const all = everything()

async function findings(record: Record): Promise<string[]> {
  const found: string[] = []
  for await (const { kind, text } of record.verify()) found.push(`${kind}: ${text}`)
  return found
}

async function twoPatients() {
  const [store, keys] = [openMemoryStore(), openMemoryKeys()]
  const { record, vault } = await openTestRecord(store, keys)
  const [amsel, drossel] = [await create(record, all, patient('Amsel')), await create(record, all, patient('Drossel'))]
  for (const value of [60, 61, 62]) await create(record, all, heartRate(amsel.id, value))
  await create(record, all, heartRate(drossel.id, 140))
  const changed = await create(record, all, heartRate(amsel.id, 63))
  await update(record, all, { ...heartRate(amsel.id, 64), id: changed.id })
  await record.close()
  return { store, keys, vault, amsel: amsel.id, drossel: drossel.id }
}

/** All sealed entries, as a backup of the data holds them. */
async function entriesOf(store: Store) {
  const all = []
  for (const [compartment, head] of await store.allHeads())
    all.push([compartment, await store.entriesFrom(compartment, 1, head)] as const)
  return all
}

async function contentOf(record: Record, patients: readonly string[]): Promise<string[]> {
  const said: string[] = []
  for (const id of patients)
    for (const observation of await ids(record, all, 'Observation', `patient=${id}`)) {
      const { items } = await record.reader(all).history({ type: 'Observation', id: observation, count: 9 })
      said.push(...items.map(({ json, version }) => `${version} ${json}`))
    }
  return said.toSorted()
}

/** The same store or keystore, that fails at the nth of its writes. */
function failingAt<T extends Store | KeyStore>(whole: T, writes: ReadonlySet<string>, count: { left: number }): T {
  return new Proxy(whole, {
    get: (target, name: string) => {
      const member = Reflect.get(target, name) as (...args: unknown[]) => unknown
      if (!writes.has(name)) return typeof member === 'function' ? member.bind(target) : member
      return (...args: unknown[]) =>
        count.left-- > 0 ? member.apply(target, args) : Promise.reject(new RangeError('the power is off'))
    },
  })
}

const storeWrites = new Set(['commit', 'reseal', 'putSegment'])
const keyWrites = new Set(['change'])

async function untilDone(
  { store, keys }: { store: Store; keys: KeyStore },
  act: (rooms: { store: Store; keys: KeyStore }) => Promise<unknown>,
): Promise<number> {
  for (let writes = 0; ; writes++) {
    const count = { left: writes }
    try {
      await act({ store: failingAt(store, storeWrites, count), keys: failingAt(keys, keyWrites, count) })
      return writes
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
    }
    const { record } = await openTestRecord(store, keys)
    expect([writes, await findings(record)]).toEqual([writes, []])
    await record.close()
  }
}

describe('a patient’s key that is renewed', () => {
  it('seals everything anew, keeps the chain and the noted head, and is then the only one', async () => {
    const { store, keys, vault, amsel, drossel } = await twoPatients()
    const { record, ...house } = await openTestRecord(store, keys)
    const before = await contentOf(record, [amsel, drossel])
    const holders = (await vault.compartments()).map(({ id }) => id)
    expect(await record.renewKeys(amsel)).toBeGreaterThan(5)
    expect(await contentOf(record, [amsel, drossel])).toEqual(before)
    expect(await findings(record)).toEqual([])
    const versions = await Promise.all(holders.map(async id => (await keys.of(id)).map(({ version }) => version)))
    expect(versions.filter(([version]) => version === 2)).toHaveLength(2)
    expect(versions.every(({ length }) => length === 1)).toBe(true)
    // What follows names the link of what was sealed anew.
    await create(record, all, heartRate(amsel, 65))
    await record.close()
    const again = await house.again()
    expect(await findings(again)).toEqual([])
    expect(await ids(again, all, 'Observation', `patient=${amsel}`)).toHaveLength(5)
  })

  it.each([
    ['of the one', 'entry-broken: vault.data-older'],
    ['of all', 'vault.data-older'],
  ])('says of a backup from before that it is older than the keystore: %s', async (whose, told) => {
    const { store, keys, amsel } = await twoPatients()
    const backup = await entriesOf(store)
    const { record } = await openTestRecord(store, keys)
    await record.renewKeys(whose === 'of all' ? undefined : amsel)
    await record.close()
    for (const [compartment, entries] of backup) await store.reseal(compartment, entries)
    const said = await openTestRecord(store, keys).then(
      ({ record: again }) => findings(again),
      error => [String(error.code)],
    )
    expect(said).toContainEqual(expect.stringContaining(told))
    expect(said).not.toContainEqual(expect.stringContaining('cannot be opened'))
  })

  it('does not cover up what is damaged', async () => {
    const { store, keys, amsel } = await twoPatients()
    const { record, vault } = await openTestRecord(store, keys)
    const heads = await store.allHeads()
    const patients = new Set((await vault.compartments()).filter(({ kind }) => kind === 'patient').map(({ id }) => id))
    const [compartment] = [...heads].find(([of, head]) => patients.has(of) && head >= 4) ?? ['']
    const [entry] = await store.entriesAt(compartment, [2])
    if (entry === undefined) throw new Error('there is no such entry')
    const sealed = entry.sealed.map((byte, at) => (at === 40 ? byte ^ 1 : byte)) as typeof entry.sealed
    await store.reseal(compartment, [{ seq: 2, sealed }])
    await expect(record.renewKeys(amsel)).rejects.toMatchObject({ code: 'vault.seal-broken' })
    expect((await findings(record)).join()).toContain('entry-broken')
  })

  it('is renewed to the end when it was cut off, at whatever write', async () => {
    const house = await twoPatients()
    const { record } = await openTestRecord(house.store, house.keys)
    const before = await contentOf(record, [house.amsel, house.drossel])
    await record.close()
    const writes = await untilDone(house, async ({ store, keys }) => {
      const { record: cutOff } = await openTestRecord(store, keys)
      await cutOff.renewKeys(house.amsel)
    })
    expect(writes).toBeGreaterThan(4)
    const { record: after } = await openTestRecord(house.store, house.keys)
    expect(await contentOf(after, [house.amsel, house.drossel])).toEqual(before)
    expect(await findings(after)).toEqual([])
    for (const { owner, version } of await house.keys.all())
      if (version > 1) expect((await house.keys.of(owner)).length).toBe(1)
  })
})

describe('an instance key with a new epoch', () => {
  it('holds every key and document, and is made to the end when it was cut off, at whatever write', async () => {
    const house = await twoPatients()
    const { record } = await openTestRecord(house.store, house.keys)
    const before = await contentOf(record, [house.amsel, house.drossel])
    await record.close()
    const writes = await untilDone(house, async rooms => {
      const { record: cutOff } = await openTestRecord(rooms.store, rooms.keys)
      await rotateInstance({ ...rooms, root: testRoot, replaceDocument: (was, is) => cutOff.replaceDocument(was, is) })
    })
    expect(writes).toBeGreaterThan(8)
    const owned = (await house.keys.all()).filter(({ owner }) => owner !== 'instance')
    expect(new Set(owned.map(({ params }) => params.epoch))).toEqual(new Set([2]))
    expect((await house.keys.of('instance')).map(({ version }) => version)).toEqual([1, 2])
    for (const collection of await house.store.collections())
      for (const { sealed } of await house.store.documents(collection, 0)) expect(sealed[1]).toBe(2)
    const { record: after } = await openTestRecord(house.store, house.keys)
    expect(await contentOf(after, [house.amsel, house.drossel])).toEqual(before)
    expect(await findings(after)).toEqual([])
    const replaceDocument: Record['replaceDocument'] = (was, is) => after.replaceDocument(was, is)
    const again = await rotateInstance({ ...house, root: testRoot, replaceDocument })
    expect(again.epoch).toBe(3)
  })
})
