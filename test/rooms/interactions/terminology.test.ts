import { catalogue } from '#interactions'
import { withBudget } from '#kernel'
import { createValidator } from '#validation'
import { type Answer, type Asked, admin, grantOf, type House, openHouse } from './house.ts'

const hl7 = 'http://hl7.org/fhir'
const gender = `${hl7}/administrative-gender`
const genders = `${hl7}/ValueSet/administrative-gender`
const act = 'http://terminology.hl7.org/CodeSystem/v3-ActCode'
const north = grantOf('user/*.cruds', { account: 'north', patients: [] })
const south = grantOf('user/*.cruds', { account: 'south', patients: [] })

let house: House
beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house.close())

const validator = createValidator()
/** Whatever is answered is valid R4. */
async function ask(method: string, url: string, asked: Asked = {}): Promise<Answer> {
  const answer = await house.ask(method, url, { grant: north, ...asked })
  expect([url, validator.validate(answer.json)]).toEqual([url, []])
  return answer
}
const get = (path: string, query: Readonly<Record<string, string>>, asked: Asked = {}) =>
  ask('GET', `${path}?${new URLSearchParams(query)}`, asked)
const post = (path: string, parameter: readonly object[], asked: Asked = {}) =>
  ask('POST', path, { body: { resourceType: 'Parameters', parameter }, ...asked })
const codeOf = ({ json }: Answer): string => json.issue[0].details.coding[0].code

interface Told {
  readonly name: string
  readonly part?: readonly Told[]
  readonly [value: `value${string}`]: unknown
}
const told = ({ json }: Answer, name: string): unknown[] =>
  json.parameter.filter((each: Told) => each.name === name).map(plainOf)
const plainOf = ({ name: _, part, ...value }: Told): unknown =>
  part === undefined ? Object.values(value)[0] : Object.fromEntries(part.map(each => [each.name, plainOf(each)]))
const codes = ({ json }: Answer): string[] => (json.expansion.contains ?? []).map(({ code }: { code: string }) => code)

const animals = (url: string, more: object = {}) => ({
  resourceType: 'CodeSystem',
  url,
  version: '1',
  name: 'Animals',
  status: 'active',
  content: 'complete',
  hierarchyMeaning: 'is-a',
  property: [{ code: 'legs', type: 'integer' }],
  concept: [
    {
      code: 'animal',
      display: 'Animal',
      concept: [
        {
          code: 'dog',
          display: 'Dog',
          definition: 'It barks.',
          designation: [{ language: 'de', value: 'Hund' }],
          property: [{ code: 'legs', valueInteger: 4 }],
        },
        { code: 'bird', display: 'Bird' },
      ],
    },
  ],
  ...more,
})
const setOf = (url: string, include: readonly object[], more: object = {}) => ({
  resourceType: 'ValueSet',
  url,
  status: 'active',
  compose: { include },
  ...more,
})
const keep = async (
  resource: { readonly resourceType: string; readonly [element: string]: unknown },
  grant = north,
): Promise<string> => (await house.ask('POST', `/${resource.resourceType}`, { grant, body: resource })).json.id

