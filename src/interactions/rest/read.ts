import { checkMatch, type Reader, type Stored } from '#record'
import { contentAnswer } from '../binary/answer.ts'
import { granted } from '../perform.ts'
import type { FhirRequest, FhirResponse, PathParams, Rooms } from '../types.ts'
import { isFresh, unmodifiedOption } from './etag.ts'
import { versionOf } from './stored-response.ts'
import { parseSubset, subsetting } from './subset.ts'

/**
 * The current version, or 304 when the reader has it already.
 *
 * @see https://hl7.org/fhir/R4/http.html#read and #cread
 */
export async function read(request: FhirRequest, params: PathParams, { record }: Rooms): Promise<FhirResponse> {
  const { type = '', id = '' } = params
  const reader = record.reader(granted(request).grant)
  return answerWith(await reader.read(type, id), request, reader)
}

/** One version. @see https://hl7.org/fhir/R4/http.html#vread */
export async function vread(request: FhirRequest, params: PathParams, { record }: Rooms): Promise<FhirResponse> {
  const { type = '', id = '', vid = '' } = params
  const reader = record.reader(granted(request).grant)
  return answerWith(await reader.vread(type, id, vid), request, reader)
}

async function answerWith(stored: Stored, request: FhirRequest, reader: Reader): Promise<FhirResponse> {
  checkMatch(stored, unmodifiedOption(request))
  const content = stored.type === 'Binary' ? await contentAnswer(stored, request, reader) : undefined
  if (content !== undefined) return content
  const version = versionOf(stored)
  if (isFresh(stored, name => request.header(name))) return { status: 304, ...version }
  const subset = request.query.size === 0 ? undefined : parseSubset(request.query)
  return { status: 200, ...version, body: subset === undefined ? stored.json : await subsetting(subset)(stored.json) }
}
