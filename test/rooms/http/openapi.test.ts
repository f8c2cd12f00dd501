import { Ajv2020 } from 'ajv/dist/2020.js'
import request from 'supertest'
import { catalogue } from '#interactions'
import { withoutEmptyFields } from '../../../src/http/docs.ts'
import { openWebHouse, type WebHouse } from './web-house.ts'

type Node = { readonly [member: string]: unknown }
interface Parameter {
  readonly name: string
  readonly in: string
  readonly required?: boolean
  readonly schema?: Node
  readonly example?: unknown
}
interface Operation {
  readonly operationId: string
  readonly tags: readonly string[]
  readonly parameters?: readonly (Parameter | { readonly $ref: string })[]
  readonly requestBody?: { readonly required?: boolean; readonly content: Readonly<Record<string, Node>> }
  readonly responses: Readonly<Record<string, Node>>
  readonly security: readonly Readonly<Record<string, readonly string[]>>[]
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly tags: readonly { readonly name: string }[]
  readonly components: Readonly<Record<string, Readonly<Record<string, Node>>>>
}

const origin = 'https://health.example.org'
let house: WebHouse
let document: Document
beforeAll(async () => {
  house = await openWebHouse({ baseUrl: origin })
  document = (await request(house.app).get('/openapi.json').expect(200)).body as Document
})
afterAll(() => house.close())

const operations = () =>
  Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
  )
const at = (path: string, method = 'get') => document.paths[path]?.[method] as Operation

function resolve(pointer: string): unknown {
  const steps = pointer.slice(2).split('/')
  return steps.reduce<unknown>((node, step) => (node as Node | undefined)?.[step], document)
}
function parametersOf({ parameters = [] }: Operation): readonly Parameter[] {
  return parameters.map(each => ('$ref' in each ? (resolve(each.$ref) as Parameter) : each))
}
function* refsIn(node: unknown): Generator<string> {
  if (typeof node !== 'object' || node === null) return
  for (const [key, value] of Object.entries(node))
    if (key === '$ref') yield String(value)
    else yield* refsIn(value)
}

