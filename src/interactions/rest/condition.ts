import { homeInReach, restrict } from '#access'
import { mapReferences, parseReference, parseStored, type Resource } from '#fhir'
import { giveWay, Problem } from '#kernel'
import { type Txn, withoutNumbers } from '#record'
import { type Criterion, criteriaWithin, leadsElsewhere, matches, type SingleCriterion, singleCriteria } from '#search'
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
 * @throws Problem `ambiguous` · `condition.matches-several`; `precondition` · `condition.number-unvouched` when something is found by a number
 *   that stands on the word of an account alone; `invalid` · `condition.empty` and what the search parser throws; `forbidden` · `scope.missing` without the
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
  const isAsked = type === 'Patient' || query.criteria.some(criterion => asksForNumbers(type, criterion))
  const asksAll = isAsked && homeInReach(grant) === 'all'
  const found = await txn.find(restrict(query, grant), asksAll ? mostAlike : 2)
  // Within an account all that it has is its own.
  const known = asksAll && found.length < mostAlike ? await vouchedOf(txn, found, query.criteria) : found
  if (known.length > 1)
    throw new Problem('ambiguous', 'condition.matches-several', 'More than one resource matches the condition.')
  if (known.length === 0 && found.length > 0) throw numberUnvouched()
  return known[0]
}

/** More resources have no number that is one thing's. */
const mostAlike = 100

function numberUnvouched(): Problem {
  return new Problem(
    'precondition',
    'condition.number-unvouched',
    'The condition finds a resource by a number that stands on the word of an account. An administrator decides: by kinhold review, or by writing to the id.',
  )
}

/**
 * What the criteria find without the numbers that an account has entered, too: else what a hospital says of its own patient would
 * land with whoever has entered their number. What may not be read is not told apart.
 */
async function vouchedOf(
  txn: Pick<Txn, 'read' | 'enteredNumbers'>,
  found: readonly Found[],
  criteria: readonly Criterion[],
): Promise<readonly Found[]> {
  const vouched: Found[] = []
  for (const one of found) {
    if (await isVouched(txn, one, criteria)) vouched.push(one)
    if (vouched.length > 1) break
    const pause = giveWay()
    if (pause !== undefined) await pause
  }
  return vouched
}

async function isVouched(
  txn: Pick<Txn, 'read' | 'enteredNumbers'>,
  { type, id }: Found,
  criteria: readonly Criterion[],
): Promise<boolean> {
  const entered = await txn.enteredNumbers(type, id)
  const leading = criteria.filter(criterion => leadsElsewhere(criterion) && asksForNumbers(type, criterion))
  if (entered.size === 0 && leading.length === 0) return true
  const stored = await txn.read(type, id)
  const resource = stored && (await parseStored(stored.json))
  if (resource === undefined) return false
  // What another resource decides beside a number of this one is not told apart.
  const asked = criteria.filter(criterion => !leadsElsewhere(criterion) || isOfNumbers(criterion))
  if (entered.size > 0 && !(await matches(withoutNumbers(resource, entered), asked))) return false
  for (const criterion of leading) if (await leadsToEntered(txn, resource, criterion)) return false
  return true
}

/** Whether a criterion asks for a number, of the resource itself or of another one to which it leads. */
function asksForNumbers(type: string, criterion: Criterion): boolean {
  return [...criteriaWithin(type, criterion)].some(({ criterion: one }) => isNumber(one))
}

function isOfNumbers(criterion: Criterion): boolean {
  return singleCriteria(criterion).some(isNumber)
}

/** `identifier` and what else of tokens is one, e.g. `group-identifier`; and `subject:identifier`. */
function isNumber(criterion: SingleCriterion): boolean {
  if (/identifier|requisition|accession/.test(criterion.name))
    return criterion.kind !== 'chain' && criterion.kind !== 'has'
  return criterion.kind === 'value' && criterion.modifier === 'identifier'
}

/**
 * Whether a chain that asks for a number leads to a resource that has one on the word of an account. Which of its numbers was found is
 * not told apart, and of what refers to the resource (`_has`) nothing is.
 */
async function leadsToEntered(
  txn: Pick<Txn, 'read' | 'enteredNumbers'>,
  resource: Resource,
  criterion: Criterion,
): Promise<boolean> {
  for (const single of singleCriteria(criterion)) {
    if (single.kind === 'has' && asksForNumbers(single.type, single.criterion)) return true
    if (single.kind !== 'chain') continue
    for (const target of single.targets)
      if (asksForNumbers(target.type, target.criterion))
        for (const id of idsNamed(resource, target.type, single.baseUrl))
          if (await isEnteredThere(txn, { type: target.type, id, criterion: target.criterion })) return true
  }
  return false
}

async function isEnteredThere(
  txn: Pick<Txn, 'read' | 'enteredNumbers'>,
  { type, id, criterion }: { readonly type: string; readonly id: string; readonly criterion: Criterion },
): Promise<boolean> {
  if (isOfNumbers(criterion) && (await txn.enteredNumbers(type, id)).size > 0) return true
  const stored = leadsElsewhere(criterion) ? await txn.read(type, id) : undefined
  return stored !== undefined && leadsToEntered(txn, await parseStored(stored.json), criterion)
}

function idsNamed(resource: Resource, type: string, baseUrl: string): readonly string[] {
  const ids = new Set<string>()
  mapReferences(resource, text => {
    const target = parseReference(text, baseUrl)
    if (target.kind === 'local' && target.type === type && target.id !== undefined) ids.add(target.id)
    return text
  })
  return [...ids]
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
