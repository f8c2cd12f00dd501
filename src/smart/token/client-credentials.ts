import { isNarrower } from '#access'
import { type Clock, newResourceId } from '#kernel'
import type { Client, Clients } from '../clients/clients.ts'
import { single } from '../form.ts'
import { oauthProblem } from '../oauth-problem.ts'
import { countScopes, parseScopeRequest, printScopeRequest } from '../scopes.ts'
import type { TokenAnswer } from './issue.ts'
import { backendLifeMs } from './lifetimes.ts'
import type { Tokens } from './tokens.ts'

/** What may be had of what the administrator allowed; a request beyond it fails as a whole. R@243 */
function checkScope(asked: string | undefined, approved: string): string {
  if (asked === undefined) return approved
  const allowed = parseScopeRequest(approved, ['system'])
  const wanted = parseScopeRequest(asked, ['system'])
  const known = wanted.words.size === 0 && wanted.terms.length === countScopes(asked)
  if (!known || wanted.terms.length === 0 || !wanted.terms.every(term => isNarrower(term, allowed.terms)))
    throw oauthProblem('invalid_scope', 'The client was not allowed all of these scopes.')
  return printScopeRequest(wanted)
}

/**
 * `grant_type=client_credentials`: a client with its own key, allowed by the administrator of the host, without a person.
 *
 * @throws Problem `forbidden` · `smart.unauthorized-client`; `invalid` · `smart.invalid-scope`
 * @see https://hl7.org/fhir/smart-app-launch/STU2.2/backend-services.html
 */
export async function grantClientCredentials(
  form: URLSearchParams,
  client: Client | undefined,
  { clients, tokens, clock }: { clients: Clients; tokens: Tokens; clock: Clock },
): Promise<TokenAnswer> {
  if (client === undefined) throw oauthProblem('invalid_client', 'The client must authenticate.')
  const mayAct = client.authMethod === 'private_key_jwt' && client.grantTypes.includes('client_credentials')
  if (!mayAct || client.approvedScope === undefined)
    throw oauthProblem('unauthorized_client', 'The administrator has not allowed this client to act without a person.')
  const scope = checkScope(single(form, 'scope'), client.approvedScope)
  const nowMs = clock.nowMs()
  const accessToken = await tokens.issue({
    kind: 'access',
    family: newResourceId(),
    actor: { kind: 'client', id: client.id, display: client.name, clientId: client.id },
    scope,
    issuedAtMs: nowMs,
    expiresAtMs: nowMs + backendLifeMs,
  })
  // Looked for after the writing: the administrator may have ended or narrowed it in between.
  if ((await clients.get(client.id))?.approvedScope !== client.approvedScope) {
    await tokens.deleteOfClient(client.id)
    throw oauthProblem('unauthorized_client', 'The administrator has not allowed this client to act without a person.')
  }
  return { access_token: accessToken, token_type: 'Bearer', expires_in: backendLifeMs / 1000, scope }
}
