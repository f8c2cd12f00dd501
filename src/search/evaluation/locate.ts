import { type Steps, spend } from '#kernel'
import type { TypeTable } from '../columns/type-table.ts'
import type { Query } from '../query/types.ts'
import { holderOf, type RowIndex } from '../row-index.ts'
import { momentOf } from './evaluate.ts'
import { dropCopies, Matcher, type Matching } from './matcher.ts'
import { pieces } from './pieces.ts'
import type { Hit, Page, Restricted } from './types.ts'
import { Visibility } from './visibility.ts'

/**
 * Tells of every match of any of these queries, once each and in no order: for who wants all of them, and no page. Sorting,
 * counts and includes of the queries mean nothing here.
 *
 * @param take  told of each match
 * @throws Problem `too-costly` · `budget.work-exceeded`
 */
export function* locate(
  queries: readonly Restricted<Query>[],
  indexes: readonly RowIndex[],
  page: Omit<Page, 'offset'>,
  take: (hit: Hit) => void,
): Steps<void> {
  const moment = momentOf(indexes, { offset: 0, ...page })
  const asked = queries.map(query => ({
    query,
    matcher: new Matcher(new Visibility(indexes, query.vision, moment, query.baseUrl)),
  }))
  for (const type of new Set(queries.flatMap(({ types }) => types))) {
    const found = new Map<TypeTable, Matching>()
    for (const { query, matcher } of asked)
      if (query.types.includes(type))
        yield* unite(yield* matcher.find(type, query.criteriaByType.get(type) ?? query.criteria), found)
    const matching = [...found.values()]
    dropCopies(matching)
    for (const each of matching) yield* tell(each, take)
  }
}

/** Joins what one query has found to what others have. */
export function* unite(found: readonly Matching[], into: Map<TypeTable, Matching>): Steps<void> {
  for (const { index, table, rows } of found) {
    const known = into.get(table)?.rows
    if (known === undefined) into.set(table, { index, table, rows })
    else
      yield* pieces(rows.length, (from, to) => {
        for (let row = from; row < to; row++) if (rows[row] === 1) known[row] = 1
      })
  }
}

/** So many matches are told of in one go. */
const toldAtOnce = 4_096

export function* tell({ index, table, rows }: Matching, take: (hit: Hit) => void): Steps<void> {
  spend('work', rows.length)
  const seqs = table.seqs.array
  yield* pieces(
    rows.length,
    (from, to) => {
      for (let row = from; row < to; row++) {
        if (rows[row] !== 1) continue
        const { compartment } = holderOf(index, table, row)
        take({ compartment, seq: index.seqAt(seqs[row] as number), type: table.plan.type })
      }
    },
    toldAtOnce,
  )
}
