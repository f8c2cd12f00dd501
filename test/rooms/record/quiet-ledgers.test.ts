import { silentLog } from '#kernel'
import { extractRow, type IndexRow } from '#search'
import { openMemoryKeys, openMemoryStore } from '#store'
import { KeptSegments } from '../../../src/record/ledger/kept-segments.ts'
import { LedgerIndex } from '../../../src/record/ledger/ledger-index.ts'
import { encodePayload, firstLink } from '../../../src/record/ledger/payload.ts'
import { heartRate, openTestRecord } from './family.ts'

/** The index of a compartment to which entries are added one by one. */
async function openGrowing() {
  const { store, vault } = await openTestRecord(openMemoryStore(), openMemoryKeys())
  const keys = await vault.createCompartment('patient')
  const { compartment } = keys
  let durableHead = 0
  const kept = new KeptSegments(1e6)
  const holder = { compartment, kind: 'patient' as const }
  const rooms = { holder, keys, store, kept, log: silentLog, alive: () => true }
  const index = new LedgerIndex({ ...rooms, durableHead: () => durableHead })
  index.startBehind([])

  async function append(): Promise<IndexRow> {
    const seq = durableHead + 1
    const locator = seq.toString(16).padStart(32, '0')
    const resource = { ...heartRate('anna', 60), id: `o${seq}` }
    const said = {
      method: 'POST',
      deleted: false,
      movedAway: false,
      created: true,
      supersedes: 0,
      copies: [],
    } as const
    const json = Buffer.from(JSON.stringify(resource))
    const plain = encodePayload({ ...said, lastUpdatedMs: 1_000, chain: firstLink, json })
    const sealed = keys.sealEntry(plain, { locator, version: 1, seq })
    const entries = [{ compartment, seq, locator, version: 1, sealed }]
    await store.commit({ appends: [{ compartment, expectedHead: seq - 1, entries }] })
    return extractRow(resource, { seq, version: 1, lastUpdatedMs: 1_000, deleted: false })
  }

  return {
    index,
    grow: async (count: number) => {
      for (let added = 0; added < count; added++) {
        index.add(await append())
        durableHead += 1
      }
    },
    untils: async () => (await store.segments(compartment)).map(({ untilSeq }) => untilSeq),
  }
}

describe('a ledger to which nothing is added for a while', () => {
  it('is sealed at the second look, and not again while nothing comes', async () => {
    const { index, grow, untils } = await openGrowing()
    await grow(20)
    expect(index.settle()).toBeUndefined()
    expect(await untils()).toEqual([])
    await index.settle()
    expect(await untils()).toEqual([20])
    expect(index.settle()).toBeUndefined()
  })

  it('is not sealed while something is being added', async () => {
    const { index, grow, untils } = await openGrowing()
    for (let look = 0; look < 5; look++) {
      await grow(10)
      await index.settle()
    }
    expect(await untils()).toEqual([])
  })

  it('is left as it is for a few rows more', async () => {
    const { index, grow, untils } = await openGrowing()
    await grow(20)
    await index.settle()
    await index.settle()
    await grow(9)
    await index.settle()
    await index.settle()
    expect(await untils()).toEqual([20])
    await grow(1)
    await index.settle()
    await index.settle()
    expect(await untils()).toEqual([30])
  })

  it('keeps no rows in memory after long, and makes them anew from the entries when it goes on', async () => {
    const { index, grow, untils } = await openGrowing()
    await grow(20)
    for (let look = 0; look < 20; look++) await index.settle()
    expect(index.sizeBytes).toBe(0)
    await grow(15)
    for (let look = 0; look < 2; look++) await index.settle()
    expect(await untils()).toEqual([35])
    expect((await index.open()).head).toBe(35)
  })

  it('is cut where it would have been cut, had it never been quiet', async () => {
    const { index, grow, untils } = await openGrowing()
    await grow(3000)
    for (let look = 0; look < 20; look++) await index.settle()
    await grow(1200)
    index.sealSoon()
    await index.seal()
    expect(await untils()).toEqual([4096, 4200])
    expect((await index.open()).head).toBe(4200)
  })
})
