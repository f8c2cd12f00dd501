import type { mongo } from 'mongoose'
import type { Conflict } from '../conflict.ts'
import type { DocumentWrite, StoredDocument } from '../contract.ts'
import { keyBytes, toHex } from '../ids.ts'
import { documentName } from '../well-formed.ts'
import { type DocumentRow, documentFrom, toBuffer } from './rows.ts'
import { Abandoned, type Transaction } from './transactions.ts'

type Write = mongo.AnyBulkWriteOperation<DocumentRow>

/** How many rows a list of writes must match or make, and remove, when all its conditions hold. */
interface Expected {
  updated: number
  deleted: number
}

/** The documents. None goes by itself: who keeps count of them removes what has expired. */
export class Documents {
  readonly #rows: mongo.Collection<DocumentRow>

  constructor(rows: mongo.Collection<DocumentRow>) {
    this.#rows = rows
  }

  async one(collection: string, key: string, nowMs: number): Promise<StoredDocument | undefined> {
    const row = await this.#rows.findOne({ n: collection, k: keyBytes(key) })
    return row === null || !isAlive(row, nowMs) ? undefined : documentFrom(row)
  }

  async list(collection: string, nowMs: number, group: string | undefined): Promise<StoredDocument[]> {
    const filter = { n: collection, ...(group === undefined ? {} : { g: keyBytes(group) }) }
    const rows = await this.#rows.find(filter).toArray()
    return rows.filter(row => isAlive(row, nowMs)).map(documentFrom)
  }

  collections(): Promise<string[]> {
    return this.#rows.distinct('n', {})
  }

  async every(after: Pick<StoredDocument, 'collection' | 'key'> | undefined, limit: number): Promise<StoredDocument[]> {
    const behind = after && [{ n: { $gt: after.collection } }, { n: after.collection, k: { $gt: keyBytes(after.key) } }]
    const rows = this.#rows
      .find(behind === undefined ? {} : { $or: behind })
      .sort({ n: 1, k: 1 })
      .limit(limit)
    return (await rows.toArray()).map(documentFrom)
  }

  async expired(nowMs: number, limit: number): Promise<StoredDocument[]> {
    const rows = this.#rows.find({ e: { $exists: true, $lte: nowMs } }).limit(limit)
    return (await rows.toArray()).map(documentFrom)
  }

  /** What writes were decided on that is not so any more. */
  async compare(writes: readonly DocumentWrite[], conflict: Conflict, session: mongo.ClientSession): Promise<void> {
    const decided = writes.filter(({ ifRevision }) => ifRevision !== undefined)
    if (decided.length === 0) return
    const named = decided.map(({ collection, key }) => ({ n: collection, k: keyBytes(key) }))
    const rows = await this.#rows.find({ $or: named }, { session, projection: { b: 0 } }).toArray()
    const revisions = new Map(rows.map(row => [documentName({ collection: row.n, key: toHex(row.k) }), row.r]))
    for (const write of decided)
      if (write.ifRevision !== (revisions.get(documentName(write)) ?? 0)) conflict.documents.push(documentName(write))
  }

  /** Puts documents as another store held them. */
  async restore(documents: readonly StoredDocument[], { session, id }: Transaction): Promise<void> {
    if (documents.length === 0) return
    const writes = documents.map(document => {
      const name = { n: document.collection, k: keyBytes(document.key) }
      const replacement = { ...name, r: document.revision, ...fieldsOf(document, id) }
      return { replaceOne: { filter: name, replacement, upsert: true } }
    })
    await this.#rows.bulkWrite(writes, { session })
  }

  /** @throws Abandoned when one of the writes was decided on another revision */
  async write(writes: readonly DocumentWrite[], { session, id }: Transaction): Promise<void> {
    const expected: Expected = { updated: 0, deleted: 0 }
    const sent = withoutRepeats(writes).flatMap(write => writesFor(write, id, expected))
    const whatever = writes.filter(isWhatever)
    if (sent.length > 0) {
      const done = await this.#rows.bulkWrite(sent, { session })
      const asExpected =
        done.matchedCount + done.upsertedCount === expected.updated && done.deletedCount === expected.deleted
      if (!asExpected) throw new Abandoned()
    }
    if (whatever.length > 0)
      await this.#rows.deleteMany(
        { $or: whatever.map(({ collection, key }) => ({ n: collection, k: keyBytes(key) })) },
        { session },
      )
  }
}

