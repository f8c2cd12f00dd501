import { type Append, openMemoryStore, type Store } from '#store'
import { create, everything, grantOf, openTestRecord, patient } from './family.ts'
import { storeWith } from './store-with.ts'

const all = everything()
const many = 60

/** A store, and how much was asked of it at the same time; each answer takes a turn. */
function counting(store: Store) {
  const seen = { running: 0, most: 0 }
  const inATurn = async <T>(ask: () => Promise<T>): Promise<T> => {
    seen.most = Math.max(seen.most, ++seen.running)
    await new Promise(resolve => setImmediate(resolve))
    const answer = await ask()
    seen.running--
    return answer
  }
  const counted = storeWith(store, {
    segments: (...asked) => inATurn(() => store.segments(...asked)),
    entriesFrom: (...asked) => inATurn(() => store.entriesFrom(...asked)),
  })
  return { counted, seen }
}

describe('a question that concerns many ledgers', () => {
  it('opens some of them at once, not all', async () => {
    const { counted, seen } = counting(openMemoryStore())
    const first = await openTestRecord(counted)
    const patients: string[] = []
    for (let at = 0; at < many; at++) patients.push((await create(first.record, all, patient(`Amsel${at}`))).id)
    await first.record.flush()
    const record = await first.beside()
    seen.most = 0
    const { items } = await record
      .reader(grantOf('user/*.rs', { account: 'tester', patients }))
      .history({ type: 'AuditEvent', count: 500 })
    expect(items.length).toBeGreaterThanOrEqual(many)
    expect(seen.most).toBeGreaterThan(0)
    expect(seen.most).toBeLessThan(many)
    await record.close()
  })
})

/** A store, and how often it was looked whose an append is, once its commit was durable. */
function watched(store: Store) {
  const seen = { appends: 0, looks: 0 }
  const watchedStore = storeWith(store, {
    commit: async commit => {
      const result = await store.commit(commit)
      for (const append of commit.appends ?? []) watch(append)
      return result
    },
  })
  function watch(append: Append): void {
    const { compartment } = append
    seen.appends++
    Object.defineProperty(append, 'compartment', {
      get: () => {
        seen.looks++
        return compartment
      },
    })
  }
  return { watchedStore, seen }
}

describe('a commit of many ledgers', () => {
  it.each([20, 200])('finds the ledger of each append without looking at all others: %i Patients', async count => {
    const { watchedStore, seen } = watched(openMemoryStore())
    const { record } = await openTestRecord(watchedStore)
    seen.appends = 0
    await record.writer(all).transact(async txn => {
      for (let at = 0; at < count; at++) await txn.create(patient(`Amsel${at}`))
    })
    expect(seen.appends).toBeGreaterThanOrEqual(2 * count)
    expect(seen.looks).toBeGreaterThan(0)
    expect(seen.looks).toBeLessThan(4 * seen.appends)
    await record.close()
  })

  it('is the same for records of access to many', async () => {
    const { watchedStore, seen } = watched(openMemoryStore())
    const { record } = await openTestRecord(watchedStore)
    const patients: string[] = []
    for (let at = 0; at < 100; at++) patients.push((await create(record, all, patient(`Amsel${at}`))).id)
    await record.flush()
    Object.assign(seen, { appends: 0, looks: 0 })
    for (const id of patients) await record.reader(all).read('Patient', id)
    await record.flush()
    expect(seen.appends).toBeGreaterThanOrEqual(100)
    expect(seen.looks).toBeLessThan(4 * seen.appends)
    await record.close()
  })
})
