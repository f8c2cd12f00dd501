import { parseReference } from '#fhir'
import type { ReadContext } from '../read-context.ts'
import { isAboutStranger } from './contained.ts'
import { ownersIn } from './owners.ts'
import type { PatientNames } from './patient-names.ts'
import { keysOf } from './places.ts'
import type { Found } from './read-resources.ts'

/** Whether a resource is, or says that it is about, a patient who is not ours. */
export function isOfAnother({ resource, fullUrl }: Found, names: PatientNames, context: ReadContext): boolean {
  if (resource.resourceType === 'Patient') return !keysOf(resource, fullUrl).some(key => names.has(key))
  if (ownersIn(resource).some(reference => namesAnother(reference, fullUrl, names))) return true
  return isAboutStranger(resource, context)
}

/** Whether a reference leads to a patient who is not ours. */
export function namesAnother(reference: string, fullUrl: string | undefined, names: PatientNames): boolean {
  return parseReference(reference).type === 'Patient' && !names.has(reference, fullUrl)
}
