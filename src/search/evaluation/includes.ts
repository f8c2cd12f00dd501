import { type Steps, spend } from '#kernel'
import type { Column } from '../columns/column.ts'
import type { TypeTable } from '../columns/type-table.ts'
import { parseReferenceEntry } from '../kinds/entries.ts'
import { resolvesTo } from '../kinds/reference.ts'
import { limits, tooCostly } from '../query/limits.ts'
import type { Include } from '../query/types.ts'
import { type Resolve, type Target, targetOf, textsOf } from './canonicals.ts'
import { type Candidate, candidateOrder } from './order.ts'
import { Pace } from './pieces.ts'
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

  /** @throws Problem `too-costly` · `search.too-costly` */
  *run(matches: readonly Found[], includes: readonly Include[]): Steps<readonly Found[]> {
    for (const match of matches) {
      this.#isNewRow(match)
      this.#isNewCopy(match)
    }
    const found: Found[] = []
    let frontier = yield* this.#round(matches, includes)
    const iterating = includes.filter(include => include.iterate)
    for (let round = 1; frontier.length > 0; round++) {
      if (round > limits.rounds) throw tooCostly('rounds', '_include')
      found.push(...frontier)
      frontier = yield* this.#round(frontier, iterating)
    }
    return found
  }

  *#round(from: readonly Found[], includes: readonly Include[]): Steps<readonly Found[]> {
    const found: Candidate[] = []
    for (const include of includes) {
      if (include.reverse) yield* this.#backward(from, include, found)
      else yield* this.#forward(from, include, found)
    }
    // Of copies the first one in this order is kept, wherever they were met.
    return found.sort(candidateOrder([])).filter(each => this.#isNewCopy(each))
  }

  #add({ index, table, row }: Found, found: Candidate[]): void {
    if (!this.#isNewRow({ table, row })) return
    if (++this.#count > limits.included) throw tooCostly('included', '_include')
    found.push({ index, table, row, keys: [] })
  }

  #isNewCopy({ table, row }: Pick<Found, 'table' | 'row'>): boolean {
    if (!table.isShared(row)) return true
    const name = `${table.plan.type}/${table.ids.id(row)}`
    if (this.#sharedSeen.has(name)) return false
    this.#sharedSeen.add(name)
    return true
  }

  #isNewRow({ table, row }: Pick<Found, 'table' | 'row'>): boolean {
    const rows = this.#seen.get(table) ?? new Set()
    this.#seen.set(table, rows)
    if (rows.has(row)) return false
    rows.add(row)
    return true
  }

  *#forward(from: readonly Found[], { type, name, target: wanted }: Include, found: Candidate[]): Steps<void> {
    const pace = new Pace()
    for (const { table, row } of from) {
      if (type !== '*' && table.plan.type !== type) continue
      for (const reference of referenceColumns(table, name)) {
        const resolve = yield* this.#resolver(reference.column)
        for (const entry of reference.column.textsOf(row)) {
          if (pace.read(entry.length + locatingWork * this.#visibility.indexes.length)) yield
          const target = this.#targetOf(entry, resolve)
          if (target === undefined || (wanted !== undefined && target.type !== wanted)) continue
          if (reference.resolves !== undefined && target.type !== reference.resolves) continue
          for (const located of yield* this.#visibility.locate(target.type, target.id)) this.#add(located, found)
        }
      }
    }
    pace.end()
  }

  *#backward(from: readonly Found[], include: Include, found: Candidate[]): Steps<void> {
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
        const rows = yield* this.#visibility.rows(index, type)
        if (rows === undefined) continue
        const hits = yield* this.#referring(table, rows, include.name, sought)
        for (let row = hits.indexOf(1); row !== -1; row = hits.indexOf(1, row + 1))
          this.#add({ index, table, row }, found)
      }
    }
  }

  *#referring(table: TypeTable, rows: Uint8Array, name: string, { names, urls }: Sought): Steps<Uint8Array> {
    const hits = new Uint8Array(rows.length)
    for (const { column, resolves } of referenceColumns(table, name)) {
      spend('work', rows.length)
      const fits = resolves === undefined ? () => true : resolvesTo(resolves, this.#baseUrl)
      const resolve = yield* this.#resolver(column)
      const mask = yield* maskOf(
        column,
        entry => {
          const target = this.#targetOf(entry, resolve)
          return target !== undefined && names.has(`${target.type}/${target.id}`) && fits(entry)
        },
        { keys: column.source.canonical ? [...names, ...urls] : [...names] },
      )
      yield* markRows(column, mask, rows, hits)
    }
    return hits
  }

  *#resolver({ source }: Column): Steps<Resolve | undefined> {
    return source.canonical ? yield* this.#visibility.canonicals() : undefined
  }

  #targetOf(entry: string, resolve: Resolve | undefined): Target | undefined {
    const { reference } = parseReferenceEntry(entry)
    return targetOf({ reference, baseUrl: this.#baseUrl }, resolve)
  }
}

/** What looking for a resource in one compartment takes, in values compared. */
const locatingWork = 50
