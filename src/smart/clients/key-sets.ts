import type { JSONWebKeySet, JWK } from 'jose'

const maxKeys = 20
const bareKeyForm = /^[A-Za-z0-9_-]+$/
const minRsaModulusLength = Math.ceil((2048 / 8) * (4 / 3))

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function isBare(value: unknown): value is string {
  return isText(value) && bareKeyForm.test(value)
}

/** What a public key of each kind must have, in bare key form. */
const keyForms: Readonly<Record<string, (key: Readonly<Record<string, unknown>>) => boolean>> = {
  RSA: key => isBare(key.n) && isBare(key.e) && key.n.length >= minRsaModulusLength,
  EC: key => key.crv === 'P-384' && isBare(key.x) && isBare(key.y),
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isPublicKey(value: unknown): value is JWK {
  if (!isObject(value) || !isText(value.kid) || !isText(value.kty) || 'd' in value || 'k' in value) return false
  return Object.hasOwn(keyForms, value.kty) && keyForms[value.kty]?.(value) === true
}

/**
 * The key set in `value` if it is one of public RSA (2048 bits or more) or P-384 keys that all carry a `kid`; keys of
 * other kinds are left out, a private key voids the whole set.
 *
 * @see https://hl7.org/fhir/smart-app-launch/STU2.2/client-confidential-asymmetric.html
 */
export function parseKeySet(value: unknown): JSONWebKeySet | undefined {
  if (!isObject(value) || !Array.isArray(value.keys) || value.keys.length > maxKeys) return undefined
  const keys: readonly unknown[] = value.keys
  if (keys.some(key => isObject(key) && ('d' in key || 'k' in key))) return undefined
  const usable = keys.filter(isPublicKey)
  return usable.length === 0 ? undefined : { keys: usable }
}
