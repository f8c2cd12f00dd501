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

interface Pattern {
  readonly route: Route
  readonly segments: readonly string[]
}

const methods = ['GET', 'POST', 'PUT', 'DELETE'] as const

/** A matcher of a few string comparisons per request, because every request passes it. Earlier rows win. */
export function createMatcher(routes: readonly Route[]): Matcher {
  const byShape = groupByShape(routes)
  const matchSegments = (method: string, segments: readonly string[]): Match | undefined => {
    for (const pattern of byShape.get(`${method}${segments.length}`) ?? []) {
      const params = matchPattern(pattern.segments, segments)
      if (params !== undefined) return { route: pattern.route, params }
    }
    return undefined
  }
  const match = (method: string, path: string) => {
    const segments = splitPath(path)
    return segments === undefined ? undefined : matchSegments(method === 'HEAD' ? 'GET' : method, segments)
  }
  const allowed = (path: string) =>
    methods
      .filter(method => match(method, path) !== undefined)
      .flatMap(method => (method === 'GET' ? ['GET', 'HEAD'] : [method]))
  return { match, allowed, explainMiss: path => explainMiss(path, allowed(path).length > 0) }
}

function groupByShape(routes: readonly Route[]): ReadonlyMap<string, readonly Pattern[]> {
  const patterns = routes.map(route => ({ route, segments: route.path.split('/').filter(part => part !== '') }))
  return Map.groupBy(patterns, pattern => `${pattern.route.method}${pattern.segments.length}`)
}

function matchPattern(pattern: readonly string[], segments: readonly string[]): PathParams | undefined {
  const params: Record<string, string> = {}
  for (let at = 0; at < pattern.length; at++) {
    const expected = pattern[at] ?? ''
    const given = segments[at] ?? ''
    if (expected[0] !== ':') {
      if (expected !== given) return undefined
    } else if (!fits(expected, given)) return undefined
    else params[expected.slice(1)] = given
  }
  return params
}

function fits(variable: string, text: string): boolean {
  return variable === ':type' ? isResourceType(text) : text !== '' && text[0] !== '$' && text[0] !== '_' && text !== '*'
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
