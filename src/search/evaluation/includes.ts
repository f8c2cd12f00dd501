import type { Column } from '../columns/column.ts'
import type { TypeTable } from '../columns/type-table.ts'
import { parseReferenceEntry } from '../kinds/entries.ts'
import { resolvesTo } from '../kinds/reference.ts'
import { limits, tooCostly } from '../query/limits.ts'
import type { Include } from '../query/types.ts'
import { targetOf, textsOf } from './canonicals.ts'
import { type Candidate, candidateOrder } from './order.ts'
import { markRows, maskOf } from './place-tests.ts'
import type { Visibility } from './visibility.ts'

type Found = Pick<Candidate, 'index' | 'table' | 'row'>

interface ReferenceColumn {
  readonly column: Column
  readonly resolves: string | undefined
}

/** The columns that an include looks at in a table: those of its parameter, or of all reference parameters. */
function referenceColumns(table: TypeTable, name: string): readonly ReferenceColumn[] {
  const uses =
    name === '*'
      ? table.plan.references
          .filter(index => index !== table.plan.otherReferences.index)
          .map(index => ({ index, resolves: undefined }))
      : (table.plan.uses.get(name) ?? [])
  return uses.flatMap(({ index, resolves }) => {
    const column = table.columns[index]
    return column === undefined ? [] : [{ column, resolves }]
  })
}

/** What backward includes look for: resources by `Type/id`, and the canonical URLs by which others may name them. */
interface Sought {
  readonly names: Set<string>
  readonly urls: string[]
}

/** Follows `_include` and `_revinclude` from the matches of a page, round by round. */
export class Inclusion {
  readonly #visibility: Visibility
  readonly #baseUrl: string
  readonly #seen = new Map<TypeTable, Set<number>>()
  /** Of what lies in several compartments, whose copies are one. */
  readonly #sharedSeen = new Set<string>()
  #count = 0

  constructor(visibility: Visibility, baseUrl: string) {
    this.#visibility = visibility
    this.#baseUrl = baseUrl
  }

  /** @throws Problem `invalid` · `search.too-costly` */
  run(matches: readonly Found[], includes: readonly Include[]): readonly Found[] {
    for (const match of matches) this.#isNew(match.table, match.row)
    const found: Found[] = []
    let frontier = this.#round(matches, includes)
    const iterating = includes.filter(include => include.iterate)
    for (let round = 1; frontier.length > 0; round++) {
      if (round > limits.rounds) throw tooCostly('the includes go too deep', '_include')
      found.push(...frontier)
      frontier = this.#round(frontier, iterating)
    }
    return found
  }

  #round(from: readonly Found[], includes: readonly Include[]): readonly Found[] {
    const found: Candidate[] = []
    for (const include of includes) {
      for (const each of include.reverse ? this.#backward(from, include) : this.#forward(from, include)) {
        if (this.#isNew(each.table, each.row)) found.push({ ...each, keys: [] })
      }
      if (this.#count + found.length > limits.included) throw tooCostly('too many included resources', '_include')
    }
    this.#count += found.length
    return found.sort(candidateOrder([]))
  }

  #isNew(table: TypeTable, row: number): boolean {
    return this.#isNewRow(table, row) && (!table.isShared(row) || this.#isNewCopy(table, row))
  }

  #isNewCopy(table: TypeTable, row: number): boolean {
    const name = `${table.plan.type}/${table.ids.id(row)}`
    if (this.#sharedSeen.has(name)) return false
    this.#sharedSeen.add(name)
    return true
  }

  #isNewRow(table: TypeTable, row: number): boolean {
    const rows = this.#seen.get(table) ?? new Set()
    this.#seen.set(table, rows)
    if (rows.has(row)) return false
    rows.add(row)
    return true
  }

  *#forward(from: readonly Found[], { type, name, target: wanted }: Include): Iterable<Found> {
    for (const { table, row } of from) {
      if (type !== '*' && table.plan.type !== type) continue
      for (const reference of referenceColumns(table, name)) {
        for (const entry of reference.column.textsOf(row)) {
          const target = this.#targetOf(entry, reference.column)
          if (target === undefined || (wanted !== undefined && target.type !== wanted)) continue
          if (reference.resolves !== undefined && target.type !== reference.resolves) continue
          yield* this.#visibility.locate(target.type, target.id)
        }
      }
    }
  }

  *#backward(from: readonly Found[], include: Include): Iterable<Found> {
    const sought: Sought = { names: new Set(), urls: [] }
    for (const { table, row } of from) {
      if (include.target !== undefined && include.target !== table.plan.type) continue
      sought.names.add(`${table.plan.type}/${table.ids.id(row)}`)
      sought.urls.push(...textsOf(table, 'url', row))
    }
    if (sought.names.size === 0) return
    for (const index of this.#visibility.indexes) {
      for (const [type, table] of index.tables) {
        if (include.type !== '*' && include.type !== type) continue
        const rows = this.#visibility.rows(index, type)
        if (rows !== undefined)
          for (const row of this.#referring(table, rows, include.name, sought)) yield { index, table, row }
      }
    }
  }

  *#referring(table: TypeTable, rows: Uint8Array, name: string, { names, urls }: Sought): Iterable<number> {
    const hits = new Uint8Array(rows.length)
    for (const { column, resolves } of referenceColumns(table, name)) {
      const fits = resolves === undefined ? () => true : resolvesTo(resolves, this.#baseUrl)
      const mask = maskOf(
        column,
        entry => {
          const target = this.#targetOf(entry, column)
          return target !== undefined && names.has(`${target.type}/${target.id}`) && fits(entry)
        },
        column.source.canonical ? [...names, ...urls] : [...names],
      )
      markRows(column, mask, rows, hits)
    }
    for (let row = 0; row < hits.length; row++) if (hits[row] === 1) yield row
  }

  #targetOf(entry: string, { source }: Column): { readonly type: string; readonly id: string } | undefined {
    const { reference } = parseReferenceEntry(entry)
    const asked = { reference, isCanonical: source.canonical, baseUrl: this.#baseUrl }
    return targetOf(asked, canonical => this.#visibility.canonical(canonical))
  }
}
