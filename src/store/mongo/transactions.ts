import { setTimeout as pause } from 'node:timers/promises'
import type { Connection, mongo } from 'mongoose'
import { closedProblem } from '../closed.ts'
import {
  busyProblem,
  isConflict,
  isDuplicate,
  isForgotten,
  isTransient,
  isUnreachable,
  toProblem,
  unknownProblem,
} from './failures.ts'
import { InOrder } from './in-order.ts'
import type { CommitRow } from './rows.ts'

/** On the disks of most members before it is acknowledged. */
export const durable = { w: 'majority', j: true, wtimeoutMS: 10_000 } as const

const inTransaction = {
  readConcern: { level: 'snapshot' },
  writeConcern: durable,
  readPreference: 'primary',
} as const

const longestPauseMs = 100

/** Twice as long each time, and never as long as somebody else's: who met once must not meet again. */
async function backOff(attempt: number): Promise<void> {
  await pause(Math.random() * Math.min(longestPauseMs, 2 ** attempt))
}

/** What a transaction may see: its session, which every call in it must name, and the id that its writes leave. */
export interface Transaction {
  readonly session: mongo.ClientSession
  readonly id: Buffer
}

/** Thrown by the work of a transaction that is not to be: nothing of it is written. */
export class Abandoned extends Error {}

/** What one transaction is about. */
export interface Task<T> {
  /** What it touches: tasks with a key in common run in the order in which they came. */
  readonly keys: readonly string[]
  readonly work: (transaction: Transaction) => Promise<T>
  /** The answer when an earlier attempt turns out to have been committed: its own was lost on the way. */
  readonly already: () => T
  /** Asked when the work was abandoned; an answer ends it, undefined means to try again. */
  readonly abandoned?: () => Promise<T | undefined>
  /** Asked when the server has refused an attempt, of which nothing is there for certain: an answer ends it, undefined means to try again. */
  readonly cameToNothing?: () => T | undefined
  /** Since when somebody waits for it, by `performance.now`, if not since now. */
  readonly sinceMs?: number
}

/** Parts of a store that is open. */
export interface TransactionParts {
  readonly connection: Connection
  readonly commits: mongo.Collection<CommitRow>
  /** 8 random bytes of this opening: the beginning of the ids of its transactions. */
  readonly opening: Buffer
  /** Whether this process may still write; it comes in anew when it was taken for dead. */
  readonly ensureOpening: () => Promise<void>
  /** Lets others know of a session in which this process writes. */
  readonly announce: (session: mongo.ClientSession) => Promise<void>
  /** How long a write is tried again before it is refused. */
  readonly waitMs: number
}

/**
 * Write transactions of one opening. Each leaves a row with an id of its own in `commits`, the first thing it writes: so a transaction
 * whose answer was lost can be tried again, and happens once – the second attempt finds the row of the first.
 */
export class Transactions {
  readonly #parts: TransactionParts
  readonly #inOrder = new InOrder()
  #count = 0n
  #closing = false

  constructor(parts: TransactionParts) {
    this.#parts = parts
  }

