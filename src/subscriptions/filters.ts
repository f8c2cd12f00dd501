import { isResourceType, parseStored } from '#fhir'
import { isProblem, Problem } from '#kernel'
import type { FollowedVersion } from '#record'
import { type Criterion, matches, parseCriterion, type SearchParameter } from '#search'
import { type Filter, isTold, type Wanted } from './wanted.ts'

/** What one resource alone can answer, whoever else is kept here. */
const judgedAlone: ReadonlySet<string> = new Set([
  'token',
  'string',
  'date',
  'number',
  'quantity',
  'uri',
  'reference',
  'composite',
])
const modifiersTaken: ReadonlySet<string | undefined> = new Set([
  undefined,
  'not',
  'text',
  'of-type',
  'exact',
  'contains',
  'identifier',
])

/** Whether events can be filtered by a search parameter. */
export function filterable({ type, expression }: SearchParameter): boolean {
  return expression !== undefined && judgedAlone.has(type)
}

/**
 * `Observation?code=1&status=final`, as R4's criteria and the filters of topics have it. Only what a resource tells by itself is
 * taken: chains, `_has` and parameters that shape an answer would make an event depend on what others write.
 *
 * @param element  where it stands, for the refusal
 * @throws Problem `unprocessable` · `subscription.criteria-unsupported`
 */
export function parseFilter(text: string, baseUrl: string, element: string): Filter {
  const [type = '', query = ''] = text.split(/\?(.*)/s)
  if (!isResourceType(type))
    throw unsupported(element, 'Criteria must begin with the one resource type that they search.')
  if (!isTold(type))
    throw unsupported(element, `There are no events of ${type}: notifications would tell of notifications.`)
  for (const [name, value] of new URLSearchParams(query)) checkCriterion({ type, name, value, baseUrl, element })
  return { type, query }
}

function checkCriterion(of: { type: string; name: string; value: string; baseUrl: string; element: string }): void {
  const criterion = parsed(of)
  const isAlone =
    criterion?.kind === 'missing' ||
    (criterion?.kind === 'value' && judgedAlone.has(criterion.parameter) && modifiersTaken.has(criterion.modifier))
  if (isAlone) return
  const named = /^[_A-Za-z][\w.:-]{0,63}$/.test(of.name) ? ` ${of.name}` : ''
  throw unsupported(
    of.element,
    `Criteria cannot use the search parameter${named}: only what the resource itself tells, without chains.`,
  )
}

function parsed({ type, name, value, baseUrl }: { type: string; name: string; value: string; baseUrl: string }) {
  try {
    return parseCriterion(type, name, value, baseUrl)
  } catch (error) {
    if (isProblem(error)) return undefined
    throw error
  }
}

function unsupported(expression: string, text: string): Problem {
  return new Problem('unprocessable', 'subscription.criteria-unsupported', text, { expression })
}

const criteriaOfFilters = new WeakMap<Filter, readonly Criterion[]>()

function criteriaOf(filter: Filter, baseUrl: string): readonly Criterion[] {
  const known = criteriaOfFilters.get(filter)
  if (known !== undefined) return known
  const pairs = [...new URLSearchParams(filter.query)]
  const criteria = pairs.map(([name, value]) => parseCriterion(filter.type, name, value, baseUrl))
  criteriaOfFilters.set(filter, criteria)
  return criteria
}

/**
 * Whether a version is an event that is asked for. What was deleted is judged by what it said before; R4's own criteria speak of what
 * was created and updated only.
 *
 * @see https://hl7.org/fhir/R4/subscription.html
 */
export async function isEvent({ stored, before }: FollowedVersion, wanted: Wanted, baseUrl: string): Promise<boolean> {
  if (wanted.kind === 'criteria' && stored.deleted) return false
  const filters = wanted.filters.filter(({ type }) => type === stored.type)
  const criteria = filters.flatMap(filter => criteriaOf(filter, baseUrl))
  if (criteria.length === 0) return true
  const told = stored.deleted ? before : stored
  return told !== undefined && matches(await parseStored(told.json), criteria)
}
