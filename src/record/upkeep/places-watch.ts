import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '#kernel'
import type { CompartmentId, Store } from '#store'
import type { HeadNotes } from './head-notes.ts'
import { Rounds } from './rounds.ts'

/** Entries that are looked at in one go, of one compartment or of several, and how long others have the processor between two of them. */
const atOnce = 500
const pauseMs = 25
/** To look at one compartment costs as much as to look at so many entries more. */
const ofOne = 25

interface PlacesRooms {
  readonly store: Store
  readonly log: Log
  readonly notes: Pick<HeadNotes, 'checkNoted' | 'refuse' | 'allow'>
  /** Leaves the processor to others. */
  pause?(): Promise<void>
}

/**
 * Lookups by name go through an index of the store, which is not sealed: whoever can write to the database can let it lead to an
 * older version. So when somebody else has written, all of it is gone through in the background, a tenth of the time at most,
 * and so are the heads that are noted: of ledgers that nobody has asked for since the start, too.
 */
export class PlacesWatch {
  readonly #rooms: PlacesRooms
  readonly #misled = new Map<CompartmentId, number>()
  readonly #rounds: Rounds

  constructor(rooms: PlacesRooms) {
    this.#rooms = rooms
    const failure = 'where entries are looked for could not be checked; it will be tried again'
    this.#rounds = new Rounds({ log: rooms.log, failure, goThrough: isOver => this.#goThrough(isOver) })
  }

  /** How many entries are not where they are looked for, as far as was gone through. */
  get misled(): number {
    return [...this.#misled.values()].reduce((sum, count) => sum + count, 0)
  }

  /** Whether the store could not be read to its end the last time. */
  get failed(): boolean {
    return this.#rounds.failed
  }

  /** Goes through everything, again if it is asked for while it does. */
  begin(): void {
    this.#rounds.begin()
  }

  close(): Promise<void> {
    return this.#rounds.close()
  }

  async #goThrough(isOver: () => boolean): Promise<void> {
    const { notes, store, pause = () => sleep(pauseMs) } = this.#rooms
    await notes.checkNoted()
    const looked = lookingBy(pause)
    for (const [compartment, head] of await store.allHeads()) {
      if (isOver()) return
      this.#tell(compartment, await this.#count(compartment, head, { isOver, looked }))
    }
  }

  async #count(compartment: CompartmentId, head: number, { isOver, looked }: Going): Promise<number> {
    let count = 0
    for (let from = 1; from <= head && !isOver(); from += atOnce) {
      count += (await this.#rooms.store.misplaced(compartment, from, atOnce)).length
      await looked(Math.min(atOnce, head - from + 1) + ofOne)
    }
    return count
  }

  #tell(compartment: CompartmentId, count: number): void {
    const { log, notes } = this.#rooms
    if (count > (this.#misled.get(compartment) ?? 0)) {
      const text = 'entries are not where they are looked for: older versions may be served; run verify'
      log.error(text, { room: 'record', code: 'record.rolled-back', detail: `compartment ${compartment}`, count })
    }
    if (count > 0) {
      this.#misled.set(compartment, count)
      notes.refuse(compartment)
    } else if (this.#misled.delete(compartment)) notes.allow(compartment)
  }
}

interface Going {
  isOver(): boolean
  /** To be told how many entries were looked at. */
  looked(entries: number): Promise<void>
}

/** Twenty thousand short ledgers are gone through as quickly as one long one: it is entries that rest, not compartments. */
function lookingBy(pause: () => Promise<void>): Going['looked'] {
  let since = 0
  return async entries => {
    since += entries
    if (since < atOnce) return
    since = 0
    await pause()
  }
}
