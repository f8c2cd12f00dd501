import { type Grant, requirePermission } from '#access'
import { parseSentJson, type Resource, toResource } from '#fhir'
import { isProblem, Problem } from '#kernel'
import { type Meant, ownerForeign, type Staged, type Stored, type Txn, type Writer } from '#record'
import { granted } from '../perform.ts'
import { Judging } from '../profiles/judging.ts'
import { criteriaOf, findOne } from '../rest/condition.ts'
import { matchOption } from '../rest/etag.ts'
import { nothingFound } from '../rest/nothing-found.ts'
import { parsePrefer } from '../rest/prefer.ts'
import { writeResponse } from '../rest/stored-response.ts'
import { checkWritable } from '../rest/writable.ts'
import type { FhirRequest, FhirResponse, PathParams, Rooms } from '../types.ts'
import { type Change, readPatch } from './read-patch.ts'

/**
 * Changes a part of the current version. What comes of it is checked, and put where it belongs, as by an update.
 *
 * @throws Problem as `update`, and `unprocessable` · `patch.failed`, `patch.identity-changed`; `not-found` · `record.unknown`
 * @see https://hl7.org/fhir/R4/http.html#patch
 */
export async function patch(request: FhirRequest, params: PathParams, rooms: Rooms): Promise<FhirResponse> {
  const { type = '', id = '' } = params
  return patchAs(request, type, rooms, async () => id)
}

/**
 * Patches the one that a search finds.
 *
 * @throws Problem as `patch`; `ambiguous` · `condition.matches-several`; `not-found` · `condition.matches-nothing`
 * @see https://hl7.org/fhir/R4/http.html#patch
 */
export async function patchConditionally(
  request: FhirRequest,
  params: PathParams,
  rooms: Rooms,
): Promise<FhirResponse> {
  const { type = '' } = params
  const asked = granted(request)
  const criteria = criteriaOf(request.query)
  return patchAs(request, type, rooms, async txn => {
    const found = await findOne(txn, { type, criteria, asked, rooms })
    if (found === undefined) throw nothingFound()
    return found.id
  })
}

async function patchAs(
  request: FhirRequest,
  type: string,
  rooms: Rooms,
  which: (txn: Txn) => Promise<string>,
): Promise<FhirResponse> {
  const asking = granted(request)
  const { grant, baseUrl } = asking
  requireSight(grant, type)
  const change = await readPatch(request)
  const writer = rooms.record.writer(grant)
  const judging = new Judging(asking, rooms)
  const asked = { ...matchOption(request), change }
  const staged = await writer.transact(async txn =>
    patchIn(txn, { type, id: await which(txn), ...asked }, writer, judging),
  )
  return writeResponse(staged, 200, { baseUrl, prefer: parsePrefer(request) })
}

/** A patch tests and shows what is there, so it is for those who may read it. @throws Problem `forbidden` · `scope.missing` */
export function requireSight(grant: Grant, type: string): void {
  requirePermission(grant, 'r', type)
}

/** What is to be patched, and how. */
export interface Patching extends Meant {
  readonly type: string
  readonly id: string
  readonly change: Change
  /** Resources of the same request that refer to it. */
  readonly referrers?: readonly Resource[]
}

/**
 * Stages what a patch makes of the version that stands.
 *
 * @param writer  tells why there is none, and records who saw it where nothing came of the patch
 * @throws Problem as `patch`
 */
export async function patchIn(txn: Txn, asked: Patching, writer: Writer, judging: Judging): Promise<Staged> {
  const { type, id, change, referrers = [] } = asked
  for (let tried: string | undefined; ; ) {
    const standing = (await txn.read(type, id)) ?? (await writer.read(type, id))
    const version = String(standing.version)
    await txn.checkMeant(standing, asked)
    // It is seen, by what names it or by other scopes, and is not there to be written.
    if (tried === version) throw ownerForeign()
    tried = version
    const changed = await changedBy(change, standing, writer)
    await checkWritable(changed, judging)
    const staged = await unlessOutrun(() =>
      txn.update(type, id, changed, { ifMatch: version, referrers, unlessSame: true }),
    )
    if (staged !== undefined) return staged
  }
}

/** Undefined where somebody else has written since the resource was read: then the patch is for what they wrote. */
async function unlessOutrun(update: () => Promise<Staged>): Promise<Staged | undefined> {
  try {
    return await update()
  } catch (error) {
    if (isProblem(error, 'precondition') && error.code === 'version.stale') return undefined
    throw error
  }
}

/** As much as can be sent: patch after patch, a resource would grow beyond what anybody could read or write whole. */
const largestPatched = 32 * 1024 * 1024

/** @throws Problem `too-large` · `patch.resource-too-large` */
function patchable(json: Buffer): Buffer {
  if (json.length <= largestPatched) return json
  throw new Problem('too-large', 'patch.resource-too-large', 'The resource is too large to be patched; update it.')
}

/** Whether a patch can be applied tells what is there. What stands is charged as if it had been sent. */
async function changedBy(change: Change, { type, id, json }: Stored, writer: Writer): Promise<Resource> {
  try {
    return await change(toResource(await parseSentJson(patchable(json))))
  } catch (error) {
    if (isProblem(error, 'unprocessable')) await writer.read(type, id)
    throw error
  }
}
