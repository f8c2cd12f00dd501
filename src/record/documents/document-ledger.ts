import { type Clock, isProblem, type Log, type Problem } from '#kernel'
import type { Append, CommitResult, CompartmentId, DocumentWrite, Entry, Store, StoredDocument } from '#store'
import {
  type CompartmentKeys,
  type DocumentCommits,
  type DocumentDraft,
  exchanged,
  isSealFault,
  type PlacedDraft,
  placeDraft,
  type Vault,
} from '#vault'
import { firstLink } from '../ledger/payload.ts'
import { contended, untilWon } from '../transaction/race.ts'
import { type HeadNotes, rolledBack } from '../upkeep/head-notes.ts'
import { compartmentOf } from './document-compartment.ts'
import { type DocumentChange, type DocumentHead, nameOf, openChanges, sealChanges, unopened } from './document-entry.ts'
import { differences, isTold, type StaleDocument } from './document-rows.ts'
import { belonging, type HeadAt, nameAndGroup, takenIn, tellingAll } from './documents-as-they-are.ts'
import { type DocumentChanges, documentsChanged } from './documents-changed.ts'
import { compareRows } from './documents-compared.ts'
import { elementOf } from './element.ts'
import { StaleDocuments } from './stale-documents.ts'

interface DocumentRooms {
  readonly store: Store
  readonly vault: Vault
  readonly clock: Clock
  readonly log: Log
  readonly notes: HeadNotes
}

/** Drafts with the rows that were found, and the keys to write of them. */
export interface PreparedDrafts {
  readonly drafts: readonly DocumentDraft[]
  readonly rows: ReadonlyMap<string, StoredDocument | undefined>
  readonly keys: CompartmentKeys
}

/** What belongs into one commit of the store; `settle` is to be told what became of it. */
export interface PlacedDrafts {
  readonly appends: readonly Append[]
  readonly documents: readonly DocumentWrite[]
  settle(won: boolean): void
}

/** Nothing was placed: somebody else's write, perhaps one that is under way, is the reason. */
export interface LostDrafts {
  readonly lost: true
  readonly underWay: Promise<unknown> | undefined
}

interface PendingRow {
  readonly row: StoredDocument | undefined
  readonly settled: Promise<unknown>
}

/**
 * The ledger of documents: every write and removal of one is an entry in a compartment of the house's own, in the same commit.
 * So an account, a token or a household cannot be put back without this ledger being put back, whose head is noted like any
 * other. Each entry holds the digest of all documents as they are then, so that the rows are compared without going through
 * what ever happened.
 */
export class DocumentLedger implements DocumentCommits {
  readonly compartment: CompartmentId
  readonly #rooms: DocumentRooms
  /** Behind which the next entry is placed; undefined when it must be read anew. */
  #head: DocumentHead | undefined
  readonly #pending = new Map<string, PendingRow>()
  readonly #stale: StaleDocuments

  private constructor(rooms: DocumentRooms, compartment: CompartmentId) {
    this.#rooms = rooms
    this.compartment = compartment
    this.#stale = new StaleDocuments(rooms.log)
  }

