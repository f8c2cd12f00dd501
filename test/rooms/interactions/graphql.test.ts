import { readFileSync } from 'node:fs'
import type { Grant } from '#access'
import type { Resource } from '#fhir'
import { type Answer, admin, grantOf, type House, openHouse, weightOf } from './house.ts'

const cases = new URL('../../cases/fhir/', import.meta.url)
const read = (path: string) => readFileSync(new URL(path, cases), 'utf8')

/** Only what the questions of the vectors look at. */
const others: readonly Resource[] = [
  { resourceType: 'Patient', id: 'xds', active: true },
  { resourceType: 'Condition', id: 'example', subject: { reference: 'Patient/example' } },
  {
    resourceType: 'MedicationDispense',
    id: 'meddisp008',
    status: 'completed',
    subject: { reference: 'Patient/example' },
    medicationReference: { reference: 'Medication/none' },
    authorizingPrescription: [{ reference: 'MedicationRequest/medrx0309' }],
  },
  {
    resourceType: 'Patient',
    id: 'glossy',
    extension: [{ url: 'http://example.org/StructureDefinition/trials', valueCode: 'renal' }],
  },
  {
    resourceType: 'Patient',
    id: 'newborn',
    birthDate: '2016-05-18',
    _birthDate: {
      extension: [
        {
          url: 'http://hl7.org/fhir/StructureDefinition/patient-birthTime',
          valueDateTime: '2016-05-18T10:28:45Z',
        },
      ],
    },
  },
  { ...weightOf('newborn', 3), id: '20minute-apgar-score' },
  {
    resourceType: 'List',
    id: 'example-long',
    status: 'current',
    mode: 'working',
    subject: { reference: 'Patient/example' },
    entry: [6, 7, 8, 9, 10, 1, 2, 3, 4, 5].map(number => ({ item: { reference: `Patient/${number}` } })),
  },
]

interface Vector {
  readonly name: string
  readonly source: string
  readonly output: string
  readonly context: string
}

function vectorsOf(manifest: string): readonly Vector[] {
  return [...manifest.matchAll(/<test ([^>]*)\/>/g)].map(([, attributes = '']) => {
    const told = new Map([...attributes.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]))
    const of = (name: string) => told.get(name) ?? ''
    return { name: of('name'), source: of('source'), output: of('output'), context: of('context') }
  })
}

/** Vectors whose right answer here is another one, with the reason. */
const otherwise: Readonly<Record<string, readonly [reason: string, data: object]>> = {
  'extension-simple': [
    'two fields of one name are one, https://spec.graphql.org/October2021/#sec-Field-Selection-Merging; subject is no list',
    {
      subject: {
        resource: { birthDate: '2016-05-18', _birthDate: { extension: [{ valueDateTime: '2016-05-18T10:28:45Z' }] } },
      },
    },
  ],
  'search-full': [
    'the numbers and links of the vector are of a server that had other Patients',
    {
      PatientConnection: {
        count: 2,
        offset: 0,
        edges: ['example', 'xds'].map(id => ({ mode: 'match', resource: { id, active: true } })),
      },
    },
  ],
}

const asJson = { 'content-type': 'application/json' }
const codeOf = ({ json }: Answer) => json.errors[0].extensions.resource.issue[0].details.coding[0].code

let house: House
const ask = (query: string, grant: Grant = admin, about = '/', variables: object = {}) =>
  house.ask('POST', `${about}$graphql`, { grant, headers: asJson, body: { query, variables } })

beforeAll(async () => {
  house = await openHouse()
  const asXml = { 'content-type': 'application/fhir+xml' }
  for (const place of ['Patient', 'Observation']) {
    const body = read(`fhirpath/${place.toLowerCase()}-example.xml`)
    await house.ask('PUT', `/${place}/example`, { grant: admin, headers: asXml, body })
  }
  for (const body of others) await house.ask('PUT', `/${body.resourceType}/${body.id}`, { grant: admin, body })
})
afterAll(() => house.close())

