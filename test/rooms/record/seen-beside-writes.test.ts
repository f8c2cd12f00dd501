/**
 * What one process has acknowledged another one shows, also while that one has writes of its own under way in the same record: they
 * will fail, and until they do nothing that was written elsewhere can be taken in.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Grant } from '#access'
import type { Record, Stored } from '#record'
import { openMemoryKeys, openMemoryStore, openSqliteKeys, openSqliteStore } from '#store'
import { create, everything, heartRate, ids, ofPatient, openTestRecord, patient } from './family.ts'
import { storeWith } from './store-with.ts'

const all = everything()
const folder = mkdtempSync(join(tmpdir(), 'kinhold-seen-beside-writes-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let houses = 0
const stores = {
  memory: async () => [openMemoryStore(), openMemoryKeys()] as const,
  SQLite: async () => {
    const house = houses++
    const path = (name: string) => join(folder, `${house}-${name}.sqlite`)
    return [await openSqliteStore({ path: path('data') }), await openSqliteKeys({ path: path('keys') })] as const
  },
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise(resolve => setImmediate(resolve))
}

/** By an index of each compartment, and by the one over all. */
const cases = (Object.keys(stores) as (keyof typeof stores)[]).flatMap(kind =>
  ([{}, { searchedApart: 0 }] as const).map(rooms => ({ kind, rooms })),
)

describe.each(cases)('beside writes of its own, $kind, $rooms', ({ kind, rooms }) => {
  let here: Record
  let beside: Record
  let who: string
  let closing: () => Promise<unknown>
  /** While it is there commits of the one process wait for it; `reached` is called by each that does. */
  let gate: PromiseWithResolvers<void> | undefined
  let reached = () => {}

  beforeAll(async () => {
    const [store, keys] = await stores[kind]()
    const slow = storeWith(store, {
      commit: async commit => {
        if (gate !== undefined) reached()
        await gate?.promise
        return store.commit(commit)
      },
    })
    const house = await openTestRecord(slow, keys, rooms)
    here = house.record
    beside = await house.beside({ store })
    who = (await create(here, all, patient('Amsel'))).id
    await create(here, all, heartRate(who, 60))
    closing = async () => {
      for (const each of [beside, here, store, keys]) await each.close()
    }
  })
  afterAll(() => closing())

  const granular = () =>
    ofPatient(who, 'patient/Observation.rs?category=vital-signs patient/Observation.rs?code=8867-4')
  const noted = async (grant: Grant, reference: string) => {
    const { items } = await here.reader(grant).history({ type: 'AuditEvent', count: 500 })
    return items.some(({ json }) => json.includes(reference))
  }

  /** Whether this process shows what the other one has made. */
  const asks: Readonly<globalThis.Record<string, (made: Stored) => Promise<boolean>>> = {
    'a search': async ({ id }) => (await ids(here, ofPatient(who), 'Observation', '')).includes(id),
    'a search over everybody': async ({ id }) => (await ids(here, all, 'Observation', '')).includes(id),
    'a history': async ({ id }) =>
      (await here.reader(ofPatient(who)).history({ type: 'Observation', count: 500 })).items.some(
        each => each.id === id,
      ),
    'the audit': ({ id }) => noted(ofPatient(who), `Observation/${id}/_history/1`),
    'a read under scopes of some rows': async ({ id }) =>
      (await here.reader(granular()).read('Observation', id)).id === id,
  }

  it.each(Object.keys(asks))('%s shows what another process was told is written', async name => {
    const ask = asks[name] as (made: Stored) => Promise<boolean>
    await ask(await create(beside, all, heartRate(who, 61)))
    gate = Promise.withResolvers()
    const waits = new Promise<void>(resolve => {
      reached = resolve
    })
    const own = create(here, all, heartRate(who, 62))
    await waits
    const made = await create(beside, all, heartRate(who, 63))
    await turns(3)
    const shown = ask(made)
    await turns(20)
    gate.resolve()
    gate = undefined
    expect(await shown).toBe(true)
    expect((await here.reader(ofPatient(who)).read('Observation', (await own).id)).version).toBe(1)
  })
})
