import { ownersOf } from '#access'
import { parseReference, type Resource } from '#fhir'
import { type MapContext, type Outcome, rowName } from '../outcome.ts'
import { merge } from '../patient-merge.ts'
import type { FhirContext } from '../read-context.ts'
import { type Directory, isPatientReference, isShared, keysOf, ownerElements, referenceAt } from './directory.ts'
import type { Found } from './read-resources.ts'
import { type Rewritten, rewriteReferences } from './references.ts'

/** Types that are no facts about a person, or that this server writes itself. */
const passedOver: ReadonlySet<string> = new Set([
  'AuditEvent',
  'Bundle',
  'OperationOutcome',
  'Parameters',
  'CapabilityStatement',
  'CodeSystem',
  'ConceptMap',
  'SearchParameter',
  'StructureDefinition',
  'Subscription',
  'ValueSet',
])

/** What of a Patient in a file fills a Patient that lacks it. Its links and practitioners are its server's. */
const patientElements = [
  'name',
  'telecom',
  'gender',
  'birthDate',
  '_birthDate',
  'deceasedBoolean',
  'deceasedDateTime',
  'address',
  'maritalStatus',
  'multipleBirthBoolean',
  'multipleBirthInteger',
  'communication',
  'extension',
] as const

/**
 * One resource of a FHIR file, re-owned: what the file says about its patient is said about ours; its ids become ours;
 * its references follow.
 *
 * @param names  how the file names the patient it is imported for
 */
export function mapResource(
  found: Found,
  directory: Directory,
  names: ReadonlySet<string>,
  context: FhirContext,
): Outcome {
  const { resource, fullUrl } = found
  const type = resource.resourceType
  const row = rowName(type)
  if (passedOver.has(type)) return { kind: 'unmapped', row }
  if (type === 'Patient') return mapPatient(found, names, context)
  if (isOfAnother(resource, names)) return { kind: 'rejected', row, reason: 'other-patient' }
  if (isShared(type) && !context.canShare(type)) return { kind: 'unmapped', row }
  const key = keysOf(resource, fullUrl)[0]
  const place = key === undefined ? undefined : directory.place(key)
  const id = place?.id ?? context.fingerprint('fhir', type, JSON.stringify(resource))
  const mapped: Resource & { id: string } = { ...resource, id, meta: metaOf(resource, context) }
  rewriteReferences(mapped, reference => rewrite(reference, directory, names, context))
  if (!isShared(type) && isAboutSomebodyElse(mapped, context))
    return { kind: 'rejected', row, reason: 'element-missing', expression: `${type}.subject` }
  return { kind: 'mapped', row, resource: mapped, mode: isShared(type) ? 'create' : 'upsert' }
}

/** It says whom it is about, but not in a way that this server can tell. What says nothing is the importing patient's. */
function isAboutSomebodyElse(resource: Resource, context: FhirContext): boolean {
  const isNobodys = ownersOf(resource, context.baseUrl).kind === 'household'
  return isNobodys && ownerElements.some(name => resource[name] !== undefined)
}

function metaOf(resource: Resource, context: MapContext) {
  const { versionId, lastUpdated, source, ...kept } = resource.meta ?? {}
  return { ...kept, source: context.source }
}

function mapPatient({ resource, fullUrl }: Found, names: ReadonlySet<string>, context: FhirContext): Outcome {
  if (!keysOf(resource, fullUrl).some(key => names.has(key)))
    return { kind: 'rejected', row: 'Patient', reason: 'other-patient' }
  const known = Object.fromEntries(
    [...patientElements, 'identifier'].flatMap(name => (resource[name] === undefined ? [] : [[name, resource[name]]])),
  )
  return {
    kind: 'amend',
    row: 'Patient',
    type: 'Patient',
    id: context.patient,
    change: current => merge(current, known, false, []),
  }
}

function isOfAnother(resource: Resource, names: ReadonlySet<string>): boolean {
  return ownerElements.some(name => {
    const reference = referenceAt(resource, name)
    if (reference === undefined || names.has(reference)) return false
    return parseReference(reference).type === 'Patient'
  })
}

function rewrite(reference: string, directory: Directory, names: ReadonlySet<string>, context: FhirContext): Rewritten {
  if (names.has(reference)) return context.subject
  const unversioned = reference.replace(/\/_history\/[^/]+$/, '')
  const place = directory.place(reference) ?? directory.place(unversioned)
  if (place !== undefined) {
    if (place.shared !== undefined && !context.canShare(place.type)) return place.shared
    return { reference: `${place.type}/${place.id}` }
  }
  return elsewhere(reference, names)
}

/**
 * A reference to what is not in the file. Relative ones would point at whatever has that id here, so they become
 * identifiers; absolute ones say where they point.
 */
function elsewhere(reference: string, names: ReadonlySet<string>): Rewritten {
  const { kind, url } = parseReference(reference)
  if (kind === 'fragment') return { reference }
  if (kind === 'conditional') {
    const [system, value] = (new URLSearchParams(url).get('identifier') ?? '').split('|')
    return value === undefined || value === '' ? { display: 'Not in the file' } : { identifier: { system, value } }
  }
  if (kind === 'absolute' && !isPatientReference(reference)) return { reference }
  return names.has(reference) ? { reference } : { identifier: { value: reference } }
}
