import type { Resource } from '#fhir'
import { stage } from '../../../src/ingest/committing/stage.ts'
import { everything, found, ingested, openHouse, type TestHouse, validator } from './house.ts'
import { message, segment } from './reading.ts'

/** Sends a house's messages one after the other, each a minute after the one before. */
function sender(house: TestHouse) {
  let at = 0
  return async (type: string, ...segments: string[]) => {
    const minute = String(10 + at).padStart(2, '0')
    at += 1
    const bytes = message(
      `MSH|^~\\&|REG|HOSP|KIN|HOME|2024031012${minute}00+0000||${type}|U${at}|P|2.5.1`,
      'PID|1||A1^^^HOSP^MR||Smith^Anna||20150607|F',
      ...segments,
    )
    const { ack } = await house.ingest.hl7v2({ grant: everything(), message: bytes })
    expect(ack).toMatch(/MSA\|AA/)
    return ack
  }
}
const visit = segment('PV1', { 2: 'I', 19: 'V1' })
const only = async (house: TestHouse, type: string, query = ''): Promise<Resource> => {
  const [resource, ...others] = await found(house.record, type, query)
  expect(others).toEqual([])
  expect(validator.validate(resource as Resource).filter(({ severity }) => severity === 'error')).toEqual([])
  return resource as Resource
}
const house = async () => {
  const one = await openHouse()
  const send = sender(one)
  await send('ADT^A04')
  return { house: one, send }
}
const warnings = (ack: string) => ack.split('\r').filter(line => line.startsWith('ERR') && line.includes('taken away'))

