import { type Clock, giveWay, isProblem, type Log, type Problem, withBudget } from '#kernel'
import { type Holder, holderOrder, type IndexRow, PopulationIndex } from '#search'
import type { CompartmentId, Store } from '#store'
import type { Vault } from '#vault'
import { ledgerDamaged } from '../ledger/ledger-index.ts'
import type { Shelf } from '../ledger/shelf.ts'
import type { Registry } from '../registry/registry.ts'
import { type HeadNotes, rolledBack } from '../upkeep/head-notes.ts'
import { type Slice, Slices } from './slice.ts'
import type { SliceRoom } from './slice-room.ts'
import { isMissing, type Target, takeFrom } from './taking.ts'

/** Compartments of which the feed tells in one go. */
const movesAtOnce = 4_096

/** After so long without a question it is let go: for a hundred thousand compartments it is gigabytes, and made anew in seconds. */
const idleMs = 1_800_000

/** Rows of a compartment that was just made which are worth keeping until it is known whose it is. */
const fewRows = 256

/** What a version, and a compartment, are taken to need before any were measured. */
const guessedBytes = { version: 400, compartment: 400 }

/** What an index of many compartments is kept up from. */
export interface PopulationRooms {
  readonly room: SliceRoom
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
 * not in it and is counted. The index is parted into slices, of which only as many are in memory as have room there.
 */
export class Population {
  readonly #part: Part
  readonly #rooms: PopulationRooms
  #slices: Slices | undefined
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
  /** The moment as of which the room was looked at last. */
  #settledAt = 0
  /** Whether compartments are still being parted: nothing is put between them before they are. */
  #isMaking = false

