import { admin, grantOf, type House, openHouse, patientA, patientB, weightOf } from './house.ts'

const filed = { system: 'https://kinhold.org/fhir/audit-origin', code: 'filed' }
const eventOf = (patient: string, more: object = {}) => ({
  resourceType: 'AuditEvent',
  type: { system: 'http://dicom.nema.org/resources/ontology/DCM', code: '110106', display: 'Export' },
  recorded: '2026-02-28T10:00:00Z',
  agent: [{ requestor: true, name: 'A pump' }],
  source: { observer: { display: 'Kinhold' } },
  entity: [{ what: { reference: `Patient/${patient}` } }],
  ...more,
})

let house: House
beforeEach(async () => {
  house = await openHouse()
  for (const body of [patientA, patientB]) await house.ask('PUT', `/Patient/${body.id}`, { grant: admin, body })
})
afterEach(() => house.close())

const device = grantOf('patient/AuditEvent.c', { patient: 'a' })
const reading = (patient: string) => grantOf('patient/AuditEvent.rs', { patient })
const file = (body: object, grant = device, headers = {}) => house.ask('POST', '/AuditEvent', { grant, body, headers })
const found = async (query: string, grant = admin): Promise<string[]> => {
  await house.record.flush()
  const { json } = await house.ask('GET', `/AuditEvent?${query}&_count=500`, { grant })
  return (json.entry ?? []).map(({ resource }: { resource: { id: string } }) => resource.id)
}

