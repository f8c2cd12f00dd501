import { ownersInSteps } from '#access'
import { parseReference, type Resource } from '#fhir'
import { atOnce, type Steps } from '#kernel'
import { withoutOwnNotes } from '#record'
import { missingEffect } from '#validation'
import { type Outcome, rowName } from '../outcome.ts'
import type { ReadContext } from '../read-context.ts'
import { isOfAnother } from './about.ts'
import { ownFragments } from './contained.ts'
import { type Directory, isPatientReference } from './directory.ts'
import { ownerElements } from './owners.ts'
import { amendment } from './patient-elements.ts'
import {
  identifierIn,
  isRelative,
  type PatientNames,
  resolved,
  splitFragment,
  unversioned,
  withoutRoot,
} from './patient-names.ts'
import { isShared, type Place } from './places.ts'
import type { Found, Gone } from './read-resources.ts'
import { type Rewritten, rewriteReferences, rewriteUrls } from './references.ts'
import { compareVersions, isOlder, saidMsOf, stampsOf, type Version, withStampsOf } from './versions.ts'

/** Types that are no facts about a person, or that this server writes itself. */
export const passedOver: ReadonlySet<string> = new Set([
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

/** What mapping the rows of a file needs to know of all of them. */
export interface Scene {
  readonly directory: Directory
  readonly names: PatientNames
  readonly context: ReadContext
  /** What came up while a row was mapped; emptied after each. */
  readonly warnings: Outcome[]
}

/**
 * One resource of a FHIR file, re-owned: what the file says about its patient is said about ours; its ids become ours;
 * its references and addresses follow. Each walk through it is a step: it may be large.
 */
export function* mapResource(found: Found, scene: Scene): Steps<Outcome> {
  const { resource } = found
  const { context, names, directory } = scene
  const type = resource.resourceType
  const row = rowName(type)
  if (passedOver.has(type)) return { kind: 'unmapped', row }
  if (isOfAnother(found, names, context)) return { kind: 'rejected', row, reason: 'other-patient' }
  if (missingEffect(resource) !== undefined) return { kind: 'rejected', row, reason: 'without-effect' }
  if (type === 'Patient') return mapPatient(found, scene)
  if (isShared(type) && !context.canShare(type)) return { kind: 'unmapped', row }
  yield
  const place = directory.places.placeOf(found)
  if (place?.type === 'Binary' && place.shownByOther && !place.shownByOwn)
    return { kind: 'rejected', row, reason: 'other-patient' }
  const id = place?.id ?? context.fingerprint('fhir', type, JSON.stringify(resource))
  yield
  const mapped = yield* reowned(found, id, scene)
  yield
  if (!isShared(type) && (yield* isAboutSomebodyElse(mapped, context)))
    return { kind: 'rejected', row, reason: 'element-missing', expression: `${type}.subject` }
  if (isShared(type)) return { kind: 'mapped', row, resource: mapped, mode: 'create' }
  const over = (stored: Resource, anew: Resource) =>
    isOlder(found.version, stored) ? undefined : withStampsOf(stored, anew)
  const since = (deletion: Version) => compareVersions(found.version, deletion)
  return { kind: 'mapped', row, resource: mapped, mode: 'upsert', over, since, ...saidMsOf(found.version) }
}

/**
 * A deletion, if it is the newest that the file says of a resource: what an earlier file brought is deleted here too, unless that
 * was a newer version.
 */
export function mapDeletion(gone: Gone, index: number, { directory }: Scene): Outcome | undefined {
  const { type } = gone.gone
  const row = rowName(type)
  const place = directory.places.placeOfDeletion(gone)
  if (place !== undefined && place.newest.index !== index) return undefined
  if (type === 'Patient' || isShared(type)) return { kind: 'unmapped', row: `${row}.deleted` }
  const id = place?.id ?? directory.places.idOfDeleted(gone)
  const when = (stored: Resource) => !isOlder(gone.version, stored)
  return { kind: 'remove', row, type, id, when, deletion: gone.version, ...saidMsOf(gone.version) }
}

function* reowned({ resource, fullUrl, version }: Found, id: string, scene: Scene): Steps<Resource & { id: string }> {
  const { context } = scene
  const mapped: Resource & { id: string } = { ...resource, id, meta: metaOf(resource, version, context) }
  if (resource.resourceType === 'Binary') mapped.securityContext = context.subject
  nameSubject(mapped, scene)
  const own = ownFragments(resource, context)
  yield
  yield* follow(mapped, fullUrl, scene, own)
  if (own.size > 0) leaveOut(mapped, own)
  return mapped
}

/** A description of the patient within a resource has nothing that refers to it any more: https://hl7.org/fhir/R4/domainresource.html#invs */
function leaveOut(resource: Resource, fragments: ReadonlySet<string>): void {
  const contained = (resource.contained as readonly Resource[]).filter(({ id }) => !fragments.has(`#${id}`))
  if (contained.length > 0) resource.contained = contained
  else delete resource.contained
}

/** A subject that is named by a number of the patient alone. */
function nameSubject(resource: Resource, { names, context }: Scene): void {
  for (const element of ownerElements) {
    const { reference, type, identifier } = (resource[element] ?? {}) as Named
    if (reference === undefined && (type === undefined || type === 'Patient') && identifier !== undefined)
      if (names.hasIdentifier(identifier)) resource[element] = { ...(resource[element] as object), ...context.subject }
  }
}

interface Named {
  readonly reference?: string
  readonly type?: string
  readonly identifier?: { readonly system?: string; readonly value?: string }
}

/** It says whom it is about, but not in a way that this server can tell. What says nothing is the importing patient's. */
function* isAboutSomebodyElse(resource: Resource, context: ReadContext): Steps<boolean> {
  const isNobodys = (yield* ownersInSteps(resource, context.baseUrl)).kind === 'household'
  return isNobodys && ownerElements.some(name => resource[name] !== undefined)
}

type Node = { readonly [name: string]: unknown }

function metaOf(resource: Resource, version: Version, context: ReadContext) {
  // A file that was exported from here has notes of ours, too, and who made another one cannot know them.
  const { versionId, lastUpdated, source, extension, ...kept } = (withoutOwnNotes(resource).meta ?? {}) as Node
  const extensions = [...(Array.isArray(extension) ? extension : []), ...stampsOf(version)]
  return { ...kept, ...(extensions.length === 0 ? {} : { extension: extensions }), source: context.source }
}

function mapPatient({ resource, fullUrl, version }: Found, scene: Scene): Outcome {
  const amended = amendment(resource, scene.context, known => atOnce(follow(known, fullUrl, scene)))
  return { ...amended, ...saidMsOf(version) }
}

/** Lets all that a resource refers to lead to what became of it, in place. References are links, too; they are followed once. */
function* follow(
  resource: Resource,
  fullUrl: string | undefined,
  scene: Scene,
  own: ReadonlySet<string> = new Set(),
): Steps<void> {
  const followed = new Set<string>([scene.context.source])
  yield* rewriteReferences(resource, reference => {
    const rewritten = own.has(reference) ? scene.context.subject : rewrite(reference, fullUrl, scene)
    if ('reference' in rewritten) followed.add(rewritten.reference)
    return rewritten
  })
  yield* rewriteUrls(resource, url => (followed.has(url) ? url : rewriteUrl(url, fullUrl, scene)))
}

function rewrite(reference: string, fullUrl: string | undefined, scene: Scene): Rewritten {
  const { names, directory, context } = scene
  // What stands in the resource itself stays there.
  if (reference.startsWith('#')) return { reference }
  if (names.has(reference, fullUrl)) return context.subject
  const place = directory.places.find(reference, fullUrl)
  if (place?.isKept === true) return { reference: `${place.type}/${place.id}` }
  const other = context.otherPerson?.(reference)
  if (other !== undefined) return { reference: other }
  return wordsFor(reference, place?.shared)
}

/** What is said of nobody's resource in its place. One of which there are no words is named as what is not in the file: an empty reference is none. */
function wordsFor(reference: string, shared: Place['shared']): Rewritten {
  if (shared?.display !== undefined || shared?.identifier !== undefined) return shared
  return shared?.code === undefined ? elsewhere(reference) : { ...shared, identifier: { value: reference } }
}

/**
 * A reference to what is not in the file, or is not taken in. Relative ones would point at whatever has that id here, so they
 * become identifiers; absolute ones say where they point.
 */
function elsewhere(reference: string): Rewritten {
  const { kind, url } = parseReference(reference)
  if (kind === 'conditional') {
    const identifier = identifierIn(url)
    return identifier.value === undefined ? { display: 'Not in the file' } : { identifier }
  }
  if (kind === 'absolute' && !isPatientReference(reference)) return { reference }
  return { identifier: { value: reference } }
}

const missingBinary =
  'The bytes of some attachments are not in the file, or could not be taken in; their addresses lead to where they were.'

function rewriteUrl(url: string, fullUrl: string | undefined, { directory, names, warnings }: Scene): string {
  const place = directory.places.find(url, fullUrl)
  // What stands under an address that is also the canonical one of a definition keeps it.
  const isPlain = place?.type === 'Binary' || /^urn:/i.test(url) || isRelative(url)
  if (place !== undefined && isPlain && isReadable(place)) return `${place.type}/${place.id}${splitFragment(url)[1]}`
  if (place?.type === 'Binary' || (place === undefined && isBinary(url) && !names.has(url, fullUrl)))
    warnings.push({ kind: 'warning', text: missingBinary })
  return leadingAway(url, fullUrl)
}

/** A relative link that names a resource would lead to whatever has that name here: it leads to where the file has it from. */
function leadingAway(url: string, fullUrl: string | undefined): string {
  const [whole, fragment] = splitFragment(url)
  const { kind } = parseReference(withoutRoot(unversioned(whole)))
  if (!isRelative(url) || (kind !== 'local' && kind !== 'conditional')) return url
  const address = resolved(unversioned(whole), fullUrl)
  return isRelative(address) ? `urn:kinhold:fhir:elsewhere:${url}` : `${address}${fragment}`
}

/** Bytes that only somebody else's documents show are theirs. */
function isReadable({ isKept, shownByOther, shownByOwn }: Place): boolean {
  return isKept && (shownByOwn || !shownByOther)
}

function isBinary(url: string): boolean {
  return parseReference(withoutRoot(unversioned(url))).type === 'Binary'
}
