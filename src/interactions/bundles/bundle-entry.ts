import { isResourceType, type Json, toResource } from '#fhir'
import { isProblem, Problem } from '#kernel'
import type { Match, Matcher } from '../match.ts'
import type { FhirRequest, GrantedRequest } from '../types.ts'

/** One entry of a batch or transaction, as a request of its own. */
export interface BundleEntry {
  readonly index: number
  readonly fullUrl: string | undefined
  readonly match: Match
  readonly request: GrantedRequest
}

type Members = { readonly [name: string]: unknown }

const carrying: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH'])

const headerNames = [
  ['ifMatch', 'if-match'],
  ['ifNoneMatch', 'if-none-match'],
  ['ifNoneExist', 'if-none-exist'],
  ['ifModifiedSince', 'if-modified-since'],
] as const

/**
 * Reads one entry's request; its preferences are the Bundle's.
 *
 * @throws Problem `invalid` · `bundle.entry-malformed`, `bundle.url-foreign`; `not-found`, `not-allowed` as the catalogue
 *   says of its URL
 * @see https://hl7.org/fhir/R4/bundle-definitions.html#Bundle.entry.request
 */
export function parseEntry(entry: unknown, index: number, bundle: GrantedRequest, matcher: Matcher): BundleEntry {
  const { request: asked, fullUrl, resource } = members(entry)
  const { method, url = urlBy(method, resource), ...rest } = members(asked)
  if (typeof method !== 'string' || typeof url !== 'string' || !(fullUrl === undefined || typeof fullUrl === 'string'))
    throw malformed('request')
  const [path = '', ...search] = localUrl(url, bundle.baseUrl).split('?')
  const match = matcher.match(method, path)
  if (match === undefined) throw matcher.explainMiss(path)
  const request: GrantedRequest = {
    method,
    path,
    query: withoutLook(new URLSearchParams(search.join('?'))),
    header: headersOf(rest, bundle),
    body: () => Promise.resolve(Buffer.alloc(0)),
    stream: noBytes,
    grant: bundle.grant,
    baseUrl: bundle.baseUrl,
    ...(resource === undefined ? {} : { resource: toResource(resource as Json) }),
  }
  const needsResource = carrying.has(method) && match.route.bodyOptional !== true
  if (resource === undefined && needsResource) throw malformed('resource')
  return { index, fullUrl, match, request }
}

/**
 * Where a resource goes that says so itself: HAPI's client sends lists of resources as transactions without urls. What has no id is
 * created by POST alone.
 */
function urlBy(method: unknown, resource: unknown): string | undefined {
  if (resource === undefined) return undefined
  const { resourceType, id } = members(resource)
  if (typeof resourceType !== 'string') return undefined
  if (method === 'POST') return resourceType
  return method === 'PUT' && typeof id === 'string' ? `${resourceType}/${id}` : undefined
}

/** How an answer looks is the Bundle's to say. */
function withoutLook(query: URLSearchParams): URLSearchParams {
  for (const name of ['_format', '_pretty']) query.delete(name)
  return query
}

async function* noBytes(): AsyncGenerator<Uint8Array> {}

function members(value: unknown): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed('request')
  return value as Members
}

function malformed(element: string): Problem {
  return new Problem(
    'invalid',
    'bundle.entry-malformed',
    'An entry needs a request with method and url, and for POST, PUT and PATCH a resource.',
    {
      expression: element,
    },
  )
}

/**
 * The URL below our base. Another server's is refused, and so is a path that climbs.
 *
 * @throws Problem `invalid` · `bundle.url-foreign`
 */
function localUrl(url: string, baseUrl: string): string {
  const local = url.startsWith(`${baseUrl}/`) ? url.slice(baseUrl.length + 1) : url.replace(/^\//, '')
  const path = local.split('?')[0] ?? ''
  if (/^[a-z][a-z\d+.-]*:/i.test(path) || path.startsWith('/') || path.split('/').some(isClimbing))
    throw new Problem('invalid', 'bundle.url-foreign', "An entry's url must lie below this server's FHIR base.", {
      expression: 'request.url',
    })
  return local
}

function isClimbing(segment: string): boolean {
  const plain = segment.replace(/%2e/gi, '.')
  return plain === '.' || plain === '..'
}

function headersOf(request: Members, bundle: FhirRequest): (name: string) => string | undefined {
  // Within a Bundle a Binary is a resource like others: https://hl7.org/fhir/R4/binary.html#rest
  const headers = new Map([['accept', 'application/fhir+json']])
  for (const [element, header] of headerNames) {
    const value = request[element]
    if (typeof value === 'string') headers.set(header, value)
  }
  const prefer = bundle.header('prefer')
  if (prefer !== undefined) headers.set('prefer', prefer)
  return name => headers.get(name)
}

/** Where in an entry lies what a Problem of its own request would call by another name. */
const entryElements: Readonly<Record<string, string>> = {
  id: 'resource.id',
  resourceType: 'resource',
  'If-Match': 'request.ifMatch',
  'If-None-Match': 'request.ifNoneMatch',
  'If-None-Exist': 'request.ifNoneExist',
}

/** `Observation.status` of entry 2 is `Bundle.entry[2].resource.ofType(Observation).status`; a parameter is part of the url. */
function placeInEntry(place: string, path: string): string {
  const [, type = '', rest = ''] = /^([A-Za-z]+)(.*)$/.exec(path) ?? []
  if (isResourceType(type)) return `${place}.resource.ofType(${type})${rest}`
  if (/^(?:request|resource|fullUrl)\b/.test(path)) return `${place}.${path}`
  // A place in a JSON Patch, which lies within a Binary.
  if (path.startsWith('[')) return `${place}.resource`
  return `${place}.${entryElements[path] ?? 'request.url'}`
}

/** The same Problem, pointing into the entry it is about. */
export function atEntry(problem: Problem, index: number): Problem {
  const place = `Bundle.entry[${index}]`
  if (problem.expression.some(path => path.startsWith('Bundle.entry['))) return problem
  const { expression, issues, detail, retryAfterSeconds } = problem
  return new Problem(problem.kind, problem.code, problem.text, {
    expression: expression.length > 0 ? expression.map(path => placeInEntry(place, path)) : place,
    issues: issues.map(issue => ({
      ...issue,
      expression: issue.expression === undefined ? place : placeInEntry(place, issue.expression),
    })),
    ...(detail === undefined ? {} : { detail }),
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    cause: problem,
  })
}

/** Runs what concerns one entry, so that whatever goes wrong says which entry it was. */
export async function forEntry<T>(index: number, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw isProblem(error) ? atEntry(error, index) : error
  }
}
