import { inertParameters } from '#search'
import { type Answer, admin, grantOf, type House, openHouse, patientA, patientB, weightOf } from './house.ts'

let house: House
const own = grantOf('patient/*.rs', { patient: 'a' })
const codeOf = (answer: Answer) => answer.json.issue[0].details.coding[0].code
const idsOf = ({ json }: Answer): string[] =>
  (json.entry ?? []).map((entry: { resource: { id: string } }) => entry.resource.id)
const linkOf = ({ json }: Answer, relation: string): string | undefined =>
  json.link.find((link: { relation: string }) => link.relation === relation)?.url
const follow = (answer: Answer, relation: string, grant = own) =>
  house.ask('GET', (linkOf(answer, relation) ?? '').replace('http://127.0.0.1:8080/fhir', ''), { grant })

beforeAll(async () => {
  house = await openHouse()
  const put = async (resource: { resourceType: string; id?: string }) => {
    house.clock.advance(1000)
    const answer = await house.ask('PUT', `/${resource.resourceType}/${resource.id}`, { grant: admin, body: resource })
    if (answer.status !== 201) throw new Error(answer.text)
  }
  await put(patientA)
  await put(patientB)
  await put({ resourceType: 'Practitioner', id: 'doctor', name: [{ family: 'Doe' }] } as {
    resourceType: string
    id: string
  })
  await put({ resourceType: 'Practitioner', id: 'stranger' })
  for (const value of [1, 2, 3, 4, 5]) {
    const performer = [{ reference: 'Practitioner/doctor' }]
    await put({ ...weightOf('a', 70 + value, { performer }), id: `a${value}` })
    await put({ ...weightOf('b', 90 + value), id: `b${value}` })
  }
  await put({
    resourceType: 'Condition',
    id: 'c',
    subject: { reference: 'Patient/a' },
    code: { text: 'hay fever' },
  } as { resourceType: string; id: string })
})
afterAll(() => house.close())

describe('search – https://hl7.org/fhir/R4/http.html#search', () => {
  it('answers a searchset of what matches within reach, newest first', async () => {
    const answer = await house.ask('GET', '/Observation', { grant: own })
    expect(answer.json).toMatchObject({ resourceType: 'Bundle', type: 'searchset' })
    expect(idsOf(answer)).toEqual(['a5', 'a4', 'a3', 'a2', 'a1'])
    expect(answer.json.entry[0]).toMatchObject({
      fullUrl: 'http://127.0.0.1:8080/fhir/Observation/a5',
      resource: { resourceType: 'Observation', id: 'a5' },
      search: { mode: 'match' },
    })
  })

  it('holds the very bytes that a read answers', async () => {
    const { text } = await house.ask('GET', '/Observation?_id=a3', { grant: own })
    expect(text).toContain((await house.ask('GET', '/Observation/a3', { grant: own })).text)
  })

  it('says in the self link what was searched', async () => {
    const answer = await house.ask('GET', '/Observation?value-quantity=gt72&_count=2&_format=json', { grant: own })
    expect(linkOf(answer, 'self')).toBe('http://127.0.0.1:8080/fhir/Observation?value-quantity=gt72&_count=2')
  })

  it('is a Bundle without entries when nothing matches', async () => {
    const answer = await house.ask('GET', '/Observation?status=cancelled', { grant: own })
    expect(answer.status).toBe(200)
    expect(answer.json).not.toHaveProperty('entry')
  })

  it.each(['subject=Patient/b', 'patient=b', 'patient=a,b&status=cancelled', 'subject:Patient=b', '_id=b1'])(
    'finds nothing of others by %s',
    async query => {
      expect(idsOf(await house.ask('GET', `/Observation?${query}&_total=accurate`, { grant: own }))).toEqual([])
    },
  )

  it('refuses what it does not know, or leaves it out and says so if the caller is lenient', async () => {
    expect(codeOf(await house.ask('GET', '/Observation?colour=red', { grant: own }))).toBe('search.parameter-unknown')
    const lenient = await house.ask('GET', '/Observation?colour=red&_count=1', {
      grant: own,
      headers: { prefer: 'handling=lenient' },
    })
    expect(lenient.json.entry).toHaveLength(2)
    expect(lenient.json.entry[1]).toMatchObject({
      resource: { resourceType: 'OperationOutcome' },
      search: { mode: 'outcome' },
    })
    expect(linkOf(lenient, 'self')).not.toContain('colour')
  })

  it('refuses a type that the token may not search', async () => {
    const narrow = grantOf('patient/Condition.rs patient/Observation.r', { patient: 'a' })
    expect(codeOf(await house.ask('GET', '/Observation', { grant: narrow }))).toBe('scope.missing')
    expect(idsOf(await house.ask('GET', '/Condition', { grant: narrow }))).toEqual(['c'])
  })

  it('counts without entries for _summary=count', async () => {
    const { json } = await house.ask('GET', '/Observation?_summary=count', { grant: own })
    expect(json.total).toBe(5)
    expect(json).not.toHaveProperty('entry')
  })

  it('shows parts for _elements', async () => {
    const { json } = await house.ask('GET', '/Observation?_elements=valueQuantity&_id=a1', { grant: own })
    expect(Object.keys(json.entry[0].resource).sort()).toEqual([
      'code',
      'id',
      'meta',
      'resourceType',
      'status',
      'valueQuantity',
    ])
    expect(json.entry[0].resource.meta.tag[0].code).toBe('SUBSETTED')
  })

  it('includes what matches refer to, marked as included', async () => {
    const { json } = await house.ask(
      'GET',
      '/Observation?_id=a1&_include=Observation:performer&_include=Observation:subject',
      { grant: own },
    )
    const modes = json.entry.map((entry: { resource: { resourceType: string }; search: { mode: string } }) => [
      entry.resource.resourceType,
      entry.search.mode,
    ])
    expect(modes).toEqual(
      expect.arrayContaining([
        ['Observation', 'match'],
        ['Practitioner', 'include'],
        ['Patient', 'include'],
      ]),
    )
  })
})

