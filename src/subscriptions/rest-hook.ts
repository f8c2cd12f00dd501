import { createHmac } from 'node:crypto'
import { parseStored } from '#fhir'
import type { Clock } from '#kernel'
import { mediaTypes, type NotificationType, printedNotification, sayable, type Told } from './notification.ts'
import type { Message, Post, Refusal } from './post.ts'
import { nameOf } from './read-wanted.ts'
import type { State } from './state.ts'
import { timeoutSecondsOf } from './wanted.ts'

/** One delivery. */
export interface Delivery {
  readonly state: State
  readonly type: Extract<NotificationType, 'handshake' | 'heartbeat' | 'event-notification'>
  readonly told: readonly Told[]
}

/** A way to whoever is to be notified. */
export type Sender = (delivery: Delivery, ended: AbortSignal) => Promise<Refusal | undefined>

/**
 * Notifications of topics are POSTed as Bundles; by R4's own criteria the resource itself is PUT below the endpoint, or nothing but the
 * fact that there is something is POSTed.
 *
 * @see https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/channels.html#rest-hook and https://hl7.org/fhir/R4/subscription.html#rest
 */
export function restHook(rooms: { readonly post: Post; readonly clock: Clock; readonly baseUrl: string }): Sender {
  return async (delivery, ended) => {
    const message = await (delivery.state.wanted.kind === 'topic' ? asBundle(delivery, rooms) : asResource(delivery))
    return rooms.post(signed(message, delivery, rooms.clock), ended)
  }
}

type Unsigned = Pick<Message, 'url' | 'method' | 'body'> & { readonly contentType?: string }

async function asBundle(
  { state, type, told }: Delivery,
  { clock, baseUrl }: { clock: Clock; baseUrl: string },
): Promise<Unsigned> {
  const { endpoint = '', format = 'json', content } = state.wanted
  const body = await printedNotification({ state, type, content, told, baseUrl, nowMs: clock.nowMs() }, format)
  return { url: endpoint, method: 'POST', body, contentType: mediaTypes[format] }
}

async function asResource({ state, told }: Delivery): Promise<Unsigned> {
  const { endpoint = '', format } = state.wanted
  const stored = told[0]?.stored
  const nothing: Unsigned = { url: endpoint, method: 'POST', body: Buffer.alloc(0) }
  if (format === undefined || stored === undefined) return nothing
  const body = await sayable(await parseStored(stored.json), format)
  if (body === undefined) return nothing
  return { url: below(endpoint, `${stored.type}/${stored.id}`), method: 'PUT', body, contentType: mediaTypes[format] }
}

function below(endpoint: string, path: string): string {
  const url = new URL(endpoint)
  url.pathname = `${url.pathname.replace(/\/$/, '')}/${path}`
  return url.href
}

/**
 * The id stays the same when a delivery is tried again, so that a receiver can tell; a Subscription that begins anew counts anew.
 *
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
function signed({ contentType, ...message }: Unsigned, { state, type, told }: Delivery, clock: Clock): Message {
  const timestamp = Math.floor(clock.nowMs() / 1000)
  const id = `${state.id}.${state.beganAtMs}.${type === 'event-notification' ? (told.at(-1)?.event.number ?? 0) : `${type}-${timestamp}`}`
  const signature = createHmac('sha256', Buffer.from(state.signingKey, 'base64'))
    .update(`${id}.${timestamp}.`)
    .update(message.body)
    .digest('base64')
  return {
    ...message,
    timeoutMs: timeoutSecondsOf(state.wanted) * 1000,
    headers: {
      ...linesOf(state.wanted.headers),
      'user-agent': 'Kinhold',
      'webhook-id': id,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': `v1,${signature}`,
      ...(contentType === undefined ? {} : { 'content-type': contentType }),
    },
  }
}

function linesOf(lines: readonly string[]): Record<string, string[]> {
  const named = Map.groupBy(lines, line => nameOf(line).toLowerCase())
  return Object.fromEntries(
    [...named].map(([name, own]) => [name, own.map(line => line.slice(name.length + 1).trim())]),
  )
}
