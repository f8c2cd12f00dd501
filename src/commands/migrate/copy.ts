import { Problem } from '#kernel'
import type { Entry, KeyStore, Store, StoredDocument } from '#store'
import { keyRowsOf, pagesOfDocuments, rowsAtOnce } from './digest.ts'
import type { Side } from './sides.ts'

/** Bytes that are written in one go; a transaction of a database must not grow without bounds. */
const bytesAtOnce = 4 * 1024 * 1024
const keyRowsAtOnce = 500

/**
 * Copies what one side holds to the other, sealed as it is. Who is cut off begins again: what is there already is looked at and left.
 *
 * @param told  how many entries are there by now
 * @throws Problem `conflict` · `command.migrate-foreign` when the other side holds something else
 */
export async function copy(from: Side, to: Side, told: (entries: number) => void): Promise<void> {
  const heads = await from.store.allHeads()
  await checkSame(from.store, to.store, heads)
  await checkSameKeys(from.keys, to.keys)
  let count = 0
  for (const [compartment, head] of heads) {
    await copyEntries(from.store, to.store, compartment, done => told(count + done))
    count += head
    await copyBeside(from.store, to.store, compartment)
  }
  await copyDocuments(from.store, to.store)
  // Last: nobody can start on data without keys, so nobody starts on a copy that is not whole.
  await copyKeys(from.keys, to.keys)
}

/** Whether all that is there came from here: a compartment that is not known, or another entry at its head, did not. */
async function checkSame(from: Store, to: Store, heads: ReadonlyMap<string, number>): Promise<void> {
  const there = await to.allHeads()
  if (there.size === 0 && (await to.collections()).length > 0) throw foreign()
  for (const [compartment, head] of there) {
    if (head > (heads.get(compartment) ?? 0)) throw foreign()
    const [one, other] = await Promise.all([from, to].map(store => store.entriesAt(compartment, [head])))
    if (!isSame(one?.[0], other?.[0])) throw foreign()
  }
}

function isSame(one: Entry | undefined, other: Entry | undefined): boolean {
  return one !== undefined && other !== undefined && Buffer.from(one.sealed).equals(other.sealed)
}

function foreign(): Problem {
  const text =
    'There is something else where this is to be copied to: name an empty place, or the one of a copy that was cut off.'
  return new Problem('conflict', 'command.migrate-foreign', text)
}

async function copyEntries(from: Store, to: Store, compartment: string, told: (done: number) => void): Promise<void> {
  for (let done = (await to.heads([compartment])).get(compartment) ?? 0; ; ) {
    const page = await from.entriesFrom(compartment, done + 1, rowsAtOnce)
    if (page.length === 0) return
    for (const part of parts(page)) {
      await to.restoreEntries(compartment, part)
      done += part.length
      told(done)
    }
  }
}

/** Segments are derived, and cost more to make than to copy. */
async function copyBeside(from: Store, to: Store, compartment: string): Promise<void> {
  for (const segment of await from.segments(compartment)) await to.putSegment(segment)
  const there = new Set(await to.blobNames(compartment))
  for (const name of await from.blobNames(compartment))
    if (!there.has(name)) await to.putBlob(compartment, name, from.blob(compartment, name))
}

/** Written anew each time: what was changed between two attempts is as it is now, and what went is gone. */
async function copyDocuments(from: Store, to: Store): Promise<void> {
  const names = new Set<string>()
  for await (const page of pagesOfDocuments(from)) {
    for (const part of parts(page)) await to.restoreDocuments(part)
    for (const document of page) names.add(nameOf(document))
  }
  for await (const page of pagesOfDocuments(to)) {
    const documents = page.filter(document => !names.has(nameOf(document)))
    if (documents.length === 0) continue
    const gone = documents.map(({ collection, key }) => ({ op: 'delete', collection, key }) as const)
    await to.commit({ appends: [], documents: gone })
  }
}

const nameOf = ({ collection, key }: StoredDocument) => `${collection}/${key}`

async function checkSameKeys(from: KeyStore, to: KeyStore): Promise<void> {
  const known = new Set((await from.all()).map(({ owner, version }) => `${owner} ${version}`))
  if ((await to.all()).some(({ owner, version }) => !known.has(`${owner} ${version}`))) throw foreign()
}

async function copyKeys(from: KeyStore, to: KeyStore): Promise<void> {
  const { keys, tombstones, notes } = await keyRowsOf(from)
  const there = await keyRowsOf(to)
  const dropped = {
    keys: there.keys,
    tombstones: there.tombstones.map(({ owner }) => owner),
    notes: there.notes.map(({ name }) => name),
  }
  await to.change({ dropped })
  for (const put of slices(tombstones)) await to.change({ put: { tombstones: put } })
  for (const put of slices(notes)) await to.change({ put: { notes: put } })
  await to.change({ put: { keys } })
}

function* slices<T>(rows: readonly T[]): Generator<T[]> {
  for (let at = 0; at < rows.length; at += keyRowsAtOnce) yield rows.slice(at, at + keyRowsAtOnce)
}

/** Rows in parts of some MB. */
function* parts<T extends { readonly sealed: Uint8Array }>(rows: readonly T[]): Generator<T[]> {
  let part: T[] = []
  let bytes = 0
  for (const row of rows) {
    part.push(row)
    bytes += row.sealed.length
    if (bytes < bytesAtOnce) continue
    yield part
    part = []
    bytes = 0
  }
  if (part.length > 0) yield part
}
