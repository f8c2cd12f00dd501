import { mapReferences, parseReference, type Resource } from '#fhir'

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

/** What a resource refers to here that a document carries along. */
export function carriedBy(resource: Resource, baseUrl: string): { type: string; id: string }[] {
  const places: { type: string; id: string }[] = []
  mapReferences(resource, text => {
    const { kind, type = '', id = '' } = parseReference(text, baseUrl)
    if (kind === 'local' && carried.has(type)) places.push({ type, id })
    return text
  })
  return places
}