describe('pages – https://hl7.org/fhir/R4/http.html#paging', () => {
  it('lead from the first to the last and back, each match once', async () => {
    const first = await house.ask('GET', '/Observation?_count=2&_sort=value-quantity', { grant: own })
    const second = await follow(first, 'next')
    const third = await follow(second, 'next')
    expect([first, second, third].map(idsOf)).toEqual([['a1', 'a2'], ['a3', 'a4'], ['a5']])
    expect(linkOf(third, 'next')).toBeUndefined()
    expect(idsOf(await follow(third, 'previous'))).toEqual(['a3', 'a4'])
    expect(idsOf(await follow(second, 'first'))).toEqual(['a1', 'a2'])
  })

  it('have links that show no parameter', async () => {
    const first = await house.ask('GET', '/Observation?_count=2&code=29463-7', { grant: own })
    expect(linkOf(first, 'next')).toMatch(/^http:\/\/127\.0\.0\.1:8080\/fhir\/Observation\?_cursor=[\w-]+$/)
  })

  it("cannot be followed with somebody else's token, nor altered, nor added to", async () => {
    const first = await house.ask('GET', '/Observation?_count=2', { grant: own })
    const other = grantOf('patient/*.rs', { patient: 'b' })
    expect(codeOf(await follow(first, 'next', other))).toBe('record.cursor-invalid')
    const cursor = new URL(linkOf(first, 'next') ?? '').searchParams.get('_cursor') ?? ''
    const flipped = cursor.slice(0, 20) + (cursor[20] === 'A' ? 'B' : 'A') + cursor.slice(21)
    expect(codeOf(await house.ask('GET', `/Observation?_cursor=${flipped}`, { grant: own }))).toBe(
      'record.cursor-invalid',
    )
    expect(codeOf(await house.ask('GET', `/Observation?_cursor=${cursor}&status=final`, { grant: own }))).toBe(
      'search.cursor-not-alone',
    )
  })

  it('of a search of one type by _type can be followed too', async () => {
    const first = await house.ask('GET', '/?_type=Observation&_count=3', { grant: own })
    expect(idsOf(await follow(first, 'next'))).toEqual(['a2', 'a1'])
  })
})

