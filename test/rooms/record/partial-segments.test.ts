import fc from 'fast-check'
import type { Resource } from '#fhir'
import { openMemoryKeys, openMemoryStore, type Segment, type Store } from '#store'
import type { Record } from '../../../src/record/index.ts'
import { create, everything, heartRate, ofPatient, openTestRecord, patient, queryOf } from './family.ts'

const all = everything()

async function write(record: Record, who: string, count: number, of = heartRate): Promise<void> {
  await record.writer(all).transact(async txn => {
    for (let at = 0; at < count; at++) await txn.create(of(who, at % 200))
  })
}

async function countOf(record: Record, who: string, type = 'Observation'): Promise<number | undefined> {
  const grant = ofPatient(who)
  return (await record.reader(grant).search(queryOf(grant, type, '_summary=count'))).total
}

/** So many values that some fifty of them fill a segment. */
const longList = (who: string): Resource => ({
  resourceType: 'List',
  status: 'current',
  mode: 'working',
  subject: { reference: `Patient/${who}` },
  entry: Array.from({ length: 1_300 }, (_, at) => ({ item: { reference: `Observation/o-${at}` } })),
})

/** What a store is asked for and given while a piece of work goes on. */
async function watched(
  store: Store,
  work: () => Promise<unknown>,
): Promise<{ entries: number; kept: readonly Segment[] }> {
  const { entriesFrom, putSegment } = store
  let entries = 0
  const kept: Segment[] = []
  store.entriesFrom = async (...asked) => {
    const found = await entriesFrom.apply(store, asked)
    entries += found.length
    return found
  }
  store.putSegment = segment => {
    kept.push(segment)
    return putSegment.call(store, segment)
  }
  await work()
  store.entriesFrom = entriesFrom
  store.putSegment = putSegment
  return { entries, kept }
}

describe('a record with few entries', () => {
  it('is sealed when the house is closed, and opened without a look at each entry', async () => {
    const { record, store, again } = await openTestRecord()
    const { id: who } = await create(record, all, patient('Amsel'))
    await write(record, who, 20)
    await record.close()
    const reopened = await again()
    const { entries } = await watched(store, async () => {
      expect(await countOf(reopened, who)).toBe(20)
      expect((await reopened.reader(ofPatient(who)).search(queryOf(all, 'Patient', 'family=Amsel'))).total).toBe(1)
    })
    expect(entries).toBeLessThan(5)
    await reopened.close()
  })

  it('is written on without a look at what no segment holds, which whoever searches finds', async () => {
    const { record, store, beside } = await openTestRecord()
    const { id: who } = await create(record, all, patient('Amsel'))
    await write(record, who, 30)
    const other = await beside()
    const { entries } = await watched(store, async () => {
      await other.reader(ofPatient(who)).read('Patient', who)
      await write(other, who, 3)
    })
    expect(entries).toBeLessThan(5)
    expect(await countOf(other, who)).toBe(33)
    expect(await countOf(record, who)).toBe(33)
    await other.close()
    expect((await watched(store, () => record.close())).kept.every(({ fromSeq }) => fromSeq === 1)).toBe(true)
  })

  it('is written on, and searched wholly, whatever of it was sealed', async () => {
    const { record, store, again } = await openTestRecord()
    const { id: who } = await create(record, all, patient('Amsel'))
    let current = record
    let count = 0
    for (const more of [1, 3, 9, 2, 30, 4]) {
      await write(current, who, more)
      count += more
      await current.close()
      current = await again()
      expect(await countOf(current, who)).toBe(count)
    }
    for (const compartment of (await store.allHeads()).keys())
      expect((await store.segments(compartment)).length).toBeLessThanOrEqual(1)
    for await (const finding of current.verify()) throw new Error(finding.text)
    await current.close()
  })

  it('is not sealed again when too little was added for that to pay', async () => {
    const { record, store, again } = await openTestRecord()
    const { id: who } = await create(record, all, patient('Amsel'))
    await write(record, who, 40)
    await record.close()
    const reopened = await again()
    await write(reopened, who, 3)
    const { kept } = await watched(store, () => reopened.close())
    const untilSeqs = kept.map(({ untilSeq }) => untilSeq)
    expect(untilSeqs).not.toContain(44)
  })

  it('costs a small multiple of its rows, however often it is sealed', async () => {
    const { record, store, again } = await openTestRecord()
    const { id: who } = await create(record, all, patient('Amsel'))
    const pair = new Set((await store.allHeads()).keys())
    let current = record
    const { kept } = await watched(store, async () => {
      for (let round = 0; round < 60; round++) {
        await write(current, who, 5)
        await current.close()
        current = await again()
      }
    })
    await current.close()
    const [[data = '', head = 0] = []] = [...(await store.allHeads())].filter(([, each]) => each === 301)
    expect([pair.has(data), head]).toEqual([true, 301])
    const rows = kept.filter(each => each.compartment === data).map(({ fromSeq, untilSeq }) => untilSeq - fromSeq + 1)
    expect(rows.length).toBeLessThan(15)
    expect(rows.reduce((sum, each) => sum + each, 0)).toBeLessThan(4 * head)
  })

  it('leaves nothing behind when it is erased elsewhere before it is sealed here', async () => {
    const { record, store, beside } = await openTestRecord()
    const { id: who } = await create(record, all, patient('Amsel'))
    const other = await beside()
    await write(record, who, 20)
    await other.shred(who)
    await record.close()
    const heads = await store.allHeads()
    expect((await store.stats()).segments).toBeLessThanOrEqual(heads.size)
    for (const compartment of heads.keys())
      for (const { untilSeq } of await store.segments(compartment))
        expect(untilSeq).toBeLessThanOrEqual(heads.get(compartment) ?? 0)
    expect(await other.keepsPatient(who)).toBe(false)
    await other.close()
  })
})

describe('two processes that write, search, seal and drop segments of one record in any order', () => {
  type Step = readonly ['write' | 'list' | 'search' | 'reopen' | 'drop', process: 0 | 1, count: number]
  const step: fc.Arbitrary<Step> = fc.tuple(
    fc.constantFrom('write', 'write', 'list', 'list', 'search', 'reopen', 'drop'),
    fc.constantFrom(0, 1),
    fc.integer({ min: 1, max: 30 }),
  )

  it('find everything at each moment', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 8, maxLength: 16 }), async steps => {
        const { record, store, again, beside } = await openTestRecord(openMemoryStore(), openMemoryKeys())
        const processes = [record, await beside()] as [Record, Record]
        const { id: who } = await create(record, all, patient('Amsel'))
        const written = { Observation: 0, List: 0 }
        for (const [does, at, count] of steps) {
          if (does === 'write') await write(processes[at], who, count)
          if (does === 'write') written.Observation += count
          if (does === 'list') await write(processes[at], who, count, longList)
          if (does === 'list') written.List += count
          if (does === 'reopen') await processes[at].close()
          if (does === 'reopen') processes[at] = await again()
          if (does === 'drop') for (const each of (await store.allHeads()).keys()) await store.dropSegments(each)
          if (does !== 'search') continue
          expect(await countOf(processes[at], who)).toBe(written.Observation)
          expect(await countOf(processes[at], who, 'List')).toBe(written.List)
        }
        for (const each of processes) {
          expect(await countOf(each, who)).toBe(written.Observation)
          expect(await countOf(each, who, 'List')).toBe(written.List)
        }
        await processes[0].reindex()
        for await (const finding of processes[1].verify()) throw new Error(finding.text)
        for (const each of processes) await each.close()
      }),
      { numRuns: 5 },
    )
  })
})
