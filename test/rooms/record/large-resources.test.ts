import type { Resource } from '#fhir'
import { metWhile, mostMetMs } from '../../turns.ts'
import { create, everything, heartRate, openTestRecord, patient, queryOf } from './family.ts'

const all = everything()
const values = 20_000

/** An Observation of tens of thousands of values. */
function large(who: string, name: string): Resource {
  const identifier = Array.from({ length: values }, (_, at) => ({ system: 'urn:large', value: `${name}-${at}` }))
  return { ...heartRate(who, 60), identifier }
}

const found = async ({ record }: Awaited<ReturnType<typeof openTestRecord>>, search: string) =>
  (await record.reader(all).search(queryOf(all, 'Observation', search))).matches.map(({ id }) => id)

/** An Observation of few values, one of which is a long text of words that nobody has written before. */
function wordy(who: string): Resource {
  const text = Array.from({ length: 60_000 }, (_, at) => `w${at.toString(36).replace(/\d/g, 'x')}q`).join(' ')
  return { ...heartRate(who, 60), note: [{ text }] }
}

describe('a resource of very many values', () => {
  it('whose words are many is written while others are answered', async () => {
    const house = await openTestRecord()
    const { record } = house
    const [who, other] = [await create(record, all, patient('Amsel')), await create(record, all, patient('Buche'))]
    const writing = metWhile(() => create(record, all, wordy(who.id)))
    await create(record, all, heartRate(other.id, 70))
    const { result, metMs } = await writing
    expect(metMs).toBeLessThan(mostMetMs)
    expect(await found(house, '_content=w1q')).toEqual([])
    // On a busy machine it is measured again, and written again.
    expect(await found(house, '_content=wqzbq')).toContain(result.id)
  })

  it('is written while others are answered: in the same record and in another one', async () => {
    const house = await openTestRecord()
    const { record } = house
    const [who, other] = [await create(record, all, patient('Amsel')), await create(record, all, patient('Buche'))]
    const ended: string[] = []
    const noting = async <T>(name: string, work: Promise<T>) => {
      const done = await work
      ended.push(name)
      return done
    }
    const writing = noting('large', create(record, all, large(who.id, 'a')))
    await noting('other', create(record, all, heartRate(other.id, 70)))
    await noting('read', record.reader(all).read('Patient', who.id))
    const beside = create(record, all, heartRate(who.id, 71))
    const written = await writing
    expect(ended).toEqual(['other', 'read', 'large'])
    expect((await beside).version).toBe(1)
    expect(await found(house, `identifier=urn:large|a-${values - 1}`)).toEqual([written.id])
    for await (const finding of record.verify()) throw new Error(finding.text)
  })

  it('is kept whole: every version, digit by digit, also opened anew, and by search', async () => {
    const house = await openTestRecord()
    const who = (await create(house.record, all, patient('Amsel'))).id
    const first = await create(house.record, all, large(who, 'a'))
    expect(await found(house, 'identifier=urn:large|a-7')).toEqual([first.id])
    await house.record.writer(all).transact(async txn => {
      await txn.update('Observation', first.id, { ...large(who, 'b'), id: first.id })
      for (let at = 0; at < 40; at++) await txn.create(at % 13 === 0 ? large(who, `c${at}`) : heartRate(who, at))
    })
    expect(await found(house, 'identifier=urn:large|a-7')).toEqual([])
    await house.record.close()
    const record = await house.again()
    const again = { ...house, record }
    expect(await found(again, `identifier=urn:large|b-${values - 1}`)).toEqual([first.id])
    expect(await found(again, 'identifier=urn:large|c39-300')).toHaveLength(1)
    const { json } = await record.reader(all).vread('Observation', first.id, '1')
    expect(JSON.parse(json.toString()).identifier).toEqual(large(who, 'a').identifier)
    for await (const finding of record.verify()) throw new Error(finding.text)
  })

  it('is one and the same for all whom it belongs to, and is deleted like any other', async () => {
    const house = await openTestRecord()
    const { record } = house
    const [a, b] = [await create(record, all, patient('Amsel')), await create(record, all, patient('Buche'))]
    const both = { ...large(a.id, 'a'), performer: [{ reference: `Patient/${b.id}` }] }
    const written = await create(record, all, both)
    expect(await found(house, `identifier=urn:large|a-9&performer=Patient/${b.id}`)).toEqual([written.id])
    await record.writer(all).transact(txn => txn.delete('Observation', written.id))
    expect(await found(house, 'identifier=urn:large|a-9')).toEqual([])
    for await (const finding of record.verify()) throw new Error(finding.text)
  })
})
