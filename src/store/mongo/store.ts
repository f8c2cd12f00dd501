import { mongo } from 'mongoose'
import { type Clock, silentLog, systemClock } from '#kernel'
import { closedProblem } from '../closed.ts'
import { Conflict } from '../conflict.ts'
import type {
  BlobChunk,
  Changes,
  Commit,
  CommitResult,
  CompartmentId,
  Entry,
  Locator,
  Place,
  Segment,
  Store,
  StoredDocument,
  StoreStats,
  Stretch,
  VersionPage,
} from '../contract.ts'
import { idBytes } from '../ids.ts'
import { type CheckedCommit, checkCommit, checkId16, documentName } from '../well-formed.ts'
import { Blobs } from './blobs.ts'
import { Feed, OthersWatch } from './changes.ts'
import { findFaults } from './check.ts'
import { Commits } from './commits.ts'
import { Documents } from './documents.ts'
import { CompartmentDrop } from './drop.ts'
import { toProblem } from './failures.ts'
import { Ledger } from './ledger.ts'
import { type MongoOptions, type OpenDatabase, openDatabase } from './open-database.ts'
import {
  type BlobRow,
  type ChunkRow,
  type CommitRow,
  type DocumentRow,
  type EntryRow,
  type HeadRow,
  type PlaceRow,
  type SegmentRow,
  segmentFrom,
  toBuffer,
} from './rows.ts'
import { Stretches } from './stretches.ts'
import type { Transaction } from './transactions.ts'

/** Where the store lies, and what it may use. */
export interface MongoStoreOptions extends MongoOptions {
  readonly clock?: Clock
}

/** A store behind a network: it may be out of reach, and be back a moment later. */
export interface MongoStore extends Store {
  /** Whether there was no such database before it was opened. */
  readonly isNew: boolean
  /** Whether a server that takes writes is known at this moment. */
  isReady(): boolean
}

type Database = OpenDatabase<'store'>

function collectionsOf(database: Database) {
  return {
    heads: database.collection<HeadRow>('heads'),
    entries: database.collection<EntryRow>('entries'),
    places: database.collection<PlaceRow>('places'),
    segments: database.collection<SegmentRow>('segments'),
    documents: database.collection<DocumentRow>('documents'),
    blobs: database.collection<BlobRow>('blobs'),
    chunks: database.collection<ChunkRow>('chunks'),
    commits: database.collection<CommitRow>('commits'),
  }
}

/** Segments are derived, and attachments are opened as they are read. */
const watched = ['heads', 'entries', 'places', 'documents']

class OpenMongoStore implements MongoStore {
  readonly #database: Database
  readonly #rows: ReturnType<typeof collectionsOf>
  readonly #ledger: Ledger
  readonly #documents: Documents
  readonly #blobs: Blobs
  readonly #drop: CompartmentDrop
  readonly #feed: Feed
  readonly #others: OthersWatch
  readonly #stretches: Stretches
  readonly #commits: Commits
  #mark = 0
  #closing = false

