import { atOnce, isProblem, withBudget } from '#kernel'
import {
  builtInCanonicals,
  builtInCodeSystem,
  builtInValueSet,
  type CodeSystem,
  type CodeSystemDefinition,
  type Definitions,
  type ExpansionRequest,
  expand,
  filterOperators,
  type IncludeDefinition,
  isMember,
  listInSteps,
  Membership,
  readCodeSystem,
  subsumes,
  type ValueSetDefinition,
} from '#terminology'

const hl7 = 'http://hl7.org/fhir/ValueSet/'
const animals = 'http://example.org/animals'

/** A small hierarchy: nested, by `parent`, and by `child`; one concept is retired, one only groups. */
const zoo: CodeSystemDefinition = {
  resourceType: 'CodeSystem',
  url: animals,
  version: '1',
  content: 'complete',
  hierarchyMeaning: 'is-a',
  property: [
    { code: 'legs', type: 'integer' },
    { code: 'above', uri: 'http://hl7.org/fhir/concept-properties#parent', type: 'code' },
    { code: 'status', uri: 'http://hl7.org/fhir/concept-properties#status', type: 'code' },
    { code: 'notSelectable', uri: 'http://hl7.org/fhir/concept-properties#notSelectable', type: 'boolean' },
  ],
  concept: [
    {
      code: 'animal',
      display: 'Animal',
      property: [{ code: 'notSelectable', valueBoolean: true }],
      concept: [
        {
          code: 'dog',
          display: 'Dog',
          designation: [
            { language: 'de', value: 'Hund' },
            { language: 'de-CH', value: 'Hündli' },
          ],
          property: [{ code: 'legs', valueInteger: 4 }],
          concept: [{ code: 'poodle', display: 'Poodle', property: [{ code: 'legs', valueInteger: 4 }] }],
        },
        { code: 'bird', display: 'Bird', property: [{ code: 'legs', valueInteger: 2 }] },
      ],
    },
    { code: 'pet', display: 'Pet', property: [{ code: 'child', valueCode: 'dog' }] },
    {
      code: 'penguin',
      display: 'Penguin',
      property: [
        { code: 'above', valueCode: 'bird' },
        { code: 'legs', valueInteger: 2 },
      ],
    },
    { code: 'dodo', display: 'Dodo', property: [{ code: 'status', valueCode: 'retired' }] },
  ],
}
const read = (definition: CodeSystemDefinition): CodeSystem => atOnce(readCodeSystem(definition))
const system = read(zoo)

const setOf = (
  include: readonly IncludeDefinition[],
  exclude: readonly IncludeDefinition[] = [],
): ValueSetDefinition => ({
  resourceType: 'ValueSet',
  url: 'http://example.org/set',
  status: 'active',
  compose: { include, ...(exclude.length > 0 ? { exclude } : {}) },
})
const holding = (sets: Readonly<Record<string, ValueSetDefinition>> = {}): Definitions => ({
  codeSystem: canonical => (canonical.split('|')[0] === animals ? system : builtInCodeSystem(canonical)),
  valueSet: canonical => sets[canonical] ?? builtInValueSet(canonical),
})
const expanded = (set: ValueSetDefinition, request: ExpansionRequest = {}, definitions = holding()) =>
  atOnce(expand(set, definitions, request))
const codesOf = (set: ValueSetDefinition, request: ExpansionRequest = {}, definitions = holding()) =>
  expanded(set, request, definitions).members.map(({ code }) => code)
const problemOf = (work: () => unknown): string => {
  try {
    work()
  } catch (error) {
    if (isProblem(error)) return error.code
    throw error
  }
  return 'none'
}

