import { type Steps, spend } from '#kernel'
import { alive, type TypeTable } from '../columns/type-table.ts'
import { parseReferenceEntry } from '../kinds/entries.ts'
import type { Holder, RowIndex } from '../row-index.ts'
import { Canonicals, type Located, type Resolve, targetOf } from './canonicals.ts'
import { narrow } from './narrow.ts'
import { Pace, pieces } from './pieces.ts'
import { markRows, maskOf, usedEntries } from './place-tests.ts'
import { Sights } from './sights.ts'
import type { Erased, Sight, Vision } from './types.ts'

/** One byte per row of a table: 1 = the row exists for the caller. */
type Rows = Uint8Array

/** As of when rows are looked at: up to an arrival in each index, and up to an instant where one is given. */
export interface Moment {
  readonly arrivals: ReadonlyMap<RowIndex, number>
  /** By number, of holders of an index of whom less was there: up to which arrival. */
  readonly less?: ReadonlyMap<RowIndex, ReadonlyMap<number, number>> | undefined
  /** Unix milliseconds, inclusive. */
  readonly untilMs: number | undefined
  readonly erased?: Erased | undefined
  /** At any time whatever: also what was replaced or removed since is there. */
  readonly isEver?: boolean | undefined
}

/** What lies in further indexes than those that are at hand, as far as it was found out before. */
export interface Beyond {
  /** What canonical references mean among what is visible anywhere. */
  canonicals(): Resolve
  /** Asked for what rows in all indexes lead to. */
  referenced(): never
}

/** The rows of one table that exist at a moment, whoever asks. */
function* existing(index: RowIndex, table: TypeTable, { arrivals, less, untilMs, isEver }: Moment): Steps<Rows> {
  spend('work', table.count)
  const rows = new Uint8Array(table.count)
  if (isEver === true) return rows.fill(1)
  const arrival = arrivals.get(index) ?? 0
  const count = table.countUntil(arrival)
  if (!table.hasDead) rows.fill(1, 0, count)
  else
    yield* pieces(count, (from, to) => {
      const dead = table.deadAt.array
      for (let row = from; row < to; row++) rows[row] = (dead[row] as number) > arrival ? 1 : 0
    })
  const lessHere = less?.get(index)
  if (lessHere !== undefined && lessHere.size > 0)
    yield* pieces(count, (from, to) => takeLess(index, table, lessHere, { rows, from, to }))
  if (untilMs !== undefined) yield* pieces(count, (from, to) => goBack(index, table, untilMs, { rows, from, to }))
  return rows
}

/** Of some holders less was there; what replaced the rows that were is not. */
function takeLess(
  index: RowIndex,
  table: TypeTable,
  less: ReadonlyMap<number, number>,
  { rows, from, to }: Stretch,
): void {
  const seqs = table.seqs.array
  const dead = table.deadAt.array
  index.stretches(table, from, to, (holder, first, end) => {
    const until = less.get(holder)
    if (until === undefined) return
    for (let row = first; row < end; row++)
      rows[row] = (seqs[row] as number) <= until && (dead[row] as number) > until ? 1 : 0
  })
}

interface Stretch {
  readonly rows: Rows
  readonly from: number
  readonly to: number
}

/** To an instant: what was written later is not there, and what that replaced is. */
function goBack(index: RowIndex, table: TypeTable, untilMs: number, { rows, from, to }: Stretch): void {
  const updated = table.updated.array
  const dead = table.deadAt.array
  for (let row = from; row < to; row++) {
    const by = dead[row] as number
    if ((updated[row] as number) > untilMs) rows[row] = 0
    else if (rows[row] === 0 && by > 0 && by !== alive && index.writtenMs(by) > untilMs) rows[row] = 1
  }
}

function* keepSome(table: TypeTable, rows: Rows, anyOf: Extract<Sight, { kind: 'some' }>['anyOf']): Steps<Rows> {
  const kept = new Uint8Array(rows.length)
  for (const criteria of anyOf) {
    const candidates = rows.slice()
    for (const criterion of criteria) yield* narrow(table, criterion, candidates, undefined)
    yield* pieces(rows.length, (from, to) => {
      for (let row = from; row < to; row++) if (candidates[row] === 1) kept[row] = 1
    })
  }
  return kept
}

