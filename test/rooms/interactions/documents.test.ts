import { withBudget } from '#kernel'
import { createValidator } from '#validation'
import { mapParts } from '../../../src/interactions/documents/parts-of-composition.ts'
import { metWhile, mostMetMs } from '../../turns.ts'
import { type Answer, admin, baseUrl, grantOf, type House, openHouse, patientA, patientB, weightOf } from './house.ts'

const absentReason = 'http://hl7.org/fhir/StructureDefinition/data-absent-reason'
const ref = (reference: string, more: object = {}) => ({ reference, ...more })
const div = (text: string) => ({ status: 'generated', div: `<div xmlns="http://www.w3.org/1999/xhtml">${text}</div>` })

const composition = {
  resourceType: 'Composition',
  id: 'letter',
  status: 'final',
  type: { text: 'Letter' },
  date: '2026-02-01',
  title: 'Letter',
  subject: ref(`${baseUrl}/Patient/a`),
  author: [ref('Practitioner/doc'), ref('https://elsewhere.example/fhir/Practitioner/9', { display: 'Dr. Else' })],
  attester: [{ mode: 'legal', party: ref('Organization/clinic') }],
  custodian: ref('Organization/gone', { display: 'Old clinic' }),
  section: [
    {
      title: 'Weights',
      text: div('70.50 kg'),
      entry: [ref('Observation/w'), ref('Observation/w/_history/1'), ref('Observation/w')],
      section: [
        { title: 'More', text: div('x'), entry: [ref('Observation/theirs', { display: 'of mother' }), ref('#in')] },
      ],
    },
  ],
  contained: [{ resourceType: 'Basic', id: 'in', code: { text: 'x' } }],
}

let house: House
beforeEach(async () => {
  house = await openHouse()
  const put = async (body: { resourceType: string; id?: string }) => {
    const { status, text } = await house.ask('PUT', `/${body.resourceType}/${body.id}`, { grant: admin, body })
    expect([status < 300, text.slice(0, 300)]).toEqual([true, expect.anything()])
  }
  for (const body of [patientA, patientB]) await put(body)
  await put({ resourceType: 'Organization', id: 'clinic', name: 'Clinic' } as never)
  await put({ resourceType: 'Practitioner', id: 'doc' })
  const performer = { resourceType: 'PractitionerRole', id: 'role', organization: ref('Organization/clinic') }
  await put(performer)
  for (const value of [70, 71])
    await put({ ...weightOf('a', value, { performer: [ref('PractitionerRole/role')] }), id: 'w' } as never)
  await put({ ...weightOf('b', 98_765), id: 'theirs' } as never)
  await put(composition)
})
afterEach(() => house.close())

const own = grantOf('patient/*.rs', { patient: 'a' })
const ask = (url = '/Composition/letter/$document', grant = own, method = 'GET', body?: object) =>
  house.ask(method, url, body === undefined ? { grant } : { grant, body })
const urlsOf = ({ json }: Answer) =>
  json.entry.map(({ fullUrl, resource }: { fullUrl: string; resource: { meta: { versionId: string } } }) =>
    [fullUrl.slice(baseUrl.length + 1), resource.meta.versionId].join(' '),
  )
const codeOf = ({ json }: Answer) => json.issue[0].details.coding[0].code
const faults = (bundle: Answer['json']) => createValidator().validate(bundle)

