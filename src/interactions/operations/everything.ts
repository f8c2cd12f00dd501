import { type Grant, permits } from '#access'
import { isResourceType, toInstant } from '#fhir'
import { Problem } from '#kernel'
import { granted } from '../perform.ts'
import { parseSince } from '../rest/history.ts'
import { narrowToPatient, restrictToCompartments, searchableTypes } from '../search/compartment.ts'
import { answerSearch } from '../search/search.ts'
import type { FhirRequest, FhirResponse, PathParams, Rooms } from '../types.ts'
import { withinCareDates } from './care-dates.ts'
import { operationParameters } from './parameters.ts'

/**
 * All that one patient's compartment holds and the grant may search, and what it refers to in the commons.
 *
 * @throws Problem `not-found` · `record.unknown` for a patient that is not within reach
 * @see https://hl7.org/fhir/R4/patient-operation-everything.html
 */
export async function everythingOfOne(request: FhirRequest, params: PathParams, rooms: Rooms): Promise<FhirResponse> {
  const { id = '' } = params
  const grant = await narrowToPatient(granted(request).grant, id, rooms.record)
  return everything(request, `Patient/${id}/$everything`, grant, rooms)
}

/** The same for every patient within reach; for a token of one patient that is this one. */
export async function everythingOfAll(request: FhirRequest, _params: PathParams, rooms: Rooms): Promise<FhirResponse> {
  return everything(request, 'Patient/$everything', granted(request).grant, rooms)
}

/** The parameters of $everything, in a URL or in Parameters. */
export const everythingParameters = ['start', 'end', '_since', '_type', '_count', '_cursor'] as const

async function everything(request: FhirRequest, path: string, grant: Grant, rooms: Rooms): Promise<FhirResponse> {
  const asked = await operationParameters(request, everythingParameters)
  return answerSearch(request, {
    type: undefined,
    params: asked.has('_cursor') ? asked : toSearch(asked, grant),
    path,
    selfText: asked.toString(),
    refine: (query, params) => withinCareDates(query, { start: params.get('start'), end: params.get('end') }),
    refinedBy: ['start', 'end'],
    // What lies in a compartment is a match on some page; each page brings what it refers to outside.
    keepIncluded: ({ type, holder }, query) => holder.kind !== 'patient' && query.types.includes(type),
    reader: rooms.record.reader(grant),
    restrict: query => restrictToCompartments(query, grant),
  })
}

function toSearch(asked: URLSearchParams, grant: Grant): URLSearchParams {
  const params = new URLSearchParams({ _type: wantedTypes(asked.getAll('_type'), grant).join(','), _include: '*' })
  for (const name of ['_count', 'start', 'end']) {
    const value = asked.get(name)
    if (value !== null) params.set(name, value)
  }
  const sinceMs = parseSince(asked.get('_since'))
  if (sinceMs !== undefined) params.set('_lastUpdated', `ge${toInstant(sinceMs)}`)
  return params
}

/** @throws Problem `invalid` · `everything.type-unknown` */
function wantedTypes(texts: readonly string[], grant: Grant): readonly string[] {
  if (texts.length === 0) return searchableTypes(grant)
  const named = texts.flatMap(text => text.split(','))
  if (!named.every(isResourceType))
    throw new Problem('invalid', 'everything.type-unknown', '_type must name resource types of FHIR R4.', {
      expression: '_type',
    })
  const wanted = [...new Set(named)].filter(type => permits(grant, 's', type))
  if (wanted.length > 0) return wanted
  throw new Problem('forbidden', 'scope.missing', 'This needs a scope that allows to search a type that _type names.')
}
