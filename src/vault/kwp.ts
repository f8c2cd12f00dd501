import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto'

// RFC 5649 section 3: the constant half of the alternative initial value.
const initialValue = Buffer.from('a65959a6', 'hex')
const leastWrappedBytes = 16

// RFC 5649's own vectors are for 192 bits; every key of this house has 256.
const algorithm = (kek: KeyObject): string => `id-aes${8 * (kek.symmetricKeySize ?? 0)}-wrap-pad`

/**
 * AES Key Wrap with Padding.
 *
 * @see https://www.rfc-editor.org/rfc/rfc5649
 */
export function wrapKey(kek: KeyObject, rawBytes: Uint8Array): Buffer {
  const cipher = createCipheriv(algorithm(kek), kek, initialValue)
  return Buffer.concat([cipher.update(rawBytes), cipher.final()])
}

/** The wrapped key's raw bytes, or `undefined` when this `kek` did not wrap these bytes. */
export function unwrapKey(kek: KeyObject, wrapped: Uint8Array): Uint8Array | undefined {
  if (wrapped.length < leastWrappedBytes) return undefined // OpenSSL takes nothing for a wrapped nothing.
  const decipher = createDecipheriv(algorithm(kek), kek, initialValue)
  try {
    const rawBytes = decipher.update(wrapped) // All of it: a key wrap has no later block to wait for.
    decipher.final()
    return rawBytes
  } catch {
    return undefined // KWP has one failure, and OpenSSL's text about it would tell nothing more.
  }
}
