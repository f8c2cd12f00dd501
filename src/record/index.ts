/**
 * record – a patient's sealed box: reads, versions, history, search, transactions, and the audit of each.
 * It must never know: HTTP, OAuth, import formats.
 * The one idea: a Grant decides which compartments' keys are in hand, and only a Restricted query can be evaluated.
 * Its data: entries, segments and documents of the store, sealed. Decisions: README.md beside this file.
 */
export { openRecord, type RecordRooms } from './open-record.ts'
export { filedTag } from './transaction/filed-events.ts'
export { numberOf, withoutNumbers } from './transaction/number-sources.ts'
export { editsOf, hasOwnNotes, withEdits, withoutOwnNotes } from './transaction/own-notes.ts'
export { ownerForeign } from './transaction/owners.ts'
export { checkMatch, versionStale } from './transaction/transaction.ts'
export type {
  Arriving,
  AuditNote,
  Deletion,
  Erasure,
  Exporter,
  Finding,
  Followed,
  FollowedTo,
  FollowedVersion,
  FollowRequest,
  HistoryPage,
  HistoryRequest,
  Keeper,
  Meant,
  Moved,
  NamedRecipient,
  NamedSubject,
  OpenedCursor,
  Period,
  Place,
  Reader,
  Record,
  SearchPage,
  Staged,
  Stored,
  Txn,
  Writer,
} from './types.ts'
