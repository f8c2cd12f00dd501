import { admin, grantOf, type House, openHouse, patientA, patientB, weightOf } from './house.ts'

const tags = 'http://example.org/tags'
const labels = 'http://terminology.hl7.org/CodeSystem/v3-Confidentiality'
const profile = 'http://example.org/StructureDefinition/'
const coding = (code: string, system = tags, more: object = {}) => ({ system, code, ...more })

let house: House
beforeEach(async () => {
  house = await openHouse()
  for (const body of [patientA, patientB]) await house.ask('PUT', `/Patient/${body.id}`, { grant: admin, body })
})
afterEach(() => house.close())

const store = (id: string, patient: string, meta: object | undefined, more: object = {}) =>
  house.ask('PUT', `/Observation/${id}`, {
    grant: admin,
    body: { ...weightOf(patient, 70), id, ...(meta === undefined ? {} : { meta }), ...more },
  })
const change = (operation: string, place: string, meta: unknown, grant = admin, headers = {}) =>
  house.ask('POST', `/${place}/$meta-${operation}`, {
    grant,
    headers,
    body: { resourceType: 'Parameters', parameter: [{ name: 'meta', valueMeta: meta }] },
  })
const metaOf = async (place: string, grant = admin) => {
  const answer = await house.ask('GET', `/${place}`, { grant })
  return [answer.status, answer.json.parameter?.[0].valueMeta]
}
const codeOf = (answer: Awaited<ReturnType<House['ask']>>) => answer.json.issue[0].details.coding[0].code

describe('$meta – https://hl7.org/fhir/R4/resource-operation-meta.html', () => {
  it('tells of a resource, of each version, and by POST', async () => {
    await store('w', 'a', { tag: [coding('one')] })
    await store('w', 'a', { tag: [coding('two')] })
    const [, now] = await metaOf('Observation/w/$meta')
    expect(now).toMatchObject({ versionId: '2', tag: [coding('two')] })
    expect(await metaOf('Observation/w/_history/1/$meta')).toMatchObject([
      200,
      { versionId: '1', tag: [coding('one')] },
    ])
    const posted = await house.ask('POST', '/Observation/w/$meta', { grant: admin, body: '' })
    expect(posted.json).toEqual({ resourceType: 'Parameters', parameter: [{ name: 'return', valueMeta: now }] })
  })

  it('sums up what is in use, each once, of one type or of all', async () => {
    await store('w', 'a', { tag: [coding('two'), coding('one')], profile: [`${profile}2`, `${profile}1`] })
    await store('v', 'b', { tag: [coding('one', tags, { display: 'One' })], security: [coding('R', labels)] })
    await house.ask('PUT', '/Patient/a', { grant: admin, body: { ...patientA, meta: { tag: [coding('three')] } } })
    const ofType = {
      profile: [`${profile}1`, `${profile}2`],
      security: [coding('R', labels)],
      tag: [expect.objectContaining(coding('one')), coding('two')],
    }
    expect(await metaOf('Observation/$meta')).toEqual([200, ofType])
    expect(await metaOf('$meta')).toEqual([200, { ...ofType, tag: [ofType.tag[0], coding('three'), coding('two')] }])
    expect((await house.ask('GET', '/Condition/$meta', { grant: admin })).json).toEqual({ resourceType: 'Parameters' })
  })

  it('sums up nothing of what is not within reach', async () => {
    await store('w', 'a', { tag: [coding('mine')] })
    await store('v', 'b', { tag: [coding('theirs')] })
    await store('u', 'a', { tag: [coding('hidden')] }, { status: 'preliminary' })
    const tagsFor = async (scope: string) => {
      const [, meta] = await metaOf('$meta', grantOf(scope, { patient: 'a' }))
      return meta?.tag?.map((tag: { code: string }) => tag.code)
    }
    expect(await tagsFor('patient/*.rs')).toEqual(['hidden', 'mine'])
    expect(await tagsFor('patient/Observation.rs?status=final')).toEqual(['mine'])
    expect(await tagsFor('patient/Condition.rs')).toBeUndefined()
    const reading = grantOf('patient/Observation.r', { patient: 'a' })
    const statusOf = async (place: string) => (await metaOf(place, reading))[0]
    for (const place of ['$meta', 'Observation/$meta']) expect(await statusOf(place)).toBe(403)
    expect(await statusOf('Observation/w/$meta')).toBe(200)
    for (const place of ['Observation/v/$meta', 'Observation/v/_history/1/$meta', 'Observation/never/$meta'])
      expect(await statusOf(place)).toBe(404)
  })
})

