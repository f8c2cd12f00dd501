import { randomId16 } from '#kernel'
import type { Conflict } from '../conflict.ts'
import type { Append, Changes, CompartmentId, Entry, Locator, Place, Sealed } from '../contract.ts'
import { pageOf, sealedOf } from '../page-bytes.ts'
import { type CheckedCommit, checkId16, checkRestored, isHead } from '../well-formed.ts'
import { copyOf } from './copies.ts'
import { mapIn } from './map-in.ts'

function placeOf(entry: Entry): Place {
  return { locator: entry.locator, compartment: entry.compartment, seq: entry.seq, version: entry.version }
}

/** The entries, where the newest of each resource lies, and in which order compartments moved. */
export class Ledger {
  readonly #ledgers = new Map<CompartmentId, Entry[]>()
  /** Each copy of the newest version of a resource. */
  readonly #newestOf = new Map<Locator, readonly Entry[]>()
  /** The versions of a resource in one compartment, oldest first: what lies in others is not even looked at. */
  readonly #versionsIn = new Map<CompartmentId, Map<Locator, Entry[]>>()
  /** Compartments in the order in which they moved. */
  readonly #moves: CompartmentId[] = []
  readonly #id = randomId16().toString('hex')

  get all(): ReadonlyMap<CompartmentId, readonly Entry[]> {
    return this.#ledgers
  }

  head(compartment: CompartmentId): number {
    return this.#ledgers.get(compartment)?.length ?? 0
  }

  /** What a commit was decided on that is not so any more. */
  compare(commit: CheckedCommit, conflict: Conflict): void {
    for (const append of commit.appends) if (!this.#isAtHead(append)) conflict.heads.push(append.compartment)
    for (const [locator, entries] of commit.byLocator)
      if (entries[0]?.version !== (this.#newestOf.get(locator)?.[0]?.version ?? 0) + 1) conflict.locators.push(locator)
  }

  #isAtHead(append: Append): boolean {
    const { compartment, expectedHead } = append
    if (this.head(compartment) !== expectedHead) return false
    return expectedHead === 0 || isHead(append, this.#ledgers.get(compartment)?.at(-1)?.sealed)
  }

  append(commit: CheckedCommit): void {
    for (const { compartment, entries } of commit.appends) {
      if (entries.length > 0) this.#moves.push(compartment)
      this.#keep(entries)
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

  changesSince(mark: string | undefined, limit: number): Changes {
    const [id, at, after] = mark?.split(' ') ?? []
    if (id !== this.#id) return { ...this.#everybody(this.#moves.length, '', limit), anew: true }
    if (after !== undefined) return { ...this.#everybody(Number(at), after, limit), anew: false }
    const page = this.#moves.slice(Number(at), Number(at) + limit)
    const until = Number(at) + page.length
    const moved = new Map(page.map(compartment => [compartment, this.head(compartment)]))
    return { mark: `${this.#id} ${until}`, moved, more: until < this.#moves.length, anew: false }
  }

  /** Compartments in the order of their ids, and where to go on: behind the last one of them, or with what has moved meanwhile. */
  #everybody(at: number, after: CompartmentId, limit: number): Omit<Changes, 'anew'> {
    const left = [...this.#ledgers.keys()].filter(id => id > after).toSorted()
    const page = left.slice(0, limit)
    const moved = new Map(page.map(id => [id, this.head(id)]))
    if (page.length < left.length) return { mark: `${this.#id} ${at} ${page.at(-1)}`, moved, more: true }
    return { mark: `${this.#id} ${at}`, moved, more: at < this.#moves.length }
  }

  places(locators: readonly Locator[], compartments: readonly CompartmentId[] | undefined): Map<Locator, Place[]> {
    locators.forEach(checkId16)
    const within = compartments === undefined ? undefined : new Set(compartments)
    const found = new Map<Locator, Place[]>()
    for (const locator of locators) {
      const copies = (this.#newestOf.get(locator) ?? []).filter(({ compartment }) => within?.has(compartment) !== false)
      if (copies.length > 0) found.set(locator, copies.map(placeOf))
    }
    return found
  }

  newest(locator: Locator, compartments: readonly CompartmentId[] | undefined): Entry | undefined {
    checkId16(locator)
    return this.#newestOf.get(locator)?.find(({ compartment }) => compartments?.includes(compartment) !== false)
  }

  versions(locator: Locator, compartments: readonly CompartmentId[]): Entry[] {
    checkId16(locator)
    const all = [...new Set(compartments)].flatMap(each => this.#versionsIn.get(each)?.get(locator) ?? [])
    return all.sort((a, b) => b.version - a.version)
  }

  entriesAt(compartment: CompartmentId, seqs: readonly number[]): Entry[] {
    const ledger = this.#ledgers.get(compartment) ?? []
    return seqs.map(seq => ledger[seq - 1]).filter(entry => entry !== undefined)
  }

  entriesFrom(compartment: CompartmentId, fromSeq: number, limit: number): Entry[] {
    const start = Math.max(fromSeq - 1, 0)
    return pageOf((this.#ledgers.get(compartment) ?? []).slice(start, start + limit), sealedOf)
  }

  reseal(compartment: CompartmentId, entries: readonly Pick<Entry, 'seq' | 'sealed'>[]): void {
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

  /** Puts entries as they are, and each where the highest version that is there says. */
  restore(compartment: CompartmentId, entries: readonly Entry[]): void {
    checkRestored(compartment, this.head(compartment), entries)
    this.#keep(entries)
    for (const { locator } of entries) this.#placeWhatIsLeft(locator)
    if (entries.length > 0) this.#moves.push(compartment)
  }

  drop(compartment: CompartmentId): void {
    if (this.#ledgers.has(compartment)) this.#moves.push(compartment)
    const locators = this.#versionsIn.get(compartment)?.keys() ?? []
    this.#versionsIn.delete(compartment)
    for (const locator of locators) this.#forget(locator, compartment)
    this.#ledgers.delete(compartment)
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
}

function pushTo<T>(lists: Map<string, T[]>, name: string, item: T): void {
  const list = lists.get(name)
  if (list === undefined) lists.set(name, [item])
  else list.push(item)
}
