import type { Locator } from '#store'
import type { Stored } from '../types.ts'

/** The newest version of a resource that this process has written but not yet seen made durable, or a copy of it. */
export interface Pending {
  readonly version: number
  readonly seq: number
  readonly stored: Stored
  /** What appended it. A ledger that is read anew is another one, and settles nothing of the old one's. */
  readonly by: object
}

const none: readonly Pending[] = []

/** What this process has written ahead of the store, of all compartments. */
export class Pendings {
  readonly #byLocator = new Map<Locator, readonly Pending[]>()

  /** All copies of the newest version that is under way. */
  of(locator: Locator): readonly Pending[] {
    return this.#byLocator.get(locator) ?? none
  }

  add(locator: Locator, pending: Pending): void {
    const known = this.of(locator)
    const copies = known[0]?.version === pending.version ? [...known, pending] : [pending]
    if (known.length === 0 || (known[0]?.version ?? 0) <= pending.version) this.#byLocator.set(locator, copies)
  }

  /** Forgets what stood at a place, if it is still the newest. */
  settle(locator: Locator, by: object, seq: number): void {
    const left = this.of(locator).filter(pending => pending.by !== by || pending.seq !== seq)
    if (left.length === 0) this.#byLocator.delete(locator)
    else this.#byLocator.set(locator, left)
  }
}
