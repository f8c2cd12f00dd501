import { jsonResponse, type WebRequest, type WebResponse } from '#web'
import type { Client } from '../clients/clients.ts'
import { readForm, single } from '../form.ts'
import { oauthProblem } from '../oauth-problem.ts'
import type { Parts } from '../parts.ts'
import type { FoundToken } from '../token/tokens.ts'

type RevokeParts = Pick<Parts, 'authenticateClient' | 'clients' | 'tokens' | 'permissions' | 'record'>

/** Whether the caller is the token's client. A public client, or nobody at all, shows that by holding the token. */
async function isOwner(found: FoundToken, client: Client | undefined, { clients }: RevokeParts): Promise<boolean> {
  const owner = found.value.actor.clientId
  if (client !== undefined || owner === undefined) return client?.id === owner
  if ((await clients.get(owner))?.authMethod === 'none') return true
  throw oauthProblem('invalid_client', 'This client must authenticate.')
}

/**
 * POST `/auth/revoke`. A refresh token takes everything of its permission with it, an access token only itself.
 * What is unknown, foreign or over already is answered like success.
 *
 * @see https://www.rfc-editor.org/rfc/rfc7009
 */
export async function revoke(request: WebRequest, parts: RevokeParts): Promise<WebResponse> {
  const form = await readForm(request)
  const client = await parts.authenticateClient(request, form)
  const text = single(form, 'token')
  if (text === undefined) throw oauthProblem('invalid_request', 'The parameter token is missing.')
  const found = await parts.tokens.find(text)
  if (found !== undefined && (await isOwner(found, client, parts))) {
    const { kind, family, actor, patient } = found.value
    if (kind === 'refresh') await parts.permissions.revoke(family)
    else await parts.tokens.delete(found)
    parts.record.audit({ action: 'revoke', outcome: 'success', actor, ...(patient === undefined ? {} : { patient }) })
  }
  return jsonResponse(200, {})
}
