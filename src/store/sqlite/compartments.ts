import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { CompartmentId } from '../contract.ts'
import { idBytes, toHex } from '../ids.ts'
import { maxEntries } from '../well-formed.ts'
import { numberOf, seqOf, toRowId } from './row-ids.ts'

/**
 * The short numbers of compartments. A number is never given twice, so the way back from number to id may be remembered;
 * the way from id to number may not, because another process can drop a compartment.
 */
export class Compartments {
  readonly #ids = new Map<number, CompartmentId>()
  readonly #numbers = new Map<CompartmentId, number>()
  readonly #findNumber: StatementSync
  readonly #findId: StatementSync
  readonly #insert: StatementSync
  readonly #all: StatementSync
  readonly #behind: StatementSync
  readonly #last: StatementSync
  readonly #lastById: StatementSync
  readonly #remove: StatementSync

  constructor(database: DatabaseSync) {
    this.#findNumber = database.prepare('SELECT number FROM compartments WHERE id = ?')
    this.#findId = database.prepare('SELECT id FROM compartments WHERE number = ?')
    this.#insert = database.prepare('INSERT INTO compartments (id) VALUES (?)')
    this.#all = database.prepare('SELECT number, id FROM compartments')
    this.#behind = database.prepare('SELECT number, id FROM compartments WHERE number > ? ORDER BY number LIMIT ?')
    this.#last = database.prepare('SELECT id FROM entries WHERE id > ? AND id < ? ORDER BY id DESC LIMIT 1')
    this.#lastById = database.prepare(
      `SELECT (SELECT max(id) FROM entries WHERE id > number * ${maxEntries} AND id < (number + 1) * ${maxEntries}) AS id
       FROM compartments WHERE id = ?`,
    )
    this.#remove = database.prepare('DELETE FROM compartments WHERE number = ?')
  }

  /** Its number, or undefined when nothing was ever written to it. */
  number(id: CompartmentId): number | undefined {
    return this.#findNumber.get(idBytes(id))?.number as number | undefined
  }

  /** The same, remembered: to look for what lies there, for under the number of a dropped compartment lies nothing. */
  numberForReading(id: CompartmentId): number | undefined {
    const known = this.#numbers.get(id)
    if (known !== undefined) return known
    const number = this.number(id)
    if (number !== undefined) this.#numbers.set(id, number)
    return number
  }

  /** Its number, which it gets now if it has none; only within a write transaction. */
  numberForWriting(id: CompartmentId): number {
    return this.number(id) ?? Number(this.#insert.run(idBytes(id)).lastInsertRowid)
  }

  /** The compartment of an entry's row. A number without a compartment gives '', which no caller has in reach. */
  idOfRow(rowId: number): CompartmentId {
    return this.idOf(numberOf(rowId))
  }

  /** The compartment of a number, '' as above. */
  idOf(number: number): CompartmentId {
    return this.#ids.get(number) ?? this.#loadId(number)
  }

  #loadId(number: number): CompartmentId {
    const bytes = this.#findId.get(number)?.id as Uint8Array | undefined
    if (bytes === undefined) return ''
    const id = toHex(bytes)
    this.#ids.set(number, id)
    return id
  }

  /** The head is not kept anywhere: it is the last row of the compartment's range, so it cannot be wrong. */
  headOf(id: CompartmentId): number {
    const rowId = this.#lastById.get(idBytes(id))?.id as number | null | undefined
    return rowId == null ? 0 : seqOf(rowId)
  }

  #head(number: number): number {
    const row = this.#last.get(toRowId(number, 0), toRowId(number + 1, 0))
    return row === undefined ? 0 : seqOf(row.id as number)
  }

  /** Every compartment that has a number, with its head, which may be 0. */
  all(): { id: CompartmentId; number: number; head: number }[] {
    return this.#withHeads(this.#all.all())
  }

  /** The same of those with the next higher numbers, ascending, at most `limit` of them. */
  behind(number: number, limit: number): { id: CompartmentId; number: number; head: number }[] {
    return this.#withHeads(this.#behind.all(number, limit))
  }

  #withHeads(rows: ReturnType<StatementSync['all']>): { id: CompartmentId; number: number; head: number }[] {
    return rows.map(row => {
      const number = row.number as number
      return { id: toHex(row.id as Uint8Array), number, head: this.#head(number) }
    })
  }

  remove(number: number): void {
    this.#remove.run(number)
    this.#numbers.clear()
  }
}
