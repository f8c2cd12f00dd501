import type { Clock } from '#kernel'
import type { Client, Clients } from '../clients/clients.ts'
import { assignMaxAge, assignPrompt } from './assign-prompt.ts'
import { assignScope } from './assign-scope.ts'
import type { AuthorizationRequest, ReturnAddress } from './authorization-request.ts'
import { checkAudience } from './check-audience.ts'
import { checkPkce } from './check-pkce.ts'
import { checkRedirectUri } from './check-redirect-uri.ts'
import { checkNoLaunch, checkNoRequestObject, checkResponseType } from './check-response-type.ts'
import { checkNonce, checkState } from './check-state.ts'
import { loadClient } from './load-client.ts'

/** First movement: who asks, and where the answer goes. A fault here is shown to the person; nobody is redirected. */
export async function loadReturnAddress(
  params: URLSearchParams,
  clients: Clients,
): Promise<{ readonly client: Client; readonly address: ReturnAddress }> {
  const client = await loadClient(params, clients)
  const redirectUri = checkRedirectUri(params, client)
  const state = checkState(params)
  return { client, address: { clientId: client.id, redirectUri, ...(state === undefined ? {} : { state }) } }
}

/** Second movement: what is asked. A fault here goes back to the app. */
export function checkRequest(
  params: URLSearchParams,
  client: Client,
  address: ReturnAddress,
  { fhirBase, clock }: { fhirBase: string; clock: Clock },
): AuthorizationRequest {
  checkNoRequestObject(params)
  checkResponseType(params)
  checkNoLaunch(params)
  checkAudience(params, fhirBase)
  const challenge = checkPkce(params)
  const scope = assignScope(params, client)
  const nonce = checkNonce(params)
  const prompt = assignPrompt(params)
  const maxAgeSeconds = assignMaxAge(params)
  return {
    ...address,
    challenge,
    scope,
    receivedAtMs: clock.nowMs(),
    ...(nonce === undefined ? {} : { nonce }),
    ...(prompt === undefined ? {} : { prompt }),
    ...(maxAgeSeconds === undefined ? {} : { maxAgeSeconds }),
  }
}
