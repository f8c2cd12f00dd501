import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { CompartmentId } from '../contract.ts'
import type { Blobs } from './blobs.ts'
import type { Compartments } from './compartments.ts'
import type { Feed } from './feed.ts'
import { bucketOf, toRowId } from './row-ids.ts'
import type { Segments } from './segments.ts'
import { prepareAll } from './statements.ts'
import type { Transactions } from './transactions.ts'

// Few enough that a transaction does not keep readers waiting for long.
const entriesPerDelete = 5_000

const sql = {
  last: `SELECT id, locator, version FROM entries WHERE id > ? AND id < ? ORDER BY id DESC LIMIT ${entriesPerDelete}`,
  delete: 'DELETE FROM entries WHERE id = ?',
  unplace: 'DELETE FROM newest WHERE bucket = ? AND entry = ?',
  forget: 'DELETE FROM superseded WHERE bucket = ? AND version = ? AND entry = ?',
  copy: 'SELECT 1 FROM newest n JOIN entries e ON e.id = n.entry WHERE n.bucket = ? AND e.locator = ? LIMIT 1',
  before: `SELECT s.version, s.entry FROM superseded s JOIN entries e ON e.id = s.entry
    WHERE s.bucket = ? AND e.locator = ? ORDER BY s.version DESC`,
  place: 'INSERT INTO newest (bucket, entry) VALUES (?, ?)',
} as const

interface DroppedRow {
  readonly bucket: number
  readonly id: number
  readonly locator: Uint8Array
  readonly version: number
}

// Neighbours in the index together, so that each of its pages is touched once.
function inIndexOrder(rows: readonly object[]): DroppedRow[] {
  const dropped = rows.map(row => ({ ...(row as DroppedRow), bucket: bucketOf((row as DroppedRow).locator) }))
  return dropped.sort((a, b) => a.bucket - b.bucket)
}

/** What a removal works on. */
export interface DropParts {
  readonly database: DatabaseSync
  readonly transactions: Transactions
  readonly compartments: Compartments
  readonly feed: Feed
  readonly segments: Segments
  readonly blobs: Blobs
}

/**
 * Removal of all that a compartment holds. Its key is gone already, so nobody can tell a half-removed compartment from a
 * removed one; therefore it goes in slices from the end, each of which leaves a ledger without gaps.
 */
export class CompartmentDrop {
  readonly #transactions: Transactions
  readonly #compartments: Compartments
  readonly #feed: Feed
  readonly #segments: Segments
  readonly #blobs: Blobs
  readonly #statements: Readonly<Record<keyof typeof sql, StatementSync>>

  constructor(parts: DropParts) {
    this.#transactions = parts.transactions
    this.#compartments = parts.compartments
    this.#feed = parts.feed
    this.#segments = parts.segments
    this.#blobs = parts.blobs
    this.#statements = prepareAll(parts.database, sql)
  }

  async drop(compartment: CompartmentId): Promise<void> {
    const number = await this.#transactions.write(() => {
      this.#segments.drop(compartment)
      return this.#compartments.number(compartment)
    })
    if (number === undefined) return
    await this.#blobs.dropAll(number)
    let isLeft = true
    while (isLeft) isLeft = await this.#transactions.write(() => this.#dropSlice(number, compartment))
  }

  /** @returns whether something may be left */
  #dropSlice(number: number, compartment: CompartmentId): boolean {
    const rows = this.#statements.last.all(toRowId(number, 0), toRowId(number + 1, 0))
    for (const row of inIndexOrder(rows)) this.#dropEntry(row)
    this.#feed.dropped(number, compartment)
    if (rows.length === entriesPerDelete) return true
    this.#compartments.remove(number)
    return false
  }

  #dropEntry({ bucket, ...row }: DroppedRow): void {
    const wasNewest = this.#statements.unplace.run(bucket, row.id).changes !== 0
    this.#statements.delete.run(row.id)
    if (wasNewest) this.#placeVersionBefore(row.locator, bucket)
    else this.#statements.forget.run(bucket, row.version, row.id)
  }

  // Copies of the newest version in other compartments stay it. A resource that had moved here has its removal in the
  // compartment it came from: that is its newest version again, with all of its copies.
  #placeVersionBefore(locator: Uint8Array, bucket: number): void {
    if (this.#statements.copy.get(bucket, locator) !== undefined) return
    const older = this.#statements.before.all(bucket, locator) as { version: number; entry: number }[]
    for (const { version, entry } of older.filter(({ version }) => version === older[0]?.version)) {
      this.#statements.forget.run(bucket, version, entry)
      this.#statements.place.run(bucket, entry)
    }
  }
}