describe('CodeSystem/$lookup – https://hl7.org/fhir/R4/codesystem-operation-lookup.html', () => {
  it('tells name, version, display, designations and properties of a code', async () => {
    await keep(animals('urn:lookup'))
    const answer = await get('/CodeSystem/$lookup', { system: 'urn:lookup', code: 'dog' })
    expect(answer.status).toBe(200)
    expect([told(answer, 'name'), told(answer, 'version'), told(answer, 'display')]).toEqual([
      ['Animals'],
      ['1'],
      ['Dog'],
    ])
    expect(told(answer, 'designation')).toEqual([{ language: 'de', value: 'Hund' }])
    expect(told(answer, 'property')).toEqual([
      { code: 'definition', value: 'It barks.' },
      { code: 'inactive', value: false },
      { code: 'legs', value: 4 },
      { code: 'parent', value: 'animal' },
    ])
  })

  it('tells only the properties that are asked for, and the display of a language', async () => {
    await keep(animals('urn:lookup-some'))
    const answer = await ask(
      'GET',
      '/CodeSystem/$lookup?system=urn:lookup-some&code=dog&property=legs&property=parent&displayLanguage=de-CH',
    )
    expect(told(answer, 'display')).toEqual(['Hund'])
    expect(told(answer, 'designation')).toEqual([])
    expect(told(answer, 'property')).toEqual([
      { code: 'legs', value: 4 },
      { code: 'parent', value: 'animal' },
    ])
  })

  it('is asked by a Coding, and about code systems that are rules', async () => {
    const answer = await post('/CodeSystem/$lookup', [{ name: 'coding', valueCoding: { system: act, code: 'IMP' } }])
    expect(told(answer, 'display')).toEqual(['inpatient encounter'])
    const unit = await get('/CodeSystem/$lookup', { system: 'http://unitsofmeasure.org', code: 'mm[Hg]' })
    expect(told(unit, 'name')).toEqual(['UCUM'])
    const tongue = await get('/CodeSystem/$lookup', { system: 'urn:ietf:bcp:47', code: 'de-CH' })
    expect(told(tongue, 'display')).toEqual(['Swiss High German'])
  })

  it.each([
    [{ system: gender, code: 'nobody' }, 404, 'terminology.code-absent'],
    [{ system: 'urn:unheld', code: 'x' }, 404, 'terminology.system-absent'],
    [{ system: gender, version: '3.0.0', code: 'male' }, 404, 'terminology.system-absent'],
    [{ code: 'male' }, 400, 'terminology.system-unnamed'],
    [{ system: gender }, 400, 'terminology.code-unnamed'],
    [{ system: gender, code: 'male', date: '2020' }, 400, 'request.parameter-unknown'],
  ])('%p is %d %s', async (query, status, code) => {
    const answer = await get('/CodeSystem/$lookup', query as Record<string, string>)
    expect([answer.status, codeOf(answer)]).toEqual([status, code])
  })
})

describe('CodeSystem/$validate-code – https://hl7.org/fhir/R4/codesystem-operation-validate-code.html', () => {
  it.each([
    [{ url: gender, code: 'male' }, true],
    [{ url: gender, code: 'male', display: ' male' }, true],
    [{ url: gender, code: 'male', display: 'Female' }, false],
    [{ url: gender, code: 'Male' }, false],
    [{ url: act, code: '_ActEncounterCode' }, false],
    [{ url: act, code: '_ActEncounterCode', abstract: 'true' }, true],
    [{ url: 'http://unitsofmeasure.org', code: 'mg' }, true],
    [{ url: 'http://unitsofmeasure.org', code: 'gram' }, false],
  ])('%p: %s', async (query, expected) => {
    const answer = await get('/CodeSystem/$validate-code', query as Record<string, string>)
    expect(told(answer, 'result')).toEqual([expected])
    expect(told(answer, 'message')).toHaveLength(expected ? 0 : 1)
  })

  it('judges a kept code system by its id, and one that comes along', async () => {
    const id = await keep(animals('urn:validate'))
    expect(told(await get(`/CodeSystem/${id}/$validate-code`, { code: 'dog' }), 'result')).toEqual([true])
    const sent = { name: 'codeSystem', resource: animals('urn:sent', { content: 'fragment' }) }
    const answer = await post('/CodeSystem/$validate-code', [sent, { name: 'code', valueCode: 'cat' }])
    expect(told(answer, 'result')).toEqual([false])
    expect(String(told(answer, 'message'))).toMatch(/part/)
    const concept = {
      coding: [
        { system: 'urn:other', code: 'dog' },
        { system: 'urn:sent', code: 'dog' },
      ],
    }
    const several = await post('/CodeSystem/$validate-code', [
      sent,
      { name: 'codeableConcept', valueCodeableConcept: concept },
    ])
    expect(told(several, 'result')).toEqual([true])
    const versioned = await post('/CodeSystem/$validate-code', [
      sent,
      { name: 'coding', valueCoding: { code: 'dog', version: '2' } },
    ])
    expect(told(versioned, 'result')).toEqual([false])
  })
})

