import { giveWay } from '#kernel'
import type { CompartmentId, Store } from '#store'
import type { Vault } from '#vault'
import { openChanges } from './document-entry.ts'

const entriesAtHand = 256

/** Which documents of a collection have changed, by their keys, and up to which entry that is said. */
export interface DocumentChanges {
  readonly seq: number
  readonly keys: readonly string[]
}

/** Between which entries of the ledger of documents is looked, and for the documents of which collection. */
interface Asked {
  readonly seq: number
  readonly head: number
  readonly collection: string
}

/** Undefined when that cannot be told: all was written anew in between, or an entry is missing. @throws as `openChanges` */
export async function documentsChanged(
  { store, vault, compartment }: { readonly store: Store; readonly vault: Vault; readonly compartment: CompartmentId },
  { seq, head, collection }: Asked,
): Promise<DocumentChanges | undefined> {
  const keys = new Set<string>()
  const compartmentKeys = await vault.compartment(compartment)
  for (let last = seq; last < head; ) {
    const entries = await store.entriesFrom(compartment, last + 1, entriesAtHand)
    for (const entry of entries) {
      const { changes, anew } = openChanges(compartmentKeys, entry)
      if (anew) return undefined
      for (const change of changes) if (change.collection === collection) keys.add(change.key)
    }
    if (entries.length === 0) return undefined
    last = entries.at(-1)?.seq ?? head
    await giveWay()
  }
  return { seq: head, keys: [...keys] }
}
