import { type Grant, parseScope } from '#access'
import { parseResource } from '#fhir'
import { type Clock, isProblem, type Log, newSecret, withBudget } from '#kernel'
import type { FollowedTo, Moved, Record as PatientRecord, Stored } from '#record'
import { isEvent } from './filters.ts'
import type { Refusal } from './post.ts'
import type { Delivery, Sender } from './rest-hook.ts'
import { checkRights, mayBeTold } from './rights.ts'
import {
  acknowledged,
  type Event,
  grantOf,
  type Kept,
  makerOf,
  mostWaiting,
  type State,
  type States,
  waiting,
  withEvents,
} from './state.ts'
import { withStatus } from './taking.ts'
import { toldOf } from './telling.ts'
import { asksFor, type ChannelType } from './wanted.ts'

/** What brings notifications to where they are to go. */
export interface CourierRooms {
  /** As it is below: what the server writes of a Subscription asks for nothing. */
  readonly record: PatientRecord
  readonly states: States
  /** One for each channel that can be asked for. */
  readonly senders: Readonly<Partial<Record<ChannelType, Sender>>>
  readonly clock: Clock
  readonly log: Log
  readonly baseUrl: string
  standing(given: Grant): Promise<Grant | undefined>
  /** A number from 0 to below 1. */
  random(): number
}

/** Events in one notification, where the Subscription does not say. */
const defaultMaxCount = 20
/** Versions that are told, and looked at, in one step. */
const step = { limit: 100, mostLooked: 1_000 }
/** Failures in a row after which a Subscription says `error`; it is gone on with all the same. */
const failuresToError = 5
const backOff = { firstMs: 1_000, mostMs: 60 * 60_000 }
/** Whoever sends for longer than this beyond the time that an answer may take is dead. */
const claimSlackMs = 5_000
/** How often it is asked whether the access still stands, where nothing moves. */
const checkEveryMs = 60_000
/** Subscriptions of one maker that are worked on at once: whose endpoints are slow must not keep others waiting. */
const mostOfOneAtOnce = 4

const ended = {
  access: 'The access under which this was made has ended, or does not reach what it asks for any more.',
  over: 'The time for which this was asked is over.',
  gone: 'The endpoint asked for no more.',
} as const

/** What this process knows of a Subscription beside what is kept. */
interface Run {
  kept: Kept
  /** Further than what is kept, where there was nothing to tell. */
  position: FollowedTo
  looked: number
  lastContactMs: number
  checkedAtMs: number
  isBusy: boolean
  /** Whether something has moved since it was last looked after. */
  isOwed: boolean
}

/**
 * Looks for events and brings them, one Subscription beside the other, each in its order. One process of a server does so; where several
 * servers share a house, whoever claims a delivery makes it.
 */
export class Courier {
  readonly #rooms: CourierRooms
  readonly #name = newSecret(9)
  readonly #runs = new Map<string, Run>()
  readonly #ending = new AbortController()
  #mark: string | undefined

  constructor(rooms: CourierRooms) {
    this.#rooms = rooms
  }

  /** Does what is to be done now, and resolves when that is done. */
  async round(): Promise<void> {
    try {
      await this.#doNow()
    } catch (error) {
      this.#note(error)
    }
  }

