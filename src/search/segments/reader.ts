import { Problem } from '#kernel'
import { form } from './writer.ts'

const decoder = new TextDecoder()

/** Reads what SegmentWriter wrote. */
export class SegmentReader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /** Segments are sealed, so a short one was written by a fault of ours. */
  #need(bytes: number): void {
    if (this.#at + bytes > this.#bytes.length)
      throw new Problem('fault', 'search.segment-malformed', 'A segment of the search index is shorter than it says.')
  }

  raw(length: number): Uint8Array {
    this.#need(length)
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  whole(): number {
    this.#need(1)
    const first = this.#bytes[this.#at++] as number
    if (first < 0x80) return first
    let value = first & 0x7f
    for (let unit = 128; ; unit *= 128) {
      this.#need(1)
      const byte = this.#bytes[this.#at++] as number
      value += (byte & 0x7f) * unit
      if (byte < 0x80) return value
    }
  }

  signed(): number {
    const value = this.whole()
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }

  text(): string {
    return decoder.decode(this.raw(this.whole()))
  }

  wholes(count: number): Uint32Array {
    this.#need(count)
    const values = new Uint32Array(count)
    const bytes = this.#bytes
    let at = this.#at
    for (let i = 0; i < count; i++) {
      const first = bytes[at] as number
      if (first < 0x80) {
        values[i] = first
        at++
      } else {
        this.#at = at
        values[i] = this.whole()
        at = this.#at
      }
    }
    this.#at = at
    this.#need(0)
    return values
  }

  numbers(count: number): Float64Array {
    const written = this.whole()
    if (written === form.doubles) return this.#doubles(count)
    const factor = 10 ** this.whole()
    const unit = this.whole()
    this.#need(count)
    const values = new Float64Array(count)
    let sum = 0
    for (let i = 0; i < count; i++) {
      const value = this.signed() * unit
      sum = written === form.steps ? sum + value : value
      values[i] = factor === 1 ? sum : sum / factor
    }
    return values
  }

  #doubles(count: number): Float64Array {
    const copy = new Uint8Array(count * 8)
    copy.set(this.raw(count * 8))
    return new Float64Array(copy.buffer)
  }
}
