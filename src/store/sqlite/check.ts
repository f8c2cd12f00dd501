import type { DatabaseSync } from 'node:sqlite'
import { toHex } from '../ids.ts'
import type { Compartments } from './compartments.ts'
import { schemaFaults } from './database.ts'
import { bucketOf, numberOf, toRowId } from './row-ids.ts'
import { storeSchema } from './schema.ts'

/** Tells of faults by table, number and count: never of content, and never more than a few of a kind. */
const faultsOfAKind = 10

interface PlacedRow {
  readonly bucket: number
  readonly entry: number
  readonly locator: Uint8Array | null
  readonly version: number | null
  readonly placedVersion: number | null
}

/** For each entry of a range of row ids: its place, and whether there is a newer version of its resource that has one. */
const placesOfRange = `
  SELECT e.id, e.version,
    EXISTS (SELECT 1 FROM newest n WHERE n.bucket = e.bucket AND n.entry = e.id) AS isNewest,
    EXISTS (SELECT 1 FROM superseded s WHERE s.bucket = e.bucket AND s.version = e.version AND s.entry = e.id) AS isOlder,
    EXISTS (SELECT 1 FROM superseded s JOIN entries m ON m.id = s.entry
      WHERE s.bucket = e.bucket AND s.version > e.version AND m.locator = e.locator)
    OR EXISTS (SELECT 1 FROM newest n JOIN entries m ON m.id = n.entry
      WHERE n.bucket = e.bucket AND n.entry <> e.id AND m.version > e.version AND m.locator = e.locator) AS isPassed
  FROM (
    SELECT id, locator, version, kinhold_bucket(locator) AS bucket
    FROM entries WHERE id >= ? AND id < ? ORDER BY id LIMIT ?
  ) AS e`

/** Prepares the look for entries that are not where lookups by locator find them; answers with their row ids. */
export function misplacedIn(database: DatabaseSync): (from: number, until: number, limit: number) => readonly number[] {
  database.function('kinhold_bucket', { deterministic: true }, locator => bucketOf(locator as Uint8Array))
  const statement = database.prepare(placesOfRange)
  return (from, until, limit) =>
    statement
      .all(from, until, limit)
      .filter(({ isNewest, isOlder, isPassed }) => isNewest === isOlder || (isNewest === 1 && isPassed === 1))
      .map(({ id }) => id as number)
}

/** What SQLite itself finds wrong with the pages of a file. */
export function* pageFaults(database: DatabaseSync): Generator<string> {
  for (const row of database.prepare('PRAGMA integrity_check(100)').iterate()) {
    const [message] = Object.values(row)
    if (message !== 'ok') yield `pages: ${String(message)}`
  }
}

function* seqFaults(database: DatabaseSync, compartments: Compartments): Generator<string> {
  const countRows = database.prepare('SELECT count(*) AS count FROM entries WHERE id > ? AND id < ?')
  let seen = 0
  for (const { number, head } of compartments.all()) {
    const count = Number(countRows.get(toRowId(number, 0), toRowId(number + 1, 0))?.count)
    if (count !== head) yield `entries: compartment number ${number} has ${count} entries and the head ${head}`
    seen += count
  }
  const all = countOf(database, 'entries')
  if (all !== seen) yield `entries: ${all - seen} belong to no compartment`
}

function countOf(database: DatabaseSync, table: string): number {
  return Number(database.prepare(`SELECT count(*) AS count FROM ${table}`).get()?.count)
}

function isMisplaced(row: PlacedRow): boolean {
  if (row.locator === null || bucketOf(row.locator) !== row.bucket) return true
  return row.placedVersion !== null && row.placedVersion !== row.version
}

function placedRows(database: DatabaseSync, table: 'newest' | 'superseded'): Iterable<object> {
  const placedVersion = table === 'superseded' ? 'p.version' : 'NULL'
  const rows = database.prepare(
    `SELECT p.bucket, p.entry, e.locator, e.version, ${placedVersion} AS placedVersion
     FROM ${table} p LEFT JOIN entries e ON e.id = p.entry ORDER BY p.bucket`,
  )
  return rows.iterate()
}

function* supersededFaults(database: DatabaseSync): Generator<string> {
  for (const placed of placedRows(database, 'superseded')) {
    const row = placed as PlacedRow
    if (isMisplaced(row)) yield `superseded: the row of entry ${row.entry} points to another entry or to none`
  }
}

// Within a bucket only one version of each resource may stand in `newest`, once for each compartment that has a copy.
function* newestFaults(database: DatabaseSync): Generator<string> {
  let bucket: number | undefined
  let versions = new Map<string, number | null>()
  let copies = new Set<string>()
  for (const placed of placedRows(database, 'newest')) {
    const row = placed as PlacedRow
    if (isMisplaced(row)) yield `newest: the row of entry ${row.entry} points to another entry or to none`
    if (row.bucket !== bucket) {
      versions = new Map()
      copies = new Set()
    }
    bucket = row.bucket
    const locator = row.locator === null ? `entry ${row.entry}` : toHex(row.locator)
    const copy = `${locator} ${numberOf(row.entry)}`
    if (copies.has(copy) || (versions.get(locator) ?? row.version) !== row.version)
      yield `newest: the resource of entry ${row.entry} stands there twice`
    copies.add(copy)
    versions.set(locator, row.version)
  }
}

function* orderFaults(database: DatabaseSync): Generator<string> {
  const later = database.prepare(
    `SELECT count(*) AS count FROM superseded s JOIN entries e ON e.id = s.entry WHERE NOT EXISTS (
       SELECT 1 FROM newest n JOIN entries m ON m.id = n.entry
       WHERE n.bucket = s.bucket AND m.locator = e.locator AND m.version > s.version)`,
  )
  const count = Number(later.get()?.count)
  if (count > 0) yield `superseded: ${count} entries have no newer version`
  const unplaced = countOf(database, 'entries') - countOf(database, 'newest') - countOf(database, 'superseded')
  if (unplaced !== 0) yield `entries: ${unplaced} more than there are places`
}

function* blobFaults(database: DatabaseSync, chunksPerBlob: number): Generator<string> {
  const rows = database.prepare(
    `SELECT b.number FROM blobs b WHERE b.name IS NOT NULL AND b.chunks <> (
       SELECT count(*) FROM blob_chunks c WHERE c.id >= b.number * ?1 AND c.id < (b.number + 1) * ?1)`,
  )
  for (const row of rows.iterate(chunksPerBlob)) yield `blobs: number ${String(row.number)} lacks chunks`
}

function* limited(faults: Generator<string>): Generator<string> {
  let told = 0
  for (const fault of faults) {
    if (told++ === faultsOfAKind) return
    yield fault
  }
}

/** Everything that is wrong with the structure of the file, in words that hold no content. */
export function findFaults(database: DatabaseSync, compartments: Compartments, chunksPerBlob: number): string[] {
  const kinds = [
    pageFaults(database),
    schemaFaults(database, storeSchema),
    seqFaults(database, compartments),
    newestFaults(database),
    supersededFaults(database),
    orderFaults(database),
    blobFaults(database, chunksPerBlob),
  ]
  return kinds.flatMap(faults => [...limited(faults)])
}
