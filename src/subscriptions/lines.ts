import type { Grant } from '#access'
import { operationOutcome, printJson } from '#fhir'
import { isProblem, type Log, Problem, withBudget } from '#kernel'
import { Binding, type BindingRooms } from './binding.ts'
import type { BindingTokens } from './binding-tokens.ts'
import { type CloseReason, closeReasons, type Line, type Listener } from './line.ts'
import { commandIn } from './line-commands.ts'
import { grantOf, type Made, madeBy, makerOf, type State } from './state.ts'

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
/** Lines of one maker that are told over at once. */
const mostOfMakerAtOnce = 4

/** A line that is open. */
interface Open {
  readonly line: Line
  readonly grant: Grant | undefined
  readonly sinceMs: number
  readonly bindings: Map<string, Binding>
  /** Who has bound something. */
  readonly makers: Set<string>
  faults: number
  /** Whether it is being told over. */
  isBusy: boolean
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
  #looking: Promise<void> | undefined

  constructor(rooms: LinesRooms) {
    this.#rooms = rooms
  }

  /** @param grant  of whoever has shown an access token when they came, if they did */
  connect(line: Line, grant?: Grant): Listener {
    const sinceMs = this.#rooms.clock.nowMs()
    const open: Open = {
      line,
      grant,
      sinceMs,
      bindings: new Map(),
      makers: new Set(),
      faults: 0,
      isBusy: false,
      isOver: false,
    }
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
    await this.#bind(open, grant, [id])
  }

  async #bindByToken(open: Open, token: string): Promise<void> {
    const { tokens, standing } = this.#rooms
    const found = await tokens.look(token)
    const grant = found && (await standing(grantOf(found.made)))
    if (found === undefined || grant === undefined) throw refused()
    await this.#bind(open, grant, found.ids, () => tokens.take(token))
  }

  /**
   * Binds all of them or none.
   *
   * @param take  uses up what they are bound by, once nothing else can refuse them. @returns whether that was there still
   */
  async #bind(
    open: Open,
    grant: Grant,
    ids: readonly string[],
    take: () => Promise<boolean> = async () => true,
  ): Promise<void> {
    const made = madeBy(grant)
    const states: State[] = []
    for (const id of ids) states.push(await this.#stateFor(grant, id))
    const release = this.#reserve(open, ids, makerOf(made))
    try {
      if (!(await take())) throw refused()
    } catch (error) {
      release()
      throw error
    }
    for (const state of states) await this.#greet(open, { made, state })
  }

  async #greet(open: Open, bound: { readonly made: Made; readonly state: State }): Promise<void> {
    if (open.isOver) return
    const binding = new Binding(this.#rooms, open.line, bound)
    await binding.greet(bound.state)
    open.bindings.set(bound.state.id, binding)
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

  /**
   * Counts the line as one of the maker's, before anybody else can be.
   *
   * @returns makes that undone
   * @throws Problem `throttled` · `subscription.lines-too-many`
   */
  #reserve(open: Open, ids: readonly string[], maker: string): () => void {
    const others = [...this.#open].filter(each => each !== open && each.makers.has(maker))
    const bound = new Set([...open.bindings.keys(), ...ids])
    if (bound.size <= mostBindings && others.length < mostOfMaker) {
      if (open.makers.has(maker)) return () => undefined
      open.makers.add(maker)
      return () => open.makers.delete(maker)
    }
    const text = 'So many connections, or bindings of this one, are open already; close some of them.'
    throw new Problem('throttled', 'subscription.lines-too-many', text)
  }

  /**
   * Tells what is to be told at this moment over the lines that are open here; resolves when that is done. A line over which a round before
   * still tells is left to that: nobody waits for what others are told.
   */
  async round(): Promise<void> {
    if (this.#open.size === 0) return
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined
    })
    await this.#looking
    const due = [...this.#open].filter(({ isBusy }) => !isBusy)
    const ofMakers = Map.groupBy(due, makerIn)
    await withBudget('unbounded', () =>
      Promise.all(Array.from(ofMakers, ([maker, lines]) => this.#ofMaker(maker, lines))),
    )
  }

  /** Whether something has moved; every binding is told. */
  async #look(): Promise<void> {
    try {
      const { mark, heads, more } = await withBudget('unbounded', () => this.#rooms.record.moved(this.#mark))
      this.#mark = mark
      if (heads.size === 0 && !more) return
      for (const { bindings } of this.#open) for (const binding of bindings.values()) binding.moved()
    } catch (error) {
      this.#note(error)
    }
  }

  /** A few at once, of all rounds together; what finds no room is due in the next one. */
  async #ofMaker(maker: string, due: Open[]): Promise<void> {
    const busy = [...this.#open].filter(open => open.isBusy && makerIn(open) === maker).length
    const lanes = Array.from({ length: Math.max(0, mostOfMakerAtOnce - busy) }, async () => {
      for (let open = due.shift(); open !== undefined; open = due.shift()) if (!open.isBusy) await this.#tend(open)
    })
    await Promise.all(lanes)
  }

  async #tend(open: Open): Promise<void> {
    open.isBusy = true
    try {
      const isLate = this.#rooms.clock.nowMs() - open.sinceMs >= unboundMs
      if (open.bindings.size === 0 && isLate) return end(open, 'unbound')
      for (const binding of open.bindings.values()) if (!open.isOver) await this.#tell(open, binding)
    } finally {
      open.isBusy = false
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

/** By whose leave a line is told over; of one over which nobody has bound anything, nobody's. */
function makerIn({ makers }: Open): string {
  const [first = ''] = makers
  return first
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
