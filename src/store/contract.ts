/**
 * What any store must do. Written for a sharded document database with transactions as much as for SQLite:
 * everything is asynchronous, every lookup names the compartments it may touch, and nothing here is SQL.
 *
 * A store sees random ids, sequence numbers and sizes. It never sees a resource: what it keeps is `Sealed`.
 */

declare const sealed: unique symbol

/** Bytes that the room `vault` has sealed. Only `vault` may mint it, so an unsealed write is a type error. */
export type Sealed = Uint8Array & { readonly [sealed]: 'Sealed' }

/** A compartment's random id: 16 bytes as 32 lower-case hex digits. */
export type CompartmentId = string

/** HMAC of `type/id` under the instance key: 16 bytes as 32 lower-case hex digits. */
export type Locator = string

/**
 * One sealed version of one resource. `seq` counts 1, 2, 3 … within its compartment, without gaps. A resource that belongs to
 * several compartments has an entry with the same locator and version in each of them, written by one commit.
 */
export interface Entry {
  readonly compartment: CompartmentId
  readonly seq: number
  readonly locator: Locator
  /** The resource's version: 1, 2, 3 …, going on where the version before it stopped, in whichever compartment. */
  readonly version: number
  readonly sealed: Sealed
}

/** Where the newest version of a resource lies, or a copy of it. */
export interface Place {
  readonly locator: Locator
  readonly compartment: CompartmentId
  readonly seq: number
  readonly version: number
}

/** Sealed columnar index rows of the entries `fromSeq … untilSeq`, both inclusive. */
export interface Segment {
  readonly compartment: CompartmentId
  readonly fromSeq: number
  readonly untilSeq: number
  readonly sealed: Sealed
}

/**
 * A part of what the index of one compartment is made of: segments that follow each other without gaps, the first of all at seq 1,
 * and behind the last of them – or from seq 1 on – the entries that no such segment covers. Both ascending.
 */
export interface Stretch {
  readonly compartment: CompartmentId
  readonly segments: readonly Segment[]
  readonly entries: readonly Entry[]
  /** Whether nothing of this compartment follows. */
  readonly last: boolean
}

/**
 * What one writer wants appended to one compartment.
 * The entries' `seq` are `expectedHead + 1 …` in order; the first entry of a resource has version 1. In one commit a version
 * may stand once in each of several appends: these are its copies.
 */
export interface Append {
  readonly compartment: CompartmentId
  /** The head at which the writer evaluated its conditions; 0 for a compartment without entries. */
  readonly expectedHead: number
  /**
   * The last bytes of the sealed entry at `expectedHead`, as the writer knows it. Writers build on what is still under way; when
   * that fails and somebody else takes its place, the number is the same and the head is not.
   */
  readonly headTag?: Uint8Array
  readonly entries: readonly Entry[]
}

/** A small sealed record outside any compartment: accounts, clients, grants, tokens, links, jobs, checkpoints. */
export interface StoredDocument {
  readonly collection: string
  /** HMAC of the document's name, hex. */
  readonly key: string
  /** 1 when first written, one more with each write. */
  readonly revision: number
  /** HMAC of what the document belongs to (an account, a token family), hex, to list or delete them together. */
  readonly group?: string
  /** Unix milliseconds from when on the document counts as absent. */
  readonly expiresAtMs?: number
  readonly sealed: Sealed
}

/** `check` writes nothing: the commit holds only while the revision is that. `put` writes when the stored revision equals `ifRevision` (0 = must be absent; undefined = whatever it is). */
export type DocumentWrite =
  | {
      readonly op: 'put'
      readonly collection: string
      readonly key: string
      readonly group?: string
      readonly expiresAtMs?: number
      readonly sealed: Sealed
      readonly ifRevision?: number
    }
  | { readonly op: 'delete'; readonly collection: string; readonly key: string; readonly ifRevision?: number }
  | { readonly op: 'check'; readonly collection: string; readonly key: string; readonly ifRevision: number }

/** Everything of one commit. It happens wholly or not at all. */
export interface Commit {
  readonly appends: readonly Append[]
  readonly documents?: readonly DocumentWrite[]
  /**
   * It may use what a store keeps in reserve for a full disk: ends of access, erasures, and their audit. Small documents alone may
   * do so unasked.
   */
  readonly urgent?: boolean
  /**
   * Nobody waits for it. It may be seen before it is durable, by everybody, and need not hold anybody else up to become that: `commit`
   * resolves when it is, as always.
   */
  readonly unhurried?: boolean
}

