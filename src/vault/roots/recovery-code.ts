import { createHash, randomFillSync } from 'node:crypto'
import { Problem } from '#kernel'

// Crockford's base32: no I, L, O or U, so that what is read from paper can be typed.
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const lookAlikes: Readonly<Record<string, string>> = { O: '0', I: '1', L: '1' }
const secretBytes = 20
const checkedBytes = 25 // 20 of secret and 5 of checksum: 40 characters, 8 groups of 5
const groupLength = 5

/** A new code of 160 random bits with a checksum, in eight groups of five: `7ZK3M-…`. */
export function newCode(): string {
  const secret = randomFillSync(Buffer.alloc(secretBytes))
  const text = toBase32(Buffer.concat([secret, checksum(secret)]))
  secret.fill(0)
  return text.match(new RegExp(`.{${groupLength}}`, 'g'))?.join('-') ?? text
}

/**
 * The code's 160 bits. Case, spaces and hyphens do not matter, and O is read as 0, I and L as 1.
 *
 * @throws Problem `invalid` · `vault.recovery-code-malformed`
 */
export function parseCode(code: string): Buffer {
  const bytes = fromBase32(code.toUpperCase().replace(/[\s-]/g, ''))
  const secret = bytes?.subarray(0, secretBytes)
  if (bytes?.length === checkedBytes && secret && checksum(secret).equals(bytes.subarray(secretBytes))) return secret
  throw new Problem('invalid', 'vault.recovery-code-malformed', 'The recovery code is mistyped or incomplete.')
}

const checksum = (secret: Uint8Array): Buffer =>
  createHash('sha256')
    .update('kinhold/recovery')
    .update(secret)
    .digest()
    .subarray(0, checkedBytes - secretBytes)

function toBase32(bytes: Uint8Array): string {
  let bits = ''
  for (const byte of bytes) bits += byte.toString(2).padStart(8, '0')
  return bits.replace(/.{5}/g, five => alphabet.charAt(Number.parseInt(five, 2)))
}

function fromBase32(text: string): Buffer | undefined {
  let bits = ''
  for (const character of text) {
    const value = alphabet.indexOf(lookAlikes[character] ?? character)
    if (value < 0) return undefined
    bits += value.toString(2).padStart(5, '0')
  }
  return Buffer.from((bits.match(/.{8}/g) ?? []).map(byte => Number.parseInt(byte, 2)))
}