interface Remembered {
  /** The indexes it was found in, and the moment of each. */
  readonly places: readonly Place[]
  readonly untilMs: number | undefined
  /** How many were erased. */
  readonly erased: number
  readonly rows: ReadonlyMap<TypeTable, Rows>
}

interface Place {
  readonly index: WeakRef<RowIndex>
  readonly arrival: number | undefined
  readonly departures: number
}

/** What the sights alone say of the rows of a table. */
interface Own {
  readonly sights: Sights
  readonly rows: Rows
  /** Of these, those that need not be referred to: the same array where that is all of them, undefined where it is none. */
  readonly free: Rows | undefined
}

/** What is found on the way along references, and what is still to be followed. */
interface Following {
  readonly found: Map<TypeTable, Rows>
  readonly next: Map<TypeTable, Rows>
  readonly canonicals: Canonicals
}

// @NOTE which commons rows a patient's record leads to changes only with the heads; every read of such a row asks for it.
const remembered = new WeakMap<Vision, Remembered>()

/** What exists for one caller at one moment, in several compartments. */
export class Visibility {
  readonly indexes: readonly RowIndex[]
  readonly #vision: Vision
  readonly #moment: Moment
  readonly #baseUrl: string
  readonly #own = new Map<TypeTable, Own | undefined>()
  readonly #visible = new Map<TypeTable, Rows | undefined>()
  readonly #canonicals: Canonicals
  readonly #beyond: Beyond | undefined
  #referenced: ReadonlyMap<TypeTable, Rows> | undefined

  /** @param beyond  what is known of further indexes; undefined: there are none */
  constructor(indexes: readonly RowIndex[], vision: Vision, moment: Moment, baseUrl: string, beyond?: Beyond) {
    this.#beyond = beyond
    this.indexes = indexes
    this.#vision = vision
    this.#moment = moment
    this.#baseUrl = baseUrl
    this.#canonicals = new Canonicals(indexes, (index, type) => this.rows(index, type))
  }

