import { type Grant, patientsInReach, requirePermission } from '#access'
import { parseResource, type Resource, toInstant } from '#fhir'
import { type Clock, isProblem, newResourceId, Problem } from '#kernel'
import type { Record as PatientRecord } from '#record'
import type { BindingTokens } from './binding-tokens.ts'
import { isBindable } from './lines.ts'
import { notification, statusParameters } from './notification.ts'
import { isMaker, maySeeState } from './rights.ts'
import { madeBy, makerOf, type State, type States, type Status } from './state.ts'
import { allTold } from './telling.ts'
import type { Content } from './wanted.ts'

/** Which events are asked for, both bounds inclusive. */
export interface EventsAsked {
  readonly since?: number
  readonly until?: number
  /** As the Subscription has it unless told. */
  readonly content?: Content
}

/** What is answered about Subscriptions, under the grant of whoever asks. */
export class Desk {
  readonly #record: PatientRecord
  readonly #states: States
  readonly #tokens: BindingTokens
  readonly #clock: Clock
  readonly #baseUrl: string

  constructor(rooms: {
    record: PatientRecord
    states: States
    tokens: BindingTokens
    clock: Clock
    baseUrl: string
  }) {
    this.#record = rooms.record
    this.#states = rooms.states
    this.#tokens = rooms.tokens
    this.#clock = rooms.clock
    this.#baseUrl = rooms.baseUrl
  }

  /**
   * How one Subscription stands.
   *
   * @throws Problem `not-found` · `record.unknown`; `forbidden` · `scope.missing`, `subscription.foreign`
   */
  async status(grant: Grant, id: string): Promise<Resource> {
    return this.#searchset([this.#statusOf(await this.state(grant, id))])
  }

