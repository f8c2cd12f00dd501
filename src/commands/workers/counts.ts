import { RateLimiterMemory, type RateLimiterRes } from 'rate-limiter-flexible'
import type { CountSheet } from '#http'
import type { Blocked } from './topics.ts'

/** Counts what all workers count together, and tells whoever has reached a limit. */
export class Counts {
  readonly #limiters = new Map<string, RateLimiterMemory>()
  readonly #tell: (blocked: Blocked) => void

  constructor(tell: (blocked: Blocked) => void) {
    this.#tell = tell
  }

  add(sheets: readonly CountSheet[]): void {
    for (const sheet of sheets)
      for (const [key, count] of sheet.counted)
        this.#limiterOf(sheet)
          .consume(key, count)
          .catch(({ msBeforeNext }: RateLimiterRes) =>
            this.#tell({ counter: sheet.counter, key, forMs: Math.min(msBeforeNext, sheet.limit.seconds * 1000) }),
          )
  }

  #limiterOf({ counter, limit }: CountSheet): RateLimiterMemory {
    const known = this.#limiters.get(counter)
    if (known !== undefined) return known
    const limiter = new RateLimiterMemory({ points: limit.points, duration: limit.seconds, keyPrefix: '' })
    this.#limiters.set(counter, limiter)
    return limiter
  }
}
