import type { Resource } from '#fhir'
import {
  createPatient,
  everything,
  found,
  grantOf,
  ingested,
  ofPatient,
  openHouse,
  readPatient,
  type TestHouse,
} from './house.ts'

const uuid = (n: number) => `urn:uuid:5d3a2a8e-0000-4000-8000-00000000000${n}`
const base = 'https://hospital.example/fhir'
const entry = (resource: object, fullUrl?: string) => ({ ...(fullUrl === undefined ? {} : { fullUrl }), resource })
const bundle = (...entries: object[]) => JSON.stringify({ resourceType: 'Bundle', type: 'collection', entry: entries })
const patient = (id = 'p1', family = 'Anna') => ({ resourceType: 'Patient', id, name: [{ family }] })
const binary = (id?: string) => ({
  resourceType: 'Binary',
  ...(id === undefined ? {} : { id }),
  contentType: 'application/pdf',
  data: 'JVBERi0xLjQ=',
})
const letter = (url: string, subject = 'Patient/p1', rest: object = {}) => ({
  resourceType: 'DocumentReference',
  id: 'd1',
  status: 'current',
  subject: { reference: subject },
  content: [{ attachment: { contentType: 'application/pdf', url } }],
  ...rest,
})
const observation = (subject: object, rest: object = {}) => ({
  resourceType: 'Observation',
  id: 'o1',
  status: 'final',
  code: { text: 'Weight' },
  subject,
  valueString: 'kept',
  ...rest,
})

async function take(house: TestHouse, text: string, grant = everything(), patient = house.anna) {
  const { counts, report } = await ingested(house, patient, grant, text)
  const parameters = (report?.parameter ?? []) as { name: string; valueString?: string }[]
  const warnings = parameters.filter(({ name }) => name === 'warning').map(({ valueString }) => valueString)
  return { counts, warnings }
}

async function binaryIds(house: TestHouse): Promise<string[]> {
  return (await found(house.record, 'Binary', '', ofPatient(house.anna))).map(({ id }) => `Binary/${id}`)
}

