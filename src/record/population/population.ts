import { type Clock, gauge, giveWay, isProblem, type Log, type Problem, withBudget } from '#kernel'
import { type Holder, type IndexRow, PopulationIndex } from '#search'
import type { CompartmentId, Store } from '#store'
import type { Vault } from '#vault'
import { ledgerDamaged } from '../ledger/ledger-index.ts'
import type { Shelf } from '../ledger/shelf.ts'
import type { Registry } from '../registry/registry.ts'
import { type HeadNotes, rolledBack } from '../upkeep/head-notes.ts'
import { isMissing, takeFrom } from './taking.ts'

/** Compartments of which the feed tells in one go. */
const movesAtOnce = 4_096

/** After so long without a question it is let go: for a hundred thousand compartments it is gigabytes, and made anew in seconds. */
const idleMs = 1_800_000

/** Rows of a compartment that was just made which are worth keeping until it is known whose it is. */
const fewRows = 256

/** What an index of many compartments is kept up from. */
export interface PopulationRooms {
  readonly store: Store
  readonly vault: Vault
  readonly registry: Registry
  readonly shelf: Shelf
  readonly notes: HeadNotes
  readonly log: Log
  readonly clock: Clock
  /** Resolves when all heads that are noted beside the keys have been looked at once. */
  checked(): Promise<void>
}

/** A compartment that cannot be read, and why. */
export interface Loss {
  readonly holder: Holder
  readonly why: Problem
}

/** Whose compartments are kept together: what people have, or the records of access to it. */
export type Part = 'data' | 'audit'

/**
 * All compartments of a part in one index, made at the first question that needs it and kept up from then on: by what this process
 * makes durable at once, and by what the store says has moved before each question. What cannot be read, or is not believed, is
 * not in it and is counted.
 */
export class Population {
  readonly #part: Part
  readonly #rooms: PopulationRooms
  #index: PopulationIndex | undefined
  /** In the feed of the store, from where on it has not been looked at. */
  #mark: string | undefined
  #generation = -1
  /** Compartments of which the store may hold more than the index. */
  #behind = new Map<CompartmentId, Holder>()
  /** Such that are not in the index although they hold something, and what is wrong: damaged, or rolled back. */
  readonly #lost = new Map<CompartmentId, Loss>()
  /** All rows of compartments that this process has made, which are here once it is known whose they are. */
  readonly #made = new Map<CompartmentId, readonly IndexRow[]>()
  /** What moved in the feed and was nobody's that is known here. */
  readonly #unknown = new Set<CompartmentId>()
  #refreshing: Promise<void> = Promise.resolve()
  #wasRefused: ReadonlySet<CompartmentId> = new Set()
  #usedMs = 0
  /** Refreshings that were asked for and have not begun: whoever asks meanwhile shares the one. */
  #next: Promise<void> | undefined

  constructor(part: Part, rooms: PopulationRooms) {
    this.#part = part
    this.#rooms = rooms
    const help = 'Bytes of the indexes of all compartments together'
    gauge(this, { name: 'kinhold_population_bytes', help }, population => population.sizeBytes)
  }

