import type { mongo } from 'mongoose'
import { type Clock, type Log, Problem } from '#kernel'
import type { BlobChunk, CompartmentId } from '../contract.ts'
import { idBytes } from '../ids.ts'
import { inOrder } from '../well-formed.ts'
import { toProblem } from './failures.ts'
import { type BlobRow, type ChunkRow, sealedFromDatabase, toBuffer } from './rows.ts'
import type { Transaction, Transactions } from './transactions.ts'

// Chunks written or read at once, about 1 MB; deleted at once, about 16 MB freed.
const chunksAtOnce = 16
const chunksPerDelete = 256

// What nobody has added to for so long was left by a process that died.
const abandonedAfterMs = 10 * 60_000

// Instead of a time, for what has been replaced or dropped.
const abandoned = -1

function interrupted(): Problem {
  return new Problem('conflict', 'store.blob-interrupted', 'The attachment was replaced or removed meanwhile.')
}

/**
 * Attachments. One is written without a name, a few chunks per transaction, and gets its name in the last: so no transaction is open
 * while the source is awaited, and what a crash leaves behind has no name and is swept.
 */
export class Blobs {
  readonly #blobs: mongo.Collection<BlobRow>
  readonly #chunks: mongo.Collection<ChunkRow>
  readonly #transactions: Transactions
  readonly #clock: Clock
  readonly #log: Log
  readonly #newId: () => mongo.ObjectId

  constructor(parts: {
    readonly blobs: mongo.Collection<BlobRow>
    readonly chunks: mongo.Collection<ChunkRow>
    readonly transactions: Transactions
    readonly clock: Clock
    readonly log: Log
    readonly newId: () => mongo.ObjectId
  }) {
    this.#blobs = parts.blobs
    this.#chunks = parts.chunks
    this.#transactions = parts.transactions
    this.#clock = parts.clock
    this.#log = parts.log
    this.#newId = parts.newId
  }

  async put(compartment: CompartmentId, blob: string, chunks: AsyncIterable<BlobChunk>): Promise<void> {
    const row: BlobRow = { _id: this.#newId(), c: idBytes(compartment), k: 0, m: this.#clock.nowMs() }
    await this.#write(async ({ session }) => void (await this.#blobs.insertOne(row, { session })))
    try {
      await this.#writeAll(row, chunks)
      const replaced = await this.#publish(row, blob)
      if (replaced !== undefined) await this.#tidy(replaced)
    } catch (error) {
      await this.#tidy(row)
      throw error
    }
  }

  /** Attachments are no part of a commit, and each is written by one: they need no order. */
  #write<T>(work: (transaction: Transaction) => Promise<T>, already?: () => T): Promise<T | undefined> {
    return this.#transactions.write<T | undefined>({ keys: [], work, already: already ?? (() => undefined) })
  }

