import { composeTerm, type Grant, patientsInReach, permits, restrict, type Term } from '#access'
import { resourceTypes } from '#fhir'
import { Problem } from '#kernel'
import type { Record } from '#record'
import type { Query, Restricted, Sight } from '#search'

/**
 * The grant, as far as it reaches one patient: what it may do is the same, whom it may do it to is that patient alone.
 *
 * @throws Problem `not-found` · `record.unknown` when it does not reach the patient, as for one that never existed
 */
export async function narrowToPatient(
  grant: Grant,
  patient: string,
  record: Pick<Record, 'keepsPatient'>,
): Promise<Grant> {
  const reach = patientsInReach(grant)
  // Of everybody one is looked up: to read whoever is kept here would cost more the more there are.
  const isReached = reach === 'all' ? await record.keepsPatient(patient) : reach.includes(patient)
  if (!isReached) throw new Problem('not-found', 'record.unknown', 'No such resource is known.')
  const narrowed = narrowedGrants.get(grant) ?? new Map<string, Grant>()
  narrowedGrants.set(grant, narrowed)
  const grantForOne = narrowed.get(patient) ?? narrow(grant, patient)
  narrowed.set(patient, grantForOne)
  return grantForOne
}

/** Rooms below remember by grant what it reaches, so the narrowed one must be the same each time. */
const narrowedGrants = new WeakMap<Grant, Map<string, Grant>>()

function narrow(grant: Grant, patient: string): Grant {
  const { patient: inContext, ...rest } = grant
  return {
    ...rest,
    ...(inContext === patient ? { patient } : {}),
    patients: [patient],
    terms: grant.terms.flatMap(term => narrowTerm(term, grant, patient)),
  }
}

/** `system/` terms reach everybody; as `user/` terms of a grant for one patient they reach that one. */
function narrowTerm(term: Term, grant: Grant, patient: string): Term[] {
  if (term.level === 'system') return [composeTerm('user', term.type, term.verbs, term.params)]
  if (term.level === 'user') return grant.patients === 'all' || grant.patients.includes(patient) ? [term] : []
  return grant.patient === patient ? [term] : []
}

/**
 * Restricts a query to what lies in patients' compartments: matches in the commons or a household do not count, what matches
 * refer to there can still be included.
 */
export function restrictToCompartments(query: Query, grant: Grant): Restricted<Query> {
  const restricted = restrict(query, grant)
  const searched = new Set(query.types)
  return {
    ...restricted,
    vision: (type, holder) =>
      holder.kind !== 'patient' && holder.kind !== 'audit' && searched.has(type)
        ? nothing
        : restricted.vision(type, holder),
  }
}

const nothing: Sight = { kind: 'none' }

/**
 * All types that the grant may search, but for AuditEvent: what is recorded grows by being read, so that it is shown to
 * those who ask for it by name.
 *
 * @throws Problem `forbidden` · `scope.missing` when there is none
 */
export function searchableTypes(grant: Grant): readonly string[] {
  const types = resourceTypes.filter(type => type !== 'AuditEvent' && permits(grant, 's', type))
  if (types.length === 0)
    throw new Problem('forbidden', 'scope.missing', 'This needs a scope that allows to search, such as patient/*.rs.')
  return types
}
