import { parseResource, printJson } from '#fhir'
import { createValidator } from '#validation'

const validator = createValidator()
afterAll(() => validator.close())

const core = 'http://hl7.org/fhir/StructureDefinition/'
const own = 'http://example.org/'
const properties = 'http://hl7.org/fhir/concept-properties#'

type Row = readonly [name: string, right: object, wrong: object, ...places: string[]]

const placesOf = (resource: object) =>
  validator.validate(parseResource(printJson(resource)), 'errors').map(({ expression }) => expression)

const questionnaire = (...item: readonly object[]) => ({ resourceType: 'Questionnaire', status: 'active', item })
const when = (question: string) => ({ enableWhen: [{ question, operator: 'exists', answerBoolean: true }] })
const boolean = (linkId: string, more: object = {}) => ({ linkId, type: 'boolean', ...more })

/** https://hl7.org/fhir/R4/questionnaire-definitions.html#Questionnaire.item.enableWhen */
const questionnaires: readonly Row[] = [
  [
    'a condition on what is not asked',
    questionnaire(boolean('1'), boolean('2', when('1'))),
    questionnaire(boolean('1'), boolean('2', when('3'))),
    'Questionnaire.item[1].enableWhen[0].question',
  ],
  [
    'a condition on itself',
    questionnaire(boolean('1', { item: [boolean('1.1', when('1'))] })),
    questionnaire(boolean('1', when('1'))),
    'Questionnaire.item[0].enableWhen[0].question',
  ],
  [
    'a condition on what is within',
    questionnaire(boolean('1'), boolean('11', when('1'))),
    questionnaire(boolean('1', { ...when('1.1'), item: [boolean('1.1')] })),
    'Questionnaire.item[0].enableWhen[0].question',
  ],
  [
    'two conditions that do not say how they go together (que-12)',
    questionnaire(
      boolean('1'),
      boolean('2', { enableWhen: [...when('1').enableWhen, ...when('1').enableWhen], enableBehavior: 'any' }),
    ),
    questionnaire(boolean('1'), boolean('2', { enableWhen: [...when('1').enableWhen, ...when('1').enableWhen] })),
    'Questionnaire.item[1]',
  ],
]

const codeSystem = (more: object) => ({ resourceType: 'CodeSystem', status: 'active', content: 'complete', ...more })

/** https://hl7.org/fhir/R4/codesystem.html */
const codeSystems: readonly Row[] = [
  [
    'content that is said not to be there',
    codeSystem({ content: 'not-present' }),
    codeSystem({ content: 'not-present', concept: [{ code: 'a' }] }),
    'CodeSystem.concept',
  ],
  [
    'a supplement that does not say so',
    codeSystem({ content: 'supplement', supplements: `${own}cs` }),
    codeSystem({ supplements: `${own}cs` }),
    'CodeSystem.content',
  ],
  ['a supplement of nothing', codeSystem({}), codeSystem({ content: 'supplement' }), 'CodeSystem.content'],
  [
    'a wrong count of all concepts',
    codeSystem({ count: 2, concept: [{ code: 'a', concept: [{ code: 'b' }] }] }),
    codeSystem({ count: 1, concept: [{ code: 'a', concept: [{ code: 'b' }] }] }),
    'CodeSystem.count',
  ],
  [
    'two properties of one code',
    codeSystem({
      property: [
        { code: 'p', type: 'code' },
        { code: 'q', type: 'code' },
      ],
    }),
    codeSystem({
      property: [
        { code: 'p', type: 'code' },
        { code: 'p', type: 'code' },
      ],
    }),
    'CodeSystem.property[1].code',
  ],
  [
    'two properties of one address',
    codeSystem({ property: [{ code: 'p', uri: `${own}p`, type: 'code' }] }),
    codeSystem({
      property: [
        { code: 'p', uri: `${properties}parent`, type: 'code' },
        { code: 'q', uri: `${properties}parent`, type: 'code' },
      ],
    }),
    'CodeSystem.property[1].uri',
  ],
  [
    'a common property of another type',
    codeSystem({ property: [{ code: 'p', uri: `${properties}notSelectable`, type: 'boolean' }] }),
    codeSystem({ property: [{ code: 'p', uri: `${properties}notSelectable`, type: 'code' }] }),
    'CodeSystem.property[0].type',
  ],
  [
    'a property with a value of another type',
    codeSystem({
      property: [{ code: 'p', type: 'code' }],
      concept: [{ code: 'a', property: [{ code: 'p', valueCode: 'b' }] }],
    }),
    codeSystem({
      property: [{ code: 'p', type: 'code' }],
      concept: [{ code: 'a', property: [{ code: 'p', valueString: 'b' }] }],
    }),
    'CodeSystem.concept[0].property[0].value.ofType(string)',
  ],
  [
    'a property that is not declared',
    codeSystem({
      property: [{ code: 'p', type: 'code' }],
      concept: [{ code: 'a', property: [{ code: 'parent', valueCode: 'b' }] }],
    }),
    codeSystem({
      property: [{ code: 'p', type: 'code' }],
      concept: [{ code: 'a', property: [{ code: 'q', valueCode: 'b' }] }],
    }),
    'CodeSystem.concept[0].property[0].code',
  ],
]

