import { createHmac, type KeyObject } from 'node:crypto'
import { type Clock, lengthPrefixed, Problem, toUtf8 } from '#kernel'
import type { CompartmentId, KeyStore, Locator, Sealed, StoredDocument } from '#store'
import type { CompartmentKeys, CompartmentKind } from './compartment-keys.ts'
import { Compartments, type PlannedCompartment } from './compartments.ts'
import { hmac } from './derive.ts'
import { type DocumentPlace, documentPlace } from './document-place.ts'
import { openInstance, replaceRoot } from './instance.ts'
import { guardKeystore, type Keystore } from './keystore/keystore.ts'
import { mint } from './mint.ts'
import { openRecovery, type Recovery } from './recovery.ts'
import { type KeyVersions, Ring } from './ring.ts'
import type { RootProvider } from './roots/root-provider.ts'

/** What may be noted for good. */
export type VaultFact = 'claimed'

/** All keys of one instance. Whoever holds it can read everything: only `record`, `smart`, `share` and `ingest` may. */
export interface Vault {
  /** 32 hex digits, part of everything that is sealed. */
  readonly instanceId: string
  /** Whatever is kept beside the keys. */
  readonly keys: Keystore
  /** Whether this very opening created the instance. */
  readonly created: boolean
  /** Where a resource is found: 32 hex digits that tell neither type nor id. */
  locator(type: string, id: string): Locator
  /** What a document is found by: 32 hex digits that do not tell its name. */
  documentKey(collection: string, name: string): string
  sealDocument(place: DocumentPlace, plain: Uint8Array): Sealed
  /** @throws Problem `fault` · `vault.seal-broken` */
  openDocument(document: StoredDocument): Buffer
  /** Opens what an earlier release sealed, which bound collection and key alone. Throws like `openDocument`. */
  openUnboundDocument(document: StoredDocument): Buffer
  /** A compartment with a new random id and key; both are durable when this resolves. */
  createCompartment(kind: CompartmentKind): Promise<CompartmentKeys>
  /** The same in memory alone: nothing of it is left behind unless it is kept. */
  planCompartment(kind: CompartmentKind): Promise<PlannedCompartment>
  /** @throws Problem `gone` · `vault.key-destroyed` (also: never existed); `fault` · `vault.key-broken` */
  compartment(id: CompartmentId): Promise<CompartmentKeys>
  /** The keys of many at once, for one pass over all of them, or the Problem that `compartment` throws. */
  compartmentKeysOf(ids: readonly CompartmentId[]): Promise<ReadonlyMap<CompartmentId, CompartmentKeys | Problem>>
  /** Whether `compartment` would answer with keys that it has at hand: they are not destroyed as far as is known here. */
  hasAtHand(id: CompartmentId): boolean
  /** Whether it is known here that its key was destroyed; `isDestroyed` asks. */
  wasDestroyed(id: CompartmentId): boolean
  /** To be called now and then: learns which keys other processes have destroyed, where they have written to the keystore. */
  hearOfDestroyed(): Promise<void>
  /** To be told when what held keys that were destroyed was let go of. */
  letGo(): void
  compartments(): Promise<readonly { id: CompartmentId; kind: string }[]>
  /** Whether the key of a compartment was destroyed, by whatever process: asked of the keystore each time. */
  isDestroyed(id: CompartmentId): Promise<boolean>
  /** Gives a compartment a further key version, which seals from now on. */
  renewCompartment(id: CompartmentId): Promise<CompartmentKeys>
  /** How many versions a compartment's key has. */
  versionsOf(id: CompartmentId): Promise<number>
  /** Destroys all versions of a compartment's key but the newest, once nothing is left that they have sealed. */
  retireCompartment(id: CompartmentId): Promise<void>
  /** Removes the key of a compartment that never came to be: nothing that it sealed is durable anywhere. */
  discardCompartment(id: CompartmentId): Promise<void>
  /** Destroys every version of a compartment's key and leaves a tombstone. There is no way back. */
  destroy(id: CompartmentId): Promise<void>
  /**
   * Takes the keystore for what was written, however it is now: one that an earlier release has left, or that was restored.
   *
   * @returns how many rows were left out, because they are forged
   */
  takeKeystoreAsItIs(): Promise<number>
  /** Makes `next` the root in place of all others but the recovery code. The old root then opens old backups only. */
  rotateRoot(next: RootProvider): Promise<void>
  /** Whether it was noted beside the keys, by `noteFact`, that this has happened: what a store that is put back cannot undo. */
  hasFact(fact: VaultFact): Promise<boolean>
  noteFact(fact: VaultFact): Promise<void>
  /** The code on paper that opens the house when its root is lost. */
  readonly recovery: Recovery
  /** HMAC-SHA256 under a key of this purpose; purposes are constants of the code, not data. */
  mac(purpose: string, bytes: Uint8Array): Buffer
  /** Seals what leaves the house and comes back: page cursors, state. */
  sealUnder(purpose: string, plain: Uint8Array, context: Uint8Array): Buffer
  /** @throws Problem `invalid` · `vault.cursor-forged` for anything not sealed here under this purpose and context */
  openUnder(purpose: string, sealedBytes: Uint8Array, context: Uint8Array): Buffer
  /** Forgets the keys; every later call throws Problem `fault` · `vault.closed`. The keystore is left open. */
  close(): void
}

