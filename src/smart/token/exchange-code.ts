import type { Clock } from '#kernel'
import type { Client } from '../clients/clients.ts'
import { single } from '../form.ts'
import { oauthProblem } from '../oauth-problem.ts'
import type { CodeDocument, Codes } from './codes.ts'
import { signIdToken } from './id-token.ts'
import { issueTokens, type TokenAnswer } from './issue.ts'
import type { Permission, Permissions } from './permissions.ts'
import { isVerifierOf } from './pkce.ts'
import type { SigningKey } from './signing-key.ts'
import type { Tokens } from './tokens.ts'

export interface CodeExchange {
  readonly codes: Codes
  readonly permissions: Permissions
  readonly tokens: Tokens
  readonly key: SigningKey
  readonly baseUrl: string
  readonly clock: Clock
}

const refusal = () =>
  oauthProblem('invalid_grant', 'The code is unknown, expired, used, or was given out for another request.')

function isFor(code: CodeDocument, client: Client, form: URLSearchParams): boolean {
  return (
    code.clientId === client.id &&
    code.redirectUri === single(form, 'redirect_uri') &&
    isVerifierOf(single(form, 'code_verifier') ?? '', code.challenge)
  )
}

/** The code's permission. A code that comes a second time, or with wrong proof, ends what it stood for. RFC 6749 §4.1.2 */
async function redeem(form: URLSearchParams, client: Client, exchange: CodeExchange): Promise<Permission> {
  const text = single(form, 'code')
  if (text === undefined) throw oauthProblem('invalid_request', 'The parameter code is missing.')
  const redeemed = await exchange.codes.spend(text)
  if (redeemed.state === 'unknown' || redeemed.state === 'lost') throw refusal()
  const permission = await exchange.permissions.get(redeemed.code.permission)
  if (redeemed.state === 'fresh' && permission !== undefined && isFor(redeemed.code, client, form)) return permission
  await exchange.permissions.revoke(redeemed.code.permission)
  throw refusal()
}

/**
 * `grant_type=authorization_code`.
 *
 * @throws Problem `invalid` · `smart.invalid-grant`, `smart.invalid-request`; `unauthenticated` · `smart.invalid-client`
 * @see https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#obtain-access-token
 */
export async function exchangeCode(
  form: URLSearchParams,
  client: Client | undefined,
  exchange: CodeExchange,
): Promise<TokenAnswer> {
  if (client === undefined) throw oauthProblem('invalid_client', 'The parameter client_id is missing.')
  const permission = await redeem(form, client, exchange)
  const answer = await issueTokens(permission, exchange)
  if (!(await exchange.permissions.activate(permission.id))) {
    await exchange.permissions.revoke(permission.id)
    throw refusal()
  }
  const wantsIdToken = permission.scope.split(' ').includes('openid')
  return wantsIdToken ? { ...answer, id_token: await signIdToken(permission, exchange) } : answer
}