describe('code systems – https://hl7.org/fhir/R4/codesystem.html#hierarchy', () => {
  it.each([
    ['animal', 'poodle', true],
    ['animal', 'penguin', true],
    ['pet', 'poodle', true],
    ['poodle', 'animal', false],
    ['bird', 'dog', false],
    ['dog', 'dog', true],
    ['animal', 'unicorn', false],
  ])('%s stands above %s: %s', (above, below, expected) => {
    expect(subsumes(system, above, below)).toBe(expected)
  })

  it.each(['grouped-by', 'part-of'])('what is %s is no kind of what is above', hierarchyMeaning => {
    expect(subsumes(read({ ...zoo, hierarchyMeaning }), 'animal', 'dog')).toBe(false)
  })

  it('ends where a hierarchy leads back to its beginning', () => {
    const ring = read({
      ...zoo,
      concept: ['a', 'b', 'c'].map((code, at) => ({
        code,
        property: [{ code: 'above', valueCode: ['b', 'c', 'a'][at] }],
      })),
    })
    expect(subsumes(ring, 'a', 'b')).toBe(true)
    expect(ring.find('a')?.parents).toEqual(['b'])
  })

  it('tells capitals apart unless the code system says that they do not matter', () => {
    expect(system.find('DOG')).toBeUndefined()
    expect(read({ ...zoo, caseSensitive: false }).find('DOG')?.code).toBe('dog')
  })
})

describe('filters – https://hl7.org/fhir/R4/valueset-filter-operator.html', () => {
  it.each([
    ['concept', 'is-a', 'animal', ['animal', 'dog', 'poodle', 'bird', 'penguin']],
    ['concept', 'descendent-of', 'animal', ['dog', 'poodle', 'bird', 'penguin']],
    ['concept', 'descendent-of', 'pet', ['dog', 'poodle']],
    ['concept', 'is-not-a', 'animal', ['pet', 'dodo']],
    ['concept', 'generalizes', 'poodle', ['animal', 'dog', 'poodle', 'pet']],
    ['legs', '=', '4', ['dog', 'poodle']],
    ['legs', 'in', '2, 3', ['bird', 'penguin']],
    ['legs', 'not-in', '2,4', ['animal', 'pet', 'dodo']],
    ['legs', 'exists', 'true', ['dog', 'poodle', 'bird', 'penguin']],
    ['legs', 'exists', 'false', ['animal', 'pet', 'dodo']],
    ['code', 'regex', 'p.*', ['poodle', 'pet', 'penguin']],
    ['display', 'regex', 'P', []],
    ['display', '=', 'Bird', ['bird']],
    ['parent', '=', 'animal', ['dog', 'bird']],
    ['child', '=', 'dog', ['animal', 'pet']],
    ['inactive', '=', 'true', ['dodo']],
    ['notSelectable', '=', 'true', ['animal']],
    ['concept', 'is-a', 'unicorn', []],
  ])('%s %s %s', (property, op, value, expected) => {
    const set = setOf([{ system: animals, filter: [{ property, op, value }] }])
    expect(codesOf(set).sort()).toEqual(expected.sort())
    const membership = new Membership(holding())
    for (const { code } of system.concepts ?? [])
      expect([code, membership.find(set, { system: animals, code }).is]).toEqual([
        code,
        expected.includes(code) ? 'in' : 'out',
      ])
  })

  it('are all named by R4', () => {
    expect([...filterOperators].sort()).toEqual(
      ['=', 'descendent-of', 'exists', 'generalizes', 'in', 'is-a', 'is-not-a', 'not-in', 'regex'].sort(),
    )
  })

  it('hold together', () => {
    const filter = [
      { property: 'concept', op: 'is-a', value: 'animal' },
      { property: 'legs', op: '=', value: '2' },
    ]
    expect(codesOf(setOf([{ system: animals, filter }]))).toEqual(['bird', 'penguin'])
  })

  it.each([
    ['wings', '=', '2', 'terminology.property-unknown'],
    ['legs', 'is-a', '2', 'terminology.filter-unsupported'],
    ['concept', 'like', '2', 'terminology.filter-unsupported'],
    ['concept', 'constructor', '2', 'terminology.filter-unsupported'],
    ['code', 'regex', '(', 'terminology.pattern-malformed'],
    ['code', 'regex', 'a'.repeat(501), 'terminology.pattern-malformed'],
  ])('%s %s %s is refused', (property, op, value, code) => {
    expect(problemOf(() => codesOf(setOf([{ system: animals, filter: [{ property, op, value }] }])))).toBe(code)
  })

  it('that has extensions for a value is refused', () => {
    const filter = JSON.parse(
      '[{"property":"concept","op":"is-a","_value":{"extension":[{"url":"http://example.org"}]}}]',
    )
    expect(problemOf(() => codesOf(setOf([{ system: animals, filter }])))).toBe('terminology.filter-unsupported')
  })

  it('take patterns that would keep another engine busy for ever', () => {
    const long = read({ ...zoo, concept: [{ code: `${'a'.repeat(200)}!` }] })
    const set = setOf([{ system: animals, filter: [{ property: 'code', op: 'regex', value: '(a|a)*(a+)+b' }] }])
    expect(codesOf(set, {}, { ...holding(), codeSystem: () => long })).toEqual([])
  })

  it.each([
    ['(a?){1000}'.repeat(49), 'counted again and again'],
    ['a{0,1000}'.repeat(55), 'counted letters in a row'],
    [`(${'a'.repeat(480)}){1000}`, 'a long part that is counted'],
    ['((a?){31}){32}', 'counted within what is counted'],
    [`(${'\\pL?'.repeat(60)}){1,40}`, 'classes of letters'],
    ['(a?){1000}b', 'more instructions than a filter may have'],
    [`(?i)${'[\u{100}-\u{10FFFF}]'.repeat(80)}`, 'many wide ranges without case'],
    [`a(?si:[${'\\x{100}-\\x{10FFFF}'.repeat(22)}])`, 'wide ranges in one class without case'],
  ])('may not be patterns that come to much: %#, %s', value => {
    const set = setOf([{ system: animals, filter: [{ property: 'code', op: 'regex', value }] }])
    expect(problemOf(() => codesOf(set))).toBe('terminology.pattern-too-large')
  })

  it('may not hold a pattern against a text that is long for it', () => {
    const long = read({ ...zoo, concept: [{ code: 'a'.repeat(1_000) }] })
    const codes = (value: string) =>
      codesOf(
        setOf([{ system: animals, filter: [{ property: 'code', op: 'regex', value }] }]),
        {},
        { ...holding(), codeSystem: () => long },
      )
    expect(problemOf(() => codes('(a?){0,100}b'))).toBe('terminology.pattern-too-large')
    expect(codes('a*')).toEqual(['a'.repeat(1_000)])
  })

  it.each([
    'urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}',
    '[A-Z][0-9]{2}(\\.[0-9A-Z]{1,4})?',
    '([0-9]{1,5}-){1,3}[0-9]',
    '[A-Za-z0-9\\-\\.]{1,64}',
    '(?i)[a-zà-ü]+[0-9-]{2}',
    `[${'\\x{100}-\\x{10FFFF}'.repeat(22)}]`,
  ])('may be patterns as value sets have them: %s', value => {
    const set = setOf([{ system: animals, filter: [{ property: 'code', op: 'regex', value: `${value}|dog` }] }])
    expect(codesOf(set)).toContain('dog')
  })

  it('may not hold any number of patterns', () => {
    const filter = Array.from({ length: 300 }, (_, at) => ({ property: 'code', op: 'regex', value: `a{${at}}` }))
    const work = () => withBudget({}, () => codesOf(setOf([{ system: animals, filter }])))
    expect(problemOf(work)).toBe('budget.work-exceeded')
  })
})

