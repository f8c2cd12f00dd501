import { type Answer, admin, grantOf, type House, openHouse, patientA, patientB, weightOf } from './house.ts'

let house: House
const own = grantOf('patient/*.cruds', { patient: 'a' })
const codeOf = (answer: Answer) => answer.json.issue[0].details.coding[0].code
const uuid = (digit: number) => `urn:uuid:0000000${digit}-0000-4000-8000-000000000000`

type Entry = { fullUrl?: string; resource?: object; request?: object } | null
const send = (type: string, entry: unknown[], asked: { grant?: typeof own; headers?: Record<string, string> } = {}) =>
  house.ask('POST', '/', {
    grant: own,
    ...asked,
    body: { resourceType: 'Bundle', type, ...(entry.length > 0 ? { entry } : {}) },
  })
const post = (resource: { resourceType: string }, more: object = {}, fullUrl?: string): Entry => ({
  ...(fullUrl === undefined ? {} : { fullUrl }),
  resource,
  request: { method: 'POST', url: resource.resourceType, ...more },
})
const put = (resource: { resourceType: string; id: string }, more: object = {}): Entry => ({
  resource,
  request: { method: 'PUT', url: `${resource.resourceType}/${resource.id}`, ...more },
})
const get = (url: string): Entry => ({ request: { method: 'GET', url } })
const statuses = ({ json }: Answer): string[] =>
  json.entry.map((entry: { response: { status: string } }) => entry.response.status)
const count = async (type: string, query = '') =>
  (await house.ask('GET', `/${type}?_summary=count${query}`, { grant: admin })).json.total

beforeEach(async () => {
  house = await openHouse({ limits: { bundleEntries: 20 } })
  await house.ask('PUT', '/Patient/a', { grant: admin, body: patientA })
  await house.ask('PUT', '/Patient/b', { grant: admin, body: patientB })
  await house.ask('PUT', '/Observation/b1', { grant: admin, body: { ...weightOf('b', 90), id: 'b1' } })
})
afterEach(() => house.close())

