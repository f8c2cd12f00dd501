import type { Resource } from '#fhir'
import { createValidator } from '#validation'
import { hl7Outcomes, message, resourcesOf, segment } from './reading.ts'

/**
 * What stands behind the first: further names of an organization, people of an appointment, classes of a visit, kinds of a note, and
 * what one bad value does not take with it.
 */
const validator = createValidator()
const pid = 'PID|1||4711^^^HOSP^MR||Doe^Jane||19800101|F'
const pv1 = 'PV1|1|I|||||||||||||||||V1'

type Node = Readonly<Record<string, unknown>>

function read(event: string, ...lines: readonly string[]) {
  const [outcomes = []] = hl7Outcomes(message(`MSH|^~\\&|HIS|HOSP|||20260210||${event}|M1|P|2.5.1`, ...lines))
  const amended = outcomes.flatMap(one => (one.kind === 'amend' ? (one.change({ resourceType: one.type }) ?? []) : []))
  for (const resource of resourcesOf(outcomes))
    expect([resource.resourceType, validator.validate(resource)]).toEqual([resource.resourceType, []])
  const named = outcomes.flatMap(one => (one.kind === 'unread' || one.kind === 'unmapped' ? [one.location] : []))
  const warned = outcomes.flatMap(one => (one.kind === 'warning' && one.location ? [one.location] : []))
  return { resources: [...resourcesOf(outcomes), ...amended], named, warned }
}

function of(type: string, { resources }: { readonly resources: readonly Resource[] }): readonly Node[] {
  return resources.filter(({ resourceType }) => resourceType === type)
}

/** The first of a type, of which there is one at least. */
function first(type: string, given: { readonly resources: readonly Resource[] }): Node {
  const [one] = of(type, given)
  expect([type, one]).toEqual([type, expect.anything()])
  return one as Node
}

/** The organization that a resource contains. */
function organization(resource: Node | undefined): Node | undefined {
  const contained = (resource?.contained ?? []) as readonly Node[]
  return contained.find(({ resourceType }) => resourceType === 'Organization')
}

describe('several names of one organization, the legal one first', () => {
  const names = 'Legal^^77^^^NS&1.2.3&ISO^XX~Short^^^^^NS&1.2.3&ISO^XX^^^78'
  const expected = {
    name: 'Legal',
    alias: ['Short'],
    identifier: [{ value: '77' }, { value: '78', system: 'urn:oid:1.2.3' }],
  }

  it.each([
    ['IN1-4', 'ADT^A01', [pv1, segment('IN1', { 1: '1', 2: 'P', 3: '1', 4: names })], 'Coverage'],
    ['NK1-13', 'ADT^A01', [pv1, segment('NK1', { 1: '1', 3: 'E^Employer^HL70131', 13: names })], 'Patient'],
    [
      'ORC-21',
      'OML^O21',
      [segment('ORC', { 1: 'NW', 2: 'P1', 12: 'D1^Doc', 21: names }), 'OBR|1|P1||X^T^L'],
      'ServiceRequest',
    ],
    [
      'ORC-21 of a medicine',
      'RDE^O11',
      [segment('ORC', { 1: 'NW', 2: 'P1', 12: 'D1^Doc', 21: names }), 'RXE||M^M^L|1||mg'],
      'MedicationRequest',
    ],
  ])('%s', (place, event, lines, type) => {
    const given = read(event, pid, ...lines)
    const found = organization(of(type, given)[0])
    const { identifier } = expected
    // IN1-3 is a number of the insurer, too.
    expect(found).toMatchObject({ name: 'Legal', alias: ['Short'] })
    expect(found?.identifier).toEqual(expect.arrayContaining(identifier.map(one => expect.objectContaining(one))))
    expect(
      given.named.filter(one => one?.startsWith(place.slice(0, 3)) && one.split('^')[2] === place.slice(4, 6)),
    ).toEqual([])
  })

  it('IN1-11, who pays for the group', () => {
    const given = read('ADT^A01', pid, pv1, segment('IN1', { 1: '1', 2: 'P', 3: '1', 4: 'Insurer', 11: names }))
    const contained = (of('Coverage', given)[0]?.contained ?? []) as readonly Node[]
    expect(contained).toContainEqual(expect.objectContaining({ name: 'Legal', alias: ['Short'] }))
  })
})

