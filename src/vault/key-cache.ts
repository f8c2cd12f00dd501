import { type Clock, counter, gauge } from '#kernel'

interface Held<T> {
  readonly value: T
  usedAtMs: number
}

const unwrapped = counter('kinhold_keys_unwrapped_total', 'Keys that were unwrapped because they were not at hand')

/**
 * Unwrapped keys that are in use: at most `capacity` of them, the least recently used leaving first, and none that nobody has asked
 * for in `idleMs`.
 */
export class KeyCache<T> {
  // A Map keeps its insertion order, so the first key is the least recently used one.
  readonly #held = new Map<string, Held<T>>()
  /** Most calls ask for the same key as the one before. */
  #lastUsed: string | undefined
  readonly #clock: Clock
  readonly #capacity: number
  readonly #idleMs: number

  constructor(clock: Clock, capacity: number, idleMs: number) {
    this.#clock = clock
    this.#capacity = capacity
    this.#idleMs = idleMs
    gauge(this, { name: 'kinhold_keys_at_hand', help: 'Unwrapped keys in memory' }, cache => cache.#held.size)
  }

  get(id: string): T | undefined {
    const held = this.#held.get(id)
    if (held === undefined) return undefined
    const nowMs = this.#clock.nowMs()
    if (this.#isIdle(held, nowMs)) {
      this.drop(id)
      return undefined
    }
    held.usedAtMs = nowMs
    if (this.#lastUsed !== id) this.#place(id, held)
    return held.value
  }

  set(id: string, value: T): void {
    unwrapped.add()
    const nowMs = this.#clock.nowMs()
    this.#place(id, { value, usedAtMs: nowMs })
    for (const [oldest, held] of this.#held) {
      if (this.#held.size <= this.#capacity && !this.#isIdle(held, nowMs)) return
      this.#held.delete(oldest)
    }
  }

  drop(id: string): void {
    this.#held.delete(id)
  }

  clear(): void {
    this.#held.clear()
  }

  /** A clock that jumped back must not lengthen a life. */
  #isIdle({ usedAtMs }: Held<T>, nowMs: number): boolean {
    return nowMs < usedAtMs || nowMs - usedAtMs >= this.#idleMs
  }

  #place(id: string, held: Held<T>): void {
    this.#held.delete(id)
    this.#held.set(id, held)
    this.#lastUsed = id
  }
}
