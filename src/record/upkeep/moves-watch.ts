import { giveWay, type Log } from '#kernel'
import type { CompartmentId, Store } from '#store'
import type { Population } from '../population/population.ts'

/** Compartments whose heads are looked at in one go. */
const atOnce = 500
/** So much longer than it took it waits before it looks again. */
const restPerLook = 30

type Heads = ReadonlyMap<CompartmentId, number>

interface MovesRooms {
  readonly store: Store
  readonly log: Log
  readonly populations: readonly Pick<Population, 'isBehind' | 'takeUntold'>[]
}

/**
 * Which ledgers moved is told by rows that nobody has sealed: whoever can write to the database can take one away, and another process
 * than the one that wrote would neither find what was written nor tell of it. The ledgers themselves cannot be cut unseen, so their
 * heads are compared with what was told. What was not told is looked at, and told once more, for every process and whoever
 * follows.
 */
export class MovesWatch {
  readonly #rooms: MovesRooms
  #lookedAt: number | undefined
  #restUntilMs = 0
  /** The heads when the leading process looked last, and up to where the feed had told then. */
  #before: { readonly heads: Heads; readonly mark: string } | undefined

  constructor(rooms: MovesRooms) {
    this.#rooms = rooms
  }

  /**
   * Looks, if somebody else has written since, and not more often than it can afford.
   *
   * @param leads  whether it also looks for whoever follows what is written
   */
  async look(leads: boolean): Promise<void> {
    const { store } = this.#rooms
    if (store.tellAgain === undefined || performance.now() < this.#restUntilMs) return
    const mark = await store.othersMark()
    if (mark === this.#lookedAt) return
    const startMs = performance.now()
    const untold = await this.#untold(leads)
    if (untold.size > 0) await this.#tell([...untold])
    this.#lookedAt = mark
    const endMs = performance.now()
    this.#restUntilMs = endMs + (endMs - startMs) * restPerLook
  }

  async #tell(untold: readonly CompartmentId[]): Promise<void> {
    const { store, log } = this.#rooms
    const text =
      'the database did not tell that something was written: rows of what moved were taken away; they are written again'
    log.error(text, { room: 'record', count: untold.length })
    await store.tellAgain?.(untold)
  }

  async #untold(leads: boolean): Promise<ReadonlySet<CompartmentId>> {
    const { populations } = this.#rooms
    const { heads, mark } = await this.#told(undefined)
    const untold = new Set<CompartmentId>()
    for (const population of populations) {
      const behind = new Map([...heads].filter(of => population.isBehind(...of)))
      for (const each of await population.takeUntold(behind)) untold.add(each)
    }
    if (leads && this.#before !== undefined)
      for (const each of await this.#unnamed(this.#before, heads)) untold.add(each)
    this.#before = leads ? { heads, mark } : undefined
    return untold
  }

  /** Those which have grown and were not named since. */
  async #unnamed(before: { readonly heads: Heads; readonly mark: string }, now: Heads): Promise<CompartmentId[]> {
    const { heads: named } = await this.#told(before.mark)
    return [...now]
      .filter(([compartment, head]) => head > (before.heads.get(compartment) ?? 0) && !named.has(compartment))
      .map(([compartment]) => compartment)
  }

  /** What the feed tells behind a mark, with the heads; without one all that there is. */
  async #told(from: string | undefined): Promise<{ readonly heads: Heads; readonly mark: string }> {
    const heads = new Map<CompartmentId, number>()
    for (let mark = from; ; ) {
      const changes = await this.#rooms.store.changesSince(mark, atOnce)
      for (const [compartment, head] of changes.moved) heads.set(compartment, head)
      mark = changes.mark
      if (!changes.more) return { heads, mark }
      await giveWay()
    }
  }
}
