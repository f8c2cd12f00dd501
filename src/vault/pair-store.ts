import { type Clock, Problem } from '#kernel'
import type { Store } from '#store'
import { documentText, openDocuments } from './documents.ts'
import { isSealFault } from './ring.ts'
import type { Vault } from './vault.ts'

const collection = 'instance'
const name = 'id'

/**
 * Checks that store and keystore belong together; a store that is met for the first time is marked as this vault's.
 * Call it after opening both, before anything else: a keystore that was lost or swapped shows here, and not later as
 * records that cannot be opened.
 *
 * @throws Problem `fault` · `vault.keystore-swapped`
 */
export async function pairStore(store: Store, vault: Vault, clock: Clock): Promise<void> {
  const documents = openDocuments(store, vault, clock)
  const marks = await store.documents(collection, clock.nowMs())
  if (marks.length === 0) {
    // A keystore that knows none of the entries beside it: theirs was lost, or lies elsewhere.
    const heads = await store.allHeads()
    if (heads.size > 0 && !(await vault.compartments()).some(({ id }) => heads.has(id))) throw swapped()
    await documents.put(collection, name, vault.instanceId, { ifRevision: 0 })
  }
  if ((await openMark(store, vault)) !== vault.instanceId) throw swapped()
}

/** Whether a store is part of a house. The mark is what is written into it first: whatever lies there came after it, though it was lost. */
export async function isPaired(store: Store): Promise<boolean> {
  return (await store.collections()).length > 0 || (await store.allHeads()).size > 0
}

/** The mark's value, or `undefined` when this vault did not seal it. */
async function openMark(store: Store, vault: Vault): Promise<unknown> {
  const [mark, ...others] = await store.documents(collection, 0)
  if (mark === undefined || others.length > 0) return undefined
  return opened(() => vault.openDocument(mark)) ?? opened(() => vault.openUnboundDocument(mark))
}

function opened(open: () => Buffer): unknown {
  try {
    return documentText(open()).value
  } catch (error) {
    if (isSealFault(error)) return undefined
    throw error
  }
}

const swapped = (): Problem =>
  new Problem('fault', 'vault.keystore-swapped', 'The keystore is not the one that this store was sealed with.')
