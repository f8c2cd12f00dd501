import type { Resource } from '#fhir'
import { type Holder, matches } from '#search'
import { activeTerms, type Grant } from './grant.ts'
import { criteriaOf } from './granular.ts'
import { speaksOf } from './permission.ts'
import { reachOf } from './reach.ts'
import type { Term, Verb } from './term.ts'

/**
 * Whether the grant may do this to one version of one resource in its holder. Each version is judged by what it says
 * itself; an update must be allowed on the version before and on the new one, in the old holder and in the new.
 *
 * A Patient that does not exist yet has no place in any grant: `c` on a Patient in a holder of its own is allowed to
 * `user/` terms of a grant with an account, which will keep it. The caller vouches that the id is free.
 *
 * @param referenced  whether a row within the grant's reach refers to this row of the commons. `patient/` terms read
 *                    such rows only; unless the caller says so they are refused.
 */
export function mayTouch(grant: Grant, verb: Verb, resource: Resource, holder: Holder, referenced = false): boolean {
  return activeTerms(grant).some(
    term =>
      term.verbs.has(verb) &&
      speaksOf(term, resource.resourceType) &&
      reaches(term, grant, verb, resource, holder, referenced) &&
      meets(term, resource),
  )
}

function reaches(
  term: Term,
  grant: Grant,
  verb: Verb,
  resource: Resource,
  holder: Holder,
  referenced: boolean,
): boolean {
  const reach = reachOf(term.level, grant, verb, resource.resourceType, holder)
  if (reach === 'referenced') return referenced
  return reach === 'all' || (verb === 'c' && term.level === 'user' && isNewPatientOf(grant, resource, holder))
}

function isNewPatientOf(grant: Grant, resource: Resource, holder: Holder): boolean {
  return (
    grant.account !== undefined &&
    resource.resourceType === 'Patient' &&
    holder.kind === 'patient' &&
    resource.id !== undefined &&
    holder.patient === resource.id
  )
}

function meets(term: Term, resource: Resource): boolean {
  if (term.params.length === 0) return true
  const criteria = criteriaOf(term, resource.resourceType)
  return criteria !== undefined && matches(resource, criteria)
}
