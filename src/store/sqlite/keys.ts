import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { giveWay, type Log, silentLog } from '#kernel'
import { closedProblem } from '../closed.ts'
import type { KeyRows, KeyStore, KeysChange, Note, Tombstone, WrappedKey } from '../contract.ts'
import { paramsFrom } from '../key-params.ts'
import { boundless, type Space } from '../space/space.ts'
import { pageFaults } from './check.ts'
import { checkRunsNothing, closingOnFailure, openDatabase, pragmaNumber, schemaFaults } from './database.ts'
import { toProblem } from './failures.ts'
import { keysSchema } from './schema.ts'
import { Scrub } from './scrub.ts'
import { prepareAll } from './statements.ts'
import type { Transactions } from './transactions.ts'

/** Where the keystore lies: apart from the store, on another mount if there is one. */
export interface SqliteKeysOptions {
  /** The database file; it and missing directories are created, for the owner alone. */
  readonly path: string
  /** How long a write waits for other processes before it is refused as `store.busy`; 10 s by default. */
  readonly waitMs?: number
  /** Whether no other process may have the file open until this one closes it. */
  readonly alone?: boolean
  /** The room on its disk, if somebody looks at it. */
  readonly space?: Space
  readonly log?: Log
}

const defaultWaitMs = 10_000

/** So many rows are read in one go. */
const rowsInPage = 512

const tables = {
  keys: 'owner, kind, version, wrapped, params, mac',
  tombstones: 'owner, at_ms AS atMs, mac',
  notes: 'name, value, mac',
} as const

type Table = keyof typeof tables

const select = (table: Table) => `SELECT ${tables[table]} FROM ${table}`

const sql = {
  putKey: 'INSERT OR REPLACE INTO keys (owner, kind, version, wrapped, params, mac) VALUES (?, ?, ?, ?, ?, ?)',
  dropKey: 'DELETE FROM keys WHERE owner = ? AND kind = ? AND version = ?',
  of: `${select('keys')} WHERE owner = ?`,
  all: select('keys'),
  keysFrom: `${select('keys')} WHERE (owner, kind, version) > (?, ?, ?) ORDER BY owner, kind, version LIMIT ${rowsInPage}`,
  putTombstone: 'INSERT OR REPLACE INTO tombstones (owner, at_ms, mac) VALUES (?, ?, ?)',
  dropTombstone: 'DELETE FROM tombstones WHERE owner = ?',
  tombstone: `${select('tombstones')} WHERE owner = ?`,
  tombstones: select('tombstones'),
  tombstonesFrom: `${select('tombstones')} WHERE owner >= ? ORDER BY owner LIMIT ${rowsInPage}`,
  putNote: 'INSERT OR REPLACE INTO notes (name, value, mac) VALUES (?, ?, ?)',
  dropNote: 'DELETE FROM notes WHERE name = ?',
  note: `${select('notes')} WHERE name = ?`,
  notes: select('notes'),
  notesFrom: `${select('notes')} WHERE name >= ? ORDER BY name LIMIT ${rowsInPage}`,
} as const

const vouchedFor = (mac: unknown) => (mac === null ? {} : { mac: mac as Uint8Array })

/** A row of a table, as it was put there. */
const rowFrom = {
  keys: ({ params, mac, ...row }: Columns): WrappedKey =>
    ({ ...row, params: paramsFrom(String(params)), ...vouchedFor(mac) }) as WrappedKey,
  tombstones: ({ mac, ...row }: Columns): Tombstone => ({ ...row, ...vouchedFor(mac) }) as Tombstone,
  notes: ({ mac, ...row }: Columns): Note => ({ ...row, ...vouchedFor(mac) }) as Note,
} as const

type Columns = Readonly<Record<string, unknown>>
type Row<T extends Table> = ReturnType<(typeof rowFrom)[T]>

/** The first text behind another one, as SQLite orders them. */
const behindText = (text: string) => `${text}\u0000`

