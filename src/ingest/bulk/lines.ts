import type { ByteSource } from '../source/byte-source.ts'

/** A line of a file that is not empty. */
export interface Line {
  /** Counted from 1, empty ones among them. */
  readonly number: number
  /** Bytes `from … until` of the file, without its end. */
  readonly from: number
  readonly until: number
  /** Undefined where it is longer than lines may be. */
  readonly bytes: Buffer | undefined
}

const newline = 0x0a
const mark = Buffer.from('\uFEFF')

/**
 * The lines of NDJSON with their places, one held at a time.
 *
 * @param maxLine  bytes; a longer one is not held
 * @see https://github.com/ndjson/ndjson-spec
 */
export async function* linesIn(source: ByteSource, maxLine: number): AsyncGenerator<Line, void, void> {
  let held: Buffer[] = []
  let size = 0
  let number = 0
  let at = 0
  const line = (): Line | undefined => {
    number += 1
    if (size > maxLine) {
      const long = { number, from: at - size, until: at, bytes: undefined }
      size = 0
      return long
    }
    const whole = held.length === 1 && held[0] !== undefined ? held[0] : Buffer.concat(held)
    const from = number === 1 && whole.subarray(0, mark.length).equals(mark) ? mark.length : 0
    const bytes = whole.subarray(from)
    held = []
    size = 0
    return isBlank(bytes) ? undefined : { number, from: at - bytes.length, until: at, bytes }
  }
  for await (const chunk of source.read(0, source.sizeBytes)) {
    for (let from = 0; from < chunk.length; ) {
      const end = chunk.indexOf(newline, from)
      const until = end === -1 ? chunk.length : end
      size += until - from
      at += until - from
      if (size > maxLine) held = []
      // Readers use their buffers again.
      else held.push(Buffer.from(chunk.subarray(from, until)))
      if (end === -1) break
      const found = line()
      if (found !== undefined) yield found
      at += 1
      from = until + 1
    }
  }
  const last = line()
  if (last !== undefined) yield last
}

function isBlank(bytes: Buffer): boolean {
  return bytes.every(byte => byte === 0x20 || byte === 0x09 || byte === 0x0d)
}
