import { type Answer, type Asked, grantOf, type House, openHouse } from './house.ts'

const core = 'http://hl7.org/fhir/StructureDefinition/'
const own = 'http://example.org/StructureDefinition/named'
const north = grantOf('user/*.cruds', { account: 'north', patients: [] })
const south = grantOf('user/*.cruds', { account: 'south', patients: [] })
const clinic = grantOf('system/*.cruds', { account: 'clinic' })
const machine = grantOf('system/*.cruds')
const blind = grantOf('user/Organization.cruds', { account: 'north', patients: [] })

let house: House
beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house.close())

const ask = (method: string, url: string, asked: Asked = {}) => house.ask(method, url, { grant: north, ...asked })
const codeOf = ({ json }: Answer): string => json.issue[0].details.coding?.[0].code
const placesOf = ({ json }: Answer): readonly string[] =>
  json.issue
    .filter(({ severity }: { severity: string }) => severity !== 'information')
    .map(({ severity, expression }: { severity: string; expression: string[] }) => `${severity} ${expression}`)

/** An organization that has a name where `min` is 1, and an address that is written out. */
const definition = (more: object = {}) => ({
  resourceType: 'StructureDefinition',
  url: own,
  name: 'Named',
  status: 'active',
  kind: 'resource',
  abstract: false,
  type: 'Organization',
  derivation: 'constraint',
  baseDefinition: `${core}Organization`,
  differential: { element: [{ id: 'Organization.telecom', path: 'Organization.telecom', min: 1 }] },
  text: { status: 'generated', div: '<div xmlns="http://www.w3.org/1999/xhtml">x</div>' },
  ...more,
})
const narrative = { text: { status: 'generated', div: '<div xmlns="http://www.w3.org/1999/xhtml">x</div>' } }
const organization = (more: object = {}) => ({ resourceType: 'Organization', name: 'A', ...narrative, ...more })
const claiming = (more: object = {}) => organization({ meta: { profile: [own] }, ...more })
const telecom = [{ system: 'phone', value: '1' }]
const wrapped = (resource: object, ...profiles: string[]) => ({
  resourceType: 'Parameters',
  parameter: [
    ...profiles.map(profile => ({ name: 'profile', valueCanonical: profile })),
    { name: 'resource', resource },
  ],
})

