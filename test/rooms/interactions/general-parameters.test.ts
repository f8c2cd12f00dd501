import { catalogue } from '#interactions'
import { type Answer, admin, grantOf, type House, openHouse, patientA, weightOf } from './house.ts'

let house: House
beforeAll(async () => {
  house = await openHouse()
  await house.ask('PUT', '/Patient/a', { grant: admin, body: { ...patientA, photo: [{ title: 'A photo' }] } })
  for (const value of [70, 71])
    await house.ask('PUT', '/Observation/w', { grant: admin, body: { ...weightOf('a', value), id: 'w' } })
})
afterAll(() => house.close())

const ask = (method: string, url: string, body?: object, headers = {}) =>
  house.ask(method, url, { grant: admin, headers, ...(body === undefined ? {} : { body }) })
const codeOf = ({ json }: Answer) => json.issue[0].details.coding[0].code
const subsetted = expect.objectContaining({ code: 'SUBSETTED' })
const weight = { ...weightOf('a', 72), id: 'w', note: [{ text: 'after breakfast' }] }
const patch = { resourceType: 'Parameters', parameter: [] }

describe('_summary and _elements – https://hl7.org/fhir/R4/http.html#parameters', () => {
  it.each([
    ['POST', '/Observation', weightOf('a', 73, { note: [{ text: 'x' }] })],
    ['PUT', '/Observation/w', weight],
    ['PUT', '/Observation?_id=w', weight],
    ['PATCH', '/Observation/w', patch],
    ['PATCH', '/Observation?_id=w', patch],
    ['GET', '/Observation/w', undefined],
    ['GET', '/Observation/w/_history/1', undefined],
    ['GET', '/metadata', undefined],
  ])('%s %s: of the resource that is answered', async (method, path, body) => {
    const query = path.includes('?') ? '&' : '?'
    const answer = await ask(method, `${path}${query}_elements=status`, body)
    expect([answer.status < 300, Object.keys(answer.json)]).toEqual([
      true,
      expect.not.arrayContaining(['note', 'rest']),
    ])
    expect(answer.json).toMatchObject({ status: expect.any(String), meta: { tag: [subsetted] } })
    expect((await ask(method, `${path}${query}_summary=true`, body)).json).not.toHaveProperty('note')
  })

  it('what is kept is the whole', async () => {
    await ask('PUT', '/Observation/w?_summary=true', weight)
    expect((await ask('GET', '/Observation/w')).json).toMatchObject({ note: weight.note })
  })

  it.each(['/Patient/a/$everything', '/Observation/w/_history', '/Observation/_history', '/_history'])(
    '%s: of each resource of the Bundle',
    async path => {
      const { status, json } = await ask('GET', `${path}?_elements=id`)
      expect([status, json.entry.length > 0]).toEqual([200, true])
      for (const { resource } of json.entry) {
        expect(resource.meta.tag).toContainEqual(subsetted)
        expect(resource).not.toHaveProperty('valueQuantity')
      }
    },
  )

  it('_summary=count of a history tells how many there are', async () => {
    const { json } = await ask('GET', '/Observation/w/_history?_summary=count')
    expect(json).toMatchObject({ type: 'history', total: expect.any(Number) })
    expect(json).not.toHaveProperty('entry')
  })

  it('of an operation that searches: once', async () => {
    const url = '/Observation/$lastn?patient=a&code:missing=false'
    const { json } = await ask('GET', `${url}&_elements=status`)
    expect(json.entry[0].resource.meta.tag).toEqual([subsetted])
    const counted = await ask('GET', `${url}&_summary=count`)
    expect(counted.json).toMatchObject({ type: 'searchset', total: json.total })
    expect(counted.json).not.toHaveProperty('entry')
  })

  it('of the topics', async () => {
    const { json } = await ask('GET', '/SubscriptionTopic?_elements=url')
    expect(json.entry[0].resource.meta.tag).toEqual([subsetted])
    expect((await ask('GET', '/SubscriptionTopic?_summary=count')).json).not.toHaveProperty('entry')
  })

  it('in XML, and in lines', async () => {
    const { text } = await ask('PUT', '/Observation/w?_elements=status&_format=xml&_pretty=true', weight)
    expect(text).toMatch(/^<\?xml.*\n<Observation.*<code value="SUBSETTED"\/>.*<status value="final"\/>/s)
    expect(text).not.toContain('breakfast')
  })

  it('what goes wrong is told whole', async () => {
    expect(codeOf(await ask('POST', '/Observation?_summary=true', { resourceType: 'Observation' }))).toBe(
      'validation.failed',
    )
    expect(
      (await ask('POST', '/Observation?_elements=id', weightOf('a', 1), { prefer: 'return=OperationOutcome' })).json
        .issue,
    ).toHaveLength(1)
  })

  it.each([
    ['POST', '/Observation?_summary=most', weightOf('a', 1)],
    ['POST', '/Observation?_summary=count', weightOf('a', 1)],
    ['GET', '/Observation/w/_history?_summary=most', undefined],
  ])('%s %s is refused before anything is written', async (method, url, body) => {
    const before = (await ask('GET', '/Observation?_summary=count')).json.total
    expect(codeOf(await ask(method, url, body))).toBe('request.summary-unknown')
    expect((await ask('GET', '/Observation?_summary=count')).json.total).toBe(before)
  })

  it('are no condition', async () => {
    expect(codeOf(await ask('DELETE', '/Observation?_summary=true&_elements=id'))).toBe('condition.empty')
  })
})

