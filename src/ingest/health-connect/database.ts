import { open } from 'node:fs/promises'
import { constants, DatabaseSync, type StatementSync } from 'node:sqlite'
import { isProblem, Problem } from '#kernel'
import type { PlainFile } from '../source/spool.ts'
import { isSmallSchema } from './schema-size.ts'

/** A table as it is kept: neither a view nor what a module makes up, and of its columns those that are stored. */
export interface Table {
  readonly name: string
  readonly columns: ReadonlySet<string>
}

/** A value of a row; a blob is one that is no name of a row, or a value that is too long to be what it should be. */
type Cell = number | string | Uint8Array

/** What stands in a row, by column; what is null is not there. */
export interface Row {
  readonly id: number
  readonly cells: ReadonlyMap<string, Cell>
}

/** Where the database is while it is read. */
export interface Opening {
  readonly sizeBytes: number
  /** What is no larger is read in memory, so that nothing of it is ever on a disk. */
  readonly inMemory: number
  open(): AsyncIterable<Uint8Array>
  plainFile(bytes: AsyncIterable<Uint8Array>): Promise<PlainFile>
}

/** The first bytes of every SQLite database. https://www.sqlite.org/fileformat2.html#magic_header_string */
export const magic = Buffer.from('SQLite format 3\0', 'latin1')

/** A cell that is longer is no value of a record. Bytes. */
const longestCell = 64 * 1024

/** Columns of a table; a meal has some sixty. What has more is none of an export. */
const mostColumns = 200

const limits = {
  length: 16 * 1024 ** 2,
  sqlLength: 1024 ** 2,
  column: 2000,
  attach: 0,
  vdbeOp: 100_000,
  exprDepth: 100,
}

/** What may be done with a database of which nobody knows who wrote it. */
const allowed: ReadonlySet<number> = new Set([
  constants.SQLITE_SELECT,
  constants.SQLITE_READ,
  constants.SQLITE_FUNCTION,
  constants.SQLITE_PRAGMA,
])
const functions: ReadonlySet<string> = new Set(['octet_length', 'count'])

/**
 * A database that somebody sent, read only and without believing what it says of itself: its views, triggers, indexes, computed columns
 * and virtual tables are not used, so nothing in it is ever executed. Whoever opens it closes it.
 */
export class ForeignDatabase {
  readonly tables: ReadonlyMap<string, Table>
  readonly #db: DatabaseSync
  readonly #file: PlainFile | undefined
  readonly #byId = new Map<string, StatementSync>()

  private constructor(db: DatabaseSync, file: PlainFile | undefined) {
    this.#db = db
    this.#file = file
    this.tables = tablesOf(db)
  }

  /**
   * @throws Problem `invalid` · `ingest.database-malformed`; `unsupported-media` · `ingest.database-unknown`; as `plainFile` and
   *   the bytes
   */
  static async open(opening: Opening): Promise<ForeignDatabase> {
    await using owned = new AsyncDisposableStack()
    const bytes = withoutLog(opening.open())
    const isSmall = opening.sizeBytes <= opening.inMemory
    const file = isSmall ? undefined : owned.adopt(await opening.plainFile(bytes), one => one.close())
    const whole = isSmall ? await gathered(bytes, opening.sizeBytes) : undefined
    if (!(await hasSmallSchema(file, whole)))
      throw new Problem('unsupported-media', 'ingest.database-unknown', 'The database has more tables than any export.')
    const db = owned.adopt(
      reading(() => connect(file, whole)),
      one => one.close(),
    )
    await file?.unname()
    const database = reading(() => new ForeignDatabase(db, file))
    owned.move()
    return database
  }

  async close(): Promise<void> {
    try {
      this.#db.close()
    } finally {
      await this.#file?.close()
    }
  }

