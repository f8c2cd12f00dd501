import { randomFillSync } from 'node:crypto'

const pool = Buffer.alloc(16 * 256)
let used = pool.length

/** 16 random bytes from the operating system, drawn through a pool because single draws are slow. */
export function randomId16(): Buffer {
  if (used === pool.length) {
    randomFillSync(pool)
    used = 0
  }
  const id = Buffer.from(pool.subarray(used, used + 16))
  used += 16
  return id
}

/**
 * A new logical id for a resource: 128 random bits as a lower-case UUID, which is a valid FHIR id.
 *
 * @see https://hl7.org/fhir/R4/datatypes.html#id
 */
export function newResourceId(): string {
  const bytes = randomId16()
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/** A secret for a URL or a header: `bytes` random bytes as base64url (32 bytes = 256 bits by default). */
export function newSecret(bytes = 32): string {
  return randomFillSync(Buffer.alloc(bytes)).toString('base64url')
}
