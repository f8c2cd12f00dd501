import { mapReferencesInSteps, parseReference, type Resource } from '#fhir'
import type { Steps } from '#kernel'

/** What entries of a document may refer to and it carries along. Other patients never are. */
const carried: ReadonlySet<string> = new Set([
  'Practitioner',
  'PractitionerRole',
  'Organization',
  'Medication',
  'Device',
  'Specimen',
  'Observation',
])

/** From an entry to a role, and from there to a person or an organization. */
export const mostHops = 2

/** A resource of this server. */
interface Carried {
  readonly type: string
  readonly id: string
}

/** What resources refer to here that a document carries along, each once. */
export function* carriedBy(resources: readonly Resource[], baseUrl: string): Steps<Iterable<Carried>> {
  const places = new Map<string, Carried>()
  for (const resource of resources)
    yield* mapReferencesInSteps(resource, text => {
      const { kind, type = '', id = '' } = parseReference(text, baseUrl)
      if (kind === 'local' && carried.has(type)) places.set(`${type}/${id}`, { type, id })
      return text
    })
  return places.values()
}
