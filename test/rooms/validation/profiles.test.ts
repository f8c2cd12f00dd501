import { parseResource, printJson } from '#fhir'
import { isProblem } from '#kernel'
import { judgeByProfiles } from '#validation'

const core = 'http://hl7.org/fhir/StructureDefinition/'
const own = 'http://example.org/StructureDefinition/'

/** A profile as authors write it: a differential on a type or on another profile. */
const profile = (name: string, type: string, element: readonly object[], more: object = {}) => ({
  resourceType: 'StructureDefinition',
  url: own + name,
  name,
  status: 'active',
  kind: 'resource',
  abstract: false,
  type,
  derivation: 'constraint',
  baseDefinition: core + type,
  differential: { element },
  ...more,
})

type Definition = { readonly url: string }
const keptAs = (definition: Definition) => ({ canonical: definition.url, text: JSON.stringify(definition) })

async function judged(resource: object, definitions: readonly Definition[], asked = [definitions[0]?.url ?? '']) {
  const kept = definitions.map(keptAs)
  return judgeByProfiles(parseResource(printJson(resource)), { asked, kept, extent: 'warnings-too' }, 'owner')
}
async function told(...given: Parameters<typeof judged>): Promise<readonly string[]> {
  return (await judged(...given)).map(({ severity, expression }) => `${severity} ${expression}`)
}

const observation = { resourceType: 'Observation', status: 'final', code: { text: 'x' } }
const patient = { resourceType: 'Patient' }
const loinc = (code: string) => ({ coding: [{ system: 'http://loinc.org', code }] })

type Row = readonly [name: string, elements: readonly object[], right: object, wrong: object, ...told: string[]]

