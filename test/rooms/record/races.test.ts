import { openMemoryKeys, openMemoryStore } from '#store'
import { create, everything, heartRate, ids, openTestRecord, patient, queryOf, update } from './family.ts'

const all = everything()

describe('races – https://hl7.org/fhir/R4/http.html#concurrency', () => {
  it('of 32 equal conditional creates one creates and the others find it', async () => {
    const { record } = await openTestRecord()
    const who = (await create(record, all, patient('Amsel'))).id
    const resource = { ...heartRate(who, 60), identifier: [{ system: 'urn:watch', value: '1' }] }
    const attempt = () =>
      record.writer(all).transact(async txn => {
        const found = await txn.find(queryOf(all, 'Observation', 'identifier=urn:watch|1'), 2)
        return found[0]?.id ?? (await txn.create(resource)).id
      })
    const made = await Promise.all(Array.from({ length: 32 }, attempt))
    expect(new Set(made).size).toBe(1)
    expect((await ids(record, all, 'Observation', 'identifier=urn:watch|1')).length).toBe(1)
  })

  it('of 32 updates that name the same version one wins', async () => {
    const { record } = await openTestRecord()
    const who = (await create(record, all, patient('Amsel'))).id
    const { id } = await create(record, all, heartRate(who, 60))
    const attempts = Array.from({ length: 32 }, (_, value) =>
      update(record, all, { ...heartRate(who, value), id }, '1'),
    )
    const settled = await Promise.allSettled(attempts)
    expect(settled.filter(({ status }) => status === 'fulfilled').length).toBe(1)
    expect((await record.reader(all).read('Observation', id)).version).toBe(2)
  })

  it('unconditional updates all land, and versions are dense', async () => {
    const { record } = await openTestRecord()
    const who = (await create(record, all, patient('Amsel'))).id
    const { id } = await create(record, all, heartRate(who, 60))
    await Promise.all(Array.from({ length: 20 }, (_, value) => update(record, all, { ...heartRate(who, value), id })))
    const { items } = await record.reader(all).history({ type: 'Observation', id, count: 100 })
    expect(items.map(({ version }) => version)).toEqual(Array.from({ length: 21 }, (_, at) => 21 - at))
  })

  it('two processes on one store write into one record without losing anything', async () => {
    const store = openMemoryStore()
    const { record, again } = await openTestRecord(store, openMemoryKeys())
    const who = (await create(record, all, patient('Amsel'))).id
    const other = await again()
    const writers = [record, other]
    await Promise.all(Array.from({ length: 60 }, (_, at) => create(writers[at % 2] ?? record, all, heartRate(who, at))))
    for (const each of writers)
      expect((await each.reader(all).search(queryOf(all, 'Observation', '_summary=count'))).total).toBe(60)
    for await (const finding of record.verify()) throw new Error(finding.text)
    await other.close()
  })

  it.each([
    ['long transactions', 12, 0],
    ['long transactions among single writes', 6, 40],
    ['one long transaction among single writes', 1, 40],
  ])('%s of one patient, all at once, all land', async (_what, long, single) => {
    const { record } = await openTestRecord()
    const who = (await create(record, all, patient('Amsel'))).id
    const many = (at: number) =>
      record.writer(all).transact(async txn => {
        for (let value = 0; value < 200; value++) await txn.create(heartRate(who, 1000 * at + value))
      })
    const longs = Array.from({ length: long }, (_, at) => many(at))
    const singles = Array.from({ length: single }, (_, at) => create(record, all, heartRate(who, at)))
    await Promise.all([...longs, ...singles])
    const { total } = await record.reader(all).search(queryOf(all, 'Observation', '_summary=count'))
    expect(total).toBe(200 * long + single)
    for await (const finding of record.verify()) throw new Error(finding.text)
  })

  it('whoever was late reads what came meanwhile, not the whole record again, or it would be late for ever', async () => {
    const store = openMemoryStore()
    let read = 0
    const counting = new Proxy(store, {
      get(target, name) {
        const member = Reflect.get(target, name) as unknown
        if (typeof member !== 'function') return member
        if (name !== 'entriesFrom') return member.bind(target)
        return async (...asked: Parameters<typeof store.entriesFrom>) => {
          const entries = await target.entriesFrom(...asked)
          read += entries.length
          return entries
        }
      },
    })
    const { record, beside } = await openTestRecord(counting, openMemoryKeys())
    const who = (await create(record, all, patient('Amsel'))).id
    for (let at = 0; at < 300; at++) await create(record, all, heartRate(who, at))
    const other = await beside()
    await create(other, all, heartRate(who, 300))
    for (const late of [record, other, record]) {
      read = 0
      await create(late, all, heartRate(who, 301))
      expect(read).toBeLessThan(20)
    }
    for (const each of [record, other]) {
      expect((await each.reader(all).search(queryOf(all, 'Observation', '_summary=count'))).total).toBe(304)
      expect((await ids(each, all, 'Observation', 'value-quantity=301&_count=10')).length).toBe(3)
    }
    for await (const finding of other.verify()) throw new Error(finding.text)
    await other.close()
  })

  it('a transaction that fails leaves nothing behind', async () => {
    const { record, store } = await openTestRecord()
    const who = (await create(record, all, patient('Amsel'))).id
    const before = await store.stats()
    const work = record.writer(all).transact(async txn => {
      await txn.create(heartRate(who, 60))
      await txn.create(heartRate('nobody', 61))
    })
    await expect(work).rejects.toMatchObject({ code: 'record.owner-unknown' })
    expect((await store.stats()).entries).toBe(before.entries)
    expect(await ids(record, all, 'Observation', '')).toEqual([])
  })
})

