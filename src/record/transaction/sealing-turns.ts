import { AsyncResource } from 'node:async_hooks'

/** How long commits are sealed in one turn of the event loop, in ms. */
const sliceMs = 5
/** Who was sealed first waits for so many others at most. */
const mostHeld = 64

/**
 * Commits whose turn has come are sealed one after the other, some milliseconds in one turn of the event loop. What has been sealed
 * while others wait for that is held, and handed over with the last of them: they share one flush of the disk, as those of one turn do.
 * Whoever does not come with many others waits for nobody.
 */
export class SealingTurns {
  readonly #nowMs: () => number
  /** In the order in which they came; each seals one commit. */
  readonly #waiting: (() => void)[] = []
  /** In the order in which they were sealed; each hands one over. */
  readonly #held: (() => void)[] = []
  /** Spent in this turn. */
  #spentMs = 0
  #isBegun = false

  /** @param nowMs  for tests */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs
  }

  /** @param seal  what it does before it first awaits anything is counted, and done at once or in a later turn */
  run<T>(seal: () => Promise<T>): Promise<T> {
    if (this.#waiting.length === 0 && this.#spentMs < sliceMs) return this.#counted(seal)
    return new Promise(resolve => {
      this.#waiting.push(AsyncResource.bind(() => resolve(this.#counted(seal))))
    })
  }

  /** Hands over a commit that has been sealed, behind all that were sealed before it: now, or with those who wait to be sealed. */
  handOver<T>(send: () => Promise<T>): Promise<T> {
    if (this.#waiting.length > 0 && this.#held.length < mostHeld)
      return new Promise(resolve => {
        this.#held.push(AsyncResource.bind(() => resolve(Promise.try(send))))
      })
    return this.handOverNow(send)
  }

  /** The same for what nobody may come in between of. */
  handOverNow<T>(send: () => Promise<T>): Promise<T> {
    for (const held of this.#held.splice(0)) held()
    return send()
  }

  #counted<T>(seal: () => Promise<T>): Promise<T> {
    this.#begin()
    const beganMs = this.#nowMs()
    const sealing = seal()
    this.#spentMs += this.#nowMs() - beganMs
    return sealing
  }

  #begin(): void {
    if (this.#isBegun) return
    this.#isBegun = true
    setImmediate(this.#endTurn)
  }

  readonly #endTurn = () => {
    this.#isBegun = false
    this.#spentMs = 0
    while (this.#spentMs < sliceMs) {
      const next = this.#waiting.shift()
      if (next === undefined) break
      next()
    }
    // The last may have been in vain, and then handed over nothing.
    if (this.#waiting.length === 0) for (const held of this.#held.splice(0)) held()
  }
}
