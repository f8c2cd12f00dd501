import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Conflict } from '../conflict.ts'
import type { Append, CompartmentId, Entry, Locator, Place, VersionPage } from '../contract.ts'
import { toHex } from '../ids.ts'
import { allWithin, pageOf, sealedOf } from '../page-bytes.ts'
import { firstOf } from '../version-page.ts'

import { type CheckedCommit, checkRestored, headTagBytes, isHead } from '../well-formed.ts'
import type { Compartments } from './compartments.ts'
import { type LocatorKey, locatorKey, numberOf, sealedFromDatabase, seqOf, toRowId } from './row-ids.ts'
import { prepareAll, prepareRow, prepareRows } from './statements.ts'

const columns = 'e.id, e.locator, e.version, e.sealed'
const newestEntry = 'FROM newest n JOIN entries e ON e.id = n.entry WHERE n.bucket = ? AND e.locator = ?'

/**
 * Where an entry lies is asked by its row id, before the row is looked at: what lies where the caller may not look is never
 * fetched, however large it is.
 */
const within = {
  newest: `
    SELECT e.id, e.version, e.sealed FROM newest n JOIN entries e ON e.id = n.entry
    WHERE n.bucket = ?1 AND lies_within(n.entry) AND e.locator = ?2`,
  version: `
    SELECT e.id, e.version, e.sealed FROM (
      SELECT entry FROM newest WHERE bucket = ?1 UNION ALL SELECT entry FROM superseded WHERE bucket = ?1 AND version = ?3
    ) AS placed JOIN entries e ON e.id = placed.entry
    WHERE lies_within(placed.entry) AND e.locator = ?2 AND e.version = ?3`,
  superseded: `
    SELECT e.id, e.version, e.sealed FROM superseded s INDEXED BY superseded_by_entry JOIN entries e ON e.id = s.entry
    WHERE s.bucket = ?1 AND s.entry >= ?3 AND s.entry < ?4 AND e.locator = ?2 AND s.version < ?5
    ORDER BY s.entry DESC LIMIT ?6`,
  oneSuperseded: `
    SELECT s.entry FROM superseded s INDEXED BY superseded_by_entry
    WHERE s.bucket = ?1 AND s.entry >= ?2 ORDER BY s.entry LIMIT 1`,
} as const

const sql = {
  copies: `SELECT e.id, e.version ${newestEntry}`,
  at: `SELECT ${columns} FROM entries e WHERE e.id = ?`,
  from: `SELECT ${columns} FROM entries e WHERE e.id >= ? AND e.id < ? ORDER BY e.id LIMIT ?`,
  reseal: 'UPDATE entries SET sealed = ? WHERE id = ?',
  insert: 'INSERT INTO entries (id, locator, version, sealed) VALUES (?, ?, ?, ?)',
  placeNew: 'INSERT INTO newest (bucket, entry) VALUES (?, ?)',
  unplace: 'DELETE FROM newest WHERE bucket = ? AND entry = ?',
  supersede: 'INSERT INTO superseded (bucket, version, entry) VALUES (?, ?, ?)',
} as const

type Statements = Readonly<Record<keyof typeof sql, StatementSync>>

interface EntryRow {
  readonly id: number
  readonly locator: Uint8Array
  readonly version: number
  readonly sealed: Uint8Array
}

/** Of more of them it is not asked in each whether it holds older versions. */
const fewCompartments = 64

type PlaceRow = readonly [id: number, version: number]
type FoundRow = readonly [id: number, version: number, sealed: Uint8Array]

/** Compartments of which it is remembered what was written last. */
const mostRemembered = 10_000