/** https://hl7.org/fhir/R4/elementdefinition.html */
const rules: readonly Row[] = [
  [
    'a minimum',
    [{ path: 'Patient.name', min: 1 }],
    { ...patient, name: [{ text: 'A' }] },
    patient,
    'error Patient.name',
  ],
  [
    'a maximum',
    [{ path: 'Patient.name', max: '0' }],
    patient,
    { ...patient, name: [{ text: 'A' }] },
    'error Patient.name',
  ],
  [
    'a minimum of what is in each',
    [{ path: 'Patient.name.family', min: 1 }],
    { ...patient, name: [{ family: 'A' }] },
    { ...patient, name: [{ family: 'A' }, { text: 'B' }] },
    'error Patient.name[1].family',
  ],
  [
    'a fixed primitive',
    [{ path: 'Observation.status', fixedCode: 'final' }],
    observation,
    { ...observation, status: 'amended' },
    'error Observation.status',
  ],
  [
    'a fixed whole, no more and no less',
    [{ path: 'Observation.code', fixedCodeableConcept: loinc('1-8') }],
    { ...observation, code: loinc('1-8') },
    { ...observation, code: { ...loinc('1-8'), text: 'more' } },
    'error Observation.code',
  ],
  [
    'a pattern, with more beside it',
    [{ path: 'Observation.code', patternCodeableConcept: loinc('1-8') }],
    { ...observation, code: { coding: [{ code: 'z' }, { system: 'http://loinc.org', code: '1-8', display: 'd' }] } },
    { ...observation, code: loinc('2-6') },
    'error Observation.code',
  ],
  [
    'a least and a most number',
    [{ path: 'Observation.value[x]', minValueInteger: 2, maxValueInteger: 4 }],
    { ...observation, valueInteger: 4 },
    { ...observation, valueInteger: 5 },
    'error Observation.value.ofType(integer)',
  ],
  [
    'a least quantity, in another unit',
    [{ path: 'Observation.value[x]', minValueQuantity: { value: 1, system: 'http://unitsofmeasure.org', code: 'g' } }],
    { ...observation, valueQuantity: { value: 2000, system: 'http://unitsofmeasure.org', code: 'mg' } },
    { ...observation, valueQuantity: { value: 2, system: 'http://unitsofmeasure.org', code: 'mg' } },
    'error Observation.value.ofType(Quantity)',
  ],
  [
    'a least date',
    [{ path: 'Patient.birthDate', minValueDate: '1900-01-01' }],
    { ...patient, birthDate: '1900' },
    { ...patient, birthDate: '1899-12-31' },
    'error Patient.birthDate',
  ],
  [
    'a length, counted in letters',
    [{ path: 'Patient.name.family', maxLength: 2 }],
    { ...patient, name: [{ family: '👍👍' }] },
    { ...patient, name: [{ family: 'abc' }] },
    'error Patient.name[0].family',
  ],
  [
    'a least length',
    [
      {
        path: 'Patient.name.family',
        extension: [{ url: 'http://hl7.org/fhir/StructureDefinition/minLength', valueInteger: 2 }],
      },
    ],
    { ...patient, name: [{ family: 'ab' }] },
    { ...patient, name: [{ family: 'a' }] },
    'error Patient.name[0].family',
  ],
  [
    'types of a choice',
    [{ path: 'Observation.value[x]', type: [{ code: 'Quantity' }, { code: 'string' }] }],
    { ...observation, valueString: 'x' },
    { ...observation, valueInteger: 1 },
    'error Observation.value.ofType(integer)',
  ],
  [
    'one type of a choice by its name',
    [{ path: 'Observation.valueQuantity', max: '0' }],
    { ...observation, valueString: 'x' },
    { ...observation, valueQuantity: { value: 1 } },
    'error Observation.value',
  ],
  [
    'targets of a reference',
    [{ path: 'Observation.subject', type: [{ code: 'Reference', targetProfile: [`${core}Patient`] }] }],
    { ...observation, subject: { reference: 'Patient/a' } },
    { ...observation, subject: { reference: 'Group/a' } },
    'error Observation.subject',
  ],
  [
    'where a target lies',
    [{ path: 'Observation.subject', type: [{ code: 'Reference', aggregation: ['contained'] }] }],
    { ...observation, subject: { reference: '#p' }, contained: [{ resourceType: 'Patient', id: 'p' }] },
    { ...observation, subject: { reference: 'Patient/a' } },
    'error Observation.subject',
  ],
  [
    'a constraint in FHIRPath',
    [
      {
        path: 'Patient.name',
        constraint: [
          { key: 'own-1', severity: 'error', human: 'Both.', expression: 'given.exists() and family.exists()' },
        ],
      },
    ],
    { ...patient, name: [{ family: 'A', given: ['B'] }] },
    { ...patient, name: [{ family: 'A' }] },
    'error Patient.name[0]',
  ],
  ...['(family as String)', '(family as System.String)', 'family.as(String)', 'family.ofType(String)'].map(
    (named): Row => [
      `a constraint that calls a value by a type of the language: ${named}`,
      [
        {
          path: 'Patient.name',
          constraint: [{ key: 'own-1', severity: 'error', human: 'A.', expression: `${named} = 'A'` }],
        },
      ],
      { ...patient, name: [{ family: 'A' }] },
      { ...patient, name: [{ family: 'B' }] },
      'error Patient.name[0]',
    ],
  ),
  [
    'a constraint that is a warning',
    [
      {
        path: 'Patient',
        constraint: [{ key: 'own-2', severity: 'warning', human: 'Named.', expression: 'name.exists()' }],
      },
    ],
    { ...patient, name: [{ text: 'A' }] },
    patient,
    'warning Patient',
  ],
  [
    'functions that look at more than the resource',
    [
      {
        path: 'Observation',
        constraint: [
          {
            key: 'own-3',
            severity: 'error',
            human: 'In.',
            expression: `status.memberOf('http://hl7.org/fhir/ValueSet/observation-status')`,
          },
          {
            key: 'own-4',
            severity: 'error',
            human: 'Is.',
            expression: `subject.resolve().conformsTo('${core}Patient')`,
          },
        ],
      },
    ],
    { ...observation, subject: { reference: '#p' }, contained: [{ resourceType: 'Patient', id: 'p' }] },
    { ...observation, subject: { reference: '#p' }, contained: [{ resourceType: 'Group', id: 'p' }] },
    'error Observation',
  ],
]

const slicing = (type: string, path: string, more: object = {}) => ({
  discriminator: [{ type, path }],
  rules: 'open',
  ...more,
})
const components = (type: string, path: string, more: object = {}) => ({
  path: 'Observation.component',
  slicing: slicing(type, path, more),
})
const slice = (sliceName: string, more: object = {}) => ({ path: 'Observation.component', sliceName, ...more })
const component = (code: string, more: object = {}) => ({ code: loinc(code), ...more })
const holding = (...component: object[]) => ({ ...observation, component })
const onCode = (name: string, code: string, more: object = {}) => [
  slice(name, more),
  { path: 'Observation.component.code', patternCodeableConcept: loinc(code) },
]
const ab = [...onCode('a', '1-8', { min: 1, max: '1' }), ...onCode('b', '2-6')]
const race = { url: `${own}race`, valueString: 'x' }