/** Whether writes must not share a transaction with others: of what is removed whatever it is nobody counts how much it was. */
export function isAlone(writes: readonly DocumentWrite[]): boolean {
  return writes.some(isWhatever)
}

function isWhatever({ op, ifRevision }: DocumentWrite): boolean {
  return op === 'delete' && ifRevision === undefined
}

/** Commits of one patient all name the same document: what was found to hold holds until it is written in between. */
function withoutRepeats(writes: readonly DocumentWrite[]): readonly DocumentWrite[] {
  const held = new Map<string, number | undefined>()
  return writes.filter(write => {
    const name = documentName(write)
    const isRepeated = write.op === 'check' && held.has(name) && held.get(name) === write.ifRevision
    if (write.op === 'check') held.set(name, write.ifRevision)
    else held.delete(name)
    return !isRepeated
  })
}

const isAlive = ({ e }: DocumentRow, nowMs: number): boolean => e === undefined || nowMs < e

function writesFor(write: DocumentWrite, w: Buffer, expected: Expected): Write[] {
  const name = { n: write.collection, k: keyBytes(write.key) }
  if (write.op !== 'put' && write.ifRevision === 0) return absence(name, w, expected)
  if (write.op === 'delete') return write.ifRevision === undefined ? [] : removal(name, write.ifRevision, expected)
  if (write.op === 'put' && write.ifRevision === 0) return insertion(name, write, w, expected)
  expected.updated++
  const revision = write.ifRevision === undefined ? {} : { r: write.ifRevision }
  const filter = { ...name, ...revision }
  if (write.op === 'check') return [{ updateOne: { filter, update: { $set: { w } } } }]
  return [{ updateOne: { filter, update: replacement(write, w), upsert: write.ifRevision === undefined } }]
}

type Named = Pick<DocumentRow, 'n' | 'k'>
type Put = Extract<DocumentWrite, { op: 'put' }>

/** Nothing is there to be locked: who writes the name in the same moment meets what was there for a moment. */
function absence(name: Named, w: Buffer, expected: Expected): Write[] {
  expected.updated++
  expected.deleted++
  const filter = { ...name, r: 0 }
  return [
    { updateOne: { filter, update: { $set: { b: Buffer.alloc(0), w } }, upsert: true } },
    { deleteOne: { filter } },
  ]
}

function removal(name: Named, r: number, expected: Expected): Write[] {
  expected.deleted++
  return [{ deleteOne: { filter: { ...name, r } } }]
}

/** No row is of revision 0, and one of another is met as a duplicate. As an update it goes with the others in one trip. */
function insertion(name: Named, write: Put, w: Buffer, expected: Expected): Write[] {
  expected.updated++
  return [{ updateOne: { filter: { ...name, r: 0 }, update: { $set: { r: 1, ...fieldsOf(write, w) } }, upsert: true } }]
}

function fieldsOf({ group, expiresAtMs, sealed }: Pick<StoredDocument, 'group' | 'expiresAtMs' | 'sealed'>, w: Buffer) {
  return {
    ...(group === undefined ? {} : { g: keyBytes(group) }),
    ...(expiresAtMs === undefined ? {} : { e: expiresAtMs }),
    b: toBuffer(sealed),
    w,
  }
}

function replacement(write: Put, w: Buffer): mongo.UpdateFilter<DocumentRow> {
  const gone = {
    ...(write.group === undefined ? { g: '' as const } : {}),
    ...(write.expiresAtMs === undefined ? { e: '' as const } : {}),
  }
  const unset = Object.keys(gone).length === 0 ? {} : { $unset: gone }
  return { $set: fieldsOf(write, w), $inc: { r: 1 }, ...unset }
}
