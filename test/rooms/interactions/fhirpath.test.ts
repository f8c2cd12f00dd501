import { readFileSync } from 'node:fs'
import { parseSentXml, type Resource } from '#fhir'
import { createValidator } from '#validation'
import { type Answer, admin, grantOf, type House, openHouse, patientA, patientB } from './house.ts'

const folder = new URL('../../cases/fhir/fhirpath/', import.meta.url)
const read = (name: string) => readFileSync(new URL(name, folder), 'utf8')

interface Case {
  readonly name: string
  readonly expression: string
  readonly input: string | undefined
  /** What is wrong with the expression: execution, semantic or syntax. */
  readonly invalid: string | undefined
  readonly predicate: boolean
  readonly outputs: readonly { readonly type: string | undefined; readonly text: string }[]
}

const words: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' }
const unescaped = (text: string) =>
  text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (_, hex?: string, decimal?: string, word = '') =>
    hex !== undefined
      ? String.fromCodePoint(Number.parseInt(hex, 16))
      : decimal !== undefined
        ? String.fromCodePoint(Number(decimal))
        : (words[word] ?? ''),
  )
const attributes = (text: string) =>
  Object.fromEntries([...text.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, name, value = '']) => [name, unescaped(value)]))

function casesOf(xml: string): readonly Case[] {
  const plain = xml.replace(/<!--[\s\S]*?-->/g, '')
  return [...plain.matchAll(/<test\b([^>]*)>([\s\S]*?)<\/test>/g)].map(([, head = '', body = '']) => {
    const { name = '', inputfile, predicate } = attributes(head)
    const [, marks = '', expression = ''] = /<expression\b([^>]*)>([\s\S]*?)<\/expression>/.exec(body) ?? []
    const outputs = [...body.matchAll(/<output\b([^>]*?)(?:\/>|>([\s\S]*?)<\/output>)/g)].map(
      ([, of = '', text = '']) => ({
        type: attributes(of).type,
        text: unescaped(text),
      }),
    )
    const { invalid } = attributes(marks)
    return {
      name,
      expression: unescaped(expression),
      input: inputfile,
      invalid,
      predicate: predicate === 'true',
      outputs,
    }
  })
}

const inputs = new Map<string, Promise<Resource>>()
function inputOf(name: string): Promise<Resource> {
  const text = read(name)
  const made =
    inputs.get(name) ?? (name.endsWith('.xml') ? parseSentXml(Buffer.from(text)) : Promise.resolve(JSON.parse(text)))
  inputs.set(name, Promise.resolve(made))
  return Promise.resolve(made)
}

let house: House
beforeAll(async () => {
  house = await openHouse()
  for (const body of [patientA, patientB]) await house.ask('PUT', `/Patient/${body.id}`, { grant: admin, body })
})
afterAll(() => house.close())

type Parameter = { readonly name: string; readonly [member: string]: unknown }
const evaluate = (parameter: readonly Parameter[], path = '/$fhirpath', grant = admin): Promise<Answer> =>
  house.ask('POST', path, { grant, body: { resourceType: 'Parameters', parameter } })
const asked = (expression: string, ...more: readonly Parameter[]) =>
  evaluate([{ name: 'expression', valueString: expression }, ...more])
const codeOf = ({ json }: Answer) => json.issue[0].details.coding[0].code
const resultsOf = ({ json }: Answer) => json.parameter.filter(({ name }: Parameter) => name === 'result')
const partsOf = (answer: Answer): readonly Parameter[] => resultsOf(answer)[0]?.part ?? []
const around: ReadonlySet<string> = new Set(['context', 'count', 'trace'])
const foundOf = (answer: Answer) => partsOf(answer).filter(({ name }) => !around.has(name))

function textOf(part: Parameter): string {
  const [, value] = Object.entries(part).find(([name]) => name.startsWith('value')) ?? []
  if (typeof value === 'object' && value !== null && 'value' in value) {
    const { value: digits, code, unit } = value as { value: number; code?: string; unit?: string }
    return code === undefined ? `${digits} ${unit}` : `${digits} '${code}'`
  }
  const shown = part.extension as readonly { readonly valueString: string }[] | undefined
  return value === undefined
    ? shown === undefined
      ? ''
      : String(JSON.parse(shown[0]?.valueString ?? ''))
    : String(value)
}

