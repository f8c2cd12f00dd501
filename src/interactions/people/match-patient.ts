import { requirePermission } from '#access'
import { type BundleEntry, bundle, type Json, parseStored, type Resource, toResource } from '#fhir'
import { giveWay, isProblem, Problem, spend } from '#kernel'
import type { Stored } from '#record'
import { type Part, partsOf, plainValue } from '../operations/parameters.ts'
import { granted } from '../perform.ts'
import { readResource } from '../rest/body.ts'
import type { FhirRequest, FhirResponse, PathParams, Rooms } from '../types.ts'

/** The parameters of $match beside the Patient, in a URL or in Parameters. */
export const matchParameters = ['onlyCertainMatches', 'count'] as const

const matchGrade = 'http://hl7.org/fhir/StructureDefinition/match-grade'

/** More are no help to whoever looks for one. */
const mostMatches = 100

interface Question {
  readonly patient: Resource
  readonly isCertain: boolean
  readonly count: number
}

/**
 * Who a description is about, among the patients within reach: a searchset, the likeliest first, each with a score and a grade.
 *
 * @throws Problem as `PeoplePort.match`; `invalid` · `match.patient-missing`, `match.parameter-unknown`,
 *   `match.count-malformed`, `request.boolean-malformed`
 * @see https://hl7.org/fhir/R4/patient-operation-match.html
 */
export async function matchPatient(request: FhirRequest, _params: PathParams, rooms: Rooms): Promise<FhirResponse> {
  const { grant, baseUrl } = granted(request)
  for (const verb of ['s', 'r'] as const) requirePermission(grant, verb, 'Patient')
  const { patient, isCertain, count } = await questionOf(request)
  const found = await rooms.people.match({ grant, patient })
  const wanted = found.filter(({ grade }) => !isCertain || grade === 'certain').slice(0, count)
  const reader = rooms.record.reader(grant)
  const entries: BundleEntry[] = []
  for (const { id, grade, score } of wanted) {
    const stored = await unlessGone(() => reader.read('Patient', id))
    if (stored === undefined) continue
    spend('answered', stored.json.length)
    const extension = [{ url: matchGrade, valueCode: grade }]
    const search = { extension, mode: 'match', score }
    entries.push({ fullUrl: `${baseUrl}/Patient/${id}`, resource: await parseStored(stored.json), search })
    await giveWay()
  }
  return { status: 200, headers: {}, body: bundle('searchset', entries, { total: entries.length }) }
}

/** Whoever went between the two looks is nobody whom it is about. */
async function unlessGone(read: () => Promise<Stored>): Promise<Stored | undefined> {
  try {
    return await read()
  } catch (error) {
    if (isProblem(error, 'not-found') || isProblem(error, 'gone')) return undefined
    throw error
  }
}

/** By Parameters, or by the Patient itself: https://hl7.org/fhir/R4/operations.html#request */
async function questionOf(request: FhirRequest): Promise<Question> {
  const body = await readResource(request)
  const parts = body.resourceType === 'Parameters' ? partsOf(body) : [{ name: 'resource', resource: body }]
  const asked = new URLSearchParams(request.query)
  for (const part of parts) if (part.name !== 'resource') asked.append(...plainValue(known(part)))
  return {
    patient: patientIn(parts),
    isCertain: isTrue(asked.get('onlyCertainMatches')),
    count: countOf(asked.get('count')),
  }
}

/** @throws Problem `invalid` · `match.parameter-unknown` */
function known(part: Part): Part {
  if (matchParameters.some(name => name === part.name)) return part
  throw new Problem('invalid', 'match.parameter-unknown', 'A parameter is none that $match knows.', {
    expression: 'Parameters.parameter',
  })
}

/** @throws Problem `invalid` · `match.patient-missing` */
function patientIn(parts: readonly Part[]): Resource {
  const [resource, ...more] = parts.filter(({ name }) => name === 'resource').map(part => part.resource)
  if (isObject(resource) && resource.resourceType === 'Patient' && more.length === 0) return toResource(resource)
  throw new Problem('invalid', 'match.patient-missing', '$match needs one parameter resource, a Patient.', {
    expression: 'Parameters.parameter',
  })
}

/** @throws Problem `invalid` · `request.boolean-malformed` */
function isTrue(text: string | null): boolean {
  if (text === null || text === 'false') return false
  if (text === 'true') return true
  throw new Problem('invalid', 'request.boolean-malformed', 'onlyCertainMatches is true or false.', {
    expression: 'onlyCertainMatches',
  })
}

/** @throws Problem `invalid` · `match.count-malformed` */
function countOf(text: string | null): number {
  if (text === null) return mostMatches
  if (/^[1-9]\d{0,8}$/.test(text)) return Math.min(Number(text), mostMatches)
  throw new Problem('invalid', 'match.count-malformed', 'count is a whole number above 0.', { expression: 'count' })
}

function isObject(value: unknown): value is { readonly [name: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
