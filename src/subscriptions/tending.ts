import type { Grant } from '#access'
import { type Clock, newSecret } from '#kernel'
import type { FollowedTo, Moved, Stored } from '#record'
import { isEvent } from './filters.ts'
import { changeState, isShown, type KeepingRooms, keepState, Outrun } from './keeping.ts'
import type { Refusal } from './post.ts'
import type { Delivery, Sender } from './rest-hook.ts'
import { grantNow, mayBeTold } from './rights.ts'
import { acknowledged, type Event, type Kept, mostWaiting, type State, waiting, withEvents } from './state.ts'
import { toldOf } from './telling.ts'
import { asksFor, type ChannelType, timeoutSecondsOf } from './wanted.ts'

/** What is needed to go on with a Subscription. */
export interface TendingRooms extends KeepingRooms {
  /** One for each channel by which is sent; what is fetched, or told over a line, has none. */
  readonly senders: Readonly<Partial<Record<ChannelType, Sender>>>
  readonly clock: Clock
  readonly baseUrl: string
  standing(given: Grant): Promise<Grant | undefined>
  /** A number from 0 to below 1. */
  random(): number
}

/** What this process knows of a Subscription beside what is kept. */
export interface Run {
  kept: Kept
  /** Further than what is kept, where there was nothing to tell. */
  position: FollowedTo
  looked: number
  lastContactMs: number
  checkedAtMs: number
}

/** Events in one notification, where the Subscription does not say. */
const defaultMaxCount: Readonly<Record<ChannelType, number>> = { 'rest-hook': 20, websocket: 20, email: 100 }
/** Versions that are told, and looked at, in one step. */
const step = { limit: 100, mostLooked: 1_000 }
/** Failures in a row after which a Subscription says `error`; it is gone on with all the same. */
const failuresToError = 5
const backOff = { firstMs: 1_000, mostMs: 60 * 60_000 }
/** Nobody gets letters more often than that from one Subscription: what happens meanwhile comes in the next one. */
const letterEveryMs = 60_000
/** Whoever sends for longer than this beyond the time that an answer may take is dead. */
const claimSlackMs = 5_000

const reasons = {
  access: 'The access under which this was made has ended, or does not reach what it asks for any more.',
  over: 'The time for which this was asked is over.',
  gone: 'The endpoint asked for no more.',
} as const

/** Goes on with one Subscription: what has happened is numbered, brought, and over when it was acknowledged. */
export class Tending {
  readonly #rooms: TendingRooms
  readonly #ending: AbortSignal
  readonly #name = newSecret(9)

  constructor(rooms: TendingRooms, ending: AbortSignal) {
    this.#rooms = rooms
    this.#ending = ending
  }