const including = (...include: readonly object[]) => ({
  resourceType: 'ValueSet',
  status: 'active',
  compose: { include },
})
const filtering = (property: string, op: string, value: string) =>
  including({ system: `${own}cs`, filter: [{ property, op, value }] })

/** https://hl7.org/fhir/R4/valueset-definitions.html#ValueSet.compose.include */
const valueSets: readonly Row[] = [
  [
    'a relative system',
    including({ system: `${own}cs` }),
    including({ system: 'cs' }),
    'ValueSet.compose.include[0].system',
  ],
  [
    'a system that is contained nowhere',
    including({ system: 'urn:oid:1.2' }),
    including({ system: '#cs' }),
    'ValueSet.compose.include[0].system',
  ],
  [
    'a value set for a system',
    including({ system: 'http://hl7.org/fhir/administrative-gender' }),
    including({ system: 'http://hl7.org/fhir/ValueSet/administrative-gender' }),
    'ValueSet.compose.include[0].system',
  ],
  [
    'a filter by what is true or false',
    filtering('notSelectable', '=', 'true'),
    filtering('notSelectable', '=', '1'),
    'ValueSet.compose.include[0].filter[0].value',
  ],
  [
    'a filter by whether there is something',
    filtering('p', 'exists', 'false'),
    filtering('p', 'exists', 'no'),
    'ValueSet.compose.include[0].filter[0].value',
  ],
  [
    'a pattern that is none',
    filtering('code', 'regex', 'a+'),
    filtering('code', 'regex', '('),
    'ValueSet.compose.include[0].filter[0].value',
  ],
  [
    'a relative url',
    { ...including({ system: own }), url: `${own}vs` },
    { ...including({ system: own }), url: 'ValueSet/vs' },
    'ValueSet.url',
  ],
]

const parameter = (more: object) => ({
  resourceType: 'SearchParameter',
  url: `${own}sp`,
  name: 'n',
  status: 'active',
  description: 'd',
  code: 'c',
  base: ['Patient'],
  type: 'string',
  ...more,
})
const component = { definition: `${own}sp2`, expression: 'name' }

/** https://hl7.org/fhir/R4/searchparameter.html and https://hl7.org/fhir/R4/operationdefinition.html */
const others: readonly Row[] = [
  [
    'a composite of one part',
    parameter({ type: 'composite', component: [component, component] }),
    parameter({ type: 'composite', component: [component] }),
    'SearchParameter.component',
  ],
  [
    'an expression about another type than the base',
    parameter({ expression: 'Patient.name | (Patient.contact.name)' }),
    parameter({ expression: 'Patient.name | (Practitioner.name)' }),
    'SearchParameter.expression',
  ],
  [
    'an expression about any type',
    parameter({ base: ['Resource'], expression: 'Patient.name' }),
    parameter({ expression: 'Group.name' }),
    'SearchParameter.expression',
  ],
  ...[['0', '1'] as const].map(([min, max]): Row => {
    const operation = (least: number) => ({
      resourceType: 'OperationDefinition',
      name: 'N',
      status: 'active',
      kind: 'operation',
      code: 'c',
      system: true,
      type: false,
      instance: false,
      parameter: [{ name: 'p', use: 'in', min: least, max, type: 'string' }],
    })
    return [
      'a parameter of which there are more than there may be',
      operation(Number(min)),
      operation(2),
      'OperationDefinition.parameter[0].max',
    ]
  }),
]

