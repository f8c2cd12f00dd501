import { Problem } from '#kernel'
import { operationParameters } from '../operations/parameters.ts'
import { granted } from '../perform.ts'
import type { FhirRequest, FhirResponse, PathParams, Rooms } from '../types.ts'

/** The parameters of $status that one Subscription ignores. */
export const statusParameters = ['id', 'status'] as const
/** The parameters of $events. */
export const eventsParameters = ['eventsSinceNumber', 'eventsUntilNumber', 'content'] as const

/**
 * How one Subscription stands.
 *
 * @see https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/OperationDefinition-backport-subscription-status.html
 */
export async function statusOfOne(request: FhirRequest, params: PathParams, rooms: Rooms): Promise<FhirResponse> {
  await operationParameters(request, statusParameters)
  return answered(await rooms.subscriptions.status(granted(request).grant, params.id ?? ''))
}

/** How those stand that whoever asks has made. */
export async function statusOfAll(request: FhirRequest, _params: PathParams, rooms: Rooms): Promise<FhirResponse> {
  const asked = await operationParameters(request, statusParameters)
  const [ids, statuses] = statusParameters.map(name => asked.getAll(name).flatMap(text => text.split(',')))
  return answered(
    await rooms.subscriptions.statuses(granted(request).grant, { ids: ids ?? [], statuses: statuses ?? [] }),
  )
}

/**
 * What was told before, or should have been.
 *
 * @throws Problem `invalid` · `subscription.parameter-malformed`
 * @see https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/OperationDefinition-backport-subscription-events.html
 */
export async function events(request: FhirRequest, params: PathParams, rooms: Rooms): Promise<FhirResponse> {
  const asked = await operationParameters(request, eventsParameters)
  const since = numberIn(asked, 'eventsSinceNumber')
  const until = numberIn(asked, 'eventsUntilNumber')
  const content = contentIn(asked.get('content'))
  const bounds = { ...(since === undefined ? {} : { since }), ...(until === undefined ? {} : { until }) }
  const wanted = content === undefined ? bounds : { ...bounds, content }
  return answered(await rooms.subscriptions.events(granted(request).grant, params.id ?? '', wanted))
}

/** The key with which messages to an endpoint are signed. */
export async function signingKey(request: FhirRequest, params: PathParams, rooms: Rooms): Promise<FhirResponse> {
  return answered(await rooms.subscriptions.signingKey(granted(request).grant, params.id ?? ''))
}

/** The parameter of $get-ws-binding-token that one Subscription ignores. */
export const bindingParameters = ['id'] as const

/**
 * A token with which a websocket is bound to one Subscription.
 *
 * @see https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/OperationDefinition-backport-subscription-get-ws-binding-token.html
 */
export async function bindingTokenOfOne(
  request: FhirRequest,
  { id = '' }: PathParams,
  rooms: Rooms,
): Promise<FhirResponse> {
  await operationParameters(request, bindingParameters)
  return unkept(await rooms.subscriptions.bindingToken(granted(request).grant, [id]))
}

/** A token with which a websocket is bound to those that are named, or to all that whoever asks has made for one. */
export async function bindingTokenOfAll(
  request: FhirRequest,
  _params: PathParams,
  rooms: Rooms,
): Promise<FhirResponse> {
  const asked = await operationParameters(request, bindingParameters)
  const ids = asked.getAll('id').flatMap(text => text.split(','))
  return unkept(await rooms.subscriptions.bindingToken(granted(request).grant, ids.length === 0 ? undefined : ids))
}

/** A secret. https://www.rfc-editor.org/rfc/rfc6749#section-5.1 */
function unkept(body: NonNullable<FhirResponse['body']>): FhirResponse {
  return { status: 200, headers: { 'cache-control': 'no-store' }, body }
}

/** The topics that there are, or the one with a canonical URL. */
export async function topics(
  { baseUrl, query }: FhirRequest,
  _params: PathParams,
  rooms: Rooms,
): Promise<FhirResponse> {
  const { subscriptions } = rooms
  const asked = query.getAll('url').flatMap(text => text.split(','))
  const urls = subscriptions.topics.filter(url => asked.length === 0 || asked.includes(url))
  const entry = urls.map(url => ({
    fullUrl: url,
    resource: subscriptions.topic(url.slice(`${baseUrl}/SubscriptionTopic/`.length)),
    search: { mode: 'match' },
  }))
  const found = { resourceType: 'Bundle', type: 'searchset', total: entry.length }
  return answered(entry.length === 0 ? found : { ...found, entry })
}

/** @throws Problem `not-found` · `subscription.topic-absent` */
export async function topic(_request: FhirRequest, { id = '' }: PathParams, rooms: Rooms): Promise<FhirResponse> {
  const found = rooms.subscriptions.topic(id)
  if (found === undefined) throw new Problem('not-found', 'subscription.topic-absent', 'There is no such topic.')
  return answered(found)
}

function answered(body: NonNullable<FhirResponse['body']>): FhirResponse {
  return { status: 200, headers: {}, body }
}

function numberIn(asked: URLSearchParams, expression: (typeof eventsParameters)[number]): number | undefined {
  const text = asked.get(expression)
  if (text === null) return undefined
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw malformed('The number of an event is a whole number.', expression)
}

const contents = ['empty', 'id-only', 'full-resource'] as const

function contentIn(text: string | null): (typeof contents)[number] | undefined {
  const content = contents.find(known => known === text)
  if (text === null || content !== undefined) return content
  throw malformed('The content of events is empty, id-only or full-resource.', 'content')
}

function malformed(text: string, expression: string): Problem {
  return new Problem('invalid', 'subscription.parameter-malformed', text, { expression })
}
