import type { Grant } from '#access'
import { isProblem } from '#kernel'
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
      const txn = new Transaction(
        this.grant,
        { ...this.#rooms, conditions: this.#committer.conditions(), nowMs: () => this.#committer.nowMs() },
        this.#options,
      )
      try {
        const won = await this.#committer.during(txn, async () => {
          result = await work(txn)
          return this.#committer.commit(txn, this.grant)
        })
        if (!won) await txn.takeBack()
        // What was written as it stood made no version, and whoever wrote it knows now that it is so.
        else for (const stored of txn.unchanged) await this.noteShown('read', stored)
        return won
      } catch (error) {
        // Whether a commit that failed in the middle became durable nobody knows; its keys are looked at later.
        if (!isProblem(error, 'fault') && !isProblem(error, 'busy')) await txn.takeBack()
        throw error
      } finally {
        txn.ended()
      }
    })
    return result as T
  }
}
