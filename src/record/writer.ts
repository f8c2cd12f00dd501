import { setTimeout as sleep } from 'node:timers/promises'
import type { Grant } from '#access'
import { Problem } from '#kernel'
import type { Committer } from './committer.ts'
import { GrantReader, type ReaderRooms } from './reader.ts'
import { Transaction } from './transaction.ts'
import type { Txn, Writer } from './types.ts'

const mostRuns = 200
/** Lost races after which a writer waits a moment, at random, so that many do not stay in step. */
const patience = 8
const longestWaitMs = 20

export class GrantWriter extends GrantReader implements Writer {
  readonly #committer: Committer
  readonly #rooms: ReaderRooms

  constructor(grant: Grant, rooms: ReaderRooms, committer: Committer) {
    super(grant, rooms)
    this.#rooms = rooms
    this.#committer = committer
  }

  async transact<T>(work: (txn: Txn) => Promise<T>): Promise<T> {
    for (let run = 1; run <= mostRuns; run++) {
      const txn = new Transaction(this.grant, this.#rooms.reach)
      const result = await work(txn)
      if (await this.#committer.commit(txn, this.grant)) return result
      if (run > patience) await sleep(Math.random() * longestWaitMs)
    }
    throw new Problem('busy', 'record.contended', 'Too many writers want the same record at once.', {
      retryAfterSeconds: 1,
    })
  }
}
