import type { CommitResult, DocumentWrite, Store, StoredDocument } from '#store'
import type { Vault } from './vault.ts'

/** A write whose place is not known yet: a document is bound to its revision, so it is sealed when it is committed. */
export type DocumentDraft =
  | {
      readonly op: 'put'
      readonly collection: string
      readonly key: string
      readonly plain: Uint8Array
      readonly group?: string
      readonly expiresAtMs?: number
      /** 0 = the document must be absent, or have expired. */
      readonly ifRevision?: number
    }
  | Exclude<DocumentWrite, { op: 'put' }>

/** A draft on the row that it found. */
export interface PlacedDraft {
  readonly write: DocumentWrite
  readonly before: StoredDocument | undefined
  readonly after: StoredDocument | undefined
}

/**
 * Seals a draft for the revision that follows the row that is there.
 *
 * @param before  the row under its key, also when it has expired
 * @returns `lost` when that row has not the revision that the draft asks for; `nothing` when there is nothing to delete
 */
export function placeDraft(
  draft: DocumentDraft,
  before: StoredDocument | undefined,
  vault: Pick<Vault, 'sealDocument'>,
  nowMs: number,
): PlacedDraft | 'lost' | 'nothing' {
  const { collection, key } = draft
  const revision = before?.revision ?? 0
  const isFree = draft.op === 'put' && draft.ifRevision === 0 && isExpired(before, nowMs)
  if (draft.ifRevision !== undefined && draft.ifRevision !== revision && !isFree) return 'lost'
  if (draft.op === 'check') return { write: draft, before, after: before }
  if (draft.op === 'delete')
    return before === undefined
      ? 'nothing'
      : { write: { op: 'delete', collection, key, ifRevision: revision }, before, after: undefined }
  const { group, expiresAtMs } = draft
  const belongs = { ...(group === undefined ? {} : { group }), ...(expiresAtMs === undefined ? {} : { expiresAtMs }) }
  const place = { collection, key, revision: revision + 1, ...belongs }
  const sealed = vault.sealDocument(place, draft.plain)
  return {
    write: { op: 'put', collection, key, sealed, ifRevision: revision, ...belongs },
    before,
    after: { ...place, sealed },
  }
}

function isExpired(document: StoredDocument | undefined, nowMs: number): boolean {
  return document?.expiresAtMs !== undefined && document.expiresAtMs <= nowMs
}

/** The row that a draft is about, also when it has expired. */
export function rowOf(store: Store, { collection, key }: Pick<DocumentDraft, 'collection' | 'key'>) {
  // At the beginning of time nothing has expired.
  return store.document(collection, key, 0)
}

/** Where documents are committed, and what is known of them beside their rows. */
export interface DocumentCommits {
  /** @returns false when a row has not the revision that a draft asks for; nothing was written then */
  commit(drafts: readonly DocumentDraft[]): Promise<boolean>
  /** @throws Problem `fault` when the row under this key is not the newest that was written there, or is missing */
  checkFresh(collection: string, key: string): void
  /** Throws likewise when a row of a collection, or of one group of it, is missing. */
  checkWhole(collection: string, group?: string): void
}

const mostTries = 100

/** Commits to the store alone, and believes what it shows: for what comes before anything that would know better. */
export function plainCommits(store: Store, vault: Vault, nowMs: () => number): DocumentCommits {
  return { commit, checkFresh: () => undefined, checkWhole: () => undefined }

  async function commit(drafts: readonly DocumentDraft[]): Promise<boolean> {
    // A damaged store may never let go of a row.
    for (let tries = 0; tries < mostTries; tries++) {
      const placed = await Promise.all(
        drafts.map(async draft => placeDraft(draft, await rowOf(store, draft), vault, nowMs())),
      )
      if (placed.includes('lost')) return false
      const documents = placed.filter(each => typeof each === 'object').map(({ write }) => write)
      const result: CommitResult = await store.commit({ appends: [], documents })
      if (result.ok) return true
    }
    return false
  }
}
