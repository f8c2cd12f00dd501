/** Random but valid resources, each about a person or about nobody. */
import type { Resource } from '#fhir'
import {
  categories,
  categorySystem,
  cities,
  conditions,
  dates,
  exampleSystem,
  instants,
  labels,
  measures,
  profile,
  texts,
  unitSystem,
  values,
} from './codes.ts'
import type { Dice } from './dice.ts'
import { drawReference, families, type Owner, persons } from './names.ts'

type Elements = { [element: string]: unknown }

/** Draws the elements of a resource of one type about its owner; `who` is the owner as a reference, if it is a person. */
type Draw = (dice: Dice, owner: Owner, who: Elements) => Elements

function ref(dice: Dice, types: readonly string[], owner: Owner): Elements {
  return { reference: drawReference(dice, types, owner) }
}

/** Where R4 lets a resource belong to whom it names too: of patients only its own. What several share is told elsewhere. */
function owning(dice: Dice, types: readonly string[], owner: Owner): Elements {
  const named = ref(dice, types, owner)
  return String(named.reference).startsWith('Patient/') && owner !== 'all' ? { reference: `Patient/${owner}` } : named
}

function ownings(dice: Dice, types: readonly string[], owner: Owner): Elements[] | undefined {
  return dice.maybe(50) ? dice.many(1, 2, () => owning(dice, types, owner)) : undefined
}

function refs(dice: Dice, types: readonly string[], owner: Owner): Elements[] | undefined {
  return dice.maybe(50) ? dice.many(1, 2, () => ref(dice, types, owner)) : undefined
}

function concept({ system, code, text }: { system: string; code: string; text: string }): Elements {
  return { coding: [{ system, code, display: text }], text }
}

function quantity(dice: Dice, unit: string): Elements {
  return { value: dice.pick(values), unit, system: unitSystem, code: unit }
}

function name(dice: Dice, owner: Owner): Elements[] {
  const person = owner === 'all' ? dice.pick(persons) : owner
  return [{ family: families[person], given: [dice.pick(['Kim', 'Robin', 'Alex'])] }]
}

function identifier(dice: Dice, owner: Owner): Elements[] {
  return [{ system: exampleSystem, value: `${owner}-${dice.below(4)}` }]
}

function value(dice: Dice): Elements {
  const { unit } = dice.pick(measures)
  return dice.weighted<() => Elements>([
    [6, () => ({ valueQuantity: quantity(dice, unit) })],
    [1, () => ({ valueString: dice.pick(texts) })],
    [1, () => ({ valueCodeableConcept: concept(dice.pick(conditions)) })],
    [1, () => ({ component: dice.many(1, 2, () => component(dice)) })],
    [1, () => ({ dataAbsentReason: { text: 'unknown' } })],
  ])()
}

function component(dice: Dice): Elements {
  const measure = dice.pick(measures)
  return { code: concept(measure), valueQuantity: quantity(dice, measure.unit) }
}

const allergyStatus = 'http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical'
const people = ['Patient', 'Practitioner', 'RelatedPerson']

const observation: Draw = (dice, owner, who) => ({
  status: dice.pick(['final', 'amended']),
  category: dice.many(0, 2, () => ({ coding: [{ system: categorySystem, code: dice.pick(categories) }] })),
  code: concept(dice.pick(measures)),
  subject: owner === 'all' ? ref(dice, ['Location'], owner) : who,
  focus: refs(dice, ['Patient', 'Condition', 'Observation'], owner),
  encounter: dice.maybe(30) ? ref(dice, ['Encounter'], owner) : undefined,
  effectiveDateTime: dice.maybe(80) ? dice.pick(dates) : undefined,
  issued: dice.maybe(30) ? dice.pick(instants) : undefined,
  performer: ownings(dice, owner === 'all' ? ['Practitioner', 'Organization'] : [...people, 'Organization'], owner),
  hasMember: refs(dice, ['Observation'], owner),
  derivedFrom: refs(dice, ['Observation', 'DocumentReference'], owner),
  ...value(dice),
})

