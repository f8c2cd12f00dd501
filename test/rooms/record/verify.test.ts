import type { Finding, Record } from '#record'
import { type Entry, openMemoryKeys, openMemoryStore, type Store } from '#store'
import { byHand } from '../vault/by-hand.ts'
import { create, everything, heartRate, ids, openTestRecord, patient, remove } from './family.ts'

const all = everything()

async function findings(record: Record): Promise<Finding['kind'][]> {
  const found: Finding['kind'][] = []
  for await (const { kind } of record.verify()) found.push(kind)
  return found
}

/** A store that answers with other entries than it holds, as an attacker with write access would make it. */
function tampered(store: Store, change: (entry: Entry) => Entry | undefined): Store {
  const changed = (entries: readonly Entry[]) => entries.map(change).filter(entry => entry !== undefined)
  return {
    ...bound(store),
    entriesFrom: async (compartment, from, limit) => changed(await store.entriesFrom(compartment, from, limit)),
    newest: async (locator, compartments) => {
      const entry = await store.newest(locator, compartments)
      return entry === undefined ? undefined : change(entry)
    },
  }
}

function bound(store: Store): Store {
  return new Proxy(store, {
    get: (target, name) => {
      const member = Reflect.get(target, name)
      return typeof member === 'function' ? member.bind(target) : member
    },
    ownKeys: target => [...new Set([...Reflect.ownKeys(target), ...Reflect.ownKeys(Object.getPrototypeOf(target))])],
    getOwnPropertyDescriptor: (target, name) => ({
      configurable: true,
      enumerable: true,
      value: Reflect.get(target, name).bind?.(target),
    }),
  })
}

async function twoPatients() {
  const store = openMemoryStore()
  const keys = openMemoryKeys()
  const { record } = await openTestRecord(store, keys)
  const amsel = await create(record, all, patient('Amsel'))
  const drossel = await create(record, all, patient('Drossel'))
  const rates = []
  for (const value of [60, 61, 62]) rates.push(await create(record, all, heartRate(amsel.id, value)))
  const other = await create(record, all, heartRate(drossel.id, 140))
  await record.flush()
  return { store, keys, record, amsel, drossel, rates, other }
}

describe('verify', () => {
  it('finds nothing in a sound record', async () => {
    const { record } = await twoPatients()
    expect(await findings(record)).toEqual([])
  })

  it('names an entry of which a byte was changed, and its plaintext is never given out', async () => {
    const { store, keys, amsel, rates } = await twoPatients()
    const { compartment } = amsel.holder
    const flip = (entry: Entry): Entry => {
      if (entry.compartment !== compartment || entry.seq !== 2) return entry
      const sealed = Buffer.from(entry.sealed)
      sealed[40] = (sealed[40] ?? 0) ^ 1
      return { ...entry, sealed: sealed as Uint8Array as Entry['sealed'] }
    }
    const { record } = await openTestRecord(store, keys)
    const damaged = await openTestRecord(tampered(store, flip), keys)
    expect(await findings(damaged.record)).toContain('entry-broken')
    await expect(damaged.record.reader(all).read('Observation', rates[0]?.id ?? '')).rejects.toMatchObject({
      code: 'vault.seal-broken',
    })
    expect(await findings(record)).toEqual([])
  })

  it('names entries that were swapped between two patients', async () => {
    const { store, keys, amsel, drossel } = await twoPatients()
    const foreign = (await store.entriesAt(drossel.holder.compartment, [2]))[0]
    const swap = (entry: Entry): Entry =>
      entry.compartment === amsel.holder.compartment && entry.seq === 2 && foreign !== undefined
        ? { ...entry, sealed: foreign.sealed }
        : entry
    const { record } = await openTestRecord(tampered(store, swap), keys)
    expect(await findings(record)).toContain('entry-broken')
  })

  it('names an entry that is missing', async () => {
    const { store, keys, amsel } = await twoPatients()
    const drop = (entry: Entry) =>
      entry.compartment === amsel.holder.compartment && entry.seq === 3 ? undefined : entry
    const { record } = await openTestRecord(tampered(store, drop), keys)
    expect(await findings(record)).toContain('entry-missing')
  })

  it('names a ledger that was rolled back: its head was noted beside the keys', async () => {
    const { store, keys, amsel } = await twoPatients()
    const cut: Store = {
      ...bound(store),
      entriesFrom: async (compartment, from, limit) =>
        (await store.entriesFrom(compartment, from, limit)).filter(
          entry => entry.compartment !== amsel.holder.compartment || entry.seq < 4,
        ),
      heads: async compartments => {
        const heads = new Map(await store.heads(compartments))
        if (heads.has(amsel.holder.compartment)) heads.set(amsel.holder.compartment, 3)
        return heads
      },
      allHeads: async () => new Map(await store.allHeads()).set(amsel.holder.compartment, 3),
    }
    const { record } = await openTestRecord(cut, keys)
    expect(await findings(record)).toContain('rolled-back')
  })

  it('names a compartment whose key is gone, and one that somebody else has put a tombstone on', async () => {
    const { record, store, keys, drossel } = await twoPatients()
    await byHand.dropKeys(keys, drossel.holder.compartment)
    expect(await findings((await openTestRecord(store, keys)).record)).toContain('key-missing')
    await byHand.bury(keys, drossel.holder.compartment)
    expect(await findings(record)).toContain('keystore-forged')
  })
})

describe('reindex and shred', () => {
  it('a rebuilt index answers as before', async () => {
    const { record } = await twoPatients()
    const before = await ids(record, all, 'Observation', 'code=8867-4')
    expect(await record.reindex()).toBeGreaterThan(5)
    expect(await ids(record, all, 'Observation', 'code=8867-4')).toEqual(before)
  })

  it('what a destroyed key sealed is gone for everybody, and the others are untouched', async () => {
    const { record, store, amsel, drossel, other } = await twoPatients()
    await record.shred(drossel.id)
    await expect(record.reader(all).read('Observation', other.id)).rejects.toMatchObject({ code: 'record.unknown' })
    expect((await store.heads([drossel.holder.compartment])).get(drossel.holder.compartment) ?? 0).toBe(0)
    expect((await ids(record, all, 'Observation', '')).length).toBe(3)
    expect(await record.allPatients()).toEqual([amsel.id])
    expect(await remove(record, all, 'Observation', other.id)).toBeUndefined()
    expect(await findings(record)).toEqual([])
  })
})
