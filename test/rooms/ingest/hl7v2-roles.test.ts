import type { Resource } from '#fhir'
import { createValidator } from '#validation'
import { hl7Outcomes, message, resourcesOf } from './reading.ts'

/**
 * ROL and PRT: who takes part in what they stand behind. ROL-4, PRT-5 and PRT-8 repeat (HL7 v2.5.1, 15.4.7.4; v2.7.1, 7.4.4).
 *
 * @see https://build.fhir.org/ig/HL7/v2-to-fhir/segment_maps.html
 */
const validator = createValidator()
const pid = 'PID|1||4711^^^HOSP^MR||Doe^Jane||19800101|F'
const pv1 = 'PV1|1|I|||||||||||||||||V1'
const role = (code: string, ...people: readonly string[]) => `ROL||AD|${code}^R^L|${people.join('~')}`
const [ann, ben] = ['D1^Ann^A', 'D2^Ben^B']

function mapped(event: string, version: string, ...lines: readonly string[]) {
  const [outcomes = []] = hl7Outcomes(message(`MSH|^~\\&|HIS|HOSP|||20260210||${event}|M1|P|${version}`, ...lines))
  const amended = outcomes.flatMap(one => (one.kind === 'amend' ? (one.change({ resourceType: one.type }) ?? []) : []))
  const resources = [...resourcesOf(outcomes), ...amended]
  for (const resource of resourcesOf(outcomes))
    expect([resource.resourceType, validator.validate(resource)]).toEqual([resource.resourceType, []])
  const named = outcomes.flatMap(one => (one.kind === 'unread' || one.kind === 'unmapped' ? [one.location] : []))
  return { resources, named }
}

type Node = Readonly<Record<string, unknown>>

/** The names of those to whom a list of a resource refers, by the path to them. */
function names(resources: readonly Resource[], type: string, list: string, ...path: readonly string[]) {
  const resource = resources.find(({ resourceType }) => resourceType === type) as Node | undefined
  const entries = (resource?.[list] ?? []) as readonly Node[]
  return entries.map(entry => path.reduce<Node>((at, name) => at[name] as Node, entry).display)
}

describe('ROL with several people', () => {
  const two = role('AT', ann, ben)

  it.each([
    ['PID', 'ADT^A01', [pid, two, pv1], 'CareTeam', 'participant', ['member']],
    ['PID, family doctors', 'ADT^A01', [pid, role('PP', ann, ben), pv1], 'Patient', 'generalPractitioner', []],
    ['PV1', 'ADT^A01', [pid, pv1, two], 'Encounter', 'participant', ['individual']],
    ['PR1', 'ADT^A01', [pid, pv1, 'PR1|1||64721^Repair^C4||20260101', two], 'Procedure', 'performer', ['actor']],
    ['PR1 of an account', 'BAR^P01', [pid, pv1, 'PR1|1||64721^Repair^C4', two], 'Procedure', 'performer', ['actor']],
    ['IN1', 'ADT^A01', [pid, pv1, 'IN1|1|P|1|Insurer', two], 'CareTeam', 'participant', ['member']],
    ['PRB', 'PPR^PC1', [pid, 'PRB|AD|20260101|I10^High^I10|1', two], 'CareTeam', 'participant', ['member']],
    [
      'GOL',
      'PPR^PC1',
      [pid, 'PRB|AD|20260101|I10^High^I10|1', 'GOL|AD|20260101|G^Lower^L|2', two],
      'CareTeam',
      'participant',
      ['member'],
    ],
    ['OBR', 'ORU^R01', [pid, 'OBR|1|P1|F1|X^Test^L', two], 'DiagnosticReport', 'performer', []],
  ])('behind %s: each takes part', (_, event, lines, type, list, path) => {
    const { resources, named } = mapped(event, '2.5.1', ...lines)
    expect(names(resources, type, list, ...path)).toEqual(['A Ann', 'B Ben'])
    expect(named.filter(place => place?.startsWith('ROL'))).toEqual([])
  })

  it('an empty repetition is nobody', () => {
    const { resources } = mapped('ADT^A01', '2.5.1', pid, pv1, role('AT', '', ann, '', ben))
    expect(names(resources, 'Encounter', 'participant', 'individual')).toEqual(['A Ann', 'B Ben'])
  })

  it('what could not be read of all of them is named once, and each place of its own', () => {
    const wrong = 'D1^Ann^A^^^^^^^^^^^^^^^^19xx'
    const line = `${role('AT', wrong, wrong)}|20zz`
    const [outcomes = []] = hl7Outcomes(message(`MSH|^~\\&|HIS|HOSP|||20260210||ADT^A01|M1|P|2.5.1`, pid, pv1, line))
    const warned = outcomes.flatMap(one => (one.kind === 'warning' && one.location ? [one.location] : []))
    expect(warned.filter(place => place.startsWith('ROL'))).toEqual(['ROL^1^4^1^19', 'ROL^1^5', 'ROL^1^4^2^19'])
  })
})

