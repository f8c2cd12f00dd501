import { parseReference, type Resource } from '#fhir'
import { Problem } from '#kernel'
import { claimsOf, type PersonClaims } from '../identity/claims.ts'
import { checkSamePerson } from '../identity/guard.ts'
import { linkOf } from '../identity/identifiers.ts'
import { compare, isSurelySame } from '../identity/judge.ts'
import { identifierKey } from '../patient-merge.ts'
import type { FhirContext } from '../read-context.ts'
import type { Found } from './read-resources.ts'

/** Where a resource of the file goes. */
export interface Place {
  readonly type: string
  readonly id: string
  /** Words and identifier for references to it, when it cannot be stored. */
  readonly shared?: { readonly display?: string; readonly identifier?: object; readonly code?: object }
}

/** Types that belong to no patient: they are kept once for all. */
const sharedTypes: ReadonlySet<string> = new Set([
  'Practitioner',
  'PractitionerRole',
  'Organization',
  'OrganizationAffiliation',
  'Location',
  'HealthcareService',
  'Endpoint',
  'Medication',
  'Substance',
  'InsurancePlan',
])

export function isShared(type: string): boolean {
  return sharedTypes.has(type)
}

/** Elements by which a resource says whose it is. */
export const ownerElements = ['subject', 'patient', 'beneficiary', 'individual'] as const

/** A person whom the file describes, once or in several versions. */
interface FilePatient {
  readonly keys: ReadonlySet<string>
  readonly claims: readonly PersonClaims[]
  /** Where it stands, e.g. `Bundle.entry[3]`. */
  readonly place: string
}

/** What the first pass over a file learns: what is in it, under which names, and whose it is. */
export class Directory {
  readonly #context: FhirContext
  readonly #maxResources: number
  readonly #places = new Map<string, Place>()
  #patients: readonly FilePatient[] = []
  readonly #subjects = new Set<string>()

  constructor(context: FhirContext, maxResources: number) {
    this.#context = context
    this.#maxResources = maxResources
  }

