import { parseResource, printJson } from '#fhir'
import { isProblem } from '#kernel'
import { judgeByProfiles } from '#validation'
import { randomFrom } from '../../random.ts'

const core = 'http://hl7.org/fhir/StructureDefinition/'
const own = 'http://example.org/'
const system = `${own}cs`

/** What a family keeps, with something of everything that is looked at. */
const definitions = [
  {
    resourceType: 'StructureDefinition',
    url: `${own}patient`,
    kind: 'resource',
    type: 'Patient',
    derivation: 'constraint',
    baseDefinition: `${own}base`,
    differential: {
      element: [
        {
          id: 'Patient',
          path: 'Patient',
          constraint: [{ key: 'a', severity: 'error', human: 'h', expression: 'name.exists()' }],
        },
        {
          id: 'Patient.identifier',
          path: 'Patient.identifier',
          slicing: { discriminator: [{ type: 'value', path: 'system' }], ordered: true, rules: 'closed' },
        },
        { id: 'Patient.identifier:one', path: 'Patient.identifier', sliceName: 'one', min: 1, max: '1' },
        { id: 'Patient.identifier:one.system', path: 'Patient.identifier.system', fixedUri: system, maxLength: 3 },
        {
          id: 'Patient.extension:e',
          path: 'Patient.extension',
          sliceName: 'e',
          type: [{ code: 'Extension', profile: [`${own}e`] }],
        },
        {
          id: 'Patient.generalPractitioner',
          path: 'Patient.generalPractitioner',
          type: [
            { code: 'Reference', targetProfile: [`${own}patient`, `${core}Practitioner`], aggregation: ['contained'] },
          ],
        },
        {
          id: 'Patient.maritalStatus',
          path: 'Patient.maritalStatus',
          binding: {
            strength: 'required',
            valueSet: `${own}vs`,
            extension: [{ url: `${core}elementdefinition-maxValueSet`, valueCanonical: `${own}vs` }],
          },
          patternCodeableConcept: { coding: [{ system }] },
        },
      ],
    },
    snapshot: { element: [{ id: 'Patient', path: 'Patient' }] },
  },
  {
    resourceType: 'StructureDefinition',
    url: `${own}base`,
    kind: 'resource',
    type: 'Patient',
    derivation: 'constraint',
    baseDefinition: `${core}Patient`,
    differential: {
      element: [
        { id: 'Patient.name', path: 'Patient.name', min: 1, type: [{ code: 'HumanName', profile: [`${own}name`] }] },
      ],
    },
  },
  {
    resourceType: 'StructureDefinition',
    url: `${own}e`,
    kind: 'complex-type',
    type: 'Extension',
    derivation: 'constraint',
    baseDefinition: `${core}Extension`,
    context: [
      { type: 'element', expression: 'Patient' },
      { type: 'fhirpath', expression: 'Patient.name' },
    ],
    contextInvariant: ['true'],
    differential: {
      element: [
        { id: 'Extension', path: 'Extension', isModifier: false },
        { id: 'Extension.url', path: 'Extension.url', fixedUri: `${own}e` },
        { id: 'Extension.value[x]', path: 'Extension.value[x]', type: [{ code: 'string' }], minValueInteger: 1 },
      ],
    },
  },
  {
    resourceType: 'ValueSet',
    url: `${own}vs`,
    status: 'active',
    compose: {
      include: [
        {
          system,
          concept: [{ code: 'a', designation: [{ language: 'de', value: 'b' }] }],
          filter: [{ property: 'concept', op: 'is-a', value: 'a' }],
        },
        { system, valueSet: [`${own}vs`] },
      ],
      exclude: [{ system, concept: [{ code: 'b' }] }],
    },
    expansion: { contains: [{ system, code: 'a', contains: [{ system, code: 'c' }] }] },
  },
  {
    resourceType: 'CodeSystem',
    url: system,
    status: 'active',
    content: 'complete',
    hierarchyMeaning: 'is-a',
    property: [{ code: 'p', type: 'code' }],
    concept: [{ code: 'a', display: 'A', property: [{ code: 'p', valueCode: 'b' }], concept: [{ code: 'c' }] }],
  },
  {
    resourceType: 'Questionnaire',
    url: `${own}q`,
    status: 'active',
    item: [
      { linkId: '1', type: 'choice', required: true, answerValueSet: `${own}vs` },
      {
        linkId: '2',
        type: 'group',
        enableWhen: [{ question: '1', operator: '=', answerCoding: { system, code: 'a' } }],
        extension: [{ url: `${core}questionnaire-minOccurs`, valueInteger: 1 }],
        item: [{ linkId: '2.1', type: 'choice', answerOption: [{ valueString: 'a' }], maxLength: 3 }],
      },
    ],
  },
] as const