describe('the OpenAPI document – https://spec.openapis.org/oas/v3.1.1.html', () => {
  it('points only to what is there, and holds nothing that nobody points to', () => {
    const refs = new Set(refsIn(document))
    expect([...refs].filter(pointer => resolve(pointer) === undefined)).toEqual([])
    for (const kind of ['parameters', 'schemas', 'responses', 'headers'] as const)
      for (const name of Object.keys(document.components[kind] ?? {}))
        expect([...refs]).toContain(`#/components/${kind}/${name}`)
  })

  it('names each operation once, and tags it with a tag that is told', () => {
    const ids = operations().map(({ operation }) => operation.operationId)
    expect(new Set(ids).size).toBe(ids.length)
    const tags = new Set(document.tags.map(({ name }) => name))
    expect(operations().filter(({ operation }) => !operation.tags.every(tag => tags.has(tag)))).toEqual([])
    for (const name of Object.keys(document.components).flatMap(kind => Object.keys(document.components[kind] ?? {})))
      expect(name).toMatch(/^[a-zA-Z0-9._-]+$/)
  })

  it('declares the variables of each path, and no parameter twice', () => {
    for (const { path, method, operation } of operations()) {
      const parameters = parametersOf(operation)
      const variables = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort()
      const declared = parameters.filter(each => each.in === 'path')
      expect([method, path, declared.map(({ name }) => name).sort()]).toEqual([method, path, variables])
      expect(declared.every(({ required }) => required === true)).toBe(true)
      const keys = parameters.map(each => `${each.in} ${each.name}`)
      expect([path, keys.filter((key, index) => keys.indexOf(key) !== index)]).toEqual([path, []])
      expect(parameters.every(({ schema }) => schema !== undefined)).toBe(true)
    }
  })

  it('tells answers and bodies as OpenAPI has them: a status with words, a media type with a schema', () => {
    for (const { operation, method } of operations()) {
      expect(Object.keys(operation.responses).length).toBeGreaterThan(0)
      for (const [status, response] of Object.entries(operation.responses)) {
        expect(status).toMatch(/^[1-5](\d\d|XX)$/)
        expect('$ref' in response || typeof response.description === 'string').toBe(true)
      }
      for (const [type, media] of Object.entries(operation.requestBody?.content ?? {})) {
        expect(type).toMatch(/^[a-z-]+\/[a-z0-9.+-]+$/)
        expect(media.schema).toBeDefined()
      }
      if (method === 'get' || method === 'delete') expect(operation.requestBody).toBeUndefined()
    }
  })

  it('asks for what the tables ask for, by schemes and scopes that are told', () => {
    const schemes = document.components.securitySchemes as Readonly<Record<string, Node>>
    const { authorizationCode } = (schemes.smart?.flows ?? {}) as { authorizationCode: { scopes: Node } }
    for (const { operation } of operations())
      for (const requirement of operation.security)
        for (const [name, scopes] of Object.entries(requirement)) {
          expect(Object.keys(schemes)).toContain(name)
          for (const scope of scopes) expect(Object.keys(authorizationCode.scopes)).toContain(scope)
        }
    for (const route of catalogue) {
      const path = route.path.replaceAll(/:(\w+)/g, '{$1}')
      const full = route.root === true ? path : path === '/' ? '/fhir' : `/fhir${path}`
      expect([full, at(full, route.method.toLowerCase()).security.length > 0]).toEqual([full, route.public !== true])
    }
    expect(at('/fhir/{type}/{id}').security).toContainEqual({ smart: ['user/*.rs'] })
    expect(at('/fhir/{type}/{id}', 'put').security).toContainEqual({ smart: ['user/*.cruds'] })
    expect(at('/account').security).toEqual([{ session: [] }])
    expect(at('/auth/clients').security).toEqual([{ bearer: [] }])
    expect(at('/auth/login').security).toEqual([])
    expect(schemes.session).toMatchObject({ in: 'cookie', name: '__Host-kinhold' })
    expect(authorizationCode).toMatchObject({
      tokenUrl: `${origin}/auth/token`,
      scopes: { openid: expect.any(String) },
    })
  })

  it('tells the media types that are taken and answered', () => {
    const taken = (path: string, method = 'post') => Object.keys(at(path, method).requestBody?.content ?? {})
    const answered = (path: string, method: string, status: string) =>
      Object.keys((at(path, method).responses[status]?.content ?? {}) as Node)
    const fhir = ['application/fhir+json', 'application/json', 'application/fhir+xml']
    expect(taken('/fhir/{type}')).toEqual(fhir)
    const patches = ['application/json-patch+json', 'application/merge-patch+json']
    expect(taken('/fhir/{type}/{id}', 'patch')).toEqual([...patches, ...fhir])
    expect(taken('/fhir/{type}/_search')).toEqual(['application/x-www-form-urlencoded'])
    expect(taken('/fhir/Patient/{id}/$ingest')).toEqual(['application/octet-stream'])
    expect(taken('/hl7v2')).toEqual(['x-application/hl7-v2+er7'])
    expect(taken('/auth/token')).toEqual(['application/x-www-form-urlencoded'])
    expect(taken('/auth/register')).toEqual(['application/json'])
    expect(taken('/share')).toEqual(['application/json'])
    expect(answered('/fhir/{type}/{id}', 'get', '200')).toEqual(['application/fhir+json', 'application/fhir+xml'])
    expect(answered('/hl7v2', 'post', '200')).toEqual(['x-application/hl7-v2+er7'])
    expect(answered('/fhir/.well-known/smart-configuration', 'get', '200')).toEqual(['application/json'])
    expect(answered('/share/{id}', 'get', '200')).toEqual(['application/jose'])
    expect(answered('/account', 'get', '200')).toEqual(['text/html'])
    expect(at('/fhir/Patient/{id}/$everything', 'post').requestBody?.required).toBe(false)
    const refused = document.components.responses?.Refused as { content: Node }
    expect(Object.keys(refused.content)).toEqual(['application/fhir+json', 'application/fhir+xml', 'text/html'])
  })

  it('tells every search parameter of every type by name, as the CapabilityStatement does', async () => {
    const { body } = await request(house.app).get('/fhir/metadata').expect(200)
    interface Resource {
      readonly type: string
      readonly searchParam: readonly { readonly name: string }[]
      readonly interaction: readonly { readonly code: string }[]
    }
    const [{ resource }] = body.rest as [{ resource: readonly Resource[] }]
    expect(resource.length).toBeGreaterThan(140)
    for (const { type, searchParam, interaction } of resource) {
      const query = parametersOf(at(`/fhir/${type}`)).filter(each => each.in === 'query')
      const told = new Set(query.map(({ name }) => name))
      expect([type, searchParam.filter(({ name }) => !told.has(name))]).toEqual([type, []])
      for (const control of ['_count', '_sort', '_include', '_summary', '_format']) expect(told).toContain(control)
      expect(at(`/fhir/${type}`, 'post') !== undefined).toBe(interaction.some(({ code }) => code === 'create'))
    }
    expect(at('/fhir/AuditEvent/{id}', 'put')).toBeUndefined()
    const headers = (path: string, method: string) =>
      parametersOf(at(path, method))
        .filter(each => each.in === 'header')
        .map(({ name }) => name)
    expect(headers('/fhir/{type}/{id}', 'put')).toEqual(['If-Match', 'If-Unmodified-Since', 'If-None-Match', 'Prefer'])
    expect(headers('/fhir/Observation', 'post')).toEqual(['If-None-Exist', 'Prefer'])
  })

  it('has a schema of each type that can be sent, which its example fulfils – https://hl7.org/fhir/R4/json.html', () => {
    const ajv = new Ajv2020({ strict: false, formats: { 'date-time': true } }).addSchema(document, 'openapi')
    const sent = operations().filter(({ path, method }) => method === 'post' && /^\/fhir\/[A-Z]\w+$/.test(path))
    expect(sent.length).toBeGreaterThan(140)
    for (const { path, operation } of sent) {
      const type = path.slice('/fhir/'.length)
      const { schema, example } = operation.requestBody?.content['application/fhir+json'] ?? {}
      expect(schema).toEqual({ $ref: `#/components/schemas/${type}` })
      const fulfils = ajv.compile({ $ref: `openapi#/components/schemas/${type}` })
      expect([type, fulfils(example), fulfils.errors]).toEqual([type, true, null])
      expect(fulfils({ ...(example as Node), resourceType: 'Nothing' })).toBe(false)
    }
    const observation = document.components.schemas?.Observation as { required: unknown; properties: Node }
    expect(observation.required).toEqual(['resourceType', 'code'])
    expect(observation.properties).toMatchObject({
      status: { enum: expect.arrayContaining(['final', 'entered-in-error']) },
      valueQuantity: { $ref: '#/components/schemas/Quantity' },
      component: { type: 'array', items: { $ref: '#/components/schemas/Observation.component' } },
    })
  })

  it('has primitives without a value, and lists of them with gaps – https://hl7.org/fhir/R4/json.html#primitive', () => {
    const ajv = new Ajv2020({ strict: false, formats: { 'date-time': true } }).addSchema(document, 'openapi')
    const fulfils = (resource: { readonly resourceType: string; readonly [name: string]: unknown }) =>
      ajv.compile({ $ref: `openapi#/components/schemas/${resource.resourceType}` })(resource)
    const beside = {
      extension: [{ url: 'http://hl7.org/fhir/StructureDefinition/data-absent-reason', valueCode: 'unknown' }],
    }
    const named = (name: object) => ({ resourceType: 'Patient', name: [name] })
    const observed = { resourceType: 'Observation', code: { text: 'x' } }
    for (const taken of [
      named({ given: ['Anna', null], _given: [null, beside] }),
      named({ given: [null, 'Anna'], _given: [{ id: 'a', ...beside }, null] }),
      named({ _given: [beside] }),
      named({ family: 'Example', _family: { id: 'a' } }),
      { resourceType: 'Patient', _birthDate: beside, _id: beside },
      { ...observed, _status: beside },
      {
        resourceType: 'ValueSet',
        status: 'draft',
        compose: { include: [{ _system: beside, concept: [{ _code: beside }] }] },
      },
      {
        resourceType: 'Task',
        status: 'draft',
        intent: 'plan',
        input: [{ type: { text: 'x' }, valueString: 'x', _valueString: beside }],
      },
    ])
      expect([taken, fulfils(taken)]).toEqual([taken, true])
    for (const refused of [
      named({ given: 'Anna' }),
      named({ given: [] }),
      named({ given: [1] }),
      { resourceType: 'Patient', name: [null] },
      { resourceType: 'Patient', birthDate: null },
      { resourceType: 'Patient', extension: [{ _url: beside }] },
      { resourceType: 'Patient', text: { status: 'generated', _div: beside } },
      { ...observed, status: null },
    ])
      expect([refused, fulfils(refused)]).toEqual([refused, false])
  })

  it('tells what each form takes', () => {
    const schema = at('/auth/token', 'post').requestBody?.content['application/x-www-form-urlencoded']?.schema as Node
    expect(schema.required).toEqual(['grant_type'])
    expect(Object.keys(schema.properties as Node)).toContain('client_secret')
    expect(parametersOf(at('/auth/authorize')).find(({ name }) => name === 'aud')).toMatchObject({ required: true })
    expect(parametersOf(at('/auth/authorize')).find(({ name }) => name === 'state')?.required).toBeUndefined()
  })

  it('can be had for some types only', async () => {
    const some = (await request(house.app).get('/openapi.json?type=Goal').expect(200)).body as Document
    expect(some.paths).toHaveProperty(['/fhir/Goal'])
    expect(some.paths).not.toHaveProperty(['/fhir/Observation'])
    expect(some.paths).toHaveProperty(['/fhir/{type}'])
    const common = await request(house.app).get('/openapi.json?type=common').expect(200)
    expect(common.text.length).toBeLessThan(550_000)
    expect((common.body as Document).paths).toHaveProperty(['/fhir/Observation'])
  })
})

