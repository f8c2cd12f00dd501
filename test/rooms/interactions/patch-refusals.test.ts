import { withBudget } from '#kernel'
import { admin, grantOf, type House, openHouse, patientA, weightOf } from './house.ts'
import { operation, part, pathPatch } from './path-patches.ts'

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

describe('what a patch makes', () => {
  const nested = (levels: number) => '/extension/0'.repeat(levels)
  const place = (url: string) => ({ op: 'add', path: '', value: [{ url }] })
  /** Extensions within extensions, each put there by an operation of its own; two levels each. */
  const deeper = (levels: number) => [
    ...Array.from({ length: levels }, (_, i) => ({ ...place('urn:x'), path: `${nested(i)}/extension` })),
    { op: 'add', path: `${nested(levels)}/valueString`, value: 'x' },
  ]

  it('is no deeper than it can be read again, however it was nested', async () => {
    for (const levels of [32, 60, 500]) {
      const answer = await patch('/Observation/w', json, deeper(levels))
      expect([levels, answer.status, codeOf(answer)]).toEqual([levels, 400, 'patch.malformed'])
    }
    const inner = Array.from({ length: 12 }).reduce<object>(within => ({ url: 'urn:x', extension: [within] }), {
      url: 'y',
    })
    const answered = await patch('/Observation/w', json, [
      ...deeper(25).slice(0, -1),
      { op: 'add', path: `${nested(25)}/extension`, value: [inner] },
    ])
    expect([answered.status, codeOf(answered)]).toEqual([422, 'patch.failed'])
    // By copies of what is in itself, by FHIRPath, and by parts of parts.
    const within = { op: 'copy', from: '/extension', path: '/extension/0/extension' }
    const grown = [{ ...place('urn:x'), path: '/extension' }, ...Array.from({ length: 40 }, () => within)]
    expect((await patch('/Observation/w', json, grown)).status).toBe(422)
    const parts = Array.from({ length: 40 }, (_, i) =>
      operation(
        'add',
        `Observation${'.extension'.repeat(i)}`,
        part('name', { valueString: 'extension' }),
        part('value', { valueExtension: { url: 'urn:x' } }),
      ),
    )
    const answer = await byPath(...parts)
    expect([answer.status, codeOf(answer)]).toEqual([422, 'patch.failed'])
    expect((await weight()).meta.versionId).toBe('1')
  })

  it('is charged for all that copies multiply: budget.parsed-exceeded', async () => {
    const copies = (count: number, from: string, path: string) =>
      Array.from({ length: count }, () => ({ op: 'copy', from, path }))
    const first = { op: 'add', path: '/extension', value: [{ url: 'urn:x', valueString: 'x'.repeat(50_000) }] }
    for (const growing of [
      copies(40, '/extension', '/extension/-'),
      copies(400, '/extension/0', '/extension/-'),
      copies(40, '', '/contained/-'),
      copies(200, '/extension/0/valueString', '/extension/0/url'),
    ]) {
      const operations = [first, { op: 'add', path: '/contained', value: [] }, ...growing]
      const answer = await withBudget({}, () => patch('/Observation/w', json, operations))
      expect([answer.status, codeOf(answer)]).toEqual([422, 'budget.parsed-exceeded'])
    }
    expect((await weight()).meta.versionId).toBe('1')
  })

  it('is no larger, patch after patch, than what could be sent: patch.resource-too-large', async () => {
    const attachment = { contentType: 'text/plain', data: 'AAAA'.repeat(8 * 1024 * 1024 + 1) }
    const large = { resourceType: 'DocumentReference', id: 'd', status: 'current', content: [{ attachment }] }
    const subject = { reference: 'Patient/a' }
    expect((await house.ask('PUT', '/DocumentReference/d', { grant: admin, body: { ...large, subject } })).status).toBe(
      201,
    )
    const answer = await patch('/DocumentReference/d', json, [{ op: 'add', path: '/description', value: 'x' }])
    expect([answer.status, codeOf(answer)]).toEqual([413, 'patch.resource-too-large'])
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