describe('what a thin update leaves unsaid stays, where a message says one by one what it changes – HL7 v2.5.1, 2.5.3', () => {
  it.each<[string, string, string, string[], string[], object]>([
    [
      'IAM: an allergy that is updated',
      'ADT^A31',
      'AllergyIntolerance',
      ['IAM|1|DA^Drug^HL70127|1605^Acetaminophen^L|SV^Severe^HL70128|Rash|A|9^HOSP|||20200101|||20240101'],
      ['IAM|1|DA^Drug^HL70127|1605^Acetaminophen^L|||U|9^HOSP'],
      {
        criticality: 'high',
        reaction: [{ manifestation: [{ text: 'Rash' }] }],
        recordedDate: '2024-01-01',
      },
    ],
    [
      'DG1 by its number',
      'ADT^A08',
      'Condition',
      [
        visit,
        segment('DG1', {
          3: 'I10^Hypertension^I10',
          5: '20240101',
          6: 'F',
          16: '7^Doc',
          19: '20240102',
          20: '77',
          21: 'A',
        }),
      ],
      [visit, segment('DG1', { 3: 'I10^Hypertension^I10', 20: '77', 21: 'U' })],
      { onsetDateTime: '2024-01-01', recordedDate: '2024-01-02', asserter: { display: 'Doc' } },
    ],
    [
      'PR1 by its number',
      'ADT^A08',
      'Procedure',
      [visit, segment('PR1', { 3: 'P1^Excision^L', 5: '20240101', 15: 'I10^Why^I10', 19: '55', 20: 'A' })],
      [visit, segment('PR1', { 3: 'P1^Excision^L', 19: '55', 20: 'U' })],
      { performedDateTime: '2024-01-01', reasonCode: [{ text: 'Why' }] },
    ],
    [
      'an order: results that come without its ORC',
      'ORU^R01',
      'ServiceRequest',
      [
        'ORC|RE|P1|F1||IP||||20240101|||9^Orderer',
        'OBR|1|P1|F1|2345-7^Glucose^LN|||20240310||||||Fasting|||9^Orderer',
        'OBX|1|NM|2345-7^Glucose^LN||90|mg/dL|||||P',
      ],
      ['OBR|1|P1|F1|2345-7^Glucose^LN|||20240310', 'OBX|1|NM|2345-7^Glucose^LN||90|mg/dL|||||F'],
      { requester: { display: 'Orderer' }, authoredOn: '2024-01-01' },
    ],
    [
      'a report: its later part',
      'ORU^R01',
      'DiagnosticReport',
      [
        'OBR|1||F1|PAN^Panel^L|||20240310|||||||||||||||20240310100000+0000||LAB|P|||||||99&Reader',
        'OBX|1|NM|2345-7^Glucose^LN||90|mg/dL|||||F',
      ],
      ['OBR|1||F1|PAN^Panel^L|||20240310||||||||||||||||||F', 'OBX|1|NM|718-7^Hemoglobin^LN||12|g/dL|||||F'],
      { status: 'final', issued: '2024-03-10T10:00:00+00:00', result: [{}, {}] },
    ],
    [
      'a result: its method and who made it',
      'ORU^R01',
      'Observation',
      [
        'OBR|1||F1|PAN^Panel^L|||20240310',
        'OBX|1|NM|2345-7^Glucose^LN||90|mg/dL|||||P|||20240310080000+0000||9^Tech|M1^Method^L',
      ],
      ['OBR|1||F1|PAN^Panel^L|||20240310', 'OBX|1|NM|2345-7^Glucose^LN||91|mg/dL|||||F|||20240310080000+0000'],
      { status: 'final', valueQuantity: { value: 91 }, method: { text: 'Method' }, performer: [{ display: 'Tech' }] },
    ],
    [
      'a result that is final without its value being sent again',
      'ORU^R01',
      'Observation',
      ['OBR|1||F1|PAN^Panel^L|||20240310', 'OBX|1|NM|2345-7^Glucose^LN||90|mg/dL|70-100|N|||P'],
      ['OBR|1||F1|PAN^Panel^L|||20240310', 'OBX|1||2345-7^Glucose^LN||||||||F'],
      { status: 'final', valueQuantity: { value: 90 }, interpretation: [{}], referenceRange: [{}] },
    ],
    [
      'a specimen',
      'ORU^R01',
      'Specimen',
      ['OBR|1||F1|PAN^Panel^L', 'SPM|1|S1||BLD^Blood^HL70487|||||||||||||20240310080000+0000'],
      ['OBR|1||F1|PAN^Panel^L', 'SPM|1|S1'],
      { type: { text: 'Blood' }, collection: { collectedDateTime: '2024-03-10T08:00:00+00:00' } },
    ],
  ])('%s', async (_, type, resource, first, second, expected) => {
    const { house: one, send } = await house()
    await send(type, ...first)
    const before = await only(one, resource)
    expect(before).toMatchObject({ id: expect.any(String) })
    const ack = await send(type, ...second)
    expect(await only(one, resource)).toMatchObject(expected)
    expect(warnings(ack)).toEqual([])
  })

  it.each<[string, string, string, string[], string[], string]>([
    [
      'IAM-4',
      'ADT^A31',
      'AllergyIntolerance',
      ['IAM|1|DA|1605^Aspirin^L|SV|Rash|A|9'],
      ['IAM|1|DA|1605^Aspirin^L|""||U|9'],
      'criticality',
    ],
    [
      'OBX-8',
      'ORU^R01',
      'Observation',
      ['OBR|1||F1|P^P^L', 'OBX|1|NM|1^G^L||90|mg/dL||H|||F'],
      ['OBR|1||F1|P^P^L', 'OBX|1|NM|1^G^L|||||""|||C'],
      'interpretation',
    ],
    [
      'OBX-17',
      'ORU^R01',
      'Observation',
      ['OBR|1||F1|P^P^L', 'OBX|1|NM|1^G^L||90|mg/dL|||||F||||||M^M^L'],
      ['OBR|1||F1|P^P^L', 'OBX|1|NM|1^G^L||90|mg/dL|||||F||||||""'],
      'method',
    ],
    ...[
      ['OBX-5', 'OBX|1|NM|1^G^L||90|mg/dL|70-100||||F', 'OBX|1|NM|1^G^L||""|mg/dL|70-100||||C', 'valueQuantity'],
      ['OBX-5 of text', 'OBX|1|ST|1^G^L||cloudy||||||F', 'OBX|1|ST|1^G^L||""||||||C', 'valueString'],
      ['OBX-5 of several', 'OBX|1|CWE|1^G^L||A^A^L~B^B^L||||||F', 'OBX|1|CWE|1^G^L||""||||||C', 'component'],
      ['OBX-7', 'OBX|1|NM|1^G^L||90|mg/dL|70-100||||F', 'OBX|1|NM|1^G^L||90|mg/dL|""||||F', 'referenceRange'],
    ].map(
      ([name = '', first = '', second = '', element = '']) =>
        [name, 'ORU^R01', 'Observation', ['OBR|1||F1|P^P^L', first], ['OBR|1||F1|P^P^L', second], element] as [
          string,
          string,
          string,
          string[],
          string[],
          string,
        ],
    ),
    [
      'ORC-9',
      'ORU^R01',
      'ServiceRequest',
      ['ORC|RE|P1|F1||||||20240101', 'OBR|1|P1|F1|P^P^L'],
      ['ORC|RE|P1|F1||||||""', 'OBR|1|P1|F1|P^P^L'],
      'authoredOn',
    ],
    ...[
      ['ORC-12', 'ORC|RE|P1|F1|||||||||9^Orderer', 'ORC|RE|P1|F1|||||||||""', 'requester'],
      ['ORC-12 of whom OBR-16 names', 'ORC|RE|P1|F1', 'ORC|RE|P1|F1|||||||||""', 'requester'],
      ['ORC-21', segment('ORC', { 1: 'RE', 21: 'Clinic' }), segment('ORC', { 1: 'RE', 21: '""' }), 'requester'],
    ].map(
      ([name = '', first = '', second = '', element = '']) =>
        [
          name,
          'ORU^R01',
          'ServiceRequest',
          [first, name.includes('OBR-16') ? 'OBR|1|P1|F1|P^P^L||||||||||||9^Orderer' : 'OBR|1|P1|F1|P^P^L'],
          [second, 'OBR|1|P1|F1|P^P^L'],
          element,
        ] as [string, string, string, string[], string[], string],
    ),
    ...[
      ['OBX-16', { 16: '9^Tech' }, { 16: '""' }, 'performer'],
      ['OBX-18', { 18: 'D1^^1.2.3^ISO' }, { 18: '""' }, 'device'],
      ['OBX-25', { 25: '9^Head' }, { 25: '""' }, 'performer'],
    ].map(
      ([name, first, second, element]) =>
        [
          name,
          'ORU^R01',
          'Observation',
          ['OBR|1||F1|P^P^L', segment('OBX', { 2: 'NM', 3: '1^G^L', 5: '90', 11: 'F', ...(first as object) })],
          ['OBR|1||F1|P^P^L', segment('OBX', { 2: 'NM', 3: '1^G^L', 5: '90', 11: 'F', ...(second as object) })],
          element,
        ] as [string, string, string, string[], string[], string],
    ),
    [
      'IAM-14',
      'ADT^A31',
      'AllergyIntolerance',
      [segment('IAM', { 3: '1605^Aspirin^L', 6: 'A', 7: '9', 14: 'Reporter^Rita' })],
      [segment('IAM', { 3: '1605^Aspirin^L', 6: 'U', 7: '9', 14: '""' })],
      'recorder',
    ],
  ])('%s "" takes away what is there, and is no warning', async (_, type, resource, first, second, element) => {
    const { house: one, send } = await house()
    await send(type, ...first)
    expect(Object.keys(await only(one, resource))).toContain(element)
    const ack = await send(type, ...second)
    expect(Object.keys(await only(one, resource))).not.toContain(element)
    expect(warnings(ack)).toEqual([])
    expect(ack).not.toContain('(null)')
  })

  it.each<[string, object, object, RegExp, RegExp]>([
    ['ORC-12, not the place (ORC-21)', { 12: '9^Orderer', 21: 'Clinic' }, { 12: '""' }, /Clinic/, /Orderer/],
    ['ORC-21, not the person', { 12: '9^Orderer', 21: 'Clinic' }, { 21: '""' }, /Orderer/, /Clinic/],
    [
      'ORC-23, not the rest',
      { 12: '9^Orderer', 21: 'Clinic', 23: '^WPN^PH^^1^206^5550111' },
      { 23: '""' },
      /Orderer.*Clinic|Clinic.*Orderer/,
      /5550111/,
    ],
    [
      'ORC-24, not whose address it was',
      { 12: '9^Orderer', 24: '1 Street^^Town' },
      { 12: '9^Orderer', 24: '""' },
      /Orderer/,
      /Town/,
    ],
  ])('what is known through a reference is taken away alone: %s', async (_, first, second, stays, goes) => {
    const { house: one, send } = await house()
    const order = (fields: object) => [segment('ORC', { 1: 'RE', 2: 'P1', 3: 'F1', ...fields }), 'OBR|1|P1|F1|P^P^L']
    await send('ORU^R01', ...order(first))
    expect(JSON.stringify(await only(one, 'ServiceRequest'))).toMatch(goes)
    const ack = await send('ORU^R01', ...order(second))
    const request = JSON.stringify(await only(one, 'ServiceRequest'))
    expect(request).toMatch(stays)
    expect(request).not.toMatch(goes)
    expect(ack).not.toMatch(/\(null\)|taken away/)
  })

  it('whose part in a result a null would take away is asked for where several fields name some', async () => {
    const { house: one, send } = await house()
    const obx = (fields: object) => segment('OBX', { 2: 'NM', 3: '1^G^L', 5: '90', 11: 'F', ...fields })
    await send('ORU^R01', 'OBR|1||F1|P^P^L', obx({ 15: 'LAB^Laboratory', 16: '9^Tech' }))
    const ack = await send('ORU^R01', 'OBR|1||F1|P^P^L', obx({ 15: '""' }))
    expect(ack).toContain('OBX-15 (null)')
    expect((await only(one, 'Observation')).performer).toHaveLength(2)
  })

  it('a corrected value comes without the flags of the wrong one, and that is said – HL7 table 0085, C', async () => {
    const { house: one, send } = await house()
    const obr = 'OBR|1||F1|P^P^L|||20240310'
    await send('ORU^R01', obr, 'OBX|1|NM|2345-7^Glucose^LN||400|mg/dL|70-100|HH|||F||||||M^M^L')
    const ack = await send('ORU^R01', obr, 'OBX|1|NM|2345-7^Glucose^LN||90|mg/dL|||||C')
    const result = await only(one, 'Observation')
    expect(result).toMatchObject({ status: 'corrected', valueQuantity: { value: 90 }, method: { text: 'M' } })
    expect(result).not.toHaveProperty('interpretation')
    expect(result).not.toHaveProperty('referenceRange')
    expect(warnings(ack).join()).toMatch(/OBX\^1\^7.*OBX-7: Observation\.referenceRange is not said any more/)
    expect(warnings(ack).join()).toMatch(/OBX\^1\^8.*OBX-8: Observation\.interpretation is not said any more/)
    expect(ack).not.toMatch(/400|\bHH\b/)
  })

  it('a value of another form takes the place of the one before', async () => {
    const { house: one, send } = await house()
    const obr = 'OBR|1||F1|P^P^L|||20240310'
    await send('ORU^R01', obr, 'OBX|1|NM|1^Dose^L||400|mg|||||P')
    const ack = await send('ORU^R01', obr, 'OBX|1|ST|1^Dose^L||none|||||||F')
    const result = await only(one, 'Observation')
    expect(result).toMatchObject({ valueString: 'none' })
    expect(result).not.toHaveProperty('valueQuantity')
    expect(warnings(ack)).toEqual([])
  })

  it('a unit is part of its value, and a code comes without the words of the one before', async () => {
    const { house: one, send } = await house()
    const obr = 'OBR|1||F1|P^P^L|||20240310'
    await send('ORU^R01', obr, 'OBX|1|NM|1^Dose^L||400|mg|||||P|||||9^Tech')
    await send('ORU^R01', obr, 'OBX|1|NM|1^Dose^L||4||||||F')
    expect((await only(one, 'Observation')).valueQuantity).toEqual({ value: expect.anything() })
    await send('ADT^A01', 'PV1|1|I||R^Routine^HL70007|||||||||||||||V1')
    await send('ADT^A08', 'PV1|1|I||E|||||||||||||||V1')
    expect(JSON.stringify(await only(one, 'Encounter'))).not.toContain('Routine')
  })
})

