import { type Grant, permits, requirePermission } from '#access'
import { toInstant } from '#fhir'
import { Problem } from '#kernel'
import { operationParameters } from '../operations/parameters.ts'
import { granted } from '../perform.ts'
import { parseSince } from '../rest/history.ts'
import { answerSearch } from '../search/search.ts'
import type { FhirRequest, FhirResponse, PathParams, Rooms } from '../types.ts'
import { typesWithin, withinCompartment } from './compartment-of.ts'

/** The parameters of Encounter/$everything, in a URL or in Parameters. */
export const encounterEverythingParameters = ['_since', '_type', '_count', '_cursor'] as const

/**
 * All that belongs to one encounter and the grant may search, and what it refers to: the patient, practitioners, locations …
 *
 * @throws Problem `not-found` · `record.unknown` for an encounter that is not within reach; `forbidden` · `scope.missing`;
 *   `invalid` · `everything.type-unknown`
 * @see https://hl7.org/fhir/R4/encounter-operation-everything.html
 */
export async function everythingOfEncounter(
  request: FhirRequest,
  params: PathParams,
  rooms: Rooms,
): Promise<FhirResponse> {
  const asked = granted(request)
  const { id = '' } = params
  const given = await operationParameters(asked, encounterEverythingParameters)
  requirePermission(asked.grant, 'r', 'Encounter')
  await rooms.record.reader(asked.grant).read('Encounter', id)
  return answerSearch(asked, {
    type: undefined,
    params: given.has('_cursor') ? given : toSearch(given, asked.grant),
    path: `Encounter/${id}/$everything`,
    selfText: given.toString(),
    ...withinCompartment({ type: 'Encounter', id }, asked, rooms),
  })
}

function toSearch(given: URLSearchParams, grant: Grant): URLSearchParams {
  const params = new URLSearchParams({ _type: wantedTypes(given.getAll('_type'), grant).join(','), _include: '*' })
  const count = given.get('_count')
  if (count !== null) params.set('_count', count)
  const sinceMs = parseSince(given.get('_since'))
  if (sinceMs !== undefined) params.set('_lastUpdated', `ge${toInstant(sinceMs)}`)
  return params
}

/** Of the types that are asked for those that an encounter can hold; what they refer to comes along. */
function wantedTypes(texts: readonly string[], grant: Grant): readonly string[] {
  const within = typesWithin('Encounter', grant)
  const named = texts.flatMap(text => text.split(','))
  if (named.length === 0) return within
  const wanted = within.filter(type => named.includes(type))
  if (wanted.length > 0) return wanted
  if (named.some(type => permits(grant, 's', type)))
    throw new Problem('invalid', 'everything.type-unknown', '_type names nothing that belongs to an encounter.', {
      expression: '_type',
    })
  throw new Problem('forbidden', 'scope.missing', 'This needs a scope that allows to search a type that _type names.')
}
