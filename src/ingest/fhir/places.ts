import { type Json, parseJson, parseReference, printJson, type Resource } from '#fhir'
import { ownText, Problem, type Steps } from '#kernel'
import { identifierKey } from '../patient-merge.ts'
import type { ReadContext } from '../read-context.ts'
import { isAboutStranger } from './contained.ts'
import { ownersIn } from './owners.ts'
import { identifierIn, resolved, unversioned, withoutRoot } from './patient-names.ts'
import type { Found, Gone } from './read-resources.ts'
import { type Candidate, newerOf, type Version } from './versions.ts'

/** Where a resource of the file goes. */
export interface Place {
  readonly type: string
  readonly id: string
  /** The address that the file knows it by. */
  readonly fullUrl: string | undefined
  /** References to whom it is about. */
  about: readonly string[]
  /** Words and identifier for references to it, when it cannot be stored. */
  readonly shared?: { readonly display?: string; readonly identifier?: object; readonly code?: object }
  /** The version that is taken, and whether it can be: what cannot is not referred to. */
  newest: Candidate
  isKept: boolean
  /** For a Binary: whether a resource of the patient, or one of somebody else, shows it. */
  shownByOwn: boolean
  shownByOther: boolean
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

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** How references in the file may name a resource. */
export function keysOf(resource: Resource, fullUrl: string | undefined): readonly string[] {
  const keys = fullUrl === undefined ? [] : [unversioned(fullUrl)]
  if (resource.id !== undefined) keys.push(`${resource.resourceType}/${resource.id}`)
  // Whatever has no address is known by its UUID: no other resource has it.
  if (fullUrl === undefined && uuid.test(resource.id ?? '')) keys.push(`urn:uuid:${resource.id}`.toLowerCase())
  return keys
}

/**
 * What is in a file and under which names; of several versions of a resource, which is the newest. What is kept here outlives the entry
 * that it was read from, so that each text is one of its own (`ownText`).
 */
export class Places {
  readonly #context: ReadContext
  readonly #places = new Map<string, Place>()
  readonly #deletions: { readonly gone: Gone; readonly index: number }[] = []
  #count = 0
  /** Whether bytes stand in the file beside what shows them. */
  hasBinaries = false

  constructor(context: ReadContext) {
    this.#context = context
  }

