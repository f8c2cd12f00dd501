import { giveWay } from '#kernel'
import type { CompartmentId, Store } from '#store'
import type { Vault } from '#vault'
import { type DocumentChange, openChanges } from './document-entry.ts'

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

interface ChangedRooms {
  readonly store: Store
  readonly vault: Vault
  /** The ledger of documents. */
  readonly compartment: CompartmentId
}

/** Undefined when that cannot be told: all was written anew in between, or an entry is missing. @throws as `openChanges` */
export async function documentsChanged(
  rooms: ChangedRooms,
  { seq, head, collection }: Asked,
): Promise<DocumentChanges | undefined> {
  const changes = await changesBetween(rooms, seq, head)
  if (changes === undefined) return undefined
  const keys = new Set(changes.filter(change => change.collection === collection).map(({ key }) => key))
  return { seq: head, keys: [...keys] }
}

/** All that the entries behind one say, up to another; undefined as above, or where the other one comes before. @throws as `openChanges` */
export async function changesBetween(
  { store, vault, compartment }: ChangedRooms,
  seq: number,
  head: number,
): Promise<readonly DocumentChange[] | undefined> {
  if (head < seq) return undefined
  const said: DocumentChange[] = []
  const keys = await vault.compartment(compartment)
  for (let last = seq; last < head; ) {
    const entries = await store.entriesFrom(compartment, last + 1, Math.min(entriesAtHand, head - last))
    for (const entry of entries) {
      const { changes, anew } = openChanges(keys, entry)
      if (anew) return undefined
      said.push(...changes)
    }
    if (entries.length === 0) return undefined
    last = entries.at(-1)?.seq ?? head
    await giveWay()
  }
  return said
}