describe('batch – https://hl7.org/fhir/R4/http.html#brules', () => {
  it('answers each entry by itself, in its place', async () => {
    const answer = await send('batch', [
      post(weightOf('a', 70)),
      get('Observation/b1'),
      get('Patient/a'),
      post({ resourceType: 'Observation' }),
      { request: { method: 'DELETE', url: 'Observation/nowhere' } },
      get('Observation?patient=a'),
      get('Patients/1'),
      { request: { method: 'PATCH', url: 'Patient/a/_history/1' } },
    ])
    expect(answer.status).toBe(200)
    expect(answer.json.type).toBe('batch-response')
    expect(statuses(answer)).toEqual(['201', '404', '200', '422', '204', '200', '404', '405'])
    expect(answer.json.entry[1].response.outcome.issue[0].code).toBe('not-found')
    expect(answer.json.entry[2].resource.id).toBe('a')
    expect(answer.json.entry[5].resource).toMatchObject({ resourceType: 'Bundle', type: 'searchset' })
    expect(answer.json.entry[5].resource.entry).toHaveLength(1)
  })

  it('says of what failed which entry it is, in expression and in diagnostics', async () => {
    const answer = await send('batch', [
      post(weightOf('a', 70)),
      get('Observation/b1'),
      post({ ...weightOf('a', 70), status: 'done' } as never),
      get('Observation?colour=red'),
      put({ ...weightOf('a', 70), id: 'x' } as never, { ifMatch: 'none' }),
      { request: { method: 'PUT', url: 'Patient/a' }, resource: { resourceType: 'Patient', id: 'other' } },
      { request: { method: 'GET' } },
      put({ ...weightOf('a', 70) } as never, { url: 'Patient/a' }),
    ])
    const issues = answer.json.entry.map(
      ({ response }: { response: { outcome?: { issue: object[] } } }) => response.outcome?.issue[0],
    )
    const places = issues.map((issue: { expression: string[] } | undefined) => issue?.expression[0])
    expect(places).toEqual([
      undefined,
      'Bundle.entry[1]',
      'Bundle.entry[2].resource.ofType(Observation).status',
      'Bundle.entry[3].request.url',
      'Bundle.entry[4].request.ifMatch',
      'Bundle.entry[5].resource.id',
      'Bundle.entry[6].request',
      'Bundle.entry[7].resource',
    ])
    for (const issue of issues) if (issue !== undefined) expect(issue.diagnostics).toContain(issue.expression[0])
    expect(answer.text).not.toContain('"done"')
  })

  it('tells when a version was written as its meta does – https://hl7.org/fhir/R4/bundle-definitions.html#Bundle.entry.response.lastModified', async () => {
    for (const type of ['batch', 'transaction']) {
      house.clock.advance(1234)
      const { json } = await send(type, [post(weightOf('a', 70)), put(patientA as never), get('Patient/a')], {
        headers: { prefer: 'return=representation' },
        grant: admin,
      })
      for (const { resource, response } of json.entry) expect(response.lastModified).toBe(resource.meta.lastUpdated)
      expect(json.entry[0].response.lastModified).toMatch(/\.\d{3}Z$/)
    }
  })

  it('asks operations by POST, with Parameters or without, and a transaction does too', async () => {
    const everything = { method: 'POST', url: 'Patient/a/$everything' }
    const only = { resourceType: 'Parameters', parameter: [{ name: '_type', valueCode: 'Observation' }] }
    const wrapped = { resourceType: 'Parameters', parameter: [{ name: 'resource', resource: weightOf('a', 1) }] }
    for (const type of ['batch', 'transaction']) {
      const { json } = await send(type, [
        { request: everything },
        { resource: { resourceType: 'Parameters' }, request: everything },
        { resource: only, request: { method: 'POST', url: 'Patient/$everything' } },
        ...(type === 'batch' ? [{ resource: wrapped, request: { method: 'POST', url: 'Observation/$validate' } }] : []),
      ])
      const bundles = json.entry
        .slice(0, 3)
        .map(({ resource }: { resource: { entry?: object[] } }) => resource.entry?.length ?? 0)
      expect(bundles).toEqual([1, 1, 0])
      if (type === 'batch') expect(json.entry[3].resource.issue[0].severity).toBe('information')
    }
  })

  it('takes If-None-Exist of an entry as a URL too', async () => {
    const identified = { ...weightOf('a', 70), identifier: [{ system: 'urn:scale', value: '7' }] }
    const once = (ifNoneExist: string) => post(identified, { ifNoneExist })
    const url = 'Observation?identifier=urn:scale|7'
    const forms = [url, `http://127.0.0.1:8080/fhir/${url}`, '?identifier=urn:scale|7', 'identifier=urn:scale|7']
    expect(statuses(await send('batch', forms.map(once)))).toEqual(['201', '200', '200', '200'])
    const { json } = await send('transaction', [once(url)], { headers: { prefer: 'return=representation' } })
    expect(json.entry[0]).toMatchObject({ response: { status: '200' }, resource: { identifier: [{ value: '7' }] } })
    const again = await send('transaction', forms.map(once))
    expect(statuses(again)).toEqual(['200', '200', '200', '200'])
    expect(await count('Observation', '&identifier=urn:scale|7')).toBe(1)
    expect(codeOf(await send('transaction', [once('Patient?identifier=x')]))).toBe('condition.type-differs')
  })

  it('judges each entry by the scopes alone', async () => {
    const narrow = grantOf('patient/Observation.rs', { patient: 'a' })
    const answer = await send('batch', [get('Observation'), get('Patient/a'), post(weightOf('a', 70))], {
      grant: narrow,
    })
    expect(statuses(answer)).toEqual(['200', '403', '403'])
  })

  it('echoes writes only to those who ask', async () => {
    const plain = await send('batch', [post(weightOf('a', 70))])
    expect(plain.json.entry[0]).not.toHaveProperty('resource')
    expect(plain.json.entry[0].response).toMatchObject({
      etag: 'W/"1"',
      location: expect.stringContaining('/fhir/Observation/'),
    })
    const asked = await send('batch', [post(weightOf('a', 70))], { headers: { prefer: 'return=representation' } })
    expect(asked.json.entry[0].resource.valueQuantity.value).toBe(70)
    const outcome = await send('batch', [post(weightOf('a', 70))], { headers: { prefer: 'return=OperationOutcome' } })
    expect(outcome.json.entry[0].response.outcome.resourceType).toBe('OperationOutcome')
  })

  it('hands the conditions of an entry on', async () => {
    const body = { ...weightOf('a', 70), identifier: [{ system: 'urn:scale', value: '1' }] }
    const answer = await send('batch', [
      post(body, { ifNoneExist: 'identifier=urn:scale|1' }),
      post(body, { ifNoneExist: 'identifier=urn:scale|1' }),
      { request: { method: 'GET', url: 'Patient/a', ifNoneMatch: 'W/"1"' } },
    ])
    expect(statuses(answer)).toEqual(['201', '200', '304'])
  })

  it('takes a URL below our own base, and no other', async () => {
    const answer = await send('batch', [
      get('http://127.0.0.1:8080/fhir/Patient/a'),
      get('/Patient/a'),
      get('http://elsewhere.example/fhir/Patient/a'),
      get('../fhir/Patient/a'),
      get('Patient/%2e%2e/Patient/a'),
      get('//elsewhere.example/Patient/a'),
    ])
    expect(statuses(answer)).toEqual(['200', '200', '400', '400', '400', '400'])
    expect(answer.json.entry[2].response.outcome.issue[0].details.coding[0].code).toBe('bundle.url-foreign')
  })

  it('refuses entries that are none, and Bundles within', async () => {
    const nested = { resourceType: 'Bundle', type: 'batch' }
    const answer = await send('batch', [
      { request: { method: 'GET' } },
      null,
      { request: { method: 'POST', url: 'Observation' } },
      { resource: nested, request: { method: 'POST', url: '' } },
      { resource: nested, request: { method: 'POST', url: '/' } },
    ])
    expect(statuses(answer)).toEqual(['400', '400', '400', '405', '405'])
    expect(answer.json.entry[0].response.outcome.issue[0].details.coding[0].code).toBe('bundle.entry-malformed')
  })

  it('without entries is answered without entries', async () => {
    expect((await send('batch', [])).json).toEqual({ resourceType: 'Bundle', type: 'batch-response' })
  })

  it('refuses other Bundles, and too many entries', async () => {
    expect(codeOf(await send('collection', []))).toBe('bundle.type-unsupported')
    const many = await send(
      'batch',
      Array.from({ length: 21 }, () => get('Patient/a')),
    )
    expect([many.status, codeOf(many)]).toEqual([413, 'bundle.too-many-entries'])
    const odd = await house.ask('POST', '/', { grant: own, body: { resourceType: 'Bundle', type: 'batch', entry: {} } })
    expect(codeOf(odd)).toBe('bundle.entry-malformed')
  })
})