describe('what is sent as a whole takes the place of what stands, and what falls away is named – HL7 v2.5.1, 2.10.4', () => {
  it.each<[string, string, string[], string[], RegExp, string]>([
    [
      'AL1',
      'AllergyIntolerance',
      ['AL1|1|DA|1605^Aspirin^L|SV|Rash|20240101'],
      ['AL1|1|DA|1605^Aspirin^L'],
      /AL1\^1\^5.*AL1-5: AllergyIntolerance\.reaction/,
      'reaction',
    ],
    [
      'AL1, in part',
      'AllergyIntolerance',
      ['AL1|1|DA|1605^Aspirin^L|SV|Rash~Hives'],
      ['AL1|1|DA|1605^Aspirin^L|SV|Rash'],
      /AL1-5: AllergyIntolerance\.reaction/,
      'no',
    ],
    [
      'DG1 without a number',
      'Condition',
      [visit, 'DG1|1||I10^Hypertension^I10|||F||||||||||7^Doc|||20240102'],
      [visit, 'DG1|1||I10^Hypertension^I10|||F'],
      /DG1-19: Condition\.recordedDate/,
      'recordedDate',
    ],
    [
      'PR1 without a number',
      'Procedure',
      ['PR1|1||P1^Excision^L||20240101|D|||||||||I10^Why^I10'],
      ['PR1|1||P1^Excision^L||20240101|D'],
      /PR1-15: Procedure\.reasonCode/,
      'reasonCode',
    ],
    [
      'NK1',
      'RelatedPerson',
      ['NK1|1|Smith^Eve|MTH|1 Main^^Town|555-1234'],
      ['NK1|1|Smith^Eve|MTH|1 Main^^Town'],
      /NK1-5: RelatedPerson\.telecom/,
      'telecom',
    ],
    [
      'IN1',
      'Coverage',
      [segment('IN1', { 2: 'PL', 3: 'I1', 4: 'Insurer', 8: 'GR1', 15: 'HMO', 36: 'POL' })],
      [segment('IN1', { 2: 'PL', 3: 'I1', 4: 'Insurer', 8: 'GR1', 36: 'POL' })],
      /IN1-15: Coverage\.type/,
      'type',
    ],
  ])('%s', async (_, resource, first, second, said, element) => {
    const { house: one, send } = await house()
    expect(warnings(await send('ADT^A01', ...first))).toEqual([])
    const ack = await send('ADT^A08', ...second)
    expect(await only(one, resource)).not.toHaveProperty(element)
    expect(warnings(ack).join('\n')).toMatch(said)
    expect(warnings(await send('ADT^A08', ...second))).toEqual([])
  })

  it('in a file the report says so', async () => {
    const one = await openHouse()
    const adt = (event: string, id: number, al1: string) =>
      message(
        `MSH|^~\\&|REG|HOSP|KIN|HOME|202403101${id}0000+0000||ADT^${event}|F${id}|P|2.5.1`,
        'PID|1||A1^^^HOSP^MR',
        al1,
      )
    const first = adt('A01', 1, 'AL1|1|DA|1605^Aspirin^L|SV|Rash')
    const second = adt('A08', 2, 'AL1|1|DA|1605^Aspirin^L|SV')
    for (const body of [first, second]) {
      const { report } = await ingested(one, one.anna, everything(), body)
      const said = JSON.stringify(report)
      expect(said.includes('AL1-5: AllergyIntolerance.reaction is not said any more')).toBe(body === second)
    }
  })

  it('one of two diagnoses of a visit falls away when all are sent, and stays when each is named by its number', async () => {
    const { house: one, send } = await house()
    const pv1 = visit
    const [a, b] = ['DG1|1||I10^A^I10|||A||||||||||||||1|A', 'DG1|2||J45^B^I10|||A||||||||||||||2|A']
    await send('ADT^A01', pv1, a, b)
    await send('ADT^A08', pv1, a.replace(/A$/, 'U'))
    expect((await only(one, 'Encounter')).diagnosis).toHaveLength(2)
    const { house: other, send: tell } = await house()
    await tell('ADT^A01', pv1, 'DG1|1||I10^A^I10|||A', 'DG1|2||J45^B^I10|||A')
    const ack = await tell('ADT^A08', pv1, 'DG1|1||I10^A^I10|||A')
    expect((await only(other, 'Encounter')).diagnosis).toHaveLength(1)
    expect(warnings(ack).join()).toMatch(/Encounter\.diagnosis is not said any more/)
  })
})

