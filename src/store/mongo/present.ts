import { setTimeout as pause } from 'node:timers/promises'
import type { Connection, mongo } from 'mongoose'
import { unreachableProblem } from './failures.ts'
import { durable } from './transactions.ts'

/** `_id` the opening, `q` how many marks it has made, `at` when it made the last one: it goes by itself a day later. */
export interface MarkRow {
  readonly _id: Buffer
  readonly q: number
  readonly at: Date
}

export const marksName = 'marks'

/** How long it is waited for the log, which is as far as a question within milliseconds, unless a shard is slow. */
const patienceMs = 10_000
const longestPauseMs = 50

/** A token of MongoDB's begins with a time, 82 and eight bytes, in digits that sort as they count. */
const beginning = /^82([0-9a-f]{16})/i

/** How far a log of changes has come by one of its tokens; undefined for a token of another make. */
export function timeOf(token: mongo.ResumeToken): bigint | undefined {
  const time = beginning.exec(String(Reflect.get(Object(token), '_data')))?.[1]
  return time === undefined ? undefined : BigInt(`0x${time}`)
}

/** How far a log of changes has been looked through. */
export interface Reached {
  readonly token: mongo.ResumeToken
  /** The last mark of this opening in it, 0 before the first. */
  readonly mark: number
}

interface Parts {
  readonly connection: Connection
  /** A collection of which each shard of a cluster has a part. */
  readonly rows: mongo.Collection
  readonly marks: mongo.Collection<MarkRow>
  readonly opening: Buffer
}

/**
 * Tells whether a log of changes has been looked through as far as everything that was acknowledged, to whomever, before a question. That
 * nothing came says little: a server may keep back what lies behind a write that is under way, and `mongos` what a shard was slow to tell.
 */
export class Present {
  readonly #parts: Parts
  readonly #log = { tellsTime: true, marks: 0 }

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** What was acknowledged up to now is what `work` is answered with. */
  async ask<T>(work: (question: Question) => Promise<T>): Promise<T> {
    const session = this.#parts.connection.getClient().startSession({ causalConsistency: true })
    try {
      const question = new Question(this.#parts, session, this.#log)
      await question.readTime()
      return await work(question)
    } finally {
      await session.endSession()
    }
  }

  /** Its mark goes with it. */
  async close(): Promise<void> {
    if (this.#log.marks > 0) await this.#parts.marks.deleteOne({ _id: this.#parts.opening }).catch(() => undefined)
  }
}

/** What is known of the log. */
interface Log {
  /** Whether its tokens do, as far as is known. */
  tellsTime: boolean
  /** How many marks this opening has made. */
  marks: number
}

/** The moment of a question. */
export class Question {
  readonly #parts: Parts
  readonly #session: mongo.ClientSession
  readonly #log: Log
  readonly #deadline: number
  #mark: number | undefined
  #asked = 0

  constructor(parts: Parts, session: mongo.ClientSession, log: Log) {
    this.#parts = parts
    this.#session = session
    this.#log = log
    this.#deadline = performance.now() + patienceMs
  }

  /**
   * The session's time is afterwards that of all that was acknowledged before: the servers that acknowledged it were asked. A server that
   * has not come as far as what the session has seen before moves its log on first.
   */
  async readTime(): Promise<void> {
    if (!this.#log.tellsTime) return
    await this.#parts.rows.findOne({}, { projection: { _id: 1 }, session: this.#session })
  }

  /** Whether a mark of this opening is behind the question. */
  isBehind(mark: number): boolean {
    return this.#mark !== undefined && mark >= this.#mark
  }

  /**
   * Asked when the log tells of nothing more. Its own time answers where it has one; else a mark is made, behind which nothing is that
   * was acknowledged before. After a no there may be more in a moment.
   *
   * @throws Problem `busy` · `store.unreachable` when the log does not come as far
   */
  async isAnswered({ token, mark }: Reached): Promise<boolean> {
    if (this.isBehind(mark) || this.#isTime(token)) return true
    if (this.#mark === undefined) await this.#makeMark()
    else await this.#waitAWhile()
    return false
  }

  #isTime(token: mongo.ResumeToken): boolean {
    const [reached, now] = [timeOf(token), this.#session.operationTime]
    this.#log.tellsTime = reached !== undefined
    return reached !== undefined && now !== undefined && reached >= now.toBigInt()
  }

  async #makeMark(): Promise<void> {
    const mark = ++this.#log.marks
    const options = { upsert: true, session: this.#session, writeConcern: durable }
    await this.#parts.marks.replaceOne({ _id: this.#parts.opening }, { q: mark, at: new Date() }, options)
    this.#mark = mark
  }

  async #waitAWhile(): Promise<void> {
    if (performance.now() >= this.#deadline) throw unreachableProblem()
    await pause(Math.min(longestPauseMs, 2 ** this.#asked++))
    await this.readTime()
  }
}
