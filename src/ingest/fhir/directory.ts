import { parseReference } from '#fhir'
import { Problem } from '#kernel'
import { claimsOf, type PersonClaims } from '../identity/claims.ts'
import { checkSamePerson } from '../identity/guard.ts'
import { linkOf } from '../identity/identifiers.ts'
import { compare, isSurelySame } from '../identity/judge.ts'
import { identifierKey } from '../patient-merge.ts'
import type { ReadContext } from '../read-context.ts'
import { ownersIn } from './owners.ts'
import { PatientNames, resolved, unversioned } from './patient-names.ts'
import { keysOf, Places } from './places.ts'
import type { Found } from './read-resources.ts'
import { type Candidate, newerOf } from './versions.ts'

/** A person whom the file describes, once or in several versions. */
interface FilePatient {
  readonly keys: ReadonlySet<string>
  readonly claims: readonly PersonClaims[]
  /** Where it stands, e.g. `Bundle.entry[3]`. */
  readonly place: string
  readonly newest: Candidate
  readonly newestClaims: PersonClaims
}

/** What the first pass over a file learns: what is in it, under which names, and whose it is. */
export class Directory {
  readonly places: Places
  readonly #context: ReadContext
  #patients: readonly FilePatient[] = []
  /** Whom resources are about, each with where the file first says so. */
  readonly #subjects = new Map<string, string>()

  constructor(context: ReadContext) {
    this.#context = context
    this.places = new Places(context)
  }

  /**
   * @param where  where it stands in the file
   * @param index  of the row in all files together
   */
  add(found: Found, where: string, index: number): void {
    if (found.resource.resourceType === 'Patient') this.#addPatient(found, where, index)
    else {
      this.places.add(found, index)
      this.#addSubject(found, where)
    }
  }

  #addPatient({ resource, fullUrl, version, backwards }: Found, place: string, index: number): void {
    const keys = keysOf(resource, fullUrl)
    const isSame = (patient: FilePatient) => keys.some(key => patient.keys.has(key))
    const known = this.#patients.filter(isSame)
    const candidate: Candidate = { ...version, index, backwards }
    const said = claimsOf(resource)
    const newest = known.reduce((newest, patient) => newerOf(newest, patient.newest), candidate)
    const joined: FilePatient = {
      keys: new Set([...known.flatMap(patient => [...patient.keys]), ...keys]),
      claims: [...known.flatMap(({ claims }) => claims), said],
      place: known[0]?.place ?? place,
      newest,
      newestClaims: known.find(patient => patient.newest === newest)?.newestClaims ?? said,
    }
    this.#patients = [...this.#patients.filter(patient => !isSame(patient)), joined]
  }

  /** Whether a row is the newest version of a Patient. */
  isNewestPatient(index: number): boolean {
    return this.#patients.some(({ newest }) => newest.index === index)
  }

  #addSubject({ resource, fullUrl }: Found, where: string): void {
    // A file of many people is found out by the second of them.
    if (this.#subjects.size > 1000) return
    for (const reference of ownersIn(resource).map(unversioned).filter(isPatientReference))
      if (!this.#subjects.has(resolved(reference, fullUrl))) this.#subjects.set(resolved(reference, fullUrl), where)
  }

  /**
   * The names under which the file knows the patient that it is imported for.
   *
   * @throws Problem `unprocessable` · `ingest.several-patients`, `ingest.patient-contradicted`, `ingest.patient-doubtful`
   */
  async ownNames(): Promise<PatientNames> {
    const direct = `Patient/${this.#context.patient}`
    const own = this.#patients.length > 0 ? await this.#ownPatient(direct) : undefined
    const names = new Set([...(own?.keys ?? this.#onlySubject(direct)), direct])
    const claims = [...(own?.claims ?? []), this.#context.person]
    return new PatientNames(names, identifiersOf(claims), this.#context.baseUrl)
  }

  /** The names of the one whom a file without a Patient is about. A urn is a person's unless it is known to be something else's. */
  #onlySubject(direct: string): readonly string[] {
    const subjects = [...this.#subjects].filter(([subject]) => this.places.find(subject) === undefined)
    const names = subjects.map(([subject]) => subject)
    if (isOne(names)) return names
    if (this.#subjects.has(direct)) return []
    throw severalPatients(subjects.map(([, place]) => place))
  }

  /** The one whom the file is about, or the one of several who has a number of the patient or fits by name and birth date. */
  async #ownPatient(direct: string): Promise<FilePatient> {
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
      for (const said of own.claims) await checkSamePerson(said, this.#context)
    // The newest version is what the record is brought up to.
    if (!forced) await checkSamePerson(own.newestClaims, this.#context)
    return own
  }
}

/** The first list, or the second when it is empty. */
function firstOf<T>(one: readonly T[], other: () => readonly T[]): readonly T[] {
  return one.length > 0 ? one : other()
}

/** Whether names are one person's: the address of a resource ends with its relative reference. */
function isOne(subjects: readonly string[]): boolean {
  const addresses = subjects.filter(subject => /^https?:/.test(subject))
  const relative = new Set(subjects.map(subject => /Patient\/[A-Za-z0-9\-.]{1,64}$/.exec(subject)?.[0] ?? subject))
  return relative.size <= 1 && addresses.length <= 1
}

function identifiersOf(claims: readonly PersonClaims[]): ReadonlySet<string> {
  return new Set(claims.flatMap(({ identifiers }) => identifiers.map(identifierKey)))
}

/** Places are named as long as a report can be read. */
const mostPlaces = 20

function severalPatients(places: readonly string[]): Problem {
  const text = 'The file is about several patients, and none of them can be told to be this one.'
  return new Problem('unprocessable', 'ingest.several-patients', text, { expression: places.slice(0, mostPlaces) })
}

export function isPatientReference(reference: string): boolean {
  const { kind, type } = parseReference(reference)
  return type === 'Patient' || kind === 'urn'
}
