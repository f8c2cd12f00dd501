import type { Grant } from '#access'
import { type Clock, Problem } from '#kernel'
import type { Record as PatientRecord } from '#record'
import { type FixedGrant, toFixedGrant } from './grants.ts'
import type { FoundToken, Tokens } from './tokens.ts'

/** What a bearer token allows at this moment. */
export type BearerAuthenticator = (bearer: string) => Promise<Grant>

const maxCached = 5_000

const unknown = () => new Problem('unauthenticated', 'token.unknown', 'The access token is not valid.')

/**
 * The hot path of every request: one document read. The document is read each time, so that a token revoked by another
 * process is refused at once; what it meant is remembered, because an access token's document is never rewritten.
 */
export function openBearerAuthenticator(options: {
  tokens: Tokens
  record: PatientRecord
  clock: Clock
}): BearerAuthenticator {
  const { tokens, record, clock } = options
  const cache = new Map<string, FixedGrant>()

  function fixedGrant({ name, token }: FoundToken): FixedGrant {
    const kept = cache.get(name)
    if (kept !== undefined) return kept
    const fixed = toFixedGrant(token)
    if (cache.size >= maxCached) cache.clear()
    cache.set(name, fixed)
    return fixed
  }

  return async bearer => {
    const found = await tokens.find(bearer)
    if (found === undefined || found.token.kind !== 'access') throw unknown()
    if (found.token.expiresAtMs <= clock.nowMs())
      throw new Problem('unauthenticated', 'token.expired', 'The access token has expired.')
    const { grant, patientsOf } = fixedGrant(found)
    return patientsOf === undefined ? grant : { ...grant, patients: await record.patientsOf(patientsOf) }
  }
}
