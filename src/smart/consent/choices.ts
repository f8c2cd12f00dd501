import { composeTerm, substitutesFor, type Term, type Verb } from '#access'
import { choosableTypes, deeds, wordsOfType } from '../pages/words.ts'
import { printScopeRequest, type ScopeRequest } from '../scopes.ts'

/** A narrower scope that may be given in place of the one asked for. */
export interface Choice {
  readonly label: string
  readonly term: Term
}

/** One asked scope, as the consent page offers it: fields `do-<n>` hold deeds, `only-<n>` narrower kinds. */
export interface Offer {
  readonly term: Term
  readonly deedField: string
  readonly onlyField: string
  readonly choices: readonly Choice[]
}

function choicesInPlaceOfAll(term: Term): readonly Choice[] {
  if (term.type !== '*' || term.params.length > 0) return []
  return choosableTypes.flatMap(type => {
    const whole = composeTerm(term.level, type, term.verbs, [])
    const label = wordsOfType(type)
    const narrower = substitutesFor(whole).map(part => ({ label: `${label} – ${part.label}`, term: part.term }))
    return [{ label, term: whole }, ...narrower]
  })
}

/** What a person can decide about each asked scope. */
export function offersOf(request: ScopeRequest): readonly Offer[] {
  return request.terms.map((term, at) => ({
    term,
    deedField: `do-${at}`,
    onlyField: `only-${at}`,
    choices: [...substitutesFor(term), ...choicesInPlaceOfAll(term)],
  }))
}

function allowedVerbs(offer: Offer, form: URLSearchParams): ReadonlySet<Verb> {
  const ticked = new Set(form.getAll(offer.deedField))
  const verbs = deeds.filter(deed => ticked.has(deed.name)).flatMap(deed => deed.verbs)
  return new Set(verbs.filter(verb => offer.term.verbs.has(verb)))
}

/** A scope that is given whole keeps the spelling it was asked in; R@126. */
function withVerbs(term: Term, verbs: ReadonlySet<Verb>): Term {
  return verbs.size === term.verbs.size ? term : composeTerm(term.level, term.type, verbs, term.params)
}

function grantedBy(offer: Offer, form: URLSearchParams): readonly Term[] {
  const verbs = allowedVerbs(offer, form)
  if (verbs.size === 0) return []
  const only = new Set(form.getAll(offer.onlyField))
  const limited = only.delete('limit')
  const chosen = offer.choices.filter(choice => only.has(choice.term.text)).map(choice => choice.term)
  // A ticked kind always narrows; "only these" with nothing ticked gives nothing.
  const terms = limited || chosen.length > 0 ? chosen : [offer.term]
  return terms.map(term => withVerbs(term, verbs))
}

/**
 * What the form grants: of each asked scope what was ticked. A form can only name what was offered, so whatever it
 * holds it never widens.
 */
export function grantedTerms(request: ScopeRequest, form: URLSearchParams): readonly Term[] {
  const terms = offersOf(request).flatMap(offer => grantedBy(offer, form))
  return [...new Map(terms.map(term => [term.text, term])).values()]
}

/** The scopes to be told to the app. */
export function grantedScope(request: ScopeRequest, form: URLSearchParams, kept: ScopeRequest['words']): string {
  return printScopeRequest({ terms: grantedTerms(request, form), words: kept })
}
