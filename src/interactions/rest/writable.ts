import type { Resource } from '#fhir'
import { Problem } from '#kernel'
import { checkSentResource, type Validator } from '#validation'

interface NotYet {
  readonly text: string
  /** Whether this one would have to have an effect. */
  applies(resource: Resource): boolean
}

/** What this server can keep but not yet act upon: whoever writes it would count on an effect that never comes. */
const notYet: Readonly<Record<string, NotYet>> = {
  Consent: {
    text: 'A Consent that rules who may see what is not supported yet: nothing would be withheld. Without provision and policyRule, or as draft, it can be kept.',
    applies: isEnforcing,
  },
}

const privacy = 'patient-privacy'

/** An active rule about privacy that a machine is to follow. @see https://hl7.org/fhir/R4/consent.html#6.2.3 */
function isEnforcing({ status, scope, provision, policyRule }: Resource): boolean {
  if (status !== 'active' || (provision === undefined && policyRule === undefined)) return false
  const { coding } = (scope ?? {}) as { readonly coding?: readonly { readonly code?: string }[] }
  return coding?.some(({ code }) => code === privacy) ?? false
}

/**
 * Refuses what is not valid, and what would be taken without the effect that its author counts on.
 *
 * @throws Problem `unprocessable` · `validation.failed`; `unsupported` · `resource.not-supported-yet`
 */
export async function checkWritable(validator: Validator, resource: Resource): Promise<void> {
  await checkSentResource(validator, resource)
  const row = Object.hasOwn(notYet, resource.resourceType) ? notYet[resource.resourceType] : undefined
  if (row?.applies(resource) !== true) return
  throw new Problem('unsupported', 'resource.not-supported-yet', row.text, { expression: resource.resourceType })
}
