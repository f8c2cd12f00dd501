import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What came to a receiver. */
export interface Received {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** As it was parsed: a test looks wherever it likes into a notification. */
  readonly json: ReturnType<typeof JSON.parse>
}

/** A real endpoint on this machine. */
export interface Receiver {
  readonly url: string
  readonly received: Received[]
  /** What it answers from now on; `hang`: nothing at all. */
  status: number | 'hang'
  headers: Record<string, string>
  body: string
  /** What happens between the next message and its answer. */
  meanwhile?: (() => Promise<unknown>) | undefined
  close(): Promise<void>
}

export async function openReceiver(): Promise<Receiver> {
  const received: Received[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', chunk => chunks.push(chunk))
    request.on('end', async () => {
      const text = Buffer.concat(chunks).toString()
      const json = text.startsWith('{') ? JSON.parse(text) : undefined
      received.push({ method: request.method ?? '', path: request.url ?? '', headers: request.headers, text, json })
      const { meanwhile } = receiver
      receiver.meanwhile = undefined
      await meanwhile?.()
      if (receiver.status === 'hang') return
      response.writeHead(receiver.status, receiver.headers)
      response.end(receiver.body)
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    received,
    status: 200,
    headers: {},
    body: '',
    close: () =>
      new Promise(resolve => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
  return receiver
}

const backport = 'http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/'

/** A Subscription to a topic. https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/StructureDefinition-backport-subscription.html */
export function topicSubscription(
  endpoint: string | undefined,
  about: {
    topic?: string
    content?: string
    filters?: readonly string[]
    channel?: object
    settings?: Readonly<Record<string, object>>
    more?: object
  } = {},
) {
  const { topic = 'Observation', content = 'id-only', filters = [], channel = {}, settings = {}, more = {} } = about
  return {
    resourceType: 'Subscription',
    meta: { profile: [`${backport}backport-subscription`] },
    status: 'requested',
    reason: 'to keep up',
    criteria: `http://127.0.0.1:8080/fhir/SubscriptionTopic/${topic}`,
    ...(filters.length === 0
      ? {}
      : {
          _criteria: {
            extension: filters.map(valueString => ({ url: `${backport}backport-filter-criteria`, valueString })),
          },
        }),
    channel: {
      ...(Object.keys(settings).length === 0
        ? {}
        : { extension: Object.entries(settings).map(([name, value]) => ({ url: `${backport}${name}`, ...value })) }),
      type: 'rest-hook',
      ...(endpoint === undefined ? {} : { endpoint }),
      payload: 'application/fhir+json',
      _payload: { extension: [{ url: `${backport}backport-payload-content`, valueCode: content }] },
      ...channel,
    },
    ...more,
  }
}

/** A Subscription by R4's own criteria. https://hl7.org/fhir/R4/subscription.html */
export function plainSubscription(criteria: string, channel: object, more: object = {}) {
  return {
    resourceType: 'Subscription',
    status: 'requested',
    reason: 'to keep up',
    criteria,
    channel: { type: 'rest-hook', ...channel },
    ...more,
  }
}

interface Parameter {
  readonly name: string
  readonly part?: readonly Parameter[]
  readonly [value: string]: unknown
}

/** What the status in a notification says: each parameter by its name, events by their number. */
export function statusIn(bundle: ReturnType<typeof JSON.parse>): {
  readonly type: string
  readonly status: string
  readonly count: string
  readonly events: readonly { readonly number: string; readonly focus?: string }[]
} {
  const parameters = (bundle.entry[0].resource.parameter ?? []) as readonly Parameter[]
  const one = (name: string, value: string) => String(parameters.find(each => each.name === name)?.[value])
  return {
    type: one('type', 'valueCode'),
    status: one('status', 'valueCode'),
    count: one('events-since-subscription-start', 'valueString'),
    events: parameters.filter(({ name }) => name === 'notification-event').map(({ part = [] }) => eventIn(part)),
  }
}

function eventIn(part: readonly Parameter[]) {
  const number = String(part.find(({ name }) => name === 'event-number')?.valueString)
  const focus = part.find(({ name }) => name === 'focus')?.valueReference as { reference: string } | undefined
  return focus === undefined ? { number } : { number, focus: focus.reference.replace(/^.*\/fhir\//, '') }
}
