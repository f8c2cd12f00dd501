/**
 * Requests that are there at once, of everybody, and how many may be while the server has no time left. A client of 32 connections is
 * carried: its next request may come before the place of the last one is free.
 */
export const carried = 40
/** A few places are kept for who has none. */
const carriedForNewcomers = 48

/** Who has how many requests here that go on or wait, of whatever kind. */
export class Presence {
  readonly #ofCaller = new Map<string, number>()
  #all = 0

  come(caller: string): void {
    this.#all++
    this.#ofCaller.set(caller, (this.#ofCaller.get(caller) ?? 0) + 1)
  }

  go(caller: string): void {
    this.#all--
    const left = (this.#ofCaller.get(caller) ?? 1) - 1
    if (left > 0) this.#ofCaller.set(caller, left)
    else this.#ofCaller.delete(caller)
  }

  /** Whether one more can be carried while there is no time left: an equal share for each caller. */
  hasRoom(caller: string): boolean {
    const own = this.#ofCaller.get(caller) ?? 0
    if (own === 0) return this.#all < carriedForNewcomers
    return this.#all < carried && own < Math.ceil(carried / this.#ofCaller.size)
  }
}