/** https://hl7.org/fhir/R4/profiling.html#slicing */
const slicings: readonly Row[] = [
  [
    'a slice by a pattern, too seldom',
    [components('pattern', 'code'), ...ab],
    holding(component('1-8'), component('9-9')),
    holding(component('2-6')),
    'error Observation.component',
  ],
  [
    'a slice by a value, too often',
    [components('value', 'code'), ...ab],
    holding(component('1-8')),
    holding(component('1-8'), component('1-8')),
    'error Observation.component',
  ],
  [
    'what holds in a slice alone',
    [
      components('value', 'code'),
      ...ab,
      { id: 'Observation.component:b.value[x]', path: 'Observation.component.value[x]', min: 1 },
    ],
    holding(component('1-8'), component('2-6', { valueString: 'x' })),
    holding(component('1-8'), component('2-6')),
    'error Observation.component[1].value',
  ],
  [
    'a value that only the elements within fix',
    [
      components('value', 'code.coding.code'),
      slice('a', { min: 1 }),
      { path: 'Observation.component.code.coding.code', min: 1, fixedCode: '1-8' },
    ],
    holding(component('1-8')),
    holding(component('2-6')),
    'error Observation.component',
  ],
  [
    'what is there',
    [
      components('exists', 'value'),
      slice('valued', { max: '1' }),
      { path: 'Observation.component.value[x]', min: 1 },
      slice('absent', { max: '1' }),
      { path: 'Observation.component.value[x]', max: '0' },
    ],
    holding(component('1-8', { valueString: 'x' }), component('2-6')),
    holding(component('1-8', { valueString: 'x' }), component('2-6', { valueString: 'y' })),
    'error Observation.component',
  ],
  [
    'types within',
    [
      components('type', 'value'),
      slice('texts', { max: '1' }),
      { path: 'Observation.component.value[x]', type: [{ code: 'string' }] },
    ],
    holding(component('1-8', { valueString: 'x' }), component('2-6', { valueInteger: 1 })),
    holding(component('1-8', { valueString: 'x' }), component('2-6', { valueString: 'y' })),
    'error Observation.component',
  ],
  [
    'types of what is referred to',
    [
      { path: 'Observation.performer', slicing: slicing('type', 'resolve()') },
      {
        path: 'Observation.performer',
        sliceName: 'patient',
        max: '1',
        type: [{ code: 'Reference', targetProfile: [`${core}Patient`] }],
      },
    ],
    { ...observation, performer: [{ reference: 'Patient/a' }, { reference: 'Practitioner/a' }] },
    { ...observation, performer: [{ reference: 'Patient/a' }, { reference: 'Patient/b' }] },
    'error Observation.performer',
  ],
  [
    'nothing but slices',
    [components('value', 'code', { rules: 'closed' }), ...ab],
    holding(component('1-8'), component('2-6')),
    holding(component('1-8'), component('9-9')),
    'error Observation.component[1]',
  ],
  [
    'others at the end alone',
    [components('value', 'code', { rules: 'openAtEnd' }), ...ab],
    holding(component('1-8'), component('9-9')),
    holding(component('9-9'), component('1-8')),
    'error Observation.component[0]',
  ],
  [
    'an order',
    [components('value', 'code', { ordered: true }), ...ab],
    holding(component('1-8'), component('2-6')),
    holding(component('2-6'), component('1-8')),
    'error Observation.component[1]',
  ],
  [
    'slices of a slice',
    [
      components('value', 'code'),
      ...onCode('a', '1-8'),
      {
        id: 'Observation.component:a',
        path: 'Observation.component',
        sliceName: 'a',
        slicing: slicing('exists', 'value'),
      },
      { id: 'Observation.component:a/valued', path: 'Observation.component', sliceName: 'a/valued', max: '1' },
      { id: 'Observation.component:a/valued.value[x]', path: 'Observation.component.value[x]', min: 1 },
    ],
    holding(component('1-8', { valueString: 'x' }), component('1-8')),
    holding(component('1-8', { valueString: 'x' }), component('1-8', { valueString: 'y' })),
    'error Observation.component',
  ],
  [
    'slices of a choice',
    [
      { path: 'Observation.value[x]', slicing: slicing('type', '$this', { rules: 'closed' }) },
      { path: 'Observation.value[x]', sliceName: 'valueQuantity', type: [{ code: 'Quantity' }] },
      { path: 'Observation.value[x].value', min: 1 },
    ],
    { ...observation, valueQuantity: { value: 1 } },
    { ...observation, valueQuantity: { unit: 'g' } },
    'error Observation.value.ofType(Quantity).value',
  ],
  [
    'slices of extensions, without saying how they are told apart',
    [{ path: 'Patient.extension', sliceName: 'race', min: 1, type: [{ code: 'Extension', profile: [`${own}race`] }] }],
    { ...patient, extension: [race] },
    { ...patient, extension: [{ url: `${own}other`, valueString: 'x' }] },
    'error Patient.extension',
  ],
]

