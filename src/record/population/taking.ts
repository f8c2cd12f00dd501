import { giveWay, isProblem } from '#kernel'
import type { Holder, PopulationIndex } from '#search'
import type { CompartmentId, Entry, Store, Stretch } from '#store'
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
  index: PopulationIndex,
  holders: readonly Holder[],
): Promise<readonly Holder[]> {
  const taking = new Taking(rooms, index, holders)
  const isNew = ({ compartment }: Holder) => index.headOf(compartment) === undefined
  await taking.wholly(holders.filter(isNew))
  for (const holder of holders.filter(each => !isNew(each))) await taking.onwards(holder)
  return taking.failed
}

class Taking {
  readonly #rooms: TakingRooms
  readonly #index: PopulationIndex
  readonly #holders: ReadonlyMap<CompartmentId, Holder>
  readonly #failed = new Set<Holder>()

  constructor(rooms: TakingRooms, index: PopulationIndex, holders: readonly Holder[]) {
    this.#rooms = rooms
    this.#index = index
    this.#holders = new Map(holders.map(holder => [holder.compartment, holder]))
  }

  get failed(): readonly Holder[] {
    return [...this.#failed]
  }

  /** Many that are not there yet, in the order that reads fastest. */
  async wholly(holders: readonly Holder[]): Promise<void> {
    for await (const page of this.#rooms.store.stretches(holders.map(({ compartment }) => compartment)))
      for (const stretch of page) {
        const holder = this.#holders.get(stretch.compartment)
        if (holder !== undefined) await this.#trying(holder, keys => this.#addStretch(holder, keys, stretch))
        const pause = giveWay()
        if (pause !== undefined) await pause
      }
  }

  /** One of which there is a part. */
  async onwards(holder: Holder): Promise<void> {
    const { compartment } = holder
    const from = () => (this.#index.headOf(compartment) ?? 0) + 1
    for (let isMore = true; isMore && !this.#failed.has(holder); ) {
      const entries = await this.#rooms.store.entriesFrom(compartment, from(), readAhead)
      await this.#trying(holder, keys => this.#addEntries(holder, keys, entries))
      isMore = entries.length === readAhead
    }
  }

  async #trying(holder: Holder, work: (keys: CompartmentKeys) => Promise<void>): Promise<void> {
    const { vault, notes } = this.#rooms
    if (this.#failed.has(holder)) return
    try {
      notes.checkSound(holder.compartment)
      await work(await vault.compartment(holder.compartment))
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
