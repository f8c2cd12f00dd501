import { admin, grantOf, type House, openHouse, patientA, patientB, weightOf } from './house.ts'

let house: House
const own = grantOf('patient/*.cruds', { patient: 'a' })
const readOnly = grantOf('patient/*.rs', { patient: 'a' })
const codeOf = (answer: { json: { issue: { details: { coding: { code: string }[] } }[] } }) =>
  answer.json.issue[0]?.details.coding[0]?.code

beforeEach(async () => {
  house = await openHouse()
  await house.ask('PUT', '/Patient/a', { grant: admin, body: patientA })
  await house.ask('PUT', '/Patient/b', { grant: admin, body: patientB })
})
afterEach(() => house.close())

describe('create – https://hl7.org/fhir/R4/http.html#create', () => {
  it('answers 201 with Location, ETag and the resource as stored', async () => {
    const answer = await house.ask('POST', '/Observation', { grant: own, body: { ...weightOf('a', 70), id: 'mine' } })
    expect(answer.status).toBe(201)
    const { id } = answer.json
    expect(id).not.toBe('mine')
    expect(answer.headers).toMatchObject({
      location: `http://127.0.0.1:8080/fhir/Observation/${id}/_history/1`,
      etag: 'W/"1"',
    })
    expect((await house.ask('GET', `/Observation/${id}`, { grant: own })).text).toBe(answer.text)
  })

  it.each([
    ['return=minimal', ''],
    ['return=representation', 'Observation'],
    ['return=OperationOutcome', 'OperationOutcome'],
  ])('answers as Prefer: %s asks', async (prefer, type) => {
    const answer = await house.ask('POST', '/Observation', { grant: own, headers: { prefer }, body: weightOf('a', 70) })
    expect([answer.status, answer.json?.resourceType ?? '']).toEqual([201, type])
  })

  it.each([
    ['{"resourceType":"Observation"', 'json.malformed'],
    ['', 'body.missing'],
    ['[]', 'json.not-a-resource'],
    ['{"resourceType":"Patient"}', 'body.type-differs'],
    ['{"resourceType":"Observation","__proto__":{"x":1}}', 'json.forbidden-key'],
    [`{"resourceType":"Observation","status":"final","status":"final"}`, 'json.duplicate-key'],
  ])('refuses the body %s', async (body, code) => {
    const answer = await house.ask('POST', '/Observation', { grant: own, body })
    expect([answer.status, codeOf(answer)]).toEqual([400, code])
  })

  it('refuses what is no valid resource with 422 and the element', async () => {
    const answer = await house.ask('POST', '/Observation', {
      grant: own,
      body: { ...weightOf('a', 70), colour: 'red' },
    })
    expect(answer.status).toBe(422)
    expect(codeOf(answer)).toBe('validation.failed')
    expect(answer.json.issue[0].expression[0]).toContain('Observation.colour')
    expect(answer.text).not.toContain('red')
  })

  it('refuses a body that is neither JSON nor XML with 415', async () => {
    const answer = await house.ask('POST', '/Observation', {
      grant: own,
      headers: { 'content-type': 'text/turtle' },
      body: '<Observation/>',
    })
    expect([answer.status, codeOf(answer)]).toEqual([415, 'body.type-unsupported'])
  })

  it("refuses a resource in somebody else's record, and leaves nothing behind", async () => {
    const answer = await house.ask('POST', '/Observation', { grant: own, body: weightOf('b', 70) })
    expect(answer.status).toBe(403)
    const none = await house.ask('GET', '/Observation?_summary=count', { grant: admin })
    expect(none.json.total).toBe(0)
  })

  it('refuses a token without c before it reads the body', async () => {
    const answer = await house.ask('POST', '/Observation', { grant: readOnly, body: '{' })
    expect([answer.status, codeOf(answer)]).toEqual([403, 'scope.missing'])
  })
})

