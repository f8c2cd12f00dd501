import { type Clock, fromUtf8, giveWay, isProblem, lengthPrefixed, mapFew, type Problem } from '#kernel'
import type { Store, StoredDocument } from '#store'
import { type DocumentCommits, type DocumentDraft, plainCommits } from './document-drafts.ts'
import { sealBroken } from './ring.ts'
import type { Vault } from './vault.ts'

/** A document as it was found; `revision` is 1 when first written and one more with each write. */
export interface Found<T> {
  readonly value: T
  readonly revision: number
}

/** A document with the name it was found by. */
export interface NamedFound<T> extends Found<T> {
  readonly name: string
}

/** What a write may ask for beside its value. */
export interface DocumentOptions {
  /** Write only when the stored revision is this one; 0 = the document must be absent. */
  readonly ifRevision?: number
  /** What the document belongs to (an account, a token family); kept as an HMAC. */
  readonly group?: string
  /** Unix milliseconds from when on it counts as absent. */
  readonly expiresAtMs?: number
}

/** Which documents of a collection are listed. */
export interface ListOptions {
  /** Only those that belong to this. */
  readonly group?: string
  /** Told of each document that cannot be opened, which is then left out; without it the first one is thrown. */
  onBroken?(problem: Problem): void
}

/**
 * Small typed JSON documents outside any compartment: accounts, clients, grants, tokens, links, jobs. The store sees
 * the collection, an HMAC of the name and of the group, the expiry, and a size in steps of 64 bytes.
 *
 * `T` is the caller's promise: whoever reads a collection also writes it. Every read may throw Problem `fault` ·
 * `vault.seal-broken`.
 */
export interface Documents {
  get<T>(collection: string, name: string): Promise<Found<T> | undefined>
  /**
   * As `get`, remembered until any process writes a document: the same object each time while it is the same document, so
   * that what is derived from it can be remembered too. Nobody may change it.
   */
  recent<T>(collection: string, name: string): Promise<NamedFound<T> | undefined>
  /** @returns false when `ifRevision` is not the stored revision; nothing was written then. */
  put<T>(collection: string, name: string, value: T, options?: DocumentOptions): Promise<boolean>
  /** @returns false when `ifRevision` is not the stored revision. Deleting what is absent is no failure. */
  delete(collection: string, name: string, options?: { ifRevision?: number }): Promise<boolean>
  /** Reads and deletes at once: of racing callers exactly one gets the value. */
  take<T>(collection: string, name: string): Promise<T | undefined>
  list<T>(collection: string, options?: ListOptions): Promise<readonly NamedFound<T>[]>
  /**
   * The documents of a collection, a few at a time and in no promised order: of those that are many, or large, and of which little is
   * kept. One that is written meanwhile comes as it was or as it is, once.
   */
  each<T>(collection: string): AsyncGenerator<NamedFound<T>, void, void>
  /** Of these, known by the keys that the store knows them by, those that are there. */
  some<T>(
    collection: string,
    keys: readonly string[],
    options?: Pick<ListOptions, 'onBroken'>,
  ): Promise<readonly NamedFound<T>[]>
  /** A condition for a commit: the document still has this revision; 0 = it is absent. */
  check(collection: string, name: string, ifRevision: number): DocumentDraft
  /** A write, to be committed by the caller together with others. */
  write<T>(collection: string, name: string, value: T, options?: DocumentOptions): DocumentDraft
  /** A removal, likewise. */
  remove(collection: string, name: string, options?: { ifRevision?: number }): DocumentDraft
  /** Several of these in one commit. @returns false when one of them asks for another revision than the stored one */
  commit(drafts: readonly DocumentDraft[]): Promise<boolean>
  /**
   * Deletes what has expired; resolves to how many there were.
   *
   * @param latestMs  what is over only after that stays, whatever the clock says
   */
  purge(latestMs?: number): Promise<number>
}

/** Documents over a store, sealed by a vault; `commits` knows which of them are the newest. */
export function openDocuments(
  store: Store,
  vault: Vault,
  clock: Clock,
  commits: DocumentCommits = plainCommits(store, vault, () => clock.nowMs()),
): Documents {
  return new SealedDocuments(store, vault, clock, commits)
}

