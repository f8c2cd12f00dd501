import { type KeyObject, randomFillSync } from 'node:crypto'
import { equalSecrets, isProblem, lengthPrefixed, Problem, randomId16 } from '#kernel'
import type { KeyStore, WrappedKey } from '#store'
import { lendKey, takeKey } from './derive.ts'
import { KeyVersions } from './ring.ts'
import type { RootProvider } from './roots/root-provider.ts'

/** Owner of the instance key's rows in the keystore. */
export const instanceOwner = 'instance'
const noteName = 'instance id'
const rowKind = (rootKind: string): string => `${instanceOwner}:${rootKind}`

/** The instance key (its versions are epochs) as one root has opened it. */
export interface Instance {
  readonly keys: KeyVersions
  readonly created: boolean
}

/** What a wrapped instance key is bound to. */
const wrapContext = (instanceId: string, rootKind: string, epoch: number): Buffer =>
  lengthPrefixed(['kinhold/instance-key', instanceId, rootKind, String(epoch)])

/**
 * Opens the instance key with `root`, or creates it in a keystore that is empty.
 *
 * @throws Problem `fault` · `vault.root-missing`, `vault.keystore-mixed`, `vault.keystore-damaged`; what the root throws
 */
export async function openInstance(keys: KeyStore, root: RootProvider): Promise<Instance> {
  const rows = await keys.of(instanceOwner)
  const [first] = rows
  if (first === undefined) return createInstance(keys, root)
  const instanceId = await checkSameInstance(keys, rows)
  const mine = rows.filter(row => row.kind === rowKind(root.kind))
  if (mine.length === 0) throw rootMissing(rows)
  const epochs = new Map<number, KeyObject>()
  for (const row of mine) {
    const context = wrapContext(instanceId, root.kind, row.version)
    epochs.set(row.version, takeKey(await root.unwrap(row.wrapped, row.params, context)))
  }
  return { keys: new KeyVersions(instanceId, instanceOwner, epochs), created: false }
}

async function createInstance(keys: KeyStore, root: RootProvider): Promise<Instance> {
  const noted = await keys.note(noteName)
  const all = await keys.all()
  if (all.some(row => row.owner === instanceOwner)) return openInstance(keys, root) // somebody was faster
  if (all.length > 0 || noted !== undefined)
    throw new Problem('fault', 'vault.keystore-damaged', 'The keystore has lost its instance key; restore its backup.')
  const instanceId = randomId16().toString('hex')
  const key = takeKey(randomFillSync(Buffer.alloc(32)))
  const fresh = new KeyVersions(instanceId, instanceOwner, new Map([[1, key]]))
  const [row] = await wrapInstance(fresh, root)
  if (row === undefined || !(await addUnlessTaken(keys, row))) return openInstance(keys, root)
  await keys.setNote(noteName, Buffer.from(instanceId, 'hex'))
  return { keys: fresh, created: true }
}

/** Another process may create the same instance at the same moment; the keystore lets one of them win. */
async function addUnlessTaken(keys: KeyStore, row: WrappedKey): Promise<boolean> {
  try {
    await keys.add(row)
    return true
  } catch (error) {
    if (isProblem(error, 'conflict')) return false
    throw error
  }
}

/** The instance id on which all rows and the note agree: rows copied from another keystore show here. */
async function checkSameInstance(keys: KeyStore, rows: readonly WrappedKey[]): Promise<string> {
  const instanceId = String(rows[0]?.params.instance)
  const idBytes = Buffer.from(instanceId, 'hex')
  const noted = await keys.note(noteName)
  const sameRows = idBytes.length === 16 && rows.every(row => row.params.instance === instanceId)
  if (sameRows && noted === undefined) await keys.setNote(noteName, idBytes)
  if (sameRows && equalSecrets(noted ?? idBytes, idBytes)) return instanceId
  throw new Problem('fault', 'vault.keystore-mixed', 'The keystore holds keys of more than one instance.')
}

function rootMissing(rows: readonly WrappedKey[]): Problem {
  const kinds = [...new Set(rows.map(row => row.kind.slice(instanceOwner.length + 1)))].sort().join(' or ')
  return new Problem('fault', 'vault.root-missing', `This keystore is opened with another kind of root: ${kinds}.`)
}

/** Every epoch of the instance key, wrapped by `root`. */
async function wrapInstance(instance: KeyVersions, root: RootProvider): Promise<WrappedKey[]> {
  const rows: WrappedKey[] = []
  for (const [epoch, key] of instance.entries()) {
    const context = wrapContext(instance.instanceId, root.kind, epoch)
    const { wrapped, params } = await lendKey(key, raw => root.wrap(raw, context))
    const owned = { ...params, instance: instance.instanceId }
    rows.push({ owner: instanceOwner, kind: rowKind(root.kind), version: epoch, wrapped, params: owned })
  }
  return rows
}

/** Lets `root` open the instance from now on, in place of any earlier root of its kind. */
export async function addRoot(keys: KeyStore, instance: KeyVersions, root: RootProvider): Promise<void> {
  await keys.replace(instanceOwner, rowKind(root.kind), await wrapInstance(instance, root))
}

/**
 * Makes `next` the root: it is added first and the others are removed after, so that a crash between leaves two
 * roots and never none. Recovery codes stay.
 */
export async function replaceRoot(keys: KeyStore, instance: KeyVersions, next: RootProvider): Promise<void> {
  await addRoot(keys, instance, next)
  const kept = new Set([rowKind(next.kind), rowKind('recovery')])
  const kinds = new Set((await keys.of(instanceOwner)).map(row => row.kind))
  for (const kind of kinds) if (!kept.has(kind)) await keys.replace(instanceOwner, kind, [])
}
