import type { mongo } from 'mongoose'
import type { Conflict } from '../conflict.ts'
import type { Append, CompartmentId, Entry, Locator, Place, VersionPage } from '../contract.ts'
import { idBytes, toHex } from '../ids.ts'
import { pageBytes } from '../page-bytes.ts'
import { type CheckedCommit, checkRestored } from '../well-formed.ts'
import { type EntryRow, entryFrom, type HeadRow, headAfter, type PlaceRow, rowOf, tagOf, toBuffer } from './rows.ts'
import { Abandoned, type Transaction } from './transactions.ts'

/** The entries, their heads, and where the newest of each resource lies. */
export class Ledger {
  readonly #entries: mongo.Collection<EntryRow>
  readonly #heads: mongo.Collection<HeadRow>
  readonly #places: mongo.Collection<PlaceRow>

  constructor(collections: {
    readonly entries: mongo.Collection<EntryRow>
    readonly heads: mongo.Collection<HeadRow>
    readonly places: mongo.Collection<PlaceRow>
  }) {
    this.#entries = collections.entries
    this.#heads = collections.heads
    this.#places = collections.places
  }

  async heads(compartments: readonly CompartmentId[]): Promise<Map<CompartmentId, number>> {
    const heads = new Map(compartments.map(compartment => [compartment, 0]))
    const rows = this.#heads.find({ _id: { $in: compartments.map(idBytes) } }, { projection: { n: 1 } })
    for await (const { _id, n } of rows) heads.set(toHex(_id), n)
    return heads
  }

  async allHeads(): Promise<Map<CompartmentId, number>> {
    const heads = new Map<CompartmentId, number>()
    const rows = this.#heads.find({ n: { $gt: 0 } }, { projection: { n: 1 } })
    for await (const { _id, n } of rows) heads.set(toHex(_id), n)
    return heads
  }

  async places(locators: readonly Locator[]): Promise<Map<Locator, readonly Place[]>> {
    const places = new Map<Locator, readonly Place[]>()
    const rows = this.#places.find({ _id: { $in: locators.map(idBytes) } })
    for await (const row of rows) places.set(toHex(row._id), placesOf(row))
    return places
  }

  /** Both questions at once; only when a write came between them is there a third. */
  async newest(locator: Locator, compartments: readonly CompartmentId[] | undefined): Promise<Entry | undefined> {
    const l = idBytes(locator)
    const [place, guess] = await Promise.all([this.#places.findOne({ _id: l }), this.#last(l, compartments)])
    const copies = place === null ? [] : placesOf(place)
    const copy = copies.find(({ compartment }) => compartments?.includes(compartment) !== false)
    if (copy === undefined) return undefined
    if (guess !== null && copies.some(each => isAt(each, guess))) return entryFrom(guess)
    const row = await this.#entries.findOne({ c: idBytes(copy.compartment), s: copy.seq, l })
    return row === null ? undefined : entryFrom(row)
  }

  #last(l: Buffer, compartments: readonly CompartmentId[] | undefined): Promise<EntryRow | null> {
    const within = compartments === undefined ? {} : { c: { $in: compartments.map(idBytes) } }
    return this.#entries.findOne({ l, ...within }, { sort: { v: -1 } })
  }

  async version(locator: Locator, version: number, compartments: readonly CompartmentId[]): Promise<Entry | undefined> {
    const filter = { l: idBytes(locator), c: { $in: compartments.map(idBytes) }, v: version }
    const row = await this.#entries.findOne(filter)
    return row === null ? undefined : entryFrom(row)
  }

  async versions(
    locator: Locator,
    compartments: readonly CompartmentId[],
    { below, limit }: VersionPage = {},
  ): Promise<Entry[]> {
    const all = { l: idBytes(locator), c: { $in: compartments.map(idBytes) } }
    const filter = below === undefined ? all : { ...all, v: { $lt: below } }
    const rows = await this.#entries
      .find(filter)
      .sort({ v: -1 })
      .limit(limit ?? 0)
      .toArray()
    const last = rows.at(-1)?.v
    if (last === undefined || rows.length !== limit) return rows.map(entryFrom)
    // The page may end between the copies of a version.
    const copies = await this.#entries.find({ ...all, v: last }).toArray()
    return [...rows.filter(({ v }) => v > last), ...copies].map(entryFrom)
  }

  async entriesAt(compartment: CompartmentId, seqs: readonly number[]): Promise<Entry[]> {
    const rows = await this.#entries.find({ c: idBytes(compartment), s: { $in: [...seqs] } }).toArray()
    return rows.map(entryFrom)
  }

  async entriesWithin(
    compartment: CompartmentId,
    seqs: readonly number[],
    mostBytes: number,
  ): Promise<Entry[] | undefined> {
    const found = await fetched(this.#entries.find({ c: idBytes(compartment), s: { $in: [...seqs] } }), mostBytes)
    return found.bytes > mostBytes ? undefined : found.entries
  }

  async entriesFrom(compartment: CompartmentId, fromSeq: number, limit: number): Promise<Entry[]> {
    if (limit <= 0) return []
    const rows = this.#entries
      .find({ c: idBytes(compartment), s: { $gte: fromSeq } })
      .sort({ s: 1 })
      .limit(limit)
    return (await fetched(rows, pageBytes - 1)).entries
  }

  /**
   * Appends what commits hold, one behind the other, if heads and versions are those they were decided on.
   *
   * @throws Abandoned when one of them is not
   */
  async append(commits: readonly CheckedCommit[], { session, id }: Transaction): Promise<void> {
    const appends = commits.flatMap(commit => commit.appends)
    if (appends.length === 0) return
    const heads = await this.#heads.bulkWrite(
      appends.map(append => headWrite(append, id)),
      { session },
    )
    if (heads.matchedCount + heads.upsertedCount !== appends.length) throw new Abandoned()
    const placed = commits.flatMap(({ byLocator }) => [...byLocator]).map(placeWrite)
    if (placed.length === 0) return
    const places = await this.#places.bulkWrite(placed, { session })
    if (places.matchedCount + places.upsertedCount !== placed.length) throw new Abandoned()
    await this.#entries.insertMany(
      appends.flatMap(({ entries }) => entries.map(rowOf)),
      { session },
    )
  }

