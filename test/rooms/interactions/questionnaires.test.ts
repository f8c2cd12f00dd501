import { type Answer, type Asked, grantOf, type House, openHouse } from './house.ts'

const url = 'http://example.org/Questionnaire/tea'
const north = grantOf('user/*.cruds', { account: 'north', patients: [] })
const south = grantOf('user/*.cruds', { account: 'south', patients: [] })
const clinic = grantOf('system/*.cruds', { account: 'clinic' })
const machine = grantOf('system/*.cruds')
const blind = grantOf('user/QuestionnaireResponse.cruds', { account: 'north', patients: [] })

let house: House
beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house.close())

const ask = (method: string, path: string, asked: Asked = {}) => house.ask(method, path, { grant: north, ...asked })
const codeOf = ({ json }: Answer): string => json.issue[0].details.coding?.[0].code
const placesOf = ({ json }: Answer): readonly string[] =>
  json.issue
    .filter(({ severity }: { severity: string }) => severity !== 'information')
    .map(({ severity, expression }: { severity: string; expression: string[] }) => `${severity} ${expression}`)

const narrative = { text: { status: 'generated', div: '<div xmlns="http://www.w3.org/1999/xhtml">x</div>' } }
const tea = (more: object = {}) => ({
  resourceType: 'Questionnaire',
  url,
  status: 'active',
  ...narrative,
  item: [{ linkId: 'cups', type: 'integer', required: true }],
  ...more,
})
const cups = { linkId: 'cups', answer: [{ valueInteger: 3 }] }
const response = (more: object = {}) => ({
  resourceType: 'QuestionnaireResponse',
  questionnaire: url,
  status: 'completed',
  ...narrative,
  item: [cups],
  ...more,
})
const without = (more: object = {}) => response({ item: [{ linkId: 'cups', text: 'Cups?' }], ...more })
const path = '/QuestionnaireResponse'

