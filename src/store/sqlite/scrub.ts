import { isStorageProblem, type Log } from '#kernel'
import type { Shortage, Space } from '../space/space.ts'
import type { Transactions } from './transactions.ts'

/**
 * Leaves nothing of what was deleted in a file. That needs as much room again, which a full disk does not have; what was
 * sealed is unreadable by then, since its key is gone first, so it is done when there is room.
 */
export class Scrub {
  readonly #folder: Shortage['folder']
  readonly #transactions: Transactions
  readonly #log: Log
  #owed = false

  constructor(
    folder: Shortage['folder'],
    parts: { readonly transactions: Transactions; readonly space: Space; readonly log: Log },
  ) {
    this.#folder = folder
    this.#transactions = parts.transactions
    this.#log = parts.log
    parts.space.onRoom(() => {
      if (this.#owed) void this.now().catch(() => this.#postpone())
    })
  }

  async now(): Promise<void> {
    try {
      await this.#transactions.scrub()
      this.#owed = false
    } catch (error) {
      if (!isStorageProblem(error)) throw error
      this.#postpone()
    }
  }

  #postpone(): void {
    this.#owed = true
    this.#log.warn('what was deleted is overwritten when there is room again', { room: 'store', detail: this.#folder })
  }
}
