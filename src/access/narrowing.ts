/** Comparing and intersecting scopes: what a client is registered for, asks for, and is given. */
import { composeTerm } from './scope.ts'
import type { Term, TermParam, Verb } from './term.ts'

/**
 * Whether everything the term allows is allowed by the others together. Sound, not complete: a true answer is always
 * right, and levels are compared literally (`patient/` is not held to be narrower than `user/`).
 */
export function isNarrower(term: Term, than: readonly Term[]): boolean {
  for (const verb of term.verbs) if (!than.some(other => other.verbs.has(verb) && coversRows(other, term))) return false
  return true
}

/** Whether every row that `term` covers is covered by `other`, leaving verbs aside. */
function coversRows(other: Term, term: Term): boolean {
  if (other.level !== term.level || (other.type !== '*' && other.type !== term.type)) return false
  return other.params.every(param => hasParam(term.params, param))
}

function hasParam(params: readonly TermParam[], wanted: TermParam): boolean {
  return params.some(param => param.name === wanted.name && param.value === wanted.value)
}

/**
 * What is both requested and allowed. Never wider than either side; a requested term that is allowed wholly comes back
 * as it is, in its own spelling, so that a client finds the very string it asked for.
 *
 * @example intersectScopes([patient/*.rs], [patient/Observation.rs?category=vital-signs]) → the latter
 */
export function intersectScopes(requested: readonly Term[], allowed: readonly Term[]): readonly Term[] {
  const common: Term[] = []
  for (const term of requested) {
    if (isNarrower(term, allowed)) common.push(term)
    else for (const other of allowed) common.push(...meet(term, other))
  }
  return withoutRepetition(common)
}

function meet(one: Term, other: Term): readonly Term[] {
  if (one.level !== other.level || !(one.type === '*' || other.type === '*' || one.type === other.type)) return []
  if (isNarrower(other, [one])) return [other]
  const verbs = new Set<Verb>([...one.verbs].filter(verb => other.verbs.has(verb)))
  if (verbs.size === 0) return []
  const type = one.type === '*' ? other.type : one.type
  const more = other.params.filter(param => !hasParam(one.params, param))
  return [composeTerm(one.level, type, verbs, [...one.params, ...more])]
}

/** Drops one term after the other that the remaining ones allow anyway. */
function withoutRepetition(terms: readonly Term[]): readonly Term[] {
  let kept = terms
  for (const term of terms) {
    const others = kept.filter(other => other !== term)
    if (kept.includes(term) && isNarrower(term, others)) kept = others
  }
  return kept
}