  /** Opens it, on first use of the house or of this release with all documents that there are, and compares them with it. */
  static async open(rooms: DocumentRooms): Promise<DocumentLedger> {
    const ledger = new DocumentLedger(rooms, await compartmentOf(rooms))
    if (!(await ledger.#isSound())) return ledger
    if ((await ledger.#loaded()).seq === 0) await ledger.takeAsTheyAre()
    await ledger.check()
    return ledger
  }

  /** Whether the ledger itself shows all that was there. If not, no document can be believed, and none is written. */
  get isLost(): boolean {
    return this.#rooms.notes.lost.has(this.compartment)
  }

  /** Rows that are not what was written last. */
  get stale(): readonly StaleDocument[] {
    return this.#stale.all
  }

  checkFresh(collection: string, key: string): void {
    this.#stale.checkFresh(collection, key)
  }

  checkWhole(collection: string, group?: string): void {
    this.#stale.checkWhole(collection, group)
  }

  commit(drafts: readonly DocumentDraft[]): Promise<boolean> {
    return this.#commit(drafts, false)
  }

  /** Writes over rows that are not what was written last. */
  async repair(drafts: readonly DocumentDraft[]): Promise<void> {
    await this.#commit(drafts, true)
    await this.check()
  }

  async #commit(drafts: readonly DocumentDraft[], repairs: boolean): Promise<boolean> {
    let won = false
    await untilWon(async () => {
      const placed = this.place(await this.prepare(drafts), repairs)
      if ('lost' in placed) {
        await placed.underWay
        return placed.underWay === undefined
      }
      won = await this.#write(placed)
      return won || (await this.#isOutdated(drafts))
    })
    return won
  }

  /** Whether one of the conditions will not be met, however often it is tried. */
  async #isOutdated(drafts: readonly DocumentDraft[]): Promise<boolean> {
    for (const draft of drafts)
      if (draft.op === 'check' && ((await this.#row(draft))?.revision ?? 0) !== draft.ifRevision) return true
    return false
  }

  /**
   * Puts a row, sealed anew, in the place of the same document as it was.
   *
   * @throws Problem `busy` · `record.contended` when somebody else has written meanwhile
   */
  async replace(before: StoredDocument, after: StoredDocument): Promise<void> {
    await this.#sound()
    this.checkFresh(before.collection, before.key)
    const head = await this.#loaded()
    const keys = await this.#keys()
    const { collection, key, sealed } = after
    const write = { op: 'put', collection, key, sealed, ifRevision: before.revision, ...belonging(after) } as const
    if (!isTold(before)) return this.#replaceAlone(write)
    const digest = exchanged(head.digest, this.#element(before), this.#element(after))
    const change = { ...nameAndGroup(after), element: this.#element(after) }
    const { entry, head: next } = sealChanges(keys, head, this.#at(head, digest), [change])
    const append = this.#behind(head, [entry])
    const { ok } = await this.#rooms.store.commit({ appends: [append], documents: [write], urgent })
    this.#head = ok ? next : undefined
    if (!ok) throw contended()
    this.#durable(next)
  }

  async #replaceAlone(write: DocumentWrite): Promise<void> {
    const { ok } = await this.#rooms.store.commit({ appends: [], documents: [write], urgent })
    if (!ok) throw contended()
  }

  /** Reads what placing the drafts needs. What is awaited after this may be outdated, and then the commit is lost. */
  async prepare(drafts: readonly DocumentDraft[]): Promise<PreparedDrafts> {
    if (drafts.length > 0) await this.#sound()
    const rows = new Map<string, StoredDocument | undefined>()
    const writes = drafts.filter(({ op }) => op !== 'check')
    if (writes.length > 0) await this.#loaded()
    for (const draft of writes) rows.set(nameOf(draft), await this.#row(draft))
    return { drafts, rows, keys: await this.#keys() }
  }

  /**
   * Gives the drafts their places. Nothing is awaited in here, and what comes back must go to the store before anybody
   * else's turn.
   *
   * @param repairs  whether rows that are not what was written last may be written over
   * @throws Problem `fault` · `record.document-stale`
   */
  place({ drafts, rows, keys }: PreparedDrafts, repairs = false): PlacedDrafts | LostDrafts {
    const before = this.#head
    const checks = drafts.filter(draft => draft.op === 'check')
    if (checks.length === drafts.length) return { appends: [], documents: checks, settle: () => undefined }
    if (before === undefined) return { lost: true, underWay: Promise.resolve() }
    const placed: PlacedDraft[] = []
    for (const draft of drafts) {
      if (draft.op === 'check') continue
      if (!repairs) this.checkFresh(draft.collection, draft.key)
      const pending = this.#pending.get(nameOf(draft))
      const row = pending === undefined ? rows.get(nameOf(draft)) : pending.row
      const one = placeDraft(draft, row, this.#rooms.vault, this.#rooms.clock.nowMs())
      if (one === 'lost') return { lost: true, underWay: pending?.settled }
      if (one !== 'nothing') placed.push(one)
    }
    return placed.length === 0 ? nothingPlaced : this.#place(before, placed, checks, keys)
  }

  #place(
    before: DocumentHead,
    placed: readonly PlacedDraft[],
    checks: readonly DocumentWrite[],
    keys: CompartmentKeys,
  ): PlacedDrafts {
    const changes = placed.map(each => this.#changeOf(each))
    const digest = placed.reduce(
      (sum, each, at) => exchanged(sum, this.#elementBefore(each), changes[at]?.element),
      before.digest,
    )
    const { entry, head } = sealChanges(keys, before, this.#at(before, digest), changes)
    this.#head = head
    const { promise, resolve } = Promise.withResolvers<void>()
    const pending = placed.map(({ write, after }) => [nameOf(write), { row: after, settled: promise }] as const)
    for (const [name, row] of pending) this.#pending.set(name, row)
    const settle = (won: boolean) => {
      for (const [name, row] of pending) if (this.#pending.get(name) === row) this.#pending.delete(name)
      if (won) this.#durable(head)
      else this.#reset()
      resolve()
    }
    const append = this.#behind(before, [entry])
    return { appends: [append], documents: [...placed.map(({ write }) => write), ...checks], settle }
  }

  async #write({ appends, documents, settle }: PlacedDrafts): Promise<boolean> {
    try {
      const { ok }: CommitResult = await this.#rooms.store.commit({ appends, documents, urgent })
      settle(ok)
      return ok
    } catch (error) {
      settle(false)
      throw error
    }
  }

  #changeOf({ write, after }: PlacedDraft): DocumentChange {
    const { collection, key } = write
    const group = write.op === 'put' ? write.group : undefined
    return { collection, key, group, ...(after === undefined ? {} : { element: this.#element(after) }) }
  }

  /** A row that is not what was written last is in the digest as what it should be. */
  #elementBefore({ write, before }: PlacedDraft): bigint | undefined {
    const stale = this.#stale.of(write)
    return stale === undefined ? before && this.#element(before) : stale.element
  }

  #element(document: StoredDocument): bigint {
    return elementOf(this.#rooms.vault, document)
  }

  #behind({ seq, tag }: DocumentHead, entries: readonly Entry[]): Append {
    const head = tag === undefined ? { expectedHead: seq } : { expectedHead: seq, headTag: tag }
    return { compartment: this.compartment, ...head, entries }
  }

  #at(before: DocumentHead, digest: bigint): Pick<DocumentHead, 'digest' | 'atMs' | 'keys'> {
    const { clock, vault } = this.#rooms
    const keys = Math.max(vault.keys.generation, before.keys)
    return { digest, atMs: Math.max(clock.nowMs(), before.atMs), keys }
  }

  #durable(head: DocumentHead): void {
    this.#rooms.notes.saw(this.compartment, head)
  }

  /** What was placed behind a commit that failed fails as well. */
  #reset(): void {
    this.#head = undefined
    this.#pending.clear()
  }

  #row({ collection, key }: DocumentDraft): Promise<StoredDocument | undefined> {
    const rest = this.#pending.get(nameOf({ collection, key }))
    // At the beginning of time nothing has expired.
    return rest === undefined ? this.#rooms.store.document(collection, key, 0) : Promise.resolve(rest.row)
  }

  #keys(): Promise<CompartmentKeys> {
    return this.#rooms.vault.compartment(this.compartment)
  }

  async #isSound(): Promise<boolean> {
    try {
      await this.#loaded()
      return true
    } catch (error) {
      if (!isProblem(error)) throw error
      // One damaged entry, on which all that is written next would build: nobody knows what it said, and the house is there to tell.
      // One that is older than the keystore tells itself what is to be put back.
      if (isSealFault(error) && !(await this.#isOlder(error))) await this.#rooms.notes.distrust(this.compartment)
      else if (error.code !== rolledBack().code) throw error
      return false
    }
  }

  /**
   * Whether all of the ledger is older than the keystore: a backup was put back alone. Where the first entry is not, somebody changed
   * the number of the key that the last one says in clear.
   */
  async #isOlder(error: Problem): Promise<boolean> {
    if (error.code !== dataOlder) return false
    const [first] = await this.#rooms.store.entriesAt(this.compartment, [1])
    if (first === undefined) return true
    try {
      openChanges(await this.#keys(), first)
      return false
    } catch (problem) {
      return isProblem(problem) && problem.code === dataOlder
    }
  }

  /** @throws Problem `fault` · `record.rolled-back` */
  async #sound(): Promise<void> {
    this.#rooms.notes.checkSound(this.compartment)
  }

  async #loaded(): Promise<DocumentHead> {
    if (this.#head !== undefined) return this.#head
    const head = await this.#readHead()
    await this.#rooms.notes.admit(this.compartment, head)
    this.#rooms.vault.keys.expect(head.keys)
    // Somebody else may have read it while we did.
    this.#head ??= head
    return this.#head
  }

  async #readHead(): Promise<DocumentHead> {
    const { store } = this.#rooms
    const seq = (await store.heads([this.compartment])).get(this.compartment) ?? 0
    if (seq === 0) return { seq, link: firstLink, tag: undefined, digest: 0n, atMs: 0, keys: 0 }
    const [entry] = await store.entriesAt(this.compartment, [seq])
    if (entry === undefined) throw rolledBack()
    return openChanges(await this.#keys(), entry)
  }

  /**
   * Writes down how far the keystore has come, if what this process did there was worth it and no document was written since: so
   * that an older keystore shows.
   */
  async noteKeystore(): Promise<void> {
    if (this.isLost) return
    await untilWon(async () => {
      const keys = await this.#keys()
      await this.#loaded()
      const before = this.#head
      if (before === undefined) return false
      return this.#rooms.vault.keys.notable <= before.keys || this.#write(this.#place(before, [], [], keys))
    })
  }

  // -- what has changed

  /**
   * The documents of a collection that were written or removed behind an entry, by whatever process, and the last entry that there
   * is. Undefined when that cannot be told, or is too much to look at.
   *
   * @param most  entries that are looked at
   */
  async changedSince(seq: number, collection: string, most: number): Promise<DocumentChanges | undefined> {
    const head = await this.lastSeq()
    if (head < seq || head - seq > most || this.isLost || this.#stale.size > 0) return undefined
    return documentsChanged({ ...this.#rooms, compartment: this.compartment }, { seq, head, collection })
  }

  /** Seq of the last entry that is durable. */
  async lastSeq(): Promise<number> {
    return (await this.#rooms.store.heads([this.compartment])).get(this.compartment) ?? 0
  }

  // -- what there is, compared with what was written

  /**
   * Compares all rows with the digest; which of them are to blame is found out when it is not theirs. Where an entry that would tell
   * cannot be opened, none of them is believed.
   *
   * @returns how many were looked at
   */
  async check(): Promise<number> {
    if (this.isLost) return 0
    try {
      return await this.#compare()
    } catch (error) {
      if (!isSealFault(error) && !(isProblem(error) && error.code === rolledBack().code)) throw error
      await this.#rooms.notes.distrust(this.compartment)
      return 0
    }
  }

  async #compare(): Promise<number> {
    const { compartment } = this
    const { isWhole, rows } = await compareRows({ ...this.#rooms, compartment, readHead: () => this.#expectedHead() })
    this.#stale.become(isWhole ? [] : await this.differences())
    return rows
  }

  async #expectedHead(): Promise<DocumentHead> {
    const head = await this.#readHead()
    this.#rooms.vault.keys.expect(head.keys)
    return head
  }

  /** The rows that are not what was written last, by what all entries say. @throws as `openChanges` */
  async differences(): Promise<readonly StaleDocument[]> {
    return differences({ ...this.#rooms, compartment: this.compartment })
  }

  // -- taking in what there is

  /** Takes all rows that there are for the newest, whatever was written before; those of an earlier release are sealed anew. */
  async takeAsTheyAre(): Promise<void> {
    this.#reset()
    const rows = (await this.#rooms.store.everyDocument(undefined, Number.MAX_SAFE_INTEGER)).filter(isTold)
    const placed = rows.map(row => takenIn(row, this.#rooms.vault, this.#rooms.clock))
    const documents = placed.flatMap(({ write }) => write ?? [])
    // Another process may have been faster; then it did this.
    await this.#rooms.store.commit({ appends: [await this.#tellAll(placed.map(({ row }) => row))], documents })
    await this.#loaded()
  }

  /** Behind an entry that cannot be opened all is told anew as well: it stays damaged, and is named by `verify`. */
  async #headAsItIs(): Promise<DocumentHead> {
    try {
      return await this.#readHead()
    } catch (error) {
      if (!isSealFault(error)) throw error
    }
    const { store, clock } = this.#rooms
    const [entry] = await store.entriesAt(this.compartment, [await this.lastSeq()])
    if (entry === undefined) throw rolledBack()
    return unopened(entry, clock.nowMs())
  }

  async #tellAll(rows: readonly StoredDocument[]): Promise<Append> {
    const first = await this.#headAsItIs()
    const at: HeadAt = (before, digest) => this.#at(before, digest)
    return this.#behind(first, tellingAll({ vault: this.#rooms.vault, keys: await this.#keys(), at }, first, rows))
  }
}

const dataOlder = 'vault.data-older'

/** A revocation must find its place on a full disk too. The store looks at the sizes. */
const urgent = true

const nothingPlaced: PlacedDrafts = { appends: [], documents: [], settle: () => undefined }
