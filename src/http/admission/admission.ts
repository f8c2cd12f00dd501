import { Problem } from '#kernel'
import { FairQueue, type Waiter } from './fair-queue.ts'
import { type HoldingLimits, Holdings, holdingLimits } from './holdings.ts'
import { burstMs, type Lane, type LaneRow, type LaneTable, laneTable, movesMs } from './lanes.ts'
import { LoopWatch } from './loop-watch.ts'
import { carried, Presence } from './presence.ts'

/** In one turn of the event loop work begins for this long, then whoever has just arrived is heard. */
const sliceMs = 4
/** Those who cannot wait are told so after this long: a client that asks again at once would else fill the time of others. */
const refusalAfterMs = 50
const sweepEveryMs = 25
/** Beyond so many who wait to be refused, refusals are told at once. */
const mostParked = 4096

/** A place that was had, to be given back. */
export interface Place {
  readonly lane: Lane
  readonly caller: string
  readonly units: number
}

interface Parked {
  readonly dueMs: number
  resolve(): void
}

/**
 * Whether a request may go on, waits, or is refused: by its kind of work, and fairly between callers. While nobody waits this
 * costs a few comparisons.
 */
export class Admission {
  readonly #queues: ReadonlyMap<Lane, FairQueue>
  /** What of bodies and answers is in memory. */
  readonly holdings: Holdings
  readonly #loop = new LoopWatch()
  readonly #presence = new Presence()
  #parked: Parked[] = []
  /** When work first began in this turn of the event loop. */
  #turnSinceMs: number | undefined
  #sweeping: NodeJS.Timeout | undefined
  #isClosing = false

  constructor(table: LaneTable = laneTable, held: HoldingLimits = holdingLimits) {
    this.holdings = new Holdings(held)
    this.#queues = new Map(Object.entries(table).map(([lane, row]) => [lane as Lane, new FairQueue(row)]))
  }

  /** The queues, to look at. */
  get queues(): ReadonlyMap<Lane, Pick<FairQueue, 'waiting' | 'running'>> {
    return this.#queues
  }

