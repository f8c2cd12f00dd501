import { inSlices, isProblem, mapFew, type Problem } from '#kernel'
import {
  type Erased,
  evaluate,
  evaluateInPasses,
  type Hit,
  locate,
  locateInPasses,
  type Query,
  type Restricted,
  type SearchResult,
} from '#search'
import type { CompartmentId } from '#store'
import type { Ledger } from '../ledger/ledger.ts'
import { ledgersAtOnce } from '../ledger/shelf.ts'
import { LostCompartment, type Moments, type Passing, type View } from '../population/passing.ts'
import { isMissing } from '../population/taking.ts'
import type { Stored } from '../types.ts'

/**
 * The state as of which a search is evaluated, so that its pages do not shift: the head of each compartment, or where many are asked
 * the instant of what was written last, and what had arrived by then in each index by its name. While an index is there its arrivals
 * say it exactly; in another process, or after a restart, the instant does.
 */
export type AsOf =
  | { readonly kind: 'heads'; readonly heads: readonly (readonly [CompartmentId, number])[] }
  | { readonly kind: 'instant'; readonly untilMs: number; readonly arrivals: readonly (readonly [string, number])[] }

/** What a grant searches, at one moment. */
export interface Searched {
  readonly asOf: AsOf
  /** Compartments that could not be read, of all that are asked; there may be more once it is answered. */
  readonly unreadable: number
  answer(query: Restricted<Query>, offset: number): Promise<SearchResult>
  /** Tells of every match of any of these, once each and in no order. */
  locate(queries: readonly Restricted<Query>[], take: (hit: Hit) => void): Promise<void>
  /** Opens hits in their order, as long as `takes` has room. @throws LostCompartment */
  open(hits: readonly Hit[], takes?: (stored: Stored) => boolean): Promise<readonly Stored[]>
}

/** Opens what was found in the ledgers that `ledgerOf` gives. */
export type Opening = (
  hits: readonly Hit[],
  ledgerOf: (compartment: CompartmentId) => Promise<Ledger | undefined>,
  takes?: (stored: Stored) => boolean,
) => Promise<readonly Stored[]>

/** A few compartments, each with an index of its own. */
export async function searchedApart(
  ledgers: readonly Ledger[],
  opening: Opening,
  {
    heads,
    unreadable,
    erased,
  }: { readonly heads?: ReadonlyMap<CompartmentId, number>; readonly unreadable: number; readonly erased: Erased },
): Promise<Searched> {
  const asOf = heads ?? new Map(ledgers.map(ledger => [ledger.holder.compartment, ledger.durableHead]))
  const byCompartment = new Map(ledgers.map(ledger => [ledger.holder.compartment, ledger]))
  const indexes = await mapFew(ledgers, ledgersAtOnce, ledger => ledger.index())
  return {
    asOf: { kind: 'heads', heads: [...asOf] },
    unreadable,
    answer: (query, offset) => inSlices(evaluate(query, indexes, { offset, asOf, erased })),
    locate: (queries, take) => inSlices(locate(queries, indexes, { asOf, erased }, take)),
    open: (hits, takes) => opening(hits, async compartment => byCompartment.get(compartment), takes),
  }
}

/** Many compartments together. */
export interface Together {
  /** One for each population that is asked. */
  readonly views: readonly View[]
  readonly before: Extract<AsOf, { kind: 'instant' }> | undefined
  /** Compartments that are missing, of all that are asked: as of now. */
  unreadable(): number
  readonly passing: Passing
  /** @throws Problem when it cannot be opened */
  ledgerOf(compartment: CompartmentId): Promise<Ledger | undefined>
  /** Hears that something of a compartment cannot be read. */
  lose(compartment: CompartmentId, why: Problem): void
}

export function searchedTogether(together: Together, opening: Opening): Searched {
  const { views, before, passing } = together
  const now: Extract<AsOf, { kind: 'instant' }> = {
    kind: 'instant',
    untilMs: Math.max(...views.map(({ slices }) => slices.newestMs)),
    arrivals: views.map(({ moves }) => [moves.name, moves.moment()]),
  }
  const asOf = before ?? now
  const at = momentsOf(asOf, views)
  const ledgerOf = async (compartment: CompartmentId) => {
    try {
      return await together.ledgerOf(compartment)
    } catch (error) {
      if (isMissing(error)) return undefined
      if (!isProblem(error, 'fault')) throw error
      together.lose(compartment, error)
      throw new LostCompartment()
    }
  }
  return {
    asOf,
    get unreadable() {
      return together.unreadable()
    },
    answer: async (query, offset) => {
      const whole = await passing.whole(at, (indexes, page) => evaluate(query, indexes, { offset, ...page }))
      return whole === undefined ? passing.run(at, evaluateInPasses(query, { offset })) : whole.value
    },
    locate: async (queries, take) => {
      const whole = await passing.whole(at, (indexes, page) => locate(queries, indexes, page, take))
      if (whole === undefined) await passing.run(at, locateInPasses(queries, take))
    },
    open: (hits, takes) => opening(hits, ledgerOf, takes),
  }
}

/** Arrivals were counted here, or they say nothing and the instant counts. */
function momentsOf({ untilMs, arrivals }: Extract<AsOf, { kind: 'instant' }>, views: readonly View[]): Moments {
  const counted = new Map(arrivals)
  const isHere = views.every(({ moves }) => counted.has(moves.name))
  return isHere
    ? { kind: 'moves', at: views.map(({ moves }) => counted.get(moves.name) ?? 0) }
    : { kind: 'instant', untilMs }
}

/** Does it anew as long as something of what was found turns out not to be readable; each time there is less. */
export async function withoutLost<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof LostCompartment)) throw error
    }
  }
}
