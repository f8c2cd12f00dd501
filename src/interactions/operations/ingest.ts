import { type Grant, requirePermission } from '#access'
import { isId, problemTable } from '#fhir'
import { Problem } from '#kernel'
import { granted } from '../perform.ts'
import { parsePrefer } from '../rest/prefer.ts'
import { narrowToPatient } from '../search/compartment.ts'
import type { FhirRequest, FhirResponse, Job, PathParams, Rooms } from '../types.ts'

/**
 * Imports a file for one patient: the body is the file, its format is recognised. What the file says about other people
 * never leaves that patient's record; a file that is about somebody else by name, birth date, sex or number is refused, unless
 * `force=true`.
 *
 * @throws Problem `forbidden` · `scope.missing` without the right to create; `not-found` · `record.unknown` for a patient
 *   that is not within reach
 */
export async function ingest(request: FhirRequest, params: PathParams, rooms: Rooms): Promise<FhirResponse> {
  const { id: patient = '' } = params
  const asked = granted(request)
  checkMayImport(asked.grant)
  const grant = await narrowToPatient(asked.grant, patient, rooms.record)
  const source = request.query.get('source')
  const force = isForced(request.query.get('force'))
  const isAwaited = !parsePrefer(request).respondAsync
  const job = await rooms.ingest.start({
    grant,
    among: asked.grant,
    patient,
    body: request.stream(),
    force,
    ...(source === null ? {} : { source }),
    ...attended(request, asked.grant, grant, async renewed => narrowToPatient(renewed, patient, rooms.record)),
    isAwaited,
  })
  if (!isAwaited) return { status: 202, headers: { 'content-location': `${request.baseUrl}/$job/${job.id}` } }
  await job.done
  const ended = (await rooms.ingest.job(job.id, grant)) ?? job
  return passingOf(job.problem, ended) ?? reportOf(ended)
}

/**
 * The report of an import that broke off for what is no fault of the file, under the status of that: whoever waited for it may send the
 * file again. Who polls is told 422, since for them 503 means to ask again: https://hl7.org/fhir/R4/async.html#3.1.6.4
 */
function passingOf(problem: Problem | undefined, { report }: Job): FhirResponse | undefined {
  if (problem === undefined) return undefined
  const { httpStatus } = problemTable[problem.kind]
  if (httpStatus < 500) return undefined
  if (report === undefined) throw problem
  const { retryAfterSeconds } = problem
  const headers = retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }
  return { status: httpStatus, headers, body: report }
}

/** What lets a long import see that who began it left, or may do it no more. */
function attended(
  { renew, gone }: FhirRequest,
  began: Grant,
  narrowed: Grant,
  narrow: (grant: Grant) => Promise<Grant>,
): { renew?(): Promise<Grant>; gone?: AbortSignal } {
  const again = async (renew: () => Promise<Grant>) => {
    const grant = await renew()
    return grant === began ? narrowed : narrow(grant)
  }
  return {
    ...(renew === undefined ? {} : { renew: () => again(renew) }),
    ...(gone === undefined ? {} : { gone: gone() }),
  }
}

/** @throws Problem `invalid` · `request.boolean-malformed` */
function isForced(text: string | null): boolean {
  if (text === null || text === 'false') return false
  if (text === 'true') return true
  throw new Problem('invalid', 'request.boolean-malformed', 'The parameter is true or false.', { expression: 'force' })
}

/** Importing makes resources of many types; Observations are among them whatever the source. */
function checkMayImport(grant: Grant): void {
  requirePermission(grant, 'c', 'Observation')
}

/** @throws Problem `not-found` · `job.unknown`, also for a job that belongs to somebody else */
export async function pollJob(
  request: FhirRequest,
  params: PathParams,
  { ingest: port }: Rooms,
): Promise<FhirResponse> {
  const { job: id = '' } = params
  const job = isId(id) ? await port.job(id, granted(request).grant) : undefined
  if (job === undefined) throw new Problem('not-found', 'job.unknown', 'No such job is known.')
  return job.state === 'running' ? progressOf(job) : reportOf(job)
}

function progressOf({ progress }: Job): FhirResponse {
  const { bytesRead, rows, before = 0 } = progress
  const told = `${bytesRead} bytes, ${rows} rows${before === 0 ? '' : `, ${before} imports before it`}`
  return { status: 202, headers: { 'x-progress': told, 'retry-after': '1' } }
}

function reportOf(job: Job): FhirResponse {
  const status = job.state === 'failed' ? 422 : 200
  return { status, headers: {}, ...(job.report === undefined ? {} : { body: job.report }) }
}
