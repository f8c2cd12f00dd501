import { type Query, type Restricted, searchedTypes, type Vision } from '#search'
import type { Grant } from './grant.ts'
import { permits, requirePermission } from './permission.ts'
import { visionOf, withoutWithheld } from './vision.ts'

/**
 * Binds a query to what a grant may see; nothing else can, and only such a query can be evaluated.
 *
 * Every type that is searched, or reached by a chain or `_has`, needs a scope with `s`: a chain that may lead to several
 * types needs it for each. Included rows need `r` or `s` on their type and are left out otherwise.
 *
 * @throws Problem `forbidden` · `scope.missing`; its text names the scope that would be needed
 */
export function restrict(query: Query, grant: Grant): Restricted<Query> {
  for (const type of searchedTypes(query)) requirePermission(grant, 's', type)
  return bind(query, visionOf(grant, ['s']), visionOf(grant, ['r', 's']))
}

/**
 * The same for a look-up that the record makes on behalf of a read: is this row there for the grant, be it only because a
 * row within its reach refers to it? The answer tells no more than reading would, so `r` serves as well as `s`.
 *
 * @throws Problem `forbidden` · `scope.missing` when a type that the query looks into may be neither read nor searched
 */
export function restrictToReadable(query: Query, grant: Grant): Restricted<Query> {
  for (const type of searchedTypes(query)) if (!permits(grant, 's', type)) requirePermission(grant, 'r', type)
  const vision = visionOf(grant, ['r', 's'])
  return bind(query, vision, vision)
}

/** What is left of a restricted query where Consents withhold something from the grant that asks it. */
export function withheldFrom(query: Restricted<Query>, grant: Grant): Restricted<Query> {
  if (grant.withheld === undefined) return query
  const { vision, includeVision } = query
  return {
    ...query,
    vision: withoutWithheld(vision, grant),
    includeVision: withoutWithheld(includeVision, grant),
  } as Restricted<Query>
}

function bind(query: Query, vision: Vision, includeVision: Vision): Restricted<Query> {
  return { ...query, vision, includeVision } as Restricted<Query>
}
