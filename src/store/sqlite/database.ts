import { chmodSync, closeSync, mkdirSync, openSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { constants, DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { Problem } from '#kernel'
import { foreignSchema, toProblem } from './failures.ts'
import { checkSqliteFloor } from './floor.ts'
import { LogFlush } from './log-flush.ts'
import { Transactions, untilFree } from './transactions.ts'

/** What a file of ours is known by, and how an empty one becomes one. */
export interface Schema {
  /** Four ASCII characters as a number; SQLite keeps it in the file's header. */
  readonly applicationId: number
  /** The tables of the first release. */
  readonly sql: string
  /** What later releases changed, one step each; new files go through them too. A file that went through more was written by a later release. */
  readonly steps?: readonly string[]
  /** Indexes that came later: made where they are missing. An earlier release keeps them up without knowing of them. */
  readonly indexes?: string
}

export interface OpenDatabase {
  readonly database: DatabaseSync
  readonly transactions: Transactions
}

// How long one statement waits inside SQLite, blocking the event loop; longer waits happen outside, see `untilFree`.
const blockingWaitMs = 50

// Before the first page is written: what the file keeps for good.
const settings = `
  PRAGMA page_size = 4096;
  PRAGMA busy_timeout = ${blockingWaitMs};
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  PRAGMA fullfsync = ON;
  PRAGMA checkpoint_fullfsync = ON;
  PRAGMA secure_delete = ON;
  PRAGMA temp_store = MEMORY;
  PRAGMA trusted_schema = OFF;
  PRAGMA cell_size_check = ON;
  PRAGMA cache_size = -16000;
  PRAGMA wal_autocheckpoint = 4000;
  PRAGMA journal_size_limit = 67108864;
`

const options = { allowExtension: false, enableForeignKeyConstraints: false }

/**
 * Opens a connection for which triggers and views do nothing but fail: we have none, and somebody else's would undo or pass over what we
 * write within our own transaction, where nobody who watches for the writes of others would see it. SQLite asks again when its schema
 * has changed. https://www.sqlite.org/c3ref/set_authorizer.html
 */
function opened(path: string | URL): DatabaseSync {
  const database = new DatabaseSync(path, options)
  const { SQLITE_OK, SQLITE_DENY } = constants
  database.setAuthorizer((_action, _one, _other, _name, triggerOrView) =>
    triggerOrView === null ? SQLITE_OK : SQLITE_DENY,
  )
  return database
}

// SQLite gives the log beside the file the file's own mode, so it must be right before SQLite first opens it.
function createPrivately(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  closeSync(openSync(path, 'a', 0o600))
  chmodSync(path, 0o600)
}

/** The number that a `PRAGMA` answers. */
export function pragmaNumber(database: DatabaseSync, pragma: string): number {
  const row = database.prepare(`PRAGMA ${pragma}`).get() ?? {}
  return Number(Object.values(row)[0])
}

const versionOf = ({ steps = [] }: Schema): number => 1 + steps.length

const runsByItself = `SELECT count(*) AS count FROM sqlite_schema WHERE type IN ('trigger', 'view')`

/** @throws Problem `fault` · `store.schema-foreign` where somebody has put what runs by itself into a file of ours */
export function checkRunsNothing(database: DatabaseSync): void {
  if (Number(database.prepare(runsByItself).get()?.count) > 0) throw foreignSchema()
}

function checkSchema(database: DatabaseSync, schema: Schema): 'empty' | 'present' {
  const applicationId = pragmaNumber(database, 'application_id')
  const tables = database.prepare('SELECT count(*) AS count FROM sqlite_schema').get()
  if (applicationId === 0 && tables?.count === 0) return 'empty'
  if (applicationId !== schema.applicationId)
    throw new Problem('fault', 'store.not-ours', 'The database file was not made by this program, or for another use.')
  checkRunsNothing(database)
  if (pragmaNumber(database, 'user_version') > versionOf(schema))
    throw new Problem('fault', 'store.schema-newer', 'The database file was written by a later release.')
  return 'present'
}

function createSchema(database: DatabaseSync, schema: Schema): void {
  if (checkSchema(database, schema) === 'empty') {
    database.exec(schema.sql)
    database.exec(`PRAGMA application_id = ${schema.applicationId}; PRAGMA user_version = 1`)
  }
  for (const step of schema.steps?.slice(pragmaNumber(database, 'user_version') - 1) ?? []) database.exec(step)
  database.exec(`PRAGMA user_version = ${versionOf(schema)}`)
  if (schema.indexes !== undefined) database.exec(schema.indexes)
}

/** What a file of ours is made of, by name: the text of each statement without its white space. */
function schemaIn(database: DatabaseSync): ReadonlyMap<string, string> {
  const rows = database.prepare('SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL').all()
  return new Map(rows.map(({ type, name, sql }) => [`${type} ${name}`, String(sql).replaceAll(/\s+/g, '')]))
}

/** What somebody else has changed of the tables and indexes themselves, in words that hold no content. */
export function* schemaFaults(database: DatabaseSync, schema: Schema): Generator<string> {
  const ours = new DatabaseSync(':memory:', options)
  createSchema(ours, schema)
  const [right, found] = [schemaIn(ours), schemaIn(database)]
  ours.close()
  for (const [name, sql] of right)
    if (found.get(name) !== sql) yield `schema: ${name} is missing, or not as it was made`
  const added = [...found.keys()].filter(name => !right.has(name) && !name.startsWith('table sqlite_')).length
  if (added > 0) yield `schema: ${added} tables, indexes, triggers or views were added`
}

/**
 * Opens a database file of ours, creating it (mode 0600, new directories 0700) when it is not there.
 *
 * @param waitMs  how long to wait for other processes
 * @param alone   whether no other process may have it open until this one closes it
 * @throws Problem `fault` · `store.sqlite-too-old` | `store.schema-newer` | `store.schema-foreign` | `store.not-ours` | `store.failed`
 */
export async function openDatabase(path: string, schema: Schema, waitMs: number, alone = false): Promise<OpenDatabase> {
  let database: DatabaseSync | undefined
  let log: LogFlush | undefined
  try {
    createPrivately(path)
    const made = opened(path)
    database = made
    checkSqliteFloor(String(made.prepare('SELECT sqlite_version() AS version').get()?.version))
    // Before the file is first read: only then does SQLite take the lock that keeps everybody else out.
    if (alone) made.exec('PRAGMA locking_mode = EXCLUSIVE')
    // Looked at before the settings too: a foreign file must not even be switched to another journal.
    await untilFree(() => checkSchema(made, schema), waitMs)
    await untilFree(() => made.exec(settings), waitMs)
    await new Transactions(made, waitMs).write(() => createSchema(made, schema))
    log = await LogFlush.of(path)
    return { database: made, transactions: new Transactions(made, waitMs, log) }
  } catch (error) {
    await log?.close()
    database?.close()
    throw toProblem(error)
  }
}

/**
 * What is made of an open file; where it cannot be made, because the file is damaged, the file is let go of.
 *
 * @throws Problem as `toProblem` tells what SQLite throws
 */
export async function closingOnFailure<T>(transactions: Transactions, make: () => Promise<T>): Promise<T> {
  try {
    return await make()
  } catch (error) {
    await transactions.close()
    throw toProblem(error)
  }
}

/** Which file it is that lies there. @throws whatever the file system says */
export function fileAt(path: string): string {
  const { dev, ino } = statSync(path, { bigint: true })
  return `${dev} ${ino}`
}

/**
 * Another connection to a file that this process has open. It is not made if it is not there any more.
 *
 * @throws whatever SQLite throws
 */
export async function connect(path: string, waitMs: number): Promise<OpenDatabase> {
  const place = pathToFileURL(path)
  place.searchParams.set('mode', 'rw')
  const database = opened(place)
  try {
    await untilFree(() => database.exec(settings), waitMs)
    return { database, transactions: new Transactions(database, waitMs) }
  } catch (error) {
    database.close()
    throw error
  }
}