/** Equal values may be written in several ways: `1.50` is `1.5`, and an instant is one in every zone. */
function sameValue(one: string, other: string): boolean {
  const [left, right] = [one, other].map(text => text.replace(/^@T?/, ''))
  if (left === undefined || right === undefined) return false
  const isDecimal = [left, right].every(text => /^-?\d+(\.\d+)?$/.test(text))
  const isInstant = [left, right].every(text => /T.*(Z|[+-]\d\d:\d\d)$/.test(text))
  return (
    left === right ||
    (isDecimal && Number(left) === Number(right)) ||
    (isInstant && Date.parse(left) === Date.parse(right))
  )
}

async function wrongIn({ expression, input, invalid, predicate, outputs }: Case): Promise<string | undefined> {
  const resource = input === undefined ? [] : [{ name: 'resource', resource: await inputOf(input) }]
  const answer = await asked(expression, ...resource)
  if (invalid !== undefined) return answer.status >= 400 ? undefined : `is evaluated, although ${invalid}`
  if (answer.status !== 200) return `answers ${answer.status} ${codeOf(answer)}`
  const found = foundOf(answer).map(textOf)
  const shown = predicate ? [String(found.length > 0 && found[0] !== 'false')] : found
  const isSame = shown.length === outputs.length && shown.every((text, at) => sameValue(text, outputs[at]?.text ?? ''))
  return isSame ? undefined : `finds ${JSON.stringify(shown)} and not ${JSON.stringify(outputs)}`
}

/** What the library does otherwise, by the reason. */
const known: Readonly<Record<string, readonly string[]>> = {
  'functions that it does not have: precision, conformsTo, boundaries of quantities': [
    'PrecisionDateTimeMilliseconds',
    'PrecisionDecimal',
    'PrecisionTimeMilliseconds',
    'PrecisionTimeMinutes',
    'PrecisionYear',
    'testConformsTo1',
    'testConformsTo2',
    'HighBoundaryQuantity',
    'LowBoundaryQuantity',
  ],
  'boundaries beyond the digits of a decimal, and of an hour without a zone': [
    'HighBoundaryDateTimeMillisecond1',
    'HighBoundaryDateTimeMillisecond3',
    'LowBoundaryDateTimeMillisecond1',
    'HighBoundaryDecimal15',
    'HighBoundaryDecimal16',
    'LowBoundaryDecimal15',
  ],
  'it evaluates without checking types first, so that what can never be finds nothing': [
    'testDollarOrderNotAllowed',
    'testPolymorphicsB',
    'testPolymorphismAsB',
    'testPolymorphismB',
    'testSimpleFail',
    'testSimpleWithWrongContext',
  ],
  'iif takes what is no single boolean': ['testCollectionBoolean1', 'testIif10', 'testIif6'],
  'a time without a zone is one of the zone of the machine': ['testEquality23', 'testNEquality17'],
  'lists are equivalent only in the same order': ['testEquivalent21', 'testEquivalent23', 'testNotEquivalent21'],
  'quantities are equivalent only to the last digit': ['testQuantity4'],
  'as(string) takes a code': ['testFHIRPathAsFunction11', 'testFHIRPathAsFunction16'],
  'a unit of UCUM is no length of a calendar, as the newer text of the specification says': ['testMinus5'],
  'a fraction of a millisecond is rounded': ['testPlusDate19'],
  'an empty pattern matches everywhere': ['testReplaceMatches2'],
  'sort by -text is no order': ['testSort10', 'testSort8'],
  'System.Patient is no type, and asking for it an error': ['testType22'],
}

describe('the public cases of FHIRPath – http://hl7.org/fhirpath/N1/', () => {
  it('are right, but for those whose reason is known', async () => {
    const cases = casesOf(read('tests-fhir-r4.xml'))
    const wrong: string[] = []
    const faults: string[] = []
    const expected = Object.values(known).flat().sort()
    for (const each of cases) {
      const fault = await wrongIn(each)
      if (fault === undefined) continue
      wrong.push(each.name)
      if (!expected.includes(each.name)) faults.push(`${each.name} ${fault}`)
    }
    expect(cases.length).toBe(935)
    expect(faults).toEqual([])
    expect(wrong.sort()).toEqual(expected)
  })
})