describe('search by POST – https://hl7.org/fhir/R4/http.html#3.1.0.9.1', () => {
  const form = { 'content-type': 'application/x-www-form-urlencoded' }

  it('takes its parameters from the body', async () => {
    const answer = await house.ask('POST', '/Observation/_search', {
      grant: own,
      headers: form,
      body: 'value-quantity=gt73&_sort=value-quantity',
    })
    expect(idsOf(answer)).toEqual(['a4', 'a5'])
  })

  it('holds the parameters of URL and body both', async () => {
    const answer = await house.ask('POST', '/Observation/_search?value-quantity=gt73', {
      grant: own,
      headers: form,
      body: 'value-quantity=lt75',
    })
    expect(idsOf(answer)).toEqual(['a4'])
  })

  it('refuses another body', async () => {
    const answer = await house.ask('POST', '/Observation/_search', { grant: own, body: '{}' })
    expect([answer.status, codeOf(answer)]).toEqual([415, 'body.type-unsupported'])
  })

  it('searches several types', async () => {
    const answer = await house.ask('POST', '/_search', { grant: own, headers: form, body: '_type=Patient,Condition' })
    expect(idsOf(answer).sort()).toEqual(['a', 'c'])
  })
})

describe('search of several types – https://hl7.org/fhir/R4/http.html#search', () => {
  it('needs the scope for each', async () => {
    const narrow = grantOf('patient/Condition.rs', { patient: 'a' })
    expect(codeOf(await house.ask('GET', '/?_type=Condition,Observation', { grant: narrow }))).toBe('scope.missing')
  })

  it('is one of all types that the token may search when none is named', async () => {
    const all = await house.ask('GET', '/?_lastUpdated=ge2026-03-01T12:00:14Z', { grant: own })
    expect(idsOf(all)).toEqual(['c'])
    expect(linkOf(all, 'self')).toBe('http://127.0.0.1:8080/fhir/?_lastUpdated=ge2026-03-01T12%3A00%3A14Z')
    const narrow = grantOf('patient/Condition.rs', { patient: 'a' })
    expect(idsOf(await house.ask('GET', '/?_lastUpdated=ge2020', { grant: narrow }))).toEqual(['c'])
    const between = '_lastUpdated=ge2020-01-01&_lastUpdated=lt2030-01-01&_count=3'
    const first = await house.ask('GET', `/?${between}`, { grant: own })
    const second = await follow(first, 'next')
    expect([...idsOf(first), ...idsOf(second)]).toEqual(['c', 'a5', 'a4', 'a3', 'a2', 'a1'])
    const blind = grantOf('patient/Observation.r', { patient: 'a' })
    expect(codeOf(await house.ask('GET', '/?_id=a', { grant: blind }))).toBe('scope.missing')
  })

  it('without types takes also a form, and knows only what all types have', async () => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const posted = await house.ask('POST', '/_search', { grant: own, headers, body: '_id=a,c' })
    expect(idsOf(posted).sort()).toEqual(['a', 'c'])
    const marked = await house.ask('POST', '/_search', { grant: own, headers, body: '\ufeff_id=c' })
    expect(idsOf(marked)).toEqual(['c'])
    expect(codeOf(await house.ask('GET', '/?family=Alder', { grant: own }))).toBe('search.parameter-unknown')
  })
})

