import { parseDateInterval, type Resource } from '#fhir'
import { Problem } from '#kernel'
import { isEndpoint } from './endpoints.ts'
import { parseFilter } from './filters.ts'
import { typesOfTopic } from './topics.ts'
import { type ChannelType, type Content, type Filter, lesserOf, type Wanted } from './wanted.ts'

/** What decides what can be asked for here. */
export interface Reading {
  readonly baseUrl: string
  readonly nowMs: number
  /** Channels that this server has. */
  readonly channels: ReadonlySet<ChannelType>
  /** Addresses beside those of the open network to which notifications may go. */
  readonly networks: readonly string[]
  /** How much what is sent by mail may tell at most. */
  readonly mailContent: Content
}

const backport = 'http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/'

/** Extensions that are understood, each where it belongs. Others of the same guide, or of R5, would be left without effect. */
const known = {
  root: new Set<string>([]),
  criteria: new Set([`${backport}backport-filter-criteria`]),
  channel: new Set([
    `${backport}backport-heartbeat-period`,
    `${backport}backport-timeout`,
    `${backport}backport-max-count`,
  ]),
  payload: new Set([`${backport}backport-payload-content`]),
  type: new Set<string>([]),
} as const

interface Extension {
  readonly url?: unknown
  readonly [value: string]: unknown
}

interface Channel {
  readonly type?: string
  readonly endpoint?: string
  readonly payload?: string
  readonly header?: readonly string[]
  readonly extension?: readonly Extension[]
  readonly _payload?: { readonly extension?: readonly Extension[] }
  readonly _type?: { readonly extension?: readonly Extension[] }
}

/**
 * What a valid Subscription asks for.
 *
 * @throws Problem `unprocessable` · `subscription.topic-unknown`, `subscription.criteria-unsupported`,
 *   `subscription.channel-unsupported`, `subscription.endpoint-refused`, `subscription.payload-unsupported`,
 *   `subscription.header-malformed`, `subscription.setting-unsupported`, `subscription.end-past`
 */
export function readWanted(resource: Resource, reading: Reading): Wanted {
  const channel = (resource.channel ?? {}) as Channel
  checkExtensions(resource, channel)
  const what = readWhat(resource, reading)
  const type = readChannelType(channel, reading)
  return {
    ...what,
    channel: type,
    ...readEndpoint(type, channel, reading),
    ...readPayload(what.kind, type, channel, reading),
    headers: readHeaders(type, channel),
    ...readSettings(what.kind, type, channel),
    ...readEnd(resource, reading),
  }
}

function checkExtensions(resource: Resource, channel: Channel): void {
  const places: readonly (readonly [keyof typeof known, string, unknown])[] = [
    ['root', 'Subscription.extension', resource.extension],
    ['root', 'Subscription.modifierExtension', resource.modifierExtension],
    ['criteria', 'Subscription.criteria.extension', (resource._criteria as Channel | undefined)?.extension],
    ['channel', 'Subscription.channel.extension', channel.extension],
    ['payload', 'Subscription.channel.payload.extension', channel._payload?.extension],
    ['type', 'Subscription.channel.type.extension', channel._type?.extension],
  ]
  for (const [place, expression, extensions] of places)
    for (const { url } of (extensions ?? []) as readonly Extension[])
      if (isOfSubscriptions(String(url)) && !known[place].has(String(url)))
        throw refused(
          'subscription.setting-unsupported',
          'An extension of the Subscription is not supported, or not at this place.',
          expression,
        )
}

function isOfSubscriptions(url: string): boolean {
  return url.startsWith('http://hl7.org/fhir/uv/subscriptions-backport/') || url.startsWith('http://hl7.org/fhir/5.0/')
}

