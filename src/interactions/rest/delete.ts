import { permits } from '#access'
import { isProblem } from '#kernel'
import { ownerForeign, type Reader, type Stored } from '#record'
import { granted } from '../perform.ts'
import type { FhirRequest, FhirResponse, PathParams, Rooms } from '../types.ts'
import { criteriaOf, findOne } from './condition.ts'
import { matchOption, printEtag } from './etag.ts'
import { type Preferences, parsePrefer } from './prefer.ts'
import { allIsWell } from './stored-response.ts'

/**
 * Deletes the current version; what was written before stays in the history. Deleting again changes nothing.
 *
 * @throws Problem `not-found` · `record.unknown` for what never existed within reach; `forbidden` · `record.owner-foreign` for what may be
 *   seen and not deleted
 * @see https://hl7.org/fhir/R4/http.html#delete
 */
export async function deleteResource(
  request: FhirRequest,
  params: PathParams,
  { record }: Rooms,
): Promise<FhirResponse> {
  const { type = '', id = '' } = params
  const { grant } = granted(request)
  const options = matchOption(request)
  const writer = record.writer(grant)
  const deleted = await writer.transact(txn => txn.delete(type, id, options))
  if (deleted === undefined && permits(grant, 'r', type)) await checkGone(writer, type, id)
  return deletedResponse(deleted, parsePrefer(request))
}

/**
 * Deletes the one that a search finds; nothing when it finds none.
 *
 * @throws Problem `ambiguous` · `condition.matches-several`; `forbidden` · `record.owner-foreign`
 * @see https://hl7.org/fhir/R4/http.html#3.1.0.7.1
 */
export async function deleteConditionally(
  request: FhirRequest,
  params: PathParams,
  rooms: Rooms,
): Promise<FhirResponse> {
  const { type = '' } = params
  const asked = granted(request)
  const options = matchOption(request)
  const criteria = criteriaOf(request.query)
  const deleted = await rooms.record.writer(asked.grant).transact(async txn => {
    const found = await findOne(txn, { type, criteria, asked, rooms })
    if (found === undefined) return undefined
    const gone = await txn.delete(type, found.id, options)
    if (gone === undefined) throw ownerForeign()
    return gone
  })
  return deletedResponse(deleted, parsePrefer(request))
}

/**
 * The answer to a deletion; undefined: there was nothing to delete. It says nothing, unless an OperationOutcome is preferred.
 *
 * @see https://hl7.org/fhir/R4/http.html#delete
 */
export function deletedResponse(
  deleted: Pick<Stored, 'version' | 'lastUpdatedMs'> | undefined,
  prefer: Preferences,
): FhirResponse {
  const told = deleted === undefined ? {} : { lastUpdatedMs: deleted.lastUpdatedMs }
  const headers = deleted === undefined ? {} : { etag: printEtag(deleted.version) }
  if (prefer.return !== 'OperationOutcome') return { status: 204, headers, ...told }
  const words = deleted === undefined ? 'There was nothing to delete.' : 'Deleted.'
  return { status: 200, headers, ...told, body: allIsWell(words) }
}

/** Passes for what was deleted. @throws Problem `not-found` · `record.unknown`; `forbidden` · `record.owner-foreign` for what stands */
async function checkGone(reader: Reader, type: string, id: string): Promise<void> {
  try {
    await reader.read(type, id)
  } catch (error) {
    if (isProblem(error, 'gone')) return
    throw error
  }
  // It is seen, by what names it or by other scopes, and stays: to say that it is gone would be a lie.
  throw ownerForeign()
}
