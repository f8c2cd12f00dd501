import { type KeyObject, randomFillSync } from 'node:crypto'
import { equalSecrets, isProblem, lengthPrefixed, Problem, randomId16 } from '#kernel'
import type { KeyStore, WrappedKey } from '#store'
import { hmac, lendKey, takeKey } from './derive.ts'
import { firstRows, type Keystore } from './keystore/keystore.ts'
import { sealName } from './keystore/seal.ts'
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
 * @param mayCreate  whether an empty keystore becomes a new instance
 * @throws Problem `fault` · `vault.root-missing`, `vault.keystore-mixed`, `vault.keystore-damaged`, `vault.keystore-empty`;
 *   what the root throws
 */
export async function openInstance(keys: KeyStore, root: RootProvider, mayCreate: boolean): Promise<Instance> {
  const rows = await keys.of(instanceOwner)
  const [first] = rows
  if (first === undefined) return createInstance(keys, root, mayCreate)
  await checkSameInstance(keys, rows)
  const sets = kindsOpenedBy(root.kind)
    .map(kind => rows.filter(row => row.kind === rowKind(kind)))
    .filter(set => set.length > 0)
  if (sets.length === 0) throw rootMissing(rows)
  return { keys: await openFirst(sets, root), created: false }
}

/** A recovery code that nobody has typed back opens as well as one that somebody has. */
function kindsOpenedBy(kind: string): readonly string[] {
  return kind === 'recovery' ? [kind, `${kind}-untried`] : [kind]
}

async function openFirst([rows = [], ...others]: readonly WrappedKey[][], root: RootProvider): Promise<KeyVersions> {
  try {
    return await openEpochs(rows, root)
  } catch (error) {
    if (others.length === 0 || !isProblem(error, 'unauthenticated')) throw error
    return openFirst(others, root)
  }
}

/** The instance key's rows of one kind of root. */
export async function instanceRows(keys: Pick<KeyStore, 'of'>, kind: string): Promise<readonly WrappedKey[]> {
  return (await keys.of(instanceOwner)).filter(row => row.kind === rowKind(kind))
}

/**
 * Every epoch that these rows wrap, at least one.
 *
 * @throws Problem `unauthenticated` · `vault.root-refused`
 */
export async function openEpochs(rows: readonly WrappedKey[], root: RootProvider): Promise<KeyVersions> {
  const epochs = new Map<number, KeyObject>()
  const instanceId = String(rows[0]?.params.instance)
  for (const row of rows) {
    const context = wrapContext(instanceId, root.kind, row.version)
    epochs.set(row.version, takeKey(await root.unwrap(row.wrapped, row.params, context)))
  }
  const opened = new KeyVersions(instanceId, instanceOwner, epochs)
  if (root.anyoneCanWrap === true) checkVouched(rows, opened)
  return opened
}

/**
 * Who can write the keystore could wrap an epoch of their own for a public key. Each such row is therefore vouched for
 * under the oldest epoch, without which nothing of this instance is found.
 */
function vouch(instance: KeyVersions, row: WrappedKey): string {
  const parts = [row.wrapped, String(row.version), String(row.params.publicKey)]
  return hmac(instance.stableKey('mac/wrapped-for-public-key'), lengthPrefixed(parts)).toString('hex')
}

function checkVouched(rows: readonly WrappedKey[], instance: KeyVersions): void {
  if (rows.every(row => equalSecrets(String(row.params.vouched), vouch(instance, row)))) return
  throw new Problem('unauthenticated', 'vault.root-refused', 'The keystore holds a key that was not put there by us.')
}