  /** What a commit was decided on that is not so any more. */
  async compare(commit: CheckedCommit, conflict: Conflict, session: mongo.ClientSession): Promise<void> {
    const compartments = commit.appends.map(({ compartment }) => idBytes(compartment))
    const heads = await this.#heads.find({ _id: { $in: compartments } }, { session }).toArray()
    const byCompartment = new Map(heads.map(head => [toHex(head._id), head]))
    for (const append of commit.appends)
      if (!isHead(append, byCompartment.get(append.compartment))) conflict.heads.push(append.compartment)
    const places = await this.#places
      .find({ _id: { $in: [...commit.byLocator.keys()].map(idBytes) } }, { session })
      .toArray()
    const versions = new Map(places.map(({ _id, v }) => [toHex(_id), v]))
    for (const [locator, entries] of commit.byLocator)
      if (entries[0]?.version !== (versions.get(locator) ?? 0) + 1) conflict.locators.push(locator)
  }

  /** Puts entries as they are, and each where the highest version that is there says. */
  async restore(compartment: CompartmentId, entries: readonly Entry[], transaction: Transaction): Promise<void> {
    const { session, id: w } = transaction
    if (entries.length === 0) return
    const expectedHead = (await this.#heads.findOne({ _id: idBytes(compartment) }, { session }))?.n ?? 0
    checkRestored(compartment, expectedHead, entries)
    const head = await this.#heads.bulkWrite([headWrite({ compartment, expectedHead, entries }, w)], { session })
    if (head.matchedCount + head.upsertedCount === 0) throw new Abandoned()
    await this.#entries.insertMany(entries.map(rowOf), { session })
    const locators = [...new Set(entries.map(({ locator }) => locator))]
    const there = await this.#places.find({ _id: { $in: locators.map(idBytes) } }, { session }).toArray()
    const places = new Map(there.map(place => [toHex(place._id), place]))
    for (const entry of entries) places.set(entry.locator, placedWith(places.get(entry.locator), entry))
    const writes = [...places.values()].map(place => ({
      replaceOne: { filter: { _id: place._id }, replacement: place, upsert: true },
    }))
    await this.#places.bulkWrite(writes, { session, ordered: false })
  }

  async reseal(
    compartment: CompartmentId,
    entries: readonly Pick<Entry, 'seq' | 'sealed'>[],
    transaction: Transaction,
  ) {
    const { session, id: w } = transaction
    if (entries.length === 0) return
    const c = idBytes(compartment)
    const writes = entries.map(({ seq, sealed }) => ({
      updateOne: { filter: { c, s: seq }, update: { $set: { b: toBuffer(sealed) } } },
    }))
    // Who appends meanwhile compares the tag of the entry at the head.
    const head = await this.#heads.findOneAndUpdate({ _id: c }, { $set: { w } }, { session })
    const atHead = entries.find(({ seq }) => seq === head?.n)
    if (atHead !== undefined)
      await this.#heads.updateOne({ _id: c }, { $set: { t: tagOf(atHead.sealed) } }, { session })
    await this.#entries.bulkWrite(writes, { session, ordered: false })
  }

  /**
   * Looks at a range of entries of a compartment.
   *
   * @returns the seqs of those that are not where lookups by locator find them
   */
  async misplaced(
    compartment: CompartmentId,
    { fromSeq, limit }: { readonly fromSeq: number; readonly limit: number },
    session: mongo.ClientSession,
  ): Promise<number[]> {
    const options = { projection: { b: 0 }, session }
    const filter = { c: idBytes(compartment), s: { $gte: fromSeq } }
    const rows = await this.#entries.find(filter, options).sort({ s: 1 }).limit(limit).toArray()
    const places = await this.#places.find({ _id: { $in: rows.map(({ l }) => l) } }, { session }).toArray()
    const placeOf = new Map(places.map(place => [toHex(place._id), place]))
    return rows.filter(row => isMisplaced(row, placeOf.get(toHex(row.l)))).map(({ s }) => s)
  }
}

/** Whether an entry is not the newest where its place says so, or is where it does not. */
export function isMisplaced(row: Omit<EntryRow, 'b'>, place: PlaceRow | undefined): boolean {
  if (place === undefined || place.v < row.v) return true
  const isPlaced = place.at.some(({ c, s }) => s === row.s && c.equals(row.c))
  return isPlaced !== (place.v === row.v)
}

function placesOf({ _id, v, at }: PlaceRow): Place[] {
  return at.map(({ c, s }) => ({ locator: toHex(_id), compartment: toHex(c), seq: s, version: v }))
}

const isAt = (place: Place, row: EntryRow) => place.seq === row.s && place.compartment === toHex(row.c)

function isHead({ expectedHead, headTag }: Append, head: HeadRow | undefined): boolean {
  if ((head?.n ?? 0) !== expectedHead) return false
  return expectedHead === 0 || headTag === undefined || (head?.t?.equals(headTag) ?? false)
}

/** Where the newest version lies when this entry is there as well. */
function placedWith(place: PlaceRow | undefined, { compartment, seq, locator, version: v }: Entry): PlaceRow {
  const copy = { c: idBytes(compartment), s: seq }
  if (place === undefined || place.v < v) return { _id: idBytes(locator), v, at: [copy] }
  return place.v === v ? { ...place, at: [...place.at, copy] } : place
}

function headWrite(append: Append, w: Buffer): mongo.AnyBulkWriteOperation<HeadRow> {
  const { expectedHead: n, headTag } = append
  const tag = n === 0 || headTag === undefined ? {} : { t: toBuffer(headTag) }
  const filter = { _id: idBytes(append.compartment), n, ...tag }
  return { updateOne: { filter, update: { $set: { ...headAfter(append), w } }, upsert: n === 0 } }
}

// The entries come in the order of versions, copies of a version side by side.
function placeWrite([locator, entries]: readonly [Locator, readonly Entry[]]): mongo.AnyBulkWriteOperation<PlaceRow> {
  const before = (entries[0]?.version ?? 1) - 1
  const v = entries.at(-1)?.version ?? 1
  const copies = entries.filter(({ version }) => version === v)
  const at = copies.map(({ compartment, seq }) => ({ c: idBytes(compartment), s: seq }))
  // No row is of version 0, and one of another is met as a duplicate: so all are updates, which go in one trip.
  const filter = { _id: idBytes(locator), v: before }
  return { updateOne: { filter, update: { $set: { v, at } }, upsert: before === 0 } }
}

/** Rows until they have more bytes than that. The database sends some MB of them at a time. */
async function fetched(
  rows: mongo.FindCursor<EntryRow>,
  mostBytes: number,
): Promise<{ readonly entries: Entry[]; readonly bytes: number }> {
  const entries: Entry[] = []
  let bytes = 0
  for await (const row of rows) {
    const entry = entryFrom(row)
    entries.push(entry)
    bytes += entry.sealed.length
    // Leaving the loop closes the cursor.
    if (bytes > mostBytes) break
  }
  return { entries, bytes }
}