describe.each([
  ['what a profile says', rules],
  ['slices', slicings],
])('%s', (_, rows) => {
  it.each(rows.map(([name, ...row]) => [name, row] as const))(
    '%s',
    async (_name, [elements, right, wrong, ...issues]) => {
      const definition = profile(
        'p',
        elements[0] === undefined ? '' : (String((elements[0] as { path: string }).path).split('.')[0] ?? ''),
        elements,
      )
      expect((await told(right, [definition])).filter(text => text.startsWith('error'))).toEqual([])
      expect(await told(wrong, [definition])).toEqual(expect.arrayContaining(issues))
    },
  )
})

/** What turns on definitions that nobody handed over, or on what lies elsewhere, is no fault. */
describe('what cannot be told', () => {
  const none = `${own}none`
  const noSet = 'http://example.org/ValueSet/none'
  const category = { coding: [{ system: 'http://example.org/categories', code: 'x' }] }
  const performers = (discriminator: object, targets: readonly (readonly [string, object])[]) => [
    { path: 'Observation.performer', slicing: { discriminator: [discriminator], rules: 'closed' } },
    ...targets.map(([sliceName, more]) => ({ path: 'Observation.performer', sliceName, max: '1', ...more })),
  ]
  const to = (...targetProfile: string[]) => ({ type: [{ code: 'Reference', targetProfile }] })
  const by = (...performer: object[]) => ({ ...observation, performer })
  const expressions = (expression: string) => [
    { path: 'Observation', constraint: [{ key: 'own-9', severity: 'error', human: 'So.', expression }] },
  ]

  it.each([
    [
      'a slice by a value set',
      [
        { path: 'Observation.category', slicing: slicing('value', '$this') },
        {
          path: 'Observation.category',
          sliceName: 'known',
          min: 1,
          max: '1',
          binding: { strength: 'required', valueSet: noSet },
        },
      ],
      { ...observation, category: [category, category] },
    ],
    [
      'slices by the profile of a type',
      [
        { path: 'Patient.identifier', slicing: slicing('pattern', '$this', { rules: 'closed' }) },
        { path: 'Patient.identifier', sliceName: 'a', max: '1', type: [{ code: 'Identifier', profile: [none] }] },
        { path: 'Patient.identifier', sliceName: 'b', min: 1, patternIdentifier: { system: 'http://example.org/b' } },
      ],
      { ...patient, identifier: [{ value: 'x' }, { value: 'y' }, { system: 'http://example.org/b', value: 'z' }] },
    ],
    [
      'slices by profiles of targets',
      performers({ type: 'profile', path: 'resolve()' }, [
        ['a', { min: 1, ...to(none) }],
        ['b', to(`${core}Organization`)],
      ]),
      by({ reference: 'Patient/a' }, { reference: 'Patient/b' }, { reference: 'Organization/a' }),
    ],
    [
      'slices by types of targets',
      performers({ type: 'type', path: 'resolve()' }, [
        ['a', { min: 1, ...to(`${core}Patient`) }],
        ['b', to(none)],
      ]),
      by({ identifier: { value: 'x' } }, { reference: 'urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0' }),
    ],
    [
      'slices by what targets have',
      [...performers({ type: 'value', path: 'resolve().active' }, [['a', { min: 1, ...to(`${own}active`) }]])],
      by({ reference: 'Practitioner/a' }),
    ],
    [
      'slices by whether targets have it',
      performers({ type: 'exists', path: 'resolve().active' }, [['a', { min: 1, ...to(`${own}active`) }]]),
      by({ reference: 'Practitioner/a' }),
    ],
    [
      'constraints on targets',
      expressions('subject.resolve() is Patient'),
      { ...observation, subject: { reference: 'Patient/a' } },
    ],
    ['constraints on value sets', expressions(`code.memberOf('${noSet}')`), { ...observation, code: category }],
    ['constraints on profiles', expressions(`code.conformsTo('${none}')`), { ...observation, code: category }],
  ] as const)('%s', async (_, elements, right) => {
    const active = profile('active', 'Practitioner', [{ path: 'Practitioner.active', fixedBoolean: true, min: 1 }])
    const [{ path = '' } = {}] = elements as readonly { readonly path?: string }[]
    const definition = profile('p', path.split('.')[0] ?? '', elements)
    expect((await told(right, [definition, active])).filter(text => text.startsWith('error'))).toEqual([])
  })

  it('is told where it can be', async () => {
    const definition = profile(
      'p',
      'Observation',
      performers({ type: 'profile', path: 'resolve()' }, [
        ['a', to(`${core}Patient`)],
        ['b', { min: 1, ...to(`${core}Organization`) }],
      ]),
    )
    const one = { reference: 'Patient/a' }
    expect(await told(by(one, { reference: 'Organization/a' }), [definition])).toEqual([])
    expect(await told(by(one, { reference: 'Practitioner/a' }), [definition])).toEqual([
      'error Observation.performer',
      'error Observation.performer[1]',
    ])
    const wrong = { ...observation, subject: { reference: '#g' }, contained: [{ resourceType: 'Group', id: 'g' }] }
    expect(await told(wrong, [profile('p', 'Observation', expressions('subject.resolve() is Patient'))])).toEqual([
      'error Observation',
    ])
  })
})