describe('value sets – https://hl7.org/fhir/R4/valueset.html#compositions', () => {
  const dogs = setOf([{ system: animals, concept: [{ code: 'dog' }, { code: 'poodle', display: 'Fluffy' }] }])
  const four = setOf([{ system: animals, filter: [{ property: 'legs', op: '=', value: '4' }] }])
  const named = { 'urn:dogs': dogs, 'urn:four': four }

  it('are the union of their parts, without what is excluded', () => {
    const set = setOf(
      [{ system: animals, concept: [{ code: 'dodo' }] }, { system: animals }],
      [{ system: animals, concept: [{ code: 'bird' }] }],
    )
    expect(codesOf(set)).toEqual(['dodo', 'animal', 'dog', 'poodle', 'pet', 'penguin'])
  })

  it('of a part have what all that it names have', () => {
    const set = setOf([
      {
        system: animals,
        filter: [{ property: 'code', op: 'regex', value: 'p.*' }],
        valueSet: ['urn:dogs', 'urn:four'],
      },
    ])
    expect(codesOf(set, {}, holding(named))).toEqual(['poodle'])
    expect(codesOf(setOf([{ valueSet: ['urn:dogs', 'urn:four'] }]), {}, holding(named))).toEqual(['dog', 'poodle'])
    expect(codesOf(setOf([{ valueSet: ['urn:four'] }], [{ valueSet: ['urn:dogs'] }]), {}, holding(named))).toEqual([])
  })

  it('show their own display of a code before that of the code system', () => {
    expect(expanded(dogs).members.map(({ display }) => display)).toEqual(['Dog', 'Fluffy'])
  })

  it('may list codes of a system that is not held, but not be all of it', () => {
    const foreign = 'http://example.org/foreign'
    expect(codesOf(setOf([{ system: foreign, concept: [{ code: 'x' }] }]))).toEqual(['x'])
    expect(problemOf(() => codesOf(setOf([{ system: foreign }])))).toBe('terminology.system-unknown')
    const membership = new Membership(holding())
    const both = setOf([{ system: foreign }, { system: animals }])
    expect(membership.find(both, { system: animals, code: 'dog' }).is).toBe('in')
    expect(membership.find(both, { system: animals, code: 'x' }).is).toBe('out')
    expect(membership.find(both, { system: foreign, code: 'x' }).is).toBe('unknown')
    const without = setOf([{ system: animals }], [{ system: animals, valueSet: ['urn:unheld'] }])
    expect(membership.find(without, { system: animals, code: 'dog' })).toMatchObject({
      is: 'unknown',
      problem: { code: 'terminology.value-set-unknown' },
    })
  })

  it('say nothing of a code that is not in the held part of its system', () => {
    const part = read({ ...zoo, content: 'fragment' })
    const membership = new Membership({ ...holding(), codeSystem: () => part })
    expect(membership.find(setOf([{ system: animals }]), { system: animals, code: 'dog' }).is).toBe('in')
    expect(membership.find(setOf([{ system: animals }]), { system: animals, code: 'cat' })).toMatchObject({
      is: 'unknown',
      problem: { code: 'terminology.system-partial' },
    })
  })

  it('leave out what is retired when they, or who asks, want it so', () => {
    const set = setOf([{ system: animals }])
    expect(codesOf(set)).toContain('dodo')
    expect(codesOf(set, { activeOnly: true })).not.toContain('dodo')
    expect(codesOf({ ...set, compose: { include: [{ system: animals }], inactive: false } })).not.toContain('dodo')
    expect(codesOf(set, { selectableOnly: true })).not.toContain('animal')
    expect(codesOf(set, { excludedSystems: [animals] })).toEqual([])
    expect(codesOf(set, { excludedSystems: [`${animals}|2`] })).toHaveLength(7)
  })

  it('that have only an expansion are that', () => {
    const set: ValueSetDefinition = {
      resourceType: 'ValueSet',
      expansion: {
        contains: [{ system: animals, code: 'dog', contains: [{ system: animals, code: 'cat', inactive: true }] }],
      },
    }
    expect(codesOf(set)).toEqual(['dog', 'cat'])
    expect(codesOf(set, { activeOnly: true })).toEqual(['dog'])
    expect(new Membership(holding()).find(set, { code: 'cat' }).is).toBe('in')
    expect(new Membership(holding()).find(set, { system: animals, code: 'cow' }).is).toBe('out')
  })

  it('that include themselves are refused, however long the way round', () => {
    const ring = { 'urn:a': setOf([{ valueSet: ['urn:b'] }]), 'urn:b': setOf([{ valueSet: ['urn:a'] }]) }
    const ask = () => new Membership(holding(ring)).find(ring['urn:a'], { system: animals, code: 'dog' })
    expect(problemOf(ask)).toBe('terminology.value-set-circular')
    expect(problemOf(() => new Membership(holding(ring)).find(ring['urn:a'], { code: 'dog' }))).toBe(
      'terminology.value-set-circular',
    )
  })

  it('that name one another many times over are asked once each', () => {
    const layers = Object.fromEntries(
      Array.from({ length: 40 }, (_, at) => [
        `urn:${at}`,
        setOf(at === 39 ? [{ system: animals }] : [{ valueSet: [`urn:${at + 1}`] }, { valueSet: [`urn:${at + 1}`] }]),
      ]),
    )
    const first = layers['urn:0'] as ValueSetDefinition
    expect(withBudget({ work: 1_000_000 }, () => codesOf(first, {}, holding(layers)))).toHaveLength(7)
  })

  it('are followed only so far', () => {
    const chain = Object.fromEntries(
      Array.from({ length: 60 }, (_, at) => [`urn:${at}`, setOf([{ valueSet: [`urn:${at + 1}`] }])]),
    )
    const first = chain['urn:0'] as ValueSetDefinition
    expect(problemOf(() => codesOf(first, {}, holding(chain)))).toBe('terminology.too-deep')
    expect(problemOf(() => new Membership(holding(chain)).find(first, { code: 'dog' }))).toBe('terminology.too-deep')
  })

  it.each<[string, (count: number) => ValueSetDefinition]>([
    ['parts', count => setOf(Array.from({ length: count }, () => ({ system: animals })))],
    [
      'parts that are left out',
      count => {
        const exclude = Array.from({ length: count - 1 }, () => ({ system: 'urn:other', concept: [{ code: 'x' }] }))
        return { resourceType: 'ValueSet', status: 'active', compose: { include: [{ system: animals }], exclude } }
      },
    ],
    [
      'filters',
      count => {
        const filter = { property: 'concept', op: 'is-a', value: 'animal' }
        return setOf([{ system: animals, filter: Array.from({ length: count - 1 }, () => filter) }])
      },
    ],
    ['names of others', count => setOf([{ valueSet: Array.from({ length: count - 1 }, () => 'urn:named') }])],
  ])('of ten thousand %s are judged, of more refused before they are made ready', (_, make) => {
    const others = holding({ 'urn:named': setOf([{ system: animals }]) })
    let asked = 0
    const counting = {
      ...others,
      codeSystem: (canonical: string) => {
        asked++
        return others.codeSystem(canonical)
      },
    }
    const found = (valueSet: ValueSetDefinition) => new Membership(counting).find(valueSet, { code: 'dog' })
    expect(found(make(10_000)).is).not.toBe('unknown')
    asked = 0
    for (const valueSet of [make(10_001), setOf([{ valueSet: ['urn:more'] }])]) {
      const holds = {
        ...counting,
        valueSet: (url: string) => (url === 'urn:more' ? make(10_001) : others.valueSet(url)),
      }
      expect(problemOf(() => new Membership(holds).find(valueSet, { code: 'dog' }))).toBe('terminology.too-many-parts')
      expect(problemOf(() => codesOf(valueSet, {}, holds))).toBe('terminology.too-many-parts')
    }
    expect(asked).toBe(0)
  })

  it('that name a version are about that one', () => {
    const membership = new Membership({
      ...holding(),
      codeSystem: canonical => (canonical === `${animals}|1` ? system : undefined),
    })
    const one = setOf([{ system: animals, version: '1' }])
    expect(membership.find(one, { system: animals, code: 'dog' }).is).toBe('in')
    expect(membership.find(one, { system: animals, version: '1', code: 'dog' }).is).toBe('in')
    expect(membership.find(one, { system: animals, version: '2', code: 'dog' }).is).toBe('out')
    const two = setOf([{ system: animals, version: '2' }])
    expect(membership.find(two, { system: animals, code: 'dog' }).is).toBe('unknown')
    const forced = { forced: new Map([[animals, '1']]) }
    expect(codesOf(two, { versions: forced })).toHaveLength(7)
    expect(problemOf(() => codesOf(two, { versions: { checked: new Map([[animals, '1']]) } }))).toBe(
      'terminology.version-differs',
    )
  })
})

