import { isId, printJson, type Resource, toInstant } from '#fhir'
import { Problem } from '#kernel'
import { granted } from '../perform.ts'
import type { FhirRequest, FhirResponse, ImportFaults, ImportView, PathParams, Rooms } from '../types.ts'
import { ndjson } from './file.ts'
import { checkMayImport } from './import-kick-off.ts'

/**
 * How far an import is, or what became of each of its files: as Microsoft's server tells it, with how many rows said what was there, are
 * of types that are not taken in, or wait for a person beside.
 *
 * Whoever asks may make the import go on, so that they need what it needs.
 *
 * @throws Problem `forbidden` · `scope.missing`; `not-found` · `import.unknown`, also for somebody else's; of an import that failed, why
 */
export async function importStatus(
  request: FhirRequest,
  { job = '' }: PathParams,
  rooms: Rooms,
): Promise<FhirResponse> {
  const { grant, baseUrl, renew } = granted(request)
  checkMayImport(grant)
  const view = isId(job) ? await rooms.imports.find(job, { grant, ...(renew && { renew }) }) : undefined
  if (view === undefined) throw importUnknown()
  return view.state === 'running' ? progressOf(view) : resultOf(job, view, baseUrl)
}

function progressOf({ progress, before }: Extract<ImportView, { state: 'running' }>): FhirResponse {
  const { files, people, peopleTaken, rows, rowsTaken } = progress
  const far = `${files} files here, ${peopleTaken} of ${people} patients, ${rowsTaken} of ${rows} rows`
  const told = before > 0 ? `${before} imports before it` : far
  return { status: 202, headers: { 'x-progress': told, 'retry-after': '1' } }
}

function resultOf(job: string, view: Extract<ImportView, { state: 'done' }>, baseUrl: string): FhirResponse {
  const { request, atMs, expiresAtMs, inputs } = view
  const output = inputs.map(({ type, url, counts }) => {
    const { taken, known, passed, waiting } = counts
    return { type, count: taken + known, inputUrl: url, known, passedOver: passed, waiting }
  })
  const error = inputs.flatMap(({ url, counts, faults }, at) => {
    if (faults === 0) return []
    const count = Math.max(faults, counts.waiting + counts.refused)
    return [{ type: 'OperationOutcome', count, inputUrl: url, url: `${baseUrl}/$import-file/${job}/${at}` }]
  })
  const result = { transactionTime: toInstant(atMs), request, requiresAccessToken: true, output, error }
  const headers = { 'content-type': 'application/json', expires: new Date(expiresAtMs).toUTCString() }
  return { status: 200, headers, body: printJson(result) }
}

/**
 * Ends an import that is under way, and forgets what became of it. What was taken in stays.
 *
 * @throws Problem `not-found` · `import.unknown`
 */
export async function importRemoval(
  request: FhirRequest,
  { job = '' }: PathParams,
  rooms: Rooms,
): Promise<FhirResponse> {
  if (!isId(job) || !(await rooms.imports.remove(job, granted(request).grant))) throw importUnknown()
  return { status: 202, headers: {} }
}

/**
 * Why rows of a file are not in.
 *
 * @throws Problem `forbidden` · `scope.missing`; `not-found` · `import.unknown`
 */
export async function importFaults(
  request: FhirRequest,
  { job = '', file: number = '' }: PathParams,
  rooms: Rooms,
): Promise<FhirResponse> {
  const { grant, method } = granted(request)
  checkMayImport(grant)
  const isNumber = /^\d{1,6}$/.test(number)
  const faults = isNumber && isId(job) ? await rooms.imports.faults(job, Number(number), grant) : undefined
  if (faults === undefined) throw importUnknown()
  return { status: 200, headers: { 'content-type': ndjson }, stream: method === 'HEAD' ? nothing() : lines(faults) }
}

async function* nothing(): AsyncGenerator<Buffer> {}

async function* lines(pieces: AsyncIterable<ImportFaults>): AsyncGenerator<Buffer> {
  for await (const { faults, unnamed } of pieces) {
    const outcomes = [...faults.map(outcomeOf), ...(unnamed > 0 ? [furtherOutcome(unnamed)] : [])]
    if (outcomes.length > 0) yield Buffer.from(outcomes.map(outcome => `${printJson(outcome)}\n`).join(''))
  }
}

function outcomeOf({ line, isWaiting, text, expression }: ImportFaults['faults'][number]): Resource {
  const diagnostics = line === 0 ? text : `Line ${line}: ${text}`
  const issue = {
    severity: isWaiting ? 'warning' : 'error',
    code: isWaiting ? 'incomplete' : 'processing',
    diagnostics,
    ...(expression === undefined ? {} : { expression: [expression] }),
  }
  return { resourceType: 'OperationOutcome', issue: [issue] }
}

function furtherOutcome(count: number): Resource {
  const diagnostics = `${count} more rows of all files are not in, and are not named.`
  return { resourceType: 'OperationOutcome', issue: [{ severity: 'error', code: 'processing', diagnostics }] }
}

/** The same words whether there is none or it is somebody else's. */
function importUnknown(): Problem {
  return new Problem('not-found', 'import.unknown', 'No such import is known.')
}