describe('profiles that a family keeps', () => {
  beforeAll(async () => {
    expect((await ask('POST', '/StructureDefinition', { body: definition() })).status).toBe(201)
  })

  it('judge by $validate, in the URL or in Parameters', async () => {
    for (const answer of [
      await ask('POST', `/Organization/$validate?profile=${own}`, { body: organization() }),
      await ask('POST', '/Organization/$validate', { body: wrapped(organization(), own) }),
      await ask('POST', '/Organization/$validate', { body: claiming() }),
    ])
      expect([answer.status, placesOf(answer)]).toEqual([200, ['error Organization.telecom']])
    const right = await ask('POST', `/Organization/$validate?profile=${own}`, { body: organization({ telecom }) })
    expect(placesOf(right)).toEqual([])
  })

  it('judge what claims them where it is written, and what is patched, and what comes in a Bundle', async () => {
    const refused = await ask('POST', '/Organization', { body: claiming() })
    expect([refused.status, codeOf(refused)]).toEqual([422, 'validation.profile-broken'])
    expect(refused.json.issue[0].expression).toEqual(['Organization.telecom'])
    const made = await ask('POST', '/Organization', { body: claiming({ telecom }) })
    expect(made.status).toBe(201)
    const place = `/Organization/${made.json.id}`
    expect((await ask('PUT', place, { body: claiming({ id: made.json.id }) })).status).toBe(422)
    const patched = await ask('PATCH', place, {
      body: [{ op: 'remove', path: '/telecom' }],
      headers: { 'content-type': 'application/json-patch+json' },
    })
    expect([patched.status, codeOf(patched)]).toEqual([422, 'validation.profile-broken'])
    const entry = (resource: object) => ({ resource, request: { method: 'POST', url: 'Organization' } })
    const sent = (resource: object) =>
      ask('POST', '/', { body: { resourceType: 'Bundle', type: 'transaction', entry: [entry(resource)] } })
    expect([(await sent(claiming())).status, (await sent(claiming({ telecom }))).status]).toEqual([422, 200])
  })

  it('judge nobody else: neither another family, nor who reaches all, nor who may not search them', async () => {
    for (const grant of [south, clinic, machine, blind]) {
      expect((await ask('POST', '/Organization', { grant, body: claiming() })).status).toBe(201)
      const asked = await ask('POST', '/Organization/$validate', { grant, body: claiming() })
      expect(placesOf(asked)).toEqual(['warning Organization.meta.profile[0]'])
      const named = await ask('POST', `/Organization/$validate?profile=${own}`, { grant, body: organization() })
      expect([named.status, codeOf(named)]).toEqual([400, 'validate.profile-unknown'])
    }
    // Under the same url the other family keeps its own, which says something else.
    const element = [{ id: 'Organization.partOf', path: 'Organization.partOf', min: 1 }]
    const theirs = await ask('POST', '/StructureDefinition', {
      grant: south,
      body: definition({ differential: { element } }),
    })
    expect(theirs.status).toBe(201)
    expect(placesOf(await ask('POST', '/Organization/$validate', { body: claiming() }))).toEqual([
      'error Organization.telecom',
    ])
    expect(placesOf(await ask('POST', '/Organization/$validate', { grant: south, body: claiming() }))).toEqual([
      'error Organization.partOf',
    ])
  })

  it('end where they do not end by themselves', async () => {
    const url = 'http://example.org/StructureDefinition/endless'
    const ring = await ask('POST', '/StructureDefinition', { body: definition({ url, baseDefinition: url }) })
    expect(ring.status).toBe(201)
    const answer = await ask('POST', `/Organization/$validate?profile=${url}`, { body: organization() })
    expect([answer.status, codeOf(answer)]).toEqual([422, 'validation.profile-circular'])
  })

  it('are let pass by what is written where they are more than is looked at, and $validate says so', async () => {
    const url = 'http://example.org/StructureDefinition/guide'
    const element = Array.from({ length: 10_001 }, (_, at) => ({
      id: `Organization.telecom:t${at}`,
      path: 'Organization.telecom',
      sliceName: `t${at}`,
    }))
    expect(
      (await ask('POST', '/StructureDefinition', { body: definition({ url, differential: { element } }) })).status,
    ).toBe(201)
    const body = organization({ meta: { profile: [url] } })
    expect((await ask('POST', '/Organization', { body })).status).toBe(201)
    expect(codeOf(await ask('POST', '/Organization/$validate', { body }))).toBe('validation.profile-too-large')
  })
})

