import { type Grant, requirePermission, restrict } from '#access'
import { parseReference, parseResource, type Resource } from '#fhir'
import type { Txn } from '#record'
import { parseQuery } from '#search'
import { claimsOf, type IdentifierClaim, type PersonClaims } from './claims.ts'
import { findingIdentifiers } from './identifiers.ts'
import { type Candidate, judge, type Verdict } from './judge.ts'

/** Who asks, and where. */
export interface Asking {
  readonly grant: Grant
  /** The FHIR base without a slash at its end. */
  readonly baseUrl: string
}

/** A number that more people share than this says nothing of any of them. */
const mostCandidates = 50

/** Merges of merges are followed this far. */
const mostMerges = 8

/**
 * Whom a description is about among the patients that the grant reaches, at the state of the transaction: who is taken in
 * meanwhile makes it run again. A patient who was merged into another stands for that one.
 *
 * @throws Problem `forbidden` · `scope.missing` without the right to search and read Patients
 */
export async function identify(txn: Txn, claims: PersonClaims, { grant, baseUrl }: Asking): Promise<Verdict> {
  const tokens = findingIdentifiers(claims.identifiers).map(tokenOf)
  if (tokens.length === 0) return { kind: 'unknown' }
  // Nobody is taken for somebody unseen.
  requirePermission(grant, 'r', 'Patient')
  const query = parseQuery('Patient', new URLSearchParams([['identifier', tokens.join(',')]]), { baseUrl })
  const found = await txn.find(restrict(query, grant), mostCandidates)
  const candidates = new Map<string, Candidate>()
  for (const { id } of found) {
    const candidate = await candidateOf(txn, id, baseUrl)
    if (candidate !== undefined) candidates.set(candidate.id, joined(candidates.get(candidate.id), candidate))
  }
  return judge(claims, [...candidates.values()])
}

/** https://hl7.org/fhir/R4/search.html#escaping */
function tokenOf({ system = '', value }: IdentifierClaim): string {
  return [system, value].map(text => text.replace(/[\\|,$]/g, char => `\\${char}`)).join('|')
}

/** The person whom a Patient stands for, with the numbers of those who were merged into them on the way. */
async function candidateOf(txn: Txn, id: string, baseUrl: string): Promise<Candidate | undefined> {
  const numbers: IdentifierClaim[] = []
  let at = id
  for (let step = 0; step < mostMerges; step++) {
    const stored = await txn.read('Patient', at)
    if (stored === undefined) return undefined
    const patient = parseResource(stored.json)
    const claims = claimsOf(patient)
    const next = survivorOf(patient, baseUrl)
    if (next === undefined) return { id: at, claims: { ...claims, identifiers: [...claims.identifiers, ...numbers] } }
    numbers.push(...claims.identifiers.map(claim => ({ ...claim, old: true as const })))
    at = next
  }
  return undefined
}

function joined(one: Candidate | undefined, other: Candidate): Candidate {
  if (one === undefined) return other
  const identifiers = [...one.claims.identifiers, ...other.claims.identifiers]
  return { ...other, claims: { ...other.claims, identifiers } }
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