  /**
   * Does what is to be done at this moment.
   *
   * @returns whether the Subscription is still there
   * @throws Outrun when somebody else has written meanwhile
   */
  async tend(run: Run): Promise<boolean> {
    const nowMs = this.#rooms.clock.nowMs()
    run.checkedAtMs = nowMs
    if (!(await this.#refresh(run))) return false
    const { state } = run.kept
    const { claim } = state
    if (claim !== undefined && claim.by !== this.#name && claim.untilMs > nowMs) return true
    if (!isShown(state)) await this.#put(run, state)
    if (state.status !== 'off') await this.#goOn(run, nowMs)
    return true
  }

  async #goOn(run: Run, nowMs: number): Promise<void> {
    if (nowMs >= (run.kept.state.wanted.endMs ?? Number.POSITIVE_INFINITY)) return this.#end(run, reasons.over)
    if (!(await this.#follow(run)) || this.#rooms.clock.nowMs() < run.kept.state.retryAtMs) return
    const goesOn = (run.kept.state.isGreeted || (await this.#activate(run))) && (await this.#deliver(run))
    if (goesOn) await this.#heartbeat(run)
  }

  /** Goes on from what somebody else has written. @returns whether it is still there */
  async #refresh(run: Run): Promise<boolean> {
    const kept = await this.#rooms.states.get(run.kept.state.id)
    if (kept === undefined) return false
    if (kept.revision !== run.kept.revision) Object.assign(run, { kept, position: kept.state.position, looked: 0 })
    return true
  }

  /** What it may be told now; where it may not be told any more what it asks for, that is its end. */
  async #grant(run: Run): Promise<Grant | undefined> {
    const { made, wanted } = run.kept.state
    const grant = await grantNow(made, wanted, this.#rooms)
    if (grant === undefined) await this.#end(run, reasons.access)
    return grant
  }

  /**
   * Numbers what has happened, as far as there is room for what waits.
   *
   * @returns whether the access still stands
   */
  async #follow(run: Run): Promise<boolean> {
    for (let more = true; more; ) {
      // Before the grant is asked for: who comes in between would else be passed over.
      const moved = await this.#rooms.record.moved(run.position.mark)
      const grant = await this.#grant(run)
      if (grant === undefined) return false
      more = waiting(run.kept.state).length < mostWaiting && (await this.#step(run, grant, moved))
    }
    return true
  }

  /** @returns whether there is more */
  async #step(run: Run, grant: Grant, moved: Moved): Promise<boolean> {
    const { record, baseUrl } = this.#rooms
    const { wanted } = run.kept.state
    const tells = (type: string) => asksFor(wanted, type) && mayBeTold(grant, type)
    const followed = await record.reader(grant).follow(run.position, moved, { tells, ...step })
    const events: Omit<Event, 'number'>[] = []
    for (const version of followed.versions)
      if (await isEvent(version, wanted, baseUrl)) events.push(eventOf(version.stored))
    run.looked += followed.looked
    if (events.length === 0 && run.looked < step.mostLooked) run.position = followed.to
    else await this.#keepEvents(run, events, followed.to)
    return followed.more
  }

  async #keepEvents(run: Run, events: readonly Omit<Event, 'number'>[], position: FollowedTo): Promise<void> {
    await this.#put(run, withEvents(run.kept.state, events, position))
    run.position = position
    run.looked = 0
  }

  /** @throws Outrun when somebody else has written: they go on with it */
  async #put(run: Run, state: State): Promise<void> {
    const put = await keepState(run.kept, state, this.#rooms)
    if (put === undefined) throw new Outrun()
    run.kept = put
  }

  /** @throws Outrun also when something else is asked for by now: what came of this says nothing about that */
  async #change(run: Run, change: (state: State) => State): Promise<void> {
    const asked = askOf(run.kept.state)
    const changed = (state: State) => (askOf(state) === asked ? change(state) : undefined)
    const kept = await changeState(run.kept.state.id, changed, this.#rooms)
    if (kept === undefined) throw new Outrun()
    run.kept = kept
  }

  /** R4's own criteria know no handshake, nor do letters. @returns whether it is active now */
  async #activate(run: Run): Promise<boolean> {
    const { wanted } = run.kept.state
    const isAsked = wanted.kind === 'topic' && wanted.channel === 'rest-hook'
    const refusal = isAsked ? await this.#send(run, { state: run.kept.state, type: 'handshake', told: [] }) : undefined
    if (refusal === undefined) await this.#succeed(run, state => ({ ...state, isGreeted: true }))
    else await this.#fail(run, refusal, 1)
    return refusal === undefined
  }

  /** @returns whether all that there was is acknowledged */
  async #deliver(run: Run): Promise<boolean> {
    for (let next = batchOf(run.kept.state); next.length > 0; next = batchOf(run.kept.state)) {
      if (this.#ending.aborted || this.#rooms.clock.nowMs() < run.kept.state.retryAtMs) return false
      // Each time: what was sent before may have taken long.
      const grant = await this.#grant(run)
      if (grant === undefined || !(await this.#bring(run, next, grant))) return false
    }
    return true
  }

  /** @returns whether it was acknowledged */
  async #bring(run: Run, events: readonly Event[], grant: Grant): Promise<boolean> {
    await this.#claim(run)
    const { state } = run.kept
    const { told, upTo = 0 } = await toldOf(events, state.wanted, this.#rooms.record.reader(grant))
    const refusal = told.length === 0 ? undefined : await this.#send(run, { state, type: 'event-notification', told })
    if (refusal === undefined) await this.#succeed(run, each => acknowledged(each, upTo))
    else await this.#fail(run, refusal, failuresToError)
    return refusal === undefined
  }

  #claim(run: Run): Promise<void> {
    const timeoutMs = timeoutSecondsOf(run.kept.state.wanted) * 1000
    const untilMs = this.#rooms.clock.nowMs() + timeoutMs + claimSlackMs
    return this.#put(run, { ...run.kept.state, claim: { by: this.#name, untilMs } })
  }

  async #heartbeat(run: Run): Promise<void> {
    const { state } = run.kept
    const { heartbeatSeconds = Number.POSITIVE_INFINITY } = state.wanted
    const isOver = this.#rooms.clock.nowMs() >= run.lastContactMs + heartbeatSeconds * 1000
    if ((!isOver && state.failures === 0) || state.wanted.kind !== 'topic') return
    const refusal = await this.#send(run, { state, type: 'heartbeat', told: [] })
    if (refusal !== undefined) await this.#fail(run, refusal, failuresToError)
    else if (state.failures > 0) await this.#succeed(run, each => each)
  }

  async #send(run: Run, delivery: Delivery): Promise<Refusal | undefined> {
    const sender = this.#rooms.senders[delivery.state.wanted.channel]
    const refusal = await sender?.(delivery, this.#ending)
    run.lastContactMs = this.#rooms.clock.nowMs()
    return refusal
  }

  #succeed(run: Run, change: (state: State) => State): Promise<void> {
    return this.#change(run, state => {
      const { error: _error, claim: _claim, ...rest } = change(state)
      return { ...rest, status: 'active', failures: 0, retryAtMs: this.#restsUntil(state, rest) }
    })
  }

