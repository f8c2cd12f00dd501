import { AsyncLocalStorage } from 'node:async_hooks'
import { openMemoryStore, type Store } from '#store'
import { grantOf, type House, openHouse } from './house.ts'

const everybody = grantOf('system/*.cruds', { patients: 'all' })

interface Work {
  documents: number
  compartments: number
}

/** What a request has the store do, and not what goes on beside it by itself. */
const asking = new AsyncLocalStorage<Work>()

/** A real store that tells how many documents it has given, and of how many compartments it was asked. */
function counted(store: Store): Store {
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      return async (...given: unknown[]) => {
        const answer: unknown = await value.apply(target, given)
        const work = asking.getStore()
        if (work === undefined) return answer
        if (name === 'documents') work.documents += (answer as readonly unknown[]).length
        if (name === 'heads') work.compartments += (given[0] as readonly unknown[]).length
        return answer
      }
    },
  })
}

async function houseOf(patients: number): Promise<House> {
  const house = await openHouse({ store: counted(openMemoryStore()) })
  for (let at = 0; at < patients; at++) {
    const [id, reference] = [`p${at}`, `Patient/p${at}`]
    const writer = house.record.writer(everybody)
    await writer.transact(async txn => {
      await txn.update('Patient', id, { resourceType: 'Patient', id })
      const code = { text: 'pulse' }
      await txn.create({ resourceType: 'Observation', status: 'final', code, subject: { reference } })
    })
  }
  await house.record.flush()
  return house
}

const asked = [
  ['a search in a compartment', '/Patient/p1/Observation'],
  ['the same of an id that nobody has', '/Patient/none/Observation'],
  ['everything of one', '/Patient/p1/$everything'],
  ['everything of an id that nobody has', '/Patient/none/$everything'],
  ['a search by patient', '/Observation?patient=p1'],
  ['a read', '/Patient/p1'],
] as const

describe('who reaches everybody and asks for one patient', () => {
  it('costs the store the same in a house of four and of sixty', async () => {
    const costs: unknown[][] = []
    for (const patients of [4, 60]) {
      const house = await houseOf(patients)
      const found: unknown[] = []
      for (const [what, path] of asked) {
        // What is remembered from the first time is not what is meant.
        for (let time = 0; time < 2; time++) {
          const work: Work = { documents: 0, compartments: 0 }
          const { status } = await asking.run(work, () => house.ask('GET', path, { grant: everybody }))
          if (time === 1) found.push({ what, status, ...work })
        }
      }
      costs.push(found)
      await house.close()
    }
    expect(costs[1]).toEqual(costs[0])
  })
})
