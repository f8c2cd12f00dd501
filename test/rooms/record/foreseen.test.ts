/** What is seen of what is hidden in part, where an index is behind, damaged, or has versions that were replaced. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Record } from '#record'
import { openMemoryStore, openSqliteStore, type Store } from '#store'
import {
  create,
  everything,
  grantOf,
  heartRate,
  ids,
  ofPatient,
  openTestRecord,
  patient,
  potassium,
  remove,
  update,
} from './family.ts'
import { absent, foreseenInTwoProcesses, versionsOf, vital } from './foreseen.ts'
import { storeWith } from './store-with.ts'

const all = everything()
const folder = mkdtempSync(join(tmpdir(), 'kinhold-foreseen-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let files = 0

const stores: readonly (readonly [string, () => Promise<readonly [Store, Store]>])[] = [
  [
    'memory',
    async () => {
      const store = openMemoryStore()
      return [store, store]
    },
  ],
  [
    'a file',
    async () => {
      const path = join(folder, `${++files}.db`)
      return [await openSqliteStore({ path }), await openSqliteStore({ path })]
    },
  ],
]

describe.each(stores)('in two processes on %s', (_, openStores) => foreseenInTwoProcesses(openStores))

describe('versions of what is hidden in part – https://hl7.org/fhir/R4/http.html#vread', () => {
  it('are told each by what it says, whatever stands, page by page, and after a restart', async () => {
    const house = await openTestRecord()
    const { record } = house
    const amsel = (await create(record, all, patient('Amsel'))).id
    const { id } = await create(record, all, heartRate(amsel, 60))
    const seen = [1]
    for (let version = 2; version <= 23; version++) {
      const isSeen = version % 3 === 1
      if (isSeen) seen.unshift(version)
      await update(record, all, { ...(isSeen ? heartRate(amsel, version) : potassium(amsel, version)), id })
    }
    const grant = ofPatient(amsel, `patient/${vital}`)
    const check = async (asked: Record) => {
      expect(await versionsOf(asked, grant, id)).toEqual(seen)
      const reader = asked.reader(grant)
      for (let version = 1; version <= 24; version++) {
        const read = reader.vread('Observation', id, String(version))
        if (seen.includes(version)) expect((await read).version).toBe(version)
        else await expect(read).rejects.toMatchObject(absent)
      }
      const paged: number[] = []
      for (let cursor: string | undefined, more = true; more; ) {
        const page = await reader.history({
          type: 'Observation',
          id,
          count: 3,
          ...(cursor === undefined ? {} : { cursor }),
        })
        paged.push(...page.items.map(({ version }) => version))
        cursor = page.next
        more = cursor !== undefined
      }
      expect(paged).toEqual(seen)
      await expect(reader.read('Observation', id)).rejects.toMatchObject(absent)
    }
    await check(record)
    await record.close()
    await check(await house.again())
  })

  it('are told where they lie, of whoever moved from one patient within reach to another', async () => {
    const { record } = await openTestRecord()
    const amsel = (await create(record, all, patient('Amsel'))).id
    const drossel = (await create(record, all, patient('Drossel'))).id
    const { id } = await create(record, all, heartRate(amsel, 60))
    await update(record, all, { ...potassium(amsel, 4), id })
    await update(record, all, { ...heartRate(drossel, 62), id })
    const newest = (await record.reader(all).read('Observation', id)).version
    const both = grantOf(`user/${vital}`, { account: 'family', patients: [amsel, drossel] })
    expect(await versionsOf(record, both, id)).toEqual([newest, 1])
    expect((await record.reader(both).read('Observation', id)).version).toBe(newest)
    const one = grantOf(`user/${vital}`, { account: 'family', patients: [amsel] })
    expect(await versionsOf(record, one, id)).toEqual([1])
    await expect(record.reader(one).read('Observation', id)).rejects.toMatchObject(absent)
    await remove(record, all, 'Observation', id)
    expect(await versionsOf(record, both, id)).toEqual([newest, 1])
    await expect(record.reader(both).read('Observation', id)).rejects.toMatchObject(absent)
  })

  it.each(['patient', 'user'])('is changed under %s scopes in the transaction in which it was made', async level => {
    const { record } = await openTestRecord()
    const amsel = (await create(record, all, patient('Amsel'))).id
    const grant = grantOf(`${level}/${vital}`, { account: 'family', patients: [amsel], patient: amsel })
    const writes = Array.from({ length: 20 }, async (__, at) => {
      const { id } = await create(record, grant, heartRate(amsel, at))
      await update(record, grant, { ...heartRate(amsel, at + 1), id })
      return (await record.reader(grant).read('Observation', id)).version
    })
    expect(new Set(await Promise.all(writes))).toEqual(new Set([2]))
  })
})

describe('an index that cannot be read', () => {
  it('keeps nobody from what is theirs, and shows nothing that is hidden', async () => {
    const house = await openTestRecord()
    const amsel = (await create(house.record, all, patient('Amsel'))).id
    const shown = (await create(house.record, all, heartRate(amsel, 60))).id
    const broken = await create(house.record, all, heartRate(amsel, 61))
    const hidden = (await create(house.record, all, potassium(amsel, 4))).id
    const { compartment } = broken.holder
    // No segment was sealed yet, so that the index is made of the entries.
    const { entriesFrom } = house.store
    const store = storeWith(house.store, {
      segments: async () => [],
      entriesFrom: async (...asked) => {
        const entries = await entriesFrom.apply(house.store, asked)
        const isBroken = ({ seq }: { seq: number }) => asked[0] === compartment && seq === 3
        return entries.filter(entry => !isBroken(entry))
      },
    })
    const other = await house.beside({ store })
    const grant = ofPatient(amsel, `patient/${vital}`)
    const reader = other.reader(grant)
    await expect(ids(other, grant, 'Observation', '')).rejects.toMatchObject({ code: 'record.ledger-damaged' })
    expect((await reader.read('Observation', shown)).version).toBe(1)
    expect(await versionsOf(other, grant, shown)).toEqual([1])
    expect((await reader.vread('Observation', shown, '1')).version).toBe(1)
    await expect(reader.read('Observation', hidden)).rejects.toMatchObject(absent)
    await expect(versionsOf(other, grant, hidden)).rejects.toMatchObject(absent)
    await expect(reader.vread('Observation', hidden, '1')).rejects.toMatchObject(absent)
    expect(await remove(other, grant, 'Observation', hidden)).toBeUndefined()
  })
})
