import { Problem } from '#kernel'
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

/** The version that the caller means to change or delete, if it says so. */
export function matchOption(request: Pick<FhirRequest, 'header'>): { ifMatch?: string } {
  const ifMatch = parseIfMatch(request.header('if-match'))
  return ifMatch === undefined ? {} : { ifMatch }
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
  const since = Date.parse(header('if-modified-since') ?? '')
  // HTTP dates have whole seconds.
  return !Number.isNaN(since) && Math.floor(version.lastUpdatedMs / 1000) * 1000 <= since
}