/** https://hl7.org/fhir/R4/questionnaireresponse.html#notes */
describe('a Questionnaire that a family keeps', () => {
  let id = ''
  beforeAll(async () => {
    const made = await ask('POST', '/Questionnaire', { body: tea({ version: '1' }) })
    expect(made.status).toBe(201)
    id = made.json.id
  })

  it('judges responses by $validate, of whatever status', async () => {
    expect(placesOf(await ask('POST', `${path}/$validate`, { body: response() }))).toEqual([])
    expect(placesOf(await ask('POST', `${path}/$validate`, { body: without() }))).toEqual([
      'error QuestionnaireResponse.item',
    ])
    expect(placesOf(await ask('POST', `${path}/$validate`, { body: without({ status: 'in-progress' }) }))).toEqual([
      'warning QuestionnaireResponse.item',
    ])
  })

  it('refuses what breaks it where it is created, updated, patched, and brought by a Bundle', async () => {
    const refused = await ask('POST', path, { body: without() })
    expect([refused.status, codeOf(refused)]).toEqual([422, 'validation.questionnaire-broken'])
    const made = await ask('POST', path, { body: without({ status: 'in-progress' }) })
    expect(made.status).toBe(201)
    const place = `${path}/${made.json.id}`
    const finished = await ask('PUT', place, { body: without({ id: made.json.id }) })
    expect([finished.status, codeOf(finished)]).toEqual([422, 'validation.questionnaire-broken'])
    const patched = await ask('PATCH', place, {
      body: [{ op: 'replace', path: '/status', value: 'completed' }],
      headers: { 'content-type': 'application/json-patch+json' },
    })
    expect([patched.status, codeOf(patched)]).toEqual([422, 'validation.questionnaire-broken'])
    expect((await ask('PUT', place, { body: response({ id: made.json.id }) })).status).toBe(200)
    const entry = [{ resource: without(), request: { method: 'POST', url: 'QuestionnaireResponse' } }]
    const sent = await ask('POST', '/', { body: { resourceType: 'Bundle', type: 'transaction', entry } })
    expect([sent.status, codeOf(sent)]).toEqual([422, 'validation.questionnaire-broken'])
    const batch = await ask('POST', '/', { body: { resourceType: 'Bundle', type: 'batch', entry } })
    expect(batch.json.entry[0].response.status).toMatch(/^422/)
  })

  it('is told apart from a profile that is claimed', async () => {
    const both = without({ meta: { profile: ['http://hl7.org/fhir/StructureDefinition/QuestionnaireResponse'] } })
    expect(codeOf(await ask('POST', path, { body: both }))).toBe('validation.questionnaire-broken')
  })

  it('judges by the version that is named', async () => {
    expect((await ask('POST', path, { body: without({ questionnaire: `${url}|1` }) })).status).toBe(422)
    expect((await ask('POST', path, { body: without({ questionnaire: `${url}|2` }) })).status).toBe(201)
    const newer = tea({ version: '2', item: [{ linkId: 'cups', type: 'integer' }] })
    expect((await ask('POST', '/Questionnaire', { body: newer })).status).toBe(201)
    expect((await ask('POST', path, { body: without({ questionnaire: `${url}|2` }) })).status).toBe(201)
    expect((await ask('POST', path, { body: without({ questionnaire: `${url}|1` }) })).status).toBe(422)
  })

  it('judges nobody else: neither another family, nor who reaches all, nor who may not search it', async () => {
    for (const grant of [south, clinic, machine, blind]) {
      expect((await ask('POST', path, { grant, body: without({ questionnaire: `${url}|1` }) })).status).toBe(201)
      const asked = await ask('POST', `${path}/$validate`, { grant, body: without({ questionnaire: `${url}|1` }) })
      expect(placesOf(asked)).toEqual(['warning QuestionnaireResponse.questionnaire'])
    }
    // Under the same url the other family keeps its own, which asks something else.
    const other = tea({ version: '1', item: [{ linkId: 'sugar', type: 'boolean' }] })
    expect((await ask('POST', '/Questionnaire', { grant: south, body: other })).status).toBe(201)
    const named = response({ questionnaire: `${url}|1` })
    expect((await ask('POST', path, { body: named })).status).toBe(201)
    expect(codeOf(await ask('POST', path, { grant: south, body: named }))).toBe('validation.questionnaire-broken')
  })

  it('judges no longer once it is gone', async () => {
    expect((await ask('DELETE', `/Questionnaire/${id}`)).status).toBeLessThan(300)
    expect((await ask('POST', path, { body: without({ questionnaire: `${url}|1` }) })).status).toBe(201)
  })
})

describe('a Questionnaire that comes with its response', () => {
  it('judges it, wherever it is sent', async () => {
    const contained = [{ ...tea({ text: undefined }), id: 'q' }]
    const refused = await ask('POST', path, { body: without({ contained, questionnaire: '#q' }) })
    expect([refused.status, codeOf(refused)]).toEqual([422, 'validation.questionnaire-broken'])
    expect((await ask('POST', path, { body: response({ contained, questionnaire: '#q' }) })).status).toBe(201)
  })

  it('names value sets that are kept', async () => {
    const set = 'http://example.org/ValueSet/leaves'
    const system = 'http://example.org/leaves'
    const compose = { include: [{ system, concept: [{ code: 'black' }] }] }
    expect(
      (
        await ask('POST', '/ValueSet', {
          body: { resourceType: 'ValueSet', url: set, status: 'active', compose, ...narrative },
        })
      ).status,
    ).toBe(201)
    const item = [{ linkId: 'leaf', type: 'choice', answerValueSet: set }]
    const contained = [{ ...tea({ item, text: undefined }), id: 'q' }]
    const sent = (code: string) =>
      response({
        contained,
        questionnaire: '#q',
        item: [{ linkId: 'leaf', answer: [{ valueCoding: { system, code } }] }],
      })
    expect((await ask('POST', path, { body: sent('black') })).status).toBe(201)
    expect(codeOf(await ask('POST', path, { body: sent('blue') }))).toBe('validation.questionnaire-broken')
  })
})