describe('CodeSystem/$subsumes – https://hl7.org/fhir/R4/codesystem-operation-subsumes.html', () => {
  it.each([
    ['_ActEncounterCode', 'IMP', 'subsumes'],
    ['IMP', '_ActEncounterCode', 'subsumed-by'],
    ['IMP', 'IMP', 'equivalent'],
    ['IMP', 'AMB', 'not-subsumed'],
  ])('%s and %s: %s', async (codeA, codeB, outcome) => {
    const byGet = await get('/CodeSystem/$subsumes', { system: act, codeA, codeB })
    expect(told(byGet, 'outcome')).toEqual([outcome])
    const codings = [
      { name: 'codingA', valueCoding: { system: act, code: codeA } },
      { name: 'codingB', valueCoding: { system: act, code: codeB } },
    ]
    expect(told(await post('/CodeSystem/$subsumes', codings), 'outcome')).toEqual([outcome])
  })

  it('is about one code system, and codes that it has', async () => {
    const id = await keep(animals('urn:subsumes'))
    expect(told(await get(`/CodeSystem/${id}/$subsumes`, { codeA: 'animal', codeB: 'dog' }), 'outcome')).toEqual([
      'subsumes',
    ])
    const unlike = await post('/CodeSystem/$subsumes', [
      { name: 'codingA', valueCoding: { system: act, code: 'IMP' } },
      { name: 'codingB', valueCoding: { system: gender, code: 'male' } },
    ])
    expect([unlike.status, codeOf(unlike)]).toEqual([400, 'terminology.systems-differ'])
    const versioned = await get('/CodeSystem/$subsumes', { system: `${act}|2018-08-12`, codeA: 'IMP', codeB: 'IMP' })
    expect(told(versioned, 'outcome')).toEqual(['equivalent'])
    const absent = await get('/CodeSystem/$subsumes', { system: act, codeA: 'IMP', codeB: 'nothing' })
    expect([absent.status, codeOf(absent)]).toEqual([404, 'terminology.code-absent'])
    expect(codeOf(await get('/CodeSystem/$subsumes', { system: act, codeA: 'IMP' }))).toBe('terminology.code-unnamed')
  })
})

