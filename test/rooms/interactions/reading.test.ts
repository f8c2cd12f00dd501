import { admin, grantOf, type House, openHouse, patientA, patientB, weightOf } from './house.ts'

let house: House
const own = grantOf('patient/*.rs', { patient: 'a' })

beforeAll(async () => {
  house = await openHouse()
  await house.ask('PUT', '/Patient/a', { grant: admin, body: patientA })
  await house.ask('PUT', '/Patient/b', { grant: admin, body: patientB })
  await house.ask('PUT', '/Observation/w', {
    grant: admin,
    body: { ...weightOf('a', 70), id: 'w', note: [{ text: 'first' }] },
  })
  house.clock.advance(60_000)
  await house.ask('PUT', '/Observation/w', { grant: admin, body: { ...weightOf('a', 71), id: 'w' } })
  await house.ask('PUT', '/Observation/gone', { grant: admin, body: { ...weightOf('a', 1), id: 'gone' } })
  await house.ask('DELETE', '/Observation/gone', { grant: admin })
  await house.ask('PUT', '/Observation/foreign', { grant: admin, body: { ...weightOf('b', 80), id: 'foreign' } })
})
afterAll(() => house.close())

describe('read – https://hl7.org/fhir/R4/http.html#read', () => {
  it('answers the current version with its ETag and time', async () => {
    const answer = await house.ask('GET', '/Observation/w', { grant: own })
    expect(answer.status).toBe(200)
    expect(answer.headers).toEqual({ etag: 'W/"2"', 'last-modified': 'Sun, 01 Mar 2026 12:01:00 GMT' })
    expect(answer.json).toMatchObject({ id: 'w', meta: { versionId: '2' }, valueQuantity: { value: 71 } })
  })

  it('sends the digits that were written', async () => {
    const body = `{"resourceType":"Observation","id":"digits","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/a"},"valueQuantity":{"value":1.50e1}}`
    await house.ask('PUT', '/Observation/digits', { grant: admin, body })
    const { text } = await house.ask('GET', '/Observation/digits', { grant: own })
    expect(text).toContain('"value":1.50e1')
  })

  it('answers 404 for what never existed, and the same for what belongs to somebody else', async () => {
    const unknown = await house.ask('GET', '/Observation/nowhere', { grant: own })
    const foreign = await house.ask('GET', '/Observation/foreign', { grant: own })
    expect(unknown.status).toBe(404)
    expect(unknown.json.issue[0].details.coding[0].code).toBe('record.unknown')
    expect(foreign).toEqual(unknown)
  })

  it('answers 410 for what was deleted', async () => {
    const answer = await house.ask('GET', '/Observation/gone', { grant: own })
    expect([answer.status, answer.json.issue[0].code]).toEqual([410, 'deleted'])
  })

  it('refuses a token without the scope before it looks, and says which scope is missing', async () => {
    const narrow = grantOf('patient/Observation.rs', { patient: 'a' })
    for (const id of ['a', 'b', 'nobody']) {
      const answer = await house.ask('GET', `/Patient/${id}`, { grant: narrow })
      expect([answer.status, answer.json.issue[0].details.coding[0].code]).toEqual([403, 'scope.missing'])
      expect(answer.json.issue[0].details.text).toContain('patient/Patient.r')
    }
  })

  it('refuses who has no token at all', async () => {
    const answer = await house.ask('GET', '/Patient/a')
    expect([answer.status, answer.json.issue[0].details.coding[0].code]).toEqual([401, 'token.missing'])
  })

  it('refuses query parameters it does not know, without repeating what might be a value', async () => {
    const answer = await house.ask('GET', '/Patient/a?name=Alder', { grant: own })
    expect([answer.status, answer.json.issue[0].details.coding[0].code]).toEqual([400, 'request.parameter-unknown'])
    expect(answer.json.issue[0].expression).toEqual(['name'])
    const odd = await house.ask('GET', `/Patient/a?${encodeURIComponent('Anna Alder')}=`, { grant: own })
    expect(odd.text).not.toContain('Alder')
  })

  it('prints prettily for people, and means the same', async () => {
    const plain = await house.ask('GET', '/Observation/digits', { grant: own })
    const pretty = await house.ask('GET', '/Observation/digits?_pretty=true', { grant: own })
    expect(pretty.json).toEqual(plain.json)
    expect(pretty.text.split('\n').length).toBeGreaterThan(5)
    expect(pretty.text).toContain('1.50e1')
  })

  it('has nothing for those who take neither JSON nor XML', async () => {
    expect((await house.ask('GET', '/Patient/a?_format=ttl', { grant: own })).status).toBe(406)
    expect((await house.ask('GET', '/Patient/a', { grant: own, headers: { accept: 'text/turtle' } })).status).toBe(406)
  })
})