const profile = (element: readonly object[], more: object = {}) => ({
  resourceType: 'StructureDefinition',
  url: `${own}p`,
  name: 'P',
  status: 'active',
  kind: 'resource',
  abstract: false,
  type: 'Patient',
  derivation: 'constraint',
  baseDefinition: `${core}Patient`,
  differential: { element: element.map(each => ({ id: (each as { path: string }).path, ...each })) },
  ...more,
})
const of = (path: string, more: object) => profile([{ path: `Patient.${path}`, ...more }])
const place = (rest: string) => `StructureDefinition.differential.element[0].${rest}`
const slicedBy = (path: string) => ({ slicing: { discriminator: [{ type: 'value', path }], rules: 'open' } })
const extensionOf = (more: object, url = `${own}e`) =>
  profile([{ path: 'Extension.url', fixedUri: url }], {
    url: `${own}e`,
    type: 'Extension',
    kind: 'complex-type',
    baseDefinition: `${core}Extension`,
    context: [{ type: 'element', expression: 'Patient' }],
    ...more,
  })

const snapshotOf = (path: string) =>
  profile([{ path: 'Patient' }], {
    snapshot: {
      element: ['Patient', path].map(each => ({
        id: each,
        path: each,
        definition: 'd',
        min: 0,
        max: '1',
        base: { path: each, min: 0, max: '1' },
      })),
    },
  })

