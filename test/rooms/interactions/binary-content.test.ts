import { grantOf, type House, openHouse } from './house.ts'

const all = grantOf('system/*.cruds', { patients: 'all' })
const pdf = Buffer.from([0x25, 0x50, 0x44, 0x46, 0x00, 0xff, 0xfe, 0x0a, 0x0d, 0x80])
const asFhir = { accept: 'application/fhir+json' }

let house: House
let anna: string
let ben: string
beforeAll(async () => {
  house = await openHouse()
  const made = async () =>
    (await house.ask('POST', '/Patient', { grant: all, body: { resourceType: 'Patient' } })).json.id
  anna = await made()
  ben = await made()
})
afterAll(() => house.close())

const ofPatient = (patient: string) => grantOf('patient/*.cruds', { patient })
const family = (...patients: string[]) => grantOf('user/*.cruds', { account: 'family', patients })

interface Sent {
  readonly type?: string
  readonly body?: Buffer | string | object
  readonly grant?: ReturnType<typeof grantOf>
  readonly headers?: Readonly<Record<string, string>>
}

const post = ({ type = 'application/pdf', body = pdf, grant = all, headers = {} }: Sent = {}) =>
  house.ask('POST', '/Binary', { grant, body, headers: { 'content-type': type, ...headers } })

async function stored(sent: Sent = {}): Promise<string> {
  const answer = await post(sent)
  expect([answer.status, answer.text]).toEqual([201, answer.text])
  return answer.json.id
}

const get = (id: string, headers: Readonly<Record<string, string>> = {}, grant = all, query = '') =>
  house.ask('GET', `/Binary/${id}${query}`, { grant, headers })

