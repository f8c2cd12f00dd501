import { counter, gauge, inSlices, withBudget } from '#kernel'
import { type PopulationIndex, Traces } from '#search'
import type { Slice } from './slice.ts'

/** So many slices fit into the room together. */
const slicesKept = 8

const opened = counter('kinhold_population_slices_opened_total', 'Slices of populations that were read into memory')
const forgotten = counter('kinhold_population_slices_forgotten_total', 'Slices of populations that were let go of')

/** Which slice makes room: the one that was not used for longest, or, where all are gone through in turn, the one used last. */
type Policy = 'oldest' | 'newest'

/** What of all populations may be in memory together: slices come when they are asked and go when others need their room. */
export class SliceRoom {
  readonly maxBytes: number
  readonly #kept = new Set<Slice>()
  /** Room that is kept for what is being read. */
  #awaited = 0
  #uses = 0
  /** What is in memory whatever slices are. */
  readonly #bases: (() => number)[] = []
  #releases = Promise.withResolvers<void>()

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes
    const help = 'Bytes of the indexes of all compartments together'
    gauge(this, { name: 'kinhold_population_bytes', help }, room => room.keptBytes)
    gauge(
      this,
      {
        name: 'kinhold_population_bytes_max',
        help: 'What they may take; beyond it questions over all are answered slice by slice',
      },
      room => room.maxBytes,
    )
    gauge(this, { name: 'kinhold_population_slices', help: 'Slices of populations in memory' }, room => room.#kept.size)
  }

  /** What one slice should take. */
  get sliceBytes(): number {
    return this.maxBytes / slicesKept
  }

  get keptBytes(): number {
    let sum = this.#baseBytes
    for (const slice of this.#kept) sum += measured(slice)
    return sum
  }

  get #baseBytes(): number {
    return this.#bases.reduce((sum, bytes) => sum + bytes(), 0)
  }

  /** @param bytes  tells what somebody has in memory beside slices */
  addBase(bytes: () => number): void {
    this.#bases.push(bytes)
  }

  /** Whether these fit into the room together. */
  fits(slices: readonly Slice[]): boolean {
    return slices.reduce((sum, slice) => sum + measured(slice), this.#baseBytes) <= this.maxBytes
  }

  /** Reads a slice that is being made for the first time; its index is there already. */
  async make(slice: Slice, bytes: number, read: () => Promise<void>): Promise<void> {
    slice.users++
    try {
      await this.#read(slice, bytes, 'newest', read)
    } finally {
      this.#release(slice)
    }
  }

  /**
   * Looks into a slice, which is read if it is not in memory. Whoever does so waits for no other one meanwhile.
   *
   * @param read  puts its index there
   */
  async use<T>(
    slice: Slice,
    { read, policy }: { readonly read: () => Promise<void>; readonly policy: Policy },
    work: (index: PopulationIndex) => Promise<T>,
  ): Promise<T> {
    slice.users++
    try {
      while (slice.index === undefined) {
        // Others wait for the same reading, so that it is on nobody's budget.
        slice.reading ??= withBudget('unbounded', () => this.#read(slice, slice.bytes, policy, read)).finally(() => {
          slice.reading = undefined
        })
        await slice.reading
      }
      return await work(slice.index)
    } finally {
      this.#release(slice)
    }
  }

  /** Holds slices that are in memory there while somebody looks into all of them. */
  async holding<T>(slices: readonly Slice[], work: () => Promise<T>): Promise<T> {
    for (const slice of slices) slice.users++
    try {
      return await work()
    } finally {
      for (const slice of slices) this.#release(slice)
    }
  }

  /** What is in memory has grown: others go until it fits again. */
  async settle(): Promise<void> {
    await withBudget('unbounded', () => this.#makeRoom(0, 'oldest', false))
  }

  /** Lets go of a slice unless somebody looks into it. @returns whether it is gone */
  async forget(slice: Slice): Promise<boolean> {
    const { index } = slice
    if (index === undefined) return slice.users === 0
    if (slice.users > 0) return false
    if (slice.traces === undefined || slice.tracedHead !== index.head) {
      const { head } = index
      slice.traces = undefined
      // Among its rows are still those of who left it.
      const traces = index.departures > 0 ? undefined : await inSlices(Traces.of(index))
      if (slice.users > 0 || slice.index !== index) return false
      if (index.head === head && index.departures === 0) {
        slice.traces = traces
        slice.tracedHead = head
      }
    }
    slice.bytes = index.sizeBytes
    this.drop(slice)
    return true
  }

  /** The same without remembering anything of it. */
  drop(slice: Slice): void {
    if (slice.index !== undefined) forgotten.add()
    slice.index = undefined
    this.#kept.delete(slice)
  }

  async #read(slice: Slice, bytes: number, policy: Policy, read: () => Promise<void>): Promise<void> {
    await this.#makeRoom(bytes, policy, true)
    this.#awaited += bytes
    try {
      await read()
      if (slice.index !== undefined) {
        this.#kept.add(slice)
        opened.add()
      }
    } finally {
      this.#awaited -= bytes
    }
  }

  /** @param waits  whether it is waited until others have looked into theirs */
  async #makeRoom(bytes: number, policy: Policy, waits: boolean): Promise<void> {
    while (this.keptBytes + this.#awaited + bytes > this.maxBytes) {
      const free = [...this.#kept].filter(({ users }) => users === 0)
      const [victim] = free.sort((a, b) => (policy === 'oldest' ? a.lastUsed - b.lastUsed : b.lastUsed - a.lastUsed))
      if (victim !== undefined) await this.forget(victim)
      else if (!waits || (this.#kept.size === 0 && this.#awaited === 0)) return
      else await this.#releases.promise
    }
  }

  #release(slice: Slice): void {
    slice.users--
    slice.lastUsed = ++this.#uses
    this.#releases.resolve()
    this.#releases = Promise.withResolvers()
  }
}

function measured({ index, bytes }: Slice): number {
  return index?.sizeBytes ?? bytes
}
