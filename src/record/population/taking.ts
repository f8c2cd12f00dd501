import { giveWay, isProblem, type Problem } from '#kernel'
import type { Holder, IndexRow } from '#search'
import { type CompartmentId, type Entry, mayFollow, type Store, type Stretch } from '#store'
import type { CompartmentKeys, Vault } from '#vault'
import { ledgerDamaged, rowOf, soundPayload } from '../ledger/ledger-index.ts'
import type { HeadNotes } from '../upkeep/head-notes.ts'

/** So many compartments that an index holds a part of are read on by themselves. */
const readAhead = 1_024

interface TakingRooms {
  readonly store: Store
  readonly vault: Vault
  readonly notes: HeadNotes
}

/** What takes in the rows of compartments, each in its order. */
export interface Target {
  /** Seq of the last version that is there; undefined when the compartment is not. */
  headOf(compartment: CompartmentId): number | undefined
  admit(holder: Holder): void
  addSegment(holder: Holder, bytes: Uint8Array): void
  addRow(holder: Holder, row: IndexRow): void
  drop(compartment: CompartmentId): void
}

/** Whether a compartment is not there any more: somebody was erased. */
export function isMissing(error: unknown): boolean {
  return isProblem(error) && error.code === 'vault.key-destroyed'
}

/**
 * Takes into an index what the store holds of compartments beyond what the index has of them.
 *
 * @returns those of which something could not be read; nothing of them is in the index then
 */
export async function takeFrom(
  rooms: TakingRooms,
  index: Target,
  holders: readonly Holder[],
): Promise<readonly Holder[]> {
  const taking = new Taking(rooms, index, holders)
  const isNew = ({ compartment }: Holder) => index.headOf(compartment) === undefined
  const begun = holders.filter(holder => !isNew(holder))
  const cut = await taking.wholly(holders.filter(isNew))
  for (const holder of [...begun, ...cut]) await taking.onwards(holder)
  return taking.failed
}

class Taking {
  readonly #rooms: TakingRooms
  readonly #index: Target
  readonly #holders: ReadonlyMap<CompartmentId, Holder>
  readonly #failed = new Set<Holder>()

  constructor(rooms: TakingRooms, index: Target, holders: readonly Holder[]) {
    this.#rooms = rooms
    this.#index = index
    this.#holders = new Map(holders.map(holder => [holder.compartment, holder]))
  }

  get failed(): readonly Holder[] {
    return [...this.#failed]
  }

  /** Many that are not there yet, in the order that reads fastest. @returns those of which what was read did not join up */
  async wholly(holders: readonly Holder[]): Promise<readonly Holder[]> {
    const cut = new Set<Holder>()
    const { store, vault } = this.#rooms
    for await (const page of store.stretches(holders.map(({ compartment }) => compartment))) {
      const keys = await vault.compartmentKeysOf(page.map(({ compartment }) => compartment))
      for (const stretch of page) {
        const holder = this.#holders.get(stretch.compartment)
        const own = keys.get(stretch.compartment)
        if (holder !== undefined) await this.#trying(holder, () => this.#addStretch(holder, usable(own), stretch))
        if (holder !== undefined && (this.#index.headOf(holder.compartment) ?? 0) < endOf(stretch)) cut.add(holder)
        const pause = giveWay()
        if (pause !== undefined) await pause
      }
    }
    return [...cut]
  }

  /** One of which there is a part. */
  async onwards(holder: Holder): Promise<void> {
    const { compartment } = holder
    const { store, vault } = this.#rooms
    const from = () => (this.#index.headOf(compartment) ?? 0) + 1
    for (let isMore = true; isMore && !this.#failed.has(holder); ) {
      const entries = await store.entriesFrom(compartment, from(), readAhead)
      await this.#trying(holder, async () => this.#addEntries(holder, await vault.compartment(compartment), entries))
      isMore = mayFollow(entries, readAhead)
    }
  }

  async #trying(holder: Holder, work: () => Promise<void>): Promise<void> {
    if (this.#failed.has(holder)) return
    try {
      this.#rooms.notes.checkSound(holder.compartment)
      await work()
    } catch (error) {
      this.#index.drop(holder.compartment)
      if (isMissing(error)) return
      if (!isProblem(error, 'fault')) throw error
      this.#failed.add(holder)
    }
  }

  async #addStretch(holder: Holder, keys: CompartmentKeys, { segments, entries }: Stretch): Promise<void> {
    this.#index.admit(holder)
    for (const segment of segments)
      if (segment.fromSeq === (this.#index.headOf(holder.compartment) ?? 0) + 1)
        this.#index.addSegment(holder, keys.openSegment(segment))
    await this.#addEntries(holder, keys, entries)
  }

  /** What was taken in meanwhile is passed over; what does not follow it is damage. */
  async #addEntries(holder: Holder, keys: CompartmentKeys, entries: readonly Entry[]): Promise<void> {
    for (const entry of entries) {
      if (entry.seq <= (this.#index.headOf(holder.compartment) ?? 0)) continue
      const payload = soundPayload(keys, entry)
      if (payload === undefined) throw ledgerDamaged()
      this.#index.addRow(holder, rowOf(entry, payload))
      const pause = giveWay()
      if (pause !== undefined) await pause
    }
  }
}

/** Seq of the last entry that a stretch tells of. */
function endOf({ segments, entries }: Stretch): number {
  return Math.max(segments.at(-1)?.untilSeq ?? 0, entries.at(-1)?.seq ?? 0)
}

/** @throws Problem that says why there are none */
function usable(keys: CompartmentKeys | Problem | undefined): CompartmentKeys {
  if (keys === undefined) throw ledgerDamaged()
  if (isProblem(keys)) throw keys
  return keys
}
