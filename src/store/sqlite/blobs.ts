import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { type Clock, type Log, Problem } from '#kernel'
import type { BlobChunk, CompartmentId } from '../contract.ts'
import { inOrder } from '../well-formed.ts'
import type { Compartments } from './compartments.ts'
import { toProblem } from './failures.ts'
import { sealedFromDatabase } from './row-ids.ts'
import { prepareAll } from './statements.ts'
import type { Transactions } from './transactions.ts'

/** A chunk's row id is its attachment's number and its index in one integer: up to 4 M chunks, i.e. 256 GB. */
export const chunksPerBlob = 2 ** 22

// Chunks written, or deleted, in one transaction: about 1 MB written, 16 MB freed.
const chunksPerWrite = 16
const chunksPerDelete = 256

// What nobody has added to for so long was left by a process that died.
const abandonedAfterMs = 10 * 60_000

// Instead of a time, for what has been replaced or dropped.
const abandoned = -1

const sql = {
  find: 'SELECT number, chunks FROM blobs WHERE compartment = ? AND name = ?',
  stage: 'INSERT INTO blobs (compartment, name, chunks, touched) VALUES (?, NULL, 0, ?)',
  touch: `UPDATE blobs SET chunks = chunks + ?, touched = ? WHERE number = ? AND touched <> ${abandoned}`,
  addChunk: 'INSERT INTO blob_chunks (id, sealed) VALUES (?, ?)',
  chunk: 'SELECT sealed FROM blob_chunks WHERE id = ?',
  name: 'UPDATE blobs SET name = ? WHERE number = ?',
  abandon: `UPDATE blobs SET name = NULL, touched = ${abandoned} WHERE number = ?`,
  abandoned: `SELECT number FROM blobs WHERE name IS NULL AND (touched = ${abandoned} OR touched <= ?)`,
  names: 'SELECT name FROM blobs WHERE compartment = ? AND name IS NOT NULL',
  ofCompartment: 'SELECT number FROM blobs WHERE compartment = ?',
  deleteChunks: `DELETE FROM blob_chunks WHERE id IN (
    SELECT id FROM blob_chunks WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT ${chunksPerDelete})`,
  delete: 'DELETE FROM blobs WHERE number = ?',
} as const

function interrupted(): Problem {
  return new Problem('conflict', 'store.blob-interrupted', 'The attachment was replaced or removed meanwhile.')
}

/**
 * Attachments. One is written under a number without a name, a few chunks per transaction, and gets its name in the last:
 * so no transaction is open while the source is awaited, and what a crash leaves behind has no name and is swept.
 */
export class Blobs {
  readonly #transactions: Transactions
  readonly #compartments: Compartments
  readonly #clock: Clock
  readonly #log: Log
  readonly #statements: Readonly<Record<keyof typeof sql, StatementSync>>

  constructor(
    database: DatabaseSync,
    transactions: Transactions,
    compartments: Compartments,
    { clock, log }: { readonly clock: Clock; readonly log: Log },
  ) {
    this.#log = log
    this.#transactions = transactions
    this.#compartments = compartments
    this.#clock = clock
    this.#statements = prepareAll(database, sql)
  }

  async put(compartment: CompartmentId, blob: string, chunks: AsyncIterable<BlobChunk>): Promise<void> {
    const { result: number, durable } = await this.#transactions.writeUnflushed(() => this.#stage(compartment))
    await durable
    try {
      await this.#writeAll(number, chunks)
      const replaced = await this.#transactions.write(() => this.#publish(number, compartment, blob))
      if (replaced !== undefined) await this.#tidy(replaced)
    } catch (error) {
      await this.#tidy(number)
      throw error
    }
  }