/** What the rows behind one are asked for with. */
const behind: { readonly [T in Table]: (row: Row<T>) => readonly SQLInputValue[] } = {
  keys: ({ owner, kind, version }) => [owner, kind, version],
  tombstones: ({ owner }) => [behindText(owner)],
  notes: ({ name }) => [behindText(name)],
}

class SqliteKeys implements KeyStore {
  readonly #database: DatabaseSync
  readonly #transactions: Transactions
  readonly #path: string
  #alone: boolean
  readonly #statements: Readonly<Record<keyof typeof sql, StatementSync>>
  readonly #space: Space
  readonly #scrub: Scrub

  constructor(database: DatabaseSync, transactions: Transactions, options: SqliteKeysOptions) {
    const { alone = false, space = boundless, log = silentLog, path } = options
    this.#database = database
    this.#transactions = transactions
    this.#path = path
    this.#alone = alone
    this.#space = space
    this.#scrub = new Scrub('keys', { transactions, space, log })
    this.#statements = prepareAll(database, sql)
  }

  change(change: KeysChange): Promise<boolean> {
    const write = () => this.#write(change)
    return change.urgent === true ? this.#space.urgently('keys', write) : write()
  }

  async #write(change: KeysChange): Promise<boolean> {
    if (change.unhurried !== true) return this.#transactions.write(() => this.#change(change))
    const { result, durable } = await this.#transactions.writeUnflushed(() => this.#change(change))
    await durable
    return result
  }

  durable(): Promise<void> {
    return this.#transactions.durable()
  }

  #change({ ifNote, dropped = {}, put = {} }: KeysChange): boolean {
    const { putKey, dropKey, putTombstone, dropTombstone, putNote, dropNote } = this.#statements
    if (ifNote !== undefined && !this.#isNoted(ifNote)) return false
    for (const { owner, kind, version } of dropped.keys ?? []) dropKey.run(owner, kind, version)
    for (const owner of dropped.tombstones ?? []) dropTombstone.run(owner)
    for (const name of dropped.notes ?? []) dropNote.run(name)
    for (const { owner, kind, version, wrapped, params, mac } of put.keys ?? [])
      putKey.run(owner, kind, version, wrapped, JSON.stringify(params), mac ?? null)
    for (const { owner, atMs, mac } of put.tombstones ?? []) putTombstone.run(owner, atMs, mac ?? null)
    for (const { name, value, mac } of put.notes ?? []) putNote.run(name, value, mac ?? null)
    return true
  }

  #isNoted({ name, value }: { readonly name: string; readonly value: Uint8Array | undefined }): boolean {
    const there = this.#statements.note.get(name)?.value as Uint8Array | undefined
    return there === undefined || value === undefined ? there === value : Buffer.from(there).equals(value)
  }

  #read<T extends Table>(table: T, which: keyof typeof sql, ...names: SQLInputValue[]): Row<T>[] {
    const rows = this.#transactions.read(() => this.#statements[which].all(...names))
    return rows.map(row => rowFrom[table]({ ...row }) as Row<T>)
  }

  /** Rows in the order of their names, while others have their turns: what is there from the first page to the last is found once. */
  async *#pages<T extends Table>(table: T, ...first: readonly SQLInputValue[]): AsyncGenerator<Row<T>[], void, void> {
    for (let from = first; ; ) {
      const page = this.#read(table, `${table}From`, ...from)
      yield page
      const last = page.at(-1)
      if (last === undefined || page.length < rowsInPage) return
      from = behind[table](last)
      const pause = giveWay()
      if (pause !== undefined) await pause
    }
  }

  async of(owner: string): Promise<readonly WrappedKey[]> {
    return this.#read('keys', 'of', owner)
  }

  async ofEach(owners: readonly string[]): Promise<readonly WrappedKey[]> {
    return owners.flatMap(owner => this.#read('keys', 'of', owner))
  }

  async all(): Promise<readonly WrappedKey[]> {
    return gathered(this.#pages('keys', '', '', -1))
  }

  async tombstone(owner: string): Promise<Tombstone | undefined> {
    return this.#read('tombstones', 'tombstone', owner)[0]
  }

  async tombstones(): Promise<readonly Tombstone[]> {
    return gathered(this.#pages('tombstones', ''))
  }

  async note(name: string): Promise<Note | undefined> {
    return this.#read('notes', 'note', name)[0]
  }

  async notes(prefix: string): Promise<readonly Note[]> {
    const found: Note[] = []
    for await (const page of this.#pages('notes', prefix)) {
      const end = page.findIndex(({ name }) => !name.startsWith(prefix))
      found.push(...page.slice(0, end < 0 ? page.length : end))
      if (end >= 0) break
    }
    return found
  }

  /** On a connection of its own, which holds on to one state while others write; who has the file alone has no others. */
  async *everything(): AsyncIterable<KeyRows> {
    if (!this.#database.isOpen) throw closedProblem()
    if (this.#alone) yield this.#everythingNow()
    else yield* pagesOf(this.#path)
  }

  #everythingNow(): KeyRows {
    return {
      keys: this.#read('keys', 'all'),
      tombstones: this.#read('tombstones', 'tombstones'),
      notes: this.#read('notes', 'notes'),
    }
  }

  async othersMark(): Promise<number> {
    return this.#transactions.read(() => pragmaNumber(this.#database, 'data_version'))
  }

  scrub(): Promise<void> {
    return this.#scrub.now()
  }

  async check(): Promise<readonly string[]> {
    return this.#transactions.read(() => [...pageFaults(this.#database), ...schemaFaults(this.#database, keysSchema)])
  }

  async close(): Promise<void> {
    // Who has the file alone has come to renew keys: nothing of those before is to be left.
    try {
      if (this.#alone) await this.#scrub.now()
      this.#alone = false
    } finally {
      await this.#transactions.close()
    }
  }
}

async function gathered<T>(pages: AsyncIterable<readonly T[]>): Promise<T[]> {
  const rows: T[] = []
  for await (const page of pages) rows.push(...page)
  return rows
}

async function* pagesOf(path: string): AsyncGenerator<KeyRows, void, void> {
  const database = new DatabaseSync(path, { readOnly: true, timeout: 1_000 })
  try {
    checkRunsNothing(database)
    database.exec('BEGIN')
    for (const table of Object.keys(tables) as Table[])
      for (const rows of inPages(database.prepare(select(table)).iterate())) {
        yield { keys: [], tombstones: [], notes: [], [table]: rows.map(row => rowFrom[table]({ ...row })) }
        const pause = giveWay()
        if (pause !== undefined) await pause
      }
  } catch (error) {
    throw toProblem(error)
  } finally {
    database.close()
  }
}

function* inPages<T>(rows: Iterable<T>): Generator<T[], void, void> {
  let page: T[] = []
  for (const row of rows) {
    page.push(row)
    if (page.length < rowsInPage) continue
    yield page
    page = []
  }
  if (page.length > 0) yield page
}

/**
 * Opens the keystore in an SQLite file of its own.
 *
 * @throws Problem `fault` · `store.sqlite-too-old` | `store.schema-newer` | `store.schema-foreign` | `store.not-ours` | `store.failed`;
 *         `busy` · `store.busy` when another process holds the file for longer than `waitMs`
 */
export async function openSqliteKeys(options: SqliteKeysOptions): Promise<KeyStore> {
  const waitMs = options.waitMs ?? defaultWaitMs
  const { space = boundless } = options
  const { database, transactions } = await space.urgently('keys', () =>
    openDatabase(options.path, keysSchema, waitMs, options.alone),
  )
  return closingOnFailure(transactions, async () => new SqliteKeys(database, transactions, options))
}
