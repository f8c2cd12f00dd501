import { createHash, timingSafeEqual } from 'node:crypto'
import type { Steps } from './budget.ts'

const noBytes = new Uint8Array()
const encoder = new TextEncoder()
const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * The same text, that holds nothing else in memory. What is cut from a text is a view of it in V8, and keeps all of it: a code of
 * twenty letters the sixteen megabytes that somebody sent. For whatever is kept longer than what it was cut from. Takes some 50 ns.
 *
 * @see https://github.com/v8/v8/blob/main/src/objects/string.h – SlicedString, ConsString
 */
export function ownText(text: string): string {
  // A text that is put together is written out when a part of it is asked for; what remains is a view of this copy alone.
  return text.length < shortestView ? text : ` ${text}`.slice(1)
}

/** What is shorter is copied by itself. */
const shortestView = 13

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

/**
 * The same bytes, that hold nothing else in memory. Small buffers of Node share pieces of 64 KiB: eight bytes that are kept keep all of such
 * a piece. For whatever is kept longer than what it was made with.
 *
 * @see https://nodejs.org/docs/latest/api/buffer.html#static-method-bufferallocunsafesize – `Buffer.poolSize`
 */
export function ownBytes(bytes: Uint8Array): Buffer {
  const own = Buffer.alloc(bytes.length)
  own.set(bytes)
  return own
}

/**
 * Pieces as one, some at a time, and their memory given back: what lies outside of the heap waits long for the garbage collector, which
 * sees but little of it, and a body of sixteen megabytes would stand there twice. Nobody may use the pieces any more.
 */
export function* joinedOf(pieces: readonly Buffer[]): Steps<Buffer> {
  const [first = Buffer.alloc(0), ...more] = pieces
  if (more.length === 0) return first
  const whole = Buffer.allocUnsafeSlow(pieces.reduce((size, { length }) => size + length, 0))
  let [at, paused] = [0, 0]
  for (const piece of pieces) {
    at += piece.copy(whole, at)
    ownMemoryOf(piece)?.transfer(0)
    if (at - paused < joinedAtATime) continue
    paused = at
    yield
  }
  return whole
}

/** Memory that nobody used yet costs more than the copy: bytes of about a millisecond. */
const joinedAtATime = 1024 * 1024

/** The memory of bytes that share it with nobody: it may be handed over, or given back; undefined where others have parts of it. */
export function ownMemoryOf({ buffer, byteLength }: Uint8Array): ArrayBuffer | undefined {
  return buffer instanceof ArrayBuffer && buffer.byteLength === byteLength ? buffer : undefined
}

/** Compares two secrets without telling by the time taken where they differ. */
export function equalSecrets(a: string | Uint8Array, b: string | Uint8Array): boolean {
  const left = typeof a === 'string' ? Buffer.from(a) : a
  const right = typeof b === 'string' ? Buffer.from(b) : b
  return left.length === right.length && timingSafeEqual(left, right)
}

/** Hashes bytes that come one after the other, by SHA-256. */
export interface Hashing {
  update(bytes: Uint8Array): void
  /** In base64; nothing can be added then. */
  end(): string
}

/** Of bytes that are never at hand together. */
export function newHashing(): Hashing {
  const hash = createHash('sha256')
  return { update: bytes => void hash.update(bytes), end: () => hash.digest('base64') }
}