describe('expansions – https://hl7.org/fhir/R4/valueset.html#expansion', () => {
  const all = setOf([{ system: animals }])

  it.each([
    ['dog', ['dog']],
    ['pe', ['pet', 'penguin']],
    ['HUND', ['dog']],
    ['hundli', ['dog']],
    ['oodle', []],
    ['  ', ['animal', 'dog', 'poodle', 'bird', 'pet', 'penguin', 'dodo']],
  ])('are narrowed by the words of %p', (filter, expected) => {
    expect(codesOf(all, { filter })).toEqual(expected)
  })

  it('come in pages that together are the whole', () => {
    const pages = [0, 3, 6, 9].map(offset => expanded(all, { offset, count: 3 }))
    expect(pages.flatMap(({ members }) => members.map(({ code }) => code))).toEqual(codesOf(all))
    expect(pages.map(({ total }) => total)).toEqual([7, 7, 7, 7])
    expect(expanded(all, { count: 0 })).toMatchObject({ total: 7, members: [] })
  })

  it('have an end, and one that an answer can hold', () => {
    const units = builtInValueSet(`${hl7}ucum-units`) as ValueSetDefinition
    expect(problemOf(() => expanded(units))).toBe('terminology.endless')
    const many = read({ ...zoo, concept: Array.from({ length: 10_001 }, (_, at) => ({ code: `c${at}` })) })
    const definitions = { ...holding(), codeSystem: () => many }
    expect(problemOf(() => expanded(all, {}, definitions))).toBe('terminology.expansion-too-large')
    expect(expanded(all, { count: 5 }, definitions)).toMatchObject({ total: 10_001 })
  })

  it('of R4’s own value sets can be made, where their code systems are held', () => {
    const codes = new Map<string, number>()
    for (const canonical of builtInCanonicals('ValueSet')) {
      const set = builtInValueSet(canonical) as ValueSetDefinition
      const code = problemOf(() => expanded(set))
      codes.set(code, (codes.get(code) ?? 0) + 1)
    }
    expect([...codes.keys()].sort()).toEqual([
      'none',
      'terminology.endless',
      'terminology.system-unknown',
      'terminology.value-set-unknown',
    ])
    expect(codes.get('none')).toBeGreaterThan(1200)
  })
})

