import type { Steps } from '#kernel'
import { limits } from '../query/limits.ts'
import type { Query } from '../query/types.ts'
import { holderOf, type RowIndex } from '../row-index.ts'
import { Inclusion } from './includes.ts'
import { keepLatest } from './latest.ts'
import { Matcher, type Matching } from './matcher.ts'
import { type Candidate, firstCandidates } from './order.ts'
import { Parts, pageOf, withParts } from './parts.ts'
import { countOf } from './pieces.ts'
import type { Hit, Page, Restricted, SearchResult } from './types.ts'
import { type Moment, Visibility } from './visibility.ts'

function toHit({ index, table, row }: Pick<Candidate, 'index' | 'table' | 'row'>): Hit {
  const { compartment } = holderOf(index, table, row)
  return { compartment, seq: index.seqAt(table.seqs.array[row] as number), type: table.plan.type }
}

/** What a page is evaluated at, in these indexes. */
export function momentOf(indexes: readonly RowIndex[], { asOf, less, untilMs, erased }: Page): Moment {
  return {
    arrivals: new Map(indexes.map(index => [index, asOf?.get(index.name) ?? index.head])),
    less,
    untilMs,
    erased,
  }
}

/** Whether the total is told: where it is asked for, or known anyway. */
export function totalOf(query: Query, total: number, isWhole: boolean): { total?: number } {
  return query.total !== 'none' || query.summary === 'count' || isWhole ? { total } : {}
}

/**
 * Answers a query from the columns of compartments, each by itself or many together, in steps: rows that others write meanwhile are not seen, since
 * they lie beyond `page.asOf`.
 *
 * Every row that is a match, is passed by a chain or `_has`, or is included passes the vision of its type and holder, so the
 * answer is the one that would be given if the other rows did not exist.
 *
 * @throws Problem `too-costly` · `search.too-costly` when includes go too deep or find too much, `budget.work-exceeded`
 */
export function* evaluate(query: Restricted<Query>, indexes: readonly RowIndex[], page: Page): Steps<SearchResult> {
  const moment = momentOf(indexes, page)
  const matcher = new Matcher(new Visibility(indexes, query.vision, moment, query.baseUrl))
  const found: Matching[] = []
  for (const type of query.types)
    found.push(...(yield* matcher.find(type, query.criteriaByType.get(type) ?? query.criteria)))
  if (query.latest !== undefined) yield* keepLatest(found, query.latest)
  const count = query.summary === 'count' ? 0 : (query.count ?? limits.defaultCount)
  const end = page.offset + count
  const { total, matches, hits } = yield* matchesOf(query, matcher, found, { offset: page.offset, end })
  return {
    matches: hits,
    included: (yield* include(query, indexes, moment, matches)).map(toHit),
    ...totalOf(query, total, page.offset === 0 && total <= end),
    more: count > 0 && end < total,
  }
}

interface Matches {
  readonly total: number
  readonly matches: readonly Candidate[]
  readonly hits: readonly Hit[]
}

/** The matches from `offset` up to `end`, and how many there are; where what lies within them is answered, that is counted. */
function* matchesOf(
  { inner, sort }: Query,
  matcher: Matcher,
  found: readonly Matching[],
  { offset, end }: { readonly offset: number; readonly end: number },
): Steps<Matches> {
  if (inner === undefined) {
    let total = 0
    for (const { rows } of found) {
      total += countOf(rows)
      yield
    }
    const matches = end === offset ? [] : yield* firstCandidates(found, sort, offset, end)
    return { total, matches, hits: matches.map(toHit) }
  }
  const parts = new Parts()
  for (const matching of found) yield* parts.add(matching, inner, matcher)
  const first = end === offset ? [] : yield* firstCandidates(found, sort, 0, end)
  const each = yield* parts.ofEach(first)
  const matches = pageOf(
    first.map((match, at) => ({ ...match, parts: each[at] ?? [] })),
    { offset, end },
  )
  return { total: parts.count, matches, hits: matches.map(match => withParts(toHit(match), match.parts)) }
}

function* include(
  query: Restricted<Query>,
  indexes: readonly RowIndex[],
  moment: Moment,
  matches: readonly Candidate[],
): Steps<readonly Pick<Candidate, 'index' | 'table' | 'row'>[]> {
  if (query.includes.length === 0 || matches.length === 0) return []
  const visibility = new Visibility(indexes, query.includeVision, moment, query.baseUrl)
  return yield* new Inclusion(visibility, query.baseUrl).run(matches, query.includes)
}