describe('AuditEvents that devices and apps file – https://hl7.org/fhir/R4/auditevent.html', () => {
  it('are found by the patient whom they concern, beside the server’s own, and marked', async () => {
    const created = await file(eventOf('a'))
    expect([created.status, created.json.meta.tag]).toEqual([201, [expect.objectContaining(filed)]])
    const { id } = created.json
    for (const query of ['patient=a', 'entity=Patient/a', 'type=110106', `_tag=${filed.system}|filed`])
      expect(await found(query, reading('a'))).toContain(id)
    expect(await found('type=110106', reading('b'))).toEqual([])
    const own = await found(`_tag:not=${filed.system}|filed`, reading('a'))
    expect(own.length).toBeGreaterThan(0)
    expect(own).not.toContain(id)
    expect((await house.ask('GET', `/AuditEvent/${id}`, { grant: reading('b') })).status).toBe(404)
    // That it was filed, and by whom, is the server's word.
    expect(await found(`entity=AuditEvent/${id}`, reading('a'))).toHaveLength(1)
  })

  it('carry the mark whatever they say themselves, once', async () => {
    const marked = {
      tag: [
        { ...filed, display: 'not at all' },
        { system: filed.system, code: 'own' },
      ],
    }
    const { json } = await file(eventOf('a', { meta: marked }))
    expect(json.meta.tag).toEqual([{ system: filed.system, code: 'own' }, expect.objectContaining(filed)])
    expect(json.meta.tag[1].display).not.toBe('not at all')
  })

  it('are never changed or deleted, and neither are the server’s', async () => {
    const { id } = (await file(eventOf('a'))).json
    const [own = ''] = await found(`_tag:not=${filed.system}|filed`)
    const tag = { resourceType: 'Parameters', parameter: [{ name: 'meta', valueMeta: { tag: [filed] } }] }
    for (const each of [id, own]) {
      const body = { ...eventOf('a'), id: each }
      const asks: [string, string, object?][] = [
        ['PUT', `/AuditEvent/${each}`, body],
        ['PATCH', `/AuditEvent/${each}`, { resourceType: 'Parameters' }],
        ['DELETE', `/AuditEvent/${each}`],
        ['POST', `/AuditEvent/${each}/$meta-delete`, tag],
        ['PUT', `/AuditEvent?_id=${each}`, body],
        ['DELETE', `/AuditEvent?_id=${each}`],
      ]
      for (const [method, url, sent] of asks) {
        const answer = await house.ask(
          method,
          url,
          sent === undefined ? { grant: admin } : { grant: admin, body: sent },
        )
        expect([method, url, answer.status >= 400]).toEqual([method, url, true])
        const entry = [{ ...(sent === undefined ? {} : { resource: sent }), request: { method, url: url.slice(1) } }]
        const bundle = { resourceType: 'Bundle', type: 'transaction', entry }
        expect((await house.ask('POST', '/', { grant: admin, body: bundle })).status).toBeGreaterThanOrEqual(400)
      }
      expect((await house.ask('GET', `/AuditEvent/${each}/_history`, { grant: admin })).json.total).toBe(1)
    }
  })

  it('need the right to create them where they belong', async () => {
    expect((await file(eventOf('b'))).status).toBe(403)
    for (const scope of ['patient/AuditEvent.rs', 'patient/Observation.c'])
      expect((await file(eventOf('a'), grantOf(scope, { patient: 'a' }))).status).toBe(403)
    expect((await file(eventOf('never'), admin)).status).toBe(422)
    expect((await file({ ...eventOf('a'), agent: undefined })).status).toBe(422)
  })

  it('go into transactions, and are filed once where that is asked', async () => {
    const entry = [{ resource: eventOf('a'), request: { method: 'POST', url: 'AuditEvent' } }]
    const bundle = { resourceType: 'Bundle', type: 'transaction', entry }
    expect((await house.ask('POST', '/', { grant: device, body: bundle })).status).toBe(200)
    const [id] = await found('type=110106')
    const once = { 'if-none-exist': 'type=110106&patient=a' }
    const grant = grantOf('patient/AuditEvent.crs', { patient: 'a' })
    expect((await file(eventOf('a'), grant, once)).json.id).toBe(id)
    expect(await found('type=110106')).toEqual([id])
  })

  it('stand in the history of AuditEvents, in that of all, and in no $everything that does not name them', async () => {
    await house.ask('POST', '/Observation', { grant: admin, body: weightOf('a', 70) })
    const { id } = (await file(eventOf('a'))).json
    await house.record.flush()
    const ids = async (url: string, grant = grantOf('patient/*.rs', { patient: 'a' })): Promise<string[]> => {
      const { json } = await house.ask('GET', url, { grant })
      return json.entry.map(({ resource }: { resource: { id: string } }) => resource.id)
    }
    const history = await ids('/AuditEvent/_history?_count=100')
    expect(history).toContain(id)
    expect(history.length).toBeGreaterThan(1)
    expect(new Set(history).size).toBe(history.length)
    expect(await ids('/_history?_count=100')).toContain(id)
    expect(await ids('/Patient/a/$everything')).not.toContain(id)
    expect(await ids('/Patient/a/$everything?_type=AuditEvent')).toContain(id)
  })

  it('stand in the history of everybody, page by page, each once', async () => {
    for (let n = 0; n < 12; n++)
      await house.ask('PUT', `/Patient/p${n}`, { grant: admin, body: { resourceType: 'Patient', id: `p${n}` } })
    const made: string[] = []
    for (let n = 0; n < 12; n++) {
      if (n % 3 === 0) house.clock.advance(1_000)
      made.push((await file(eventOf(`p${n}`), admin)).json.id)
    }
    await house.record.flush()
    const all: string[] = []
    for (let url: string | undefined = '/AuditEvent/_history?_count=5'; url !== undefined; ) {
      const { json } = await house.ask('GET', url, { grant: admin })
      for (const { resource } of json.entry ?? []) all.push(resource.id)
      const next = json.link.find(({ relation }: { relation: string }) => relation === 'next')
      url = next?.url.slice('http://127.0.0.1:8080/fhir'.length)
    }
    expect(all).toEqual(expect.arrayContaining(made))
    expect(new Set(all).size).toBe(all.length)
  })

  it('are erased with the patient, and the server’s own stay', async () => {
    const { id } = (await file(eventOf('a'))).json
    await house.record.shred('a')
    const left = await found('recorded:missing=false&_sort=date')
    expect(left).not.toContain(id)
    expect((await house.ask('GET', `/AuditEvent/${id}`, { grant: admin })).status).toBe(404)
    expect(await found('patient=a')).not.toEqual([])
  })
})
