import { checkWanted, inSlices, type Steps } from '#kernel'
import type { Asked, Erased, Holder, InPasses, Moment, Page, Pass, PopulationIndex, Query } from '#search'
import type { CompartmentId } from '#store'
import { type Moves, Then } from './moves.ts'
import type { Population } from './population.ts'
import type { Slice, Slices } from './slice.ts'
import type { SliceRoom } from './slice-room.ts'

/** What was found lies in a compartment that turned out not to be readable, or moments are counted anew: it must be asked again. */
export class LostCompartment extends Error {}

/** A population as it is when somebody asks. */
export interface View {
  readonly population: Population
  readonly slices: Slices
  readonly moves: Moves
}

/** As of when populations are asked: a moment of each, or an instant. */
export type Moments =
  | { readonly kind: 'moves'; readonly at: readonly number[] }
  | { readonly kind: 'instant'; readonly untilMs: number }

/** For each view. */
type Thens = readonly (Then | undefined)[]

interface Placed {
  readonly view: View
  readonly slice: Slice
  /** How far those had come at the moment who have moved since; undefined where an instant is asked about. */
  readonly since: Then | undefined
}

/** Goes through the slices of populations. */
export class Passing {
  readonly #views: readonly View[]
  readonly #room: SliceRoom
  readonly #erased: Erased
  readonly #compartmentsOf: (query: Query) => ReadonlySet<CompartmentId> | undefined

  constructor(
    views: readonly View[],
    rooms: {
      readonly room: SliceRoom
      readonly erased: Erased
      /** In which alone lies what a question asks for; undefined when it may lie elsewhere. */
      compartmentsOf(query: Query): ReadonlySet<CompartmentId> | undefined
    },
  ) {
    this.#views = views
    this.#room = rooms.room
    this.#erased = rooms.erased
    this.#compartmentsOf = query => rooms.compartmentsOf(query)
  }

