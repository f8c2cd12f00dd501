import type { Resource } from '#fhir'
import { claimsOf } from '../identity/claims.ts'
import { compare } from '../identity/judge.ts'
import type { ReadContext } from '../read-context.ts'
import { ownersIn } from './owners.ts'

/** Whether a resource is about somebody whom it describes itself and who is not our patient. */
export function isAboutStranger(resource: Resource, context: ReadContext): boolean {
  const owners = new Set(ownersIn(resource))
  return containedPatients(resource).some(patient => owners.has(`#${patient.id}`) && !isOurs(patient, context))
}

/** Descriptions of our patient within a resource, as references to them are written: `#p`. */
export function ownFragments(resource: Resource, context: ReadContext): ReadonlySet<string> {
  const own = containedPatients(resource).filter(patient => isOurs(patient, context))
  return new Set(own.map(({ id }) => `#${id}`))
}

/** What a file says of a person where it knows them by no name must fit whom it is imported for. */
function isOurs(patient: Resource, { person, forced }: ReadContext): boolean {
  return forced || compare(claimsOf(patient), person).kind === 'agrees'
}

function containedPatients({ contained }: Resource): readonly Resource[] {
  const resources: readonly unknown[] = Array.isArray(contained) ? contained : []
  return resources.filter((one): one is Resource => (one as Resource | null)?.resourceType === 'Patient')
}
