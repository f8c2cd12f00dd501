import { type Grant, homeInReach, requirePermission, restrict } from '#access'
import { parseReference, parseStored, type Resource } from '#fhir'
import { giveWay, inSlices } from '#kernel'
import { numberOf, type Txn } from '#record'
import { parseQuery } from '#search'
import { claimsInSlices, type IdentifierClaim, type NameClaim, type PersonClaims } from './claims.ts'
import { findingIdentifiers, linkOf } from './identifiers.ts'
import { type Candidate, fitsBetter, type IdentityElement, judge, type Verdict } from './judge.ts'
import { closenessOf } from './names.ts'

/** Who asks, and where. */
export interface Asking {
  readonly grant: Grant
  /** The FHIR base without a slash at its end. */
  readonly baseUrl: string
}

/** Somebody kept here; what is claimed of them holds no number that an account has entered, where that counts. */
interface Known extends Candidate {
  readonly entered: readonly IdentifierClaim[]
}

const nothing: ReadonlySet<string> = new Set()

/** A number that more people share than this says nothing of any of them. */
const mostCandidates = 50

/** Merges of merges are followed this far. */
const mostMerges = 8

/**
 * Whom a description is about among the patients that the grant reaches, at the state of the transaction: who is taken in
 * meanwhile makes it run again. A patient who was merged into another stands for that one. Where the number is of one and the
 * name of another, it is doubtful. To whoever speaks for the house a number that an account has entered finds nobody surely.
 *
 * @param same  ids of those who are known to be the same person
 * @throws Problem `forbidden` · `scope.missing` without the right to search and read Patients
 */
export async function identify(
  txn: Txn,
  claims: PersonClaims,
  asking: Asking,
  same: readonly string[] = [],
): Promise<Verdict> {
  // Nobody is taken for somebody unseen.
  if (findingIdentifiers(claims.identifiers).length > 0) requirePermission(asking.grant, 'r', 'Patient')
  const candidates = await numbered(txn, claims, asking)
  const verdict = await inSlices(judge(claims, candidates))
  if (verdict.kind === 'unknown') return onTheirWord(claims, candidates)
  if (verdict.kind === 'certain') {
    const match = candidates.find(({ id }) => id === verdict.patient)
    const namesakes = match === undefined ? [] : await namesakesOf(txn, claims, match, asking)
    const others = namesakes.filter(id => !same.includes(id))
    return others.length === 0
      ? verdict
      : { kind: 'doubtful', patients: [verdict.patient, ...others], elements: ['name'] }
  }
  const [only, second] = candidates
  if (verdict.kind !== 'doubtful' || only === undefined || second !== undefined) return verdict
  return { ...verdict, patients: [...verdict.patients, ...(await namesakesOf(txn, claims, only, asking))] }
}

/**
 * Whoever writes the number of somebody else into a Patient would get what is sent about them: who has a number that nobody else has
 * given, and fits, waits until somebody decides who sees all. Who does not fit is nobody of this number.
 */
async function onTheirWord(claims: PersonClaims, candidates: readonly Known[]): Promise<Verdict> {
  const whole = candidates.map(({ entered, ...one }) => {
    const identifiers = [...one.claims.identifiers, ...entered]
    return { ...one, claims: { ...one.claims, identifiers } }
  })
  const verdict = await inSlices(judge(claims, whole))
  if (verdict.kind === 'certain')
    return { kind: 'doubtful', patients: [verdict.patient], elements: ['identifier'], onTheirWord: true }
  return verdict.kind === 'doubtful' ? { ...verdict, onTheirWord: true } : { kind: 'unknown' }
}

/** Who else a description may be about than the patient whom somebody has named, and why. */
export interface Rivals {
  /** Patient ids. */
  readonly patients: readonly string[]
  readonly elements: readonly IdentityElement[]
}

/**
 * Others within reach whose own number a description gives, or whom it fits better by name and birth date than the one for whom it
 * is said to be.
 *
 * @throws Problem as `identify`
 */
