import { packId, unpackId } from './ids.ts'
import { HashIndex, PackedTexts } from './packed-texts.ts'

/** Logical ids without their places, in some thirty bytes each. */
export class IdSet implements Iterable<string> {
  readonly #texts = new PackedTexts()
  readonly #index = new HashIndex(this.#texts)

  get count(): number {
    return this.#texts.count
  }

  /** @returns whether it was not there */
  add(id: string): boolean {
    return this.addPacked(packId(id))
  }

  addPacked(bytes: Uint8Array): boolean {
    if (this.#index.find(bytes) >= 0) return false
    this.#texts.push(bytes)
    this.#index.put(bytes, this.#texts.count - 1)
    return true
  }

  has(id: string): boolean {
    return this.#index.find(packId(id)) >= 0
  }

  *[Symbol.iterator](): Generator<string, undefined, undefined> {
    for (let at = 0; at < this.#texts.count; at++) yield unpackId(this.#texts.bytes(at))
  }
}
