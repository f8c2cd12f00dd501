import { createValidator } from '#validation'
import { validPart } from '../../../src/ingest/without-invalid.ts'
import { context, hl7Outcomes, message, resourcesOf, segment } from './reading.ts'

/**
 * What several segments say of one thing is put together where it fits, and never half of one and half of another: who orders and
 * where, from when to when, which device. What has no room is named.
 *
 * @see https://build.fhir.org/ig/HL7/v2-to-fhir/segment_maps.html
 */
const validator = createValidator()
const validating = { ...context, validPart: (one: Parameters<typeof validPart>[0]) => validPart(one, validator) }
const pid = 'PID|1||4711^^^HOSP^MR||Doe^Jane||19800101|F'
const pv1 = 'PV1|1|I|||||||||||||||||V1'

type Node = Readonly<Record<string, unknown>>

function read(event: string, ...lines: readonly string[]) {
  const head = `MSH|^~\\&|HIS|HOSP|||20260210081500+0100||${event}|M1|P|2.8`
  const [outcomes = []] = hl7Outcomes(message(head, ...lines), validating)
  const amended = outcomes.flatMap(one => (one.kind === 'amend' ? (one.change({ resourceType: one.type }) ?? []) : []))
  const resources = [...resourcesOf(outcomes), ...amended] as readonly Node[]
  const named = outcomes.flatMap(one =>
    one.kind === 'unread' || one.kind === 'unmapped' || one.kind === 'warning' || one.kind === 'rejected'
      ? [one.location ?? '']
      : [],
  )
  return { named, of: (type: string) => resources.find(({ resourceType }) => resourceType === type) ?? {} }
}

/** The contained resource of a type. */
function inside(resource: Node, type: string): Node | undefined {
  return ((resource.contained ?? []) as readonly Node[]).find(({ resourceType }) => resourceType === type)
}

describe('who orders, of ORC and OBR', () => {
  const obr = (fields: Readonly<Record<number, string>>) => segment('OBR', { 1: '1', 4: 'X^T^L', ...fields })
  const orc = (fields: Readonly<Record<number, string>>) => segment('ORC', { 1: 'NW', 2: 'P1', ...fields })
  const person = { 16: 'D1^Ann^A' }
  const events = ['ORU^R01', 'ORM^O01', 'OML^O21', 'OMG^O19']

  it.each(events)('%s: the person of OBR-16 and the place of ORC-21 to ORC-24 are one role', event => {
    const place = { 21: 'Clinic^^^^^HOSP^XX^^^77', 22: '1 Way^^Town', 23: '^WPN^PH^^^^123', 24: '2 Road^^Village' }
    const { named, of } = read(event, pid, orc(place), obr(person))
    const request = of('ServiceRequest')
    expect(request.requester).toMatchObject({ type: 'PractitionerRole', display: 'A Ann' })
    expect(inside(request, 'PractitionerRole')).toMatchObject({
      practitioner: { display: 'A Ann' },
      organization: { display: 'Clinic' },
    })
    expect(inside(request, 'Organization')).toMatchObject({ address: [{ city: 'Town' }], telecom: [{ value: '123' }] })
    expect(inside(request, 'Practitioner')).toMatchObject({
      identifier: [{ value: 'D1' }],
      address: [{ city: 'Village' }],
    })
    expect(named.filter(place => /^(ORC\^1\^2[1-4]|OBR\^1\^16)/.test(place))).toEqual([])
  })

  it.each(events)('%s: OBR-16 alone is the person', event => {
    const { of } = read(event, pid, orc({}), obr(person))
    expect(of('ServiceRequest').requester).toMatchObject({ type: 'Practitioner', display: 'A Ann' })
  })

  it.each(events)('%s: of two people none has a part of the other', event => {
    const { named, of } = read(event, pid, orc({ 12: 'D2^Ben', 24: '2 Road^^Village' }), obr(person))
    const request = of('ServiceRequest')
    expect(request.requester).toMatchObject({ display: 'Ben' })
    expect(inside(request, 'Practitioner')).toMatchObject({
      identifier: [{ value: 'D2' }],
      address: [{ city: 'Village' }],
    })
    expect(JSON.stringify(request)).not.toContain('D1')
    expect(named).toContain('OBR^1^16')
  })

  it.each(events)('%s: a number that both give is one', event => {
    const { of } = read(event, pid, orc({ 3: 'F1' }), obr({ 2: 'P1', 3: 'F1' }))
    expect((of('ServiceRequest').identifier as readonly Node[]).map(one => one.value)).toEqual(['P1', 'F1'])
  })

  it('an address of nobody stays with the order', () => {
    const { named, of } = read('OML^O21', pid, orc({ 24: '2 Road^^Village' }), obr({}))
    expect(inside(of('ServiceRequest'), 'Practitioner')).toMatchObject({ address: [{ city: 'Village' }] })
    expect(named.filter(place => place.startsWith('ORC'))).toEqual([])
  })

  it('a vaccination: where it was ordered is kept without the one who ordered', () => {
    const place = orc({ 1: 'RE', 3: 'F1', 21: 'Clinic', 22: '1 Way^^Town' })
    const { named, of } = read('VXU^V04', pid, place, 'RXA|0|1|20260102||140^Flu^CVX')
    expect(inside(of('Immunization'), 'Organization')).toMatchObject({ name: 'Clinic', address: [{ city: 'Town' }] })
    expect(named.filter(place => /^ORC\^1\^2[12]/.test(place))).toEqual([])
  })

  it('a medicine: whether it is ordered for one who lies in hospital is its category', () => {
    const { named, of } = read('OMP^O09', pid, orc({ 29: 'I^Inpatient^HL70482' }), 'RXO|M1^Medicine^L')
    expect(of('MedicationRequest').category).toMatchObject([{ coding: [{ code: 'I' }] }])
    expect(named.filter(place => place.startsWith('ORC^1^29'))).toEqual([])
  })
})