describe('an organization that has an address and no name', () => {
  it.each([
    ['OML^O21', 'OBR|1|P1||X^T^L', 'ServiceRequest'],
    ['RDE^O11', 'RXE||M^M^L|1||mg', 'MedicationRequest'],
  ])('%s keeps the address: org-1', (event, line, type) => {
    const orc = segment('ORC', { 1: 'NW', 2: 'P1', 12: 'D1^Doc', 22: '1 Street^^Town', 23: '^PRN^PH^^^555^1234' })
    const given = read(event, pid, orc, line)
    expect(organization(of(type, given)[0])).toMatchObject({
      _name: { extension: [{ valueCode: 'unknown' }] },
      address: [{ line: ['1 Street'], city: 'Town' }],
      telecom: [{ value: expect.stringContaining('555') }],
    })
    expect(given.warned).toEqual([])
  })
})

describe('NK1 of a person who has an organization', () => {
  it('is a RelatedPerson, and a contact with the organization', () => {
    const nk1 = segment('NK1', { 1: '1', 2: 'Roe^Rick', 3: 'FND^Friend^HL70063', 12: 'E7', 13: 'Works^^9' })
    const given = read('ADT^A01', pid, pv1, nk1)
    expect(of('RelatedPerson', given)).toMatchObject([{ name: [{ family: 'Roe' }], identifier: [{ value: 'E7' }] }])
    expect(of('Patient', given)[0]).toMatchObject({
      contact: [{ name: { family: 'Roe' }, organization: { display: 'Works', identifier: { value: '9' } } }],
    })
    expect(given.named.filter(place => place?.startsWith('NK1'))).toEqual([])
  })

  it('without one is no contact', () => {
    const given = read('ADT^A01', pid, pv1, 'NK1|1|Roe^Rick|FND')
    expect(of('Patient', given)[0]).not.toHaveProperty('contact')
  })
})

describe('PV1-20', () => {
  it('is a Coverage for each class, with the day since which it is valid', () => {
    const given = read('ADT^A01', pid, segment('PV1', { 1: '1', 2: 'I', 19: 'V1', 20: 'PPO^20260101~SELF' }))
    expect(of('Coverage', given)).toMatchObject([
      { type: { coding: [{ code: 'PPO' }] }, period: { start: '2026-01-01' } },
      { type: { coding: [{ code: 'SELF' }] } },
    ])
    expect(new Set(of('Coverage', given).map(({ id }) => id)).size).toBe(2)
    expect(given.named.filter(place => place?.startsWith('PV1^1^20'))).toEqual([])
  })
})

describe('everybody of an appointment', () => {
  const sch = (fields: object) =>
    segment('SCH', { 1: 'A1', 2: 'A2', 11: '^^^20260301090000^20260301093000', ...fields })
  const people = 'D1^Ann^A~D2^Ben^B'
  const actors = (given: ReturnType<typeof read>) =>
    (first('Appointment', given).participant as readonly { actor: { display?: string } }[]).flatMap(
      ({ actor }) => actor.display ?? [],
    )

  it.each([
    ['SCH-16', [sch({ 16: people }), pid], ['A Ann', 'B Ben']],
    ['SCH-12 and SCH-16', [sch({ 12: 'D0^Zoe^Z', 16: people }), pid], ['Z Zoe', 'A Ann', 'B Ben']],
    ['SCH-20', [sch({ 20: people }), pid], ['A Ann', 'B Ben']],
    ['AIP-3', [sch({}), pid, 'RGS|1', `AIP|1|A|${people}|S^Surgeon^L`], ['A Ann', 'B Ben']],
    ['AIL-3', [sch({}), pid, 'RGS|1', 'AIL|1|A|W1^^^~W2'], ['W1', 'W2']],
    ['AIG-3', [sch({}), pid, 'RGS|1', 'AIG|1|A|M1^Scanner^L~M2^Lamp^L'], ['Scanner', 'Lamp']],
  ])('%s', (place, lines, expected) => {
    const given = read('SIU^S12', ...lines)
    expect(actors(given).toSorted()).toEqual(expected.toSorted())
    expect(given.named.filter(one => one?.startsWith(place.slice(0, 3)))).toEqual([])
  })
})

