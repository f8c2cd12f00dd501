import { type Grant, requirePermission } from '#access'
import { Problem } from '#kernel'
import type { Reader, SearchPage, Stored } from '#record'
import { type Query, type Restricted, searchParameter, searchParametersOf } from '#search'
import { type Asking, parseAsked } from '../search/parse-asked.ts'
import type { Chosen } from './chosen.ts'
import type { Value } from './document.ts'
import { at, refused } from './faults.ts'

/** On whose behalf is searched. */
export interface Searcher {
  readonly grant: Grant
  readonly baseUrl: string
  readonly reader: Reader
  /** Whose terminology counts, where `_filter` asks for it. */
  readonly asking: Asking
  restrict(query: Query): Restricted<Query>
}

/** A search as a field asks it. */
export interface Search {
  readonly type: string
  readonly params: URLSearchParams
  readonly cursor: string | undefined
}

/** Arguments that are no parameters of the search. */
const besides: ReadonlySet<string> = new Set(['fhirpath', '_reference', '_cursor', 'cursor'])
/** https://hl7.org/fhir/R4/graphql.html#searching, and what would change the shape of a resource. */
const unsupported: ReadonlySet<string> = new Set(
  '_include _revinclude _contained _containedType _summary _elements _total _type _offset _format _pretty'.split(' '),
)

/** Without `_count`, as many as this are a list; whoever has more asks for a connection. */
const longestList = 1_000
const pageOfList = 200

/**
 * The search that a field asks for.
 *
 * @param target  what the resources refer to, where `_reference` names how; undefined at the root
 * @throws Problem `invalid` · `graphql.argument-unknown`, `graphql.argument-malformed`; `forbidden` · `scope.missing`
 */
export function searchOf(chosen: Chosen, type: string, target: string | undefined, by: Searcher): Search {
  const { args, node } = chosen
  const place = { loc: node.loc }
  requirePermission(by.grant, 's', type)
  const cursor = args.get('_cursor') ?? args.get('cursor')
  if (cursor !== undefined && (target !== undefined || args.size > 1 || typeof cursor !== 'string'))
    throw refused(place, 'graphql.argument-malformed', 'A cursor stands for the whole search, at the root of a query.')
  const params = new URLSearchParams()
  for (const [name, value] of args)
    if (!besides.has(name)) params.append(parameterName(chosen, type, name), valuesText(value))
  if (target !== undefined) params.append(referenceName(chosen, type), target)
  return { type, params, cursor: cursor as string | undefined }
}

/** The query of a search. @throws what the parser of searches throws */
export function parsed(
  { type, params }: Pick<Search, 'type' | 'params'>,
  { baseUrl, asking }: Searcher,
): Promise<Query> {
  return parseAsked(type, params, { baseUrl }, asking)
}

/** `clinical_status` is `clinical-status`: names of GraphQL have no hyphens. */
function parameterName({ node }: Chosen, type: string, name: string): string {
  const found = unsupported.has(name) ? undefined : nameOf(type, name)
  if (found !== undefined) return found
  throw refused(
    { loc: node.loc },
    'graphql.argument-unknown',
    'An argument is no search parameter of the type that can be asked here.',
  )
}

const controls: ReadonlySet<string> = new Set(['_count', '_sort', '_filter'])

function nameOf(type: string, name: string): string | undefined {
  if (controls.has(name) || searchParameter(type, name) !== undefined) return name
  return searchParametersOf(type).find(each => each.name.replaceAll('-', '_') === name)?.name
}

function referenceName(chosen: Chosen, type: string): string {
  const given = chosen.args.get('_reference')
  const found = typeof given === 'string' ? nameOf(type, given) : undefined
  if (found !== undefined && searchParameter(type, found)?.type === 'reference') return found
  throw refused(
    { loc: chosen.node.loc },
    'graphql.argument-malformed',
    'What refers to a resource is asked with _reference, the name of a search parameter that is a reference.',
  )
}

/** Values of a list are alternatives; a comma within one is a part of it. */
function valuesText(value: Value): string {
  const values: readonly Value[] = Array.isArray(value) ? value : [value as Value]
  return values.map(each => String(each).replace(/(\\.)|,/gs, (_, escaped?: string) => escaped ?? '\\,')).join(',')
}

/**
 * All that a search finds, or as many as `_count` says.
 *
 * @throws Problem `too-costly` · `graphql.list-too-long` when a list would not be whole
 * @see https://hl7.org/fhir/R4/graphql.html#searching
 */
export async function listed(search: Search, chosen: Chosen, by: Searcher): Promise<readonly Stored[]> {
  const wanted = chosen.args.get('_count')
  const params = new URLSearchParams(search.params)
  if (wanted === undefined) params.set('_count', String(pageOfList))
  const most = wanted === undefined ? longestList : Number(wanted)
  const first = { ...search, params }
  const found: Stored[] = []
  for (let page = await pageOf(first, by); ; page = await pageOf({ ...first, cursor: page.next }, by)) {
    complete(page, chosen)
    found.push(...page.matches)
    if (page.next === undefined || (wanted !== undefined && found.length >= most)) return found.slice(0, most)
    if (found.length >= most) throw at({ loc: chosen.node.loc }, tooLong())
  }
}

function tooLong(): Problem {
  const text = `A list of more than ${longestList.toLocaleString('en')} resources is not answered in part: narrow it, give _count, or ask for a connection.`
  return new Problem('too-costly', 'graphql.list-too-long', text)
}

/** One page of a search; `_count` of the connection, or what its cursor stands for. */
export async function connected(search: Search, chosen: Chosen, by: Searcher, total: boolean): Promise<Connection> {
  const params = new URLSearchParams(search.params)
  if (total) params.set('_total', 'accurate')
  const asked = { ...search, params }
  const page = complete(await pageOf(asked, by), chosen)
  const size = search.cursor === undefined ? params.get('_count') : null
  return { page, offset: search.cursor === undefined ? 0 : undefined, size: size === null ? undefined : Number(size) }
}

/** A page, and what is known of its place. */
export interface Connection {
  readonly page: SearchPage
  readonly offset: number | undefined
  readonly size: number | undefined
}

async function pageOf(search: Search, by: Searcher): Promise<SearchPage> {
  if (search.cursor === undefined) return by.reader.search(by.restrict(await parsed(search, by)))
  const opened = await by.reader.openCursor(search.cursor)
  if (opened.type !== search.type)
    throw new Problem('invalid', 'graphql.cursor-foreign', 'The cursor is one of a search for another type.')
  const query = await parsed({ type: search.type, params: new URLSearchParams(opened.text) }, by)
  return by.reader.search(by.restrict(query), search.cursor)
}

/** What lies in records that cannot be read is missing: a graph has no place to say so. */
function complete(page: SearchPage, { node }: Chosen): SearchPage {
  if (page.unreadable === 0) return page
  throw at(
    { loc: node.loc },
    new Problem(
      'fault',
      'graphql.incomplete',
      'Some of the records that were asked cannot be read; a search by REST shows the others.',
    ),
  )
}
