import type { Stored } from '#record'
import { OpenedVersions } from '../../../src/record/ledger/opened-versions.ts'
import { callsOf } from '../../computing.ts'
import { create, everything, heartRate, ofPatient, openTestRecord, patient } from './family.ts'

const all = everything()
const type = 'Observation'
const versions = 60

/** A resource of sixty versions, one written each second, one of them a deletion. */
async function long() {
  const house = await openTestRecord()
  const { record, clock } = house
  const who = (await create(record, all, patient('Amsel'))).id
  const { id } = await create(record, all, heartRate(who, 1))
  for (let at = 2; at <= versions; at++) {
    clock.advance(1_000)
    await record.writer(all).transact(async txn => {
      if (at === 30) await txn.delete(type, id)
      else await txn.update(type, id, { ...heartRate(who, at), id })
    })
  }
  return { ...house, who, id }
}

/** The versions on each page. */
async function pagesOf({ record, id }: Awaited<ReturnType<typeof long>>, count: number, more = {}, grant = all) {
  const pages: (readonly Stored[])[] = []
  let cursor: string | undefined
  do {
    const page = await record.reader(grant).history({ type, id, count, ...more, ...(cursor && { cursor }) })
    pages.push(page.items)
    cursor = page.next
  } while (cursor !== undefined)
  return pages.map(items => items.map(({ version }) => version))
}

const down = (from: number, to: number) => Array.from({ length: from - to + 1 }, (_, at) => from - at)

describe('the history of one resource – https://hl7.org/fhir/R4/http.html#history', () => {
  it('opens what its page shows, however many versions there are', async () => {
    const house = await long()
    const { record, id } = house
    let cursor: string | undefined
    const opened = await callsOf(OpenedVersions.prototype, 'open', async () => {
      cursor = (await record.reader(all).history({ type, id, count: 5 })).next
    })
    expect(opened).toBeLessThanOrEqual(6)
    const goingOn = () => record.reader(all).history({ type, id, count: 5, ...(cursor && { cursor }) })
    expect(await callsOf(OpenedVersions.prototype, 'open', goingOn)).toBeLessThanOrEqual(6)
    const since = () => record.reader(all).history({ type, id, count: 50, sinceMs: house.clock.nowMs() - 2_000 })
    expect(await callsOf(OpenedVersions.prototype, 'open', since)).toBeLessThanOrEqual(4)
  })

  it('shows each version once, newest first, whatever fits on a page', async () => {
    const house = await long()
    for (const count of [1, 7, 59, 60, 61]) expect((await pagesOf(house, count)).flat()).toEqual(down(versions, 1))
    expect((await pagesOf(house, 60)).length).toBe(1)
    const sinceMs = house.clock.nowMs() - 20_000
    expect(await pagesOf(house, 8, { sinceMs })).toEqual([down(60, 53), down(52, 45), down(44, 40)])
    expect(await pagesOf(house, 8, { sinceMs: house.clock.nowMs() + 1 })).toEqual([[]])
    expect((await pagesOf(house, 9, {}, ofPatient(house.who))).flat()).toEqual(down(versions, 1))
    const other = ofPatient((await create(house.record, all, patient('Buche'))).id)
    await expect(pagesOf(house, 9, {}, other)).rejects.toMatchObject({ code: 'record.unknown' })
  })

  it('says how many there are when it shows them all, and goes on while somebody writes', async () => {
    const { record, id, who } = await long()
    expect((await record.reader(all).history({ type, id, count: 100 })).total).toBe(versions)
    const first = await record.reader(all).history({ type, id, count: 10 })
    expect(first.total).toBeUndefined()
    await record.writer(all).transact(txn => txn.update(type, id, { ...heartRate(who, 61), id }))
    const next = await record.reader(all).history({ type, id, count: 10, cursor: first.next ?? '' })
    expect(next.items.map(({ version }) => version)).toEqual(down(50, 41))
  })

  it('tells once that it went to somebody else, on whatever page that comes', async () => {
    const { record } = await openTestRecord()
    const [a, b] = [await create(record, all, patient('Amsel')), await create(record, all, patient('Buche'))]
    const { id } = await create(record, all, heartRate(a.id, 1))
    await record.writer(all).transact(txn => txn.update(type, id, { ...heartRate(b.id, 2), id }))
    const seen = async (count: number, grant = all) => {
      const shown: [number, boolean][] = []
      let cursor: string | undefined
      do {
        const page = await record.reader(grant).history({ type, id, count, ...(cursor && { cursor }) })
        for (const { version, deleted } of page.items) shown.push([version, deleted])
        cursor = page.next
      } while (cursor !== undefined)
      return shown
    }
    for (const count of [1, 2, 9]) {
      expect(await seen(count)).toEqual([
        [3, false],
        [1, false],
      ])
      expect((await seen(count, ofPatient(a.id))).at(-1)).toEqual([1, false])
      expect(await seen(count, ofPatient(b.id))).toEqual([[3, false]])
    }
  })
})