/** https://hl7.org/fhir/R4/terminologies.html#strength */
describe('value sets that are kept', () => {
  const set = {
    resourceType: 'ValueSet',
    url: 'http://example.org/ValueSet/colours',
    status: 'active',
    compose: { include: [{ system: 'http://example.org/CodeSystem/colours' }] },
  }
  const system = {
    resourceType: 'CodeSystem',
    url: 'http://example.org/CodeSystem/colours',
    status: 'active',
    content: 'complete',
    concept: [{ code: 'red' }],
  }
  const bound = (strength: string) =>
    profile('bound', 'Observation', [{ path: 'Observation.code', binding: { strength, valueSet: set.url } }])
  const coloured = (code: string) => ({ ...observation, code: { coding: [{ system: system.url, code }] } })

  it.each([
    ['required', 'red', []],
    ['required', 'loud', ['error Observation.code']],
    ['extensible', 'loud', ['warning Observation.code']],
    ['preferred', 'loud', []],
  ] as const)('%s: %s', async (strength, code, expected) => {
    expect(await told(coloured(code), [bound(strength), set, system])).toEqual(expected)
  })

  it('warns where it cannot tell', async () => {
    expect(await told(coloured('loud'), [bound('required')])).toEqual(['warning Observation.code'])
  })
})