describe('from when to when', () => {
  const orc = segment('ORC', { 1: 'NW', 2: 'P1', 7: '^Once^^20250101^20250102' })
  const start = '2026-02-01'

  it.each([
    ['OML^O21', 'OBR|1|P1||X^T^L', 'ServiceRequest'],
    ['OMG^O19', 'OBR|1|P1||X^T^L', 'ServiceRequest'],
    ['OMP^O09', 'RXO|M1^Medicine^L', 'MedicationRequest'],
    ['RDE^O11', 'RXE||M1^Medicine^L', 'MedicationRequest'],
  ])('%s: a start by TQ1 has no end by ORC-7', (event, line, type) => {
    const { named, of } = read(event, pid, orc, line, segment('TQ1', { 1: '1', 7: '20260201' }))
    expect(JSON.stringify(of(type))).toContain(`"boundsPeriod":{"start":"${start}"}`)
    // A medicine may be dosed in several ways, and has both.
    expect(named.some(place => place.startsWith('ORC^1^7'))).toBe(type === 'ServiceRequest')
    expect(named.filter(place => place.startsWith('TQ1'))).toEqual([])
  })

  it.each([
    ['a medicine that was given', 'RAS^O17', ['ORC|RE|P1', 'RXA|0|1|20260202|20260101|M1^Medicine^L|1'], 'RXA^1^4'],
    ['a result', 'ORU^R01', [segment('OBR', { 1: '1', 3: 'F1', 4: 'X^T^L', 7: '20260202', 8: '20260101' })], 'OBR^1^8'],
    [
      'a name',
      'ADT^A01',
      [`PV1|1|I|||||D1^Ann^A${'^'.repeat(16)}20260202^20260101${'|'.repeat(12)}V1`],
      'PV1^1^7^1^20',
    ],
    [
      'a span',
      'ADT^A01',
      [`PV1|1|I|||||D1^Ann^A${'^'.repeat(14)}20260202&20260101${'|'.repeat(12)}V1`],
      'PV1^1^7^1^17^2',
    ],
    ['an appointment', 'SIU^S12', ['SCH|A1||||||||||^^^202602020800+0100^202601010800+0100'], 'SCH^1^11^1^5'],
    [
      'a telephone number',
      'ADT^A01',
      [pv1, `NK1|1|A^B|FTH||555^PRN^PH^a@b.example${'^'.repeat(9)}20260202^20260101`],
      'NK1^1^5^1^14',
    ],
    [
      'when a specimen was taken',
      'ORU^R01',
      [
        'OBR|1||F1|X^T^L',
        'OBX|1|ST|A^B^L||x||||||F',
        segment('SPM', { 1: '1', 2: 'S1', 4: 'BLD', 17: '20260202^20260101' }),
      ],
      'SPM^1^17^1^2',
    ],
  ])('%s that ends before it begins keeps its beginning: per-1', (_, event, lines, place) => {
    const { named, of } = read(event, pid, ...lines)
    const kinds = [
      'MedicationAdministration',
      'DiagnosticReport',
      'Encounter',
      'Appointment',
      'RelatedPerson',
      'Specimen',
    ]
    const types = [...kinds, 'Observation'].map(of)
    expect(JSON.stringify(types)).toMatch(/"start":"2026-02-02|"effectiveDateTime":"2026-02-02/)
    expect(JSON.stringify(types)).not.toContain('2026-01-01')
    expect(named).toContain(place)
  })

  it('a day that ends on itself at some time is a span', () => {
    const obr = segment('OBR', { 1: '1', 3: 'F1', 4: 'X^T^L', 7: '20260202', 8: '202602020800+0100' })
    const { of } = read('ORU^R01', pid, obr)
    expect(of('DiagnosticReport').effectivePeriod).toMatchObject({ start: '2026-02-02' })
  })
})

