import { type Clock, type Log, mapFew } from '#kernel'
import type { CompartmentId, Store } from '#store'
import type { Vault } from '#vault'
import type { Registry } from '../registry/registry.ts'
import { noteName } from './head-notes.ts'

interface SweepRooms {
  readonly store: Store
  readonly vault: Vault
  readonly registry: Registry
  readonly clock: Clock
  readonly log: Log
}

/** Longer than any commit takes between the keystore and the store. */
const unnamedForMs = 600_000
/** Notes that are asked for together. */
const askedAtOnce = 64

/**
 * Keys of patients or households who never came to be: their process died between the keystore and the store. Whatever was ever
 * durable has entries or a noted head, so a database that was rolled back or restored costs no key.
 */
export class KeySweep {
  readonly #rooms: SweepRooms
  readonly #since = new Map<CompartmentId, number>()

  constructor(rooms: SweepRooms) {
    this.#rooms = rooms
  }

  /** @returns how many keys were removed: those that were nobody's at an earlier look, long enough ago, as well */
  async run(): Promise<number> {
    const { vault, clock, log } = this.#rooms
    const nowMs = clock.nowMs()
    const unnamed = await this.#unnamed()
    for (const id of this.#since.keys()) if (!unnamed.has(id)) this.#since.delete(id)
    let count = 0
    for (const id of unnamed) {
      const since = this.#since.get(id) ?? nowMs
      this.#since.set(id, since)
      if (nowMs - since < unnamedForMs) continue
      await vault.discardCompartment(id)
      count++
    }
    if (count > 0) log.info('keys of patients who never came to be were removed', { room: 'record', count })
    return count
  }

  async #unnamed(): Promise<ReadonlySet<CompartmentId>> {
    const { store, vault, registry } = this.#rooms
    const named = await registry.named()
    // A registration that cannot be opened may name any of them.
    if (named === undefined) return new Set()
    const heads = await store.allHeads()
    const doubtful = (await vault.compartments()).filter(
      ({ id, kind }) => kind !== 'documents' && !named.has(id) && !heads.has(id),
    )
    const noted = await mapFew(doubtful, askedAtOnce, ({ id }) => vault.keys.note(noteName(id)))
    return new Set(doubtful.filter((_, at) => noted[at] === undefined).map(({ id }) => id))
  }
}
