import { silentLog } from '#kernel'
import { openMemoryStore, type Store } from '#store'
import { PlacesWatch } from '../../../src/record/upkeep/places-watch.ts'
import { create, everything, heartRate, openTestRecord, patient } from './family.ts'
import { storeWith } from './store-with.ts'

const all = everything()
/** What the watch needs of the notes of heads, and where it tells what it found. */
const refused: string[] = []
const notes = {
  checkNoted: async () => undefined,
  refuse: (compartment: string) => void refused.push(compartment),
  allow: () => undefined,
}

/** A store in which the index by name leads to an older version in a compartment, as somebody may have it who writes to the database. */
function misleading(store: Store, misled: string): Store {
  return storeWith(store, { misplaced: async compartment => (compartment === misled ? [1] : []) })
}

async function gone(fill: (create: (resource: object) => Promise<{ id: string }>) => Promise<void>) {
  const { record, store } = await openTestRecord(openMemoryStore())
  await fill(resource => create(record, all, resource as Parameters<typeof create>[2]))
  await record.flush()
  const heads = await store.allHeads()
  const last = [...heads.keys()].at(-1) as string
  let rests = 0
  const pause = async () => void rests++
  const watch = new PlacesWatch({ store: misleading(store, last), log: silentLog, notes, pause })
  refused.length = 0
  watch.begin()
  while (refused.length === 0) await new Promise(resolve => setImmediate(resolve))
  await watch.close()
  await record.close()
  const entries = [...heads.values()].reduce((sum, head) => sum + head, 0)
  return { rests, ledgers: heads.size, entries, last }
}

describe('while all places are gone through because somebody else has written', () => {
  it('short ledgers do not rest one by one, and the last of them is looked at', async () => {
    const { rests, ledgers, entries, last } = await gone(async create => {
      for (let at = 0; at < 100; at++) await create(patient(`Amsel${at}`))
    })
    expect(refused).toEqual([last])
    expect(ledgers).toBeGreaterThan(200)
    expect(rests).toBeGreaterThan(0)
    expect(rests).toBeLessThanOrEqual((25 * ledgers + entries) / 500)
  })

  it('a long one rests after every five hundred entries', async () => {
    const { rests, entries } = await gone(async create => {
      const { id } = await create(patient('Amsel'))
      for (let at = 0; at < 1_200; at++) await create(heartRate(id, 60))
    })
    expect(entries).toBeGreaterThan(1_200)
    expect(rests).toBeGreaterThanOrEqual(2)
  })
})