describe('NTE-4, the kind of a note', () => {
  const annotated = { url: 'http://hl7.org/fhir/StructureDefinition/annotationType' }

  it('stands beside it, and lines of one kind are one note', () => {
    const obr = 'OBR|1|P1|F1|X^T^L'
    const obx = 'OBX|1|NM|8867-4^Heart rate^LN||70||||||F'
    const given = read('ORU^R01', pid, obr, obx, 'NTE|1||one|RE', 'NTE|2||two|RE', 'NTE|3||three|PI', 'NTE|4||four')
    expect(of('Observation', given)[0]?.note).toMatchObject([
      { text: 'one\ntwo', extension: [{ ...annotated, valueCodeableConcept: { coding: [{ code: 'RE' }] } }] },
      { text: 'three', extension: [{ ...annotated, valueCodeableConcept: { coding: [{ code: 'PI' }] } }] },
      { text: 'four' },
    ])
    expect(given.named.filter(place => place?.startsWith('NTE'))).toEqual([])
  })

  it('is the category of a document', () => {
    const given = read('ADT^A01', pid, 'NTE|1||words|RE', pv1)
    expect(of('DocumentReference', given)).toMatchObject([{ category: [{ coding: [{ code: 'RE' }] }] }])
  })
})

describe('words of a second and third code', () => {
  it.each([
    [
      'without a code are a coding of words',
      'X^First^L^^Second^SYS',
      [
        { code: 'X', display: 'First' },
        { display: 'Second', system: 'urn:x-hl7v2-0396:SYS' },
      ],
    ],
    ['that are the text are no coding', '^^^^Second^SYS', undefined],
    ['that repeat the text say nothing more', '^Same^L^^Same^SYS', undefined],
  ])('%s', (_, code, coding) => {
    const given = read('ORU^R01', pid, 'OBR|1|P1|F1|X^T^L', `OBX|1|ST|${code}||v||||||F`)
    expect((first('Observation', given).code as Node).coding).toEqual(coding)
  })
})

describe('PL.11, who numbers places', () => {
  it('is the assigner of the number of each', () => {
    const given = read('ADT^A01', pid, 'PV1|1|I|W^1^2^^^^^^^^HOSP&1.2.3&ISO||||||||||||||||V1')
    const places = ((of('Encounter', given)[0]?.contained ?? []) as readonly Node[]).filter(
      ({ resourceType }) => resourceType === 'Location',
    )
    expect(places).toHaveLength(3)
    for (const { identifier } of places)
      expect(identifier).toMatchObject([{ assigner: { display: 'HOSP', identifier: { value: 'urn:oid:1.2.3' } } }])
    expect(given.named.filter(place => place?.startsWith('PV1^1^3'))).toEqual([])
  })
})

describe('OBX behind medicines', () => {
  it.each([
    ['RDE^O11', ['ORC|NW|P1', 'RXE||M^M^L|1||mg']],
    ['OMP^O09', ['ORC|NW|P1', 'RXO|M^M^L|1||mg']],
    ['RDS^O13', ['ORC|NW|P1', 'RXD|1|M^M^L|20260101|1|mg']],
    ['RAS^O17', ['ORC|NW|P1', 'RXA|0|1|20260102||M^M^L|1|mg']],
  ])('%s: what was measured for them is an Observation, once', (event, lines) => {
    const given = read(event, pid, ...lines, 'OBX|1|NM|29463-7^Body weight^LN||70|kg|||||F')
    expect(of('Observation', given)).toMatchObject([{ code: { coding: [{ code: '29463-7' }] } }])
  })
})

