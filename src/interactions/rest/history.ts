import { parseDateInterval } from '#fhir'
import { Problem } from '#kernel'
import type { HistoryRequest } from '#record'
import { bundleBytes, historyEntry } from '../bundles/bundle-bytes.ts'
import { granted } from '../perform.ts'
import { searchableTypes } from '../search/compartment.ts'
import type { FhirRequest, FhirResponse, Limits, PathParams, Rooms } from '../types.ts'

/**
 * Versions of one resource, of a type, or of everything within reach, newest first.
 *
 * @throws Problem `forbidden` · `scope.missing`, also when there is no type at all whose history may be seen
 * @see https://hl7.org/fhir/R4/http.html#history
 */
export async function history(request: FhirRequest, params: PathParams, rooms: Rooms): Promise<FhirResponse> {
  const { grant, baseUrl, query } = granted(request)
  // That of the whole system is a search of all types: https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html
  if (params.type === undefined) searchableTypes(grant)
  const sinceMs = parseSince(query.get('_since'))
  const at = parseAt(query.getAll('_at'))
  checkSort(query.get('_sort'))
  const cursor = query.get('_cursor') ?? undefined
  const page = await rooms.record.reader(grant).history({
    ...params,
    count: parseHistoryCount(query.get('_count'), rooms.limits),
    ...(sinceMs === undefined ? {} : { sinceMs }),
    ...(at === undefined ? {} : { at }),
    ...(cursor === undefined ? {} : { cursor }),
  })
  const path = [params.type, params.id, '_history'].filter(part => part !== undefined).join('/')
  const links = { self: pageLink(baseUrl, path, query), next: page.next && pageLink(baseUrl, path, query, page.next) }
  const entries = page.items.map(stored => historyEntry(stored, baseUrl))
  return { status: 200, headers: {}, body: bundleBytes({ type: 'history', total: page.total, links }, entries) }
}

/** The same question, from where a cursor stands. */
function pageLink(baseUrl: string, path: string, query: URLSearchParams, cursor?: string): string {
  const kept = new URLSearchParams(query)
  if (cursor !== undefined) kept.set('_cursor', cursor)
  return `${baseUrl}/${path}${kept.size > 0 ? `?${kept}` : ''}`
}

/**
 * The instant of `_since`, Unix milliseconds.
 *
 * @throws Problem `invalid` · `request.since-malformed`
 */
export function parseSince(text: string | null, name = '_since'): number | undefined {
  if (text === null) return undefined
  // A literal plus sign of a time zone reads as a space in a URL.
  const interval = parseDateInterval(text.replace(' ', '+'))
  if (interval === undefined)
    throw new Problem('invalid', 'request.since-malformed', `${name} must be an instant.`, { expression: name })
  return interval.fromMs
}

type Period = NonNullable<HistoryRequest['at']>

const always: Period = { fromMs: Number.MIN_SAFE_INTEGER, untilMs: Number.MAX_SAFE_INTEGER }
/** What of all time a date with a prefix leaves: HAPI's client sends a period as two of them. */
const prefixes: Readonly<Record<string, (date: Period) => Period>> = {
  '': date => date,
  eq: date => date,
  ge: ({ fromMs }) => ({ ...always, fromMs }),
  gt: ({ untilMs }) => ({ ...always, fromMs: untilMs }),
  le: ({ untilMs }) => ({ ...always, untilMs }),
  lt: ({ fromMs }) => ({ ...always, untilMs: fromMs }),
}

/**
 * The time of `_at`; of several the time that they have in common.
 *
 * @throws Problem `invalid` · `request.at-malformed`
 * @see https://hl7.org/fhir/R4/http.html#history
 */
function parseAt(texts: readonly string[]): Period | undefined {
  if (texts.length === 0) return undefined
  return texts.map(toPeriod).reduce((one, other) => ({
    fromMs: Math.max(one.fromMs, other.fromMs),
    untilMs: Math.min(one.untilMs, other.untilMs),
  }))
}

function toPeriod(text: string): Period {
  const [, prefix = '', date = ''] = /^([a-z]{2})?(.*)$/s.exec(text) ?? []
  const interval = parseDateInterval(date.replace(' ', '+'))
  const narrow = Object.hasOwn(prefixes, prefix) ? prefixes[prefix] : undefined
  if (interval !== undefined && narrow !== undefined) return narrow(interval)
  throw new Problem('invalid', 'request.at-malformed', '_at must be a date or an instant.', { expression: '_at' })
}

/** R4 has one order alone, "oldest versions last". @throws Problem `invalid` · `request.sort-unsupported` */
function checkSort(text: string | null): void {
  if (text === null || text === '-_lastUpdated' || text === 'none') return
  throw new Problem(
    'invalid',
    'request.sort-unsupported',
    'A history is sorted by -_lastUpdated alone: newest first.',
    {
      expression: '_sort',
    },
  )
}

/** @throws Problem `invalid` · `request.count-malformed` */
export function parseHistoryCount(text: string | null, limits: Pick<Limits, 'historyPage' | 'historyPageMax'>): number {
  if (text === null) return limits.historyPage
  if (!/^\d{1,9}$/.test(text) || Number(text) === 0)
    throw new Problem('invalid', 'request.count-malformed', '_count must be a whole number above 0.', {
      expression: '_count',
    })
  return Math.min(Number(text), limits.historyPageMax)
}
