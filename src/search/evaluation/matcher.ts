import { type Steps, spend } from '#kernel'
import type { TypeTable } from '../columns/type-table.ts'
import { parseReferenceEntry } from '../kinds/entries.ts'
import { hierarchyOf } from '../parameters.ts'
import type { Criterion, HasCriterion, ReferenceOperand, ValueCriterion } from '../query/types.ts'
import { holderOf, holderOrder, type RowIndex } from '../row-index.ts'
import { type Resolve, targetOf } from './canonicals.ts'
import { type Fulfilling, type Neighbours, narrow } from './narrow.ts'
import { countOf, Pace } from './pieces.ts'
import { usedEntries } from './place-tests.ts'
import type { Visibility } from './visibility.ts'

/** The rows of one table that are still in: one byte each. */
export interface Matching {
  readonly index: RowIndex
  readonly table: TypeTable
  readonly rows: Uint8Array
}

/** Rows of a table, one bit each: chains may ask about many. */
interface Marked {
  readonly table: TypeTable
  readonly bits: Uint8Array
  readonly count: number
}

/** So many resources through which a chain passes are looked up one by one. */
export const fewIds = 1_000

/** Finds the rows of a type that fulfil criteria, in all compartments, and remembers what chains have asked before. */
export class Matcher implements Neighbours {
  readonly #visibility: Visibility
  readonly #fulfilled = new Map<Criterion, Map<string, readonly Marked[]>>()
  readonly #referred = new Map<HasCriterion, Map<string, ReadonlySet<string>>>()
  readonly #withKin = new Map<ValueCriterion, ValueCriterion>()

  constructor(visibility: Visibility) {
    this.#visibility = visibility
  }

  /** Stops where no row is left; criteria that cost little come first, so that the others have less to look at. */
  *find(type: string, criteria: readonly Criterion[]): Steps<readonly Matching[]> {
    let found = yield* this.#visible(type)
    for (const criterion of criteria.toSorted((a, b) => costOf(a) - costOf(b))) {
      for (const { table, rows } of found) yield* narrow(table, criterion, rows, this)
      found = found.filter(({ rows }) => rows.includes(1))
      if (found.length === 0) return found
    }
    dropCopies(found)
    return found
  }

  *#visible(type: string): Steps<Matching[]> {
    const found: Matching[] = []
    for (const index of this.#visibility.indexes) {
      const table = index.tables.get(type)
      const rows = yield* this.#visibility.rows(index, type)
      if (table !== undefined && rows !== undefined) found.push({ index, table, rows: rows.slice() })
      yield
    }
    return found
  }

  *fulfilling(type: string, criterion: Criterion): Steps<Fulfilling> {
    const marked = yield* this.#rowsFulfilling(type, criterion)
    for (const { table } of marked) yield* table.ids.ready()
    const count = marked.reduce((sum, each) => sum + each.count, 0)
    return {
      has: id => marked.some(({ table, bits }) => table.ids.rowsOf(id).some(row => isMarked(bits, row))),
      ids:
        count > fewIds
          ? undefined
          : marked.flatMap(({ table, bits }) => markedRows(bits).map(row => table.ids.id(row))),
    }
  }

  *#rowsFulfilling(type: string, criterion: Criterion): Steps<readonly Marked[]> {
    const byType = this.#fulfilled.get(criterion) ?? new Map<string, readonly Marked[]>()
    this.#fulfilled.set(criterion, byType)
    const known = byType.get(type)
    if (known !== undefined) return known
    const found = yield* this.find(type, [criterion])
    const marked = found.map(({ table, rows }) => ({ table, bits: packed(rows), count: countOf(rows) }))
    byType.set(type, marked)
    return marked
  }

  canonicals(): Steps<Resolve> {
    return this.#visibility.canonicals()
  }

  *referred(type: string, criterion: HasCriterion): Steps<Iterable<string>> {
    const byType = this.#referred.get(criterion) ?? new Map<string, ReadonlySet<string>>()
    this.#referred.set(criterion, byType)
    const known = byType.get(type)
    if (known !== undefined) return known
    const ids = yield* this.idsReferred(type, criterion)
    byType.set(type, ids)
    return ids
  }

  *withKin(criterion: ValueCriterion): Steps<ValueCriterion> {
    const known = this.#withKin.get(criterion)
    if (known !== undefined) return known
    const kin: ReferenceOperand[] = []
    for (const { type, id } of kinSought(criterion))
      for (const each of yield* this.#lineage(type, id, criterion))
        kin.push({ kind: 'reference', types: [type], id: each })
    const whole = { ...criterion, operands: [...criterion.operands, ...kin] }
    this.#withKin.set(criterion, whole)
    return whole
  }

  /** Ids of all that is above or below one, step by step; what comes round again ends there. */
  *#lineage(type: string, id: string, criterion: ValueCriterion): Steps<ReadonlySet<string>> {
    const found = new Set<string>()
    for (let edge: readonly string[] = [id]; edge.length > 0; ) {
      const next = new Set<string>()
      yield* this.addKin(type, edge, criterion, next)
      edge = [...next].filter(each => !found.has(each))
      for (const each of edge) found.add(each)
    }
    return found
  }

  /** One step down or up, among the rows at hand. */
  *addKin(type: string, ids: readonly string[], { modifier, baseUrl }: ValueCriterion, into: Set<string>): Steps<void> {
    const from = { type, name: hierarchyOf(type)?.name ?? '', ids, baseUrl }
    if (modifier === 'below') yield* this.#addParts(from, into)
    else yield* this.#addWholes(from, into)
  }

  *#addParts({ type, name, ids, baseUrl }: Edge, into: Set<string>): Steps<void> {
    const operands = ids.map(id => ({ kind: 'reference', types: [type], id }) as const)
    const refer = { kind: 'value', name, parameter: 'reference', modifier: undefined, operands, baseUrl } as const
    for (const { table, rows } of yield* this.find(type, [refer]))
      for (const row of rowsIn(rows)) into.add(table.ids.id(row))
  }

  *#addWholes({ type, name, ids, baseUrl }: Edge, into: Set<string>): Steps<void> {
    const operands = ids.map(code => ({ kind: 'token', system: undefined, code }) as const)
    const own = { kind: 'value', name: '_id', parameter: 'token', modifier: undefined, operands, baseUrl } as const
    for (const { table, rows } of yield* this.find(type, [own]))
      for (const { index } of table.plan.uses.get(name) ?? [])
        yield* addReferred(table, index, rows, { type, baseUrl, neighbours: this }, into)
  }

  /** Ids of resources of a type to which rows at hand refer that fulfil a `_has`. */
  *idsReferred(type: string, criterion: HasCriterion): Steps<ReadonlySet<string>> {
    const ids = new Set<string>()
    for (const { table, rows } of yield* this.find(criterion.type, [criterion.criterion])) {
      for (const { index, resolves } of table.plan.uses.get(criterion.name) ?? []) {
        if (resolves !== undefined && resolves !== type) continue
        yield* addReferred(table, index, rows, { type, baseUrl: criterion.baseUrl, neighbours: this }, ids)
      }
    }
    return ids
  }
}