describe('ValueSet/$expand – https://hl7.org/fhir/R4/valueset-operation-expand.html', () => {
  it('gives the codes of a value set of R4, and says what it was asked', async () => {
    const answer = await get('/ValueSet/$expand', { url: genders, filter: 'ma', activeOnly: 'true' })
    expect(answer.json).toMatchObject({ resourceType: 'ValueSet', url: genders, version: '4.0.1', status: 'active' })
    expect(answer.json.compose).toBeUndefined()
    expect(answer.json.expansion).toEqual({
      timestamp: '2026-03-01T12:00:00.000Z',
      total: 1,
      parameter: [
        { name: 'version', valueUri: `${gender}|4.0.1` },
        { name: 'filter', valueString: 'ma' },
        { name: 'activeOnly', valueBoolean: true },
      ],
      contains: [{ system: gender, version: '4.0.1', code: 'male', display: 'Male' }],
    })
  })

  it('comes in pages, and tells how many there are', async () => {
    const page = await get('/ValueSet/$expand', { url: genders, offset: '1', count: '2' })
    expect(page.json.expansion).toMatchObject({ total: 4, offset: 1 })
    expect(codes(page)).toEqual(['female', 'other'])
    expect((await get('/ValueSet/$expand', { url: genders, count: '0' })).json.expansion).toMatchObject({ total: 4 })
  })

  it('is asked for a value set that is kept here, by url and by id, and for one that comes along', async () => {
    await keep(animals('urn:expand'))
    const set = setOf('urn:expand-set', [
      { system: 'urn:expand', filter: [{ property: 'concept', op: 'descendent-of', value: 'animal' }] },
    ])
    const id = await keep(set)
    const answers = [
      await get('/ValueSet/$expand', { url: 'urn:expand-set' }),
      await ask('GET', `/ValueSet/${id}/$expand`),
      await ask('POST', `/ValueSet/${id}/$expand`),
      await post('/ValueSet/$expand', [{ name: 'valueSet', resource: set }]),
      await ask('POST', '/ValueSet/$expand', { body: set }),
    ]
    for (const answer of answers) expect(codes(answer)).toEqual(['dog', 'bird'])
    const imported = setOf('urn:expand-imported', [{ valueSet: ['urn:expand-set'] }, { valueSet: [genders] }])
    expect(codes(await ask('POST', '/ValueSet/$expand', { body: imported }))).toEqual([
      'dog',
      'bird',
      'male',
      'female',
      'other',
      'unknown',
    ])
  })

  it('says of which code systems only a part is held', async () => {
    await keep(animals('urn:partly', { content: 'fragment' }))
    const answer = await ask('POST', '/ValueSet/$expand', { body: setOf('urn:x', [{ system: 'urn:partly' }]) })
    expect(answer.json.expansion.parameter).toContainEqual({ name: 'fragment', valueUri: 'urn:partly|1' })
    const countries = await get('/ValueSet/$expand', { url: `${hl7}/ValueSet/iso3166-1-3` })
    expect(countries.json.expansion).toMatchObject({
      total: 0,
      parameter: [{ name: 'fragment', valueUri: 'urn:iso:std:iso:3166' }],
    })
  })

  it('shows designations and the definition when they are asked for', async () => {
    await keep(animals('urn:designated'))
    const set = setOf('urn:designated-set', [{ system: 'urn:designated' }])
    const all = await post('/ValueSet/$expand', [
      { name: 'valueSet', resource: set },
      { name: 'includeDesignations', valueBoolean: true },
      { name: 'includeDefinition', valueBoolean: true },
      { name: 'displayLanguage', valueCode: 'de' },
    ])
    expect(all.json.compose).toEqual(set.compose)
    expect(all.json.expansion.contains[1]).toMatchObject({
      display: 'Hund',
      designation: [{ language: 'de', value: 'Hund' }],
    })
    const some = await post('/ValueSet/$expand', [
      { name: 'valueSet', resource: set },
      { name: 'designation', valueString: 'urn:ietf:bcp:47|fr' },
      { name: 'designation', valueString: 'urn:ietf:bcp:47|it' },
    ])
    expect(some.json.expansion.contains[1].designation).toBeUndefined()
  })

  it.each([
    [{ url: `${hl7}/ValueSet/ucum-units` }, 422, 'terminology.endless', 'too-costly'],
    [{ url: `${hl7}/ValueSet/condition-code` }, 422, 'terminology.system-unknown', 'business-rule'],
    [{ url: 'urn:unheld' }, 404, 'terminology.value-set-absent', 'not-found'],
    [{ url: genders, valueSetVersion: '5.0.0' }, 404, 'terminology.value-set-absent', 'not-found'],
    [{}, 400, 'terminology.value-set-unnamed', 'invalid'],
    [{ url: genders, count: '-1' }, 400, 'operation.parameter-malformed', 'invalid'],
    [{ url: genders, activeOnly: 'yes' }, 400, 'operation.parameter-malformed', 'invalid'],
    [{ url: genders, 'system-version': gender }, 400, 'terminology.version-unnamed', 'invalid'],
    [{ url: genders, context: 'x' }, 400, 'request.parameter-unknown', 'invalid'],
    [{ url: genders, valueSet: 'x' }, 400, 'request.parameter-unknown', 'invalid'],
  ])('%p is %d %s', async (query, status, code, type) => {
    const answer = await get('/ValueSet/$expand', query as Record<string, string>)
    expect([answer.status, codeOf(answer), answer.json.issue[0].code]).toEqual([status, code, type])
  })

  it.each([
    ['a value that is none of the form', [{ name: 'count', valueString: 'many' }], 'operation.parameter-malformed'],
    [
      'one parameter twice',
      [
        { name: 'url', valueUri: genders },
        { name: 'url', valueUri: genders },
      ],
      'operation.parameter-malformed',
    ],
    ['one that is not known', [{ name: 'context', valueUri: 'x' }], 'request.parameter-unknown'],
    ['a resource of another type', [{ name: 'valueSet', resource: animals('urn:x') }], 'operation.parameter-malformed'],
    [
      'a value set that is none',
      [{ name: 'valueSet', resource: { resourceType: 'ValueSet', compose: {} } }],
      'validation.failed',
    ],
  ])('refuses %s', async (_, parameter, code) => {
    const answer = await post('/ValueSet/$expand', parameter)
    expect(answer.status).toBeGreaterThanOrEqual(400)
    expect(codeOf(answer)).toBe(code)
  })

  it('refuses a body that is neither Parameters nor a value set', async () => {
    expect(codeOf(await ask('POST', '/ValueSet/$expand', { body: animals('urn:x') }))).toBe('body.type-differs')
  })

  it('is within the budget of its request', async () => {
    const many = Array.from({ length: 2_000 }, () => ({ system: act }))
    const answer = await withBudget({ work: 1_000_000 }, () =>
      ask('POST', '/ValueSet/$expand', { body: setOf('urn:many', many) }),
    )
    expect([answer.status, codeOf(answer)]).toEqual([422, 'budget.work-exceeded'])
  })
})

