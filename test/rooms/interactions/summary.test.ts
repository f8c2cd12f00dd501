import { withBudget } from '#kernel'
import type { Reader } from '#record'
import { createValidator } from '#validation'
import { gather } from '../../../src/interactions/operations/summary/gather.ts'
import { type Answer, admin, baseUrl, grantOf, type House, openHouse } from './house.ts'

const loinc = 'http://loinc.org'
const clinical = (code: string) => ({
  coding: [{ system: 'http://terminology.hl7.org/CodeSystem/condition-clinical', code }],
})
const verified = (code: string) => ({
  coding: [{ system: 'http://terminology.hl7.org/CodeSystem/condition-ver-status', code }],
})
const category = (code: string) => [
  { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/observation-category', code }] },
]
const subject = { reference: 'Patient/a' }
const observation = (code: string, value: number, effectiveDateTime: string, kind = 'laboratory') => ({
  resourceType: 'Observation',
  status: 'final',
  category: category(kind),
  code: { coding: [{ system: loinc, code }], text: `of ${code}` },
  subject,
  effectiveDateTime,
  valueQuantity: { value, unit: 'mmol/L' },
})
const medicine = (text: string, status: string) => ({
  resourceType: 'MedicationStatement',
  status,
  medicationCodeableConcept: { text },
  subject,
  dosage: [{ text: 'one a day' }],
})

let house: House
const put = async (id: string, resource: { resourceType: string }) => {
  const { status, text } = await house.ask('PUT', `/${resource.resourceType}/${id}`, {
    grant: admin,
    body: { ...resource, id },
  })
  expect([status, text.slice(0, 300)]).toEqual([201, expect.anything()])
}
const own = grantOf('patient/*.rs', { patient: 'a' })
const ask = (url: string, grant = own, method = 'GET', body?: object) =>
  house.ask(method, url, body === undefined ? { grant } : { grant, body })

const entriesOf = (answer: Answer) =>
  answer.json.entry as {
    fullUrl: string
    resource: { resourceType: string; id?: string; [element: string]: unknown }
  }[]
interface Section {
  title: string
  code: { coding: { code: string }[] }
  text: { div: string }
  entry?: { reference: string }[]
  emptyReason?: { coding: { code: string }[] }
}
const sectionsOf = (answer: Answer) => answer.json.entry[0].resource.section as Section[]
const section = (answer: Answer, code: string) =>
  sectionsOf(answer).find(each => each.code.coding[0]?.code === code) as Section
const told = (answer: Answer, code: string) =>
  section(answer, code)?.entry?.map(({ reference }) => reference.split('/').pop())

beforeAll(async () => {
  house = await openHouse()
  await put('a', {
    resourceType: 'Patient',
    name: [{ family: 'Amsel' }],
    birthDate: '1980-02-03',
    identifier: [{ system: 'urn:mrn', value: '1' }],
  } as never)
  await put('b', { resourceType: 'Patient', identifier: [{ system: 'urn:mrn', value: '2' }] } as never)
  await put('doc', { resourceType: 'Practitioner', name: [{ family: 'Specht' }] } as never)
  await put('clinic', { resourceType: 'Organization', name: 'Clinic' } as never)
  const [practitioner, organization] = [{ reference: 'Practitioner/doc' }, { reference: 'Organization/clinic' }]
  await put('role', { resourceType: 'PractitionerRole', practitioner, organization } as never)
  await put('pill', { resourceType: 'Medication', code: { text: 'Digoxin 0.25 mg' } } as never)
  const condition = (more: object) => ({ resourceType: 'Condition', code: { text: 'Asthma <b>&' }, subject, ...more })
  await put('now', condition({ clinicalStatus: clinical('active'), recorder: { reference: 'PractitionerRole/role' } }))
  await put('unsaid', condition({}))
  await put('over', condition({ clinicalStatus: clinical('resolved') }))
  await put('wrong', condition({ verificationStatus: verified('entered-in-error') }))
  await put('of-b', { ...condition({}), subject: { reference: 'Patient/b' } } as never)
  await put('taken', medicine('Aspirin', 'active'))
  await put('ended', medicine('Ibuprofen', 'stopped'))
  await put('ordered', {
    resourceType: 'MedicationRequest',
    status: 'active',
    intent: 'order',
    medicationReference: { reference: 'Medication/pill' },
    subject,
  } as never)
  await put('k-old', observation('2823-3', 4.1, '2026-01-01'))
  await put('k-new', observation('2823-3', 4.5, '2026-02-01'))
  await put('k-wrong', { ...observation('2823-3', 9.9, '2026-02-02'), status: 'entered-in-error' } as never)
  await put('w-old', observation('29463-7', 70, '2020-01-01', 'vital-signs'))
  await put('w-new', observation('29463-7', 71.5, '2026-01-01', 'vital-signs'))
  await put('w-wrong', {
    ...observation('29463-7', 700, '2026-02-01', 'vital-signs'),
    status: 'entered-in-error',
  } as never)
  await put('smokes', observation('72166-2', 1, '2026-01-01', 'social-history'))
})
afterAll(() => house.close())

// https://hl7.org/fhir/uv/ips/STU1.1/OperationDefinition-summary.html and its StructureDefinitions Bundle-uv-ips, Composition-uv-ips
describe('Patient/$summary', () => {
  it('is a document that is valid by its own server, with Composition and Patient at its head', async () => {
    const answer = await ask('/Patient/a/$summary')
    expect(answer.status).toBe(200)
    expect(createValidator().validate(answer.json)).toEqual([])
    expect(answer.json).toMatchObject({
      type: 'document',
      identifier: { system: 'urn:ietf:rfc:3986', value: expect.stringMatching(/^urn:uuid:/) },
      timestamp: expect.any(String),
      meta: { profile: ['http://hl7.org/fhir/uv/ips/StructureDefinition/Bundle-uv-ips'] },
    })
    const [composition, patient] = entriesOf(answer)
    expect(composition?.resource).toMatchObject({
      resourceType: 'Composition',
      status: 'final',
      type: { coding: [{ system: loinc, code: '60591-5' }] },
    })
    expect(patient?.resource).toMatchObject({ resourceType: 'Patient', id: 'a' })
  })

  it('holds each resource once, and all that its Composition names – https://hl7.org/fhir/R4/documents.html#content', async () => {
    const answer = await ask('/Patient/a/$summary')
    const urls = entriesOf(answer).map(({ fullUrl }) => fullUrl)
    expect(new Set(urls).size).toBe(urls.length)
    const composition = answer.json.entry[0].resource
    const named = [
      composition.subject.reference,
      composition.author[0].reference,
      ...sectionsOf(answer).flatMap(({ entry = [] }) => entry.map(({ reference }) => reference)),
    ]
    for (const reference of named) expect(urls).toContain(reference)
    const carried = ['Practitioner/doc', 'Organization/clinic', 'Medication/pill', 'PractitionerRole/role']
    expect(urls).toEqual(expect.arrayContaining(carried.map(path => `http://127.0.0.1:8080/fhir/${path}`)))
    // Who else is kept here, and refers to the same doctor, is no part of it.
    expect(answer.text).not.toContain('Patient/b')
  })

  it('sorts what is kept into its sections: what is so now, what was, the newest of what is measured', async () => {
    const answer = await ask('/Patient/a/$summary')
    expect(told(answer, '11450-4')?.sort()).toEqual(['now', 'unsaid'])
    expect(told(answer, '11348-0')).toEqual(['over'])
    expect(told(answer, '10160-0')).toEqual(['taken', 'ordered'])
    expect(told(answer, '30954-2')).toEqual(['k-new'])
    expect(told(answer, '8716-3')).toEqual(['w-new'])
    expect(told(answer, '29762-2')).toEqual(['smokes'])
  })

  it('says of a required section without entries that nothing is kept, never that there is nothing', async () => {
    const allergies = section(await ask('/Patient/a/$summary'), '48765-2')
    expect(allergies.entry).toBeUndefined()
    expect(allergies.emptyReason?.coding[0]?.code).toBe('unavailable')
    expect(allergies.text.div).toContain('No information')
  })

  it('is read by people too: each section has a narrative in which every value is escaped', async () => {
    const answer = await ask('/Patient/a/$summary')
    for (const { text } of sectionsOf(answer))
      expect(text.div).toMatch(/^<div xmlns="http:\/\/www.w3.org\/1999\/xhtml">/)
    expect(section(answer, '11450-4').text.div).toContain('Asthma &lt;b&gt;&amp;')
    expect(section(answer, '10160-0').text.div).toContain('Digoxin 0.25 mg')
    expect(section(answer, '8716-3').text.div).toContain('71.5 mmol/L')
  })

  it('shows what the grant may search, and says where it does not reach', async () => {
    const answer = await ask(
      '/Patient/a/$summary',
      grantOf('patient/Patient.rs patient/Condition.rs', { patient: 'a' }),
    )
    expect(told(answer, '11450-4')?.sort()).toEqual(['now', 'unsaid'])
    expect(section(answer, '10160-0').emptyReason?.coding[0]?.code).toBe('withheld')
    expect(sectionsOf(answer).map(({ title }) => title)).not.toContain('Vital signs')
    const laboratory = `patient/Observation.rs?category=${category('laboratory')[0]?.coding[0]?.system}|laboratory`
    const labs = await ask('/Patient/a/$summary', grantOf(`patient/Patient.r ${laboratory}`, { patient: 'a' }))
    expect(told(labs, '30954-2')).toEqual(['k-new'])
    expect(labs.text).not.toContain('w-new')
  })

  it.each(['/Patient/b/$summary', '/Patient/never-was/$summary', '/Patient/$summary?identifier=urn:mrn|2'])(
    'does not know who is beyond reach: %s',
    async url => {
      const { status, text } = await ask(url)
      expect(status).toBe(404)
      expect(text).not.toContain('urn:mrn')
    },
  )

  it('needs to read the Patient: scope.missing', async () => {
    expect((await ask('/Patient/a/$summary', grantOf('patient/Condition.rs', { patient: 'a' }))).status).toBe(403)
  })

  it('is found by identifier, or without one for the only patient of a token, by GET and by POST', async () => {
    const parameters = { resourceType: 'Parameters', parameter: [{ name: 'identifier', valueString: 'urn:mrn|1' }] }
    const answers = [
      await ask('/Patient/$summary?identifier=urn:mrn|1', admin),
      await ask('/Patient/$summary', own),
      await ask('/Patient/$summary', admin, 'POST', parameters),
      await ask('/Patient/a/$summary', own, 'POST'),
    ]
    for (const answer of answers) expect([answer.status, entriesOf(answer)[1]?.resource.id]).toEqual([200, 'a'])
  })

  it.each([
    ['/Patient/$summary', 400, 'summary.identifier-missing'],
    ['/Patient/$summary?identifier=urn:mrn|', 422, 'summary.patient-unclear'],
    ['/Patient/a/$summary?profile=http://example.org/other', 400, 'summary.profile-unknown'],
    ['/Patient/a/$summary?graph=http://example.org/graph', 400, 'summary.profile-unknown'],
    ['/Patient/a/$summary?foo=1', 400, 'request.parameter-unknown'],
  ])('refuses what it cannot answer: %s', async (url, status, code) => {
    const answer = await ask(url, admin)
    expect([answer.status, answer.json.issue[0].details.coding[0].code]).toEqual([status, code])
  })

  it('says what the guide asks for of a Patient of whom it is not known', async () => {
    const answer = await ask('/Patient/b/$summary', admin)
    expect(createValidator().validate(answer.json)).toEqual([])
    const patient = entriesOf(answer)[1]?.resource
    const url = 'http://hl7.org/fhir/StructureDefinition/data-absent-reason'
    expect(patient).toMatchObject({ _birthDate: { extension: [{ url }] }, name: [{ extension: [{ url }] }] })
    expect((await house.ask('GET', '/Patient/b', { grant: admin })).text).not.toContain(url)
    expect(told(answer, '11450-4')).toEqual(['of-b'])
  })
})

describe('the questions of a summary', () => {
  it('leave others their turn between two of them, also where nothing is found', async () => {
    let [asked, slices] = [0, 0]
    const real = house.record.reader(own)
    // Longer than a slice lasts, on a machine of any speed.
    const slow: Reader = Object.assign(Object.create(real), {
      search: () => {
        asked++
        for (const endsMs = performance.now() + 6; performance.now() < endsMs; );
        return Promise.resolve({ matches: [], included: [], unreadable: 0 })
      },
    })
    await withBudget(
      {},
      () => gather({ patient: 'a', grant: own, reader: slow, baseUrl }),
      () => {
        slices++
        return true
      },
    )
    expect(asked).toBeGreaterThan(10)
    // The first one may begin the slice.
    expect(slices).toBeGreaterThanOrEqual(asked - 2)
  })
})
