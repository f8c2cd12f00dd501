import type { Resource } from '#fhir'

interface Row {
  readonly text: string
  /** Whether this one would have to have an effect. */
  applies(resource: Resource): boolean
}

/** What has an effect only where a person writes it themself: whoever reads it in a file would count on an effect that never comes. */
const rows: Readonly<Record<string, Row>> = {
  Consent: {
    text: 'A Consent that rules who may see what is not taken from a file: it has to be written by who keeps the patient. Without provision and policyRule, or as draft, it is taken.',
    applies: isEnforcing,
  },
}

const privacy = 'patient-privacy'

/** An active rule about privacy that a machine is to follow. @see https://hl7.org/fhir/R4/consent.html#6.2.3 */
function isEnforcing({ status, scope, provision, policyRule }: Resource): boolean {
  if (status !== 'active' || (provision === undefined && policyRule === undefined)) return false
  const { coding } = (scope ?? {}) as { readonly coding?: unknown }
  return Array.isArray(coding) && coding.some(each => (each as { readonly code?: unknown } | null)?.code === privacy)
}

/** Why a resource cannot be taken, in words for people, where it would be taken without the effect that its author counts on. */
export function missingEffect(resource: Resource): string | undefined {
  const row = Object.hasOwn(rows, resource.resourceType) ? rows[resource.resourceType] : undefined
  return row?.applies(resource) === true ? row.text : undefined
}
