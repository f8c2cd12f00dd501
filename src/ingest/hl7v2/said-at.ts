import { type Resource, toInstant } from '#fhir'
import { metaExtensions, withMetaExtensions } from '../meta-extensions.ts'
import { type Message, value } from './message.ts'
import { toDateTime } from './times.ts'

/**
 * When its sender said what stands in a resource; when the visit came into the status that it has; and the same again where it began then
 * and nothing said when (PV1-44).
 */
export const stamps = {
  said: 'urn:kinhold:hl7v2:said-at',
  status: 'urn:kinhold:hl7v2:status-at',
  begun: 'urn:kinhold:hl7v2:begun-at',
} as const

type Stamp = keyof typeof stamps

/** A stamp of a resource, Unix milliseconds; undefined when it has none. */
export function stampOf(resource: Resource, stamp: Stamp): number | undefined {
  const found = metaExtensions(resource).find(({ url }) => url === stamps[stamp])?.valueInstant
  return found === undefined ? undefined : Date.parse(found)
}

/** The resource with these stamps; one that is undefined is taken away, one that is not named stays. */
export function withStamps(resource: Resource, given: { readonly [stamp in Stamp]?: number | undefined }): Resource {
  const named = new Set(Object.keys(given).map(stamp => stamps[stamp as Stamp] as string))
  const added = Object.entries(given).flatMap(([stamp, atMs]) =>
    atMs === undefined ? [] : [{ url: stamps[stamp as Stamp], valueInstant: toInstant(atMs) }],
  )
  return withMetaExtensions(resource, named, added)
}

/** What a message alone has said, also where it does not say when: nobody has written it by hand. */
export function asSaid(resource: Resource, saidMs: number | undefined): Resource {
  if (saidMs !== undefined) return withStamps(resource, { said: saidMs })
  return withMetaExtensions(resource, new Set(), [{ url: stamps.said, valueString: 'undated' }])
}

const by = 'urn:kinhold:hl7v2:said-by'

/** The resource with who said it, for what is told by a number that others may have given, too. */
export function withSender(resource: Resource, sender: string): Resource {
  return withMetaExtensions(resource, new Set([by]), sender === '' ? [] : [{ url: by, valueString: sender }])
}

/** Who said a resource; undefined when that is not known. */
export function senderOf(resource: Resource): string | undefined {
  return metaExtensions(resource).find(({ url }) => url === by)?.valueString
}

/** Whether what is said anew was said before what is there: it came late. What has no stamp is never late. */
export function isLate(stored: Resource, anew: Resource): boolean {
  const [before, now] = [stampOf(stored, 'said'), stampOf(anew, 'said')]
  return before !== undefined && now !== undefined && now < before
}

/** Statuses of a result that is not there yet; what is final does not become preliminary again. */
const preliminary = new Set(['registered', 'partial', 'preliminary'])
const done = new Set(['final', 'amended', 'corrected', 'appended'])

/** What is said anew, if it was said later than what is there; undefined when that stays. A status that it does not say stays. */
export function newer(stored: Resource, anew: Resource): Resource | undefined {
  if (isLate(stored, anew)) return undefined
  const falls = done.has(String(stored.status)) && preliminary.has(String(anew.status))
  if (falls) return undefined
  return anew.status === 'unknown' && stored.status !== undefined ? { ...anew, status: stored.status } : anew
}

/**
 * When a message was said: EVN-2, when the event was recorded; MSH-7 where that is not known to the minute. Unix
 * milliseconds.
 */
export function saidAtMs(message: Message, zone: string): number | undefined {
  const evn = message.segments.find(({ name }) => name === 'EVN')
  return instantMs(value(evn, 2), zone) ?? instantMs(value(message.msh, 7), zone)
}

/** A time as Unix milliseconds; undefined for a day alone, which comes before or after nothing within it. */
export function instantMs(text: string, zone: string): number | undefined {
  const dateTime = toDateTime(text, zone)
  return dateTime?.includes('T') ? Date.parse(dateTime) : undefined
}