describe('the public vectors of GraphQL – https://hl7.org/fhir/R4/graphql.html', () => {
  it.each(vectorsOf(read('graphql/manifest.xml')))('$name', async ({ name, source, output, context }) => {
    const about = `/${context.replace('$graphql', '')}`
    const answer = await ask(read(`graphql/${source}`), admin, about, { var: true })
    if (output === '$error') {
      expect([answer.status >= 400, answer.json.data]).toEqual([true, null])
      expect(answer.json.errors[0].extensions.resource.resourceType).toBe('OperationOutcome')
      return
    }
    const [, known = JSON.parse(read(`graphql/${output}`)) as object] = otherwise[name] ?? []
    expect(answer).toMatchObject({ status: 200, headers: { 'content-type': 'application/json; charset=utf-8' } })
    expect(answer.json).toEqual({ data: known })
  })

  it('what a parser must take is taken, and an empty list of arguments is not, as GraphQL has none', async () => {
    const sections = read('graphql/parser-tests.gql').split(/^####\s+/m)
    const codes = new Map<string, string>()
    for (const section of sections.slice(1)) {
      const [title = '', ...lines] = section.split('\n')
      codes.set(title.trim(), codeOf(await ask(lines.join('\n'))))
    }
    expect(codes.size).toBeGreaterThan(20)
    expect([...codes].filter(([, code]) => code === 'graphql.malformed')).toEqual([
      ['EmptyParamList', 'graphql.malformed'],
    ])
    expect(codes.get('Mutation')).toBe('graphql.operation-unsupported')
  })
})

describe('a query – https://hl7.org/fhir/R4/graphql.html#invoking', () => {
  const query = '{ Patient(id: "xds") { resourceType active } }'
  const data = { Patient: { resourceType: 'Patient', active: true } }

  it.each([
    ['in the URL', 'GET', `/$graphql?query=${encodeURIComponent(query)}`, {}],
    ['as the body', 'POST', '/$graphql', { headers: { 'content-type': 'application/graphql' }, body: query }],
    ['in JSON', 'POST', '/$graphql', { headers: asJson, body: { query } }],
    [
      'in Parameters',
      'POST',
      '/$graphql',
      { body: { resourceType: 'Parameters', parameter: [{ name: 'query', valueString: query }] } },
    ],
    ['by POST in the URL', 'POST', `/$graphql?query=${encodeURIComponent(query)}`, { headers: asJson }],
  ])('%s', async (_, method, url, asked) => {
    expect(await house.ask(method, url, { grant: admin, ...asked })).toMatchObject({ status: 200, json: { data } })
  })

  it('names its operation where there are several, and has variables in the URL', async () => {
    const two = 'query a { Patient(id: "glossy") { id } } query b($id: ID!) { Patient(id: $id) { id } }'
    const url = (more: string) => `/$graphql?query=${encodeURIComponent(two)}${more}`
    const variables = encodeURIComponent('{"id":"xds"}')
    const get = (more: string) => house.ask('GET', url(more), { grant: admin })
    expect((await get(`&operationName=b&variables=${variables}`)).json).toEqual({ data: { Patient: { id: 'xds' } } })
    expect(codeOf(await get(''))).toBe('graphql.operation-unclear')
    expect(codeOf(await get('&operationName=b'))).toBe('graphql.variable-malformed')
    // A filter that is left out would let the answer hold more: https://spec.graphql.org/October2021/#sec-All-Variable-Uses-Defined
    const ask = (text: string) => house.ask('GET', `/$graphql?query=${encodeURIComponent(text)}`, { grant: admin })
    for (const undeclared of [
      'query($x: String) { PatientList(name: $y) { id } }',
      '{ ...A } fragment A on Query { ...B } fragment B on Query { PatientList(name: $y) { id } }',
      '{ Patient(id: "xds") { id @include(if: $y) } }',
    ])
      expect([undeclared, codeOf(await ask(undeclared))]).toEqual([undeclared, 'graphql.variable-malformed'])
    expect(codeOf(await get('&variables=nonsense'))).toBe('graphql.variables-malformed')
    expect(codeOf(await house.ask('GET', '/$graphql', { grant: admin }))).toBe('graphql.query-missing')
    const asText = { grant: admin, headers: { 'content-type': 'text/plain' }, body: query }
    expect(codeOf(await house.ask('POST', '/$graphql', asText))).toBe('body.type-unsupported')
  })

  it('is no part of a Bundle: its answer is no resource', async () => {
    const entry = [{ request: { method: 'GET', url: '$graphql?query={PatientList{id}}' } }]
    const body = { resourceType: 'Bundle', type: 'batch', entry }
    const { json } = await house.ask('POST', '/', { grant: admin, body })
    expect(json.entry[0].response.status).toMatch(/^404/)
  })
})

describe('what is asked for', () => {
  it('keeps digits, filters lists by any element, and resolves what is contained', async () => {
    await house.ask('PUT', '/Observation/weighed', {
      grant: admin,
      body: `{"resourceType":"Observation","id":"weighed","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/example"},
        "contained":[{"resourceType":"Practitioner","id":"p","name":[{"family":"Inner"}]}],"performer":[{"reference":"#p"}],
        "valueQuantity":{"value":70.50},"component":[{"code":{"text":"a"},"valueInteger":1},{"code":{"text":"b"},"valueInteger":2}]}`,
    })
    const { text, json } = await ask(
      `{ valueQuantity { value }
         two: component(valueInteger: 2) { code { text } }
         by: component(fhirpath: "code.text = 'a'") { value: valueInteger }
         performer { resource { ... on Practitioner { name { family } } __typename } }
         contained { ... on Practitioner { id } }
         inner: performer { resource(type: [Practitioner, Patient]) { id } } }`,
      admin,
      '/Observation/weighed/',
    )
    expect(text).toContain('70.50')
    expect(json.data).toEqual({
      valueQuantity: { value: 70.5 },
      two: [{ code: { text: 'b' } }],
      by: [{ value: 1 }],
      performer: [{ resource: { name: [{ family: 'Inner' }], __typename: 'Practitioner' } }],
      contained: [{ id: 'p' }],
      inner: [{ resource: { id: 'p' } }],
    })
  })

  it('is searched by lists of values and names with underscores, and gone through by cursors', async () => {
    const list =
      '{ PatientList(_id: ["xds", "glossy"], _sort: "_id") { id } ConditionList(clinical_status: active) { id } }'
    expect((await ask(list)).json.data).toEqual({
      PatientList: [{ id: 'glossy' }, { id: 'xds' }],
      ConditionList: [],
    })
    const page = (args: string) =>
      ask(`{ PatientConnection(${args}) { count next pagesize edges { resource { id } } } }`)
    const first = (await page('_count: 2, _sort: "_id"')).json.data.PatientConnection
    expect(first).toMatchObject({ count: 4, pagesize: 2, edges: [{ resource: { id: 'example' } }, {}] })
    const second = (await page(`_cursor: "${first.next}"`)).json.data.PatientConnection
    expect(second.edges).toMatchObject([{ resource: { id: 'newborn' } }, { resource: { id: 'xds' } }])
    const foreign = `{ ConditionConnection(_cursor: "${first.next}") { count } }`
    expect(codeOf(await ask(foreign))).toBe('graphql.cursor-foreign')
    expect(codeOf(await page(`_cursor: "${first.next}", active: true`))).toBe('graphql.argument-malformed')
    expect((await ask('{ PatientList(_count: 1, _sort: "_id") { id } }')).json.data.PatientList).toHaveLength(1)
    const found = await ask(`{ PatientList(fhirpath: "birthDate > @2000-01-01") { id } }`)
    expect(found.json.data).toEqual({ PatientList: [{ id: 'newborn' }] })
  })

  it('is described by __schema and __type, alone', async () => {
    const fields = '{ __type(name: "Reference") { fields { name } } }'
    const names = (await ask(fields)).json.data.__type.fields.map(({ name }: { name: string }) => name)
    expect(names).toEqual(expect.arrayContaining(['reference', '_reference', 'resource']))
    const root = '{ __schema { queryType { name } directives { name } } }'
    const ofOne = await ask(root, admin, '/Patient/xds/')
    expect(ofOne.json.data.__schema.queryType).toEqual({ name: 'Patient' })
    expect(codeOf(await ask('{ __schema { queryType { name } } PatientList { id } }'))).toBe('graphql.schema-mixed')
    expect(codeOf(await ask('{ __schema { nonsense } }'))).toBe('graphql.malformed')
  })
})

describe('what is wrong with a query – https://hl7.org/fhir/R4/graphql.html#errors', () => {
  it.each([
    ['{ Patient(id: "secret") { id', 'graphql.malformed'],
    ['{ Patient { id } }', 'graphql.argument-malformed'],
    ['{ Patient(id: "xds") { secret } }', 'graphql.field-unknown'],
    ['{ Patient(id: "xds") { name } }', 'graphql.selection-malformed'],
    ['{ Patient(id: "xds") { id { x } } }', 'graphql.selection-malformed'],
    ['{ Patient(id: "xds") { ...secret } }', 'graphql.selection-malformed'],
    ['{ Patient(id: "xds") { id } } fragment f on Patient { secret }', 'graphql.selection-malformed'],
    ['{ Patient(id: "xds") { ...f } } fragment f on Patient { id ...f }', 'graphql.selection-malformed'],
    [
      '{ Patient(id: "xds") { ...f } } fragment f on Patient { id ...g } fragment g on Patient { ...f }',
      'graphql.selection-malformed',
    ],
    [
      '{ Patient(id: "xds") { id } } fragment f on Patient { ...g } fragment g on Patient { ...f }',
      'graphql.selection-malformed',
    ],
    ['{ Patient(id: "xds") { a: id a: active } }', 'graphql.selection-malformed'],
    ['{ Patient(id: "xds") { id(secret: "secret") } }', 'graphql.argument-unknown'],
    ['{ Patient(id: "xds") { name(secret: "secret") { given } } }', 'graphql.argument-unknown'],
    ['{ Patient(id: "xds") { name(_count: "secret") { given } } }', 'graphql.argument-malformed'],
    ['{ Patient(id: {secret: 1}) { id } }', 'graphql.argument-malformed'],
    ['{ Patient(id: "xds") { id @secret } }', 'graphql.directive-unknown'],
    ['{ Patient(id: "xds") { id @slice } }', 'graphql.directive-unknown'],
    ['{ Patient(id: "xds") { id @skip(if: "secret") } }', 'graphql.argument-malformed'],
    ['{ PatientList(secret: "secret") { id } }', 'graphql.argument-unknown'],
    ['{ PatientList(_include: "secret") { id } }', 'graphql.argument-unknown'],
    ['{ PatientList(birthdate: "secret") { id } }', 'search.date-malformed'],
    ['{ Patient(id: "xds") { ObservationList(code: "x") { id } } }', 'graphql.argument-malformed'],
    ['{ Patient(id: "xds") { ObservationList(_reference: code) { id } } }', 'graphql.argument-malformed'],
    ['{ Patient(id: "example") { name(fhirpath: "secret(") { given } } }', 'fhirpath.malformed'],
    ['{ Patient(id: "example") { name(fhirpath: "given.first() + 1") { given } } }', 'fhirpath.failed'],
    ['{ Patient(id: "secret") { id } }', 'record.unknown'],
    ['{ Patient(id: "example") { name @flatten { given @singleton } } }', 'graphql.not-single'],
    ['{ Patient(id: "example") { name @flatten { x: given } telecom @flatten { x: rank } } }', 'graphql.types-differ'],
    ['mutation { PatientDelete(id: "secret") { id } }', 'graphql.operation-unsupported'],
  ])('%s', async (query, code) => {
    const answer = await ask(query)
    expect([answer.status >= 400, answer.json.data, codeOf(answer)]).toEqual([true, null, code])
    const { locations = [], path = [] } = answer.json.errors[0]
    expect(locations.length + path.length).toBeGreaterThan(code === 'graphql.operation-unsupported' ? -1 : 0)
    expect(JSON.stringify({ ...answer.json.errors[0], path: [] })).not.toContain('secret')
  })

  it('is also that it asks for too much', async () => {
    const deep = `{ Patient(id: "xds") ${'{ contact { extension '.repeat(20)}{ url }${'} }'.repeat(20)} }`
    expect(['graphql.too-large', 'graphql.field-unknown']).toContain(codeOf(await ask(deep)))
    const nested = `{ Patient(id: "xds") { ${'extension { '.repeat(40)} url ${'}'.repeat(40)} } }`
    expect(codeOf(await ask(nested))).toBe('graphql.too-large')
    const aliases = Array.from({ length: 6_000 }, (_, at) => `a${at}: id`).join(' ')
    expect(codeOf(await ask(`{ Patient(id: "xds") { ${aliases} } }`))).toBe('graphql.too-large')
    const cycle = 'query { Patient(id: "xds") { ...f } } fragment f on Patient { extension { ...e } } '
    const within = 'fragment e on Extension { a: extension { ...e } b: extension { ...e } }'
    expect(codeOf(await ask(cycle + within))).toBe('graphql.selection-malformed')
    expect(codeOf(await ask(`{${' '.repeat(300_000)}}`))).toBe('graphql.malformed')
  })

  it('is a list that would not be whole: another answer than a part of it', async () => {
    const entry = Array.from({ length: 1_001 }, () => ({
      resource: { resourceType: 'Basic', code: { text: 'many' }, subject: { reference: 'Patient/xds' } },
      request: { method: 'POST', url: 'Basic' },
    }))
    await house.ask('POST', '/', { grant: admin, body: { resourceType: 'Bundle', type: 'transaction', entry } })
    expect(codeOf(await ask('{ BasicList { id } }'))).toBe('graphql.list-too-long')
    expect((await ask('{ BasicList(_count: 300) { id } }')).json.data.BasicList).toHaveLength(300)
    expect((await ask('{ BasicConnection(_count: 3) { count } }')).json.data.BasicConnection).toEqual({ count: 1_001 })
  })
})

describe('two families', () => {
  const anna = grantOf('patient/*.rs', { patient: 'glossy' })

  it('see their own by every way, and nothing of the other, nor that it is there', async () => {
    expect((await ask('{ PatientList { id } PatientConnection { count } }', anna)).json.data).toEqual({
      PatientList: [{ id: 'glossy' }],
      PatientConnection: { count: 1 },
    })
    const both = await Promise.all(['xds', 'never-was'].map(id => ask(`{ Patient(id: "${id}") { id } }`, anna)))
    expect(both.map(({ status }) => status)).toEqual([404, 404])
    expect(both[0]?.text).toBe(both[1]?.text)
    expect((await ask('{ id }', anna, '/Patient/xds/')).status).toBe(404)
    expect((await ask('{ ObservationList(subject: "Patient/example") { id } }', anna)).json.data).toEqual({
      ObservationList: [],
    })
  })

  it('do not reach over a reference: it looks like one that leads nowhere', async () => {
    const focus = ['xds', 'never-was'].map(id => ({ reference: `Patient/${id}` }))
    await house.ask('PUT', '/Observation/seen', { grant: admin, body: { ...weightOf('glossy', 1), id: 'seen', focus } })
    const over = (optional: boolean) => `{ focus { reference resource(optional: ${optional}) { id } } }`
    expect(codeOf(await ask(over(false), anna, '/Observation/seen/'))).toBe('graphql.reference-unresolved')
    expect((await ask(over(true), anna, '/Observation/seen/')).json.data).toEqual({ focus })
  })

  it('need a scope for each type that is read or searched', async () => {
    const narrow = grantOf('patient/Observation.rs', { patient: 'example' })
    for (const query of ['{ PatientList { id } }', '{ Patient(id: "example") { id } }'])
      expect([codeOf(await ask(query, narrow)), (await ask(query, narrow)).status]).toEqual(['scope.missing', 403])
    const through = await ask('{ subject { resource { id } } }', narrow, '/Observation/example/')
    expect(codeOf(through)).toBe('graphql.reference-unresolved')
    expect((await house.ask('GET', '/$graphql?query={PatientList{id}}')).status).toBe(401)
  })
})
