import { type Clock, counter, gauge } from '#kernel'

interface Held<T> {
  readonly value: T
  usedAtMs: number
}

const unwrapped = counter('kinhold_keys_unwrapped_total', 'Keys that were unwrapped because they were not at hand')

const defaultSweepMs = 60_000

interface Sweeping {
  readonly sweepMs?: number
  /** Called when the last key has left because nobody asked for it. */
  emptied?(): void
}

/**
 * Unwrapped keys that are in use: at most `capacity` of them, the least recently used leaving first, and none that nobody has asked
 * for in `idleMs`: one that is asked for no more leaves within `sweepMs`, whether or not any other is.
 */
export class KeyCache<T> {
  // A Map keeps its insertion order, so the first key is the least recently used one.
  readonly #held = new Map<string, Held<T>>()
  /** Most calls ask for the same key as the one before. */
  #lastUsed: string | undefined
  readonly #clock: Clock
  readonly #capacity: number
  readonly #idleMs: number
  readonly #sweepMs: number
  readonly #emptied: (() => void) | undefined
  /** Runs while a key is held. */
  #sweeping: NodeJS.Timeout | undefined

  constructor(clock: Clock, capacity: number, idleMs: number, { sweepMs = defaultSweepMs, emptied }: Sweeping = {}) {
    this.#clock = clock
    this.#capacity = capacity
    this.#idleMs = idleMs
    this.#sweepMs = sweepMs
    this.#emptied = emptied
    gauge(this, { name: 'kinhold_keys_at_hand', help: 'Unwrapped keys in memory' }, cache => cache.size)
  }

  /** How many are held. */
  get size(): number {
    return this.#held.size
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
    this.#sweeping ??= setInterval(() => this.#tidy(), this.#sweepMs).unref()
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
    this.#sweep()
  }

  #tidy(): void {
    const before = this.#held.size
    this.#sweep()
    if (before > 0 && this.#held.size === 0) this.#emptied?.()
  }

  #sweep(): void {
    const nowMs = this.#clock.nowMs()
    for (const [id, held] of this.#held) if (this.#isIdle(held, nowMs)) this.#held.delete(id)
    if (this.#held.size > 0) return
    clearInterval(this.#sweeping)
    this.#sweeping = undefined
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