  /** Rows of a type that exist for the caller in one index; undefined when there can be none. Not to be changed. */
  *rows(index: RowIndex, type: string): Steps<Rows | undefined> {
    const table = index.tables.get(type)
    if (table === undefined) return undefined
    if (this.#visible.has(table)) return this.#visible.get(table)
    const rows = yield* this.#find(index, table)
    this.#visible.set(table, rows)
    return rows
  }

  *#find(index: RowIndex, table: TypeTable): Steps<Rows | undefined> {
    const own = yield* this.#ownRows(index, table)
    if (own === undefined || own.free === own.rows) return own?.rows
    if (this.#beyond !== undefined) return this.#beyond.referenced()
    const referenced = (yield* this.#referencedRows()).get(table)
    return own.free === undefined || referenced === undefined ? (own.free ?? referenced) : union(own.free, referenced)
  }

  /** What the sights alone say, before `referencedOnly`. */
  *#ownRows(index: RowIndex, table: TypeTable): Steps<Own | undefined> {
    if (this.#own.has(table)) return this.#own.get(table)
    const own = yield* this.#look(index, table)
    this.#own.set(table, own)
    return own
  }

  *#look(index: RowIndex, table: TypeTable): Steps<Own | undefined> {
    const sights = yield* Sights.of(this.#vision, index, table.plan.type)
    const { all } = sights
    if (all.every(({ kind }) => kind === 'none')) return undefined
    const there = yield* existing(index, table, this.#moment)
    let rows = yield* sights.only(table, there, ({ kind }) => kind === 'all')
    for (const each of all) {
      const within = each.kind === 'some' ? yield* sights.only(table, there, sight => sight === each) : undefined
      if (each.kind !== 'some' || within === undefined) continue
      const kept = yield* keepSome(table, within, each.anyOf)
      rows = rows === undefined ? kept : union(rows, kept)
    }
    if (rows === undefined) return undefined
    rows = yield* this.#withinReach(table, sights, rows)
    return { sights, rows, free: yield* sights.only(table, rows, sight => !isReferencedOnly(sight)) }
  }

  /** Without the rows that name a patient beyond reach. Most name nobody, and then there is no such column. */
  *#withinReach(table: TypeTable, sights: Sights, rows: Rows): Steps<Rows> {
    const column = table.columns[table.plan.named.index]
    if (column === undefined) return rows
    const { erased } = this.#moment
    let within = rows
    for (const reaches of new Set(sights.all.map(reachIn))) {
      if (reaches === undefined) continue
      const asked = yield* sights.only(table, within, sight => reachIn(sight) === reaches)
      if (asked === undefined) continue
      const isBeyond = (patient: string) => !reaches(patient) && erased?.has(patient) !== true
      const beyond = new Uint8Array(rows.length)
      yield* markRows(column, yield* maskOf(column, isBeyond, { rows: asked }), asked, beyond)
      within = without(within, beyond)
    }
    return within
  }

  *#referencedRows(): Steps<ReadonlyMap<TypeTable, Rows>> {
    this.#referenced ??= this.#recall() ?? this.#remember(yield* this.#follow())
    return this.#referenced
  }

  #recall(): ReadonlyMap<TypeTable, Rows> | undefined {
    const known = remembered.get(this.#vision)
    const isSame =
      known !== undefined &&
      this.#moment.less === undefined &&
      known.untilMs === this.#moment.untilMs &&
      known.erased === (this.#moment.erased?.count ?? 0) &&
      known.places.length === this.indexes.length &&
      this.indexes.every((index, i) => this.#isPlace(index, known.places[i])) &&
      [...known.rows].every(([table, rows]) => table.count === rows.length)
    return isSame ? known.rows : undefined
  }

  #remember(rows: ReadonlyMap<TypeTable, Rows>): ReadonlyMap<TypeTable, Rows> {
    const { arrivals, less, untilMs, erased } = this.#moment
    if (less !== undefined) return rows
    const places = this.indexes.map(index => ({
      index: new WeakRef(index),
      arrival: arrivals.get(index),
      departures: index.departures,
    }))
    remembered.set(this.#vision, { places, untilMs, erased: erased?.count ?? 0, rows })
    return rows
  }

  #isPlace(index: RowIndex, place: Place | undefined): boolean {
    if (place?.index.deref() !== index || place.departures !== index.departures) return false
    return place.arrival === this.#moment.arrivals.get(index)
  }

  /** From the visible rows of patients and households along their references, and on from what is found. */
  *#follow(): Steps<ReadonlyMap<TypeTable, Rows>> {
    const found = new Map<TypeTable, Rows>()
    // What a canonical means here is to be found out among all that could become visible by it.
    const canonicals = new Canonicals(this.indexes, (index, type) => this.#couldBeSeen(index, type))
    let frontier = [...(yield* this.#recordRows()), ...(yield* this.#madeRows(found))]
    while (frontier.length > 0) {
      const next = new Map<TypeTable, Rows>()
      for (const { table, rows } of frontier) yield* this.#step(table, rows, { found, next, canonicals })
      frontier = [...next].map(([table, rows]) => ({ table, rows }))
    }
    return found
  }

  *#couldBeSeen(index: RowIndex, type: string): Steps<Rows | undefined> {
    const table = index.tables.get(type)
    return table === undefined ? undefined : (yield* this.#ownRows(index, table))?.rows
  }

  *#recordRows(): Steps<{ table: TypeTable; rows: Rows }[]> {
    const found: { table: TypeTable; rows: Rows }[] = []
    for (const index of this.indexes)
      for (const table of index.tables.values()) {
        const own = yield* this.#ownRows(index, table)
        if (own?.free === undefined) continue
        const rows = yield* own.sights.only(table, own.free, (_sight, { kind }) => recordKinds.has(kind))
        if (rows !== undefined) found.push({ table, rows })
      }
    return found
  }

  /** What the account made itself is seen like what is referred to, and leads on. */
  *#madeRows(found: Map<TypeTable, Rows>): Steps<{ table: TypeTable; rows: Rows }[]> {
    const made: { table: TypeTable; rows: Rows }[] = []
    for (const index of this.indexes)
      for (const table of index.tables.values()) {
        const own = yield* this.#ownRows(index, table)
        for (const account of own === undefined ? [] : makersIn(own.sights))
          if (yield* this.#markMade(own as Own, table, account, found))
            made.push({ table, rows: rowsIn(found, table).slice() })
      }
    return made
  }

  *#markMade({ sights, rows }: Own, table: TypeTable, maker: string, found: Map<TypeTable, Rows>): Steps<boolean> {
    const column = table.columns[table.plan.creator.index]
    const own = yield* sights.only(table, rows, sight => makerOf(sight) === maker)
    if (column === undefined || own === undefined) return false
    yield* markRows(column, yield* maskOf(column, account => account === maker), own, rowsIn(found, table))
    return true
  }

  *#step(table: TypeTable, rows: Rows, following: Following): Steps<void> {
    const pace = new Pace()
    for (const source of table.plan.references) {
      const column = table.columns[source]
      if (column?.dictionary === undefined) continue
      const used = yield* usedEntries(column, rows)
      const resolve = column.source.canonical ? yield* following.canonicals.resolver() : undefined
      for (let number = 1; number < used.length; number++) {
        if (used[number] === 0) continue
        const entry = column.dictionary.text(number)
        yield* this.#reach(entry, resolve, following)
        if (pace.read(entry.length)) yield
      }
    }
    pace.end()
  }

  *#reach(entry: string, resolve: Resolve | undefined, { found, next }: Following): Steps<void> {
    const { reference } = parseReferenceEntry(entry)
    const target = targetOf({ reference, baseUrl: this.#baseUrl }, resolve)
    if (target === undefined) return
    for (const index of this.indexes) {
      const table = index.tables.get(target.type)
      const own = table === undefined ? undefined : yield* this.#ownRows(index, table)
      if (table === undefined || own === undefined || own.free === own.rows) continue
      yield* table.ids.ready()
      for (const row of table.ids.rowsOf(target.id))
        if (own.rows[row] === 1 && own.free?.[row] !== 1) markNew(table, row, found, next)
    }
  }

  /** What canonical references mean among what is visible. */
  *canonicals(): Steps<Resolve> {
    return this.#beyond?.canonicals() ?? (yield* this.#canonicals.resolver())
  }

  /** The visible rows of a resource, with their places. */
  *locate(type: string, id: string): Steps<readonly Located[]> {
    const found: Located[] = []
    for (const index of this.indexes) {
      const table = index.tables.get(type)
      if (table === undefined) continue
      yield* table.ids.ready()
      const candidates = table.ids.rowsOf(id)
      if (candidates.length === 0) continue
      const rows = yield* this.rows(index, type)
      for (const row of candidates) if (rows?.[row] === 1) found.push({ index, table, row })
    }
    return found
  }
}

/** Whose rows lead to what may be seen of the commons. */
const recordKinds: ReadonlySet<Holder['kind']> = new Set(['patient', 'household'])

function isReferencedOnly(sight: Sight): boolean {
  return sight.kind !== 'none' && sight.referencedOnly === true
}

function makerOf(sight: Sight): string | undefined {
  return sight.kind === 'none' ? undefined : sight.madeBy
}

function reachIn(sight: Sight): ((patient: string) => boolean) | undefined {
  return sight.kind === 'none' ? undefined : sight.named
}

function makersIn({ all }: Sights): ReadonlySet<string> {
  return new Set(all.map(makerOf).filter(maker => maker !== undefined))
}

function union(a: Rows, b: Rows): Rows {
  const both = a.slice()
  for (let row = 0; row < both.length; row++) if (b[row] === 1) both[row] = 1
  return both
}

/** The same array where nothing is taken away. */
function without(rows: Rows, less: Rows): Rows {
  if (!less.includes(1)) return rows
  const kept = rows.slice()
  for (let row = 0; row < kept.length; row++) if (less[row] === 1) kept[row] = 0
  return kept
}

function rowsIn(map: Map<TypeTable, Rows>, table: TypeTable): Rows {
  const rows = map.get(table) ?? new Uint8Array(table.count)
  map.set(table, rows)
  return rows
}

function markNew(table: TypeTable, row: number, found: Map<TypeTable, Rows>, next: Map<TypeTable, Rows>): void {
  const known = rowsIn(found, table)
  if (known[row] === 1) return
  known[row] = 1
  rowsIn(next, table)[row] = 1
}
