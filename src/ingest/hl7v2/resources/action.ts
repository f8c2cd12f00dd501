import type { Resource } from '#fhir'

/** What was an error has no clinical status: https://hl7.org/fhir/R4/condition.html con-5, allergyintolerance.html ait-2. */
export function deletion(_: Resource, { clinicalStatus, ...deleted }: Resource): Resource {
  return deleted
}

/** What is told again after it was deleted is no error any more. */
export function addition(stored: Resource, told: Resource): Resource {
  const { verificationStatus, ...rest } = told
  const isOld = JSON.stringify(verificationStatus) === JSON.stringify(stored.verificationStatus)
  return isOld && hasCode(verificationStatus, 'entered-in-error') ? rest : told
}

/** Whether a concept has a code. */
export function hasCode(concept: unknown, code: string): boolean {
  const { coding = [] } = (concept ?? {}) as { coding?: readonly { readonly code?: string }[] }
  return coding.some(one => one.code === code)
}
