import { encodeXmlInSteps, parseSentXml, type Resource } from '#fhir'
import { atOnce } from '#kernel'
import { type Answer, admin, grantOf, type House, openHouse, patientA, patientB, weightOf } from './house.ts'

let house: House
const own = grantOf('patient/*.cruds', { patient: 'a' })
const xml = { 'content-type': 'application/fhir+xml', accept: 'application/fhir+xml' }
const xmlOf = (resource: Resource | object) => atOnce(encodeXmlInSteps(resource as Resource)).toString()
const read = ({ text }: Answer) => parseSentXml(Buffer.from(text)) as Promise<ReturnType<typeof JSON.parse>>

beforeAll(async () => {
  house = await openHouse()
  await house.ask('PUT', '/Patient/a', { grant: admin, body: patientA })
  await house.ask('PUT', '/Patient/b', { grant: admin, body: patientB })
  await house.ask('PUT', '/Observation/w', {
    grant: admin,
    headers: xml,
    body: xmlOf({ ...weightOf('a', 70), id: 'w' }),
  })
})
afterAll(() => house.close())

describe('answers in XML – https://hl7.org/fhir/R4/http.html#mime-type', () => {
  it.each([
    '/Patient/a',
    '/Observation/w/_history/1',
    '/Observation/w/_history',
    '/Observation?_include=*',
    '/Observation?_summary=true',
    '/Observation?_summary=count',
    '/Patient/a/$everything',
    '/Patient/a/Observation',
    '/AuditEvent?_count=3',
    '/metadata',
  ])('say of %s what JSON says', async url => {
    await house.record.flush()
    const [told, inXml] = [
      await house.ask('GET', url, { grant: own }),
      await house.ask('GET', url, { grant: own, headers: { accept: 'application/fhir+xml' } }),
    ]
    expect([inXml.status, inXml.headers['content-type']]).toEqual([200, 'application/fhir+xml; charset=utf-8'])
    // Who reads is recorded, so that AuditEvents grow from one answer to the next.
    if (!url.startsWith('/AuditEvent')) expect(await read(inXml)).toEqual(told.json)
    else expect((await read(inXml)).entry).toHaveLength(3)
    expect(inXml.headers.etag).toBe(told.headers.etag)
  })

  it('are asked for by _format, over Accept, and may be in lines', async () => {
    const accept = { accept: 'application/fhir+json' }
    const answer = await house.ask('GET', '/Patient/a?_format=xml&_pretty=true', { grant: own, headers: accept })
    expect(answer.text).toMatch(
      /^<\?xml version="1.0" encoding="UTF-8"\?>\n<Patient xmlns="http:\/\/hl7.org\/fhir">\n {2}<id/,
    )
    expect(await read(answer)).toMatchObject(patientA)
  })

  it('keep the format in their page links, where the URL asked for it', async () => {
    await house.ask('POST', '/Observation', { grant: own, body: weightOf('a', 71) })
    const first = await read(await house.ask('GET', '/Observation?_count=1&_format=xml', { grant: own }))
    const links = Object.fromEntries(
      first.link.map((each: { relation: string; url: string }) => [each.relation, each.url]),
    )
    expect(links.self).toContain('_format=xml')
    const next = await house.ask('GET', links.next.slice('http://127.0.0.1:8080/fhir'.length), { grant: own })
    expect((await read(next)).entry).toHaveLength(1)
  })

  it('come of 304 and of deletions without a body', async () => {
    const headers = { ...xml, 'if-none-match': 'W/"1"' }
    expect((await house.ask('GET', '/Patient/a', { grant: own, headers })).text).toBe('')
  })

  it('are JSON within a Bundle that is answered in JSON', async () => {
    const entry = [{ request: { method: 'GET', url: 'Patient/a?_format=xml' } }]
    const { json } = await house.ask('POST', '/', {
      grant: own,
      body: { resourceType: 'Bundle', type: 'batch', entry },
    })
    expect(json.entry[0].resource.id).toBe('a')
  })
})

describe('XML that is sent – https://hl7.org/fhir/R4/xml.html', () => {
  const put = (id: string, body: string, grant = admin) =>
    house.ask('PUT', `/Observation/${id}`, { grant, headers: xml, body })

  it('is stored as JSON would be, with every digit', async () => {
    const body = xmlOf({ ...weightOf('a', 70), id: 'x' }).replace('value="70"', 'value="70.00"')
    const answer = await put('x', body)
    expect([answer.status, answer.headers['content-type']]).toEqual([201, 'application/fhir+xml; charset=utf-8'])
    expect((await house.ask('GET', '/Observation/x', { grant: own })).text).toContain('"value":70.00')
    expect((await put('x', body)).headers.etag).toBe('W/"1"')
  })

  it('may be a Bundle, Parameters of an operation, or a search by form', async () => {
    const entry = [
      { resource: weightOf('a', 72), request: { method: 'POST', url: 'Observation' } },
      { request: { method: 'GET', url: 'Patient/a' } },
    ]
    for (const type of ['batch', 'transaction']) {
      const bundle = xmlOf({ resourceType: 'Bundle', type, entry })
      const answer = await read(await house.ask('POST', '/', { grant: own, headers: xml, body: bundle }))
      expect(answer.entry.map((each: { response: { status: string } }) => each.response.status)).toEqual(['201', '200'])
      expect(answer.entry[1].resource.id).toBe('a')
    }
    const parameters = xmlOf({ resourceType: 'Parameters', parameter: [{ name: '_count', valueInteger: 1 }] })
    const all = await house.ask('POST', '/Patient/a/$everything', { grant: own, headers: xml, body: parameters })
    expect((await read(all)).entry).toHaveLength(1)
  })

  it.each([
    [xmlOf({ ...weightOf('a', 70), id: 'y', status: 'done' }), 422, 'validation.failed'],
    [xmlOf({ ...weightOf('a', 70), id: 'y' }).replace('value="70"', 'value="much"'), 422, 'validation.failed'],
    [xmlOf({ ...weightOf('nobody', 70), id: 'y' }), 422, 'record.owner-unknown'],
    [xmlOf({ ...weightOf('a', 70), id: 'z' }), 400, 'update.id-differs'],
    [xmlOf(patientA), 400, 'body.type-differs'],
    ['<Observation xmlns="http://hl7.org/fhir"><colour value="red"/></Observation>', 400, 'xml.element-unknown'],
    ['{"resourceType":"Observation"}', 400, 'xml.malformed'],
  ])('is refused as JSON would be: %s', async (body, status, code) => {
    const answer = await put('y', body)
    expect([answer.status, answer.json?.issue[0].details.coding[0].code]).toEqual([status, code])
    expect(answer.text).not.toMatch(/done|much|red"/)
  })
})
