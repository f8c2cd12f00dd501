import { isId, type Resource } from '#fhir'
import { Problem } from '#kernel'
import { type Meant, type Staged, versionStale } from '#record'
import { overStanding, readStorable, writing } from '../binary/sent.ts'
import { granted } from '../perform.ts'
import { Judging } from '../profiles/judging.ts'
import type { FhirRequest, FhirResponse, PathParams, Rooms } from '../types.ts'
import { criteriaOf, findOne } from './condition.ts'
import { matchOption, parseIfNoneMatchAny } from './etag.ts'
import { parsePrefer } from './prefer.ts'
import { writeResponse } from './stored-response.ts'
import { checkWritable } from './writable.ts'

/**
 * A new version, or the first one under an id that the client chose.
 *
 * @see https://hl7.org/fhir/R4/http.html#update and #upsert
 */
export async function update(request: FhirRequest, params: PathParams, rooms: Rooms): Promise<FhirResponse> {
  const { type = '', id = '' } = params
  const asking = granted(request)
  const { grant } = asking
  const sent = await readStorable(request, type, rooms.limits, id)
  const { resource } = sent
  checkIds(resource, id)
  await checkWritable(resource, new Judging(asking, rooms))
  const options = versionConditions(request)
  const staged = await writing(rooms.record.writer(grant), sent, async (txn, beside) =>
    txn.update(type, id, await overStanding(sent, id, txn), { ...options, ...beside, unlessSame: true }),
  )
  return updateResponse(staged, request)
}

/**
 * Updates the one that a search finds, creates one when it finds none.
 *
 * @throws Problem `ambiguous` · `condition.matches-several`; `invalid` · `update.id-differs`
 * @see https://hl7.org/fhir/R4/http.html#cond-update
 */
export async function updateConditionally(
  request: FhirRequest,
  params: PathParams,
  rooms: Rooms,
): Promise<FhirResponse> {
  const { type = '' } = params
  const asking = granted(request)
  const { grant } = asking
  const sent = await readStorable(request, type, rooms.limits)
  const { resource } = sent
  await checkWritable(resource, new Judging(asking, rooms))
  const options = versionConditions(request)
  const criteria = criteriaOf(request.query)
  const staged = await writing(rooms.record.writer(grant), sent, async (txn, beside) => {
    const found = await findOne(txn, { type, criteria, asked: asking, rooms })
    if (found !== undefined) {
      const whole = withId(await overStanding(sent, found.id, txn), found.id)
      return txn.update(type, found.id, whole, { ...options, ...beside, unlessSame: true })
    }
    if (resource.id !== undefined)
      return txn.update(type, resource.id, resource, { ...options, ...beside, unlessSame: true })
    checkNoneMeant(options)
    return txn.create(resource, beside)
  })
  return updateResponse(staged, request)
}

/** The conditions on versions that an update may carry. */
export function versionConditions(request: Pick<FhirRequest, 'header'>): Meant & { ifNoneMatchAny?: boolean } {
  const meant = matchOption(request)
  const ifNoneMatchAny = parseIfNoneMatchAny(request.header('if-none-match'))
  return { ...meant, ...(ifNoneMatchAny ? { ifNoneMatchAny } : {}) }
}

/** Where a condition found nothing, no version stands that could be meant. @throws Problem `precondition` · `version.stale` */
export function checkNoneMeant({ ifMatch }: Meant): void {
  if (ifMatch !== undefined) throw versionStale()
}

/**
 * @throws Problem `invalid` · `update.id-malformed` when the URL's id is none, `update.id-differs` when the body has
 *   another one or none
 */
export function checkIds(resource: Resource, id: string): void {
  if (!isId(id))
    throw new Problem('invalid', 'update.id-malformed', 'An id has 1 to 64 letters, digits, hyphens or full stops.')
  if (resource.id !== id) throw idDiffers()
}

/** The resource under the id that was found. @throws Problem `invalid` · `update.id-differs` when it has another one */
export function withId(resource: Resource, id: string): Resource {
  if (resource.id === id) return resource
  if (resource.id !== undefined) throw idDiffers()
  return { ...resource, id }
}

/** What keeps a resource from replacing the one of an id. */
export function idDiffers(): Problem {
  return new Problem('invalid', 'update.id-differs', 'The id in the body must be the id of the resource to update.', {
    expression: 'id',
  })
}

function updateResponse(staged: Staged, request: FhirRequest): FhirResponse {
  const options = { baseUrl: request.baseUrl, prefer: parsePrefer(request) }
  return writeResponse(staged, staged.created ? 201 : 200, options)
}
