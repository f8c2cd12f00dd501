import type { Grant } from '#access'
import { GrantReader, type ReaderRooms } from '../reading/reader.ts'
import type { Txn, Writer } from '../types.ts'
import type { Committer } from './committer.ts'
import { untilWon } from './race.ts'
import { Transaction } from './transaction.ts'

export class GrantWriter extends GrantReader implements Writer {
  readonly #committer: Committer
  readonly #rooms: ReaderRooms

  constructor(grant: Grant, rooms: ReaderRooms, committer: Committer) {
    super(grant, rooms)
    this.#rooms = rooms
    this.#committer = committer
  }

  async transact<T>(work: (txn: Txn) => Promise<T>): Promise<T> {
    let result: T | undefined
    await untilWon(async () => {
      const txn = new Transaction(this.grant, this.#rooms.reach)
      result = await work(txn)
      return this.#committer.commit(txn, this.grant)
    })
    return result as T
  }
}
