import { statSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { type Clock, giveWay, isProblem, type Log, type Problem, silentLog, systemClock } from '#kernel'
import { closedProblem } from '../closed.ts'
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
import { boundless, type Space } from '../space/space.ts'
import { type CheckedCommit, checkCommit, checkId16 } from '../well-formed.ts'
import { applyAll } from './apply.ts'
import { Blobs, chunksPerBlob } from './blobs.ts'
import { findFaults, misplacedIn } from './check.ts'
import { Compartments } from './compartments.ts'
import { checkRunsNothing, closingOnFailure, fileAt, openDatabase, pragmaNumber } from './database.ts'
import { Documents } from './documents.ts'
import { CompartmentDrop } from './drop.ts'
import { Feed } from './feed.ts'
import { GroupCommit, type Written } from './group-commit.ts'
import { Ledger } from './ledger.ts'
import { LongCommits } from './long-commits.ts'
import { seqOf, toRowId } from './row-ids.ts'
import { storeSchema } from './schema.ts'
import { Scrub } from './scrub.ts'
import { Segments } from './segments.ts'
import { Stretches } from './stretches.ts'
import { Together } from './together.ts'
import type { Transactions } from './transactions.ts'

/** Where the store lies, and what it may use. */
export interface SqliteStoreOptions {
  /** The database file; it and missing directories are created, for the owner alone. */
  readonly path: string
  readonly log?: Log
  readonly clock?: Clock
  /** How long a write waits for other processes before it is refused as `store.busy`; 10 s by default. */
  readonly waitMs?: number
  /** Whether no other process may have the file open until this one closes it. */
  readonly alone?: boolean
  /** The room on its disk, if somebody looks at it. */
  readonly space?: Space
}

const defaultWaitMs = 10_000
/** Heads that are read in one go: each is a lookup of its own. */
const headsAtOnce = 500

interface Parts {
  readonly path: string
  readonly database: DatabaseSync
  readonly transactions: Transactions
  readonly compartments: Compartments
  readonly ledger: Ledger
  readonly feed: Feed
  readonly segments: Segments
  readonly documents: Documents
  readonly blobs: Blobs
  /** None where the file is held by one connection alone. */
  readonly longCommits: LongCommits | undefined
  readonly space: Space
  readonly log: Log
}

class SqliteStore implements Store {
  readonly #parts: Parts
  readonly #commits: GroupCommit
  readonly #drop: CompartmentDrop
  readonly #scrub: Scrub
  readonly #stretches: Stretches
  readonly #segmentPuts: Together<Segment>
  readonly #misplaced: ReturnType<typeof misplacedIn>
  #closing = false

  constructor(parts: Parts) {
    this.#parts = parts
    this.#scrub = new Scrub('data', parts)
    this.#commits = new GroupCommit(commits => this.#flush(commits))
    this.#segmentPuts = new Together(async segments => {
      const { durable } = await parts.transactions.writeUnflushed(() => {
        for (const segment of segments) parts.segments.put(segment)
      })
      await durable
    })
    this.#stretches = new Stretches(parts)
    this.#drop = new CompartmentDrop(parts)
    this.#misplaced = misplacedIn(parts.database)
  }

  async commit(commit: Commit): Promise<CommitResult> {
    if (this.#closing) throw closedProblem()
    const checked = checkCommit(commit)
    if (!checked.urgent) this.#parts.space.check()
    return this.#commits.add(checked)
  }

  async #flush(commits: readonly CheckedCommit[]): Promise<Written> {
    try {
      return await this.#write(commits)
    } catch (error) {
      if (!isProblem(error, 'full') || !this.#parts.space.release('data')) throw error
      return this.#flushUrgent(commits, error)
    }
  }

  /** What had to be written gets the room that was kept for it; everybody else is told that there is none. */
  async #flushUrgent(commits: readonly CheckedCommit[], full: Problem): Promise<Written> {
    const urgent = commits.filter(commit => commit.urgent)
    const written = await this.#write(urgent)
    const results = new Map(urgent.map((commit, at) => [commit, written.results[at]]))
    return { ...written, results: commits.map(commit => results.get(commit) ?? full) }
  }

  async #write(commits: readonly CheckedCommit[]): Promise<Written> {
    try {
      const { longCommits } = this.#parts
      const results = longCommits?.isLong(commits) ? await longCommits.write(commits) : undefined
      return results === undefined ? await this.#writeHere(commits) : { results }
    } catch (error) {
      this.#parts.ledger.forgetHeads()
      throw error
    }
  }

  /** With a flush if anybody waits for one of them, which is then one for all. */
  async #writeHere(commits: readonly CheckedCommit[]): Promise<Written> {
    const { transactions } = this.#parts
    const apply = () => applyAll(this.#parts, commits)
    if (commits.some(({ unhurried }) => !unhurried)) return { results: await transactions.write(apply) }
    const { result, durable } = await transactions.writeUnflushed(apply)
    return { results: result, durable }
  }

  async durable(): Promise<void> {
    if (this.#closing) throw closedProblem()
    await this.#parts.transactions.durable()
  }

  #urgently<T>(write: () => T): Promise<T> {
    return this.#parts.space.urgently('data', () => this.#parts.transactions.write(write))
  }

  #read<T>(work: (turn: number) => T): T {
    return this.#parts.transactions.read(work)
  }

  async heads(compartments: readonly CompartmentId[]): Promise<ReadonlyMap<CompartmentId, number>> {
    const { ledger } = this.#parts
    return this.#read(() => new Map(compartments.map(compartment => [compartment, ledger.head(compartment)])))
  }

  async allHeads(): Promise<ReadonlyMap<CompartmentId, number>> {
    const heads = new Map<CompartmentId, number>()
    for (let last = 0; ; ) {
      const page = this.#read(() => this.#parts.compartments.behind(last, headsAtOnce))
      for (const { id, head } of page) if (head > 0) heads.set(id, head)
      const end = page.at(-1)
      if (end === undefined || page.length < headsAtOnce) return heads
      last = end.number
      const pause = giveWay()
      if (pause !== undefined) await pause
    }
  }

  async changesSince(mark: string | undefined, limit: number): Promise<Changes> {
    return this.#read(() => this.#parts.feed.since(mark, limit))
  }

  async tellAgain(compartments: readonly CompartmentId[]): Promise<void> {
    const { transactions, feed, compartments: numbers } = this.#parts
    await transactions.write(() => {
      const known = compartments.map(compartment => numbers.number(compartment)).filter(number => number !== undefined)
      feed.moved(known)
    })
  }

  async places(
    locators: readonly Locator[],
    compartments: readonly CompartmentId[] | undefined,
  ): Promise<ReadonlyMap<Locator, readonly Place[]>> {
    const within = compartments === undefined ? undefined : new Set(compartments)
    const placed = this.#read(() => locators.map(locator => [locator, this.#parts.ledger.places(locator)] as const))
    const found = new Map<Locator, readonly Place[]>()
    for (const [locator, copies] of placed) {
      const visible = copies.filter(({ compartment }) => within?.has(compartment) !== false)
      if (visible.length > 0) found.set(locator, visible)
    }
    return found
  }

  async newest(locator: Locator, compartments: readonly CompartmentId[] | undefined): Promise<Entry | undefined> {
    return this.#read(() => this.#parts.ledger.newest(locator, compartments))
  }

  async version(locator: Locator, version: number, compartments: readonly CompartmentId[]): Promise<Entry | undefined> {
    return this.#read(() => this.#parts.ledger.version(locator, version, compartments))
  }

  async versions(
    locator: Locator,
    compartments: readonly CompartmentId[],
    page?: VersionPage,
  ): Promise<readonly Entry[]> {
    return this.#read(() => this.#parts.ledger.versions(locator, compartments, page))
  }

  async entriesAt(compartment: CompartmentId, seqs: readonly number[]): Promise<readonly Entry[]> {
    return this.#read(() => this.#parts.ledger.entriesAt(compartment, seqs))
  }

  async entriesWithin(
    compartment: CompartmentId,
    seqs: readonly number[],
    mostBytes: number,
  ): Promise<readonly Entry[] | undefined> {
    return this.#read(() => this.#parts.ledger.entriesWithin(compartment, seqs, mostBytes))
  }

  async entriesFrom(compartment: CompartmentId, fromSeq: number, limit: number): Promise<readonly Entry[]> {
    return this.#read(() => this.#parts.ledger.entriesFrom(compartment, fromSeq, limit))
  }

  reseal(compartment: CompartmentId, entries: readonly Pick<Entry, 'seq' | 'sealed'>[]): Promise<void> {
    return this.#parts.transactions.write(() => this.#parts.ledger.reseal(compartment, entries))
  }

  putSegment(segment: Segment): Promise<void> {
    return this.#segmentPuts.add(segment)
  }

  async segments(compartment: CompartmentId): Promise<readonly Segment[]> {
    return this.#read(() => this.#parts.segments.list(compartment))
  }

  dropSegments(compartment: CompartmentId): Promise<void> {
    return this.#urgently(() => this.#parts.segments.drop(compartment))
  }

  stretches(compartments: readonly CompartmentId[]): AsyncIterable<readonly Stretch[]> {
    return this.#stretches.of(compartments)
  }

  async putBlob(compartment: CompartmentId, blob: string, chunks: AsyncIterable<BlobChunk>): Promise<void> {
    checkId16(compartment)
    this.#parts.space.check()
    await this.#parts.blobs.sweep()
    await this.#parts.blobs.put(compartment, blob, chunks)
  }

  blob(compartment: CompartmentId, blob: string): AsyncIterable<BlobChunk> {
    return this.#parts.blobs.read(compartment, blob)
  }

  dropBlob(compartment: CompartmentId, blob: string): Promise<void> {
    return this.#parts.space.urgently('data', () => this.#parts.blobs.drop(compartment, blob))
  }

  async blobNames(compartment: CompartmentId): Promise<readonly string[]> {
    return this.#read(() => this.#parts.blobs.names(compartment))
  }

  async restoreEntries(compartment: CompartmentId, entries: readonly Entry[]): Promise<void> {
    const { ledger, feed, transactions } = this.#parts
    await transactions.write(() => feed.moved(new Set([ledger.restore(compartment, entries)])))
  }

  async restoreDocuments(documents: readonly StoredDocument[]): Promise<void> {
    await this.#parts.transactions.write(() => {
      for (const document of documents) this.#parts.documents.restore(document)
    })
  }

  async document(collection: string, key: string, nowMs: number): Promise<StoredDocument | undefined> {
    return this.#read(() => this.#parts.documents.one(collection, key, nowMs))
  }

  async documents(collection: string, nowMs: number, group?: string): Promise<readonly StoredDocument[]> {
    return this.#read(() => this.#parts.documents.list(collection, nowMs, group))
  }

  async documentsMark(): Promise<number> {
    return this.#read(turn => this.#parts.documents.mark(turn))
  }

  async othersMark(): Promise<number> {
    return this.#read(turn => this.#parts.documents.othersMark(turn))
  }

  async collections(): Promise<readonly string[]> {
    return this.#read(() => this.#parts.documents.collections())
  }

  async everyDocument(
    after: Pick<StoredDocument, 'collection' | 'key'> | undefined,
    limit: number,
  ): Promise<readonly StoredDocument[]> {
    return this.#read(() => this.#parts.documents.every(after, limit))
  }

  async expiredDocuments(nowMs: number, limit: number): Promise<readonly StoredDocument[]> {
    return this.#read(() => this.#parts.documents.expired(nowMs, limit))
  }

  async dropCompartment(compartment: CompartmentId): Promise<void> {
    this.#parts.ledger.forgetHeads()
    await this.#parts.space.urgently('data', () => this.#drop.drop(compartment))
    // Also when there was nothing to remove: an earlier call may have been stopped before this.
    await this.#scrub.now()
  }

  async stats(): Promise<StoreStats> {
    const heads = await this.allHeads()
    return this.#read(() => ({
      compartments: heads.size,
      entries: [...heads.values()].reduce((sum, head) => sum + head, 0),
      segments: this.#count('segments'),
      documents: this.#count('documents'),
      blobs: this.#count('blobs WHERE name IS NOT NULL'),
      sizeBytes: this.#sizeBytes(),
    }))
  }

  #count(from: string): number {
    return Number(this.#parts.database.prepare(`SELECT count(*) AS count FROM ${from}`).get()?.count)
  }

  #sizeBytes(): number {
    const { database, path } = this.#parts
    const log = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0
    return pragmaNumber(database, 'page_count') * pragmaNumber(database, 'page_size') + log
  }

  async check(): Promise<readonly string[]> {
    return this.#read(() => findFaults(this.#parts.database, this.#parts.compartments, chunksPerBlob))
  }

  async misplaced(compartment: CompartmentId, fromSeq: number, limit: number): Promise<readonly number[]> {
    return this.#read(() => {
      checkRunsNothing(this.#parts.database)
      const number = this.#parts.compartments.number(compartment)
      if (number === undefined) return []
      return this.#misplaced(toRowId(number, fromSeq), toRowId(number + 1, 0), limit).map(seqOf)
    })
  }

  async close(): Promise<void> {
    this.#closing = true
    try {
      await this.#commits.settled()
      await this.#segmentPuts.settled()
      await this.#parts.longCommits?.close()
    } finally {
      await this.#parts.transactions.close()
    }
  }
}

