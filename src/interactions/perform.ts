import { type Grant, requirePermission } from '#access'
import { isProblem, Problem } from '#kernel'
import { inertParameters } from '#search'
import type { Match } from './match.ts'
import { subsetNames, wantedPart } from './rest/answered-subset.ts'
import { type Format, formatOf, formatOfError } from './rest/negotiate.ts'
import { parsePrefer } from './rest/prefer.ts'
import { shown } from './rest/shown.ts'
import type { FhirRequest, FhirResponse, GrantedRequest, PathParams, Rooms, Route } from './types.ts'

/**
 * Answers one request: first whether the caller may ask at all, then whether the question is one the route knows,
 * then the answer.
 *
 * @throws Problem of any kind; the first is `unauthenticated` · `token.missing` or `forbidden` · `scope.missing`
 */
export async function perform(match: Match, request: FhirRequest, rooms: Rooms): Promise<FhirResponse> {
  const { route, params } = match
  try {
    authorise(route, params, request)
    const format = formatFor(match, request)
    if (request.query.size > 0) checkQuery(route, request, request.query)
    const part = request.query.size > 0 ? wantedPart(route, request.query) : undefined
    const whole = await route.handler(request, params, rooms)
    const isPretty = whole.pretty === true || request.query.get('_pretty') === 'true'
    const look = { isPretty, format: whole.format ?? format, isRead: isRead(request.method) }
    return await shown(whole, part === undefined ? look : { ...look, part })
  } catch (error) {
    auditRefusal(error, route.interaction, request.grant, rooms)
    throw error
  }
}

/** @throws Problem `not-acceptable` · `format.unsupported` */
function formatFor({ route, params }: Match, request: FhirRequest): Format {
  if (route.produces !== undefined) return 'json'
  // It may be had as whatever it is, and whoever asks so needs no other format.
  const isContent = route.content === true && params.type === 'Binary' && !request.query.has('_format')
  return isContent ? formatOfError(request) : formatOf(request)
}

/** Who asked for what was not theirs, or not there, is recorded: the two look the same to them, and so they do here. */
export function auditRefusal(error: unknown, interaction: string, grant: Grant | undefined, { record }: Rooms): void {
  if (grant === undefined || !(isProblem(error, 'forbidden') || isProblem(error, 'not-found'))) return
  record.audit({
    action: 'refused',
    outcome: 'failure',
    actor: grant.actor,
    detail: `${interaction}: ${error.code}`,
  })
}

/** @throws Problem as `perform` */
export function authorise(route: Route, params: PathParams, request: FhirRequest): void {
  if (route.public === true) return
  const { grant } = granted(request)
  if (route.verb !== 'none' && params.type !== undefined) requirePermission(grant, route.verb, params.type)
}

/** The request with its grant. @throws Problem `unauthenticated` · `token.missing` */
export function granted(request: FhirRequest): GrantedRequest {
  const { grant } = request
  if (grant === undefined)
    throw new Problem('unauthenticated', 'token.missing', 'This needs an access token: Authorization: Bearer …')
  return request as GrantedRequest
}

/**
 * Refuses what the interaction does not know, unless it could never narrow the answer, or the caller is lenient.
 *
 * @throws Problem `invalid` · `request.parameter-unknown`
 * @see https://hl7.org/fhir/R4/http.html#parameters
 */
export function checkQuery(
  route: Pick<Route, 'query' | 'produces'>,
  request: FhirRequest,
  query: URLSearchParams,
): void {
  if (route.query === 'search') return
  for (const name of query.keys()) {
    if (route.query?.includes(name) === true || Object.hasOwn(inertParameters, name)) continue
    if (route.produces === undefined && subsetNames.some(known => known === name)) continue
    if (isRead(request.method) && parsePrefer(request).lenient) continue
    throw new Problem(
      'invalid',
      'request.parameter-unknown',
      'This interaction does not know a parameter of the query.',
      {
        expression: parameterName(name),
      },
    )
  }
}

function isRead(method: string): boolean {
  return method === 'GET' || method === 'HEAD'
}

/** A parameter's name as an error may show it: a name that is no name might be a value in the wrong place. */
function parameterName(name: string): string {
  return /^[_$A-Za-z][\w.:-]{0,63}$/.test(name) ? name : '(malformed name)'
}
