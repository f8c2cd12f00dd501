import { intersectScopes, type Level, parseScope, printScope, type Term } from '#access'

/** What the words of a `scope` parameter ask for. */
export interface ScopeRequest {
  /** Resource scopes, in the order and spelling they were asked for. */
  readonly terms: readonly Term[]
  readonly words: ReadonlySet<ScopeWord>
}

/** Scopes that are no resource scopes, in the order in which they are printed. */
const scopeWords = ['openid', 'fhirUser', 'launch/patient', 'offline_access'] as const

export type ScopeWord = (typeof scopeWords)[number]

/** Bounds the work on hostile input; what a person may be asked about is bounded lower, in authorize. */
const maxScopes = 2_000

/**
 * Reads a scope parameter. What is unknown or malformed is dropped, never guessed at, so that it cannot widen anything.
 *
 * @param text    words separated by single blanks, RFC 6749 §3.3
 * @param levels  the levels that can be had here; terms of others are dropped
 */
export function parseScopeRequest(
  text: string,
  levels: readonly Level[] = ['patient', 'user', 'system'],
): ScopeRequest {
  const asked = [...new Set(text.split(' '))].slice(0, maxScopes)
  const terms: Term[] = []
  const words = new Set<ScopeWord>()
  for (const item of asked) {
    const word = scopeWords.find(known => known === item)
    const term = word === undefined ? parseScope(item) : undefined
    if (word !== undefined) words.add(word)
    if (term !== undefined && levels.includes(term.level)) terms.push(term)
  }
  return { terms, words }
}

/** The request as one `scope` value. */
export function printScopeRequest(request: ScopeRequest): string {
  return [...scopeWords.filter(word => request.words.has(word)), ...request.terms.map(printScope)].join(' ')
}

/** What is both asked for and allowed. */
export function narrowScopeRequest(asked: ScopeRequest, allowed: ScopeRequest): ScopeRequest {
  return {
    terms: intersectScopes(asked.terms, allowed.terms),
    words: new Set([...asked.words].filter(word => allowed.words.has(word))),
  }
}

/** Whether any scope reaches one chosen patient, so that a patient must be in context. R@164 */
export function needsPatient(request: ScopeRequest): boolean {
  return request.words.has('launch/patient') || request.terms.some(term => term.level === 'patient')
}

/** How many different scopes a text names, understood or not. */
export function countScopes(text: string): number {
  return new Set(text.split(' ').filter(item => item !== '')).size
}