describe.each(['batch', 'transaction'])('entries of a %s – https://hl7.org/fhir/R4/http.html#transaction', type => {
  const gender = 'http://hl7.org/fhir/administrative-gender'
  it.each<[string, string, string, object | undefined]>([
    ['metadata', 'GET', 'CapabilityStatement', undefined],
    ['Patient/a/$everything', 'GET', 'Bundle', undefined],
    [`CodeSystem/$lookup?system=${gender}&code=male`, 'GET', 'Parameters', undefined],
    ['ValueSet/$expand?url=http://hl7.org/fhir/ValueSet/administrative-gender', 'GET', 'ValueSet', undefined],
    ['Observation/$validate', 'POST', 'OperationOutcome', weightOf('a', 1)],
    [
      'CodeSystem/$validate-code',
      'POST',
      'Parameters',
      {
        resourceType: 'Parameters',
        parameter: [
          { name: 'url', valueUri: gender },
          { name: 'code', valueCode: 'male' },
        ],
      },
    ],
    ['Patient/a/_history', 'GET', 'Bundle', undefined],
    ['Patient/a/Observation', 'GET', 'Bundle', undefined],
    ['_history', 'GET', 'Bundle', undefined],
    ['?_type=Patient', 'GET', 'Bundle', undefined],
  ])('%s', async (url, method, answered, resource) => {
    const answer = await send(type, [{ ...(resource === undefined ? {} : { resource }), request: { method, url } }])
    expect([answer.status, statuses(answer)]).toEqual([200, ['200']])
    expect(answer.json.entry[0].resource.resourceType).toBe(answered)
  })

  it('go without url where their resources say it, as HAPI’s client sends them', async () => {
    const own = { ...weightOf('a', 2), id: 'named' }
    const entries = [
      { resource: weightOf('a', 1), request: { method: 'POST' } },
      { resource: own, request: { method: 'PUT' } },
    ]
    const answer = await send(type, entries, { grant: admin })
    expect(statuses(answer)).toEqual(['201', '201'])
    expect(answer.json.entry[1].response.location).toContain('/Observation/named/')
  })

  it.each<[string, Entry]>([
    ['PUT of what has no id', { resource: weightOf('a', 1), request: { method: 'PUT' } }],
    ['PATCH', { resource: { resourceType: 'Parameters' }, request: { method: 'PATCH' } }],
    ['DELETE', { request: { method: 'DELETE' } }],
    ['POST of no resource', { request: { method: 'POST' } }],
    ['POST of what has no type', { resource: { id: 'x' }, request: { method: 'POST' } }],
  ])('without url are refused otherwise: %s', async (_, entry) => {
    const { json } = await send(type, [entry])
    const outcome = type === 'batch' ? json.entry[0].response.outcome : json
    expect(outcome.issue[0].details.coding[0].code).toBe('bundle.entry-malformed')
  })
})

