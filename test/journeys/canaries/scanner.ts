/** Finds marks in bytes: as they are spelled, and within whatever was compressed. */
import { inflateRawSync, zstdDecompressSync } from 'node:zlib'
import { type Spelling, spellingsOf } from './spellings.ts'

export interface Sighting {
  readonly mark: string
  readonly encoding: string
  readonly where: string
}

const prefix = 6

/** Looks for all spellings at once: the first bytes of each are looked up at every offset. */
export class Scanner {
  readonly #byPrefix = new Map<number, Spelling[]>()
  /** One bit for each hash that some prefix has, so that most offsets cost one look. */
  readonly #likely = new Uint8Array(1 << 24)

  constructor(marks: readonly string[]) {
    for (const spelling of spellingsOf(marks)) {
      const key = spelling.bytes.readUIntLE(0, prefix)
      this.#byPrefix.set(key, [...(this.#byPrefix.get(key) ?? []), spelling])
      this.#likely[spelling.bytes.readUIntLE(0, 3)] = 1
    }
  }

  /** Everything found in some bytes and, by one level, in what they hold compressed. */
  scan(where: string, bytes: Buffer): Sighting[] {
    const inflated = inflatable(bytes)
    return [
      ...this.#scanPlain(where, bytes),
      ...inflated.flatMap(({ at, plain }) => this.#scanPlain(`${where}, compressed at ${at}`, plain)),
    ]
  }

  #scanPlain(where: string, bytes: Buffer): Sighting[] {
    const found: Sighting[] = []
    for (let at = 0; at + prefix <= bytes.length; at++) {
      const start = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16)
      if (this.#likely[start] === 0) continue
      for (const { mark, encoding, bytes: spelled } of this.#byPrefix.get(bytes.readUIntLE(at, prefix)) ?? [])
        if (bytes.compare(spelled, 0, spelled.length, at, at + spelled.length) === 0)
          found.push({ mark, encoding, where: `${where} at ${at}` })
    }
    return found
  }
}

/**
 * What can be inflated, at whatever offset it begins: gzip and zlib are deflate behind a header, so every offset where
 * a block with codes of its own could begin is tried. Blocks with fixed codes are found by their spelling instead.
 */
function inflatable(bytes: Buffer): { at: number; plain: Buffer }[] {
  const found: { at: number; plain: Buffer }[] = []
  for (let at = 0; at + 16 < bytes.length; at++) {
    const plain = isZstd(bytes, at)
      ? unpackZstd(bytes.subarray(at))
      : mayBeDynamicBlock(bytes, at)
        ? inflate(bytes, at)
        : undefined
    if (plain !== undefined && plain.length > 8) found.push({ at, plain })
  }
  return found
}

/** Texts that a compressor knew beforehand: what they stand for is not needed, only that nothing points before them. */
const anyDictionary = Buffer.alloc(32_768, '.')

/** The first piece must inflate; then as much more as does, so that a stream that is cut off still gives its beginning. */
function inflate(bytes: Buffer, at: number): Buffer | undefined {
  let plain: Buffer | undefined
  for (const length of [256, 2_048, 16_384, 262_144]) {
    try {
      const options = { finishFlush: 2, maxOutputLength: 8_388_608, dictionary: anyDictionary }
      plain = inflateRawSync(bytes.subarray(at, at + length), options)
    } catch {
      return plain
    }
    if (at + length >= bytes.length) break
  }
  return plain
}

function isZstd(bytes: Buffer, at: number): boolean {
  return bytes[at] === 0x28 && bytes[at + 1] === 0xb5 && bytes[at + 2] === 0x2f && bytes[at + 3] === 0xfd
}

function unpackZstd(bytes: Buffer): Buffer | undefined {
  try {
    return zstdDecompressSync(bytes)
  } catch {
    return undefined
  }
}

/**
 * Whether the bits could be the head of a block with codes of its own: the lengths of the code-length codes must make a
 * complete code, which chance rarely does.
 *
 * @see https://www.rfc-editor.org/rfc/rfc1951#section-3.2.7
 */
function mayBeDynamicBlock(bytes: Buffer, at: number): boolean {
  const first = bytes[at] ?? 0
  if (((first >> 1) & 3) !== 2 || first >> 3 > 29) return false
  const second = bytes[at + 1] ?? 0
  if ((second & 31) > 29) return false
  const count = 4 + ((second >> 5) | (((bytes[at + 2] ?? 0) & 1) << 3))
  let left = 128
  for (let code = 0; code < count; code++) {
    const bit = 17 + code * 3
    const pair = (bytes[at + (bit >> 3)] ?? 0) | ((bytes[at + (bit >> 3) + 1] ?? 0) << 8)
    const length = (pair >> (bit & 7)) & 7
    if (length > 0) left -= 128 >> length
  }
  return left === 0
}
