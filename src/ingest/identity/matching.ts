import { requirePermission } from '#access'
import type { Resource } from '#fhir'
import { giveWay, Problem } from '#kernel'
import { claimsOf, type PersonClaims } from './claims.ts'
import { linkOf } from './identifiers.ts'
import { type Asking, identify, likely } from './identify.ts'
import { type Candidate, compare, isSurelySame, type Verdict } from './judge.ts'
import type { MergeDeps } from './merging/both.ts'
import { closenessOf, isCloser } from './names.ts'

/** Somebody whom a description may be about. */
export interface PatientMatch {
  /** Patient id. */
  readonly id: string
  /** https://hl7.org/fhir/R4/valueset-match-grade.html, without who is certainly somebody else. */
  readonly grade: 'certain' | 'probable' | 'possible'
  /** Above 0 and up to 1, the most certain. */
  readonly score: number
}

/** Nobody has more; each of them is compared with each of everybody's. Of the names that are sent several may be the same. */
const most = { names: 16, sentNames: 200, identifiers: 64, characters: 1_000 } as const

/**
 * Whom a description may be about among the patients within reach, the likeliest first, by the rule by which imports find people: only
 * whom they would take it for is certain; who has the same name, word for word or in part, and the same birth date, or a number of their own,
 * and contradicts nothing is probable.
 *
 * @param patient  elements of a Patient; it need not be whole
 * @throws Problem `forbidden` · `scope.missing`; `too-costly` · `ingest.match-too-much`
 */
export async function matchPatients(
  { grant, patient }: { readonly grant: Asking['grant']; readonly patient: Resource },
  { record, baseUrl }: Pick<MergeDeps, 'record' | 'baseUrl'>,
): Promise<readonly PatientMatch[]> {
  for (const verb of ['s', 'r'] as const) requirePermission(grant, verb, 'Patient')
  // Before it is read: a hundred thousand numbers take long.
  if (hasMany(patient.identifier, most.identifiers)) throw tooMuch('Patient.identifier')
  if (hasMany(patient.name, most.sentNames)) throw tooMuch('Patient.name')
  const claims = claimsOf(patient)
  checkModest(claims, patient)
  const asking = { grant, baseUrl }
  return record.writer(grant).transact(async txn => {
    const verdict = await identify(txn, claims, asking)
    return graded(claims, verdict, await likely(txn, claims, asking))
  })
}

/** @throws Problem `too-costly` · `ingest.match-too-much` */
function checkModest({ names }: PersonClaims, patient: Resource): void {
  // Of claims nothing is long any more: what is asked is looked at as it was sent.
  const isLong = Array.isArray(patient.name) && patient.name.some(name => lettersOf(name ?? {}) > most.characters)
  if (names.length > most.names || isLong) throw tooMuch('Patient.name')
}

function hasMany(value: unknown, count: number): boolean {
  return Array.isArray(value) && value.length > count
}

function tooMuch(expression: string): Problem {
  const text = 'The Patient has more, or longer, names or numbers than a person has.'
  return new Problem('too-costly', 'ingest.match-too-much', text, { expression })
}

function lettersOf({ family, given, text }: { family?: unknown; given?: unknown; text?: unknown }): number {
  const parts = [family, text, ...(Array.isArray(given) ? given : [])]
  return parts.reduce<number>((sum, part) => sum + (typeof part === 'string' ? part.length : 0), 0)
}

async function graded(
  claims: PersonClaims,
  verdict: Verdict,
  candidates: readonly Candidate[],
): Promise<readonly PatientMatch[]> {
  const matches: PatientMatch[] = []
  for (const candidate of candidates) {
    const match = gradeOf(claims, verdict, candidate)
    if (match !== undefined) matches.push(match)
    const pause = giveWay()
    if (pause !== undefined) await pause
  }
  return matches.sort((one, other) => other.score - one.score || (one.id < other.id ? -1 : 1))
}

function gradeOf(claims: PersonClaims, verdict: Verdict, { id, claims: known }: Candidate): PatientMatch | undefined {
  if (verdict.kind === 'certain' && verdict.patient === id) return { id, grade: 'certain', score: 1 }
  const { kind } = compare(claims, known)
  if (kind === 'contradicts') return undefined
  if (kind === 'doubtful') return { id, grade: 'possible', score: 0.3 }
  const isLinked = linkOf(claims.identifiers, known.identifiers) === 'own'
  // Twins are called alike, and were born on one day.
  const isCalledSo = isCloser(closenessOf(claims.names, known.names), 'alike')
  const isSame = isSurelySame(claims, known)
  if (isLinked) return { id, grade: 'probable', score: isSame && isCalledSo ? 0.9 : 0.7 }
  if (isSame) return isCalledSo ? { id, grade: 'probable', score: 0.8 } : { id, grade: 'possible', score: 0.6 }
  return { id, grade: 'possible', score: isCalledSo ? 0.5 : 0.4 }
}