  // The caller's success or failure is settled by then; what cannot be removed now is swept later.
  async #tidy(row: BlobRow): Promise<void> {
    try {
      await this.#discard(row)
    } catch (error) {
      this.#log.warn('an abandoned attachment could not be removed', { room: 'store', code: toProblem(error).code })
    }
  }

  async #writeAll(row: BlobRow, chunks: AsyncIterable<BlobChunk>): Promise<void> {
    let gathered: BlobChunk[] = []
    for await (const chunk of inOrder(chunks)) {
      gathered.push(chunk)
      if (gathered.length < chunksAtOnce) continue
      await this.#writeSome(row, gathered)
      gathered = []
    }
    await this.#writeSome(row, gathered)
  }

  async #writeSome({ _id, c }: BlobRow, chunks: readonly BlobChunk[]): Promise<void> {
    const rows = chunks.map(({ index, sealed }) => ({ c, f: _id, i: index, b: toBuffer(sealed) }))
    await this.#write(async ({ session }) => {
      const grown = { $inc: { k: rows.length }, $set: { m: this.#clock.nowMs() } }
      const { matchedCount } = await this.#blobs.updateOne({ c, _id, m: { $ne: abandoned } }, grown, { session })
      if (matchedCount === 0) throw interrupted()
      if (rows.length > 0) await this.#chunks.insertMany(rows, { session })
    })
  }

  /** Gives the attachment its name and takes it from the one that bore it, which is returned. */
  #publish({ _id, c }: BlobRow, name: string): Promise<BlobRow | undefined> {
    return this.#write(async ({ session }) => {
      const leaving = { $unset: { n: '' as const }, $set: { m: abandoned } }
      const replaced = await this.#blobs.findOneAndUpdate({ c, n: name }, leaving, { session })
      const named = await this.#blobs.updateOne({ c, _id, m: { $ne: abandoned } }, { $set: { n: name } }, { session })
      if (named.matchedCount === 0) throw interrupted()
      return replaced ?? undefined
    })
  }

  async *read(compartment: CompartmentId, blob: string): AsyncGenerator<BlobChunk, void, void> {
    const found = await this.#blobs.findOne({ c: idBytes(compartment), n: blob })
    if (found === null) return
    for (let from = 0; from < found.k; from += chunksAtOnce) yield* await this.#readSome(found, from)
  }

  async #readSome({ _id, c, k }: BlobRow, from: number): Promise<BlobChunk[]> {
    const until = Math.min(from + chunksAtOnce, k)
    const rows = await this.#chunks
      .find({ c, f: _id, i: { $gte: from, $lt: until } })
      .sort({ i: 1 })
      .toArray()
    if (rows.length !== until - from) throw interrupted()
    return rows.map(({ i, b }) => ({ index: i, sealed: sealedFromDatabase(b) }))
  }

  async names(compartment: CompartmentId): Promise<string[]> {
    const rows = this.#blobs.find({ c: idBytes(compartment), n: { $exists: true } }, { projection: { n: 1 } })
    return (await rows.toArray()).map(({ n = '' }) => n)
  }

  async drop(compartment: CompartmentId, blob: string): Promise<void> {
    const row = await this.#blobs.findOne({ c: idBytes(compartment), n: blob })
    if (row !== null) await this.#discard(row)
  }

  /** Removes every attachment of a compartment, those that are being written too. */
  async dropAll(compartment: CompartmentId): Promise<void> {
    await this.#discardEach(await this.#blobs.find({ c: idBytes(compartment) }).toArray())
  }

  /** Removes what processes that died have left. @returns how many attachments that were */
  async sweep(): Promise<number> {
    const untilMs = this.#clock.nowMs() - abandonedAfterMs
    const left = await this.#blobs.find({ m: { $lte: untilMs }, n: { $exists: false } }).toArray()
    await this.#discardEach(left)
    return left.length
  }

  async #discardEach(rows: readonly BlobRow[]): Promise<void> {
    for (const row of rows) await this.#discard(row)
  }

  /** From the end, each part by itself: who is cut off goes on. */
  async #discard({ _id, c }: BlobRow): Promise<void> {
    const leaving = { $unset: { n: '' as const }, $set: { m: abandoned } }
    await this.#write(async ({ session }) => void (await this.#blobs.updateOne({ c, _id }, leaving, { session })))
    for (let isLeft = true; isLeft; ) isLeft = await this.#deleteSome(c, _id)
    await this.#blobs.deleteOne({ c, _id })
  }

  /** @returns whether something may be left */
  async #deleteSome(c: Buffer, f: mongo.ObjectId): Promise<boolean> {
    const last = this.#chunks
      .find({ c, f }, { projection: { i: 1 } })
      .sort({ i: -1 })
      .limit(chunksPerDelete)
    const rows = await last.toArray()
    const from = rows.at(-1)?.i
    if (from === undefined) return false
    await this.#chunks.deleteMany({ c, f, i: { $gte: from } })
    return rows.length === chunksPerDelete
  }
}
