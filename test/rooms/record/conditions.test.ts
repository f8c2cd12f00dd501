import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Grant } from '#access'
import type { Resource } from '#fhir'
import type { Record, Txn } from '#record'
import { openMemoryKeys, openMemoryStore, openSqliteKeys, openSqliteStore, type Sealed, type Store } from '#store'
import { rotateInstance } from '#vault'
import {
  create,
  everything,
  grantOf,
  heartRate,
  ids,
  openTestRecord,
  patient,
  queryOf,
  remove,
  testRoot,
  update,
} from './family.ts'

const all = everything()
/** Every question by the index of all compartments. */
const together = { searchedApart: 0 }
const system = 'urn:lab'

const numbered = (resource: Resource, ...values: string[]): Resource => ({
  ...resource,
  identifier: values.map(value => ({ system, value })),
})

type Written = 'made' | 'found'

/** https://hl7.org/fhir/R4/http.html#ccreate */
async function createUnless(txn: Txn, grant: Grant, resource: Resource, text: string): Promise<Written> {
  const [found] = await txn.find(queryOf(grant, resource.resourceType, text), 2)
  if (found === undefined) await txn.create(resource)
  return found === undefined ? 'made' : 'found'
}

const unless = (record: Record, grant: Grant, resource: Resource, text: string) =>
  record.writer(grant).transact(txn => createUnless(txn, grant, resource, text))

/** https://hl7.org/fhir/R4/http.html#cond-update */
const put = (record: Record, resource: Resource, text: string, grant = all) =>
  record.writer(grant).transact(async txn => {
    const [found] = await txn.find(queryOf(grant, resource.resourceType, text), 2)
    if (found !== undefined) return txn.update(found.type, found.id, resource)
    const { id } = resource
    return id === undefined ? txn.create(resource) : txn.update(resource.resourceType, id, resource)
  })

const made = (written: readonly Written[]) => written.filter(each => each === 'made').length

async function soundly(record: Record): Promise<void> {
  const findings: string[] = []
  for await (const { text } of record.verify()) findings.push(text)
  expect(findings).toEqual([])
}

/** Twelve patients. */
async function openVillage(store: Store = openMemoryStore()) {
  const house = await openTestRecord(store, openMemoryKeys(), together)
  const { record } = house
  const who: string[] = []
  for (let at = 0; at < 12; at++) who.push((await create(record, all, numbered(patient('Amsel'), `p${at}`))).id)
  return { ...house, who: who as [string, string, string, string, ...string[]] }
}

/** Counts what is asked of a store. */
function counted(store: Store) {
  const asked = { commits: 0, appends: 0, documents: [] as string[], lost: 0 }
  const { commit } = store
  store.commit = async of => {
    asked.commits++
    asked.appends += of.appends.length
    for (const { collection, op } of of.documents ?? []) asked.documents.push(`${op} ${collection}`)
    const result = await commit.call(store, of)
    if (!result.ok) asked.lost++
    return result
  }
  return asked
}

