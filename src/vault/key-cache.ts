import { type Clock, counter, gauge } from '#kernel'

interface Held<T> {
  readonly value: T
  readonly loadedAtMs: number
}

const unwrapped = counter('kinhold_keys_unwrapped_total', 'Keys that were unwrapped because they were not at hand')

/** Unwrapped keys, kept for a short time: at most `capacity` of them, the least recently used leaving first. */
export class KeyCache<T> {
  // A Map keeps its insertion order, so the first key is the least recently used one.
  readonly #held = new Map<string, Held<T>>()
  /** Most calls ask for the same key as the one before. */
  #lastUsed: string | undefined
  readonly #clock: Clock
  readonly #capacity: number
  readonly #ttlMs: number

  constructor(clock: Clock, capacity: number, ttlMs: number) {
    this.#clock = clock
    this.#capacity = capacity
    this.#ttlMs = ttlMs
    gauge(this, { name: 'kinhold_keys_at_hand', help: 'Unwrapped keys in memory' }, cache => cache.#held.size)
  }

  get(id: string): T | undefined {
    const held = this.#held.get(id)
    if (held === undefined) return undefined
    const ageMs = this.#clock.nowMs() - held.loadedAtMs
    // A clock that jumped back must not lengthen a life.
    if (ageMs < 0 || ageMs >= this.#ttlMs) {
      this.drop(id)
      return undefined
    }
    if (this.#lastUsed !== id) this.#place(id, held)
    return held.value
  }

  set(id: string, value: T): void {
    unwrapped.add()
    this.#place(id, { value, loadedAtMs: this.#clock.nowMs() })
    const [oldest] = this.#held.keys()
    if (this.#held.size > this.#capacity && oldest !== undefined) this.#held.delete(oldest)
  }

  drop(id: string): void {
    this.#held.delete(id)
  }

  #place(id: string, held: Held<T>): void {
    this.#held.delete(id)
    this.#held.set(id, held)
    this.#lastUsed = id
  }

  clear(): void {
    this.#held.clear()
  }
}
