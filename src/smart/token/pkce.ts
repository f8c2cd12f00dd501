import { createHash } from 'node:crypto'
import { equalSecrets } from '#kernel'

const verifierForm = /^[A-Za-z0-9\-._~]{43,128}$/
const challengeForm = /^[A-Za-z0-9_-]{43}$/

/** Whether a text can be an S256 challenge: 32 bytes as base64url. */
export function isChallenge(text: string): boolean {
  return challengeForm.test(text)
}

/** The S256 challenge of a verifier. @see https://www.rfc-editor.org/rfc/rfc7636#section-4.2 */
export function challengeOf(verifier: string): string {
  return createHash('sha256').update(verifier, 'ascii').digest('base64url')
}

/** Whether the verifier is well formed and belongs to the challenge. */
export function isVerifierOf(verifier: string, challenge: string): boolean {
  return verifierForm.test(verifier) && equalSecrets(challengeOf(verifier), challenge)
}
