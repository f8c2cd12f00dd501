import { type Answer, type Asked, admin, grantOf, type House, openHouse, patientA } from './house.ts'

const url = 'http://example.org/Measure/steps'
const north = grantOf('user/*.cruds', { account: 'north', patients: ['a'] })
const south = grantOf('user/*.cruds', { account: 'south', patients: [] })
const machine = grantOf('system/*.cruds')

let house: House
beforeAll(async () => {
  house = await openHouse()
  await house.ask('PUT', `/Patient/${patientA.id}`, { grant: admin, body: patientA })
})
afterAll(() => house.close())

const ask = (method: string, path: string, asked: Asked = {}) => house.ask(method, path, { grant: north, ...asked })
const codeOf = ({ json }: Answer): string => json.issue[0].details.coding?.[0].code
const errorsOf = ({ json }: Answer): readonly string[] =>
  json.issue
    .filter(({ severity }: { severity: string }) => severity === 'error')
    .flatMap(({ expression }: { expression: readonly string[] }) => expression)

const population = (code: string) => ({
  code: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/measure-population', code }] },
})
const criteria = { language: 'text/plain', expression: 'all' }
const measure = {
  resourceType: 'Measure',
  url,
  status: 'active',
  group: [{ population: [{ ...population('numerator'), criteria }] }],
}
const report = (code: string) => ({
  resourceType: 'MeasureReport',
  status: 'complete',
  type: 'summary',
  measure: url,
  period: { start: '2026' },
  group: [{ population: [{ ...population(code), count: 1 }] }],
})

/** https://hl7.org/fhir/R4/measurereport.html */
describe('a Measure that a family keeps', () => {
  beforeAll(async () => {
    expect((await ask('POST', '/MeasureReport', { body: report('denominator') })).status).toBe(201)
    expect((await ask('POST', '/Measure', { body: measure })).status).toBe(201)
  })

  it('judges its reports, where they are asked about and where they are written', async () => {
    expect((await ask('POST', '/MeasureReport', { body: report('numerator') })).status).toBe(201)
    const refused = await ask('POST', '/MeasureReport', { body: report('denominator') })
    expect([refused.status, codeOf(refused)]).toEqual([422, 'validation.profile-broken'])
    const place = 'MeasureReport.group[0].population[0]'
    expect(errorsOf(refused)).toEqual([place])
    expect(errorsOf(await ask('POST', '/MeasureReport/$validate', { body: report('denominator') }))).toEqual([place])
  })

  it('judges no report of others', async () => {
    for (const grant of [south, machine]) {
      expect((await ask('POST', '/MeasureReport', { body: report('denominator'), grant })).status).toBe(201)
      expect(errorsOf(await ask('POST', '/MeasureReport/$validate', { body: report('denominator'), grant }))).toEqual(
        [],
      )
    }
  })
})

/** https://hl7.org/fhir/R4/references.html#canonical */
describe('a profile that is named by the beginning of a version', () => {
  const profile = 'http://example.org/StructureDefinition/versions'
  const version = (text: string, path: string) => ({
    resourceType: 'StructureDefinition',
    url: profile,
    version: text,
    name: 'Versions',
    status: 'active',
    kind: 'resource',
    abstract: false,
    type: 'Basic',
    derivation: 'constraint',
    baseDefinition: 'http://hl7.org/fhir/StructureDefinition/Basic',
    differential: { element: [{ id: path, path, min: 1 }] },
  })
  const claiming = (named: string) => ({
    resourceType: 'Basic',
    code: { text: 'x' },
    meta: { profile: [`${profile}|${named}`] },
  })
  beforeAll(async () => {
    for (const [text, path] of [
      ['0.2.10', 'Basic.created'],
      ['0.2.9', 'Basic.author'],
      ['0.1.3', 'Basic.subject'],
      ['0.20.1', 'Basic.identifier'],
    ] as const)
      expect((await ask('POST', '/StructureDefinition', { body: version(text, path) })).status).toBe(201)
  })

  it.each([
    ['0.2', 'Basic.created'],
    ['0.2.9', 'Basic.author'],
    ['0.1', 'Basic.subject'],
    ['0', 'Basic.identifier'],
  ])('%s', async (named, place) => {
    expect(errorsOf(await ask('POST', '/Basic/$validate', { body: claiming(named) }))).toEqual([place])
  })

  it('and by none that is there, or that another account has, is not judged', async () => {
    for (const named of ['0.3', '0.2.', '0.2.1', 'x'])
      expect(errorsOf(await ask('POST', '/Basic/$validate', { body: claiming(named) }))).toEqual([])
    for (const grant of [south, machine])
      expect(errorsOf(await ask('POST', '/Basic/$validate', { body: claiming('0.2'), grant }))).toEqual([])
  })
})

/** https://hl7.org/fhir/R4/observation-vitalsigns.html */
describe('a heart rate as a watch sends it', () => {
  const beats = {
    resourceType: 'Observation',
    status: 'final',
    code: { coding: [{ system: 'http://loinc.org', code: '8867-4' }] },
    subject: { reference: 'Patient/a' },
    valueQuantity: { value: 61, unit: 'bpm' },
  }

  it('is kept, and whoever asks is told what R4 wants of it', async () => {
    expect((await ask('POST', '/Observation', { body: beats })).status).toBe(201)
    expect(errorsOf(await ask('POST', '/Observation/$validate', { body: beats }))).toContain('Observation.category')
  })
})