/** Whose kin a criterion asks for. */
export function* kinSought({ operands }: ValueCriterion): Iterable<{ readonly type: string; readonly id: string }> {
  for (const operand of operands)
    if (operand.kind === 'reference' && operand.id !== undefined)
      for (const type of operand.types) yield { type, id: operand.id }
}

/** From which resources of a type a hierarchy is followed one step further, and by which parameter. */
interface Edge {
  readonly type: string
  readonly name: string
  readonly ids: readonly string[]
  readonly baseUrl: string
}

function* rowsIn(rows: Uint8Array): Iterable<number> {
  for (let row = rows.indexOf(1); row >= 0; row = rows.indexOf(1, row + 1)) yield row
}

const costs: Readonly<Record<Criterion['kind'], number>> = {
  missing: 0,
  value: 0,
  chain: 3,
  any: 3,
  not: 3,
  has: 4,
  holding: 4,
}

/** In which order criteria are tried; of values, those that are looked up or numbers come before texts that are read. */
function costOf(criterion: Criterion): number {
  if (criterion.kind !== 'value') return costs[criterion.kind]
  if (criterion.parameter === 'composite' || criterion.parameter === 'special') return 2
  return criterion.parameter === 'string' || criterion.parameter === 'uri' || criterion.modifier !== undefined ? 1 : 0
}

function packed(rows: Uint8Array): Uint8Array {
  spend('work', rows.length)
  const bits = new Uint8Array((rows.length + 7) >> 3)
  for (let row = 0; row < rows.length; row++)
    bits[row >> 3] = (bits[row >> 3] as number) | ((rows[row] as number) << (row & 7))
  return bits
}

function markedRows(bits: Uint8Array): number[] {
  const rows: number[] = []
  for (let at = 0; at < bits.length; at++)
    for (let byte = bits[at] as number, row = at * 8; byte > 0; byte >>= 1, row++) if ((byte & 1) === 1) rows.push(row)
  return rows
}

function isMarked(bits: Uint8Array, row: number): boolean {
  return (((bits[row >> 3] ?? 0) >> (row & 7)) & 1) === 1
}

/** What belongs to several patients lies in the compartment of each, and is found once: with the first of them. */
export function dropCopies(found: readonly Matching[]): void {
  const kept = new Map<string, Copy>()
  for (const matching of found)
    for (const row of matching.table.sharedRows) {
      if (matching.rows[row] !== 1) continue
      const copy = { matching, row }
      const id = matching.table.ids.id(row)
      const other = kept.get(id)
      const isFirst = other === undefined || orderOfCopies(copy, other) < 0
      if (isFirst) kept.set(id, copy)
      const later = isFirst ? other : copy
      if (later !== undefined) later.matching.rows[later.row] = 0
    }
}

interface Copy {
  readonly matching: Matching
  readonly row: number
}

function orderOfCopies(a: Copy, b: Copy): number {
  const holder = ({ matching: { index, table }, row }: Copy) => holderOf(index, table, row)
  return holderOrder(holder(a), holder(b))
}

function* addReferred(
  table: TypeTable,
  source: number,
  rows: Uint8Array,
  { type, baseUrl, neighbours }: { readonly type: string; readonly baseUrl: string; readonly neighbours: Neighbours },
  ids: Set<string>,
): Steps<void> {
  const column = table.columns[source]
  if (column?.dictionary === undefined) return
  const used = yield* usedEntries(column, rows)
  const resolve = column.source.canonical ? yield* neighbours.canonicals() : undefined
  const pace = new Pace()
  for (let number = 1; number < used.length; number++) {
    if (used[number] === 0) continue
    const entry = column.dictionary.text(number)
    const target = targetOf({ reference: parseReferenceEntry(entry).reference, baseUrl }, resolve)
    if (target?.type === type) ids.add(target.id)
    if (pace.read(entry.length)) yield
  }
  pace.end()
}
