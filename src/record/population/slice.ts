import { atOnce } from '#kernel'
import { type Holder, holderOrder, type IndexRow, PopulationIndex, type Traces } from '#search'
import type { CompartmentId } from '#store'
import { Moves } from './moves.ts'
import type { Target } from './taking.ts'

/** Neighbouring compartments, in the order of their holders, whose rows are in memory together or not at all. */
export class Slice {
  /** Whose compartments come before this are in the slice before. Somebody who is there, not who was erased. */
  first: Holder | undefined
  readonly holders = new Map<CompartmentId, Holder>()
  /** Undefined while its rows are not in memory. */
  index: PopulationIndex | undefined
  /** What is known of the rows that are not; undefined: nothing. */
  traces: Traces | undefined
  /** The head of the index of which the traces are. */
  tracedHead = -1
  /** What its rows take, or took the last time. */
  bytes = 0
  /** When something of it was written last, Unix milliseconds. */
  newestMs = 0
  /** How many look into it, or wait for it to be read. */
  users = 0
  lastUsed = 0
  reading: Promise<void> | undefined

  constructor(first: Holder | undefined) {
    this.first = first
  }
}

/** The compartments of a population, parted into slices, with how far each is known: of those too whose rows are not in memory. */
export class Slices implements Target {
  moves = new Moves()
  newestMs = 0
  /** Whether of some deletion it is not known when it was written. */
  hasTimeless = false
  #list: readonly Slice[] = []
  readonly #where = new Map<CompartmentId, Slice>()

  /** In the order of their holders. */
  get list(): readonly Slice[] {
    return this.#list
  }

  /** What is in memory of all slices, whether their rows are or not. */
  get baseBytes(): number {
    return this.#list.reduce((sum, { traces }) => sum + (traces?.sizeBytes ?? 0), this.moves.sizeBytes)
  }

  headOf(compartment: CompartmentId): number | undefined {
    return this.moves.headOf(compartment)
  }

  holderOf(compartment: CompartmentId): Holder | undefined {
    return this.#where.get(compartment)?.holders.get(compartment)
  }

  /** Begins another slice behind the others. */
  begin(first: Holder): Slice {
    const slice = new Slice(this.#list.length === 0 ? undefined : first)
    slice.index = new PopulationIndex()
    this.#list = [...this.#list, slice]
    return slice
  }

  admit(holder: Holder): void {
    const { compartment } = holder
    this.#place(holder).index?.admit(holder)
    if (this.headOf(compartment) === undefined) this.moves.note(compartment, 0)
  }

  addSegment(holder: Holder, bytes: Uint8Array): void {
    const slice = this.#place(holder)
    const { index = new PopulationIndex() } = slice
    const isOut = slice.index === undefined
    try {
      index.addSegment(holder, bytes)
    } catch (error) {
      this.drop(holder.compartment)
      throw error
    }
    this.hasTimeless ||= index.hasTimeless
    if (isOut && slice.traces !== undefined) atOnce(slice.traces.take(index))
    this.#noted(slice, holder, index.headOf(holder.compartment) ?? 0, index.newestMs)
  }

  addRow(holder: Holder, row: IndexRow): void {
    const slice = this.#place(holder)
    if (slice.index !== undefined) slice.index.addRow(holder, row)
    else slice.traces?.add(row)
    this.#noted(slice, holder, row.seq, row.lastUpdatedMs)
  }

  /** As if it had never been there: of what is not in memory nothing is left that could have been its. */
  drop(compartment: CompartmentId): void {
    const slice = this.#where.get(compartment)
    this.moves.forget(compartment)
    this.#where.delete(compartment)
    if (slice === undefined) return
    slice.holders.delete(compartment)
    slice.index?.drop(compartment)
    slice.traces = undefined
    this.#boundAnew(compartment)
  }

  /** Slices that began with somebody begin with somebody else: nobody who is there comes between the two. */
  #boundAnew(compartment: CompartmentId): void {
    for (let at = this.#list.length - 1; at > 0; at--) {
      const slice = this.#list[at] as Slice
      if (slice.first?.compartment === compartment) slice.first = this.#firstOf(at)
    }
  }

