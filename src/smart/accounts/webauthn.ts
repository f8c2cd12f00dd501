import {
  type AuthenticationResponseJSON,
  type RegistrationResponseJSON,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from '@simplewebauthn/server'
import { decodeAttestationObject, decodeClientDataJSON, isoBase64URL } from '@simplewebauthn/server/helpers'
import type { KeptPasskey } from './passkeys.ts'

/** What an answer must be about. */
export interface Expected {
  readonly challenge: string
  readonly origin: string
  readonly host: string
}

/** What a registration says of a new passkey. */
export type MadePasskey = { readonly id: string } & Pick<KeptPasskey, 'publicKey' | 'counter' | 'deviceType'>

/** A key of RSA with 4096 bits has some 530 bytes. */
const longestKey = 1_200

/** The library says by throwing what it does not like, and so does what reads CBOR. */
async function unlessRefused<T>(work: () => Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await work()
  } catch {
    return undefined
  }
}

/** Our pages are in nobody's frame, so an answer from one is none of ours. */
function isFramed(clientDataJson: string): boolean {
  const { crossOrigin, topOrigin } = decodeClientDataJSON(clientDataJson)
  return crossOrigin === true || topOrigin !== undefined
}

/**
 * The count of signatures, if the answer is signed by this passkey, for this question, here, and after the device has made sure who holds
 * it. What the count means is the caller's to judge, once it is known to be the passkey's own.
 *
 * @see https://www.w3.org/TR/webauthn-3/#sctn-verifying-assertion
 */
export async function readAssertion(
  passkey: KeptPasskey,
  response: AuthenticationResponseJSON,
  { challenge, origin, host }: Expected,
): Promise<{ readonly counter: number } | undefined> {
  return unlessRefused(async () => {
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      response,
      expectedChallenge: challenge,
      expectedOrigin: origin,
      expectedRPID: host,
      requireUserVerification: true,
      credential: { id: response.id, publicKey: isoBase64URL.toBuffer(passkey.publicKey), counter: -1 },
    })
    const isSame = authenticationInfo.credentialDeviceType === passkey.deviceType
    return verified && isSame && !isFramed(response.response.clientDataJSON)
      ? { counter: authenticationInfo.newCounter }
      : undefined
  })
}

/**
 * No attestation was asked for, so none is read: it names makers of devices by certificates, and to check those addresses out of them
 * would be asked. Only what a device says of itself may stand there, as the standard has it for `none`.
 *
 * @see https://www.w3.org/TR/webauthn-3/#sctn-createCredential step on attestation conveyance `none`
 */
function isUnattested(attestationObject: string): boolean {
  const decoded = decodeAttestationObject(isoBase64URL.toBuffer(attestationObject))
  const format = decoded.get('fmt')
  return format === 'none' || (format === 'packed' && decoded.get('attStmt').get('x5c') === undefined)
}

/** @see https://www.w3.org/TR/webauthn-3/#sctn-registering-a-new-credential */
export async function readRegistration(
  response: RegistrationResponseJSON,
  { challenge, origin, host, algorithms }: Expected & { readonly algorithms: readonly number[] },
): Promise<MadePasskey | undefined> {
  return unlessRefused(async () => {
    if (!isUnattested(response.response.attestationObject) || isFramed(response.response.clientDataJSON))
      return undefined
    const { verified, registrationInfo } = await verifyRegistrationResponse({
      response,
      expectedChallenge: challenge,
      expectedOrigin: origin,
      expectedRPID: host,
      requireUserVerification: true,
      supportedAlgorithmIDs: [...algorithms],
    })
    if (!verified) return undefined
    const { credential, credentialDeviceType: deviceType } = registrationInfo
    if (credential.id !== response.id || credential.publicKey.length > longestKey) return undefined
    const { id, counter } = credential
    return { id, counter, deviceType, publicKey: isoBase64URL.fromBuffer(credential.publicKey) }
  })
}