describe('ValueSet/$validate-code – https://hl7.org/fhir/R4/valueset-operation-validate-code.html', () => {
  it.each([
    [{ url: genders, system: gender, code: 'male' }, true],
    [{ url: genders, system: gender, code: 'male', display: 'Male' }, true],
    [{ url: genders, system: gender, code: 'male', display: 'Man' }, false],
    [{ url: genders, system: gender, systemVersion: '4.0.1', code: 'male' }, true],
    [{ url: genders, system: gender, systemVersion: '3.0.0', code: 'male' }, false],
    [{ url: genders, system: 'urn:other', code: 'male' }, false],
    [{ url: `${hl7}/ValueSet/ucum-units`, system: 'http://unitsofmeasure.org', code: 'mg' }, true],
    [{ url: `${hl7}/ValueSet/condition-code`, system: 'http://snomed.info/sct', code: '404684003' }, false],
  ])('%p: %s', async (query, expected) => {
    const answer = await get('/ValueSet/$validate-code', query as Record<string, string>)
    expect(told(answer, 'result')).toEqual([expected])
  })

  it('takes a Coding, and a concept of which one coding is in the value set', async () => {
    const url = { name: 'url', valueUri: genders }
    const coding = await post('/ValueSet/$validate-code', [
      url,
      { name: 'coding', valueCoding: { system: gender, code: 'other' } },
    ])
    expect([told(coding, 'result'), told(coding, 'display')]).toEqual([[true], ['Other']])
    const concept = { coding: [{ code: 'other' }, { system: gender, code: 'other' }] }
    const several = await post('/ValueSet/$validate-code', [
      url,
      { name: 'codeableConcept', valueCodeableConcept: concept },
    ])
    expect(told(several, 'result')).toEqual([true])
    const words = await post('/ValueSet/$validate-code', [
      url,
      { name: 'codeableConcept', valueCodeableConcept: { text: 'x' } },
    ])
    expect(told(words, 'result')).toEqual([false])
  })

  it('needs exactly one code, with its system', async () => {
    expect(codeOf(await get('/ValueSet/$validate-code', { url: genders }))).toBe('terminology.code-unnamed')
    expect(codeOf(await get('/ValueSet/$validate-code', { url: genders, code: 'male' }))).toBe(
      'terminology.system-unnamed',
    )
    const twice = [
      { name: 'url', valueUri: genders },
      { name: 'code', valueCode: 'male' },
      { name: 'system', valueUri: gender },
      { name: 'coding', valueCoding: { system: gender, code: 'male' } },
    ]
    expect(codeOf(await post('/ValueSet/$validate-code', twice))).toBe('terminology.code-unnamed')
  })
})