const padStep = 64

interface Body {
  readonly name: string
  readonly value: unknown
}

/** What an opened document says. */
export function documentText(plain: Uint8Array): Body {
  return JSON.parse(fromUtf8(plain)) as Body
}

/** Expired documents deleted in one commit. */
const purgedAtOnce = 200
/** Of a store over the network, so that others' questions do not stand behind thousands. */
const askedAtOnce = 64

/** Of a collection whose documents may be a megabyte each. */
const listedAtOnce = 16

const mostTries = 20
const mostRemembered = 5_000

/** A document as it was opened, and the mark of the store at which it was still the stored one. */
interface Remembered {
  readonly stored: StoredDocument
  readonly found: NamedFound<unknown>
  readonly mark: number
}

class SealedDocuments implements Documents {
  readonly #store: Store
  readonly #vault: Vault
  readonly #clock: Clock
  readonly #commits: DocumentCommits
  readonly #remembered = new Map<string, Map<string, Remembered>>()

  constructor(store: Store, vault: Vault, clock: Clock, commits: DocumentCommits) {
    this.#store = store
    this.#vault = vault
    this.#clock = clock
    this.#commits = commits
  }

  async get<T>(collection: string, name: string): Promise<Found<T> | undefined> {
    const stored = await this.#find(collection, name)
    return stored && this.#found(stored, name)
  }