describe('a writer who always comes too late', () => {
  it('is told to try again later: record.contended', async () => {
    const { record } = await openTestRecord()
    const who = (await create(record, all, patient('Amsel'))).id
    const work = record.writer(all).transact(async txn => {
      await txn.find(queryOf(all, 'Observation', 'status=final'), 1)
      await create(record, all, heartRate(who, 1))
      return txn.create(heartRate(who, 2))
    })
    await expect(work).rejects.toMatchObject({ kind: 'busy', code: 'record.contended', retryAfterSeconds: 1 })
  })
})

describe('a patient whom several want to take in at once', () => {
  it('is taken in once: a new compartment counts as a change of what was searched', async () => {
    const { record } = await openTestRecord()
    const resource = { ...patient('Zeisig'), identifier: [{ system: 'urn:clinic', value: '4711' }] }
    const attempt = () =>
      record.writer(all).transact(async txn => {
        const found = await txn.find(queryOf(all, 'Patient', 'identifier=urn:clinic|4711'), 2)
        return found[0]?.id ?? (await txn.create(resource)).id
      })
    const made = await Promise.all(Array.from({ length: 12 }, attempt))
    expect(new Set(made).size).toBe(1)
    expect((await record.allPatients()).length).toBe(1)
  })

  it('several new patients in one transaction, found or not, are one commit', async () => {
    const { record } = await openTestRecord()
    await record.writer(all).transact(async txn => {
      await txn.find(queryOf(all, 'Patient', 'family=Zeisig'), 2)
      for (const name of ['Zeisig', 'Fink', 'Star']) await txn.create(patient(name))
    })
    expect((await record.allPatients()).length).toBe(3)
  })
})

describe('patients who come and go in another process', () => {
  it('are there for whoever reaches everybody, and gone when they are shredded', async () => {
    const { record, again } = await openTestRecord()
    const other = await again()
    await other.reader(all).search(queryOf(all, 'Patient', ''))
    const who = (await create(record, all, patient('Amsel'))).id
    await create(record, all, heartRate(who, 60))
    expect((await ids(other, all, 'Observation', '')).length).toBe(1)
    await record.shred(who)
    expect(await ids(other, all, 'Observation', '')).toEqual([])
    expect(await ids(other, all, 'Patient', '')).toEqual([])
    await other.close()
  })
})

describe('a Patient who is merged into another one', () => {
  const merged = { kind: 'unprocessable', code: 'record.patient-merged' }

  it('takes nothing new in any process, and takes it again when that is undone', async () => {
    const { record, beside } = await openTestRecord()
    const all = everything()
    const [loser, winner] = [(await create(record, all, patient('A'))).id, (await create(record, all, patient('A'))).id]
    const other = await beside()
    await create(other, all, heartRate(loser, 60))
    await record.writer(all).transact(txn => txn.merged(loser, winner))
    for (const each of [record, other, await beside()]) {
      await expect(create(each, all, heartRate(loser, 61))).rejects.toMatchObject(merged)
      await expect(update(each, all, { ...patient('A'), id: loser })).rejects.toMatchObject(merged)
      expect((await create(each, all, heartRate(winner, 62))).version).toBe(1)
    }
    await other.writer(all).transact(txn => txn.merged(loser, undefined))
    for (const each of [record, other]) expect((await create(each, all, heartRate(loser, 63))).version).toBe(1)
  })

  it('is not merged when the transaction that would have done it is refused', async () => {
    const { record } = await openTestRecord()
    const all = everything()
    const [loser, winner] = [(await create(record, all, patient('A'))).id, (await create(record, all, patient('A'))).id]
    const refused = record.writer(all).transact(async txn => {
      await txn.merged(loser, winner)
      await txn.create(heartRate(loser, 61))
    })
    await expect(refused).rejects.toMatchObject(merged)
    expect((await create(record, all, heartRate(loser, 62))).version).toBe(1)
  })
})