const draws: Readonly<Record<string, Draw>> = {
  Patient: (dice, owner) => ({
    active: dice.maybe(80),
    name: name(dice, owner),
    gender: dice.pick(['female', 'male']),
    birthDate: dice.pick(['1950-02-03', '1980-04-05', '2015-06-07']),
    address: [{ city: dice.pick(cities) }],
    generalPractitioner: refs(dice, ['Practitioner', 'Organization'], owner),
    managingOrganization: dice.maybe(40) ? ref(dice, ['Organization'], owner) : undefined,
    link: dice.maybe(40) ? [{ other: owning(dice, ['Patient', 'RelatedPerson'], owner), type: 'seealso' }] : undefined,
  }),
  Observation: observation,
  Condition: (dice, owner, who) => ({
    code: concept(dice.pick(conditions)),
    subject: who,
    encounter: dice.maybe(40) ? ref(dice, ['Encounter'], owner) : undefined,
    onsetDateTime: dice.pick(dates),
    asserter: dice.maybe(40) ? owning(dice, people, owner) : undefined,
    evidence: dice.maybe(40) ? [{ detail: [ref(dice, ['Observation'], owner)] }] : undefined,
  }),
  MedicationStatement: (dice, owner, who) => ({
    status: dice.pick(['active', 'completed']),
    subject: who,
    medicationReference: ref(dice, ['Medication'], owner),
    effectiveDateTime: dice.pick(dates),
    informationSource: dice.maybe(40) ? ref(dice, people, owner) : undefined,
    reasonReference: refs(dice, ['Condition', 'Observation'], owner),
  }),
  MedicationRequest: (dice, owner, who) => ({
    status: 'active',
    intent: 'order',
    subject: who,
    medicationCodeableConcept: concept(dice.pick(conditions)),
    requester: ref(dice, ['Practitioner', 'PractitionerRole'], owner),
    authoredOn: dice.pick(dates),
  }),
  DiagnosticReport: (dice, owner, who) => ({
    status: 'final',
    code: concept(dice.pick(measures)),
    subject: who,
    effectiveDateTime: dice.pick(dates),
    issued: dice.pick(instants),
    result: refs(dice, ['Observation'], owner),
    performer: refs(dice, ['Practitioner', 'Organization', 'PractitionerRole'], owner),
  }),
  Encounter: (dice, owner, who) => ({
    status: dice.pick(['finished', 'planned']),
    class: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'AMB' },
    subject: who,
    period: { start: '2025-11-30', end: dice.pick(dates) },
    participant: dice.maybe(50) ? [{ individual: ref(dice, ['Practitioner', 'RelatedPerson'], owner) }] : undefined,
    location: dice.maybe(50) ? [{ location: ref(dice, ['Location'], owner) }] : undefined,
    serviceProvider: dice.maybe(30) ? ref(dice, ['Organization'], owner) : undefined,
  }),
  Provenance: (dice, owner, who) => ({
    target: [who, ...(refs(dice, ['Observation', 'Condition'], owner) ?? [])],
    recorded: dice.pick(instants),
    agent: [{ who: ref(dice, [...people, 'Organization'], owner) }],
  }),
  RelatedPerson: (dice, owner, who) => ({ patient: who, name: name(dice, owner), gender: 'female' }),
  AllergyIntolerance: (dice, owner, who) => ({
    clinicalStatus: { coding: [{ system: allergyStatus, code: dice.pick(['active', 'inactive']) }] },
    code: concept(dice.pick(conditions)),
    patient: who,
    criticality: dice.pick(['low', 'high']),
    recorder: dice.maybe(40) ? owning(dice, ['Patient', 'Practitioner'], owner) : undefined,
  }),
  Immunization: (dice, owner, who) => ({
    status: 'completed',
    vaccineCode: concept(dice.pick(conditions)),
    patient: who,
    occurrenceDateTime: dice.pick(dates),
    performer: dice.maybe(50) ? [{ actor: ref(dice, ['Practitioner', 'Organization'], owner) }] : undefined,
  }),
  Procedure: (dice, owner, who) => ({
    status: 'completed',
    code: concept(dice.pick(conditions)),
    subject: who,
    performedDateTime: dice.pick(dates),
    performer: dice.maybe(50) ? [{ actor: owning(dice, people, owner) }] : undefined,
  }),
  DocumentReference: (dice, owner, who) => ({
    status: 'current',
    subject: who,
    description: dice.pick(texts),
    author: ownings(dice, people, owner),
    content: [{ attachment: { contentType: 'text/plain', title: dice.pick(texts) } }],
  }),
  CareTeam: (dice, owner, who) => ({
    status: 'active',
    subject: who,
    participant: dice.many(1, 2, () => ({ member: owning(dice, [...people, 'Organization'], owner) })),
  }),
  List: (dice, owner, who) => ({
    status: 'current',
    mode: 'working',
    subject: who,
    title: dice.pick(texts),
    entry: dice.many(1, 3, () => ({ item: ref(dice, ['Observation', 'Condition', 'Group', 'Practitioner'], owner) })),
  }),
  Device: (dice, owner, who) => ({
    status: 'active',
    deviceName: [{ name: dice.pick(texts), type: 'user-friendly-name' }],
    ...(owner === 'all' ? {} : { patient: who }),
    owner: dice.maybe(40) ? ref(dice, ['Organization'], owner) : undefined,
  }),
  QuestionnaireResponse: (dice, owner, who) => ({
    questionnaire: `http://example.org/Questionnaire/${dice.below(2)}`,
    status: 'completed',
    subject: who,
    authored: dice.pick(dates),
    source: dice.maybe(40) ? owning(dice, people, owner) : undefined,
  }),
  Task: (dice, owner, who) => ({
    status: 'requested',
    intent: 'order',
    for: who,
    focus: dice.maybe(50) ? ref(dice, ['Observation', 'Practitioner', 'Condition'], owner) : undefined,
    owner: dice.maybe(50) ? ref(dice, people, owner) : undefined,
    authoredOn: dice.pick(dates),
  }),
  Practitioner: (dice, owner) => ({ name: name(dice, owner), gender: dice.pick(['female', 'male']) }),
  Organization: (dice, owner) => ({
    name: dice.pick(cities),
    address: [{ city: dice.pick(cities) }],
    partOf: dice.maybe(40) ? ref(dice, ['Organization'], owner) : undefined,
  }),
  PractitionerRole: (dice, owner) => ({
    practitioner: ref(dice, ['Practitioner'], owner),
    organization: ref(dice, ['Organization'], owner),
    code: [concept(dice.pick(conditions))],
  }),
  Binary: (dice, _owner, who) => ({
    contentType: 'text/plain',
    securityContext: who,
    data: Buffer.from(dice.pick(texts)).toString('base64'),
  }),
  Composition: (dice, owner, who) => ({
    status: 'final',
    type: concept(dice.pick(conditions)),
    subject: who,
    date: dice.pick(dates),
    author: [owning(dice, people, owner)],
    title: dice.pick(texts),
    section: dice.many(1, 2, () => ({
      title: dice.pick(texts),
      entry: dice.many(1, 3, () => ref(dice, ['Observation', 'Condition', 'Procedure', 'Practitioner'], owner)),
    })),
  }),
  Location: (dice, owner) => ({
    name: dice.pick(cities),
    managingOrganization: dice.maybe(50) ? ref(dice, ['Organization'], owner) : undefined,
  }),
  Medication: (dice, owner) => ({
    code: concept(dice.pick(conditions)),
    manufacturer: dice.maybe(40) ? ref(dice, ['Organization'], owner) : undefined,
  }),
  // Of nobody whom it names: it lies in the household of the house.
  Group: (dice, owner) => ({
    type: 'practitioner',
    actual: true,
    member: dice.many(1, 2, () => ({ entity: ref(dice, ['Practitioner'], owner) })),
  }),
  Questionnaire: dice => ({
    url: `http://example.org/Questionnaire/${dice.below(2)}`,
    status: 'active',
    title: dice.pick(texts),
  }),
  ValueSet: dice => ({
    url: `http://example.org/ValueSet/${dice.below(2)}`,
    status: 'active',
    name: dice.pick(cities),
    compose: dice.maybe(80) ? { include: dice.many(1, 2, included) } : undefined,
  }),
}

