import { type KeyObject, randomFillSync } from 'node:crypto'
import { lengthPrefixed, Problem } from '#kernel'
import type { CompartmentId, WrappedKey } from '#store'
import type { CompartmentKind } from './compartment-keys.ts'
import { deriveKey, lendKey, takeKey } from './derive.ts'
import { unwrapKey, wrapKey } from './kwp.ts'
import { KeyVersions } from './ring.ts'

/** The same key wraps all of an epoch, so it is derived once. */
const instanceKeys = new WeakMap<KeyVersions, Map<number, KeyObject>>()

function instanceKeyOf(instance: KeyVersions, epoch: number): KeyObject | undefined {
  const known = instanceKeys.get(instance) ?? new Map<number, KeyObject>()
  instanceKeys.set(instance, known)
  const key = known.get(epoch) ?? instance.purposeKey('compartment-keys', epoch)
  if (key !== undefined) known.set(epoch, key)
  return key
}

/** The key that wraps one compartment key: KWP has no associated data, so the context makes the key. */
function wrappingKey(instance: KeyVersions, epoch: number, row: Pick<WrappedKey, 'owner' | 'kind' | 'version'>) {
  const instanceKey = instanceKeyOf(instance, epoch)
  if (instanceKey === undefined) return undefined
  const context = lengthPrefixed(['kinhold/compartment-key', row.owner, row.kind, String(row.version)])
  return deriveKey(instanceKey, Buffer.from(instance.instanceId, 'hex'), context)
}

/** A new random key of a compartment, never derived from another: else it could not be destroyed. */
export async function newCompartmentRow(
  instance: KeyVersions,
  owner: CompartmentId,
  kind: CompartmentKind,
  version: number,
): Promise<{ row: WrappedKey; key: KeyObject }> {
  const key = takeKey(randomFillSync(Buffer.alloc(32)))
  const kek = wrappingKey(instance, instance.newest, { owner, kind, version })
  if (kek === undefined) throw keyBroken()
  const wrapped = await lendKey(key, async raw => wrapKey(kek, raw))
  return { row: { owner, kind, version, wrapped, params: { epoch: instance.newest } }, key }
}

/** The same key, wrapped under the newest epoch. @throws Problem `fault` · `vault.key-broken` */
export async function rewrapRow(instance: KeyVersions, row: WrappedKey): Promise<WrappedKey> {
  const key = unwrapRow(instance, row)
  const kek = wrappingKey(instance, instance.newest, row)
  if (kek === undefined) throw keyBroken()
  const wrapped = await lendKey(key, async raw => wrapKey(kek, raw))
  return { ...row, wrapped, params: { ...row.params, epoch: instance.newest } }
}

/** @throws Problem `fault` · `vault.key-broken` when a row is not this compartment's, or not this instance's. */
export function unwrapCompartment(
  instance: KeyVersions,
  owner: CompartmentId,
  rows: readonly WrappedKey[],
): KeyVersions {
  const keys = new Map<number, KeyObject>()
  for (const row of rows) keys.set(row.version, unwrapRow(instance, { ...row, owner }))
  return new KeyVersions(instance.instanceId, owner, keys)
}

function unwrapRow(instance: KeyVersions, row: WrappedKey): KeyObject {
  const kek = wrappingKey(instance, Number(row.params.epoch), row)
  const raw = kek && unwrapKey(kek, row.wrapped)
  if (raw === undefined) throw keyBroken()
  return takeKey(raw)
}

const keyBroken = (): Problem =>
  new Problem('fault', 'vault.key-broken', 'A key in the keystore is not the one that was put there.')
