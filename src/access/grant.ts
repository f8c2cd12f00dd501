import { type Bounds, termsOf } from './bounds.ts'
import type { Level, Term } from './term.ts'
import type { Withholding } from './withholding.ts'

/** Who acts. Ids are pseudonymous: they go into audit and logs. */
export interface Actor {
  readonly kind: 'account' | 'client' | 'administrator'
  readonly id: string
  readonly display?: string
  /** The actor's own resource, e.g. `RelatedPerson/12`. */
  readonly fhirUser?: string
  readonly clientId?: string
}

/** What a presented token stands for. A grant without terms may do nothing. */
export interface Grant {
  /** Pseudonymous id of the grant or token. */
  readonly id: string
  readonly actor: Actor
  /** Patient id in context: what `patient/` terms reach, and nothing else of any patient. */
  readonly patient?: string
  /** Patient ids that `user/` terms reach. */
  readonly patients: readonly string[] | 'all'
  /** The account that keeps Patients created under `user/` terms, and whose household they reach. */
  readonly account?: string
  readonly terms: readonly Term[]
  /** What the account's roles leave of the terms, of patients whom it keeps in a lesser one; of all others the terms count whole. */
  readonly within?: Bounds
  /** What Consents withhold, by patient. The record alone says it, of every grant that it is asked with. */
  readonly withheld?: ReadonlyMap<string, Withholding>
  /** What is read with it goes to strangers, who see no more than any of them: whoever made it is not the one who looks. */
  readonly isForStrangers?: true
  readonly purpose?: string
  /** Unix milliseconds from when on the grant is void; whoever authenticates compares it, this room has no clock. */
  readonly expiresAtMs: number
}

/**
 * Who owns what a grant begins. The tokens of a client that acts without a person live for minutes and have nothing in common but
 * the client; a person's permission lives as long as they want, and has the same id after each refresh.
 */
export function ownerOf({ actor, id }: Grant): string {
  return actor.kind === 'client' ? `client ${actor.id}` : `grant ${id}`
}

const active = new WeakMap<Grant, readonly Term[]>()

/**
 * The terms that can have an effect: a `patient/` term without a patient in context has none, and with one as much as the account's
 * role leaves of it. Everything in this room starts from these, so that a grant that lost its context fails closed. The same list each
 * time.
 */
export function activeTerms(grant: Grant): readonly Term[] {
  const known = active.get(grant)
  if (known !== undefined) return known
  const terms = lookForTerms(grant)
  active.set(grant, terms)
  return terms
}

function lookForTerms(grant: Grant): readonly Term[] {
  const { patient, terms } = grant
  const inContext = terms.filter(({ level }) => level === 'patient')
  if (inContext.length === 0) return terms
  const wider = terms.filter(({ level }) => level !== 'patient')
  if (patient === undefined || patient === '') return wider
  return grant.within?.has(patient) === true ? [...termsOf({ ...grant, terms: inContext }, patient), ...wider] : terms
}

/**
 * Whose compartments the grant can reach at all, so that the record need open no others.
 *
 * @returns Patient ids without repetition, or `all`
 */
export function patientsInReach(grant: Grant): readonly string[] | 'all' {
  const levels = new Set(activeTerms(grant).map(term => term.level))
  const reached = new Set<string>()
  for (const level of levels) {
    const patients = patientsOfLevel(grant, level)
    if (patients === 'all') return 'all'
    for (const patient of patients) reached.add(patient)
  }
  return [...reached]
}

const reachedBy = new WeakMap<Grant, ReadonlySet<string> | 'all'>()

/** The same to look into: a clinic's grant reaches thousands, and each row that names many asks. */
export function patientSetInReach(grant: Grant): ReadonlySet<string> | 'all' {
  const known = reachedBy.get(grant)
  if (known !== undefined) return known
  const patients = patientsInReach(grant)
  const reached = patients === 'all' ? patients : new Set(patients)
  reachedBy.set(grant, reached)
  return reached
}

/** The account whose household the grant reaches: that of its `user/` terms; for `system/` terms every household. */
export function homeInReach(grant: Grant): string | 'all' | undefined {
  const levels = new Set(activeTerms(grant).map(term => term.level))
  if (levels.has('system')) return 'all'
  return levels.has('user') && grant.account !== '' ? grant.account : undefined
}

function patientsOfLevel(grant: Grant, level: Level): readonly string[] | 'all' {
  if (level === 'system') return 'all'
  if (level === 'user') return grant.patients
  return grant.patient === undefined ? [] : [grant.patient]
}

/** Whom a grant reaches, and of whom less than its terms say, so that it can be kept and held against what it is later. */
export interface ReachNote {
  readonly whom: readonly string[] | 'all'
  /** By patient the scopes that a lesser role leaves. */
  readonly within?: Readonly<Record<string, readonly string[]>>
}

/** What a grant reaches now. */
export function noteReach(grant: Grant): ReachNote {
  const { within } = grant
  const whom = patientsInReach(grant)
  if (within === undefined || whom === 'all') return { whom }
  const lesser = whom.flatMap(patient => {
    const terms = within.get(patient)
    return terms === undefined ? [] : [[patient, terms.map(({ text }) => text)] as const]
  })
  return lesser.length === 0 ? { whom } : { whom, within: Object.fromEntries(lesser) }
}

/** Whether a grant reaches everybody still whom it reached before, in the same roles. */
export function isAsNoted(grant: Grant, { whom, within = {} }: ReachNote): boolean {
  const now = patientsInReach(grant)
  if (whom === 'all' || now === 'all') return now === 'all'
  const reached = new Set(now)
  const textsNow = (patient: string) => (grant.within?.get(patient) ?? []).map(({ text }) => text).join(' ')
  const isSame = (patient: string) => {
    const noted = Object.hasOwn(within, patient) ? within[patient] : undefined
    return (
      (noted !== undefined) === (grant.within?.has(patient) === true) && (noted ?? []).join(' ') === textsNow(patient)
    )
  }
  return whom.every(patient => reached.has(patient) && isSame(patient))
}
