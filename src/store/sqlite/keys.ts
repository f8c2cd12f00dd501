import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { isProblem, type Log, type Problem, silentLog } from '#kernel'
import type { KeyStore, WrappedKey } from '../contract.ts'
import { destroyedProblem, existsProblem } from '../key-problems.ts'
import { boundless, type Space } from '../space/space.ts'
import { pageFaults } from './check.ts'
import { openDatabase } from './database.ts'
import { isConstraint } from './failures.ts'
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

const columns = 'owner, kind, version, wrapped, params'

const sql = {
  add: `INSERT INTO keys (${columns}) VALUES (?, ?, ?, ?, ?)`,
  of: `SELECT ${columns} FROM keys WHERE owner = ?`,
  all: `SELECT ${columns} FROM keys`,
  deleteKind: 'DELETE FROM keys WHERE owner = ? AND kind = ?',
  deleteAll: 'DELETE FROM keys WHERE owner = ?',
  bury: 'INSERT INTO tombstones (owner, at_ms) VALUES (?, ?) ON CONFLICT DO NOTHING',
  tombstone: 'SELECT 1 FROM tombstones WHERE owner = ?',
  tombstones: 'SELECT owner, at_ms AS atMs FROM tombstones',
  note: 'SELECT value FROM notes WHERE name = ?',
  notes: 'SELECT name, value FROM notes WHERE substr(name, 1, length(?1)) = ?1',
  setNote: 'INSERT OR REPLACE INTO notes (name, value) VALUES (?, ?)',
  dropNote: 'DELETE FROM notes WHERE name = ?',
  keepNote: 'INSERT INTO notes (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING',
  raiseNote: `INSERT INTO notes (name, value) VALUES (?, ?)
    ON CONFLICT DO UPDATE SET value = excluded.value WHERE excluded.value > notes.value`,
} as const

interface KeyRow {
  readonly owner: string
  readonly kind: string
  readonly version: number
  readonly wrapped: Uint8Array
  readonly params: string
}

function keyFrom(row: object): WrappedKey {
  const { params, ...key } = { ...row } as KeyRow
  return { ...key, params: paramsFrom(params) }
}

/** A row that was damaged must not hide the others: without its parameters it does not unwrap, and that is told then. */
function paramsFrom(text: string): WrappedKey['params'] {
  try {
    const parsed: unknown = JSON.parse(text)
    return typeof parsed === 'object' && parsed !== null ? (parsed as WrappedKey['params']) : {}
  } catch {
    return {}
  }
}

interface Adding {
  readonly key: WrappedKey
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

class SqliteKeys implements KeyStore {
  readonly #database: DatabaseSync
  readonly #transactions: Transactions
  #alone: boolean
  readonly #statements: Readonly<Record<keyof typeof sql, StatementSync>>
  readonly #adding: Adding[] = []

  readonly #space: Space
  readonly #scrub: Scrub

  constructor(database: DatabaseSync, transactions: Transactions, options: SqliteKeysOptions) {
    const { alone = false, space = boundless, log = silentLog } = options
    this.#database = database
    this.#transactions = transactions
    this.#alone = alone
    this.#space = space
    this.#scrub = new Scrub('keys', { transactions, space, log })
    this.#statements = prepareAll(database, sql)
  }

