import { isNarrower } from '#access'
import type { Clock } from '#kernel'
import type { Record as PatientRecord } from '#record'
import type { Client, Clients } from '../clients/clients.ts'
import { single } from '../form.ts'
import { oauthProblem } from '../oauth-problem.ts'
import { countScopes, parseScopeRequest, printScopeRequest } from '../scopes.ts'
import { issueTokens, type TokenAnswer } from './issue.ts'
import type { Permission, Permissions } from './permissions.ts'
import type { FoundToken, Tokens } from './tokens.ts'

export interface Refreshing {
  readonly clients: Clients
  readonly permissions: Permissions
  readonly tokens: Tokens
  readonly record: Pick<PatientRecord, 'patientsOf'>
  readonly clock: Clock
}

const refusal = () => oauthProblem('invalid_grant', 'The refresh token is unknown, expired, used or revoked.')

/** Some libraries leave `client_id` out when a public client refreshes; the token itself then says whose it is. */
async function checkClient(found: FoundToken, client: Client | undefined, clients: Clients): Promise<void> {
  const owner = found.value.actor.clientId
  if (client !== undefined && client.id !== owner) throw refusal()
  if (client !== undefined) return
  const known = owner === undefined ? undefined : await clients.get(owner)
  if (known?.authMethod !== 'none') throw oauthProblem('invalid_client', 'This client must authenticate.')
}

/** An account may have stopped keeping the patient since the person consented. */
async function keepsPatient(permission: Permission, record: Refreshing['record']): Promise<boolean> {
  if (permission.patient === undefined) return true
  return (await record.patientsOf(permission.account)).includes(permission.patient)
}

/** The asked scope when everything in it was granted before. RFC 6749 §6 */
function narrowScope(asked: string | undefined, granted: string): string {
  if (asked === undefined) return granted
  const before = parseScopeRequest(granted)
  const wanted = parseScopeRequest(asked)
  const known = wanted.terms.length + wanted.words.size === countScopes(asked)
  const within =
    wanted.terms.every(term => isNarrower(term, before.terms)) &&
    [...wanted.words].every(word => before.words.has(word))
  if (!known || !within || wanted.terms.length + wanted.words.size === 0)
    throw oauthProblem('invalid_scope', 'A refresh can ask for what was granted, or for less.')
  return printScopeRequest(wanted)
}

/**
 * `grant_type=refresh_token`. Each use gives a new refresh token; an old one that comes again means that two parties
 * hold it, so everything that came of the permission ends.
 *
 * @throws Problem `invalid` · `smart.invalid-grant`, `smart.invalid-scope`, `smart.invalid-request`
 * @see https://www.rfc-editor.org/rfc/rfc9700#section-4.14
 */
export async function refresh(
  form: URLSearchParams,
  client: Client | undefined,
  { clients, permissions, tokens, record, clock }: Refreshing,
): Promise<TokenAnswer> {
  const text = single(form, 'refresh_token')
  if (text === undefined) throw oauthProblem('invalid_request', 'The parameter refresh_token is missing.')
  const found = await tokens.find(text)
  if (found === undefined || found.value.kind !== 'refresh') throw refusal()
  await checkClient(found, client, clients)
  const { family, spent, expiresAtMs, scope: granted } = found.value
  if (spent === undefined && expiresAtMs <= clock.nowMs()) throw refusal()
  const scope = narrowScope(single(form, 'scope'), granted)
  if (spent || !(await tokens.spend(found))) {
    await permissions.revoke(family)
    throw refusal()
  }
  const permission = await permissions.get(family)
  if (permission === undefined || !(await keepsPatient(permission, record))) throw refusal()
  const answer = await issueTokens(permission, { tokens, clock, scope })
  if ((await permissions.get(family)) !== undefined) return answer
  await tokens.deleteFamily(family)
  throw refusal()
}
