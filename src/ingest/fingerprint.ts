import { createHmac, createSecretKey } from 'node:crypto'

/**
 * Ids that depend on the facts alone: the same row imported twice gets the same id. Keyed, so that an id tells nothing
 * to somebody who guesses at the facts, and nobody can take an id before the row arrives.
 *
 * @param key  32 secret bytes of the patient (or of the commons)
 * @returns    32 hex digits: a valid FHIR id
 */
export function createFingerprint(key: Uint8Array): (...parts: readonly string[]) => string {
  const secret = createSecretKey(key)
  return (...parts) => {
    let text = ''
    for (const part of parts) text += `${part.length}:${part}`
    return createHmac('sha256', secret).update(text).digest('hex').slice(0, 32)
  }
}