describe('bytes that are sent as they are – https://hl7.org/fhir/R4/binary.html#rest', () => {
  it('become a Binary of their media type', async () => {
    const answer = await post()
    expect(answer.status).toBe(201)
    expect(answer.json).toMatchObject({
      resourceType: 'Binary',
      contentType: 'application/pdf',
      data: pdf.toString('base64'),
      meta: { versionId: '1' },
    })
    expect(answer.headers).toMatchObject({ etag: 'W/"1"', location: expect.stringContaining(answer.json.id) })
  })

  it.each([
    ['a text', 'text/plain; charset=iso-8859-1', Buffer.from([0xe4, 0xf6])],
    ['a page', 'text/html', '<script>alert(1)</script>'],
    ['a form', 'application/x-www-form-urlencoded', 'a=b&c=d'],
    ['a letter of several parts', 'multipart/form-data; boundary="x y"', '--x y--'],
    ['JSON that is no FHIR', 'application/json', '{"a": 1.50, "a": 2}'],
    ['JSON that is none', 'application/json', '{"resourceType": "Binary"'.slice(0, 10)],
    [
      'JSON in another charset',
      'application/json; charset=utf-16',
      Buffer.from('{"resourceType":"Binary"}', 'utf16le'),
    ],
    ['FHIR’s JSON of another type', 'application/fhir+json', { resourceType: 'Patient', active: true }],
    ['the same as JSON in general', 'application/json', { resourceType: 'Patient', active: true }],
    ['JSON that speaks of one', 'application/json', { about: 'Binary', resourceType: 'Nothing' }],
    ['a CDA document', 'text/xml', '<?xml version="1.0"?><!-- x --><ClinicalDocument xmlns="urn:hl7-org:v3"/>'],
    ['XML with a document type', 'application/xml', '<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'],
    ['XML of another Binary', 'application/xml', '<Binary xmlns="urn:other"/>'],
    [
      'FHIR’s XML of another type',
      'application/fhir+xml',
      '<Patient xmlns="http://hl7.org/fhir"><active value="true"/></Patient>',
    ],
    ['a patch', 'application/json-patch+json', '[]'],
    ['an HL7 v2 message', 'x-application/hl7-v2+er7', 'MSH|^~\\&|'],
  ])('%s, byte for byte', async (_, type, body) => {
    const bytes = Buffer.isBuffer(body) ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
    const id = await stored({ type, body: bytes })
    const back = await get(id)
    expect([back.status, back.headers['content-type']]).toEqual([200, type])
    expect(back.bytes.equals(bytes)).toBe(true)
    expect((await get(id, asFhir)).json).toMatchObject({ contentType: type, data: bytes.toString('base64') })
  })

  it.each([
    ['application/fhir+json', { resourceType: 'Binary', contentType: 'image/png', data: 'AAEC' }],
    ['application/json', { resourceType: 'Binary', contentType: 'image/png', data: 'AAEC' }],
    [
      'application/fhir+xml',
      '<Binary xmlns="http://hl7.org/fhir"><contentType value="image/png"/><data value="AAEC"/></Binary>',
    ],
    [
      'text/xml',
      '\ufeff<?xml version="1.0" encoding="UTF-8"?>\n<!-- a --><f:Binary xmlns:f="http://hl7.org/fhir"><f:contentType value="image/png"/><f:data value="AAEC"/></f:Binary>',
    ],
  ])('but what is a Binary is taken as the resource: %s', async (type, body) => {
    const back = await get(await stored({ type, body }))
    expect([back.headers['content-type'], [...back.bytes]]).toEqual(['image/png', [0, 1, 2]])
  })

  it.each([
    ['application/fhir+json', '{"resourceType":', 400, 'json.malformed'],
    ['application/fhir+json', '{"resourceType":"Binary"}', 422, 'validation.failed'],
    ['application/json', '{"resourceType":"Binary"}', 422, 'validation.failed'],
    ['application/fhir+xml', '<Binary xmlns="http://hl7.org/fhir">', 400, 'xml.malformed'],
    ['application/pdf', '', 400, 'body.missing'],
    ['pdf', 'x', 415, 'body.type-unsupported'],
    ['text/plain; charset', 'x', 415, 'body.type-unsupported'],
    ['', 'x', 415, 'body.type-unsupported'],
  ])('%j with %j is refused', async (type, body, status, code) => {
    const answer = await post({ type, body })
    expect([answer.status, answer.json.issue[0].details.coding[0].code]).toEqual([status, code])
  })

  it('other types do not come as bytes', async () => {
    const answer = await house.ask('POST', '/Media', {
      grant: all,
      body: pdf,
      headers: { 'content-type': 'image/png' },
    })
    expect([answer.status, answer.json.issue[0].details.coding[0].code]).toEqual([415, 'body.type-unsupported'])
  })

  it('PUT makes versions, and one that changes nothing makes none', async () => {
    const id = await stored()
    const put = (body: Buffer, headers = {}) =>
      house.ask('PUT', `/Binary/${id}`, {
        grant: all,
        body,
        headers: { 'content-type': 'application/pdf', ...headers },
      })
    expect((await put(pdf)).json.meta.versionId).toBe('1')
    expect((await put(Buffer.from('new'), { 'if-match': 'W/"1"' })).json.meta.versionId).toBe('2')
    expect((await put(pdf, { 'if-match': '"1"' })).status).toBe(412)
    expect((await put(Buffer.from('new'), { 'if-match': '*' })).status).toBe(200)
    expect((await get(id)).text).toBe('new')
    const first = await house.ask('GET', `/Binary/${id}/_history/1`, { grant: all })
    expect(first.bytes.equals(pdf)).toBe(true)
    expect((await house.ask('DELETE', `/Binary/${id}`, { grant: all })).status).toBe(204)
    expect((await get(id)).status).toBe(410)
  })

  it('by an id of the client’s, or by a condition', async () => {
    const put = (url: string) =>
      house.ask('PUT', url, { grant: all, body: pdf, headers: { 'content-type': 'application/pdf' } })
    expect((await put('/Binary/scan-7')).status).toBe(201)
    expect((await put('/Binary?_id=scan-7')).json).toMatchObject({ id: 'scan-7', meta: { versionId: '1' } })
    expect((await put('/Binary/scan_7')).status).toBe(400)
  })

  it.each([
    ['return=minimal', ''],
    ['return=OperationOutcome', 'OperationOutcome'],
    ['return=representation', 'Binary'],
  ])('Prefer: %s says what is answered', async (prefer, type) => {
    const answer = await post({ headers: { prefer } })
    expect([answer.status, answer.json?.resourceType ?? '']).toEqual([201, type])
  })

  it('whoever would only take the media type itself is told in JSON what became of it', async () => {
    expect((await post({ headers: { accept: 'application/pdf' } })).json.resourceType).toBe('Binary')
  })
})

