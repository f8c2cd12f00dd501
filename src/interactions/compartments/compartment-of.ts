import { type Grant, permits, restrict } from '#access'
import { Problem } from '#kernel'
import { parseCriterion, type Query } from '#search'
import { granted } from '../perform.ts'
import { answerSearch, askingOf, type SearchPlan, searchParams, withTypes } from '../search/search.ts'
import type { FhirRequest, FhirResponse, GrantedRequest, PathParams, Rooms } from '../types.ts'
import { type CompartmentType, compartmentParameters } from './compartment-parameters.ts'

/** Whose compartment: `Encounter/23`. */
export interface CompartmentPlace {
  readonly type: CompartmentType
  readonly id: string
}

/**
 * Searches one type, or all that the grant may search, among what belongs to an Encounter, a Practitioner, a RelatedPerson or a
 * Device: a search by the parameters of its CompartmentDefinition, of which any may name it.
 *
 * @throws Problem `not-found` · `compartment.type-unknown` for a type that such a compartment cannot hold
 * @see https://hl7.org/fhir/R4/http.html#vsearch
 */
export function searchCompartmentOf(type: CompartmentType) {
  return async (request: FhirRequest, params: PathParams, rooms: Rooms): Promise<FhirResponse> => {
    const asked = granted(request)
    const { id = '', type: searched } = params
    if (searched !== undefined && !Object.hasOwn(compartmentParameters[type], searched)) throw unknownType()
    const given = await searchParams(asked)
    const place = { type, id }
    return answerSearch(asked, {
      type: searched,
      ...(searched === undefined ? withTypes(given, () => typesWithin(type, asked.grant)) : { params: given }),
      path: `${type}/${id}/${searched ?? '*'}`,
      ...withinCompartment(place, asked, rooms),
    })
  }
}

function unknownType(): Problem {
  return new Problem('not-found', 'compartment.type-unknown', 'Such a compartment holds no resources of that type.')
}

/** What a search in a compartment has, beside its parameters. */
export function withinCompartment(
  place: CompartmentPlace,
  asked: GrantedRequest,
  rooms: Rooms,
): Pick<SearchPlan, 'refine' | 'reader' | 'asking' | 'restrict'> {
  const { grant } = asked
  return {
    refine: query => narrowedTo(place, query),
    reader: rooms.record.reader(grant),
    asking: askingOf(asked, rooms),
    restrict: query => restrict(query, grant),
  }
}

/** Adds to the criteria of each type that one of the compartment's parameters names whose it is. */
function narrowedTo({ type, id }: CompartmentPlace, query: Query): Query {
  const criteriaByType = new Map(query.criteriaByType)
  for (const searched of query.types) {
    const names = compartmentParameters[type][searched]
    if (names === undefined) throw unknownType()
    const belongs = names.map(name => [
      name === '{def}'
        ? parseCriterion(searched, '_id', id, query.baseUrl)
        : parseCriterion(searched, name, `${type}/${id}`, query.baseUrl),
    ])
    criteriaByType.set(searched, [...(criteriaByType.get(searched) ?? []), { kind: 'any', anyOf: belongs }])
  }
  return { ...query, criteriaByType, criteria: criteriaByType.get(query.types[0] ?? '') ?? [] }
}

/** The types of a compartment that a grant may search. @throws Problem `forbidden` · `scope.missing` when there is none */
export function typesWithin(type: CompartmentType, grant: Grant): readonly string[] {
  const held = Object.keys(compartmentParameters[type])
  const types = held.filter(each => each !== 'AuditEvent' && permits(grant, 's', each))
  if (types.length > 0) return types
  throw new Problem('forbidden', 'scope.missing', 'This needs a scope that allows to search, such as patient/*.rs.')
}