describe('conditions of who reaches many', () => {
  it('are judged without writing anything to those who are only looked at', async () => {
    const { record, store, who } = await openVillage()
    const asked = counted(store)
    expect(await unless(record, all, numbered(heartRate(who[0], 60), '1'), `identifier=${system}|1`)).toBe('made')
    expect(await unless(record, all, numbered(heartRate(who[0], 60), '1'), `identifier=${system}|1`)).toBe('found')
    // The patient's ledger and that of its audit; that the patient is still there; the condition.
    expect(asked).toEqual({ commits: 1, appends: 2, documents: ['check compartments', 'put claims'], lost: 0 })
    await soundly(record)
    await record.close()
  })

  it('see at once what was written before, and what was changed so that it is found no more', async () => {
    const { record, who } = await openVillage()
    const text = `identifier=${system}|1`
    const { id } = await create(record, all, numbered(heartRate(who[3], 60), '1'))
    expect(await unless(record, all, numbered(heartRate(who[0], 60), '1'), text)).toBe('found')
    await update(record, all, { ...numbered(heartRate(who[3], 60), '2'), id })
    expect(await unless(record, all, numbered(heartRate(who[0], 60), '1'), text)).toBe('made')
    await record.close()
  })

  it('make another one after the one that was found is deleted', async () => {
    const { record, who } = await openVillage()
    const text = `identifier=${system}|1`
    for (let time = 0; time < 3; time++) {
      const written = await Promise.all(who.map(id => unless(record, all, numbered(heartRate(id, 60), '1'), text)))
      expect(made(written)).toBe(1)
      const [id = ''] = await ids(record, all, 'Observation', text)
      await remove(record, all, 'Observation', id)
    }
    expect(await ids(record, all, 'Observation', '')).toEqual([])
    await record.close()
  })

  it('find nothing of who was erased, here or elsewhere', async () => {
    const { record, beside, who } = await openVillage()
    const other = await beside(together)
    const text = `identifier=${system}|1`
    await create(record, all, numbered(heartRate(who[0], 60), '1'))
    expect(await unless(other, all, numbered(heartRate(who[1], 60), '1'), text)).toBe('found')
    await record.shred(who[0])
    expect(await unless(other, all, numbered(heartRate(who[1], 60), '1'), text)).toBe('made')
    expect(await unless(record, all, numbered(heartRate(who[2], 60), '1'), text)).toBe('found')
    await Promise.all([record.close(), other.close()])
  })

  it.each([
    ['a value that each of them has', `identifier=${system}|1`, 'value-quantity=60'],
    ['what the other one lacks', 'code:not=http://loinc.org|2823-3', `identifier=${system}|1`],
    ['whom it is about, by a chain', `identifier=${system}|1`, 'patient.family=Amsel&value-quantity=60'],
  ])('that ask different things make one of what each would find, in one process: %s', async (_what, one, other) => {
    const { record, who } = await openVillage()
    const written = await Promise.all(
      who.map((id, at) => unless(record, all, numbered(heartRate(id, 60), '1'), at % 2 ? one : other)),
    )
    expect(made(written)).toBe(1)
    await record.close()
  })

  it('are not lost by what others write that they do not ask for', async () => {
    const { record, store, who } = await openVillage()
    const asked = counted(store)
    const texts = Array.from({ length: 40 }, (_, at) => `n${at}`)
    const written = await Promise.all([
      ...texts.map(n => unless(record, all, numbered(patient('Specht'), n), `identifier=${system}|${n}`)),
      ...texts.map((n, at) => unless(record, all, numbered(heartRate(who[at % 12] ?? '', at), n), `identifier=${n}`)),
      ...texts.map((_, at) => create(record, all, heartRate(who[at % 12] ?? '', at))),
    ])
    expect(written.filter(each => each === 'made')).toHaveLength(80)
    expect([asked.commits, asked.lost]).toEqual([120, 0])
    await record.close()
  })

  it('change the very version that was found, or look again', async () => {
    const { record, beside, who } = await openVillage()
    const other = await beside(together)
    const { id } = await create(record, all, numbered(heartRate(who[0], 60), '1'))
    let runs = 0
    const changed = await record.writer(all).transact(async txn => {
      const found = await txn.find(queryOf(all, 'Observation', `identifier=${system}|1`), 2)
      if (runs++ === 0) await update(other, all, { ...numbered(heartRate(who[0], 61), '2'), id })
      return found[0] === undefined ? undefined : txn.update('Observation', id, numbered(heartRate(who[0], 62), '3'))
    })
    expect([changed, runs]).toEqual([undefined, 2])
    expect((await record.reader(all).read('Observation', id)).version).toBe(2)
    await Promise.all([record.close(), other.close()])
  })

  it('that many update at once land one after the other', async () => {
    const { record, who } = await openVillage()
    const { id } = await create(record, all, numbered(heartRate(who[0], 60), '1'))
    const values = Array.from({ length: 16 }, (_, at) => at)
    await Promise.all(
      values.map(value => put(record, { ...numbered(heartRate(who[0], value), '1'), id }, `identifier=${system}|1`)),
    )
    expect((await record.reader(all).read('Observation', id)).version).toBe(17)
    await record.close()
  })

  it('rest on all who are asked: where one cannot be read they are refused', async () => {
    const { record, beside, store, who } = await openVillage()
    const { holder } = await create(record, all, heartRate(who[0], 60))
    await record.close()
    const [entry] = await store.entriesAt(holder.compartment, [1])
    const sealed = Uint8Array.from(entry?.sealed ?? [])
    sealed[40] = (sealed[40] ?? 0) ^ 1
    await store.dropSegments(holder.compartment)
    await store.reseal(holder.compartment, [{ seq: 1, sealed: sealed as Sealed }])
    const again = await beside(together)
    const work = unless(again, all, numbered(heartRate(who[1], 60), '1'), `identifier=${system}|1`)
    await expect(work).rejects.toMatchObject({ code: 'record.ledger-damaged' })
    await again.close()
  })
})