describe('conditional create – https://hl7.org/fhir/R4/http.html#ccreate', () => {
  const identified = { ...weightOf('a', 70), identifier: [{ system: 'urn:scale', value: '1' }] }
  const conditional = (criteria: string, body: object = identified, grant = own) =>
    house.ask('POST', '/Observation', { grant, headers: { 'if-none-exist': criteria }, body })

  it('creates when nothing matches, and answers 200 with what is there when it does', async () => {
    const first = await conditional('identifier=urn:scale|1')
    const second = await conditional('Observation?identifier=urn:scale|1', { ...identified, status: 'amended' })
    expect([first.status, second.status]).toEqual([201, 200])
    expect(second.json).toEqual(first.json)
    expect(second.headers.location).toBe(first.headers.location)
  })

  it.each([
    'identifier=urn:scale|%',
    '?identifier=urn:scale|%',
    'Observation?identifier=urn:scale|%',
    '/Observation?identifier=urn:scale|%',
    'http://127.0.0.1:8080/fhir/Observation?identifier=urn:scale|%',
    'https://box.example/fhir/Observation?identifier=urn%3Ascale%7C%',
    '  Observation?identifier=urn:scale|%&_format=json ',
    'identifier=http://scale.example/Patient?serial|%',
  ])('understands If-None-Exist: %s', async form => {
    const criteria = form.replace(/%$|%(?=[& ])/, 'forms')
    const system = form.includes('serial') ? 'http://scale.example/Patient?serial' : 'urn:scale'
    const body = { ...identified, identifier: [{ system, value: 'forms' }] }
    const first = await conditional(criteria, body)
    expect([200, 201]).toContain(first.status)
    const again = await conditional(criteria, body)
    expect([again.status, again.json.id]).toEqual([200, first.json.id])
  })

  it.each(['Patient?identifier=x', 'http://127.0.0.1:8080/fhir/Patient?identifier=x', 'Observations?identifier=x'])(
    'refuses a condition about another type: %s',
    async criteria => {
      expect(codeOf(await conditional(criteria))).toBe('condition.type-differs')
    },
  )

  it('answers 412 when several match', async () => {
    await house.ask('POST', '/Observation', { grant: own, body: identified })
    await house.ask('POST', '/Observation', { grant: own, body: identified })
    const answer = await conditional('identifier=urn:scale|1')
    expect([answer.status, codeOf(answer)]).toEqual([412, 'condition.matches-several'])
  })

  it("does not see what lies in somebody else's record", async () => {
    await house.ask('POST', '/Observation', {
      grant: admin,
      body: { ...identified, subject: { reference: 'Patient/b' } },
    })
    expect((await conditional('identifier=urn:scale|1')).status).toBe(201)
  })

  it('needs criteria it understands, and the right to search', async () => {
    expect(codeOf(await conditional('_count=1'))).toBe('condition.empty')
    expect(codeOf(await conditional('colour=red'))).toBe('search.parameter-unknown')
    const blind = grantOf('patient/Observation.c', { patient: 'a' })
    expect(codeOf(await conditional('identifier=urn:scale|1', identified, blind))).toBe('scope.missing')
  })

  it('creates one of two that race', async () => {
    const answers = await Promise.all([1, 2, 3, 4, 5].map(() => conditional('identifier=urn:scale|1')))
    expect(answers.map(answer => answer.status).sort()).toEqual([200, 200, 200, 200, 201])
  })
})

