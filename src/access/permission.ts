import { Problem } from '#kernel'
import { activeTerms, type Grant } from './grant.ts'
import type { Level, Term, Verb } from './term.ts'

/** Whether the term speaks of the type at all. */
export function speaksOf(term: Term, type: string): boolean {
  return term.type === '*' || term.type === type
}

/** Whether some term covers the verb on the type. It says nothing about rows: those are for `visionOf` and `mayTouch`. */
export function permits(grant: Grant, verb: Verb, type: string): boolean {
  return activeTerms(grant).some(term => term.verbs.has(verb) && speaksOf(term, type))
}

/**
 * Refuses what no term covers, before anything is looked up, so that the answer is the same whatever is stored.
 *
 * @throws Problem `forbidden` · `scope.missing`; its text names the scope that would be needed
 * @see    https://hl7.org/fhir/us/core – a server SHALL answer 403 to insufficient scope
 */
export function requirePermission(grant: Grant, verb: Verb, type: string): void {
  if (permits(grant, verb, type)) return
  throw new Problem('forbidden', 'scope.missing', `This needs the scope ${levelOf(grant)}/${type}.${verb}.`)
}

/** What of a grant reaches more than the one patient in context: its `user/` and `system/` terms. */
export function beyondPatient({ patient: _, ...grant }: Grant): Grant {
  return { ...grant, terms: grant.terms.filter(term => term.level !== 'patient') }
}

/**
 * Refuses what no `user/` or `system/` term covers: a token of one patient may not do this, whatever it may do to that one.
 *
 * @throws Problem `forbidden` · `scope.missing`; its text names what would have to be granted beside what is
 */
export function requireBeyondPatient(grant: Grant, verbs: readonly Verb[], type: string): void {
  const wider = beyondPatient(grant)
  const missing = verbs.filter(verb => !permits(wider, verb, type))
  if (missing.length === 0) return
  throw new Problem('forbidden', 'scope.missing', `This needs the scope ${levelOf(wider)}/${type}.${missing.join('')}.`)
}

/** The level at which this grant would have to ask for more. */
function levelOf(grant: Grant): Level {
  return grant.terms[0]?.level ?? (grant.patient === undefined ? 'user' : 'patient')
}
