import { restrict } from '#access'
import { type Json, parseJsonInSteps, parseSentJson, type Resource } from '#fhir'
import { giveWay, inSlices, type Steps } from '#kernel'
import { parseQuery } from '#search'
import { operationParameters, partsOf } from '../operations/parameters.ts'
import { patchIn, requireSight } from '../patch/patch.ts'
import { granted } from '../perform.ts'
import { Judging } from '../profiles/judging.ts'
import { readResource } from '../rest/body.ts'
import { matchOption } from '../rest/etag.ts'
import { searchableTypes } from '../search/compartment.ts'
import type { FhirRequest, FhirResponse, PathParams, Rooms } from '../types.ts'
import { Collected, type Labels, labelsOf, malformedMeta, withLabels, withoutLabels } from './labels.ts'

type Node = { readonly [element: string]: unknown }

/**
 * The profiles, security labels and tags that are in use, of all types or of one, within what the grant may search.
 *
 * @throws Problem `forbidden` · `scope.missing`; `too-costly` where more is within reach than one request may look at
 * @see https://hl7.org/fhir/R4/resource-operation-meta.html
 */
export async function metaInUse(request: FhirRequest, params: PathParams, rooms: Rooms): Promise<FhirResponse> {
  await operationParameters(request, [])
  const { grant, baseUrl } = granted(request)
  const types = params.type === undefined ? searchableTypes(grant) : [params.type]
  const asked = new URLSearchParams({ _type: types.join(), _filter: labelled, _count: '1000' })
  const query = restrict(parseQuery(undefined, asked, { baseUrl }), grant)
  const reader = rooms.record.reader(grant)
  const collected = new Collected()
  let cursor: string | undefined
  do {
    const page = await reader.search(query, cursor)
    for (const { json } of page.matches) {
      collected.add(metaIn(await parseSentJson(json)))
      const pause = giveWay()
      if (pause !== undefined) await pause
    }
    cursor = page.next
  } while (cursor !== undefined)
  return answer(collected.meta())
}

/** What has none of these need not be opened. */
const labelled = '_profile pr true or _security pr true or _tag pr true'

/** The `meta` of the current version, whole. @see https://hl7.org/fhir/R4/resource-operation-meta.html */
export async function metaOfOne(request: FhirRequest, params: PathParams, rooms: Rooms): Promise<FhirResponse> {
  await operationParameters(request, [])
  const { type = '', id = '', vid } = params
  const reader = rooms.record.reader(granted(request).grant)
  const { json } = vid === undefined ? await reader.read(type, id) : await reader.vread(type, id, vid)
  return answer(metaIn(await inSlices(parseJsonInSteps(json))))
}

/**
 * Adds profiles, security labels and tags: an update like any other, which makes a version and must be allowed on the resource as it
 * was and as it will be.
 *
 * @throws Problem as a patch; `invalid` · `meta.malformed`
 * @see https://hl7.org/fhir/R4/resource-operation-meta-add.html
 */
export async function addMeta(request: FhirRequest, params: PathParams, rooms: Rooms): Promise<FhirResponse> {
  return change(request, params, rooms, withLabels)
}

/** Takes them away again. @see https://hl7.org/fhir/R4/resource-operation-meta-delete.html */
export async function deleteMeta(request: FhirRequest, params: PathParams, rooms: Rooms): Promise<FhirResponse> {
  return change(request, params, rooms, withoutLabels)
}

async function change(
  request: FhirRequest,
  params: PathParams,
  rooms: Rooms,
  by: (meta: Node, labels: Labels) => Steps<Node>,
): Promise<FhirResponse> {
  const { type = '', id = '' } = params
  const asking = granted(request)
  const { grant } = asking
  requireSight(grant, type)
  const labels = sentLabels(await readResource(request, 'Parameters'))
  const writer = rooms.record.writer(grant)
  const asked = { type, id, ...matchOption(request), change: async (one: Resource) => withMeta(one, by, labels) }
  const judging = new Judging(asking, rooms)
  const { json } = await writer.transact(txn => patchIn(txn, asked, writer, judging))
  return answer(metaIn(await inSlices(parseJsonInSteps(json))))
}

async function withMeta(
  resource: Resource,
  by: (meta: Node, labels: Labels) => Steps<Node>,
  labels: Labels,
): Promise<Resource> {
  return { ...resource, meta: await inSlices(by((resource.meta ?? {}) as Node, labels)) }
}

/** @throws Problem `invalid` · `meta.malformed` */
function sentLabels(parameters: Resource): Labels {
  const [part, ...more] = partsOf(parameters)
  if (part?.name !== 'meta' || more.length > 0) throw malformedMeta('Parameters.parameter')
  return labelsOf(part.valueMeta)
}

function metaIn(resource: Json): Node {
  const { meta = {} } = resource as { readonly meta?: Node }
  return meta
}

function answer(meta: Node): FhirResponse {
  // A value that says nothing is none, and a parameter has one: https://hl7.org/fhir/R4/json.html, inv-1
  const parameter = [{ name: 'return', valueMeta: meta }]
  const isEmpty = Object.keys(meta).length === 0
  return { status: 200, headers: {}, body: { resourceType: 'Parameters', ...(isEmpty ? {} : { parameter }) } }
}
