import type { Client } from '../clients/clients.ts'
import { single } from '../form.ts'
import { oauthProblem } from '../oauth-problem.ts'
import { countScopes, narrowScopeRequest, parseScopeRequest, printScopeRequest, type ScopeRequest } from '../scopes.ts'

/** More than this nobody can be asked about on one page. */
const maxAskedScopes = 200

/** Scopes of `launch/patient`, `openid` and the like need no registration: they reach no data by themselves. */
function registered(client: Client, asked: ScopeRequest): ScopeRequest {
  if (client.scope === undefined) return asked
  const allowed = parseScopeRequest(client.scope)
  return narrowScopeRequest(asked, { terms: allowed.terms, words: asked.words })
}

/** An app that is not registered for refresh tokens gets none. */
function withoutOffline(client: Client, asked: ScopeRequest): ScopeRequest {
  if (client.grantTypes.includes('refresh_token')) return asked
  return { ...asked, words: new Set([...asked.words].filter(word => word !== 'offline_access')) }
}

/**
 * What of the asked scopes a person can grant to this app: `patient/` and `user/` scopes it is registered for. Unknown
 * ones are dropped; when nothing is left there is nothing to ask a person about.
 */
export function assignScope(params: URLSearchParams, client: Client): string {
  const text = single(params, 'scope') ?? ''
  if (countScopes(text) > maxAskedScopes) throw oauthProblem('invalid_scope', 'These are too many scopes at once.')
  const asked = parseScopeRequest(text, ['patient', 'user'])
  const scope = withoutOffline(client, registered(client, asked))
  if (scope.terms.length === 0 && !scope.words.has('openid') && !scope.words.has('launch/patient'))
    throw oauthProblem('invalid_scope', 'None of the scopes can be granted to this app.')
  return printScopeRequest(scope)
}
