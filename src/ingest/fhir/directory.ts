import { type Json, parseJson, parseReference, printJson } from '#fhir'
import { giveWay, ownText, Problem } from '#kernel'
import { claimsInSlices, type PersonClaims } from '../identity/claims.ts'
import { checkSamePerson } from '../identity/guard.ts'
import { linkOf } from '../identity/identifiers.ts'
import { compare, isSurelySame } from '../identity/judge.ts'
import { identifierKey } from '../patient-merge.ts'
import type { ReadContext } from '../read-context.ts'
import { ownersIn } from './owners.ts'
import { PatientNames, resolved, unversioned } from './patient-names.ts'
import { keysOf, ownVersion, Places } from './places.ts'
import type { Found } from './read-resources.ts'
import { type Candidate, newerOf } from './versions.ts'

/** A person whom the file describes, once or in several versions. */
interface FilePatient {
  readonly keys: Set<string>
  /** What it says of them, by its text: the same is kept once. */
  readonly claims: Map<string, PersonClaims>
  /** Where it stands, e.g. `Bundle.entry[3]`. */
  readonly place: string
  newest: Candidate
  newestClaims: PersonClaims
}

/** What the first pass over a file learns: what is in it, under which names, and whose it is. */
export class Directory {
  readonly places: Places
  readonly #context: ReadContext
  readonly #patients = new Set<FilePatient>()
  readonly #patientOf = new Map<string, FilePatient>()
  #newestPatients: ReadonlySet<number> = new Set()
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
  async add(found: Found, where: string, index: number): Promise<void> {
    if (found.resource.resourceType === 'Patient') await this.#addPatient(found, where, index)
    else {
      await this.places.add(found, index)
      this.#addSubject(found, where)
    }
  }

