import { restrict } from '#access'
import { containedIn, encodeJsonInSteps, parseStored, type Resource } from '#fhir'
import { giveWay, inSlices, Problem } from '#kernel'
import type { OpenedCursor, Reader, SearchPage, Stored } from '#record'
import { checkForm, inertParameters, parseQuery, type Query, type QueryOptions, type Restricted } from '#search'
import { bundleBytes, outcomeEntry, searchEntry } from '../bundles/bundle-bytes.ts'
import { granted } from '../perform.ts'
import { checkFormType, formatOf } from '../rest/negotiate.ts'
import { parsePrefer } from '../rest/prefer.ts'
import { type Subset, subsetting, toSubset } from '../rest/subset.ts'
import { Holdings } from '../terminology/holdings.ts'
import type { FhirRequest, FhirResponse, GrantedRequest, PathParams, Rooms } from '../types.ts'
import { searchableTypes } from './compartment.ts'
import { type Asking, parseAsked } from './parse-asked.ts'

/**
 * Searches one type or, without one in the path, those that `_type` names.
 *
 * @see https://hl7.org/fhir/R4/http.html#search
 */
export async function search(request: FhirRequest, params: PathParams, rooms: Rooms): Promise<FhirResponse> {
  const asked = granted(request)
  const given = await searchParams(asked)
  const { type } = params
  return answerSearch(asked, {
    type,
    ...(type === undefined ? withTypes(given, () => searchableTypes(asked.grant)) : { params: given }),
    path: type ?? '',
    within: true,
    ...onBehalfOf(asked, rooms),
  })
}

/**
 * A search of several types asks for all that the grant may search, unless `_type` names some; its self link shows what
 * was asked.
 */
export function withTypes(
  given: URLSearchParams,
  searchable: () => readonly string[],
): Pick<SearchPlan, 'params' | 'selfText'> {
  if (given.has('_type') || given.has('_cursor')) return { params: given }
  const params = new URLSearchParams([...given, ['_type', searchable().join(',')]])
  return { params, selfText: searchText(given) }
}

/**
 * The parameters of a search: those of the URL and, by POST, those of the body; all of them hold.
 *
 * @throws Problem `unsupported-media` · `body.type-unsupported`; `not-acceptable` · `format.unsupported`; `too-costly` ·
 *   `search.too-costly`
 */
export async function searchParams(request: FhirRequest): Promise<URLSearchParams> {
  if (request.method !== 'POST') return request.query
  checkFormType(request)
  const body = await request.body()
  checkForm(body)
  const form = new URLSearchParams(withoutMark(body.toString('utf8')))
  // It is asked again when there is an answer; what cannot be answered is refused before it is looked for.
  if (form.has('_format')) formatOf({ query: form, header: name => request.header(name) })
  return new URLSearchParams([...request.query, ...form])
}

function withoutMark(text: string): string {
  return text.startsWith('\ufeff') ? text.slice(1) : text
}

/** What makes one search: the parameters, on whose behalf, and the path its links have. */
export interface SearchPlan {
  /** Undefined for a search of several types. */
  readonly type: string | undefined
  readonly params: URLSearchParams
  /** Below the FHIR base, without a slash at its start. */
  readonly path: string
  /** The query that the self link shows, where it is not the one that is evaluated. */
  readonly selfText?: string | undefined
  /** Whether `_contained` may ask for what lies within others. */
  readonly within?: boolean
  /** Makes the query narrower by parameters that are no search parameters; their names are `refinedBy`. */
  refine?(query: Query, params: URLSearchParams): Query
  readonly refinedBy?: readonly string[]
  /** Which of the included are shown; all unless told. */
  keepIncluded?(stored: Stored, query: Query): boolean
  readonly reader: Reader
  /** Where the parameters come from who asks, and may ask for terminology; without it R4's own is asked. */
  readonly asking?: Asking
  restrict(query: Query): Restricted<Query>
}

/**
 * Runs a search, or the page of one that `_cursor` stands for, and assembles the searchset.
 *
 * @throws Problem `invalid` · `search.cursor-not-alone` and what the search parser, `restrict` and the record throw
 */
export async function answerSearch(
  request: Pick<GrantedRequest, 'baseUrl' | 'header'>,
  plan: SearchPlan,
): Promise<FhirResponse> {
  const { baseUrl } = request
  const params = withoutInert(plan.params)
  const cursor = params.get('_cursor') ?? undefined
  if (cursor !== undefined && params.size > 1)
    throw new Problem(
      'invalid',
      'search.cursor-not-alone',
      'A page link stands for the whole search: add nothing to it.',
      {
        expression: '_cursor',
      },
    )
  const opened = cursor === undefined ? undefined : await plan.reader.openCursor(cursor)
  const query = await (opened === undefined ? parseGiven(plan, params, request) : parseOpened(plan, opened, baseUrl))
  const found = await plan.reader.search(plan.restrict(query), cursor)
  const included = found.included.filter(stored => plan.keepIncluded?.(stored, query) ?? true)
  const body = await searchset({ ...found, included }, query, { ...plan, baseUrl, cursor, look: lookOf(plan.params) })
  const isPretty = plan.params.get('_pretty') === 'true'
  if (!plan.params.has('_format')) return { status: 200, headers: {}, body, pretty: isPretty }
  const format = formatOf({ query: plan.params, header: () => undefined })
  return { status: 200, headers: {}, body, pretty: isPretty, format }
}

function parseGiven(plan: SearchPlan, params: URLSearchParams, request: Pick<GrantedRequest, 'baseUrl' | 'header'>) {
  const { baseUrl } = request
  return parseRefined(plan, plan.type, params, { baseUrl, lenient: parsePrefer(request).lenient })
}

