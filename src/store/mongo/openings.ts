import { type Connection, mongo } from 'mongoose'
import type { Log } from '#kernel'
import { busyProblem, isDuplicate, isTransient, toProblem } from './failures.ts'
import { durable } from './transactions.ts'

/** Who has a database open. A process that died stands here until its time is over. */
export interface OpeningRow {
  readonly _id: Buffer
  readonly alone: boolean
  /** When it said last that it is there, by the server's clock. */
  readonly seen: Date
  readonly w?: Buffer
  /** Ids of the sessions in which it writes. */
  readonly sessions?: readonly Buffer[]
}

const keptMs = 10_000
const renewEveryMs = 2_500

/**
 * How long one who died may be in the way of who wants to be alone: standing there, or having died in the door, which the server keeps for
 * what was under way in it. https://www.mongodb.com/docs/manual/reference/parameters/#mongodb-parameter-param.transactionLifetimeLimitSeconds
 */
const deadFor = { barred: keptMs + renewEveryMs, kept: 60_000 + keptMs } as const

/** All who come or want to be alone write this row, so that two of them never pass each other by. */
const door = Buffer.from('door')

/**
 * This process's entry among those that have a database open: others may come beside it, or – when it has come to renew keys – nobody
 * until it leaves. Times are the database's, so that clocks of different machines need not agree.
 */
export class Opening {
  readonly #rows: mongo.Collection<OpeningRow>
  readonly #connection: Connection
  readonly #id: Buffer
  readonly #alone: boolean
  readonly #sessions = new Set<string>()
  #timer: NodeJS.Timeout | undefined
  #seenMs = 0

  constructor(parts: {
    readonly rows: mongo.Collection<OpeningRow>
    readonly connection: Connection
    readonly id: Buffer
    readonly alone: boolean
  }) {
    this.#rows = parts.rows
    this.#connection = parts.connection
    this.#id = parts.id
    this.#alone = parts.alone
  }

  /**
   * Waits for those who are in the way, up to the time that one who died stands there, or keeps the door. However long a look takes, the last
   * one begins when that is over.
   *
   * @throws Problem `busy` · `store.busy`
   */
  async enter(waitMs: number, log: Log): Promise<void> {
    const cameMs = performance.now()
    for (;;) {
      const beganMs = performance.now()
      const found = await this.#tryEnter()
      if (found === 'in') break
      if (beganMs - cameMs >= Math.max(waitMs, this.#alone ? deadFor[found] : 0)) throw busyProblem()
      await new Promise(resolve => setTimeout(resolve, 200))
    }
    this.#sessions.clear()
    const renew = () =>
      this.#renew(log).catch(error =>
        log.warn('the database does not answer', { room: 'store', code: toProblem(error).code }),
      )
    clearInterval(this.#timer)
    this.#timer = setInterval(() => void renew(), renewEveryMs).unref()
    this.#seenMs = performance.now()
  }

  /** Lets the others know in which sessions this process writes, each before it is used: they end what it leaves when it dies. */
  async announce(session: mongo.ClientSession): Promise<void> {
    const id = Buffer.from(session.id?.id.buffer ?? [])
    const name = id.toString('hex')
    if (this.#sessions.has(name)) return
    await this.#rows.updateOne({ _id: this.#id }, { $addToSet: { sessions: id } })
    this.#sessions.add(name)
  }

  /** A process that stood still for so long that others took it for dead must come in anew before it writes. */
  async ensure(waitMs: number, log: Log): Promise<void> {
    if (performance.now() - this.#seenMs > keptMs) await this.enter(waitMs, log)
  }

  async #tryEnter(): Promise<'in' | keyof typeof deadFor> {
    const session = this.#connection.getClient().startSession()
    try {
      session.startTransaction({ readConcern: { level: 'snapshot' }, writeConcern: durable })
      await this.#rows.updateOne({ _id: door }, seenNow({ alone: false, w: this.#id }), { upsert: true, session })
      const now = (await this.#rows.findOne({ _id: door }, { session }))?.seen ?? new Date()
      const living = { _id: { $ne: door }, seen: { $gt: new Date(now.getTime() - keptMs) } }
      const inTheWay = this.#alone ? living : { ...living, alone: true }
      if ((await this.#rows.findOne(inTheWay, { session })) !== null) return 'barred'
      await this.#rows.updateOne({ _id: this.#id }, seenNow({ alone: this.#alone }), { upsert: true, session })
      await session.commitTransaction()
      return 'in'
    } catch (error) {
      if (isTransient(error) || isDuplicate(error)) return 'kept'
      throw toProblem(error)
    } finally {
      await session.endSession()
    }
  }

  async #renew(log: Log): Promise<void> {
    const beganMs = performance.now()
    // Who was taken for dead is not there any more, and does not come back by this.
    if (beganMs - this.#seenMs > keptMs) return
    const renewed = { upsert: true, returnDocument: 'after' } as const
    const row = await this.#rows.findOneAndUpdate({ _id: this.#id }, seenNow({ alone: this.#alone }), renewed)
    this.#seenMs = beganMs
    if (row !== null) await this.#endTheDead(row.seen, log)
  }

  /** What they had in hand would be kept from everybody until the server gives it up, a minute later. */
  async #endTheDead(now: Date, log: Log): Promise<void> {
    const dead = { _id: { $nin: [door, this.#id] }, seen: { $lt: new Date(now.getTime() - keptMs) } }
    for await (const { _id, seen, sessions = [] } of this.#rows.find(dead)) {
      await this.#endSessions(sessions).catch(error =>
        log.warn('what a process that died had in hand is kept until the database gives it up', {
          room: 'store',
          code: toProblem(error).code,
        }),
      )
      await this.#rows.deleteOne({ _id, seen })
    }
  }

  async #endSessions(sessions: readonly Buffer[]): Promise<void> {
    if (sessions.length === 0) return
    const ids = sessions.map(id => ({ id: new mongo.Binary(id, mongo.Binary.SUBTYPE_UUID) }))
    await this.#connection.getClient().db('admin').command({ killSessions: ids })
  }

  async leave(log: Log): Promise<void> {
    clearInterval(this.#timer)
    try {
      await this.#rows.deleteOne({ _id: this.#id })
    } catch (error) {
      // Its time is over soon anyway.
      log.warn('the database was left without a word', { room: 'store', code: toProblem(error).code })
    }
  }
}

function seenNow(set: object): mongo.UpdateFilter<OpeningRow> {
  return { $set: set, $currentDate: { seen: true } }
}
