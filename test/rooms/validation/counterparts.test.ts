import { parseResource, printJson } from '#fhir'
import { createValidator, judgeByProfiles, type ProfileQuestion } from '#validation'
import { reportFaults } from '../../../src/validation/counterparts/measure-reports.ts'

const core = 'http://hl7.org/fhir/StructureDefinition/'
const own = 'http://example.org/'

interface Definition {
  readonly url: string
}

async function told(
  resource: object,
  definitions: readonly Definition[],
  more: Partial<ProfileQuestion> = {},
): Promise<readonly string[]> {
  const kept = definitions.map(definition => ({ canonical: definition.url, text: JSON.stringify(definition) }))
  const question = { asked: [], kept, extent: 'errors', ...more } as const
  const issues = await judgeByProfiles(parseResource(printJson(resource)), question, 'owner')
  return issues.map(({ expression }) => String(expression))
}

type Row = readonly [name: string, resource: object, definitions: readonly Definition[], ...places: string[]]

const kind = 'http://terminology.hl7.org/CodeSystem/measure-population'
const population = (code: string, more: object = {}) => ({ code: { coding: [{ system: kind, code }] }, ...more })
const concept = (text: string) => ({ text })
const measure = (...group: readonly object[]) => ({
  resourceType: 'Measure',
  url: `${own}Measure/m`,
  status: 'active',
  group,
})
const scored = (code: string, ...group: readonly object[]) => ({
  ...measure(...group),
  scoring: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/measure-scoring', code }] },
})
const report = (...group: readonly object[]) => ({
  resourceType: 'MeasureReport',
  status: 'complete',
  type: 'summary',
  measure: `${own}Measure/m`,
  period: { start: '2026' },
  group,
})
const two = [population('initial-population'), population('numerator')]
const counted = (code: string) => population(code, { count: 1 })

/** https://hl7.org/fhir/R4/measurereport.html */
const reports: readonly Row[] = [
  ['a report of what the Measure has', report({ population: [counted('numerator')] }), [measure({ population: two })]],
  ['a report of a Measure that nobody keeps', report({ population: [counted('denominator')] }), []],
  [
    'a population that the Measure has not',
    report({ population: [counted('numerator'), counted('denominator')] }),
    [measure({ population: two })],
    'MeasureReport.group[0].population[1]',
  ],
  [
    'a population of another system',
    report({ population: [{ code: { coding: [{ system: `${own}s`, code: 'numerator' }] }, count: 1 }] }),
    [measure({ population: two })],
    'MeasureReport.group[0].population[0]',
  ],
  [
    'a population with a second coding that the Measure has',
    report({
      population: [
        {
          code: {
            coding: [
              { system: `${own}s`, code: 'n' },
              { system: kind, code: 'numerator' },
            ],
          },
        },
      ],
    }),
    [measure({ population: two })],
  ],
  [
    'populations to which the Measure gives no code',
    report({ population: [counted('numerator')] }),
    [measure({ population: [{ criteria: { language: 'text/plain', expression: 'all' } }] })],
  ],
  [
    'two groups of one',
    report({ population: [counted('numerator')] }, { population: [counted('numerator')] }),
    [measure({ population: two })],
    'MeasureReport.group',
  ],
  [
    'groups by their codes',
    report({ code: concept('a'), population: [counted('numerator')] }, { code: concept('b') }),
    [measure({ code: concept('b') }, { code: concept('a'), population: two })],
  ],
  [
    'a group that the Measure has not, and one without a code',
    report({ code: concept('c') }, { population: [counted('numerator')] }),
    [measure({ code: concept('b') }, { code: concept('a'), population: two })],
    'MeasureReport.group[0]',
    'MeasureReport.group[1]',
  ],
  [
    'a population of the other group',
    report({ code: concept('b'), population: [counted('numerator')] }),
    [measure({ code: concept('b'), population: [population('denominator')] }, { code: concept('a'), population: two })],
    'MeasureReport.group[0].population[0]',
  ],
  [
    'a stratifier that the Measure has not',
    report({ stratifier: [{ code: [concept('age')] }, { code: [concept('sex')] }] }),
    [measure({ stratifier: [{ code: concept('age') }] })],
    'MeasureReport.group[0].stratifier[1]',
  ],
  [
    'the score of a cohort',
    report({ measureScore: { value: 1 } }),
    [scored('cohort', {})],
    'MeasureReport.group[0].measureScore',
  ],
  ['the score of a proportion', report({ measureScore: { value: 1 } }), [scored('proportion', {})]],
  [
    'a report in a Bundle',
    {
      resourceType: 'Bundle',
      type: 'collection',
      entry: [{ fullUrl: `${own}MeasureReport/1`, resource: report({ population: [counted('denominator')] }) }],
    },
    [measure({ population: two })],
    'Bundle.entry[0].resource.ofType(MeasureReport).group[0].population[0]',
  ],
]

