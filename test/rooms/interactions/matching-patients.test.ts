import { openIngest } from '#ingest'
import { silentLog } from '#kernel'
import { createValidator } from '#validation'
import { admin, baseUrl, grantOf, type House, openHouse } from './house.ts'

const mrn = (value: string, more: object = {}) => ({
  system: 'urn:oid:1.2.3',
  value,
  type: { coding: [{ code: 'MR' }] },
  ...more,
})
const named = (family: string, ...given: string[]) => [{ family, given }]

const people: Readonly<Record<string, object>> = {
  anna: { name: named('Birch', 'Anna'), birthDate: '1980-02-03', gender: 'female', identifier: [mrn('1')] },
  twin: { name: named('Birch', 'Hanna'), birthDate: '1980-02-03', gender: 'female', identifier: [mrn('2')] },
  young: { name: named('Birch', 'Anna'), birthDate: '2010-05-06', gender: 'female' },
  undated: { name: named('Birch', 'Anna') },
  carl: { name: named('Cedar', 'Carl'), birthDate: '1955-01-01', gender: 'male', identifier: [mrn('3')] },
}

let house: House
let matching: ReturnType<typeof openIngest>['people']
beforeAll(async () => {
  const ingest = { ready: (): ReturnType<typeof openIngest>['people'] => Promise.reject() as never }
  house = await openHouse({
    people: {
      match: request => ingest.ready().match(request),
      merge: request => ingest.ready().merge(request),
      unmerge: request => ingest.ready().unmerge(request),
      review: { page: async () => ({ held: [] }), show: () => Promise.reject(), decide: () => Promise.reject() },
    },
  })
  const { record, clock } = house
  const opened = openIngest({ record, validator: createValidator(), clock, log: silentLog, baseUrl })
  matching = opened.people
  ingest.ready = () => matching
  for (const [id, elements] of Object.entries(people))
    await house.ask('PUT', `/Patient/${id}`, { grant: admin, body: { resourceType: 'Patient', id, ...elements } })
})
afterAll(() => house.close())

const ask = (resource: unknown, grant = admin, more: readonly object[] = []) =>
  house.ask('POST', '/Patient/$match', {
    grant,
    body: { resourceType: 'Parameters', parameter: [{ name: 'resource', resource }, ...more] },
  })
const patient = (elements: object) => ({ resourceType: 'Patient', ...elements })
type Answer = Awaited<ReturnType<typeof ask>>
interface Entry {
  readonly fullUrl: string
  readonly resource: { readonly id: string }
  readonly search: { readonly mode: string; readonly score: number; readonly extension: [{ valueCode: string }] }
}
const entriesOf = ({ json }: Answer): readonly Entry[] => json.entry ?? []
const found = (answer: Answer) =>
  entriesOf(answer).map(({ resource, search }) => [resource.id, search.extension[0].valueCode])
const codeOf = (answer: Answer) => answer.json.issue[0].details.coding[0].code