describe('X-Security-Context – https://hl7.org/fhir/R4/binary.html#rest', () => {
  it('says whose the bytes are', async () => {
    const id = await stored({ headers: { 'x-security-context': `Patient/${anna}` } })
    const back = await get(id, {}, ofPatient(anna))
    expect([back.status, back.headers['x-security-context']]).toEqual([200, `Patient/${anna}`])
    expect((await get(id, {}, ofPatient(ben))).status).toBe(404)
    expect((await get(id, asFhir)).json.securityContext).toEqual({ reference: `Patient/${anna}` })
  })

  it('may name what is somebody’s', async () => {
    const document = {
      resourceType: 'DocumentReference',
      status: 'current',
      subject: { reference: `Patient/${ben}` },
      content: [{ attachment: { title: 'Scan' } }],
    }
    const { id: letter } = (await house.ask('POST', '/DocumentReference', { grant: all, body: document })).json
    const id = await stored({ headers: { 'x-security-context': `DocumentReference/${letter}` } })
    expect((await get(id, {}, ofPatient(ben))).status).toBe(200)
    expect((await get(id, {}, ofPatient(anna))).status).toBe(404)
  })

  it('of somebody out of reach is refused, whether there is such a one or not', async () => {
    const answers = await Promise.all(
      [ben, 'nobody'].map(patient =>
        post({ grant: family(anna), headers: { 'x-security-context': `Patient/${patient}` } }),
      ),
    )
    expect(answers.map(({ status }) => status >= 400)).toEqual([true, true])
    expect(answers[0]?.text.replaceAll(ben, '')).toBe(answers[1]?.text.replaceAll('nobody', ''))
  })

  it('fills in what a resource does not say, and may not contradict it', async () => {
    const body = { resourceType: 'Binary', contentType: 'text/plain', data: 'AAAA' }
    const sent = { type: 'application/fhir+json', headers: { 'x-security-context': `Patient/${anna}` } }
    expect((await post({ ...sent, body })).json.securityContext).toEqual({ reference: `Patient/${anna}` })
    const other = await post({ ...sent, body: { ...body, securityContext: { reference: `Patient/${ben}` } } })
    expect([other.status, other.json.issue[0].details.coding[0].code]).toEqual([400, 'binary.context-differs'])
  })

  it('stays where other bytes come without it', async () => {
    const id = await stored({ headers: { 'x-security-context': `Patient/${anna}` } })
    for (const url of [`/Binary/${id}`, `/Binary?_id=${id}`]) {
      const headers = { 'content-type': 'text/plain' }
      const { json } = await house.ask('PUT', url, { grant: all, headers, body: `new ${url}` })
      expect(json).toMatchObject({ contentType: 'text/plain', securityContext: { reference: `Patient/${anna}` } })
    }
    expect((await get(id, {}, ofPatient(anna))).text).toContain('?_id')
    const moved = { 'content-type': 'text/plain', 'x-security-context': `Patient/${ben}` }
    expect((await house.ask('PUT', `/Binary/${id}`, { grant: all, headers: moved, body: 'x' })).status).toBe(200)
    expect((await get(id, {}, ofPatient(ben))).status).toBe(200)
    expect((await get(id, {}, ofPatient(anna))).status).toBe(410)
  })

  it('without it the bytes are of the patient in context, or of the household', async () => {
    const own = await stored({ grant: ofPatient(anna) })
    expect((await get(own, {}, ofPatient(anna))).status).toBe(200)
    expect((await get(own, {}, ofPatient(ben))).status).toBe(404)
    const household = await stored({ grant: family(anna) })
    expect((await get(household, {}, family(anna))).status).toBe(200)
    expect((await get(household, {}, grantOf('user/*.cruds', { account: 'other', patients: [ben] }))).status).toBe(404)
  })

  it('needs the scope of any Binary', async () => {
    expect((await post({ grant: grantOf('user/Patient.cruds', { account: 'family', patients: [anna] }) })).status).toBe(
      403,
    )
    const id = await stored()
    expect((await get(id, {}, grantOf('system/Patient.cruds', { patients: 'all' }))).status).toBe(403)
  })
})

