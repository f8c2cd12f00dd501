import { ownText, remembering } from '#kernel'

/** All that there are; each is of a module, and lives as long as that. */
const all: Remembered[] = []

/**
 * Forgets the words of texts that were not read again since the last time: they were a patient's, and one who is erased should not be
 * remembered by them. Whoever keeps a record calls it now and then.
 */
export function ageWords(): void {
  for (const remembered of all) remembered.age()
}

/** Remembers what was worked out of late, by key: of two halves the older is dropped when the younger is full. */
export class Remembered {
  readonly #most: number
  #young = new Map<string, string>()
  #old = new Map<string, string>()

  /** @param most  keys of one half */
  constructor(most: number) {
    this.#most = most
    all.push(this)
    remembering(() => this.forget())
  }

  of(key: string, make: (key: string) => string): string {
    const known = this.#young.get(key)
    if (known !== undefined) return known
    const value = this.#old.get(key) ?? make(key)
    if (this.#young.size >= this.#most) this.age()
    // Both may be cut from a text that nobody else keeps.
    this.#young.set(ownText(key), ownText(value))
    return value
  }

  /** Forgets what nobody has asked for since the last time. */
  age(): void {
    this.#old = this.#young
    this.#young = new Map()
  }

  forget(): void {
    this.#old = new Map()
    this.#young = new Map()
  }
}
