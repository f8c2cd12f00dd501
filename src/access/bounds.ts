/** What a lesser role leaves of a grant, patient by patient. The one place where it is worked out. */
import type { Holder } from '#search'
import type { Grant } from './grant.ts'
import { intersectScopes } from './narrowing.ts'
import { composeTerm } from './scope.ts'
import type { Term } from './term.ts'

/** Of each patient whom an account keeps in a lesser role the `user/` terms within which its grants count there. */
export type Bounds = ReadonlyMap<string, readonly Term[]>

type Within = Pick<Grant, 'terms' | 'within'>

/** The bound of a holder's patient; none where the grant's terms alone are the measure. */
export function boundAt({ within }: Pick<Grant, 'within'>, { patient }: Pick<Holder, 'patient'>) {
  return within === undefined || patient === undefined ? undefined : within.get(patient)
}

const narrowed = new WeakMap<readonly Term[], WeakMap<readonly Term[], readonly Term[]>>()

/** The terms as far as they are within a bound; `system/` terms are no account's and have none. The same list each time. */
export function termsWithin(terms: readonly Term[], bound: readonly Term[]): readonly Term[] {
  const ofTerms = narrowed.get(terms) ?? new WeakMap<readonly Term[], readonly Term[]>()
  narrowed.set(terms, ofTerms)
  const known = ofTerms.get(bound)
  if (known !== undefined) return known
  const met = terms.flatMap(term => {
    if (term.level === 'system') return [term]
    return intersectScopes(
      [term],
      bound.map(({ type, verbs, params }) => composeTerm(term.level, type, verbs, params)),
    )
  })
  ofTerms.set(bound, met)
  return met
}

/** What a grant's terms are worth of one patient, whether the patient is reached or not. */
export function termsOf(grant: Within, patient: string): readonly Term[] {
  const bound = grant.within?.get(patient)
  return bound === undefined ? grant.terms : termsWithin(grant.terms, bound)
}
