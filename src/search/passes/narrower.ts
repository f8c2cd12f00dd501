import type { ChainCriterion, Criterion, Query, ReferenceOperand } from '../query/types.ts'
import { leadsElsewhere } from '../query/within.ts'
import type { Known } from './known.ts'
import type { Asked } from './pass.ts'
import { tracesSought } from './traces.ts'

/** So many references are named where a chain leads to them. */
const mostNamed = 1_000

/** What is asked for of one type, once it is known where its chains lead. */
export function askedOf(query: Query, type: string, known: Known): Asked {
  const criteria = query.criteriaByType.get(type) ?? query.criteria
  const contained = new Set<string>()
  const narrowing: Criterion[] = []
  for (const criterion of criteria) {
    if (!leadsElsewhere(criterion)) narrowing.push(criterion)
    else if (criterion.kind === 'chain') narrowing.push(...asReference(criterion, known, contained))
  }
  return {
    isOf: each => each === type,
    traces: tracesSought(type, criteria),
    narrower: { query: questionOf(query, type, narrowing), contained },
  }
}

/** A question for one type without anything beside it. */
export function questionOf(query: Query, type: string, criteria: readonly Criterion[]): Query {
  return { ...query, types: [type], criteria, criteriaByType: new Map([[type, criteria]]), includes: [] }
}

/** A chain as what it comes down to: references to those who fulfil its rest, or to what lies within the resource itself. */
function asReference(
  { name, targets, baseUrl }: ChainCriterion,
  known: Known,
  contained: Set<string>,
): readonly Criterion[] {
  const operands: ReferenceOperand[] = []
  for (const { type, criterion } of targets) {
    const ids = known.ids(type, criterion)
    if (operands.length + ids.count > mostNamed) return []
    for (const id of ids) operands.push({ kind: 'reference', types: [type], id })
  }
  for (const { type } of targets) contained.add(type)
  return [{ kind: 'value', name, parameter: 'reference', modifier: undefined, operands, baseUrl }]
}
