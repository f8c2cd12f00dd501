/** Whose a resource is. https://hl7.org/fhir/R4/compartmentdefinition-patient.html */
import { isId, parseReference, type Resource } from '#fhir'
import { followedPaths, isOwnable, type OwnerPath, ownerPaths } from './owner-paths.ts'

/** Exactly one owner per resource. */
export type Ownership =
  | { readonly kind: 'patient'; readonly patient: string }
  /** Belongs to nobody: Organization, Practitioner, Group of several … */
  | { readonly kind: 'commons' }
  /** Belongs wherever this one belongs, e.g. a Provenance with its target. */
  | { readonly kind: 'follow'; readonly type: string; readonly id: string }
  /** It is about a person, but does not say whom in a way this server can tell. */
  | { readonly kind: 'unclear' }

/** What a Reference element points at, as far as ownership asks. */
type Pointing =
  | { readonly to: 'patient'; readonly id: string }
  | { readonly to: 'local'; readonly type: string; readonly id: string }
  /** A patient, but not one whose id here we know. */
  | { readonly to: 'stranger' }
  /** Perhaps a patient: an identifier, a urn, mere text. */
  | { readonly to: 'somebody' }
  | { readonly to: 'nobody' }

const commons: Ownership = { kind: 'commons' }
const unclear: Ownership = { kind: 'unclear' }

/** Types whose rule is not "the first patient that its paths name". */
const ownRules: ReadonlyMap<string, (resource: Resource, baseUrl: string) => Ownership> = new Map([
  ['Patient', resource => ownPatient(resource)],
  ['Group', ownerOfGroup],
  ['Bundle', ownerOfBundle],
])

/**
 * The owner of a resource, by the CompartmentDefinition: `subject`, `patient`, `beneficiary` first, then the other
 * parameters it lists, in its order. The first patient found owns; others named elsewhere change nothing, and
 * `Observation.focus` is never asked. Absolute URLs under `baseUrl` are local; contained resources own nothing.
 *
 * @param baseUrl  the FHIR base without a closing slash, e.g. `https://example.org/fhir`
 */
export function ownerOf(resource: Resource, baseUrl: string): Ownership {
  const ownRule = ownRules.get(resource.resourceType)
  return ownRule === undefined ? ownerByPaths(resource, baseUrl) : ownRule(resource, baseUrl)
}

function ownPatient(resource: Resource): Ownership {
  return resource.id !== undefined && isId(resource.id) ? { kind: 'patient', patient: resource.id } : unclear
}

function ownerByPaths(resource: Resource, baseUrl: string): Ownership {
  let aboutStranger = false
  let subject: Ownership | undefined
  for (const path of ownerPaths(resource.resourceType)) {
    const pointings = pointingsAt(resource, path, baseUrl)
    const patient = pointings.find(pointing => pointing.to === 'patient')
    if (patient !== undefined) return { kind: 'patient', patient: patient.id }
    if (path.deciding && pointings.some(pointing => pointing.to === 'somebody')) return unclear
    aboutStranger ||= pointings.some(pointing => pointing.to === 'stranger')
    if (path.deciding) subject ??= follow(pointings.filter(isOwnablePointing))
  }
  if (aboutStranger) return unclear
  return subject ?? ownerByFollowing(resource, baseUrl)
}

function ownerByFollowing(resource: Resource, baseUrl: string): Ownership {
  for (const path of followedPaths(resource.resourceType)) {
    const pointings = pointingsAt(resource, path, baseUrl)
    const patient = pointings.find(pointing => pointing.to === 'patient')
    if (patient !== undefined) return { kind: 'patient', patient: patient.id }
    const target = follow(pointings)
    if (target !== undefined) return target
  }
  // Bytes that nobody says anything about are more likely a scan of somebody's letter than common property.
  return resource.resourceType === 'Binary' ? unclear : commons
}

function follow(pointings: readonly Pointing[]): Ownership | undefined {
  const target = pointings.find(pointing => pointing.to === 'local')
  return target === undefined ? undefined : { kind: 'follow', type: target.type, id: target.id }
}

function isOwnablePointing(pointing: Pointing): boolean {
  return pointing.to === 'local' && isOwnable(pointing.type)
}

/** A Group of one patient is that patient's; of several it is nobody's. */
function ownerOfGroup(resource: Resource, baseUrl: string): Ownership {
  const patients = new Set<string>()
  for (const path of ownerPaths('Group'))
    for (const pointing of pointingsAt(resource, path, baseUrl))
      if (pointing.to === 'patient') patients.add(pointing.id)
  const [only] = patients
  return only !== undefined && patients.size === 1 ? { kind: 'patient', patient: only } : commons
}

/** A stored Bundle is whose its entries are, if they are one person's. */
function ownerOfBundle(resource: Resource, baseUrl: string): Ownership {
  const owners = entriesOf(resource).map(entry => ownerOf(entry, baseUrl))
  const patients = new Set(owners.flatMap(owner => (owner.kind === 'patient' ? [owner.patient] : [])))
  const [only] = patients
  if (patients.size > 1 || owners.some(owner => owner.kind === 'unclear')) return unclear
  if (only !== undefined) return { kind: 'patient', patient: only }
  return owners.find(owner => owner.kind === 'follow') ?? commons
}

function entriesOf(bundle: Resource): readonly Resource[] {
  const found: unknown[] = []
  collect(bundle, ['entry', 'resource'], 0, found)
  return found.filter(isResource)
}

function pointingsAt(resource: Resource, path: OwnerPath, baseUrl: string): readonly Pointing[] {
  const found: unknown[] = []
  collect(resource, path.steps, 0, found)
  return found.filter(isObject).map(reference => pointingOf(reference, resource, baseUrl))
}

function collect(node: unknown, steps: readonly string[], at: number, found: unknown[]): void {
  if (Array.isArray(node)) {
    for (const item of node) collect(item, steps, at, found)
    return
  }
  const step = steps[at]
  if (step === undefined) found.push(node)
  else if (isObject(node) && Object.hasOwn(node, step)) collect(node[step], steps, at + 1, found)
}

function pointingOf(reference: { readonly [name: string]: unknown }, resource: Resource, baseUrl: string): Pointing {
  if (typeof reference.reference !== 'string') return perhapsPatient(reference.type)
  const { kind, type, id } = parseReference(reference.reference, baseUrl)
  if (kind === 'local' && type !== undefined && id !== undefined)
    return type === 'Patient' ? { to: 'patient', id } : { to: 'local', type, id }
  if (kind === 'fragment') return containsPatient(resource, reference.reference) ? { to: 'stranger' } : { to: 'nobody' }
  if (kind === 'absolute' || kind === 'conditional')
    return (type ?? reference.type) === 'Patient' ? { to: 'stranger' } : { to: 'nobody' }
  return perhapsPatient(reference.type)
}

function perhapsPatient(type: unknown): Pointing {
  return type === undefined || type === 'Patient' ? { to: 'somebody' } : { to: 'nobody' }
}

function containsPatient(resource: Resource, fragment: string): boolean {
  const contained: readonly unknown[] = Array.isArray(resource.contained) ? resource.contained : []
  return contained.some(item => isResource(item) && item.resourceType === 'Patient' && `#${item.id}` === fragment)
}

function isObject(value: unknown): value is { readonly [name: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isResource(value: unknown): value is Resource {
  return isObject(value) && typeof value.resourceType === 'string'
}
