import Negotiator from 'negotiator'
import { Problem } from '#kernel'
import type { FhirRequest } from '../types.ts'

/** In which of its two formats a resource is told. */
export type Format = 'json' | 'xml'

/** The media type of an answer in each format. */
export const mediaTypes: Readonly<Record<Format, string>> = {
  json: 'application/fhir+json; charset=utf-8',
  xml: 'application/fhir+xml; charset=utf-8',
}

/** The media type of FHIR's answers where nothing else was asked for. */
export const fhirJson = mediaTypes.json

/** Media types by which a format can be asked for; FHIR's own first. */
const answered: Readonly<Record<Format, readonly string[]>> = {
  json: ['application/fhir+json', 'application/json', 'text/json'],
  xml: ['application/fhir+xml', 'application/xml', 'text/xml'],
}
/** Media types in which a body may come. */
const taken: Readonly<Record<string, Format>> = {
  'application/fhir+json': 'json',
  'application/json': 'json',
  'application/fhir+xml': 'xml',
  'application/xml': 'xml',
  'text/xml': 'xml',
}
const formats: ReadonlyMap<string, Format> = new Map(
  (['json', 'xml'] as const).flatMap(format => [format, ...answered[format]].map(name => [name, format] as const)),
)
/** What can be sent: an Accept that asks for a version of FHIR wants to find it in what is offered. */
const offered = [...answered.json, ...answered.xml].flatMap(type => [type, `${type}; fhirversion=4.0`])
const offeredToPages = offered.filter(type => !/^(?:application|text)\/xml/.test(type))

/**
 * The format that the caller takes. `_format` overrides Accept.
 *
 * @throws Problem `not-acceptable` · `format.unsupported`
 * @see https://hl7.org/fhir/R4/http.html#mime-type and https://hl7.org/fhir/R4/http.html#version-parameter
 */
export function formatOf(request: Pick<FhirRequest, 'query' | 'header'>): Format {
  const format = request.query.size > 0 ? request.query.get('_format') : null
  // A literal plus sign in a URL reads as a space, and many clients send it so.
  if (format !== null) return formats.get(mediaType(format).replace(' ', '+')) ?? refuse()
  const accept = request.header('accept')
  if (accept === undefined || accept === '' || accept === '*/*' || accept === 'application/fhir+json') return 'json'
  const plain = plainAccept(accept)
  // Browsers say that they would take any XML, and show JSON better.
  const choices = plain.includes('text/html') ? offeredToPages : offered
  const chosen = new Negotiator({ headers: { accept: plain } }).mediaType(choices)
  return chosen === undefined ? refuse() : (formats.get(mediaType(chosen)) ?? refuse())
}

/** As `formatOf`, for what must be told in any case: an error, or what became of bytes of whatever media type. */
export function formatOfError(request: Pick<FhirRequest, 'query' | 'header'>): Format {
  try {
    return formatOf(request)
  } catch {
    return 'json'
  }
}

function refuse(): never {
  throw notAcceptable()
}

/** Clients write a charset and other things into Accept that would make no difference to JSON. */
export function plainAccept(accept: string): string {
  return accept.toLowerCase().replace(/;(?!\s*(?:q|fhirversion)\s*=)[^;,]*/g, '')
}

function notAcceptable(): Problem {
  return new Problem(
    'not-acceptable',
    'format.unsupported',
    'This server answers in application/fhir+json and application/fhir+xml.',
  )
}

/** The media type alone, in lower case. */
export function mediaType(text: string): string {
  return (text.split(';')[0] ?? '').trim().toLowerCase()
}

/** UTF-8 by its names, and what is part of it. */
const readCharsets: ReadonlySet<string> = new Set(['utf-8', 'utf8', 'us-ascii'])

/**
 * Whether a Content-Type names no other charset than UTF-8, in which every text is read.
 *
 * @see https://hl7.org/fhir/R4/http.html#mime-type
 */
export function isInUtf8(contentType: string): boolean {
  const charset = /;\s*charset\s*=\s*"?([^\s";]+)/i.exec(contentType)?.[1]
  return charset === undefined || readCharsets.has(charset.toLowerCase())
}

/** The format in which a body says it is, by FHIR's media types or by their general ones; undefined for any other, not in UTF-8, or of another version of FHIR. */
export function formatSent(request: Pick<FhirRequest, 'header'>): Format | undefined {
  const type = request.header('content-type') ?? ''
  const version = /;\s*fhirversion\s*=\s*"?([^\s";]+)/i.exec(type)?.[1]
  const name = mediaType(type)
  const format = Object.hasOwn(taken, name) ? taken[name] : undefined
  return isInUtf8(type) && (version === undefined || /^4\.0(?:\.\d+)?$/.test(version)) ? format : undefined
}

/** Whether a body says that it is FHIR. */
export function isFhirType(request: Pick<FhirRequest, 'header'>): boolean {
  return mediaType(request.header('content-type') ?? '').startsWith('application/fhir+')
}

/** The format in which the body says it is. @throws Problem `unsupported-media` · `body.type-unsupported` for none, or not in UTF-8 */
export function bodyFormat(request: Pick<FhirRequest, 'header'>): Format {
  const format = formatSent(request)
  if (format !== undefined) return format
  const text = 'The body must be application/fhir+json or application/fhir+xml, in UTF-8 and of FHIR 4.0.'
  throw new Problem('unsupported-media', 'body.type-unsupported', text)
}

/** @throws Problem `unsupported-media` · `body.type-unsupported` for a form that is none, or in another charset than UTF-8 */
export function checkFormType(request: Pick<FhirRequest, 'header'>): void {
  checkBodyType(request, [form])
  if (isInUtf8(request.header('content-type') ?? '')) return
  throw new Problem('unsupported-media', 'body.type-unsupported', `The body must be ${form}, in UTF-8.`)
}

const form = 'application/x-www-form-urlencoded'

/** @throws Problem `unsupported-media` · `body.type-unsupported` unless the body is one of these media types */
export function checkBodyType(request: Pick<FhirRequest, 'header'>, accepted: readonly string[]): void {
  if (accepted.includes(mediaType(request.header('content-type') ?? ''))) return
  throw new Problem(
    'unsupported-media',
    'body.type-unsupported',
    `The body must be ${accepted[0] ?? 'of another type'}.`,
  )
}
