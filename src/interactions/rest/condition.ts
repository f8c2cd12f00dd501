import { type Grant, restrict } from '#access'
import { Problem } from '#kernel'
import type { Txn } from '#record'
import { parseQuery } from '#search'

/** A resource that a condition found. */
export interface Found {
  readonly type: string
  readonly id: string
  readonly version: number
}

/** What a conditional interaction is judged by: search parameters of one type, and on whose behalf. */
export interface Condition {
  readonly type: string
  /** Search parameters as in a URL, without `?`. */
  readonly criteria: string
  readonly grant: Grant
  readonly baseUrl: string
}

/**
 * The one resource that a condition finds within reach, or undefined when there is none.
 *
 * @throws Problem `ambiguous` · `condition.matches-several`; `invalid` · `condition.empty` and what the search parser
 *   throws; `forbidden` · `scope.missing` without the right to search the type
 * @see https://hl7.org/fhir/R4/http.html#ccreate
 */
export async function findOne(txn: Pick<Txn, 'find'>, condition: Condition): Promise<Found | undefined> {
  const { type, criteria, grant, baseUrl } = condition
  const query = parseQuery(type, new URLSearchParams(criteria), { baseUrl })
  if (query.criteria.length === 0)
    throw new Problem('invalid', 'condition.empty', 'A conditional interaction needs at least one search parameter.')
  const found = await txn.find(restrict(query, grant), 2)
  if (found.length > 1)
    throw new Problem('ambiguous', 'condition.matches-several', 'More than one resource matches the condition.')
  return found[0]
}

/** The criteria of an If-None-Exist header: `identifier=…`, or the same behind `Type?`. */
export function parseIfNoneExist(header: string | undefined): string | undefined {
  return header?.replace(/^[A-Za-z]*\?/, '')
}

/** The criteria of a conditional URL, without the parameters that only shape the answer. */
export function criteriaOf(query: URLSearchParams): string {
  const criteria = new URLSearchParams(query)
  for (const name of ['_format', '_pretty']) criteria.delete(name)
  return criteria.toString()
}