/**
 * `conflict`: somebody else was faster, nothing was written; refresh what is named and evaluate again.
 * - `heads`: compartments whose head is no longer `expectedHead`, or is another entry than that of `headTag`
 * - `locators`: locators whose newest version is not the one before the entry's (also: taken by another compartment)
 * - `documents`: `collection/key` of documents whose revision is not `ifRevision`
 */
export type CommitResult =
  | { readonly ok: true }
  | {
      readonly ok: false
      readonly heads: readonly CompartmentId[]
      readonly locators: readonly Locator[]
      readonly documents: readonly string[]
    }

/** Which versions of a resource are asked for. */
export interface VersionPage {
  /** Only versions below this one. */
  readonly below?: number
  /** At most so many entries, but of the last version all copies. At least 1. */
  readonly limit?: number
}

/** A sealed chunk of an attachment; `index` counts from 0. */
export interface BlobChunk {
  readonly index: number
  readonly sealed: Sealed
}

/** What moved in a store, see `Store.changesSince`. */
export interface Changes {
  /** To be asked with next time. It holds across processes and restarts, and says nothing to anybody but a store. */
  readonly mark: string
  /**
   * Compartments whose head moved, with the head they have now: 0 when they were removed. A head that is lower than one known
   * before tells of a removal that is under way.
   */
  readonly moved: ReadonlyMap<CompartmentId, number>
  /** Whether more can be had at once with the new mark. */
  readonly more: boolean
  /**
   * Whether this answer is the first of some that begin anew: no mark was given, or one that says nothing here – of another
   * store, of a state from before a restore, or too old. What none of them names until `more` is false has no entries.
   */
  readonly anew: boolean
}

/** How much of everything there is; a thief of the database would learn no more. */
export interface StoreStats {
  readonly compartments: number
  readonly entries: number
  readonly segments: number
  readonly documents: number
  readonly blobs: number
  readonly sizeBytes: number
}

/**
 * The ledger and what lies beside it.
 *
 * Durability: when `commit` has resolved with `ok`, the data survive the death of the process and of the machine.
 * Errors: Problem `full` · `store.reserved` when only what is urgent is still written; `busy` · `store.busy` when a lock was not had in time; `storage.…` of the kernel when the disk is full or
 * fails, and then nothing of the commit is written; `fault` · `store.failed` for anything else.
 */
export interface Store {
  /** Appends and document writes, atomically. Concurrent calls may share one disk flush. */
  commit(commit: Commit): Promise<CommitResult>
  /**
   * Resolves when whatever can be read by now survives the death of the machine, by whatever process it was written: to be awaited before
   * it is told in another place that something is there which may have been written unhurriedly.
   */
  durable(): Promise<void>

  /** Last seq per compartment; 0 for one without entries. */
  heads(compartments: readonly CompartmentId[]): Promise<ReadonlyMap<CompartmentId, number>>
  /** Every compartment that has entries, with its head. */
  allHeads(): Promise<ReadonlyMap<CompartmentId, number>>
  /**
   * The compartments whose head moved since a mark, by whatever process, or which were removed; without a mark, every one that
   * has entries. At most `limit` of them. What becomes visible later is behind the mark that is answered, never before it.
   */
  changesSince(mark: string | undefined, limit: number): Promise<Changes>
  /**
   * Names compartments in `changesSince` once more. Only of a store that keeps what moved in rows of its own, from which whoever
   * writes to the database can take some away.
   */
  tellAgain?(compartments: readonly CompartmentId[]): Promise<void>