  constructor(part: Part, rooms: PopulationRooms) {
    this.#part = part
    this.#rooms = rooms
    rooms.room.addBase(() => this.#slices?.baseBytes ?? 0)
  }

  /** What cannot be read, as of the last look. */
  get losses(): readonly Loss[] {
    return [...this.#lost.values()]
  }

  /** Seq of the last version that is known of a compartment. */
  headOf(compartment: CompartmentId): number | undefined {
    return this.#slices?.headOf(compartment)
  }

  /** What a version takes in memory, on average. */
  get bytesOfVersion(): number {
    const { list = [], moves } = this.#slices ?? {}
    const bytes = list.reduce((sum, slice) => sum + (slice.index?.sizeBytes ?? slice.bytes), 0)
    let versions = 0
    for (const { holders } of list)
      for (const compartment of holders.keys()) versions += moves?.headOf(compartment) ?? 0
    return versions === 0 ? guessedBytes.version : bytes / versions
  }

  /** The compartments, with all that the store holds at this moment. */
  async now(): Promise<Slices> {
    for (;;) {
      this.#usedMs = this.#rooms.clock.nowMs()
      await this.#fresh()
      if (this.#slices !== undefined) return this.#slices
    }
  }

  /**
   * Looks into a slice.
   *
   * @param policy  which others make room for it: those that were not used for longest, or, where all are gone through in turn, the last ones
   */
  async look<T>(
    slices: Slices,
    slice: Slice,
    policy: 'oldest' | 'newest',
    work: (index: PopulationIndex) => Promise<T>,
  ): Promise<T> {
    const { room } = this.#rooms
    try {
      return await room.use(slice, { read: () => this.#read(slices, slice), policy }, work)
    } finally {
      // It may have been parted, or all of it made anew, while somebody went through what was there.
      if (slice.users === 0 && (this.#slices !== slices || !slices.list.includes(slice))) room.drop(slice)
    }
  }

  /** To be called now and then: lets go of what nobody has asked for in half an hour. */
  sweep(): void {
    if (this.#rooms.clock.nowMs() - this.#usedMs > idleMs) this.reset()
  }

  /** Forgets all of it: what it was made from is different now. */
  reset(): void {
    for (const slice of this.#slices?.list ?? []) this.#rooms.room.drop(slice)
    this.#slices = undefined
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
    const index = this.#slices
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

  /** Whether the store shows more of a compartment than is here; of what is lost nothing is here, and that is known. Whoever came just now may be anybody. */
  isBehind(compartment: CompartmentId, head: number): boolean {
    if (this.#slices === undefined || this.#lost.has(compartment) || head <= (this.headOf(compartment) ?? 0))
      return false
    const holder = this.#rooms.registry.known(compartment)
    return holder === undefined || partOf(holder) === this.#part
  }

  /**
   * Follows what moved, and takes in what it was not told of.
   *
   * @param there  heads that the store showed before
   * @returns the compartments of which the feed did not tell
   */
  async takeUntold(there: ReadonlyMap<CompartmentId, number>): Promise<readonly CompartmentId[]> {
    if (there.size === 0) return []
    await this.#fresh()
    const isNamed = (of: CompartmentId) => this.#unknown.has(of) || this.#behind.has(of)
    const isSomebodys = (of: CompartmentId) => this.#rooms.registry.known(of) !== undefined
    const untold = [...there]
      .filter(([of, head]) => isSomebodys(of) && !isNamed(of) && this.isBehind(of, head))
      .map(([of]) => of)
    for (const compartment of untold) this.#fallBehind(compartment)
    return untold
  }

  /** Something of this compartment turned out not to be readable. */
  lose(holder: Holder, why: Problem): void {
    if (partOf(holder) !== this.#part) return
    this.#slices?.drop(holder.compartment)
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
    if (this.#slices === undefined) await this.#make()
    if (registry.generation !== this.#generation) this.#dropErased()
    // It names what this process wrote too: should any of that not have been told, it is found here.
    await this.#followMoves()
    this.#dropRefused()
    if (this.#behind.size > 0) await this.#catchUp()
    await this.#tidy()
  }

  async #make(): Promise<void> {
    const { registry, checked } = this.#rooms
    this.reset()
    await checked()
    await this.#markFeed()
    const slices = new Slices()
    this.#slices = slices
    const holders = [...registry.holders, ...registry.erased.map(({ audit }) => audit)]
    this.#generation = registry.generation
    this.#isMaking = true
    try {
      await this.#makeSlices(
        slices,
        holders.filter(holder => partOf(holder) === this.#part),
      )
    } catch (error) {
      this.reset()
      throw error
    } finally {
      this.#isMaking = false
    }
  }

  /** One slice after the other, each of as many compartments as are likely to fill it. */
  async #makeSlices(slices: Slices, holders: readonly Holder[]): Promise<void> {
    const { room, store } = this.#rooms
    const heads = await store.allHeads()
    const left = holders.toSorted(holderOrder)
    for (let from = 0; from < left.length || from === 0; ) {
      const ofVersion = from === 0 ? guessedBytes.version : this.bytesOfVersion
      let [until, bytes] = [from, 0]
      do bytes += guessedBytes.compartment + ofVersion * (heads.get(left[until++]?.compartment ?? '') ?? 0)
      while (until < left.length && bytes < room.sliceBytes)
      const portion = left.slice(from, until)
      const [first] = portion
      if (first === undefined) return
      const slice = slices.begin(first)
      await room.make(slice, bytes, () => this.#take(portion))
      from = until
    }
  }

  /** Takes what is worn, or has grown, out of memory, so that it is read anew; what others have grown beyond goes too. */
  async #tidy(): Promise<void> {
    const { room } = this.#rooms
    const slices = this.#slices
    if (slices === undefined || slices.moves.count === this.#settledAt) return
    for (const slice of slices.list) {
      const isLarge = (slice.index?.sizeBytes ?? slice.bytes) > 2 * room.sliceBytes && slice.holders.size > 1
      if (!isLarge && slice.index?.isWorn !== true) continue
      if ((await room.forget(slice)) && isLarge) slices.split(slice)
    }
    if (slices.moves.isLong) slices.shorten()
    await room.settle()
    this.#settledAt = slices.moves.count
  }

  /** Reads the rows of a slice that are not in memory. */
  async #read(slices: Slices, slice: Slice): Promise<void> {
    const index = new PopulationIndex()
    let behind: readonly Holder[] = [...slice.holders.values()]
    while (behind.length > 0) {
      const before = new Map(behind.map(({ compartment }) => [compartment, index.headOf(compartment)]))
      const failed = await takeFrom(this.#rooms, index, behind)
      for (const holder of failed) await this.#tryAlone(index, holder)
      for (const { compartment } of index.holders)
        if (index.holderOf(compartment) !== slice.holders.get(compartment)) index.drop(compartment)
      behind = [...slice.holders.values()].filter(
        ({ compartment }) => (index.headOf(compartment) ?? 0) < (slices.headOf(compartment) ?? 0),
      )
      for (const { compartment } of behind) {
        if (!before.has(compartment) || before.get(compartment) !== index.headOf(compartment)) continue
        // The store shows less than was there: it was removed, or rolled back, and whoever opens it finds out which.
        slices.drop(compartment)
        index.drop(compartment)
        this.#fallBehind(compartment)
      }
      behind = behind.filter(({ compartment }) => slice.holders.has(compartment))
    }
    slices.enter(slice, index)
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
    const known = this.#slices?.holderOf(compartment)
    if (known === undefined || (known.patient === undefined && known.account === undefined)) return
    this.#slices?.drop(compartment)
    this.#behind.set(compartment, audit)
  }

  #forget(compartment: CompartmentId): void {
    this.#slices?.drop(compartment)
    this.#lost.delete(compartment)
    this.#behind.delete(compartment)
    this.#made.delete(compartment)
  }

  /** What is not believed any more is not shown either; what is believed again is looked at anew. */
  #dropRefused(): void {
    const { notes } = this.#rooms
    for (const compartment of notes.refused) {
      const holder = this.#slices?.holderOf(compartment)
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
    const known = this.#slices?.headOf(compartment)
    if (known !== undefined && head <= known) return head < known
    this.#lost.delete(compartment)
    this.#fallBehind(compartment)
    return false
  }

  /** What the feed said may be older than what this process made durable meanwhile. What is less now was removed, or rolled back. */
  async #dropLess(compartments: readonly CompartmentId[]): Promise<void> {
    if (compartments.length === 0) return
    const known = new Map(compartments.map(compartment => [compartment, this.#slices?.headOf(compartment) ?? 0]))
    for (const [compartment, head] of await this.#rooms.store.heads(compartments)) {
      if (head >= (known.get(compartment) ?? 0)) continue
      this.#slices?.drop(compartment)
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
    const index = this.#slices
    if (index === undefined) return
    for (const holder of holders) this.#takeMade(index, holder)
    const failed = await takeFrom(this.#rooms, index, holders)
    for (const holder of failed) await this.#tryAlone(index, holder)
    // What this process wrote meanwhile could not be told from what was read.
    if (this.#slices === index && !this.#isMaking && this.#behind.size > 0) await this.#catchUp()
  }

  #takeMade(index: Target, holder: Holder): void {
    const { compartment } = holder
    const rows = this.#made.get(compartment)
    this.#made.delete(compartment)
    if (rows !== undefined && index.headOf(compartment) === undefined) addAll(index, holder, rows)
  }

  /** What was not to be read together is opened like any other ledger: that makes segments anew, and names damage as what it is. */
  async #tryAlone(index: Target, holder: Holder): Promise<void> {
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
function addAll(index: Target, holder: Holder, rows: readonly IndexRow[]): boolean {
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
