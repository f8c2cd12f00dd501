import { admin, grantOf, type House, openHouse, patientA, weightOf } from './house.ts'

let house: House
const own = grantOf('patient/*.cruds', { patient: 'a' })
const json = { 'content-type': 'application/json-patch+json' }
const codeOf = (answer: { json: { issue: { details: { coding: { code: string }[] } }[] } }) =>
  answer.json.issue[0]?.details.coding[0]?.code

// Nothing is changed by any of them, so that one house does for all.
beforeAll(async () => {
  house = await openHouse()
  await house.ask('PUT', '/Patient/a', { grant: admin, body: patientA })
  await house.ask('PUT', '/Observation/w', { grant: admin, body: { ...weightOf('a', 70), id: 'w' } })
})
afterAll(() => house.close())

const patch = (url: string, headers: { [name: string]: string }, body: object | string) =>
  house.ask('PATCH', url, { grant: own, headers, body })
const weight = async () => (await house.ask('GET', '/Observation/w', { grant: admin })).json

/** A part of an operation, with its value under the name that says its type. */
const part = (name: string, value: object) => ({ name, ...value })
const operation = (type: string, path: string, ...parts: object[]) => ({
  name: 'operation',
  part: [part('type', { valueCode: type }), part('path', { valueString: path }), ...parts],
})
const pathPatch = (...parameter: object[]) => ({ resourceType: 'Parameters', parameter })
const byPath = (...parameter: object[]) => patch('/Observation/w', {}, pathPatch(...parameter))

describe('a JSON Patch that cannot be – https://hl7.org/fhir/R4/http.html#patch', () => {
  it.each([
    ['{}', 400, 'patch.malformed'],
    ['[{"op":"paint","path":"/status"}]', 400, 'patch.malformed'],
    ['[{"op":"add","path":"status","value":"x"}]', 400, 'patch.malformed'],
    ['[{"op":"add","path":"/note"}]', 400, 'patch.malformed'],
    ['[null]', 400, 'patch.malformed'],
    ['[{"op":"add","path":"/constructor/x","value":1}]', 400, 'patch.malformed'],
    ['[{"op":"add","path":"/__proto__","value":1}]', 400, 'patch.malformed'],
    ['', 400, 'body.missing'],
    ['[{"op":"test","path":"/status","value":"secret"}]', 422, 'patch.failed'],
    ['[{"op":"remove","path":"/note"}]', 422, 'patch.failed'],
    ['[{"op":"replace","path":"/category/x","value":1}]', 422, 'patch.failed'],
    ['[{"op":"add","path":"/category/2","value":{}}]', 422, 'patch.failed'],
    ['[{"op":"move","from":"/category/0","path":"/category/1"}]', 422, 'patch.failed'],
    ['[{"op":"replace","path":"/id","value":"other"}]', 422, 'patch.identity-changed'],
    ['[{"op":"replace","path":"/resourceType","value":"Patient"}]', 422, 'patch.identity-changed'],
    ['[{"op":"replace","path":"","value":{"resourceType":"Patient"}}]', 422, 'patch.identity-changed'],
    ['[{"op":"remove","path":"/status"}]', 422, 'validation.failed'],
    ['[{"op":"add","path":"/colour","value":"red"}]', 422, 'validation.failed'],
  ])('refuses %s and changes nothing', async (body, status, code) => {
    const answer = await patch('/Observation/w', json, body)
    expect([answer.status, codeOf(answer)]).toEqual([status, code])
    expect(answer.text).not.toMatch(/secret|kg/)
    expect((await weight()).meta.versionId).toBe('1')
  })
})

describe('a FHIRPath Patch that cannot be – https://hl7.org/fhir/R4/fhirpatch.html', () => {
  it.each([
    [operation('delete', 'Observation.category.coding |'), 400, 'patch.malformed'],
    [operation('delete', "Observation.code.text.matches('(a+)+')"), 400, 'patch.malformed'],
    [operation('delete', 'Observation.descendants()'), 400, 'patch.malformed'],
    [operation('delete', 'Observation.repeat($this)'), 400, 'patch.malformed'],
    [operation('delete', 'Observation.subject.resolve()'), 400, 'patch.malformed'],
    [operation('delete', '%resource.note'), 400, 'patch.malformed'],
    [operation('delete', `Observation${'.where(true)'.repeat(200)}`), 400, 'patch.malformed'],
    [operation('paint', 'Observation'), 400, 'patch.malformed'],
    [operation('replace', 'Observation.status'), 400, 'patch.malformed'],
    [
      operation('insert', 'Observation.note', part('value', { valueAnnotation: { text: 'x' } })),
      400,
      'patch.malformed',
    ],
    [{ name: 'operations', part: [] }, 400, 'patch.malformed'],
    [operation('delete', 'Observation'), 422, 'patch.failed'],
    [operation('delete', "'text'"), 422, 'patch.failed'],
    [operation('replace', 'Observation.note', part('value', { valueString: 'x' })), 422, 'patch.failed'],
    [
      operation('add', 'Observation', part('name', { valueString: 'status' }), part('value', { valueCode: 'amended' })),
      422,
      'patch.failed',
    ],
    [
      operation('add', 'Observation', part('name', { valueString: 'colour' }), part('value', { valueCode: 'red' })),
      422,
      'patch.failed',
    ],
    [
      operation(
        'insert',
        'Observation.category',
        part('index', { valueInteger: 2 }),
        part('value', { valueCodeableConcept: {} }),
      ),
      422,
      'patch.failed',
    ],
    [
      operation(
        'move',
        'Observation.category',
        part('source', { valueInteger: 0 }),
        part('destination', { valueInteger: 1 }),
      ),
      422,
      'patch.failed',
    ],
    [operation('replace', 'Observation.id', part('value', { valueId: 'x' })), 422, 'patch.identity-changed'],
    [operation('replace', 'Observation.status', part('value', { valueInteger: 5 })), 422, 'validation.failed'],
  ])('refuses %j and changes nothing', async (given, status, code) => {
    const answer = await byPath(operation('delete', 'Observation.category'), given)
    expect([answer.status, codeOf(answer)]).toEqual([status, code])
    expect((await weight()).meta.versionId).toBe('1')
  })
})