describe('transaction – https://hl7.org/fhir/R4/http.html#trules', () => {
  it('assigns ids and lets entries refer to each other, in any order', async () => {
    const answer = await send(
      'transaction',
      [
        post(weightOf('a', 70, { subject: { reference: uuid(1) } }), {}, uuid(2)),
        post({ resourceType: 'Patient', name: [{ family: 'New' }] } as { resourceType: string }, {}, uuid(1)),
        post({
          resourceType: 'Provenance',
          target: [{ reference: uuid(2) }],
          recorded: '2026-01-01T00:00:00Z',
          agent: [{ who: { display: 'x' } }],
        } as { resourceType: string }),
      ],
      { grant: admin },
    )
    expect(statuses(answer)).toEqual(['201', '201', '201'])
    const [observation, patient, provenance] = await Promise.all(
      answer.json.entry.map(async (entry: { response: { location: string } }) => {
        const url = entry.response.location.replace('http://127.0.0.1:8080/fhir', '')
        return (await house.ask('GET', url, { grant: admin })).json
      }),
    )
    expect(observation.subject.reference).toBe(`Patient/${patient.id}`)
    expect(provenance.target[0].reference).toBe(`Observation/${observation.id}`)
  })

  it('is wholly done or not at all', async () => {
    const answer = await send('transaction', [post(weightOf('a', 70)), post(weightOf('b', 70))])
    expect(answer.status).toBe(403)
    expect(answer.json.issue[0].expression[0]).toContain('Bundle.entry[1]')
    const invalid = await send('transaction', [
      post(weightOf('a', 70)),
      post({ ...weightOf('a', 1), colour: 'red' } as { resourceType: string }),
    ])
    expect(invalid.status).toBe(422)
    expect(invalid.json.issue[0].expression[0]).toContain('Bundle.entry[1].resource.ofType(Observation).colour')
    expect(await count('Observation', '&patient=a')).toBe(0)
  })

  it('fails as a whole when one entry is not permitted', async () => {
    const narrow = grantOf('patient/Observation.cruds', { patient: 'a' })
    const answer = await send('transaction', [post(weightOf('a', 70)), get('Patient/a')], { grant: narrow })
    expect([answer.status, codeOf(answer)]).toEqual([403, 'scope.missing'])
    expect(await count('Observation', '&patient=a')).toBe(0)
  })

  it('fails as a whole when something cannot be read', async () => {
    const answer = await send('transaction', [post(weightOf('a', 70)), get('Observation/b1')])
    expect([answer.status, answer.json.issue[0].expression]).toEqual([404, ['Bundle.entry[1]']])
    expect(await count('Observation', '&patient=a')).toBe(0)
  })

  it('deletes, creates, updates, and reads last, whatever the order of the entries', async () => {
    await house.ask('PUT', '/Observation/old', { grant: admin, body: { ...weightOf('a', 1), id: 'old' } })
    await house.ask('PUT', '/Observation/kept', { grant: admin, body: { ...weightOf('a', 2), id: 'kept' } })
    const answer = await send('transaction', [
      get('Observation?patient=a&_sort=value-quantity'),
      get('Observation/kept'),
      put({ ...weightOf('a', 3), id: 'kept' }),
      post(weightOf('a', 4)),
      { request: { method: 'DELETE', url: 'Observation/old' } },
    ])
    expect(statuses(answer)).toEqual(['200', '200', '200', '201', '204'])
    const values = answer.json.entry[0].resource.entry.map(
      (entry: { resource: { valueQuantity: { value: number } } }) => entry.resource.valueQuantity.value,
    )
    expect(values).toEqual([3, 4])
    expect(answer.json.entry[1].resource.meta.versionId).toBe('2')
  })

  it('writes what refers to something that it deletes', async () => {
    const old = { ...weightOf('b', 80), id: 'b1' }
    const next = { ...weightOf('b', 90), id: 'b2', derivedFrom: [{ reference: `Observation/${old.id}` }] }
    const deletion = { request: { method: 'DELETE', url: 'Observation/b1' } }
    for (const entries of [
      [deletion, put(next)],
      [put(next), deletion],
    ]) {
      await house.ask('PUT', '/Observation/b1', { grant: admin, body: old })
      const answer = await send('transaction', entries, { grant: admin })
      expect(answer.status).toBe(200)
      expect(statuses(answer)).toContain('204')
      expect((await house.ask('GET', '/Observation/b1', { grant: admin })).status).toBe(410)
      expect((await house.ask('GET', '/Observation/b2', { grant: admin })).json.derivedFrom).toEqual(next.derivedFrom)
    }
  })

  it('resolves conditional references, also to what it creates itself', async () => {
    const named = { ...patientA, identifier: [{ system: 'urn:mrn', value: '1' }] }
    await house.ask('PUT', '/Patient/a', { grant: admin, body: named })
    const organization = {
      resourceType: 'Organization',
      name: 'Clinic',
      identifier: [{ system: 'urn:org', value: '9' }],
    }
    const answer = await send(
      'transaction',
      [
        post(
          weightOf('a', 70, {
            subject: { reference: 'Patient?identifier=urn:mrn|1' },
            performer: [{ reference: 'Organization?identifier=urn:org|9' }],
          }),
        ),
        post(organization, { ifNoneExist: 'identifier=urn:org|9' }),
      ],
      { grant: admin, headers: { prefer: 'return=representation' } },
    )
    expect(statuses(answer)).toEqual(['201', '201'])
    const [observation, created] = answer.json.entry.map((entry: { resource: object }) => entry.resource)
    expect(observation.subject.reference).toBe('Patient/a')
    expect(observation.performer[0].reference).toBe(`Organization/${created.id}`)
  })

  it('refuses conditional references that match nothing, or nothing within reach', async () => {
    const refer = (criteria: string) =>
      send('transaction', [post(weightOf('a', 70, { performer: [{ reference: `Patient?${criteria}` }] }))])
    const none = await refer('family=Nobody')
    expect([none.status, codeOf(none)]).toEqual([412, 'bundle.reference-unresolved'])
    expect(await refer('family=Birch')).toEqual(none)
    expect(await count('Observation', '&patient=a')).toBe(0)
  })

  it('reuses what a conditional create finds', async () => {
    const doctor = { resourceType: 'Practitioner', identifier: [{ system: 'urn:npi', value: '7' }] }
    const bundle = () =>
      send(
        'transaction',
        [
          post(doctor, { ifNoneExist: 'identifier=urn:npi|7' }, uuid(1)),
          post(weightOf('a', 70, { performer: [{ reference: uuid(1) }] })),
        ],
        { grant: admin, headers: { prefer: 'return=representation' } },
      )
    const first = await bundle()
    const second = await bundle()
    expect([statuses(first), statuses(second)]).toEqual([
      ['201', '201'],
      ['200', '201'],
    ])
    expect(second.json.entry[1].resource.performer).toEqual(first.json.entry[1].resource.performer)
    expect(await count('Practitioner')).toBe(1)
  })

  it('updates and deletes by search', async () => {
    const body = { ...weightOf('a', 70), identifier: [{ system: 'urn:scale', value: '1' }] }
    const byScale = { method: 'PUT', url: 'Observation?identifier=urn:scale|1' }
    const note = (reference: string) => ({ ...weightOf('a', 1), derivedFrom: [{ reference }] })
    const first = await send('transaction', [
      { fullUrl: uuid(1), resource: body, request: byScale },
      post(note(uuid(1))),
    ])
    expect(statuses(first)).toEqual(['201', '201'])
    const second = await send('transaction', [{ resource: { ...body, status: 'amended' }, request: byScale }])
    expect(statuses(second)).toEqual(['200'])
    const third = await send('transaction', [
      { request: { method: 'DELETE', url: 'Observation?identifier=urn:scale|1' } },
      { request: { method: 'DELETE', url: 'Observation?identifier=urn:scale|2' } },
    ])
    expect(statuses(third)).toEqual(['204', '204'])
    expect(await count('Observation', '&identifier=urn:scale|1')).toBe(0)
  })

  it('rewrites what another server called its own', async () => {
    const base = 'http://old.example/fhir'
    const answer = await send(
      'transaction',
      [
        post({ resourceType: 'Patient', id: '1' } as { resourceType: string }, {}, `${base}/Patient/1`),
        post(weightOf('1', 70), {}, `${base}/Observation/2`),
        post(weightOf('1', 71, { subject: { reference: `${base}/Patient/1` } }), {}, `${base}/Observation/3`),
      ],
      { grant: admin, headers: { prefer: 'return=representation' } },
    )
    const [patient, one, other] = answer.json.entry.map((entry: { resource: object }) => entry.resource)
    expect(patient.id).not.toBe('1')
    expect([one.subject.reference, other.subject.reference]).toEqual([`Patient/${patient.id}`, `Patient/${patient.id}`])
  })

  it('keeps to If-Match', async () => {
    const stale = await send('transaction', [put({ ...weightOf('a', 70), id: 'b1' }, { ifMatch: 'W/"7"' })], {
      grant: admin,
    })
    expect([stale.status, codeOf(stale), stale.json.issue[0].expression]).toEqual([
      412,
      'version.stale',
      ['Bundle.entry[0]'],
    ])
  })

  it.each(['transaction', 'batch'])('keeps to If-Match of a conditional update that finds nothing: %s', async type => {
    const entry = (ifMatch?: string) => ({
      resource: weightOf('a', 70),
      request: { method: 'PUT', url: 'Observation?_id=none', ...(ifMatch === undefined ? {} : { ifMatch }) },
    })
    for (const ifMatch of ['*', 'W/"1"']) {
      const answer = await send(type, [entry(ifMatch)], { grant: admin })
      expect(type === 'batch' ? statuses(answer)[0] : String(answer.status)).toMatch(/^412/)
    }
    expect(await count('Observation')).toBe(1)
    expect(statuses(await send(type, [entry()], { grant: admin }))[0]).toMatch(/^201/)
  })

  it.each([
    [
      'two entries for one resource',
      () => [put({ ...weightOf('a', 1), id: 'x' }), put({ ...weightOf('a', 2), id: 'x' })],
      'bundle.identity-twice',
    ],
    [
      'a write and a delete of one resource',
      () => [put({ ...weightOf('a', 1), id: 'b1' }), { request: { method: 'DELETE', url: 'Observation/b1' } }],
      'bundle.identity-twice',
    ],
    [
      'one fullUrl twice',
      () => [post(weightOf('a', 1), {}, uuid(1)), post(weightOf('a', 2), {}, uuid(1))],
      'bundle.full-url-twice',
    ],
    [
      'an operation that changes something',
      () => [post({ resourceType: 'Parameters' }, { url: 'Patient/a/$purge' })],
      'bundle.entry-unsupported',
    ],
    ['another type than the URL says', () => [post(weightOf('a', 1), { url: 'Condition' })], 'body.type-differs'],
    [
      'another id than the URL says',
      () => [put({ ...weightOf('a', 1), id: 'x' }, { url: 'Observation/y' })],
      'update.id-differs',
    ],
  ])('refuses %s', async (_what, entries, code) => {
    const answer = await send('transaction', entries(), { grant: admin })
    expect([answer.status, codeOf(answer)]).toEqual([400, code])
    expect(await count('Observation')).toBe(1)
  })

  it('keeps the digits of what it rewrites', async () => {
    const raw = `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient?family=Alder"},"valueQuantity":{"value":7.10}},"request":{"method":"POST","url":"Observation"}}]}`
    const answer = await house.ask('POST', '/', { grant: own, body: raw, headers: { prefer: 'return=representation' } })
    expect(answer.text).toContain('"value":7.10')
    expect(answer.json.entry[0].resource.subject.reference).toBe('Patient/a')
  })
})

