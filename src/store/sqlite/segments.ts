import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { CompartmentId, Segment } from '../contract.ts'
import type { Compartments } from './compartments.ts'
import { sealedFromDatabase, seqOf, toRowId } from './row-ids.ts'
import { prepareAll } from './statements.ts'

const sql = {
  put: `INSERT INTO segments (id, until, sealed) SELECT ?1, ?2, ?3 WHERE EXISTS (SELECT 1 FROM entries WHERE id = ?4)
    ON CONFLICT DO UPDATE SET until = ?2, sealed = ?3 WHERE until <= ?2`,
  list: 'SELECT id, until, sealed FROM segments WHERE id >= ? AND id < ? ORDER BY id',
  at: 'SELECT id, until, sealed FROM segments WHERE id = ?',
  drop: 'DELETE FROM segments WHERE id >= ? AND id < ?',
} as const

function segmentFrom(compartment: CompartmentId, row: Record<string, unknown>): Segment {
  return {
    compartment,
    fromSeq: seqOf(row.id as number),
    untilSeq: row.until as number,
    sealed: sealedFromDatabase(row.sealed as Uint8Array),
  }
}

/** The sealed index segments. Its methods are synchronous; the caller frames transactions. */
export class Segments {
  readonly #compartments: Compartments
  readonly #statements: Readonly<Record<keyof typeof sql, StatementSync>>

  constructor(database: DatabaseSync, compartments: Compartments) {
    this.#compartments = compartments
    this.#statements = prepareAll(database, sql)
  }

  /** Unless a longer one is there, or the entries are not. */
  put(segment: Segment): void {
    const number = this.#compartments.number(segment.compartment)
    if (number === undefined) return
    const { fromSeq, untilSeq, sealed } = segment
    this.#statements.put.run(toRowId(number, fromSeq), untilSeq, sealed, toRowId(number, untilSeq))
  }

  list(compartment: CompartmentId): Segment[] {
    const number = this.#compartments.number(compartment)
    if (number === undefined) return []
    const rows = this.#statements.list.all(toRowId(number, 0), toRowId(number + 1, 0))
    return rows.map(row => segmentFrom(compartment, row))
  }

  /** The segment that begins at a seq. */
  beginningAt(compartment: CompartmentId, number: number, fromSeq: number): Segment | undefined {
    const row = this.#statements.at.get(toRowId(number, fromSeq))
    return row && segmentFrom(compartment, row)
  }

  drop(compartment: CompartmentId): void {
    const number = this.#compartments.number(compartment)
    if (number !== undefined) this.#statements.drop.run(toRowId(number, 0), toRowId(number + 1, 0))
  }
}