const tea = { resourceType: 'CodeSystem', url: `${own}tea`, status: 'active', content: 'complete' }
const system = { ...tea, concept: [{ code: 'green' }, { code: 'black' }, { code: 'red' }] }
const setOf = (name: string, ...codes: readonly string[]) => ({
  resourceType: 'ValueSet',
  url: own + name,
  status: 'active',
  compose: { include: [{ system: `${own}tea`, concept: codes.map(code => ({ code })) }] },
})
const map = (ends: object, element: readonly object[]) => ({
  resourceType: 'ConceptMap',
  status: 'active',
  ...ends,
  group: [{ source: `${own}tea`, target: `${own}tea`, element }],
})
const to = (code: string, target: string) => ({ code, target: [{ code: target, equivalence: 'equivalent' }] })
const ends = { sourceCanonical: `${own}from`, targetCanonical: `${own}to` }
const sets = [system, setOf('from', 'green', 'black'), setOf('to', 'red')]

/** https://hl7.org/fhir/R4/conceptmap-definitions.html#ConceptMap.source_x_ */
const maps: readonly Row[] = [
  ['a map between its value sets', map(ends, [to('green', 'red'), to('black', 'red')]), sets],
  ['a map between value sets that nobody keeps', map(ends, [to('red', 'green')]), []],
  [
    'a code that it does not lead from',
    map(ends, [to('green', 'red'), to('red', 'red')]),
    sets,
    'ConceptMap.group[0].element[1].code',
  ],
  [
    'a code that it does not lead to, its ends told by uri',
    map({ sourceUri: `${own}from`, targetUri: `${own}to` }, [to('green', 'black')]),
    sets,
    'ConceptMap.group[0].element[0].target[0].code',
  ],
  ['what leads to nothing', map(ends, [{ code: 'green', target: [{ equivalence: 'unmatched' }] }]), sets],
  [
    "R4's own value sets, which R4's own maps go beyond",
    {
      ...map({ sourceUri: 'http://hl7.org/fhir/ValueSet/administrative-gender' }, []),
      group: [
        { source: 'http://hl7.org/fhir/administrative-gender', target: `${own}tea`, element: [to('none', 'red')] },
      ],
    },
    sets,
  ],
]

const extension = (name: string, base: string, url = own + name) => ({
  resourceType: 'StructureDefinition',
  url: own + name,
  name: 'E',
  status: 'active',
  kind: 'complex-type',
  abstract: false,
  type: 'Extension',
  derivation: 'constraint',
  baseDefinition: base,
  context: [{ type: 'element', expression: 'Patient' }],
  differential: { element: [{ id: 'Extension.url', path: 'Extension.url', fixedUri: url }] },
})
const bare = { ...extension('open', `${core}Extension`), differential: { element: [{ path: 'Extension' }] } }

/** https://hl7.org/fhir/R4/profiling.html */
const extensions: readonly Row[] = [
  ['an extension', extension('a', `${core}Extension`), []],
  [
    'one that derives from another and keeps its address',
    extension('b', `${own}a`, `${own}a`),
    [extension('a', `${core}Extension`)],
  ],
  [
    'one that derives from another and has its own',
    extension('b', `${own}a`),
    [extension('a', `${core}Extension`)],
    'StructureDefinition.differential.element[0].fixed.ofType(uri)',
  ],
  ['one that derives from what fixes no address', extension('b', `${own}open`), [bare]],
  ['one that derives from what nobody keeps', extension('b', `${own}a`), []],
]

