import { type Clock, fromUtf8, isProblem, lengthPrefixed, type Problem } from '#kernel'
import type { DocumentWrite, Sealed, Store, StoredDocument } from '#store'
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
  /** A condition for a commit: the document still has this revision; 0 = it is absent. */
  check(collection: string, name: string, ifRevision: number): DocumentWrite
  /** A sealed write, to be committed by the caller together with others. */
  write<T>(collection: string, name: string, value: T, options?: DocumentOptions): DocumentWrite
}

/** Documents over a store, sealed by a vault. */
export function openDocuments(store: Store, vault: Vault, clock: Clock): Documents {
  return new SealedDocuments(store, vault, clock)
}

const padStep = 64

interface Body {
  readonly name: string
  readonly value: unknown
}

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
  readonly #remembered = new Map<string, Map<string, Remembered>>()

  constructor(store: Store, vault: Vault, clock: Clock) {
    this.#store = store
    this.#vault = vault
    this.#clock = clock
  }

  async get<T>(collection: string, name: string): Promise<Found<T> | undefined> {
    const stored = await this.#find(collection, name)
    return stored && this.#found(stored, name)
  }

  async recent<T>(collection: string, name: string): Promise<NamedFound<T> | undefined> {
    // Asked before the document is: what is written in between shows the next time.
    const mark = await this.#store.documentsMark()
    const known = this.#remembered.get(collection)?.get(name)
    if (known?.mark === mark && !isExpired(known.stored, this.#clock.nowMs())) return known.found as NamedFound<T>
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

  async put<T>(collection: string, name: string, value: T, options: DocumentOptions = {}): Promise<boolean> {
    const write = this.write(collection, name, value, options)
    if (await this.#commit(write)) return true
    if (options.ifRevision !== 0 || (await this.#find(collection, name)) !== undefined) return false
    // Absent for every reader, but its expired row still holds the place.
    await this.#store.purgeDocuments(this.#clock.nowMs())
    return this.#commit(write)
  }

  delete(collection: string, name: string, options: { ifRevision?: number } = {}): Promise<boolean> {
    return this.#commit({ op: 'delete', collection, key: this.#vault.documentKey(collection, name), ...options })
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
    return stored.flatMap(document => {
      const body = this.#openOr(document, options)
      return body === undefined ? [] : [{ name: body.name, value: body.value as T, revision: document.revision }]
    })
  }

  #openOr(document: StoredDocument, options: ListOptions): Body | undefined {
    try {
      return this.#open(document)
    } catch (error) {
      if (options.onBroken === undefined || !isProblem(error)) throw error
      options.onBroken(error)
      return undefined
    }
  }

  write<T>(collection: string, name: string, value: T, options: DocumentOptions = {}): DocumentWrite {
    const { group, ...rest } = options
    const key = this.#vault.documentKey(collection, name)
    const sealed = this.#seal(collection, key, { name, value })
    const grouped = group === undefined ? {} : { group: this.#groupKey(collection, group) }
    return { op: 'put', collection, key, sealed, ...grouped, ...rest }
  }

  check(collection: string, name: string, ifRevision: number): DocumentWrite {
    return { op: 'check', collection, key: this.#vault.documentKey(collection, name), ifRevision }
  }

  #find(
    collection: string,
    name: string,
    key: string = this.#vault.documentKey(collection, name),
  ): Promise<StoredDocument | undefined> {
    return this.#store.document(collection, key, this.#clock.nowMs())
  }

  #found<T>(stored: StoredDocument, name: string): Found<T> {
    return { value: this.#open(stored, name).value as T, revision: stored.revision }
  }

  async #commit(write: DocumentWrite): Promise<boolean> {
    return (await this.#store.commit({ appends: [], documents: [write] })).ok
  }

  #groupKey(collection: string, group: string): string {
    return this.#vault.mac('document-groups', lengthPrefixed([collection, group])).toString('hex', 0, 16)
  }

  /** JSON may end in spaces, so padding needs no format of its own. */
  #seal(collection: string, key: string, body: Body): Sealed {
    const json = Buffer.from(JSON.stringify(body), 'utf8')
    const padded = Buffer.alloc(Math.ceil(json.length / padStep) * padStep, ' ')
    padded.set(json)
    return this.#vault.sealDocument(collection, key, padded)
  }

  #open(stored: StoredDocument, name?: string): Body {
    const body = JSON.parse(fromUtf8(this.#vault.openDocument(stored))) as Body
    if (name !== undefined && body.name !== name) throw sealBroken('document')
    return body
  }
}

function isExpired({ expiresAtMs }: StoredDocument, nowMs: number): boolean {
  return expiresAtMs !== undefined && expiresAtMs <= nowMs
}

function isSame(known: StoredDocument | undefined, stored: StoredDocument): boolean {
  return known?.revision === stored.revision && Buffer.compare(known.sealed, stored.sealed) === 0
}
