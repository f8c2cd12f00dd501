import { anySearchSchema, searchSchema } from './fhir-operations.ts'
import { type Node, ref } from './node.ts'
import { parameterComponents } from './parameters.ts'
import type { TypeCapability } from './statement.ts'

const resource: Node = {
  type: 'object',
  required: ['resourceType'],
  properties: { resourceType: { type: 'string' }, id: { type: 'string' }, meta: { type: 'object' } },
}

const operationOutcome: Node = {
  type: 'object',
  required: ['resourceType', 'issue'],
  properties: {
    resourceType: { const: 'OperationOutcome' },
    issue: {
      type: 'array',
      items: {
        type: 'object',
        required: ['severity', 'code'],
        properties: {
          severity: { type: 'string', enum: ['fatal', 'error', 'warning', 'information'] },
          code: { type: 'string' },
          details: { type: 'object', description: 'A code of this server, and a text to be shown' },
          expression: { type: 'array', items: { type: 'string' } },
          diagnostics: { type: 'string' },
        },
      },
    },
  },
}

const oauthError: Node = {
  type: 'object',
  required: ['error'],
  properties: { error: { type: 'string' }, error_description: { type: 'string' } },
}

const html: Node = { schema: { type: 'string' } }
const outcome: Node = {
  'application/fhir+json': { schema: ref('schemas', 'OperationOutcome') },
  'application/fhir+xml': { schema: { type: 'string' } },
  'text/html': html,
}

function told(description: string, headers: readonly string[] = []): Node {
  return {
    description,
    headers: Object.fromEntries(headers.map(name => [name, ref('headers', name)])),
    content: outcome,
  }
}

const responses: Node = {
  Refused: told('What is wrong with the request: an OperationOutcome, or a page for a browser', [
    'Allow',
    'Retry-After',
  ]),
  RefusedQuery: {
    description: 'What is wrong with the query, as GraphQL tells it; with the request, as everywhere',
    content: { 'application/json': { schema: { type: 'object' } }, ...outcome },
  },
  Unauthenticated: told('No valid access token', ['WWW-Authenticate']),
  Forbidden: told('The token lacks a scope; the text names it', ['WWW-Authenticate']),
  Failed: told('A fault here, or too much at once', ['Retry-After']),
  OAuthRefused: {
    description: 'What OAuth calls the fault',
    content: { 'application/json': { schema: ref('schemas', 'OAuthError') } },
  },
  RefusedPage: { description: 'A page that says what is wrong', content: { 'text/html': html } },
}

const headerWords: Readonly<Record<string, string>> = {
  ETag: 'W/"version"',
  'Last-Modified': 'When the version was written',
  Location: 'Where it is, or where to go',
  'Content-Location': 'Where to ask for the report',
  'X-Progress': 'How far the import, or the export, has come',
  Expires: 'Until when the files can be fetched',
  'Retry-After': 'Seconds to wait',
  'WWW-Authenticate': 'What is missing, and where tokens come from',
  Allow: 'Methods that the path answers; with 405',
}

const headers: Node = Object.fromEntries(
  Object.entries(headerWords).map(([name, description]) => [name, { description, schema: { type: 'string' } }]),
)

/** The scopes of the standard levels; the narrower ones are too many for a dialog, and need no naming to be asked for. */
function scopesOf(configuration: Node): Node {
  const supported = Array.isArray(configuration.scopes_supported) ? configuration.scopes_supported.map(String) : []
  const own = supported.filter(scope => !scope.startsWith('system/') && !scope.includes('?'))
  return Object.fromEntries(own.map(scope => [scope, scopeWords[scope] ?? '']))
}

const scopeWords: Readonly<Record<string, string>> = {
  openid: 'Who logged in',
  fhirUser: 'Which of the people in the account that is',
  'launch/patient': 'One patient is chosen',
  offline_access: 'Access that can be renewed',
  'patient/*.cruds': 'Everything of the chosen patient',
  'patient/*.rs': 'Reading everything of the chosen patient',
  'user/*.cruds': 'Everything of everybody in the account',
  'user/*.rs': 'Reading everything of everybody in the account',
}

function securitySchemes(configuration: Node, baseUrl: string): Node {
  const { authorization_endpoint, token_endpoint } = configuration
  const authorizationCode = {
    authorizationUrl: authorization_endpoint,
    tokenUrl: token_endpoint,
    refreshUrl: token_endpoint,
    scopes: scopesOf(configuration),
  }
  return {
    smart: {
      type: 'oauth2',
      description:
        'SMART App Launch: a person who logs in here decides what is given. PKCE with S256, and `aud` is needed.',
      flows: { authorizationCode },
    },
    bearer: { type: 'http', scheme: 'bearer', description: 'An access token, e.g. of `npm run kinhold -- token`' },
    clientSecret: { type: 'http', scheme: 'basic', description: 'Id and secret of a confidential client' },
    session: {
      type: 'apiKey',
      in: 'cookie',
      name: baseUrl.startsWith('https:') ? '__Host-kinhold' : 'kinhold',
      description: 'The session of a person who logged in on a page of this server',
    },
  }
}

/** Everything that operations point to. */
export function components(parts: {
  readonly configuration: object
  readonly types: readonly TypeCapability[]
  readonly told: readonly TypeCapability[]
  /** Of the types that are told, and of what they are made of. */
  readonly schemas: Readonly<Record<string, Node>>
  readonly baseUrl: string
}): Node {
  const { configuration, types, told, schemas, baseUrl } = parts
  const searches = told.map(({ type, searchParameters }) => [`Search.${type}`, searchSchema(searchParameters)])
  return {
    schemas: {
      Resource: resource,
      OperationOutcome: operationOutcome,
      OAuthError: oauthError,
      Search: anySearchSchema,
      ...Object.fromEntries(searches),
      ...schemas,
    },
    parameters: parameterComponents(types.map(({ type }) => type)),
    headers,
    responses,
    securitySchemes: securitySchemes(configuration as Node, baseUrl),
  }
}
