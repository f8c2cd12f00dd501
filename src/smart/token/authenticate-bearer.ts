import type { Grant } from '#access'
import { type Clock, Problem } from '#kernel'
import type { Record as PatientRecord } from '#record'
import { type FixedGrant, patientsWithin, toFixedGrant } from './grants.ts'
import type { TokenDocument, Tokens } from './tokens.ts'

/** What a bearer token allows at this moment. */
export type BearerAuthenticator = (bearer: string) => Promise<Grant>

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
  const familyGrants = new WeakMap<FixedGrant, { readonly of: readonly string[]; readonly grant: Grant }>()

  function fixedGrant(token: TokenDocument): FixedGrant {
    const kept = fixedGrants.get(token)
    if (kept !== undefined) return kept
    const fixed = toFixedGrant(token)
    fixedGrants.set(token, fixed)
    return fixed
  }

  /** The same grant while the patients are the same, for all that is remembered by grant. */
  function familyGrant(fixed: FixedGrant, patients: readonly string[]): Grant {
    const kept = familyGrants.get(fixed)
    if (kept?.of === patients) return kept.grant
    const grant = { ...fixed.grant, patients: patientsWithin(fixed, patients) }
    familyGrants.set(fixed, { of: patients, grant })
    return grant
  }

  return async bearer => {
    const found = await tokens.find(bearer)
    if (found === undefined || found.value.kind !== 'access') throw unknown()
    if (found.value.expiresAtMs <= clock.nowMs())
      throw new Problem('unauthenticated', 'token.expired', 'The access token has expired.')
    const fixed = fixedGrant(found.value)
    if (fixed.patientsOf === undefined) return fixed.grant
    return familyGrant(fixed, await record.patientsOf(fixed.patientsOf))
  }
}
