import { randomBytes } from 'node:crypto'
import type { Resource } from '#fhir'
import type { Record } from '#record'
import type { Entry, Store } from '#store'
import { create, everything, heartRate, openTestRecord, patient, queryOf } from './family.ts'

const all = everything()
const megabytes = 1024 * 1024
/** What may be fetched, or be open, together. */
const most = 8 * megabytes
const large = { count: 10, bytes: 2 * megabytes }

const dull = (): string => 'x'.repeat(large.bytes)
const noisy = (): string => randomBytes((large.bytes * 3) / 4).toString('base64')

const noted = (of: string, text: string): Resource => ({
  resourceType: 'Basic',
  code: { text: 'note' },
  subject: { reference: `Patient/${of}` },
  extension: [{ url: 'urn:text', valueString: text }],
})

/** How many sealed bytes each question was answered with that may be about several entries. */
function fetchedBy(store: Store): { bytes: number; count: number }[] {
  const fetched: { bytes: number; count: number }[] = []
  const told = <T extends readonly Entry[] | undefined>(entries: T): T => {
    const bytes = entries?.reduce((sum, { sealed }) => sum + sealed.length, 0) ?? 0
    if (entries !== undefined && entries.length > 0) fetched.push({ bytes, count: entries.length })
    return entries
  }
  const { entriesAt, entriesWithin, entriesFrom, versions } = store
  store.entriesAt = async (...of) => told(await entriesAt.apply(store, of))
  store.entriesWithin = async (...of) => told(await entriesWithin.apply(store, of))
  store.entriesFrom = async (...of) => told(await entriesFrom.apply(store, of))
  store.versions = async (...of) => told(await versions.apply(store, of))
  return fetched
}

const total = 60 + large.count

const searched = async (record: Record, of: string) =>
  (await record.reader(all).search(queryOf(all, 'Basic', `patient=${of}&_sort=_lastUpdated&_count=1000`))).matches
    .length

const told = async (record: Record) => (await record.reader(all).history({ type: 'Basic', count: 1_000 })).items.length

describe.each([
  ['that deflate to almost nothing', dull],
  ['that do not deflate', noisy],
])('many small versions and then large ones %s', (_, text) => {
  it('are found, told and exported whole, and some MB of them are held at a time', async () => {
    const house = await openTestRecord()
    const of = (await create(house.record, all, patient('Amsel'))).id
    for (let at = 0; at < 60; at++) await create(house.record, all, noted(of, `${at}`))
    for (let at = 0; at < large.count; at++) await create(house.record, all, noted(of, text()))
    await house.record.close()
    const fetched = fetchedBy(house.store)
    const record = await house.again()
    expect(await searched(record, of)).toBe(total)
    expect(await told(record)).toBe(total)

    const places: { compartment: string; seq: number }[] = []
    const exporter = record.exporter(all)
    const query = queryOf(all, 'Basic', '')
    await exporter.locate([query], await exporter.newestMs([query]), place => places.push(place))
    let exported = 0
    for await (const portion of exporter.open('Basic', places)) {
      exported += portion.length
      const bytes = portion.reduce((sum, { json }) => sum + json.length, 0)
      expect(bytes).toBeLessThan(most + large.bytes + megabytes)
    }
    expect(exported).toBe(total)
    // A page from a seq on has one more than fits.
    const tooMuch = fetched.filter(({ bytes, count }) => count > 1 && bytes > most + large.bytes + megabytes)
    expect(tooMuch).toEqual([])
    expect(fetched.length).toBeGreaterThan(3)
  })
})

describe('what is being written while a condition is judged', () => {
  it.each(['before', 'after', 'later'] as const)('is found when it becomes durable: %s', async moment => {
    const { record, store } = await openTestRecord()
    const { id } = await create(record, all, patient('Amsel'))
    const gate = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    const { commit, entriesWithin } = store
    store.commit = async (...of) => {
      begun.resolve()
      await gate.promise
      return commit.apply(store, of)
    }
    const first = create(record, all, heartRate(id, 60))
    await begun.promise
    const durable = async () => {
      gate.resolve()
      await first
    }
    store.entriesWithin = async (...of) => {
      if (moment === 'before') await durable()
      const answer = await entriesWithin.apply(store, of)
      if (moment === 'after') await durable()
      return answer
    }
    const found = await record.writer(all).transact(async txn => {
      const query = queryOf(all, 'Observation', `patient=${id}`)
      const some = await txn.find(query, 2)
      if (some.length === 0) await txn.create(heartRate(id, 61))
      gate.resolve()
      return some.length
    })
    await first
    const { matches } = await record.reader(all).search(queryOf(all, 'Observation', `patient=${id}`))
    expect([found, matches.length]).toEqual([1, 1])
    await record.close()
  })
})
