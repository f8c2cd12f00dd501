/**
 * Writes to a store until it is killed, and says on standard output what has been acknowledged: `writer count`.
 * Each commit puts as many entries as it was told into one compartment, one into another, and counts in a document.
 */
import { writeSync } from 'node:fs'
import { openSqliteStore, type Sealed, type Store } from '#store'

const writers = 6
const [, , path = '', each = ''] = process.argv
const entriesEach = Number(each)
const hex = (letter: string, number: number) => letter + number.toString(16).padStart(31, '0')
const sealed = new Uint8Array(200).fill(7) as Sealed

function entries(compartment: string, head: number, count: number) {
  return Array.from({ length: count }, (_, index) => {
    const seq = head + 1 + index
    // Found by its first digits.
    const locator = seq.toString(16).padStart(8, '0') + compartment.slice(0, 1) + compartment.slice(-23)
    return { compartment, seq, locator, version: 1, sealed }
  })
}

async function write(store: Store, writer: number): Promise<void> {
  const [record, audit] = [hex('a', writer), hex('b', writer)]
  let count = (await store.heads([audit])).get(audit) ?? 0
  for (;;) {
    const result = await store.commit({
      appends: [
        {
          compartment: record,
          expectedHead: count * entriesEach,
          entries: entries(record, count * entriesEach, entriesEach),
        },
        { compartment: audit, expectedHead: count, entries: entries(audit, count, 1) },
      ],
      documents: [{ op: 'put', collection: 'counts', key: hex('c', writer), sealed, ifRevision: count }],
    })
    if (!result.ok) throw new Error('a writer lost a race that nobody else runs')
    count++
    // Synchronous, so that what is acknowledged is known to the other side whenever the kill comes.
    writeSync(1, `${writer} ${count}\n`)
  }
}

const store = await openSqliteStore({ path })
await Promise.all(Array.from({ length: writers }, (_, writer) => write(store, writer)))
