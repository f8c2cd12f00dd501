import type {
  ChainCriterion,
  Criterion,
  HasCriterion,
  HoldingCriterion,
  MissingCriterion,
  Query,
  ValueCriterion,
} from './types.ts'

/** A criterion that is not made of others about the same resource. */
export type SingleCriterion = ValueCriterion | MissingCriterion | ChainCriterion | HasCriterion | HoldingCriterion

/** What a criterion asks of the resource itself, its alternatives one by one. */
export function* singleCriteria(criterion: Criterion): Generator<SingleCriterion> {
  if (criterion.kind === 'not') yield* singleCriteria(criterion.criterion)
  else if (criterion.kind === 'any') for (const each of criterion.anyOf.flat()) yield* singleCriteria(each)
  else yield criterion
}

/** What is asked of a resource of one type. */
interface Asked {
  readonly type: string
  readonly criterion: SingleCriterion
}

/** All that a criterion asks, of the resource itself and of those that it leads to. */
export function* criteriaWithin(type: string, criterion: Criterion): Iterable<Asked> {
  for (const single of singleCriteria(criterion)) {
    yield { type, criterion: single }
    if (single.kind === 'has') yield* criteriaWithin(single.type, single.criterion)
    if (single.kind === 'holding') for (const each of single.criteria) yield* criteriaWithin(single.type, each)
    if (single.kind === 'chain') for (const each of single.targets) yield* criteriaWithin(each.type, each.criterion)
  }
}

/** Whether a criterion asks for what a reference leads to is a part of, or the other way round. */
export function isLineage({ parameter, modifier }: ValueCriterion): boolean {
  return parameter === 'reference' && (modifier === 'above' || modifier === 'below')
}

/** The types of whose hierarchies a criterion asks. */
function lineageTypes({ operands }: ValueCriterion): readonly string[] {
  return operands.flatMap(operand => (operand.kind === 'reference' ? operand.types : []))
}

/** Whether other resources than the one searched decide, be it one that lies within it. */
export function leadsElsewhere(criterion: Criterion): boolean {
  return singleCriteria(criterion).some(single =>
    single.kind === 'value' ? isLineage(single) : single.kind !== 'missing',
  )
}

/**
 * Every type that a query looks into: searched, reached by a chain, holding a reference for `_has`, or a hierarchy. Includes are not
 * counted, and containers are not: of those who asks sees what may be seen.
 */
export function searchedTypes(query: Pick<Query, 'types' | 'criteriaByType' | 'soughtWithin'>): readonly string[] {
  const found = new Set(query.soughtWithin ?? query.types)
  for (const [type, criteria] of query.criteriaByType)
    for (const each of criteria.flatMap(criterion => [...criteriaWithin(type, criterion)])) {
      if (each.criterion.kind === 'holding') continue
      found.add(each.type)
      if (each.criterion.kind === 'has') found.add(each.criterion.type)
      if (each.criterion.kind !== 'value' || !isLineage(each.criterion)) continue
      for (const kin of lineageTypes(each.criterion)) found.add(kin)
    }
  return [...found]
}
