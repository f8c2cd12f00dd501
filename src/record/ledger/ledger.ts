import type { Resource } from '#fhir'
import { atOnce, giveWay, inSlices, type Log, ownBytes, type Steps, withBudget } from '#kernel'
import { type CompartmentIndex, extractRow, extractRowInSteps, type Holder, type IndexRow } from '#search'
import { type Append, type CompartmentId, type Entry, type Locator, mayFollow, type Store } from '#store'
import type { CompartmentKeys } from '#vault'
import type { Content, Stored } from '../types.ts'
import type { HeadNotes } from '../upkeep/head-notes.ts'
import { type Deflated, deflateAside } from './compression.ts'
import type { KeptSegments } from './kept-segments.ts'
import { LedgerIndex, readAhead, rowOf, soundPayload } from './ledger-index.ts'
import type { Located, Named, OpenedVersions } from './opened-versions.ts'
import { chainLink, decodePayload, encodePayload, firstLink, linkOf, type Payload } from './payload.ts'
import type { Pendings } from './pendings.ts'

/** Entries behind from which on it pays to look for segments first. */
const farBehind = 4096

/** A resource and the text as which it is kept. */
export interface Composed {
  readonly resource: Resource
  readonly json: Buffer
}

/** A version that a transaction wants to write; seq, time and JSON follow when its place in the ledger is known. */
export interface Draft {
  readonly locator: Locator
  readonly version: number
  /** Seq of the version it replaces in this ledger, 0 for none. */
  readonly supersedes: number
  readonly method: Stored['method']
  readonly deleted: boolean
  readonly movedAway: boolean
  /** Whether it makes the resource: its first version, and one that follows a deletion. */
  readonly created: boolean
  readonly type: string
  readonly id: string
  /** The resource with `meta` completed, given the instant of the write. Not called for a deletion. */
  compose(lastUpdatedMs: number): Steps<Composed>
  /** Whether making it ready takes so long that others would notice: it is prepared, not made in the turn of its append. */
  readonly isLarge?: boolean
  /** The other compartments into which the same commit writes this version. */
  readonly copies: readonly CompartmentId[]
  readonly creator?: string | undefined
  /** Of its numbers those that stand on the word of an account. */
  readonly entered?: readonly string[] | undefined
  /** Ids of the Patients whose a household's version is by what it says, or what it removes. */
  readonly named?: readonly string[] | undefined
  /** What a Binary holds beside its JSON, as it lies in this compartment. */
  readonly content?: Content | undefined
  /** Told where and when the version was written, once that is certain to be tried. */
  placed(lastUpdatedMs: number, json: Buffer, holder: Holder): void
}

/** What of a version can be made before its place is known. */
interface Made {
  readonly json: Buffer
  /** Its seq is not its own yet. */
  readonly row: IndexRow
  readonly deflation?: Deflated
}

/** Large drafts that were made ready, by draft. */
export type Prepared = ReadonlyMap<Draft, Made>

/** What the ledgers of one record share. */
export interface LedgerRooms {
  readonly store: Store
  readonly log: Log
  readonly pending: Pendings
  readonly opened: OpenedVersions
  readonly kept: KeptSegments
  readonly notes: HeadNotes
  /** Hears what has become durable: up to which seq, and where the rows from another seq on up to there are to be had. */
  readonly told?: (holder: Holder, head: number, rowsFrom: (seq: number) => readonly IndexRow[] | undefined) => void
}

/**
 * One compartment's ledger, opened: its keys, its head, the rows that no segment holds yet, and – when somebody
 * searched it – its index. Writers append in turn without waiting for the disk: the next one builds on the pending
 * head, readers see only what is durable.
 */
export class Ledger {
  readonly holder: Holder
  readonly #keys: CompartmentKeys
  readonly #store: Store
  readonly #pending: Pendings
  readonly #opened: OpenedVersions
  readonly #notes: HeadNotes
  readonly #told: LedgerRooms['told']
  readonly #pendingBySeq = new Map<number, { readonly locator: Locator; readonly stored: Stored }>()
  #durableHead = 0
  #pendingHead = 0
  #lastMs = 0
  #link: Uint8Array = firstLink
  /** Tells the entry at the pending head from every other that may come to lie there. */
  #headTag: Uint8Array | undefined
  readonly #index: LedgerIndex
  #readingOn: Promise<void> | undefined
  /** False once a commit failed: what it holds may be ahead of the store, and it must be opened anew. */
  alive = true
  #outcome: PromiseWithResolvers<void> | undefined
  lastUsedMs = 0