describe('devices behind a result', () => {
  const obx = ['OBR|1||F1|X^T^L', 'OBX|1|ST|C^c^L||v||||||F']
  const prt = (action: string, ids: string) => `PRT||${action}||EQUIP^E^HL70912||||||${ids}`

  it.each([
    ['one', [prt('AD', 'E1~E2')], ['E1', 'E2'], []],
    ['of two the first stays, and the other is named', [prt('AD', 'E1'), prt('AD', 'E2~E3')], ['E1'], ['PRT^2^10']],
    ['what is taken out takes no part', [prt('DE', 'E1'), prt('AD', 'E2')], ['E2'], ['PRT^1']],
  ])('%s', (_, lines, ids, expected) => {
    const { named, of } = read('ORU^R01', pid, ...obx, ...lines)
    const { identifier } = inside(of('Observation'), 'Device') as { readonly identifier: readonly Node[] }
    expect(identifier.map(one => one.value)).toEqual(ids)
    expect(named.filter(place => /^PRT\^\d(\^10)?$/.test(place))).toEqual(expected)
  })

  it('a lot alone is of a device', () => {
    const { of } = read('ORU^R01', pid, ...obx, segment('PRT', { 2: 'AD', 4: 'EQUIP^E^HL70912', 19: 'LOT7' }))
    expect(inside(of('Observation'), 'Device')).toMatchObject({ lotNumber: 'LOT7' })
  })

  it('several people are each who performed it', () => {
    const { named, of } = read('ORU^R01', pid, ...obx, 'PRT||AD||RO^R^HL70912|D1^Ann^A~D2^Ben^B')
    expect(of('Observation').performer).toMatchObject([{ display: 'A Ann' }, { display: 'B Ben' }])
    expect(named.filter(place => place.startsWith('PRT'))).toEqual([])
  })
})

it.each([
  ['Y', 'R', []],
  ['N', 'N', []],
  ['maybe', undefined, ['PV2^1^22']],
])('PV2-22 %s: how far a visit is protected', (said, code, expected) => {
  const { named, of } = read('ADT^A01', pid, pv1, segment('PV2', { 22: said }))
  const { security = [] } = of('Encounter').meta as { readonly security?: readonly Node[] }
  expect(security.map(one => one.code)).toEqual(code === undefined ? [] : [code])
  expect(named.filter(place => place.startsWith('PV2'))).toEqual(expected)
})

describe('a note of an appointment', () => {
  const sch = segment('SCH', { 2: 'A1', 11: '^^^20260301090000^20260301093000' })
  const nte = 'NTE|1||Bring water|RE^Remark^HL70364|D1^Ann^A|20260210'
  const note = { text: 'Bring water', time: '2026-02-10', authorReference: { display: 'A Ann' } }

  it.each([
    ['SCH', [sch, nte, pid]],
    ['AIS', [sch, pid, 'RGS|1', 'AIS|1||V^Visit^L', nte]],
    ['AIL', [sch, pid, 'RGS|1', 'AIL|1||W', nte]],
  ])('behind %s is one of R5, with its author, time and kind, and the words are the comment', (_, lines) => {
    const { named, of } = read('SIU^S12', ...lines)
    const { comment, extension = [] } = of('Appointment') as { comment?: string; extension?: readonly Node[] }
    expect(comment).toContain('Bring water')
    expect(extension.map(one => one.valueAnnotation)).toContainEqual(
      expect.objectContaining({
        ...note,
        authorReference: expect.objectContaining(note.authorReference),
        extension: [expect.objectContaining({ url: 'http://hl7.org/fhir/StructureDefinition/annotationType' })],
      }),
    )
    expect(named.filter(place => place.startsWith('NTE'))).toEqual([])
  })

  it('two are two', () => {
    const { of } = read('SIU^S12', sch, nte, 'NTE|2||Come early||D2^Ben^B', pid)
    const { extension = [] } = of('Appointment') as { extension?: readonly Node[] }
    expect(extension.map(one => (one.valueAnnotation as Node).text)).toEqual(['Bring water', 'Come early'])
  })
})