describe('update – https://hl7.org/fhir/R4/http.html#update', () => {
  it('writes a new version', async () => {
    const { json } = await house.ask('POST', '/Observation', { grant: own, body: weightOf('a', 70) })
    const answer = await house.ask('PUT', `/Observation/${json.id}`, {
      grant: own,
      body: { ...json, status: 'amended' },
    })
    expect([answer.status, answer.json.meta.versionId, answer.headers.etag]).toEqual([200, '2', 'W/"2"'])
  })

  it('creates under the id the client chose', async () => {
    const body = { ...weightOf('a', 70), id: 'chosen' }
    const answer = await house.ask('PUT', '/Observation/chosen', { grant: admin, body })
    expect(answer.status).toBe(201)
    expect(answer.headers.location).toBe('http://127.0.0.1:8080/fhir/Observation/chosen/_history/1')
  })

  it('lets the token of one patient not probe whether an id is taken elsewhere', async () => {
    await house.ask('PUT', '/Observation/taken', { grant: admin, body: { ...weightOf('b', 1), id: 'taken' } })
    const taken = await house.ask('PUT', '/Observation/taken', {
      grant: own,
      body: { ...weightOf('a', 1), id: 'taken' },
    })
    const free = await house.ask('PUT', '/Observation/free', { grant: own, body: { ...weightOf('a', 1), id: 'free' } })
    expect(taken.status).toBe(405)
    expect(free).toEqual(taken)
  })

  it.each([
    ['chosen', { ...weightOf('a', 70), id: 'other' }, 'update.id-differs'],
    ['chosen', weightOf('a', 70), 'update.id-differs'],
    ['not_an_id', { ...weightOf('a', 70), id: 'not_an_id' }, 'update.id-malformed'],
    ['chosen', { resourceType: 'Patient', id: 'chosen' }, 'body.type-differs'],
  ])('refuses an id or type that is not that of the URL %s', async (id, body, code) => {
    const answer = await house.ask('PUT', `/Observation/${id}`, { grant: admin, body })
    expect([answer.status, codeOf(answer)]).toEqual([400, code])
  })

  it('keeps to If-Match and If-None-Match', async () => {
    const body = { ...weightOf('a', 70), id: 'w' }
    const put = (headers: Record<string, string>) => house.ask('PUT', '/Observation/w', { grant: admin, headers, body })
    expect((await put({ 'if-none-match': '*' })).status).toBe(201)
    expect((await put({ 'if-none-match': '*' })).status).toBe(412)
    const changed = { ...body, status: 'amended' }
    const amended = await house.ask('PUT', '/Observation/w', {
      grant: admin,
      headers: { 'if-match': 'W/"1"' },
      body: changed,
    })
    expect([amended.status, amended.headers.etag]).toEqual([200, 'W/"2"'])
    const stale = await put({ 'if-match': 'W/"1"' })
    expect([stale.status, codeOf(stale)]).toEqual([412, 'version.stale'])
    expect(codeOf(await put({ 'if-match': 'one' }))).toBe('request.if-match-malformed')
  })

  it('If-Match: * updates whichever version stands, and none that does not', async () => {
    const put = (value: number, id = 'w') => {
      const body = { ...weightOf('a', value), id }
      return house.ask('PUT', `/Observation/${id}`, { grant: admin, headers: { 'if-match': '*' }, body })
    }
    const never = await put(70)
    expect([never.status, codeOf(never)]).toEqual([412, 'version.stale'])
    await house.ask('PUT', '/Observation/w', { grant: admin, body: { ...weightOf('a', 70), id: 'w' } })
    expect([(await put(71)).headers.etag, (await put(72)).headers.etag]).toEqual(['W/"2"', 'W/"3"'])
    await house.ask('DELETE', '/Observation/w', { grant: admin })
    expect((await put(73)).text).toBe(never.text)
  })

  it("refuses to move a resource into somebody else's record", async () => {
    const { json } = await house.ask('POST', '/Observation', { grant: own, body: weightOf('a', 70) })
    const body = { ...json, subject: { reference: 'Patient/b' } }
    expect((await house.ask('PUT', `/Observation/${json.id}`, { grant: own, body })).status).toBe(403)
    expect((await house.ask('GET', `/Observation/${json.id}`, { grant: own })).json.subject.reference).toBe('Patient/a')
  })
})