  /**
   * The server closes: what has begun is done, whoever waits is told at once to come again, and nothing more begins.
   *
   * @throws Problem `busy` · `request.closing`, to all who wait and to whoever comes
   */
  close(): void {
    this.#isClosing = true
    for (const queue of this.#queues.values())
      for (const waiter of queue.takeOverdue(Number.POSITIVE_INFINITY)) waiter.refuse()
    for (const { resolve } of this.#parked.splice(0)) resolve()
  }

  row(lane: Lane): LaneRow {
    return this.#queue(lane).row
  }

  /**
   * Undefined where work may begin at once; else a promise that resolves when it may. Whoever got in calls `leave`.
   *
   * @param signal  ends the waiting: whoever asked has gone
   * @throws Problem `busy` · `request.queue-full`, `request.closing`, in the promise alone
   */
  enter({ lane, caller, units }: Place, nowMs: number, signal?: () => AbortSignal): Promise<void> | undefined {
    const queue = this.#queue(lane)
    if (this.#isClosing || this.#isOverloadedFor(caller)) return this.#refuse(nowMs)
    if (this.#hasTime(nowMs) && queue.tryBegin(caller, units, this.#atOnce(queue))) {
      this.#presence.come(caller)
      return undefined
    }
    if (!queue.hasRoom(caller, this.#limitOf(queue, nowMs))) return this.#refuse(nowMs)
    const gone = signal?.()
    return gone?.aborted === true ? this.#refuse(nowMs) : this.#wait(queue, { caller, units }, nowMs, gone)
  }

  /** Undefined where there is room for one more, else a promise that rejects: asked before a body is read for nothing. */
  check(lane: Lane, caller: string, nowMs: number): Promise<void> | undefined {
    const queue = this.#queue(lane)
    if (this.#isClosing || this.#isOverloadedFor(caller)) return this.#refuse(nowMs)
    return queue.waiting === 0 || queue.hasRoom(caller, this.#limitOf(queue, nowMs)) ? undefined : this.#refuse(nowMs)
  }

  /** Work has ended, however it did. */
  leave({ lane, caller, units }: Place): void {
    const queue = this.#queue(lane)
    this.#presence.go(caller)
    queue.end(caller, units)
    if (queue.waiting > 0) this.#begin(queue)
  }

  /** The little while after which somebody is refused who arrived at `nowMs`. */
  pause(nowMs: number): Promise<void> | undefined {
    if (this.#isClosing || this.#parked.length >= mostParked) return undefined
    this.#sweep()
    return new Promise(resolve => {
      this.#parked.push({ dueMs: nowMs + refusalAfterMs, resolve })
    })
  }

  async #refuse(nowMs: number): Promise<never> {
    await this.pause(nowMs)
    throw this.#refusal()
  }

  #refusal(): Problem {
    return this.#isClosing ? closing() : queueFull()
  }

  #queue(lane: Lane): FairQueue {
    return this.#queues.get(lane) as FairQueue
  }

  /** Whether there is no time left for anything, and this caller has had a share of what can be done. */
  #isOverloadedFor(caller: string): boolean {
    return this.#loop.isBusy && !this.#presence.hasRoom(caller)
  }

  /**
   * How many may wait: many in a burst; once the queue stands, or there is no time left for anything, as many as are carried while it
   * moves, and few where it does not.
   */
  #limitOf(queue: FairQueue, nowMs: number): number {
    const { row, standsSinceMs } = queue
    const stands = nowMs - (standsSinceMs ?? nowMs) > burstMs
    if (!stands && !this.#loop.isBusy) return row.waiting
    const moves = nowMs - queue.oldestSinceMs(nowMs) <= movesMs
    return moves ? Math.min(row.waiting, Math.max(row.standing, carried)) : row.standing
  }

  #atOnce({ row }: FairQueue): number {
    return row.heavy && this.#loop.isLate ? 1 : row.atOnce
  }

  #wait(
    queue: FairQueue,
    { caller, units }: Pick<Place, 'caller' | 'units'>,
    sinceMs: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    this.#sweep()
    this.#presence.come(caller)
    return new Promise((resolve, reject) => {
      let waits = true
      const refuse = () => {
        if (!waits) return
        waits = false
        this.#presence.go(caller)
        reject(this.#refusal())
      }
      const begin = () => {
        waits = false
        resolve()
      }
      const waiter: Waiter = { units, sinceMs, begin, refuse }
      queue.wait(caller, waiter)
      signal?.addEventListener('abort', () => {
        queue.leave(caller, waiter)
        waiter.refuse()
      })
      // Those before may be waiting for a place of their own, while there is one for this caller.
      this.#begin(queue)
    })
  }

  /** Whether more may begin in this turn. */
  #hasTime(nowMs: number): boolean {
    if (this.#turnSinceMs !== undefined) return nowMs - this.#turnSinceMs < sliceMs
    this.#turnSinceMs = nowMs
    setImmediate(this.#nextTurn)
    return true
  }

  readonly #nextTurn = () => {
    this.#turnSinceMs = undefined
    for (const queue of this.#queues.values()) if (queue.waiting > 0) this.#begin(queue)
  }

  #begin(queue: FairQueue): void {
    while (this.#hasTime(performance.now())) {
      const waiter = queue.next(this.#atOnce(queue))
      if (waiter === undefined) return
      waiter.begin()
    }
  }

  /** Looks after those who wait, as long as somebody does. */
  #sweep(): void {
    this.#sweeping ??= setInterval(() => {
      const nowMs = performance.now()
      const parked = this.#parked
      this.#parked = parked.filter(({ dueMs }) => dueMs > nowMs)
      for (const { dueMs, resolve } of parked) if (dueMs <= nowMs) resolve()
      let waiting = this.#parked.length
      for (const queue of this.#queues.values()) {
        for (const waiter of queue.takeOverdue(nowMs - queue.row.patienceMs)) waiter.refuse()
        if (queue.waiting > 0) this.#begin(queue)
        waiting += queue.waiting
      }
      if (waiting > 0) return
      clearInterval(this.#sweeping)
      this.#sweeping = undefined
    }, sweepEveryMs)
  }
}

/** By then another process answers under the address, or this one again. */
const awayForSeconds = 5

function closing(): Problem {
  const text = 'The server is closing. Nothing was done; please ask again in a moment.'
  return new Problem('busy', 'request.closing', text, { retryAfterSeconds: awayForSeconds })
}

/** Those who were refused together should not come back together. */
function queueFull(): Problem {
  const text = 'The server has more to do than it can at the moment. Nothing was done; please ask again a little later.'
  return new Problem('busy', 'request.queue-full', text, { retryAfterSeconds: 1 + Math.floor(Math.random() * 3) })
}