describe('the bytes of a document in the same file – https://hl7.org/fhir/R4/bundle.html#references', () => {
  it.each([
    ['a relative url', 'Binary/b1', [entry(binary('b1'))]],
    ['a relative url below the address of the entry', 'Binary/b1', [entry(binary('b1'), `${base}/Binary/b1`)]],
    ['an absolute url', `${base}/Binary/b1`, [entry(binary('b1'), `${base}/Binary/b1`)]],
    ['a url with a version', 'Binary/b1/_history/3', [entry(binary('b1'))]],
    ['a urn', uuid(3), [entry(binary(), uuid(3))]],
  ])('are found by %s, and are the patient’s', async (_, url, bytes) => {
    for (const order of ['after', 'before']) {
      const house = await openHouse()
      const document = entry(letter(url), `${base}/DocumentReference/d1`)
      const entries = order === 'after' ? [document, ...bytes] : [...bytes, document]
      const { counts, warnings } = await take(house, bundle(entry(patient(), `${base}/Patient/p1`), ...entries))
      expect({ created: counts.created, rejected: counts.rejected, warnings }).toEqual({
        created: 2,
        rejected: [],
        warnings: [],
      })
      const [stored] = await found(house.record, 'DocumentReference')
      const ids = await binaryIds(house)
      expect(ids).toHaveLength(1)
      expect(stored?.content).toMatchObject([{ attachment: { url: ids[0] } }])
      expect(await found(house.record, 'Binary', '', ofPatient(house.bert))).toEqual([])
    }
  })

  it.each([
    [
      'a report',
      {
        resourceType: 'DiagnosticReport',
        id: 'r',
        status: 'final',
        code: { text: 'x' },
        subject: { reference: 'Patient/p1' },
        presentedForm: [{ url: 'Binary/b1' }],
      },
    ],
    [
      'a picture',
      {
        resourceType: 'Media',
        id: 'm',
        status: 'completed',
        subject: { reference: 'Patient/p1' },
        content: { url: 'Binary/b1' },
      },
    ],
    [
      'a message',
      {
        resourceType: 'Communication',
        id: 'c',
        status: 'completed',
        subject: { reference: 'Patient/p1' },
        payload: [{ contentAttachment: { url: 'Binary/b1' } }],
      },
    ],
    [
      'a consent',
      {
        resourceType: 'Consent',
        id: 'c',
        status: 'active',
        scope: { text: 'x' },
        category: [{ text: 'x' }],
        policyRule: { text: 'x' },
        patient: { reference: 'Patient/p1' },
        sourceAttachment: { url: 'Binary/b1' },
      },
    ],
    [
      'a narrative',
      {
        ...observation({ reference: 'Patient/p1' }),
        text: {
          status: 'generated',
          div: '<div xmlns="http://www.w3.org/1999/xhtml"><img src="Binary/b1" alt="x"/></div>',
        },
      },
    ],
    [
      'a Reference',
      letter('https://elsewhere.example/x', 'Patient/p1', { context: { related: [{ reference: 'Binary/b1' }] } }),
    ],
  ])('may be shown by %s', async (_, resource) => {
    const house = await openHouse()
    await take(house, bundle(entry(patient()), entry(resource), entry(binary('b1'))))
    const [stored] = await found(house.record, resource.resourceType)
    const [id] = await binaryIds(house)
    expect(JSON.stringify(stored)).toContain(id)
    expect(JSON.stringify(stored)).not.toContain('Binary/b1"')
  })

  it('may be the photo of the patient', async () => {
    const house = await openHouse()
    await take(house, bundle(entry({ ...patient(), photo: [{ url: 'Binary/b1' }] }), entry(binary('b1'))))
    expect((await readPatient(house.record, house.anna)).photo).toEqual([{ url: (await binaryIds(house))[0] }])
  })

  it('are told to be missing where they are, and their address leads to nothing here', async () => {
    const house = await openHouse()
    const { warnings } = await take(house, bundle(entry(patient()), entry(letter('Binary/b9'))))
    expect(warnings).toEqual([expect.stringContaining('not in the file')])
    expect((await found(house.record, 'DocumentReference'))[0]?.content).toMatchObject([
      { attachment: { url: 'urn:kinhold:fhir:elsewhere:Binary/b9' } },
    ])
  })

  it('that are no valid Binary are refused and not pointed at', async () => {
    const house = await openHouse()
    const { counts, warnings } = await take(
      house,
      bundle(entry(patient()), entry(letter('Binary/b1')), entry({ resourceType: 'Binary', id: 'b1' })),
    )
    expect(counts.rejected).toMatchObject([{ row: 'Binary', reason: 'not-valid' }])
    expect(warnings).toHaveLength(1)
    expect((await found(house.record, 'DocumentReference'))[0]?.content).toMatchObject([
      { attachment: { url: 'urn:kinhold:fhir:elsewhere:Binary/b1' } },
    ])
  })

  it('that only somebody else’s document shows are refused with it', async () => {
    const house = await openHouse()
    const { counts } = await take(
      house,
      bundle(
        entry(patient(house.anna)),
        entry(patient('p2', 'Bert')),
        entry(letter('Binary/b1', 'Patient/p2')),
        entry(binary('b1')),
      ),
    )
    expect(counts.rejected).toMatchObject([
      { row: 'Patient', reason: 'other-patient' },
      { row: 'DocumentReference', reason: 'other-patient' },
      { row: 'Binary', reason: 'other-patient' },
    ])
    expect(await binaryIds(house)).toEqual([])
  })

  it('keep the address of a definition that has one', async () => {
    const house = await openHouse()
    const questions = { resourceType: 'Questionnaire', id: 'q', url: `${base}/Questionnaire/q`, status: 'active' }
    const answers = {
      resourceType: 'QuestionnaireResponse',
      id: 'a',
      status: 'completed',
      subject: { reference: 'Patient/p1' },
      questionnaire: `${base}/Questionnaire/q`,
    }
    await take(house, bundle(entry(patient()), entry(questions, `${base}/Questionnaire/q`), entry(answers)))
    expect((await found(house.record, 'QuestionnaireResponse'))[0]?.questionnaire).toBe(`${base}/Questionnaire/q`)
  })
})