describe('conditional update – https://hl7.org/fhir/R4/http.html#cond-update', () => {
  const body = { ...weightOf('a', 70), identifier: [{ system: 'urn:scale', value: '1' }] }
  const conditional = (resource: object, query = 'identifier=urn:scale|1', grant = admin) =>
    house.ask('PUT', `/Observation?${query}`, { grant, body: resource })

  it('creates, then updates the same', async () => {
    const first = await conditional(body)
    const second = await conditional({ ...body, status: 'amended' })
    expect([first.status, second.status]).toEqual([201, 200])
    expect([second.json.id, second.json.meta.versionId]).toEqual([first.json.id, '2'])
  })

  it('creates under the id of the body', async () => {
    expect((await conditional({ ...body, id: 'chosen' })).json.id).toBe('chosen')
  })

  it('refuses the body of another resource than was found', async () => {
    await conditional(body)
    expect(codeOf(await conditional({ ...body, id: 'other' }))).toBe('update.id-differs')
  })

  it.each(['W/"1"', '*'])('creates nothing where If-Match: %s means a version that stands', async ifMatch => {
    const ask = (resource: object) =>
      house.ask('PUT', '/Observation?identifier=urn:scale|1', {
        grant: admin,
        headers: { 'if-match': ifMatch },
        body: resource,
      })
    for (const nothing of [body, { ...body, id: 'chosen' }])
      expect([(await ask(nothing)).status, codeOf(await ask(nothing))]).toEqual([412, 'version.stale'])
    expect((await house.ask('GET', '/Observation?_summary=count', { grant: admin })).json.total).toBe(0)
    await conditional(body)
    expect((await ask({ ...body, status: 'amended' })).headers.etag).toBe('W/"2"')
  })

  it('refuses when several match, or without criteria', async () => {
    await house.ask('POST', '/Observation', { grant: admin, body })
    await house.ask('POST', '/Observation', { grant: admin, body })
    expect((await conditional(body)).status).toBe(412)
    expect(codeOf(await conditional(body, '_format=json'))).toBe('condition.empty')
  })
})

describe('delete – https://hl7.org/fhir/R4/http.html#delete', () => {
  it('answers 204, again when repeated, and for what never was', async () => {
    const { json } = await house.ask('POST', '/Observation', { grant: own, body: weightOf('a', 70) })
    const first = await house.ask('DELETE', `/Observation/${json.id}`, { grant: own })
    expect([first.status, first.text, first.headers.etag]).toEqual([204, '', 'W/"2"'])
    expect((await house.ask('DELETE', `/Observation/${json.id}`, { grant: own })).status).toBe(204)
    expect((await house.ask('GET', `/Observation/${json.id}`, { grant: own })).status).toBe(410)
    expect((await house.ask('DELETE', '/Observation/nowhere', { grant: own })).status).toBe(204)
  })

  it("answers for somebody else's as for what never was, and leaves it alone", async () => {
    const { json } = await house.ask('POST', '/Observation', { grant: admin, body: weightOf('b', 70) })
    const foreign = await house.ask('DELETE', `/Observation/${json.id}`, { grant: own })
    expect(foreign).toEqual(await house.ask('DELETE', '/Observation/nowhere', { grant: own }))
    expect((await house.ask('GET', `/Observation/${json.id}`, { grant: admin })).status).toBe(200)
  })

  it('keeps to If-Match', async () => {
    const { json } = await house.ask('POST', '/Observation', { grant: own, body: weightOf('a', 70) })
    const remove = (version: string) =>
      house.ask('DELETE', `/Observation/${json.id}`, { grant: own, headers: { 'if-match': version } })
    expect((await remove('W/"7"')).status).toBe(412)
    expect((await remove('W/"1"')).status).toBe(204)
    const { json: other } = await house.ask('POST', '/Observation', { grant: own, body: weightOf('a', 70) })
    const any = await house.ask('DELETE', `/Observation/${other.id}`, { grant: own, headers: { 'if-match': '*' } })
    expect([any.status, any.headers.etag]).toEqual([204, 'W/"2"'])
  })

  it('by search deletes the one that matches, and none of several', async () => {
    const body = { ...weightOf('a', 70), identifier: [{ system: 'urn:scale', value: '1' }] }
    const remove = () => house.ask('DELETE', '/Observation?identifier=urn:scale|1', { grant: own })
    expect((await remove()).status).toBe(204)
    await house.ask('POST', '/Observation', { grant: own, body })
    await house.ask('POST', '/Observation', { grant: own, body })
    expect((await remove()).status).toBe(412)
    const { json } = await house.ask('GET', '/Observation', { grant: own })
    await house.ask('DELETE', `/Observation/${json.entry[0].resource.id}`, { grant: own })
    expect((await remove()).status).toBe(204)
    expect((await house.ask('GET', '/Observation?_total=accurate', { grant: own })).json.total).toBe(0)
    expect(codeOf(await house.ask('DELETE', '/Observation', { grant: own }))).toBe('condition.empty')
  })
})