  /** Looks into all slices at once, if they have room in memory together; else undefined. */
  async whole<T>(
    moments: Moments,
    work: (indexes: readonly PopulationIndex[], page: Omit<Page, 'offset'>) => Steps<T>,
  ): Promise<{ readonly value: T } | undefined> {
    if (!this.isWhole) return undefined
    for (const { population, slices } of this.#views)
      for (const slice of slices.list)
        if (slice.index === undefined) await population.look(slices, slice, 'oldest', async () => undefined)
    const placed = this.#placed(this.#thens(moments))
    const indexes: PopulationIndex[] = []
    const less = new Map<PopulationIndex, ReadonlyMap<number, number>>()
    for (const each of placed) {
      const { index } = each.slice
      if (index === undefined) return undefined
      indexes.push(index)
      const lessHere = lessIn(index, each)
      if (lessHere.size > 0) less.set(index, lessHere)
    }
    const page = { less: less.size > 0 ? less : undefined, erased: this.#erased, ...instantOf(moments) }
    const slices = placed.map(({ slice }) => slice)
    return { value: await this.#room.holding(slices, () => inSlices(work(indexes, page))) }
  }

  /** Whether all slices have room in memory together. */
  get isWhole(): boolean {
    return this.#room.fits(this.#views.flatMap(({ slices: { list } }) => list))
  }

  /** Looks into one slice after the other, as often as is needed. */
  async run<T>(moments: Moments, passes: InPasses<T>): Promise<T> {
    const thens = this.#thens(moments)
    for (let pass = passes.next(); ; pass = passes.next()) {
      if (pass.done === true) return pass.value
      await this.#go(pass.value, moments, thens)
    }
  }

  async #go(pass: Pass, moments: Moments, thens: Thens): Promise<void> {
    const within = pass.asked.map(
      ({ compartments, narrower }) => compartments ?? (narrower && this.#compartmentsOf(narrower.query)),
    )
    const wanted = this.#placed(thens).filter(({ slice }) =>
      pass.asked.some((asked, n) => mayHold(slice, asked, within[n])),
    )
    const policy = this.#room.fits(wanted.map(({ slice }) => slice)) ? 'oldest' : 'newest'
    for (const each of wanted) {
      checkWanted()
      const { population, slices } = each.view
      await population.look(slices, each.slice, policy, index =>
        inSlices(pass.work(index, { ...momentIn(index, each, moments), erased: this.#erased })),
      )
    }
  }

  #placed(thens: Thens): readonly Placed[] {
    return this.#views.flatMap((view, n) => view.slices.list.map(slice => ({ view, slice, since: thens[n] })))
  }

  #thens(moments: Moments): Thens {
    return this.#views.map(({ moves }, n) => {
      const at = moments.kind === 'moves' ? moments.at[n] : undefined
      return at === undefined ? undefined : new Then(moves, at)
    })
  }
}

function momentIn(index: PopulationIndex, placed: Placed, moments: Moments): Moment {
  const less = lessIn(index, placed)
  return {
    arrivals: new Map([[index, index.head]]),
    less: less.size > 0 ? new Map([[index, less]]) : undefined,
    untilMs: undefined,
    ...instantOf(moments),
  }
}

function instantOf(moments: Moments): { readonly untilMs?: number } {
  return moments.kind === 'instant' ? { untilMs: moments.untilMs } : {}
}

/** Up to which arrival there was something of those who have moved since. */
function lessIn(
  index: PopulationIndex,
  { view: { slices, moves }, slice, since }: Placed,
): ReadonlyMap<number, number> {
  const less = new Map<number, number>()
  if (since === undefined) return less
  if (slices.moves !== moves) throw new LostCompartment()
  const heads = since.heads()
  const fewer = heads.size < slice.holders.size ? heads : slice.holders
  for (const compartment of fewer.keys()) {
    const head = heads.get(compartment)
    const arrived = head === undefined ? undefined : index.arrivalIn(compartment, head)
    if (arrived !== undefined) less.set(arrived.holder, arrived.arrival)
  }
  return less
}

function mayHold(slice: Slice, asked: Asked, within: ReadonlySet<CompartmentId> | undefined): boolean {
  const { index, traces, holders } = slice
  const types = index === undefined ? traces?.types : new Set(index.tables.keys())
  if (types !== undefined && ![...types].some(type => asked.isOf(type))) return false
  // What is in memory is looked through in no time.
  if (index === undefined && traces !== undefined && asked.traces !== undefined && !traces.mayHold(asked.traces))
    return false
  if (within === undefined) return true
  if (within.values().some(compartment => holders.has(compartment))) return true
  const contained = index?.containedTypes ?? traces?.contained
  const sought = asked.narrower?.contained ?? new Set()
  return sought.size > 0 && (contained === undefined || [...contained].some(type => sought.has(type)))
}

/** A population through which a history of everybody is walked. */
export class Walked {
  readonly #population: Population
  readonly #slices: Slices

  constructor(population: Population, slices: Slices) {
    this.#population = population
    this.#slices = slices
  }

  get newestMs(): number {
    return this.#slices.newestMs
  }

  holderOf(compartment: CompartmentId): Holder | undefined {
    return this.#slices.holderOf(compartment)
  }

  /**
   * Looks into one slice after the other, if something was written there late enough.
   *
   * @param sinceMs  asked before each
   * @throws Problem `fault` when something of it cannot be read
   */
  async each(sinceMs: () => number, look: (index: PopulationIndex) => Promise<void>): Promise<void> {
    for (const slice of this.#slices.list.toSorted((a, b) => b.newestMs - a.newestMs))
      if (slice.newestMs >= sinceMs()) {
        checkWanted()
        await this.#population.look(this.#slices, slice, 'newest', look)
      }
    const [loss] = this.#population.losses
    if (loss !== undefined) throw loss.why
  }
}