/** The entries, and where the newest of each resource lies. Its methods are synchronous; the caller frames transactions. */
export class Ledger {
  readonly #compartments: Compartments
  readonly #statements: Statements
  readonly #written = new Map<CompartmentId, { readonly seq: number; readonly tag: Uint8Array }>()
  readonly #tagAt: (id: number) => readonly [Uint8Array] | undefined
  readonly #place: (bucket: number, locator: Uint8Array) => PlaceRow | undefined
  readonly #newest: (bucket: number, locator: Uint8Array) => FoundRow | undefined
  readonly #newestWithin: (bucket: number, locator: Uint8Array) => readonly FoundRow[]
  readonly #oneNewestWithin: (bucket: number, locator: Uint8Array) => FoundRow | undefined
  readonly #versionWithin: (bucket: number, locator: Uint8Array, version: number) => FoundRow | undefined
  readonly #superseded: (
    bucket: number,
    locator: Uint8Array,
    from: number,
    until: number,
    below: number,
    limit: number,
  ) => readonly FoundRow[]
  readonly #oneSuperseded: (bucket: number, from: number) => readonly [entry: number] | undefined
  /** Where the statement that is running may look. */
  #reach: ReadonlySet<CompartmentId> = nowhere

  constructor(database: DatabaseSync, compartments: Compartments) {
    this.#compartments = compartments
    database.function('lies_within', id => (this.#reach.has(compartments.idOfRow(id as number)) ? 1 : 0))
    this.#statements = prepareAll(database, sql)
    this.#tagAt = prepareRow(database, `SELECT substr(sealed, -${headTagBytes}) FROM entries WHERE id = ?`)
    this.#place = prepareRow(database, `SELECT e.id, e.version ${newestEntry}`)
    this.#newest = prepareRow(database, `SELECT e.id, e.version, e.sealed ${newestEntry}`)
    this.#oneNewestWithin = prepareRow(database, within.newest)
    this.#newestWithin = prepareRows(database, within.newest)
    this.#versionWithin = prepareRow(database, within.version)
    this.#superseded = prepareRows(database, within.superseded)
    this.#oneSuperseded = prepareRow(database, within.oneSuperseded)
  }

  head(compartment: CompartmentId): number {
    return this.#compartments.headOf(compartment)
  }

  /** The places of all copies of the newest version; what they hold is not fetched. */
  places(locator: Locator): Place[] {
    const { bytes, bucket } = locatorKey(locator)
    const rows = this.#statements.copies.all(bucket, bytes) as { id: number; version: number }[]
    return rows.map(({ id, version }) => {
      return { locator, compartment: this.#compartments.idOfRow(id), seq: seqOf(id), version }
    })
  }

  newest(locator: Locator, compartments: readonly CompartmentId[] | undefined): Entry | undefined {
    const { bytes, bucket } = locatorKey(locator)
    if (compartments === undefined) return this.#found(locator, this.#newest(bucket, bytes))
    this.#reach = setOf(compartments)
    return this.#found(locator, this.#oneNewestWithin(bucket, bytes))
  }

  #found(locator: Locator, row: FoundRow | undefined): Entry | undefined {
    return row && this.#entryOf(locator, row)
  }

  #entryOf(locator: Locator, [id, version, sealed]: FoundRow): Entry {
    const compartment = this.#compartments.idOfRow(id)
    return { compartment, seq: seqOf(id), locator, version, sealed: sealedFromDatabase(sealed) }
  }

  /** In a compartment versions follow each other as entries do: so many from each are enough. */
  versions(
    locator: Locator,
    compartments: readonly CompartmentId[],
    { below = Number.MAX_SAFE_INTEGER, limit = Number.MAX_SAFE_INTEGER }: VersionPage = {},
  ): readonly Entry[] {
    const { bytes, bucket } = locatorKey(locator)
    this.#reach = setOf(compartments)
    const rows = this.#newestWithin(bucket, bytes).filter(([, version]) => version < below)
    for (const number of this.#reach.size > fewCompartments ? this.#numbersOf(bucket) : this.#numbersWithin())
      rows.push(...this.#superseded(bucket, bytes, toRowId(number, 0), toRowId(number + 1, 0), below, limit))
    const entries = rows.map(row => this.#entryOf(locator, row)).sort((a, b) => b.version - a.version)
    return firstOf(entries, limit)
  }

  *#numbersWithin(): Iterable<number> {
    for (const compartment of this.#reach) {
      const number = this.#compartments.numberForReading(compartment)
      if (number !== undefined) yield number
    }
  }

  /** Of those within reach the ones that hold older versions of anything in a bucket: to ask each of very many takes a long turn. */
  *#numbersOf(bucket: number): Iterable<number> {
    for (let next = this.#oneSuperseded(bucket, 0); next !== undefined; ) {
      const [entry] = next
      if (this.#reach.has(this.#compartments.idOfRow(entry))) yield numberOf(entry)
      next = this.#oneSuperseded(bucket, toRowId(numberOf(entry) + 1, 0))
    }
  }

  version(locator: Locator, version: number, compartments: readonly CompartmentId[]): Entry | undefined {
    const { bytes, bucket } = locatorKey(locator)
    this.#reach = setOf(compartments)
    return this.#found(locator, this.#versionWithin(bucket, bytes, version))
  }

  #entries(rows: readonly object[]): Entry[] {
    return rows.map(row => this.#entry(row as EntryRow))
  }

  #entry(row: EntryRow): Entry {
    return {
      compartment: this.#compartments.idOfRow(row.id),
      seq: seqOf(row.id),
      locator: toHex(row.locator),
      version: row.version,
      sealed: sealedFromDatabase(row.sealed),
    }
  }

  entriesAt(compartment: CompartmentId, seqs: readonly number[]): Entry[] {
    const number = this.#compartments.number(compartment)
    if (number === undefined) return []
    return [...this.#rowsAt(number, seqs)]
  }

  entriesWithin(compartment: CompartmentId, seqs: readonly number[], mostBytes: number): Entry[] | undefined {
    const number = this.#compartments.number(compartment)
    if (number === undefined) return []
    return allWithin(this.#rowsAt(number, seqs), mostBytes, sealedOf)
  }

  *#rowsAt(number: number, seqs: readonly number[]): Generator<Entry, void, void> {
    for (const seq of seqs) {
      const row = this.#statements.at.get(toRowId(number, seq))
      if (row !== undefined) yield this.#entry(row as object as EntryRow)
    }
  }

  entriesFrom(compartment: CompartmentId, fromSeq: number, limit: number): Entry[] {
    const number = this.#compartments.number(compartment)
    if (number === undefined) return []
    const from = toRowId(number, Math.max(fromSeq, 1))
    const rows = this.#statements.from.iterate(from, toRowId(number + 1, 0), limit) as Iterable<object>
    return this.#entries(pageOf(rows as Iterable<EntryRow>, sealedOfRow))
  }

  reseal(compartment: CompartmentId, entries: readonly Pick<Entry, 'seq' | 'sealed'>[]): void {
    const number = this.#compartments.number(compartment)
    if (number === undefined) return
    this.forgetHeads()
    for (const { seq, sealed } of entries) this.#statements.reseal.run(sealed, toRowId(number, seq))
  }

  /** Compares what a commit was decided on with what is there now. */
  compare(commit: CheckedCommit, conflict: Conflict): void {
    for (const append of commit.appends) if (!this.#isAtHead(append)) conflict.heads.push(append.compartment)
    for (const [locator, entries] of commit.byLocator)
      if (entries[0]?.version !== this.#newestVersion(locator) + 1) conflict.locators.push(locator)
  }

  #isAtHead(append: Append): boolean {
    const { compartment, expectedHead, headTag } = append
    if (this.head(compartment) !== expectedHead) return false
    // What this process wrote itself is remembered: its own commits follow each other.
    const known = this.#written.get(compartment)
    if (headTag === undefined || expectedHead === 0) return true
    if (known?.seq === expectedHead) return isHead(append, known.tag)
    const row = this.#tagAt(toRowId(this.#compartments.number(compartment) ?? 0, expectedHead))
    return isHead(append, row?.[0])
  }

  #newestVersion(locator: Locator): number {
    const { bytes, bucket } = locatorKey(locator)
    return this.#place(bucket, bytes)?.[1] ?? 0
  }

  /** Writes the entries of a commit that has no conflict. @returns the numbers of the compartments that have grown */
  append(commit: CheckedCommit): Iterable<number> {
    const filled = commit.appends.filter(append => append.entries.length > 0)
    const numbers = new Map(filled.map(of => [of.compartment, this.#compartments.numberForWriting(of.compartment)]))
    for (const [locator, entries] of commit.byLocator) this.#appendVersions(locatorKey(locator), entries, numbers)
    for (const { compartment, entries } of filled) this.#rememberHead(compartment, entries.at(-1))
    return numbers.values()
  }

  #rememberHead(compartment: CompartmentId, last: Entry | undefined): void {
    if (last === undefined) return
    if (this.#written.size >= mostRemembered) this.#written.clear()
    this.#written.set(compartment, { seq: last.seq, tag: Uint8Array.from(last.sealed.subarray(-headTagBytes)) })
  }

  /** A transaction was rolled back, or entries were sealed anew or removed: what is remembered may never have been. */
  forgetHeads(): void {
    this.#written.clear()
  }

  // The entries come in the order of versions, copies of a version side by side.
  #appendVersions(key: LocatorKey, entries: readonly Entry[], numbers: ReadonlyMap<CompartmentId, number>): void {
    const before = (entries[0]?.version ?? 1) - 1
    let placed: readonly number[] = before === 0 ? [] : this.#takePlaces(key)
    let version = before
    for (const entry of entries) {
      if (entry.version !== version) {
        for (const id of placed) this.#statements.supersede.run(key.bucket, version, id)
        placed = []
        version = entry.version
      }
      const id = toRowId(numbers.get(entry.compartment) ?? 0, entry.seq)
      this.#statements.insert.run(id, key.bytes, version, entry.sealed)
      placed = placed.length === 0 ? [id] : [...placed, id]
    }
    for (const id of placed) this.#statements.placeNew.run(key.bucket, id)
  }

  /** Puts entries as they are, and each where the highest version that is there says. @returns the number of the compartment */
  restore(compartment: CompartmentId, entries: readonly Entry[]): number {
    checkRestored(compartment, this.head(compartment), entries)
    const number = this.#compartments.numberForWriting(compartment)
    for (const entry of entries) this.#restoreOne(toRowId(number, entry.seq), entry)
    this.#rememberHead(compartment, entries.at(-1))
    return number
  }

  #restoreOne(id: number, { locator, version, sealed }: Entry): void {
    const key = locatorKey(locator)
    const newest = this.#newestVersion(locator)
    this.#statements.insert.run(id, key.bytes, version, sealed)
    if (version < newest) this.#statements.supersede.run(key.bucket, version, id)
    else {
      const passed = version > newest ? this.#takePlaces(key) : []
      for (const before of passed) this.#statements.supersede.run(key.bucket, newest, before)
      this.#statements.placeNew.run(key.bucket, id)
    }
  }

  #takePlaces(key: LocatorKey): readonly number[] {
    const ids = (this.#statements.copies.all(key.bucket, key.bytes) as { id: number }[]).map(({ id }) => id)
    for (const id of ids) this.#statements.unplace.run(key.bucket, id)
    return ids
  }
}

const sealedOfRow = ({ sealed }: EntryRow): Uint8Array => sealed

const nowhere: ReadonlySet<CompartmentId> = new Set()

/** A grant names the same compartments each time it asks. */
const sets = new WeakMap<readonly CompartmentId[], ReadonlySet<CompartmentId>>()

function setOf(compartments: readonly CompartmentId[]): ReadonlySet<CompartmentId> {
  const known = sets.get(compartments)
  if (known !== undefined) return known
  const set = new Set(compartments)
  sets.set(compartments, set)
  return set
}
