import type { Grant } from '#access'
import { operationOutcome, printJson } from '#fhir'
import { isProblem, type Log, Problem, withBudget } from '#kernel'
import { Binding, type BindingRooms } from './binding.ts'
import type { BindingTokens } from './binding-tokens.ts'
import { type CloseReason, closeReasons, type Line, type Listener } from './line.ts'
import { commandIn } from './line-commands.ts'
import { grantOf, madeBy, makerOf, type State } from './state.ts'

/** What lines are served with. */
interface LinesRooms extends BindingRooms {
  readonly tokens: BindingTokens
  readonly log: Log
  /** The state of a Subscription that a grant may see. @throws Problem as `Desk.status` */
  stateFor(grant: Grant, id: string): Promise<State>
}

/** Within which a line must be bound to something. */
const unboundMs = 10_000
/** What cannot be understood, or is refused, so often ends a line. */
const mostFaults = 5
const mostBindings = 100
/** Lines of one maker, of this process. */
const mostOfMaker = 20

/** A line that is open. */
interface Open {
  readonly line: Line
  readonly grant: Grant | undefined
  readonly sinceMs: number
  readonly bindings: Map<string, Binding>
  /** Who has bound something. */
  readonly makers: Set<string>
  faults: number
  isOver: boolean
}

/**
 * Lines over which is told what happens to whoever is there. Each process serves those that it holds, with the events that were numbered
 * by whoever leads; nothing is kept for a line but up to which event it was told.
 *
 * @see https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/channels.html#websockets and https://hl7.org/fhir/R4/subscription.html#websocket
 */
export class Lines {
  readonly #rooms: LinesRooms
  readonly #open = new Set<Open>()
  #mark: string | undefined
  #underWay: Promise<void> | undefined

  constructor(rooms: LinesRooms) {
    this.#rooms = rooms
  }

  /** @param grant  of whoever has shown an access token when they came, if they did */
  connect(line: Line, grant?: Grant): Listener {
    const sinceMs = this.#rooms.clock.nowMs()
    const open: Open = { line, grant, sinceMs, bindings: new Map(), makers: new Set(), faults: 0, isOver: false }
    this.#open.add(open)
    return {
      hear: text => withBudget('unbounded', () => this.#hear(open, text)),
      ended: () => {
        open.isOver = true
        this.#open.delete(open)
      },
    }
  }

  async #hear(open: Open, text: string): Promise<void> {
    if (open.isOver) return
    try {
      const command = commandIn(text)
      await (command.name === 'bind' ? this.#bindById(open, command.id) : this.#bindByToken(open, command.token))
    } catch (error) {
      this.#refuse(open, error)
    }
  }

  /** Says what was wrong; whoever goes on like that is not heard any longer. */
  #refuse(open: Open, error: unknown): void {
    if (!isProblem(error)) this.#note(error)
    const problem = isProblem(error) ? error : failed()
    if (!open.isOver) open.line.send(printJson(operationOutcome(problem)))
    if (++open.faults >= mostFaults) end(open, 'faults')
  }

  /** R4's way: whoever has shown an access token names a Subscription. */
  async #bindById(open: Open, id: string): Promise<void> {
    const grant = open.grant && (await this.#rooms.standing(open.grant))
    if (grant === undefined) throw refused()
    await this.#bind(open, grant, id)
  }

  async #bindByToken(open: Open, token: string): Promise<void> {
    const found = await this.#rooms.tokens.take(token)
    const grant = found && (await this.#rooms.standing(grantOf(found.made)))
    if (found === undefined || grant === undefined) throw refused()
    for (const id of found.ids) await this.#bind(open, grant, id)
  }

  async #bind(open: Open, grant: Grant, id: string): Promise<void> {
    const made = madeBy(grant)
    const maker = makerOf(made)
    this.#checkRoom(open, id, maker)
    const state = await this.#stateFor(grant, id)
    if (open.isOver) return
    const binding = new Binding(this.#rooms, open.line, { made, state })
    await binding.greet(state)
    open.bindings.set(id, binding)
    open.makers.add(maker)
  }

  /** @throws Problem in the same words whether there is no such Subscription, or none that may be told here */
  async #stateFor(grant: Grant, id: string): Promise<State> {
    try {
      const state = await this.#rooms.stateFor(grant, id)
      if (isBindable(state)) return state
    } catch (error) {
      if (!isProblem(error) || !hidden.has(error.kind)) throw error
    }
    throw refused()
  }

  /** @throws Problem `throttled` · `subscription.lines-too-many` */
  #checkRoom(open: Open, id: string, maker: string): void {
    const others = [...this.#open].filter(each => each !== open && each.makers.has(maker))
    const isRoom = open.bindings.size < mostBindings || open.bindings.has(id)
    if (isRoom && others.length < mostOfMaker) return
    const text = 'So many connections, or bindings of this one, are open already; close some of them.'
    throw new Problem('throttled', 'subscription.lines-too-many', text)
  }

  /** Tells what is to be told at this moment over all lines that are open here; one round at a time. */
  round(): Promise<void> {
    this.#underWay ??= withBudget('unbounded', () => this.#round()).finally(() => {
      this.#underWay = undefined
    })
    return this.#underWay
  }

  async #round(): Promise<void> {
    if (this.#open.size === 0) return
    try {
      const hasMoved = await this.#hasMoved()
      await Promise.all(Array.from(this.#open, open => this.#tend(open, hasMoved)))
    } catch (error) {
      this.#note(error)
    }
  }

  async #hasMoved(): Promise<boolean> {
    const { mark, heads, more } = await this.#rooms.record.moved(this.#mark)
    this.#mark = mark
    return heads.size > 0 || more
  }

  async #tend(open: Open, hasMoved: boolean): Promise<void> {
    const isLate = this.#rooms.clock.nowMs() - open.sinceMs >= unboundMs
    if (open.bindings.size === 0 && isLate) return end(open, 'unbound')
    for (const binding of open.bindings.values()) {
      if (hasMoved) binding.moved()
      if (!open.isOver) await this.#tell(open, binding)
    }
  }

  async #tell(open: Open, binding: Binding): Promise<void> {
    try {
      const reason = await binding.tell()
      if (reason !== undefined) end(open, reason)
    } catch (error) {
      binding.troubled()
      this.#note(error)
    }
  }

  #note(error: unknown): void {
    const code = isProblem(error) ? error.code : 'unexpected'
    this.#rooms.log.error('a line could not be served', { room: 'subscriptions', code })
  }
}

/** Whether it can be told over a line. */
export function isBindable({ wanted: { channel }, status }: State): boolean {
  return channel === 'websocket' && status !== 'off'
}

function end(open: Open, reason: CloseReason): void {
  if (open.isOver) return
  open.isOver = true
  const [code, text] = closeReasons[reason]
  open.line.close(code, text)
}

/** What would tell somebody that there is something. */
const hidden: ReadonlySet<Problem['kind']> = new Set(['not-found', 'gone', 'forbidden'])

function refused(): Problem {
  const text =
    'Nothing is bound by this: a token is good once and for a minute; an id needs an access token in the request that opened the connection.'
  return new Problem('forbidden', 'subscription.binding-refused', text)
}

function failed(): Problem {
  return new Problem('fault', 'subscription.binding-failed', 'Something went wrong here; it has been logged.')
}