function readWhat(resource: Resource, { baseUrl }: Reading): Pick<Wanted, 'kind' | 'topic' | 'types' | 'filters'> {
  const criteria = String(resource.criteria)
  const extensions = ((resource._criteria as Channel | undefined)?.extension ?? []) as readonly Extension[]
  if (/^[A-Z]\w*(\?|$)/.test(criteria)) {
    if (extensions.some(({ url }) => isOfSubscriptions(String(url))))
      throw refused(
        'subscription.setting-unsupported',
        'Filters belong to a topic; criteria have theirs in themselves.',
        'Subscription.criteria.extension',
      )
    const filter = parseFilter(criteria, baseUrl, 'Subscription.criteria')
    return { kind: 'criteria', types: [filter.type], filters: [filter] }
  }
  const types = typesOfTopic(criteria, baseUrl)
  if (types === undefined)
    throw refused(
      'subscription.topic-unknown',
      'There is no such topic here; the CapabilityStatement names those that there are.',
      'Subscription.criteria',
    )
  return { kind: 'topic', topic: criteria, types, filters: extensions.filter(isFilter).map(filterFrom) }

  function filterFrom({ valueString }: Extension): Filter {
    const element = 'Subscription.criteria.extension'
    const filter = parseFilter(String(valueString ?? ''), baseUrl, element)
    if (types === 'all' || types?.includes(filter.type)) return filter
    throw refused('subscription.criteria-unsupported', 'A filter is about another type than its topic.', element)
  }
}

function isFilter({ url }: Extension): boolean {
  return url === `${backport}backport-filter-criteria`
}

function readChannelType({ type }: Channel, { channels }: Reading): ChannelType {
  if (channels.has(type as ChannelType)) return type as ChannelType
  const others = `This server sends by ${[...channels].join(', ')} only.`
  const text = type === 'email' ? `${others} No mail server is configured here.` : others
  throw refused('subscription.channel-unsupported', text, 'Subscription.channel.type')
}

/** Nothing in it ends a line, begins a list of addresses, or quotes; nor is anything of it decoded. */
const mailAddress = /^mailto:[A-Za-z0-9.!#$&'*+/=^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/

const endpointRules: Readonly<
  Record<ChannelType, (endpoint: string | undefined, reading: Reading) => string | undefined>
> = {
  'rest-hook': (endpoint, { networks }) =>
    endpoint !== undefined && isEndpoint(endpoint, networks)
      ? undefined
      : 'A rest-hook needs an endpoint: https and a public name, or one that this server was configured for.',
  email: endpoint =>
    endpoint !== undefined && mailAddress.test(endpoint)
      ? undefined
      : 'email needs an endpoint of the form mailto:name@host.',
  websocket: endpoint =>
    endpoint === undefined ? undefined : 'A websocket has no endpoint: the client comes and fetches.',
}

function readEndpoint(type: ChannelType, { endpoint }: Channel, reading: Reading): Pick<Wanted, 'endpoint'> {
  const fault = endpointRules[type](endpoint, reading)
  if (fault !== undefined) throw refused('subscription.endpoint-refused', fault, 'Subscription.channel.endpoint')
  return endpoint === undefined ? {} : { endpoint }
}

const formats: Readonly<Record<string, 'json' | 'xml'>> = {
  'application/fhir+json': 'json',
  'application/json': 'json',
  'application/fhir+xml': 'xml',
  'application/xml': 'xml',
}
/** Of a letter: as text alone, or with what a program reads beside it. */
const letterFormats: Readonly<Record<string, 'json' | 'xml' | undefined>> = {
  ...formats,
  'text/plain': undefined,
  'text/plain;attach=application/fhir+json': 'json',
  'text/plain;attach=application/fhir+xml': 'xml',
}
const contents: ReadonlySet<unknown> = new Set(['empty', 'id-only', 'full-resource'])

function readPayload(
  kind: Wanted['kind'],
  type: ChannelType,
  { payload, _payload }: Channel,
  reading: Reading,
): Pick<Wanted, 'format' | 'content'> {
  const element = 'Subscription.channel.payload'
  const known = type === 'email' ? letterFormats : formats
  if (payload !== undefined && !Object.hasOwn(known, payload))
    throw refused(
      'subscription.payload-unsupported',
      `Notifications are told in ${Object.keys(known).join(', ')}.`,
      element,
    )
  const format = payload === undefined ? undefined : known[payload]
  const content = contentIn(_payload?.extension)
  const isSent = kind === 'topic' ? content !== undefined && payload !== undefined : content === undefined
  if (!isSent) throw refused('subscription.payload-unsupported', payloadRules[kind], element)
  const level: Content = content ?? (format === undefined || type === 'websocket' ? 'empty' : 'full-resource')
  if (type === 'email' && lesserOf(level, reading.mailContent) !== level)
    throw refused(
      'subscription.payload-unsupported',
      `By mail, which lies readable wherever it passes, this server tells no more than payload content ${reading.mailContent}.`,
      element,
    )
  return { content: level, ...(format === undefined ? {} : { format }) }
}

const payloadRules: Readonly<Record<Wanted['kind'], string>> = {
  topic:
    'A notification of a topic needs a payload type and, as its extension, one payload content: empty, id-only or full-resource.',
  criteria: 'A payload content belongs to a topic; criteria have a payload type, or none.',
}

function contentIn(extensions: readonly Extension[] = []): Content | undefined {
  const own = extensions.filter(({ url }) => url === `${backport}backport-payload-content`)
  const [content] = own.map(({ valueCode }) => valueCode)
  if (own.length === 0) return undefined
  if (own.length === 1 && contents.has(content)) return content as Content
  throw refused('subscription.payload-unsupported', payloadRules.topic, 'Subscription.channel.payload')
}

/** RFC 9110: a token, and visible characters and blanks. */
const headerLine = /^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}): ?([\x20-\x7e]{1,4000})$/
/** What this server says itself, or what would change how a message is read. */
const ownHeaders =
  /^(?:content-.*|host|connection|transfer-encoding|te|trailer|upgrade|expect|keep-alive|proxy-.*|webhook-.*)$/i