describe('conditional read – https://hl7.org/fhir/R4/http.html#cread', () => {
  const conditional = (headers: Record<string, string>, id = 'w') =>
    house.ask('GET', `/Observation/${id}`, { grant: own, headers })

  it('answers 304 without a body to those who have the version', async () => {
    const answer = await conditional({ 'if-none-match': 'W/"2"' })
    expect([answer.status, answer.text, answer.headers.etag]).toEqual([304, '', 'W/"2"'])
    expect((await conditional({ 'if-modified-since': 'Sun, 01 Mar 2026 12:01:00 GMT' })).status).toBe(304)
  })

  it('answers in full to those who have another', async () => {
    expect((await conditional({ 'if-none-match': 'W/"1"' })).status).toBe(200)
    expect((await conditional({ 'if-modified-since': 'Sun, 01 Mar 2026 12:00:59 GMT' })).status).toBe(200)
  })

  it("never tells by 304 that somebody else's resource has a version", async () => {
    expect((await conditional({ 'if-none-match': '*' }, 'foreign')).status).toBe(404)
  })
})

describe('vread – https://hl7.org/fhir/R4/http.html#vread', () => {
  it('answers each version', async () => {
    const first = await house.ask('GET', '/Observation/w/_history/1', { grant: own })
    expect(first.json).toMatchObject({ meta: { versionId: '1' }, valueQuantity: { value: 70 } })
    expect(first.headers.etag).toBe('W/"1"')
    expect((await house.ask('GET', '/Observation/w/_history/2', { grant: own })).json.valueQuantity.value).toBe(71)
  })

  it.each(['3', '0', 'x', '1e0', '-1'])('answers 404 for version %s', async version => {
    expect((await house.ask('GET', `/Observation/w/_history/${version}`, { grant: own })).status).toBe(404)
  })

  it("answers 404 for a version of somebody else's", async () => {
    const foreign = await house.ask('GET', '/Observation/foreign/_history/1', { grant: own })
    expect(foreign).toEqual(await house.ask('GET', '/Observation/nowhere/_history/1', { grant: own }))
  })
})

describe('parts of a resource – https://hl7.org/fhir/R4/search.html#summary', () => {
  const part = async (query: string) =>
    (await house.ask('GET', `/Observation/w/_history/1?${query}`, { grant: own })).json
  const subsetted = {
    tag: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ObservationValue', code: 'SUBSETTED' }],
  }

  it('leaves out with _elements what was not asked for and is not mandatory, and says so', async () => {
    const resource = await part('_elements=valueQuantity')
    expect(Object.keys(resource).sort()).toEqual(['code', 'id', 'meta', 'resourceType', 'status', 'valueQuantity'])
    expect(resource.meta).toMatchObject({ versionId: '1', ...subsetted })
  })

  it('knows choice elements by their plain name, and elements of other types for what they are', async () => {
    expect(await part('_elements=value,effective')).toHaveProperty('effectiveDateTime')
    expect(await part('_elements=Observation.note')).toHaveProperty('note')
    expect(await part('_elements=Patient.note')).not.toHaveProperty('note')
  })

  it('shows the summary, the data, or the text', async () => {
    const summary = await part('_summary=true')
    expect(summary).toHaveProperty('valueQuantity')
    expect(summary).not.toHaveProperty('note')
    expect(summary.meta).toMatchObject(subsetted)
    expect(await part('_summary=data')).toHaveProperty('note')
    expect(await part('_summary=text')).not.toHaveProperty('valueQuantity')
    expect((await part('_summary=false')).meta).not.toHaveProperty('tag')
  })

  it('refuses a summary it does not know', async () => {
    expect((await part('_summary=half')).issue[0].details.coding[0].code).toBe('request.summary-unknown')
    expect((await part('_summary=count')).issue[0].details.coding[0].code).toBe('request.summary-unknown')
  })
})

