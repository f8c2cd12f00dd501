import type { Route } from '#interactions'
import type { Steps } from '#kernel'
import type { Smart } from '#smart'
import type { WebRoute } from '#web'
import { components } from './components.ts'
import { fhirOperation } from './fhir-operations.ts'
import { type Node, operationId, templated } from './node.ts'
import { resourceSchemas } from './resource-schemas.ts'
import type { TypeCapability } from './statement.ts'
import { isPage, webOperation } from './web-operations.ts'

/** What the document is derived from. */
export interface Described {
  readonly catalogue: readonly Route[]
  /** What each type of FHIR offers. */
  readonly types: readonly TypeCapability[]
  /** The types that get paths of their own, with their search parameters; all of them unless told. Pages are told with all only. */
  readonly only?: ReadonlySet<string>
  readonly smart: Pick<Smart, 'configuration'>
  /** Routes beside the FHIR ones: the authorization server's, and those of links. */
  readonly webRoutes: readonly WebRoute[]
  readonly baseUrl: string
  readonly software: { readonly name: string; readonly version: string }
}

/** What families have most of: the name of a choice of types, for pages on which all would be too many. */
const commonTypes = [
  'Patient',
  'AllergyIntolerance',
  'Appointment',
  'CarePlan',
  'CareTeam',
  'Condition',
  'Device',
  'DiagnosticReport',
  'DocumentReference',
  'Encounter',
  'Immunization',
  'MedicationRequest',
  'MedicationStatement',
  'Observation',
  'Procedure',
  'ServiceRequest',
]

/** The types that a text names: `common`, or names separated by commas. */
export function chosenTypes(text: string): ReadonlySet<string> {
  return new Set(text === 'common' ? commonTypes : text.split(','))
}

/** What http itself answers, with the media type of the answer. */
const ownPaths: Readonly<Record<string, readonly [type: string, summary: string]>> = {
  '/': ['application/json', 'What this server is and where to go on; a page for browsers'],
  '/openapi.json': ['application/json', 'This document; `type` leaves out the paths of other types, and the pages'],
  '/docs/': ['text/html', 'The page that shows this document'],
  '/healthz': ['application/json', 'Whether the server lives'],
  '/readyz': [
    'application/json',
    'Whether it takes requests; 503 while it closes, and with the reason `storage` while its disk is full or fails',
  ],
  '/.well-known/oauth-protected-resource/fhir': ['application/json', 'Where access tokens come from (RFC 9728)'],
}

/** To begin with one type stands there: all of them are more than a page can show. */
const choice: Node = {
  name: 'type',
  in: 'query',
  description: 'Resource types separated by commas, or `common`; all types unless told',
  schema: { type: 'string' },
  example: 'Patient',
}

function ownOperation(path: string, type: string, summary: string): Node {
  const schema = type === 'text/html' ? { type: 'string' } : { type: 'object' }
  const answer = { description: 'The answer', content: { [type]: { schema } } }
  const closing =
    path === '/readyz' ? { 503: { ...answer, description: 'The server is closing, or its disk takes no writes' } } : {}
  const id = operationId('get', path === '/' ? '/home' : path)
  const parameters = path === '/openapi.json' ? { parameters: [choice] } : {}
  return {
    operationId: id,
    tags: ['Server'],
    summary,
    ...parameters,
    responses: { 200: answer, ...closing },
    security: [],
  }
}

/** Rows that are told once for each type, with the search parameters of that type. */
function isOfEachType({ path }: Route): boolean {
  return path === '/:type' || path === '/:type/_search'
}

function openPath(route: Route, type?: string): string {
  const path = templated(type === undefined ? route.path : route.path.replace(':type', type))
  if (route.root === true) return path
  return path === '/' ? '/fhir' : `/fhir${path}`
}

const tags = ['Server', 'FHIR', 'Operations', 'Authorization', 'Administration', 'Sharing']

/**
 * An OpenAPI 3.1 document of the catalogue, of what each type offers, and of the routes beside FHIR; it is derived from the
 * tables that answer, so it says what they do.
 *
 * @see https://spec.openapis.org/oas/v3.1.1.html
 */
export function* openApi(described: Described): Steps<Node> {
  const { catalogue, types, only, smart, webRoutes, baseUrl, software } = described
  const told = only === undefined ? types : types.filter(({ type }) => only.has(type))
  const paths: Record<string, Record<string, Node>> = {}
  const add = (path: string, method: string, operation: Node) => {
    paths[path] = { ...paths[path], [method.toLowerCase()]: operation }
  }
  for (const [path, [type, summary]] of Object.entries(ownPaths)) add(path, 'get', ownOperation(path, type, summary))
  for (const route of catalogue) add(openPath(route), route.method, fhirOperation(route))
  for (const capability of told) {
    for (const route of catalogue.filter(isOfEachType))
      if (capability.interactions.has(route.interaction))
        add(openPath(route, capability.type), route.method, fhirOperation(route, capability))
    yield
  }
  for (const route of webRoutes.filter(each => only === undefined || !isPage(each)))
    add(templated(route.path), route.method, webOperation(route))
  const sent = told.filter(({ interactions }) => interactions.has('create') || interactions.has('conditional-update'))
  const schemas = yield* resourceSchemas(sent.map(({ type }) => type))
  return {
    openapi: '3.1.0',
    info: { title: software.name, version: software.version, description: 'FHIR R4, SMART App Launch and imports.' },
    servers: [{ url: baseUrl }],
    tags: [...tags, ...(only === undefined ? ['Pages'] : []), ...told.map(({ type }) => type)].map(name => ({ name })),
    paths,
    components: components({ configuration: smart.configuration(), types, told, schemas, baseUrl }),
  }
}
