import { bitsFrom } from '../../random.ts'

/**
 * Draws that depend on one number alone. fast-check chooses the numbers and leaves some out to find a smaller case; what
 * each of them stands for stays the same.
 */
export class Dice {
  readonly #next: () => number

  constructor(seed: number) {
    this.#next = bitsFrom(seed)
  }

  /** A whole number from 0 to below `below`. */
  below(below: number): number {
    return this.#next() % below
  }

  pick<T>(list: readonly T[]): T {
    const picked = list[this.below(list.length)]
    if (picked === undefined) throw new TypeError('nothing to pick from')
    return picked
  }

  /** True in `percent` of a hundred draws. */
  maybe(percent: number): boolean {
    return this.below(100) < percent
  }

  /** `least` to `most` draws. */
  many<T>(least: number, most: number, draw: (dice: Dice) => T): T[] {
    return Array.from({ length: least + this.below(most - least + 1) }, () => draw(this))
  }

  /** One of the rows, each as often as its weight says. */
  weighted<T>(rows: readonly (readonly [weight: number, value: T])[]): T {
    let left = this.below(rows.reduce((sum, [weight]) => sum + weight, 0))
    for (const [weight, value] of rows) {
      if (left < weight) return value
      left -= weight
    }
    throw new TypeError('nothing to pick from')
  }
}