  /** Behind a letter there is a pause. */
  #restsUntil({ delivered }: State, next: State): number {
    const isLetter = next.wanted.channel === 'email' && next.delivered > delivered
    return isLetter ? this.#rooms.clock.nowMs() + letterEveryMs : 0
  }

  /** @param mostFailures  failures in a row from which on the Subscription says `error` */
  #fail(run: Run, refusal: Refusal, mostFailures: number): Promise<void> {
    if (refusal.isFinal) return this.#end(run, reasons.gone)
    return this.#change(run, ({ claim: _claim, ...state }) => {
      // The house is being closed: nobody has failed.
      if (this.#ending.aborted) return state
      const failures = state.failures + 1
      const isError = failures >= mostFailures || state.status === 'error'
      const failing = { ...state, failures, retryAtMs: this.#retryAt(failures) }
      return isError ? { ...failing, status: 'error', error: refusal.text } : failing
    })
  }

  /** Twice as late each time, and not all at once. */
  #retryAt(failures: number): number {
    const lateMs = Math.min(backOff.mostMs, backOff.firstMs * 2 ** (failures - 1))
    return this.#rooms.clock.nowMs() + Math.ceil(lateMs * (0.5 + this.#rooms.random() / 2))
  }

  #end(run: Run, error: string): Promise<void> {
    return this.#change(run, state => ended(state, error))
  }
}

/** Off: nothing is sent any more, and what was told in confidence is forgotten. */
export function ended({ claim: _claim, ...state }: State, error: string = reasons.access): State {
  return { ...state, status: 'off', error, wanted: { ...state.wanted, headers: [] } }
}

/** What a delivery was about; whoever asks for something else meanwhile begins anew. */
function askOf({ wanted, made, isGreeted, status, beganAtMs }: State): string {
  return JSON.stringify([wanted, made, isGreeted, status === 'off', beganAtMs])
}

/** The next events that go into one notification. */
function batchOf(state: State): readonly Event[] {
  return waiting(state).slice(0, mostAtOnce(state))
}

/** How many events one notification may have. */
export function mostAtOnce({ wanted: { kind, channel, maxCount } }: State): number {
  if (kind === 'topic') return maxCount ?? defaultMaxCount[channel]
  return channel === 'rest-hook' ? 1 : defaultMaxCount[channel]
}

function eventOf({
  type,
  id,
  version,
  lastUpdatedMs,
  deleted,
  created,
  holder,
  copies,
}: Stored): Omit<Event, 'number'> {
  return {
    atMs: lastUpdatedMs,
    type,
    id,
    version,
    method: deleted ? 'DELETE' : created ? 'POST' : 'PUT',
    ...(holder.patient === undefined ? {} : { patient: holder.patient }),
    ...(copies.length === 0 ? {} : { isShared: true }),
  }
}