describe('parameters that never narrow – https://hl7.org/fhir/R4/search.html#errors', () => {
  const inert = Object.keys(inertParameters).map(name => `${name}=1`.replace('_format=1', '_format=json'))

  it.each([...inert, '_containedType=container', '_contained=false', '_total=none', '_pretty=true'])(
    'are passed over: %s',
    async parameter => {
      const found = await house.ask('GET', `/Observation?_id=a3&${parameter}`, { grant: own })
      expect(idsOf(found)).toEqual(['a3'])
      const headers = { 'content-type': 'application/x-www-form-urlencoded' }
      const posted = await house.ask('POST', '/Observation/_search', {
        grant: own,
        headers,
        body: `_id=a3&${parameter}`,
      })
      expect(idsOf(posted)).toEqual(['a3'])
    },
  )

  it.each(inert)('are passed over by reads, histories and operations too: %s', async parameter => {
    for (const path of ['/Observation/a3', '/Observation/a3/_history', '/Patient/a/$everything'])
      expect([path, (await house.ask('GET', `${path}?${parameter}`, { grant: own })).status]).toEqual([path, 200])
  })

  it.each(['_filter=x', '_query=x', '_language=de', '_in=x', '_page=2', '_getpages=x', 'access_token=x'])(
    'are not those that could: %s',
    async parameter => {
      expect((await house.ask('GET', `/Observation?${parameter}`, { grant: own })).status).toBe(400)
    },
  )

  it('and a lenient caller has unknown ones of other reads passed over, but never of a write', async () => {
    const headers = { prefer: 'handling=lenient' }
    expect((await house.ask('GET', '/Observation/a3?colour=red', { grant: own })).status).toBe(400)
    expect((await house.ask('GET', '/Observation/a3?colour=red', { grant: own, headers })).status).toBe(200)
    const write = await house.ask('DELETE', '/Observation?colour=red', { grant: admin, headers })
    expect(codeOf(write)).toBe('search.parameter-unknown')
  })

  it('have their effect on the form of the answer, in a URL and in a form – https://hl7.org/fhir/R4/http.html#parameters', async () => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const post = (body: string) => house.ask('POST', '/Observation/_search', { grant: own, headers, body })
    for (const { text, json } of [
      await house.ask('GET', '/Observation?_id=a3&_pretty=true', { grant: own }),
      await post('_id=a3&_pretty=true&_format=json'),
    ]) {
      expect(text).toContain('\n  "type": "searchset"')
      expect(text).toContain('\n        "resourceType": "Observation"')
      expect(json.entry[0].resource.id).toBe('a3')
    }
    expect((await house.ask('GET', '/Observation?_id=a3&_pretty=false', { grant: own })).text).not.toContain('\n')
    expect((await post('_id=a3&_format=xml')).text).toMatch(
      /^<\?xml .*<Bundle xmlns="http:\/\/hl7.org\/fhir"><type value="searchset"\/>/,
    )
    expect(codeOf(await post('_id=a3&_format=turtle'))).toBe('format.unsupported')
  })

  it('lets those who page by themselves say where a page begins', async () => {
    const page = await house.ask('GET', '/Observation?_count=2&_offset=2', { grant: own })
    expect(idsOf(page)).toEqual(['a3', 'a2'])
    expect(linkOf(page, 'self')).toContain('_offset=2')
    expect(idsOf(await follow(page, 'next'))).toEqual(['a1'])
    expect(idsOf(await follow(page, 'previous'))).toEqual(['a5', 'a4'])
    expect(codeOf(await house.ask('GET', '/Observation?_offset=-1', { grant: own }))).toBe('search.control-malformed')
  })
})

describe('compartment search – https://hl7.org/fhir/R4/http.html#vsearch', () => {
  it('stays within one patient, whatever the token reaches', async () => {
    expect(idsOf(await house.ask('GET', '/Patient/a/Observation', { grant: admin }))).toEqual([
      'a5',
      'a4',
      'a3',
      'a2',
      'a1',
    ])
    expect(idsOf(await house.ask('GET', '/Patient/b/Observation?_count=1', { grant: admin }))).toEqual(['b5'])
    const family = grantOf('user/*.rs', { patients: ['a', 'b'] })
    expect(idsOf(await house.ask('GET', '/Patient/b/Observation', { grant: family }))).toHaveLength(5)
  })

  it('takes further parameters, also by POST', async () => {
    expect(idsOf(await house.ask('GET', '/Patient/a/Observation?value-quantity=gt74', { grant: own }))).toEqual(['a5'])
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const posted = await house.ask('POST', '/Patient/a/Observation/_search', {
      grant: own,
      headers,
      body: 'value-quantity=gt74',
    })
    expect(idsOf(posted)).toEqual(['a5'])
  })

  it('has pages that stay within', async () => {
    const first = await house.ask('GET', '/Patient/a/Observation?_count=3', { grant: admin })
    expect(linkOf(first, 'next')).toContain('/fhir/Patient/a/Observation?_cursor=')
    expect(idsOf(await follow(first, 'next', admin))).toEqual(['a2', 'a1'])
  })

  it('shows nothing of the commons', async () => {
    expect(idsOf(await house.ask('GET', '/Patient/a/Practitioner', { grant: admin }))).toEqual([])
  })

  it('of all types shows what the token may search', async () => {
    const answer = await house.ask('GET', '/Patient/a/*', { grant: own })
    expect(idsOf(answer).sort()).toEqual(['a', 'a1', 'a2', 'a3', 'a4', 'a5', 'c'])
    expect(linkOf(answer, 'self')).toBe('http://127.0.0.1:8080/fhir/Patient/a/*')
    const narrow = grantOf('patient/Condition.rs', { patient: 'a' })
    expect(idsOf(await house.ask('GET', '/Patient/a/*', { grant: narrow }))).toEqual(['c'])
  })

  it("answers for somebody else's compartment as for one that never was", async () => {
    const foreign = await house.ask('GET', '/Patient/b/Observation', { grant: own })
    expect([foreign.status, codeOf(foreign)]).toEqual([404, 'record.unknown'])
    expect(await house.ask('GET', '/Patient/nobody/Observation', { grant: own })).toEqual(foreign)
    expect((await house.ask('GET', '/Patient/nobody/Observation', { grant: admin })).status).toBe(404)
  })
})

