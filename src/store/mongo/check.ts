import type { mongo } from 'mongoose'
import { toHex } from '../ids.ts'
import { isMisplaced } from './ledger.ts'
import { type BlobRow, type ChunkRow, type EntryRow, type HeadRow, type PlaceRow, tagOf } from './rows.ts'
import { schemas } from './schema.ts'

/** Tells of faults by collection, number and count: never of content, and never more than a few of a kind. */
const faultsOfAKind = 10
const locatorsAtOnce = 500
/** The entry of each, perhaps of some MB, is read. */
const headsAtOnce = 50

/** What a check looks through. */
export interface CheckedCollections {
  readonly entries: mongo.Collection<EntryRow>
  readonly heads: mongo.Collection<HeadRow>
  readonly places: mongo.Collection<PlaceRow>
  readonly blobs: mongo.Collection<BlobRow>
  readonly chunks: mongo.Collection<ChunkRow>
}

/** Everything that is wrong with the structure of a database, in words that hold no content. */
export async function findFaults(database: mongo.Db, of: CheckedCollections): Promise<string[]> {
  const kinds = [indexFaults(database), seqFaults(of), tagFaults(of), placeFaults(of), blobFaults(of)]
  return (await Promise.all(kinds.map(limited))).flat()
}

async function limited(faults: AsyncGenerator<string>): Promise<string[]> {
  const told: string[] = []
  for await (const fault of faults) {
    if (told.length === faultsOfAKind) break
    told.push(fault)
  }
  return told
}

/** Without its unique indexes a database takes what it must refuse. */
async function* indexFaults(database: mongo.Db): AsyncGenerator<string> {
  for (const [name, schema] of Object.entries(schemas.store)) {
    const there = await database.collection(name).indexes()
    for (const [keys, options] of schema.indexes()) {
      const found = there.find(({ key }) => JSON.stringify(key) === JSON.stringify(keys))
      if (found === undefined || (options.unique === true && found.unique !== true))
        yield `${name}: the index by ${Object.keys(keys).join(', ')} is missing, or is not unique`
    }
  }
}

async function* seqFaults({ entries, heads }: CheckedCollections): AsyncGenerator<string> {
  const counted = new Map<string, { count: number; last: number }>()
  const groups = [{ $group: { _id: '$c', count: { $sum: 1 }, last: { $max: '$s' } } }]
  for await (const { _id, count, last } of entries.aggregate<{ _id: Buffer; count: number; last: number }>(groups))
    counted.set(toHex(_id), { count, last })
  for await (const { _id, n } of heads.find({})) {
    const { count = 0, last = 0 } = counted.get(toHex(_id)) ?? {}
    if (count !== n || last !== n)
      yield `entries: a compartment has ${count} entries, the last ${last}, and the head ${n}`
    counted.delete(toHex(_id))
  }
  if (counted.size > 0) yield `entries: ${counted.size} compartments have entries and no head`
}

/** Who appends behind an entry names its tag: where the head has another one, nobody ever can. */
async function* tagFaults({ entries, heads }: CheckedCollections): AsyncGenerator<string> {
  let page: HeadRow[] = []
  const untagged = async () => {
    const at = page.map(({ _id, n }) => ({ c: _id, s: n }))
    const rows = at.length === 0 ? [] : await entries.find({ $or: at }).toArray()
    const tags = new Map(rows.map(({ c, b }) => [toHex(c), tagOf(b)]))
    return page.filter(({ _id, t }) => t === undefined || tags.get(toHex(_id))?.equals(t) === false).length
  }
  let count = 0
  for await (const head of heads.find({ n: { $gt: 0 } })) {
    page.push(head)
    if (page.length < headsAtOnce) continue
    count += await untagged()
    page = []
  }
  count += await untagged()
  if (count > 0) yield `heads: ${count} have the tag of another entry`
}

async function* placeFaults(of: CheckedCollections): AsyncGenerator<string> {
  let known = 0
  let after: Buffer | undefined
  for (;;) {
    const filter = after === undefined ? {} : { _id: { $gt: after } }
    const places = await of.places.find(filter).sort({ _id: 1 }).limit(locatorsAtOnce).toArray()
    after = places.at(-1)?._id
    if (after === undefined) break
    const rows = await of.entries.find({ l: { $in: places.map(({ _id }) => _id) } }, { projection: { b: 0 } }).toArray()
    known += rows.length
    yield* faultsAmong(places, rows)
  }
  const unplaced = (await of.entries.countDocuments({})) - known
  if (unplaced !== 0) yield `entries: ${unplaced} of resources that have no place`
}

function* faultsAmong(places: readonly PlaceRow[], rows: readonly EntryRow[]): Generator<string> {
  const placeOf = new Map(places.map(place => [toHex(place._id), place]))
  const misplaced = rows.filter(row => isMisplaced(row, placeOf.get(toHex(row.l)))).length
  if (misplaced > 0) yield `places: ${misplaced} entries are not where they are looked for`
  const there = new Set(rows.map(({ l, c, s }) => `${toHex(l)} ${toHex(c)} ${s}`))
  const copies = places.flatMap(({ _id, at }) => at.map(({ c, s }) => `${toHex(_id)} ${toHex(c)} ${s}`))
  const empty = copies.filter(copy => !there.has(copy)).length + places.filter(({ at }) => at.length === 0).length
  if (empty > 0) yield `places: ${empty} point to another entry or to none`
}

async function* blobFaults({ blobs, chunks }: CheckedCollections): AsyncGenerator<string> {
  for await (const { _id, c, k } of blobs.find({ n: { $exists: true } }))
    if ((await chunks.countDocuments({ c, f: _id })) !== k) yield 'blobs: one lacks chunks'
}
