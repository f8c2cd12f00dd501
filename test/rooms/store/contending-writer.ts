/**
 * Appends entries to a ledger that other processes append to as well, one per commit, and counts them in a document that all of them
 * write, until all have been taken. The store is an SQLite file or a MongoDB.
 */
import { openMongoStore, openSqliteStore, type Sealed, type Store } from '#store'

const [, , place = '', letter = '', count = '100'] = process.argv
const compartment = `a${'0'.repeat(31)}`
const sealed = new Uint8Array(200).fill(7) as Sealed

async function appendOne(store: Store, number: number): Promise<void> {
  const locator = letter + number.toString(16).padStart(31, '0')
  for (;;) {
    const expectedHead = (await store.heads([compartment])).get(compartment) ?? 0
    const entries = [{ compartment, seq: expectedHead + 1, locator, version: 1, sealed }]
    const documents = [{ op: 'put', collection: 'counts', key: 'cc', sealed } as const]
    const result = await store.commit({ appends: [{ compartment, expectedHead, entries }], documents })
    if (result.ok) return
  }
}

const store = place.startsWith('mongodb:')
  ? await openMongoStore({ uri: place })
  : await openSqliteStore({ path: place })
for (let number = 0; number < Number(count); number++) await appendOne(store, number)
await store.close()
