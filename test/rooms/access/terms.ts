/** Arbitrary terms for the properties of this room. */

import fc from 'fast-check'
import { composeTerm, parseScope, type Term, type Verb } from '#access'

const verbs = fc.subarray<Verb>(['c', 'r', 'u', 'd', 's'], { minLength: 1 })
const level = fc.constantFrom('patient' as const, 'user' as const, 'system' as const)
const value = fc.constantFrom('a', 'b', 'http://x.org|a', 'a,b', '50% & more', 'ä"\\', 'a b')
const typed = fc.constantFrom(
  { type: 'Observation', names: ['category', 'code', '_tag'] },
  { type: 'Condition', names: ['category', 'code', '_tag'] },
  { type: '*', names: ['_tag', '_security', '_source'] },
)

const granular = fc
  .tuple(level, typed, verbs)
  .chain(([at, { type, names }, chosen]) =>
    fc
      .array(fc.record({ name: fc.constantFrom(...names), value }), { maxLength: 2 })
      .map(params => composeTerm(at, type, new Set(chosen), params)),
  )

const version1 = fc
  .tuple(level, fc.constantFrom('Observation', 'Condition', '*'), fc.constantFrom('read', 'write', '*'))
  .map(([at, type, verb]) => parsed(`${at}/${type}.${verb}`))

export const anyTerm: fc.Arbitrary<Term> = fc.oneof(granular, version1)
export const someTerms: fc.Arbitrary<readonly Term[]> = fc.array(anyTerm, { maxLength: 4 })

/** A scope that must be one. */
export function parsed(text: string): Term {
  const term = parseScope(text)
  if (term === undefined) throw new Error(`not a scope: ${text}`)
  return term
}

export function terms(...texts: readonly string[]): readonly Term[] {
  return texts.map(parsed)
}
