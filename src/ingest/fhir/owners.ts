import type { Resource } from '#fhir'

/** Elements by which a resource says whose it is. */
export const ownerElements = ['subject', 'patient', 'beneficiary', 'individual'] as const

/** The references by which a resource says whose it is. */
export function ownersIn(resource: Resource): readonly string[] {
  return ownerElements.flatMap(element => {
    const node = resource[element] as { readonly reference?: unknown } | null | undefined
    return typeof node?.reference === 'string' ? [node.reference] : []
  })
}
