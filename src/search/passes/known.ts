import type { Steps } from '#kernel'
import { IdSet } from '../columns/id-set.ts'
import { isPublishedType, Publishing, type Resolve } from '../evaluation/canonicals.ts'
import { fewIds, kinSought, Matcher } from '../evaluation/matcher.ts'
import type { Fulfilling } from '../evaluation/narrow.ts'
import type { Restricted, Vision } from '../evaluation/types.ts'
import { type Beyond, type Moment, Visibility } from '../evaluation/visibility.ts'
import { planOf } from '../extraction/plan.ts'
import type { PopulationIndex } from '../population-index.ts'
import { limits, tooCostly, tooWide } from '../query/limits.ts'
import type { Criterion, HasCriterion, Query, ReferenceOperand, ValueCriterion } from '../query/types.ts'
import { criteriaWithin, isLineage, type SingleCriterion, singleCriteria } from '../query/within.ts'
import type { Asked, InPasses, Pass } from './pass.ts'
import { tracesSought } from './traces.ts'

/** Something of which it is to be known in all slices which ids it is true of. */
type Need =
  | { readonly kind: 'fulfilled'; readonly type: string; readonly criterion: Criterion }
  | { readonly kind: 'referred'; readonly type: string; readonly criterion: HasCriterion }

const nobodyLooked = () => new TypeError('what lies in other slices was not looked for')

/** What a query has found out in all slices about other resources than those that it is asked for. */
export class Known {
  readonly #baseUrl: string
  readonly #ids = new Map<Criterion, Map<string, IdSet>>()
  readonly #kin = new Map<ValueCriterion, ValueCriterion>()
  readonly #canonicals = new Map<Vision, Resolve>()
  #passed = 0

  constructor(baseUrl: string) {
    this.#baseUrl = baseUrl
  }

  /** What of one slice is visible. */
  visibility(index: PopulationIndex, vision: Vision, moment: Moment): Visibility {
    const beyond: Beyond = {
      canonicals: () => {
        const resolve = this.#canonicals.get(vision)
        if (resolve === undefined) throw nobodyLooked()
        return resolve
      },
      referenced: () => {
        throw tooWide('What records lead to in common property is told of a few patients: name them, as in patient=x.')
      },
    }
    return new Visibility([index], vision, moment, this.#baseUrl, beyond)
  }

  /** Looks for rows of one slice. */
  matcher(index: PopulationIndex, vision: Vision, moment: Moment): Matcher {
    return new SliceMatcher(this.visibility(index, vision, moment), this)
  }

  ids(type: string, criterion: Criterion): IdSet {
    const ids = this.#ids.get(criterion)?.get(type)
    if (ids === undefined) throw nobodyLooked()
    return ids
  }

  /** The criterion with the kin of what it names. */
  withKin(criterion: ValueCriterion): ValueCriterion {
    const whole = this.#kin.get(criterion)
    if (whole === undefined) throw nobodyLooked()
    return whole
  }

  /** Finds out all that a query needs before its matches can be told in one pass. */
  *lookInto(query: Restricted<Query>): InPasses<void> {
    const levels: Need[][] = []
    for (const type of query.types)
      for (const criterion of query.criteriaByType.get(type) ?? query.criteria) {
        for (const within of criteriaWithin(type, criterion)) {
          if (within.criterion.kind === 'value' && isLineage(within.criterion))
            yield* this.#findKin(within.criterion, query.vision)
          if (leadsByCanonicals(within.type, within.criterion)) yield* this.findCanonicals(query.vision)
        }
        heightOf(type, criterion, levels)
      }
    for (const needs of levels) yield this.#passFor(needs, query.vision)
  }

  /** Finds out what canonical references mean. */
  *findCanonicals(vision: Vision): InPasses<void> {
    if (this.#canonicals.has(vision)) return
    const publishing = new Publishing()
    const known = this
    yield {
      asked: [{ isOf: isPublishedType }],
      *work(index, moment) {
        const visibility = known.visibility(index, vision, moment)
        yield* publishing.add(index, (of, type) => visibility.rows(of, type))
      },
    }
    this.#canonicals.set(vision, publishing.resolver())
  }

  *#findKin(criterion: ValueCriterion, vision: Vision): InPasses<void> {
    if (this.#kin.has(criterion)) return
    const kin: ReferenceOperand[] = []
    // Those of all that are named are followed together: each round is a look into all slices.
    for (const [type, named] of Map.groupBy(kinSought(criterion), each => each.type)) {
      const ids = named.map(({ id }) => id)
      for (const id of yield* this.#lineage(type, ids, criterion, vision))
        kin.push({ kind: 'reference', types: [type], id })
    }
    this.#kin.set(criterion, { ...criterion, operands: [...criterion.operands, ...kin] })
  }

  *#lineage(
    type: string,
    named: readonly string[],
    criterion: ValueCriterion,
    vision: Vision,
  ): InPasses<ReadonlySet<string>> {
    const found = new Set<string>()
    const known = this
    let edge: readonly string[] = [...new Set(named)]
    for (let round = 1; edge.length > 0; round++) {
      if (round > limits.lineage) throw tooCostly('lineage', criterion.name)
      const next = new Set<string>()
      const ids = edge
      yield {
        asked: [{ isOf: each => each === type }],
        *work(index, moment) {
          yield* known.matcher(index, vision, moment).addKin(type, ids, criterion, next)
        },
      }
      edge = [...next].filter(each => !found.has(each))
      for (const each of edge) found.add(each)
    }
    return found
  }

  #passFor(needs: readonly Need[], vision: Vision): Pass {
    for (const { type, criterion } of needs) {
      const byType = this.#ids.get(criterion) ?? new Map<string, IdSet>()
      this.#ids.set(criterion, byType.set(type, new IdSet()))
    }
    const known = this
    return {
      asked: needs.map(askedFor),
      *work(index, moment) {
        const matcher = known.matcher(index, vision, moment)
        for (const need of needs) yield* known.#meet(need, matcher)
      },
    }
  }

  *#meet(need: Need, matcher: Matcher): Steps<void> {
    const into = this.ids(need.type, need.criterion)
    if (need.kind === 'referred')
      for (const id of yield* matcher.idsReferred(need.type, need.criterion)) this.#pass(into.add(id))
    else
      for (const { table, rows } of yield* matcher.find(need.type, [need.criterion])) {
        for (let row = rows.indexOf(1); row >= 0; row = rows.indexOf(1, row + 1))
          this.#pass(into.addPacked(table.ids.bytes(row)))
        yield
      }
    yield
  }

