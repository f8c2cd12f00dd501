/** Remembers what was worked out of late, by key: of two halves the older is dropped when the younger is full. */
export class Remembered {
  readonly #most: number
  #young = new Map<string, string>()
  #old = new Map<string, string>()

  /** @param most  keys of one half */
  constructor(most: number) {
    this.#most = most
  }

  of(key: string, make: (key: string) => string): string {
    const known = this.#young.get(key)
    if (known !== undefined) return known
    const value = this.#old.get(key) ?? make(key)
    if (this.#young.size >= this.#most) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(key, value)
    return value
  }
}
