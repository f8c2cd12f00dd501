/** How much of what happened a notification of a topic tells. https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/payloads.html */
export type Content = 'empty' | 'id-only' | 'full-resource'

const levels: readonly Content[] = ['empty', 'id-only', 'full-resource']

/** The one that tells less. */
export function lesserOf(one: Content, other: Content): Content {
  return levels.indexOf(one) < levels.indexOf(other) ? one : other
}

/** How notifications reach whoever asked for them. */
export type ChannelType = 'rest-hook' | 'websocket' | 'email'

/** One condition: resources of the type must match the search. */
export interface Filter {
  readonly type: string
  /** Search parameters as in a URL, `code=1&status=final`; without any, every resource of the type matches. */
  readonly query: string
}

/** What a Subscription asks for, once it was read and found to be possible. */
export interface Wanted {
  /** Of a topic: told in Bundles. By criteria: R4's own way, the resource alone or nothing. */
  readonly kind: 'topic' | 'criteria'
  /** Canonical of the topic, as it was sent. */
  readonly topic?: string
  readonly types: readonly string[] | 'all'
  /** All of those that name a resource's type must match. */
  readonly filters: readonly Filter[]
  readonly channel: ChannelType
  readonly endpoint?: string
  /** In which format is told; undefined: nothing but that something happened. */
  readonly format?: 'json' | 'xml'
  readonly content: Content
  /** Whole header lines, `Authorization: Bearer …`: secrets. */
  readonly headers: readonly string[]
  readonly heartbeatSeconds?: number
  readonly timeoutSeconds?: number
  /** Events in one notification, at most. */
  readonly maxCount?: number
  /** Unix milliseconds from when on nothing is sent any more. */
  readonly endMs?: number
}

const defaultTimeoutSeconds: Readonly<Record<ChannelType, number>> = { 'rest-hook': 10, websocket: 10, email: 30 }

/** For how long an answer to a message is waited for. */
export function timeoutSecondsOf({ channel, timeoutSeconds }: Wanted): number {
  return timeoutSeconds ?? defaultTimeoutSeconds[channel]
}

/** What is never told of: it would tell of the telling. */
const untold: ReadonlySet<string> = new Set(['AuditEvent', 'Subscription'])

/** Whether there can be events of a type. */
export function isTold(type: string): boolean {
  return !untold.has(type)
}

/** Whether events of a type are asked for. */
export function asksFor({ types }: Wanted, type: string): boolean {
  return isTold(type) && (types === 'all' || types.includes(type))
}
