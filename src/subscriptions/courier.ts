import { isProblem, type Log, withBudget } from '#kernel'
import { Outrun } from './keeping.ts'
import { type Kept, makerOf, waiting } from './state.ts'
import { type Run, Tending, type TendingRooms } from './tending.ts'

/** What brings notifications to where they are to go. */
export interface CourierRooms extends TendingRooms {
  readonly log: Log
}

/** How often it is asked whether the access still stands, where nothing moves. */
export const checkEveryMs = 60_000
/** Subscriptions of one maker that are worked on at once: whose endpoints are slow must not keep others waiting. */
const mostOfOneAtOnce = 4
/** How long is waited after trouble of the server's own; twice as long each time. */
const rest = { firstMs: 1_000, mostMs: 60_000 }

/** A Subscription and when it is looked after. */
interface Charge extends Run {
  isBusy: boolean
  /** Whether something has moved since it was last looked after. */
  isOwed: boolean
  /** How often in a row it could not be gone on with, by no fault of its endpoint. */
  troubles: number
  restsUntilMs: number
}

/**
 * Looks for events and brings them, one Subscription beside the other, each in its order. One process of a server does so; where several
 * servers share a house, whoever claims a delivery makes it.
 */
export class Courier {
  readonly #rooms: CourierRooms
  readonly #charges = new Map<string, Charge>()
  readonly #ending = new AbortController()
  readonly #tending: Tending
  readonly #troubles = { troubles: 0, restsUntilMs: 0 }
  #mark: string | undefined

  constructor(rooms: CourierRooms) {
    this.#rooms = rooms
    this.#tending = new Tending(rooms, this.#ending.signal)
  }

  /** Does what is to be done now, and resolves when that is done. */
  async round(): Promise<void> {
    if (this.#rooms.clock.nowMs() < this.#troubles.restsUntilMs) return
    try {
      await this.#doNow()
      this.#troubles.troubles = 0
    } catch (error) {
      this.#note(error, this.#troubles)
    }
  }

  async #doNow(): Promise<void> {
    const mark = await this.#movedTo()
    if (mark !== undefined) {
      await this.#readAll()
      // Only now: what could not be read is read by the next round.
      this.#mark = mark
    }
    const due = [...this.#charges.values()].filter(charge => this.#isDue(charge))
    await Promise.all(Array.from(Map.groupBy(due, makerIn), ([maker, charges]) => this.#ofMaker(maker, charges)))
  }

  /** A few at once, of all rounds together; what finds no room is due in the next one. */
  async #ofMaker(maker: string, due: Charge[]): Promise<void> {
    const busy = [...this.#charges.values()].filter(charge => charge.isBusy && makerIn(charge) === maker).length
    const lanes = Array.from({ length: Math.max(0, mostOfOneAtOnce - busy) }, async () => {
      for (let charge = due.shift(); charge !== undefined; charge = due.shift())
        if (!charge.isBusy) await this.#work(charge)
    })
    await Promise.all(lanes)
  }

  /** Waits for what is under way, which is told to make an end. */
  async close(): Promise<void> {
    this.#ending.abort()
    while ([...this.#charges.values()].some(({ isBusy }) => isBusy))
      await new Promise(resolve => setTimeout(resolve, 5))
  }

  /** Up to where something has moved; undefined when nothing has. */
  async #movedTo(): Promise<string | undefined> {
    const before = this.#mark
    let moved = await this.#rooms.record.moved(before)
    let count = moved.heads.size
    for (; moved.more; count += moved.heads.size) moved = await this.#rooms.record.moved(moved.mark)
    return before === undefined || count > 0 ? moved.mark : undefined
  }

  async #readAll(): Promise<void> {
    const all = await this.#rooms.states.all()
    const there = new Set(all.map(({ state }) => state.id))
    for (const id of this.#charges.keys()) if (!there.has(id)) this.#charges.delete(id)
    for (const kept of all)
      if (!this.#charges.has(kept.state.id)) this.#charges.set(kept.state.id, this.#chargeOf(kept))
    for (const charge of this.#charges.values()) charge.isOwed = true
  }

  #chargeOf(kept: Kept): Charge {
    const lastContactMs = this.#rooms.clock.nowMs()
    const run = { kept, position: kept.state.position, looked: 0, lastContactMs, checkedAtMs: 0 }
    return { ...run, isBusy: false, isOwed: true, troubles: 0, restsUntilMs: 0 }
  }

  #isDue(charge: Charge): boolean {
    const nowMs = this.#rooms.clock.nowMs()
    if (charge.isBusy || nowMs < charge.restsUntilMs) return false
    return charge.isOwed || nowMs >= this.#dueAt(charge)
  }

  /** When it is to be looked after where nothing moves. */
  #dueAt({ kept: { state }, lastContactMs, checkedAtMs }: Charge): number {
    if (state.status === 'off') return Number.POSITIVE_INFINITY
    const { heartbeatSeconds = Number.POSITIVE_INFINITY, endMs = Number.POSITIVE_INFINITY } = state.wanted
    const isWaiting = state.status === 'requested' || state.failures > 0 || waiting(state).length > 0
    const sendsAtMs = isWaiting ? 0 : lastContactMs + heartbeatSeconds * 1000
    const maySendAtMs = Math.max(state.retryAtMs, state.claim?.untilMs ?? 0)
    return Math.min(endMs, checkedAtMs + checkEveryMs, Math.max(sendsAtMs, maySendAtMs))
  }

  async #work(charge: Charge): Promise<void> {
    charge.isBusy = true
    charge.isOwed = false
    try {
      const isThere = await withBudget('unbounded', () => this.#tending.tend(charge))
      if (!isThere) this.#charges.delete(charge.kept.state.id)
      charge.troubles = 0
    } catch (error) {
      charge.isOwed = true
      if (!(error instanceof Outrun)) this.#note(error, charge)
    } finally {
      charge.isBusy = false
    }
  }

  /** Whatever it was: it is tried again, ever later. */
  #note(error: unknown, of: { troubles: number; restsUntilMs: number }): void {
    of.restsUntilMs = this.#rooms.clock.nowMs() + Math.min(rest.mostMs, rest.firstMs * 2 ** of.troubles++)
    const code = isProblem(error) ? error.code : 'unexpected'
    this.#rooms.log.error('a Subscription could not be gone on with', { room: 'subscriptions', code })
  }
}

const makerIn = ({ kept }: Charge): string => makerOf(kept.state.made)
