import { operationOutcome } from '#fhir'
import { inSlices, Problem } from '#kernel'
import type { Reader, Stored } from '#record'
import { isFresh } from '../rest/etag.ts'
import type { FhirRequest, FhirResponse } from '../types.ts'
import { decoded, type Parts, partsOf } from './content.ts'
import { isMediaType } from './media-types.ts'
import { rangeOf } from './ranges.ts'
import { securityContextHeader } from './sent.ts'
import { isContentWanted } from './wanted.ts'

/**
 * What a Binary holds, as it is; undefined where the resource is asked for.
 *
 * @see https://hl7.org/fhir/R4/binary.html#rest and https://www.rfc-editor.org/rfc/rfc9110#section-14
 */
export async function contentAnswer(
  stored: Stored,
  request: FhirRequest,
  reader: Pick<Reader, 'content'>,
): Promise<FhirResponse | undefined> {
  const parts = await partsOf(stored.json)
  if (!isContentWanted(request, parts.contentType)) {
    if (stored.content !== undefined && !isPartWanted(request)) throw tooLargeAsResource(stored.content.sizeBytes)
    return undefined
  }
  const headers = headersOf(stored, parts)
  if (isFresh(stored, name => request.header(name))) return { status: 304, headers }
  const { content } = stored
  if (content === undefined) return part(wholeOf(await inSlices(decoded(parts.base64))), headers, request)
  return part(besideIt(stored, content.sizeBytes, reader), headers, request)
}

/** Without its data it is small. */
function isPartWanted({ query }: FhirRequest): boolean {
  return query.has('_summary') || query.has('_elements')
}

function tooLargeAsResource(sizeBytes: number): Problem {
  return new Problem(
    'not-acceptable',
    'binary.too-large-as-resource',
    `The Binary holds ${sizeBytes} bytes, more than is told as a resource: ask for its content, by Accept: */* or its media type and without _format.`,
    { expression: 'Binary.data' },
  )
}

/** Bytes, at hand or not. */
interface Bytes {
  readonly size: number
  /** The body of an answer with those from one to before another, and its headers. */
  answer(
    from: number,
    until: number,
    headers: FhirResponse['headers'],
  ): Pick<FhirResponse, 'headers' | 'body' | 'stream'>
}

function wholeOf(bytes: Buffer): Bytes {
  return {
    size: bytes.length,
    answer: (from, until, headers) => ({ headers, body: bytes.subarray(from, until) }),
  }
}

function besideIt(stored: Stored, size: number, reader: Pick<Reader, 'content'>): Bytes {
  return {
    size,
    answer: (from, until, headers) => ({
      headers: { ...headers, 'content-length': String(until - from) },
      stream: reader.content(stored, from, until),
    }),
  }
}

/**
 * What somebody has stored is never a page of ours: whatever it is, browsers keep it as a file. Beside that stand the strict headers of
 * every answer: no sniffing, and a sandbox.
 */
function headersOf({ id, version, lastUpdatedMs }: Stored, { contentType, context }: Parts) {
  return {
    // Of these bytes themselves and hence a strong one: only with such a one a part may be asked for by If-Range.
    etag: `"${version}"`,
    'last-modified': new Date(lastUpdatedMs).toUTCString(),
    'content-type': isMediaType(contentType) ? contentType : 'application/octet-stream',
    'content-disposition': `attachment; filename="${id}"`,
    'accept-ranges': 'bytes',
    ...(context === undefined || !isHeaderText(context) ? {} : { [securityContextHeader]: context }),
  }
}

function isHeaderText(text: string): boolean {
  return /^[\u0021-\u007e]+$/.test(text)
}

type Headers = ReturnType<typeof headersOf>

function part(bytes: Bytes, headers: Headers, request: FhirRequest): FhirResponse {
  const isAsked = request.method === 'GET' && isSameVersion(request.header('if-range'), headers)
  const range = isAsked ? rangeOf(request.header('range'), bytes.size) : undefined
  if (range === undefined) return { status: 200, ...bytes.answer(0, bytes.size, headers) }
  if (range === 'beyond') return beyond(bytes.size)
  const { from, until } = range
  const told = { ...headers, 'content-range': `bytes ${from}-${until - 1}/${bytes.size}` }
  return { status: 206, ...bytes.answer(from, until, told) }
}

/** Whether the part belongs to what the caller has already. @see https://www.rfc-editor.org/rfc/rfc9110#section-13.1.5 */
function isSameVersion(ifRange: string | undefined, headers: Headers): boolean {
  const text = ifRange?.trim()
  return text === undefined || text === headers.etag || text === headers['last-modified']
}

function beyond(size: number): FhirResponse {
  const problem = new Problem('invalid', 'request.range-beyond', 'The range asks for nothing of what is there.', {
    expression: 'Range',
  })
  return { status: 416, headers: { 'content-range': `bytes */${size}` }, body: operationOutcome(problem) }
}
