import { createHash, type Hash } from 'node:crypto'
import { lengthPrefixed, Problem } from '#kernel'
import type { KeyRows, KeyStore, Store } from '#store'

/** How many rows are read at once. */
export const rowsAtOnce = 500

/** What a side holds, in numbers and in one digest of every sealed byte: of two that are equal nobody can tell one from the other. */
export interface Holdings {
  readonly compartments: number
  readonly entries: number
  readonly documents: number
  readonly blobs: number
  readonly keys: number
  readonly tombstones: number
  readonly notes: number
  readonly digest: string
}

/** Reads everything once, and opens nothing. */
export async function holdingsOf(store: Store, keys: KeyStore, told: (entries: number) => void): Promise<Holdings> {
  const hash = createHash('sha256')
  const heads = [...(await store.allHeads())].sort(([a], [b]) => (a < b ? -1 : 1))
  let [entries, blobs] = [0, 0]
  for (const [compartment, head] of heads) {
    take(hash, 'compartment', compartment, head)
    for (let from = 1; from <= head; ) {
      const page = await store.entriesFrom(compartment, from, rowsAtOnce)
      for (const { seq, locator, version, sealed } of page) take(hash, 'entry', seq, locator, version, sealed)
      from = (page.at(-1)?.seq ?? head) + 1
      told(entries + from - 1)
    }
    entries += head
    blobs += await blobsOf(store, compartment, hash)
  }
  const documents = await documentsOf(store, hash)
  const rows = await keyRowsOf(keys)
  for (const row of linesOf(rows)) take(hash, row)
  const counted = { keys: rows.keys.length, tombstones: rows.tombstones.length, notes: rows.notes.length }
  return { compartments: heads.length, entries, documents, blobs, ...counted, digest: hash.digest('hex') }
}

/** @throws Problem `fault` · `command.migrate-unequal` */
export function compare(before: Holdings, after: Holdings): void {
  const names = Object.keys(before) as (keyof Holdings)[]
  const unequal = names.filter(name => before[name] !== after[name])
  if (unequal.length === 0) return
  throw new Problem(
    'fault',
    'command.migrate-unequal',
    `The copy is not the same: ${unequal.join(', ')}. Do not use it; try again.`,
  )
}

function take(hash: Hash, ...parts: readonly (string | number | Uint8Array)[]): void {
  hash.update(lengthPrefixed(parts.map(part => (typeof part === 'number' ? String(part) : part))))
}

async function blobsOf(store: Store, compartment: string, hash: Hash): Promise<number> {
  const names = (await store.blobNames(compartment)).toSorted()
  for (const name of names) {
    take(hash, 'blob', name)
    for await (const { index, sealed } of store.blob(compartment, name)) take(hash, index, sealed)
  }
  return names.length
}

async function documentsOf(store: Store, hash: Hash): Promise<number> {
  let count = 0
  for await (const page of pagesOfDocuments(store))
    for (const { collection, key, revision, group = '', expiresAtMs = '', sealed } of page) {
      take(hash, 'document', collection, key, revision, group, expiresAtMs, sealed)
      count++
    }
  return count
}

/** All documents, a page at a time. */
export async function* pagesOfDocuments(store: Store) {
  for (let page = await store.everyDocument(undefined, rowsAtOnce); page.length > 0; ) {
    yield page
    page = await store.everyDocument(page.at(-1), rowsAtOnce)
  }
}

/** All rows of a keystore, which is small. */
export async function keyRowsOf(keystore: KeyStore): Promise<KeyRows> {
  const all = {
    keys: [] as KeyRows['keys'][number][],
    tombstones: [] as KeyRows['tombstones'][number][],
    notes: [] as KeyRows['notes'][number][],
  }
  for await (const { keys, tombstones, notes } of keystore.everything()) {
    all.keys.push(...keys)
    all.tombstones.push(...tombstones)
    all.notes.push(...notes)
  }
  return all
}

/** Each row as one text, in an order that no store decides. */
function linesOf({ keys, tombstones, notes }: KeyRows): string[] {
  const hex = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString('hex')
  const lines = [
    ...keys.map(({ owner, kind, version, wrapped, params, mac }) =>
      JSON.stringify(['key', owner, kind, version, hex(wrapped), Object.entries(params).sort(), hex(mac)]),
    ),
    ...tombstones.map(({ owner, atMs, mac }) => JSON.stringify(['tombstone', owner, atMs, hex(mac)])),
    ...notes.map(({ name, value, mac }) => JSON.stringify(['note', name, hex(value), hex(mac)])),
  ]
  return lines.sort()
}
