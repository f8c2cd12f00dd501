import { operationOutcome } from '#fhir'
import { inSlices, Problem } from '#kernel'
import type { Stored } from '#record'
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
export async function contentAnswer(stored: Stored, request: FhirRequest): Promise<FhirResponse | undefined> {
  const parts = await partsOf(stored.json)
  if (!isContentWanted(request, parts.contentType)) return undefined
  const headers = headersOf(stored, parts)
  if (isFresh(stored, name => request.header(name))) return { status: 304, headers }
  return part(await inSlices(decoded(parts.base64)), headers, request)
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

function part(bytes: Buffer, headers: Headers, request: FhirRequest): FhirResponse {
  const isAsked = request.method === 'GET' && isSameVersion(request.header('if-range'), headers)
  const range = isAsked ? rangeOf(request.header('range'), bytes.length) : undefined
  if (range === undefined) return { status: 200, headers, body: bytes }
  if (range === 'beyond') return beyond(bytes.length)
  const { from, until } = range
  const told = { ...headers, 'content-range': `bytes ${from}-${until - 1}/${bytes.length}` }
  return { status: 206, headers: told, body: bytes.subarray(from, until) }
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
