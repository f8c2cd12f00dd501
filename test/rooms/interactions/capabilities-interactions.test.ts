import { resourceTypes } from '#fhir'
import { catalogue } from '#interactions'
import { bodyExampleOf } from '../../../src/http/openapi/examples.ts'
import { type Answer, admin, type House, openHouse } from './house.ts'

interface Promised {
  readonly type: string
  readonly interaction: readonly { readonly code: string }[]
  readonly operation: readonly { readonly name: string }[]
  readonly searchInclude?: readonly string[]
  readonly [element: string]: unknown
}

let house: House
let rest: {
  readonly resource: readonly Promised[]
  readonly operation: readonly { readonly name: string }[]
  readonly interaction: readonly { readonly code: string }[]
  readonly compartment: readonly string[]
}
const ask = (method: string, url: string, body?: object | string, headers: { [name: string]: string } = {}) =>
  house.ask(method, url, { grant: admin, headers, ...(body === undefined ? {} : { body }) })

beforeAll(async () => {
  house = await openHouse()
  rest = (await house.ask('GET', '/metadata')).json.rest[0]
})
afterAll(() => house.close())

const creation = catalogue.find(({ interaction }) => interaction === 'create') as (typeof catalogue)[number]
const exampleOf = (type: string) =>
  bodyExampleOf(creation, type, 'application/fhir+json') as { [name: string]: unknown }
const json = { 'content-type': 'application/json-patch+json' }
const asResource = { accept: 'application/fhir+json' }

/** One resource of a type, and how often it was changed. */
class Walked {
  readonly type: string
  id = ''
  constructor(type: string) {
    this.type = type
  }
  get url() {
    return `/${this.type}/${this.id}`
  }
}

/** What an interaction answers when it works, in the order in which one follows the other. */
const interactions: Readonly<Record<string, (one: Walked) => Promise<void>>> = {
  create: async one => {
    const made = await ask('POST', `/${one.type}`, exampleOf(one.type), { prefer: 'return=representation' })
    expect([made.status, made.json?.resourceType]).toEqual([201, one.type])
    one.id = made.json.id
  },
  read: async one => {
    const read = await ask('GET', one.url, undefined, asResource)
    expect([read.status, read.json.id]).toEqual([200, one.id])
  },
  vread: async one => expect((await ask('GET', `${one.url}/_history/1`, undefined, asResource)).status).toBe(200),
  update: async one => {
    const changed = { ...exampleOf(one.type), id: one.id, language: 'de' }
    expect((await ask('PUT', one.url, changed)).status).toBe(200)
    expect((await ask('GET', one.url, undefined, asResource)).json.language).toBe('de')
  },
  patch: async one => {
    const patch = JSON.stringify([{ op: 'replace', path: '/language', value: 'fr' }])
    expect((await ask('PATCH', one.url, patch, json)).status).toBe(200)
    expect((await ask('GET', one.url, undefined, asResource)).json.language).toBe('fr')
  },
  'search-type': async one => expect(await idsFoundBy(`/${one.type}?_id=${one.id}`)).toEqual([one.id]),
  'history-instance': async one => {
    const { status, json } = await ask('GET', `${one.url}/_history`)
    expect([status, json.type, json.total]).toEqual([200, 'history', one.type === 'AuditEvent' ? 1 : 3])
  },
  'history-type': async one => {
    const { status, json } = await ask('GET', `/${one.type}/_history`)
    expect([status, json.entry.some(({ fullUrl }: { fullUrl: string }) => fullUrl.endsWith(one.url))]).toEqual([
      200,
      true,
    ])
  },
  delete: async one => {
    expect([200, 204]).toContain((await ask('DELETE', one.url)).status)
    expect((await ask('GET', one.url)).status).toBe(410)
  },
}

async function idsFoundBy(url: string): Promise<readonly string[]> {
  const { status, json } = await ask('GET', url)
  expect(status).toBe(200)
  return (json.entry ?? []).map(({ resource }: { resource: { id: string } }) => resource.id)
}

const unchanged: Readonly<Record<string, readonly string[]>> = { AuditEvent: ['update', 'patch', 'delete'] }
const promisedOf = (type: string) => rest.resource.find(each => each.type === type) as Promised

