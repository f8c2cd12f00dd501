import type { Clock } from '#kernel'

/** Unwrapped keys, kept for a short time: at most `capacity` of them, the least recently used leaving first. */
export class KeyCache<T> {
  // A Map keeps its insertion order, so the first key is the least recently used one.
  readonly #held = new Map<string, { value: T; loadedAtMs: number }>()
  readonly #clock: Clock
  readonly #capacity: number
  readonly #ttlMs: number

  constructor(clock: Clock, capacity: number, ttlMs: number) {
    this.#clock = clock
    this.#capacity = capacity
    this.#ttlMs = ttlMs
  }

  get(id: string): T | undefined {
    const held = this.#held.get(id)
    if (held === undefined) return undefined
    this.#held.delete(id)
    const ageMs = this.#clock.nowMs() - held.loadedAtMs
    if (ageMs < 0 || ageMs >= this.#ttlMs) return undefined // A clock that jumped back must not lengthen a life.
    this.#held.set(id, held)
    return held.value
  }

  set(id: string, value: T): void {
    this.#held.delete(id)
    this.#held.set(id, { value, loadedAtMs: this.#clock.nowMs() })
    const [oldest] = this.#held.keys()
    if (this.#held.size > this.#capacity && oldest !== undefined) this.#held.delete(oldest)
  }

  drop(id: string): void {
    this.#held.delete(id)
  }

  clear(): void {
    this.#held.clear()
  }
}