describe('"try it" at first click', () => {
  const form = 'application/x-www-form-urlencoded'

  /** Swagger UI fills in each field of a form: what is told as an example, else what its type is called. */
  function formOf(schema: Node): string {
    const { properties } = ('$ref' in schema ? resolve(String(schema.$ref)) : schema) as { properties: Node }
    const filled = Object.entries(properties).map(([name, field]) => {
      const { examples, type } = field as { readonly examples?: readonly unknown[]; readonly type: string }
      return [name, String(examples?.[0] ?? type)]
    })
    return withoutEmptyFields({ headers: { 'Content-Type': form }, body: String(new URLSearchParams(filled)) }).body
  }

  /** What Swagger UI sends when nothing was filled in: examples in the path, no optional parameter, required headers, the first body. */
  function firstClick({ path, method, operation }: { path: string; method: string; operation: Operation }) {
    const asking = parametersOf(operation).filter(each => each.in === 'query' && each.example !== undefined)
    const query = new URLSearchParams(asking.map(({ name, example }) => [name, String(example)]))
    const filled = path.replaceAll(/\{(\w+)\}/g, (_, name) =>
      String(parametersOf(operation).find(each => each.in === 'path' && each.name === name)?.example ?? 'none'),
    )
    const [type, media] = Object.entries(operation.requestBody?.content ?? {})[0] ?? []
    const body = type === form ? formOf(media?.schema as Node) : media?.example
    const asked = request(house.app)[method as 'get'](`${filled}?${query}`)
    for (const { in: place, name, required, example: value } of parametersOf(operation))
      if (place === 'header' && required === true) asked.set(name, String(value))
    if (type === undefined) return asked
    return asked.set('Content-Type', type).send(typeof body === 'string' ? body : JSON.stringify(body ?? {}))
  }

  /** What an answer is that the document does not say it may be. */
  function untold(
    { operation }: { operation: Operation },
    { status, type }: { status: number; type: string },
  ): string[] {
    const { responses } = operation
    const named = responses[status] ?? responses[`${Math.floor(status / 100)}XX`]
    if (named === undefined) return [`status ${status}`]
    const told = ('$ref' in named ? resolve(String(named.$ref)) : named) as { readonly content?: Node }
    if (told.content === undefined) return []
    return Object.keys(told.content).includes(type) ? [] : [`${status} as ${type || 'nothing'}`]
  }

  // An operation that is not well asked with an empty Parameters needs a row in src/http/openapi/examples.ts.
  it('asks nothing that is malformed, of no known type, or not allowed', async () => {
    const token = await house.token('system/*.cruds')
    const wellAsked = [200, 201, 202, 204, 304, 404, 410, 412]
    const isFile = (operation: Operation) => operation.requestBody?.content['application/octet-stream'] !== undefined
    const tried = operations().filter(({ path, operation }) => path.startsWith('/fhir') && !isFile(operation))
    expect(tried.length).toBeGreaterThan(600)
    const failed: unknown[] = []
    for (const each of tried) {
      const answer = await firstClick(each).set('Authorization', `Bearer ${token}`)
      if (!wellAsked.includes(answer.status))
        failed.push([each.method, each.path, answer.status, answer.text.slice(0, 300)])
      for (const other of untold(each, answer)) failed.push([each.method, each.path, other])
    }
    expect(failed).toEqual([])
    // What may hold a type is asked for one that it may hold, and a topic by an id that there is.
    const found = await Promise.all(
      ['/fhir/Device/{id}/{type}', '/fhir/SubscriptionTopic/{id}'].map(path =>
        firstClick({ path, method: 'get', operation: at(path) }).set('Authorization', `Bearer ${token}`),
      ),
    )
    expect(found.map(({ status }) => status)).toEqual([200, 200])
    // The message is about somebody whom this server does not know, and its sender is told so.
    const message = { path: '/hl7v2', method: 'post', operation: at('/hl7v2', 'post') }
    const ack = await firstClick(message).set('Authorization', `Bearer ${token}`).buffer(true)
    expect(ack.text).toMatch(/\rMSA\|A[AE]\|1/)
  })

  it('has something in each field that the page wants filled before it sends anything', async () => {
    const page = (await request(house.app).get('/openapi.json?type=common').expect(200)).body as Document
    const all = Object.entries(page.paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
    )
    const empty = all.flatMap(({ path, method, operation }) =>
      parametersOf(operation)
        .filter(({ required, example }) => required === true && example === undefined)
        .map(({ name }) => [method, path, name]),
    )
    expect(empty).toEqual([])
    // Forms of pages hold what only the page knows.
    expect(page.tags).not.toContainEqual({ name: 'Pages' })
    expect(all.filter(({ operation }) => operation.tags.includes('Pages'))).toEqual([])
    expect(document.tags).toContainEqual({ name: 'Pages' })
  })

  it('asks the authorisation server and for links what is well-formed', async () => {
    const token = await house.token('system/*.cruds')
    const answers: unknown[] = []
    for (const path of ['/auth/register', '/auth/introspect', '/auth/revoke', '/auth/token', '/share', '/share/{id}']) {
      const { status, body } = await firstClick({ path, method: 'post', operation: at(path, 'post') }).set(
        path === '/share' ? { Authorization: `Bearer ${token}` } : {},
      )
      answers.push([path, status, body.error ?? body.issue?.[0]?.code])
    }
    expect(answers).toEqual([
      ['/auth/register', 201, undefined],
      ['/auth/introspect', 401, 'invalid_client'],
      ['/auth/revoke', 401, 'invalid_client'],
      ['/auth/token', 401, 'invalid_client'],
      ['/share', 404, 'not-found'],
      ['/share/{id}', 404, 'not-found'],
    ])
    const { status, text } = await request(house.app).get('/openapi.json?type=Patient')
    expect([status, text.length < 450_000]).toEqual([200, true])
    expect(parametersOf(at('/openapi.json'))).toEqual([expect.objectContaining({ name: 'type', example: 'Patient' })])
  })
})
