import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'
import { busyProblem, isBusy, isFlushFailure, toProblem } from './failures.ts'
import type { LogFlush } from './log-flush.ts'

const longestPauseMs = 50

// A caller that never leaves its turn must not hold an old state, and with it the log, for longer.
const longestReadMs = 5

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

/** What was written without a flush of its own. */
export interface Unflushed<T> {
  readonly result: T
  readonly durable: Promise<void>
}

/** SQLite makes the copy in memory. What is left in a larger file was sealed with a key that is gone. */
const largestRewritten = 256 * 1024 * 1024

/**
 * Transactions of one connection. Those that write are synchronous from BEGIN to COMMIT, so two never overlap and no read
 * of this process sees half of one. Those that read are shared by all reads of a turn of the event loop, because beginning
 * and ending one costs as much as the lookup itself.
 */
export class Transactions {
  readonly #database: DatabaseSync
  readonly #waitMs: number
  readonly #beginImmediate: StatementSync
  readonly #begin: StatementSync
  readonly #commit: StatementSync
  readonly #rollback: StatementSync
  readonly #endReadLater = () => this.#endRead()
  #isReading = false
  #readSinceMs = 0
  #turn = 0
  /** While another connection of this process writes. */
  #elsewhere: Promise<unknown> | undefined
  readonly #log: LogFlush | undefined
  /** A flush has failed: parts of the log may be lost though nobody will say so again, and with them what is written behind them. */
  #mayLack = false

  /** @param log  where commits may be flushed outside the event loop */
  constructor(database: DatabaseSync, waitMs: number, log?: LogFlush) {
    this.#database = database
    this.#waitMs = waitMs
    this.#log = log
    this.#beginImmediate = database.prepare('BEGIN IMMEDIATE')
    this.#begin = database.prepare('BEGIN')
    this.#commit = database.prepare('COMMIT')
    this.#rollback = database.prepare('ROLLBACK')
  }

  /**
   * Runs `work` in a write transaction that is on the disk when the promise resolves.
   * `work` may run again after a lost lock, so its only effects must be on the database.
   */
  write<T>(work: () => T): Promise<T> {
    return this.#alone(() => this.#writeNow(work))
  }

  /**
   * As `write`, but the event loop does not stand still for the flush of the disk, and everybody sees at once what was written. For what
   * nobody waits for, and may be lost in a power cut although somebody has seen it.
   *
   * @returns what came of it, and what resolves when it is on the disk
   */
  async writeUnflushed<T>(work: () => T): Promise<Unflushed<T>> {
    const result = await this.#alone(() => this.#withoutFlush(work))
    return { result, durable: this.durable() }
  }

  #withoutFlush<T>(work: () => T): T {
    if (this.#log === undefined) return this.#writeNow(work)
    this.#endRead()
    this.#database.exec('PRAGMA synchronous = NORMAL')
    try {
      return this.#writeNow(work)
    } finally {
      this.#database.exec('PRAGMA synchronous = FULL')
    }
  }

  /** Resolves when all that can be read is on the disk, whoever has written it. */
  async durable(): Promise<void> {
    try {
      await this.#log?.now()
    } catch {
      // The pages that could not be written count as written from now on, and a second flush would say that all is well.
      this.#mayLack = true
    }
    // What they hold is moved into the file instead, also for those whose own flush has ended well behind such a gap.
    if (this.#mayLack) await this.emptyLog()
  }

  /**
   * Runs `work`, which writes by another connection. Writes by this one wait for it outside SQLite, which would stop the event loop;
   * reads see what it has written as soon as the promise resolves.
   */
  async elsewhere<T>(work: () => Promise<T>): Promise<T> {
    // The other connection need not know of a flush that failed.
    while (this.#elsewhere !== undefined || this.#mayLack) await (this.#elsewhere ?? this.emptyLog())
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#elsewhere = promise
    try {
      return await work()
    } finally {
      this.#endRead()
      this.#elsewhere = undefined
      resolve()
    }
  }

  /** Does what needs the lock that only one connection has, once it can be had. */
  async #alone<T>(work: () => T): Promise<T> {
    while (this.#elsewhere !== undefined) await this.#elsewhere
    return untilFree(() => {
      if (this.#elsewhere !== undefined) throw busyProblem()
      return work()
    }, this.#waitMs)
  }

  #writeNow<T>(work: () => T): T {
    this.#endRead()
    if (this.#mayLack) this.#emptyLogNow()
    this.#beginImmediate.run()
    try {
      const result = work()
      this.#commit.run()
      return result
    } catch (error) {
      this.#mayLack ||= isFlushFailure(error)
      // SQLite itself rolls back after some errors, e.g. a full disk.
      if (this.#database.isTransaction) this.#rollback.run()
      throw error
    }
  }

  /**
   * Runs reads on one state of the database, the one this turn of the event loop began with or a later one of our own.
   * What came in before the turn began, e.g. a request, came after whatever others had committed by then. `work` is told
   * the number of the turn: reads with the same number see the same.
   */
  read<T>(work: (turn: number) => T): T {
    try {
      this.#beginRead()
      return work(this.#turn)
    } catch (error) {
      throw toProblem(error)
    }
  }

  /** The same on a state that no earlier read of this turn has seen. */
  anew<T>(work: (turn: number) => T): T {
    this.#endRead()
    return this.read(work)
  }

  #beginRead(): void {
    const nowMs = performance.now()
    if (this.#isReading && nowMs - this.#readSinceMs < longestReadMs) return
    if (this.#isReading) this.#endRead()
    else setImmediate(this.#endReadLater)
    this.#begin.run()
    this.#isReading = true
    this.#turn++
    this.#readSinceMs = nowMs
  }

  #endRead(): void {
    if (this.#isReading && this.#database.isTransaction) this.#rollback.run()
    this.#isReading = false
  }

  /**
   * Moves all of the write-ahead log into the file and empties it, so that nothing deleted lingers there.
   *
   * @throws Problem `busy` · `store.busy` when a reader or writer in another process stays in the way
   */
  emptyLog(): Promise<void> {
    return this.#alone(() => this.#emptyLogNow())
  }

  #emptyLogNow(): void {
    this.#endRead()
    const outcome = this.#database.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()
    if (outcome?.busy !== 0) throw busyProblem()
    this.#mayLack = false
  }

  /**
   * Leaves nothing of what was deleted: SQLite overwrites rows that are deleted, but not the places that rows left when pages
   * were split, so a file that is not too large is written anew. Then the log is emptied.
   *
   * @throws Problem `busy` · `store.busy` when a reader or writer in another process stays in the way
   */
  async scrub(): Promise<void> {
    try {
      await this.#alone(() => {
        this.#endRead()
        if (this.#sizeBytes() <= largestRewritten) this.#database.exec('VACUUM')
      })
    } finally {
      await this.emptyLog()
    }
  }

  #sizeBytes(): number {
    const row = this.#database
      .prepare('SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size')
      .get()
    return Number(row?.bytes)
  }

  /** Closes; the last process to close a file also empties and removes its log. Closing twice is harmless. */
  async close(): Promise<void> {
    if (!this.#database.isOpen) return
    try {
      await this.#log?.close()
    } finally {
      if (this.#database.isOpen) {
        this.#endRead()
        this.#database.close()
      }
    }
  }
}