describe('what two segments say of one element in two ways', () => {
  it('who orders: of two people the first stays, the other is named', () => {
    const orc = segment('ORC', { 1: 'NW', 2: 'P1', 12: 'D2^Ben^B' })
    const obr = segment('OBR', { 1: '1', 4: 'X^T^L', 16: 'D1^Ann^A' })
    for (const event of ['ORU^R01', 'OML^O21']) {
      const given = read(event, pid, orc, obr)
      expect(first('ServiceRequest', given).requester).toMatchObject({ type: 'PractitionerRole', display: 'B Ben' })
      expect(given.named).toContain('OBR^1^16')
    }
  })

  it('how long, and from when: ORC-7 beside TQ1', () => {
    const orc = segment('ORC', { 1: 'NW', 2: 'P1', 7: '^^D5' })
    const given = read('OML^O21', pid, orc, 'OBR|1|P1||X^T^L', segment('TQ1', { 1: '1', 7: '20260201' }))
    const { repeat } = first('ServiceRequest', given).occurrenceTiming as { readonly repeat: Node }
    expect(repeat).toEqual({ boundsPeriod: { start: '2026-02-01' } })
    expect(given.named).toContain('ORC^1^7')
  })
})

describe('PRT of a role of an organization', () => {
  it('is in the care team: ctm-1', () => {
    const given = read('ADT^A01', pid, `PRT||AD||RCT^R^HL70912|D1^Ann^A|N^Nurse^L||Clinic`, pv1)
    expect(first('CareTeam', given).participant).toMatchObject([{ member: { type: 'PractitionerRole' } }])
    expect(organization(first('CareTeam', given))).toMatchObject({ name: 'Clinic' })
  })
})

describe('one bad part of a timing costs itself', () => {
  const tq1 = (fields: object) => segment('TQ1', { 1: '1', ...fields })
  const bounds = { 7: '20260201', 8: '20260210' }

  it.each([
    [
      'RPT.6 that is no unit',
      { 3: '^^^^7^XYZ', ...bounds },
      { boundsPeriod: { start: '2026-02-01', end: '2026-02-10' } },
    ],
    [
      'RPT.5 and RPT.6',
      { 3: '^^^^7^h', ...bounds },
      { period: expect.anything(), periodUnit: 'h', boundsPeriod: expect.anything() },
    ],
    ['RPT.6 alone', { 3: '^^^^^h', ...bounds }, { boundsPeriod: { start: '2026-02-01', end: '2026-02-10' } }],
    ['TQ1-6 of days', { 6: '10^d&day&UCUM' }, { boundsDuration: { unit: 'd', code: 'd' } }],
    ['TQ1-6 of no time', { 6: '10^mg', 14: '3' }, { count: 3 }],
  ])('%s', (_, fields, repeat) => {
    const lines = {
      ServiceRequest: ['OBR|1|P1||X^T^L', tq1(fields)],
      MedicationRequest: [tq1(fields), 'RXO|M^M^L|1||mg'],
    }
    const order = read('OML^O21', pid, 'ORC|NW|P1', ...lines.ServiceRequest)
    expect((first('ServiceRequest', order).occurrenceTiming as Node).repeat).toEqual(
      Object.fromEntries(
        Object.entries(repeat).map(([name, value]) => [
          name,
          name === 'boundsDuration' ? expect.objectContaining(value as object) : value,
        ]),
      ),
    )
    const medicine = read('OMP^O09', pid, 'ORC|NW|P1', ...lines.MedicationRequest)
    const [dosage] = first('MedicationRequest', medicine).dosageInstruction as readonly { timing: Node }[]
    expect(Object.keys(dosage?.timing.repeat as object).toSorted()).toEqual(Object.keys(repeat).toSorted())
  })

  it('names what it cost', () => {
    const { named, warned } = read('OML^O21', pid, 'ORC|NW|P1', 'OBR|1|P1||X^T^L', tq1({ 3: '^^^^7^XYZ', 6: '10^mg' }))
    expect([...named, ...warned]).toEqual(expect.arrayContaining(['TQ1^1^3', 'TQ1^1^6']))
  })
})
