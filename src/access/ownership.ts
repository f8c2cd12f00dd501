/** Whose a resource is. https://hl7.org/fhir/R4/compartmentdefinition-patient.html */
import { isId, type Resource } from '#fhir'
import { appendAll, atOnce, type Steps } from '#kernel'
import { type Addresses, addressesAt, addressesIn, type Pointing, pointingsAt } from './addresses.ts'
import { isCommonsType } from './commons-types.ts'
import { followedPaths, isOwnable, ownerPaths } from './owner-paths.ts'

/** What a resource belongs with. */
export interface Followed {
  readonly type: string
  readonly id: string
}

/** Whose a resource is, as far as it says so itself. */
export type Ownership =
  /** Of all of these, each of them named once. */
  | { readonly kind: 'patients'; readonly patients: readonly string[] }
  /** Belongs wherever these belong, e.g. a Provenance with its targets. */
  | { readonly kind: 'follow'; readonly targets: readonly Followed[] }
  /** Of a type that is nobody's: Organization, Practitioner, ValueSet … */
  | { readonly kind: 'commons' }
  /** Of no patient here that it names: it stays with whoever writes it. */
  | { readonly kind: 'household' }

const commons: Ownership = { kind: 'commons' }
const household: Ownership = { kind: 'household' }

/**
 * The owners of a resource: every Patient of this server whom it names where the CompartmentDefinition looks, and for types
 * outside of it by `subject` or `patient` (Device, Contract …). `Observation.focus` is never asked, contained resources own
 * nothing, and a stored Bundle is whose its entries are, its references read within the Bundle first. Absolute and
 * version-specific references name the same patient as `Patient/1`. Links of a Patient count unless they tell of a merge.
 *
 * @param baseUrl  the FHIR base without a closing slash, e.g. `https://example.org/fhir`
 * @see            https://hl7.org/fhir/R4/bundle.html#references
 */
export function ownersOf(resource: Resource, baseUrl: string): Ownership {
  return atOnce(ownersInSteps(resource, baseUrl))
}

/** The same, a reference at a time: for a resource that somebody sent, which may be large. */
export function ownersInSteps(resource: Resource, baseUrl: string): Steps<Ownership> {
  return ownersAt(resource, addressesAt(baseUrl))
}

function* ownersAt(resource: Resource, addresses: Addresses): Steps<Ownership> {
  if (resource.resourceType === 'Bundle') return yield* ownersOfBundle(resource, addresses)
  const patients = yield* patientsNamed(resource, addresses)
  if (patients.size > 0) return { kind: 'patients', patients: [...patients] }
  return isCommonsType(resource.resourceType) ? commons : following(yield* whatItFollows(resource, addresses))
}

function following(targets: readonly Followed[]): Ownership {
  if (targets.length === 0) return household
  const patients = new Set(targets.filter(({ type }) => type === 'Patient').map(({ id }) => id))
  return patients.size > 0 ? { kind: 'patients', patients: [...patients] } : { kind: 'follow', targets }
}

function* patientsNamed(resource: Resource, addresses: Addresses): Steps<ReadonlySet<string>> {
  const patients = new Set<string>()
  const self = resource.resourceType === 'Patient' ? addresses.self(resource) : undefined
  if (self !== undefined && isId(self)) patients.add(self)
  const owned = resource.resourceType === 'Patient' ? withoutMerges(resource) : resource
  for (const path of ownerPaths(resource.resourceType))
    for (const pointing of yield* pointingsAt(owned, path.steps, addresses))
      if (pointing.type === 'Patient') patients.add(pointing.id)
  return patients
}

/** Types of link between two records of which one is no longer used: https://hl7.org/fhir/R4/valueset-link-type.html */
const mergeLinks: ReadonlySet<unknown> = new Set(['replaces', 'replaced-by'])

/**
 * A link that tells of a merge makes the Patient nobody else's: what was merged into it from one side would show to the other,
 * and whoever is merged could not be changed by a token of their own any more.
 */
function withoutMerges(patient: Resource): Resource {
  const { link } = patient
  if (!Array.isArray(link)) return patient
  return { ...patient, link: link.filter(each => !mergeLinks.has((each as { readonly type?: unknown } | null)?.type)) }
}

/**
 * The Patients of this server of whom a Patient says that it replaces them, or they it: `ownersOf` leaves them out, and messages about
 * the one go to the other.
 *
 * @param baseUrl  as for `ownersOf`
 */
export function mergedWith(patient: Resource, baseUrl: string): ReadonlySet<string> {
  const links = Array.isArray(patient.link) ? (patient.link as readonly unknown[]) : []
  const told = links.filter(each => mergeLinks.has((each as { readonly type?: unknown } | null)?.type))
  const named = atOnce(pointingsAt({ ...patient, link: told }, ['link', 'other'], addressesAt(baseUrl)))
  return new Set(named.filter(({ type }) => type === 'Patient').map(({ id }) => id))
}

/** What it is about, or else what the first path of its type that names something leads to. */
function* whatItFollows(resource: Resource, addresses: Addresses): Steps<readonly Followed[]> {
  for (const path of ownerPaths(resource.resourceType)) {
    const subjects = path.deciding
      ? (yield* pointingsAt(resource, path.steps, addresses)).filter(isOwnablePointing)
      : []
    if (subjects.length > 0) return subjects
  }
  for (const path of followedPaths(resource.resourceType)) {
    const targets = (yield* pointingsAt(resource, path.steps, addresses)).filter(({ type }) => !isCommonsType(type))
    if (targets.length > 0) return targets
  }
  return []
}

function isOwnablePointing({ type }: Pointing): boolean {
  return type !== 'Patient' && isOwnable(type)
}

function* ownersOfBundle(bundle: Resource, outside: Addresses): Steps<Ownership> {
  const patients = new Set<string>()
  const targets: Followed[] = []
  for (const { resource, addresses } of addressesIn(bundle, outside)) {
    const owners = yield* ownersAt(resource, addresses)
    if (owners.kind === 'patients') for (const patient of owners.patients) patients.add(patient)
    if (owners.kind === 'follow') appendAll(targets, owners.targets)
  }
  return patients.size > 0 ? { kind: 'patients', patients: [...patients] } : following(targets)
}