  /** Counts what will be remembered of a row. @throws Problem `too-large` · `ingest.too-many-resources` */
  count(): void {
    this.#count += 1
    const { maxResources } = this.#context.limits
    if (this.#count > maxResources)
      throw new Problem('too-large', 'ingest.too-many-resources', `The file holds more than ${maxResources} resources.`)
  }

  /** @param index  of the row in all files together */
  async add(found: Found, index: number): Promise<void> {
    this.count()
    const { resource, fullUrl, version, backwards } = found
    const candidate: Candidate = { ...ownVersion(version), index, backwards }
    const keys = keysOf(resource, fullUrl)
    const known = this.#known(ownNamesOf(found), fullUrl)
    const place = known ?? this.#newPlace(found, candidate)
    place.newest = known === undefined ? candidate : newerOf(known.newest, candidate)
    if (place.newest === candidate) {
      place.about = ownersIn(resource).map(ownText)
      place.isKept = await this.#canKeep(found, place)
    }
    for (const key of [...keys, ...numbersOf(resource)])
      if (!this.#places.has(key)) this.#places.set(ownText(key), place)
    this.hasBinaries ||= resource.resourceType === 'Binary'
  }

  /** Remembers a deletion until all is known that it may be of. */
  addDeletion({ gone: { type, id }, fullUrl, version, backwards }: Gone, index: number): void {
    this.count()
    const named = { gone: { type: ownText(type), id: ownText(id) }, fullUrl: fullUrl && ownText(fullUrl) }
    this.#deletions.push({ gone: { ...named, version: ownVersion(version), backwards }, index })
  }

  /** When it is known whom the file is about: what is about others is not kept. Each is a step. */
  *leaveOut(isOther: (reference: string, fullUrl: string | undefined) => boolean): Steps<void> {
    for (const place of this.#places.values()) {
      if (place.isKept && place.about.some(reference => isOther(reference, place.fullUrl))) place.isKept = false
      yield
    }
  }

  /** Lets the deletions take their place among the versions, each in a step. */
  *settle(): Steps<void> {
    for (const { gone, index } of this.#deletions) {
      yield
      const candidate: Candidate = { ...gone.version, index, backwards: gone.backwards }
      const place = this.placeOfDeletion(gone)
      if (place === undefined) continue
      place.newest = newerOf(place.newest, candidate)
      if (place.newest === candidate) place.isKept = false
    }
  }

  #known(keys: readonly string[], fullUrl: string | undefined): Place | undefined {
    const places = keys.flatMap(key => this.#places.get(key) ?? [])
    // Two addresses are two resources, whatever their ids.
    return places.find(place => fullUrl === undefined || place.fullUrl === undefined || place.fullUrl === fullUrl)
  }

  #newPlace(found: Found, newest: Candidate): Place {
    const flags = { about: [], isKept: true, shownByOwn: false, shownByOther: false }
    const { fullUrl } = found
    return { ...placeOf(found, this.#context), fullUrl: fullUrl && ownText(fullUrl), newest, ...flags }
  }

  /** Known beforehand, so that nothing refers to what will not be there. */
  async #canKeep({ resource }: Found, { type, id }: Place): Promise<boolean> {
    const isPermitted = isShared(type) ? this.#context.canShare(type) : this.#context.canWrite(type)
    if (!isPermitted || isAboutStranger(resource, this.#context)) return false
    return this.#context.isValid({ ...resource, id })
  }

  /** Where what a reference leads to goes; relative ones are first read as below the address of who says them. */
  find(reference: string, fullUrl?: string): Place | undefined {
    const plain = unversioned(reference)
    const found = this.#places.get(resolved(plain, fullUrl)) ?? this.#places.get(withoutRoot(plain))
    return found ?? this.#places.get(asked(plain) ?? '')
  }

  /** Notes that a resource shows what a link leads to. */
  show(link: string, fullUrl: string | undefined, isOther: boolean): void {
    const place = this.find(link, fullUrl)
    if (place === undefined) return
    if (isOther) place.shownByOther = true
    else place.shownByOwn = true
  }

  placeOf(found: Found): Place | undefined {
    return this.#known(ownNamesOf(found), found.fullUrl)
  }

  placeOfDeletion({ gone: { type, id }, fullUrl }: Gone): Place | undefined {
    return this.#known([...(fullUrl === undefined ? [] : [unversioned(fullUrl)]), `${type}/${id}`], fullUrl)
  }

  /** The id under which an earlier file with this name for it was imported. */
  idOfDeleted({ gone: { type, id }, fullUrl }: Gone): string {
    return this.#context.fingerprint('fhir', type, fullUrl ?? `${type}/${id}`)
  }
}

/** A version that keeps nothing else in memory. */
export function ownVersion({ at, version }: Version): Version {
  return {
    ...(at === undefined ? {} : { at: ownText(at) }),
    ...(version === undefined ? {} : { version: ownText(version) }),
  }
}

/** What is nobody's is found by its numbers, as conditional references ask for them: https://hl7.org/fhir/R4/http.html#trules */
function numbersOf({ resourceType: type, identifier }: Resource): readonly string[] {
  if (!isShared(type)) return []
  const whole = nodesIn(identifier).filter(({ value }) => typeof value === 'string')
  return whole.map(one => `${type}?${identifierKey(one)}`)
}

/** What has neither an address nor an id is known by its numbers, if by anything. */
function ownNamesOf({ resource, fullUrl }: Found): readonly string[] {
  const keys = keysOf(resource, fullUrl)
  return keys.length > 0 ? keys : numbersOf(resource)
}

/** The number that a conditional reference asks for, as `numbersOf` writes it. */
function asked(reference: string): string | undefined {
  const { kind, type, url } = parseReference(reference)
  const identifier = kind === 'conditional' ? identifierIn(url) : {}
  return identifier.value === undefined ? undefined : `${type}?${identifierKey(identifier)}`
}

interface Identified {
  readonly system?: string
  readonly value?: string
}

/** The entries of a list that are objects: what is not is no reason to refuse all that stands in the file. */
function nodesIn<T extends object = Identified>(list: unknown): readonly T[] {
  return Array.isArray(list) ? list.filter(one => typeof one === 'object' && one !== null) : []
}

function isPlain({ system = '', value = '' }: { readonly [part in keyof Identified]: unknown }): boolean {
  return typeof system === 'string' && typeof value === 'string'
}

/** The id that a resource of the file gets; shared ones by their identifier, so that two files name one Practitioner. */
function placeOf({ resource, fullUrl }: Found, context: ReadContext): Pick<Place, 'type' | 'id' | 'shared'> {
  const type = resource.resourceType
  const key = keysOf(resource, fullUrl)[0] ?? JSON.stringify(resource)
  if (!isShared(type)) return { type, id: context.fingerprint('fhir', type, key) }
  const identifiers = nodesIn(resource.identifier).filter(isPlain)
  const identifier = identifiers.find(one => one.system !== undefined && one.value !== undefined) ?? identifiers[0]
  const name = identifier === undefined ? key : identifierKey(identifier)
  const id = context.sharedFingerprint('fhir', type, name)
  // Printed and read again: what is read from a text of its own keeps no other.
  return { type, id, shared: parseJson(printJson(wordsOf(resource, identifier))) as Place['shared'] & Json }
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
  const [first] = nodesIn<{ readonly [part: string]: unknown }>(name)
  if (first === undefined) return undefined
  const [text] = textsIn([first.text])
  return (
    text ??
    ([...textsIn(first.prefix), ...textsIn(first.given), ...textsIn([first.family])].join(' ').trim() || undefined)
  )
}

function textsIn(list: unknown): readonly string[] {
  return Array.isArray(list) ? list.filter(one => typeof one === 'string') : []
}