const claims = [
  {
    resourceType: 'Patient',
    meta: { profile: [`${own}patient`] },
    extension: [{ url: `${own}e`, valueString: 'x' }],
    identifier: [{ system, value: '1' }],
    name: [{ text: 'A' }],
    maritalStatus: { coding: [{ system, code: 'a' }] },
    generalPractitioner: [{ reference: '#p' }],
    contained: [{ resourceType: 'Practitioner', id: 'p', meta: { profile: [`${own}patient`] } }],
  },
  {
    resourceType: 'QuestionnaireResponse',
    status: 'completed',
    questionnaire: `${own}q`,
    item: [
      { linkId: '1', answer: [{ valueCoding: { system, code: 'a' } }] },
      { linkId: '2', item: [{ linkId: '2.1', answer: [{ valueString: 'a' }] }] },
    ],
  },
] as const

type Node = { [name: string]: unknown } | unknown[]
interface Place {
  readonly node: Node
  readonly key: string
}

function* placesIn(value: unknown): Generator<Place> {
  if (typeof value !== 'object' || value === null) return
  for (const [key, child] of Object.entries(value)) {
    yield { node: value as Node, key }
    yield* placesIn(child)
  }
}

const oddities = [
  null,
  [null],
  [],
  {},
  '',
  'x',
  '*',
  0,
  -1,
  1e9,
  true,
  [[]],
  [{}],
  { a: 1 },
  ['x', null],
  `${own}patient`,
  `${own}vs`,
]

/** One that differs from what it was in a few places: something odd, something from elsewhere, or nothing. */
function mutated<Definition>(definition: Definition, random: () => number): Definition {
  const made = structuredClone(definition)
  const pick = <Each>(list: readonly Each[]): Each | undefined => list[Math.floor(random() * list.length)]
  for (let changes = 1 + Math.floor(random() * 3); changes > 0; changes--) {
    const all = [...placesIn(made)].filter(({ key }) => key !== 'resourceType')
    const [place, other] = [pick(all), pick(all)]
    if (place === undefined || other === undefined) continue
    const node = place.node as { [name: string]: unknown }
    const odd =
      random() < 0.5
        ? structuredClone(pick(oddities))
        : structuredClone((other.node as { [name: string]: unknown })[other.key])
    if (random() < 0.2) delete node[place.key]
    else node[place.key] = odd
  }
  return made
}

it('a definition of whatever shape makes nothing fail that is judged by it', async () => {
  for (let seed = 1; seed <= 1_500; seed++) {
    const random = randomFrom(seed)
    const at = Math.floor(random() * definitions.length)
    const kept = definitions.map((each, index) => ({
      canonical: each.url,
      text: JSON.stringify(index === at ? mutated(each, random) : each),
    }))
    for (const claim of claims) {
      const question = { asked: [], kept, extent: 'warnings-too' as const }
      const outcome = await judgeByProfiles(parseResource(printJson(claim)), question, 'owner').catch(error => error)
      if (!Array.isArray(outcome) && !isProblem(outcome)) throw new Error(`seed ${seed}: ${outcome}`)
    }
  }
})

it.each([
  ['profiles that are null', { type: [{ code: 'Reference', profile: [null], targetProfile: [null] }] }],
  ['types that are none', { type: [null, {}, 'x'] }],
  ['no path', { path: undefined }],
  ['constraints without anything', { constraint: [{}, null], binding: {}, slicing: {} }],
])('an element with %s is judged as if they were not there', async (_name, more) => {
  const element = { id: 'Patient.generalPractitioner', path: 'Patient.generalPractitioner', ...more }
  const definition = { ...definitions[1], url: `${own}patient`, differential: { element: [element] } }
  const question = {
    asked: [`${own}patient`],
    kept: [{ canonical: `${own}patient`, text: JSON.stringify(definition) }],
    extent: 'errors' as const,
  }
  const sent = { resourceType: 'Patient', generalPractitioner: [{ reference: 'Practitioner/1' }] }
  expect(await judgeByProfiles(parseResource(printJson(sent)), question, 'owner')).toEqual([])
})
