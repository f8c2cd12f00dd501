import { type Query, type Restricted, searchedTypes } from '#search'
import type { Grant } from './grant.ts'
import { requirePermission } from './permission.ts'
import { visionOf } from './vision.ts'

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
  return { ...query, vision: visionOf(grant, ['s']), includeVision: visionOf(grant, ['r', 's']) } as Restricted<Query>
}