describe('$fhirpath – https://hl7.org/fhir/R4/fhirpath.html', () => {
  const text = (name: string, valueString: string): Parameter => ({ name, valueString })

  it('tells of each thing by the name of its type, as valid Parameters, with every digit', async () => {
    const resource = `{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":70.50,"unit":"kg"},
      "referenceRange":[{"text":"y"}],"effectiveDateTime":"2026-02-01","contained":[{"resourceType":"Patient","id":"p"}],"subject":{"reference":"#p"}}`
    const expression = `(%resource.value | value.value | referenceRange | contained | code.text | effective | (1 = 1) | 2 | 2.50
      | 3 'mg' | 4 days | @2026-01 | @T10:00 | @2026-01-01T10 | '').trace('all', count())`
    const body = `{"resourceType":"Parameters","parameter":[{"name":"resource","resource":${resource}},{"name":"expression","valueString":${JSON.stringify(expression)}}]}`
    const answer = await house.ask('POST', '/Observation/$fhirpath', { grant: admin, body })
    expect(createValidator().validate(answer.json)).toEqual([])
    expect(answer.text).toContain('70.50')
    expect(partsOf(answer).map(({ name, ...value }: Parameter) => [name, Object.keys(value)[0]])).toEqual([
      ['count', 'valueInteger'],
      ['Quantity', 'valueQuantity'],
      ['decimal', 'valueDecimal'],
      ['BackboneElement', 'extension'],
      ['Patient', 'resource'],
      ['string', 'valueString'],
      ['dateTime', 'valueDateTime'],
      ['boolean', 'valueBoolean'],
      ['integer', 'valueInteger'],
      ['decimal', 'valueDecimal'],
      ['Quantity', 'valueQuantity'],
      ['Quantity', 'valueQuantity'],
      ['date', 'valueDate'],
      ['time', 'extension'],
      ['dateTime', 'extension'],
      ['empty-string', '_valueString'],
      ['trace', 'part'],
    ])
  })

  it('evaluates on each element of a context, with variables', async () => {
    const answer = await evaluate([
      text('expression', 'given.first() + %mark & %other.name.family'),
      text('context', 'name'),
      { name: 'resource', resource: { resourceType: 'Patient', name: [{ given: ['A'] }, { given: ['B'] }] } },
      { name: 'variables', part: [text('mark', '!'), { name: 'other', resource: patientB }] },
    ])
    const count = { name: 'count', valueInteger: 1 }
    expect(resultsOf(answer)).toEqual([
      { name: 'result', part: [text('context', 'Patient.name[0]'), count, text('string', 'A!Birch')] },
      { name: 'result', part: [text('context', 'Patient.name[1]'), count, text('string', 'B!Birch')] },
    ])
    expect(partsOf(await asked('{}'))).toEqual([{ name: 'count', valueInteger: 0 }])
  })

  it('is asked of what is stored, within reach', async () => {
    const own = grantOf('patient/*.rs', { patient: 'a' })
    const get = (id: string) => house.ask('GET', `/Patient/${id}/$fhirpath?expression=name.family`, { grant: own })
    expect(foundOf(await get('a'))).toEqual([text('string', 'Alder')])
    const [other, nobody] = [await get('b'), await get('never-was')]
    expect([other.status, other.text]).toEqual([404, nobody.text])
    const posted = await evaluate([text('expression', 'birthDate')], '/Patient/a/$fhirpath', own)
    expect(foundOf(posted)).toEqual([{ name: 'date', valueDate: '1950-02-03' }])
    const narrow = grantOf('patient/Observation.rs', { patient: 'a' })
    expect((await evaluate([text('expression', 'id')], '/Patient/a/$fhirpath', narrow)).status).toBe(403)
  })

  const refusals: readonly (readonly [string, string, readonly Parameter[], string?])[] = [
    ['nothing', 'fhirpath.expression-missing', []],
    ['what is no FHIRPath', 'fhirpath.malformed', [text('expression', 'secret(')]],
    ['a context that is none', 'fhirpath.malformed', [text('expression', 'a'), text('context', 'secret(')]],
    ['too long a text', 'fhirpath.malformed', [text('expression', `'${'x'.repeat(10_001)}'`)]],
    ['a variable that is not there', 'fhirpath.failed', [text('expression', '%secret')]],
    ['what would be fetched', 'fhirpath.failed', [text('expression', "'http://secret.invalid/Patient/1'.resolve()")]],
    ['a value set elsewhere', 'fhirpath.failed', [text('expression', "'secret'.memberOf('http://secret.invalid')")]],
    ['a server of terms', 'fhirpath.parameter-unknown', [text('expression', 'a'), text('terminologyserver', 'secret')]],
    [
      'a variable of FHIR',
      'operation.parameter-malformed',
      [text('expression', 'a'), { name: 'variables', part: [text('resource', 'secret')] }],
    ],
    [
      'another type',
      'body.type-differs',
      [text('expression', 'a'), { name: 'resource', resource: patientA }],
      '/Observation/$fhirpath',
    ],
    [
      'a resource beside a stored one',
      'fhirpath.parameter-unknown',
      [text('expression', 'a'), { name: 'resource', resource: patientA }],
      '/Patient/a/$fhirpath',
    ],
  ]

  const refused = refusals.map(([name, code, parameters, path = '/$fhirpath']) => ({ name, code, parameters, path }))

  it.each(refused)('refuses $name', async ({ code, parameters, path }) => {
    const answer = await evaluate(parameters, path)
    expect([answer.status >= 400, codeOf(answer)]).toEqual([true, code])
    expect(answer.text).not.toContain('secret')
  })

  it.each([
    'constructor',
    'hasOwnProperty',
    'name.toString',
    '`__proto__`',
    'name.`__proto__`',
    'name.family.length',
    'name.family.`0`',
    'birthDate.trim',
    'active.valueOf',
    '1.toString',
    '(1 | 2.5).toNumber',
    "(1 'mg').constructor",
    '@2020.getTimeZone',
    '%context.constructor',
  ])('finds nothing in what JavaScript calls %s', async expression => {
    const resource = { resourceType: 'Patient', active: true, name: [{ family: 'Alder' }], birthDate: '1950-02-03' }
    expect(foundOf(await asked(expression, { name: 'resource', resource }))).toEqual([])
  })

  it.each(['%constructor', '%hasOwnProperty', '%`__proto__`', '%toString', '%valueOf'])(
    'knows no variable %s',
    async expression => expect(codeOf(await asked(expression))).toBe('fhirpath.failed'),
  )

  it('takes a variable that is called as JavaScript calls one of its members', async () => {
    const given = { name: 'variables', part: [text('constructor', 'x'), text('toString', 'y')] }
    expect(foundOf(await asked('%constructor | %toString', given)).map(textOf)).toEqual(['x', 'y'])
  })

  it('keeps what a primitive has beside its value', async () => {
    const extension = [{ url: 'http://example.org/e', valueString: 'y' }]
    const resource = { resourceType: 'Patient', birthDate: '1950-02-03', _birthDate: { id: 'x', extension } }
    const all = await asked('birthDate.id | birthDate.extension.value', { name: 'resource', resource })
    expect(foundOf(all).map(textOf)).toEqual(['x', 'y'])
  })

  it.each([
    '10.power(400)',
    '2.power(100000)',
    '(-10).power(401)',
    '1000.exp()',
    '10.power(300) * 10.power(300)',
    '0.1.power(400)',
  ])('finds nothing where %s is beyond all numbers', async expression => {
    const answer = await asked(`${expression}.trace('x')`)
    expect([answer.status, partsOf(answer)[0]]).toEqual([200, { name: 'count', valueInteger: 0 }])
    expect(foundOf(await asked(`${expression} | 1.5`)).map(textOf)).toEqual(['1.5'])
  })

  it('is stopped when it takes too long, and the next one is answered', async () => {
    const endless = await asked("'a'.repeat($this + 'a').count()")
    expect([endless.status, codeOf(endless)]).toEqual([422, 'budget.thread-exceeded'])
    expect(foundOf(await asked('1 + 1'))).toEqual([{ name: 'integer', valueInteger: 2 }])
  })
})