describe('Patient/$match – https://hl7.org/fhir/R4/patient-operation-match.html', () => {
  it('grades by the rule of imports: who has the number and fits is certain, others only may be', async () => {
    const answer = await ask(patient({ name: named('Birch', 'Anna'), birthDate: '1980-02-03', identifier: [mrn('1')] }))
    expect(found(answer)).toEqual([
      ['anna', 'certain'],
      ['undated', 'possible'],
    ])
    expect(answer.json).toMatchObject({ resourceType: 'Bundle', type: 'searchset', total: 2 })
    expect(entriesOf(answer)[0]).toMatchObject({
      fullUrl: `${baseUrl}/Patient/anna`,
      search: {
        mode: 'match',
        score: 1,
        extension: [{ url: 'http://hl7.org/fhir/StructureDefinition/match-grade', valueCode: 'certain' }],
      },
    })
    expect(createValidator().validate(answer.json)).toEqual([])
  })

  it.each<[string, object, [string, string][]]>([
    [
      'name and birth date alone',
      { name: named('Birch', 'Anna'), birthDate: '1980-02-03' },
      [
        ['anna', 'probable'],
        ['twin', 'possible'],
        ['undated', 'possible'],
      ],
    ],
    [
      'a name that is written otherwise',
      { name: named('Byrch', 'Ana'), birthDate: '1980-02-03' },
      [
        ['anna', 'possible'],
        ['twin', 'possible'],
      ],
    ],
    ['a name alone', { name: named('Cedar', 'Carl') }, [['carl', 'possible']]],
    ['a number alone', { identifier: [mrn('3')] }, [['carl', 'certain']]],
    [
      'a number of somebody else',
      { name: named('Cedar', 'Carl'), birthDate: '1955-01-01', identifier: [mrn('1')] },
      [],
    ],
    ['another sex', { name: named('Cedar', 'Carl'), birthDate: '1955-01-01', gender: 'female' }, []],
    [
      'a slip in the date',
      { name: named('Cedar', 'Carl'), birthDate: '1955-01-02', identifier: [mrn('3')] },
      [['carl', 'possible']],
    ],
    ['a number without its authority', { identifier: [{ value: '3' }] }, []],
    ['nothing', {}, []],
    ['nobody', { name: named('Oak', 'Otto'), birthDate: '1999-09-09' }, []],
  ])('%s', async (_what, elements, matches) => {
    expect(found(await ask(patient(elements)))).toEqual(matches)
  })

  it('takes the Patient itself as its body, with the rest in the URL', async () => {
    const body = patient({ name: named('Birch', 'Anna'), birthDate: '1980-02-03', identifier: [mrn('1')] })
    expect(found(await house.ask('POST', '/Patient/$match?count=1', { grant: admin, body }))).toEqual([
      ['anna', 'certain'],
    ])
  })

  it('gives only who is certain where that is wanted, and at most as many as are wanted', async () => {
    const only = { name: 'onlyCertainMatches', valueBoolean: true }
    const whole = patient({ name: named('Birch', 'Anna'), birthDate: '1980-02-03' })
    expect(found(await ask(whole, admin, [only]))).toEqual([])
    expect(found(await ask(patient({ identifier: [mrn('3')] }), admin, [only]))).toEqual([['carl', 'certain']])
    expect(found(await ask(whole, admin, [{ name: 'count', valueInteger: 1 }]))).toEqual([['anna', 'probable']])
  })

  it('finds nobody who is not within reach, and needs the right to search and to read', async () => {
    const whole = patient({ name: named('Birch', 'Anna'), birthDate: '1980-02-03', identifier: [mrn('1')] })
    expect(
      found(await ask(whole, grantOf('user/Patient.rs', { patients: ['undated', 'carl'], account: 'x' }))),
    ).toEqual([['undated', 'possible']])
    expect(found(await ask(whole, grantOf('patient/Patient.rs', { patient: 'carl' })))).toEqual([])
    expect(found(await ask(whole, grantOf('patient/Patient.rs', { patient: 'anna' })))).toEqual([['anna', 'certain']])
    for (const scope of ['patient/Patient.r', 'patient/Patient.s', 'patient/Observation.rs'])
      expect((await ask(whole, grantOf(scope, { patient: 'anna' }))).status).toBe(403)
  })

  it('records with each who was shown that they were', async () => {
    await ask(patient({ identifier: [mrn('3')] }))
    await house.record.flush()
    const events = await house.ask('GET', '/AuditEvent?patient=carl&_sort=-date', { grant: admin })
    expect(JSON.stringify(events.json)).toContain('Patient/carl')
  })

  it.each([
    ['match.patient-missing', []],
    ['match.patient-missing', [{ name: 'resource', resource: { resourceType: 'Person' } }]],
    ['match.patient-missing', [{ name: 'resource', valueString: 'secret' }]],
    [
      'match.parameter-unknown',
      [
        { name: 'resource', resource: patient({}) },
        { name: 'secret', valueString: 'secret' },
      ],
    ],
    [
      'match.count-malformed',
      [
        { name: 'resource', resource: patient({}) },
        { name: 'count', valueInteger: 0 },
      ],
    ],
    [
      'match.count-malformed',
      [
        { name: 'resource', resource: patient({}) },
        { name: 'count', valueString: 'secret' },
      ],
    ],
    [
      'request.boolean-malformed',
      [
        { name: 'resource', resource: patient({}) },
        { name: 'onlyCertainMatches', valueString: 'secret' },
      ],
    ],
    [
      'operation.parameter-malformed',
      [
        { name: 'resource', resource: patient({}) },
        { name: 'count', valuePeriod: {} },
      ],
    ],
  ])('%s is refused: %j', async (code, parameter) => {
    const answer = await house.ask('POST', '/Patient/$match', {
      grant: admin,
      body: { resourceType: 'Parameters', parameter },
    })
    expect([answer.status, codeOf(answer)]).toEqual([400, code])
    expect(answer.text).not.toContain('secret')
  })

  it('compares no more than a person can have', async () => {
    const names = Array.from({ length: 2_000 }, (_, at) => ({ family: `Birch${at}` }))
    for (const elements of [
      { name: names },
      { name: named('x'.repeat(5_000)) },
      { identifier: names.map((_, at) => mrn(`${at}`)) },
    ])
      expect(codeOf(await ask(patient(elements)))).toBe('ingest.match-too-much')
  })

  it('reads none of the names and numbers of somebody who has too many', async () => {
    let read = 0
    const counted = (own: object) => ({
      get value() {
        read++
        return '1'
      },
      get family() {
        read++
        return 'Birch'
      },
      ...own,
    })
    const many = (count: number, own: object = {}) => Array.from({ length: count }, () => counted(own))
    const match = (elements: object) =>
      matching.match({ grant: admin, patient: { resourceType: 'Patient', ...elements } }).catch(error => error.code)
    for (const elements of [{ identifier: many(65) }, { name: many(201) }, { identifier: [mrn('1')], name: many(201) }])
      expect(await match(elements)).toBe('ingest.match-too-much')
    expect(read).toBe(0)
    expect(await match({ identifier: many(64, { system: 'urn:none' }), name: many(200) })).not.toBe(
      'ingest.match-too-much',
    )
    expect(read).toBeGreaterThan(264)
  })
})
