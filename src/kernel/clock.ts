/** The present, in Unix milliseconds. Rooms take a Clock so that tests can set the time. */
export interface Clock {
  nowMs(): number
}

/** The machine's clock. */
export const systemClock: Clock = { nowMs: () => Date.now() }

/** A clock that stands still until it is moved; for tests. */
export class FixedClock implements Clock {
  #ms: number
  constructor(ms: number) {
    this.#ms = ms
  }
  nowMs(): number {
    return this.#ms
  }
  /** Moves the clock by `ms`, which may be negative: clocks do jump back. */
  advance(ms: number): void {
    this.#ms += ms
  }
}
