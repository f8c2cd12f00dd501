import type { Route } from '#interactions'
import type { Smart } from '#smart'

type Node = { readonly [member: string]: unknown }

/** What the OpenAPI document is derived from. */
export interface Described {
  readonly catalogue: readonly Route[]
  readonly smart: Pick<Smart, 'configuration'>
  /** Routes beside the FHIR ones: the authorization server's, and those of links. */
  readonly webRoutes: Smart['routes']
  readonly baseUrl: string
  readonly software: { readonly name: string; readonly version: string }
}

/**
 * An OpenAPI 3.1 document of the catalogue and the authorization server's routes; nothing in it is written by hand.
 *
 * @see https://spec.openapis.org/oas/v3.1.1.html
 */
export function openApi({ catalogue, smart, webRoutes, baseUrl, software }: Described): Node {
  const paths: Record<string, Record<string, Node>> = {}
  const add = (path: string, method: string, operation: Node) => {
    paths[path] = { ...paths[path], [method.toLowerCase()]: operation }
  }
  for (const route of catalogue) add(openPath(route), route.method, fhirOperation(route))
  for (const route of webRoutes) add(templated(route.path), route.method, webOperation(route))
  return {
    openapi: '3.1.0',
    info: { title: software.name, version: software.version, description: 'FHIR R4, SMART App Launch and imports.' },
    servers: [{ url: baseUrl }],
    tags: ['FHIR', 'Operations', 'Authorization', 'Sharing'].map(name => ({ name })),
    paths,
    components: { securitySchemes: securitySchemes(smart.configuration()) },
  }
}

function openPath(route: Route): string {
  const path = templated(route.path)
  if (route.root === true) return path
  return path === '/' ? '/fhir' : `/fhir${path}`
}

function templated(path: string): string {
  return path.replaceAll(/:([a-z]+)/gi, '{$1}')
}

function fhirOperation(route: Route): Node {
  const { interaction, summary } = route
  return {
    operationId: operationId(route),
    tags: [interaction.startsWith('$') || route.root === true ? 'Operations' : 'FHIR'],
    summary,
    ...(route.verb === 'none' ? {} : { description: `Scope: \`.${route.verb}\` on the type.` }),
    parameters: [...pathParameters(route.path), ...queryParameters(route)],
    ...requestBody(route),
    responses: responses(route),
    security: route.public === true ? [] : [{ smart: [] }, { bearer: [] }],
  }
}

function operationId({ method, path }: Route): string {
  const words = path.split(/[^A-Za-z0-9]+/).filter(word => word !== '')
  return [method.toLowerCase(), ...words, ...(path.endsWith('*') ? ['all'] : [])].join('-')
}

const parameterDocs: Readonly<Record<string, string>> = {
  type: 'A resource type of FHIR R4',
  id: 'Logical id',
  vid: 'Version id',
  job: 'Id of an import',
}

function pathParameters(path: string): readonly Node[] {
  return [...path.matchAll(/:([a-z]+)/gi)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    description: parameterDocs[name] ?? name,
    schema: { type: 'string' },
  }))
}

const anySearch: Node = {
  name: 'parameters',
  in: 'query',
  description: 'Search parameters of the type, see /fhir/metadata',
  style: 'form',
  explode: true,
  schema: { type: 'object', additionalProperties: { type: 'string' } },
}

function queryParameters({ query }: Route): readonly Node[] {
  if (query === 'search') return [anySearch]
  return (query ?? []).map(name => ({ name, in: 'query', schema: { type: 'string' } }))
}

function requestBody(route: Route): Node {
  if (route.method !== 'POST' && route.method !== 'PUT') return {}
  const type = route.consumes ?? 'application/fhir+json'
  const schema =
    type === 'application/fhir+json' || type.endsWith('urlencoded') ? { type: 'object' } : { type: 'string' }
  return { requestBody: { required: true, content: { [type]: { schema } } } }
}

function responses(route: Route): Node {
  const content = { [route.produces ?? 'application/fhir+json']: {} }
  const outcome = { 'application/fhir+json': {} }
  return {
    '2XX': { description: 'The answer', content },
    ...(route.public === true ? {} : { 401: { description: 'No valid access token', content: outcome } }),
    ...(route.public === true
      ? {}
      : { 403: { description: 'The token lacks a scope; the text names it', content: outcome } }),
    default: { description: 'OperationOutcome', content: outcome },
  }
}

function webOperation(route: Smart['routes'][number]): Node {
  const isSharing = route.path === '/share' || route.path.startsWith('/share/')
  const bodyType = isSharing ? 'application/json' : 'application/x-www-form-urlencoded'
  return {
    operationId: [route.method.toLowerCase(), ...route.path.split(/[^A-Za-z0-9]+/).filter(word => word !== '')].join(
      '-',
    ),
    tags: [isSharing ? 'Sharing' : 'Authorization'],
    summary: route.summary,
    parameters: pathParameters(route.path),
    ...(route.method === 'POST' ? { requestBody: { content: { [bodyType]: { schema: { type: 'object' } } } } } : {}),
    responses: { default: { description: 'The answer' } },
    security: [],
  }
}

function securitySchemes(configuration: object): Node {
  const { authorization_endpoint, token_endpoint, scopes_supported } = configuration as Node
  const scopes = Array.isArray(scopes_supported) ? scopes_supported.map(scope => [String(scope), '']) : []
  return {
    bearer: { type: 'http', scheme: 'bearer' },
    smart: {
      type: 'oauth2',
      flows: {
        authorizationCode: {
          authorizationUrl: authorization_endpoint,
          tokenUrl: token_endpoint,
          scopes: Object.fromEntries(scopes),
        },
      },
    },
  }
}
