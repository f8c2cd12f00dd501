import { createHmac, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto'

/** Makes a KeyObject of raw key bytes and wipes them: the raw form lives no longer than it must. */
export function takeKey(rawBytes: Uint8Array): KeyObject {
  const key = createSecretKey(rawBytes)
  rawBytes.fill(0)
  return key
}

/** Lends the raw bytes of a key to `use` and wipes them afterwards. */
export async function lendKey<T>(key: KeyObject, use: (rawBytes: Uint8Array) => Promise<T>): Promise<T> {
  const rawBytes = key.export()
  try {
    return await use(rawBytes)
  } finally {
    rawBytes.fill(0)
  }
}

/**
 * HKDF-SHA256, extract and expand.
 *
 * @see https://www.rfc-editor.org/rfc/rfc5869
 */
export function hkdf(key: KeyObject, salt: Uint8Array, info: Uint8Array, lengthBytes: number): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', key, salt, info, lengthBytes))
}

/** A 256-bit key of one purpose, from which neither `key` nor the key of another `info` can be found. */
export function deriveKey(key: KeyObject, salt: Uint8Array, info: Uint8Array): KeyObject {
  return takeKey(hkdf(key, salt, info, 32))
}

/** HMAC-SHA256, 32 bytes. */
export function hmac(key: KeyObject, bytes: Uint8Array): Buffer {
  return createHmac('sha256', key).update(bytes).digest()
}
