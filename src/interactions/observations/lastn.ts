import { Problem } from '#kernel'
import { type Query, searchParameter } from '#search'
import { plainParameters } from '../operations/parameters.ts'
import { granted } from '../perform.ts'
import { answerSearch, onBehalfOf } from '../search/search.ts'
import type { FhirRequest, FhirResponse, PathParams, Rooms } from '../types.ts'

/**
 * The latest observations of each code: of a patient, in a category or with codes, by whatever else narrows a search.
 *
 * @throws Problem `invalid` · `lastn.max-malformed`, `lastn.subject-missing`, `lastn.code-missing` and what a search throws
 * @see https://hl7.org/fhir/R4/observation-operation-lastn.html
 */
export async function lastObservations(request: FhirRequest, _params: PathParams, rooms: Rooms): Promise<FhirResponse> {
  const asked = granted(request)
  const given = await plainParameters(asked)
  const isFirst = !given.has('_cursor')
  if (isFirst) checkAsked(given)
  if (isFirst && !given.has('_sort')) given.append('_sort', '-date')
  return answerSearch(asked, {
    type: 'Observation',
    params: given,
    path: 'Observation/$lastn',
    refine: (query, params) => latestOf(query, params.get('max')),
    refinedBy: ['max'],
    ...onBehalfOf(asked, rooms),
  })
}

function latestOf(query: Query, max: string | null): Query {
  const text = new URLSearchParams(query.text)
  if (max !== null) text.set('max', max)
  return { ...query, latest: Number(max ?? '1'), text: text.toString() }
}

const subjects: ReadonlySet<string> = new Set(['patient', 'subject'])

/** Parameters that say which observations are meant: by category, or by any expression with a code in it. */
function namesCode(name: string): boolean {
  const { expression = '', component = [] } = searchParameter('Observation', name) ?? {}
  const isCoded = /\bObservation(?:\.component)?\.(?:code|category)\b/.test(expression)
  return isCoded || component.some(each => /^code$|\.code\b/.test(each.expression))
}

/** @throws Problem `invalid` · `lastn.max-malformed`, `lastn.subject-missing`, `lastn.code-missing` */
function checkAsked(given: URLSearchParams): void {
  const max = given.getAll('max')
  if (max.length > 1 || !max.every(each => /^[1-9][0-9]{0,5}$/.test(each)))
    throw new Problem('invalid', 'lastn.max-malformed', 'max is a positive whole number, given once.', {
      expression: 'max',
    })
  const names = [...given.keys()].map(name => name.replace(/[:.].*$/, ''))
  if (!names.some(name => subjects.has(name)))
    throw new Problem('invalid', 'lastn.subject-missing', '$lastn needs a patient or a subject.', {
      expression: 'patient',
    })
  if (!names.some(namesCode))
    throw new Problem('invalid', 'lastn.code-missing', '$lastn needs a category, or a parameter with a code.', {
      expression: 'category',
    })
}