describe('$meta-add and $meta-delete – https://hl7.org/fhir/R4/resource-operation-meta-add.html', () => {
  it('are sets: what is there is not added again, whatever its version and display', async () => {
    await store('w', 'a', { tag: [coding('one', tags, { display: 'One' })], profile: [`${profile}1`] })
    const added = await change('add', 'Observation/w', {
      tag: [coding('one', tags, { version: '2' }), coding('two'), coding('two')],
      security: [coding('R', labels)],
      profile: [`${profile}1`, `${profile}2`, `${profile}2`],
    })
    const whole = {
      tag: [coding('one', tags, { display: 'One' }), coding('two')],
      security: [coding('R', labels)],
      profile: [`${profile}1`, `${profile}2`],
    }
    expect(added.json.parameter[0]).toMatchObject({ name: 'return', valueMeta: { versionId: '2', ...whole } })
    const again = await change('add', 'Observation/w', { tag: [coding('two')] })
    expect(again.json.parameter[0].valueMeta).toMatchObject({ versionId: '2', ...whole })
    expect((await house.ask('GET', '/Observation?_tag=two&_security=R', { grant: admin })).json.total).toBe(1)
  })

  it.each(['tag', 'security'])('leave what stands twice as it is, and take it away whole: %s', async list => {
    const twice = [coding('one', tags, { version: '1' }), coding('one', tags, { version: '2', userSelected: true })]
    await store('w', 'a', { [list]: twice })
    const changed = async (how: string, labels: object[]) =>
      (await change(how, 'Observation/w', { [list]: labels })).json.parameter[0].valueMeta
    expect(await changed('add', [coding('one')])).toMatchObject({ versionId: '1', [list]: twice })
    const two = coding('two')
    expect(await changed('add', [two, two])).toMatchObject({ versionId: '2', [list]: [...twice, two] })
    expect(await changed('delete', [coding('one')])).toMatchObject({ versionId: '3', [list]: [two] })
  })

  it('take away what is there, and empty nothing half', async () => {
    await store('w', 'a', {
      tag: [coding('one', tags, { display: 'One' }), coding('two')],
      security: [coding('R', labels)],
      profile: [`${profile}1`, `${profile}2`],
      _profile: [null, { id: 'second' }],
    })
    const gone = { tag: [coding('one'), coding('never')], security: [coding('R', labels)], profile: [`${profile}1`] }
    const { valueMeta } = (await change('delete', 'Observation/w', gone)).json.parameter[0]
    expect(valueMeta).toEqual({
      versionId: '2',
      lastUpdated: expect.any(String),
      tag: [coding('two')],
      profile: [`${profile}2`],
      _profile: [{ id: 'second' }],
    })
    const nothing = await change('delete', 'Observation/w', gone)
    expect(nothing.json.parameter[0].valueMeta.versionId).toBe('2')
  })

  it('keep every digit of the resource, and its history', async () => {
    await house.ask('PUT', '/Observation/w', {
      grant: admin,
      body: JSON.stringify({ ...weightOf('a', 70), id: 'w' }).replace('"value":70', '"value":70.50'),
    })
    await change('add', 'Observation/w', { tag: [coding('one')] })
    expect((await house.ask('GET', '/Observation/w', { grant: admin })).text).toContain('"value":70.50')
    expect((await house.ask('GET', '/Observation/w/_history', { grant: admin })).json.total).toBe(2)
  })

  it('are refused without a Meta, by name and not by value', async () => {
    await store('w', 'a', undefined)
    for (const meta of [
      undefined,
      'secret',
      [],
      { tag: 'secret' },
      { tag: ['secret'] },
      { profile: [1] },
      { tag: {} },
    ]) {
      const answer = await change('add', 'Observation/w', meta)
      expect([answer.status, codeOf(answer)]).toEqual([400, 'meta.malformed'])
      expect(answer.text).not.toContain('secret')
    }
    const twice = {
      resourceType: 'Parameters',
      parameter: Array(2).fill({ name: 'meta', valueMeta: { tag: [coding('x')] } }),
    }
    for (const body of [
      twice,
      { resourceType: 'Parameters' },
      { ...twice, parameter: [{ name: 'mata', valueMeta: {} }] },
    ])
      expect(codeOf(await house.ask('POST', '/Observation/w/$meta-add', { grant: admin, body }))).toBe('meta.malformed')
    expect((await change('add', 'Observation/w', { tag: [{ system: tags, kode: 'x' }] })).status).toBe(422)
    expect((await house.ask('GET', '/Observation/w/_history', { grant: admin })).json.total).toBe(1)
  })

  it('obey If-Match, and name no method of what the server alone writes', async () => {
    await store('w', 'a', undefined)
    const meta = { tag: [coding('one')] }
    expect((await change('add', 'Observation/w', meta, admin, { 'if-match': 'W/"7"' })).status).toBe(412)
    expect((await change('add', 'Observation/w', meta, admin, { 'if-match': 'W/"1"' })).status).toBe(200)
    await house.record.flush()
    const events = await house.ask('GET', '/AuditEvent', { grant: admin })
    const [{ resource }] = events.json.entry
    expect((await change('add', `AuditEvent/${resource.id}`, meta)).status).not.toBe(200)
    expect(await metaOf(`AuditEvent/${resource.id}/$meta`)).toMatchObject([200, { versionId: '1' }])
  })
})

