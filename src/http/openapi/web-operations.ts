import type { Access, Form, WebRoute } from '#web'
import { webBodies } from './examples.ts'
import { type Node, operationId, ref, unfilled } from './node.ts'
import { pathParameters } from './parameters.ts'

const securityOf: Readonly<Record<Access, readonly Node[]>> = {
  nothing: [],
  session: [{ session: [] }],
  // Public clients have nothing to show but their id, and an assertion travels in the form.
  client: [{ clientSecret: [] }, {}],
  bearer: [{ bearer: [] }],
}

const list: Node = { type: 'array', items: { type: 'string' } }

/** Fields that are no texts. */
const schemas: Readonly<Record<string, Node>> = {
  redirect_uris: list,
  grant_types: list,
  response_types: list,
  contacts: list,
  jwks: { type: 'object' },
  direct: { type: 'boolean' },
  embeddedLengthMax: { type: 'integer', minimum: 0 },
  expiresAt: { type: 'string', format: 'date-time' },
  password: { type: 'string', format: 'password' },
  again: { type: 'string', format: 'password' },
  current: { type: 'string', format: 'password' },
}

interface Named {
  readonly name: string
  readonly required: boolean
}

function read(field: string): Named {
  return { name: field.replace(/\?$/, ''), required: !field.endsWith('?') }
}

/** A bearer may ask what its own token stands for: https://www.rfc-editor.org/rfc/rfc7662#section-2.1 */
function securityOfRoute({ path, access }: WebRoute): readonly Node[] {
  return path === '/auth/introspect' ? [...securityOf.client, ...securityOf.bearer] : securityOf[access]
}

function bodyOf({ type, fields }: Form, path: string): Node {
  const named = fields.map(read)
  const required = named.filter(field => field.required).map(({ name }) => name)
  const example = webBodies[path]
  const schema = {
    type: 'object',
    properties: Object.fromEntries(named.map(({ name }) => [name, fieldOf(name, example?.[name])])),
    ...(required.length > 0 ? { required } : {}),
  }
  const shown = example === undefined ? {} : { example }
  return { requestBody: { required: true, content: { [type]: { schema, ...shown } } } }
}

function fieldOf(name: string, example: unknown): Node {
  const schema = schemas[name] ?? unfilled
  return example === undefined ? schema : { ...schema, examples: [example] }
}

function queryOf({ query = [] }: WebRoute): readonly Node[] {
  return query.map(read).map(({ name, required }) => ({
    name,
    in: 'query',
    ...(required ? { required, example: 'example' } : {}),
    schema: { type: 'string' },
  }))
}

/** How a refusal is told: OAuth has its own JSON, people get pages, all others an OperationOutcome. */
function refusalOf({ path, answers }: WebRoute): Node {
  if (path.startsWith('/share')) return ref('responses', 'Refused')
  return ref('responses', answers === 'application/json' ? 'OAuthRefused' : 'RefusedPage')
}

function goodAnswer({ method, path, answers }: WebRoute): readonly [string, Node] {
  if (answers === undefined)
    return ['303', { description: 'Leads on', headers: { Location: ref('headers', 'Location') } }]
  const schema = answers === 'application/json' ? { type: 'object' } : { type: 'string' }
  const isCreated = method === 'POST' && (path === '/share' || path.endsWith('/register'))
  return [isCreated ? '201' : '200', { description: 'The answer', content: { [answers]: { schema } } }]
}

function tagOf({ path, answers }: WebRoute): string {
  if (path.startsWith('/share')) return 'Sharing'
  if (path.startsWith('/auth/clients')) return 'Administration'
  return answers === 'application/json' ? 'Authorization' : 'Pages'
}

/** Whether a route is for a person in a browser, whose forms hold what nobody can fill in elsewhere. */
export function isPage(route: WebRoute): boolean {
  return tagOf(route) === 'Pages'
}

/** One row of a room beside FHIR. */
export function webOperation(route: WebRoute): Node {
  return {
    operationId: operationId(route.method, route.path),
    tags: [tagOf(route)],
    summary: route.summary,
    parameters: [...pathParameters(route.path), ...queryOf(route)],
    ...(route.form === undefined ? {} : bodyOf(route.form, route.path)),
    responses: Object.fromEntries([goodAnswer(route), ['4XX', refusalOf(route)], ['5XX', ref('responses', 'Failed')]]),
    security: securityOfRoute(route),
  }
}