  // The caller's success or failure is settled by then; what cannot be removed now is swept later.
  async #tidy(number: number): Promise<void> {
    try {
      await this.#discard(number)
    } catch (error) {
      this.#log.warn('an abandoned attachment could not be removed', { room: 'store', code: toProblem(error).code })
    }
  }

  #stage(compartment: CompartmentId): number {
    const owner = this.#compartments.numberForWriting(compartment)
    return Number(this.#statements.stage.run(owner, this.#clock.nowMs()).lastInsertRowid)
  }

  async #writeAll(number: number, chunks: AsyncIterable<BlobChunk>): Promise<void> {
    let gathered: BlobChunk[] = []
    for await (const chunk of inOrder(chunks)) {
      gathered.push(chunk)
      if (gathered.length < chunksPerWrite) continue
      await this.#write(number, gathered)
      gathered = []
    }
    await this.#write(number, gathered)
  }

  /** Nobody finds it before it has its name: the flush that its last transaction needs is short if each part has had its own. */
  async #write(number: number, chunks: readonly BlobChunk[]): Promise<void> {
    const { durable } = await this.#transactions.writeUnflushed(() => {
      const touched = this.#statements.touch.run(chunks.length, this.#clock.nowMs(), number)
      if (touched.changes === 0) throw interrupted()
      for (const chunk of chunks) this.#statements.addChunk.run(number * chunksPerBlob + chunk.index, chunk.sealed)
    })
    await durable
  }

  /** Gives the attachment its name and takes it from the one that bore it, whose number is returned. */
  #publish(number: number, compartment: CompartmentId, blob: string): number | undefined {
    const owner = this.#compartments.number(compartment)
    const replaced = owner === undefined ? undefined : this.#statements.find.get(owner, blob)?.number
    if (replaced !== undefined) this.#statements.abandon.run(Number(replaced))
    if (this.#statements.name.run(blob, number).changes === 0) throw interrupted()
    return replaced === undefined ? undefined : Number(replaced)
  }

  async *read(compartment: CompartmentId, blob: string): AsyncGenerator<BlobChunk, void, void> {
    const found = this.#transactions.read(() => this.#find(compartment, blob))
    if (found === undefined) return
    for (let index = 0; index < found.chunks; index++) {
      const row = this.#transactions.read(() => this.#statements.chunk.get(found.number * chunksPerBlob + index))
      if (row === undefined) throw interrupted()
      yield { index, sealed: sealedFromDatabase(row.sealed as Uint8Array) }
    }
  }

  #find(compartment: CompartmentId, blob: string): { number: number; chunks: number } | undefined {
    const owner = this.#compartments.number(compartment)
    const row = owner === undefined ? undefined : this.#statements.find.get(owner, blob)
    return row === undefined ? undefined : { number: row.number as number, chunks: row.chunks as number }
  }

  names(compartment: CompartmentId): string[] {
    const owner = this.#compartments.number(compartment)
    return owner === undefined ? [] : this.#statements.names.all(owner).map(({ name }) => String(name))
  }

  async drop(compartment: CompartmentId, blob: string): Promise<void> {
    const dropped = await this.#transactions.write(() => {
      const found = this.#find(compartment, blob)
      if (found !== undefined) this.#statements.abandon.run(found.number)
      return found
    })
    if (dropped !== undefined) await this.#discard(dropped.number)
  }

  /** Removes every attachment of a compartment, those that are being written too. */
  async dropAll(compartmentNumber: number): Promise<void> {
    await this.#discardEach(this.#transactions.read(() => this.#statements.ofCompartment.all(compartmentNumber)))
  }

  /** Removes what processes that died have left. @returns how many attachments that were */
  async sweep(): Promise<number> {
    const untilMs = this.#clock.nowMs() - abandonedAfterMs
    const left = this.#transactions.read(() => this.#statements.abandoned.all(untilMs))
    await this.#discardEach(left)
    return left.length
  }

  async #discardEach(rows: readonly object[]): Promise<void> {
    for (const row of rows) await this.#discard((row as { number: number }).number)
  }

  async #discard(number: number): Promise<void> {
    await this.#transactions.write(() => this.#statements.abandon.run(number))
    let isLeft = true
    while (isLeft) isLeft = await this.#transactions.write(() => this.#deleteSome(number))
  }

  /** @returns whether something may be left */
  #deleteSome(number: number): boolean {
    const deleted = this.#statements.deleteChunks.run(number * chunksPerBlob, (number + 1) * chunksPerBlob)
    if (Number(deleted.changes) === chunksPerDelete) return true
    this.#statements.delete.run(number)
    return false
  }
}
