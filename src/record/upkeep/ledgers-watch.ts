import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '#kernel'
import type { CompartmentId, Store } from '#store'
import type { Vault } from '#vault'
import type { Finding } from '../types.ts'
import { Rounds } from './rounds.ts'

/** So much longer than it works it leaves the processor to others. */
const pausePerWork = 9
/** So much longer than one round took it waits before the next. */
const restPerRound = 20

interface LedgerRooms {
  readonly store: Store
  readonly vault: Vault
  readonly log: Log
  /** What is wrong within one compartment that has so many entries; `pause` is called every few of them. */
  verify(compartment: CompartmentId, head: number, pause: () => Promise<void>): AsyncIterable<Finding>
}

/**
 * An entry that somebody else has put in the place of another is refused when it is read, and only then. So when somebody else has
 * written, every entry is opened once in the background and its link compared, as `verify` does, to tell it before anybody reads:
 * some two thousand entries a second.
 */
export class LedgersWatch {
  readonly #rooms: LedgerRooms
  readonly #damaged = new Set<CompartmentId>()
  readonly #rounds: Rounds
  #isWanted = false
  #restUntilMs = 0

  constructor(rooms: LedgerRooms) {
    this.#rooms = rooms
    const failure = 'what the ledgers hold could not be checked; it will be tried again'
    this.#rounds = new Rounds({ log: rooms.log, failure, goThrough: isOver => this.#goThrough(isOver) })
  }

  /** How many compartments hold something that cannot be what was written there, as far as was gone through. */
  get damaged(): number {
    return this.#damaged.size
  }

  /** Asks for a round. */
  want(): void {
    this.#isWanted = true
  }

  /** Begins the round that is wanted, unless the last one was a short while ago. */
  goOn(): void {
    if (!this.#isWanted || performance.now() < this.#restUntilMs) return
    this.#isWanted = false
    this.#rounds.begin()
  }

  close(): Promise<void> {
    return this.#rounds.close()
  }

  async #goThrough(isOver: () => boolean): Promise<void> {
    const startMs = performance.now()
    const pause = pausing(isOver)
    for (const [compartment, head] of await this.#rooms.store.allHeads()) {
      if (isOver()) return
      this.#tell(compartment, await this.#isDamaged(compartment, head, pause))
      // Most ledgers are too short to pause within: all of them together are not.
      await pause()
    }
    const endMs = performance.now()
    this.#restUntilMs = endMs + (endMs - startMs) * restPerRound
  }

  /** One finding is enough. What was erased meanwhile is not damaged. */
  async #isDamaged(compartment: CompartmentId, head: number, pause: () => Promise<void>): Promise<boolean> {
    for await (const _ of this.#rooms.verify(compartment, head, pause))
      return !(await this.#rooms.vault.isDestroyed(compartment))
    return false
  }

  #tell(compartment: CompartmentId, isDamaged: boolean): void {
    if (!isDamaged) this.#damaged.delete(compartment)
    else if (!this.#damaged.has(compartment)) {
      this.#damaged.add(compartment)
      const text = 'what a ledger holds is not what was written; run verify'
      this.#rooms.log.error(text, { room: 'record', detail: `compartment ${compartment}` })
    }
  }
}

function pausing(isOver: () => boolean): () => Promise<void> {
  let sinceMs = performance.now()
  return async () => {
    if (!isOver()) await sleep((performance.now() - sinceMs) * pausePerWork)
    sinceMs = performance.now()
  }
}