describe('what would have no effect yet', () => {
  const subscription = {
    resourceType: 'Subscription',
    status: 'requested',
    reason: 'x',
    criteria: 'Observation?',
    channel: { type: 'rest-hook', endpoint: 'https://box.example/hook' },
  }
  const consent = {
    resourceType: 'Consent',
    status: 'active',
    scope: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/consentscope', code: 'patient-privacy' }] },
    category: [{ coding: [{ system: 'http://loinc.org', code: '59284-0' }] }],
    patient: { reference: 'Patient/a' },
    policy: [{ uri: 'https://box.example/policy' }],
  }
  const denying = { ...consent, provision: { type: 'deny' } }

  it.each([
    ['a Consent that denies – https://hl7.org/fhir/R4/consent.html', denying],
    ['a Consent by a rule', { ...consent, policyRule: { coding: [{ code: 'OPTOUT' }] } }],
  ])('is refused: %s', async (_, resource) => {
    const type = resource.resourceType
    const entry = (method: string, url: string, body: object) => [{ resource: body, request: { method, url } }]
    const bundle = (kind: string, entries: object[]) =>
      house.ask('POST', '/', { grant: admin, body: { resourceType: 'Bundle', type: kind, entry: entries } })
    const named = { ...resource, id: 'n' }
    const answers = [
      await house.ask('POST', `/${type}`, { grant: admin, body: resource }),
      await house.ask('PUT', `/${type}/n`, { grant: admin, body: named }),
      await house.ask('PUT', `/${type}?_id=n`, { grant: admin, body: named }),
      await bundle('transaction', entry('POST', type, resource)),
      await bundle('transaction', entry('PUT', `${type}/n`, named)),
    ]
    for (const answer of answers) {
      expect([answer.status, codeOf(answer)]).toEqual([422, 'record.consent-unenforceable'])
      expect(answer.json.issue[0]).toMatchObject({
        code: 'business-rule',
        diagnostics: expect.stringMatching(/policy|policies/),
      })
    }
    const batch = await bundle('batch', entry('POST', type, resource))
    expect(batch.json.entry[0].response).toMatchObject({
      status: '422',
      outcome: { issue: expect.arrayContaining([expect.objectContaining({ code: 'business-rule' })]) },
    })
    expect((await house.ask('GET', `/${type}?_summary=count`, { grant: admin })).json.total).toBe(0)
  })

  it.each([
    ['a Subscription that is off', { ...subscription, status: 'off' }],
    ['a signed policy', consent],
    ['a draft', { ...denying, status: 'draft' }],
    ['a revoked one', { ...denying, status: 'inactive' }],
    ['consent to a treatment', { ...denying, scope: { coding: [{ code: 'treatment' }] } }],
  ])('is kept where nobody would count on an effect: %s', async (_, resource) => {
    const made = await house.ask('POST', `/${resource.resourceType}`, { grant: admin, body: resource })
    expect(made.status).toBe(201)
    await house.ask('DELETE', `/${resource.resourceType}/${made.json.id}`, { grant: admin })
  })
})
