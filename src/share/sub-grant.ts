import { composeTerm, type Grant, isNarrower, parseScope, type Term, termsOf } from '#access'
import { isId } from '#fhir'
import { newSecret, Problem } from '#kernel'

/** The scopes of a link: `patient/` scopes that read and search, and nothing else. */
export interface LinkScopes {
  readonly terms: readonly Term[]
  /** As they were written, joined by single blanks. */
  readonly text: string
}

/** A copy is made by searching and shown by reading: a link needs both, and can use nothing else. */
function isReadingOfOne(term: Term | undefined): term is Term {
  return term?.level === 'patient' && term.verbs.size === 2 && term.verbs.has('r') && term.verbs.has('s')
}

/** @throws Problem `invalid` · `share.scope-malformed` */
export function parseLinkScopes(scopes: string): LinkScopes {
  const texts = scopes.split(' ').filter(text => text !== '')
  const terms = texts.map(parseScope)
  if (terms.length === 0 || !terms.every(isReadingOfOne))
    throw new Problem('invalid', 'share.scope-malformed', 'A link takes patient/ scopes that end in .rs or .read.', {
      expression: 'scopes',
    })
  return { terms, text: texts.join(' ') }
}

/** What a grant may do to one patient, as far as the account's role goes, said as `patient/` terms, whatever their level was. */
function termsForPatient(grant: Grant, patient: string): readonly Term[] {
  const reaches: Readonly<Record<Term['level'], boolean>> = {
    patient: grant.patient === patient,
    user: grant.patients === 'all' || grant.patients.includes(patient),
    system: true,
  }
  return termsOf(grant, patient)
    .filter(term => reaches[term.level])
    .map(term => composeTerm('patient', term.type, term.verbs, term.params))
}

/** Whether the grant itself could read all that these scopes can read of the patient. */
export function covers(grant: Grant, patient: string, { terms }: LinkScopes): boolean {
  const allowed = termsForPatient(grant, patient)
  return terms.every(term => isNarrower(term, allowed))
}

/**
 * The grant under which a link's content is read: one patient, these scopes, never more than the creator has.
 *
 * @throws Problem `forbidden` · `share.scope-too-wide`, also for a patient out of reach
 */
export function subGrant(grant: Grant, patient: string, scopes: LinkScopes): Grant {
  if (!isId(patient) || !covers(grant, patient, scopes))
    throw new Problem('forbidden', 'share.scope-too-wide', 'A link cannot show more than you may read of the patient.')
  return {
    id: `share-${newSecret(9)}`,
    actor: grant.actor,
    patient,
    patients: [],
    terms: scopes.terms,
    isForStrangers: true,
    expiresAtMs: grant.expiresAtMs,
    ...(grant.purpose === undefined ? {} : { purpose: grant.purpose }),
  }
}