describe('who may change labels', () => {
  const narrowed = grantOf('patient/Observation.ru?_tag=http://example.org/tags%7Copen', { patient: 'a' })
  const status = async (...given: Parameters<typeof change>) => (await change(...given)).status

  it('must be allowed to read and to update, there', async () => {
    await store('w', 'a', undefined)
    await store('v', 'b', undefined)
    const meta = { tag: [coding('x')] }
    expect(await status('add', 'Observation/w', meta, grantOf('patient/Observation.rs', { patient: 'a' }))).toBe(403)
    expect(await status('add', 'Observation/w', meta, grantOf('patient/Observation.u', { patient: 'a' }))).toBe(403)
    const own = grantOf('patient/Observation.ru', { patient: 'a' })
    expect(await status('add', 'Observation/v', meta, own)).toBe(404)
    expect(await status('delete', 'Observation/never', meta, own)).toBe(404)
    expect(await status('add', 'Observation/w', meta, own)).toBe(200)
  })

  it('cannot lift what narrows them: neither bring something in, nor put something out of reach', async () => {
    await store('open', 'a', { tag: [coding('open')] })
    await store('closed', 'a', { tag: [coding('closed')] })
    expect(await status('add', 'Observation/closed', { tag: [coding('open')] }, narrowed)).toBe(404)
    expect(await status('delete', 'Observation/closed', { tag: [coding('closed')] }, narrowed)).toBe(404)
    expect(await status('delete', 'Observation/open', { tag: [coding('open')] }, narrowed)).toBe(403)
    expect(await status('add', 'Observation/open', { tag: [coding('more')] }, narrowed)).toBe(200)
    expect(await metaOf('Observation/closed/$meta')).toMatchObject([200, { tag: [coding('closed')] }])
  })

  it('changes nothing in a commons row that another account made', async () => {
    const mine = grantOf('user/*.cruds', { account: 'one', patients: ['a'] })
    const theirs = grantOf('user/*.cruds', { account: 'two', patients: ['b'] })
    const { id } = (await house.ask('POST', '/Practitioner', { grant: mine, body: { resourceType: 'Practitioner' } }))
      .json
    expect(await status('add', `Practitioner/${id}`, { tag: [coding('x')] }, theirs)).toBe(404)
    expect(await status('add', `Practitioner/${id}`, { tag: [coding('x')] }, mine)).toBe(200)
  })
})

describe('in Bundles', () => {
  const bundleOf = (type: string, ...entry: object[]) =>
    house.ask('POST', '/', { grant: admin, body: { resourceType: 'Bundle', type, entry } })
  const adding = {
    resource: { resourceType: 'Parameters', parameter: [{ name: 'meta', valueMeta: { tag: [coding('x')] } }] },
    request: { method: 'POST', url: 'Observation/w/$meta-add' },
  }
  const asking = { request: { method: 'GET', url: 'Observation/w/$meta' } }

  it('a batch adds and asks, a transaction asks', async () => {
    await store('w', 'a', undefined)
    const batch = await bundleOf('batch', adding, asking)
    expect(batch.json.entry.map((entry: { response: { status: string } }) => entry.response.status)).toEqual([
      '200',
      '200',
    ])
    expect(batch.json.entry[1].resource.parameter[0].valueMeta.tag).toEqual([coding('x')])
    expect((await bundleOf('transaction', asking)).json.entry[0].resource.parameter[0].name).toBe('return')
    expect(codeOf(await bundleOf('transaction', adding))).toBe('bundle.entry-unsupported')
  })
})
