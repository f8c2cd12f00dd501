import { type Clock, isProblem } from '#kernel'
import type { DocumentWrite, Entry, StoredDocument } from '#store'
import { type CompartmentKeys, exchanged, placeDraft, type Vault } from '#vault'
import { type DocumentChange, type DocumentHead, sealChanges } from './document-entry.ts'
import { elementOf } from './element.ts'

const changesInEntry = 200

/** A row as it is taken in, and what must be written for it. */
interface Taken {
  readonly row: StoredDocument
  readonly write?: DocumentWrite
}

/** Where the ledger of documents stands when it is written to: the digest, the time, how far the keystore has come. */
export type HeadAt = (before: DocumentHead, digest: bigint) => Pick<DocumentHead, 'digest' | 'atMs' | 'keys'>

/**
 * A row as it is to be taken in: one of an earlier release is sealed anew. What does not open stays as it is: it is named by `verify`,
 * and by whoever asks for it.
 */
export function takenIn(row: StoredDocument, vault: Vault, clock: Clock): Taken {
  const plain = opened(() => vault.openUnboundDocument(row))
  if (plain === undefined) return { row }
  const { collection, key, revision: ifRevision } = row
  const draft = { op: 'put', collection, key, plain, ifRevision, ...belonging(row) } as const
  const placed = placeDraft(draft, row, vault, clock.nowMs())
  return typeof placed === 'object' && placed.after !== undefined ? { row: placed.after, write: placed.write } : { row }
}

/** Entries that tell of all documents, in the place of whatever was told before. */
export function tellingAll(
  { vault, keys, at }: { readonly vault: Vault; readonly keys: CompartmentKeys; readonly at: HeadAt },
  first: DocumentHead,
  rows: readonly StoredDocument[],
): readonly Entry[] {
  const entries: Entry[] = []
  let head = { ...first, digest: 0n }
  for (let from = 0; from === 0 || from < rows.length; from += changesInEntry) {
    const page = rows.slice(from, from + changesInEntry)
    const changes = page.map(row => ({ ...nameAndGroup(row), element: elementOf(vault, row) }))
    const digest = changes.reduce((sum, { element }) => exchanged(sum, undefined, element), head.digest)
    const sealed = sealChanges(keys, head, at(head, digest), changes, from === 0)
    entries.push(sealed.entry)
    head = sealed.head
  }
  return entries
}

/** What a change says a document is. */
export function nameAndGroup({ collection, key, group }: StoredDocument): Omit<DocumentChange, 'element'> {
  return { collection, key, group }
}

/** To what a document belongs, and when it ends, where it does. */
export function belonging({ group, expiresAtMs }: StoredDocument): Pick<StoredDocument, 'group' | 'expiresAtMs'> {
  return { ...(group === undefined ? {} : { group }), ...(expiresAtMs === undefined ? {} : { expiresAtMs }) }
}

function opened(open: () => Buffer): Buffer | undefined {
  try {
    return open()
  } catch (error) {
    if (isProblem(error)) return undefined
    throw error
  }
}
