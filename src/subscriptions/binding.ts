import type { Grant } from '#access'
import type { Clock } from '#kernel'
import type { Record as PatientRecord } from '#record'
import { checkEveryMs } from './courier.ts'
import type { CloseReason, Line } from './line.ts'
import { type NotificationType, printedNotification, type Told } from './notification.ts'
import { grantNow, maySeeState } from './rights.ts'
import type { Event, Made, State, States } from './state.ts'
import { toldOf } from './telling.ts'
import { mostAtOnce } from './tending.ts'

/** What is needed to tell over a line. */
export interface BindingRooms {
  readonly record: PatientRecord
  readonly states: States
  readonly clock: Clock
  readonly baseUrl: string
  standing(given: Grant): Promise<Grant | undefined>
}

/** Nothing more is sent while so much lies untaken; one message may be larger. */
const mostUntakenBytes = 256 * 1024
/** Whoever takes nothing for so long is not waited for. */
const mostFullMs = 30_000
/** How long is waited after trouble of the server's own; twice as long each time. */
const rest = { firstMs: 1_000, mostMs: 60_000 }

/** One Subscription that is told over one line, from the moment on in which it was bound. */
export class Binding {
  readonly #rooms: BindingRooms
  readonly #line: Line
  readonly #made: Made
  readonly #id: string
  readonly #beganAtMs: number
  readonly #heartbeatMs: number
  #upTo: number
  #lastContactMs: number
  #checkedAtMs: number
  /** Since when the other side has taken nothing, with how much lies there. */
  #full: { readonly sinceMs: number; readonly bytes: number } | undefined
  #isOwed = true
  #troubles = 0
  #restsUntilMs = 0

  /** @param made  the grant of whoever has bound it: under that it is told, whoever made the Subscription */
  constructor(rooms: BindingRooms, line: Line, { made, state }: { readonly made: Made; readonly state: State }) {
    this.#rooms = rooms
    this.#line = line
    this.#made = made
    this.#id = state.id
    this.#beganAtMs = state.beganAtMs
    this.#heartbeatMs = (state.wanted.heartbeatSeconds ?? Number.POSITIVE_INFINITY) * 1000
    this.#upTo = state.events
    this.#checkedAtMs = rooms.clock.nowMs()
    this.#lastContactMs = this.#checkedAtMs
  }

  /** Says that it is bound, and how many events there were before. */
  greet(state: State): Promise<void> {
    return this.#say(state, 'handshake', [])
  }

  /** Something has moved. */
  moved(): void {
    this.#isOwed = true
  }

  /** Tells what is to be told by now. @returns why the line is to be closed, if it is */
  async tell(): Promise<CloseReason | undefined> {
    if (!this.#isDue(this.#rooms.clock.nowMs())) return undefined
    this.#checkedAtMs = this.#rooms.clock.nowMs()
    this.#isOwed = false
    const { log = [] } = (await this.#stateNow()) ?? {}
    const news = log.filter(({ number }) => number > this.#upTo)
    const reason = (await this.#tellAll(news)) ?? (await this.#beat())
    this.#troubles = 0
    return reason
  }

  /** It could not be gone on with, by the server's own fault: it is tried again, ever later. */
  troubled(): void {
    this.#isOwed = true
    const restMs = Math.min(rest.mostMs, rest.firstMs * 2 ** this.#troubles++)
    this.#restsUntilMs = this.#rooms.clock.nowMs() + restMs
  }

  #isDue(nowMs: number): boolean {
    if (nowMs < this.#restsUntilMs) return false
    return this.#isOwed || nowMs >= this.#checkedAtMs + checkEveryMs || this.#isSilent(nowMs)
  }

  #isSilent(nowMs: number): boolean {
    return nowMs >= this.#lastContactMs + this.#heartbeatMs
  }

  /** Undefined once it is off, gone, or begun anew with other numbers. */
  async #stateNow(): Promise<State | undefined> {
    const state = (await this.#rooms.states.get(this.#id))?.state
    const isSame = state?.beganAtMs === this.#beganAtMs && state.wanted.channel === 'websocket'
    return isSame && state.status !== 'off' ? state : undefined
  }

  async #tellAll(news: readonly Event[]): Promise<CloseReason | undefined> {
    let left = news
    do {
      // Each time, also where there is nothing to tell: what was read before may have taken long.
      const state = await this.#stateNow()
      const grant = state && (await this.#grant(state))
      if (state === undefined || grant === undefined) return 'ended'
      if ((left[0]?.number ?? 0) > this.#upTo + 1) return 'missed'
      if (this.#isFull()) return this.#waited()
      const next = left.slice(0, mostAtOnce(state))
      if (next.length > 0) await this.#tellSome(state, next, grant)
      left = left.filter(({ number }) => number > this.#upTo)
    } while (left.length > 0)
    return undefined
  }

  /** What the one who has bound it may be told at this moment. */
  async #grant({ made, wanted }: State): Promise<Grant | undefined> {
    const grant = await grantNow(this.#made, wanted, this.#rooms)
    return grant !== undefined && maySeeState(grant, made, wanted) ? grant : undefined
  }

  #isFull(): boolean {
    const isFull = this.#line.untakenBytes > mostUntakenBytes
    if (!isFull) this.#full = undefined
    return isFull
  }

  /** What is not taken waits where it was numbered, as long as the other side takes something now and then. */
  #waited(): CloseReason | undefined {
    const [sinceMs, bytes] = [this.#rooms.clock.nowMs(), this.#line.untakenBytes]
    this.#isOwed = true
    if (this.#full === undefined || bytes < this.#full.bytes) this.#full = { sinceMs, bytes }
    return sinceMs - this.#full.sinceMs >= mostFullMs ? 'missed' : undefined
  }

  async #tellSome(state: State, events: readonly Event[], grant: Grant): Promise<void> {
    const { told, upTo = this.#upTo } = await toldOf(events, state.wanted, this.#rooms.record.reader(grant))
    if (told.length > 0) await this.#say(state, 'event-notification', told)
    this.#upTo = upTo
  }

  async #beat(): Promise<undefined> {
    const state = this.#isSilent(this.#rooms.clock.nowMs()) && !this.#isFull() ? await this.#stateNow() : undefined
    if (state !== undefined) await this.#say(state, 'heartbeat', [])
    return undefined
  }

  /** Of R4's own criteria a line says only that there is something. */
  async #say(state: State, type: NotificationType, told: readonly Told[]): Promise<void> {
    const { wanted, id } = state
    const { baseUrl, clock } = this.#rooms
    const nowMs = clock.nowMs()
    this.#lastContactMs = nowMs
    if (wanted.kind === 'criteria') return this.#line.send(type === 'handshake' ? `bound ${id}` : `ping ${id}`)
    const telling = { state, type, content: wanted.content, told, baseUrl, nowMs }
    this.#line.send(String(await printedNotification(telling, wanted.format ?? 'json')))
  }
}