  async recent<T>(collection: string, name: string): Promise<NamedFound<T> | undefined> {
    // Asked before the document is: what is written in between shows the next time.
    const mark = await this.#store.documentsMark()
    const known = this.#remembered.get(collection)?.get(name)
    if (known?.mark === mark && !isExpired(known.stored, this.#clock.nowMs())) {
      this.#commits.checkFresh(collection, known.stored.key)
      return known.found as NamedFound<T>
    }
    const stored = await this.#find(collection, name, known?.stored.key)
    if (stored === undefined) {
      this.#remembered.get(collection)?.delete(name)
      return undefined
    }
    const same = isSame(known?.stored, stored)
    const found = same ? (known?.found as NamedFound<T>) : { name, ...this.#found<T>(stored, name) }
    this.#remember(collection, name, { stored, found, mark })
    return found
  }

  #remember(collection: string, name: string, remembered: Remembered): void {
    const ofCollection = this.#remembered.get(collection) ?? new Map<string, Remembered>()
    if (ofCollection.size >= mostRemembered) ofCollection.clear()
    this.#remembered.set(collection, ofCollection.set(name, remembered))
  }

  put<T>(collection: string, name: string, value: T, options: DocumentOptions = {}): Promise<boolean> {
    return this.commit([this.write(collection, name, value, options)])
  }

  delete(collection: string, name: string, options: { ifRevision?: number } = {}): Promise<boolean> {
    return this.commit([this.remove(collection, name, options)])
  }

  commit(drafts: readonly DocumentDraft[]): Promise<boolean> {
    return this.#commits.commit(drafts)
  }

  async purge(latestMs = Number.POSITIVE_INFINITY): Promise<number> {
    for (let count = 0; ; ) {
      const untilMs = Math.min(this.#clock.nowMs(), latestMs)
      const expired = await this.#store.expiredDocuments(untilMs, purgedAtOnce)
      // Whose revision moves meanwhile is not expired any more, or looked at in the next round.
      const drafts = expired.map(({ collection, key, revision: ifRevision }) => {
        return { op: 'delete', collection, key, ifRevision } as const
      })
      if (expired.length > 0 && !(await this.commit(drafts))) return count
      count += expired.length
      if (expired.length < purgedAtOnce) return count
    }
  }

  async take<T>(collection: string, name: string): Promise<T | undefined> {
    for (let tries = 0; tries < mostTries; tries++) {
      const found = await this.get<T>(collection, name)
      if (found === undefined) return undefined
      if (await this.delete(collection, name, { ifRevision: found.revision })) return found.value
    }
    // A damaged store may never let go of it. Then nobody has it.
    return undefined
  }

  async list<T>(collection: string, options: ListOptions = {}): Promise<NamedFound<T>[]> {
    const group = options.group === undefined ? undefined : this.#groupKey(collection, options.group)
    const stored = await this.#store.documents(collection, this.#clock.nowMs(), group)
    this.#orBroken(options, () => this.#commits.checkWhole(collection, group))
    return stored.flatMap(document => this.#namedOr<T>(document, options))
  }

  async *each<T>(collection: string): AsyncGenerator<NamedFound<T>, void, void> {
    this.#commits.checkWhole(collection)
    // Before all keys: each is sixteen bytes.
    for (let after = { collection, key: '00' }; ; ) {
      const page = await this.#store.everyDocument(after, listedAtOnce)
      const ours = page.filter(document => document.collection === collection)
      for (const document of ours) {
        if (!isExpired(document, this.#clock.nowMs())) yield* this.#namedOr<T>(document, {})
        await giveWay()
      }
      const last = ours.at(-1)
      if (last === undefined || ours.length < listedAtOnce) return
      after = { collection, key: last.key }
    }
  }

  async some<T>(
    collection: string,
    keys: readonly string[],
    options: Pick<ListOptions, 'onBroken'> = {},
  ): Promise<NamedFound<T>[]> {
    const nowMs = this.#clock.nowMs()
    const stored = await mapFew(keys, askedAtOnce, key => this.#store.document(collection, key, nowMs))
    return stored.flatMap(document => (document === undefined ? [] : this.#namedOr<T>(document, options)))
  }

  #namedOr<T>(document: StoredDocument, options: ListOptions): NamedFound<T>[] {
    const body = this.#openOr(document, options)
    return body === undefined ? [] : [{ name: body.name, value: body.value as T, revision: document.revision }]
  }

  #openOr(document: StoredDocument, options: ListOptions): Body | undefined {
    return this.#orBroken(options, () => this.#open(document))
  }

  #orBroken<R>({ onBroken }: ListOptions, work: () => R): R | undefined {
    try {
      return work()
    } catch (error) {
      if (onBroken === undefined || !isProblem(error)) throw error
      onBroken(error)
      return undefined
    }
  }

  write<T>(collection: string, name: string, value: T, options: DocumentOptions = {}): DocumentDraft {
    const { group, ...rest } = options
    const key = this.#vault.documentKey(collection, name)
    const grouped = group === undefined ? {} : { group: this.#groupKey(collection, group) }
    return { op: 'put', collection, key, plain: padded({ name, value }), ...grouped, ...rest }
  }

  remove(collection: string, name: string, options: { ifRevision?: number } = {}): DocumentDraft {
    return { op: 'delete', collection, key: this.#vault.documentKey(collection, name), ...options }
  }

  check(collection: string, name: string, ifRevision: number): DocumentDraft {
    return { op: 'check', collection, key: this.#vault.documentKey(collection, name), ifRevision }
  }

  #find(
    collection: string,
    name: string,
    key: string = this.#vault.documentKey(collection, name),
  ): Promise<StoredDocument | undefined> {
    this.#commits.checkFresh(collection, key)
    return this.#store.document(collection, key, this.#clock.nowMs())
  }

  #found<T>(stored: StoredDocument, name: string): Found<T> {
    return { value: this.#open(stored, name).value as T, revision: stored.revision }
  }

  #groupKey(collection: string, group: string): string {
    return this.#vault.mac('document-groups', lengthPrefixed([collection, group])).toString('hex', 0, 16)
  }

  #open(stored: StoredDocument, name?: string): Body {
    this.#commits.checkFresh(stored.collection, stored.key)
    const body = documentText(this.#vault.openDocument(stored))
    if (name !== undefined && body.name !== name) throw sealBroken('document')
    return body
  }
}

/** JSON may end in spaces, so padding needs no format of its own. */
function padded(body: Body): Buffer {
  const json = Buffer.from(JSON.stringify(body), 'utf8')
  const bytes = Buffer.alloc(Math.ceil(json.length / padStep) * padStep, ' ')
  bytes.set(json)
  return bytes
}

function isExpired({ expiresAtMs }: StoredDocument, nowMs: number): boolean {
  return expiresAtMs !== undefined && expiresAtMs <= nowMs
}

function isSame(known: StoredDocument | undefined, stored: StoredDocument): boolean {
  return known?.revision === stored.revision && Buffer.compare(known.sealed, stored.sealed) === 0
}
