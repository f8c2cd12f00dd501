import { zstdCompressSync } from 'node:zlib'
import type { Resource } from '#fhir'
import type { Record } from '#record'
import { openMemoryKeys, openMemoryStore, type Store } from '#store'
import { turnsWhile } from '../../turns.ts'
import { create, everything, heartRate, ids, openTestRecord, patient, queryOf } from './family.ts'

const all = everything()
const segment = 4096

async function importInto(record: Record, who: string, count: number): Promise<void> {
  for (let from = 0; from < count; from += 1000)
    await record.writer(all).transact(async txn => {
      for (let at = from; at < Math.min(count, from + 1000); at++) await txn.create(heartRate(who, at % 200))
    })
}

async function countOf(record: Record): Promise<number | undefined> {
  return (await record.reader(all).search(queryOf(all, 'Observation', '_summary=count'))).total
}

/** When all that fills segments is in segments: they are made behind the writing, in steps. */
async function sealed(store: Store, compartment: string): Promise<void> {
  const head = (await store.heads([compartment])).get(compartment) ?? 0
  const full = head - (head % segment)
  while (((await store.segments(compartment)).at(-1)?.untilSeq ?? 0) < full)
    await new Promise(done => setTimeout(done, 5))
}

describe('a ledger that is open in one process while another seals or drops its segments', () => {
  let store: Store
  let server: Record
  let beside: Record
  let who: string
  beforeEach(async () => {
    store = openMemoryStore()
    const opened = await openTestRecord(store, openMemoryKeys())
    server = opened.record
    who = (await create(server, all, patient('Amsel'))).id
    beside = await opened.again()
  })
  afterEach(async () => {
    await beside.close()
    await server.close()
  })

  it('is searched wholly when what is in its tail has been sealed elsewhere', async () => {
    await importInto(beside, who, 2 * segment + 500)
    expect(await countOf(server)).toBe(2 * segment + 500)
  })

  it('is read on without keeping everybody else waiting', async () => {
    expect(await countOf(server)).toBe(0)
    await importInto(beside, who, segment)
    const { result: found, turns } = await turnsWhile(() => Promise.all([countOf(server), countOf(server)]))
    expect(found).toEqual([segment, segment])
    expect(turns).toBeGreaterThanOrEqual(segment / 1024)
  })

  it('is not read entry by entry where segments are: searched before or not', async () => {
    const { entriesFrom } = store
    let batches = 0
    await importInto(beside, who, 100)
    const [largest] = [...(await store.allHeads())].sort(([, a], [, b]) => b - a)
    for (const searched of [false, true]) {
      if (searched) await countOf(server)
      const before = (await countOf(beside)) ?? 0
      await importInto(beside, who, 3 * segment)
      await sealed(store, largest?.[0] ?? '')
      store.entriesFrom = (...of) => {
        if (of[0] === largest?.[0]) batches += 1
        return entriesFrom.apply(store, of)
      }
      expect(await countOf(server)).toBe(before + 3 * segment)
      store.entriesFrom = entriesFrom
      await create(server, all, heartRate(who, 61))
      expect([await countOf(server), await countOf(beside)]).toEqual(Array(2).fill(before + 3 * segment + 1))
    }
    expect(batches).toBe(2)
  })

  it('is searched wholly while both write', async () => {
    await countOf(server)
    await Promise.all([importInto(server, who, 3000), importInto(beside, who, 3000), countOf(server)])
    expect([await countOf(server), await countOf(beside)]).toEqual([6000, 6000])
  })

  it('is searched wholly when it knew a part of that tail already', async () => {
    await importInto(server, who, 3000)
    await importInto(beside, who, segment)
    expect([await countOf(server), await countOf(beside)]).toEqual([3000 + segment, 3000 + segment])
    await importInto(server, who, segment)
    expect([await countOf(server), await countOf(beside)]).toEqual([3000 + 2 * segment, 3000 + 2 * segment])
  })

  it('is searched wholly when its segments were dropped and nobody has made them anew', async () => {
    await importInto(server, who, segment + 500)
    await server.flush()
    const compartments = [...(await store.allHeads()).keys()]
    for (const compartment of compartments) await store.dropSegments(compartment)
    expect(await countOf(server)).toBe(segment + 500)
    expect(await countOf(beside)).toBe(segment + 500)
  })

  it('is searched while it is indexed anew elsewhere', async () => {
    await importInto(server, who, segment + 500)
    const [, ...counts] = await Promise.all([beside.reindex(), countOf(server), countOf(server)])
    expect(counts).toEqual([segment + 500, segment + 500])
  })
})

describe('segments of an earlier release', () => {
  const prescription = (who: string, code: string): Resource => ({
    resourceType: 'MedicationRequest',
    status: 'active',
    intent: 'order',
    subject: { reference: `Patient/${who}` },
    contained: [{ resourceType: 'Medication', id: 'm', code: { coding: [{ code }] } }],
    medicationReference: { reference: '#m' },
  })

  it('are made anew when they are met, so that nothing is missed', async () => {
    const { record, store, vault, again } = await openTestRecord()
    const { id: who } = await create(record, all, patient('Amsel'))
    await create(record, all, prescription(who, 'early'))
    await importInto(record, who, 2 * segment)
    await create(record, all, prescription(who, 'late'))
    await record.close()
    let replaced = 0
    for (const compartment of (await store.allHeads()).keys())
      for (const { fromSeq, untilSeq } of await store.segments(compartment)) {
        const at = { fromSeq, untilSeq }
        const sealed = (await vault.compartment(compartment)).sealSegment(zstdCompressSync(Uint8Array.of(1)), at)
        await store.putSegment({ compartment, ...at, sealed })
        replaced++
      }
    expect(replaced).toBeGreaterThan(1)
    const reopened = await again()
    for (const code of ['early', 'late'])
      expect(await ids(reopened, all, 'MedicationRequest', `medication.code=${code}`)).toHaveLength(1)
    expect(await countOf(reopened)).toBe(2 * segment)
    await reopened.close()
    const third = await again()
    expect(await countOf(third)).toBe(2 * segment)
    for await (const finding of third.verify()) throw new Error(finding.text)
    await third.close()
  })
})

describe('an audit that can never be written', () => {
  it('is given up: closing does not wait for ever', async () => {
    const store = openMemoryStore()
    const { record } = await openTestRecord(store, openMemoryKeys())
    const { id } = await create(record, all, patient('Amsel'))
    await record.reader(all).read('Patient', id)
    store.commit = async ({ appends }) => ({
      ok: false,
      heads: appends.map(({ compartment }) => compartment),
      locators: [],
      documents: [],
    })
    await record.close()
  })
})
