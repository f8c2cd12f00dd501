import type { mongo } from 'mongoose'
import { idBytes, toHex } from '../ids.ts'
import { isMisplaced } from './ledger.ts'
import type { AtOneMoment } from './moment.ts'
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

/** Where a check looks. */
interface CheckedDatabase {
  readonly database: mongo.Db
  readonly atOneMoment: AtOneMoment
}

/** Everything that is wrong with the structure of a database, in words that hold no content. What others write meanwhile is no fault. */
export async function findFaults(
  { database, atOneMoment }: CheckedDatabase,
  collections: CheckedCollections,
): Promise<string[]> {
  const of = { ...collections, atOneMoment }
  const kinds = [indexFaults(database), seqFaults(of), tagFaults(of), placeFaults(of), blobFaults(of)]
  return (await Promise.all(kinds.map(limited))).flat()
}

type Checked = CheckedCollections & Pick<CheckedDatabase, 'atOneMoment'>

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

interface Counted {
  readonly count: number
  readonly last: number
}

const none: Counted = { count: 0, last: 0 }

/** Counts are taken while others write: what does not agree is looked at again, by itself and at one moment. */
async function* seqFaults({ entries, heads, atOneMoment }: Checked): AsyncGenerator<string> {
  const counted = new Map<string, Counted>()
  const group = { $group: { _id: '$c', count: { $sum: 1 }, last: { $max: '$s' } } }
  for await (const { _id, count, last } of entries.aggregate<Counted & { _id: Buffer }>([group]))
    counted.set(toHex(_id), { count, last })
  const again = (c: Buffer) =>
    atOneMoment(async session => {
      const [now = none] = await entries.aggregate<Counted>([{ $match: { c } }, group], { session }).toArray()
      return { ...now, head: (await heads.findOne({ _id: c }, { session }))?.n }
    })
  for await (const { _id, n } of heads.find({})) {
    const known = counted.get(toHex(_id)) ?? none
    counted.delete(toHex(_id))
    if (known.count === n && known.last === n) continue
    const { count, last, head = 0 } = await again(_id)
    if (count !== head || last !== head)
      yield `entries: a compartment has ${count} entries, the last ${last}, and the head ${head}`
  }
  let headless = 0
  for (const id of counted.keys()) {
    const { count, head } = await again(idBytes(id))
    if (count > 0 && head === undefined) headless++
  }
  if (headless > 0) yield `entries: ${headless} compartments have entries and no head`
}

/** Who appends behind an entry names its tag: where the head has another one, nobody ever can. */
async function* tagFaults({ entries, heads, atOneMoment }: Checked): AsyncGenerator<string> {
  let after: Buffer | undefined
  let count = 0
  do {
    const filter = { n: { $gt: 0 }, ...(after === undefined ? {} : { _id: { $gt: after } }) }
    const { page, rows } = await atOneMoment(async session => {
      const page = await heads.find(filter, { session }).sort({ _id: 1 }).limit(headsAtOnce).toArray()
      const at = page.map(({ _id, n }) => ({ c: _id, s: n }))
      return { page, rows: at.length === 0 ? [] : await entries.find({ $or: at }, { session }).toArray() }
    })
    after = page.at(-1)?._id
    const tags = new Map(rows.map(({ c, b }) => [toHex(c), tagOf(b)]))
    count += page.filter(({ _id, t }) => t === undefined || tags.get(toHex(_id))?.equals(t) === false).length
  } while (after !== undefined)
  if (count > 0) yield `heads: ${count} have the tag of another entry`
}

async function* placeFaults(of: Checked): AsyncGenerator<string> {
  let after: Buffer | undefined
  let unplaced = 0
  do {
    const from = after
    const page = await of.atOneMoment(session => pageOfPlaces(of, from, session))
    yield* faultsAmong(page)
    unplaced += page.unplaced
    after = page.places.length < locatorsAtOnce ? undefined : page.places.at(-1)?._id
  } while (after !== undefined)
  if (unplaced > 0) yield `entries: ${unplaced} of resources that have no place`
}

interface PageOfPlaces {
  readonly places: readonly PlaceRow[]
  /** The entries of these. */
  readonly rows: readonly Omit<EntryRow, 'b'>[]
  /** How many entries lie between them of resources without a place. */
  readonly unplaced: number
}

/** The places behind a locator, and all entries up to the last of them; up to the end where there are no more. */
async function pageOfPlaces(
  { places: all, entries }: CheckedCollections,
  after: Buffer | undefined,
  session: mongo.ClientSession,
): Promise<PageOfPlaces> {
  const behind = after === undefined ? {} : { $gt: after }
  const places = await all
    .find(after === undefined ? {} : { _id: behind }, { session })
    .sort({ _id: 1 })
    .limit(locatorsAtOnce)
    .toArray()
  const until = places.length < locatorsAtOnce ? {} : { $lte: places.at(-1)?._id as Buffer }
  const range = { ...behind, ...until }
  const known = new Set(places.map(({ _id }) => toHex(_id)))
  const rows: Omit<EntryRow, 'b'>[] = []
  let unplaced = 0
  const found = entries.find(Object.keys(range).length === 0 ? {} : { l: range }, { session, projection: { b: 0 } })
  for await (const row of found)
    if (known.has(toHex(row.l))) rows.push(row)
    else unplaced++
  return { places, rows, unplaced }
}

function* faultsAmong({ places, rows }: PageOfPlaces): Generator<string> {
  const placeOf = new Map(places.map(place => [toHex(place._id), place]))
  const misplaced = rows.filter(row => isMisplaced(row, placeOf.get(toHex(row.l)))).length
  if (misplaced > 0) yield `places: ${misplaced} entries are not where they are looked for`
  const there = new Set(rows.map(({ l, c, s }) => `${toHex(l)} ${toHex(c)} ${s}`))
  const copies = places.flatMap(({ _id, at }) => at.map(({ c, s }) => `${toHex(_id)} ${toHex(c)} ${s}`))
  const empty = copies.filter(copy => !there.has(copy)).length + places.filter(({ at }) => at.length === 0).length
  if (empty > 0) yield `places: ${empty} point to another entry or to none`
}

async function* blobFaults({ blobs, chunks, atOneMoment }: Checked): AsyncGenerator<string> {
  const named = { n: { $exists: true } }
  for await (const { _id, c, k } of blobs.find(named)) {
    if ((await chunks.countDocuments({ c, f: _id })) === k) continue
    const lacks = await atOneMoment(async session => {
      const now = await blobs.findOne({ _id, ...named }, { session })
      return now !== null && (await chunks.find({ c, f: _id }, { session }).toArray()).length !== now.k
    })
    if (lacks) yield 'blobs: one lacks chunks'
  }
}