describe('_search by GET, as servers beside this one have it', () => {
  it.each([
    ['/Observation/_search?_id=w', '/Observation?_id=w'],
    ['/_search?_type=Patient', '/?_type=Patient'],
    ['/Patient/a/Observation/_search?_id=w', '/Patient/a/Observation?_id=w'],
  ])('%s is %s', async (url, same) => {
    const answer = await ask('GET', url)
    expect([answer.status, answer.text]).toEqual([200, (await ask('GET', same)).text])
  })

  it.each([
    '/Observation/w/_search',
    '/metadata/_search',
    '/Observation/_history/_search',
    '/Patient/a/$everything/_search',
  ])('%s is none', async url => expect((await ask('GET', url)).status).toBeGreaterThanOrEqual(404))

  it('needs the right to search', async () => {
    const grant = grantOf('patient/*.r', { patient: 'a' })
    expect((await house.ask('GET', '/Observation/_search', { grant })).status).toBe(403)
  })
})

describe('Prefer on a deletion – https://hl7.org/fhir/R4/http.html#delete', () => {
  const prefer = { prefer: 'return=OperationOutcome' }
  it.each(['/Observation/gone', '/Observation?_id=gone'])('%s: an OperationOutcome for who prefers it', async url => {
    await ask('PUT', '/Observation/gone', { ...weightOf('a', 1), id: 'gone' })
    for (const words of ['Deleted.', 'There was nothing to delete.']) {
      const { status, json } = await ask('DELETE', url, undefined, prefer)
      expect([status, json.issue[0].diagnostics]).toEqual([200, words])
    }
    for (const other of ['return=minimal', 'return=representation'])
      expect((await ask('DELETE', url, undefined, { prefer: other })).status).toBe(204)
  })

  it.each(['batch', 'transaction'])('in a %s', async type => {
    await ask('PUT', '/Observation/gone', { ...weightOf('a', 1), id: 'gone' })
    const entry = [{ request: { method: 'DELETE', url: 'Observation/gone' } }]
    const { json } = await ask('POST', '/', { resourceType: 'Bundle', type, entry }, prefer)
    expect(json.entry[0].response).toMatchObject({ status: '200', outcome: { issue: [{ diagnostics: 'Deleted.' }] } })
  })
})

describe('the version of FHIR of a body – https://hl7.org/fhir/R4/http.html#version-parameter', () => {
  it.each([
    ['4.0', 201],
    ['"4.0"', 201],
    ['4.0.1', 201],
    ['3.0', 415],
    ['5.0', 415],
    ['4.3', 415],
  ])('%s → %s', async (version, status) => {
    for (const type of ['application/fhir+json', 'application/json']) {
      const headers = { 'content-type': `${type}; fhirVersion=${version}` }
      expect((await ask('POST', '/Observation', weightOf('a', 2), headers)).status).toBe(status)
    }
  })
})

describe('the form of an answer – https://hl7.org/fhir/R4/http.html#general', () => {
  const operations = catalogue.filter(row => row.produces === undefined && row.path.includes('$'))

  it.each(operations.map(({ method, path }) => [method, path] as const))(
    '%s %s takes _format and _pretty, and what never narrows an answer',
    async (method, path) => {
      const url = path.replace(':type', 'Observation').replace(/:\w+/g, 'none')
      const bodies = method === 'POST' ? [undefined, { resourceType: 'Parameters' }] : [undefined]
      for (const body of bodies)
        for (const name of ['_format', '_pretty', '_cache-control']) {
          const { json } = await ask(method, `${url}?${name}=${name === '_format' ? 'json' : 'true'}`, body)
          expect(JSON.stringify(json?.issue ?? [])).not.toContain(name)
        }
    },
  )
})