  /** How those stand that whoever asks has made: of these ids, and in one of these statuses, where there are any. */
  async statuses(grant: Grant, asked: { ids: readonly string[]; statuses: readonly string[] }): Promise<Resource> {
    requirePermission(grant, 'r', 'Subscription')
    const { ids, statuses } = asked
    const found: Resource[] = []
    const own = patientsInReach(grant) === 'all' ? undefined : makerOf(grant)
    const all = (await this.#states.all(own)).toSorted((a, b) => a.state.beganAtMs - b.state.beganAtMs)
    for (const { state } of all) {
      const isMeant = ids.length === 0 || ids.includes(state.id)
      const isSo = statuses.length === 0 || statuses.includes(state.status)
      if (isMeant && isSo && (await this.#maySee(grant, state))) found.push(this.#statusOf(state))
    }
    return this.#searchset(found)
  }

  /**
   * What was told before, or should have been, as far as it is kept: each event is read anew under the grant of whoever asks.
   *
   * @throws Problem as `status`
   */
  async events(
    grant: Grant,
    id: string,
    { since = 1, until = Number.POSITIVE_INFINITY, content }: EventsAsked,
  ): Promise<Resource> {
    const state = await this.state(grant, id)
    const level = content ?? state.wanted.content
    const asked = state.log.filter(({ number }) => number >= since && number <= until)
    const told = await allTold(asked, level, this.#record.reader(grant))
    return notification({
      state,
      type: 'query-event',
      content: level,
      told,
      baseUrl: this.#baseUrl,
      nowMs: this.#clock.nowMs(),
    })
  }

  /**
   * The key with which messages to the endpoint are signed; for its maker alone.
   *
   * @throws Problem as `status`
   */
  async signingKey(grant: Grant, id: string): Promise<Resource> {
    const state = await this.state(grant, id)
    if (!isMaker(grant, state.made)) throw foreign()
    return {
      resourceType: 'Parameters',
      parameter: [
        { name: 'algorithm', valueCode: 'hmac-sha256' },
        { name: 'key', valueBase64Binary: state.signingKey },
      ],
    }
  }

  /**
   * A token with which a websocket is bound to Subscriptions, instead of an access token.
   *
   * @param ids  of which; undefined: of all that whoever asks has made, and that are told over a websocket
   * @throws Problem as `status`; `unprocessable` · `subscription.not-bindable`; `throttled` · `subscription.tokens-too-many`
   */
  async bindingToken(grant: Grant, ids: readonly string[] | undefined): Promise<Resource> {
    const states = ids === undefined ? await this.#bindable(grant) : await this.#named(grant, ids)
    if (states.length === 0 || !states.every(isBindable)) throw notBindable()
    const bound = states.map(({ id }) => id)
    const { token, expiresAtMs } = await this.#tokens.make({ made: madeBy(grant), ids: bound })
    return {
      resourceType: 'Parameters',
      parameter: [
        { name: 'token', valueString: token },
        { name: 'expiration', valueDateTime: toInstant(expiresAtMs) },
        ...bound.map(valueString => ({ name: 'subscription', valueString })),
        { name: 'websocket-url', valueUrl: websocketUrl(this.#baseUrl) },
      ],
    }
  }

  async #named(grant: Grant, ids: readonly string[]): Promise<readonly State[]> {
    const states: State[] = []
    for (const id of new Set(ids)) states.push(await this.state(grant, id))
    return states
  }

  async #bindable(grant: Grant): Promise<readonly State[]> {
    requirePermission(grant, 'r', 'Subscription')
    const own = (await this.#states.all(makerOf(grant))).map(({ state }) => state).filter(isBindable)
    const seen: State[] = []
    for (const state of own) if (await this.#maySee(grant, state)) seen.push(state)
    return seen
  }

  /** Of those that whoever asks may see the state of, by id. @throws Problem as `status` */
  async state(grant: Grant, id: string): Promise<State> {
    const stored = await this.#record.reader(grant).read('Subscription', id)
    const state = (await this.#states.get(id))?.state
    if (state === undefined) return silent(id, parseResource(stored.json).status as Status)
    if (!maySeeState(grant, state.made, state.wanted)) throw foreign()
    return state
  }

  async #maySee(grant: Grant, state: State): Promise<boolean> {
    if (!maySeeState(grant, state.made, state.wanted)) return false
    try {
      await this.#record.reader(grant).read('Subscription', state.id)
      return true
    } catch (error) {
      if (isProblem(error, 'not-found') || isProblem(error, 'gone')) return false
      throw error
    }
  }

  #statusOf(state: State): Resource {
    return statusParameters({ state, type: 'query-status', content: 'empty', told: [], baseUrl: this.#baseUrl })
  }

  #searchset(found: readonly Resource[]): Resource {
    const entry = found.map(resource => ({
      fullUrl: `urn:uuid:${resource.id}`,
      resource,
      search: { mode: 'match' },
    }))
    return {
      resourceType: 'Bundle',
      id: newResourceId(),
      type: 'searchset',
      total: found.length,
      ...(entry.length === 0 ? {} : { entry }),
    }
  }
}

/** One that sends nothing, because it was left so. */
function silent(id: string, status: Status): State {
  return {
    id,
    status,
    made: { id: '', actor: { kind: 'account', id: '' }, scopes: [] },
    wanted: { kind: 'criteria', types: [], filters: [], channel: 'rest-hook', content: 'empty', headers: [] },
    beganAtMs: 0,
    isGreeted: false,
    shown: { status },
    signingKey: '',
    position: { mark: '', sinceMs: 0, told: [] },
    events: 0,
    delivered: 0,
    log: [],
    failures: 0,
    retryAtMs: 0,
  }
}

function foreign(): Problem {
  const text = 'How this Subscription stands is told to whoever made it, with an access that reaches as far.'
  return new Problem('forbidden', 'subscription.foreign', text)
}

function notBindable(): Problem {
  const text = 'Only a Subscription whose channel is websocket, and that is not off, can be bound to one.'
  return new Problem('unprocessable', 'subscription.not-bindable', text, { expression: 'id' })
}

/** Where websockets are taken. @param baseUrl  FHIR base URL, without a slash at its end */
export function websocketUrl(baseUrl: string): string {
  return new URL('/ws/subscriptions', baseUrl.replace(/^http/, 'ws')).href
}
