import { Problem } from '#kernel'
import type { Meant, Period } from '#record'
import type { FhirRequest } from '../types.ts'

/** The weak ETag of a version: `W/"3"`. @see https://hl7.org/fhir/R4/http.html#concurrency */
export function printEtag(version: number): string {
  return `W/"${version}"`
}

/**
 * The version that an If-Match header names: `W/"3"`, `"3"`; or `*`, whichever stands.
 *
 * @throws Problem `invalid` · `request.if-match-malformed`
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-13.1.1
 */
export function parseIfMatch(header: string | undefined): string | undefined {
  if (header === undefined) return undefined
  if (header.trim() === '*') return '*'
  const version = /^\s*(?:W\/)?"([A-Za-z0-9.-]{1,64})"\s*$/.exec(header)?.[1]
  if (version === undefined)
    throw new Problem(
      'invalid',
      'request.if-match-malformed',
      'If-Match must name one version, such as W/"3", or be *.',
      {
        expression: 'If-Match',
      },
    )
  return version
}

/**
 * The version that the caller means to change or delete, if it says so. If-Match wins over If-Unmodified-Since.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-13.2.2
 */
export function matchOption(request: Pick<FhirRequest, 'header'>): Meant {
  const ifMatch = parseIfMatch(request.header('if-match'))
  return ifMatch === undefined ? unmodifiedOption(request) : { ifMatch }
}

/** How old the version that the caller means is at least, if it says so. */
export function unmodifiedOption(request: Pick<FhirRequest, 'header'>): Omit<Meant, 'ifMatch'> {
  const ifUnmodifiedSince = parseHttpDate(request.header('if-unmodified-since'))
  return ifUnmodifiedSince === undefined ? {} : { ifUnmodifiedSince }
}

/** What a date of HTTP may look like, the obsolete forms as well; and the instant that stands in its place in a Bundle. */
const httpDates = [
  /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/,
  /^[A-Z][a-z]+day, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT$/,
  /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/,
  /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})$/,
]

/**
 * The second that a date in a header names, or the millisecond of an instant that has them; undefined for what is none, which is to be
 * passed over.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7
 */
export function parseHttpDate(header: string | undefined): Period | undefined {
  const text = header?.trim() ?? ''
  const form = httpDates.findIndex(each => each.test(text))
  // Only asctime does not say that it means GMT.
  const fromMs = form === -1 ? Number.NaN : Date.parse(form === 2 ? `${text} GMT` : text)
  return Number.isNaN(fromMs) ? undefined : { fromMs, untilMs: fromMs + (text.includes('.') ? 1 : 1_000) }
}

/**
 * Whether an update may only create: `If-None-Match: *`.
 *
 * @throws Problem `invalid` · `request.if-none-match-malformed` for anything but `*`
 */
export function parseIfNoneMatchAny(header: string | undefined): boolean {
  if (header === undefined) return false
  if (header.trim() === '*') return true
  throw new Problem('invalid', 'request.if-none-match-malformed', 'If-None-Match on an update can only be *.', {
    expression: 'If-None-Match',
  })
}

/** Whether a reader who sent these headers already has this version. If-None-Match wins over If-Modified-Since. */
export function isFresh(
  version: { readonly version: number; readonly lastUpdatedMs: number },
  header: (name: string) => string | undefined,
): boolean {
  const ifNoneMatch = header('if-none-match')
  if (ifNoneMatch !== undefined) {
    const wanted = `"${version.version}"`
    return ifNoneMatch.split(',').some(tag => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === wanted)
  }
  const since = parseHttpDate(header('if-modified-since'))
  return since !== undefined && version.lastUpdatedMs < since.untilMs
}
