import type { Documents } from './documents.ts'

/** A document that one process changes bit by bit while it works on what the document tells of. */
export interface Changing<T> {
  readonly id: string
  stored: T
  revision: number
  /** Its writes, one after the other. */
  written: Promise<unknown>
}

/** Whose it is, and until when it is kept. */
interface Kept {
  readonly owner: string
  readonly expiresAtMs: number
}

/**
 * Writes a document with a change, after the writes that were asked for before.
 *
 * @returns false when another process has changed or removed it: nothing was written then
 */
export function changeInTurn<T extends Kept>(
  documents: Pick<Documents, 'put'>,
  collection: string,
  changing: Changing<T>,
  change: Partial<T>,
): Promise<boolean> {
  const write = async () => {
    const stored = { ...changing.stored, ...change }
    const options = { ifRevision: changing.revision, group: stored.owner, expiresAtMs: stored.expiresAtMs }
    if (!(await documents.put(collection, changing.id, stored, options))) return false
    changing.revision++
    changing.stored = stored
    return true
  }
  const result = changing.written.then(write)
  changing.written = result.catch(() => undefined)
  return result
}
