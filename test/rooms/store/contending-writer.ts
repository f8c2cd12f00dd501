/** Appends 100 entries to a ledger that another process appends to as well, one per commit, until all have been taken. */
import { openSqliteStore, type Sealed, type Store } from '#store'

const [, , path = '', letter = ''] = process.argv
const compartment = `a${'0'.repeat(31)}`
const sealed = new Uint8Array(200).fill(7) as Sealed

async function appendOne(store: Store, number: number): Promise<void> {
  const locator = letter + number.toString(16).padStart(31, '0')
  for (;;) {
    const expectedHead = (await store.heads([compartment])).get(compartment) ?? 0
    const entries = [{ compartment, seq: expectedHead + 1, locator, version: 1, sealed }]
    const result = await store.commit({ appends: [{ compartment, expectedHead, entries }] })
    if (result.ok) return
  }
}

const store = await openSqliteStore({ path })
for (let number = 0; number < 100; number++) await appendOne(store, number)
await store.close()
