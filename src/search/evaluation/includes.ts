import { type Steps, spend } from '#kernel'
import type { Column } from '../columns/column.ts'
import type { TypeTable } from '../columns/type-table.ts'
import { parseReferenceEntry } from '../kinds/entries.ts'
import { resolvesTo } from '../kinds/reference.ts'
import { limits, tooCostly } from '../query/limits.ts'
import type { Include } from '../query/types.ts'
import { type Located, type Resolve, type Target, targetOf, textsOf } from './canonicals.ts'
import { type Candidate, candidateOrder } from './order.ts'
import { Pace } from './pieces.ts'
import { markRows, maskOf } from './place-tests.ts'
import type { Visibility } from './visibility.ts'

type Found = Pick<Candidate, 'index' | 'table' | 'row'>
type Place = Pick<Candidate, 'table' | 'row'>

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

interface Sought {
  readonly names: Set<string>
  readonly urls: string[]
}

/** What a round of includes looks for. */
export interface Wanted {
  /** What forward includes lead to: ids by type. */
  readonly ids: Map<string, Set<string>>
  /** For each backward include resources by `Type/id`, and the canonical URLs by which others may name them. */
  readonly named: Map<Include, Sought>
}

export const nothingWanted = (): Wanted => ({ ids: new Map(), named: new Map() })

/** Follows `_include` and `_revinclude` from rows, and finds where they lead, in the indexes at hand. */
export class Links {
  readonly #visibility: Visibility
  readonly #baseUrl: string

  constructor(visibility: Visibility, baseUrl: string) {
    this.#visibility = visibility
    this.#baseUrl = baseUrl
  }

  /** What is wanted beside these rows. */
  *from(rows: readonly Place[], includes: readonly Include[], wanted: Wanted): Steps<void> {
    for (const include of includes)
      if (include.reverse) addNames(rows, include, wanted)
      else yield* this.#follow(rows, include, wanted)
  }

  *#follow(from: readonly Place[], { type, name, target: sought }: Include, { ids }: Wanted): Steps<void> {
    const pace = new Pace()
    for (const { table, row } of from) {
      if (type !== '*' && table.plan.type !== type) continue
      for (const reference of referenceColumns(table, name)) {
        const resolve = yield* this.#resolver(reference.column)
        for (const entry of reference.column.textsOf(row)) {
          if (pace.read(entry.length + locatingWork * this.#visibility.indexes.length)) yield
          const target = this.#targetOf(entry, resolve)
          if (target === undefined || (sought !== undefined && target.type !== sought)) continue
          if (reference.resolves !== undefined && target.type !== reference.resolves) continue
          ids.set(target.type, (ids.get(target.type) ?? new Set()).add(target.id))
        }
      }
    }
    pace.end()
  }

  /** Tells of the visible rows that are wanted. */
  *find({ ids, named }: Wanted, take: (found: Located) => void): Steps<void> {
    for (const [type, wanted] of ids)
      for (const id of wanted) {
        for (const located of yield* this.#visibility.locate(type, id)) take(located)
        yield
      }
    for (const [include, sought] of named) yield* this.#backward(include, sought, take)
  }

  *#backward(include: Include, sought: Sought, take: (found: Located) => void): Steps<void> {
    for (const index of this.#visibility.indexes) {
      for (const [type, table] of index.tables) {
        if (include.type !== '*' && include.type !== type) continue
        const rows = yield* this.#visibility.rows(index, type)
        if (rows === undefined) continue
        const hits = yield* this.#referring(table, rows, include.name, sought)
        for (let row = hits.indexOf(1); row !== -1; row = hits.indexOf(1, row + 1)) take({ index, table, row })
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

function addNames(rows: readonly Place[], include: Include, { named }: Wanted): void {
  const names = new Set<string>()
  const urls: string[] = []
  for (const { table, row } of rows) {
    if (include.target !== undefined && include.target !== table.plan.type) continue
    names.add(`${table.plan.type}/${table.ids.id(row)}`)
    urls.push(...textsOf(table, 'url', row))
  }
  if (names.size === 0) return
  const known = named.get(include)
  if (known === undefined) named.set(include, { names, urls })
  else {
    for (const name of names) known.names.add(name)
    known.urls.push(...urls)
  }
}

/** Follows `_include` and `_revinclude` from the matches of a page, round by round. */
export class Inclusion {
  readonly #links: Links
  readonly #seen = new Map<TypeTable, Set<number>>()
  /** Of what lies in several compartments, whose copies are one. */
  readonly #sharedSeen = new Set<string>()
  #count = 0

  constructor(visibility: Visibility, baseUrl: string) {
    this.#links = new Links(visibility, baseUrl)
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
    const wanted = nothingWanted()
    yield* this.#links.from(from, includes, wanted)
    yield* this.#links.find(wanted, located => this.#add(located, found))
    // Of copies the first one in this order is kept, wherever they were met.
    return found.sort(candidateOrder([])).filter(each => this.#isNewCopy(each))
  }

  #add({ index, table, row }: Found, found: Candidate[]): void {
    if (!this.#isNewRow({ table, row })) return
    if (++this.#count > limits.included) throw tooCostly('included', '_include')
    found.push({ index, table, row, keys: [] })
  }

  #isNewCopy({ table, row }: Place): boolean {
    if (!table.isShared(row)) return true
    const name = `${table.plan.type}/${table.ids.id(row)}`
    if (this.#sharedSeen.has(name)) return false
    this.#sharedSeen.add(name)
    return true
  }

  #isNewRow({ table, row }: Place): boolean {
    const rows = this.#seen.get(table) ?? new Set()
    this.#seen.set(table, rows)
    if (rows.has(row)) return false
    rows.add(row)
    return true
  }
}

/** What looking for a resource in one compartment takes, in values compared. */
const locatingWork = 50
