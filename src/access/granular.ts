/** Granular scopes: which search parameters may narrow a scope, and their criteria for a type. */
import { isProblem } from '#kernel'
import { type Criterion, parseCriterion, searchParameter } from '#search'
import type { Term } from './term.ts'

/** What every resource type has; the only parameters that may narrow a `*` scope. */
const commonParameters: ReadonlySet<string> = new Set([
  '_id',
  '_lastUpdated',
  '_profile',
  '_security',
  '_source',
  '_tag',
])

/** Kinds whose plain value is judged on the resource alone. `special` and `composite` are not plain. */
const plainKinds: ReadonlySet<string> = new Set(['token', 'string', 'date', 'number', 'quantity', 'uri', 'reference'])

/** Scopes are read before any request, so an absolute URL in one is never taken for one of ours. */
const noBaseUrl = 'urn:kinhold:no-base-url'

/** Whether `name=value` may stand in a scope on `type` (or `*`). */
export function isGranularParameter(type: string, name: string, value: string): boolean {
  if (type === '*') return commonParameters.has(name) && criterionFor('Patient', name, value) !== undefined
  const parameter = searchParameter(type, name)
  // `_text`, `_content` and `_query` have no expression: they ask for more than elements.
  if (parameter?.expression === undefined || !plainKinds.has(parameter.type)) return false
  return criterionFor(type, name, value) !== undefined
}

function criterionFor(type: string, name: string, value: string): Criterion | undefined {
  try {
    const criterion = parseCriterion(type, name, value, noBaseUrl)
    return criterion.kind === 'value' ? criterion : undefined
  } catch (error) {
    if (isProblem(error)) return undefined
    throw error
  }
}

const criteriaByTerm = new WeakMap<Term, Map<string, readonly Criterion[] | undefined>>()

/**
 * The criteria that a row of `type` must meet for the term to cover it; all of them.
 *
 * @returns undefined when a parameter has no meaning for the type: the term then covers nothing of it
 */
export function criteriaOf(term: Term, type: string): readonly Criterion[] | undefined {
  if (term.params.length === 0) return []
  const byType = criteriaByTerm.get(term) ?? new Map<string, readonly Criterion[] | undefined>()
  if (!byType.has(type)) byType.set(type, parseCriteria(term, type))
  criteriaByTerm.set(term, byType)
  return byType.get(type)
}

function parseCriteria(term: Term, type: string): readonly Criterion[] | undefined {
  const criteria: Criterion[] = []
  for (const { name, value } of term.params) {
    const criterion = searchParameter(type, name) === undefined ? undefined : criterionFor(type, name, value)
    if (criterion === undefined) return undefined
    criteria.push(criterion)
  }
  return criteria
}
