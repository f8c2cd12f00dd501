import fc from 'fast-check'
import { catalogue, type IngestPort } from '#interactions'
import { collect } from '#kernel'
import { admin, grantOf, type House, noLetters, openHouse, patientA, patientB, weightOf } from './house.ts'

/** An importer that reads what it gets and is done. */
const port: IngestPort = {
  start: async ({ body }) => {
    await collect(body, 1_000_000)
    const progress = { bytesRead: 0, rows: 0 }
    return { id: 'job', state: 'done', progress, report: { resourceType: 'Parameters' }, done: Promise.resolve() }
  },
  job: async () => undefined,
  hl7v2: async () => ({ status: 400, ack: 'MSA|AE|' }),
  letters: noLetters,
}

let house: House
beforeAll(async () => {
  house = await openHouse({ ingest: port, limits: { bundleEntries: 10 } })
  await house.ask('PUT', '/Patient/a', { grant: admin, body: patientA })
  await house.ask('PUT', '/Patient/b', {
    grant: admin,
    body: { ...patientB, name: [{ family: 'Canary' }, { given: ['Birch'] }] },
  })
  await house.ask('PUT', '/Observation/w', { grant: admin, body: { ...weightOf('a', 70), id: 'w' } })
  await house.ask('PUT', '/Observation/v', { grant: admin, body: { ...weightOf('b', 98_765_432), id: 'v' } })
})
afterAll(() => house.close())

const oneOf = <T>(...values: readonly T[]) => fc.constantFrom(...values)
/** Mostly something plausible, so that requests get past the first check, now and then something odd. */
const mostly = <T>(plausible: fc.Arbitrary<T>, odd: fc.Arbitrary<T>, weight = 6) =>
  fc.oneof({ arbitrary: plausible, weight }, { arbitrary: odd, weight: 1 })

const oddId = oneOf('zz', '..', '%2e%2e', '%00', "1'--", 'constructor', '__proto__', 'x'.repeat(65), '%F0%9F%92%A9')
const id = mostly(oneOf('a', 'b', 'w', 'v'), oddId)
const type = mostly(
  oneOf('Patient', 'Observation'),
  oneOf('Bundle', 'Parameters', 'Binary', 'AuditEvent', 'Group', 'Nonsense'),
)
const version = mostly(oneOf('1', '2'), oneOf('0', '-1', '1e99', 'x'))
const route = oneOf(...catalogue)
const target = fc.tuple(route, type, id, version, type).map(([row, first, i, vid, second]) => ({
  method: row.method as string,
  path: row.path
    .replace(':type', row.path.startsWith('/Patient/:id') ? second : first)
    .replace(':id', i)
    .replace(':vid', vid)
    .replace(':job', i),
  consumes: row.consumes ?? 'application/fhir+json',
  knows: row.query ?? [],
}))

const pairs: fc.Arbitrary<readonly [string, string]> = mostly<readonly [string, string]>(
  oneOf<readonly [string, string]>(
    ['_id', 'a,b,w,v'],
    ['_count', '1'],
    ['_sort', '-_lastUpdated'],
    ['_include', '*'],
    ['_revinclude', '*'],
    ['_include', 'Observation:subject'],
    ['_include:iterate', '*'],
    ['_has:Observation:patient:code', '29463-7'],
    ['_has:Observation:patient:value-quantity', 'gt100'],
    ['_type', 'Patient,Observation'],
    ['_summary', 'true'],
    ['_summary', 'count'],
    ['_elements', 'id,code'],
    ['_total', 'accurate'],
    ['subject', 'Patient/b'],
    ['patient', 'b'],
    ['patient', 'a,b'],
    ['patient.family', 'Canary'],
    ['subject:Patient.name', 'Canary'],
    ['value-quantity', 'gt100'],
    ['value-quantity', '5.4|http://unitsofmeasure.org|kg'],
    ['family', 'Canary'],
    ['name:contains', 'ana'],
    ['code:not', 'x'],
    ['subject:missing', 'false'],
    ['_since', '2020-01-01'],
    ['_pretty', 'true'],
    ['identifier', 'x|y'],
  ),
  fc.tuple(
    oneOf(
      '_count',
      '_sort',
      '_include',
      '_cursor',
      '_format',
      '_since',
      '_type',
      'name[$ne]',
      'a[__proto__][b]',
      'mode',
      'source',
      '',
    ),
    fc.oneof(oneOf('-1', '1e9', 'NaN', '*', 'json', '{"$gt":""}', '\\', '|', '$', ''), fc.string({ maxLength: 20 })),
  ),
  8,
)
const query = fc
  .array(pairs, { maxLength: 3 })
  .map(list => new URLSearchParams(list.map(([n, v]) => [n, v])).toString())