  private constructor(
    holder: Holder,
    keys: CompartmentKeys,
    { store, log, pending, opened, kept, notes, told }: LedgerRooms,
  ) {
    this.holder = holder
    this.#keys = keys
    this.#store = store
    this.#pending = pending
    this.#opened = opened
    this.#notes = notes
    this.#told = told
    const state = { durableHead: () => this.#durableHead, alive: () => this.alive }
    this.#index = new LedgerIndex({ holder, keys, store, log, kept, ...state })
  }

  /**
   * Opens the ledger as far as writing needs: keys and head. The rows behind the last segment are made from their entries by
   * whoever needs the index, or makes the segment longer.
   *
   * @param before  the same ledger, opened earlier, that lost a race: what it knew to be durable need not be read again
   */
  static async open(holder: Holder, keys: CompartmentKeys, rooms: LedgerRooms, before?: Ledger): Promise<Ledger> {
    const ledger = new Ledger(holder, keys, rooms)
    const segments = await rooms.store.segments(holder.compartment)
    ledger.#durableHead = ledger.#pendingHead = ledger.#index.startBehind(segments)
    if (before === undefined || !(await ledger.#inherit(before))) await ledger.#skipToHead()
    else await ledger.#readOn()
    await rooms.notes.admit(holder.compartment, { seq: ledger.#durableHead, link: ledger.#link })
    return ledger
  }

  get durableHead(): number {
    return this.#durableHead
  }

  get pendingHead(): number {
    return this.#pendingHead
  }

  /** What a commit relies on that writes nothing here: the head at this moment. */
  assertion(): Append {
    return { compartment: this.holder.compartment, ...this.#atHead(), entries: [] }
  }

  #atHead(): Pick<Append, 'expectedHead' | 'headTag'> {
    const expectedHead = this.#pendingHead
    return this.#headTag === undefined ? { expectedHead } : { expectedHead, headTag: this.#headTag }
  }

  /** What the rows at hand and the open index take in memory. */
  get sizeBytes(): number {
    return this.#index.sizeBytes
  }

  /** Of these, what the rows at hand take. */
  get rowBytes(): number {
    return this.#index.rowBytes
  }

  /** The index, opened on first use and then kept up by every write. @throws Problem `fault` · `record.ledger-damaged` */
  index(): Promise<CompartmentIndex> {
    return this.#index.open()
  }

  /**
   * Takes in what other processes have appended since. While writes of our own are under way nothing can be: if somebody was faster they
   * will fail, and this ledger is discarded. That is waited for, since what was acknowledged elsewhere would be missing till then.
   *
   * @returns false when it was discarded before it held all that the store holds: the next use reads the store anew
   */
  async catchUp(storeHead: number): Promise<boolean> {
    while (storeHead > this.#durableHead && this.#isWriting) {
      if (!this.alive) return false
      await this.#nextOutcome()
    }
    if (storeHead > this.#durableHead) {
      await this.#catchUpOnce(storeHead)
      // Somebody of this process has begun to write before all was read.
      if (this.#isWriting) return this.catchUp(storeHead)
      this.#saw(this.#durableHead, this.#link)
    }
    this.#index.sealSoon()
    return true
  }

  get #isWriting(): boolean {
    return this.#pendingHead !== this.#durableHead
  }

  /** Resolves when some write of our own has become durable, or all of them have failed. */
  #nextOutcome(): Promise<void> {
    this.#outcome ??= Promise.withResolvers()
    return this.#outcome.promise
  }

  #hadOutcome(): void {
    this.#outcome?.resolve()
    this.#outcome = undefined
  }

  pendingAt(seq: number): Stored | undefined {
    return this.#pendingBySeq.get(seq)?.stored
  }

  /** Forgets what was pending: the commit failed, or nobody uses this ledger any more. */
  abandon(): void {
    this.alive = false
    this.#index.abandon()
    for (const seq of this.#pendingBySeq.keys()) this.#settle(seq)
    this.#hadOutcome()
  }

  /** When the newest entry was written, Unix milliseconds: nothing behind it may seem older. */
  get lastMs(): number {
    return this.#lastMs
  }

  /** The last entry that was durable at an instant, by when it was written; 0 when there was none. */
  async headAt(untilMs: number): Promise<number> {
    for (let head = this.#durableHead; head > 0; head--) {
      const [entry] = await this.#store.entriesAt(this.holder.compartment, [head])
      if (entry === undefined || this.open(entry).lastUpdatedMs <= untilMs) return head
      const pause = giveWay()
      if (pause !== undefined) await pause
    }
    return 0
  }

  /**
   * Gives the drafts their places behind the pending head and seals them. Nothing is awaited in here: what comes back
   * must go to the store before anybody else's turn, or the seqs would be given twice.
   *
   * @param atMs      the instant of the write, the same in every ledger of a commit and not before any `lastMs`
   * @param prepared  what was made ready for the same instant
   */
  append(drafts: readonly Draft[], atMs: number, prepared?: Prepared): Append {
    const head = this.#atHead()
    const entries = drafts.map(draft => this.#place(draft, atMs, prepared?.get(draft) ?? atOnce(made(draft, atMs))))
    return { compartment: this.holder.compartment, ...head, entries }
  }

  /** Makes the large ones of these drafts ready, while others have their turns. */
  async prepare(drafts: readonly Draft[], atMs: number): Promise<Prepared> {
    const prepared = new Map<Draft, Made>()
    for (const draft of drafts) {
      if (draft.isLarge !== true || draft.deleted) continue
      const { json, row } = await inSlices(made(draft, atMs))
      await inSlices(this.#index.prepare(row))
      prepared.set(draft, { json, row, deflation: await deflateAside(json) })
    }
    return prepared
  }

  /** The rows of an append that is under way. */
  rowsOf({ expectedHead, entries }: Append): readonly IndexRow[] {
    return this.#index.rowsAtHand(expectedHead + 1, expectedHead + entries.length) ?? []
  }

  /** The store has made this append durable. */
  committed({ expectedHead, entries }: Append): void {
    const last = entries.at(-1)
    this.#becomeDurable(expectedHead + entries.length)
    if (last !== undefined) this.#saw(last.seq, chainLink(last.sealed))
    const head = this.#durableHead
    this.#told?.(this.holder, head, seq => this.#index.rowsAtHand(seq, head))
    this.#index.sealSoon()
  }

  #saw(seq: number, link: Uint8Array): void {
    this.#notes.saw(this.holder.compartment, { seq, link })
  }

  /** Keeps an attachment; all of it or, where the source fails, nothing. */
  putBlob(name: string, source: AsyncIterable<Uint8Array>): Promise<void> {
    return this.#store.putBlob(this.holder.compartment, name, this.#keys.sealBlob(name, source))
  }

  /** An attachment. @throws Problem `fault` · `vault.seal-broken`, also when there is none */
  blob(name: string): AsyncIterable<Buffer> {
    return this.#keys.openBlob(name, this.#store.blob(this.holder.compartment, name))
  }

  /** @throws Problem `fault` · `vault.seal-broken` */
  open(entry: Entry, named?: Named): Located {
    return this.#opened.open(entry, this.#openAnew, named)
  }

  readonly #openAnew = (entry: Entry, named?: Named): Located =>
    locatedOf(this.#decode(entry), entry, this.holder, named)

  #place(draft: Draft, lastUpdatedMs: number, { json, row, deflation }: Made): Entry {
    const seq = this.#pendingHead + 1
    const { locator, version, supersedes, method, deleted, movedAway, created, copies, creator } = draft
    const { entered = [], named = [], content } = draft
    const lists = { ...(entered.length === 0 ? {} : { entered }), ...(named.length === 0 ? {} : { named }) }
    const beside = content === undefined ? {} : { content }
    const more = { copies, ...(creator === undefined ? {} : { creator }), ...lists, ...beside }
    const said = { method, deleted, movedAway, created, lastUpdatedMs, supersedes, ...more }
    const plain = encodePayload({ ...said, chain: this.#link, json }, deflation)
    const sealed = this.#keys.sealEntry(plain, { locator, version, seq })
    this.#index.add({ ...row, seq })
    const served = deleted ? empty : json
    const stored: Stored = {
      type: draft.type,
      id: draft.id,
      version,
      lastUpdatedMs,
      deleted,
      method,
      created,
      json: served,
      holder: this.holder,
      ...more,
    }
    this.#pending.add(locator, { version, seq, stored, by: this })
    this.#pendingBySeq.set(seq, { locator, stored })
    this.#pendingHead = seq
    this.#lastMs = lastUpdatedMs
    this.#link = ownBytes(chainLink(sealed))
    this.#headTag = tagOf(sealed)
    draft.placed(lastUpdatedMs, served, this.holder)
    return { compartment: this.holder.compartment, seq, locator, version, sealed }
  }

  #decode(entry: Entry): Payload {
    return decodePayload(this.#keys.openEntry(entry))
  }

  #becomeDurable(head: number): void {
    this.#durableHead = Math.max(this.#durableHead, Math.min(head, this.#pendingHead))
    for (const seq of this.#pendingBySeq.keys()) {
      if (seq > this.#durableHead) break
      this.#settle(seq)
    }
    this.#hadOutcome()
  }

  #settle(seq: number): void {
    const locator = this.#pendingBySeq.get(seq)?.locator
    this.#pendingBySeq.delete(seq)
    if (locator !== undefined) this.#pending.settle(locator, this, seq)
  }

  #adoptLink(entry: Entry): void {
    const payload = soundPayload(this.#keys, entry)
    this.#headTag = tagOf(entry.sealed)
    this.#link = ownBytes(linkOf(entry, payload))
    this.#lastMs = payload?.lastUpdatedMs ?? this.#lastMs
  }

  /** Nothing is taken over that the store does not show in the same place. @returns whether anything was */
  async #inherit(before: Ledger): Promise<boolean> {
    const untilSeq = before.#durableHead
    const rows = untilSeq > this.#durableHead ? before.#index.rowsAtHand(this.#durableHead + 1, untilSeq) : undefined
    if (rows === undefined) return false
    const [entry] = await this.#store.entriesAt(this.holder.compartment, [untilSeq])
    if (entry === undefined || soundPayload(this.#keys, entry) === undefined) return false
    for (const row of rows) this.#index.add(row)
    this.#pendingHead = this.#durableHead = untilSeq
    this.#adoptLink(entry)
    return true
  }

  /** Of the entries that are there only the last one is read: it is what the next one builds on. */
  async #skipToHead(): Promise<void> {
    const { compartment } = this.holder
    const head = (await this.#store.heads([compartment])).get(compartment) ?? 0
    const [entry] = head === 0 ? [] : await this.#store.entriesAt(compartment, [head])
    if (entry === undefined) return
    this.#index.skipTo(head)
    this.#pendingHead = this.#durableHead = head
    this.#adoptLink(entry)
  }

  /** Those who want to catch up at the same time share the reading. */
  #catchUpOnce(storeHead: number): Promise<void> {
    const far = storeHead - this.#durableHead > farBehind
    const read = () => (far ? this.#skipSealed().then(() => this.#readOn()) : this.#readOn())
    this.#readingOn ??= withBudget('unbounded', read).finally(() => {
      this.#readingOn = undefined
    })
    return this.#readingOn
  }

  /** What others have sealed need not be read entry by entry: an index that was open is built anew from the segments. */
  async #skipSealed(): Promise<void> {
    const segments = await this.#store.segments(this.holder.compartment)
    const sealedUntil = segments.at(-1)?.untilSeq ?? 0
    const [entry] = await this.#store.entriesAt(this.holder.compartment, [sealedUntil])
    if (entry === undefined || sealedUntil <= this.#durableHead || this.#pendingHead !== this.#durableHead) return
    this.#pendingHead = this.#durableHead = this.#index.startBehind(segments)
    this.#adoptLink(entry)
  }

  async #readOn(): Promise<void> {
    for (;;) {
      const entries = await this.#store.entriesFrom(this.holder.compartment, this.#pendingHead + 1, readAhead)
      // Somebody has appended while we waited: the seqs that were read may be taken.
      if (this.#pendingHead !== this.#durableHead) return
      for (const entry of entries) {
        this.#absorb(entry)
        // Hundreds of thousands may have been imported beside us; nobody else should wait for all of them.
        const pause = giveWay()
        if (pause !== undefined) await pause
        if (this.#pendingHead !== this.#durableHead) return
      }
      if (!mayFollow(entries, readAhead)) return
    }
  }

  /**
   * One entry that was written before, or by another process. One that is damaged costs itself and the index, but not
   * the reads and writes of everything else in the ledger.
   */
  #absorb(entry: Entry): void {
    const { seq } = entry
    if (seq <= this.#pendingHead) return
    const payload = soundPayload(this.#keys, entry)
    if (payload === undefined || seq !== this.#pendingHead + 1) this.#index.markDamaged()
    if (payload !== undefined) {
      this.#index.add(rowOf(entry, payload))
      this.#lastMs = Math.max(this.#lastMs, payload.lastUpdatedMs)
    }
    this.#pendingHead = this.#durableHead = seq
    this.#headTag = tagOf(entry.sealed)
    this.#link = ownBytes(linkOf(entry, payload))
  }

  /** Seals the rows that no segment holds; resolves when they are kept. */
  seal(): Promise<void> {
    return this.#index.seal()
  }

  /** Seals them once nothing is being added. Undefined when there is nothing to do. */
  settle(room: 'enough' | 'short'): Promise<void> | undefined {
    return this.#index.settle(room)
  }
}

const tagBytes = 16

/** A copy, so that the entry need not be kept. */
const tagOf = (sealed: Uint8Array): Uint8Array => Uint8Array.from(sealed.subarray(-tagBytes))

const empty = Buffer.alloc(0)

function* made(draft: Draft, lastUpdatedMs: number): Steps<Made> {
  const { resource, json } = draft.deleted ? tombstone(draft) : yield* draft.compose(lastUpdatedMs)
  const { version, deleted, creator, copies, named } = draft
  const supersedes = draft.supersedes || undefined
  const shared = copies.length > 0
  const place = { seq: 0, version, lastUpdatedMs, supersedes, deleted, shared, creator, named }
  const isLarge = draft.isLarge === true
  return { json, row: isLarge ? yield* extractRowInSteps(resource, place) : extractRow(resource, place) }
}

function tombstone(draft: Draft): Composed {
  const resource: Resource = { resourceType: draft.type, id: draft.id }
  return { resource, json: Buffer.from(JSON.stringify(resource)) }
}

const nameForm = /^\{"resourceType":"([A-Za-z]+)","id":"([A-Za-z0-9.-]{1,64})"/

function nameIn(json: Buffer): Named {
  const [, type = '', id = ''] = nameForm.exec(json.toString('latin1', 0, 160)) ?? []
  return { type, id }
}

function locatedOf(payload: Payload, entry: Entry, holder: Holder, { type, id } = nameIn(payload.json)): Located {
  return {
    type,
    id,
    version: entry.version,
    lastUpdatedMs: payload.lastUpdatedMs,
    deleted: payload.deleted,
    method: payload.method,
    // Entries written before this was noted: of them only a first version is known to have made its resource.
    created: payload.created || (entry.version === 1 && !payload.deleted),
    json: payload.deleted ? empty : payload.json,
    holder,
    copies: payload.copies,
    ...(payload.creator === undefined ? {} : { creator: payload.creator }),
    ...(payload.entered === undefined ? {} : { entered: payload.entered }),
    ...(payload.named === undefined ? {} : { named: payload.named }),
    ...(payload.content === undefined ? {} : { content: payload.content }),
    seq: entry.seq,
    movedAway: payload.movedAway,
  }
}