describe('ConceptMap/$translate – https://hl7.org/fhir/R4/conceptmap-operation-translate.html', () => {
  const toV3 = `${hl7}/ConceptMap/cm-administrative-gender-v3`
  const v3 = 'http://terminology.hl7.org/CodeSystem/v3-AdministrativeGender'

  it('says a code in another system, by a map of R4', async () => {
    const answer = await get('/ConceptMap/$translate', { url: toV3, system: gender, code: 'male' })
    expect(told(answer, 'result')).toEqual([true])
    expect(told(answer, 'match')).toEqual([
      { equivalence: 'equal', concept: { system: v3, code: 'M' }, source: `${toV3}|4.0.1` },
    ])
  })

  it('goes back, where it is asked to', async () => {
    const answer = await get('/ConceptMap/$translate', { url: toV3, system: v3, code: 'M', reverse: 'true' })
    expect(told(answer, 'match')).toMatchObject([{ concept: { system: gender, code: 'male' } }])
  })

  it('asks all maps that lead from the system, or to what is wanted', async () => {
    const all = await get('/ConceptMap/$translate', { system: gender, code: 'female' })
    expect(told(all, 'match')).toHaveLength(2)
    const one = await get('/ConceptMap/$translate', { system: gender, code: 'female', targetsystem: v3 })
    expect(told(one, 'match')).toMatchObject([{ concept: { system: v3, code: 'F' } }])
    const target = await get('/ConceptMap/$translate', {
      system: gender,
      code: 'female',
      target: 'http://terminology.hl7.org/ValueSet/v3-AdministrativeGender',
    })
    expect(told(target, 'match')).toHaveLength(1)
    const none = await get('/ConceptMap/$translate', { system: 'urn:nobody', code: 'x' })
    expect([told(none, 'result'), told(none, 'message').length]).toEqual([[false], 1])
  })

  const group = (more: object) => ({ source: 'urn:from', target: 'urn:to', element: [], ...more })
  const mapOf = (url: string, groups: readonly object[]) => ({
    resourceType: 'ConceptMap',
    url,
    status: 'active',
    group: groups,
  })

  it('depends on what a mapping depends on, and tells what comes of it beside', async () => {
    const target = {
      code: 'b',
      equivalence: 'wider',
      dependsOn: [{ property: 'urn:sex', system: gender, value: 'male' }],
      product: [{ property: 'urn:side', value: 'left' }],
    }
    const id = await keep(
      mapOf('urn:map', [group({ element: [{ code: 'a', target: [target, { equivalence: 'unmatched' }] }] })]),
    )
    const code = [
      { name: 'code', valueCode: 'a' },
      { name: 'system', valueUri: 'urn:from' },
    ]
    const without = await post(`/ConceptMap/${id}/$translate`, code)
    expect([told(without, 'result'), told(without, 'match')]).toEqual([
      [false],
      [{ equivalence: 'unmatched', source: 'urn:map' }],
    ])
    const part = [
      { name: 'element', valueUri: 'urn:sex' },
      { name: 'concept', valueCodeableConcept: { coding: [{ system: gender, code: 'male' }] } },
    ]
    const given = await post(`/ConceptMap/${id}/$translate`, [...code, { name: 'dependency', part }])
    expect(told(given, 'result')).toEqual([true])
    expect(told(given, 'match')[0]).toEqual({
      equivalence: 'wider',
      concept: { system: 'urn:to', code: 'b' },
      product: { element: 'urn:side', concept: { code: 'left' } },
      source: 'urn:map',
    })
    const back = await post(`/ConceptMap/${id}/$translate`, [
      { name: 'coding', valueCoding: { system: 'urn:to', code: 'b' } },
      { name: 'reverse', valueBoolean: true },
    ])
    expect(told(back, 'match')).toMatchObject([{ equivalence: 'narrower', concept: { code: 'a' } }])
  })

  it.each([
    ['provided', { mode: 'provided' }, [{ equivalence: 'equal', concept: { system: 'urn:to', code: 'z' } }]],
    ['fixed', { mode: 'fixed', code: 'q' }, [{ equivalence: 'inexact', concept: { system: 'urn:to', code: 'q' } }]],
    ['another map', { mode: 'other-map', url: 'urn:other-map' }, [{ concept: { code: 'there' } }]],
    ['another map that is not held', { mode: 'other-map', url: 'urn:unheld' }, []],
    ['itself', { mode: 'other-map', url: 'urn:unmapped-itself' }, []],
  ])('does with what it does not map as it says: %s', async (name, unmapped, expected) => {
    const other = mapOf('urn:other-map', [
      group({ element: [{ code: 'z', target: [{ code: 'there', equivalence: 'equal' }] }] }),
    ])
    await keep(other)
    const url = `urn:unmapped-${name.replaceAll(' ', '-')}`
    await keep(mapOf(url, [group({ element: [{ code: 'a' }], unmapped })]))
    const answer = await get('/ConceptMap/$translate', { url, system: 'urn:from', code: 'z' })
    expect(told(answer, 'match')).toMatchObject(expected)
  })

  it('knows the map, or says that it does not', async () => {
    const absent = await get('/ConceptMap/$translate', { url: 'urn:unheld', system: gender, code: 'male' })
    expect([absent.status, codeOf(absent)]).toEqual([404, 'terminology.map-absent'])
    expect(codeOf(await get('/ConceptMap/$translate', { url: toV3, code: 'male' }))).toBe('terminology.system-unnamed')
  })

  it('follows maps that lead to others only so far', async () => {
    for (let at = 0; at < 55; at++)
      await keep(
        mapOf(`urn:chain-${at}`, [
          group({ element: [{ code: 'a' }], unmapped: { mode: 'other-map', url: `urn:chain-${at + 1}` } }),
        ]),
      )
    const answer = await get('/ConceptMap/$translate', { url: 'urn:chain-0', system: 'urn:from', code: 'z' })
    expect([answer.status, codeOf(answer)]).toEqual([422, 'terminology.too-deep'])
  })
})