describe('what is deleted', () => {
  it.each([
    ['IAM', 'AllergyIntolerance', 'IAM|1|DA|1605^Aspirin^L|SV|Rash|@|9', 'reaction'],
    ['DG1', 'Condition', 'DG1|1||I10^A^I10||20240101|A||||||||||||||1|@', 'onsetDateTime'],
  ])(
    '%s is entered in error with all that was known of it, and no error any more when it is told again',
    async (_, type, segment, kept) => {
      const { house: one, send } = await house()
      const told = (action: string) => send('ADT^A08', segment.replace('@', action))
      await told('A')
      const thin = segment.replace('SV|Rash', '|').replace('20240101', '')
      await send('ADT^A08', thin.replace('@', 'D'))
      const deleted = await only(one, type)
      expect(deleted).toMatchObject({ verificationStatus: { coding: [{ code: 'entered-in-error' }] } })
      expect(deleted).toHaveProperty(kept)
      expect(deleted).not.toHaveProperty('clinicalStatus')
      await told('A')
      expect(JSON.stringify(await only(one, type))).not.toContain('entered-in-error')
    },
  )

  it('PR1-20 D is entered in error', async () => {
    const { house: one, send } = await house()
    await send('ADT^A08', 'PR1|1||P1^Excision^L||20240101||||||||||||||5|A')
    await send('ADT^A08', 'PR1|1||P1^Excision^L||||||||||||||||5|D')
    expect(await only(one, 'Procedure')).toMatchObject({ status: 'entered-in-error', performedDateTime: '2024-01-01' })
  })

  const pv1 = visit
  it.each([
    ['by its number', 1, 'DG1|1||I10^A^I10|||A||||||||||||||1|A', 'DG1|1||I10^A^I10|||A||||||||||||||1|D'],
    // What a visit is told of without a number is another visit's as well as this one's.
    ['by its code', 2, 'DG1|1||I10^A^I10|||A', 'DG1|1||I10^A^I10|||A|||||||||||||||D'],
  ])(
    'a diagnosis is named by its visit no more, though the message names no visit: %s',
    async (_, left, told, taken) => {
      const { house: one, send } = await house()
      await send('ADT^A01', pv1, told, 'DG1|2||J45^B^I10|||A||||||||||||||2|A')
      await send('ADT^A08', taken)
      expect((await only(one, 'Encounter')).diagnosis).toHaveLength(left)
    },
  )

  it('a diagnosis that was told again since stays a diagnosis of its visit when the deletion comes late', async () => {
    const { house: one } = await house()
    const at = (minute: string, ...segments: string[]) =>
      one.ingest.hl7v2({
        grant: everything(),
        message: message(
          `MSH|^~\\&|REG|HOSP|KIN|HOME|2024031013${minute}00+0000||ADT^A08|L${minute}|P|2.5.1`,
          'PID|1||A1^^^HOSP^MR',
          ...segments,
        ),
      })
    await at('10', pv1, 'DG1|1||I10^A^I10|||A||||||||||||||1|A')
    await at('30', pv1, 'DG1|1||I10^A^I10|||A||||||||||||||1|U')
    await at('20', 'DG1|1||I10^A^I10|||A||||||||||||||1|D')
    expect((await only(one, 'Encounter')).diagnosis).toHaveLength(1)
  })

  it.each(['D', 'W'])(
    'a result that is taken back (OBX-11 %s) is listed by its report no more – HL7 table 0085',
    async status => {
      const { house: one, send } = await house()
      const obr = 'OBR|1||F1|P^P^L|||20240310||||||||||||||||||F'
      const [a, b] = ['OBX|1|NM|1^A^L||1|mg|||||F', 'OBX|2|NM|2^B^L||2|mg|||||F']
      await send('ORU^R01', obr, a, b)
      const ack = await send('ORU^R01', obr.replace(/F$/, 'C'), a.replace(/F$/, status), b)
      const wrong = (await found(one.record, 'Observation')).filter(({ status: of }) => of === 'entered-in-error')
      expect(wrong).toHaveLength(1)
      const report = await only(one, 'DiagnosticReport')
      expect(report.result).toHaveLength(1)
      expect(JSON.stringify(report.result)).not.toContain(wrong[0]?.id)
      expect(warnings(ack)).toEqual([])
      await send('ORU^R01', obr, a)
      expect((await only(one, 'DiagnosticReport')).result).toHaveLength(2)
    },
  )

  it('a document that is taken back is shown by its report no more', async () => {
    const { house: one, send } = await house()
    const obr = 'OBR|1||F1|P^P^L|||20240310||||||||||||||||||F'
    const pdf = 'OBX|1|ED|PDF^Report^L||^application^pdf^Base64^JVBERi0=||||||F'
    await send('ORU^R01', obr, pdf, 'OBX|2|NM|2^B^L||2|mg|||||F')
    expect((await only(one, 'DiagnosticReport')).presentedForm).toHaveLength(1)
    await send('ORU^R01', obr, pdf.replace(/F$/, 'D'))
    expect(await only(one, 'DiagnosticReport')).not.toHaveProperty('presentedForm')
  })
})

it('what is put together of two versions is validated: what would not be valid is left out and named', async () => {
  const one = await openHouse()
  const told: Resource & { id: string } = {
    resourceType: 'Observation',
    id: 'told',
    status: 'final',
    code: { text: 'x' },
    subject: { reference: `Patient/${one.anna}` },
  }
  const item = {
    kind: 'mapped',
    row: 'OBX',
    resource: told,
    mode: 'upsert',
    over: (stored: Resource) => ({ ...stored, valueString: 'new', effectiveDateTime: 'yesterday' }),
  } as const
  const staged = () =>
    one.record.writer(everything()).transact(txn => stage(txn, [item], { strict: true, validator, owner: 'o' }))
  await staged()
  const { warnings: said } = await staged()
  expect(said).toEqual([{ text: expect.stringMatching(/^OBX: Observation\.effective\S* would not be valid/) }])
  const stored = await only(one, 'Observation')
  expect(stored).toMatchObject({ valueString: 'new' })
  expect(stored).not.toHaveProperty('effectiveDateTime')
})

describe('nothing that is said of a person is lost when they are taken in', () => {
  const told = [
    'PID|1||N1^^^HOSP^MR||Newman^Ned||19700101|M',
    'PD1||||7781^Osei^Kwame^^^Dr',
    'ROL|1|AD|PP^Primary Care^HL70443|9981^Else^Who^^^Dr|20200101|20301231',
    'NK1|1||EMR^Employer^HL70063||^WPN^PH^^1^206^5550111||E||||||Acme Works',
  ]
  const admission = (event: string) =>
    message(`MSH|^~\\&|REG|HOSP|KIN|HOME|20240310120000+0000||ADT^${event}|N1|P|2.5.1`, ...told)
  it.each(['A01', 'A04', 'A05', 'A28'])('%s: family doctors, and organizations among the next of kin', async event => {
    const one = await openHouse()
    await one.ingest.hl7v2({ grant: everything(), message: admission(event) })
    const [patient] = await found(one.record, 'Patient', 'identifier=N1')
    expect(patient?.generalPractitioner).toHaveLength(2)
    expect(JSON.stringify(patient)).toMatch(/"start":"2020-01-01","end":"2030-12-31"/)
    expect(JSON.stringify(patient?.contact)).toContain('Acme Works')
    expect(patient && validator.validate(patient)).toEqual([])
  })
})