describe('the claims of conditions', () => {
  it('are not documents of which the ledger tells, and go along with a new key of the instance', async () => {
    const { record, beside, store, keys, who } = await openVillage()
    await unless(record, all, numbered(heartRate(who[0], 60), '1'), `identifier=${system}|1`)
    await record.flush()
    await soundly(record)
    const replaceDocument: Record['replaceDocument'] = (...of) => record.replaceDocument(...of)
    expect((await rotateInstance({ keys, store, root: testRoot, replaceDocument })).documents).toBeGreaterThan(1)
    await record.close()
    const again = await beside(together)
    await soundly(again)
    expect(again.faults()).toEqual([])
    expect(await unless(again, all, numbered(heartRate(who[0], 60), '2'), `identifier=${system}|2`)).toBe('made')
    expect(await unless(again, all, numbered(heartRate(who[0], 60), '1'), `identifier=${system}|1`)).toBe('found')
    await again.close()
  })

  it('are made by who reaches few as well, who may ask the same as who reaches many', async () => {
    const { record, beside, who } = await openVillage()
    const other = await beside({ searchedApart: Number.POSITIVE_INFINITY })
    const family = grantOf('user/*.cruds', { account: 'family', patients: [who[0], who[1]] })
    for (let round = 0; round < 12; round++) {
      const text = `identifier=${system}|r${round}`
      const written = await Promise.all([
        unless(record, all, numbered(heartRate(who[0], 60), `r${round}`), text),
        unless(other, family, numbered(heartRate(who[1], 60), `r${round}`), text),
      ])
      expect(made(written)).toBe(1)
    }
    await Promise.all([record.close(), other.close()])
  })

  it('do not make who reaches few open an index of many', async () => {
    const { record, beside, store, who } = await openVillage()
    await record.close()
    const again = await beside({ searchedApart: 8 })
    const family = grantOf('user/*.cruds', { account: 'family', patients: [who[0], who[1]] })
    let read = 0
    const { stretches } = store
    store.stretches = compartments => {
      read += compartments.length
      return stretches.call(store, compartments)
    }
    expect(await unless(again, family, numbered(heartRate(who[0], 60), '1'), `identifier=${system}|1`)).toBe('made')
    expect(read).toBe(0)
    await again.close()
  })
})

