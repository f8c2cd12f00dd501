import type { StoredDocument } from '#store'

/** Where a document lies, with all that the store knows of it in clear. */
export type DocumentPlace = Pick<StoredDocument, 'collection' | 'key' | 'revision' | 'group' | 'expiresAtMs'>

/** What a document is bound to. An absent group or expiry is an empty part; a present one never is. */
export function documentPlace({ collection, key, revision, group, expiresAtMs }: DocumentPlace): string[] {
  return [collection, key, String(revision), group ?? '', expiresAtMs === undefined ? '' : String(expiresAtMs)]
}
