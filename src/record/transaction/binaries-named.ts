import { mapLinksInSteps, parseReference, type Resource } from '#fhir'
import type { Steps } from '#kernel'

/** Types with an element that holds an Attachment, by whose url a Binary is named. */
const carriers: ReadonlySet<string> = new Set([
  'BodyStructure',
  'Claim',
  'Communication',
  'CommunicationRequest',
  'Consent',
  'Contract',
  'DiagnosticReport',
  'DocumentManifest',
  'DocumentReference',
  'ExplanationOfBenefit',
  'Media',
  'Patient',
  'Person',
  'QuestionnaireResponse',
  'RelatedPerson',
  'Task',
])

/** Ids of the Binaries of this server to which a resource links. */
export function* binariesNamed(resource: Resource, baseUrl: string): Steps<ReadonlySet<string>> {
  const ids = new Set<string>()
  if (!carriers.has(resource.resourceType)) return ids
  yield* mapLinksInSteps(resource, text => {
    const { kind, type, id } = parseReference(text, baseUrl)
    if (kind === 'local' && type === 'Binary' && id !== undefined) ids.add(id)
    return text
  })
  return ids
}
