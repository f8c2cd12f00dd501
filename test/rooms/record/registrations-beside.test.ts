import { openMemoryKeys, openMemoryStore, type Store } from '#store'
import { create, everything, heartRate, ids, openTestRecord, patient } from './family.ts'

const all = everything()

/** How many registrations a store is asked for, one by one and all at once. */
function watched(store: Store) {
  const { document, documents } = store
  const asked = { one: 0, all: 0 }
  store.document = (collection, ...rest) => {
    if (collection === 'compartments') asked.one++
    return document.call(store, collection, ...rest)
  }
  store.documents = (collection, ...rest) => {
    if (collection === 'compartments') asked.all++
    return documents.call(store, collection, ...rest)
  }
  return asked
}

async function openTwo() {
  const { record, store, beside } = await openTestRecord(openMemoryStore(), openMemoryKeys())
  for (let at = 0; at < 30; at++) await create(record, all, patient(`Amsel${at}`))
  const other = await beside()
  expect(await other.allPatients()).toHaveLength(30)
  return { record, other, asked: watched(store) }
}

describe('patients who come and go in another process', () => {
  it('are found by a search over everybody, and only their registrations are opened', async () => {
    const { record, other, asked } = await openTwo()
    const { id } = await create(record, all, patient('Drossel'))
    await create(record, all, heartRate(id, 60))
    expect(await ids(other, all, 'Patient', 'family=Drossel')).toEqual([id])
    expect(await ids(other, all, 'Observation', `patient=${id}`)).toHaveLength(1)
    expect(await other.allPatients()).toHaveLength(31)
    expect(asked.all).toBe(0)
    expect(asked.one).toBeLessThan(10)
  })

  it('are known also when very much else was written in between', async () => {
    const { record, other } = await openTwo()
    for (let at = 0; at < 2_500; at += 100) {
      const drafts = Array.from({ length: 1 }, (_, more) => record.documents.write('notes', `n${at + more}`, { at }))
      await record.documents.commit(drafts)
    }
    const { id } = await create(record, all, patient('Drossel'))
    expect(await other.allPatients()).toContain(id)
    for (let at = 0; at < 2_100; at++) await record.documents.put('notes', `m${at % 7}`, { at })
    const { id: late } = await create(record, all, patient('Elster'))
    expect(await other.allPatients()).toContain(late)
  })

  it('are gone for a search over everybody once they were erased there, and their ids stay so', async () => {
    const { record, other, asked } = await openTwo()
    const { id } = await create(record, all, patient('Drossel'))
    expect(await other.allPatients()).toHaveLength(31)
    await record.shred(id)
    expect(await other.allPatients()).toHaveLength(30)
    expect(await ids(other, all, 'Patient', 'family=Drossel')).toEqual([])
    expect(await other.keepsPatient(id)).toBe(false)
    await expect(create(other, all, { ...patient('Drossel'), id }, id)).rejects.toMatchObject({ kind: 'gone' })
    expect(asked.all).toBe(0)
  })

  it('are told at once of each that is asked for, and of several', async () => {
    const { record, other, asked } = await openTwo()
    const [finch, thrush] = [await create(record, all, patient('Fink')), await create(record, all, patient('Drossel'))]
    const both = [finch.id, thrush.id]
    expect(await other.keepsPatient(finch.id)).toBe(true)
    expect(await other.keptAmong([...both, 'nobody'])).toEqual(both)
    await record.shred(finch.id)
    // Nothing else was asked since: no search, and no sweep.
    expect(await other.keepsPatient(finch.id)).toBe(false)
    await record.shred(thrush.id)
    expect(await other.keptAmong(both)).toEqual([])
    expect(asked.all).toBe(0)
  })

  it('are known to each of two that take in many at once', async () => {
    const { record, other } = await openTwo()
    const come = async (of: typeof record, name: string) => {
      for (let at = 0; at < 15; at++) await create(of, all, patient(`${name}${at}`))
    }
    await Promise.all([come(record, 'Fink'), come(other, 'Gans')])
    for (const each of [record, other]) {
      expect(await each.allPatients()).toHaveLength(60)
      expect(await ids(each, all, 'Patient', 'family=Fink,Gans&_count=100')).toHaveLength(30)
    }
  })
})
