import { isResourceType } from '#fhir'
import { Problem } from '#kernel'
import type { PathParams, Route } from './types.ts'

/** A row of the catalogue and what its path's variables stand for. */
export interface Match {
  readonly route: Route
  readonly params: PathParams
}

/** Finds rows by method and path. Paths are below the FHIR base, still encoded, without query. */
export interface Matcher {
  /** The row that answers, or undefined. HEAD is answered by GET's row. */
  match(method: string, path: string): Match | undefined
  /** The methods that the path answers, as the `Allow` header says them; empty for a path that nothing answers. */
  allowed(path: string): readonly string[]
  /** Why nothing answers. */
  explainMiss(path: string): Problem
}

/** One segment of a path: this very text, or whatever fits the variable. */
interface PatternSegment {
  readonly text: string
  readonly variable: string | undefined
}

interface Pattern {
  readonly route: Route
  readonly segments: readonly PatternSegment[]
}

const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

/** A matcher of a few string comparisons per request, because every request passes it. Earlier rows win. */
export function createMatcher(routes: readonly Route[]): Matcher {
  const byShape = groupByShape(routes)
  const matchSegments = (method: string, segments: readonly string[]): Match | undefined => {
    for (const pattern of byShape.get(method)?.get(segments.length) ?? []) {
      const params = matchPattern(pattern.segments, segments)
      if (params !== undefined && !isRefused(pattern.route, params)) return { route: pattern.route, params }
    }
    return undefined
  }
  // R4 has `_search` for POST alone; clients written against HAPI may ask so by GET.
  const searchAt = (segments: readonly string[]) => {
    const found = matchSegments('GET', segments)
    return found?.route.query === 'search' ? found : undefined
  }
  const match = (method: string, path: string) => {
    const segments = splitPath(path)
    if (segments === undefined) return undefined
    if (method !== 'HEAD' && method !== 'GET') return matchSegments(method, segments)
    return segments.at(-1) === '_search' ? searchAt(segments.slice(0, -1)) : matchSegments('GET', segments)
  }
  const allowed = (path: string) =>
    methods
      .filter(method => match(method, path) !== undefined)
      .flatMap(method => (method === 'GET' ? ['GET', 'HEAD'] : [method]))
  return { match, allowed, explainMiss: path => explainMiss(path, allowed(path).length > 0) }
}

const changes: ReadonlySet<Route['verb']> = new Set(['u', 'd'])

/** AuditEvents are filed and never changed, so that changing them is no method of their paths. */
export function isRefused({ verb }: Route, { type }: PathParams): boolean {
  return type === 'AuditEvent' && changes.has(verb)
}

/** By method, then by number of segments. */
function groupByShape(routes: readonly Route[]): ReadonlyMap<string, ReadonlyMap<number, readonly Pattern[]>> {
  const patterns = routes.map(route => ({ route, segments: patternOf(route.path) }))
  const byMethod = Map.groupBy(patterns, ({ route }) => route.method)
  return new Map(Array.from(byMethod, ([method, all]) => [method, Map.groupBy(all, ({ segments }) => segments.length)]))
}

function patternOf(path: string): readonly PatternSegment[] {
  const texts = path.split('/').filter(text => text !== '')
  return texts.map(text => ({ text, variable: text.startsWith(':') ? text.slice(1) : undefined }))
}

function matchPattern(pattern: readonly PatternSegment[], given: readonly string[]): PathParams | undefined {
  if (!pattern.every(({ text, variable }, at) => fits(text, variable, given[at] ?? ''))) return undefined
  const params: Record<string, string> = {}
  pattern.forEach(({ variable }, at) => {
    if (variable !== undefined) params[variable] = given[at] ?? ''
  })
  return params
}

function fits(expected: string, variable: string | undefined, given: string): boolean {
  if (variable === undefined) return expected === given
  if (variable === 'type') return isResourceType(given)
  return given !== '' && given[0] !== '$' && given[0] !== '_' && given !== '*'
}

function splitPath(path: string): readonly string[] | undefined {
  const segments = path.split('/')
  if (segments[0] === '') segments.shift()
  if (segments.at(-1) === '') segments.pop()
  if (!path.includes('%')) return segments
  try {
    return segments.map(decodeURIComponent)
  } catch {
    // An encoding that means no text names nothing here.
    return undefined
  }
}

function explainMiss(path: string, otherMethods: boolean): Problem {
  if (otherMethods)
    return new Problem('not-allowed', 'request.method-unsupported', 'This method is not supported here; see Allow.')
  const segments = splitPath(path) ?? []
  if (segments.some(segment => segment.startsWith('$')))
    return new Problem('not-found', 'request.operation-unknown', 'This server has no such operation here.')
  const [first = ''] = segments
  if (/^[A-Za-z]/.test(first) && !isResourceType(first))
    return new Problem('not-found', 'type.unknown', 'FHIR R4 has no such resource type.')
  return new Problem('not-found', 'request.path-unknown', 'Nothing is served under this path.')
}
