import { setTimeout as sleep } from 'node:timers/promises'
import { isProblem, type Log } from '#kernel'
import type { CompartmentId, Store } from '#store'
import type { HeadNotes } from './head-notes.ts'

/** Entries that are looked at in one go, and how long others have the processor between two of them. */
const atOnce = 500
const pauseMs = 25
/** After what the disk did not give. */
const retryMs = 250

/**
 * Lookups by name go through an index of the store, which is not sealed: whoever can write to the database can let it lead to an
 * older version. So when somebody else has written, all of it is gone through in the background, a tenth of the time at most,
 * and so are the heads that are noted: of ledgers that nobody has asked for since the start, too.
 */
export class PlacesWatch {
  readonly #store: Store
  readonly #log: Log
  readonly #notes: HeadNotes
  readonly #misled = new Map<CompartmentId, number>()
  #wanted = false
  #failed = false
  #running: Promise<void> | undefined
  #closed = false

  constructor({ store, log, notes }: { readonly store: Store; readonly log: Log; readonly notes: HeadNotes }) {
    this.#store = store
    this.#log = log
    this.#notes = notes
  }

  /** How many entries are not where they are looked for, as far as was gone through. */
  get misled(): number {
    return [...this.#misled.values()].reduce((sum, count) => sum + count, 0)
  }

  /** Whether the store could not be read to its end the last time. */
  get failed(): boolean {
    return this.#failed
  }

  /** Goes through everything, again if it is asked for while it does. */
  begin(): void {
    this.#wanted = true
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#running
  }

  async #run(): Promise<void> {
    while (this.#wanted && !this.#closed) {
      this.#wanted = false
      try {
        await this.#goThrough()
        this.#failed = false
      } catch (error) {
        this.#tellFailed(error)
        this.#wanted = true
        await sleep(retryMs)
      }
    }
  }

  /** Once, however often it is tried again: /readyz goes on to tell it. */
  #tellFailed(error: unknown): void {
    if (this.#failed) return
    this.#failed = true
    const code = isProblem(error) ? error.code : 'unexpected'
    this.#log.error('where entries are looked for could not be checked; it will be tried again', {
      room: 'record',
      code,
    })
  }

  async #goThrough(): Promise<void> {
    await this.#notes.checkNoted()
    for (const [compartment, head] of await this.#store.allHeads()) {
      if (this.#closed) return
      this.#tell(compartment, await this.#count(compartment, head))
    }
  }

  async #count(compartment: CompartmentId, head: number): Promise<number> {
    let count = 0
    for (let from = 1; from <= head && !this.#closed; from += atOnce) {
      count += (await this.#store.misplaced(compartment, from, atOnce)).length
      await sleep(pauseMs)
    }
    return count
  }

  #tell(compartment: CompartmentId, count: number): void {
    if (count > (this.#misled.get(compartment) ?? 0)) {
      const text = 'entries are not where they are looked for: older versions may be served; run verify'
      this.#log.error(text, {
        room: 'record',
        code: 'record.rolled-back',
        detail: `compartment ${compartment}`,
        count,
      })
    }
    if (count > 0) {
      this.#misled.set(compartment, count)
      this.#notes.refuse(compartment)
    } else if (this.#misled.delete(compartment)) this.#notes.allow(compartment)
  }
}
