import { type Grant, permits, withheldFrom } from '#access'
import { giveWay } from '#kernel'
import type { Hit, Query, Restricted } from '#search'
import type { CompartmentId } from '#store'
import type { Ledger } from '../ledger/ledger.ts'
import { isMissing } from '../population/taking.ts'
import type { Deletion, Exporter, Place, Stored } from '../types.ts'
import type { GrantReader, ReaderRooms } from './reader.ts'

/** Versions on a page of the history that is looked through for deletions. */
const lookedThrough = 200

/** Everything that a grant may search, as places and then as versions: all of it, where a Reader gives pages. */
export class GrantExporter implements Exporter {
  readonly #grant: Grant
  readonly #rooms: ReaderRooms
  readonly #reader: GrantReader

  constructor(grant: Grant, rooms: ReaderRooms, reader: GrantReader) {
    this.#grant = grant
    this.#rooms = rooms
    this.#reader = reader
  }

  /** The grant with what Consents withhold from it at this moment. */
  #asking(): Promise<Grant> {
    return this.#rooms.consents.bound(this.#grant)
  }

  async withheldNote(): Promise<string> {
    const note = await this.#rooms.consents.noteFor(this.#grant)
    return note === '' ? '' : this.#rooms.digestOf(note)
  }

  newestMs(queries: readonly Restricted<Query>[]): Promise<number> {
    return this.#rooms.questions.newestMs(this.#grant, widest(queries))
  }

  async locate(
    queries: readonly Restricted<Query>[],
    untilMs: number,
    take: (found: Hit) => void,
  ): Promise<{ readonly unreadable: number }> {
    const grant = await this.#asking()
    const seen = queries.map(query => withheldFrom(query, grant))
    const searched = await this.#rooms.questions.searchedAt(grant, widest(seen), untilMs)
    await searched.locate(seen, take)
    for (const query of queries) await this.#reader.noteAsked(query, [])
    return { unreadable: searched.unreadable }
  }

  async within(compartments: Iterable<CompartmentId>): Promise<ReadonlySet<CompartmentId>> {
    const within = new Set<CompartmentId>()
    await this.#rooms.registry.refresh()
    for (const compartment of compartments)
      if ((await this.#rooms.reach.holderWithin(this.#grant, compartment)) !== undefined) within.add(compartment)
    return within
  }

  async *open(type: string, places: readonly Place[]): AsyncGenerator<readonly Stored[]> {
    if (!permits(this.#grant, 's', type)) return
    await this.#rooms.registry.refresh()
    for await (const opened of this.#rooms.reach.openPortions(places, this.#ledgerWithin))
      yield await this.#shown(opened)
  }

  async #shown(opened: readonly Stored[]): Promise<readonly Stored[]> {
    const shown: Stored[] = []
    const grant = await this.#asking()
    for (const stored of opened) if (await this.#isShown(stored, grant)) shown.push(stored)
    for (const stored of shown) await this.#reader.noteShown('export', stored)
    return shown
  }

  /** What of the commons was referred to when it was found may be read although nothing refers to it any more. */
  #isShown(stored: Stored, grant: Grant): boolean | Promise<boolean> {
    return stored.holder.kind === 'commons' || this.#rooms.sighting.visible(grant, 's', stored)
  }

  readonly #ledgerWithin = async (compartment: CompartmentId): Promise<Ledger | undefined> => {
    const holder = await this.#rooms.reach.holderWithin(this.#grant, compartment)
    if (holder === undefined) return undefined
    try {
      return await this.#rooms.reach.ledger(holder)
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
  }

  async *deletions(sinceMs: number, untilMs: number): AsyncGenerator<Deletion> {
    let cursor: string | undefined
    do {
      const request = { count: lookedThrough, sinceMs, ...(cursor === undefined ? {} : { cursor }) }
      const grant = await this.#asking()
      const page = await this.#rooms.histories.page(request, grant)
      for (const stored of page.items)
        if (stored.deleted && stored.lastUpdatedMs <= untilMs && (await this.#isGone(stored))) yield stored
      const pause = giveWay()
      if (pause !== undefined) await pause
      cursor = page.next
    } while (cursor !== undefined)
  }

  /** Whether this deletion is what became of it in the end: what came back is no deletion. */
  async #isGone({ type, id, version }: Stored): Promise<boolean> {
    const { reach } = this.#rooms
    const newest = await reach.durable(this.#grant, reach.sought(type, id))
    return newest === undefined || (newest.deleted && newest.version === version)
  }
}

/** A question that looks wherever one of these does. */
function widest(queries: readonly Restricted<Query>[]): Restricted<Query> {
  const [first] = queries
  if (first === undefined) throw new Error('nothing is asked')
  return {
    ...first,
    types: [...new Set(queries.flatMap(({ types }) => types))],
    criteria: [],
    criteriaByType: new Map(),
    text: queries.map(({ text }) => text).join('&'),
  }
}