describe('two processes on one file', () => {
  const directory = mkdtempSync(join(tmpdir(), 'kinhold-conditions-'))
  afterAll(() => rmSync(directory, { recursive: true, force: true }))
  let houses = 0

  async function openTwo(patients = 10, rooms = together) {
    const path = (name: string) => join(directory, `${houses}-${name}`)
    houses++
    const open = async () => {
      const store = await openSqliteStore({ path: path('data.sqlite') })
      const keys = await openSqliteKeys({ path: path('keys.sqlite') })
      const { record } = await openTestRecord(store, keys, rooms)
      const close = async () => {
        await record.close()
        await store.close()
        await keys.close()
      }
      return { record, close }
    }
    const one = await open()
    const who: string[] = []
    for (let at = 0; at < patients; at++) who.push((await create(one.record, all, patient('Amsel'))).id)
    const other = await open()
    return {
      records: [one.record, other.record] as const,
      who,
      close: async () => {
        await soundly(one.record)
        await Promise.all([one.close(), other.close()])
      },
    }
  }

  const texts = [
    '1',
    `${system}|1`,
    `${system}|1,urn:x|2`,
    `${system}|1&status=final`,
    `${system}|1&patient.family=Amsel`,
  ]

  it('make one of what is asked for in different words, by many at once', async () => {
    const { records, who, close } = await openTwo()
    for (let n = 1; n <= 6; n++) {
      const attempts = Array.from({ length: 40 }, (_, at) => {
        const text = `identifier=${texts[at % texts.length]}`.replaceAll('1', `${n}`)
        const record = records[at % 2] ?? records[0]
        return unless(record, all, numbered(heartRate(who[at % 10] ?? '', 60), `${n}`), text)
      })
      expect(made(await Promise.all(attempts))).toBe(1)
    }
    for (const record of records) expect(await ids(record, all, 'Observation', '')).toHaveLength(6)
    await close()
  })

  it('make one Patient of each, while others come', async () => {
    const { records, close } = await openTwo()
    const attempts = Array.from({ length: 48 }, (_, at) => {
      const n = `p${at % 4}`
      const record = records[at % 2] ?? records[0]
      return unless(record, all, numbered(patient('Specht'), n), `identifier=${system}|${n}`)
    })
    expect(made(await Promise.all(attempts))).toBe(4)
    for (const record of records) expect(await ids(record, all, 'Patient', 'family=Specht')).toHaveLength(4)
    await close()
  })

  it('make one Patient of each from the first one on, when few become many', async () => {
    const { records, close } = await openTwo(0, { searchedApart: 6 })
    const attempts = Array.from({ length: 64 }, (_, at) => {
      const n = `p${at >> 2}`
      const record = records[at % 2] ?? records[0]
      return unless(record, all, numbered(patient('Specht'), n), `identifier=${system}|${n}`)
    })
    expect(made(await Promise.all(attempts))).toBe(16)
    for (const record of records) expect(await ids(record, all, 'Patient', '')).toHaveLength(16)
    await close()
  })

  it('make one when an update with an id, one without and a create ask the same', async () => {
    const { records, who, close } = await openTwo()
    for (let n = 1; n <= 6; n++) {
      const text = `identifier=${system}|${n}`
      const resource = numbered(heartRate(who[0] ?? '', 60), `${n}`)
      const [one, other] = records
      const attempts = [
        put(one, { ...resource, id: `chosen-${n}` }, text),
        put(other, { ...resource, id: `other-${n}` }, text),
        put(other, resource, text),
        unless(one, all, resource, text),
        unless(other, all, resource, text),
      ]
      // An update that names another id than that of what is found is refused by who calls; here it follows what is found.
      await Promise.all(attempts)
      expect(await ids(one, all, 'Observation', text)).toHaveLength(1)
    }
    await close()
  })

  it('judge the conditions of a transaction together, long ones too', async () => {
    const { records, who, close } = await openTwo()
    const many = (record: Record, from: number) =>
      record.writer(all).transact(async txn => {
        const written: Written[] = []
        for (let n = from; n < from + 70; n++)
          written.push(
            await createUnless(txn, all, numbered(heartRate(who[n % 10] ?? '', n), `${n}`), `identifier=${n}`),
          )
        return written
      })
    const [one, other] = records
    const written = await Promise.all([many(one, 0), many(other, 30), many(one, 60), many(other, 0)])
    expect(made(written.flat())).toBe(130)
    for (const record of records) expect(await ids(record, all, 'Observation', '_count=500')).toHaveLength(130)
    await close()
  })
})