describe('the subject of a resource in a file – https://hl7.org/fhir/R4/references.html', () => {
  const person = { ...patient(), identifier: [{ system: 'urn:hospital', value: '42' }] }
  const forms: [string, object, string | undefined, string | undefined][] = [
    ['relative', { reference: 'Patient/p1' }, undefined, undefined],
    ['of a version', { reference: 'Patient/p1/_history/2' }, undefined, undefined],
    ['with a type', { reference: 'Patient/p1', type: 'Patient' }, undefined, undefined],
    ['with a display', { reference: 'Patient/p1', display: 'Anna' }, undefined, undefined],
    [
      'relative, below the address of the entry',
      { reference: 'Patient/p1' },
      `${base}/Patient/p1`,
      `${base}/Observation/o1`,
    ],
    ['absolute', { reference: `${base}/Patient/p1` }, `${base}/Patient/p1`, undefined],
    ['absolute and of a version', { reference: `${base}/Patient/p1/_history/2` }, `${base}/Patient/p1`, undefined],
    ['absolute, where the Patient has no address', { reference: `${base}/Patient/p1` }, undefined, undefined],
    ['a urn', { reference: uuid(1) }, uuid(1), undefined],
    ['a number alone', { identifier: { system: 'urn:hospital', value: '42' } }, undefined, undefined],
    ['conditional on a number', { reference: 'Patient?identifier=urn:hospital|42' }, undefined, undefined],
    ['conditional, encoded', { reference: 'Patient?identifier=urn%3Ahospital%7C42' }, uuid(1), undefined],
    [
      'a number with a type',
      { type: 'Patient', identifier: { system: 'urn:hospital', value: '42' } },
      uuid(1),
      undefined,
    ],
  ]

  it.each(forms)('is the patient when it is %s', async (_, subject, patientUrl, ownUrl) => {
    const house = await openHouse()
    const { counts } = await take(house, bundle(entry(observation(subject), ownUrl), entry(person, patientUrl)))
    expect(counts.rejected).toEqual([])
    const [stored] = await found(house.record, 'Observation')
    expect(stored?.subject).toMatchObject({ reference: `Patient/${house.anna}` })
  })

  it.each([
    ['a contained Patient', [{ resourceType: 'Patient', id: 'c', name: [{ family: 'Anna' }] }]],
    ['a contained Patient of whom nothing is said', [{ resourceType: 'Patient', id: 'c' }]],
  ])('is the patient when it is %s that fits', async (_, contained) => {
    const house = await openHouse()
    const other = { resourceType: 'Practitioner', id: 'd', name: [{ family: 'Brandt' }] }
    const performer = [{ reference: '#d' }, { reference: '#c' }]
    await take(house, JSON.stringify(observation({ reference: '#c' }, { contained: [...contained, other], performer })))
    expect(await found(house.record, 'Observation')).toMatchObject([
      {
        subject: { reference: `Patient/${house.anna}` },
        contained: [{ id: 'd' }],
        performer: [{ reference: '#d' }, { reference: `Patient/${house.anna}` }],
      },
    ])
  })

  it.each([
    [
      'a contained Patient of another name',
      { reference: '#c' },
      { contained: [{ resourceType: 'Patient', id: 'c', name: [{ family: 'Zimmermann' }] }] },
    ],
    ['another id', { reference: 'Patient/p2' }, {}],
    ['another id and a version', { reference: 'Patient/p2/_history/1' }, {}],
    ['conditional on another number', { reference: 'Patient?identifier=urn:hospital|43' }, {}],
    ['conditional on a number of no authority', { reference: 'Patient?identifier=42' }, {}],
    ['conditional on more than a number', { reference: 'Patient?identifier=urn:hospital|42&active=false' }, {}],
    ['conditional on a name', { reference: 'Patient?name=Anna' }, {}],
    ['the same id at another address', { reference: 'https://other.example/fhir/Patient/p1' }, {}],
  ])('is somebody else when it is %s', async (_, subject, rest) => {
    const house = await openHouse()
    const anna = await createPatient(house.record, { name: [{ family: 'Anna' }] })
    const file = bundle(entry(person, `${base}/Patient/p1`), entry(observation(subject, rest)))
    const { counts } = await take(house, file, everything(), anna)
    expect(counts.rejected).toMatchObject([{ row: 'Observation', reason: 'other-patient' }])
    expect(await found(house.record, 'Observation')).toEqual([])
  })

  it('cannot be told when it is somebody else’s number, or a name', async () => {
    const house = await openHouse()
    for (const subject of [
      { identifier: { system: 'urn:hospital', value: '43' } },
      { identifier: { value: '42' } },
      { display: 'Anna' },
    ]) {
      const { counts } = await take(house, bundle(entry(person), entry(observation(subject))))
      expect(counts.rejected).toMatchObject([{ row: 'Observation', reason: 'element-missing' }])
    }
  })

  it('is one person when a file without a Patient names them in several ways', async () => {
    const house = await openHouse()
    const subjects = ['Patient/p1', 'Patient/p1/_history/2', `${base}/Patient/p1`]
    const entries = subjects.map((reference, i) => entry(observation({ reference }, { id: `o${i}` })))
    expect((await take(house, bundle(...entries))).counts).toMatchObject({ created: 3, rejected: [] })
    const group = entry({ resourceType: 'Group', id: 'g', type: 'person', actual: true }, uuid(7))
    const ofGroup = entry(observation({ reference: uuid(7) }, { id: 'og' }))
    expect((await take(house, bundle(entries[0] ?? {}, group, ofGroup))).counts.problem).toBeUndefined()
  })

  it('is found below the address of the entry before any other place of that id', async () => {
    const house = await openHouse()
    const encounter = (at: string) =>
      entry(
        {
          resourceType: 'Encounter',
          id: 'e',
          status: 'finished',
          class: { code: at.slice(8, 9) },
          subject: { reference: 'Patient/p1' },
        },
        `${at}/Encounter/e`,
      )
    const other = 'https://b.example/fhir'
    const said = (at: string) =>
      entry(
        observation({ reference: 'Patient/p1' }, { encounter: { reference: 'Encounter/e' } }),
        `${at}/Observation/o1`,
      )
    await take(house, bundle(entry(patient()), encounter(base), encounter(other), said(base), said(other)))
    const encounters = new Map(
      (await found(house.record, 'Encounter')).map(({ id, class: kind }) => [
        `Encounter/${id}`,
        (kind as { code: string }).code,
      ]),
    )
    const codes = (await found(house.record, 'Observation')).map(({ encounter: at }) =>
      encounters.get((at as { reference: string }).reference),
    )
    expect(codes.sort()).toEqual(['b', 'h'])
  })
})

