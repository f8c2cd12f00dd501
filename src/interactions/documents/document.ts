import { requirePermission } from '#access'
import { parseReference, type Resource } from '#fhir'
import { Problem } from '#kernel'
import { operationParameters } from '../operations/parameters.ts'
import { granted } from '../perform.ts'
import { Judging } from '../profiles/judging.ts'
import { versionUrl } from '../rest/stored-response.ts'
import { checkWritable } from '../rest/writable.ts'
import type { FhirRequest, FhirResponse, PathParams, Rooms } from '../types.ts'
import { makeDocument } from './make-document.ts'

/** The parameters of $document where the path names the Composition. */
export const documentParameters = ['persist', 'graph'] as const

/** Those where it does not. */
export const namedDocumentParameters = ['id', ...documentParameters] as const

/**
 * The document of the Composition that the path names; with `persist` it is kept as a Bundle, too.
 *
 * @throws Problem as `makeDocument`; with `persist` as a create of a Bundle; `unsupported` · `document.graph-unsupported`;
 *   `invalid` · `request.boolean-malformed`
 * @see https://hl7.org/fhir/R4/composition-operation-document.html
 */
export async function documentOfOne(request: FhirRequest, params: PathParams, rooms: Rooms): Promise<FhirResponse> {
  return answer(request, params.id ?? '', await operationParameters(request, documentParameters), rooms)
}

/**
 * The same where a parameter names the Composition, by its id or its URL here.
 *
 * @throws Problem as `documentOfOne`; `invalid` · `document.id-missing`; `unsupported` · `document.elsewhere`
 */
export async function documentByName(request: FhirRequest, _params: PathParams, rooms: Rooms): Promise<FhirResponse> {
  const asked = await operationParameters(request, namedDocumentParameters)
  return answer(request, idIn(asked, request.baseUrl), asked, rooms)
}

async function answer(request: FhirRequest, id: string, asked: URLSearchParams, rooms: Rooms): Promise<FhirResponse> {
  const { grant, baseUrl } = granted(request)
  if (asked.has('graph'))
    throw new Problem('unsupported', 'document.graph-unsupported', 'Documents are made by what FHIR says alone.', {
      expression: 'graph',
    })
  // Whoever asks for headers alone keeps nothing.
  const persists = isTrue(asked.get('persist')) && request.method !== 'HEAD'
  if (persists) requirePermission(grant, 'c', 'Bundle')
  const { record, clock, limits } = rooms
  const reader = record.reader(grant)
  const asking = { grant, reader, baseUrl, nowMs: clock.nowMs(), mostEntries: limits.bundleEntries }
  const document = await makeDocument(id, asking)
  return persists ? keep(document, request, rooms) : { status: 200, headers: {}, body: document }
}

async function keep(document: Resource, request: FhirRequest, rooms: Rooms): Promise<FhirResponse> {
  const asking = granted(request)
  const { grant, baseUrl } = asking
  await checkWritable(document, new Judging(asking, rooms))
  const stored = await rooms.record.writer(grant).transact(txn => txn.create(document))
  return { status: 200, headers: { location: versionUrl(baseUrl, stored) }, body: stored.json }
}

/** @throws Problem `invalid` · `document.id-missing`; `unsupported` · `document.elsewhere` */
function idIn(asked: URLSearchParams, baseUrl: string): string {
  const text = asked.get('id')
  if (text === null || text === '')
    throw new Problem('invalid', 'document.id-missing', 'Say by id of which Composition the document is wanted.', {
      expression: 'id',
    })
  if (!text.includes('/')) return text
  const { kind, type, id = '', version } = parseReference(text, baseUrl)
  if (kind === 'local' && type === 'Composition' && version === undefined) return id
  throw new Problem('unsupported', 'document.elsewhere', 'Documents are made of Compositions of this server alone.', {
    expression: 'id',
  })
}

/** @throws Problem `invalid` · `request.boolean-malformed` */
function isTrue(text: string | null): boolean {
  if (text === null || text === 'false') return false
  if (text === 'true') return true
  throw new Problem('invalid', 'request.boolean-malformed', 'persist is true or false.', { expression: 'persist' })
}