describe('$everything – https://hl7.org/fhir/R4/patient-operation-everything.html', () => {
  it('answers the compartment and what it refers to in the commons, and no more', async () => {
    const { json, text } = await house.ask('GET', '/Patient/a/$everything', { grant: own })
    const modes = Object.fromEntries(
      json.entry.map((entry: { resource: { id: string }; search: { mode: string } }) => [
        entry.resource.id,
        entry.search.mode,
      ]),
    )
    expect(modes).toEqual({
      a: 'match',
      a1: 'match',
      a2: 'match',
      a3: 'match',
      a4: 'match',
      a5: 'match',
      c: 'match',
      doctor: 'include',
    })
    expect(text).not.toMatch(/Patient\/b|stranger/)
  })

  it('keeps to _type, _since and _count, and has pages', async () => {
    expect(
      idsOf(await house.ask('GET', '/Patient/a/$everything?_type=Condition,Patient', { grant: own })).sort(),
    ).toEqual(['a', 'c'])
    const since = await house.ask(
      'GET',
      '/Patient/a/$everything?_type=Observation,Condition&_since=2026-03-01T12:00:14Z',
      { grant: own },
    )
    expect(idsOf(since)).toEqual(expect.arrayContaining(['c']))
    expect(idsOf(since)).not.toContain('a1')
    const first = await house.ask('GET', '/Patient/a/$everything?_type=Observation&_count=3', { grant: own })
    const rest = await follow(first, 'next')
    const both = [...idsOf(first), ...idsOf(rest)].filter(id => id !== 'doctor')
    expect(both).toEqual(['a5', 'a4', 'a3', 'a2', 'a1'])
  })

  it('leaves out types that the token may not search', async () => {
    const narrow = grantOf('patient/Condition.rs patient/Patient.rs', { patient: 'a' })
    expect(idsOf(await house.ask('GET', '/Patient/a/$everything', { grant: narrow })).sort()).toEqual(['a', 'c'])
    expect(codeOf(await house.ask('GET', '/Patient/a/$everything?_type=Observation', { grant: narrow }))).toBe(
      'scope.missing',
    )
    expect(codeOf(await house.ask('GET', '/Patient/a/$everything?_type=Observations', { grant: narrow }))).toBe(
      'everything.type-unknown',
    )
    const blind = grantOf('patient/Observation.r', { patient: 'a' })
    expect(codeOf(await house.ask('GET', '/Patient/a/$everything', { grant: blind }))).toBe('scope.missing')
  })

  it('answers for somebody else as for who never was', async () => {
    const foreign = await house.ask('GET', '/Patient/b/$everything', { grant: own })
    expect(foreign.status).toBe(404)
    expect(await house.ask('GET', '/Patient/nobody/$everything', { grant: own })).toEqual(foreign)
  })

  it('without an id is about every patient within reach', async () => {
    const one = idsOf(await house.ask('GET', '/Patient/$everything', { grant: own })).sort()
    expect(one).toEqual(['a', 'a1', 'a2', 'a3', 'a4', 'a5', 'c', 'doctor'])
    const all = idsOf(await house.ask('GET', '/Patient/$everything?_type=Patient', { grant: admin })).sort()
    expect(all).toEqual(['a', 'b'])
  })

  it('is asked by POST, with Parameters or without – https://hl7.org/fhir/R4/operations.html#executing', async () => {
    const ask = (path: string, body?: object | string) =>
      house.ask('POST', `/Patient/${path}$everything`, { grant: own, ...(body === undefined ? {} : { body }) })
    const parameters = (...parameter: object[]) => ({ resourceType: 'Parameters', parameter })
    const all = idsOf(await house.ask('GET', '/Patient/a/$everything', { grant: own })).sort()
    for (const path of ['a/', ''])
      for (const body of [undefined, { resourceType: 'Parameters' }])
        expect(idsOf(await ask(path, body)).sort()).toEqual(all)
    const typed = await ask(
      'a/',
      parameters({ name: '_type', valueCode: 'Patient' }, { name: '_type', valueCode: 'Condition' }),
    )
    expect(idsOf(typed).sort()).toEqual(['a', 'c'])
    const [type] = [{ name: '_type', valueString: 'Observation,Condition' }]
    const since = await ask('a/', parameters(type as object, { name: '_since', valueInstant: '2026-03-01T12:00:14Z' }))
    expect(idsOf(since)).not.toContain('a1')
    const first = await ask(
      'a/',
      parameters({ name: '_type', valueCode: 'Observation' }, { name: '_count', valueInteger: 3 }),
    )
    expect([...idsOf(first), ...idsOf(await follow(first, 'next'))].filter(id => id !== 'doctor')).toHaveLength(5)
    expect((await ask('b/', parameters())).status).toBe(404)
  })

  it.each([
    ['request.parameter-unknown', { name: 'colour', valueString: 'red' }],
    ['operation.parameter-malformed', { name: '_count', valueQuantity: { value: 1 } }],
    ['operation.parameter-malformed', { name: '_count' }],
    ['operation.parameter-malformed', { valueInteger: 1 }],
    ['operation.parameter-malformed', null],
    ['request.since-malformed', { name: '_since', valueString: 'yesterday' }],
    ['everything.date-malformed', { name: 'start', valueString: 'yesterday' }],
    ['everything.type-unknown', { name: '_type', valueCode: 'Observations' }],
  ])('refuses %s', async (code, part) => {
    const body = { resourceType: 'Parameters', parameter: [part] }
    expect(codeOf(await house.ask('POST', '/Patient/a/$everything', { grant: own, body }))).toBe(code)
  })

  it('keeps to a range of dates of care, page by page, however it is asked', async () => {
    const dated = grantOf('patient/*.cruds', { patient: 'a' })
    for (const [id, effectiveDateTime] of Object.entries({ d1: '2001-05-05', d2: '2002-05-05', d3: '2003-05-05' }))
      await house.ask('PUT', `/Observation/${id}`, {
        grant: admin,
        body: { ...weightOf('a', 1, { effectiveDateTime }), id },
      })
    const query = 'start=2001-12-31&end=2003&_type=Observation,Patient'
    const byGet = await house.ask('GET', `/Patient/a/$everything?${query}&_count=2`, { grant: dated })
    expect([...idsOf(byGet), ...idsOf(await follow(byGet, 'next', dated))].sort()).toEqual(['a', 'd2', 'd3'])
    const parameter = [
      { name: 'start', valueDate: '2001-12-31' },
      { name: 'end', valueDate: '2002-12-31' },
    ]
    const body = { resourceType: 'Parameters', parameter }
    const byPost = idsOf(await house.ask('POST', '/Patient/a/$everything', { grant: dated, body }))
    expect(byPost.sort()).toEqual(['a', 'c', 'd2'])
    for (const id of ['d1', 'd2', 'd3']) await house.ask('DELETE', `/Observation/${id}`, { grant: admin })
  })
})