  /** How many rows a table has. @throws Problem as `open` */
  count({ name }: Table): number {
    const sql = `SELECT count(*) AS rows FROM ${quoted(name)} NOT INDEXED`
    return reading(() => Number(this.#db.prepare(sql).get()?.rows ?? 0))
  }

  /**
   * The rows of a table, in the order of their ids.
   *
   * @param longest  bytes of a cell; what is longer is an empty blob
   * @throws Problem as `open`
   */
  *rows(table: Table, longest = longestCell): Generator<Row, void, void> {
    const statement = reading(() => this.#prepare(table, '', longest))
    const names = [...table.columns]
    const cursor = reading(() => statement.iterate())
    let last = Number.NEGATIVE_INFINITY
    try {
      for (;;) {
        const step = reading(() => cursor.next())
        if (step.done === true) return
        const row = rowOf(step.value, names)
        // Pages that lead to each other in a circle would never end; no table has an id twice.
        if (row.id <= last) throw malformed(undefined)
        last = row.id
        yield row
      }
    } finally {
      cursor.return?.()
    }
  }

  /** A row by its id; `longest` as of `rows`. @throws Problem as `open` */
  row(table: Table, id: number, longest = longestCell): Row | undefined {
    const key = `${longest} ${table.name}`
    const statement = this.#byId.get(key) ?? reading(() => this.#prepare(table, ' WHERE rowid = ?', longest))
    this.#byId.set(key, statement)
    const found = reading(() => statement.get(id))
    return found === undefined ? undefined : rowOf(found, [...table.columns])
  }

  #prepare({ name, columns }: Table, where: string, longest: number): StatementSync {
    const cells = [...columns]
      .map(quoted)
      .map(cell => `CASE WHEN octet_length(${cell}) > ${longest} THEN x'' ELSE ${cell} END`)
    const statement = this.#db.prepare(
      `SELECT ${['rowid', ...cells].join(', ')} FROM ${quoted(name)} NOT INDEXED${where}`,
    )
    statement.setReadBigInts(true)
    statement.setReturnArrays(true)
    return statement
  }
}

async function hasSmallSchema(file: PlainFile | undefined, whole: Uint8Array = new Uint8Array()): Promise<boolean> {
  if (file === undefined) return isSmallSchema(async (position, length) => whole.subarray(position, position + length))
  await using handle = await open(file.path)
  return await isSmallSchema(async (position, length) => {
    const { buffer, bytesRead } = await handle.read(new Uint8Array(length), 0, length, position)
    return buffer.subarray(0, bytesRead)
  })
}

function connect(file: PlainFile | undefined, whole: Uint8Array | undefined): DatabaseSync {
  const options = { allowExtension: false, enableForeignKeyConstraints: false, defensive: true, limits }
  const db =
    file === undefined
      ? new DatabaseSync(':memory:', options)
      : new DatabaseSync(file.path, { ...options, readOnly: true })
  try {
    if (whole !== undefined) db.deserialize(whole)
    db.exec(
      'PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA query_only = ON; PRAGMA temp_store = MEMORY',
    )
    db.setAuthorizer((action, _, name) => {
      const isAllowed = allowed.has(action) && (action !== constants.SQLITE_FUNCTION || functions.has(name ?? ''))
      return isAllowed ? constants.SQLITE_OK : constants.SQLITE_DENY
    })
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/** Columns that a table computes are those that `hidden` tells of. https://www.sqlite.org/pragma.html#pragma_table_xinfo */
function tablesOf(db: DatabaseSync): ReadonlyMap<string, Table> {
  const list = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0")
  const tables = new Map<string, Table>()
  for (const { name } of list.iterate()) {
    if (typeof name !== 'string') continue
    const info = db.prepare(`PRAGMA table_xinfo(${quoted(name)})`).all()
    const columns = info.flatMap(column => (Number(column.hidden) === 0 ? [String(column.name)] : []))
    // A column of this name would hide the id of the row.
    if (columns.some(one => one.toLowerCase() === 'rowid')) throw malformed(undefined)
    if (columns.length <= mostColumns) tables.set(name, { name, columns: new Set(columns) })
  }
  return tables
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

function rowOf(found: unknown, names: readonly string[]): Row {
  const [id, ...cells] = found as readonly unknown[]
  const kept = new Map<string, Cell>()
  for (const [at, name] of names.entries()) {
    const cell = cellOf(cells[at])
    if (cell !== undefined) kept.set(name, cell)
  }
  return { id: Number(id), cells: kept }
}

function cellOf(value: unknown): Cell | undefined {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
  if (typeof value === 'number' || typeof value === 'string' || isBlob(value)) return value
  return undefined
}

/** Looked at by shape: what SQLite gives need not be of this realm. */
function isBlob(value: unknown): value is Uint8Array {
  return ArrayBuffer.isView(value)
}

/** A file says where its write-ahead log is looked for; there is none beside it. https://www.sqlite.org/fileformat2.html#the_database_header */
async function* withoutLog(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  let at = 0
  for await (const chunk of chunks) {
    const copy = at > 19 ? chunk : Uint8Array.from(chunk)
    for (const place of [18, 19])
      if (place >= at && place - at < copy.length && copy[place - at] === 2) copy[place - at] = 1
    at += chunk.length
    yield copy
  }
}

async function gathered(chunks: AsyncIterable<Uint8Array>, sizeBytes: number): Promise<Uint8Array> {
  const whole = new Uint8Array(sizeBytes)
  let at = 0
  for await (const chunk of chunks) {
    whole.set(chunk.subarray(0, Math.max(0, sizeBytes - at)), at)
    at += chunk.length
  }
  return whole.subarray(0, at)
}

/** What SQLite says of a file that is damaged or is none: anything but that it has no memory or cannot read the disk. */
const ours: ReadonlySet<number> = new Set([7, 10, 14])

function reading<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (isProblem(error)) throw error
    const { errcode, code } = error as { errcode?: number; code?: string }
    const isDamage = code === 'ERR_SQLITE_ERROR' && errcode !== undefined && !ours.has(errcode & 0xff)
    throw isDamage ? malformed(error) : error
  }
}

function malformed(cause: unknown): Problem {
  return new Problem('invalid', 'ingest.database-malformed', 'The database is damaged.', { cause })
}