describe('profiles of profiles', () => {
  const base = profile('base', 'Observation', [
    { path: 'Observation.component', slicing: slicing('value', 'code') },
    ...onCode('a', '1-8'),
  ])
  const derived = profile(
    'derived',
    'Observation',
    [{ id: 'Observation.component:a', path: 'Observation.component', sliceName: 'a', min: 1 }],
    {
      baseDefinition: base.url,
    },
  )

  it('derives from its base, slices and all, before its own', async () => {
    expect(await told(holding(component('1-8')), [derived, base])).toEqual([])
    expect(await told(holding(component('2-6')), [derived, base])).toEqual(['error Observation.component'])
  })

  it('takes the snapshot where the base is not known', async () => {
    const element = [{ path: 'Observation' }, { path: 'Observation.method', min: 1 }]
    const alone = { ...derived, baseDefinition: 'http://example.org/none', snapshot: { element } }
    expect(await told(observation, [alone])).toEqual(['error Observation.method'])
    const { snapshot: _, ...bare } = alone
    expect(await told(observation, [bare])).toEqual(['error Observation'])
  })

  it('judges a value by the profile of its type, and what is contained by that of the reference', async () => {
    const named = profile('named', 'HumanName', [{ path: 'HumanName.family', min: 1 }], { kind: 'complex-type' })
    const whole = profile('whole', 'Patient', [
      { path: 'Patient.name', type: [{ code: 'HumanName', profile: [named.url] }] },
    ])
    expect(await told({ ...patient, name: [{ text: 'A' }] }, [whole, named])).toEqual(['error Patient.name[0].family'])
    const about = profile('about', 'Observation', [
      { path: 'Observation.subject', type: [{ code: 'Reference', targetProfile: [whole.url] }] },
    ])
    const of = (name: object) => ({
      ...observation,
      contained: [{ resourceType: 'Patient', id: 'p', name: [name] }],
      subject: { reference: '#p' },
    })
    expect(await told(of({ family: 'A' }), [about, whole, named])).toEqual([])
    expect(await told(of({ text: 'A' }), [about, whole, named])).toEqual(['error Observation.subject'])
  })

  it('says more of what the profile of a type has sliced', async () => {
    const address = profile(
      'address',
      'Address',
      [{ path: 'Address.extension', sliceName: 'part', type: [{ code: 'Extension', profile: [`${own}part`] }] }],
      { kind: 'complex-type' },
    )
    const whole = profile('whole', 'Patient', [
      { path: 'Patient.address', type: [{ code: 'Address', profile: [address.url] }] },
      { id: 'Patient.address.extension:part', path: 'Patient.address.extension', sliceName: 'part', min: 1 },
    ])
    const at = (url: string) => ({ ...patient, address: [{ extension: [{ url, valueString: 'x' }] }] })
    expect(await told(at(`${own}part`), [whole, address])).toEqual(['warning Patient.address[0].extension[0]'])
    expect(await told(at(`${own}other`), [whole, address])).toEqual(['error Patient.address[0].extension'])
  })

  it('ends where references lead in circles', async () => {
    const linked = profile('linked', 'Patient', [
      { path: 'Patient.link.other', type: [{ code: 'Reference', targetProfile: [`${own}linked`] }] },
    ])
    const link = (id: string) => [{ other: { reference: id }, type: 'seealso' }]
    const circle = { ...patient, link: link('#b'), contained: [{ ...patient, id: 'b', link: link('#') }] }
    expect(await told(circle, [linked])).toEqual([])
  })

  it('has R4’s own profiles', async () => {
    const vital = {
      ...observation,
      category: [
        { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: 'vital-signs' }] },
      ],
      code: loinc('8867-4'),
      subject: { reference: 'Patient/a' },
      effectiveDateTime: '2026-01-01',
      valueQuantity: { value: 70, unit: 'beats/minute', system: 'http://unitsofmeasure.org', code: '/min' },
    }
    const asked = [`${core}heartrate`]
    const errors = async (resource: object) =>
      (await told(resource, [], asked)).filter(text => text.startsWith('error'))
    expect(await errors(vital)).toEqual([])
    expect(await errors({ ...vital, category: undefined })).toEqual(
      expect.arrayContaining(['error Observation.category']),
    )
  })

  it('has them for R4 alone', async () => {
    const claiming = (version: string) => ({ ...observation, meta: { profile: [`${core}heartrate${version}`] } })
    for (const version of ['', '|4', '|4.0', '|4.0.1'])
      expect(await told(claiming(version), [], [])).toContain('error Observation.category')
    for (const version of ['|3.0.1', '|4.3.0', '|5.0.0', '|x'])
      expect(await told(claiming(version), [], [])).toEqual(['warning Observation.meta.profile[0]'])
  })

  it('judges by what each resource claims, and warns of what it does not know', async () => {
    const claiming = { ...observation, meta: { profile: [base.url, `${own}unknown`] } }
    expect(await told(claiming, [base], [])).toEqual(['warning Observation.meta.profile[1]'])
    const bundle = {
      resourceType: 'Bundle',
      type: 'collection',
      entry: [
        {
          fullUrl: 'urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0',
          resource: { ...claiming, meta: { profile: [derived.url] } },
        },
      ],
    }
    expect(await told(bundle, [derived, base], [])).toEqual([
      'error Bundle.entry[0].resource.ofType(Observation).component',
    ])
  })
})

