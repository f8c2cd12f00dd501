import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Conflict } from '../conflict.ts'
import type { DocumentWrite, StoredDocument } from '../contract.ts'
import { keyBytes, toHex } from '../ids.ts'
import { documentName } from '../well-formed.ts'
import { sealedFromDatabase } from './row-ids.ts'
import { prepareAll, prepareRow } from './statements.ts'

const columns = 'collection, key, revision, belongs, expires, sealed'
const alive = '(expires IS NULL OR expires > ?)'

const sql = {
  revision: 'SELECT revision FROM documents WHERE collection = ? AND key = ?',
  one: `SELECT ${columns} FROM documents WHERE collection = ? AND key = ? AND ${alive}`,
  ofCollection: `SELECT ${columns} FROM documents WHERE collection = ? AND ${alive}`,
  ofGroup: `SELECT ${columns} FROM documents WHERE collection = ? AND belongs = ? AND ${alive}`,
  collections: 'SELECT DISTINCT collection FROM documents',
  every: `SELECT ${columns} FROM documents WHERE (collection, key) > (?, ?) ORDER BY collection, key LIMIT ?`,
  expired: `SELECT ${columns} FROM documents WHERE expires <= ? LIMIT ?`,
  put: `INSERT INTO documents (${columns}) VALUES (?1, ?2, 1, ?3, ?4, ?5)
    ON CONFLICT DO UPDATE SET revision = revision + 1, belongs = ?3, expires = ?4, sealed = ?5`,
  restore: `INSERT OR REPLACE INTO documents (${columns}) VALUES (?, ?, ?, ?, ?, ?)`,
  delete: 'DELETE FROM documents WHERE collection = ? AND key = ?',
} as const

interface DocumentRow {
  readonly collection: string
  readonly key: Uint8Array
  readonly revision: number
  readonly belongs: Uint8Array | null
  readonly expires: number | null
  readonly sealed: Uint8Array
}

function documentFrom(object: object): StoredDocument {
  const row = object as DocumentRow
  return {
    collection: row.collection,
    key: toHex(row.key),
    revision: row.revision,
    ...(row.belongs === null ? {} : { group: toHex(row.belongs) }),
    ...(row.expires === null ? {} : { expiresAtMs: row.expires }),
    sealed: sealedFromDatabase(row.sealed),
  }
}

/** The documents. Its methods are synchronous; the caller frames transactions. */
export class Documents {
  readonly #statements: Readonly<Record<keyof typeof sql, StatementSync>>
  readonly #readDataVersion: () => readonly [number] | undefined
  #mark = 0
  #dataVersion: number | undefined
  #othersMark = 0
  #markedTurn = 0
  /** Whether another connection of this process writes, and whether anybody has. */
  #apart = false
  #unclear = false

  constructor(database: DatabaseSync) {
    this.#statements = prepareAll(database, sql)
    // Changes when another connection has committed, whatever it wrote.
    this.#readDataVersion = prepareRow(database, 'PRAGMA data_version')
  }

  /**
   * Another number after each write of a document here, and of anything elsewhere; the same for all of one turn of reads,
   * because they see one state of the database.
   */
  mark(turn: number): number {
    this.#lookAtOthers(turn)
    return this.#mark
  }

  /** The same, without what was written here. */
  othersMark(turn: number): number {
    this.#lookAtOthers(turn)
    return this.#othersMark
  }

  #lookAtOthers(turn: number): void {
    if (turn === this.#markedTurn) return
    const dataVersion = this.#readDataVersion()?.[0]
    if (dataVersion !== this.#dataVersion) {
      this.#mark++
      if (this.#apart) this.#unclear = true
      else this.#othersMark++
    }
    this.#dataVersion = dataVersion
    this.#markedTurn = turn
  }

  /**
   * From now on another connection of this process may write, until what is returned is called. SQLite tells nobody who it was: whoever
   * knows whether nobody else wrote, from before this call until after that one, says so to what that one returns.
   */
  parted(turn: number): (turn: number) => (isOurs: boolean) => void {
    this.#lookAtOthers(turn)
    this.#apart = true
    this.#unclear = false
    return joinedTurn => {
      try {
        this.#lookAtOthers(joinedTurn)
      } finally {
        this.#apart = false
      }
      const moved = this.#unclear
      return isOurs => {
        if (moved && !isOurs) this.#othersMark++
      }
    }
  }

  one(collection: string, key: string, nowMs: number): StoredDocument | undefined {
    const row = this.#statements.one.get(collection, keyBytes(key), nowMs)
    return row === undefined ? undefined : documentFrom(row)
  }

  list(collection: string, nowMs: number, group: string | undefined): StoredDocument[] {
    const rows =
      group === undefined
        ? this.#statements.ofCollection.all(collection, nowMs)
        : this.#statements.ofGroup.all(collection, keyBytes(group), nowMs)
    return rows.map(documentFrom)
  }

  collections(): string[] {
    return this.#statements.collections.all().map(row => String(row.collection))
  }

  every(after: Pick<StoredDocument, 'collection' | 'key'> | undefined, limit: number): StoredDocument[] {
    const from = after === undefined ? ['', new Uint8Array(0)] : [after.collection, keyBytes(after.key)]
    return this.#statements.every.all(...from, limit).map(documentFrom)
  }

  expired(nowMs: number, limit: number): StoredDocument[] {
    return this.#statements.expired.all(nowMs, limit).map(documentFrom)
  }

  /** Compares the revisions that writes were decided on with those that are there now. */
  compare(writes: readonly DocumentWrite[], conflict: Conflict): void {
    for (const write of writes)
      if (write.ifRevision !== undefined && write.ifRevision !== this.#revision(write))
        conflict.documents.push(documentName(write))
  }

  #revision(write: DocumentWrite): number {
    const row = this.#statements.revision.get(write.collection, keyBytes(write.key))
    return (row?.revision ?? 0) as number
  }

  /** Puts a document as another store held it. */
  restore({ collection, key, revision, group, expiresAtMs, sealed }: StoredDocument): void {
    this.#mark++
    const belongs = group === undefined ? null : keyBytes(group)
    this.#statements.restore.run(collection, keyBytes(key), revision, belongs, expiresAtMs ?? null, sealed)
  }

  write(write: DocumentWrite): void {
    if (write.op === 'check') return
    this.#mark++
    const key = keyBytes(write.key)
    if (write.op === 'delete') {
      this.#statements.delete.run(write.collection, key)
      return
    }
    const group = write.group === undefined ? null : keyBytes(write.group)
    this.#statements.put.run(write.collection, key, group, write.expiresAtMs ?? null, write.sealed)
  }
}
