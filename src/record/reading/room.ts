import { budgetLeft } from '#kernel'
import type { Stored } from '../types.ts'

/**
 * How much still goes on a page: what is left of the request's `answered`. A page that is full ends early, and its next link
 * goes on; the first is always taken, or there would be no end. Whoever sends the page charges it.
 */
export class Room {
  #left = budgetLeft('answered')
  #isEmpty = true
  /** Whether something found no room. */
  isFull = false

  takes({ json }: Stored): boolean {
    this.isFull ||= json.length > this.#left && !this.#isEmpty
    if (this.isFull) return false
    this.#left -= json.length
    this.#isEmpty = false
    return true
  }
}