  async #addPatient({ resource, fullUrl, version, backwards }: Found, place: string, index: number): Promise<void> {
    this.places.count()
    const text = printJson(await claimsInSlices(resource))
    // What is read from a text of its own keeps no other in memory.
    const said = parseJson(text) as PersonClaims & Json
    const newest: Candidate = { ...ownVersion(version), index, backwards }
    const keys = new Set(keysOf(resource, fullUrl).map(ownText))
    this.#join({ keys, claims: new Map([[text, said]]), place, newest, newestClaims: said })
  }

  /** Who has a name in common is one person, also where a later entry is the first to say so. */
  #join(told: FilePatient): void {
    const [first = told, ...others] = new Set([...told.keys].flatMap(key => this.#patientOf.get(key) ?? []))
    for (const other of first === told ? [] : [...others, told]) {
      this.#patients.delete(other)
      take(first, other)
    }
    this.#patients.add(first)
    for (const { keys } of [told, ...others]) for (const key of keys) this.#patientOf.set(key, first)
  }

  /** Whether a row is the newest version of a Patient, when all are known. */
  isNewestPatient(index: number): boolean {
    return this.#newestPatients.has(index)
  }

  #addSubject({ resource, fullUrl }: Found, where: string): void {
    // A file of many people is found out by the second of them.
    if (this.#subjects.size > 1000) return
    for (const reference of ownersIn(resource).map(unversioned).filter(isPatientReference))
      if (!this.#subjects.has(resolved(reference, fullUrl)))
        this.#subjects.set(ownText(resolved(reference, fullUrl)), where)
  }

  /**
   * The names under which the file knows the patient that it is imported for.
   *
   * @throws Problem `unprocessable` · `ingest.several-patients`, `ingest.patient-contradicted`, `ingest.patient-doubtful`
   */
  async ownNames(): Promise<PatientNames> {
    const direct = `Patient/${this.#context.patient}`
    this.#newestPatients = new Set(Array.from(this.#patients, ({ newest }) => newest.index))
    const own = this.#patients.size > 0 ? await this.#ownPatient(direct) : undefined
    const names = new Set([...(own?.keys ?? (await this.#onlySubject(direct))), direct])
    const claims = [...(own?.claims.values() ?? []), this.#context.person]
    return new PatientNames(names, identifiersOf(claims), this.#context.baseUrl)
  }

  /**
   * The names of the one whom a file without a Patient is about. A urn is a person's unless it is known to be something else's; what was
   * exported from here says itself whose it is.
   */
  async #onlySubject(direct: string): Promise<readonly string[]> {
    const subjects = [...this.#subjects].filter(([subject]) => this.places.find(subject) === undefined)
    const names = subjects.map(([subject]) => subject)
    if (isOne(names)) {
      for (const [subject, place] of subjects) if (await this.#isAnothers(subject)) throw anotherPatient(place)
      return names
    }
    if (this.#subjects.has(direct)) return []
    throw severalPatients(subjects.map(([, place]) => place))
  }

  async #isAnothers(subject: string): Promise<boolean> {
    const { baseUrl, forced, isAnothers } = this.#context
    const { kind, id } = parseReference(subject, baseUrl)
    return !forced && kind === 'local' && id !== undefined && isAnothers(id)
  }

  /** The one whom the file is about, or the one of several who has a number of the patient or fits by name and birth date. */
  async #ownPatient(direct: string): Promise<FilePatient> {
    const { person, forced } = this.#context
    const isNamed = async ({ keys, claims }: FilePatient) =>
      keys.has(direct) ||
      (await saysOneOf(claims, ({ identifiers }) => linkOf(identifiers, person.identifiers) === 'own'))
    const fits = ({ claims }: FilePatient) => saysOneOf(claims, said => isSurelySame(said, person))
    const [own, other] = this.#patients.size === 1 ? [...this.#patients] : await this.#oneOfSeveral(isNamed, fits)
    if (own === undefined || other !== undefined)
      throw severalPatients(Array.from(this.#patients, ({ place }) => place))
    if (!forced && !(await saysOneOf(own.claims, said => compare(said, person).kind === 'agrees')))
      for await (const said of inTurn(own.claims)) await checkSamePerson(said, this.#context)
    // The newest version is what the record is brought up to.
    if (!forced) await checkSamePerson(own.newestClaims, this.#context)
    return own
  }

  /** Those of whom the first is true, or the second where it is of nobody; a third one changes nothing. */
  async #oneOfSeveral(
    ...tests: readonly ((patient: FilePatient) => Promise<boolean>)[]
  ): Promise<readonly FilePatient[]> {
    for (const isOwn of tests) {
      const own: FilePatient[] = []
      for (const patient of this.#patients) {
        if (await isOwn(patient)) own.push(patient)
        if (own.length > 1) break
      }
      if (own.length > 0) return own
    }
    return []
  }
}

async function saysOneOf(claims: FilePatient['claims'], is: (said: PersonClaims) => boolean): Promise<boolean> {
  for await (const said of inTurn(claims)) if (is(said)) return true
  return false
}

/** There may be as many versions of one person as a file has rows: others have their turn between them. */
async function* inTurn(claims: FilePatient['claims']): AsyncGenerator<PersonClaims, void, void> {
  for (const said of claims.values()) {
    const pause = giveWay()
    if (pause !== undefined) await pause
    yield said
  }
}

/** One turns out to be the other as well. */
function take(one: FilePatient, other: FilePatient): void {
  for (const key of other.keys) one.keys.add(key)
  for (const [text, said] of other.claims) if (!one.claims.has(text)) one.claims.set(text, said)
  if (newerOf(one.newest, other.newest) === one.newest) return
  one.newest = other.newest
  one.newestClaims = other.newestClaims
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

function anotherPatient(place: string): Problem {
  const text =
    'The file names another patient of this server. If it is about this one, repeat with --force or force=true.'
  return new Problem('unprocessable', 'ingest.patient-contradicted', text, { expression: place })
}

export function isPatientReference(reference: string): boolean {
  const { kind, type } = parseReference(reference)
  return type === 'Patient' || kind === 'urn'
}