/** https://hl7.org/fhir/R4/defining-extensions.html */
describe('extensions whose definitions are kept', () => {
  const birds = `${own}birds`
  const defined = (more: object, element: readonly object[] = []) =>
    profile(
      'birds',
      'Extension',
      [
        { path: 'Extension.url', fixedUri: birds },
        { path: 'Extension.value[x]', min: 1, type: [{ code: 'integer' }] },
        ...element,
      ],
      { kind: 'complex-type', context: [{ type: 'element', expression: 'Patient.name' }], ...more },
    )
  const extension = [{ url: birds, valueInteger: 2 }]
  const named = (more: object) => ({ ...patient, name: [{ text: 'A', ...more }] })
  const inContext = (type: string, expression: string) => defined({ context: [{ type, expression }] })

  it.each([
    ['where it may stand', named({ extension }), defined({}), []],
    ['elsewhere', { ...patient, extension }, defined({}), ['error Patient.extension[0].url']],
    [
      'with another type',
      named({ extension: [{ url: birds, valueString: 'x' }] }),
      defined({}),
      ['error Patient.name[0].extension[0].value.ofType(string)'],
    ],
    [
      'as one that modifies',
      { ...patient, modifierExtension: extension },
      defined({ context: [] }, [{ path: 'Extension', isModifier: false }]),
      ['error Patient.modifierExtension[0].url'],
    ],
    ['where an expression leads', named({ extension }), inContext('fhirpath', `Patient.name.where(text = 'A')`), []],
    [
      'where no expression leads',
      named({ extension }),
      inContext('fhirpath', `Patient.name.where(text = 'B')`),
      ['error Patient.name[0].extension[0].url'],
    ],
    [
      'where an expression cannot be evaluated',
      named({ extension }),
      inContext('fhirpath', 'Patient.name.unheard()'),
      [],
    ],
    ['in a profile', named({ extension }), inContext('element', `${own}other#Patient.name:official`), []],
    [
      'elsewhere than in a profile',
      { ...patient, extension },
      inContext('element', `${own}other#Patient.name:official`),
      ['error Patient.extension[0].url'],
    ],
    [
      'in another extension',
      { ...patient, extension: [{ url: `${own}outer`, extension }] },
      inContext('extension', `${own}outer`),
      [],
    ],
    [
      'where its invariant does not hold',
      named({ extension }),
      defined({ contextInvariant: ['given.exists()'] }),
      ['error Patient.name[0].extension[0].url'],
    ],
  ] as const)('%s', async (_, resource, definition, expected) => {
    expect(await told(resource, [definition], [])).toEqual(expected)
  })
})

describe('profiles that are written to cost', () => {
  const refusalOf = async (...given: Parameters<typeof judged>) => {
    try {
      await judged(...given)
      return 'judged'
    } catch (error) {
      return isProblem(error) ? error.code : error
    }
  }
  it('refuses those that derive from themselves, by however many steps', async () => {
    const one = profile('one', 'Patient', [], { baseDefinition: `${own}other` })
    const other = profile('other', 'Patient', [], { baseDefinition: `${own}one` })
    expect(await refusalOf(patient, [one, other])).toBe('validation.profile-circular')
    const chain = Array.from({ length: 60 }, (_, at) =>
      profile(`c${at}`, 'Patient', [], { baseDefinition: `${own}c${at + 1}` }),
    )
    expect(await refusalOf(patient, chain)).toBe('validation.profile-circular')
  })

  it('refuses those of too many elements', async () => {
    const element = Array.from({ length: 10_001 }, () => ({ path: 'Patient.name', min: 0 }))
    expect(await refusalOf(patient, [profile('huge', 'Patient', element)])).toBe('validation.profile-too-large')
  })

  it('goes on where constraints ask of each other for ever, or are no FHIRPath', async () => {
    const asking = (expression: string) =>
      profile('asking', 'Patient', [
        { path: 'Patient', constraint: [{ key: 'a', severity: 'error', human: 'h', expression }] },
      ])
    expect(await told(patient, [asking(`conformsTo('${own}asking')`)])).toEqual([])
    expect(await told(patient, [asking('this is ( no path')])).toEqual(['warning Patient'])
  })
})
