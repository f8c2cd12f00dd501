import { inSlices } from '#kernel'
import { type Holder, newestWritten, type PopulationIndex } from '#search'
import type { CompartmentId, Store } from '#store'
import type { Ledger } from '../ledger/ledger.ts'
import type { Located } from '../ledger/opened-versions.ts'
import type { Shelf } from '../ledger/shelf.ts'
import type { Walked } from '../population/passing.ts'
import { isMissing } from '../population/taking.ts'
import type { Registry } from '../registry/registry.ts'
import type { HistoryPosition } from './cursors.ts'
import { type Opener, type Opening, openInPortions, Portion } from './opening.ts'

/** Versions that are looked for at once: the first few fill most pages, later ones are looked for where few are shown. */
const soughtAtOnce = { least: 64, most: 4_096 }
/** Versions that are opened at once, if a page shows so many. */
const mostOpenedAtOnce = 32

interface Rooms {
  readonly store: Store
  readonly shelf: Shelf
  readonly registry: Registry
}

/** A version with its place. */
interface Placed {
  readonly compartment: CompartmentId
  readonly seq: number
  readonly atMs: number
}

/** With what decides between versions of one moment: the index it was found in, and where its holder stands there. */
interface Ordered extends Placed {
  readonly order: number
  readonly place: number
}

/** What a walk is asked for. */
interface Asked {
  readonly type: string | undefined
  readonly sinceMs: number
  /** Versions of a page. */
  readonly count: number
}

/**
 * Walks through what was written to all compartments, newest first, by the indexes of all of them: the ledgers in which nothing of
 * it lies are not opened. Where it has come is an instant, and what of that very one was looked at, so that a page link is short
 * however many compartments there are, and goes on in every process.
 */
export class EverybodysHistory {
  readonly #rooms: Rooms
  readonly #walked: readonly Walked[]
  readonly #asked: Asked
  #untilMs: number
  /** By compartment: down to which seq what was written at that instant was looked at. */
  #below: Map<CompartmentId, number>

  constructor(rooms: Rooms, walked: readonly Walked[], asked: Asked, from: HistoryPosition | undefined) {
    this.#rooms = rooms
    this.#walked = walked
    this.#asked = asked
    this.#untilMs = from?.untilMs ?? Math.max(0, ...walked.map(({ newestMs }) => newestMs))
    this.#below = new Map(from?.below)
  }

  /** Where it has come: behind the last version that was taken. */
  get position(): Pick<HistoryPosition, 'untilMs' | 'below'> {
    return { untilMs: this.#untilMs, below: [...this.#below] }
  }

  /** Whether a compartment is among those that are walked. */
  walks(compartment: CompartmentId): boolean {
    return this.#holderOf(compartment) !== undefined
  }

  #holderOf(compartment: CompartmentId): Holder | undefined {
    for (const walked of this.#walked) {
      const holder = walked.holderOf(compartment)
      if (holder !== undefined) return holder
    }
    return undefined
  }

  /** What whoever walks does not take comes again behind the next link. */
  async *versions(): AsyncGenerator<{ readonly stored: Located; take(): void }, void, void> {
    for (let atOnce = soughtAtOnce.least; ; atOnce = Math.min(atOnce * 4, soughtAtOnce.most)) {
      const found = await this.#find(atOnce)
      if (found.length === 0) return
      const ahead = found.filter(each => this.#isAhead(each))
      const most = Math.min(this.#asked.count, mostOpenedAtOnce)
      const opening: Opening<Located> = { store: this.#rooms.store, openerOf: this.#openerOf }
      for await (const opened of openInPortions(ahead, new Portion({ least: most, most }), opening))
        for (const { place, stored } of opened) yield { stored, take: () => this.#take(place) }
      // What was written at the same moment as the last one was found with it.
      this.#untilMs = (found.at(-1)?.atMs ?? 0) - 1
      this.#below = new Map()
    }
  }

  /** In the order in which ledgers that are walked side by side tell it; only as far back as all indexes were looked through. */
  async #find(count: number): Promise<readonly Placed[]> {
    let found: Ordered[] = []
    // Of what is older there are enough newer ones.
    let lookedTo = 0
    for (const [order, walked] of this.#walked.entries())
      await walked.each(
        () => lookedTo,
        async index => {
          found.push(...(await this.#findIn(index, order, count)))
          if (found.length < count) return
          lookedTo = found.map(({ atMs }) => atMs).sort((a, b) => b - a)[count - 1] ?? 0
          found = found.filter(({ atMs }) => atMs >= lookedTo)
        },
      )
    return found.sort((a, b) => b.atMs - a.atMs || a.order - b.order || a.place - b.place || b.seq - a.seq)
  }

  async #findIn(index: PopulationIndex, order: number, count: number): Promise<readonly Ordered[]> {
    const { type, sinceMs } = this.#asked
    const written = await inSlices(newestWritten(index, { type, fromMs: sinceMs, untilMs: this.#untilMs, count }))
    return written.map(({ arrival, atMs }) => {
      const holder = index.holders[index.holderAt(arrival)]
      const place = holder === undefined ? 0 : this.#rooms.registry.placeOf(holder)
      return { compartment: holder?.compartment ?? '', seq: index.seqAt(arrival), atMs, order, place }
    })
  }

  #isAhead({ compartment, seq, atMs }: Placed): boolean {
    return atMs < this.#untilMs || seq < (this.#below.get(compartment) ?? Number.POSITIVE_INFINITY)
  }

  #take({ compartment, seq, atMs }: Placed): void {
    if (atMs !== this.#untilMs) this.#below = new Map()
    this.#untilMs = atMs
    this.#below.set(compartment, seq)
  }

  readonly #openerOf = async (compartment: CompartmentId): Promise<Opener<Located> | undefined> => {
    const holder = this.#holderOf(compartment)
    const ledger = holder === undefined ? undefined : await this.#ledgerOf(holder)
    // What is not durable yet has no part in the index of all.
    return ledger && { pendingAt: () => undefined, open: entry => ledger.open(entry) }
  }

  /** Undefined when its patient has been erased since the index was looked at. */
  async #ledgerOf(holder: Holder): Promise<Ledger | undefined> {
    try {
      return await this.#rooms.shelf.open(holder)
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
  }
}