const obliging = (name: string, flag: boolean, base = `${core}Patient`) => ({
  resourceType: 'StructureDefinition',
  url: own + name,
  ...(flag ? { extension: [{ url: `${core}obligation-profile-flag`, valueBoolean: true }] } : {}),
  type: 'Patient',
  derivation: 'constraint',
  baseDefinition: base,
})
const profileOfPatient = (more: { readonly url: string } & Readonly<Record<string, unknown>>) => ({
  resourceType: 'StructureDefinition',
  status: 'active',
  kind: 'resource',
  abstract: false,
  type: 'Patient',
  derivation: 'constraint',
  baseDefinition: `${core}Patient`,
  ...more,
})
const taking = (...names: readonly string[]) =>
  profileOfPatient({
    url: `${own}q`,
    name: 'Q',
    extension: names.map(name => ({ url: `${core}inherit-obligations`, valueCanonical: own + name })),
    differential: { element: [{ id: 'Patient', path: 'Patient' }] },
  })

/** https://hl7.org/fhir/extensions/StructureDefinition-inherit-obligations.html */
const obligations: readonly Row[] = [
  ['obligations of two', taking('o1', 'o2'), [obliging('o1', true), obliging('o2', true)]],
  ['obligations of one that nobody keeps', taking('o1'), []],
  [
    'obligations of what is of none',
    taking('o1', 'o2'),
    [obliging('o1', true), obliging('o2', false)],
    'StructureDefinition.extension[1]',
  ],
  [
    'obligations of another base',
    taking('o1'),
    [obliging('o1', true, `${own}base`)],
    'StructureDefinition.extension[0]',
  ],
]

describe('what a definition says of what names it', () => {
  it.each([...reports, ...maps, ...extensions, ...obligations].map(row => [row[0], row] as const))(
    '%s',
    async (_name, [, resource, definitions, ...places]) => {
      expect(await told(resource, definitions)).toEqual(places)
    },
  )
})

const observation = (code: string, more: object = {}, system = 'http://loinc.org') => ({
  resourceType: 'Observation',
  status: 'final',
  category: [
    { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: 'vital-signs' }] },
  ],
  code: { coding: [{ system, code }] },
  subject: { reference: 'Patient/1' },
  effectiveDateTime: '2026-01-01',
  ...more,
})
const quantity = (code: string) => ({
  valueQuantity: { value: 70, unit: code, system: 'http://unitsofmeasure.org', code },
})

/** https://hl7.org/fhir/R4/observation-vitalsigns.html#vitals-table */
describe('vital signs', () => {
  it.each(
    (
      [
        ['a heart rate', observation('8867-4', quantity('/min'))],
        ['a weight in pounds', observation('29463-7', quantity('[lb_av]'))],
        [
          'a heart rate in another unit',
          observation('8867-4', quantity('kg')),
          'Observation.value.ofType(Quantity).code',
        ],
        [
          'a heart rate of no category',
          observation('8867-4', { ...quantity('/min'), category: [{ text: 'home' }] }),
          'Observation.category',
        ],
        [
          'a body height of nobody',
          observation('8302-2', { ...quantity('cm'), subject: undefined }),
          'Observation.subject',
        ],
        [
          'a weight of a month',
          observation('29463-7', { ...quantity('kg'), effectiveDateTime: '2026-02' }),
          'Observation.effective.ofType(dateTime)',
        ],
        [
          'a weight of a day and a while',
          observation('29463-7', {
            ...quantity('kg'),
            effectiveDateTime: undefined,
            effectivePeriod: { start: '2026' },
          }),
        ],
        ['another observation', observation('1-8', { ...quantity('kg'), category: undefined })],
        ['the same code of another system', observation('8867-4', quantity('kg'), `${own}s`)],
      ] as readonly (readonly [string, object, ...string[]])[]
    ).map(([name, ...rest]) => [name, rest] as const),
  )('%s', async (_name, [resource, ...places]) => {
    const found = await told(resource, [], { isStrict: true })
    for (const place of places) expect(found).toContain(place)
    expect(found.length > 0).toBe(places.length > 0)
    expect(await told(resource, [])).toEqual([])
  })
})

const later = 'http://hl7.org/fhir/5.0/StructureDefinition/extension-ElementDefinition.'
const active = (extension: object) =>
  profileOfPatient({
    url: `${own}p`,
    name: 'P',
    differential: { element: [{ path: 'Patient.active', min: 1, extension: [extension] }] },
  })
const absent = { url: `${core}data-absent-reason`, valueCode: 'unknown' }
const must = { url: `${later}mustHaveValue`, valueBoolean: true }
const may = { url: `${later}mustHaveValue`, valueBoolean: false }
const instead = { url: `${later}valueAlternatives`, valueCanonical: `${core}data-absent-reason` }
const other = { url: `${own}e`, valueCode: 'unknown' }