describe('what else an update leaves alone', () => {
  it('where the patient stays for a while (PV1-11) stays beside where they are', async () => {
    const { house: one, send } = await house()
    await send('ADT^A01', segment('PV1', { 2: 'I', 3: 'WARD^1', 6: 'OLD^2', 11: 'HOLD^7', 19: 'V1' }))
    const ack = await send('ADT^A02', segment('PV1', { 2: 'I', 3: 'WARD^5', 19: 'V1' }))
    const { location } = (await only(one, 'Encounter')) as { location?: { location?: { display?: string } }[] }
    expect(location?.map(({ location: of }) => of?.display).sort()).toEqual(['HOLD, 7', 'OLD, 2', 'WARD, 5'])
    expect(warnings(ack)).toEqual([])
  })

  it.each(['A08', 'A31', 'A04'])(
    'a null among other repetitions is named: it does not say what it means – %s',
    async event => {
      const { house: one, send } = await house()
      const pid = (fields: Record<number, string>) =>
        segment('PID', { 3: 'A1^^^HOSP^MR', 5: 'Smith^Anna', 7: '20150607', ...fields })
      const told = (fields: Record<number, string>, id: string, of: string) =>
        one.ingest.hl7v2({
          grant: everything(),
          message: message(`MSH|^~\\&|REG|HOSP|K|H|20240310130000+0000||ADT^${of}|${id}|P|2.5.1`, pid(fields)),
        })
      await send('ADT^A04')
      await told({ 13: '^PRN^PH^^1^206^5550111' }, 'Q1', 'A08')
      const { ack } = await told({ 13: '""~^NET^Internet^a@example.org' }, 'Q2', event)
      expect(ack).toMatch(/PID\^1\^13\^1[^|]*\|.*PID-13\[1\] \(null\)/)
      expect(JSON.stringify(await found(one.record, 'Patient', 'identifier=A1'))).toContain('5550111')
    },
  )
})

describe('what was taken back is not brought back by what was said before and comes late – HL7 v2.5.1, 2.5.3 and 6.5.2.21', () => {
  const permutations = <T>(all: readonly T[]): T[][] =>
    all.length < 2
      ? [[...all]]
      : all.flatMap((one, at) => permutations(all.toSpliced(at, 1)).map(rest => [one, ...rest]))

  /** Tells a house what was said at minutes 0, 1, 2 …, in the order in which the minutes arrive; before the last a person does something. */
  const told = async (
    order: readonly number[],
    said: readonly (readonly [event: string, ...segments: string[]])[],
    byHand?: (one: TestHouse) => Promise<unknown>,
  ) => {
    const one = await openHouse()
    await sender(one)('ADT^A04')
    for (const minute of order) {
      if (minute === order.at(-1)) await byHand?.(one)
      const [event = '', pid = '', ...segments] = said[minute] ?? []
      const time = `2024031013${String(minute).padStart(2, '0')}00+0000`
      const msh = `MSH|^~\\&|REG|HOSP|KIN|HOME|${time}||ADT^${event}|L${minute}|P|2.5.1`
      const bytes = message(
        msh,
        `EVN|${event}|${time}`,
        `PID|1||A1^^^HOSP^MR||Smith^Anna||20150607|F${pid}`,
        ...segments,
      )
      const { ack } = await one.ingest.hl7v2({ grant: everything(), message: bytes })
      expect(ack).toMatch(/MSA\|AA/)
    }
    return one
  }
  const pv1 = (fields: Readonly<Record<number, string>>) => segment('PV1', { 2: 'I', 19: 'V1', ...fields })
  const dg1 = (action: string, code: string) =>
    segment('DG1', { 1: '1', 3: `${code}^Asthma^I10`, 6: 'W', 20: 'D1', 21: action })

  it.each(permutations([0, 1, 2]).map(order => [order]))('a null of a Patient: %s', async order => {
    const house = await told(order, [
      ['A08', '|||1 St^^Town'],
      ['A08', '|||2 St^^Town||(111)111'],
      ['A08', '|||""'],
    ])
    const patient = await only(house, 'Patient', 'identifier=A1')
    expect(patient).not.toHaveProperty('address')
    expect(patient).toMatchObject({ telecom: [{ value: '(111)111' }] })
  })

  it.each(permutations([0, 1, 2]).map(order => [order]))('a null of a visit: %s', async order => {
    const house = await told(order, [
      ['A01', '', pv1({ 7: 'D1^Doc', 8: 'R1^Ref', 14: '1' })],
      ['A08', '', pv1({ 7: 'D2^Other' })],
      ['A08', '', pv1({ 7: '""', 14: '""' })],
    ])
    const { participant = [], ...visit } = (await only(house, 'Encounter')) as Resource & { participant?: object[] }
    expect(participant).toMatchObject([{ individual: { display: 'Ref' } }])
    expect(visit).not.toHaveProperty('hospitalization.admitSource')
  })

  it.each(permutations([0, 1, 2]).map(order => [order]))('a deleted diagnosis: %s', async order => {
    const house = await told(order, [
      ['A08', '', pv1({}), dg1('A', 'J45.0')],
      ['A08', '', pv1({}), dg1('U', 'J45.1')],
      ['A08', '', pv1({}), dg1('D', 'J45.1')],
    ])
    expect(await only(house, 'Encounter')).not.toHaveProperty('diagnosis')
    expect(await only(house, 'Condition')).toMatchObject({
      verificationStatus: { coding: [{ code: 'entered-in-error' }] },
    })
  })

  it.each(permutations([0, 1, 2]).map(order => [order]))('what is said again since stands: %s', async order => {
    const house = await told(order, [
      ['A08', '|||1 St^^Town', pv1({ 7: 'D1^Doc' }), dg1('A', 'J45.0')],
      ['A08', '|||""', pv1({ 7: '""' }), dg1('D', 'J45.0')],
      ['A08', '|||3 St^^Town', pv1({ 7: 'D3^New' }), dg1('A', 'J45.0')],
    ])
    expect(await only(house, 'Patient', 'identifier=A1')).toMatchObject({ address: [{ line: ['3 St'] }] })
    const visit = await only(house, 'Encounter')
    expect(visit).toMatchObject({ participant: [{ individual: { display: 'New' } }], diagnosis: [expect.anything()] })
  })

  /** Every order in which what was said at minutes 0, 1, 2 may arrive. */
  const anyOrder = permutations([0, 1, 2]).map(order => [order])

  it.each(anyOrder)('what a newer message left unsaid is deleted, or said, by one that comes late: %s', async order => {
    const house = await told(order, [
      ['A08', '|||1 St^^Town||(111)111|(222)222||M', pv1({ 7: 'D1^Doc', 8: 'R1^Ref', 10: 'MED', 14: '1' })],
      ['A08', '|||""||""|||S', pv1({ 7: '""', 10: 'SUR', 14: '""' })],
      ['A08', '', pv1({ 8: 'R2^Other' })],
    ])
    const patient = await only(house, 'Patient', 'identifier=A1')
    expect(patient).not.toHaveProperty('address')
    expect(patient).toMatchObject({
      telecom: [{ value: '(222)222', use: 'work' }],
      maritalStatus: { coding: [{ code: 'S' }] },
    })
    const { participant = [], hospitalization, serviceType } = await only(house, 'Encounter')
    expect(participant).toMatchObject([{ individual: { display: 'Other' } }])
    expect([hospitalization, JSON.stringify(serviceType)]).toEqual([undefined, expect.stringContaining('SUR')])
  })

  it.each<[string, string, object]>([
    ['replaced', '|||2 Old^^Town', { address: [{ city: 'By hand' }] }],
    ['deleted', '|||""', { address: [{ city: 'By hand' }] }],
    ['replaced, whatever was changed', '|||2 Old^^Town', { active: true, address: [{ line: ['1 St'] }] }],
  ])('what a person has changed since is not %s by what comes late', async (_, late, change) => {
    const messages = [
      ['A08', '|||1 St^^Town'],
      ['A08', late],
      ['A08', '||||||||S'],
    ] as const
    const byHand = async (one: TestHouse) => {
      const { id = '', ...patient } = await only(one, 'Patient', 'identifier=A1')
      const changed = { ...patient, ...change, id }
      await one.record.writer(everything()).transact(txn => txn.update('Patient', id, changed))
    }
    const house = await told([0, 2, 1], messages, byHand)
    const stands = { address: [{ city: 'Town' }], ...change, maritalStatus: {} }
    expect(await only(house, 'Patient', 'identifier=A1')).toMatchObject(stands)
  })

  it.each(anyOrder)('what a newer message said stands, whatever is deleted late: %s', async order => {
    const house = await told(order, [
      ['A08', '|||1 St^^Town||(111)111', pv1({ 7: 'D1^Doc', 10: 'MED' })],
      ['A08', '|||""||""', pv1({ 7: '""', 10: '""' })],
      ['A08', '|||1 St^^Town||(111)111', pv1({ 7: 'D1^Doc', 10: 'MED' })],
    ])
    expect(await only(house, 'Patient', 'identifier=A1')).toMatchObject({
      address: [{ line: ['1 St'] }],
      telecom: [{ value: '(111)111' }],
    })
    expect(await only(house, 'Encounter')).toMatchObject({ participant: [{}], serviceType: {} })
  })
})

