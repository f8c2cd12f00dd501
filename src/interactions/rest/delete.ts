import { type Grant, permits } from '#access'
import { isProblem, type Problem } from '#kernel'
import { type Meant, ownerForeign, type Staged, type Stored, type Txn, type Writer } from '#record'
import { auditRefusal, granted } from '../perform.ts'
import type { FhirRequest, FhirResponse, PathParams, Rooms } from '../types.ts'
import { criteriaOf, findOne } from './condition.ts'
import { matchOption, printEtag } from './etag.ts'
import { type Preferences, parsePrefer } from './prefer.ts'
import { allIsWell } from './stored-response.ts'

/**
 * Deletes the current version; what was written before stays in the history. What is gone already, and what never existed within reach,
 * is not there afterwards either.
 *
 * @throws Problem `forbidden` · `record.owner-foreign` for what may be seen and not deleted
 * @see https://hl7.org/fhir/R4/http.html#delete
 */
export async function deleteResource(request: FhirRequest, params: PathParams, rooms: Rooms): Promise<FhirResponse> {
  const { type = '', id = '' } = params
  const { grant } = granted(request)
  const options = matchOption(request)
  const writer = rooms.record.writer(grant)
  const done = await writer.transact(txn => deleteIn(txn, { type, id, ...options }, writer, grant))
  auditUnknown(done, grant, rooms)
  return deletedResponse(done.deleted, parsePrefer(request))
}

/** What became of a deletion: what was deleted, or the problem of what was never known; neither where it is gone already. */
export interface Deletion {
  readonly deleted?: Staged
  readonly unknown?: Problem
}

/** The answer is the same as for what was there; whoever tries ids is recorded all the same. */
export function auditUnknown({ unknown }: Deletion, grant: Grant, rooms: Rooms): void {
  if (unknown !== undefined) auditRefusal(unknown, 'delete', grant, rooms)
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

/** What is to be deleted. */
export interface Deleting extends Meant {
  readonly type: string
  readonly id: string
}

/**
 * Stages a deletion.
 *
 * @throws Problem `forbidden` · `record.owner-foreign` for what may be seen and not deleted
 */
export async function deleteIn(txn: Txn, asked: Deleting, writer: Writer, grant: Grant): Promise<Deletion> {
  const { type, id, ...meant } = asked
  for (let tried: number | undefined; ; ) {
    const deleted = await txn.delete(type, id, meant)
    if (deleted !== undefined) return { deleted }
    // Nothing is known to whoever may not read.
    if (!permits(grant, 'r', type)) return {}
    const standing = await standingOf(writer, type, id)
    if (!('version' in standing)) return standing
    // It is seen, by what names it or by other scopes, and stays: to say that it is gone would be a lie.
    if (tried === standing.version) throw ownerForeign()
    // Somebody may have made it just now.
    tried = standing.version
  }
}

/** What is seen of a resource. */
async function standingOf(writer: Writer, type: string, id: string): Promise<Stored | Deletion> {
  try {
    return await writer.read(type, id)
  } catch (error) {
    if (isProblem(error, 'gone')) return {}
    if (isProblem(error, 'not-found')) return { unknown: error }
    throw error
  }
}
