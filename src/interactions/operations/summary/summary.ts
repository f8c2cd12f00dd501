import { type Grant, patientsInReach, restrict } from '#access'
import { parseResource, parseStored, type Resource } from '#fhir'
import { Problem } from '#kernel'
import { parseQuery } from '#search'
import { granted } from '../../perform.ts'
import { narrowToPatient } from '../../search/compartment.ts'
import type { FhirRequest, FhirResponse, PathParams, Rooms } from '../../types.ts'
import { operationParameters } from '../parameters.ts'
import { documentOf } from './document.ts'
import { gather } from './gather.ts'

/** The parameters of $summary, in a URL or in Parameters. */
export const summaryParameters = ['identifier', 'profile', 'graph'] as const

const profile = 'http://hl7.org/fhir/uv/ips/StructureDefinition/Bundle-uv-ips'

/**
 * What a doctor who has never seen the patient needs to know, as a document of the International Patient Summary: made of what the
 * grant may read and search, and of nothing else.
 *
 * @throws Problem `not-found` · `record.unknown` for a patient that is not within reach; `unsupported` · `summary.profile-unknown`
 * @see https://hl7.org/fhir/uv/ips/STU1.1/OperationDefinition-summary.html
 */
export async function summaryOfOne(request: FhirRequest, params: PathParams, rooms: Rooms): Promise<FhirResponse> {
  await askedParameters(request)
  return answer(request, params.id ?? '', rooms)
}

/**
 * The same for the one Patient with an identifier, `system|value`; without one for the only patient within reach.
 *
 * @throws Problem as `summaryOfOne`; `invalid` · `summary.identifier-missing`; `unprocessable` · `summary.patient-unclear`
 */
export async function summaryByIdentifier(
  request: FhirRequest,
  _params: PathParams,
  rooms: Rooms,
): Promise<FhirResponse> {
  const asked = await askedParameters(request)
  const identifier = asked.get('identifier')
  const { grant } = granted(request)
  const id = identifier === null ? onlyPatient(grant) : await patientWith(identifier, request, rooms)
  return answer(request, id, rooms)
}

async function askedParameters(request: FhirRequest): Promise<URLSearchParams> {
  const asked = await operationParameters(request, summaryParameters)
  const [wanted] = (asked.get('profile') ?? profile).split('|')
  if (wanted === profile && !asked.has('graph')) return asked
  throw new Problem(
    'unsupported',
    'summary.profile-unknown',
    'Summaries are made by the profile Bundle-uv-ips alone.',
    {
      expression: asked.has('graph') ? 'graph' : 'profile',
    },
  )
}

async function answer(request: FhirRequest, id: string, rooms: Rooms): Promise<FhirResponse> {
  const { baseUrl } = request
  const grant = await narrowToPatient(granted(request).grant, id, rooms.record)
  const reader = rooms.record.reader(grant)
  const patient = await parseStored((await reader.read('Patient', id)).json)
  const gathered = await gather({ patient: id, grant, reader, baseUrl })
  const { software, clock } = rooms
  const body = documentOf({ ...gathered, patient, baseUrl, software, nowMs: clock.nowMs() })
  return { status: 200, headers: {}, body }
}

/** @throws Problem `invalid` · `summary.identifier-missing` */
function onlyPatient(grant: Grant): string {
  const reached = patientsInReach(grant)
  const [only, ...more] = reached === 'all' ? [] : reached
  if (only !== undefined && more.length === 0) return only
  throw new Problem('invalid', 'summary.identifier-missing', 'Say by the identifier whose summary is wanted.', {
    expression: 'identifier',
  })
}

/** @throws Problem `not-found` · `record.unknown`; `unprocessable` · `summary.patient-unclear` */
async function patientWith(identifier: string, request: FhirRequest, rooms: Rooms): Promise<string> {
  const { grant } = granted(request)
  const params = new URLSearchParams({ identifier, _count: '10' })
  const query = parseQuery('Patient', params, { baseUrl: request.baseUrl })
  const { matches } = await rooms.record.reader(grant).search(restrict(query, grant))
  const [found, ...more] = matches.map(({ json }) => parseResource(json)).filter(patient => !isReplaced(patient))
  if (found?.id === undefined) throw new Problem('not-found', 'record.unknown', 'No such resource is known.')
  if (more.length === 0) return found.id
  throw new Problem('unprocessable', 'summary.patient-unclear', 'Several Patients have that identifier.', {
    expression: 'identifier',
  })
}

/** Whoever was merged into another Patient is asked for by that one. */
function isReplaced({ link }: Resource): boolean {
  return Array.isArray(link) && link.some(each => (each as { type?: unknown } | null)?.type === 'replaced-by')
}