/** A search of several types keeps them in its text, also when there is only one. */
function parseOpened(plan: SearchPlan, { type, text }: OpenedCursor, baseUrl: string): Promise<Query> {
  const params = new URLSearchParams(text)
  return parseRefined(plan, params.has('_type') ? undefined : type, params, { baseUrl })
}

async function parseRefined(
  plan: SearchPlan,
  type: string | undefined,
  params: URLSearchParams,
  options: QueryOptions,
): Promise<Query> {
  const plain = new URLSearchParams(params)
  for (const name of plan.refinedBy ?? []) plain.delete(name)
  const asked = { ...options, within: plan.within ?? false }
  const query =
    plan.asking === undefined ? parseQuery(type, plain, asked) : await parseAsked(type, plain, asked, plan.asking)
  return plan.refine?.(query, params) ?? query
}

function withoutInert(params: URLSearchParams): URLSearchParams {
  return new URLSearchParams([...params].filter(([name]) => !Object.hasOwn(inertParameters, name)))
}

/** A query as a link shows it. */
function searchText(params: URLSearchParams): string {
  return withoutInert(params).toString()
}

function lookOf(params: URLSearchParams): string {
  const isXml = params.has('_format') && formatOf({ query: params, header: () => undefined }) === 'xml'
  return isXml ? '&_format=xml' : ''
}

interface Place {
  readonly baseUrl: string
  readonly path: string
  readonly selfText?: string | undefined
  readonly cursor: string | undefined
  /** `&_format=xml` where XML was asked for so: who follows a link wants more of the same. */
  readonly look: string
}

async function searchset(page: SearchPage, query: Query, place: Place): Promise<Buffer> {
  const head = { type: 'searchset', total: page.total, links: pageLinks(page, query, place) } as const
  const incomplete = page.unreadable > 0 ? [outcomeEntry(incompleteOutcome(page.unreadable))] : []
  if (query.summary === 'count') return bundleBytes(head, incomplete)
  return bundleBytes(head, [
    ...(await pageEntries(page, place.baseUrl, toSubset(query.summary, query.elements))),
    ...incomplete,
    ...(query.ignored.length > 0 ? [outcomeEntry(ignoredOutcome(query.ignored.length))] : []),
  ])
}

/** To cut a resource down it is parsed: a page may hold as much as may be answered, so others have their turn in between. */
async function pageEntries(page: SearchPage, baseUrl: string, subset: Subset | undefined) {
  const shown = subset === undefined ? async (json: Buffer) => json : subsetting(subset)
  const entries: (Buffer | string)[][] = []
  const push = async (
    stored: Stored,
    json: Buffer,
    of: { readonly mode: 'match' | 'include'; readonly part?: string },
  ) => {
    entries.push(searchEntry(stored, await shown(json), { ...of, baseUrl }))
    const pause = giveWay()
    if (pause !== undefined) await pause
  }
  for (const [mode, found] of [
    ['match', page.matches],
    ['include', page.included],
  ] as const)
    for (const stored of found)
      if (stored.parts === undefined) await push(stored, stored.json, { mode })
      else for await (const [part, json] of partsOf(stored, stored.parts)) await push(stored, json, { mode, part })
  return entries
}

/** What was found of a resource: itself, or what lies within it, whose name is `#id`. */
async function* partsOf(
  { json }: Stored,
  parts: readonly string[],
): AsyncGenerator<readonly [string, Buffer], void, void> {
  const { contained } = await parseStored(json)
  for (const part of parts) {
    const within = containedIn({ contained }, part.slice(1))
    if (part === '') yield [part, json]
    else if (within !== undefined) yield [part, await inSlices(encodeJsonInSteps(within))]
  }
}

/** Links of other pages carry a sealed cursor and no parameter, so that nothing of the search shows in an address. */
function pageLinks(page: SearchPage, query: Query, place: Place) {
  const { baseUrl, path, cursor, look, selfText = query.text } = place
  const url = `${baseUrl}/${path}`
  const at = (sealed: string | undefined) => (sealed === undefined ? undefined : `${url}?_cursor=${sealed}${look}`)
  const isShown = page.self === undefined || selfText.length < query.text.length
  const text = selfText === '' ? look.slice(1) : selfText + look
  const self = isShown && cursor === undefined ? `${url}${text === '' ? '' : `?${text}`}` : at(cursor ?? page.self)
  return { self, first: at(page.first), previous: at(page.previous), next: at(page.next) }
}

/** @see https://hl7.org/fhir/R4/valueset-issue-type.html incomplete */
function incompleteOutcome(count: number): Resource {
  const diagnostics = `${count} of the records that were asked cannot be read: what they hold is missing here. The administrator runs kinhold verify.`
  return { resourceType: 'OperationOutcome', issue: [{ severity: 'warning', code: 'incomplete', diagnostics }] }
}

function ignoredOutcome(count: number): Resource {
  const diagnostics = `${count} parameters were not understood and ignored; the self link shows what was searched.`
  return { resourceType: 'OperationOutcome', issue: [{ severity: 'warning', code: 'not-supported', diagnostics }] }
}

/** What a plan needs of who asks: a reader, what they may see, and what words mean for them. */
export function onBehalfOf(asked: GrantedRequest, rooms: Rooms): Pick<SearchPlan, 'reader' | 'restrict' | 'asking'> {
  const { grant } = asked
  return {
    reader: rooms.record.reader(grant),
    restrict: query => restrict(query, grant),
    asking: askingOf(asked, rooms),
  }
}

/** Whose terminology counts: that of who asks. */
export function askingOf(asked: GrantedRequest, rooms: Rooms): Asking {
  return { grant: asked.grant, holdings: () => new Holdings(asked, rooms) }
}
