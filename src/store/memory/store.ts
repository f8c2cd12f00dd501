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
import { allWithin, sealedOf } from '../page-bytes.ts'
import { firstOf } from '../version-page.ts'
import { checkCommit, checkId16 } from '../well-formed.ts'
import { Documents } from './documents.ts'
import { Ledger } from './ledger.ts'
import { Shelves } from './shelves.ts'

class MemoryStore implements Store {
  readonly #ledger = new Ledger()
  readonly #documents = new Documents()
  readonly #shelves = new Shelves()
  #closed = false

  #checkOpen(): void {
    if (this.#closed) throw closedProblem()
  }

  /** For what is about one compartment. */
  #check(compartment: CompartmentId): void {
    this.#checkOpen()
    checkId16(compartment)
  }

  async commit(commit: Commit): Promise<CommitResult> {
    this.#checkOpen()
    const checked = checkCommit(commit)
    const conflict = new Conflict()
    this.#ledger.compare(checked, conflict)
    this.#documents.compare(checked.documents, conflict)
    const lost = conflict.result()
    if (lost !== undefined) return lost
    this.#ledger.append(checked)
    for (const write of checked.documents) this.#documents.write(write)
    return { ok: true }
  }

  async durable(): Promise<void> {
    this.#checkOpen()
  }

  async heads(compartments: readonly CompartmentId[]): Promise<ReadonlyMap<CompartmentId, number>> {
    this.#checkOpen()
    compartments.forEach(checkId16)
    return new Map(compartments.map(compartment => [compartment, this.#ledger.head(compartment)]))
  }

  async allHeads(): Promise<ReadonlyMap<CompartmentId, number>> {
    this.#checkOpen()
    return new Map([...this.#ledger.all].map(([compartment, entries]) => [compartment, entries.length]))
  }

  async changesSince(mark: string | undefined, limit: number): Promise<Changes> {
    this.#checkOpen()
    return this.#ledger.changesSince(mark, limit)
  }

  async places(
    locators: readonly Locator[],
    compartments: readonly CompartmentId[] | undefined,
  ): Promise<ReadonlyMap<Locator, readonly Place[]>> {
    this.#checkOpen()
    return this.#ledger.places(locators, compartments)
  }

  async newest(locator: Locator, compartments: readonly CompartmentId[] | undefined): Promise<Entry | undefined> {
    this.#checkOpen()
    return this.#ledger.newest(locator, compartments)
  }

  async version(locator: Locator, version: number, compartments: readonly CompartmentId[]): Promise<Entry | undefined> {
    return (await this.versions(locator, compartments)).find(entry => entry.version === version)
  }

  async versions(
    locator: Locator,
    compartments: readonly CompartmentId[],
    { below = Number.POSITIVE_INFINITY, limit = Number.POSITIVE_INFINITY }: VersionPage = {},
  ): Promise<readonly Entry[]> {
    this.#checkOpen()
    const all = this.#ledger.versions(locator, compartments)
    return firstOf(
      all.filter(({ version }) => version < below),
      limit,
    )
  }

  async entriesAt(compartment: CompartmentId, seqs: readonly number[]): Promise<readonly Entry[]> {
    this.#check(compartment)
    return this.#ledger.entriesAt(compartment, seqs)
  }

  async entriesWithin(
    compartment: CompartmentId,
    seqs: readonly number[],
    mostBytes: number,
  ): Promise<readonly Entry[] | undefined> {
    this.#check(compartment)
    return allWithin(this.#ledger.entriesAt(compartment, seqs), mostBytes, sealedOf)
  }

  async entriesFrom(compartment: CompartmentId, fromSeq: number, limit: number): Promise<readonly Entry[]> {
    this.#check(compartment)
    return this.#ledger.entriesFrom(compartment, fromSeq, limit)
  }

  async reseal(compartment: CompartmentId, entries: readonly Pick<Entry, 'seq' | 'sealed'>[]): Promise<void> {
    this.#check(compartment)
    this.#ledger.reseal(compartment, entries)
  }

  async putSegment(segment: Segment): Promise<void> {
    this.#check(segment.compartment)
    if (this.#ledger.head(segment.compartment) >= segment.untilSeq) this.#shelves.putSegment(segment)
  }

  async segments(compartment: CompartmentId): Promise<readonly Segment[]> {
    this.#check(compartment)
    return this.#shelves.segments(compartment)
  }

  async dropSegments(compartment: CompartmentId): Promise<void> {
    this.#check(compartment)
    this.#shelves.dropSegments(compartment)
  }

  async *stretches(compartments: readonly CompartmentId[]): AsyncGenerator<readonly Stretch[], void, void> {
    for (const compartment of new Set(compartments)) {
      this.#check(compartment)
      yield [this.#stretch(compartment)]
    }
  }

  #stretch(compartment: CompartmentId): Stretch {
    const segments = this.#shelves.segmentsInARow(compartment)
    const entries = (this.#ledger.all.get(compartment) ?? []).slice(segments.at(-1)?.untilSeq ?? 0)
    return { compartment, segments, entries, last: true }
  }

  async putBlob(compartment: CompartmentId, blob: string, chunks: AsyncIterable<BlobChunk>): Promise<void> {
    this.#check(compartment)
    await this.#shelves.putBlob(compartment, blob, chunks)
  }

  async *blob(compartment: CompartmentId, blob: string): AsyncGenerator<BlobChunk, void, void> {
    this.#check(compartment)
    yield* this.#shelves.blob(compartment, blob)
  }

  async dropBlob(compartment: CompartmentId, blob: string): Promise<void> {
    this.#check(compartment)
    this.#shelves.dropBlob(compartment, blob)
  }

  async blobNames(compartment: CompartmentId): Promise<readonly string[]> {
    this.#check(compartment)
    return this.#shelves.blobNames(compartment)
  }

  async restoreEntries(compartment: CompartmentId, entries: readonly Entry[]): Promise<void> {
    this.#checkOpen()
    this.#ledger.restore(compartment, entries)
  }

  async restoreDocuments(documents: readonly StoredDocument[]): Promise<void> {
    this.#checkOpen()
    this.#documents.restore(documents)
  }

  async document(collection: string, key: string, nowMs: number): Promise<StoredDocument | undefined> {
    this.#checkOpen()
    return this.#documents.one(collection, key, nowMs)
  }

  async documents(collection: string, nowMs: number, group?: string): Promise<readonly StoredDocument[]> {
    this.#checkOpen()
    return this.#documents.list(collection, nowMs, group)
  }

  async documentsMark(): Promise<number> {
    this.#checkOpen()
    return this.#documents.mark
  }

  async collections(): Promise<readonly string[]> {
    this.#checkOpen()
    return this.#documents.collections()
  }

  /** Nobody else can write here. */
  async othersMark(): Promise<number> {
    this.#checkOpen()
    return 0
  }

  async everyDocument(
    after: Pick<StoredDocument, 'collection' | 'key'> | undefined,
    limit: number,
  ): Promise<readonly StoredDocument[]> {
    this.#checkOpen()
    return this.#documents.every(after, limit)
  }

  async expiredDocuments(nowMs: number, limit: number): Promise<readonly StoredDocument[]> {
    this.#checkOpen()
    return this.#documents.expired(nowMs, limit)
  }

  async dropCompartment(compartment: CompartmentId): Promise<void> {
    this.#check(compartment)
    this.#ledger.drop(compartment)
    this.#shelves.dropAll(compartment)
  }

  async stats(): Promise<StoreStats> {
    this.#checkOpen()
    const entries = [...this.#ledger.all.values()].flat()
    const { allSegments: segments, allBlobs: blobs } = this.#shelves
    const { all: documents } = this.#documents
    const kept = [...entries, ...segments, ...blobs.flat(), ...documents]
    return {
      compartments: this.#ledger.all.size,
      entries: entries.length,
      segments: segments.length,
      documents: documents.length,
      blobs: blobs.length,
      sizeBytes: kept.reduce((sum, { sealed }) => sum + sealed.length, 0),
    }
  }

  async check(): Promise<readonly string[]> {
    this.#checkOpen()
    const gaps = [...this.#ledger.all].filter(([, entries]) => entries.some((entry, at) => entry.seq !== at + 1))
    return gaps.map(([compartment]) => `compartment ${compartment}: its seqs are not dense`)
  }

  /** Lookups go through the entries themselves. */
  async misplaced(): Promise<readonly number[]> {
    this.#checkOpen()
    return []
  }

  async close(): Promise<void> {
    this.#closed = true
  }
}

/**
 * A store that keeps everything in memory and forgets it with the process. The same semantics as the others,
 * conflicts included; for tests and for a demonstration that must leave nothing behind.
 */
export function openMemoryStore(): Store {
  return new MemoryStore()
}
