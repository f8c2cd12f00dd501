import type { Located } from '../evaluation/canonicals.ts'
import { Links, nothingWanted, type Wanted } from '../evaluation/includes.ts'
import { type Ranked, rankedOrder, toRanked } from '../evaluation/order.ts'
import type { Hit, Restricted } from '../evaluation/types.ts'
import type { Moment } from '../evaluation/visibility.ts'
import type { PopulationIndex } from '../population-index.ts'
import { limits, tooCostly } from '../query/limits.ts'
import type { Include, Query, ReferenceOperand } from '../query/types.ts'
import { isCanonical, type Known } from './known.ts'
import { questionOf } from './narrower.ts'
import type { Asked, InPasses } from './pass.ts'
import { idTrace } from './traces.ts'

/** What an include leads to beside matches, as `evaluate` finds it, each round in one look into the slices. */
export function* included(
  query: Restricted<Query>,
  known: Known,
  matches: readonly Ranked[],
): InPasses<readonly Hit[]> {
  if (query.includes.length === 0 || matches.length === 0) return []
  if (query.includes.some(leadsByCanonicals)) yield* known.findCanonicals(query.includeVision)
  return yield* new InclusionInPasses(query, known).run(matches)
}

function leadsByCanonicals({ type, name }: Include): boolean {
  return type === '*' || name === '*' || isCanonical(type, name)
}

interface Found {
  readonly ranked: Ranked
  /** What it is called, where its copies are one. */
  readonly shared: string | undefined
}

class InclusionInPasses {
  readonly #query: Restricted<Query>
  readonly #known: Known
  readonly #seen = new Set<string>()
  readonly #sharedSeen = new Set<string>()
  #count = 0

  constructor(query: Restricted<Query>, known: Known) {
    this.#query = query
    this.#known = known
  }

  *run(matches: readonly Ranked[]): InPasses<readonly Hit[]> {
    for (const { hit } of matches) this.#isNew(hit)
    const iterating = this.#query.includes.filter(({ iterate }) => iterate)
    const hits: Hit[] = []
    let wanted = nothingWanted()
    yield* this.#wantedBeside(matches, wanted)
    for (let round = 1; isAnything(wanted); round++) {
      const next = nothingWanted()
      const found = yield* this.#find(wanted, iterating, next)
      found.sort((a, b) => inOrder(a.ranked, b.ranked))
      // Of copies the first one in this order is kept, wherever they were met.
      const kept = found.filter(({ shared }) => this.#isNewCopy(shared))
      if (kept.length === 0) break
      if (round > limits.rounds) throw tooCostly('rounds', '_include')
      hits.push(...kept.map(({ ranked }) => ranked.hit))
      wanted = next
    }
    return hits
  }

  *#wantedBeside(matches: readonly Ranked[], wanted: Wanted): InPasses<void> {
    const byCompartment = Map.groupBy(matches, ({ hit }) => hit.compartment)
    const { includes } = this.#query
    const inclusion = this
    yield {
      asked: [{ isOf: () => true, compartments: new Set(byCompartment.keys()) }],
      *work(index, moment) {
        const here = index.holders.flatMap(({ compartment }) => byCompartment.get(compartment) ?? [])
        const rows = [...new Set(here)].flatMap(({ hit }) => rowOf(index, hit) ?? [])
        for (const { table, row } of rows)
          if (table.isShared(row)) inclusion.#isNewCopy(`${table.plan.type}/${table.ids.id(row)}`)
        yield* inclusion.#links(index, moment).from(rows, includes, wanted)
      },
    }
  }

  /** What is found is asked at once where it leads to itself: its slice is not opened a second time. */
  *#find(wanted: Wanted, iterating: readonly Include[], next: Wanted): InPasses<Found[]> {
    const found: Found[] = []
    const inclusion = this
    yield {
      asked: askedFor(wanted, this.#query),
      *work(index, moment) {
        const links = inclusion.#links(index, moment)
        const here: Located[] = []
        yield* links.find(wanted, located => inclusion.#add(located, here))
        for (const { table, row, ...rest } of here) {
          const shared = table.isShared(row) ? `${table.plan.type}/${table.ids.id(row)}` : undefined
          found.push({ ranked: toRanked({ ...rest, table, row, keys: [] }), shared })
        }
        yield* links.from(here, iterating, next)
      },
    }
    return found
  }

  #add(located: Located, here: Located[]): void {
    if (!this.#isNew(toRanked({ ...located, keys: [] }).hit)) return
    if (++this.#count > limits.included) throw tooCostly('included', '_include')
    here.push(located)
  }

  #links(index: PopulationIndex, moment: Moment): Links {
    return new Links(this.#known.visibility(index, this.#query.includeVision, moment), this.#query.baseUrl)
  }

  #isNew({ compartment, seq }: Hit): boolean {
    const place = `${compartment} ${seq}`
    if (this.#seen.has(place)) return false
    this.#seen.add(place)
    return true
  }

  #isNewCopy(shared: string | undefined): boolean {
    if (shared === undefined) return true
    if (this.#sharedSeen.has(shared)) return false
    this.#sharedSeen.add(shared)
    return true
  }
}

const inOrder = rankedOrder([])

function isAnything({ ids, named }: Wanted): boolean {
  return ids.size > 0 || named.size > 0
}

function rowOf(index: PopulationIndex, { compartment, seq, type }: Hit) {
  const table = index.tables.get(type)
  const arrival = index.arrivalIn(compartment, seq)?.arrival ?? 0
  const row = arrival === 0 ? undefined : table?.rowsAt(arrival)[0]
  return table === undefined || row === undefined ? undefined : { table, row }
}

function askedFor({ ids, named }: Wanted, query: Query): readonly Asked[] {
  const forward = Array.from(ids, ([type, wanted]) => ({
    isOf: (each: string) => each === type,
    traces: Array.from(wanted, id => idTrace(type, id)),
  }))
  const backward = Array.from(named, ([include, { names, urls }]) => ({
    isOf: (each: string) => include.type === '*' || include.type === each,
    narrower: urls.length > 0 ? undefined : referring(include, names, query),
  }))
  return [...forward, ...backward]
}

/** What refers by one parameter to resources of these names. */
function referring({ type, name }: Include, names: ReadonlySet<string>, query: Query): Asked['narrower'] {
  if (type === '*' || name === '*') return undefined
  const operands = Array.from(names, (each): ReferenceOperand => {
    const [of = '', id = ''] = each.split('/')
    return { kind: 'reference', types: [of], id }
  })
  const criterion = { kind: 'value', name, parameter: 'reference', modifier: undefined, operands } as const
  return { query: questionOf(query, type, [{ ...criterion, baseUrl: query.baseUrl }]), contained: new Set() }
}