describe('what is refused', () => {
  const referring = observation(
    { reference: 'Patient/p1' },
    { derivedFrom: [{ reference: 'Observation/bad', display: 'The other' }] },
  )

  it.each([
    ['is not valid', observation({ reference: 'Patient/p1' }, { id: 'bad', status: 7 })],
    ['is somebody else’s', observation({ reference: 'Patient/p2' }, { id: 'bad' })],
  ])('leaves no reference to it when it %s', async (_, bad) => {
    const house = await openHouse()
    for (const entries of [
      [bad, referring],
      [referring, bad],
    ]) {
      await take(house, bundle(entry(patient()), ...entries.map(one => entry(one))))
      const [stored] = await found(house.record, 'Observation')
      expect(stored?.derivedFrom).toEqual([{ identifier: { value: 'Observation/bad' }, display: 'The other' }])
    }
  })

  it('leaves no reference to what the grant may not write', async () => {
    const house = await openHouse()
    const bad = { resourceType: 'Condition', id: 'c', subject: { reference: 'Patient/p1' } }
    const said = observation({ reference: 'Patient/p1' }, { focus: [{ reference: 'Condition/c' }] })
    const grant = grantOf('patient/Observation.cruds patient/Provenance.c patient/Patient.rus', {
      patient: house.anna,
      patients: [],
    })
    await take(house, bundle(entry(patient()), entry(bad), entry(said)), grant)
    expect((await found(house.record, 'Observation'))[0]?.focus).toEqual([{ identifier: { value: 'Condition/c' } }])
  })

  it('is a file that names several people, by its places', async () => {
    const house = await openHouse()
    const { counts } = await take(house, bundle(entry(patient('p1', 'Zimmermann')), entry(patient('p2', 'Bert'))))
    expect(counts.problem).toMatchObject({ code: 'ingest.several-patients' })
    expect(await createPatient(house.record, {})).toBeDefined()
    const none: Resource[] = await found(house.record, 'Observation')
    expect(none).toEqual([])
  })
})
