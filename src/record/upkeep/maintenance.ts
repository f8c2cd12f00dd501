import type { Holder } from '#search'
import type { KeyStore, Store } from '#store'
import type { Documents, Vault } from '#vault'
import type { ReadAudit } from '../audit/audit.ts'
import type { Shelf } from '../ledger/shelf.ts'
import type { Registry } from '../registry/registry.ts'
import { everyHolder } from './verify.ts'

/** What maintenance works on. */
export interface MaintenanceRooms {
  readonly store: Store
  readonly keys: KeyStore
  readonly vault: Vault
  readonly documents: Documents
  readonly registry: Registry
  readonly shelf: Shelf
  readonly audit: ReadAudit
}

/** What is done to whole compartments: making their index anew, and removing what a patient had. */
export class Maintenance {
  readonly #rooms: MaintenanceRooms

  constructor(rooms: MaintenanceRooms) {
    this.#rooms = rooms
  }

  /** @returns how many entries were indexed anew */
  async reindex(): Promise<number> {
    const { registry, shelf, store } = this.#rooms
    let entries = 0
    for (const holder of await everyHolder(registry)) {
      this.#close(holder)
      await store.dropSegments(holder.compartment)
      const ledger = await shelf.open(holder)
      await ledger.sealFullSegments()
      entries += ledger.durableHead
    }
    return entries
  }

  /** Destroys a patient's key, and then what it had sealed. The audit stays. */
  async shred(patient: string): Promise<void> {
    const { registry, audit, vault } = this.#rooms
    const pair = await registry.ofPatient(patient)
    if (pair === undefined) return
    await audit.flush()
    this.#close(pair.data)
    await vault.destroy(pair.data.compartment)
    await this.#remove(pair.data)
  }

  /** A crash between the destruction of a key and the removal of what it had sealed leaves the rest to do. */
  async finishShredding(): Promise<void> {
    const { store, keys, registry } = this.#rooms
    const heads = await store.allHeads()
    for (const { owner } of await keys.tombstones()) {
      const holder = registry.known(owner)
      if (holder !== undefined) await this.#remove(holder)
      else if (heads.has(owner)) await store.dropCompartment(owner)
    }
  }

  #close({ compartment }: Holder): void {
    const { shelf } = this.#rooms
    for (const ledger of shelf.opened()) if (ledger.holder.compartment === compartment) shelf.discard(ledger)
  }

  async #remove({ compartment, patient }: Holder): Promise<void> {
    const { store, documents, registry } = this.#rooms
    await store.dropCompartment(compartment)
    if (patient === undefined) return
    await documents.delete('compartments', `patient/${patient}`)
    registry.forget(patient)
    await store.commit({ appends: [], documents: [registry.counting(undefined)] })
  }
}
