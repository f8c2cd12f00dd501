import { isId, printJson, toInstant } from '#fhir'
import { Problem } from '#kernel'
import { granted } from '../perform.ts'
import type { ExportFile, ExportView, FhirRequest, FhirResponse, PathParams, Rooms } from '../types.ts'

/**
 * How far an export is, or its manifest.
 *
 * @throws Problem `not-found` · `export.unknown`, also for somebody else's; of an export that failed, why
 * @see https://hl7.org/fhir/uv/bulkdata/STU2/export.html#bulk-data-status-request
 */
export async function exportStatus(
  request: FhirRequest,
  { job = '' }: PathParams,
  rooms: Rooms,
): Promise<FhirResponse> {
  const { grant, baseUrl } = granted(request)
  const view = isId(job) ? await rooms.bulk.find(job, grant) : undefined
  if (view === undefined) throw exportUnknown()
  return view.state === 'running' ? progressOf(view) : manifestOf(job, view, baseUrl)
}

function progressOf({ found, before }: Extract<ExportView, { state: 'running' }>): FhirResponse {
  const told = before > 0 ? `${before} exports before it` : `${found} resources found`
  return { status: 202, headers: { 'x-progress': told, 'retry-after': '1' } }
}

function manifestOf(job: string, view: Extract<ExportView, { state: 'done' }>, baseUrl: string): FhirResponse {
  const { request, atMs, expiresAtMs, files } = view
  const of = (kind: ExportFile['kind']) =>
    [...files]
      .filter(([, file]) => file.kind === kind)
      .map(([number, { type, count }]) => ({ type, url: `${baseUrl}/$export-file/${job}/${number}`, count }))
  const manifest = {
    transactionTime: toInstant(atMs),
    request,
    requiresAccessToken: true,
    output: of('output'),
    deleted: of('deleted'),
    error: of('error'),
  }
  const headers = { 'content-type': 'application/json', expires: new Date(expiresAtMs).toUTCString() }
  return { status: 200, headers, body: printJson(manifest) }
}

/**
 * Ends an export that is under way, and removes what there is of it.
 *
 * @throws Problem `not-found` · `export.unknown`
 * @see https://hl7.org/fhir/uv/bulkdata/STU2/export.html#bulk-data-delete-request
 */
export async function exportRemoval(
  request: FhirRequest,
  { job = '' }: PathParams,
  rooms: Rooms,
): Promise<FhirResponse> {
  const { grant } = granted(request)
  if (!isId(job) || !(await rooms.bulk.remove(job, grant))) throw exportUnknown()
  return { status: 202, headers: {} }
}

/** The same words whether there is none or it is somebody else's. */
export function exportUnknown(): Problem {
  return new Problem('not-found', 'export.unknown', 'No such export is known.')
}