describe('what the CapabilityStatement promises of each type – https://hl7.org/fhir/R4/capabilitystatement-definitions.html#CapabilityStatement.rest.resource.interaction', () => {
  it.each(resourceTypes)('%s is created, read, changed, found and deleted, as far as is said', async type => {
    const codes = promisedOf(type).interaction.map(({ code }) => code)
    expect(codes.toSorted()).toEqual(
      Object.keys(interactions)
        .filter(code => !unchanged[type]?.includes(code))
        .toSorted(),
    )
    const one = new Walked(type)
    for (const [code, work] of Object.entries(interactions)) if (codes.includes(code)) await work(one)
    for (const code of unchanged[type] ?? []) {
      const method = { update: 'PUT', patch: 'PATCH', delete: 'DELETE' }[code] ?? ''
      expect([code, (await ask(method, one.url, method === 'DELETE' ? undefined : '[]', json)).status]).toEqual([
        code,
        405,
      ])
    }
  })

  it.each(resourceTypes.filter(type => type !== 'AuditEvent'))(
    '%s is written and read under conditions',
    async type => {
      expect(promisedOf(type)).toMatchObject({
        conditionalCreate: true,
        conditionalRead: 'full-support',
        conditionalUpdate: true,
        conditionalDelete: 'single',
        updateCreate: true,
        readHistory: true,
      })
      const id = 'conditional'
      const body = { ...exampleOf(type), id }
      const first = await ask('PUT', `/${type}/${id}`, body)
      expect(first.status).toBe(201)
      const { id: _, ...without } = body
      expect((await ask('POST', `/${type}`, without, { 'if-none-exist': `_id=${id}` })).status).toBe(200)
      const etag = String(first.headers.etag)
      expect((await ask('GET', `/${type}/${id}`, undefined, { ...asResource, 'if-none-match': etag })).status).toBe(304)
      expect((await ask('PUT', `/${type}?_id=${id}`, { ...body, language: 'de' })).status).toBe(200)
      expect([200, 204]).toContain((await ask('DELETE', `/${type}?_id=${id}`)).status)
      expect((await ask('GET', `/${type}/${id}`)).status).toBe(410)
    },
  )

  it('every promised reference is followed by _include, and nothing else is', async () => {
    for (const { type, searchInclude = [] } of rest.resource) {
      for (const include of searchInclude)
        expect([include, (await ask('GET', `/${type}?_include=${include}&_count=1`)).status]).toEqual([include, 200])
      expect((await ask('GET', `/${type}?_include=${type}:_tag`)).status).toBe(400)
    }
  })
})

// --- operations ----------------------------------------------------------------------------------------------------

const parameters = (...parameter: object[]) => ({ resourceType: 'Parameters', parameter })
const meta = parameters({ name: 'meta', valueMeta: { tag: [{ system: 'urn:t', code: 'x' }] } })
const fhirpath = parameters({ name: 'expression', valueString: '1 + 1' })
const someone = { resourceType: 'Patient', birthDate: '2000-01-01' }
const importing = parameters({
  name: 'input',
  part: [
    { name: 'type', valueCode: 'Patient' },
    { name: 'url', valueUri: 'https://clinic.example/Patient.ndjson' },
  ],
})
const genders = 'http://hl7.org/fhir/ValueSet/administrative-gender'
const genderMap = 'http://hl7.org/fhir/ConceptMap/cm-administrative-gender-v2'
const gender = 'http://hl7.org/fhir/administrative-gender'
const reference = (name: string, to: string) => ({ name, valueReference: { reference: to } })
const merging = parameters(reference('source-patient', 'Patient/p'), reference('target-patient', 'Patient/q'))

type Asking = (type: string, id: string) => Promise<Answer>
const on: (method: string, path: string, body?: object | string) => Asking = (method, path, body) => (type, id) =>
  ask(method, path.replace(':type', type).replace(':id', id), body)

const aside = { prefer: 'respond-async' }
const exporting: Asking = (type, id) =>
  ask('GET', type === 'Group' ? `/Group/${id}/$export` : `/${type}/$export`, undefined, aside)

/** What each operation answers where it is asked well; 500: it was handed on to a room that this house does not have. */
type Row = readonly [asking: Asking, status: number]

