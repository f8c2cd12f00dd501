import type { Steps } from '#kernel'
import type { TypeTable } from '../columns/type-table.ts'
import type { Inner } from '../query/types.ts'
import type { Matching } from './matcher.ts'
import { eachWithin, type Neighbours, narrow } from './narrow.ts'
import { countOf, pieces } from './pieces.ts'
import type { Hit } from './types.ts'

/** What a resource itself is called among its parts. */
const itself = ''

/** What lies within the rows of one table and is answered: rows of two tables, side by side. */
interface Within {
  readonly table: TypeTable
  readonly inner: TypeTable
  readonly containers: number[]
  readonly rows: number[]
}

type Place = { readonly table: TypeTable; readonly row: number }

/**
 * What of each match is answered where contained resources are: `_containedType=contained` answers what lies within, and with
 * `_contained=both` the resource itself where it is what is sought. Matches may be millions, so only those of a page are told by name.
 *
 * @see https://hl7.org/fhir/R4/search.html#contained
 */
export class Parts {
  readonly #own = new Map<TypeTable, Uint8Array>()
  readonly #within: Within[] = []
  #count = 0

  /** Of all matches. */
  get count(): number {
    return this.#count
  }

  /** Looks at the matches of one table. */
  *add({ table, rows }: Matching, { holdings, own }: Inner, neighbours: Neighbours): Steps<void> {
    const criteria = own.get(table.plan.type)
    if (criteria !== undefined) {
      const left = rows.slice()
      for (const criterion of criteria) yield* narrow(table, criterion, left, neighbours)
      this.#own.set(table, left)
      this.#count += countOf(left)
    }
    for (const holding of holdings) {
      const inner = table.contained.get(holding.type)
      if (inner === undefined) continue
      const within: Within = { table, inner, containers: [], rows: [] }
      yield* eachWithin(table, holding, neighbours, (container, row) => {
        if (rows[container] !== 1) return
        within.containers.push(container)
        within.rows.push(row)
      })
      this.#within.push(within)
      this.#count += within.rows.length
    }
  }

  /** The parts of each of these, in their order. */
  *ofEach(places: readonly Place[]): Steps<readonly (readonly string[])[]> {
    const parts = places.map(({ table, row }) => (this.#own.get(table)?.[row] === 1 ? [itself] : []))
    const byTable = new Map<TypeTable, Map<number, string[]>>()
    for (const [at, { table, row }] of places.entries()) {
      const byRow = byTable.get(table) ?? new Map<number, string[]>()
      byTable.set(table, byRow.set(row, parts[at] as string[]))
    }
    for (const { table, inner, containers, rows } of this.#within)
      yield* pieces(rows.length, (from, to) => {
        for (let at = from; at < to; at++)
          byTable
            .get(table)
            ?.get(containers[at] as number)
            ?.push(inner.ids.id(rows[at] as number))
      })
    return parts
  }
}

/** Of matches in order those whose parts are among the ones from `offset` up to `end`, with these. */
export function pageOf<T extends { readonly parts: readonly string[] }>(
  matches: readonly T[],
  { offset, end }: { readonly offset: number; readonly end: number },
): readonly T[] {
  const page: T[] = []
  let at = 0
  for (const match of matches) {
    const parts = match.parts.slice(Math.max(0, offset - at), Math.max(0, end - at))
    if (parts.length > 0) page.push({ ...match, parts })
    at += match.parts.length
    if (at >= end) break
  }
  return page
}

/** A hit of which these parts are answered. */
export function withParts(hit: Hit, parts: readonly string[]): Hit {
  return parts.length === 1 && parts[0] === itself ? hit : { ...hit, parts }
}
