import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { randomId16 } from '#kernel'
import type { Changes, CompartmentId } from '../contract.ts'
import { idBytes, toHex } from '../ids.ts'
import type { Compartments } from './compartments.ts'
import { prepareAll } from './statements.ts'

/** Whoever has not asked for longer than so many moves begins anew: to look at every head takes less than a second. */
const kept = 2 ** 17
const prunedEvery = 1024

const sql = {
  add: 'INSERT INTO moves (number, epoch, dropped) VALUES (?, ?, ?)',
  prune: 'DELETE FROM moves WHERE at <= ?',
  newest: 'SELECT at, epoch FROM moves ORDER BY at DESC LIMIT 1',
  epoch: 'SELECT epoch FROM moves WHERE at = ?',
  behind: 'SELECT at, number, epoch, dropped FROM moves WHERE at > ? ORDER BY at LIMIT ?',
} as const

/** A row of `moves`, and – while an answer that began anew goes on – the compartment number it has come to. */
interface Mark {
  readonly at: number
  readonly epoch: number
  readonly after?: number | undefined
}

interface MoveRow {
  readonly at: number
  readonly number: number
  readonly epoch: number
  readonly dropped: Uint8Array | null
}

const markForm = /^(\d{1,15})\.(\d{1,10})(?:\.(\d{1,10}))?$/

function markFrom(text: string): Mark | undefined {
  const [, at, epoch, after] = markForm.exec(text) ?? []
  if (at === undefined) return undefined
  return { at: Number(at), epoch: Number(epoch), after: after === undefined ? undefined : Number(after) }
}

const textOf = ({ at, epoch, after }: Mark): string =>
  after === undefined ? `${at}.${epoch}` : `${at}.${epoch}.${after}`

/**
 * Which compartments moved, in the order of commits. SQLite writes one transaction after the other, so what commits later has a
 * higher number. A row tells by which opening of the store it was written: where a restored file went another way than the
 * one a mark is of, the row of that number is of another opening. Its methods are synchronous; the caller frames transactions.
 */
export class Feed {
  readonly #compartments: Compartments
  readonly #statements: Readonly<Record<keyof typeof sql, StatementSync>>
  readonly #epoch = randomId16().readUInt32BE(0)

  constructor(database: DatabaseSync, compartments: Compartments) {
    this.#compartments = compartments
    this.#statements = prepareAll(database, sql)
  }

  /** These compartments, by number, have another head when the transaction ends. */
  moved(numbers: Iterable<number>): void {
    for (const number of numbers) this.#add(number, null)
  }

  dropped(number: number, compartment: CompartmentId): void {
    this.#add(number, idBytes(compartment))
  }

  #add(number: number, dropped: Uint8Array | null): void {
    const at = Number(this.#statements.add.run(number, this.#epoch, dropped).lastInsertRowid)
    if (at % prunedEvery === 0) this.#statements.prune.run(at - kept)
  }

  since(text: string | undefined, limit: number): Changes {
    const known = text === undefined ? undefined : this.#known(markFrom(text))
    const told = known !== undefined && known.after === undefined ? this.#moves(known, limit) : undefined
    if (told !== undefined) return { ...told, anew: false }
    const begins = known?.after === undefined
    const mark = begins ? { ...this.#newest(), after: 0 } : known
    return { ...this.#everybody(mark, mark.after ?? 0, limit), anew: begins }
  }

  /** Of rows that somebody has taken away nothing is left to go on from: whoever asks begins anew until something moves. */
  #newest(): Mark {
    return (this.#statements.newest.get() as object as Mark | undefined) ?? { at: 0, epoch: this.#epoch }
  }

  #known(mark: Mark | undefined): Mark | undefined {
    if (mark === undefined) return undefined
    const row = mark.at === 0 ? this.#newest() : this.#statements.epoch.get(mark.at)
    return row?.epoch === mark.epoch ? mark : undefined
  }

  #everybody(mark: Mark, after: number, limit: number): Omit<Changes, 'anew'> {
    const found = this.#compartments.behind(after, limit)
    const moved = new Map(found.filter(({ head }) => head > 0).map(({ id, head }) => [id, head]))
    const last = found.length < limit ? undefined : found.at(-1)?.number
    const more = last !== undefined || mark.at < this.#newest().at
    return { mark: textOf({ ...mark, after: last }), moved, more }
  }

  /** Undefined where rows are missing in between: they are written one after the other, and cut off at the old end alone. */
  #moves(mark: Mark, limit: number): Omit<Changes, 'anew'> | undefined {
    const rows = this.#statements.behind.all(mark.at, limit) as object[] as MoveRow[]
    if ((rows.at(-1)?.at ?? mark.at) !== mark.at + rows.length) return undefined
    const ids = new Set(rows.map(({ number, dropped }) => (dropped ? toHex(dropped) : this.#compartments.idOf(number))))
    // The number of a compartment that was removed has no id any more; the row of the removal, further on, does.
    ids.delete('')
    const moved = new Map([...ids].map(id => [id, this.#compartments.headOf(id)]))
    return { mark: textOf(rows.at(-1) ?? mark), moved, more: rows.length === limit }
  }
}
