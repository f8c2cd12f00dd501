import type { Actor } from '#access'
import type { Clock } from '#kernel'
import { accessLifeMs } from './lifetimes.ts'
import type { Permission } from './permissions.ts'
import type { TokenDocument, Tokens } from './tokens.ts'

/** A successful answer of the token endpoint. RFC 6749 §5.1, and SMART's launch context beside it. */
export interface TokenAnswer {
  readonly access_token: string
  readonly token_type: 'Bearer'
  readonly expires_in: number
  readonly scope: string
  readonly refresh_token?: string
  readonly id_token?: string
  readonly patient?: string
}

function actorOf(permission: Permission): Actor {
  const { account, accountName, clientId, fhirUser } = permission
  return {
    kind: 'account',
    id: account,
    display: accountName,
    clientId,
    ...(fhirUser === undefined ? {} : { fhirUser }),
  }
}

/** What every token under a permission says. */
export function tokenOf(permission: Permission, issuedAtMs: number): Omit<TokenDocument, 'kind' | 'expiresAtMs'> {
  return {
    family: permission.id,
    actor: actorOf(permission),
    account: permission.account,
    scope: permission.scope,
    issuedAtMs,
    ...(permission.patient === undefined ? {} : { patient: permission.patient }),
  }
}

/**
 * Tokens under a permission. The access token may carry fewer scopes than was permitted; the refresh token carries all
 * of them, so that a client which narrows once can ask for the rest the next time.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6749#section-6
 */
export async function issueTokens(
  permission: Permission,
  { tokens, clock, scope = permission.scope }: { tokens: Tokens; clock: Clock; scope?: string },
): Promise<TokenAnswer> {
  const nowMs = clock.nowMs()
  const token = tokenOf(permission, nowMs)
  const expiresAtMs = Math.min(nowMs + accessLifeMs, permission.expiresAtMs)
  const accessToken = await tokens.issue({ ...token, kind: 'access', scope, expiresAtMs })
  const refreshToken = permission.offline
    ? await tokens.issue({ ...token, kind: 'refresh', expiresAtMs: permission.expiresAtMs })
    : undefined
  return {
    access_token: accessToken,
    token_type: 'Bearer',
    expires_in: Math.max(1, Math.floor((expiresAtMs - nowMs) / 1000)),
    scope,
    ...(refreshToken === undefined ? {} : { refresh_token: refreshToken }),
    ...(permission.patient === undefined ? {} : { patient: permission.patient }),
  }
}
