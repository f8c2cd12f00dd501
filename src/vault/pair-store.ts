import { type Clock, isProblem, Problem } from '#kernel'
import type { Store } from '#store'
import { documentText, openDocuments } from './documents.ts'
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
    // A new keystore beside old entries: theirs was lost.
    if (vault.created && (await store.allHeads()).size > 0) throw swapped()
    await documents.put(collection, name, vault.instanceId, { ifRevision: 0 })
  }
  if ((await openMark(store, vault)) !== vault.instanceId) throw swapped()
}

/** Whether a store was ever marked as some vault's: from then on it is part of a house. */
export async function isPaired(store: Store): Promise<boolean> {
  return (await store.documents(collection, 0)).length > 0
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
    if (isProblem(error) && error.code === 'vault.seal-broken') return undefined
    throw error
  }
}

const swapped = (): Problem =>
  new Problem('fault', 'vault.keystore-swapped', 'The keystore is not the one that this store was sealed with.')