  add(key: WrappedKey): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#adding.push({ key, resolve, reject })
      if (this.#adding.length === 1) setImmediate(() => void this.#flushAdded(this.#adding.splice(0)))
    })
  }

  // Taking in a family is a burst of new keys: those of one turn of the event loop share a transaction.
  async #flushAdded(adding: readonly Adding[]): Promise<void> {
    try {
      const faults = await this.#transactions.write(() => adding.map(({ key }) => this.#tryInsert(key)))
      adding.forEach(({ resolve, reject }, at) => {
        if (faults[at] === undefined) resolve()
        else reject(faults[at])
      })
    } catch (error) {
      for (const { reject } of adding) reject(error)
    }
  }

  /** The Problem of this key alone: a refused row leaves the transaction as it was. */
  #tryInsert(key: WrappedKey): Problem | undefined {
    try {
      this.#insert(key)
      return undefined
    } catch (error) {
      if (isProblem(error)) return error
      throw error
    }
  }

  #urgently<T>(write: () => T): Promise<T> {
    return this.#space.urgently('keys', () => this.#transactions.write(write))
  }

  async replace(owner: string, kind: string, keys: readonly WrappedKey[]): Promise<void> {
    await this.#urgently(() => {
      this.#statements.deleteKind.run(owner, kind)
      for (const key of keys) this.#insert(key)
    })
  }

  #insert(key: WrappedKey): void {
    if (this.#statements.tombstone.get(key.owner) !== undefined) throw destroyedProblem()
    try {
      this.#statements.add.run(key.owner, key.kind, key.version, key.wrapped, JSON.stringify(key.params))
    } catch (error) {
      throw isConstraint(error) ? existsProblem(error) : error
    }
  }

  async of(owner: string): Promise<readonly WrappedKey[]> {
    return this.#transactions.read(() => this.#statements.of.all(owner).map(keyFrom))
  }

  async all(): Promise<readonly WrappedKey[]> {
    return this.#transactions.read(() => this.#statements.all.all().map(keyFrom))
  }

  async destroy(owner: string, atMs: number): Promise<void> {
    await this.#urgently(() => {
      this.#statements.deleteAll.run(owner)
      this.#statements.bury.run(owner, atMs)
    })
    await this.#scrub.now()
  }

  async tombstones(): Promise<readonly { readonly owner: string; readonly atMs: number }[]> {
    return this.#transactions
      .read(() => this.#statements.tombstones.all())
      .map(row => ({
        owner: row.owner as string,
        atMs: row.atMs as number,
      }))
  }

  async note(name: string): Promise<Uint8Array | undefined> {
    return this.#transactions.read(() => this.#statements.note.get(name)?.value as Uint8Array | undefined)
  }

  async notes(prefix: string): Promise<ReadonlyMap<string, Uint8Array>> {
    const rows = this.#transactions.read(() => this.#statements.notes.all(prefix))
    return new Map(rows.map(({ name, value }) => [name as string, value as Uint8Array]))
  }

  async setNote(name: string, value: Uint8Array): Promise<void> {
    await this.#urgently(() => this.#statements.setNote.run(name, value))
  }

  async setNotes(notes: ReadonlyMap<string, Uint8Array | undefined>): Promise<void> {
    await this.#urgently(() => {
      for (const [name, value] of notes)
        if (value === undefined) this.#statements.dropNote.run(name)
        else this.#statements.setNote.run(name, value)
    })
  }

  async raiseNotes(notes: ReadonlyMap<string, Uint8Array>): Promise<void> {
    await this.#urgently(() => {
      for (const [name, value] of notes) this.#statements.raiseNote.run(name, value)
    })
  }

  keepNote(name: string, value: Uint8Array): Promise<Uint8Array> {
    return this.#urgently(() => {
      this.#statements.keepNote.run(name, value)
      return this.#statements.note.get(name)?.value as Uint8Array
    })
  }

  async check(): Promise<readonly string[]> {
    return this.#transactions.read(() => [...pageFaults(this.#database)])
  }

  async close(): Promise<void> {
    // Who has the file alone has come to renew keys: nothing of those before is to be left.
    if (this.#alone) await this.#scrub.now()
    this.#alone = false
    this.#transactions.close()
  }
}

/**
 * Opens the keystore in an SQLite file of its own.
 *
 * @throws Problem `fault` · `store.sqlite-too-old` | `store.schema-newer` | `store.not-ours` | `store.failed`;
 *         `busy` · `store.busy` when another process holds the file for longer than `waitMs`
 */
export async function openSqliteKeys(options: SqliteKeysOptions): Promise<KeyStore> {
  const waitMs = options.waitMs ?? defaultWaitMs
  const { space = boundless } = options
  const { database, transactions } = await space.urgently('keys', () =>
    openDatabase(options.path, keysSchema, waitMs, options.alone),
  )
  return new SqliteKeys(database, transactions, options)
}