describe('what is in no resource is named', () => {
  it.each([
    ['ORC-7', { 7: '^Once^^20250101' }, '3^Twice^^20260201', ['OBR^1^27']],
    ['nothing', {}, '3^Twice^^20260201', []],
  ])('OBR-27 beside %s', (_, more, quantity, expected) => {
    const lines = [segment('ORC', { 1: 'NW', 2: 'P1', ...more }), segment('OBR', { 1: '1', 4: 'X^T^L', 27: quantity })]
    for (const event of ['ORU^R01', 'OML^O21']) {
      const { named } = read(event, pid, ...lines)
      expect(named.filter(place => place.startsWith('OBR^1^27'))).toEqual(expected)
    }
  })

  it('each part in which OBR says something else of a specimen than SPM', () => {
    const obr = segment('OBR', { 1: '1', 3: 'F1', 4: 'X^T^L', 7: '20260102', 9: '5^mL', 14: '20260103' })
    const spm = segment('SPM', { 1: '1', 4: 'BLD', 12: '7^mL', 17: '20260104', 18: '20260105' })
    const { named } = read('ORU^R01', pid, obr, spm)
    expect(named).toEqual(expect.arrayContaining(['OBR^1^9', 'OBR^1^14']))
  })

  it.each([
    ['a vaccine', 'VXU^V04', ['ORC|RE||F1', 'RXA|0|1|20260102||140^Flu^CVX|2|own^drop^X1'], 'RXA^1^7'],
    ['a medicine', 'RAS^O17', ['ORC|RE|P1', 'RXA|0|1|20260202||M1^Medicine^L|2|own^drop'], 'RXA^1^7^1^1'],
    [
      'a specimen',
      'ORU^R01',
      ['OBR|1||F1|X^T^L', segment('SPM', { 1: '1', 4: 'BLD', 12: '7^own&drop' })],
      'SPM^1^12^1^2^1',
    ],
  ])('the code of a unit of %s that only its words say', (_, event, lines, place) => {
    const { named } = read(event, pid, ...lines)
    expect(named.includes(place)).toBe(!place.endsWith('^7'))
  })

  const sch = segment('SCH', { 2: 'A1', 9: '30', 11: '^^^20260301090000' })
  it.each([
    ['of a service, which has no time of its own', segment('AIS', { 1: '1', 3: 'V^Visit^L', 5: '10' }), ['AIS^1^5']],
    ['beside a time', segment('AIP', { 1: '1', 3: 'D1^Ann', 6: '20260301091000', 7: '10' }), ['AIP^1^7']],
    ['of a person', segment('AIP', { 1: '1', 3: 'D1^Ann', 7: '10', 9: '5' }), []],
    [
      'of nobody',
      segment('AIL', { 1: '1', 6: '20260301091000', 7: '10', 12: 'Booked' }),
      ['AIL^1^6', 'AIL^1^7', 'AIL^1^12'],
    ],
  ])('how much later somebody comes: %s', (_, line, expected) => {
    const { named } = read('SIU^S12', sch, pid, 'RGS|1', line)
    expect(named.filter(place => /^AI/.test(place)).sort()).toEqual([...expected].sort())
  })

  it.each(['L', 'P', 'O'])('NTE-2 %s, who noted', by => {
    const { named } = read('ORU^R01', pid, 'OBR|1||F1|X^T^L', 'OBX|1|ST|C^c^L||v||||||F', `NTE|1|${by}|Words`)
    expect(named).toEqual(['NTE^1^2'])
  })

  it('the kind of the universal id of a place stands with who numbers it', () => {
    const { of, named } = read('ADT^A01', pid, 'PV1|1|I|W&1.x&DNS^1^2^^^^^^^9&HOSP&a.example&DNS|||||||||||||||||V1')
    const places = of('Encounter').contained as readonly { readonly identifier?: readonly Node[] }[]
    const kinds = places.flatMap(({ identifier = [] }) => identifier.flatMap(one => one.assigner ?? []))
    expect(kinds).toMatchObject([
      { identifier: { type: { coding: [{ code: 'DNS' }] }, value: '1.x' } },
      { identifier: { type: { coding: [{ code: 'DNS' }] }, value: 'a.example' } },
    ])
    expect(named.filter(place => place.startsWith('PV1^1^3'))).toEqual([])
  })
})
