import { type Entry, openMemoryKeys, openMemoryStore, type Sealed } from '#store'
import { type Located, OpenedVersions } from '../../../src/record/ledger/opened-versions.ts'
import { create, everything, heartRate, openTestRecord, patient } from './family.ts'

const mostBytes = 32 * 1024 * 1024

const entry: Entry = {
  compartment: 'a'.repeat(32),
  seq: 7,
  locator: 'b'.repeat(32),
  version: 2,
  sealed: Buffer.from('sealed bytes') as Uint8Array as Sealed,
}

function counting() {
  const opened: Entry[] = []
  const open = (of: Entry): Located => {
    opened.push(of)
    return { json: Buffer.alloc(100) } as Partial<Located> as Located
  }
  return { opened, open }
}

/** A version that is kept: it was asked for twice. */
function keeping() {
  const versions = new OpenedVersions(mostBytes)
  versions.open(entry, counting().open)
  const kept = versions.open(entry, counting().open)
  return { versions, kept, ...counting() }
}

describe('versions that were opened lately', () => {
  it('are not opened again while they are asked for', () => {
    const { versions, kept, opened, open } = keeping()
    for (let round = 0; round < 5; round++) {
      expect(versions.open({ ...entry, sealed: Buffer.from(entry.sealed) as Uint8Array as Sealed }, open)).toBe(kept)
      versions.age()
    }
    expect(opened).toHaveLength(0)
  })

  it('are kept from the second asking on, with bytes of their own', () => {
    const versions = new OpenedVersions(mostBytes)
    const { opened, open } = counting()
    const json = Buffer.from('shared').subarray(1, 4)
    const shared = (of: Entry): Located => ({ ...open(of), json })
    expect(versions.open(entry, shared).json).toBe(json)
    const { json: kept } = versions.open(entry, shared)
    expect([kept.toString(), kept.buffer.byteLength]).toEqual(['har', 3])
    expect(versions.open(entry, shared).json).toBe(kept)
    expect(opened).toHaveLength(2)
  })

  it('are not kept when very many others were asked for between two askings', () => {
    const versions = new OpenedVersions(mostBytes)
    const { opened, open } = counting()
    const entries = Array.from({ length: 20_000 }, (_, at) => ({
      ...entry,
      locator: at.toString(16).padStart(7, '0').padEnd(32, '0'),
    }))
    for (let round = 0; round < 3; round++) for (const each of entries) versions.open(each, open)
    expect(opened).toHaveLength(60_000)
  })

  it.each<[string, Partial<Entry>]>([
    ['other bytes', { sealed: Buffer.from('sealed bytez') as Uint8Array as Sealed }],
    ['another version', { version: 3 }],
    ['another place', { seq: 8 }],
    ['another compartment', { compartment: 'c'.repeat(32) }],
  ])('are opened anew when the store has %s under their name', (_what, change) => {
    const { versions, opened, open } = keeping()
    versions.open({ ...entry, ...change }, open)
    expect(opened).toHaveLength(1)
  })

  it('are forgotten when nobody asked for them between two agings, and all at once when told so', () => {
    for (const forget of [(of: OpenedVersions) => [of.age(), of.age()], (of: OpenedVersions) => of.clear()]) {
      const { versions, opened, open } = keeping()
      versions.open(entry, open)
      forget(versions)
      versions.open(entry, open)
      expect(opened).toHaveLength(1)
    }
  })

  it.each([mostBytes, mostBytes / 64])('take no more room than they are given: %i bytes', given => {
    const versions = new OpenedVersions(given)
    const { opened, open } = counting()
    const large = (of: Entry): Located => ({ ...open(of), json: Buffer.alloc(given / 8) })
    const entries = Array.from({ length: 12 }, (_, at) => ({ ...entry, locator: String(at).padEnd(32, '0') }))
    for (const each of entries) for (let asked = 0; asked < 2; asked++) versions.open(each, large)
    versions.open(entries[0] ?? entry, large)
    expect(opened).toHaveLength(25)
  })
})

describe('a version that is kept open', () => {
  it('is not served any more when its row was changed, or its patient shredded', async () => {
    const all = everything()
    const store = openMemoryStore()
    const { record } = await openTestRecord(store, openMemoryKeys())
    const who = (await create(record, all, patient('Amsel'))).id
    const { id } = await create(record, all, heartRate(who, 60))
    const read = () => record.reader(all).read('Observation', id)
    for (let asked = 0; asked < 3; asked++) expect((await read()).version).toBe(1)
    const newest = store.newest.bind(store)
    store.newest = async (...of) => {
      const found = await newest(...of)
      if (found === undefined) return undefined
      const sealed = Buffer.from(found.sealed)
      sealed[sealed.length - 1] = (sealed[sealed.length - 1] ?? 0) ^ 1
      return { ...found, sealed: sealed as Uint8Array as Sealed }
    }
    await expect(read()).rejects.toMatchObject({ code: 'vault.seal-broken' })
    store.newest = newest
    expect((await read()).version).toBe(1)
    await record.shred(who)
    await expect(read()).rejects.toMatchObject({ code: 'record.unknown' })
    await record.close()
  })
})