const header = oneOf(
  'W/"1"',
  '*',
  '"',
  'return=minimal',
  'return=representation',
  'handling=lenient',
  'respond-async',
  'name=Alder',
  'Patient?name=x',
)
const headers = fc.dictionary(
  oneOf('if-match', 'if-none-match', 'if-none-exist', 'prefer', 'if-modified-since'),
  header,
  { maxKeys: 2 },
)
const oddType = oneOf('application/json', 'text/html', 'application/fhir+xml', '')

const leaf = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.double(),
  fc.string({ maxLength: 8 }),
  oneOf('Patient/b', 'Patient?name=Canary', 'urn:uuid:1', 'final'),
)
const elements = [
  'resource',
  'request',
  'name',
  'id',
  'meta',
  'reference',
  'subject',
  'entry',
  'parameter',
  'text',
] as const
const anyJson = fc.letrec(tie => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(oneOf(...elements), tie('value'), { maxKeys: 4 }),
  ),
})).value

const who = oneOf(
  'Patient/a',
  'Patient/a',
  'Patient/a',
  'Patient/b',
  'Patient?family=Canary',
  'Patient?family=Alder',
  'urn:uuid:1',
  'Nonsense/1',
  '#',
)
const weight = fc
  .tuple(who, fc.oneof(fc.constant(undefined), id), fc.double({ min: -1e6, max: 1e6, noNaN: true }))
  .map(([reference, i, value]) => ({
    ...weightOf('a', value),
    ...(i === undefined ? {} : { id: i }),
    subject: { reference },
  }))
const garbled = fc
  .tuple(
    type,
    fc.dictionary(
      oneOf('id', 'meta', 'status', 'code', 'subject', 'entry', 'parameter', 'contained', 'member'),
      anyJson,
      { maxKeys: 4 },
    ),
  )
  .map(([resourceType, rest]) => ({ resourceType, ...rest }))
const parameters = fc
  .tuple(weight, anyJson)
  .map(([resource, more]) => ({ resourceType: 'Parameters', parameter: [{ name: 'resource', resource }, more] }))
const resource: fc.Arbitrary<unknown> = fc.oneof(
  weight,
  weight,
  weight,
  garbled,
  parameters,
  fc.constant({ ...patientA, active: true }),
)

const asked: fc.Arbitrary<unknown> = fc
  .tuple(
    target,
    query,
    fc.dictionary(
      oneOf('ifNoneExist', 'ifMatch', 'ifNoneMatch'),
      oneOf<unknown>('family=Canary', 'family=Alder', 'W/"1"', '*', 7),
      { maxKeys: 1 },
    ),
  )
  .map(([{ method, path }, search, more]) => ({
    method,
    url: `${path.slice(1)}${search === '' ? '' : `?${search}`}`,
    ...more,
  }))
const fullUrl: fc.Arbitrary<unknown> = oneOf<unknown>(
  'urn:uuid:1',
  'urn:uuid:2',
  'http://other/fhir/Patient/1',
  'http://127.0.0.1:8080/fhir/Patient/a',
  7,
)
const entry = fc.record({ fullUrl, resource, request: mostly(asked, anyJson) }, { requiredKeys: ['request'] })
const post = fc
  .tuple(weight, fullUrl)
  .map(([it, url]) => ({ fullUrl: url, resource: it, request: { method: 'POST', url: 'Observation' } }))
