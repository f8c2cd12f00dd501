import type { TypeTable } from '../columns/type-table.ts'
import type { CompartmentIndex } from '../compartment-index.ts'
import { parseReferenceEntry } from '../kinds/entries.ts'
import { limits } from '../query/limits.ts'
import type { Criterion, HasCriterion, Query } from '../query/types.ts'
import { type Located, targetOf } from './canonicals.ts'
import { Inclusion } from './includes.ts'
import { type Neighbours, narrow, usedEntries } from './narrow.ts'
import { type Candidate, candidateOrder, firstRows } from './order.ts'
import type { Hit, Page, Restricted, SearchResult } from './types.ts'
import { Visibility } from './visibility.ts'

interface Matching {
  readonly index: CompartmentIndex
  readonly table: TypeTable
  readonly rows: Uint8Array
}

/** Finds the rows of a type that fulfil criteria, in all compartments, and remembers what chains have asked before. */
class Matcher implements Neighbours {
  readonly #visibility: Visibility
  readonly #fulfilled = new Map<Criterion, Map<string, ReadonlyMap<TypeTable, Uint8Array>>>()
  readonly #referred = new Map<HasCriterion, Map<string, ReadonlySet<string>>>()

  constructor(visibility: Visibility) {
    this.#visibility = visibility
  }

  find(type: string, criteria: readonly Criterion[]): readonly Matching[] {
    const found: Matching[] = []
    const met = new Set<string>()
    for (const index of this.#visibility.indexes) {
      const table = index.tables.get(type)
      const visible = this.#visibility.rows(index, type)
      if (table === undefined || visible === undefined) continue
      const rows = visible.slice()
      for (const criterion of criteria) narrow(table, criterion, rows, this)
      dropCopies(table, rows, met)
      found.push({ index, table, rows })
    }
    return found
  }

  fulfils(type: string, id: string, criterion: Criterion): boolean {
    const byTable = this.#rowsFulfilling(type, criterion)
    for (const index of this.#visibility.indexes) {
      const table = index.tables.get(type)
      const rows = table === undefined ? undefined : byTable.get(table)
      if (rows !== undefined && table?.ids.rowsOf(id).some(row => rows[row] === 1)) return true
    }
    return false
  }

  #rowsFulfilling(type: string, criterion: Criterion): ReadonlyMap<TypeTable, Uint8Array> {
    const byType = this.#fulfilled.get(criterion) ?? new Map<string, ReadonlyMap<TypeTable, Uint8Array>>()
    this.#fulfilled.set(criterion, byType)
    const known = byType.get(type)
    if (known !== undefined) return known
    const rows = new Map(this.find(type, [criterion]).map(each => [each.table, each.rows]))
    byType.set(type, rows)
    return rows
  }

  canonical(reference: string): Located | undefined {
    return this.#visibility.canonical(reference)
  }

  referred(type: string, criterion: HasCriterion): ReadonlySet<string> {
    const byType = this.#referred.get(criterion) ?? new Map<string, ReadonlySet<string>>()
    this.#referred.set(criterion, byType)
    const known = byType.get(type)
    if (known !== undefined) return known
    const ids = this.#idsReferred(type, criterion)
    byType.set(type, ids)
    return ids
  }

  #idsReferred(type: string, criterion: HasCriterion): ReadonlySet<string> {
    const ids = new Set<string>()
    for (const { table, rows } of this.find(criterion.type, [criterion.criterion])) {
      for (const { index, resolves } of table.plan.uses.get(criterion.name) ?? []) {
        if (resolves !== undefined && resolves !== type) continue
        addReferred(table, index, rows, { type, baseUrl: criterion.baseUrl, neighbours: this }, ids)
      }
    }
    return ids
  }
}

/** What belongs to several patients lies in the compartment of each, and is found once. */
function dropCopies(table: TypeTable, rows: Uint8Array, met: Set<string>): void {
  for (const row of table.sharedRows) {
    if (rows[row] !== 1) continue
    const id = table.ids.id(row)
    if (met.has(id)) rows[row] = 0
    met.add(id)
  }
}

function addReferred(
  table: TypeTable,
  source: number,
  rows: Uint8Array,
  { type, baseUrl, neighbours }: { readonly type: string; readonly baseUrl: string; readonly neighbours: Neighbours },
  ids: Set<string>,
): void {
  const column = table.columns[source]
  if (column?.dictionary === undefined) return
  const used = usedEntries(column, rows)
  for (let number = 1; number < used.length; number++) {
    if (used[number] === 0) continue
    const { reference } = parseReferenceEntry(column.dictionary.text(number))
    const target = targetOf({ reference, isCanonical: column.source.canonical, baseUrl }, text =>
      neighbours.canonical(text),
    )
    if (target?.type === type) ids.add(target.id)
  }
}

function countOf(rows: Uint8Array): number {
  let count = 0
  for (let row = 0; row < rows.length; row++) count += rows[row] as number
  return count
}

function toHit({ index, table, row }: Pick<Candidate, 'index' | 'table' | 'row'>): Hit {
  return { compartment: index.holder.compartment, seq: table.seqs.array[row] as number, type: table.plan.type }
}

function totalOf(query: Query, total: number, isWhole: boolean): { total?: number } {
  return query.total !== 'none' || query.summary === 'count' || isWhole ? { total } : {}
}

/**
 * Answers a query from the columns of several compartments.
 *
 * Every row that is a match, is passed by a chain or `_has`, or is included passes the vision of its type and holder, so the
 * answer is the one that would be given if the other rows did not exist.
 *
 * @throws Problem `invalid` · `search.too-costly` when includes go too deep or find too much
 */
export function evaluate(query: Restricted<Query>, indexes: readonly CompartmentIndex[], page: Page): SearchResult {
  const { baseUrl, sort } = query
  const matcher = new Matcher(new Visibility(indexes, query.vision, page.asOf, baseUrl))
  const found = query.types.flatMap(type => matcher.find(type, query.criteriaByType.get(type) ?? query.criteria))
  const total = found.reduce((sum, { rows }) => sum + countOf(rows), 0)
  const count = query.summary === 'count' ? 0 : (query.count ?? limits.defaultCount)
  const end = page.offset + count
  const candidates = found.flatMap(({ index, table, rows }) => firstRows(index, table, rows, sort, end))
  const matches = candidates.sort(candidateOrder(sort)).slice(page.offset, end)
  return {
    matches: matches.map(toHit),
    included: include(query, indexes, page, matches).map(toHit),
    ...totalOf(query, total, page.offset === 0 && total <= end),
    more: count > 0 && end < total,
  }
}

function include(
  query: Restricted<Query>,
  indexes: readonly CompartmentIndex[],
  page: Page,
  matches: readonly Candidate[],
): readonly Pick<Candidate, 'index' | 'table' | 'row'>[] {
  if (query.includes.length === 0 || matches.length === 0) return []
  const visibility = new Visibility(indexes, query.includeVision, page.asOf, query.baseUrl)
  return new Inclusion(visibility, query.baseUrl).run(matches, query.includes)
}
