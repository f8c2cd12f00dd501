import { Buffer } from 'node:buffer'
import { HashIndex, PackedTexts } from './packed-texts.ts'

const decoder = new TextDecoder()

/** Distinct texts of one column, numbered from 1; 0 means no value. */
export class Dictionary {
  readonly #texts = new PackedTexts()
  readonly #index = new HashIndex(this.#texts)

  /** Texts held; numbers run from 1 to this. */
  get count(): number {
    return this.#texts.count
  }

  get sizeBytes(): number {
    return this.#texts.sizeBytes + this.#index.sizeBytes
  }

  text(number: number): string {
    return decoder.decode(this.#texts.bytes(number - 1))
  }

  bytes(number: number): Uint8Array {
    return this.#texts.bytes(number - 1)
  }

  /** The number of a text, given as UTF-8; it gets one if it has none. */
  number(bytes: Uint8Array): number {
    const known = this.#index.find(bytes)
    if (known >= 0) return known + 1
    const number = this.#texts.count
    this.#texts.push(bytes)
    this.#index.put(bytes, number)
    return number + 1
  }

  numberOf(text: string): number {
    return this.number(Buffer.from(text, 'utf8'))
  }
}