  checkOpen(): void {
    if (this.#closing) throw closedProblem()
  }

  /** Whether nothing that touches one of these keys is under way. */
  isFree(keys: readonly string[]): boolean {
    return this.#inOrder.isFree(keys)
  }

  /** Resolves when what touches one of these keys now has come to its end. */
  free(keys: readonly string[]): Promise<void> {
    return this.#inOrder.free(keys)
  }

  /**
   * Runs a write transaction that is durable when the promise resolves. The work may run several times; its only effects must be on the
   * database.
   *
   * @throws Problem `busy` · `store.busy` | `store.unreachable` | `store.outcome-unknown`; `fault` · `store.failed` | `store.closed`
   */
  async write<T>(task: Task<T>): Promise<T> {
    this.checkOpen()
    return this.#inOrder.run(task.keys, () => this.#untilDone(task, this.#nextId()))
  }

  #nextId(): Buffer {
    const id = Buffer.alloc(16)
    id.set(this.#parts.opening)
    id.writeBigUInt64BE(this.#count++, 8)
    return id
  }

  async #untilDone<T>(task: Task<T>, id: Buffer): Promise<T> {
    const deadline = (task.sinceMs ?? performance.now()) + this.#parts.waitMs
    let mayBeThere = false
    for (let attempt = 0; ; attempt++) {
      await this.#ensureOpening(mayBeThere)
      const outcome = await this.#attempt(task, id, deadline)
      if ('done' in outcome) return outcome.done
      mayBeThere ||= outcome.mayBeThere
      const end = mayBeThere || isUnreachable(outcome.error) ? undefined : task.cameToNothing?.()
      if (end !== undefined) return end
      if (performance.now() >= deadline || !outcome.again)
        throw mayBeThere ? unknownProblem(outcome.error) : refusalFor(outcome.error)
      await backOff(attempt)
    }
  }

  async #ensureOpening(mayBeThere: boolean): Promise<void> {
    try {
      await this.#parts.ensureOpening()
    } catch (error) {
      throw mayBeThere ? unknownProblem(error) : error
    }
  }

  async #attempt<T>(task: Task<T>, id: Buffer, deadline: number): Promise<Outcome<T>> {
    const session = this.#parts.connection.getClient().startSession()
    try {
      await this.#parts.announce(session)
      session.startTransaction(inTransaction)
      if (!(await this.#leaveMark(session, id))) return { done: task.already() }
      const done = await task.work({ session, id })
      return (await this.#commit(session, deadline)) ?? { done }
    } catch (error) {
      if (!isAbandoned(error)) return { error, again: isTransient(error) || isUnreachable(error), mayBeThere: false }
      await abort(session)
      return await this.#afterAbandoned(task, error)
    } finally {
      await abort(session)
      await session.endSession()
    }
  }

  async #afterAbandoned<T>(task: Task<T>, error: unknown): Promise<Outcome<T>> {
    const done = await task.abandoned?.()
    return done === undefined ? { error, again: true, mayBeThere: false } : { done }
  }

  /** @returns false when an earlier attempt has left it */
  async #leaveMark(session: mongo.ClientSession, id: Buffer): Promise<boolean> {
    try {
      await this.#parts.commits.insertOne({ _id: id, at: new Date() }, { session })
      return true
    } catch (error) {
      if (isDuplicate(error)) return false
      throw error
    }
  }

  /** Undefined when it is committed. The same question may be asked again and again: a transaction is committed once. */
  async #commit(session: mongo.ClientSession, deadline: number): Promise<Outcome<never> | undefined> {
    for (let attempt = 0; ; attempt++) {
      try {
        await session.commitTransaction()
        return undefined
      } catch (error) {
        // The whole is tried again, and finds its row if it was there: a server that was started anew remembers no transaction.
        if (isForgotten(error)) return { error, again: true, mayBeThere: !isConflict(error) }
        if (performance.now() >= deadline) return { error, again: false, mayBeThere: true }
      }
      await backOff(attempt)
    }
  }

  /** Resolves when nothing is under way any more, and takes nothing from now on. */
  async close(): Promise<void> {
    this.#closing = true
    await this.#inOrder.settled()
  }
}

type Outcome<T> =
  | { readonly done: T }
  | { readonly error: unknown; readonly again: boolean; readonly mayBeThere: boolean }

function refusalFor(error: unknown) {
  return isAbandoned(error) ? busyProblem(error) : toProblem(error)
}

/** A row that is there already, or is not there any more, was written by somebody else meanwhile. */
function isAbandoned(error: unknown): boolean {
  return error instanceof Abandoned || isDuplicate(error)
}

/** A transaction that cannot be ended ends by itself, and its session with it. */
async function abort(session: mongo.ClientSession): Promise<void> {
  if (!session.inTransaction()) return
  await session.abortTransaction().catch(() => session.endSession())
}