describe('what a Binary is read as – https://hl7.org/fhir/R4/binary.html#rest', () => {
  const isContent = async (type: string, headers: Record<string, string>, query = '') => {
    const body = type.includes('json') ? '{"a":1}' : 'x'
    const contentType = type
    const data = Buffer.from(body).toString('base64')
    const id = await stored({ type: 'application/fhir+json', body: { resourceType: 'Binary', contentType, data } })
    const answer = await get(id, headers, all, query)
    expect(answer.status).toBe(200)
    return answer.text === body
  }

  it.each([
    ['application/pdf', undefined],
    ['application/pdf', '*/*'],
    ['application/pdf', 'application/pdf'],
    ['application/pdf', 'image/png'],
    ['application/pdf', 'application/*'],
    ['application/pdf', 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8'],
    ['application/pdf', 'application/pdf, application/fhir+json;q=0.5'],
    ['application/json', 'application/json'],
    ['application/vnd.xacml+json', 'application/json'],
    ['application/cda+xml', 'text/xml'],
    ['application/fhir+json', '*/*'],
    ['text/plain', 'application/json;q=0.2, text/*'],
  ])('%s, where %s is accepted: as what it holds', async (type, accept) => {
    expect(await isContent(type, accept === undefined ? {} : { accept })).toBe(true)
  })

  it.each([
    ['application/pdf', 'application/fhir+json'],
    ['application/pdf', 'application/fhir+xml'],
    ['application/pdf', 'application/fhir+json; fhirVersion=4.0'],
    [
      'application/pdf',
      'application/fhir+xml;q=1.0, application/fhir+json;q=1.0, application/xml+fhir;q=0.9, */*;q=0.1',
    ],
    ['application/pdf', 'application/pdf;q=0.5, application/fhir+json'],
    ['application/pdf', 'application/json'],
    ['application/pdf', 'application/json, text/plain, */*'],
    ['application/json', 'application/xml'],
    ['application/fhir+json', 'application/fhir+json'],
  ])('%s, where %s is accepted: as a resource', async (type, accept) => {
    expect(await isContent(type, { accept })).toBe(false)
  })

  it.each(['json', 'xml', 'application/json', 'application/fhir+json'])(
    '_format=%s means the resource',
    async format => {
      expect(await isContent('application/json', { accept: '*/*' }, `?_format=${format}`)).toBe(false)
    },
  )

  it('_format that is none is refused, and _summary and _pretty mean nothing to bytes', async () => {
    const id = await stored()
    expect((await get(id, {}, all, '?_format=pdf')).status).toBe(406)
    expect((await get(id, {}, all, '?_summary=true&_pretty=true')).bytes.equals(pdf)).toBe(true)
    expect((await get(id, asFhir, all, '?_summary=true')).json).not.toHaveProperty('data')
  })

  it('within a Bundle it is a resource', async () => {
    const id = await stored()
    for (const type of ['batch', 'transaction']) {
      const entry = [{ request: { method: 'GET', url: `Binary/${id}` } }]
      const answer = await house.ask('POST', '', { grant: all, body: { resourceType: 'Bundle', type, entry } })
      expect(answer.json.entry[0].resource).toMatchObject({ resourceType: 'Binary', data: pdf.toString('base64') })
    }
  })

  it('where an attachment in its meta has data as well', async () => {
    const extension = [{ url: 'http://example.org/x', valueAttachment: { contentType: 'text/plain', data: 'AAAA' } }]
    const meta = { extension }
    for (const body of [
      { resourceType: 'Binary', meta, contentType: 'text/plain', data: 'QUJD' },
      {
        resourceType: 'Binary',
        data: 'QUJD',
        contentType: 'text/plain',
        securityContext: { reference: `Patient/${anna}`, extension },
      },
    ])
      expect((await get(await stored({ type: 'application/fhir+json', body }))).text).toBe('ABC')
    const without = await stored({
      type: 'application/fhir+json',
      body: { resourceType: 'Binary', meta, contentType: 'text/plain' },
    })
    expect((await get(without)).bytes).toHaveLength(0)
  })

  it.each(['\n', '\r', '\v', '\f', '\u2003', '\ufeff'])(
    'nor does a header carry a media type with %j before its parameter',
    async space => {
      const body = { resourceType: 'Binary', contentType: `text/html${space};a=b`, data: 'QUJD' }
      const answer = await post({ type: 'application/fhir+json', body })
      if (answer.status !== 201) return expect(answer.status).toBe(422)
      expect((await get(answer.json.id)).headers['content-type']).toBe('application/octet-stream')
    },
  )

  it('a media type that no header could carry is told as bytes of no type', async () => {
    const body = { resourceType: 'Binary', contentType: 'text/html\nX-Evil: 1', data: 'QUJD' }
    const answer = await post({ type: 'application/fhir+json', body })
    if (answer.status !== 201) return expect(answer.status).toBe(422)
    const { headers } = await get(answer.json.id)
    expect(headers['content-type']).toBe('application/octet-stream')
  })

  it('is never a page: it is a file to be kept', async () => {
    const id = await stored({ type: 'text/html', body: '<script>alert(1)</script>' })
    expect((await get(id)).headers['content-disposition']).toBe(`attachment; filename="${id}"`)
  })
})

describe('parts and versions of bytes – https://www.rfc-editor.org/rfc/rfc9110#section-14', () => {
  let id: string
  let etag: string
  let modified: string
  beforeAll(async () => {
    id = await stored({ type: 'text/plain', body: '0123456789' })
    const { headers } = await get(id)
    etag = headers.etag ?? ''
    modified = headers['last-modified'] ?? ''
  })

  it('are offered', async () => {
    expect((await get(id)).headers).toMatchObject({ 'accept-ranges': 'bytes', etag: '"1"' })
  })

  it.each([
    ['bytes=0-3', '0123', 'bytes 0-3/10'],
    ['bytes=4-', '456789', 'bytes 4-9/10'],
    ['bytes=-3', '789', 'bytes 7-9/10'],
    ['bytes=-30', '0123456789', 'bytes 0-9/10'],
    ['bytes=8-400', '89', 'bytes 8-9/10'],
    ['Bytes = 9 - 9', '9', 'bytes 9-9/10'],
  ])('%s', async (range, text, told) => {
    const answer = await get(id, { range })
    expect([answer.status, answer.text, answer.headers['content-range']]).toEqual([206, text, told])
  })

  it.each(['bytes=10-', 'bytes=99-100', 'bytes=-0'])('%s asks for nothing that is there', async range => {
    const answer = await get(id, { range })
    expect([answer.status, answer.headers['content-range']]).toEqual([416, 'bytes */10'])
    expect(answer.json.issue[0].details.coding[0].code).toBe('request.range-beyond')
  })

  it.each(['bytes=0-1,3-4', 'bytes=3-1', 'bytes=-', 'bytes=a-b', 'lines=1-2', 'bytes', 'bytes=1e3-', ''])(
    '%j is answered with the whole',
    async range => {
      const answer = await get(id, { range })
      expect([answer.status, answer.text]).toEqual([200, '0123456789'])
    },
  )

  it('If-Range: a part of what one has already, or all of what is new', async () => {
    const range = 'bytes=2-3'
    for (const same of [etag, modified]) expect((await get(id, { range, 'if-range': same })).status).toBe(206)
    for (const other of ['"2"', `W/${etag}`, 'Thu, 01 Jan 1970 00:00:00 GMT'])
      expect((await get(id, { range, 'if-range': other })).text).toBe('0123456789')
  })

  it('HEAD is told of the whole', async () => {
    const head = await house.ask('HEAD', `/Binary/${id}`, { grant: all, headers: { range: 'bytes=0-1' } })
    expect([head.status, head.headers['content-type']]).toEqual([200, 'text/plain'])
  })

  it('304 where nothing is new, before any part', async () => {
    for (const headers of [
      { 'if-none-match': etag },
      { 'if-none-match': 'W/"1"' },
      { 'if-modified-since': modified },
    ]) {
      const answer = await get(id, { ...headers, range: 'bytes=50-' })
      expect([answer.status, answer.bytes.length, answer.headers.etag]).toEqual([304, 0, etag])
    }
  })

  it('a resource has no parts', async () => {
    const answer = await get(id, { ...asFhir, range: 'bytes=0-3' })
    expect([answer.status, answer.json.resourceType]).toEqual([200, 'Binary'])
  })
})