describe('Composition/$document – https://hl7.org/fhir/R4/composition-operation-document.html', () => {
  it('begins with the Composition, and has what it refers to and what that needs, each version once', async () => {
    const answer = await ask('/Composition/letter/$document', admin)
    expect(answer.status).toBe(200)
    expect(answer.json).toMatchObject({
      type: 'document',
      identifier: { system: 'urn:ietf:rfc:3986', value: expect.stringMatching(/^urn:uuid:/) },
      timestamp: '2026-03-01T12:00:00.000Z',
    })
    expect(urlsOf(answer)).toEqual([
      'Composition/letter 1',
      'Patient/a 1',
      'Practitioner/doc 1',
      'Organization/clinic 1',
      'Observation/w 2',
      'Observation/w 1',
      'Observation/theirs 1',
      'PractitionerRole/role 1',
    ])
    expect(faults(answer.json)).toEqual([])
  })

  it('leaves out what the asker may not see, says so in its place, and is whole by the rules of documents', async () => {
    const answer = await ask()
    expect(answer.text).not.toContain('98765')
    const [{ resource }] = answer.json.entry
    const told = (value: string, valueCode: string) => ({
      identifier: { system: 'urn:ietf:rfc:3986', value },
      extension: [{ url: absentReason, valueCode }],
    })
    expect(resource.section[0].section[0].entry).toEqual([
      { ...told(`${baseUrl}/Observation/theirs`, 'unknown'), display: 'of mother' },
      ref('#in'),
    ])
    expect(resource.custodian).toEqual({ ...told(`${baseUrl}/Organization/gone`, 'unknown'), display: 'Old clinic' })
    expect(resource.author[1]).toEqual({
      identifier: { system: 'urn:ietf:rfc:3986', value: 'https://elsewhere.example/fhir/Practitioner/9' },
      display: 'Dr. Else',
    })
    expect(faults(answer.json)).toEqual([])
    const letterAlone = await ask('/Composition/letter/$document', grantOf('patient/Composition.r', { patient: 'a' }))
    expect(urlsOf(letterAlone)).toEqual(['Composition/letter 1'])
    expect(letterAlone.json.entry[0].resource.subject).toEqual(told(`${baseUrl}/Patient/a`, 'masked'))
    expect(faults(letterAlone.json)).toEqual([])
  })

  it('has a former version of its Composition where that is referred to, and the Composition itself once', async () => {
    const entry = [
      ref('Composition/letter/_history/1'),
      ref('Composition/letter'),
      ref('Composition/letter/_history/2'),
    ]
    const body = { ...composition, section: [{ title: 'Before', entry }], contained: undefined }
    await house.ask('PUT', '/Composition/letter', { grant: admin, body })
    const answer = await ask()
    expect(urlsOf(answer)).toEqual([
      'Composition/letter 2',
      'Patient/a 1',
      'Practitioner/doc 1',
      'Organization/clinic 1',
      'Composition/letter 1',
      // Which that version refers to.
      'Observation/w 2',
      'PractitionerRole/role 1',
    ])
    expect(answer.json.entry[0].resource.section[0].entry).toEqual(entry)
    expect(faults(answer.json)).toEqual([])
  })

  it('answers alike whether what it may not show is there or not', async () => {
    const before = await ask()
    await house.ask('DELETE', '/Observation/theirs', { grant: admin })
    const after = await ask()
    const same = ({ identifier: _, ...rest }: Answer['json']) => rest
    expect(same(after.json)).toEqual(same(before.json))
    for (const url of ['/Composition/never/$document', '/Composition/$document?id=never'])
      expect((await ask(url)).status).toBe(404)
    expect((await ask('/Composition/letter/$document', grantOf('patient/*.rs', { patient: 'b' }))).status).toBe(404)
    expect((await ask('/Composition/letter/$document', grantOf('patient/Patient.rs', { patient: 'a' }))).status).toBe(
      403,
    )
  })

  it('is named by id, place or URL, in the URL or in Parameters', async () => {
    const wanted = urlsOf(await ask())
    for (const id of ['letter', 'Composition/letter', `${baseUrl}/Composition/letter`])
      expect(urlsOf(await ask(`/Composition/$document?${new URLSearchParams({ id })}`))).toEqual(wanted)
    const body = { resourceType: 'Parameters', parameter: [{ name: 'id', valueUri: 'letter' }] }
    expect(urlsOf(await ask('/Composition/$document', own, 'POST', body))).toEqual(wanted)
    expect(codeOf(await ask('/Composition/letter/$document?id=letter'))).toBe('request.parameter-unknown')
    expect(codeOf(await ask('/Composition/$document'))).toBe('document.id-missing')
    for (const id of ['https://elsewhere.example/fhir/Composition/1', 'Patient/a', 'Composition/letter/_history/1'])
      expect(codeOf(await ask(`/Composition/$document?${new URLSearchParams({ id })}`))).toBe('document.elsewhere')
    expect(codeOf(await ask('/Composition/letter/$document?graph=x'))).toBe('document.graph-unsupported')
    expect(codeOf(await ask('/Composition/letter/$document?persist=x'))).toBe('request.boolean-malformed')
  })

  it('is kept as a Bundle where that is wanted, with the patient, and only by who may create one', async () => {
    const url = '/Composition/letter/$document?persist=true'
    expect((await ask(url)).status).toBe(403)
    const writing = grantOf('patient/*.rs patient/Bundle.cd', { patient: 'a' })
    const answer = await ask(url, writing)
    expect(answer.status).toBe(200)
    expect(answer.headers.location).toBe(`${baseUrl}/Bundle/${answer.json.id}/_history/1`)
    expect((await ask(`/Bundle/${answer.json.id}`, own)).json).toEqual(answer.json)
    expect((await ask(`/Bundle/${answer.json.id}`, grantOf('patient/*.rs', { patient: 'b' }))).status).toBe(404)
    const kept = async () => (await ask('/Bundle', admin)).json.total
    expect(await kept()).toBe(1)
    await ask(url, writing, 'HEAD')
    const entry = [{ request: { method: 'GET', url: url.slice(1) } }]
    const within = (type: string) => ask('/', writing, 'POST', { resourceType: 'Bundle', type, entry })
    expect(codeOf(await within('transaction'))).toBe('bundle.entry-unsupported')
    expect(await kept()).toBe(1)
    await within('batch')
    expect(await kept()).toBe(2)
  })

  it('is refused where it would be larger than a Bundle may be', async () => {
    const small = await openHouse({ limits: { bundleEntries: 2 } })
    for (const body of [patientA, weightOf('a', 1, { id: 'v' }), weightOf('a', 2, { id: 'w' })])
      await small.ask('PUT', `/${body.resourceType}/${body.id}`, { grant: admin, body })
    const section = [{ title: 'x', entry: [ref('Observation/v'), ref('Observation/w')] }]
    const { author: _, custodian: __, attester: ___, ...rest } = composition
    const body = { ...rest, author: [ref('Patient/a')], section, contained: undefined }
    await small.ask('PUT', '/Composition/letter', { grant: admin, body })
    expect(codeOf(await small.ask('GET', '/Composition/letter/$document', { grant: admin }))).toBe('document.too-large')
    await small.close()
  })

  const manyOf = async (count: number, reference: string) => {
    const entry = Array.from({ length: count }, () => ref(reference))
    const body = { ...composition, section: [{ title: 'Many', entry }], contained: undefined }
    const { status } = await house.ask('PUT', '/Composition/letter', { grant: admin, body })
    expect(status).toBe(200)
    return JSON.stringify(body).length
  }

  it.each(['urn:x', 'Observation/never', 'Observation/theirs/_history/1', 'MedicationRequest/x'])(
    'charges what is said in the place of each reference to %s',
    async reference => {
      const size = await manyOf(2_000, reference)
      const withRoom = (answered: number) => withBudget({ answered }, () => ask())
      expect(codeOf(await withRoom(2 * size))).toBe('budget.answered-exceeded')
      const { status, text } = await withRoom(20 * size)
      expect(status).toBe(200)
      expect((await withRoom(text.length - 20_000)).status).toBe(422)
    },
  )

  it.each([
    ['in one list', (entry: readonly object[]) => [{ title: 'x', entry }]],
    ['in many sections', (entry: readonly object[]) => entry.map(each => ({ title: 'x', entry: [each] }))],
  ])('gives way while it says what became of many references %s', async (_, sectionOf) => {
    const said = { ...composition, section: sectionOf(Array.from({ length: 60_000 }, () => ref('urn:x'))) }
    const steps = mapParts(said, each => each)
    let count = 0
    for (let step = steps.next(); step.done !== true; step = steps.next()) count++
    expect(count).toBeGreaterThan(60_000)
  })

  it.each([
    ['are not there', (at: number) => `Observation/never${at}`],
    ['lie out of reach', (at: number) => `Observation/theirs/_history/${at + 2}`],
  ])('lets others have their turn while it looks for many that %s', async (_, nameOf) => {
    const entry = Array.from({ length: 12_000 }, (_, at) => ref(nameOf(at)))
    const body = { ...composition, section: [{ title: 'Many', entry }], contained: undefined }
    expect((await house.ask('PUT', '/Composition/letter', { grant: admin, body })).status).toBe(200)
    const { result: answer, metMs } = await metWhile(ask)
    expect([answer.status, answer.json.entry[0].resource.section[0].entry.length]).toEqual([200, entry.length])
    expect(metMs).toBeLessThan(mostMetMs)
  })
})
