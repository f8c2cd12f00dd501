/**
 * store – where sealed bytes rest: entries, segments, attachments, documents, and in another file the wrapped keys.
 * It must never know: what a resource is, who asks, or any key. It takes `Sealed`, which only `vault` can mint.
 * The one idea: a compartment is a log; a commit says at which head it was decided, and is refused if that head has moved.
 * Its data: one SQLite file and one more for the keys, two MongoDB databases, or memory. Decisions: src/store/README.md.
 */
export type {
  Append,
  BlobChunk,
  Changes,
  Commit,
  CommitResult,
  CompartmentId,
  DocumentWrite,
  Entry,
  KeyRows,
  KeyStore,
  KeysChange,
  Locator,
  Note,
  Place,
  Sealed,
  Segment,
  Store,
  StoredDocument,
  StoreStats,
  Stretch,
  Tombstone,
  WrappedKey,
} from './contract.ts'
export { openMemoryKeys } from './memory/keys.ts'
export { openMemoryStore } from './memory/store.ts'
export { openMongoKeys, openMongoStore } from './mongo/load.ts'
export { mayFollow } from './page-bytes.ts'
export type { WatchedFolder } from './space/folder.ts'
export { openSpace, type Shortage, type Space } from './space/space.ts'
export { checkSqliteFloor, sqliteFloor } from './sqlite/floor.ts'
export { openSqliteKeys, type SqliteKeysOptions } from './sqlite/keys.ts'
export { openSqliteStore, type SqliteStoreOptions } from './sqlite/store.ts'
