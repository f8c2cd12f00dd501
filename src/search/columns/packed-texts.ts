import { Buffer } from 'node:buffer'
import { GrowBytes, GrowUint32 } from './growable.ts'

/** Looked up once: among other globals than those of Node itself each look-up costs a quarter of a microsecond. */
const { imul } = Math
const { compare } = Buffer

/**
 * A list of byte strings in one block: no object per entry, so that a million of them cost their bytes and four more each.
 */
export class PackedTexts {
  readonly #bytes = new GrowBytes()
  readonly #ends = new GrowUint32()

  get count(): number {
    return this.#ends.length
  }

  get sizeBytes(): number {
    return this.#bytes.array.byteLength + this.#ends.array.byteLength
  }

  push(bytes: Uint8Array): void {
    this.#bytes.append(bytes)
    this.#ends.push(this.#bytes.length)
  }

  start(index: number): number {
    return index === 0 ? 0 : (this.#ends.array[index - 1] as number)
  }

  bytes(index: number): Uint8Array {
    return this.#bytes.array.subarray(this.start(index), this.#ends.array[index])
  }

  hash(index: number, seed: number): number {
    return hashBytes(this.#bytes.array, this.start(index), this.#ends.array[index] as number, seed)
  }

  equals(index: number, bytes: Uint8Array): boolean {
    const from = this.start(index)
    const length = (this.#ends.array[index] as number) - from
    if (length !== bytes.length) return false
    const own = this.#bytes.array
    if (length >= longText) return compare(own.subarray(from, from + length), bytes) === 0
    for (let i = 0; i < length; i++) if (own[from + i] !== bytes[i]) return false
    return true
  }
}

/** Texts from here on are gone through four bytes at a time, in a quarter of the time: some are of several MB. */
const longText = 64

/** FNV-1a with a seed and a last stir, by words where it is long; spreads, but is no cryptography. */
export function hashBytes(bytes: Uint8Array, from: number, until: number, seed: number): number {
  const words = until - from < longText ? 0 : (until - from) >>> 2
  let hash = words === 0 ? seed | 0 : hashWords(bytes, { from, words }, seed | 0)
  for (let i = from + words * 4; i < until; i++) hash = imul(hash ^ (bytes[i] as number), 0x01000193)
  hash ^= hash >>> 15
  hash = imul(hash, 0x2c1b3c6d)
  return (hash ^ (hash >>> 13)) >>> 0
}

/** What lies in the upper bits of a word would never come down by multiplying alone. */
function hashWords(
  { buffer, byteOffset }: Uint8Array,
  { from, words }: { readonly from: number; readonly words: number },
  seed: number,
): number {
  const view = new DataView(buffer, byteOffset + from, words * 4)
  let hash = seed
  for (let i = 0; i < words; i++) {
    hash = imul(hash ^ view.getUint32(i * 4, true), 0x85ebca6b)
    hash ^= hash >>> 15
  }
  return hash
}

/** Number of a byte string, found by hash; open addressing, at most half full. Numbers begin at 0. */
export class HashIndex {
  // @NOTE the seed differs per process, so that nobody can choose ids that collide; results never depend on it.
  readonly #seed = (Math.random() * 0x1_0000_0000) >>> 0
  readonly #texts: PackedTexts
  #slots = new Uint32Array(32)
  #used = 0

  constructor(texts: PackedTexts) {
    this.#texts = texts
  }

  get sizeBytes(): number {
    return this.#slots.byteLength
  }

  /** The slot of a byte string: holds its number + 1, or 0 when it is not there. */
  #slot(bytes: Uint8Array): number {
    const mask = this.#slots.length - 1
    let at = hashBytes(bytes, 0, bytes.length, this.#seed) & mask
    for (;;) {
      const held = this.#slots[at] as number
      if (held === 0 || this.#texts.equals(held - 1, bytes)) return at
      at = (at + 1) & mask
    }
  }

  /** @returns the number, or -1 */
  find(bytes: Uint8Array): number {
    return (this.#slots[this.#slot(bytes)] as number) - 1
  }

  /** Notes that the byte string has this number from now on. @returns the number it had before, or -1 */
  put(bytes: Uint8Array, number: number): number {
    if (this.#used * 2 >= this.#slots.length) this.#grow()
    const slot = this.#slot(bytes)
    const before = (this.#slots[slot] as number) - 1
    if (before < 0) this.#used++
    this.#slots[slot] = number + 1
    return before
  }

  #grow(): void {
    const old = this.#slots
    this.#slots = new Uint32Array(old.length * 2)
    const mask = this.#slots.length - 1
    for (const held of old) {
      if (held === 0) continue
      let at = this.#texts.hash(held - 1, this.#seed) & mask
      while (this.#slots[at] !== 0) at = (at + 1) & mask
      this.#slots[at] = held
    }
  }
}
