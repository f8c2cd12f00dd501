import { resourceTypes } from '#fhir'
import { Problem } from '#kernel'
import type { Draft } from './controls.ts'
import type { AnyCriterion, Criterion, HoldingCriterion, Inner } from './types.ts'

/** What `_contained` wants beside, or instead of, resources that stand by themselves. */
export type Contained = 'false' | 'true' | 'both'

/** No DomainResource, so that nothing lies within; and the server's own records, which are searched apart. */
const holdNothing: ReadonlySet<string> = new Set(['Binary', 'Bundle', 'Parameters', 'AuditEvent'])

const containers: readonly string[] = resourceTypes.filter(type => !holdNothing.has(type))

/** A container has no values of what lies within it, but its own name and date. */
const sortable: ReadonlySet<string> = new Set(['_id', '_lastUpdated'])

type ByType = ReadonlyMap<string, readonly Criterion[]>

/**
 * What is asked of types, asked of what lies within resources of any type; with `both`, of either.
 *
 * @see https://hl7.org/fhir/R4/search.html#contained – "by default the container is returned"
 */
export function lookedWithin(
  byType: ByType,
  wanted: 'true' | 'both',
): { readonly criteriaByType: ByType; readonly inner: Inner } {
  const holdings = Array.from(
    byType,
    ([type, criteria]): HoldingCriterion => ({ kind: 'holding', name: '_contained', type, criteria }),
  )
  const within: AnyCriterion = { kind: 'any', anyOf: holdings.map(holding => [holding]) }
  const asked = new Map<string, readonly Criterion[]>(containers.map(type => [type, [within]]))
  if (wanted === 'both')
    for (const [type, own] of byType)
      asked.set(type, holdNothing.has(type) ? own : [{ kind: 'any', anyOf: [own, [within]] }])
  return { criteriaByType: asked, inner: { holdings, own: wanted === 'both' ? byType : new Map() } }
}

/** @throws Problem `invalid` · `search.sort-unknown` */
export function checkOrder({ sort }: Pick<Draft, 'sort'>): void {
  if (sort.every(({ name }) => sortable.has(name))) return
  const text = 'What is contained is sorted by what holds it: by _id and _lastUpdated.'
  throw new Problem('invalid', 'search.sort-unknown', text, { expression: '_sort' })
}
