import type { Steps } from '#kernel'
import type { TypeTable } from '../columns/type-table.ts'
import { totalOf } from '../evaluation/evaluate.ts'
import { keepLatest } from '../evaluation/latest.ts'
import { tell, unite } from '../evaluation/locate.ts'
import { dropCopies, type Matching } from '../evaluation/matcher.ts'
import { firstCandidates, type Ranked, rankedOrder, toRanked } from '../evaluation/order.ts'
import { Parts, pageOf, withParts } from '../evaluation/parts.ts'
import { countOf } from '../evaluation/pieces.ts'
import type { Hit, Restricted, SearchResult } from '../evaluation/types.ts'
import { limits, tooCostly, tooWide } from '../query/limits.ts'
import type { Inner, Query } from '../query/types.ts'
import { Copies } from './copies.ts'
import { included } from './includes.ts'
import { Known } from './known.ts'
import { askedOf } from './narrower.ts'
import type { InPasses } from './pass.ts'

/**
 * Answers a query as `evaluate` does, but slice by slice, so that no two need be in memory at once: first what chains and `_has`
 * pass through, innermost first, then the matches, then what is included, round by round.
 *
 * @throws Problem `too-costly` · `search.too-costly` as `evaluate`, and for what is not told slice by slice; `budget.work-exceeded`
 */
export function* evaluateInPasses(query: Restricted<Query>, { offset }: { offset: number }): InPasses<SearchResult> {
  const count = query.summary === 'count' ? 0 : (query.count ?? limits.defaultCount)
  const end = offset + count
  if (count > 0 && end > limits.depth) throw tooCostly('depth')
  const known = new Known(query.baseUrl)
  yield* known.lookInto(query)
  const copies = new Copies()
  const order = rankedOrder(query.sort)
  let total = 0
  let first: readonly (Ranked & { readonly parts: readonly string[] })[] = []
  yield {
    asked: query.types.map(type => askedOf(query, type, known)),
    *work(index, moment) {
      const matcher = known.matcher(index, query.vision, moment)
      const found: Matching[] = []
      for (const type of query.types)
        found.push(...(yield* matcher.find(type, query.criteriaByType.get(type) ?? query.criteria)))
      yield* copies.drop(found)
      const before = total
      if (query.latest !== undefined) yield* keepLatest(found, query.latest)
      const parts = query.inner === undefined ? undefined : new Parts()
      for (const matching of found) {
        if (parts !== undefined) yield* parts.add(matching, query.inner as Inner, matcher)
        else total += countOf(matching.rows)
        yield
      }
      total += parts?.count ?? 0
      // Which is the latest is known where all of them lie side by side.
      if (query.latest !== undefined && before > 0 && total > before) throw tooWide(latestApart)
      if (count === 0) return
      const candidates = yield* firstCandidates(found, query.sort, 0, end)
      const each = parts === undefined ? [] : yield* parts.ofEach(candidates)
      const here = candidates.map((candidate, at) => ({ ...toRanked(candidate), parts: each[at] ?? [] }))
      first = yield* merged(first, here, order, end)
    },
  }
  const matches = query.inner === undefined ? first.slice(offset) : pageOf(first, { offset, end })
  return {
    matches: matches.map(({ hit, parts }) => (query.inner === undefined ? hit : withParts(hit, parts))),
    included: yield* included(query, known, matches),
    ...totalOf(query, total, offset === 0 && total <= end),
    more: count > 0 && end < total,
  }
}

const latestApart = 'Ask for the last of each code of one patient, as in patient=x.'

/** Matches that are put in order in one go. */
const mergedAtATime = 4_096

/** The first of two lists that are in order. */
function* merged<T>(a: readonly T[], b: readonly T[], order: (a: T, b: T) => number, count: number): Steps<T[]> {
  const both: T[] = []
  for (let i = 0, j = 0; both.length < count && (i < a.length || j < b.length); ) {
    const isFirst = j >= b.length || (i < a.length && order(a[i] as T, b[j] as T) <= 0)
    both.push((isFirst ? a[i++] : b[j++]) as T)
    if (both.length % mergedAtATime === 0) yield
  }
  return both
}

/** Tells of every match of any of these queries as `locate` does, slice by slice. */
export function* locateInPasses(queries: readonly Restricted<Query>[], take: (hit: Hit) => void): InPasses<void> {
  const asking: { readonly query: Restricted<Query>; readonly known: Known }[] = []
  for (const query of queries) {
    const known = new Known(query.baseUrl)
    yield* known.lookInto(query)
    asking.push({ query, known })
  }
  const copies = new Copies()
  yield {
    asked: asking.flatMap(({ query, known }) => query.types.map(type => askedOf(query, type, known))),
    *work(index, moment) {
      const matchers = asking.map(({ query, known }) => ({
        query,
        matcher: known.matcher(index, query.vision, moment),
      }))
      for (const type of new Set(queries.flatMap(({ types }) => types))) {
        const found = new Map<TypeTable, Matching>()
        for (const { query, matcher } of matchers)
          if (query.types.includes(type))
            yield* unite(yield* matcher.find(type, query.criteriaByType.get(type) ?? query.criteria), found)
        const matching = [...found.values()]
        dropCopies(matching)
        yield* copies.drop(matching)
        for (const each of matching) yield* tell(each, take)
      }
    },
  }
}