/** Codes that are drawn elsewhere, or those of another value set. */
function included(dice: Dice): Elements {
  const { system, code } = dice.pick(conditions)
  return dice.weighted<() => Elements>([
    [3, () => ({ system, concept: [{ code }] })],
    [2, () => ({ system: categorySystem, filter: [{ property: 'code', op: '=', value: dice.pick(categories) }] })],
    [1, () => ({ valueSet: [`http://example.org/ValueSet/${dice.below(2)}`] })],
  ])()
}

const withoutIdentifier: ReadonlySet<string> = new Set(['Provenance', 'QuestionnaireResponse', 'Binary', 'Composition'])

/** A resource of a type that belongs to its owner, whatever else it names. */
export function drawResource(dice: Dice, type: string, owner: Owner, id?: string): Resource {
  const draw = draws[type]
  if (draw === undefined) throw new TypeError(`no resource of type ${type} can be drawn`)
  const resource: Elements = {
    resourceType: type,
    id,
    meta: metaOf(dice),
    identifier: dice.maybe(50) && !withoutIdentifier.has(type) ? identifier(dice, owner) : undefined,
    ...draw(dice, owner, owner === 'all' ? {} : { reference: `Patient/${owner}` }),
  }
  return toResource(resource, type)
}

/** What no resource shows of whoever it is about: the place of a version that a store does not hold. */
export function emptyResource(type: string, person: string, id: string): Resource {
  return { ...stubs[type], resourceType: type, id, subject: { reference: `Patient/${person}` } }
}

const stubs: Readonly<Record<string, Elements>> = {
  Observation: { status: 'unknown', code: { text: 'unknown' } },
  Condition: {},
  Procedure: { status: 'unknown' },
  Encounter: { status: 'unknown', class: { code: 'AMB' } },
}

/** Types that may go from one person to another. */
export const movableTypes: readonly string[] = Object.keys(stubs)

function metaOf(dice: Dice): Elements | undefined {
  if (!dice.maybe(25)) return undefined
  return {
    tag: [{ system: exampleSystem, code: dice.pick(labels) }],
    ...(dice.maybe(40) ? { profile: [profile] } : {}),
    ...(dice.maybe(40) ? { security: [{ system: exampleSystem, code: dice.pick(labels) }] } : {}),
    ...(dice.maybe(40) ? { source: `http://example.org/source/${dice.below(3)}` } : {}),
  }
}

/** Without elements that were not drawn, and without empty lists, which FHIR does not know. */
function toResource(elements: Elements, resourceType: string): Resource {
  const kept = Object.entries(elements).filter(
    ([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0),
  )
  return { ...Object.fromEntries(kept), resourceType }
}

/** Types of which a resource can be drawn, about the person or about nobody. */
export function isDrawable(type: string): boolean {
  return Object.hasOwn(draws, type)
}
