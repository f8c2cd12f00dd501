import { randomFillSync } from 'node:crypto'
import type { KeyStore, Store, StoredDocument, WrappedKey } from '#store'
import { rewrapRow } from './compartment-rows.ts'
import { takeKey } from './derive.ts'
import { documentPlace } from './document-place.ts'
import { keyVersionOf } from './envelope.ts'
import { instanceOwner, instanceRows, openInstance, type Wrapper, wrapInstance } from './instance.ts'
import { guardKeystore, type Keystore } from './keystore/keystore.ts'
import { mint } from './mint.ts'
import { KeyVersions, Ring } from './ring.ts'
import { recoverySeal } from './roots/recovery-root.ts'
import type { RootProvider } from './roots/root-provider.ts'

/** What a new epoch of the instance key is made with. Nobody else may have store or keystore open. */
export interface InstanceRotation {
  readonly keys: KeyStore
  readonly store: Store
  readonly root: RootProvider
  /** Puts a document, sealed anew, in the place of the one that it was: as one write that says so. */
  replaceDocument(before: StoredDocument, after: StoredDocument): Promise<void>
}

/** How much was moved to the new epoch. */
export interface Rotated {
  readonly epoch: number
  readonly keys: number
  readonly documents: number
}

/**
 * Gives the instance key a new epoch, and moves to it whatever the old ones hold: the keys of compartments and the documents. One
 * that was cut off is gone on with, not begun anew. The old epochs stay, wrapped by the roots of today alone: names are found
 * by the oldest, and backups of the data from before open with them.
 *
 * @throws Problem as `openVault`
 */
export async function rotateInstance(rotation: InstanceRotation): Promise<Rotated> {
  const { store, root } = rotation
  const before = (await openInstance(rotation.keys, root, false)).keys
  const keys = guardKeystore(rotation.keys, before)
  const instance = (await isUnderWay(keys, store, before)) ? before : addEpoch(before)
  // Every way in knows the epoch before anything is sealed with it.
  await wrapForAll(keys, instance, root)
  // The keys last: whoever writes the documents has opened theirs under an epoch before.
  const documents = await resealDocuments(rotation, instance)
  return { epoch: instance.newest, keys: await rewrapKeys(keys, instance), documents }
}

function addEpoch(instance: KeyVersions): KeyVersions {
  const fresh = takeKey(randomFillSync(Buffer.alloc(32)))
  return new KeyVersions(
    instance.instanceId,
    instance.owner,
    new Map([...instance.entries(), [instance.newest + 1, fresh]]),
  )
}

/** Whether something still lies under an older epoch than the newest. */
async function isUnderWay(keys: Keystore, store: Store, instance: KeyVersions): Promise<boolean> {
  if (instance.newest === instance.oldest) return false
  const owned = (await keys.all()).filter(row => row.owner !== instanceOwner)
  if (owned.some(row => row.params.epoch !== instance.newest)) return true
  for await (const document of allDocuments(store)) if (keyVersionOf(document.sealed) !== instance.newest) return true
  return false
}

async function wrapForAll(keys: Keystore, instance: KeyVersions, root: RootProvider): Promise<void> {
  await put(keys, instance, root, root.kind)
  for (const kind of ['recovery', 'recovery-untried']) {
    const [row] = await instanceRows(keys, kind)
    if (row !== undefined && kind !== root.kind)
      await put(keys, instance, recoverySeal(String(row.params.publicKey)), kind)
  }
  // A change of root that was cut off has left another one, which would not know the epoch.
  const known = new Set([root.kind, 'recovery', 'recovery-untried'].map(kind => `${instanceOwner}:${kind}`))
  const kinds = new Set((await keys.of(instanceOwner)).map(({ kind }) => kind))
  for (const kind of kinds) if (!known.has(kind)) await keys.replace(instanceOwner, kind, [])
}

async function put(keys: Keystore, instance: KeyVersions, root: Wrapper, kind: string): Promise<void> {
  const { rows, rowKind } = await wrapInstance(instance, root, kind)
  await keys.replace(instanceOwner, rowKind, rows)
}

async function rewrapKeys(keys: Keystore, instance: KeyVersions): Promise<number> {
  const owned = (await keys.all()).filter(row => row.owner !== instanceOwner)
  const stale = Map.groupBy(owned, row => `${row.owner} ${row.kind}`)
  let count = 0
  for (const rows of stale.values()) count += await rewrapOwner(keys, instance, rows)
  return count
}

async function rewrapOwner(keys: Keystore, instance: KeyVersions, rows: readonly WrappedKey[]): Promise<number> {
  const [first] = rows
  if (first === undefined || rows.every(row => row.params.epoch === instance.newest)) return 0
  const rewrapped = await Promise.all(rows.map(row => rewrapRow(instance, row)))
  await keys.replace(first.owner, first.kind, rewrapped)
  return rows.length
}

async function resealDocuments(rotation: InstanceRotation, instance: KeyVersions): Promise<number> {
  const ring = new Ring(instance, 'documents')
  let count = 0
  for await (const before of allDocuments(rotation.store)) {
    if (keyVersionOf(before.sealed) === instance.newest) continue
    await rotation.replaceDocument(before, resealed(ring, before))
    count++
  }
  return count
}

function resealed(ring: Ring, before: StoredDocument): StoredDocument {
  const plain = ring.open('document', documentPlace(before), before.sealed)
  const after = { ...before, revision: before.revision + 1 }
  return { ...after, sealed: mint(ring.seal('document', documentPlace(after), plain)) }
}

async function* allDocuments(store: Store): AsyncGenerator<StoredDocument, void, void> {
  const atOnce = 200
  for (let last: StoredDocument | undefined; ; ) {
    const page = await store.everyDocument(last, atOnce)
    yield* page
    last = page.at(-1)
    if (page.length < atOnce) return
  }
}