  #pass(isNew: boolean): void {
    if (isNew && ++this.#passed > limits.passed) throw tooCostly('passed')
  }
}

/** Knows of other slices what was found out before. */
class SliceMatcher extends Matcher {
  readonly #known: Known

  constructor(visibility: Visibility, known: Known) {
    super(visibility)
    this.#known = known
  }

  override *fulfilling(type: string, criterion: Criterion): Steps<Fulfilling> {
    yield
    const ids = this.#known.ids(type, criterion)
    return { has: id => ids.has(id), ids: ids.count > fewIds ? undefined : [...ids] }
  }

  override *referred(type: string, criterion: HasCriterion): Steps<Iterable<string>> {
    yield
    return this.#known.ids(type, criterion)
  }

  override *withKin(criterion: ValueCriterion): Steps<ValueCriterion> {
    yield
    return this.#known.withKin(criterion)
  }
}

/** Notes what a criterion needs to be known, innermost first. @returns how many levels of it there are */
function heightOf(type: string, criterion: Criterion, levels: Need[][]): number {
  let height = 0
  const need = (below: number, each: Need) => {
    levels[below] ??= []
    // What lies within is asked of containers of every type, by the same criteria.
    const isKnown = levels[below].some(known => known.type === each.type && known.criterion === each.criterion)
    if (!isKnown) levels[below].push(each)
    height = Math.max(height, below + 1)
  }
  for (const single of singleCriteria(criterion)) {
    if (single.kind === 'chain')
      for (const target of single.targets)
        need(heightOf(target.type, target.criterion, levels), { kind: 'fulfilled', ...target })
    if (single.kind === 'holding')
      for (const each of single.criteria) height = Math.max(height, heightOf(single.type, each, levels))
    if (single.kind === 'has')
      need(heightOf(single.type, single.criterion, levels), { kind: 'referred', type, criterion: single })
  }
  return height
}

function askedFor(need: Need): Asked {
  const [type, criterion] =
    need.kind === 'referred' ? [need.criterion.type, need.criterion.criterion] : [need.type, need.criterion]
  return { isOf: each => each === type, traces: tracesSought(type, [criterion]) }
}

/** Whether a parameter of a type is a reference by canonical URL. */
export function isCanonical(type: string, name: string): boolean {
  const plan = planOf(type)
  return (plan.uses.get(name) ?? []).some(({ index }) => plan.sources[index]?.canonical === true)
}

function leadsByCanonicals(type: string, criterion: SingleCriterion): boolean {
  if (criterion.kind === 'has') return isCanonical(criterion.type, criterion.name)
  return criterion.kind === 'chain' && isCanonical(type, criterion.name)
}
