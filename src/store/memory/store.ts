import { randomId16 } from '#kernel'
import { closedProblem } from '../closed.ts'
import { Conflict } from '../conflict.ts'
import type {
  Append,
  BlobChunk,
  Changes,
  Commit,
  CommitResult,
  CompartmentId,
  DocumentWrite,
  Entry,
  Locator,
  Place,
  Sealed,
  Segment,
  Store,
  StoredDocument,
  StoreStats,
  Stretch,
} from '../contract.ts'
import {
  type CheckedCommit,
  checkCommit,
  checkHexKey,
  checkId16,
  checkRestored,
  documentName,
  inOrder,
  isHead,
} from '../well-formed.ts'

// A store keeps what it was given even when the caller uses his buffer again.
function copyOf(bytes: Sealed): Sealed {
  return bytes.slice() as Sealed
}

function isAlive(document: StoredDocument, nowMs: number): boolean {
  return document.expiresAtMs === undefined || nowMs < document.expiresAtMs
}

function storedFrom(write: Extract<DocumentWrite, { op: 'put' }>, revision: number): StoredDocument {
  return {
    collection: write.collection,
    key: write.key,
    revision,
    ...(write.group === undefined ? {} : { group: write.group }),
    ...(write.expiresAtMs === undefined ? {} : { expiresAtMs: write.expiresAtMs }),
    sealed: copyOf(write.sealed),
  }
}

function placeOf(entry: Entry): Place {
  return { locator: entry.locator, compartment: entry.compartment, seq: entry.seq, version: entry.version }
}

class MemoryStore implements Store {
  readonly #ledgers = new Map<CompartmentId, Entry[]>()
  /** Each copy of the newest version of a resource. */
  readonly #newestOf = new Map<Locator, readonly Entry[]>()
  /** The versions of a resource in one compartment, oldest first: what lies in others is not even looked at. */
  readonly #versionsIn = new Map<CompartmentId, Map<Locator, Entry[]>>()
  readonly #segments = new Map<CompartmentId, Map<number, Segment>>()
  readonly #blobs = new Map<CompartmentId, Map<string, readonly BlobChunk[]>>()
  readonly #documents = new Map<string, StoredDocument>()
  /** Compartments in the order in which they moved. */
  readonly #moves: CompartmentId[] = []
  readonly #id = randomId16().toString('hex')
  #documentsMark = 0
  #closed = false

  #checkOpen(): void {
    if (this.#closed) throw closedProblem()
  }

  async commit(commit: Commit): Promise<CommitResult> {
    this.#checkOpen()
    const checked = checkCommit(commit)
    const lost = this.#conflictOf(checked)
    if (lost !== undefined) return lost
    this.#append(checked)
    for (const write of checked.documents) this.#writeDocument(write)
    return { ok: true }
  }

