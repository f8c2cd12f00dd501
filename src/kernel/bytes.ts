import { timingSafeEqual } from 'node:crypto'

const noBytes = new Uint8Array()
const encoder = new TextEncoder()
const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** UTF-8 bytes of a text. */
export function toUtf8(text: string): Uint8Array {
  return encoder.encode(text)
}

/** Text of UTF-8 bytes. @throws TypeError when the bytes are not well-formed UTF-8. */
export function fromUtf8(bytes: Uint8Array): string {
  return strictDecoder.decode(bytes)
}

/**
 * Joins parts so that no two different lists give the same bytes: each part is preceded by its length
 * (4 bytes, big endian). Used wherever several values are authenticated together.
 *
 * @param head  parts that were joined before and come first
 */
export function lengthPrefixed(parts: readonly (string | Uint8Array)[], head: Uint8Array = noBytes): Buffer {
  let size = head.length + 4 * parts.length
  for (const part of parts) size += typeof part === 'string' ? Buffer.byteLength(part) : part.length
  const joined = Buffer.allocUnsafe(size)
  joined.set(head)
  let at = head.length
  for (const part of parts) {
    const length = typeof part === 'string' ? joined.write(part, at + 4) : part.length
    if (typeof part !== 'string') joined.set(part, at + 4)
    joined.writeUInt32BE(length, at)
    at += 4 + length
  }
  return joined
}

/** Compares two secrets without telling by the time taken where they differ. */
export function equalSecrets(a: string | Uint8Array, b: string | Uint8Array): boolean {
  const left = typeof a === 'string' ? Buffer.from(a) : a
  const right = typeof b === 'string' ? Buffer.from(b) : b
  return left.length === right.length && timingSafeEqual(left, right)
}