const defaultKeyBytes = 64 * 1024 * 1024

/** What a vault is opened with. */
export interface VaultOptions {
  readonly keys: KeyStore
  readonly root: RootProvider
  readonly clock: Clock
  /** Whether an empty keystore becomes a new instance; unless told, it does. */
  readonly mayCreate?: boolean
  /** What unwrapped keys of compartments may take in memory; 64 MiB unless told. */
  readonly keyBytes?: number
  /** Called when keys were forgotten that nobody should find in the memory of this process; see `wipeForgotten`. */
  forgotten?(): void
}

/**
 * Opens the vault with one root; in an empty keystore it creates the instance key.
 *
 * @throws Problem `fault` · `vault.root-missing` (says which kind of root is needed), `vault.keystore-mixed`,
 *   `vault.keystore-damaged`, `vault.keystore-empty`; `unauthenticated` · `vault.root-refused`; and what the root throws
 */
export async function openVault({
  keys,
  root,
  clock,
  mayCreate = true,
  keyBytes = defaultKeyBytes,
  forgotten = () => undefined,
}: VaultOptions): Promise<Vault> {
  const instance = await openInstance(keys, root, mayCreate)
  const guarded = guardKeystore(keys, instance.keys)
  const compartments = new Compartments(guarded, clock, instance.keys, { keyBytes, forgotten })
  // Whether what an earlier release has left is to be believed is for somebody else to say.
  if (!(await guarded.isUnsealed())) await compartments.replayTombstones()
  return new OpenVault(guarded, instance.keys, compartments, { created: instance.created, forgotten })
}

class OpenVault implements Vault {
  readonly instanceId: string
  readonly created: boolean
  readonly recovery: Recovery
  readonly keys: Keystore
  readonly #instance: KeyVersions
  readonly #compartments: Compartments
  readonly #forgotten: () => void
  readonly #documents: Ring
  readonly #rings = new Map<string, Ring>()
  readonly #macs = new Map<string, KeyObject>()

  constructor(
    keys: Keystore,
    instance: KeyVersions,
    compartments: Compartments,
    { created, forgotten }: { readonly created: boolean; readonly forgotten: () => void },
  ) {
    this.#forgotten = forgotten
    this.keys = keys
    this.#instance = instance
    this.#compartments = compartments
    this.#documents = new Ring(instance, 'documents')
    this.recovery = openRecovery(keys, instance, () => compartments.checkOpen())
    this.instanceId = instance.instanceId
    this.created = created
  }