describe('PRT with several people and organizations', () => {
  const prt = (people: string, organizations: string) => `PRT||AD||RO^R^HL70912|${people}|||${organizations}`
  const obr = 'OBR|1|P1|F1|X^Test^L'

  it.each([
    ['two people of one organization', prt(`${ann}~${ben}`, 'Lab'), ['A Ann, Lab', 'B Ben, Lab']],
    ['one person of two organizations', prt(ann, 'Lab~Clinic'), ['A Ann, Lab', 'A Ann, Clinic']],
    ['each of their own', prt(`${ann}~${ben}`, 'Lab~Clinic'), ['A Ann, Lab', 'B Ben, Clinic']],
    ['one person more', prt(`${ann}~${ben}~D3^Cas^C`, 'Lab~Clinic'), ['A Ann, Lab', 'B Ben, Clinic', 'C Cas, ']],
  ])('%s', (_, line, expected) => {
    const { resources } = mapped('ORU^R01', '2.8', pid, obr, line)
    const report = resources.find(({ resourceType }) => resourceType === 'DiagnosticReport') as Node
    const contained = report.contained as readonly Node[]
    const said = (report.performer as readonly { reference: string }[]).map(({ reference }) => {
      const found = contained.find(({ id }) => `#${id}` === reference) as Record<string, { display?: string }>
      return `${found.practitioner?.display ?? ''}, ${found.organization?.display ?? ''}`
    })
    expect(said).toEqual(expected)
  })
})

describe('ROL-10, the kind of organization', () => {
  const line = (organization: string) => `ROL||AD|AT^R^L|${ann}||||||H^Hospital^HL70406||||${organization}`

  it.each([
    ['of a team', [pid, line('Clinic'), pv1], 'CareTeam'],
    ['of a visit', [pid, pv1, line('Clinic')], 'Encounter'],
    ['of a procedure', [pid, pv1, 'PR1|1||64721^Repair^C4||20260101', line('Clinic')], 'Procedure'],
  ])('%s is its type', (_, lines, type) => {
    const { resources, named } = mapped('ADT^A01', '2.5.1', ...lines)
    const [found] = resources.filter(({ resourceType }) => resourceType === type) as readonly Node[]
    expect(found?.contained).toContainEqual(
      expect.objectContaining({
        resourceType: 'Organization',
        name: 'Clinic',
        type: [expect.objectContaining({ coding: [expect.objectContaining({ code: 'H' })] })],
      }),
    )
    expect(named.filter(place => place?.startsWith('ROL'))).toEqual([])
  })

  it('is what an organization is called that has no name: org-1', () => {
    const { resources } = mapped('ADT^A01', '2.5.1', pid, pv1, line(''))
    const [visit] = resources.filter(({ resourceType }) => resourceType === 'Encounter') as readonly Node[]
    expect(visit?.contained).toContainEqual(expect.objectContaining({ resourceType: 'Organization', name: 'Hospital' }))
  })
})