/** https://hl7.org/fhir/R4/profiling.html */
const structures: readonly Row[] = [
  [
    'a snapshot with what a primitive holds, and a path that goes on within it',
    snapshotOf('Patient.name.text.value'),
    snapshotOf('Patient.name.text.values'),
    'StructureDefinition.snapshot.element[1].path',
  ],
  [
    'a path that R4 has not',
    of('contact.name.family', { min: 1 }),
    of('contact.name.surname', { min: 1 }),
    place('path'),
  ],
  [
    'a path of one type of a choice',
    of('deceasedBoolean', { min: 1 }),
    of('deceasedString', { min: 1 }),
    place('path'),
  ],
  ['a lower minimum', of('link.other', { min: 1 }), of('link.other', { min: 0 }), place('min')],
  ['a lower minimum of a slice', of('link', { sliceName: 'a', min: 0 }), of('link.type', { min: 0 }), place('min')],
  ['a higher maximum', of('name', { max: '*' }), of('birthDate', { max: '*' }), place('max')],
  [
    'another type',
    of('deceased[x]', { type: [{ code: 'boolean' }] }),
    of('deceased[x]', { type: [{ code: 'string' }] }),
    place('type[0].code'),
  ],
  [
    'a profile of another type',
    of('photo', { type: [{ code: 'Attachment', profile: [`${own}a`] }] }),
    of('photo', { type: [{ code: 'Attachment', profile: [`${core}HumanName`] }] }),
    place('type[0].profile[0]'),
  ],
  [
    'a target of another type',
    of('managingOrganization', { type: [{ code: 'Reference', targetProfile: [`${core}Organization`] }] }),
    of('managingOrganization', { type: [{ code: 'Reference', targetProfile: [`${core}Practitioner`] }] }),
    place('type[0].targetProfile[0]'),
  ],
  [
    'a weaker binding',
    of('gender', { binding: { strength: 'required', valueSet: `${own}vs` } }),
    of('gender', { binding: { strength: 'preferred', valueSet: `${own}vs` } }),
    place('binding.strength'),
  ],
  [
    'a value of another type',
    of('active', { fixedBoolean: true }),
    of('active', { fixedString: 'x' }),
    place('fixed.ofType(string)'),
  ],
  [
    'a discriminator that leads nowhere',
    of('identifier', slicedBy('system')),
    of('identifier', slicedBy('syste')),
    place('slicing.discriminator[0].path'),
  ],
  [
    'a discriminator within what is referred to',
    of('link', slicedBy('other.resolve().x')),
    of('link', slicedBy('x.resolve()')),
    place('slicing.discriminator[0].path'),
  ],
  [
    'another type than the base',
    profile([{ path: 'Patient' }]),
    profile([{ path: 'Patient' }], { baseDefinition: `${core}Person` }),
    'StructureDefinition.type',
  ],
  [
    'a snapshot that lacks what is changed',
    profile([{ path: 'Patient.name', min: 1 }]),
    profile([{ path: 'Patient.name', min: 1 }], {
      snapshot: {
        element: ['Patient', 'Patient.active'].map(path => ({
          id: path,
          path,
          min: 0,
          max: path === 'Patient' ? '*' : '1',
          definition: 'd',
          base: { path, min: 0, max: '1' },
          ...(path === 'Patient' ? {} : { type: [{ code: 'boolean' }] }),
        })),
      },
    }),
    place('path'),
  ],
  ['an extension of another address', extensionOf({}), extensionOf({}, `${own}other`), place('fixed.ofType(uri)')],
  [
    'a context that is no type',
    extensionOf({}),
    extensionOf({ context: [{ type: 'element', expression: 'Patiant.name' }] }),
    'StructureDefinition.context[0].expression',
  ],
  [
    'a constraint that is no FHIRPath',
    of('name', {
      constraint: [{ key: 'a-1', severity: 'error', human: 'h', expression: "family.matches('a') or given.exists()" }],
    }),
    of('name', { constraint: [{ key: 'a-1', severity: 'error', human: 'h', expression: 'family.exists( or' }] }),
    place('constraint[0].expression'),
  ],
  [
    'a search that is no FHIRPath',
    parameter({ expression: 'Patient.name' }),
    parameter({ expression: 'Patient.name.where(' }),
    'SearchParameter.expression',
  ],
]

const absent = { extension: [{ url: `${core}data-absent-reason`, valueCode: 'unknown' }] }
const alternate = { extension: [{ url: `${core}alternate-codes`, valueCodeableConcept: { text: 'moderate' } }] }
const animal = (...extension: readonly object[]) => ({
  resourceType: 'Patient',
  extension: [{ url: `${core}patient-animal`, extension }],
})
const species = { url: 'species', valueCodeableConcept: { text: 'cow' } }
const breed = { url: 'breed', valueCodeableConcept: { text: 'Jersey' } }

/** https://hl7.org/fhir/R4/terminologies.html#required and https://hl7.org/fhir/R4/defining-extensions.html */
const contents: readonly Row[] = [
  [
    'a code that must be there and is absent',
    { resourceType: 'Patient', _gender: absent },
    { resourceType: 'Observation', _status: absent, code: { text: 'x' } },
    'Observation.status',
  ],
  [
    'a code that must be there, is absent, and has no other one in its place',
    { resourceType: 'Observation', _status: alternate, code: { text: 'x' } },
    { resourceType: 'Observation', _status: absent, code: { text: 'x' } },
    'Observation.status',
  ],
  ['an extension without a part that it needs', animal(species), animal(breed), 'Patient.extension[0].extension'],
  [
    'an extension with a part that it has not',
    animal(species, breed),
    animal(species, { url: 'x', valueString: 'x' }),
    'Patient.extension[0].extension[1].url',
  ],
]

const bundle = (type: string, entry: readonly object[], more: object = {}) => ({
  resourceType: 'Bundle',
  type,
  entry,
  ...more,
})
const found = (resource: object, mode = 'match') => ({
  fullUrl: 'urn:uuid:267b18ce-3d37-4581-9baa-6fada338038b',
  resource,
  search: { mode },
})
const self = { link: [{ relation: 'self', url: `${own}fhir/Patient?name=x` }] }
const patient = { resourceType: 'Patient', id: 'a' }
const link = (relation: string) => ({ relation, url: `${own}fhir/Patient` })