  /**
   * Where the newest versions lie, each copy with its place, of those in one of the named compartments (`undefined`: in any).
   * What lies in none of them has no entry in the answer.
   */
  places(
    locators: readonly Locator[],
    compartments: readonly CompartmentId[] | undefined,
  ): Promise<ReadonlyMap<Locator, readonly Place[]>>
  /** The newest version of a resource, if a copy lies in one of the named compartments: the read path, one lookup. */
  newest(locator: Locator, compartments: readonly CompartmentId[] | undefined): Promise<Entry | undefined>
  /** One version: a copy in one of the named compartments. */
  version(locator: Locator, version: number, compartments: readonly CompartmentId[]): Promise<Entry | undefined>
  /** The versions of one resource within the named compartments with all their copies, newest first: all, or a page of them. */
  versions(locator: Locator, compartments: readonly CompartmentId[], page?: VersionPage): Promise<readonly Entry[]>
  /** The entries at these seqs; those that do not exist are left out. Order is not promised. */
  entriesAt(compartment: CompartmentId, seqs: readonly number[]): Promise<readonly Entry[]>
  /** As `entriesAt`; undefined, and never all of them in memory, when they have more than so many sealed bytes together. */
  entriesWithin(
    compartment: CompartmentId,
    seqs: readonly number[],
    mostBytes: number,
  ): Promise<readonly Entry[] | undefined>
  /**
   * Entries with `seq >= fromSeq`, ascending, at most `limit` of them, and fewer where they are large: some MB, or one. Whether
   * there may be more says `mayFollow`.
   */
  entriesFrom(compartment: CompartmentId, fromSeq: number, limit: number): Promise<readonly Entry[]>

  /**
   * Puts other sealed bytes in the place of these entries, which say the same under another key: all of them or none. What is not
   * there is left out.
   */
  reseal(compartment: CompartmentId, entries: readonly Pick<Entry, 'seq' | 'sealed'>[]): Promise<void>

  /**
   * Keeps a segment in the place of one with the same `fromSeq`, unless that one goes further; one of entries that are not there
   * (any more) is not kept. Segments are derived: losing one loses no data. Concurrent calls may share one flush.
   */
  putSegment(segment: Segment): Promise<void>
  /** The segments of a compartment, ascending by `fromSeq`. */
  segments(compartment: CompartmentId): Promise<readonly Segment[]>
  dropSegments(compartment: CompartmentId): Promise<void>
  /**
   * What the indexes of many compartments are made of, in few trips and in the order that reads fastest. Parts of one compartment
   * come one behind the other, the last of them marked, also of a compartment that holds nothing. Each page is of some MB at
   * most; whoever does not ask for the next one holds nothing up. What is appended meanwhile may be in it or not.
   */
  stretches(compartments: readonly CompartmentId[]): AsyncIterable<readonly Stretch[]>

  /** Writes an attachment; all chunks or, when the source fails, none. */
  putBlob(compartment: CompartmentId, blob: string, chunks: AsyncIterable<BlobChunk>): Promise<void>
  /** The chunks of an attachment in order; empty when there is none. */
  blob(compartment: CompartmentId, blob: string): AsyncIterable<BlobChunk>
  dropBlob(compartment: CompartmentId, blob: string): Promise<void>
  /** The names of a compartment's attachments, in no promised order. */
  blobNames(compartment: CompartmentId): Promise<readonly string[]>

  /**
   * Puts entries behind the last one of a compartment as another store held them, in whatever order compartments come: versions need not
   * be dense, and the highest that is there is the newest. For moving a store that nobody else writes to.
   */
  restoreEntries(compartment: CompartmentId, entries: readonly Entry[]): Promise<void>
  /** Puts documents as another store held them, with their revisions. */
  restoreDocuments(documents: readonly StoredDocument[]): Promise<void>

  /** A document, unless it has expired at `nowMs`. */
  document(collection: string, key: string, nowMs: number): Promise<StoredDocument | undefined>
  /** The documents of a collection, or of one group of it, in no promised order. */
  documents(collection: string, nowMs: number, group?: string): Promise<readonly StoredDocument[]>
  /** Documents of all collections, expired ones too, ordered by collection and key, from behind `after` on, at most `limit`. */
  everyDocument(
    after: Pick<StoredDocument, 'collection' | 'key'> | undefined,
    limit: number,
  ): Promise<readonly StoredDocument[]>
  /** Documents that have expired at `nowMs`, at most `limit`: their rows are there until they are deleted. */
  expiredDocuments(nowMs: number, limit: number): Promise<readonly StoredDocument[]>
  /**
   * A number that is another one after any document was written, by whatever process: while it stays the same, what was
   * read of documents still holds. A store that cannot tell answers with a new number each time.
   */
  documentsMark(): Promise<number>
  /** A number that is another one after anybody but this opening of the store has written anything; else as `documentsMark`. */
  othersMark(): Promise<number>
  /** The names of the collections that hold documents, expired ones too. */
  collections(): Promise<readonly string[]>