async function createInstance(keys: KeyStore, root: RootProvider, mayCreate: boolean): Promise<Instance> {
  const noted = (await keys.note(sealName)) ?? (await keys.note(noteName))
  const all = await keys.all()
  if (all.some(row => row.owner === instanceOwner)) return openInstance(keys, root, mayCreate) // somebody was faster
  if (all.length > 0 || noted !== undefined)
    throw new Problem('fault', 'vault.keystore-damaged', 'The keystore has lost its instance key; restore its backup.')
  if (!mayCreate) throw new Problem('fault', 'vault.keystore-empty', 'There is no instance key in this keystore yet.')
  const instanceId = randomId16().toString('hex')
  const key = takeKey(randomFillSync(Buffer.alloc(32)))
  const fresh = new KeyVersions(instanceId, instanceOwner, new Map([[1, key]]))
  const [row] = (await wrapInstance(fresh, root)).rows
  const note = { name: noteName, value: Buffer.from(instanceId, 'hex') }
  // Another process may create the same instance at the same moment; the keystore lets one of them win.
  const put = row === undefined ? {} : firstRows(fresh, row, note)
  return (await keys.change({ ifNote: { name: sealName, value: undefined }, put }))
    ? { keys: fresh, created: true }
    : openInstance(keys, root, mayCreate)
}

/** The instance id on which all rows and the note agree: rows copied from another keystore show here. */
async function checkSameInstance(keys: KeyStore, rows: readonly WrappedKey[]): Promise<string> {
  const instanceId = String(rows[0]?.params.instance)
  const idBytes = Buffer.from(instanceId, 'hex')
  const noted = (await keys.note(noteName))?.value ?? idBytes
  const sameRows = idBytes.length === 16 && rows.every(row => row.params.instance === instanceId)
  if (sameRows && equalSecrets(noted, idBytes)) return instanceId
  throw new Problem('fault', 'vault.keystore-mixed', 'The keystore holds keys of more than one instance.')
}

function rootMissing(rows: readonly WrappedKey[]): Problem {
  const kinds = [...new Set(rows.map(row => row.kind.slice(instanceOwner.length + 1)))].sort().join(' or ')
  return new Problem('fault', 'vault.root-missing', `This keystore is opened with another kind of root: ${kinds}.`)
}

/** A root as far as wrapping goes. */
export type Wrapper = Pick<RootProvider, 'kind' | 'wrap' | 'anyoneCanWrap'>

/**
 * Every epoch of the instance key, wrapped by `root`, as rows of the keystore.
 *
 * @param kind  what the rows are called, if not like the root
 */
export async function wrapInstance(
  instance: KeyVersions,
  root: Wrapper,
  kind: string = root.kind,
): Promise<{ readonly rowKind: string; readonly rows: readonly WrappedKey[] }> {
  const rows: WrappedKey[] = []
  for (const [epoch, key] of instance.entries()) {
    const context = wrapContext(instance.instanceId, root.kind, epoch)
    const { wrapped, params } = await lendKey(key, raw => root.wrap(raw, context))
    const owned = { ...params, instance: instance.instanceId }
    const row = { owner: instanceOwner, kind: rowKind(kind), version: epoch, wrapped, params: owned }
    rows.push(root.anyoneCanWrap === true ? { ...row, params: { ...owned, vouched: vouch(instance, row) } } : row)
  }
  return { rowKind: rowKind(kind), rows }
}

/** Lets `root` open the instance from now on, in place of any earlier root of its kind. */
async function addRoot(keys: Keystore, instance: KeyVersions, root: RootProvider): Promise<void> {
  const { rowKind, rows } = await wrapInstance(instance, root)
  await keys.replace(instanceOwner, rowKind, rows)
}

/**
 * Makes `next` the root: it is added first and the others are removed after, so that a crash between leaves two
 * roots and never none. Recovery codes stay.
 */
export async function replaceRoot(keys: Keystore, instance: KeyVersions, next: RootProvider): Promise<void> {
  await addRoot(keys, instance, next)
  const kept = new Set([next.kind, ...kindsOpenedBy('recovery')].map(rowKind))
  const kinds = new Set((await keys.of(instanceOwner)).map(row => row.kind))
  for (const kind of kinds) if (!kept.has(kind)) await keys.replace(instanceOwner, kind, [])
}