  /** What cannot be read, as of the last look. */
  get losses(): readonly Loss[] {
    return [...this.#lost.values()]
  }

  /** Bytes that it takes in memory; 0 while nobody has asked. */
  get sizeBytes(): number {
    return this.#index?.sizeBytes ?? 0
  }

  /** The index, with all that the store holds at this moment. */
  async index(): Promise<PopulationIndex> {
    for (;;) {
      this.#usedMs = this.#rooms.clock.nowMs()
      await this.#fresh()
      if (this.#index !== undefined) return this.#index
    }
  }

  /** To be called now and then: lets go of what nobody has asked for in half an hour. */
  sweep(): void {
    if (this.#rooms.clock.nowMs() - this.#usedMs > idleMs) this.reset()
  }

  /** Forgets all of it: what it was made from is different now. */
  reset(): void {
    this.#index = undefined
    this.#lost.clear()
    this.#behind.clear()
    this.#unknown.clear()
    this.#made.clear()
    this.#mark = undefined
  }

  /**
   * A ledger of this process has made rows durable.
   *
   * @param head  seq of the last of them
   * @param rowsFrom  the rows from a seq on up to the head; undefined when they are not at hand
   */
  committed(holder: Holder, head: number, rowsFrom: (seq: number) => readonly IndexRow[] | undefined): void {
    const index = this.#index
    const { compartment } = holder
    if (index === undefined || partOf(holder) !== this.#part || this.#lost.has(compartment)) return
    const known = index.headOf(compartment)
    if (known === undefined) this.#keepMade(compartment, head, rowsFrom)
    const rows = known === undefined ? undefined : rowsFrom(known + 1)
    if (known !== undefined && head <= known) return
    if (rows === undefined || !addAll(index, holder, rows)) this.#fallBehind(compartment)
  }

  /**
   * What is not here yet may have been read before, and its patient may have been erased since: nothing of it is shown before the
   * registry says whose it is. The rows are kept until then, so that they need not be read again.
   */
  #keepMade(
    compartment: CompartmentId,
    head: number,
    rowsFrom: (seq: number) => readonly IndexRow[] | undefined,
  ): void {
    const rows = head <= fewRows ? rowsFrom(1) : undefined
    if (rows === undefined) this.#made.delete(compartment)
    else this.#made.set(compartment, rows)
  }

  /** To be looked at before the next question is answered; what is nobody's, once it is known whose it is. */
  #fallBehind(compartment: CompartmentId): void {
    const holder = this.#rooms.registry.known(compartment)
    if (holder === undefined) this.#unknown.add(compartment)
    else if (partOf(holder) === this.#part) this.#behind.set(compartment, holder)
  }

  /** Something of this compartment turned out not to be readable. */
  lose(holder: Holder, why: Problem): void {
    if (partOf(holder) !== this.#part) return
    this.#index?.drop(holder.compartment)
    this.#lost.set(holder.compartment, { holder, why })
  }

  /** Those who ask while others are being served wait for one refreshing together: the running one may have looked too early. */
  #fresh(): Promise<void> {
    this.#next ??= this.#refreshing.then(() => {
      this.#next = undefined
      const running = withBudget('unbounded', () => this.#refresh())
      this.#refreshing = running.catch(() => undefined)
      return running
    })
    return this.#next
  }

  async #refresh(): Promise<void> {
    const { registry } = this.#rooms
    await registry.refresh()
    if (this.#index === undefined || this.#index.isWorn) await this.#make()
    if (registry.generation !== this.#generation) this.#dropErased()
    // It names what this process wrote too: should any of that not have been told, it is found here.
    await this.#followMoves()
    this.#dropRefused()
    if (this.#behind.size > 0) await this.#catchUp()
  }

  async #make(): Promise<void> {
    const { registry, checked } = this.#rooms
    this.reset()
    await checked()
    await this.#markFeed()
    this.#index = new PopulationIndex()
    const holders = [...registry.holders, ...registry.erased.map(({ audit }) => audit)]
    this.#generation = registry.generation
    try {
      await this.#take(holders.filter(holder => partOf(holder) === this.#part))
    } catch (error) {
      this.reset()
      throw error
    }
  }

  /** From here on nothing is missed: what moves is told by the feed. Whom another process has just taken in is known later. */
  async #markFeed(): Promise<void> {
    const { registry, store } = this.#rooms
    let mark: string | undefined
    for (let more = true; more; ) {
      const changes = await store.changesSince(mark, movesAtOnce)
      for (const compartment of changes.moved.keys())
        if (registry.known(compartment) === undefined) this.#unknown.add(compartment)
      ;({ mark, more } = changes)
    }
    this.#mark = mark
  }

  #dropErased(): void {
    const { registry } = this.#rooms
    this.#generation = registry.generation
    for (const { data, audit } of registry.erased) {
      this.#forget(data.compartment)
      // Under the name of nobody.
      if (this.#part === 'audit') this.#disown(audit)
    }
    const unknown = [...this.#unknown]
    this.#unknown.clear()
    for (const compartment of unknown) this.#fallBehind(compartment)
  }

  #disown(audit: Holder): void {
    const { compartment } = audit
    if (this.#index?.holderOf(compartment)?.patient === undefined) return
    this.#index.drop(compartment)
    this.#behind.set(compartment, audit)
  }

  #forget(compartment: CompartmentId): void {
    this.#index?.drop(compartment)
    this.#lost.delete(compartment)
    this.#behind.delete(compartment)
    this.#made.delete(compartment)
  }

  /** What is not believed any more is not shown either; what is believed again is looked at anew. */
  #dropRefused(): void {
    const { notes } = this.#rooms
    for (const compartment of notes.refused) {
      const holder = this.#index?.holderOf(compartment)
      if (holder !== undefined) this.lose(holder, rolledBack())
    }
    for (const [compartment, { holder }] of this.#lost)
      if (this.#wasRefused.has(compartment) && !notes.refused.has(compartment)) {
        this.#lost.delete(compartment)
        this.#behind.set(compartment, holder)
      }
    this.#wasRefused = new Set(notes.refused)
  }

  async #followMoves(): Promise<void> {
    for (let more = true; more; ) {
      const changes = await this.#rooms.store.changesSince(this.#mark, movesAtOnce)
      // The store cannot tell any more what moved: each compartment is looked at.
      if (changes.anew && this.#mark !== undefined) return this.#make()
      const less = [...changes.moved].filter(([compartment, head]) => this.#moved(compartment, head))
      await this.#dropLess(less.map(([compartment]) => compartment))
      this.#mark = changes.mark
      more = changes.more
    }
  }

  /** @returns whether less is told than is here */
  #moved(compartment: CompartmentId, head: number): boolean {
    const known = this.#index?.headOf(compartment)
    if (known !== undefined && head <= known) return head < known
    this.#lost.delete(compartment)
    this.#fallBehind(compartment)
    return false
  }

  /** What the feed said may be older than what this process made durable meanwhile. What is less now was removed, or rolled back. */
  async #dropLess(compartments: readonly CompartmentId[]): Promise<void> {
    if (compartments.length === 0) return
    const known = new Map(compartments.map(compartment => [compartment, this.#index?.headOf(compartment) ?? 0]))
    for (const [compartment, head] of await this.#rooms.store.heads(compartments)) {
      if (head >= (known.get(compartment) ?? 0)) continue
      this.#index?.drop(compartment)
      // Whoever opens it finds out which.
      this.#fallBehind(compartment)
    }
  }

  async #catchUp(): Promise<void> {
    const behind = this.#behind
    this.#behind = new Map()
    try {
      await this.#take([...behind.values()])
    } catch (error) {
      // The feed does not tell of them again.
      for (const holder of behind.values()) this.#behind.set(holder.compartment, holder)
      throw error
    }
  }

  /** Takes in what the store holds of these beyond what is here. */
  async #take(holders: readonly Holder[]): Promise<void> {
    const index = this.#index
    if (index === undefined) return
    for (const holder of holders) this.#takeMade(index, holder)
    const failed = await takeFrom(this.#rooms, index, holders)
    for (const holder of failed) await this.#tryAlone(index, holder)
    // What this process wrote meanwhile could not be told from what was read.
    if (this.#index === index && this.#behind.size > 0) await this.#catchUp()
  }

  #takeMade(index: PopulationIndex, holder: Holder): void {
    const { compartment } = holder
    const rows = this.#made.get(compartment)
    this.#made.delete(compartment)
    if (rows !== undefined && index.headOf(compartment) === undefined) addAll(index, holder, rows)
  }

  /** What was not to be read together is opened like any other ledger: that makes segments anew, and names damage as what it is. */
  async #tryAlone(index: PopulationIndex, holder: Holder): Promise<void> {
    const { shelf, log } = this.#rooms
    try {
      await (await shelf.open(holder)).index()
      const [stillFailed] = await takeFrom(this.#rooms, index, [holder])
      if (stillFailed !== undefined) this.lose(holder, ledgerDamaged())
      else this.#lost.delete(holder.compartment)
    } catch (error) {
      if (isMissing(error)) return this.#forget(holder.compartment)
      if (!isProblem(error, 'fault')) throw error
      this.lose(holder, error)
      log.warn('a compartment cannot be searched; run verify', { room: 'record', code: error.code })
    }
    const pause = giveWay()
    if (pause !== undefined) await pause
  }
}

/** False when they do not fit: then nothing of the holder is left. The commit that they come from is durable, and must not fail by it. */
function addAll(index: PopulationIndex, holder: Holder, rows: readonly IndexRow[]): boolean {
  try {
    for (const row of rows) index.addRow(holder, row)
    return true
  } catch {
    index.drop(holder.compartment)
    return false
  }
}

function partOf({ kind }: Holder): Part {
  return kind === 'audit' ? 'audit' : 'data'
}