describe('isMember – https://hl7.org/fhir/R4/terminologies.html#strength', () => {
  it.each([
    ['administrative-gender', undefined, 'female', 'in'],
    ['administrative-gender|4.0.1', 'http://hl7.org/fhir/administrative-gender', 'female', 'in'],
    ['administrative-gender|5.0.0', 'http://hl7.org/fhir/administrative-gender', 'female', 'unknown'],
    ['administrative-gender', 'http://hl7.org/fhir/administrative-gender', 'Female', 'out'],
    ['administrative-gender', 'http://example.org/other', 'female', 'out'],
    ['resource-types', undefined, 'Patient', 'in'],
    ['resource-types', undefined, 'Subscriptionstatus', 'out'],
    ['observation-vitalsignresult', 'http://loinc.org', '8867-4', 'in'],
    ['condition-severity', 'http://snomed.info/sct', '24484000', 'in'],
    ['condition-code', 'http://snomed.info/sct', '404684003', 'unknown'],
    ['ucum-units', 'http://unitsofmeasure.org', 'mm[Hg]', 'in'],
    ['ucum-units', 'http://unitsofmeasure.org', 'bpm', 'out'],
    ['all-languages', 'urn:ietf:bcp:47', 'de-CH', 'in'],
    ['all-languages', 'urn:ietf:bcp:47', 'x-klingon', 'in'],
    ['all-languages', 'urn:ietf:bcp:47', 'i-klingon', 'in'],
    ['all-languages', 'urn:ietf:bcp:47', 'de_CH', 'out'],
    ['all-languages', 'urn:ietf:bcp:47', 'german language', 'out'],
    ['mimetypes', undefined, 'application/fhir+json; fhirVersion=4.0', 'in'],
    ['mimetypes', undefined, 'text/plain;charset="utf-8"', 'in'],
    ['mimetypes', undefined, 'pdf', 'out'],
    ['mimetypes', undefined, `a/${'b'.repeat(300)}`, 'out'],
    ['currencies', undefined, 'CHF', 'in'],
    ['currencies', undefined, 'XAU', 'in'],
    ['currencies', undefined, 'XQQ', 'out'],
    ['iso3166-1-2', 'urn:iso:std:iso:3166', 'CH', 'in'],
    ['iso3166-1-2', 'urn:iso:std:iso:3166', 'UK', 'out'],
    ['iso3166-1-3', 'urn:iso:std:iso:3166', 'CHE', 'unknown'],
    ['all-distance-units', 'http://unitsofmeasure.org', 'km', 'in'],
    ['all-distance-units', 'http://unitsofmeasure.org', '[in_i]', 'in'],
    ['all-distance-units', 'http://unitsofmeasure.org', 'kg', 'out'],
    ['all-time-units', 'http://unitsofmeasure.org', 'wk', 'in'],
    ['jurisdiction', 'urn:iso:std:iso:3166', 'CH', 'in'],
    ['timezones', undefined, 'Europe/Zurich', 'in'],
    ['timezones', undefined, 'Middle/Earth', 'out'],
    ['no-such-value-set', undefined, 'x', 'unknown'],
  ] as const)('%s has %s|%s: %s', (name, url, code, expected) => {
    expect(isMember(hl7 + name, url, code)).toBe(expected)
  })

  it('answers as the value set’s expansion does, for each of R4’s value sets', () => {
    for (const canonical of builtInCanonicals('ValueSet').filter((_, at) => at % 10 === 0)) {
      const set = builtInValueSet(canonical) as ValueSetDefinition
      if (problemOf(() => expanded(set)) !== 'none') continue
      for (const { system: url, code } of expanded(set).members)
        expect([canonical, code, isMember(canonical, url, code)]).toEqual([canonical, code, 'in'])
      expect(isMember(canonical, undefined, 'no such code')).not.toBe('in')
    }
  })
})