  /** One that is empty ends where it begins, or is the last one and begins with who comes last before it. */
  #firstOf(at: number): Holder | undefined {
    const own = extreme(this.#list[at]?.holders.values() ?? [], -1)
    if (own !== undefined || at + 1 < this.#list.length) return own ?? this.#list[at + 1]?.first
    for (let before = at - 1; before >= 0; before--) {
      const last = extreme(this.#list[before]?.holders.values() ?? [], 1)
      if (last !== undefined) return last
    }
    return undefined
  }

  /** What was read of a slice is from now on what is there of it. */
  enter(slice: Slice, index: PopulationIndex): void {
    for (const { compartment } of index.holders) if (!slice.holders.has(compartment)) index.drop(compartment)
    for (const [compartment, holder] of slice.holders) {
      const head = index.headOf(compartment) ?? 0
      if (head <= (this.headOf(compartment) ?? 0)) continue
      // More was read than had been told of.
      slice.traces = undefined
      this.#noted(slice, holder, head, index.newestMs)
    }
    this.hasTimeless ||= index.hasTimeless
    slice.tracedHead = index.head
    slice.index = index
  }

  /** Parts one that has grown into two. */
  split(slice: Slice): void {
    const holders = [...slice.holders.values()].sort(holderOrder)
    const versions = holders.map(({ compartment }) => this.headOf(compartment) ?? 0)
    const half = versions.reduce((sum, each) => sum + each, 0) / 2
    let middle = 1
    for (let sum = versions[0] ?? 0; middle < holders.length - 1 && sum < half; middle++) sum += versions[middle] ?? 0
    const parts = [new Slice(slice.first), new Slice(holders[middle])]
    for (const [at, holder] of holders.entries()) {
      const part = parts[at < middle ? 0 : 1] as Slice
      part.holders.set(holder.compartment, holder)
      this.#where.set(holder.compartment, part)
    }
    for (const part of parts) {
      part.bytes = slice.bytes / 2
      part.newestMs = slice.newestMs
    }
    this.#list = this.#list.flatMap(each => (each === slice ? parts : [each]))
  }

  /** Forgets moments that nobody asks about any more. */
  shorten(): void {
    const before = this.moves
    this.moves = new Moves()
    for (const compartment of this.#where.keys()) this.moves.note(compartment, before.headOf(compartment) ?? 0)
  }

  #noted(slice: Slice, { compartment }: Holder, head: number, atMs: number): void {
    this.moves.note(compartment, head)
    if (atMs > slice.newestMs) slice.newestMs = atMs
    if (atMs > this.newestMs) this.newestMs = atMs
    if (slice.traces?.isWorn === true) slice.traces = undefined
  }

  #place(holder: Holder): Slice {
    const known = this.#where.get(holder.compartment)
    if (known !== undefined) return known
    const slice = this.#sliceFor(holder)
    slice.holders.set(holder.compartment, holder)
    this.#where.set(holder.compartment, slice)
    return slice
  }

  /** The last one that begins before a holder. */
  #sliceFor(holder: Holder): Slice {
    let [low, high] = [0, this.#list.length - 1]
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      const { first } = this.#list[middle] as Slice
      if (first === undefined || holderOrder(first, holder) <= 0) low = middle
      else high = middle - 1
    }
    return this.#list[low] ?? this.begin(holder)
  }
}

/** The first of some holders (sign -1), or the last (1). */
function extreme(holders: Iterable<Holder>, sign: -1 | 1): Holder | undefined {
  let found: Holder | undefined
  for (const holder of holders) if (found === undefined || holderOrder(holder, found) * sign > 0) found = holder
  return found
}
