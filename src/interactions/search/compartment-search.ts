import { granted } from '../perform.ts'
import type { FhirRequest, FhirResponse, PathParams, Rooms } from '../types.ts'
import { narrowToPatient, restrictToCompartments, searchableTypes } from './compartment.ts'
import { answerSearch, askingOf, searchParams, withTypes } from './search.ts'

/**
 * Searches one type, or all that the grant may search, in one patient's compartment.
 *
 * @throws Problem `not-found` · `record.unknown` for a patient that is not within reach
 * @see https://hl7.org/fhir/R4/http.html#vsearch
 */
export async function searchCompartment(request: FhirRequest, params: PathParams, rooms: Rooms): Promise<FhirResponse> {
  const { id = '', type } = params
  const asked = granted(request)
  const grant = await narrowToPatient(asked.grant, id, rooms.record)
  const given = await searchParams(asked)
  return answerSearch(asked, {
    type,
    ...(type === undefined ? withTypes(given, () => searchableTypes(grant)) : { params: given }),
    within: true,
    path: `Patient/${id}/${type ?? '*'}`,
    reader: rooms.record.reader(grant),
    asking: askingOf(asked, rooms),
    restrict: query => restrictToCompartments(query, grant),
  })
}
