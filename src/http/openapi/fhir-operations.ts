import { patchTypes, type Route } from '#interactions'
import { bodyExampleOf } from './examples.ts'
import { type Node, operationId, ref, unfilled } from './node.ts'
import { headerParameters, pathParameters, queryParameters, searchControls } from './parameters.ts'
import type { NamedParameter, TypeCapability } from './statement.ts'

const fhirJson = 'application/fhir+json'
const fhirXml = 'application/fhir+xml'
const form = 'application/x-www-form-urlencoded'

/** What good answers an interaction has, and which headers they bring. */
const answers: Readonly<Record<string, readonly (readonly [status: number, words: string, headers?: string[]])[]>> = {
  read: [
    [200, 'The resource', ['ETag', 'Last-Modified']],
    [304, 'It is the version that is known already'],
  ],
  vread: [
    [200, 'The version', ['ETag', 'Last-Modified']],
    [304, 'It is known already'],
  ],
  create: [
    [201, 'Created', ['Location', 'ETag', 'Last-Modified']],
    [200, 'There was one already', ['Location', 'ETag']],
  ],
  update: [
    [200, 'A new version', ['ETag', 'Last-Modified']],
    [201, 'The first version', ['Location', 'ETag', 'Last-Modified']],
  ],
  'conditional-update': [
    [200, 'A new version', ['ETag']],
    [201, 'The first version', ['Location', 'ETag']],
  ],
  patch: [[200, 'The version that came of it', ['ETag', 'Last-Modified']]],
  'conditional-patch': [[200, 'The version that came of it', ['ETag', 'Last-Modified']]],
  delete: [[204, 'Deleted', ['ETag']]],
  'conditional-delete': [[204, 'Deleted']],
  $ingest: [
    [200, 'The report of the import'],
    [202, 'It goes on; ask at the location', ['Content-Location']],
  ],
  $job: [
    [200, 'The report of the import'],
    [202, 'It goes on', ['X-Progress', 'Retry-After']],
  ],
}
const exportAnswers: typeof answers = {
  $export: [
    [
      202,
      'It is begun; ask at the location. An OperationOutcome comes with it where something was left out',
      ['Content-Location'],
    ],
  ],
  '$export-status': [
    [200, 'The manifest: instant, request, files', ['Expires']],
    [202, 'It goes on', ['X-Progress', 'Retry-After']],
  ],
  '$export-removal': [[202, 'Ended, and removed']],
  $import: [[202, 'It is begun; ask at the location', ['Content-Location']]],
  '$import-status': [
    [200, 'The result: of each file how many rows are in, and where is told which are not', ['Expires']],
    [202, 'It goes on', ['X-Progress', 'Retry-After']],
  ],
  '$import-removal': [[202, 'Ended, and removed']],
}
const plainAnswer = [[200, 'The answer']] as const

/** What comes without a body, or may. OpenAPI has no word for "may": what is told as content has to be there. */
const withoutContent: ReadonlySet<number> = new Set([202, 204, 304])

/** Of these what is refused is told in the form of what is answered. */
const refusedInKind: ReadonlySet<string> = new Set(['$graphql'])

const writing: ReadonlySet<string> = new Set(['transaction', '$ingest', '$import', 'hl7v2'])

/** Either level of SMART scopes will do, or a token of the host; the exact scope stands in the description. */
function security({ public: isPublic, verb, interaction }: Route): readonly Node[] {
  if (isPublic === true) return []
  const reads = verb === 'none' ? !writing.has(interaction) : verb === 'r' || verb === 's'
  const verbs = reads ? 'rs' : 'cruds'
  return [{ smart: [`user/*.${verbs}`] }, { smart: [`patient/*.${verbs}`] }, { bearer: [] }]
}

/** Bytes, of whatever media type. */
const anyBytes: Node = {
  'application/octet-stream': {
    schema: { type: 'string', format: 'binary', description: 'Bytes of any media type: the content of the Binary' },
  },
}

/** A Binary comes and goes as what it holds. */
function isContent({ content }: Route, capability: TypeCapability | undefined): boolean {
  return content === true && capability?.type === 'Binary'
}

function responses(route: Route, capability: TypeCapability | undefined): Node {
  const type = route.produces ?? fhirJson
  const schema =
    type === fhirJson
      ? ref('schemas', 'Resource')
      : type === 'application/json'
        ? { type: 'object' }
        : { type: 'string' }
  const bytes = route.method === 'GET' && isContent(route, capability) ? anyBytes : {}
  const good = (answers[route.interaction] ?? exportAnswers[route.interaction] ?? plainAnswer).map(
    ([status, description, headers = []]) => [
      status,
      {
        description,
        ...(headers.length > 0
          ? { headers: Object.fromEntries(headers.map(name => [name, ref('headers', name)])) }
          : {}),
        ...(withoutContent.has(status) ? {} : { content: { ...answerContent(type, schema), ...bytes } }),
      },
    ],
  )
  const refused =
    route.public === true
      ? []
      : [
          ['401', ref('responses', 'Unauthenticated')],
          ['403', ref('responses', 'Forbidden')],
        ]
  return Object.fromEntries([
    ...good,
    ...refused,
    ['4XX', ref('responses', refusedInKind.has(route.interaction) ? 'RefusedQuery' : 'Refused')],
    ['5XX', ref('responses', 'Failed')],
  ])
}

/** What is told in FHIR's JSON is told in XML as well. */
function answerContent(type: string, schema: Node): Node {
  return { [type]: { schema }, ...(type === fhirJson ? { [fhirXml]: { schema: { type: 'string' } } } : {}) }
}