  locator(type: string, id: string): Locator {
    const digest = createHmac('sha256', this.#macKey('locators')).update(`${type}/${id}`).digest('hex')
    return digest.slice(0, 32)
  }

  documentKey(collection: string, name: string): string {
    return this.mac('document-keys', lengthPrefixed([collection, name])).toString('hex', 0, 16)
  }

  sealDocument(place: DocumentPlace, plain: Uint8Array): Sealed {
    this.#compartments.checkOpen()
    return mint(this.#documents.seal('document', documentPlace(place), plain))
  }

  openDocument(document: StoredDocument): Buffer {
    this.#compartments.checkOpen()
    return this.#documents.open('document', documentPlace(document), document.sealed)
  }

  openUnboundDocument({ collection, key, sealed }: StoredDocument): Buffer {
    this.#compartments.checkOpen()
    return this.#documents.open('document', [collection, key], sealed)
  }

  createCompartment(kind: CompartmentKind): Promise<CompartmentKeys> {
    return this.#compartments.create(kind)
  }

  planCompartment(kind: CompartmentKind): Promise<PlannedCompartment> {
    return this.#compartments.plan(kind)
  }

  compartment(id: CompartmentId): Promise<CompartmentKeys> {
    return this.#compartments.of(id)
  }

  compartmentKeysOf(ids: readonly CompartmentId[]): Promise<ReadonlyMap<CompartmentId, CompartmentKeys | Problem>> {
    return this.#compartments.ofMany(ids)
  }

  hasAtHand(id: CompartmentId): boolean {
    return this.#compartments.atHand(id) !== undefined
  }

  wasDestroyed(id: CompartmentId): boolean {
    return this.#compartments.wasDestroyed(id)
  }

  hearOfDestroyed(): Promise<void> {
    return this.#compartments.hearOfDestroyed()
  }

  letGo(): void {
    this.#forgotten()
  }

  compartments(): Promise<readonly { id: CompartmentId; kind: string }[]> {
    return this.#compartments.list()
  }

  isDestroyed(id: CompartmentId): Promise<boolean> {
    return this.#compartments.isDestroyed(id)
  }

  renewCompartment(id: CompartmentId): Promise<CompartmentKeys> {
    return this.#compartments.renew(id)
  }

  versionsOf(id: CompartmentId): Promise<number> {
    return this.#compartments.versions(id)
  }

  retireCompartment(id: CompartmentId): Promise<void> {
    return this.#compartments.retire(id)
  }

  discardCompartment(id: CompartmentId): Promise<void> {
    return this.#compartments.discard(id)
  }

  destroy(id: CompartmentId): Promise<void> {
    return this.#compartments.destroy(id)
  }

  async takeKeystoreAsItIs(): Promise<number> {
    this.#compartments.checkOpen()
    const left = await this.keys.takeAsItIs()
    await this.#compartments.replayTombstones()
    return left.length
  }

  async rotateRoot(next: RootProvider): Promise<void> {
    this.#compartments.checkOpen()
    await replaceRoot(this.keys, this.#instance, next)
  }

  async hasFact(fact: VaultFact): Promise<boolean> {
    // Where somebody has scratched something was written: it is not offered again.
    return (await this.keys.note(`fact:${fact}`)) !== undefined
  }

  async noteFact(fact: VaultFact): Promise<void> {
    await this.keys.setNotes(new Map([[`fact:${fact}`, toUtf8(fact)]]))
  }

  mac(purpose: string, bytes: Uint8Array): Buffer {
    return hmac(this.#macKey(purpose), bytes)
  }

  sealUnder(purpose: string, plain: Uint8Array, context: Uint8Array): Buffer {
    return this.#ring(purpose).seal('under', [context], plain)
  }

  openUnder(purpose: string, sealedBytes: Uint8Array, context: Uint8Array): Buffer {
    const ring = this.#ring(purpose)
    try {
      return ring.open('under', [context], sealedBytes)
    } catch (cause) {
      throw new Problem('invalid', 'vault.cursor-forged', 'This token is not one that was given to you here.', {
        cause,
      })
    }
  }

  close(): void {
    this.#compartments.close()
    this.#rings.clear()
    this.#macs.clear()
  }

  #ring(purpose: string): Ring {
    this.#compartments.checkOpen()
    const ring = this.#rings.get(purpose) ?? new Ring(this.#instance, `under/${purpose}`)
    this.#rings.set(purpose, ring)
    return ring
  }

  #macKey(purpose: string): KeyObject {
    this.#compartments.checkOpen()
    const known = this.#macs.get(purpose)
    if (known) return known
    const key = this.#instance.stableKey(`mac/${purpose}`)
    this.#macs.set(purpose, key)
    return key
  }
}
