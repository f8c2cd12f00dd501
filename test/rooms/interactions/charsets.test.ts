import { admin, type House, openHouse, patientA, weightOf } from './house.ts'
import { operation, part, pathPatch } from './path-patches.ts'

let house: House
beforeAll(async () => {
  house = await openHouse()
  await house.ask('PUT', '/Patient/a', { grant: admin, body: patientA })
  await house.ask('PUT', '/Observation/w', { grant: admin, body: { ...weightOf('a', 70), id: 'w' } })
})
afterAll(() => house.close())

type Way = readonly [method: string, url: string, type: string, body: string | object]

const jsonPatch = [{ op: 'add', path: '/note', value: [{ text: 'x' }] }]
const valueSet = part('value', { valueString: 'final' })
const byPath = pathPatch(operation('replace', 'Observation.status', valueSet))
const asked = '{Patient(id:"a"){id}}'

/** Every way in which a text comes in. */
const ways: readonly Way[] = [
  ['POST', '/Observation', 'application/fhir+json', weightOf('a', 71)],
  ['PUT', '/Patient/a', 'application/json', patientA],
  ['PUT', '/Patient/a', 'application/fhir+xml', '<Patient xmlns="http://hl7.org/fhir"><id value="a"/></Patient>'],
  ['PATCH', '/Observation/w', 'application/json-patch+json', JSON.stringify(jsonPatch)],
  ['PATCH', '/Observation/w', 'application/merge-patch+json', { note: [{ text: 'y' }] }],
  ['PATCH', '/Observation/w', 'application/json', JSON.stringify(jsonPatch)],
  ['PATCH', '/Observation/w', 'application/fhir+json', byPath],
  ['POST', '/$graphql', 'application/graphql', asked],
  ['POST', '/$graphql', 'application/json', { query: asked }],
  ['POST', '/Patient/_search', 'application/x-www-form-urlencoded', '_id=a'],
  ['POST', '/_search', 'application/x-www-form-urlencoded', '_type=Patient'],
  ['POST', '/Patient/$validate', 'application/fhir+json', patientA],
]

const sent = async ([method, url, type, body]: Way, charset: string) => {
  const headers = { 'content-type': `${type}${charset}` }
  return (await house.ask(method, url, { grant: admin, headers, body })).status
}

describe('texts are read as UTF-8 – https://hl7.org/fhir/R4/http.html#mime-type', () => {
  it.each(ways)('%s %s of %s in another charset is refused, not misread', async (...way) => {
    for (const charset of [
      '; charset=iso-8859-1',
      ';charset="ISO-8859-1"',
      '; charset=latin1',
      '; x=1; Charset=utf-16',
    ])
      expect([charset, await sent(way, charset)]).toEqual([charset, 415])
  })

  it.each(ways)('%s %s of %s is read that names UTF-8, in whatever form', async (...way) => {
    for (const charset of ['', '; charset=utf-8', ';charset="UTF-8"', '; charset=utf8', '; charset=us-ascii'])
      expect([charset, await sent(way, charset)]).not.toEqual([charset, 415])
  })

  it('a patch within a Bundle, too', async () => {
    const statusOf = async (contentType: string) => {
      const data = Buffer.from(JSON.stringify(jsonPatch)).toString('base64')
      const request = { method: 'PATCH', url: 'Observation/w' }
      const entry = [{ resource: { resourceType: 'Binary', contentType, data }, request }]
      const bundle = { resourceType: 'Bundle', type: 'transaction', entry }
      return (await house.ask('POST', '/', { grant: admin, body: bundle })).status
    }
    expect(await statusOf('application/json-patch+json; charset=iso-8859-1')).toBe(415)
    expect(await statusOf('application/json-patch+json; charset=utf-8')).toBe(200)
  })

  it('the bytes of a Binary are in whatever charset they say', async () => {
    const headers = { 'content-type': 'text/plain; charset=iso-8859-1' }
    const body = Buffer.from('Müller', 'latin1')
    const made = await house.ask('POST', '/Binary', { grant: admin, headers, body })
    expect(made.status).toBe(201)
    const read = await house.ask('GET', new URL(made.headers.location ?? '').pathname.replace(/^\/fhir/, ''), {
      grant: admin,
      headers: { accept: 'text/plain' },
    })
    expect([read.headers['content-type'], read.bytes]).toEqual(['text/plain; charset=iso-8859-1', body])
  })
})
