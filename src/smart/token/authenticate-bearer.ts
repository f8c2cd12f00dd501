import type { Grant } from '#access'
import { type Clock, Problem } from '#kernel'
import type { Record as PatientRecord } from '#record'
import { asKept, type FixedGrant, toFixedGrant } from './grants.ts'
import type { TokenDocument, Tokens } from './tokens.ts'

/** What a bearer token allows at this moment. */
export type BearerAuthenticator = (bearer: string) => Promise<Grant>

type Kept = Awaited<ReturnType<PatientRecord['keptBy']>>

const unknown = () => new Problem('unauthenticated', 'token.unknown', 'The access token is not valid.')

/**
 * The hot path of every request. Whether any document was written since is asked each time, so that a token revoked by
 * another process is refused at once; what the document says and means is remembered.
 */
export function openBearerAuthenticator(options: {
  tokens: Tokens
  record: PatientRecord
  clock: Clock
}): BearerAuthenticator {
  const { tokens, record, clock } = options
  const fixedGrants = new WeakMap<TokenDocument, FixedGrant>()
  const keptGrants = new WeakMap<FixedGrant, { readonly kept: Kept; readonly grant: Grant | undefined }>()

  function fixedGrant(token: TokenDocument): FixedGrant {
    const kept = fixedGrants.get(token)
    if (kept !== undefined) return kept
    const fixed = toFixedGrant(token)
    fixedGrants.set(token, fixed)
    return fixed
  }

  /** The same grant while the account keeps the same people in the same roles, for all that is remembered by grant. */
  function keptGrant(fixed: FixedGrant, kept: Kept): Grant | undefined {
    const known = keptGrants.get(fixed)
    if (known?.kept === kept) return known.grant
    const grant = asKept(fixed, kept)
    keptGrants.set(fixed, { kept, grant })
    return grant
  }

  return async bearer => {
    const found = await tokens.find(bearer)
    if (found === undefined || found.value.kind !== 'access') throw unknown()
    if (found.value.expiresAtMs <= clock.nowMs())
      throw new Problem('unauthenticated', 'token.expired', 'The access token has expired.')
    const fixed = fixedGrant(found.value)
    const { account } = fixed.grant
    if (account === undefined) return fixed.grant
    const grant = keptGrant(fixed, await record.keptBy(account))
    // The account keeps the patient in context no more, or the time for which it did has come.
    if (grant === undefined) throw unknown()
    return grant
  }
}