/**
 * Opens the store in an SQLite file, which several processes may use at once, and removes what a crash has left.
 *
 * @throws Problem `fault` · `store.sqlite-too-old` | `store.schema-newer` | `store.schema-foreign` | `store.not-ours` | `store.failed`;
 *         `busy` · `store.busy` when another process holds the file for longer than `waitMs`
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const { path, log = silentLog, clock = systemClock, waitMs = defaultWaitMs, space = boundless } = options
  const { database, transactions } = await space.urgently('data', () =>
    openDatabase(path, storeSchema, waitMs, options.alone),
  )
  return closingOnFailure(transactions, async () => {
    const compartments = new Compartments(database)
    const blobs = new Blobs(database, transactions, compartments, { clock, log })
    const swept = await blobs.sweep()
    if (swept > 0) log.info('attachments left half-written by a crash were removed', { room: 'store', count: swept })
    const documents = new Documents(database)
    return new SqliteStore({
      path,
      database,
      transactions,
      compartments,
      ledger: new Ledger(database, compartments),
      feed: new Feed(database, compartments),
      segments: new Segments(database, compartments),
      documents,
      blobs,
      longCommits: options.alone
        ? undefined
        : new LongCommits({ path, waitMs, file: fileAt(path) }, { transactions, documents }),
      space,
      log,
    })
  })
}
