import { type Clock, gauge, giveWay, mapFew, traced, withBudget } from '#kernel'
import { ageWords, type Holder } from '#search'
import type { CompartmentId, Locator } from '#store'
import type { Vault } from '#vault'
import { KeptSegments } from './kept-segments.ts'
import { Ledger, type LedgerRooms } from './ledger.ts'
import { OpenedVersions } from './opened-versions.ts'
import { type Pending, Pendings } from './pendings.ts'

/** Ledgers that are opened, or made to hold what is new, at the same time for one question. */
export const ledgersAtOnce = 16

/** How long an unused ledger stays open, and what may stay in memory together. */
export interface ShelfLimits {
  readonly idleMs: number
  readonly indexBytes: number
  /** Ledgers that stay open: some 11 KiB each, keys and all, of which none is in `indexBytes`. */
  readonly ledgers: number
  /** Bytes of rows, of all ledgers, beyond which those that are no longer needed are not kept for a minute. */
  readonly rowBytes: number
  /** Bytes of opened versions that are kept for who asks for them again. */
  readonly versionBytes: number
  /** Bytes of sealed segments that were read as ledgers were opened. */
  readonly segmentBytes: number
}

/** Segments that are made in one go, about a millisecond. */
const sealedAtOnce = 8

/** An opened version that nobody asks for, and the words of what nobody writes again, are forgotten after one to two of these. */
const agesEveryMs = 30_000

/** The opened ledgers: one per compartment, least recently used ones closed first. */
export class Shelf {
  readonly #ledgers = new Map<CompartmentId, Promise<Ledger>>()
  readonly #opened = new Map<CompartmentId, Ledger>()
  /** Ledgers that lost a race against another process, until they are opened anew. */
  readonly #outrun = new Map<CompartmentId, Ledger>()
  readonly #vault: Vault
  readonly #rooms: LedgerRooms
  readonly #clock: Clock
  readonly limits: ShelfLimits
  /** What each work that is under way has opened and will append to. */
  readonly #spared = new Set<() => Iterable<Ledger>>()
  #agedAtMs = 0

  constructor(
    vault: Vault,
    { clock, ...rooms }: Omit<LedgerRooms, 'pending' | 'opened' | 'kept'> & { readonly clock: Clock },
    limits: ShelfLimits,
  ) {
    this.#vault = vault
    this.#clock = clock
    const opened = new OpenedVersions(limits.versionBytes)
    this.#rooms = { ...rooms, pending: new Pendings(), opened, kept: new KeptSegments(limits.segmentBytes) }
    this.limits = limits
    gauge(this, { name: 'kinhold_ledgers_open', help: 'Compartments that are open' }, shelf => shelf.#opened.size)
    gauge(this, { name: 'kinhold_index_bytes', help: 'Bytes of the indexes of open compartments' }, shelf =>
      shelf.opened().reduce((sum, ledger) => sum + ledger.sizeBytes, 0),
    )
    gauge(
      this,
      { name: 'kinhold_segments_kept_bytes', help: 'Bytes of segments for indexes that may be opened next' },
      shelf => shelf.#rooms.kept.sizeBytes,
    )
  }

  /**
   * The ledger of a compartment, opened when it is not; two callers at once share one opening. The vault is asked for
   * the key each time, so that a key which another process destroyed is not used for longer than the vault keeps keys.
   *
   * @throws Problem `fault` · `record.rolled-back`
   */
  async open(holder: Holder): Promise<Ledger> {
    this.#rooms.notes.checkSound(holder.compartment)
    const ledger = this.#opened.get(holder.compartment)
    if (ledger === undefined) return this.#ledgers.get(holder.compartment) ?? this.#begin(holder)
    await this.#vault.compartment(holder.compartment)
    return this.#used(ledger)
  }

  /** The ledger, when it is open and its key at hand, so that nothing need be waited for. */
  atHand(holder: Holder): Ledger | undefined {
    this.#rooms.notes.checkSound(holder.compartment)
    const ledger = this.#opened.get(holder.compartment)
    return ledger !== undefined && this.#vault.hasAtHand(holder.compartment) ? this.#used(ledger) : undefined
  }

  #used(ledger: Ledger): Ledger {
    ledger.lastUsedMs = this.#clock.nowMs()
    return ledger
  }

