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
