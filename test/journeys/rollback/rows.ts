/** Rows of a database as somebody who can write to it would keep and put back, beside a running server or without one. */
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'

type Row = Readonly<Record<string, SQLInputValue>>

const perCompartment = 2 ** 28

export function onDatabase<T>(path: string, work: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(path)
  database.exec('PRAGMA busy_timeout = 5000')
  try {
    return work(database)
  } finally {
    database.close()
  }
}

function put(database: DatabaseSync, table: string, rows: readonly Row[]): void {
  for (const row of rows) {
    const names = Object.keys(row)
    const marks = names.map(() => '?').join(', ')
    database.prepare(`INSERT INTO ${table} (${names.join(', ')}) VALUES (${marks})`).run(...Object.values(row))
  }
}

/** The number under which a compartment's rows lie. */
function numberOf(database: DatabaseSync, compartment: string): number {
  const row = database.prepare('SELECT number FROM compartments WHERE id = ?').get(Buffer.from(compartment, 'hex'))
  return Number(row?.number)
}

const ledgerTables = [
  ['entries', 'id'],
  ['newest', 'entry'],
  ['superseded', 'entry'],
] as const

/** All rows of one compartment's ledger; to be given back to `putLedgerBack`. */
export function ledgerOf(path: string, compartment: string): ReadonlyMap<string, readonly Row[]> {
  return onDatabase(path, database => {
    const from = numberOf(database, compartment) * perCompartment
    return new Map(
      ledgerTables.map(([table, column]) => {
        const sql = `SELECT * FROM ${table} WHERE ${column} >= ? AND ${column} < ?`
        return [table, database.prepare(sql).all(from, from + perCompartment) as Row[]]
      }),
    )
  })
}

export function putLedgerBack(path: string, compartment: string, kept: ReadonlyMap<string, readonly Row[]>): void {
  onDatabase(path, database => {
    const from = numberOf(database, compartment) * perCompartment
    database.exec('BEGIN IMMEDIATE')
    for (const [table, column] of ledgerTables) {
      database.prepare(`DELETE FROM ${table} WHERE ${column} >= ? AND ${column} < ?`).run(from, from + perCompartment)
      put(database, table, kept.get(table) ?? [])
    }
    database.exec('COMMIT')
  })
}

/** Cuts off the newest entry of a ledger, whose version before it becomes the newest again. */
export function cutNewest(path: string, compartment: string): void {
  onDatabase(path, database => {
    const from = numberOf(database, compartment) * perCompartment
    const sql = 'SELECT id, locator, version FROM entries WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT 1'
    const { id, locator, version } = database.prepare(sql).get(from, from + perCompartment) as Record<string, number>
    database.exec('BEGIN IMMEDIATE')
    database.prepare('DELETE FROM entries WHERE id = ?').run(id ?? 0)
    database.prepare('DELETE FROM newest WHERE entry = ?').run(id ?? 0)
    const before = database
      .prepare('SELECT id FROM entries WHERE locator = ? AND version = ?')
      .get(locator ?? 0, (version ?? 0) - 1)
    if (before !== undefined) {
      database
        .prepare('INSERT INTO newest SELECT bucket, entry FROM superseded WHERE entry = ?')
        .run(before.id as number)
      database.prepare('DELETE FROM superseded WHERE entry = ?').run(before.id as number)
    }
    database.exec('COMMIT')
  })
}

/** Lets the newest version of the last resource of a compartment be the one before it, and hides the one that is. */
export function redirectNewest(path: string, compartment: string): void {
  onDatabase(path, database => {
    const from = numberOf(database, compartment) * perCompartment
    const sql = `SELECT s.bucket, s.version, s.entry FROM superseded s WHERE s.entry >= ? AND s.entry < ?
      ORDER BY s.version DESC LIMIT 1`
    const { bucket, version, entry } = database.prepare(sql).get(from, from + perCompartment) as Record<string, number>
    const newest = database.prepare('SELECT entry FROM newest WHERE bucket = ?').get(bucket ?? 0)
    database.exec('BEGIN IMMEDIATE')
    database.prepare('UPDATE newest SET entry = ? WHERE bucket = ?').run(entry ?? 0, bucket ?? 0)
    database
      .prepare('UPDATE superseded SET entry = ? WHERE bucket = ? AND version = ?')
      .run(Number(newest?.entry), bucket ?? 0, version ?? 0)
    database.exec('COMMIT')
  })
}

/** Changes one byte of the newest entry of a ledger. */
export function spoilNewest(path: string, compartment: string): void {
  onDatabase(path, database => {
    const from = numberOf(database, compartment) * perCompartment
    const sql = 'SELECT id, sealed FROM entries WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT 1'
    const { id, sealed } = database.prepare(sql).get(from, from + perCompartment) as { id: number; sealed: Uint8Array }
    const spoilt = sealed.map((byte, at) => (at === sealed.length - 30 ? byte ^ 1 : byte))
    database.prepare('UPDATE entries SET sealed = ? WHERE id = ?').run(spoilt, id)
  })
}

/** The head of each compartment, by its id. */
export function headsIn(path: string): ReadonlyMap<string, number> {
  return onDatabase(path, database => {
    const sql = `SELECT hex(c.id) AS id, (SELECT max(e.id) FROM entries e WHERE e.id >= c.number * ?1
      AND e.id < (c.number + 1) * ?1) % ?1 AS head FROM compartments c`
    const rows = database.prepare(sql).all(perCompartment)
    return new Map(rows.map(({ id, head }) => [String(id).toLowerCase(), Number(head)]))
  })
}

/** All documents of a collection. */
export function documentsOf(path: string, collection: string): readonly Row[] {
  return onDatabase(
    path,
    database => database.prepare('SELECT * FROM documents WHERE collection = ?').all(collection) as Row[],
  )
}

/** Makes a collection what it was. */
export function putDocumentsBack(path: string, collection: string, kept: readonly Row[]): void {
  onDatabase(path, database => {
    database.exec('BEGIN IMMEDIATE')
    database.prepare('DELETE FROM documents WHERE collection = ?').run(collection)
    put(database, 'documents', kept)
    database.exec('COMMIT')
  })
}

/** Runs one statement. */
export function execute(path: string, sql: string, ...values: readonly SQLInputValue[]): void {
  onDatabase(path, database => database.prepare(sql).run(...values))
}

/** The number and the size of the first page of a table, all of which is in the file itself by then. */
export function pageOf(path: string, table: string): readonly [page: number, size: number] {
  return onDatabase(path, database => {
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    const page = database.prepare('SELECT rootpage FROM sqlite_schema WHERE name = ?').get(table)?.rootpage
    return [Number(page), Number(database.prepare('PRAGMA page_size').get()?.page_size)]
  })
}