  async #doNow(): Promise<void> {
    const mark = await this.#movedTo()
    if (mark !== undefined) {
      await this.#readAll()
      // Only now: what could not be read is read by the next round.
      this.#mark = mark
    }
    const due = [...this.#runs.values()].filter(run => !run.isBusy && (run.isOwed || this.#isDue(run)))
    await Promise.all(Array.from(Map.groupBy(due, makerIn), ([maker, runs]) => this.#ofMaker(maker, runs)))
  }

  /** A few at once, of all rounds together; what finds no room is due in the next one. */
  async #ofMaker(maker: string, due: Run[]): Promise<void> {
    const busy = [...this.#runs.values()].filter(run => run.isBusy && makerIn(run) === maker).length
    const lanes = Array.from({ length: Math.max(0, mostOfOneAtOnce - busy) }, async () => {
      for (let run = due.shift(); run !== undefined; run = due.shift()) if (!run.isBusy) await this.#work(run)
    })
    await Promise.all(lanes)
  }

  /** Waits for what is under way, which is told to make an end. */
  async close(): Promise<void> {
    this.#ending.abort()
    while ([...this.#runs.values()].some(({ isBusy }) => isBusy)) await new Promise(resolve => setTimeout(resolve, 5))
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
    for (const id of this.#runs.keys()) if (!there.has(id)) this.#runs.delete(id)
    for (const kept of all) if (!this.#runs.has(kept.state.id)) this.#runs.set(kept.state.id, this.#runOf(kept))
    for (const run of this.#runs.values()) run.isOwed = true
  }

  #runOf(kept: Kept): Run {
    const lastContactMs = this.#rooms.clock.nowMs()
    const { position } = kept.state
    return { kept, position, looked: 0, lastContactMs, checkedAtMs: 0, isBusy: false, isOwed: true }
  }

  #isDue({ kept: { state }, lastContactMs, checkedAtMs }: Run): boolean {
    if (state.status === 'off') return false
    const nowMs = this.#rooms.clock.nowMs()
    const { heartbeatSeconds = Number.POSITIVE_INFINITY, endMs = Number.POSITIVE_INFINITY } = state.wanted
    const isWaiting = state.status === 'requested' || state.failures > 0 || waiting(state).length > 0
    const sendsAtMs = isWaiting ? 0 : lastContactMs + heartbeatSeconds * 1000
    const maySendAtMs = Math.max(state.retryAtMs, state.claim?.untilMs ?? 0)
    return nowMs >= Math.min(endMs, checkedAtMs + checkEveryMs, Math.max(sendsAtMs, maySendAtMs))
  }

  async #work(run: Run): Promise<void> {
    run.isBusy = true
    try {
      await withBudget('unbounded', () => this.#tend(run))
    } catch (error) {
      if (error instanceof Outrun) run.isOwed = true
      else this.#note(error)
    } finally {
      run.isBusy = false
    }
  }

  /** Goes on from what somebody else has written. @returns whether it is still there */
  async #refresh(run: Run): Promise<boolean> {
    const { id } = run.kept.state
    const kept = await this.#rooms.states.get(id)
    if (kept === undefined) this.#runs.delete(id)
    else if (kept.revision !== run.kept.revision) Object.assign(run, { kept, position: kept.state.position, looked: 0 })
    return kept !== undefined
  }

  #note(error: unknown): void {
    const code = isProblem(error) ? error.code : 'unexpected'
    this.#rooms.log.error('a Subscription could not be gone on with', { room: 'subscriptions', code })
  }

  async #tend(run: Run): Promise<void> {
    const nowMs = this.#rooms.clock.nowMs()
    run.checkedAtMs = nowMs
    run.isOwed = false
    if (!(await this.#refresh(run))) return
    const { state } = run.kept
    if (state.claim !== undefined && state.claim.by !== this.#name && state.claim.untilMs > nowMs) return
    await this.#show(run)
    if (run.kept.state.status === 'off') return
    if (nowMs >= (state.wanted.endMs ?? Number.POSITIVE_INFINITY)) return this.#end(run, ended.over)
    if (!(await this.#follow(run)) || this.#rooms.clock.nowMs() < run.kept.state.retryAtMs) return
    const goesOn = (run.kept.state.isGreeted || (await this.#activate(run))) && (await this.#deliver(run))
    if (goesOn) await this.#heartbeat(run)
  }

  /** What it may be told now; undefined when it may not be told any more what it asks for. */
  async #grant({ made, wanted }: State): Promise<Grant | undefined> {
    const grant = await this.#rooms.standing(grantOf(made))
    if (grant === undefined) return undefined
    try {
      await checkRights(wanted, grant, this.#rooms)
      return grant
    } catch (error) {
      if (isProblem(error, 'forbidden')) return undefined
      throw error
    }
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
      const grant = await this.#grant(run.kept.state)
      if (grant === undefined) {
        await this.#end(run, ended.access)
        return false
      }
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
    const events = followed.versions
      .filter(version => isEvent(version, wanted, baseUrl))
      .map(({ stored }) => eventOf(stored))
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
    const put = await this.#rooms.states.put(run.kept, state)
    if (put === undefined) throw new Outrun()
    run.kept = put
  }

  /** @throws Outrun also when something else is asked for by now: what came of this says nothing about that */
  async #change(run: Run, change: (state: State) => State): Promise<void> {
    const asked = askOf(run.kept.state)
    const kept = await this.#rooms.states.change(run.kept.state.id, state =>
      askOf(state) === asked ? change(state) : undefined,
    )
    if (kept === undefined) throw new Outrun()
    run.kept = kept
  }

  /** R4's own criteria know no handshake. @returns whether it is active now */
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
      if (this.#ending.signal.aborted) return false
      // Each time: what was sent before may have taken long.
      const grant = await this.#grant(run.kept.state)
      if (grant === undefined) {
        await this.#end(run, ended.access)
        return false
      }
      await this.#claim(run)
      const told = await toldOf(next, run.kept.state.wanted.content, this.#rooms.record.reader(grant))
      const upTo = next.at(-1)?.number ?? 0
      const refusal =
        told.length === 0
          ? undefined
          : await this.#send(run, { state: run.kept.state, type: 'event-notification', told })
      if (refusal !== undefined) {
        await this.#fail(run, refusal, failuresToError)
        return false
      }
      await this.#succeed(run, state => acknowledged(state, upTo))
    }
    return true
  }

  #claim(run: Run): Promise<void> {
    const timeoutMs = (run.kept.state.wanted.timeoutSeconds ?? 10) * 1000
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
    const refusal = await sender?.(delivery, this.#ending.signal)
    run.lastContactMs = this.#rooms.clock.nowMs()
    return refusal
  }

  async #succeed(run: Run, change: (state: State) => State): Promise<void> {
    await this.#change(run, state => {
      const { error: _error, claim: _claim, ...rest } = change(state)
      return { ...rest, status: 'active', failures: 0, retryAtMs: 0 }
    })
    await this.#show(run)
  }

  /** @param mostFailures  failures in a row from which on the Subscription says `error` */
  async #fail(run: Run, refusal: Refusal, mostFailures: number): Promise<void> {
    if (refusal.isFinal) return this.#end(run, ended.gone)
    await this.#change(run, ({ claim: _claim, ...state }) => {
      // The house is being closed: nobody has failed.
      if (this.#ending.signal.aborted) return state
      const failures = state.failures + 1
      const isError = failures >= mostFailures || state.status === 'error'
      const failing = { ...state, failures, retryAtMs: this.#retryAt(failures) }
      return isError ? { ...failing, status: 'error', error: refusal.text } : failing
    })
    await this.#show(run)
  }

  /** Twice as late each time, and not all at once. */
  #retryAt(failures: number): number {
    const lateMs = Math.min(backOff.mostMs, backOff.firstMs * 2 ** (failures - 1))
    return this.#rooms.clock.nowMs() + Math.ceil(lateMs * (0.5 + this.#rooms.random() / 2))
  }

  /** Nothing is sent any more, and what was told in confidence is forgotten. */
  async #end(run: Run, error: string): Promise<void> {
    await this.#change(run, ({ claim: _claim, ...state }) => ({
      ...state,
      status: 'off',
      error,
      wanted: { ...state.wanted, headers: [] },
    }))
    await this.#show(run)
  }

  /** Says in the resource how it stands, for whoever may read it; where that is gone, so is the Subscription. */
  async #show(run: Run): Promise<void> {
    const { id, status, error, shown } = run.kept.state
    if (status === shown.status && error === shown.error) return
    if (!(await this.#write(id, { status, ...(error === undefined ? {} : { error }) }))) {
      await this.#rooms.states.remove(id)
      throw new Outrun()
    }
    await this.#change(run, state => ({ ...state, shown: { status, ...(error === undefined ? {} : { error }) } }))
  }

  #write(id: string, standing: Pick<State, 'status' | 'error'>): Promise<boolean> {
    return this.#rooms.record.writer(ownGrant()).transact(async txn => {
      const stored = await txn.read('Subscription', id)
      if (stored === undefined) return false
      const resource = withStatus(parseResource(stored.json), standing)
      await txn.update('Subscription', id, resource, { ifMatch: String(stored.version), unlessSame: true })
      return true
    })
  }
}

/** What a delivery was about; whoever asks for something else meanwhile begins anew. */
function askOf({ wanted, made, isGreeted, status, beganAtMs }: State): string {
  return JSON.stringify([wanted, made, isGreeted, status === 'off', beganAtMs])
}

/** Somebody else goes on with a Subscription, or it is gone. */
class Outrun extends Error {}

const makerIn = ({ kept }: Run): string => makerOf(kept.state.made)

function batchOf(state: State): readonly Event[] {
  const most = state.wanted.kind === 'criteria' ? 1 : (state.wanted.maxCount ?? defaultMaxCount)
  return waiting(state).slice(0, most)
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

/** What the server does for itself: it reads and writes Subscriptions, and nothing else. */
function ownGrant(): Grant {
  const term = parseScope('system/Subscription.ru')
  return {
    id: 'subscriptions',
    actor: { kind: 'administrator', id: 'subscriptions', display: 'This server, of its Subscriptions' },
    patients: 'all',
    terms: term === undefined ? [] : [term],
    expiresAtMs: Number.POSITIVE_INFINITY,
  }
}
