import Negotiator from 'negotiator'
import { Problem } from '#kernel'
import type { FhirRequest } from '../types.ts'

/** The media type of every FHIR answer. */
export const fhirJson = 'application/fhir+json; charset=utf-8'

const formats: readonly string[] = ['application/fhir+json', 'application/json', 'text/json']
const shortFormats: ReadonlySet<string> = new Set(['json', ...formats])
const bodies: ReadonlySet<string> = new Set(['application/fhir+json', 'application/json'])
/** What can be sent: an Accept that asks for a version of FHIR wants to find it in what is offered. */
const offered = formats.flatMap(format => [format, `${format}; fhirversion=4.0`])

/**
 * Whether the caller takes JSON. `_format` overrides Accept.
 *
 * @throws Problem `not-acceptable` · `format.unsupported`
 * @see https://hl7.org/fhir/R4/http.html#mime-type and https://hl7.org/fhir/R4/http.html#version-parameter
 */
export function checkAcceptable(request: Pick<FhirRequest, 'query' | 'header'>): void {
  const format = request.query.size > 0 ? request.query.get('_format') : null
  if (format !== null) {
    // A literal plus sign in a URL reads as a space, and many clients send it so.
    if (shortFormats.has(mediaType(format).replace(' ', '+'))) return
    throw notAcceptable()
  }
  const accept = request.header('accept')
  if (accept === undefined || accept === '' || accept === '*/*' || accept === 'application/fhir+json') return
  if (new Negotiator({ headers: { accept: plainAccept(accept) } }).mediaType(offered) === undefined)
    throw notAcceptable()
}

/** Clients write a charset and other things into Accept that would make no difference to JSON. */
function plainAccept(accept: string): string {
  return accept.toLowerCase().replace(/;(?!\s*(?:q|fhirversion)\s*=)[^;,]*/g, '')
}

function notAcceptable(): Problem {
  return new Problem('not-acceptable', 'format.unsupported', 'This server answers in JSON: application/fhir+json.')
}

function mediaType(text: string): string {
  return (text.split(';')[0] ?? '').trim().toLowerCase()
}

/** @throws Problem `unsupported-media` · `body.type-unsupported` unless the body says it is JSON in UTF-8 */
export function checkJsonBody(request: Pick<FhirRequest, 'header'>): void {
  const type = request.header('content-type') ?? ''
  const charset = /;\s*charset\s*=\s*"?([^\s";]+)/i.exec(type)?.[1]?.toLowerCase()
  if (bodies.has(mediaType(type)) && (charset === undefined || charset === 'utf-8')) return
  throw new Problem('unsupported-media', 'body.type-unsupported', 'The body must be application/fhir+json in UTF-8.')
}

/** @throws Problem `unsupported-media` · `body.type-unsupported` unless the body is one of these media types */
export function checkBodyType(request: Pick<FhirRequest, 'header'>, accepted: readonly string[]): void {
  if (accepted.includes(mediaType(request.header('content-type') ?? ''))) return
  throw new Problem(
    'unsupported-media',
    'body.type-unsupported',
    `The body must be ${accepted[0] ?? 'of another type'}.`,
  )
}
