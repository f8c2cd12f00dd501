import type { Clock } from '#kernel'
import { accessLifeMs } from './lifetimes.ts'
import type { Permission } from './permissions.ts'
import type { SigningKey } from './signing-key.ts'

/**
 * Who logged in, told to one app.
 *
 * @see https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html#scopes-for-requesting-identity-data
 */
export function signIdToken(
  permission: Permission,
  { key, baseUrl, clock }: { key: SigningKey; baseUrl: string; clock: Clock },
): Promise<string> {
  const nowSeconds = Math.floor(clock.nowMs() / 1000)
  return key.sign({
    iss: baseUrl,
    sub: permission.account,
    aud: permission.clientId,
    iat: nowSeconds,
    exp: nowSeconds + accessLifeMs / 1000,
    auth_time: Math.floor(permission.authenticatedAtMs / 1000),
    ...(permission.nonce === undefined ? {} : { nonce: permission.nonce }),
    ...(permission.fhirUser === undefined ? {} : { fhirUser: `${baseUrl}/fhir/${permission.fhirUser}` }),
  })
}
