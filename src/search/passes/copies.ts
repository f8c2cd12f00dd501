import type { Steps } from '#kernel'
import { IdSet } from '../columns/id-set.ts'
import type { Matching } from '../evaluation/matcher.ts'

/**
 * What belongs to several is found once: with the first of its holders. Slices are looked into in the order of their holders, so
 * that what was found in one is the first.
 */
export class Copies {
  readonly #seen = new Map<string, IdSet>()

  #of(type: string): IdSet {
    const known = this.#seen.get(type)
    if (known !== undefined) return known
    const made = new IdSet()
    this.#seen.set(type, made)
    return made
  }

  /** Leaves out what earlier slices had. Within the slice only one copy may be left of each. */
  *drop(found: readonly Matching[]): Steps<void> {
    for (const { table, rows } of found) {
      const seen = this.#of(table.plan.type)
      for (const row of table.sharedRows) if (rows[row] === 1 && !seen.addPacked(table.ids.bytes(row))) rows[row] = 0
      yield
    }
  }
}