/** https://hl7.org/fhir/R5/elementdefinition-definitions.html#ElementDefinition.mustHaveValue, as profiles for R4 have it */
describe('what may stand in place of a value', () => {
  it.each(
    (
      [
        ['a value', { active: true }, must],
        ['no value', { _active: { extension: [absent] } }, must, 'Patient.active'],
        ['no value, which need not be', { _active: { extension: [absent] } }, may],
        ['the extension that may', { _active: { extension: [absent] } }, instead],
        ['another extension', { _active: { extension: [other] } }, instead, 'Patient.active'],
        ['a value and another extension', { active: true, _active: { extension: [other] } }, instead],
      ] as readonly (readonly [string, object, object, ...string[]])[]
    ).map(([name, ...rest]) => [name, rest] as const),
  )('%s', async (_name, [more, extension, ...places]) => {
    const resource = { resourceType: 'Patient', ...more }
    expect(await told(resource, [active(extension)], { asked: [`${own}p`] })).toEqual(places)
  })
})

/** https://hl7.org/fhir/extensions/StructureDefinition-obligation-profile-flag.html */
describe('profiles of obligations', () => {
  const validator = createValidator()
  afterAll(() => validator.close())
  const flag = (name: string, valueBoolean = true) => ({ extension: [{ url: core + name, valueBoolean }] })
  const tools = {
    extension: [{ url: 'http://hl7.org/fhir/tools/StructureDefinition/obligation-profile', valueBoolean: true }],
  }
  const said = (more: object, element: object) => {
    const definition = {
      ...active({}),
      ...more,
      differential: { element: [{ id: 'Patient.name', path: 'Patient.name', ...element }] },
    }
    return validator.validate(parseResource(printJson(definition))).map(({ expression }) => expression)
  }
  const place = 'StructureDefinition.differential.element[0]'

  it.each(
    (
      [
        ['support', flag('obligation-profile-flag'), { mustSupport: true }],
        ['a minimum', flag('obligation-profile-flag'), { min: 1 }, `${place}.min`],
        ['a length, by the older name', tools, { maxLength: 3 }, `${place}.maxLength`],
        [
          'a pattern',
          flag('obligation-profile-flag'),
          { patternHumanName: { use: 'usual' } },
          `${place}.pattern.ofType(HumanName)`,
        ],
        ['a minimum of what is none', flag('obligation-profile-flag', false), { min: 1 }],
      ] as readonly (readonly [string, object, object, ...string[]])[]
    ).map(([name, ...rest]) => [name, rest] as const),
  )('%s', (_name, [more, element, ...places]) => {
    expect(said(more, element)).toEqual(places)
  })
})

describe('a report of many groups', () => {
  it('looks at each of its Measure a few times, however many there are', () => {
    let looks = 0
    const coded = (name: string, nth: number) => {
      const codes = { coding: [{ system: own, code: `${name}${nth}` }], text: name }
      return Object.defineProperty({}, 'code', { enumerable: true, get: () => [codes, looks++][0] })
    }
    const many = (name: string) => Array.from({ length: 300 }, (_, nth) => coded(name, nth))
    const held = { ask: () => undefined, structure: () => undefined, measure: () => ({ group: many('m') }) }
    const faults = reportFaults({ measure: `${own}m`, group: many('r') }, '', held as never)
    expect(faults).toHaveLength(300)
    expect(looks).toBeLessThan(300 * 10)
  })

  it.each([
    ['text of what has no coding', { text: 'a' }, { coding: [{ code: 'x' }], text: 'a' }, []],
    ['text of both', { text: 'a' }, { text: 'a' }, []],
    ['a coding in common', { coding: [{ code: 'y' }, { code: 'x' }], text: 'b' }, { coding: [{ code: 'x' }] }, []],
    [
      'no coding in common, though the text',
      { coding: [{ code: 'x' }], text: 'a' },
      { coding: [{ code: 'y' }], text: 'a' },
      [0],
    ],
    ['neither', { text: 'a' }, { text: 'b' }, [0]],
    ['names of prototypes', { text: '__proto__' }, { text: 'constructor' }, [0]],
  ])('tells them by %s', async (_, code, defined, places) => {
    const other = { code: { text: 'other' } }
    expect(await told(report({ code }), [measure({ code: defined }, other)])).toEqual(
      places.map(at => `MeasureReport.group[${at}]`),
    )
  })
})