/** Media types of a body; a patch has languages of its own. */
function bodyTypes({ method, consumes }: Route): readonly string[] {
  if (consumes !== undefined) return [consumes]
  return [...(method === 'PATCH' ? patchTypes : []), fhirJson, 'application/json', fhirXml]
}

function bodySchema(type: string, capability: TypeCapability | undefined): Node {
  if (type === form) return ref('schemas', capability === undefined ? 'Search' : `Search.${capability.type}`)
  if (type === fhirJson) return ref('schemas', capability?.type ?? 'Resource')
  if (type === 'application/json-patch+json') return { type: 'array', items: { type: 'object' } }
  if (type === 'application/merge-patch+json' || type === 'application/json') return { type: 'object' }
  return type === 'application/octet-stream' ? { type: 'string', format: 'binary' } : { type: 'string' }
}

const carrying: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH'])

function requestBody(route: Route, capability: TypeCapability | undefined): Node {
  if (!carrying.has(route.method)) return {}
  const content = bodyTypes(route).map(type => {
    const example = bodyExampleOf(route, capability?.type, type)
    const schema = bodySchema(type === 'application/json' && route.consumes === undefined ? fhirJson : type, capability)
    return [type, { schema, ...(example === undefined ? {} : { example }) }]
  })
  const bytes = isContent(route, capability) ? anyBytes : {}
  return {
    requestBody: { required: route.bodyOptional !== true, content: { ...Object.fromEntries(content), ...bytes } },
  }
}

/** A search parameter by name, with its kind and where that is told. */
function searchParameter({ name, type, example }: NamedParameter & { readonly example?: string }): Node {
  const shown = example === undefined ? {} : { example }
  return { name, in: 'query', description: type, schema: { type: 'string' }, ...shown }
}

/** Without any condition a conditional write is refused, so one stands there to begin with. */
const condition = { name: '_id', type: 'token; at least one search parameter is needed', example: 'example' } as const

/** Without these an operation that takes search parameters is refused. */
const needed: Readonly<Record<string, readonly (NamedParameter & { readonly example?: string })[]>> = {
  $lastn: [
    { name: 'patient', type: 'reference', example: 'example' },
    { name: 'category', type: 'token; or a parameter with a code', example: 'vital-signs' },
    { name: 'max', type: 'how many of each code; 1 unless given' },
  ],
}

function queryOf(route: Route, capability: TypeCapability | undefined): readonly Node[] {
  if (route.query !== 'search')
    return queryParameters([...(route.query ?? []), ...formsOf(route)].filter(isNew), route.path)
  if (route.consumes === form) return []
  const isSearch = route.method === 'GET'
  const controls = isSearch ? searchControls : formsOf(route)
  // Conditional writes take the same parameters; told once, they leave the document half as long.
  const own = isSearch ? capability?.searchParameters : undefined
  const types = route.interaction === 'search-system' || route.path.endsWith('*') ? ['_type'] : []
  const common = isSearch ? everyType : [condition, ...everyType.slice(1)]
  return [
    ...(needed[route.interaction] ?? own ?? common).map(searchParameter),
    ...queryParameters([...types, ...controls]),
  ]
}

/** How the answer may be formed; nothing is to be chosen where it has a form of its own. */
function formsOf({ produces }: Route): readonly string[] {
  return produces === undefined ? ['_format', '_pretty'] : []
}

function isNew(name: string, at: number, names: readonly string[]): boolean {
  return names.indexOf(name) === at
}

/** What every type can be searched by. */
const everyType: readonly NamedParameter[] = [
  { name: '_id', type: 'token' },
  { name: '_lastUpdated', type: 'date' },
  { name: '_tag', type: 'token' },
  { name: '_profile', type: 'uri' },
  { name: '_security', type: 'token' },
]

const searchWords =
  ' Modifiers (`name:exact`), chains (`subject.name`), `_has` and repetitions as [R4 says](https://hl7.org/fhir/R4/search.html).'

function description({ verb, query, method }: Route, type: string): string {
  const scope = verb === 'none' ? '' : `Scope: \`.${verb}\` on ${type}.`
  const conditional =
    method === 'PUT' || method === 'PATCH' || method === 'DELETE' ? ' Takes all search parameters of the type.' : ''
  return `${scope}${query === 'search' ? conditional + searchWords : ''}`.trim()
}

/**
 * One row of the catalogue.
 *
 * @param capability  the type that stands in the path in place of `:type`, where the row is told for each type
 */
export function fhirOperation(route: Route, capability?: TypeCapability): Node {
  const path = capability === undefined ? route.path : route.path.replace(':type', capability.type)
  const words = description(route, capability?.type ?? 'the type')
  return {
    operationId: operationId(route.method, path),
    tags: [capability?.type ?? (route.interaction.startsWith('$') || route.root === true ? 'Operations' : 'FHIR')],
    summary: route.summary,
    ...(words === '' ? {} : { description: words }),
    parameters: [...pathParameters(path), ...queryOf(route, capability), ...headerParameters(route.interaction)],
    ...requestBody(route, capability),
    responses: responses(route, capability),
    security: security(route),
  }
}

/** The fields of a search sent as a form. */
export function searchSchema(parameters: readonly NamedParameter[]): Node {
  const fields = parameters.map(({ name, type }) => [name, { ...unfilled, description: type }])
  const controls = searchControls.map(name => [name, name === '_count' ? { ...unfilled, examples: ['10'] } : unfilled])
  return {
    type: 'object',
    properties: Object.fromEntries([...fields, ...controls]),
    additionalProperties: { type: 'string' },
  }
}

/** The schema of a search of no particular type. */
export const anySearchSchema = searchSchema([{ name: '_type', type: 'resource types' }, ...everyType])
