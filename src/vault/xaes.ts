import { type Cipheriv, createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto'

/** Bytes of an XAES-256-GCM nonce: long enough to be drawn at random for any number of messages. */
export const nonceBytes = 24
/** Bytes of the authentication tag at the end of a ciphertext. */
export const tagBytes = 16

const gcm = { authTagLength: tagBytes }

/** CMAC's subkey K1: the encrypted zero block, doubled in GF(2^128). */
function doubleBlock(block: Uint8Array): Buffer {
  const doubled = Buffer.alloc(16)
  for (let at = 0; at < 16; at++) doubled[at] = ((block[at] ?? 0) << 1) | ((block[at + 1] ?? 0) >> 7)
  if ((block[0] ?? 0) & 0x80) doubled[15] = (doubled[15] ?? 0) ^ 0b10000111
  return doubled
}

function xorInto(target: Uint8Array, mask: Uint8Array, offset: number): void {
  for (let at = 0; at < mask.length; at++) target[offset + at] = (target[offset + at] ?? 0) ^ (mask[at] ?? 0)
}

/**
 * One XAES-256-GCM key, with what can be computed once per key done.
 *
 * A message's key is K_x = CMAC-KDF(K, first half of the nonce), its GCM nonce the second half.
 * The construction is neither key-committing nor safe against nonce reuse: callers draw nonces at random.
 *
 * @see https://c2sp.org/XAES-256-GCM
 */
export class XaesKey {
  // ECB keeps no state between blocks, so one cipher object serves every derivation of this key.
  readonly #blocks: Cipheriv
  /** M1 ‖ M2, both already xored with K1; the nonce half is xored in for each message. */
  readonly #template: Buffer

  constructor(key: KeyObject) {
    this.#blocks = createCipheriv('aes-256-ecb', key, null).setAutoPadding(false)
    const k1 = doubleBlock(this.#blocks.update(Buffer.alloc(16)))
    this.#template = Buffer.alloc(32)
    this.#template.set([0, 1, 0x58, 0], 0)
    this.#template.set([0, 2, 0x58, 0], 16)
    xorInto(this.#template, k1, 0)
    xorInto(this.#template, k1, 16)
  }

  /** Ciphertext ‖ tag. The nonce must never have been used with this key before. */
  seal(plain: Uint8Array, nonce: Uint8Array, aad: Uint8Array): Buffer[] {
    const key = this.#messageKey(nonce)
    const cipher = createCipheriv('aes-256-gcm', key, nonce.subarray(12), gcm)
    key.fill(0)
    cipher.setAAD(aad)
    const ciphertext = cipher.update(plain)
    cipher.final()
    return [ciphertext, cipher.getAuthTag()]
  }

  /** The plaintext, or `undefined` when anything (key, nonce, AAD, ciphertext, tag) is not what was sealed. */
  open(sealed: Uint8Array, nonce: Uint8Array, aad: Uint8Array): Buffer | undefined {
    if (sealed.length < tagBytes || nonce.length !== nonceBytes) return undefined
    const key = this.#messageKey(nonce)
    const decipher = createDecipheriv('aes-256-gcm', key, nonce.subarray(12), gcm)
    key.fill(0)
    decipher.setAAD(aad)
    decipher.setAuthTag(sealed.subarray(-tagBytes))
    const plain = decipher.update(sealed.subarray(0, -tagBytes))
    try {
      decipher.final()
      return plain
    } catch {
      plain.fill(0) // Unauthenticated plaintext must not outlive this line.
      return undefined
    }
  }

  /** Raw, because a KeyObject for one use costs more than the decryption; whoever takes it wipes it. */
  #messageKey(nonce: Uint8Array): Buffer {
    const blocks = Buffer.from(this.#template)
    for (let at = 0; at < 12; at++) {
      const byte = nonce[at] ?? 0
      blocks[at + 4] = (blocks[at + 4] ?? 0) ^ byte
      blocks[at + 20] = (blocks[at + 20] ?? 0) ^ byte
    }
    return this.#blocks.update(blocks)
  }
}