describe('between families', () => {
  const include = [{ system: 'urn:shared-code-system' }]

  it('what one wrote under a url means nothing to another one', async () => {
    await keep(animals('urn:shared-code-system'), north)
    await keep(setOf('urn:shared-set', include), north)
    await keep(
      {
        resourceType: 'ConceptMap',
        url: 'urn:shared-map',
        status: 'active',
        group: [
          {
            source: 'urn:shared-code-system',
            target: 'urn:to',
            element: [{ code: 'dog', target: [{ code: 'x', equivalence: 'equal' }] }],
          },
        ],
      },
      north,
    )
    const asks = (grant = north) =>
      Promise.all([
        get('/ValueSet/$expand', { url: 'urn:shared-set' }, { grant }),
        get('/CodeSystem/$lookup', { system: 'urn:shared-code-system', code: 'dog' }, { grant }),
        ask('POST', '/ValueSet/$expand', { grant, body: setOf('urn:mine', include) }),
        get(
          '/ConceptMap/$translate',
          { url: 'urn:shared-map', system: 'urn:shared-code-system', code: 'dog' },
          { grant },
        ),
        get('/ConceptMap/$translate', { system: 'urn:shared-code-system', code: 'dog' }, { grant }),
      ])
    const before = await asks(south)
    expect(before.map(({ status }) => status)).toEqual([404, 404, 422, 404, 200])
    expect(told(before[4] as Answer, 'result')).toEqual([false])
    expect((await asks(north)).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
    // Each has its own, whatever the other one writes later.
    await keep(animals('urn:shared-code-system', { concept: [{ code: 'southern' }] }), south)
    await keep(setOf('urn:shared-set', include), south)
    expect(codes(await get('/ValueSet/$expand', { url: 'urn:shared-set' }, { grant: south }))).toEqual(['southern'])
    expect(codes(await get('/ValueSet/$expand', { url: 'urn:shared-set' }))).toEqual(['animal', 'dog', 'bird'])
  })

  it('what R4 defines is the same for all, whatever anybody writes', async () => {
    for (const grant of [north, admin]) await keep(animals(gender), grant)
    const answer = await get(
      '/ValueSet/$validate-code',
      { url: genders, system: gender, code: 'dog' },
      { grant: south },
    )
    expect(told(answer, 'result')).toEqual([false])
  })

  it('what the administrator wrote is everybody’s', async () => {
    await keep(animals('urn:of-the-house'), admin)
    for (const grant of [north, south])
      expect((await get('/CodeSystem/$lookup', { system: 'urn:of-the-house', code: 'dog' }, { grant })).status).toBe(
        200,
      )
  })

  it('a grant that may not search definitions has those of R4 alone', async () => {
    await keep(animals('urn:unsearchable'), north)
    const narrow = grantOf('user/Observation.rs', { account: 'north', patients: [] })
    expect((await get('/ValueSet/$expand', { url: genders }, { grant: narrow })).status).toBe(200)
    const lookup = { system: 'urn:unsearchable', code: 'dog' }
    expect(codeOf(await get('/CodeSystem/$lookup', lookup, { grant: narrow }))).toBe('terminology.system-absent')
    const id = await keep(setOf('urn:unreadable', include), north)
    expect((await ask('GET', `/ValueSet/${id}/$expand`, { grant: narrow })).status).toBe(403)
  })

  it('nobody is answered without a token', async () => {
    const answer = await house.ask('GET', `/ValueSet/$expand?url=${genders}`)
    expect(answer.status).toBe(401)
  })
})

describe('versions of what is kept', () => {
  it('are told apart by url|version; without one the latest counts', async () => {
    await keep(animals('urn:versions', { version: '1', concept: [{ code: 'one' }] }))
    house.clock.advance(1000)
    await keep(animals('urn:versions', { version: '2', concept: [{ code: 'two' }] }))
    const has = async (code: string, version?: string) =>
      (
        await get('/CodeSystem/$lookup', {
          system: 'urn:versions',
          code,
          ...(version === undefined ? {} : { version }),
        })
      ).status
    expect([
      await has('one'),
      await has('two'),
      await has('one', '1'),
      await has('two', '1'),
      await has('one', '3'),
    ]).toEqual([404, 200, 200, 404, 404])
    const set = setOf('urn:versions-set', [{ system: 'urn:versions', version: '1' }])
    expect(codes(await ask('POST', '/ValueSet/$expand', { body: set }))).toEqual(['one'])
    const forced = { name: 'force-system-version', valueUri: 'urn:versions|2' }
    expect(codes(await post('/ValueSet/$expand', [{ name: 'valueSet', resource: set }, forced]))).toEqual(['two'])
    const checked = { name: 'check-system-version', valueUri: 'urn:versions|2' }
    expect(codeOf(await post('/ValueSet/$expand', [{ name: 'valueSet', resource: set }, checked]))).toBe(
      'terminology.version-differs',
    )
  })

  it('a supplement, and one without content, is no code system', async () => {
    await keep(animals('urn:supplement', { content: 'supplement', supplements: 'urn:other' }))
    expect((await get('/CodeSystem/$lookup', { system: 'urn:supplement', code: 'dog' })).status).toBe(404)
  })
})

describe('value sets of SNOMED CT by url – https://hl7.org/fhir/R4/snomedct.html#implicit', () => {
  it('are all concepts, or those below one, of what is held', async () => {
    const sct = 'http://snomed.info/sct'
    await keep(
      animals(sct, { content: 'fragment', concept: [{ code: '138875005', concept: [{ code: '404684003' }] }] }),
    )
    expect(codes(await get('/ValueSet/$expand', { url: `${sct}?fhir_vs` }))).toEqual(['138875005', '404684003'])
    expect(codes(await get('/ValueSet/$expand', { url: `${sct}?fhir_vs=isa/404684003` }))).toEqual(['404684003'])
  })
})

describe('what metadata says of terminology', () => {
  interface Operation {
    readonly name: string
    readonly definition: string
  }

  it('is what is answered: each operation that the CapabilityStatement names, by GET and by POST – https://hl7.org/fhir/R4/http.html#capabilities', async () => {
    const { json } = await house.ask('GET', '/metadata')
    for (const type of ['CodeSystem', 'ValueSet', 'ConceptMap']) {
      const { operation } = json.rest[0].resource.find((each: { type: string }) => each.type === type)
      const ofEveryType = new Set(['validate', 'fhirpath', 'graphql', 'meta', 'meta-add', 'meta-delete'])
      const named = operation.filter(({ name }: Operation) => !ofEveryType.has(name))
      const offered = new Set(
        catalogue.filter(({ path }) => path.startsWith(`/${type}/`)).map(({ interaction }) => interaction),
      )
      expect(named.map(({ name }: Operation) => `$${name}`).sort()).toEqual([...offered].sort())
      for (const { name, definition } of named as Operation[]) {
        expect(definition).toBe(`${hl7}/OperationDefinition/${type}-${name}`)
        for (const method of ['GET', 'POST']) {
          const answer = await house.ask(method, `/${type}/$${name}`, { grant: north })
          expect([name, answer.status, codeOf(answer)]).toEqual([
            name,
            400,
            expect.stringMatching(/^terminology\..*-unnamed$/),
          ])
        }
      }
    }
  })

  it('is TerminologyCapabilities in that mode – https://hl7.org/fhir/R4/terminologycapabilities.html', async () => {
    const answer = await house.ask('GET', '/metadata?mode=terminology')
    expect(validator.validate(answer.json)).toEqual([])
    const held: { uri: string; version?: { code: string }[] }[] = answer.json.codeSystem
    expect(held.length).toBeGreaterThan(1000)
    for (const { uri, version } of held.filter((_, at) => at % 25 === 0)) {
      const query = {
        url: uri,
        code: 'no such code',
        ...(version === undefined ? {} : { version: version[0]?.code ?? '' }),
      }
      expect([uri, (await get('/CodeSystem/$validate-code', query)).status]).toEqual([uri, 200])
    }
    const values: Readonly<Record<string, string>> = {
      offset: '0',
      count: '1',
      designation: 'de',
      displayLanguage: 'de',
      'exclude-system': 'urn:x',
    }
    for (const { name } of answer.json.expansion.parameter) {
      const value = values[name] ?? (name.endsWith('-version') ? 'urn:x|1' : name === 'filter' ? 'm' : 'true')
      expect([name, (await get('/ValueSet/$expand', { url: genders, [name]: value })).status]).toEqual([name, 200])
    }
  })

  it('is answered in batches too', async () => {
    const entry = [{ request: { method: 'GET', url: `ValueSet/$expand?url=${genders}` } }]
    const answer = await house.ask('POST', '/', {
      grant: north,
      body: { resourceType: 'Bundle', type: 'batch', entry },
    })
    expect(answer.json.entry[0].response.status).toBe('200')
    expect(answer.json.entry[0].resource.expansion.total).toBe(4)
  })
})
