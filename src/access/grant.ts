import type { Level, Term } from './term.ts'

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

/**
 * The terms that can have an effect: a `patient/` term without a patient in context has none. Everything in this room
 * starts from these, so that a grant that lost its context fails closed.
 */
export function activeTerms(grant: Grant): readonly Term[] {
  return grant.patient === undefined || grant.patient === ''
    ? grant.terms.filter(term => term.level !== 'patient')
    : grant.terms
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
