import { homeInReach, restrict } from '#access'
import { parseStored, type Resource } from '#fhir'
import { Problem } from '#kernel'
import { numberOf, type Txn } from '#record'
import { type Criterion, leadsElsewhere, matches, singleCriteria } from '#search'
import { parseAsked } from '../search/parse-asked.ts'
import { askingOf } from '../search/search.ts'
import type { GrantedRequest, Rooms } from '../types.ts'
import { subsetNames } from './answered-subset.ts'

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
  readonly asked: GrantedRequest
  readonly rooms: Rooms
}

/**
 * The one resource that a condition finds within reach, or undefined when there is none. What its modifiers mean is looked up before:
 * a value set that changes meanwhile changes nothing, as if it had been changed after.
 *
 * @throws Problem `ambiguous` · `condition.matches-several`; `precondition` · `condition.number-unvouched` when a Patient is found on the
 *   word of an account alone; `invalid` · `condition.empty` and what the search parser throws; `forbidden` · `scope.missing` without the
 *   right to search the type
 * @see https://hl7.org/fhir/R4/http.html#ccreate
 */
export async function findOne(
  txn: Pick<Txn, 'find' | 'read' | 'enteredNumbers'>,
  condition: Condition,
): Promise<Found | undefined> {
  const { type, criteria, asked, rooms } = condition
  const { grant, baseUrl } = asked
  const query = await parseAsked(type, new URLSearchParams(criteria), { baseUrl }, askingOf(asked, rooms))
  if (query.criteria.length === 0)
    throw new Problem('invalid', 'condition.empty', 'A conditional interaction needs at least one search parameter.')
  const asksAll = type === 'Patient' && homeInReach(grant) === 'all'
  const found = await txn.find(restrict(query, grant), asksAll ? mostAlike : 2)
  // Within an account each of its Patients is its own.
  const known = asksAll && found.length < mostAlike ? await vouchedOf(txn, found, query.criteria) : found
  if (known.length > 1)
    throw new Problem('ambiguous', 'condition.matches-several', 'More than one resource matches the condition.')
  if (known.length === 0 && found.length > 0) throw numberUnvouched()
  return known[0]
}

/** More people have entered no number that is one person's. */
const mostAlike = 100

function numberUnvouched(): Problem {
  return new Problem(
    'precondition',
    'condition.number-unvouched',
    'The condition finds a Patient by a number that stands on the word of an account. An administrator decides: by kinhold review, or by writing to the id.',
  )
}

/**
 * The Patients whom the criteria find without the numbers that an account has entered, too: else what a hospital says of its own patient
 * would land with whoever has entered their number. One that may not be read is not told apart.
 */
async function vouchedOf(
  txn: Pick<Txn, 'read' | 'enteredNumbers'>,
  found: readonly Found[],
  criteria: readonly Criterion[],
): Promise<readonly Found[]> {
  const asked = criteria.filter(criterion => !leadsElsewhere(criterion) || isOfNumbers(criterion))
  const vouched: Found[] = []
  for (const one of found) {
    const entered = await txn.enteredNumbers(one.id)
    const stored = entered.size === 0 ? undefined : await txn.read('Patient', one.id)
    const isVouched = stored && (await matches(withoutNumbers(await parseStored(stored.json), entered), asked))
    if (entered.size === 0 || isVouched === true) vouched.push(one)
    if (vouched.length > 1) break
  }
  return vouched
}

function isOfNumbers(criterion: Criterion): boolean {
  return singleCriteria(criterion).some(({ name }) => name === 'identifier')
}

function withoutNumbers(patient: Resource, entered: ReadonlySet<string>): Resource {
  const { identifier, ...others } = patient
  const left = Array.isArray(identifier) ? identifier.filter(one => !entered.has(numberOf(one))) : []
  return left.length === 0 ? others : { ...patient, identifier: left }
}

/**
 * The criteria of an If-None-Exist: `identifier=…`, or the same as the query of a URL, which is all that HAPI's client
 * sends: `?identifier=…`, `Patient?identifier=…`, `http://…/Patient?identifier=…`. Under which name this server is
 * reached does not matter: whatever the URL, only what lies here is asked.
 *
 * @throws Problem `invalid` · `condition.type-differs` when the URL names another type than is created
 * @see https://hl7.org/fhir/R4/http.html#ccreate and https://hl7.org/fhir/R4/bundle-definitions.html#Bundle.entry.request.ifNoneExist
 */
export function parseIfNoneExist(header: string | undefined, type: string): string | undefined {
  const [, url, query] = /^([^?=&]*)\?(.*)$/s.exec(header?.trim() ?? '') ?? []
  if (url === undefined) return header?.trim()
  const named = url.slice(url.lastIndexOf('/') + 1)
  if (named !== '' && named !== type)
    throw new Problem('invalid', 'condition.type-differs', 'If-None-Exist is about another type than is created.', {
      expression: 'If-None-Exist',
    })
  return query
}

/** The criteria of a conditional URL, without the parameters that only shape the answer. */
export function criteriaOf(query: URLSearchParams): string {
  const criteria = new URLSearchParams(query)
  for (const name of ['_format', '_pretty', ...subsetNames]) criteria.delete(name)
  return criteria.toString()
}
