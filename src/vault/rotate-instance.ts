import { randomFillSync } from 'node:crypto'
import type { Clock } from '#kernel'
import type { KeyStore, Store, StoredDocument, WrappedKey } from '#store'
import { rewrapRow } from './compartment-rows.ts'
import { takeKey } from './derive.ts'
import { keyVersionOf } from './envelope.ts'
import { instanceOwner, instanceRows, openInstance, type Wrapper, wrapInstance } from './instance.ts'
import { mint } from './mint.ts'
import { KeyVersions, Ring } from './ring.ts'
import { recoverySeal } from './roots/recovery-root.ts'
import type { RootProvider } from './roots/root-provider.ts'

/** What a new epoch of the instance key is made with. Nobody else may have store or keystore open. */
export interface InstanceRotation {
  readonly keys: KeyStore
  readonly store: Store
  readonly root: RootProvider
  readonly clock: Clock
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
export async function rotateInstance({ keys, store, root, clock }: InstanceRotation): Promise<Rotated> {
  const before = (await openInstance(keys, root, false)).keys
  await store.purgeDocuments(clock.nowMs())
  const instance = (await isUnderWay(keys, store, before)) ? before : addEpoch(before)
  // Every way in knows the epoch before anything is sealed with it.
  await wrapForAll(keys, instance, root)
  return {
    epoch: instance.newest,
    keys: await rewrapKeys(keys, instance),
    documents: await resealDocuments(store, instance),
  }
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
async function isUnderWay(keys: KeyStore, store: Store, instance: KeyVersions): Promise<boolean> {
  if (instance.newest === instance.oldest) return false
  const owned = (await keys.all()).filter(row => row.owner !== instanceOwner)
  if (owned.some(row => row.params.epoch !== instance.newest)) return true
  for await (const document of allDocuments(store)) if (keyVersionOf(document.sealed) !== instance.newest) return true
  return false
}

async function wrapForAll(keys: KeyStore, instance: KeyVersions, root: RootProvider): Promise<void> {
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

async function put(keys: KeyStore, instance: KeyVersions, root: Wrapper, kind: string): Promise<void> {
  const { rows, rowKind } = await wrapInstance(instance, root, kind)
  await keys.replace(instanceOwner, rowKind, rows)
}

async function rewrapKeys(keys: KeyStore, instance: KeyVersions): Promise<number> {
  const owned = (await keys.all()).filter(row => row.owner !== instanceOwner)
  const stale = Map.groupBy(owned, row => `${row.owner} ${row.kind}`)
  let count = 0
  for (const rows of stale.values()) count += await rewrapOwner(keys, instance, rows)
  return count
}

async function rewrapOwner(keys: KeyStore, instance: KeyVersions, rows: readonly WrappedKey[]): Promise<number> {
  const [first] = rows
  if (first === undefined || rows.every(row => row.params.epoch === instance.newest)) return 0
  const rewrapped = await Promise.all(rows.map(row => rewrapRow(instance, row)))
  await keys.replace(first.owner, first.kind, rewrapped)
  return rows.length
}

async function resealDocuments(store: Store, instance: KeyVersions): Promise<number> {
  const ring = new Ring(instance, 'documents')
  let count = 0
  for await (const document of allDocuments(store)) {
    if (keyVersionOf(document.sealed) === instance.newest) continue
    await resealDocument(store, ring, document)
    count++
  }
  return count
}

async function resealDocument(store: Store, ring: Ring, document: StoredDocument): Promise<void> {
  const { collection, key, revision, sealed, group, expiresAtMs } = document
  const plain = ring.open('document', [collection, key], sealed)
  const anew = mint(ring.seal('document', [collection, key], plain))
  const kept = { ...(group === undefined ? {} : { group }), ...(expiresAtMs === undefined ? {} : { expiresAtMs }) }
  const write = { op: 'put', collection, key, sealed: anew, ifRevision: revision, ...kept } as const
  await store.commit({ appends: [], documents: [write] })
}

/** Expired ones were purged, so at the beginning of time all of them count. */
async function* allDocuments(store: Store): AsyncGenerator<StoredDocument, void, void> {
  for (const collection of await store.collections()) yield* await store.documents(collection, 0)
}