describe('an order, a result and a specimen whose messages come late – HL7 v2.5.1, 2.5.3', () => {
  const at = async (one: TestHouse, minute: number, ...segments: string[]) => {
    const time = `2024031014${String(minute).padStart(2, '0')}00+0000`
    const msh = `MSH|^~\\&|REG|HOSP|KIN|HOME|${time}||ORU^R01|O${minute}|P|2.5.1`
    const bytes = message(msh, 'PID|1||A1^^^HOSP^MR||Smith^Anna||20150607|F', ...segments)
    return (await one.ingest.hl7v2({ grant: everything(), message: bytes })).ack
  }
  const obr = (fields: Readonly<Record<number, string>> = {}) =>
    segment('OBR', { 1: '1', 2: 'P1', 3: 'F1', 4: 'P^P^L', ...fields })
  const obx = (fields: Readonly<Record<number, string>>) => segment('OBX', { 2: 'NM', 3: '1^G^L', 11: 'F', ...fields })
  const orc = (fields: Readonly<Record<number, string>>) => segment('ORC', { 1: 'RE', 2: 'P1', 3: 'F1', ...fields })

  it.each<[string, string, string[], string[], string[], RegExp, RegExp | undefined]>([
    ['ORC-12', 'ServiceRequest', [orc({ 12: '9^Doc' }), obr()], [obr()], [orc({ 12: '""' }), obr()], /Doc/, undefined],
    [
      'ORC-12, said',
      'ServiceRequest',
      [orc({ 12: '9^Doc' }), obr()],
      [obr()],
      [orc({ 12: '8^Other' }), obr()],
      /Doc/,
      /Other/,
    ],
    ['OBR-16', 'ServiceRequest', [obr({ 16: '9^Doc' })], [obr()], [obr({ 16: '""' })], /Doc/, undefined],
    [
      'ORC-9',
      'ServiceRequest',
      [orc({ 9: '20240101' }), obr()],
      [obr()],
      [orc({ 9: '""' }), obr()],
      /2024-01-01/,
      undefined,
    ],
    [
      'OBX-17',
      'Observation',
      [obr(), obx({ 5: '1', 17: 'M1' })],
      [obr(), obx({})],
      [obr(), obx({ 17: '""' })],
      /M1/,
      undefined,
    ],
    [
      'OBX-17, said',
      'Observation',
      [obr(), obx({ 5: '1', 17: 'M1' })],
      [obr(), obx({})],
      [obr(), obx({ 17: 'M2' })],
      /M1/,
      /M2/,
    ],
    [
      'OBX-5',
      'Observation',
      [obr(), obx({ 5: '71' })],
      [obr(), obx({})],
      [obr(), obx({ 5: '""' })],
      /:71\b/,
      undefined,
    ],
    [
      'OBX-5, corrected, without the flags of the wrong one',
      'Observation',
      [obr(), obx({ 5: '71', 7: '80-90', 8: 'LL' })],
      [obr(), obx({})],
      [obr(), obx({ 5: '85' })],
      /:71\b|LL|:80\b/,
      /:85\b/,
    ],
    ['SPM-4', 'Specimen', [obr(), 'SPM|1|S1||BLD'], [obr(), 'SPM|1|S1'], [obr(), 'SPM|1|S1||""'], /BLD/, undefined],
  ])('%s: a field that the newer message left unsaid', async (_, type, first, newest, late, goes, comes) => {
    const { house: one } = await house()
    await at(one, 1, ...first)
    await at(one, 9, ...newest)
    expect(JSON.stringify(await only(one, type))).toMatch(goes)
    const ack = await at(one, 5, ...late)
    const text = JSON.stringify(await only(one, type))
    expect(text).not.toMatch(goes)
    if (comes !== undefined) expect(text).toMatch(comes)
    expect(ack).not.toMatch(/\(null\)/)
    // What was said before that does not come back.
    await at(one, 3, ...first)
    expect(JSON.stringify(await only(one, type))).not.toMatch(goes)
  })

  it('a null that comes too late is named: what stands was said since', async () => {
    const { house: one } = await house()
    await at(one, 1, orc({ 12: '9^Doc' }), obr())
    await at(one, 9, orc({ 12: '9^Doc' }), obr())
    const ack = await at(one, 5, orc({ 12: '""' }), obr())
    expect(JSON.stringify(await only(one, 'ServiceRequest'))).toContain('Doc')
    expect(ack).toMatch(/ORC\^1\^12.*ORC-12 \(null\) deletes nothing: what stands was said since/)
  })

  it('a deletion that comes late changes nothing of what was told since', async () => {
    const { house: one, send } = await house()
    const dg1 = (fields: Readonly<Record<number, string>>) =>
      segment('DG1', { 1: '1', 3: 'I10^Pressure^I10', 20: '7', ...fields })
    await send('ADT^A08', dg1({ 6: 'A', 16: '7^Doc', 21: 'A' }))
    const before = await only(one, 'Condition')
    await send('ADT^A08', dg1({ 6: 'A', 21: 'U' }))
    const bytes = message(
      'MSH|^~\\&|REG|HOSP|KIN|HOME|20240310121030+0000||ADT^A08|LATE|P|2.5.1',
      'PID|1||A1^^^HOSP^MR||Smith^Anna||20150607|F',
      dg1({ 16: '""', 21: 'D' }),
    )
    await one.ingest.hl7v2({ grant: everything(), message: bytes })
    expect(await only(one, 'Condition')).toMatchObject({ asserter: before.asserter })
    expect(JSON.stringify(await only(one, 'Condition'))).not.toContain('entered-in-error')
  })
})