const bundle: fc.Arbitrary<unknown> = fc.record({
  resourceType: fc.constant('Bundle'),
  type: mostly(oneOf<unknown>('batch', 'transaction', 'transaction'), oneOf<unknown>('document', 7, null), 20),
  entry: mostly<unknown>(
    fc.array(fc.oneof(post, post, entry, mostly<unknown>(entry, anyJson)), { maxLength: 3 }),
    anyJson,
    20,
  ),
})
const body = mostly(fc.oneof(resource, resource, bundle), fc.oneof(anyJson, fc.string({ maxLength: 30 }))).map(it =>
  typeof it === 'string' ? it : JSON.stringify(it),
)
const grant = mostly(
  oneOf(grantOf('patient/*.cruds', { patient: 'a' }), grantOf('user/*.cruds', { patients: ['a'] })),
  oneOf(grantOf('patient/Observation.rs', { patient: 'a' }), grantOf('patient/*.rs')),
)

interface Request {
  readonly method: string
  readonly path: string
  readonly query: string
  readonly headers: Readonly<Record<string, string>>
  readonly contentType: string
  readonly body: string
  readonly grant: ReturnType<typeof grantOf>
}

/** The parameters that a route knows. */
function known(search: string, names: readonly string[] | 'search'): string {
  if (names === 'search') return search
  return new URLSearchParams([...new URLSearchParams(search)].filter(([each]) => names.includes(each))).toString()
}

/** How many were really carried out: a property over refusals alone would prove nothing. */
let carriedOut = 0

async function isAnswered(request: Request): Promise<void> {
  const answer = await house.ask(request.method, `${request.path}?${request.query}`, {
    grant: request.grant,
    headers: { ...request.headers, 'content-type': request.contentType },
    body: request.body,
  })
  if (answer.status < 300) carriedOut++
  expect(answer.status).toBeLessThan(500)
  // What was asked for stands in self links, and is no secret to who asked.
  const links = JSON.stringify(answer.json?.link ?? [])
  expect(answer.text.replace(links.slice(1, -1), '')).not.toMatch(/Birch|98765432/)
  if (answer.status >= 400 && answer.headers['content-type'] === undefined)
    expect(['OperationOutcome', 'Parameters']).toContain(answer.json.resourceType)
}

describe('hostile requests', () => {
  it("are each answered, never by a fault, and never with anything of somebody else's", async () => {
    const request = fc
      .tuple(
        target,
        mostly(fc.constant(''), oddType),
        mostly(fc.constant(''), oneOf('HEAD', 'PATCH', 'OPTIONS', 'PUT')),
        mostly(fc.constant(false), fc.constant(true)),
        fc.record({ query, headers, body, grant }),
      )
      .map(([{ method, path, consumes, knows }, odd, otherMethod, unknown, rest]) => ({
        ...rest,
        path,
        query: unknown ? rest.query : known(rest.query, knows),
        method: otherMethod === '' ? method : otherMethod,
        contentType: odd === '' ? consumes : odd,
      }))
    await fc.assert(fc.asyncProperty(request, isAnswered), { numRuns: 3000 })
    expect(carriedOut).toBeGreaterThan(200)
  })

  it('and so are hostile Bundles', async () => {
    carriedOut = 0
    const request = fc.record({
      method: fc.constant('POST'),
      path: fc.constant('/'),
      query: fc.constant(''),
      headers,
      contentType: fc.constant('application/fhir+json'),
      body: bundle.map(it => JSON.stringify(it)),
      grant,
    })
    await fc.assert(fc.asyncProperty(request, isAnswered), { numRuns: 1500 })
    expect(carriedOut).toBeGreaterThan(200)
  })

  it('leave the other record as it was, and Object as it is', async () => {
    const { json } = await house.ask('GET', '/Patient/b', { grant: admin })
    expect(json.meta.versionId).toBe('1')
    expect((await house.ask('GET', '/Observation/v/_history', { grant: admin })).json.total).toBe(1)
    expect(Object.keys(Object.prototype)).toEqual([])
  })
})