  /**
   * Removes everything a compartment holds (after its key was destroyed). Copies in other compartments stay, and of what had
   * moved here from another one, the removal there is its newest version again.
   */
  dropCompartment(compartment: CompartmentId): Promise<void>

  stats(): Promise<StoreStats>
  /** Structural check of the store itself; the faults found, none when sound. */
  check(): Promise<readonly string[]>
  /**
   * Looks through one compartment's entries from a seq on, at most `limit` of them, for such that are not where lookups by
   * locator find them: the newest version of each resource as the newest, the others as older ones.
   *
   * @returns the seqs of those that are not
   */
  misplaced(compartment: CompartmentId, fromSeq: number, limit: number): Promise<readonly number[]>
  close(): Promise<void>
}

/** A wrapped key. It is useless without the instance key, which is useless without a root. */
export interface WrappedKey {
  /** The compartment's id, or `instance`. */
  readonly owner: string
  /** `patient`, `commons`, `audit`, `instance:file`, `instance:passphrase`, `instance:recovery` … */
  readonly kind: string
  readonly version: number
  readonly wrapped: Uint8Array
  /** Parameters that unwrapping needs (salt, cost), never a key. */
  readonly params: Readonly<Record<string, string | number>>
  /** What the writer vouches for the row with; none in rows of an earlier release. */
  readonly mac?: Uint8Array | undefined
}

/** Says that the keys of an owner were destroyed. */
export interface Tombstone {
  readonly owner: string
  readonly atMs: number
  readonly mac?: Uint8Array | undefined
}

/** A chain head or other small value, by name. */
export interface Note {
  readonly name: string
  readonly value: Uint8Array
  readonly mac?: Uint8Array | undefined
}

/** Rows of a keystore. */
export interface KeyRows {
  readonly keys: readonly WrappedKey[]
  readonly tombstones: readonly Tombstone[]
  readonly notes: readonly Note[]
}

/** What becomes another in a keystore: wholly or not at all, with one flush of the disk. */
export interface KeysChange {
  /** Nothing is done unless this note has this value, or is not there. */
  readonly ifNote?: { readonly name: string; readonly value: Uint8Array | undefined }
  /** Removed first. */
  readonly dropped?: {
    readonly keys?: readonly Pick<WrappedKey, 'owner' | 'kind' | 'version'>[]
    /** Owners. */
    readonly tombstones?: readonly string[]
    /** Names. */
    readonly notes?: readonly string[]
  }
  /** Written, each in the place of one of the same name if there is one. */
  readonly put?: Partial<KeyRows>
  /** Whether the reserve of a full disk may be used. */
  readonly urgent?: boolean
  /** As of `Commit`. */
  readonly unhurried?: boolean
}

/**
 * The keystore: another file or database than the store, with another backup. It keeps rows; what they mean, and whether they are
 * the ones that were written, the vault knows.
 */
export interface KeyStore {
  /** @returns whether it was done; not when the note had become another one */
  change(change: KeysChange): Promise<boolean>
  /** As of `Store`. */
  durable(): Promise<void>
  of(owner: string): Promise<readonly WrappedKey[]>
  /** The keys of several owners, some hundreds at most. Order is not promised. */
  ofEach(owners: readonly string[]): Promise<readonly WrappedKey[]>
  all(): Promise<readonly WrappedKey[]>
  tombstone(owner: string): Promise<Tombstone | undefined>
  tombstones(): Promise<readonly Tombstone[]>
  note(name: string): Promise<Note | undefined>
  /** All notes whose name begins so. */
  notes(prefix: string): Promise<readonly Note[]>
  /** Every row, in pages, as all of them were at one moment. */
  everything(): AsyncIterable<KeyRows>
  /** A number that is another one after anybody but this opening has written; a store that cannot tell answers with a new one each time. */
  othersMark(): Promise<number>
  /** Leaves nothing of what was deleted, now or, on a full disk, as soon as there is room. */
  scrub(): Promise<void>
  /** Structural check of the keystore itself; the faults found, none when sound. */
  check(): Promise<readonly string[]>
  close(): Promise<void>
}