describe('what has no number is taken back by its visit and code, whatever day is said – DG1-21 and PR1-20 D', () => {
  const statusOf = ({ status, verificationStatus }: Resource) =>
    (verificationStatus as { coding?: { code?: string }[] } | undefined)?.coding?.[0]?.code ?? String(status)
  const at = (one: TestHouse, minute: number, ...segments: string[]) => {
    const time = `2024031015${String(minute).padStart(2, '0')}00+0000`
    const msh = `MSH|^~\\&|REG|HOSP|KIN|HOME|${time}||ADT^A08|D${minute}|P|2.5.1`
    const bytes = message(msh, 'PID|1||A1^^^HOSP^MR||Smith^Anna||20150607|F', ...segments)
    return one.ingest.hl7v2({ grant: everything(), message: bytes })
  }
  const dg1 = (day: string, action: string, code = 'I10') =>
    segment('DG1', { 1: '1', 3: `${code}^Words^I10`, 5: day, 6: 'F', 21: action })
  const pr1 = (day: string, action: string) => segment('PR1', { 1: '1', 3: 'P1^Excision^L', 5: day, 20: action })

  it.each([
    ['DG1', 'Condition', 'another day', dg1('20240101', 'A'), dg1('20240102', 'D')],
    ['DG1', 'Condition', 'no day', dg1('20240101', ''), dg1('', 'D')],
    ['DG1', 'Condition', 'a day, of what had none', dg1('', 'A'), dg1('20240102', 'D')],
    ['PR1', 'Procedure', 'another day', pr1('20240101', 'A'), pr1('20240102', 'D')],
    ['PR1', 'Procedure', 'no day', pr1('20240101', 'A'), pr1('', 'D')],
  ])('%s → %s by %s, in either order of arrival', async (_, type, __, told, deleted) => {
    for (const order of [
      [told, deleted],
      [deleted, told],
    ] as const) {
      const { house: one } = await house()
      for (const segments of order) await at(one, segments === told ? 1 : 2, visit, segments)
      expect((await found(one.record, type)).map(statusOf)).toEqual(['entered-in-error'])
      expect(await only(one, 'Encounter')).not.toHaveProperty('diagnosis')
      // Nor does an older message of the visit bring it back.
      await at(one, 0, visit, told)
      expect((await found(one.record, type)).map(statusOf)).toEqual(['entered-in-error'])
      expect(await only(one, 'Encounter')).not.toHaveProperty('diagnosis')
    }
  })

  it('of two days of one code it is the one that is said; where neither is, none, and that is said', async () => {
    const { house: one } = await house()
    await at(one, 1, visit, dg1('20240101', 'A'), dg1('20240201', 'A'))
    const { ack } = await at(one, 2, visit, dg1('20240301', 'D'))
    expect(ack).toMatch(/DG1\^1\^21.*several of this visit have the code/)
    expect((await only(one, 'Encounter')).diagnosis).toHaveLength(2)
    await at(one, 3, visit, dg1('20240201', 'D'))
    expect((await only(one, 'Encounter')).diagnosis).toHaveLength(1)
    const after = (await found(one.record, 'Condition')).filter(({ onsetDateTime }) => onsetDateTime === '2024-01-01')
    expect(after.map(statusOf)).not.toContain('entered-in-error')
  })

  it.each([
    ['another code of the visit', visit, dg1('20240102', 'D', 'J45')],
    ['the code of another visit', visit.replace('V1', 'V2'), dg1('20240102', 'D')],
    ['the code without a visit', '', dg1('20240102', 'D')],
  ])('it is nobody else’s: %s', async (_, pv1, deleted) => {
    const { house: one } = await house()
    await at(one, 1, visit, dg1('20240101', 'A'))
    const { ack } = await at(one, 2, ...(pv1 === '' ? [] : [pv1]), deleted)
    expect(ack).toContain('nothing that it takes back is known')
    expect((await found(one.record, 'Condition')).map(statusOf)).toContain('confirmed')
  })

  it('in one file, and what is told again since is another one', async () => {
    const one = await openHouse()
    const adt = (minute: number, segments: string) =>
      `MSH|^~\\&|REG|HOSP|KIN|HOME|20240310160${minute}00+0000||ADT^A08|F${minute}|P|2.5.1\rPID|1||A1^^^HOSP^MR\r${visit}\r${segments}\r`
    const body = adt(1, dg1('20240101', 'A')) + adt(2, dg1('', 'D')) + adt(3, dg1('20240501', 'A'))
    await ingested(one, one.anna, everything(), body)
    expect((await found(one.record, 'Condition')).map(statusOf).sort()).toEqual(['confirmed', 'entered-in-error'])
    expect((await only(one, 'Encounter')).diagnosis).toHaveLength(1)
  })
})