describe('references of a transaction – https://hl7.org/fhir/R4/references.html', () => {
  const doctor = post({ resourceType: 'Practitioner', name: [{ family: 'Doe' }] } as never, {}, uuid(1))
  const about = (reference: string) => post({ ...weightOf('a', 70), subject: { reference } } as never)

  it('lead to types that the element allows, also once they are resolved', async () => {
    for (const [entries, at] of [
      [[doctor, about(uuid(1))], 1],
      [[about(uuid(1)), doctor], 0],
      [[doctor, about('Practitioner?name=Doe')], 1],
      [[about('Practitioner/x')], 0],
    ] as const) {
      const answer = await send('transaction', [...entries], { grant: admin })
      expect([answer.status, answer.json.issue[0].expression]).toEqual([
        422,
        [`Bundle.entry[${at}].resource.ofType(Observation).subject`],
      ])
    }
    expect(await count('Practitioner')).toBe(0)
    const performed = post({ ...weightOf('a', 70), performer: [{ reference: uuid(1) }] } as never)
    expect(statuses(await send('transaction', [performed, doctor], { grant: admin }))).toEqual(['201', '201'])
  })

  it('name the entry when a condition matches nothing, or several', async () => {
    const unresolved = await send('transaction', [post(weightOf('a', 1)), about('Patient?name=nobody')], {
      grant: admin,
    })
    expect(codeOf(unresolved)).toBe('bundle.reference-unresolved')
    expect(unresolved.json.issue[0]).toMatchObject({
      expression: ['Bundle.entry[1].resource.ofType(Observation).subject'],
      diagnostics: expect.stringContaining('Bundle.entry[1]'),
    })
    const several = await send('transaction', [about('Patient?birthdate=gt1900')], { grant: admin })
    expect([codeOf(several), several.json.issue[0].expression]).toEqual([
      'condition.matches-several',
      ['Bundle.entry[0]'],
    ])
  })
})
