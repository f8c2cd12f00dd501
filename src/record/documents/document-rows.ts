import { giveWay, isProblem } from '#kernel'
import { type CompartmentId, mayFollow, type Store, type StoredDocument } from '#store'
import type { Vault } from '#vault'
import { type DocumentChange, type DocumentEntry, nameOf, openChanges } from './document-entry.ts'
import { elementOf } from './element.ts'

const readAhead = 1024
const rowsAtHand = 200

/**
 * Documents whose revisions alone tell something, and only while a commit is under way: they are not written down in the ledger of
 * documents, which would be one place for which all of them wait.
 */
export const claimsCollection = 'claims'

/** Whether the ledger of documents tells of a row. */
export function isTold({ collection }: Pick<StoredDocument, 'collection'>): boolean {
  return collection !== claimsCollection
}

/** A row that is not the one that was written last, and what that one was. */
export interface StaleDocument {
  readonly collection: string
  readonly key: string
  readonly group?: string | undefined
  /** What the newest row makes; undefined: there should be none. */
  readonly element: bigint | undefined
  readonly isMissing: boolean
}

interface RowRooms {
  readonly store: Store
  readonly vault: Vault
}

interface LedgerRooms extends RowRooms {
  /** In which it is written what became of documents. */
  readonly compartment: CompartmentId
}

/** The rows of all documents that the ledger tells of, some at a time. */
export async function* everyRow(store: Store): AsyncGenerator<StoredDocument, void, void> {
  for (let last: StoredDocument | undefined; ; ) {
    const page = await store.everyDocument(last, rowsAtHand)
    yield* page.filter(isTold)
    last = page.at(-1)
    if (page.length < rowsAtHand) return
    const pause = giveWay()
    if (pause !== undefined) await pause
  }
}

/** The rows that are not what was written last, by what all entries say. @throws as `openChanges` */
export async function differences(rooms: LedgerRooms): Promise<readonly StaleDocument[]> {
  const { store, vault, compartment } = rooms
  const newest = new Map<string, DocumentChange>()
  const state: Replayed = { newest, damage: undefined }
  for (let seq = 0; ; ) {
    seq = await replay(rooms, state, seq)
    if (state.damage !== undefined) throw state.damage
    const rows = await store.everyDocument(undefined, Number.MAX_SAFE_INTEGER)
    if (seq !== ((await store.heads([compartment])).get(compartment) ?? 0)) continue
    return compared(vault, newest, rows.filter(isTold))
  }
}

/** What entries have said of documents, and why one of them could not be opened behind which not all was told anew. */
interface Replayed {
  readonly newest: Map<string, DocumentChange>
  damage: unknown
}

function take(state: Replayed, open: () => DocumentEntry): void {
  const { newest } = state
  try {
    const { changes, anew } = open()
    if (anew) {
      newest.clear()
      state.damage = undefined
    }
    for (const change of changes) newest.set(nameOf(change), change)
  } catch (error) {
    if (!isProblem(error, 'fault')) throw error
    state.damage = error
  }
}

/** @returns the seq of the last entry */
async function replay(rooms: LedgerRooms, state: Replayed, behind: number): Promise<number> {
  const { store, vault, compartment } = rooms
  const keys = await vault.compartment(compartment)
  for (let seq = behind; ; ) {
    const entries = await store.entriesFrom(compartment, seq + 1, readAhead)
    for (const entry of entries) take(state, () => openChanges(keys, entry))
    seq = entries.at(-1)?.seq ?? seq
    if (!mayFollow(entries, readAhead)) return seq
    const pause = giveWay()
    if (pause !== undefined) await pause
  }
}

function compared(
  vault: Vault,
  newest: Map<string, DocumentChange>,
  rows: readonly StoredDocument[],
): readonly StaleDocument[] {
  const stale: StaleDocument[] = []
  for (const row of rows) {
    const change = newest.get(nameOf(row))
    newest.delete(nameOf(row))
    if (change?.element === elementOf(vault, row)) continue
    const { collection, key } = row
    stale.push({ collection, key, group: change?.group, element: change?.element, isMissing: false })
  }
  for (const { collection, key, group, element } of newest.values())
    if (element !== undefined) stale.push({ collection, key, group, element, isMissing: true })
  return stale
}