describe('what a list that is sent as a whole does not name any more stays, and that is said – HL7 v2.5.1, 2.10.4', () => {
  const dg1 = (code: string, rest: Readonly<Record<number, string>> = {}) =>
    segment('DG1', { 1: '1', 3: `${code}^Words^I10`, 6: 'F', ...rest })
  const stays = (name: string, count: number) => `${name}: ${count} that were listed before are not listed any more`

  it.each<[string, string, string[], string[]]>([
    ['AL1', 'AllergyIntolerance', ['AL1|1|DA|1^Aspirin^L', 'AL1|2|DA|2^Nuts^L'], ['AL1|1|DA|1^Aspirin^L']],
    ['NK1', 'RelatedPerson', ['NK1|1|Smith^Eve|MTH', 'NK1|2|Smith^Tom|FTH'], ['NK1|1|Smith^Tom|FTH']],
    [
      'IN1',
      'Coverage',
      [
        segment('IN1', { 2: 'PL', 3: 'I1', 4: 'One', 36: 'P1' }),
        segment('IN1', { 2: 'PL', 3: 'I2', 4: 'Two', 36: 'P2' }),
      ],
      [segment('IN1', { 2: 'PL', 3: 'I1', 4: 'One', 36: 'P1' })],
    ],
    ['GT1', 'RelatedPerson', ['GT1|1||Smith^Eve', 'GT1|2||Smith^Tom'], ['GT1|1||Smith^Eve']],
    ['DG1', 'Condition', [visit, dg1('I10'), dg1('J45')], [visit, dg1('J45')]],
    [
      'PR1',
      'Procedure',
      [visit, 'PR1|1||P1^One^L||20240101', 'PR1|2||P2^Two^L||20240101'],
      [visit, 'PR1|1||P1^One^L||20240101'],
    ],
  ])('%s → %s', async (name, type, all, fewer) => {
    const { house: one, send } = await house()
    expect(await send('ADT^A08', ...all)).not.toContain('not listed any more')
    expect(await send('ADT^A08', ...all)).not.toContain('not listed any more')
    const ack = await send('ADT^A08', ...fewer)
    expect(ack).toContain(stays(name, 1))
    expect(ack).not.toMatch(/Aspirin|Nuts|Eve|Smith|I10\b.*J45/)
    expect(await found(one.record, type)).toHaveLength(2)
    expect(await send('ADT^A08', ...fewer)).not.toContain('not listed any more')
    expect(await send('ADT^A08')).not.toContain('not listed any more')
  })

  it.each<[string, string[], string[]]>([
    [
      'diagnoses with a number',
      [visit, dg1('I10', { 20: '1', 21: 'A' }), dg1('J45', { 20: '2', 21: 'A' })],
      [visit, dg1('J45', { 20: '2', 21: 'U' })],
    ],
    ['IAM', ['IAM|1|DA|1^Aspirin^L|||A|1', 'IAM|2|DA|2^Nuts^L|||A|2'], ['IAM|1|DA|1^Aspirin^L|||U|1']],
    ['diagnoses of another visit', [visit, dg1('I10'), dg1('J45')], [visit.replace('V1', 'V2'), dg1('I10')]],
  ])('what is said one by one is no list: %s', async (_, all, fewer) => {
    const { send } = await house()
    await send('ADT^A08', ...all)
    expect(await send('ADT^A08', ...fewer)).not.toContain('not listed any more')
  })

  it('by whom it was listed, at what time, and in a file', async () => {
    const one = await openHouse()
    const adt = (minute: number, of: string, ...al1: string[]) =>
      `MSH|^~\\&|REG|${of}|KIN|HOME|20240310170${minute}00+0000||ADT^A08|G${minute}|P|2.5.1\rPID|1||A1^^^HOSP^MR\r${al1.map((text, at) => `AL1|${at + 1}|DA|${text}\r`).join('')}`
    const said = async (...messages: string[]) =>
      JSON.stringify((await ingested(one, one.anna, everything(), messages.join(''))).report)
    expect(await said(adt(1, 'HOSP', '1^A^L', '2^B^L', '3^C^L'), adt(2, 'OTHER', '1^A^L'))).not.toContain('not listed')
    expect(await said(adt(5, 'HOSP', '1^A^L', '2^B^L', '4^D^L'), adt(6, 'HOSP', '1^A^L'))).toContain(stays('AL1', 2))
    expect(await said(adt(3, 'HOSP', '9^Z^L'))).not.toContain('not listed')
  })

  it('a list that is said to be empty takes nothing away, and that is said', async () => {
    const { house: one, send } = await house()
    await send('ADT^A08', 'AL1|1|DA|1^Aspirin^L')
    expect(await send('ADT^A08', 'AL1|1|""|""')).toContain(
      'AL1 says that its list is empty; what was listed before stays',
    )
    expect(await found(one.record, 'AllergyIntolerance')).toHaveLength(1)
  })

  it('also what was listed for somebody who was merged since; when that is undone each has their own again', async () => {
    const one = await openHouse()
    let at = 0
    const send = async (number: string, ...al1: string[]) => {
      at += 1
      const head = `MSH|^~\\&|REG|HOSP|KIN|HOME|2024031012${10 + at}00+0000||ADT^A04|M${at}|P|2.5.1`
      const pid = `PID|1||${number}^^^HOSP^MR||Smith^Anna||20150607|F`
      const segments = al1.map((text, nth) => `AL1|${nth + 1}|DA|${text}`)
      const { ack } = await one.ingest.hl7v2({ grant: everything(), message: message(head, pid, ...segments) })
      expect(ack).toMatch(/MSA\|AA/)
      return ack
    }
    const idOf = async (number: string) => (await found(one.record, 'Patient', `identifier=${number}`))[0]?.id ?? ''
    const allergiesOf = async (id: string) =>
      (await found(one.record, 'AllergyIntolerance', `patient=${id}`)).map(({ code }) => JSON.stringify(code)).length
    await send('L1', '1^Aspirin^L', '2^Nuts^L')
    await send('W1', '3^Latex^L')
    const [source, target] = [await idOf('L1'), await idOf('W1')]
    await one.ingest.people.merge({ grant: everything(), source, target })
    expect(await send('W1', '3^Latex^L', '1^Aspirin^L')).toContain(stays('AL1', 1))
    expect(await allergiesOf(target)).toBe(3)
    expect(await send('L1', '3^Latex^L', '1^Aspirin^L')).not.toContain('not listed any more')
    expect(await send('W1', '3^Latex^L')).toContain(stays('AL1', 1))
    await send('W1', '3^Latex^L', '1^Aspirin^L')
    await one.ingest.people.unmerge({ grant: everything(), source })
    expect([await allergiesOf(source), await allergiesOf(target)]).toEqual([2, 1])
    expect(await send('W1', '3^Latex^L')).not.toContain('not listed any more')
    expect(await send('L1', '1^Aspirin^L')).toContain(stays('AL1', 1))
    expect(await send('L1', '1^Aspirin^L')).not.toContain('not listed any more')
    await one.ingest.people.merge({ grant: everything(), source, target })
    expect(await send('W1', '3^Latex^L')).toContain(stays('AL1', 1))
  })

  it('also by a merge message (A40)', async () => {
    const { house: one, send } = await house()
    const other = (event: string, ...segments: string[]) =>
      one.ingest.hl7v2({
        grant: everything(),
        message: message(
          `MSH|^~\\&|REG|HOSP|KIN|HOME|202403101200+0000||ADT^${event}|O${event}|P|2.5.1`,
          'PID|1||L1^^^HOSP^MR||Smith^Anna||20150607|F',
          ...segments,
        ),
      })
    await other('A04', 'AL1|1|DA|1^Aspirin^L', 'AL1|2|DA|2^Nuts^L')
    await send('ADT^A40', 'MRG|L1^^^HOSP^MR')
    expect(await send('ADT^A08', 'AL1|1|DA|1^Aspirin^L')).toContain(stays('AL1', 1))
    expect(await found(one.record, 'AllergyIntolerance')).toHaveLength(2)
  })

  it('is forgotten with the patient', async () => {
    const { house: one, send } = await house()
    await send('ADT^A08', 'AL1|1|DA|1^Aspirin^L')
    const [{ id = '' } = {}] = await found(one.record, 'Patient', 'identifier=A1')
    const kept = () => one.record.documents.list('ingest-listed', { group: id })
    expect(await kept()).toHaveLength(1)
    await one.ingest.forgetPatient(id)
    expect(await kept()).toEqual([])
  })
})