  #begin(holder: Holder): Promise<Ledger> {
    // Others wait for the same opening, so that it is on nobody's budget.
    const opening = withBudget('unbounded', () => traced('record.open', () => this.#open(holder)))
    this.#ledgers.set(holder.compartment, opening)
    opening.catch(() => this.#ledgers.delete(holder.compartment))
    return opening
  }

  /** Ledgers that hold everything the store holds at this moment. */
  async fresh(holders: readonly Holder[]): Promise<readonly Ledger[]> {
    const ledgers = await mapFew(holders, ledgersAtOnce, holder => this.open(holder))
    const heads = await this.#rooms.store.heads(holders.map(holder => holder.compartment))
    return mapFew(ledgers, ledgersAtOnce, ledger => this.#caughtUp(ledger, heads.get(ledger.holder.compartment) ?? 0))
  }

  async #caughtUp(ledger: Ledger, head: number): Promise<Ledger> {
    return (await ledger.catchUp(head)) ? ledger : this.#caughtUp(await this.open(ledger.holder), head)
  }

  /** Forgets what a ledger believed; the next use reads it again from the store. */
  discard(ledger: Ledger): void {
    this.#rooms.opened.clear()
    this.#close(ledger)
  }

  #close(ledger: Ledger): void {
    ledger.abandon()
    if (this.#opened.get(ledger.holder.compartment) !== ledger) return
    this.#ledgers.delete(ledger.holder.compartment)
    this.#opened.delete(ledger.holder.compartment)
  }

  /**
   * Discards a ledger because another process was faster. What it knew to be durable is handed on: reading it all again
   * takes longer than a busy process leaves between two writes, and whoever is late once would be late for ever.
   */
  outrun(ledger: Ledger): void {
    this.discard(ledger)
    this.#outrun.set(ledger.holder.compartment, ledger)
  }

  /** The newest version that this process has written under a locator with its copies, while it is not yet durable. */
  pendingOf(locator: Locator): readonly Pending[] {
    return this.#rooms.pending.of(locator)
  }

  /**
   * Does work that relies on ledgers from when it opened them until it appends to them: meanwhile none of them is closed for want of
   * room, or the work would have to be done again, and again.
   *
   * @param ledgers  those it relies on by then
   */
  async sparing<T>(ledgers: () => Iterable<Ledger>, work: () => Promise<T>): Promise<T> {
    this.#spared.add(ledgers)
    try {
      return await work()
    } finally {
      this.#spared.delete(ledgers)
    }
  }

  /** Ledgers that are open now. */
  opened(): readonly Ledger[] {
    return [...this.#opened.values()]
  }

  /** Seals the rows of ledgers to which nothing is being added, so that whoever opens them next need not open each entry. */
  settle(): Promise<void> {
    this.#rooms.kept.clear()
    const rowBytes = this.opened().reduce((sum, ledger) => sum + ledger.rowBytes, 0)
    const room = rowBytes > this.limits.rowBytes ? 'short' : 'enough'
    return this.#sealing(ledger => ledger.settle(room))
  }

  /** Seals the rows of all ledgers. */
  seal(): Promise<void> {
    return this.#sealing(ledger => ledger.seal())
  }

  /** A few at once, whose segments are then written together. */
  async #sealing(seal: (ledger: Ledger) => Promise<void> | undefined): Promise<void> {
    let sealing: Promise<void>[] = []
    for (const ledger of this.opened()) {
      const begun = seal(ledger)
      if (begun !== undefined) sealing.push(begun)
      if (sealing.length < sealedAtOnce) continue
      await Promise.all(sealing)
      await giveWay()
      sealing = []
    }
    await Promise.all(sealing)
  }

  /**
   * Forgets versions that were not asked for lately; closes ledgers that have been idle for long, and those of patients whom another
   * process has erased: they hold keys. Then the least recently used ones until no more are open than may be, and the indexes fit
   * their budget. Of those that somebody relies on only the erased ones are closed.
   */
  sweep(): void {
    this.#outrun.clear()
    const nowMs = this.#clock.nowMs()
    if (Math.abs(nowMs - this.#agedAtMs) >= agesEveryMs) this.#age(nowMs)
    const spared = new Set(this.#spared.values().flatMap(ledgers => ledgers()))
    const byUse = this.opened().toSorted((a, b) => a.lastUsedMs - b.lastUsedMs)
    let indexBytes = byUse.reduce((sum, ledger) => sum + ledger.sizeBytes, 0)
    let left = byUse.length
    let isLetGo = false
    for (const ledger of byUse) {
      const isDestroyed = this.#vault.wasDestroyed(ledger.holder.compartment)
      const isIdle = nowMs - ledger.lastUsedMs > this.limits.idleMs || isDestroyed
      if (!isIdle && left <= this.limits.ledgers && indexBytes <= this.limits.indexBytes) continue
      if (ledger.pendingHead !== ledger.durableHead || (spared.has(ledger) && !isDestroyed)) continue
      indexBytes -= ledger.sizeBytes
      left--
      this.#close(ledger)
      isLetGo ||= isDestroyed
    }
    if (!isLetGo) return
    this.#rooms.opened.clear()
    this.#vault.letGo()
  }

  #age(nowMs: number): void {
    this.#rooms.opened.age()
    ageWords()
    this.#agedAtMs = nowMs
  }

  async #open(holder: Holder): Promise<Ledger> {
    const keys = await this.#vault.compartment(holder.compartment)
    const before = this.#outrun.get(holder.compartment)
    this.#outrun.delete(holder.compartment)
    const ledger = await Ledger.open(holder, keys, this.#rooms, before)
    this.#opened.set(holder.compartment, ledger)
    return this.#used(ledger)
  }
}