describe('what is gathered to judge by', () => {
  const grant = grantOf('user/*.cruds', { account: 'east', patients: [] })
  const east = (method: string, url: string, body: object) => ask(method, url, { grant, body })
  const extension = Array.from({ length: 2_100 }, (_, at) => ({ url: `http://example.org/e${at}`, valueBoolean: true }))

  it('is nothing where nothing is kept, however much is named', async () => {
    const other = await openHouse()
    const body = organization({ extension })
    const answer = await other.ask('POST', '/Organization/$validate', { grant, body })
    expect([
      answer.status,
      answer.json.issue.filter(({ severity }: { severity: string }) => severity === 'error'),
    ]).toEqual([200, []])
    await other.close()
  })

  it('is of a guide only what can be in the resource', async () => {
    // Each profile names the next as what may be referred to, and a megabyte comes with it.
    const url = (at: number) => `http://example.org/StructureDefinition/guide-${at}`
    const padding = 'x'.repeat(1_000_000)
    for (let at = 0; at < 12; at++) {
      const type = at % 2 === 0 ? 'Organization' : 'Location'
      const path = at % 2 === 0 ? 'Organization.endpoint' : 'Location.managingOrganization'
      const element = [
        { id: path, path, type: [{ code: 'Reference', targetProfile: [url(at + 1)] }], comment: padding },
        ...(at === 0 ? [{ id: 'Organization.alias', path: 'Organization.alias', min: 1 }] : []),
      ]
      const body = definition({ url: url(at), type, baseDefinition: `${core}${type}`, differential: { element } })
      expect((await east('POST', '/StructureDefinition', body)).status).toBe(201)
    }
    const body = organization({ meta: { profile: [url(0)] } })
    expect(codeOf(await east('POST', '/Organization', body))).toBe('validation.profile-broken')
    expect((await east('POST', '/Organization', { ...body, alias: ['A'] })).status).toBe(201)
    // What is referred to has to be of the type that the profile is for, though nothing else of that is looked at.
    const wrong = await east('POST', '/Organization/$validate', {
      ...body,
      alias: ['A'],
      endpoint: [{ reference: 'Endpoint/1' }],
    })
    expect(placesOf(wrong)).toEqual(['error Organization.endpoint[0]'])
  })

  it('is the profile of what is contained', async () => {
    const [outer, inner] = [
      'http://example.org/StructureDefinition/outer',
      'http://example.org/StructureDefinition/inner',
    ]
    const path = 'Organization.partOf'
    const element = [{ id: path, path, type: [{ code: 'Reference', targetProfile: [inner] }] }]
    expect(
      (await east('POST', '/StructureDefinition', definition({ url: outer, differential: { element } }))).status,
    ).toBe(201)
    expect((await east('POST', '/StructureDefinition', definition({ url: inner }))).status).toBe(201)
    const sent = (more: object) =>
      organization({
        meta: { profile: [outer] },
        partOf: { reference: '#o' },
        contained: [{ resourceType: 'Organization', id: 'o', name: 'B', ...more }],
      })
    expect(codeOf(await east('POST', '/Organization', sent({})))).toBe('validation.profile-broken')
    expect((await east('POST', '/Organization', sent({ telecom }))).status).toBe(201)
  })

  it('is what is own before what is nobody’s, whichever is newer', async () => {
    const url = 'http://example.org/StructureDefinition/twice'
    const part = { id: 'Organization.partOf', path: 'Organization.partOf', min: 1 }
    expect((await east('POST', '/StructureDefinition', definition({ url }))).status).toBe(201)
    const theirs = definition({ url, differential: { element: [part] } })
    expect((await ask('POST', '/StructureDefinition', { grant: machine, body: theirs })).status).toBe(201)
    const body = organization({ meta: { profile: [url] } })
    expect(placesOf(await east('POST', '/Organization/$validate', body))).toEqual(['error Organization.telecom'])
    expect(placesOf(await ask('POST', '/Organization/$validate', { body }))).toEqual(['error Organization.partOf'])
  })

  it('is nothing of what derives from itself, for what is written', async () => {
    const url = 'http://example.org/StructureDefinition/ring'
    expect((await east('POST', '/StructureDefinition', definition({ url, baseDefinition: url }))).status).toBe(201)
    expect((await east('POST', '/Organization', organization({ meta: { profile: [url] } }))).status).toBe(201)
  })

  it('is of any shape', async () => {
    const url = 'http://example.org/StructureDefinition/odd'
    const twin = [{ extension: [{ url: 'http://example.org/e', valueBoolean: true }] }]
    const type = [{ code: 'Reference', profile: [null], _profile: twin, targetProfile: [null], _targetProfile: twin }]
    const element = [{ id: 'Organization.partOf', path: 'Organization.partOf', type }]
    expect((await east('POST', '/StructureDefinition', definition({ url, differential: { element } }))).status).toBe(
      201,
    )
    const body = organization({ meta: { profile: [url] }, partOf: { reference: 'Organization/1' } })
    expect((await east('POST', '/Organization', body)).status).toBe(201)
  })
})

describe('profiles that are asked for in vain', () => {
  it.each(['', 'relative', `${'http://example.org/'}${'x'.repeat(3_000)}`])('are told so: %s', async profile => {
    const answer = await ask('POST', `/Organization/$validate?profile=${profile}`, { body: organization() })
    expect([answer.status, placesOf(answer)]).toEqual([200, ['error Organization']])
  })

  it('say nothing that fails, of whatever is sent as a resource', async () => {
    const odd = [{ meta: { profile: 5 } }, { meta: 'x' }, { contained: [null, 'x', {}] }, { extension: { url: own } }]
    const more = [{ name: [null] }, { telecom: 'x' }, { telecom: [null, { system: [] }] }, { _name: [{}], name: [] }]
    for (const each of [...odd, ...more]) {
      const answer = await ask('POST', `/Organization/$validate?profile=${own}`, { body: organization(each) })
      expect([JSON.stringify(each), answer.status]).toEqual([JSON.stringify(each), 200])
    }
  })
})

describe('profiles that nobody keeps', () => {
  it('are claims: what claims them is written, and $validate warns', async () => {
    const body = organization({ meta: { profile: ['http://example.org/StructureDefinition/unknown'] } })
    expect((await ask('POST', '/Organization', { body })).status).toBe(201)
    expect(placesOf(await ask('POST', '/Organization/$validate', { body }))).toEqual([
      'warning Organization.meta.profile[0]',
    ])
  })
})