const mostHeaders = 20

function readHeaders(type: ChannelType, { header = [] }: Channel): readonly string[] {
  const isSound = header.every(line => headerLine.test(line) && !ownHeaders.test(nameOf(line)))
  if (header.length === 0) return []
  if (type === 'rest-hook' && isSound && header.length <= mostHeaders) return header
  const text = 'Headers belong to a rest-hook, each as "Name: value", and none that the message itself needs.'
  throw refused('subscription.header-malformed', text, 'Subscription.channel.header')
}

/** The name of a header line. */
export function nameOf(line: string): string {
  return line.slice(0, line.indexOf(':'))
}

const settings = {
  heartbeatSeconds: ['backport-heartbeat-period', 'valueUnsignedInt', 1, 31_536_000],
  timeoutSeconds: ['backport-timeout', 'valueUnsignedInt', 1, 60],
  maxCount: ['backport-max-count', 'valuePositiveInt', 1, 1_000],
} as const

/** Nobody wants letters that say nothing more often. */
const leastLetterSeconds = 3_600

function readSettings(
  kind: Wanted['kind'],
  type: ChannelType,
  { extension = [] }: Channel,
): Partial<Record<keyof typeof settings, number>> {
  const read: Partial<Record<keyof typeof settings, number>> = {}
  for (const [name, [url, member, least, most]] of Object.entries(settings)) {
    const own = extension.filter(each => each.url === `${backport}${url}`)
    if (own.length === 0) continue
    const value = Number(own[0]?.[member])
    const from = type === 'email' && name === 'heartbeatSeconds' ? leastLetterSeconds : least
    if (kind === 'criteria' || own.length > 1 || !(value >= from && value <= most))
      throw refused(
        'subscription.setting-unsupported',
        `${url} must be given once, for a topic, from ${from} to ${most}.`,
        'Subscription.channel.extension',
      )
    read[name as keyof typeof settings] = value
  }
  return read
}

function readEnd({ end }: Resource, { nowMs }: Reading): Pick<Wanted, 'endMs'> {
  const endMs = typeof end === 'string' ? parseDateInterval(end)?.fromMs : undefined
  if (endMs === undefined) return {}
  if (endMs > nowMs) return { endMs }
  throw refused('subscription.end-past', 'The Subscription would have ended already.', 'Subscription.end')
}

function refused(code: string, text: string, expression: string): Problem {
  return new Problem('unprocessable', code, text, { expression })
}