export async function rivalsOf(txn: Txn, claims: PersonClaims, named: Candidate, asking: Asking): Promise<Rivals> {
  const owners = (await numbered(txn, claims, asking)).filter(
    ({ id, claims: { identifiers } }) => id !== named.id && linkOf(claims.identifiers, identifiers) === 'own',
  )
  const namesakes = await namesakesOf(txn, claims, named, asking)
  const elements: readonly (IdentityElement | false)[] = [
    owners.length > 0 && 'identifier',
    namesakes.length > 0 && 'name',
  ]
  return {
    patients: [...new Set([...owners.map(({ id }) => id), ...namesakes])],
    elements: elements.filter(element => element !== false),
  }
}

/**
 * Everybody within reach whom a description may be about: who has one of its numbers, was born on that day, or is called so.
 *
 * @throws Problem as `identify`
 */
export async function likely(txn: Txn, claims: PersonClaims, asking: Asking): Promise<readonly Candidate[]> {
  const { birthDate, names } = claims
  const found = new Map<string, Candidate>()
  for (const { id, claims: known, entered } of await numbered(txn, claims, asking))
    found.set(id, { id, claims: { ...known, identifiers: [...known.identifiers, ...entered] } })
  const born = birthDate === undefined || !isDate(birthDate) ? [] : [bornOn(birthDate)]
  for (const question of [...born, ...names.flatMap(calledSo)])
    for (const candidate of await candidatesBy(txn, question, asking))
      if (!found.has(candidate.id)) found.set(candidate.id, candidate)
  return [...found.values()]
}

/** Who has one of the numbers. */
async function numbered(txn: Txn, claims: PersonClaims, asking: Asking): Promise<readonly Known[]> {
  const tokens = findingIdentifiers(claims.identifiers).map(tokenOf)
  return tokens.length === 0 ? [] : candidatesBy(txn, [['identifier', tokens.join(',')]], asking)
}

/**
 * Others whom a description fits better than the one who has its number. Looked for by birth date, and by name those of whom no
 * date is said.
 */
async function namesakesOf(
  txn: Txn,
  claims: PersonClaims,
  match: Candidate,
  asking: Asking,
): Promise<readonly string[]> {
  if (claims.names.length === 0) return []
  if (closenessOf(claims.names, match.claims.names) === 'word-for-word') return []
  const date = claims.birthDate ?? match.claims.birthDate
  const questions = [...(date === undefined || !isDate(date) ? [] : [bornOn(date)]), ...claims.names.flatMap(calledSo)]
  const found = new Map<string, Candidate>()
  for (const question of questions)
    for (const candidate of await candidatesBy(txn, question, asking)) found.set(candidate.id, candidate)
  found.delete(match.id)
  const better: string[] = []
  for (const other of found.values()) {
    if (fitsBetter(claims, other.claims, match.claims)) better.push(other.id)
    const pause = giveWay()
    if (pause !== undefined) await pause
  }
  return better
}

/** `1980-02-30` is what somebody said, and nothing that can be looked for. */
function isDate(date: string): boolean {
  const atMs = Date.parse(date)
  return !Number.isNaN(atMs) && new Date(atMs).toISOString().startsWith(date)
}

type Question = readonly (readonly [parameter: string, value: string])[]

/** Whose date, known to whatever precision, may be this one: the two ranges have something in common. */
function bornOn(date: string): Question {
  return [
    ['birthdate', `ge${date}`],
    ['birthdate', `le${date}`],
  ]
}

function calledSo({ family, given, text }: NameClaim): readonly Question[] {
  const words = [family, given[0], family === undefined && given.length === 0 ? text?.split(/\s+/).at(-1) : undefined]
  const asked = words.flatMap(word => (word === undefined ? [] : [['name', escaped(word)] as const]))
  return asked.length === 0 ? [] : [asked]
}

async function candidatesBy(txn: Txn, question: Question, asking: Asking): Promise<readonly Known[]> {
  const { grant, baseUrl } = asking
  const query = parseQuery('Patient', new URLSearchParams(question.map(pair => [...pair])), { baseUrl })
  const candidates = new Map<string, Known>()
  for (const { id } of await txn.find(restrict(query, grant), mostCandidates)) {
    const candidate = await candidateOf(txn, id, asking)
    if (candidate !== undefined) candidates.set(candidate.id, joined(candidates.get(candidate.id), candidate))
    const pause = giveWay()
    if (pause !== undefined) await pause
  }
  return [...candidates.values()]
}

