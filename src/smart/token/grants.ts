import { composeTerm, type Grant, type Term } from '#access'
import { parseScopeRequest } from '../scopes.ts'
import type { TokenDocument } from './tokens.ts'

/** The part of a Grant that a token's document fixes, and whether the account's patients must be looked up for it. */
export interface FixedGrant {
  readonly grant: Grant
  /** Whether a term reaches the account's patients, who may have changed since. */
  readonly reachesAccount: boolean
  /** The one patient of those that is reached: an app that only knows who sits here needs no other. */
  readonly onlySelf?: string
}

/** `fhirUser` lets an app read the one resource that it names. */
function selfTerm(token: TokenDocument): readonly Term[] {
  const id = selfOf(token)
  return id === undefined ? [] : [composeTerm('user', 'Patient', new Set(['r']), [{ name: '_id', value: id }])]
}

/** The Patient id of the person themself, when the app may know it. */
function selfOf(token: TokenDocument): string | undefined {
  const [type, id] = token.actor.fhirUser?.split('/') ?? []
  return type === 'Patient' ? id : undefined
}

/** The Grant a token's document stands for. Levels that lack what they need (a patient, an account) are left out. */
export function toFixedGrant(token: TokenDocument): FixedGrant {
  const { words, terms: granted } = parseScopeRequest(token.scope)
  const terms = [
    ...granted.filter(term => term.level !== 'user' || token.account !== undefined),
    ...(words.has('fhirUser') && token.account !== undefined ? selfTerm(token) : []),
  ].filter(term => term.level !== 'patient' || token.patient !== undefined)
  const grant: Grant = {
    id: token.family,
    actor: token.actor,
    patients: terms.some(term => term.level === 'system') ? 'all' : [],
    terms,
    expiresAtMs: token.expiresAtMs,
    ...(token.patient === undefined ? {} : { patient: token.patient }),
    ...(token.account === undefined ? {} : { account: token.account }),
    ...(token.purpose === undefined ? {} : { purpose: token.purpose }),
  }
  const userTerms = terms.filter(term => term.level === 'user')
  const onlySelf = userTerms.length === 1 && granted.every(term => term.level !== 'user') ? selfOf(token) : undefined
  const reachesAccount = token.account !== undefined && userTerms.length > 0
  return {
    grant,
    reachesAccount,
    ...(onlySelf === undefined ? {} : { onlySelf }),
  }
}

/** The grant of an account as it is while the account keeps these, in these roles; undefined when the patient in context is none of them. */
export function asKept(
  { grant, reachesAccount, onlySelf }: FixedGrant,
  { patients, within }: Pick<Grant, 'within'> & { readonly patients: readonly string[] },
): Grant | undefined {
  if (grant.patient !== undefined && !patients.includes(grant.patient)) return undefined
  const reached = onlySelf === undefined ? patients : patients.filter(id => id === onlySelf)
  return {
    ...grant,
    ...(reachesAccount ? { patients: reached } : {}),
    ...(within === undefined ? {} : { within }),
  }
}
