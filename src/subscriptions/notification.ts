import { encodeResource, encodeXmlInSteps, parseStored, type Resource, toInstant } from '#fhir'
import { inSlices, isProblem, newResourceId } from '#kernel'
import type { Stored } from '#record'
import type { Event, State, Status } from './state.ts'
import type { Content } from './wanted.ts'

/** https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/notifications.html */
export type NotificationType = 'handshake' | 'heartbeat' | 'event-notification' | 'query-status' | 'query-event'

/** An event, and what it was about as far as that may be told; of a deletion there is nothing more to tell. */
export interface Told {
  readonly event: Event
  readonly stored?: Stored
}

/** What a notification says of its Subscription. */
export interface Telling {
  readonly state: State
  readonly type: NotificationType
  readonly content: Content
  readonly told: readonly Told[]
  readonly baseUrl: string
  readonly nowMs: number
}

const profiles = 'http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/'

/**
 * How a Subscription stands, as R4 can say R5's SubscriptionStatus.
 *
 * @see https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/StructureDefinition-backport-subscription-status-r4.html
 */
export function statusParameters({ state, type, content, told, baseUrl }: Omit<Telling, 'nowMs'>): Resource {
  const { wanted } = state
  const isNamed = wanted.topic !== undefined && (content !== 'empty' || type === 'query-status')
  return {
    resourceType: 'Parameters',
    id: newResourceId(),
    meta: { profile: [`${profiles}backport-subscription-status-r4`] },
    parameter: [
      { name: 'subscription', valueReference: { reference: `${baseUrl}/Subscription/${state.id}` } },
      ...(isNamed ? [{ name: 'topic', valueCanonical: wanted.topic }] : []),
      { name: 'status', valueCode: statusTold(state, type) },
      { name: 'type', valueCode: type },
      { name: 'events-since-subscription-start', valueString: String(state.events) },
      ...told.map(each => eventParameter(each, content, baseUrl)),
      ...(state.error === undefined ? [] : [{ name: 'error', valueCodeableConcept: { text: state.error } }]),
    ],
  }
}

/** An endpoint answers a handshake before the Subscription is active. */
function statusTold({ status, wanted: { channel } }: State, type: NotificationType): Status {
  return type === 'handshake' && channel === 'rest-hook' ? 'requested' : status
}

function eventParameter({ event }: Told, content: Content, baseUrl: string) {
  const focus = content === 'empty' ? [] : [{ name: 'focus', valueReference: { reference: urlOf(event, baseUrl) } }]
  return {
    name: 'notification-event',
    part: [
      { name: 'event-number', valueString: String(event.number) },
      { name: 'timestamp', valueInstant: toInstant(event.atMs) },
      ...focus,
    ],
  }
}

function urlOf({ type, id }: Event, baseUrl: string): string {
  return `${baseUrl}/${type}/${id}`
}

/**
 * A notification: a Bundle whose first entry says how the Subscription stands.
 *
 * @see https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/StructureDefinition-backport-subscription-notification-r4.html
 */
export async function notification(telling: Telling): Promise<Resource> {
  const { state, content, told, baseUrl, nowMs } = telling
  const status = statusParameters(telling)
  const entries: object[] = []
  if (content !== 'empty') for (const each of told) entries.push(await eventEntry(each, content, baseUrl))
  return {
    resourceType: 'Bundle',
    id: newResourceId(),
    meta: { profile: [`${profiles}backport-subscription-notification-r4`] },
    type: 'history',
    timestamp: toInstant(nowMs),
    entry: [
      {
        fullUrl: `urn:uuid:${status.id}`,
        resource: status,
        request: { method: 'GET', url: `${baseUrl}/Subscription/${state.id}/$status` },
        response: { status: '200' },
      },
      ...entries,
    ],
  }
}

const statuses = { POST: '201', PUT: '200', DELETE: '204' } as const

async function eventEntry({ event, stored }: Told, content: Content, baseUrl: string) {
  const { type, id, method = 'PUT' } = event
  const isShown = content === 'full-resource' && stored !== undefined
  return {
    fullUrl: urlOf(event, baseUrl),
    ...(isShown ? { resource: await parseStored(stored.json) } : {}),
    request: { method, url: method === 'POST' ? type : `${type}/${id}` },
    response: { status: statuses[method] },
  }
}

/** A notification as it goes over the wire. Where XML cannot say a resource, all are named only: nothing waits behind it for good. */
export async function printedNotification(telling: Telling, format: 'json' | 'xml'): Promise<Buffer> {
  const named = { ...telling, told: telling.told.map(({ event }) => ({ event })) }
  return (await sayable(await notification(telling), format)) ?? printed(await notification(named), format)
}

/** A resource as it goes over the wire; undefined for one that XML cannot say. */
export async function sayable(resource: Resource, format: 'json' | 'xml'): Promise<Buffer | undefined> {
  try {
    return await printed(resource, format)
  } catch (error) {
    if (isProblem(error, 'not-acceptable')) return undefined
    throw error
  }
}

async function printed(resource: Resource, format: 'json' | 'xml'): Promise<Buffer> {
  if (format === 'json') return inSlices(encodeResource(resource))
  return Buffer.from(await inSlices(encodeXmlInSteps(resource, { isPretty: false })))
}

/** What a receiver is told the body is. */
export const mediaTypes = { json: 'application/fhir+json', xml: 'application/fhir+xml' } as const
