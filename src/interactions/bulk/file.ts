import { requirePermission } from '#access'
import { isId, printJson } from '#fhir'
import { giveWay } from '#kernel'
import { granted } from '../perform.ts'
import { streamed } from '../rest/streamed.ts'
import { subsetting, toSubset } from '../rest/subset.ts'
import type { ExportLines, FhirRequest, FhirResponse, PathParams, Rooms } from '../types.ts'
import { exportUnknown } from './status.ts'

/** Media type of exported files. */
export const ndjson = 'application/fhir+ndjson'

/**
 * One file of an export, a resource in each line, as fast as it is taken.
 *
 * @throws Problem `not-found` · `export.unknown`; `forbidden` · `scope.missing` when its type may not be searched any more
 * @see https://hl7.org/fhir/uv/bulkdata/STU2/export.html#bulk-data-output-file-request
 */
export async function exportFile(
  request: FhirRequest,
  { job = '', file: number = '' }: PathParams,
  rooms: Rooms,
): Promise<FhirResponse> {
  const asking = granted(request)
  const isNumber = /^\d{1,6}$/.test(number)
  const file = isNumber && isId(job) ? await rooms.bulk.file(job, Number(number), asking) : undefined
  if (file === undefined) throw exportUnknown()
  if (file.kind === 'output') requirePermission(asking.grant, 's', file.type)
  const headers = { 'content-type': ndjson }
  if (asking.method === 'HEAD') return { status: 200, headers, stream: nothing() }
  const subset = toSubset(undefined, file.elements)
  const shown = subset === undefined ? async (json: Buffer) => json : subsetting(subset)
  return { status: 200, headers, stream: await streamed(() => text(file.lines(), shown)) }
}

async function* nothing(): AsyncGenerator<Buffer> {}

const newline = Buffer.from('\n')
const writtenAtOnce = 64 * 1024

/** Lines joined to pieces that are worth a write. */
async function* text(
  lines: AsyncIterable<ExportLines>,
  shown: (json: Buffer) => Promise<Buffer>,
): AsyncGenerator<Buffer> {
  for await (const some of lines) {
    let pieces: Buffer[] = []
    let bytes = 0
    for (const line of some) {
      const json = await lineOf(line, shown)
      pieces.push(json, newline)
      bytes += json.length + newline.length
      const pause = giveWay()
      if (pause !== undefined) await pause
      if (bytes < writtenAtOnce) continue
      yield Buffer.concat(pieces, bytes)
      pieces = []
      bytes = 0
    }
    if (bytes > 0) yield Buffer.concat(pieces, bytes)
  }
}

async function lineOf(line: ExportLines[number], shown: (json: Buffer) => Promise<Buffer>): Promise<Buffer> {
  if ('stored' in line) return shown(line.stored)
  return Buffer.from(printJson('deleted' in line ? deletionOf(line.deleted) : line.outcome))
}

/** @see https://hl7.org/fhir/uv/bulkdata/STU2/export.html#response---complete-status – deleted */
function deletionOf(url: string): object {
  return { resourceType: 'Bundle', type: 'transaction', entry: [{ request: { method: 'DELETE', url } }] }
}