  #conflictOf(commit: CheckedCommit): CommitResult | undefined {
    const conflict = new Conflict()
    for (const append of commit.appends) if (!this.#isAtHead(append)) conflict.heads.push(append.compartment)
    for (const [locator, entries] of commit.byLocator)
      if (entries[0]?.version !== (this.#newestOf.get(locator)?.[0]?.version ?? 0) + 1) conflict.locators.push(locator)
    for (const write of commit.documents)
      if (write.ifRevision !== undefined && write.ifRevision !== this.#revision(write))
        conflict.documents.push(documentName(write))
    return conflict.result()
  }

  #isAtHead(append: Append): boolean {
    const { compartment, expectedHead } = append
    if (this.#head(compartment) !== expectedHead) return false
    return expectedHead === 0 || isHead(append, this.#ledgers.get(compartment)?.at(-1)?.sealed)
  }

  #append(commit: CheckedCommit): void {
    for (const append of commit.appends) {
      if (append.entries.length > 0) this.#moves.push(append.compartment)
      for (const entry of append.entries) {
        const kept = { ...entry, sealed: copyOf(entry.sealed) }
        pushTo(this.#ledgers, entry.compartment, kept)
        pushTo(mapIn(this.#versionsIn, entry.compartment), entry.locator, kept)
      }
    }
    for (const locator of commit.byLocator.keys()) this.#place(locator, commit)
  }

  #keep(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const kept = { ...entry, sealed: copyOf(entry.sealed) }
      pushTo(this.#ledgers, entry.compartment, kept)
      pushTo(mapIn(this.#versionsIn, entry.compartment), entry.locator, kept)
    }
  }

  #place(locator: Locator, commit: CheckedCommit): void {
    const entries = commit.byLocator.get(locator) ?? []
    const version = entries.at(-1)?.version
    const compartments = entries.filter(entry => entry.version === version).map(({ compartment }) => compartment)
    const copies = compartments.map(compartment => this.#versionsIn.get(compartment)?.get(locator)?.at(-1))
    this.#newestOf.set(
      locator,
      copies.filter(entry => entry !== undefined),
    )
  }

  #writeDocument(write: DocumentWrite): void {
    const name = documentName(write)
    if (write.op === 'check') return
    this.#documentsMark++
    if (write.op === 'delete') this.#documents.delete(name)
    else this.#documents.set(name, storedFrom(write, this.#revision(write) + 1))
  }

  #revision(of: { readonly collection: string; readonly key: string }): number {
    return this.#documents.get(documentName(of))?.revision ?? 0
  }

  #head(compartment: CompartmentId): number {
    return this.#ledgers.get(compartment)?.length ?? 0
  }

  async heads(compartments: readonly CompartmentId[]): Promise<ReadonlyMap<CompartmentId, number>> {
    this.#checkOpen()
    compartments.forEach(checkId16)
    return new Map(compartments.map(compartment => [compartment, this.#head(compartment)]))
  }

  async allHeads(): Promise<ReadonlyMap<CompartmentId, number>> {
    this.#checkOpen()
    return new Map([...this.#ledgers].map(([compartment, entries]) => [compartment, entries.length]))
  }

  async changesSince(mark: string | undefined, limit: number): Promise<Changes> {
    this.#checkOpen()
    const [id, at, after] = mark?.split(' ') ?? []
    if (id !== this.#id) return { ...this.#everybody(this.#moves.length, '', limit), anew: true }
    if (after !== undefined) return { ...this.#everybody(Number(at), after, limit), anew: false }
    const page = this.#moves.slice(Number(at), Number(at) + limit)
    const until = Number(at) + page.length
    const moved = new Map(page.map(compartment => [compartment, this.#head(compartment)]))
    return { mark: `${this.#id} ${until}`, moved, more: until < this.#moves.length, anew: false }
  }

  /** Compartments in the order of their ids, and where to go on: behind the last one of them, or with what has moved meanwhile. */
  #everybody(at: number, after: CompartmentId, limit: number): Omit<Changes, 'anew'> {
    const left = [...this.#ledgers.keys()].filter(id => id > after).toSorted()
    const page = left.slice(0, limit)
    const moved = new Map(page.map(id => [id, this.#head(id)]))
    if (page.length < left.length) return { mark: `${this.#id} ${at} ${page.at(-1)}`, moved, more: true }
    return { mark: `${this.#id} ${at}`, moved, more: at < this.#moves.length }
  }

  async places(
    locators: readonly Locator[],
    compartments: readonly CompartmentId[] | undefined,
  ): Promise<ReadonlyMap<Locator, readonly Place[]>> {
    this.#checkOpen()
    locators.forEach(checkId16)
    const within = compartments === undefined ? undefined : new Set(compartments)
    const found = new Map<Locator, readonly Place[]>()
    for (const locator of locators) {
      const copies = (this.#newestOf.get(locator) ?? []).filter(({ compartment }) => within?.has(compartment) !== false)
      if (copies.length > 0) found.set(locator, copies.map(placeOf))
    }
    return found
  }

  async newest(locator: Locator, compartments: readonly CompartmentId[] | undefined): Promise<Entry | undefined> {
    this.#checkOpen()
    checkId16(locator)
    return this.#newestOf.get(locator)?.find(({ compartment }) => compartments?.includes(compartment) !== false)
  }

  async version(locator: Locator, version: number, compartments: readonly CompartmentId[]): Promise<Entry | undefined> {
    return (await this.versions(locator, compartments)).find(entry => entry.version === version)
  }

  async versions(locator: Locator, compartments: readonly CompartmentId[]): Promise<readonly Entry[]> {
    this.#checkOpen()
    checkId16(locator)
    const all = [...new Set(compartments)].flatMap(each => this.#versionsIn.get(each)?.get(locator) ?? [])
    return all.sort((a, b) => b.version - a.version)
  }

  async entriesAt(compartment: CompartmentId, seqs: readonly number[]): Promise<readonly Entry[]> {
    this.#checkOpen()
    checkId16(compartment)
    const ledger = this.#ledgers.get(compartment) ?? []
    return seqs.map(seq => ledger[seq - 1]).filter(entry => entry !== undefined)
  }

  async entriesFrom(compartment: CompartmentId, fromSeq: number, limit: number): Promise<readonly Entry[]> {
    this.#checkOpen()
    checkId16(compartment)
    const start = Math.max(fromSeq - 1, 0)
    return (this.#ledgers.get(compartment) ?? []).slice(start, start + limit)
  }

  async reseal(compartment: CompartmentId, entries: readonly Pick<Entry, 'seq' | 'sealed'>[]): Promise<void> {
    this.#checkOpen()
    checkId16(compartment)
    for (const { seq, sealed } of entries) this.#resealOne(compartment, seq, copyOf(sealed))
  }

  #resealOne(compartment: CompartmentId, seq: number, sealed: Sealed): void {
    const ledger = this.#ledgers.get(compartment)
    const entry = ledger?.[seq - 1]
    if (ledger === undefined || entry === undefined) return
    const resealed = { ...entry, sealed }
    ledger[seq - 1] = resealed
    const versions = this.#versionsIn.get(compartment)?.get(entry.locator) ?? []
    versions[versions.indexOf(entry)] = resealed
    const copies = this.#newestOf.get(entry.locator) ?? []
    this.#newestOf.set(
      entry.locator,
      copies.map(copy => (copy === entry ? resealed : copy)),
    )
  }

  async putSegment(segment: Segment): Promise<void> {
    this.#checkOpen()
    checkId16(segment.compartment)
    const { compartment, fromSeq, untilSeq } = segment
    const there = this.#segments.get(compartment)?.get(fromSeq)
    if (this.#head(compartment) < untilSeq || (there?.untilSeq ?? 0) > untilSeq) return
    mapIn(this.#segments, compartment).set(fromSeq, { ...segment, sealed: copyOf(segment.sealed) })
  }

  async segments(compartment: CompartmentId): Promise<readonly Segment[]> {
    this.#checkOpen()
    checkId16(compartment)
    return [...(this.#segments.get(compartment)?.values() ?? [])].sort((a, b) => a.fromSeq - b.fromSeq)
  }

  async dropSegments(compartment: CompartmentId): Promise<void> {
    this.#checkOpen()
    checkId16(compartment)
    this.#segments.delete(compartment)
  }

  async *stretches(compartments: readonly CompartmentId[]): AsyncGenerator<readonly Stretch[], void, void> {
    for (const compartment of new Set(compartments)) {
      this.#checkOpen()
      checkId16(compartment)
      yield [this.#stretch(compartment)]
    }
  }

  #stretch(compartment: CompartmentId): Stretch {
    const segments: Segment[] = []
    const kept = this.#segments.get(compartment)
    let fromSeq = 1
    for (let next = kept?.get(fromSeq); next !== undefined; next = kept?.get(fromSeq)) {
      segments.push(next)
      fromSeq = next.untilSeq + 1
    }
    const entries = (this.#ledgers.get(compartment) ?? []).slice(fromSeq - 1)
    return { compartment, segments, entries, last: true }
  }

  async putBlob(compartment: CompartmentId, blob: string, chunks: AsyncIterable<BlobChunk>): Promise<void> {
    this.#checkOpen()
    checkId16(compartment)
    const kept: BlobChunk[] = []
    for await (const chunk of inOrder(chunks)) kept.push({ index: chunk.index, sealed: copyOf(chunk.sealed) })
    mapIn(this.#blobs, compartment).set(blob, kept)
  }

  async *blob(compartment: CompartmentId, blob: string): AsyncGenerator<BlobChunk, void, void> {
    this.#checkOpen()
    checkId16(compartment)
    yield* this.#blobs.get(compartment)?.get(blob) ?? []
  }

  async dropBlob(compartment: CompartmentId, blob: string): Promise<void> {
    this.#checkOpen()
    checkId16(compartment)
    this.#blobs.get(compartment)?.delete(blob)
  }

  async blobNames(compartment: CompartmentId): Promise<readonly string[]> {
    this.#checkOpen()
    checkId16(compartment)
    return [...(this.#blobs.get(compartment)?.keys() ?? [])]
  }

  async restoreEntries(compartment: CompartmentId, entries: readonly Entry[]): Promise<void> {
    this.#checkOpen()
    checkRestored(compartment, this.#head(compartment), entries)
    this.#keep(entries)
    for (const { locator } of entries) this.#placeWhatIsLeft(locator)
    if (entries.length > 0) this.#moves.push(compartment)
  }

  async restoreDocuments(documents: readonly StoredDocument[]): Promise<void> {
    this.#checkOpen()
    this.#documentsMark++
    for (const document of documents)
      this.#documents.set(documentName(document), { ...document, sealed: copyOf(document.sealed) })
  }

  async document(collection: string, key: string, nowMs: number): Promise<StoredDocument | undefined> {
    this.#checkOpen()
    checkHexKey(key)
    const document = this.#documents.get(documentName({ collection, key }))
    return document !== undefined && isAlive(document, nowMs) ? document : undefined
  }

  async documents(collection: string, nowMs: number, group?: string): Promise<readonly StoredDocument[]> {
    this.#checkOpen()
    if (group !== undefined) checkHexKey(group)
    return [...this.#documents.values()].filter(
      document =>
        document.collection === collection &&
        isAlive(document, nowMs) &&
        (group === undefined || document.group === group),
    )
  }

  async documentsMark(): Promise<number> {
    this.#checkOpen()
    return this.#documentsMark
  }

  async collections(): Promise<readonly string[]> {
    this.#checkOpen()
    return [...new Set([...this.#documents.values()].map(({ collection }) => collection))]
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
    const names = [...this.#documents.keys()].toSorted()
    const from = after === undefined ? 0 : names.findIndex(name => name > documentName(after))
    const page = from < 0 ? [] : names.slice(from, from + limit)
    return page.flatMap(name => this.#documents.get(name) ?? [])
  }

  async expiredDocuments(nowMs: number, limit: number): Promise<readonly StoredDocument[]> {
    this.#checkOpen()
    return [...this.#documents.values()].filter(document => !isAlive(document, nowMs)).slice(0, limit)
  }

  async dropCompartment(compartment: CompartmentId): Promise<void> {
    this.#checkOpen()
    checkId16(compartment)
    if (this.#ledgers.has(compartment)) this.#moves.push(compartment)
    const locators = this.#versionsIn.get(compartment)?.keys() ?? []
    this.#versionsIn.delete(compartment)
    for (const locator of locators) this.#forget(locator, compartment)
    this.#ledgers.delete(compartment)
    this.#segments.delete(compartment)
    this.#blobs.delete(compartment)
  }

  #forget(locator: Locator, compartment: CompartmentId): void {
    const left = (this.#newestOf.get(locator) ?? []).filter(entry => entry.compartment !== compartment)
    if (left.length > 0) this.#newestOf.set(locator, left)
    else this.#placeWhatIsLeft(locator)
  }

  /** The highest version that is there: what had moved away from elsewhere has its removal there as its newest again. */
  #placeWhatIsLeft(locator: Locator): void {
    const last = [...this.#versionsIn.values()].map(of => of.get(locator)?.at(-1)).filter(each => each !== undefined)
    const version = Math.max(...last.map(entry => entry.version))
    if (last.length === 0) this.#newestOf.delete(locator)
    else
      this.#newestOf.set(
        locator,
        last.filter(entry => entry.version === version),
      )
  }

  async stats(): Promise<StoreStats> {
    this.#checkOpen()
    const ledgers = [...this.#ledgers.values()].flat()
    const segments = [...this.#segments.values()].flatMap(of => [...of.values()])
    const blobs = [...this.#blobs.values()].flatMap(of => [...of.values()])
    const kept = [...ledgers, ...segments, ...blobs.flat(), ...this.#documents.values()]
    return {
      compartments: this.#ledgers.size,
      entries: ledgers.length,
      segments: segments.length,
      documents: this.#documents.size,
      blobs: blobs.length,
      sizeBytes: kept.reduce((sum, { sealed }) => sum + sealed.length, 0),
    }
  }

  async check(): Promise<readonly string[]> {
    this.#checkOpen()
    const gaps = [...this.#ledgers].filter(([, entries]) => entries.some((entry, index) => entry.seq !== index + 1))
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

function pushTo<T>(lists: Map<string, T[]>, name: string, item: T): void {
  const list = lists.get(name)
  if (list === undefined) lists.set(name, [item])
  else list.push(item)
}

function mapIn<K, V>(maps: Map<string, Map<K, V>>, name: string): Map<K, V> {
  const map = maps.get(name) ?? new Map<K, V>()
  maps.set(name, map)
  return map
}

/**
 * A store that keeps everything in memory and forgets it with the process. The same semantics as the others,
 * conflicts included; for tests and for a demonstration that must leave nothing behind.
 */
export function openMemoryStore(): Store {
  return new MemoryStore()
}