const ofTypes: Readonly<Record<string, Row>> = {
  validate: [on('GET', '/:type/:id/$validate'), 200],
  fhirpath: [on('POST', '/:type/:id/$fhirpath', fhirpath), 200],
  meta: [on('GET', '/:type/:id/$meta'), 200],
  'meta-add': [on('POST', '/:type/:id/$meta-add', meta), 200],
  'meta-delete': [on('POST', '/:type/:id/$meta-delete', meta), 200],
  graphql: [on('GET', '/:type/:id/$graphql?query={id}'), 200],
  everything: [on('GET', '/:type/:id/$everything'), 200],
  summary: [on('GET', '/Patient/p/$summary'), 200],
  match: [on('POST', '/Patient/$match', parameters({ name: 'resource', resource: someone })), 200],
  // Only who keeps the patient is told.
  'explain-access': [on('GET', '/Patient/p/$explain-access?type=Observation'), 403],
  'audit-export': [on('GET', '/Patient/p/$audit-export'), 200],
  export: [exporting, 202],
  lookup: [on('GET', `/CodeSystem/$lookup?system=${gender}&code=male`), 200],
  subsumes: [on('GET', `/CodeSystem/$subsumes?system=${gender}&codeA=male&codeB=male`), 200],
  'validate-code': [
    type =>
      ask(
        'GET',
        `/${type}/$validate-code?code=male&${type === 'ValueSet' ? `url=${genders}&system` : 'url'}=${gender}`,
      ),
    200,
  ],
  expand: [on('GET', `/ValueSet/$expand?url=${genders}`), 200],
  translate: [on('GET', `/ConceptMap/$translate?url=${genderMap}&system=${gender}&code=male`), 200],
  document: [on('GET', '/:type/:id/$document'), 200],
  lastn: [on('GET', '/Observation/$lastn?patient=p&code=x'), 200],
  stats: [on('GET', '/Observation/$stats?subject=Patient/p&code=x&duration=24&statistic=count'), 200],
  status: [on('GET', '/Subscription/:id/$status'), 200],
  events: [on('GET', '/Subscription/:id/$events'), 200],
  'signing-key': [on('GET', '/Subscription/:id/$signing-key'), 200],
  'get-ws-binding-token': [on('GET', '/Subscription/:id/$get-ws-binding-token'), 200],
  ingest: [on('POST', '/Patient/p/$ingest', 'x'), 500],
  // Nobody is merged in this house.
  merge: [on('POST', '/Patient/$merge', merging), 404],
  unmerge: [on('POST', '/Patient/p/$unmerge'), 404],
  purge: [on('POST', '/Patient/q/$purge', parameters({ name: 'confirm', valueString: 'q' })), 200],
}

const ofSystem: Readonly<Record<string, Row>> = {
  review: [on('GET', '/$review'), 200],
  letters: [on('GET', '/$letters'), 200],
  fhirpath: [on('POST', '/$fhirpath', fhirpath), 200],
  meta: [on('GET', '/$meta'), 200],
  graphql: [on('GET', '/$graphql?query={__typename}'), 200],
  export: [() => ask('GET', '/$export', undefined, aside), 202],
  import: [() => ask('POST', '/$import', importing, aside), 500],
}

const bundle = (type: string) => ({
  resourceType: 'Bundle',
  type,
  entry: [{ request: { method: 'GET', url: 'Patient/p' } }],
})

const interactionsOfSystem: Readonly<Record<string, Row>> = {
  transaction: [on('POST', '/', bundle('transaction')), 200],
  batch: [on('POST', '/', bundle('batch')), 200],
  'search-system': [on('GET', '/?_type=Patient'), 200],
  'history-system': [on('GET', '/_history'), 200],
}

/** What is promised and not answered as its row says, or has none. */
async function unkept(
  rows: Readonly<Record<string, Row>>,
  name: string,
  type = '',
  id = '',
): Promise<string | undefined> {
  const row = rows[name]
  if (row === undefined) return `${type} ${name}: not asked`
  const [asking, status] = row
  const answer = await asking(type, id).catch(() => ({ status: 500, text: '' }))
  return answer.status === status ? undefined : `${type} ${name}: ${answer.status} ${answer.text}`
}

describe('operations that the CapabilityStatement names – https://hl7.org/fhir/R4/capabilitystatement-definitions.html#CapabilityStatement.rest.resource.operation', () => {
  beforeAll(async () => {
    for (const id of ['p', 'q']) await ask('PUT', `/Patient/${id}`, { resourceType: 'Patient', id })
  })

  it.each(resourceTypes)('of %s are answered', async type => {
    const made = await ask('POST', `/${type}`, exampleOf(type), { prefer: 'return=representation' })
    const left: (string | undefined)[] = []
    for (const { name } of promisedOf(type).operation) left.push(await unkept(ofTypes, name, type, made.json.id))
    expect(left.filter(each => each !== undefined)).toEqual([])
  })

  it('of the system are answered, and its interactions and compartments', async () => {
    const left: (string | undefined)[] = []
    for (const { name } of rest.operation) left.push(await unkept(ofSystem, name))
    for (const { code } of rest.interaction) left.push(await unkept(interactionsOfSystem, code))
    expect(left.filter(each => each !== undefined)).toEqual([])
    for (const url of rest.compartment) {
      const name = url.slice(url.lastIndexOf('/') + 1)
      const type = `${name[0]?.toUpperCase()}${name.slice(1)}`
      const made = await ask('POST', `/${type}`, exampleOf(type), { prefer: 'return=representation' })
      expect([name, (await ask('GET', `/${type}/${made.json.id}/*`)).status]).toEqual([name, 200])
    }
  })
})
