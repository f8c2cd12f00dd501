import type { mongo } from 'mongoose'
import type { CompartmentId } from '../contract.ts'
import { idBytes, toHex } from '../ids.ts'
import type { Blobs } from './blobs.ts'
import { type EntryRow, type HeadRow, type PlaceRow, type SegmentRow, tagOf } from './rows.ts'
import type { Transaction, Transactions } from './transactions.ts'

/** Few enough that a transaction ends long before the server ends it (a minute), and that who reads meanwhile hardly notices. */
const entriesPerSlice = 500

/** What a removal works on. */
export interface DropParts {
  readonly transactions: Transactions
  readonly entries: mongo.Collection<EntryRow>
  readonly heads: mongo.Collection<HeadRow>
  readonly places: mongo.Collection<PlaceRow>
  readonly segments: mongo.Collection<SegmentRow>
  readonly blobs: Blobs
}

type Row = Omit<EntryRow, 'b'>

/**
 * Removal of all that a compartment holds. Its key is gone already, so nobody can tell a half-removed compartment from a removed one;
 * therefore it goes in slices from the end, each of which leaves a ledger without gaps. Who is cut off calls again.
 */
export class CompartmentDrop {
  readonly #parts: DropParts

  constructor(parts: DropParts) {
    this.#parts = parts
  }

  async drop(compartment: CompartmentId): Promise<void> {
    const c = idBytes(compartment)
    await this.#parts.segments.deleteMany({ c })
    await this.#parts.blobs.dropAll(compartment)
    for (let isLeft = true; isLeft; ) isLeft = await this.#slice(compartment, c)
  }

  /** @returns whether something may be left */
  async #slice(compartment: CompartmentId, c: Buffer): Promise<boolean> {
    const head = await this.#parts.entries.findOne({ c }, { projection: { s: 1 }, sort: { s: -1 } })
    const left = Math.max((head?.s ?? 0) - entriesPerSlice, 0)
    return this.#parts.transactions.write({
      keys: [compartment],
      work: transaction => this.#sliceIn(c, left, transaction),
      already: () => true,
    })
  }

  async #sliceIn(c: Buffer, left: number, { session, id: w }: Transaction): Promise<boolean> {
    const { entries, heads, segments } = this.#parts
    // First, so that nobody appends meanwhile.
    await heads.updateOne({ _id: c }, { $set: { w } }, { session })
    const filter = { c, s: { $gt: left } }
    const rows: Row[] = await entries.find(filter, { session, projection: { b: 0 } }).toArray()
    await this.#unplace(c, rows, left, session)
    await entries.deleteMany(filter, { session })
    const last = left === 0 ? null : await entries.findOne({ c, s: left }, { session })
    if (last === null) {
      await heads.deleteOne({ _id: c }, { session })
      // What was sealed since the removal began; from now on nobody keeps any.
      await segments.deleteMany({ c }, { session })
    } else await heads.updateOne({ _id: c }, { $set: { n: left, t: tagOf(last.b) } }, { session })
    return last !== null
  }

  /** Copies of the newest version in other compartments stay it. Of what has none, the version before it is the newest again. */
  async #unplace(c: Buffer, rows: readonly Row[], left: number, session: mongo.ClientSession): Promise<void> {
    const { places } = this.#parts
    const locators = [...new Map(rows.map(({ l }) => [toHex(l), l])).values()]
    const placed = await places.find({ _id: { $in: locators } }, { session }).toArray()
    const touched = placed.filter(({ at }) => at.some(copy => isGone(copy, c, left)))
    const emptied = touched.filter(({ at }) => at.every(copy => isGone(copy, c, left)))
    const before = await this.#newestLeft(
      emptied.map(({ _id }) => _id),
      c,
      left,
      session,
    )
    const writes = touched.map(place => {
      const at = place.at.filter(copy => !isGone(copy, c, left))
      return writeFor(
        at.length > 0 ? { ...place, at } : { _id: place._id, v: 0, at: [], ...before.get(toHex(place._id)) },
      )
    })
    if (writes.length > 0) await places.bulkWrite(writes, { session, ordered: false })
  }

  async #newestLeft(locators: readonly Buffer[], c: Buffer, left: number, session: mongo.ClientSession) {
    const newest = new Map<string, { v: number; at: { c: Buffer; s: number }[] }>()
    if (locators.length === 0) return newest
    const kept = { l: { $in: [...locators] }, $or: [{ c: { $ne: c } }, { s: { $lte: left } }] }
    for await (const row of this.#parts.entries.find(kept, { session, projection: { b: 0 } })) {
      const name = toHex(row.l)
      const known = newest.get(name)
      if (known === undefined || known.v < row.v) newest.set(name, { v: row.v, at: [{ c: row.c, s: row.s }] })
      else if (known.v === row.v) known.at.push({ c: row.c, s: row.s })
    }
    return newest
  }
}

const isGone = (copy: { readonly c: Buffer; readonly s: number }, c: Buffer, left: number) =>
  copy.c.equals(c) && copy.s > left

function writeFor({ _id, v, at }: PlaceRow): mongo.AnyBulkWriteOperation<PlaceRow> {
  if (at.length === 0) return { deleteOne: { filter: { _id } } }
  return { updateOne: { filter: { _id }, update: { $set: { v, at } } } }
}
