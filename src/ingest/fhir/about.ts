import { parseReference, type Resource } from '#fhir'
import { claimsOf } from '../identity/claims.ts'
import { compare } from '../identity/judge.ts'
import type { ReadContext } from '../read-context.ts'
import { ownerElements, referenceAt } from './directory.ts'
import type { PatientNames } from './patient-names.ts'
import { keysOf } from './places.ts'
import type { Found } from './read-resources.ts'

/** Whether a resource is, or says that it is about, a patient who is not ours. */
export function isOfAnother({ resource, fullUrl }: Found, names: PatientNames, context: ReadContext): boolean {
  if (resource.resourceType === 'Patient') return !keysOf(resource, fullUrl).some(key => names.has(key))
  return ownerElements.some(element => {
    const reference = referenceAt(resource, element)
    if (reference === undefined || names.has(reference, fullUrl)) return false
    if (reference.startsWith('#')) return isContainedStranger(reference, resource, context)
    return parseReference(reference).type === 'Patient'
  })
}

function isContainedStranger(reference: string, resource: Resource, context: ReadContext): boolean {
  const patient = containedPatients(resource).find(({ id }) => `#${id}` === reference)
  return patient !== undefined && !isOurs(patient, context)
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