describe('a value set that lists very many codes', () => {
  const count = 40_000
  const system = 'http://a.example'
  const systemOf = (caseSensitive: boolean) =>
    atOnce(
      readCodeSystem({
        resourceType: 'CodeSystem',
        url: system,
        content: 'complete',
        caseSensitive,
      } as CodeSystemDefinition),
    )
  type Within = (codes: readonly object[]) => object
  const inPart: Within = concept => ({ compose: { include: [{ system, concept }] } })

  /** Its codes tell how often they are looked at. */
  function counted(within: Within) {
    let looked = 0
    const codes = Array.from({ length: count }, (_, at) => ({
      system,
      get code() {
        looked++
        return `c${at}`
      },
    }))
    const valueSet = { resourceType: 'ValueSet', status: 'active', ...within(codes) } as ValueSetDefinition
    const lookedAt = () => {
      const before = looked
      looked = 0
      return before
    }
    return { valueSet, lookedAt }
  }

  // biome-ignore format: a table is read by its columns
  it.each<[string, Within, CodeSystem | undefined, string, string]>([
    ['of a part', inPart, undefined, 'in', 'out'],
    ['of a system that cares for case', inPart, systemOf(true), 'in', 'out'],
    ['of one that does not', inPart, systemOf(false), 'in', 'in'],
    ['that are left out', concept => ({ compose: { include: [], exclude: [{ system, concept }] } }), undefined, 'out', 'out'],
    ['of an expansion', contains => ({ expansion: { contains } }), undefined, 'in', 'out'],
    ['deep in an expansion', contains => ({ expansion: { contains: [{ contains }] } }), undefined, 'in', 'out'],
  ])('has its list made in steps, and once: codes %s', (_, within, held, small, capital) => {
    const { valueSet, lookedAt } = counted(within)
    const steps = listInSteps(valueSet, () => held)
    const inSteps: number[] = []
    for (let done = false; !done; inSteps.push(lookedAt())) done = steps.next().done === true
    expect(inSteps.reduce((sum, one) => sum + one)).toBeGreaterThanOrEqual(count)
    expect(Math.max(...inSteps)).toBeLessThan(count / 2)
    const membership = new Membership({ codeSystem: () => held, valueSet: () => undefined })
    const find = (code: string) => membership.find(valueSet, { system, code }).is
    expect([find('c7'), find('C7')]).toEqual([small, capital])
    expect(lookedAt()).toBeLessThan(10)
  })
})
