import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'
import { isBusy, toProblem } from './failures.ts'

const longestPauseMs = 50

/**
 * Tries again while another process holds the lock. The waiting is done outside SQLite, so that reads go on meanwhile.
 *
 * @throws Problem `busy` · `store.busy` after `forMs`
 */
export async function untilFree<T>(work: () => T, forMs: number): Promise<T> {
  const deadline = performance.now() + forMs
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    try {
      return work()
    } catch (error) {
      if (!isBusy(error) || performance.now() >= deadline) throw toProblem(error)
    }
    await pause(pauseMs)
  }
}

/**
 * Transactions of one connection. They are synchronous from BEGIN to COMMIT, so two never overlap and no read of this
 * process sees half of one.
 */
export class Transactions {
  readonly #database: DatabaseSync
  readonly #waitMs: number
  readonly #beginWrite: StatementSync
  readonly #beginRead: StatementSync
  readonly #commit: StatementSync
  readonly #rollback: StatementSync

  constructor(database: DatabaseSync, waitMs: number) {
    this.#database = database
    this.#waitMs = waitMs
    this.#beginWrite = database.prepare('BEGIN IMMEDIATE')
    this.#beginRead = database.prepare('BEGIN')
    this.#commit = database.prepare('COMMIT')
    this.#rollback = database.prepare('ROLLBACK')
  }

  /**
   * Runs `work` in a write transaction that is on the disk when the promise resolves.
   * `work` may run again after a lost lock, so its only effects must be on the database.
   */
  write<T>(work: () => T): Promise<T> {
    return untilFree(() => this.#within(this.#beginWrite, work), this.#waitMs)
  }

  /** Runs several reads on one state of the database; also spares them the locking that each would do. */
  read<T>(work: () => T): T {
    return this.#within(this.#beginRead, work)
  }

  #within<T>(begin: StatementSync, work: () => T): T {
    begin.run()
    try {
      const result = work()
      this.#commit.run()
      return result
    } catch (error) {
      // SQLite itself rolls back after some errors, e.g. a full disk.
      if (this.#database.isTransaction) this.#rollback.run()
      throw error
    }
  }
}
