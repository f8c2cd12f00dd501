import { randomFillSync } from 'node:crypto'

const pool = Buffer.alloc(16 * 256)
let used = pool.length

/** Random bytes from the operating system, drawn through a pool because single draws are slow; what is drawn is wiped. */
function draw(bytes: number): Buffer {
  if (used + bytes > pool.length) {
    randomFillSync(pool)
    used = 0
  }
  const drawn = Buffer.from(pool.subarray(used, used + bytes))
  pool.fill(0, used, used + bytes)
  used += bytes
  return drawn
}

/** 16 random bytes. */
export function randomId16(): Buffer {
  return draw(16)
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

const requestIdLength = 24
let requestIds = ''
let nextRequestId = 0

/** A random id that tells one request from others in answers and logs. Its 144 bits guard nothing. */
export function newRequestId(): string {
  if (nextRequestId === requestIds.length) {
    requestIds = draw(requestIdLength * 0.75 * 128).toString('base64url')
    nextRequestId = 0
  }
  const id = requestIds.slice(nextRequestId, nextRequestId + requestIdLength)
  nextRequestId += requestIdLength
  return id
}

/** A secret for a URL or a header: at most 4 KiB of random bytes as base64url (32 bytes = 256 bits by default). */
export function newSecret(bytes = 32): string {
  return draw(bytes).toString('base64url')
}
