import { readStorable, writing } from '../binary/sent.ts'
import { granted } from '../perform.ts'
import { Judging } from '../profiles/judging.ts'
import type { FhirRequest, FhirResponse, PathParams, Rooms } from '../types.ts'
import { findOne, parseIfNoneExist } from './condition.ts'
import { parsePrefer } from './prefer.ts'
import { versionUrl, writeResponse } from './stored-response.ts'
import { checkWritable } from './writable.ts'

/**
 * A new resource under an id of our own; with If-None-Exist only when nothing within reach matches.
 *
 * @see https://hl7.org/fhir/R4/http.html#create and #ccreate
 */
export async function create(request: FhirRequest, params: PathParams, rooms: Rooms): Promise<FhirResponse> {
  const { type = '' } = params
  const asked = granted(request)
  const { grant, baseUrl } = asked
  const sent = await readStorable(request, type, rooms.limits)
  const { resource } = sent
  await checkWritable(resource, new Judging(asked, rooms))
  const criteria = parseIfNoneExist(request.header('if-none-exist'), type)
  const outcome = await writing(rooms.record.writer(grant), sent, async (txn, beside) => {
    const found = criteria === undefined ? undefined : await findOne(txn, { type, criteria, asked, rooms })
    if (found !== undefined) return { found, stored: await txn.read(type, found.id) }
    return { created: await txn.create(resource, beside) }
  })
  const prefer = parsePrefer(request)
  if (outcome.created !== undefined) return writeResponse(outcome.created, 201, { baseUrl, prefer })
  if (outcome.stored !== undefined) return writeResponse(outcome.stored, 200, { baseUrl, prefer })
  // What was found may be searched but not read: say where it is, and no more.
  return { status: 200, headers: { location: versionUrl(baseUrl, outcome.found) } }
}