  /** @param where  where it stands in the file */
  add(found: Found, where: string): void {
    if (this.#places.size > this.#maxResources)
      throw new Problem('too-large', 'ingest.too-many-resources', 'The file holds more resources than are accepted.')
    const { resource, fullUrl } = found
    if (resource.resourceType === 'Patient') this.#addPatient(resource, fullUrl, where)
    else {
      const place = placeOf(found, this.#context)
      for (const key of keysOf(resource, fullUrl)) this.#places.set(key, place)
      this.#addSubject(resource)
    }
  }

  #addPatient(resource: Resource, fullUrl: string | undefined, place: string): void {
    const keys = keysOf(resource, fullUrl)
    const isSame = (patient: FilePatient) => keys.some(key => patient.keys.has(key))
    const known = this.#patients.filter(isSame)
    const joined: FilePatient = {
      keys: new Set([...known.flatMap(patient => [...patient.keys]), ...keys]),
      claims: [...known.flatMap(({ claims }) => claims), claimsOf(resource)],
      place: known[0]?.place ?? place,
    }
    this.#patients = [...this.#patients.filter(patient => !isSame(patient)), joined]
  }

  #addSubject(resource: Resource): void {
    // A file of many people is found out by the second of them.
    if (this.#subjects.size > 1000) return
    for (const name of ownerElements) {
      const reference = referenceAt(resource, name)
      if (reference !== undefined && isPatientReference(reference)) this.#subjects.add(reference)
    }
  }

  /**
   * The names under which the file knows the patient that it is imported for.
   *
   * @throws Problem `unprocessable` · `ingest.several-patients`, `ingest.patient-contradicted`, `ingest.patient-doubtful`
   */
  ownNames(): ReadonlySet<string> {
    const direct = `Patient/${this.#context.patient}`
    if (this.#patients.length > 0) return new Set([...this.#ownPatient(direct).keys, direct])
    const [only] = this.#subjects
    if (this.#subjects.size <= 1) return new Set(only === undefined ? [direct] : [only, direct])
    if (this.#subjects.has(direct)) return new Set([direct])
    throw severalPatients([])
  }

  /** The one whom the file is about, or the one of several who has a number of the patient or fits by name and birth date. */
  #ownPatient(direct: string): FilePatient {
    const { person, forced } = this.#context
    const [only, second] = this.#patients
    const isNamed = ({ keys, claims }: FilePatient) =>
      keys.has(direct) || claims.some(({ identifiers }) => linkOf(identifiers, person.identifiers) === 'own')
    const fits = ({ claims }: FilePatient) => claims.some(said => isSurelySame(said, person))
    const [own, other] =
      second === undefined ? this.#patients : firstOf(this.#patients.filter(isNamed), () => this.#patients.filter(fits))
    if (own === undefined || other !== undefined || only === undefined)
      throw severalPatients(this.#patients.map(({ place }) => place))
    if (!forced && !own.claims.some(said => compare(said, person).kind === 'agrees'))
      for (const said of own.claims) checkSamePerson(said, person)
    return own
  }

  place(reference: string): Place | undefined {
    return this.#places.get(reference)
  }
}

/** The first list, or the second when it is empty. */
function firstOf<T>(one: readonly T[], other: () => readonly T[]): readonly T[] {
  return one.length > 0 ? one : other()
}

/** Places are named as long as a report can be read. */
const mostPlaces = 20

function severalPatients(places: readonly string[]): Problem {
  const text = 'The file is about several patients, and none of them can be told to be this one.'
  const expression = places.length === 0 ? 'Patient.identifier' : places.slice(0, mostPlaces)
  return new Problem('unprocessable', 'ingest.several-patients', text, { expression })
}

/** How references in the file may name a resource. */
export function keysOf(resource: Resource, fullUrl: string | undefined): readonly string[] {
  const keys = fullUrl === undefined ? [] : [fullUrl]
  if (resource.id !== undefined) keys.push(`${resource.resourceType}/${resource.id}`)
  return keys
}

/** The reference in an element of the first level, if there is one. */
export function referenceAt(resource: Resource, element: string): string | undefined {
  const node = resource[element]
  if (typeof node !== 'object' || node === null || !('reference' in node)) return undefined
  return typeof node.reference === 'string' ? node.reference : undefined
}

export function isPatientReference(reference: string): boolean {
  const { kind, type } = parseReference(reference)
  return type === 'Patient' || kind === 'urn'
}

interface Identified {
  readonly system?: string
  readonly value?: string
}

/** The id that a resource of the file gets; shared ones by their identifier, so that two files name one Practitioner. */
function placeOf({ resource, fullUrl }: Found, context: FhirContext): Place {
  const type = resource.resourceType
  const key = keysOf(resource, fullUrl)[0] ?? JSON.stringify(resource)
  if (!isShared(type)) return { type, id: context.fingerprint('fhir', type, key) }
  const identifiers: readonly Identified[] = Array.isArray(resource.identifier) ? resource.identifier : []
  const identifier = identifiers.find(one => one.system !== undefined && one.value !== undefined) ?? identifiers[0]
  const name = identifier === undefined ? key : identifierKey(identifier)
  const id = context.sharedFingerprint('fhir', type, name)
  return { type, id, shared: wordsOf(resource, identifier) }
}

interface Named {
  readonly text?: string
  readonly family?: string
  readonly given?: readonly string[]
  readonly prefix?: readonly string[]
}

function wordsOf(resource: Resource, identifier: Identified | undefined) {
  const display = displayOf(resource.name)
  const code = resource.resourceType === 'Medication' ? (resource.code as object | undefined) : undefined
  return {
    ...(display === undefined ? {} : { display }),
    ...(identifier === undefined ? {} : { identifier }),
    ...(code === undefined ? {} : { code }),
  }
}

function displayOf(name: unknown): string | undefined {
  if (typeof name === 'string') return name
  const [first] = Array.isArray(name) ? (name as Named[]) : []
  if (first === undefined) return undefined
  return (
    first.text ?? ([...(first.prefix ?? []), ...(first.given ?? []), first.family ?? ''].join(' ').trim() || undefined)
  )
}