  constructor(database: Database, rows: ReturnType<typeof collectionsOf>, blobs: Blobs) {
    this.#database = database
    this.#rows = rows
    this.#ledger = new Ledger(rows)
    this.#documents = new Documents(rows.documents)
    this.#blobs = blobs
    const headsOf = (compartments: readonly CompartmentId[]) => this.#ledger.heads(compartments)
    this.#feed = new Feed({ ...database, ...rows, house: database.id, headsOf })
    this.#others = new OthersWatch({ ...database, collections: watched })
    this.#stretches = new Stretches({
      ...rows,
      entriesFrom: (of, from, limit) => this.#ledger.entriesFrom(of, from, limit),
    })
    this.#drop = new CompartmentDrop({ ...rows, transactions: database.transactions, blobs })
    this.#commits = new Commits({
      transactions: database.transactions,
      apply: (commits, transaction) => this.#apply(commits, transaction),
      whatWasLost: commit => this.#whatWasLost(commit),
    })
  }

  get isNew(): boolean {
    return this.#database.isNew
  }

  isReady(): boolean {
    return this.#database.isReady()
  }

  /** What is read was acknowledged by a majority, each of which had it in its journal. */
  async durable(): Promise<void> {
    this.#database.transactions.checkOpen()
  }

  async commit(commit: Commit): Promise<CommitResult> {
    if (this.#closing) throw closedProblem()
    return this.#commits.add(checkCommit(commit))
  }

  async #apply(commits: readonly CheckedCommit[], transaction: Transaction): Promise<void> {
    await this.#ledger.append(commits, transaction)
    await this.#documents.write(
      commits.flatMap(({ documents }) => documents),
      transaction,
    )
  }

  /** All of it at one moment; undefined when it would not be lost now. */
  async #whatWasLost(commit: CheckedCommit): Promise<CommitResult | undefined> {
    return this.#database.atOneMoment(async session => {
      const conflict = new Conflict()
      await this.#ledger.compare(commit, conflict, session)
      await this.#documents.compare(commit.documents, conflict, session)
      return conflict.result()
    })
  }

  #read<T>(work: () => Promise<T>): Promise<T> {
    return this.#database.read(work)
  }

  heads(compartments: readonly CompartmentId[]): Promise<ReadonlyMap<CompartmentId, number>> {
    return this.#read(() => this.#ledger.heads(compartments))
  }

  allHeads(): Promise<ReadonlyMap<CompartmentId, number>> {
    return this.#read(() => this.#ledger.allHeads())
  }

  changesSince(mark: string | undefined, limit: number): Promise<Changes> {
    return this.#read(() => this.#feed.changesSince(mark, limit))
  }

  places(
    locators: readonly Locator[],
    compartments: readonly CompartmentId[] | undefined,
  ): Promise<ReadonlyMap<Locator, readonly Place[]>> {
    const within = compartments === undefined ? undefined : new Set(compartments)
    return this.#read(async () => {
      const found = new Map<Locator, readonly Place[]>()
      for (const [locator, copies] of await this.#ledger.places(locators)) {
        const visible = copies.filter(({ compartment }) => within?.has(compartment) !== false)
        if (visible.length > 0) found.set(locator, visible)
      }
      return found
    })
  }

  newest(locator: Locator, compartments: readonly CompartmentId[] | undefined): Promise<Entry | undefined> {
    return this.#read(() => this.#ledger.newest(locator, compartments))
  }

  version(locator: Locator, version: number, compartments: readonly CompartmentId[]): Promise<Entry | undefined> {
    return this.#read(() => this.#ledger.version(locator, version, compartments))
  }

  versions(locator: Locator, compartments: readonly CompartmentId[], page?: VersionPage): Promise<readonly Entry[]> {
    return this.#read(() => this.#ledger.versions(locator, compartments, page))
  }

  entriesAt(compartment: CompartmentId, seqs: readonly number[]): Promise<readonly Entry[]> {
    return this.#read(() => this.#ledger.entriesAt(compartment, seqs))
  }

  entriesWithin(
    compartment: CompartmentId,
    seqs: readonly number[],
    mostBytes: number,
  ): Promise<readonly Entry[] | undefined> {
    return this.#read(() => this.#ledger.entriesWithin(compartment, seqs, mostBytes))
  }

  entriesFrom(compartment: CompartmentId, fromSeq: number, limit: number): Promise<readonly Entry[]> {
    return this.#read(() => this.#ledger.entriesFrom(compartment, fromSeq, limit))
  }

  reseal(compartment: CompartmentId, entries: readonly Pick<Entry, 'seq' | 'sealed'>[]): Promise<void> {
    return this.#write([compartment], transaction => this.#ledger.reseal(compartment, entries, transaction))
  }

  async #write(keys: readonly string[], work: Parameters<Database['transactions']['write']>[0]['work']): Promise<void> {
    await this.#database.transactions.write<unknown>({ keys, work, already: () => undefined })
  }

  async putSegment(segment: Segment): Promise<void> {
    await this.#write([segment.compartment], transaction => this.#putSegment(segment, transaction))
  }

  /** A claim of the head, so that what is removed in the same moment leaves no segment behind. */
  async #putSegment(
    { compartment, fromSeq: f, untilSeq: u, sealed }: Segment,
    transaction: Transaction,
  ): Promise<void> {
    const { session, id: w } = transaction
    const c = idBytes(compartment)
    const claimed = await this.#rows.heads.updateOne({ _id: c, n: { $gte: u } }, { $set: { w } }, { session })
    if (claimed.matchedCount === 0) return
    const there = await this.#rows.segments.findOne({ c, f }, { session, projection: { u: 1 } })
    if ((there?.u ?? 0) > u) return
    await this.#rows.segments.updateOne({ c, f }, { $set: { u, b: toBuffer(sealed) } }, { session, upsert: true })
  }

  segments(compartment: CompartmentId): Promise<readonly Segment[]> {
    return this.#read(async () => {
      const rows = await this.#rows.segments
        .find({ c: idBytes(compartment) })
        .sort({ f: 1 })
        .toArray()
      return rows.map(segmentFrom)
    })
  }

  async dropSegments(compartment: CompartmentId): Promise<void> {
    const filter = { c: idBytes(compartment) }
    await this.#write([compartment], ({ session }) => this.#rows.segments.deleteMany(filter, { session }))
  }

  async *stretches(compartments: readonly CompartmentId[]): AsyncGenerator<readonly Stretch[], void, void> {
    this.#database.transactions.checkOpen()
    try {
      yield* this.#stretches.of(compartments)
    } catch (error) {
      throw toProblem(error)
    }
  }

  async putBlob(compartment: CompartmentId, blob: string, chunks: AsyncIterable<BlobChunk>): Promise<void> {
    checkId16(compartment)
    await this.#read(() => this.#blobs.sweep())
    // What the source throws is not the store's to put into words.
    await this.#blobs.put(compartment, blob, chunks)
  }

  async *blob(compartment: CompartmentId, blob: string): AsyncGenerator<BlobChunk, void, void> {
    this.#database.transactions.checkOpen()
    try {
      yield* this.#blobs.read(compartment, blob)
    } catch (error) {
      throw toProblem(error)
    }
  }

  dropBlob(compartment: CompartmentId, blob: string): Promise<void> {
    return this.#read(() => this.#blobs.drop(compartment, blob))
  }

  blobNames(compartment: CompartmentId): Promise<readonly string[]> {
    return this.#read(() => this.#blobs.names(compartment))
  }

  async restoreEntries(compartment: CompartmentId, entries: readonly Entry[]): Promise<void> {
    await this.#write([compartment], transaction => this.#ledger.restore(compartment, entries, transaction))
  }

  async restoreDocuments(documents: readonly StoredDocument[]): Promise<void> {
    await this.#write(documents.map(documentName), transaction => this.#documents.restore(documents, transaction))
  }

  document(collection: string, key: string, nowMs: number): Promise<StoredDocument | undefined> {
    return this.#read(() => this.#documents.one(collection, key, nowMs))
  }

  documents(collection: string, nowMs: number, group?: string): Promise<readonly StoredDocument[]> {
    return this.#read(() => this.#documents.list(collection, nowMs, group))
  }

  everyDocument(
    after: Pick<StoredDocument, 'collection' | 'key'> | undefined,
    limit: number,
  ): Promise<readonly StoredDocument[]> {
    return this.#read(() => this.#documents.every(after, limit))
  }

  expiredDocuments(nowMs: number, limit: number): Promise<readonly StoredDocument[]> {
    return this.#read(() => this.#documents.expired(nowMs, limit))
  }

  /** To find out costs as much as to read the document anew, so it is another number each time. */
  async documentsMark(): Promise<number> {
    this.#database.transactions.checkOpen()
    return ++this.#mark
  }

  othersMark(): Promise<number> {
    return this.#read(() => this.#others.mark())
  }

  collections(): Promise<readonly string[]> {
    return this.#read(() => this.#documents.collections())
  }

  dropCompartment(compartment: CompartmentId): Promise<void> {
    return this.#read(() => this.#drop.drop(compartment))
  }

  stats(): Promise<StoreStats> {
    return this.#read(async () => {
      const heads = await this.#ledger.allHeads()
      const { documents, segments, blobs } = this.#rows
      const { dataSize = 0, indexSize = 0 } = await this.#database.database.command({ dbStats: 1 })
      return {
        compartments: heads.size,
        entries: [...heads.values()].reduce((sum, head) => sum + head, 0),
        segments: await segments.countDocuments({}),
        documents: await documents.countDocuments({}),
        blobs: await blobs.countDocuments({ n: { $exists: true } }),
        sizeBytes: Number(dataSize) + Number(indexSize),
      }
    })
  }

  check(): Promise<readonly string[]> {
    return this.#read(() => findFaults(this.#database, this.#rows))
  }

  misplaced(compartment: CompartmentId, fromSeq: number, limit: number): Promise<readonly number[]> {
    return this.#read(() =>
      this.#database.atOneMoment(session => this.#ledger.misplaced(compartment, { fromSeq, limit }, session)),
    )
  }

  async close(): Promise<void> {
    this.#closing = true
    await this.#commits.settled()
    await this.#database.close(() => Promise.all([this.#feed.close(), this.#others.close()]))
  }
}

/**
 * Opens the store in a MongoDB, which any number of processes may use at once, and removes what a crash has left.
 *
 * @throws as `openDatabase`
 */
export async function openMongoStore(options: MongoStoreOptions): Promise<MongoStore> {
  const { log = silentLog, clock = systemClock } = options
  const database = await openDatabase('store', options, log)
  const rows = collectionsOf(database)
  const { transactions } = database
  const blobs = new Blobs({ ...rows, transactions, clock, log, newId: () => new mongo.ObjectId() })
  try {
    const swept = await blobs.sweep()
    if (swept > 0) log.info('attachments left half-written by a crash were removed', { room: 'store', count: swept })
  } catch (error) {
    await database.close()
    throw toProblem(error)
  }
  return new OpenMongoStore(database, rows, blobs)
}