describe('history – https://hl7.org/fhir/R4/http.html#history', () => {
  it('of one resource lists its versions, newest first', async () => {
    const { json } = await house.ask('GET', '/Observation/w/_history', { grant: own })
    expect(json).toMatchObject({ resourceType: 'Bundle', type: 'history', total: 2 })
    expect(
      json.entry.map((entry: { resource: { meta: { versionId: string } } }) => entry.resource.meta.versionId),
    ).toEqual(['2', '1'])
    expect(json.entry[1]).toMatchObject({
      fullUrl: 'http://127.0.0.1:8080/fhir/Observation/w',
      request: { method: 'PUT', url: 'Observation/w' },
      response: { status: '201', etag: 'W/"1"' },
    })
    expect(json.entry[0].response).toEqual({ status: '200', etag: 'W/"2"', lastModified: '2026-03-01T12:01:00.000Z' })
  })

  it('shows a deletion without a resource', async () => {
    const { json } = await house.ask('GET', '/Observation/gone/_history', { grant: own })
    expect(json.entry[0]).not.toHaveProperty('resource')
    expect(json.entry[0]).toMatchObject({
      request: { method: 'DELETE', url: 'Observation/gone' },
      response: { status: '204' },
    })
  })

  it('says what each write was answered, as https://hl7.org/fhir/R4/bundle.html asks', async () => {
    const task = (status: string, more: object = {}) => ({ resourceType: 'Task', intent: 'order', status, ...more })
    const url = '/Task/phoenix'
    const answered: number[] = []
    const write = async (method: string, at: string, body?: object, headers = {}) => {
      const { status, json } = await house.ask(method, at, { grant: admin, headers, ...(body ? { body } : {}) })
      answered.unshift(json?.entry === undefined ? status : Number(json.entry[0].response.status))
    }
    const own = task('draft', { id: 'phoenix', for: { reference: 'Patient/a' } })
    await write('PUT', url, own)
    await write('DELETE', url)
    await write('PUT', url, own)
    await write('PUT', url, { ...own, status: 'ready' })
    await write('DELETE', `/Task?_id=phoenix`)
    await write('PUT', `/Task?_id=phoenix`, own)
    await write('DELETE', url)
    const entry = [{ resource: own, request: { method: 'PUT', url: 'Task/phoenix' } }]
    await write('POST', '/', { resourceType: 'Bundle', type: 'transaction', entry })
    await write('DELETE', url)
    await write('POST', '/', { resourceType: 'Bundle', type: 'batch', entry })
    expect(answered).toEqual([201, 204, 201, 204, 201, 204, 200, 201, 204, 201])
    for (const place of [`${url}/_history`, '/Task/_history', '/_history?_count=10']) {
      const { json } = await house.ask('GET', place, { grant: admin })
      const entries = json.entry.filter(({ fullUrl }: { fullUrl: string }) => fullUrl.endsWith('/Task/phoenix'))
      expect(entries.map(({ response }: { response: { status: string } }) => Number(response.status))).toEqual(answered)
    }
  })

  it('goes on where a page ended', async () => {
    const { json } = await house.ask('GET', '/Observation/w/_history?_count=1', { grant: own })
    expect(json.entry).toHaveLength(1)
    const next = json.link
      .find((link: { relation: string }) => link.relation === 'next')
      .url.replace('http://127.0.0.1:8080/fhir', '')
    const second = await house.ask('GET', next, { grant: own })
    expect(second.json.entry).toHaveLength(1)
    expect(second.json.entry[0].resource.meta.versionId).toBe('1')
    expect(second.json.link.map((link: { relation: string }) => link.relation)).toEqual(['self'])
  })

  it('of a type and of everything shows only what is within reach', async () => {
    const ofType = await house.ask('GET', '/Observation/_history', { grant: own })
    const ofAll = await house.ask('GET', '/_history', { grant: own })
    for (const { text, json } of [ofType, ofAll]) {
      expect(json.type).toBe('history')
      expect(json.entry.length).toBeGreaterThan(3)
      expect(text).not.toMatch(/Patient\/b|foreign/)
    }
  })

  it('keeps to _since', async () => {
    const later = await house.ask('GET', '/Observation/w/_history?_since=2026-03-01T12:00:30Z', { grant: own })
    expect(later.json.entry).toHaveLength(1)
    const zoned = await house.ask('GET', '/Observation/w/_history?_since=2026-03-01T14:00:30+02:00', { grant: own })
    expect(zoned.json.entry).toHaveLength(1)
  })

  it.each([
    ['_since=lately', 'request.since-malformed'],
    ['_count=0', 'request.count-malformed'],
    ['_count=-1', 'request.count-malformed'],
    ['_count=NaN', 'request.count-malformed'],
    ['_cursor=forged', 'record.cursor-invalid'],
    ['_at=lately', 'request.at-malformed'],
    ['_at=sa2026', 'request.at-malformed'],
    ['_at=', 'request.at-malformed'],
    ['_sort=_lastUpdated', 'request.sort-unsupported'],
    ['_summary=most', 'request.summary-unknown'],
    ['_list=x', 'request.parameter-unknown'],
  ])('refuses %s', async (query, code) => {
    const answer = await house.ask('GET', `/Observation/w/_history?${query}`, { grant: own })
    expect([answer.status, answer.json.issue[0].details.coding[0].code]).toEqual([400, code])
  })

  it("answers 404 for somebody else's, and 403 without the scope", async () => {
    expect((await house.ask('GET', '/Observation/foreign/_history', { grant: own })).status).toBe(404)
    const readOnly = grantOf('patient/*.r', { patient: 'a' })
    expect((await house.ask('GET', '/Observation/_history', { grant: readOnly })).status).toBe(403)
    for (const grant of [readOnly, { ...readOnly, terms: [] }])
      expect((await house.ask('GET', '/_history', { grant })).json.issue[0]).toMatchObject({ code: 'forbidden' })
  })
})

describe('what was refused – https://hl7.org/fhir/R4/security.html#audit', () => {
  const refusals = async () => {
    await house.record.flush()
    const { json } = await house.ask('GET', '/AuditEvent?_summary=count&outcome=4,8,12', { grant: admin })
    return json.total
  }

  it('is recorded, whether it was not permitted or not there, also within a batch', async () => {
    const before = await refusals()
    await house.ask('GET', '/Observation/foreign', { grant: own })
    await house.ask('DELETE', '/Observation/w', { grant: own })
    const body = {
      resourceType: 'Bundle',
      type: 'batch',
      entry: [{ request: { method: 'GET', url: 'Observation/foreign' } }],
    }
    await house.ask('POST', '/', { grant: own, body })
    // Those of one actor for one reason are one record that counts them.
    expect(await refusals()).toBe(before + 2)
    await house.ask('GET', '/Observation/w', { grant: own })
    expect(await refusals()).toBe(before + 2)
  })
})