/** https://hl7.org/fhir/R4/bundle.html */
const bundles: readonly Row[] = [
  [
    'two links of one relation',
    bundle('searchset', [found(patient)], { link: [link('self'), link('next')] }),
    bundle('searchset', [found(patient)], { link: [link('self'), link('self')] }),
    'Bundle.link[1].relation',
  ],
  [
    'what was found without an id',
    bundle('searchset', [found(patient)]),
    bundle('searchset', [found({ resourceType: 'Patient' })]),
    'Bundle.entry[0].resource.ofType(Patient)',
  ],
  [
    'what was found of another type',
    bundle(
      'searchset',
      [found(patient), found({ resourceType: 'Organization', id: 'o', name: 'O' }, 'include')].slice(0, 1),
      self,
    ),
    bundle('searchset', [found({ resourceType: 'Organization', id: 'o', name: 'O' })], self),
    'Bundle.entry[0].resource.ofType(Organization)',
  ],
  [
    'an outcome that is none',
    bundle('searchset', [found(patient)]),
    bundle('searchset', [found(patient, 'outcome')]),
    'Bundle.entry[0].resource.ofType(Patient)',
  ],
  [
    'a place with another id',
    bundle('searchset', [{ ...found(patient), fullUrl: `${own}fhir/Patient/a` }]),
    bundle('searchset', [{ ...found(patient), fullUrl: `${own}fhir/Patient/b` }]),
    'Bundle.entry[0].fullUrl',
  ],
]

it.each(
  [...questionnaires, ...codeSystems, ...valueSets, ...others, ...structures, ...contents, ...bundles].map(
    row => [row[0], row] as const,
  ),
)('what R4 says of definitions and Bundles: %s', (_name, [, right, wrong, ...places]) => {
  expect(placesOf(right)).toEqual([])
  expect(placesOf(wrong)).toEqual(places)
})

/** Texts of which something that looks at them from each letter on to the end would take minutes. */
const long = 400_000

const lengthy: readonly (readonly [name: string, resource: object, ...places: string[]])[] = [
  ['a search that begins with brackets', parameter({ expression: '('.repeat(long) })],
  ['a search of brackets and spaces', parameter({ expression: `${'( '.repeat(60)}${' '.repeat(long)}` })],
  ['a path of colons', of(`nothing${':'.repeat(long)}x`, {}), place('path')],
  ['a path of extensions', of(`name${'.extension'.repeat(long / 10)}`, {})],
  ['a path of brackets that tells slices apart', of('name', slicedBy('a('.repeat(long)))],
  [
    'a path through all that an extension may hold, again and again',
    of('name', slicedBy(`${'extension.value.'.repeat(100)}nothing`)),
    place('slicing.discriminator[0].path'),
  ],
  [
    'a constraint of brackets',
    of('name', { constraint: [{ key: 'a-1', severity: 'error', human: 'h', expression: '('.repeat(long) }] }),
  ],
  [
    'the name of an unknown modifier',
    {
      resourceType: 'Basic',
      code: { text: 'c' },
      modifierExtension: [{ url: `http://${'a.'.repeat(long)}`, valueCode: 'a' }],
    },
    'Basic.modifierExtension[0].url',
  ],
]

/** More than is validated at once: it is given to the thread, which has a time for each. */
const large = { extension: Array.from({ length: 2_100 }, () => ({ url: `${own}e`, valueBoolean: true })) }

describe('what is long takes as long as it is', () => {
  const limited = createValidator({ longestMs: 15_000 })
  afterAll(() => limited.close())

  it.each(lengthy.map(row => [row[0], row] as const))('%s', async (_name, [, resource, ...places]) => {
    const found = await limited.validateSent(parseResource(printJson({ ...resource, ...large })))
    expect(found.map(({ expression }) => expression)).toEqual(places)
  })
})
