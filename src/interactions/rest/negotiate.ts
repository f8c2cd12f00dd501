import { Problem } from '#kernel'
import type { FhirRequest } from '../types.ts'

/** The media type of every FHIR answer. */
export const fhirJson = 'application/fhir+json; charset=utf-8'

const formats: ReadonlySet<string> = new Set(['json', 'application/json', 'application/fhir+json', 'text/json'])
const ranges: ReadonlySet<string> = new Set([...formats, 'application/*', 'text/*', '*/*'])
const bodies: ReadonlySet<string> = new Set(['application/fhir+json', 'application/json'])

/**
 * Whether the caller takes JSON. `_format` overrides Accept.
 *
 * @throws Problem `not-acceptable` · `format.unsupported`
 * @see https://hl7.org/fhir/R4/http.html#mime-type
 */
export function checkAcceptable(request: Pick<FhirRequest, 'query' | 'header'>): void {
  const format = request.query.size > 0 ? request.query.get('_format') : null
  if (format !== null) {
    // A literal plus sign in a URL reads as a space, and many clients send it so.
    if (formats.has(mediaType(format).replace(' ', '+'))) return
    throw notAcceptable()
  }
  const accept = request.header('accept')
  if (accept === undefined || accept === '' || accept === '*/*' || accept === 'application/fhir+json') return
  if (!accept.split(',').some(takesJson)) throw notAcceptable()
}

function takesJson(range: string): boolean {
  const [type = '', ...parameters] = range.split(';')
  if (!ranges.has(type.trim().toLowerCase())) return false
  return parameters.every(parameter => {
    const [name = '', value = ''] = parameter.split('=')
    if (name.trim() === 'q') return Number(value) > 0
    return name.trim() !== 'fhirVersion' || /^\s*"?4\.0"?\s*$/.test(value)
  })
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
