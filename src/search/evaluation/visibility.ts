import { type Steps, spend } from '#kernel'
import type { TypeTable } from '../columns/type-table.ts'
import type { CompartmentIndex } from '../compartment-index.ts'
import { parseReferenceEntry } from '../kinds/entries.ts'
import { Canonicals, type Located, type Resolve, targetOf } from './canonicals.ts'
import { narrow } from './narrow.ts'
import { Pace, pieces } from './pieces.ts'
import { markRows, maskOf, usedEntries } from './place-tests.ts'
import type { Sight, Vision } from './types.ts'

/** One byte per row of a table: 1 = the row exists for the caller. */
type Rows = Uint8Array

/** The rows of one table that exist at a moment, whoever asks. */
function* existing(table: TypeTable, seq: number): Steps<Rows> {
  spend('work', table.count)
  const rows = new Uint8Array(table.count)
  const count = table.countUntil(seq)
  if (!table.hasDead) return rows.fill(1, 0, count)
  yield* pieces(count, (from, to) => {
    const dead = table.deadAt.array
    for (let row = from; row < to; row++) rows[row] = (dead[row] as number) > seq ? 1 : 0
  })
  return rows
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
  /** The compartments it was found in, and the seq of each. */
  readonly places: readonly { readonly index: WeakRef<CompartmentIndex>; readonly seq: number | undefined }[]
  readonly rows: ReadonlyMap<TypeTable, Rows>
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
  readonly indexes: readonly CompartmentIndex[]
  readonly #vision: Vision
  readonly #seqs: ReadonlyMap<CompartmentIndex, number>
  readonly #baseUrl: string
  readonly #own = new Map<TypeTable, Rows | undefined>()
  readonly #visible = new Map<TypeTable, Rows | undefined>()
  readonly #canonicals: Canonicals
  #referenced: ReadonlyMap<TypeTable, Rows> | undefined

  constructor(
    indexes: readonly CompartmentIndex[],
    vision: Vision,
    asOf: ReadonlyMap<string, number> | undefined,
    baseUrl: string,
  ) {
    this.indexes = indexes
    this.#vision = vision
    this.#seqs = new Map(indexes.map(index => [index, asOf?.get(index.holder.compartment) ?? index.head]))
    this.#baseUrl = baseUrl
    this.#canonicals = new Canonicals(indexes, (index, type) => this.rows(index, type))
  }

  /** Rows of a type that exist for the caller in one compartment; undefined when there can be none. Not to be changed. */
  *rows(index: CompartmentIndex, type: string): Steps<Rows | undefined> {
    const table = index.tables.get(type)
    if (table === undefined) return undefined
    if (this.#visible.has(table)) return this.#visible.get(table)
    const rows = yield* this.#find(index, table, type)
    this.#visible.set(table, rows)
    return rows
  }

  *#find(index: CompartmentIndex, table: TypeTable, type: string): Steps<Rows | undefined> {
    const own = yield* this.#ownRows(index, type)
    if (own === undefined || !isReferencedOnly(this.#vision(type, index.holder))) return own
    return (yield* this.#referencedRows()).get(table)
  }

  /** What the sight alone says, before `referencedOnly`. */
  *#ownRows(index: CompartmentIndex, type: string): Steps<Rows | undefined> {
    const table = index.tables.get(type)
    if (table === undefined) return undefined
    if (this.#own.has(table)) return this.#own.get(table)
    const sight = this.#vision(type, index.holder)
    const seq = this.#seqs.get(index) ?? 0
    const rows = sight.kind === 'none' ? undefined : yield* existing(table, seq)
    const kept = rows !== undefined && sight.kind === 'some' ? yield* keepSome(table, rows, sight.anyOf) : rows
    this.#own.set(table, kept)
    return kept
  }

  *#referencedRows(): Steps<ReadonlyMap<TypeTable, Rows>> {
    this.#referenced ??= this.#recall() ?? this.#remember(yield* this.#follow())
    return this.#referenced
  }

  #recall(): ReadonlyMap<TypeTable, Rows> | undefined {
    const known = remembered.get(this.#vision)
    const isSame =
      known !== undefined &&
      known.places.length === this.indexes.length &&
      this.indexes.every((index, i) => this.#isPlace(index, known.places[i])) &&
      [...known.rows].every(([table, rows]) => table.count === rows.length)
    return isSame ? known.rows : undefined
  }

  #remember(rows: ReadonlyMap<TypeTable, Rows>): ReadonlyMap<TypeTable, Rows> {
    const places = this.indexes.map(index => ({ index: new WeakRef(index), seq: this.#seqs.get(index) }))
    remembered.set(this.#vision, { places, rows })
    return rows
  }

  #isPlace(index: CompartmentIndex, place: Remembered['places'][number] | undefined): boolean {
    return place?.index.deref() === index && place.seq === this.#seqs.get(index)
  }

  /** From the visible rows of patients and households along their references, and on from what is found. */
  *#follow(): Steps<ReadonlyMap<TypeTable, Rows>> {
    const found = new Map<TypeTable, Rows>()
    // What a canonical means here is to be found out among all that could become visible by it.
    const canonicals = new Canonicals(this.indexes, (index, type) => this.#ownRows(index, type))
    let frontier = [...(yield* this.#recordRows()), ...(yield* this.#madeRows(found))]
    while (frontier.length > 0) {
      const next = new Map<TypeTable, Rows>()
      for (const { table, rows } of frontier) yield* this.#step(table, rows, { found, next, canonicals })
      frontier = [...next].map(([table, rows]) => ({ table, rows }))
    }
    return found
  }

  *#recordRows(): Steps<{ table: TypeTable; rows: Rows }[]> {
    const found: { table: TypeTable; rows: Rows }[] = []
    for (const index of this.indexes) {
      if (index.holder.kind !== 'patient' && index.holder.kind !== 'household') continue
      for (const [type, table] of index.tables) {
        if (isReferencedOnly(this.#vision(type, index.holder))) continue
        const rows = yield* this.#ownRows(index, type)
        if (rows !== undefined) found.push({ table, rows })
      }
    }
    return found
  }

  /** What the account made itself is seen like what is referred to, and leads on. */
  *#madeRows(found: Map<TypeTable, Rows>): Steps<{ table: TypeTable; rows: Rows }[]> {
    const made: { table: TypeTable; rows: Rows }[] = []
    for (const index of this.indexes)
      for (const [type, table] of index.tables) {
        const sight = this.#vision(type, index.holder)
        const column = table.columns[table.plan.creator.index]
        if (sight.kind === 'none' || sight.madeBy === undefined || column === undefined) continue
        const own = yield* this.#ownRows(index, type)
        if (own === undefined) continue
        const rows = rowsIn(found, table)
        yield* markRows(column, yield* maskOf(column, account => account === sight.madeBy), own, rows)
        made.push({ table, rows: rows.slice() })
      }
    return made
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
      if (table === undefined || !isReferencedOnly(this.#vision(target.type, index.holder))) continue
      const own = yield* this.#ownRows(index, target.type)
      yield* table.ids.ready()
      for (const row of table.ids.rowsOf(target.id)) if (own?.[row] === 1) markNew(table, row, found, next)
    }
  }

  /** What canonical references mean among what is visible. */
  canonicals(): Steps<Resolve> {
    return this.#canonicals.resolver()
  }

  /** The visible rows of a resource, with their compartments. */
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

function isReferencedOnly(sight: Sight): boolean {
  return sight.kind !== 'none' && sight.referencedOnly === true
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
