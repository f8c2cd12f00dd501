import type { Grant } from '#access'
import { GrantReader, type ReaderRooms } from '../reading/reader.ts'
import type { Txn, Writer, WriterOptions } from '../types.ts'
import type { Committer } from './committer.ts'
import { untilWon } from './race.ts'
import { Transaction } from './transaction.ts'

export class GrantWriter extends GrantReader implements Writer {
  readonly #committer: Committer
  readonly #rooms: ReaderRooms
  readonly #options: WriterOptions

  constructor(grant: Grant, rooms: ReaderRooms, committer: Committer, options: WriterOptions = {}) {
    super(grant, rooms)
    this.#rooms = rooms
    this.#committer = committer
    this.#options = options
  }

  async transact<T>(work: (txn: Txn) => Promise<T>): Promise<T> {
    let result: T | undefined
    await untilWon(async () => {
      const txn = new Transaction(this.grant, this.#rooms.reach, this.#options)
      try {
        result = await work(txn)
        return await this.#committer.commit(txn, this.grant)
      } finally {
        txn.ended()
      }
    })
    return result as T
  }
}
