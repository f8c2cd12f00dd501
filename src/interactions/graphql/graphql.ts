import { encodeJsonInSteps, type Json, parseSentJson, parseStored, toResource } from '#fhir'
import { inSlices, isProblem, Problem } from '#kernel'
import { partsOf, textIn } from '../operations/parameters.ts'
import { auditRefusal, granted } from '../perform.ts'
import { isInUtf8, mediaType } from '../rest/negotiate.ts'
import { askingOf, onBehalfOf } from '../search/search.ts'
import type { FhirRequest, FhirResponse, PathParams, Rooms } from '../types.ts'
import { checkQuestion } from './check.ts'
import { type Asked, readQuestion } from './document.ts'
import { Execution, type Focus, focusOf } from './execute.ts'
import { asJson, errorResponse } from './faults.ts'
import { asksForSchema, introspect } from './introspection.ts'
import type { Searcher } from './searching.ts'

/**
 * Answers a GraphQL query about everything within reach.
 *
 * @see https://hl7.org/fhir/R4/graphql.html and https://hl7.org/fhir/R4/resource-operation-graphql.html
 */
export function graphqlOfSystem(request: FhirRequest, _params: PathParams, rooms: Rooms): Promise<FhirResponse> {
  return answer(request, rooms, () => Promise.resolve({ position: { kind: 'system' }, tree: {}, root: {} }))
}

/** The same about one resource. */
export function graphqlOfOne(request: FhirRequest, params: PathParams, rooms: Rooms): Promise<FhirResponse> {
  const { type = '', id = '' } = params
  return answer(request, rooms, async ({ reader }) => focusOf(await parseStored((await reader.read(type, id)).json)))
}

async function answer(
  request: FhirRequest,
  rooms: Rooms,
  begin: (by: Searcher) => Promise<Focus>,
): Promise<FhirResponse> {
  const from = granted(request)
  const { grant, baseUrl } = from
  const asking = askingOf(from, rooms)
  const by: Searcher = { grant, baseUrl, ...onBehalfOf(from, rooms), asking }
  try {
    const asked = await askedOf(request)
    const question = readQuestion(asked)
    const focus = await begin(by)
    if (asksForSchema(question))
      return { status: 200, headers: asJson, body: await introspect(asked, focus.position, grant) }
    await checkQuestion(question, focus.position, by)
    const data = await new Execution(question, by).run(focus)
    return { status: 200, headers: asJson, body: await inSlices(encodeJsonInSteps({ data })) }
  } catch (error) {
    if (!isProblem(error)) throw error
    auditRefusal(error, '$graphql', grant, rooms)
    return errorResponse(error)
  }
}

type Body = { readonly [name: string]: unknown }

/**
 * The query of a request: of its URL, or by POST of its body, which is the query itself, JSON, or Parameters.
 *
 * @throws Problem `unsupported-media` · `body.type-unsupported`; `invalid` · `graphql.query-missing`, and what parsers throw
 * @see https://graphql.org/learn/serving-over-http/
 */
async function askedOf(request: FhirRequest): Promise<Asked> {
  const { query: url } = request
  const inUrl = { query: url.get('query'), operationName: url.get('operationName'), variables: variablesIn(url) }
  const body = request.method === 'POST' ? await bodyOf(request) : {}
  const { query, operationName, variables } = { ...inUrl, ...body }
  if (typeof query !== 'string' || query === '')
    throw new Problem('invalid', 'graphql.query-missing', 'There is no query.', { expression: 'query' })
  return {
    query,
    operationName: typeof operationName === 'string' && operationName !== '' ? operationName : undefined,
    variables: isBody(variables) ? variables : {},
  }
}

/** @throws Problem `invalid` · `graphql.variables-malformed` */
function variablesIn(url: URLSearchParams): unknown {
  const text = url.get('variables')
  if (text === null || text === '') return undefined
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new Problem('invalid', 'graphql.variables-malformed', 'variables must be a JSON object.', {
      expression: 'variables',
      cause,
    })
  }
}

const readers: Readonly<Record<string, (bytes: Buffer) => Promise<Body>>> = {
  'application/graphql': async bytes => (bytes.length === 0 ? {} : { query: bytes.toString('utf8') }),
  'application/json': async bytes => ofJson(bytes.length === 0 ? {} : await parseSentJson(bytes)),
  'application/fhir+json': async bytes => {
    const parts = partsOf(toResource(await parseSentJson(bytes)))
    return {
      query: textIn(
        parts.find(({ name }) => name === 'query'),
        'valueString',
      ),
    }
  },
}

/** Media types in which a query may be sent. */
export const graphqlTypes = Object.keys(readers)

async function bodyOf(request: FhirRequest): Promise<Body> {
  const contentType = request.header('content-type') ?? ''
  const type = mediaType(contentType)
  const read = Object.hasOwn(readers, type) && isInUtf8(contentType) ? readers[type] : undefined
  const bytes = await request.body()
  if (read === undefined && bytes.length > 0)
    throw new Problem(
      'unsupported-media',
      'body.type-unsupported',
      `The body must be one of ${graphqlTypes.join(', ')}, in UTF-8.`,
    )
  const body = (await read?.(bytes)) ?? {}
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined && value !== null))
}

/** Parameters come as any JSON, too: clients of FHIR name it so. */
function ofJson(json: Json): Body {
  return isBody(json) ? json : {}
}

function isBody(value: unknown): value is Body {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