function tokenOf({ system = '', value }: IdentifierClaim): string {
  return [system, value].map(escaped).join('|')
}

/** https://hl7.org/fhir/R4/search.html#escaping */
function escaped(text: string): string {
  return text.replace(/[\\|,$]/g, char => `\\${char}`)
}

/**
 * The person whom a Patient stands for, with the numbers of those who were merged into them on the way. Patients who say in a circle
 * that another one took their place stand for themselves.
 */
async function candidateOf(txn: Txn, id: string, asking: Asking): Promise<Known | undefined> {
  const way: Standing[] = []
  for (let at: string | undefined = id; at !== undefined; ) {
    const standing: Standing | undefined = way.length < mostMerges ? await standingOf(txn, at, asking) : undefined
    if (standing === undefined) return undefined
    way.push(standing)
    at = standing.survivor
    if (way.some(before => before.id === at)) return known(way.slice(0, 1))
  }
  return known(way)
}

/** A Patient as it is. */
interface Standing extends Candidate {
  /** Id of the one that took its place. */
  readonly survivor: string | undefined
  /** Its numbers that an account has entered, where that counts. */
  readonly entered: ReadonlySet<string>
}

/** The Patients that a transaction has looked at, by id: several questions find the same ones. */
const lookedAt = new WeakMap<Txn, Map<string, Promise<Standing | undefined>>>()

function standingOf(txn: Txn, id: string, asking: Asking): Promise<Standing | undefined> {
  const known = lookedAt.get(txn) ?? new Map<string, Promise<Standing | undefined>>()
  lookedAt.set(txn, known)
  const standing = known.get(id) ?? standingNow(txn, id, asking)
  known.set(id, standing)
  return standing
}

async function standingNow(txn: Txn, id: string, { grant, baseUrl }: Asking): Promise<Standing | undefined> {
  const stored = await txn.read('Patient', id)
  if (stored === undefined) return undefined
  const patient = await parseStored(stored.json)
  // Within an account each of its Patients is its own.
  const entered = homeInReach(grant) === 'all' ? await txn.enteredNumbers('Patient', id) : nothing
  return { id, claims: await claimsInSlices(patient), survivor: survivorOf(patient, baseUrl), entered }
}

/** The last on a way, with the numbers of those before as old ones. */
function known(way: readonly Standing[]): Known | undefined {
  const last = way.at(-1)
  if (last === undefined) return undefined
  const numbers: IdentifierClaim[] = []
  const entered: IdentifierClaim[] = []
  for (const one of way)
    for (const claim of one.claims.identifiers) {
      const said = one === last ? claim : { ...claim, old: true as const }
      const isEntered = one.entered.has(numberOf(claim))
      ;(isEntered ? entered : numbers).push(said)
    }
  return { id: last.id, claims: { ...last.claims, identifiers: numbers }, entered }
}

function joined(one: Known | undefined, other: Known): Known {
  if (one === undefined) return other
  const identifiers = [...one.claims.identifiers, ...other.claims.identifiers]
  return { ...other, claims: { ...other.claims, identifiers }, entered: [...one.entered, ...other.entered] }
}

/**
 * The id of the Patient that took the place of this one.
 *
 * @see https://hl7.org/fhir/R4/valueset-link-type.html `replaced-by`
 */
export function survivorOf(patient: Resource, baseUrl: string): string | undefined {
  const links = Array.isArray(patient.link) ? (patient.link as readonly unknown[]) : []
  for (const link of links) {
    const { type, other } = (link ?? {}) as { type?: unknown; other?: { reference?: unknown } }
    if (type !== 'replaced-by' || typeof other?.reference !== 'string') continue
    const target = parseReference(other.reference, baseUrl)
    if (target.kind === 'local' && target.type === 'Patient') return target.id
  }
  return undefined
}
