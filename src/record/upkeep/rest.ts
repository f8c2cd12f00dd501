/**
 * How long whoever has gone through many rows leaves the processor to others before doing it again. Counted by the rows and not measured,
 * because a machine that has much else to do makes everything last, and a second change would be told later than a first.
 */
export class Rest {
  readonly #msPerRow: number
  readonly #nowMs: () => number
  #untilMs = 0

  /** @param nowMs  a time that never goes back */
  constructor(msPerRow: number, nowMs: () => number = () => performance.now()) {
    this.#msPerRow = msPerRow
    this.#nowMs = nowMs
  }

  get isOver(): boolean {
    return this.#nowMs() >= this.#untilMs
  }

  /** Begins, behind so many rows. */
  begin(rows: number, leastMs = 0): void {
    this.#untilMs = this.#nowMs() + Math.max(leastMs, rows * this.#msPerRow)
  }
}
