import { createPatient, everything, found, openHouse, type TestHouse } from './house.ts'
import { message } from './reading.ts'

const pid = 'PID|1||4711^^^HOSP^MR||Sample^Ann'
const oru = (said: string, ...segments: string[]) =>
  message(`MSH|^~\\&|LAB|LABOR|||${said}+0000||ORU^R01|${said}|P|2.5.1`, pid, ...segments)
const adt = (event: string, said: string, ...segments: string[]) =>
  message(
    `MSH|^~\\&|REG|HOSP|||${said}+0000||ADT^${event}|${said}|P|2.5.1`,
    `EVN|${event}|${said}+0000`,
    pid,
    'PV1|1|I|W||||||||||||||||V77',
    ...segments,
  )

async function hospital(...messages: readonly Buffer[]): Promise<TestHouse> {
  const house = await openHouse()
  await createPatient(house.record, { identifier: [{ system: 'urn:x-hl7v2-hd:HOSP', value: '4711' }] })
  for (const one of messages)
    expect((await house.ingest.hl7v2({ grant: everything(), message: one })).ack).toContain('MSA|AA|')
  return house
}

const weight = (kg: string, at: string, status = 'F') => `OBX|1|NM|29463-7^Weight^LN||${kg}|kg|||||${status}|||${at}`
const valuesOf = async (house: TestHouse) =>
  (await found(house.record, 'Observation'))
    .map(one => `${(one.valueQuantity as { value?: unknown } | undefined)?.value} ${one.status}`)
    .sort()

describe('which observation is meant – HL7 v2.5.1 chapter 7.4.2', () => {
  it.each([
    [
      'two times in one visit',
      [
        adt('A04', '202403100900', weight('70', '20240310080000+0000')),
        adt('A08', '202403200900', weight('65', '20240320080000+0000')),
      ],
      ['65 final', '70 final'],
    ],
    [
      'two times in one order',
      [
        oru('202403100900', 'OBR|1||F1|P', weight('70', '20240310080000+0000')),
        oru('202403100901', 'OBR|1||F1|P', weight('65', '20240310090000+0000')),
      ],
      ['65 final', '70 final'],
    ],
    [
      'the same time in another offset',
      [
        oru('202403100900', 'OBR|1||F1|P', weight('70', '20240310080000+0000')),
        oru('202403100901', 'OBR|1||F1|P', weight('71', '20240310090000+0100', 'C')),
      ],
      ['71 corrected'],
    ],
    [
      'a correction',
      [
        oru('202403100900', 'OBR|1||F1|P', weight('70', '20240310080000+0000')),
        oru('202403110900', 'OBR|1||F1|P', weight('71', '20240310080000+0000', 'C')),
      ],
      ['71 corrected'],
    ],
    [
      'a correction that comes before what it corrects',
      [
        oru('202403110900', 'OBR|1||F1|P', weight('71', '20240310080000+0000', 'C')),
        oru('202403100900', 'OBR|1||F1|P', weight('70', '20240310080000+0000')),
      ],
      ['71 corrected'],
    ],
    [
      'a preliminary result after the final one',
      [
        oru('202403100900', 'OBR|1||F1|P', weight('70', '20240310080000+0000')),
        oru('202403110900', 'OBR|1||F1|P', weight('69', '20240310080000+0000', 'P')),
      ],
      ['70 final'],
    ],
    [
      'a final result after the preliminary one',
      [
        oru('202403100900', 'OBR|1||F1|P', weight('69', '20240310080000+0000', 'P')),
        oru('202403110900', 'OBR|1||F1|P', weight('70', '20240310080000+0000')),
      ],
      ['70 final'],
    ],
    [
      'a result without a time of its own, and then with that of its order',
      [
        oru('202403100900', 'OBR|1||F1|P|||20240310080000+0000', weight('69', '', 'P')),
        oru('202403110900', 'OBR|1||F1|P|||20240310080000+0000', weight('70', '20240310080000+0000')),
      ],
      ['70 final'],
    ],
    [
      'two of a kind in one message',
      [oru('202403100900', 'OBR|1||F1|P', weight('70', ''), weight('71', ''))],
      ['70 final', '71 final'],
    ],
    [
      'one that has an id of its own, whatever else changes',
      [
        oru('202403100900', 'OBR|1||F1|P', `${weight('70', '20240310080000+0000')}|||||||I-1`),
        oru('202403110900', 'OBR|1||F1|P', `${weight('71', '20240310083000+0000', 'C')}|||||||I-1`),
      ],
      ['71 corrected'],
    ],
    [
      'a result that does not say its status',
      [
        oru('202403100900', 'OBR|1||F1|P', weight('70', '20240310080000+0000')),
        oru('202403110900', 'OBR|1||F1|P', weight('71', '20240310080000+0000', '')),
      ],
      ['71 final'],
    ],
    [
      'a status that is said later',
      [
        oru('202403100900', 'OBR|1||F1|P', weight('70', '20240310080000+0000', '')),
        oru('202403110900', 'OBR|1||F1|P', weight('70', '20240310080000+0000')),
      ],
      ['70 final'],
    ],
    [
      'a result that was wrong',
      [
        oru('202403100900', 'OBR|1||F1|P', weight('70', '20240310080000+0000')),
        oru('202403110900', 'OBR|1||F1|P', weight('70', '20240310080000+0000', 'W')),
      ],
      ['70 entered-in-error'],
    ],
  ])('%s', async (_, messages, expected) => {
    expect(await valuesOf(await hospital(...messages))).toEqual(expected)
  })

  it('a report stays what it was where OBR-25 does not say it', async () => {
    const obr = (status: string) => `OBR|1||F1|P^Panel|||20240310080000+0000${'|'.repeat(18)}${status}`
    const house = await hospital(
      oru('202403100900', obr('F'), weight('70', '')),
      oru('202403110900', obr(''), weight('71', '', 'C')),
    )
    expect(await found(house.record, 'DiagnosticReport')).toMatchObject([{ status: 'final' }])
    await house.ingest.hl7v2({ grant: everything(), message: oru('202403120900', obr('C'), weight('71', '', 'C')) })
    expect(await found(house.record, 'DiagnosticReport')).toMatchObject([{ status: 'corrected' }])
  })

  it.each([
    ['a time', '20240310080000+0000', '', { effectiveDateTime: '2024-03-10T08:00:00+00:00' }],
    [
      'a period',
      '20240310080000+0000',
      '20240310090000+0000',
      { effectivePeriod: { start: '2024-03-10T08:00:00+00:00', end: '2024-03-10T09:00:00+00:00' } },
    ],
    ['a day', '20240310', '', { effectiveDateTime: '2024-03-10' }],
  ])('takes its time from the order where it has none: %s', async (_, from, until, expected) => {
    const house = await hospital(
      oru('202403100900', `OBR|1||F1|P|||${from}|${until}`, weight('70', ''), 'NTE|1||n', 'SPM|1|S', weight('71', '')),
    )
    for (const one of await found(house.record, 'Observation')) expect(one).toMatchObject(expected)
  })
})

describe('what other segments say of a result', () => {
  it.each([
    ['a time', '20240310080000+0000', { effectiveDateTime: '2024-03-10T08:00:00+00:00' }],
    [
      'a range',
      '20240310080000+0000^20240310083000+0000',
      { effectivePeriod: { start: '2024-03-10T08:00:00+00:00', end: '2024-03-10T08:30:00+00:00' } },
    ],
  ])('when nothing else tells, it has the time of its specimen (SPM-17): %s', async (_, collected, expected) => {
    const house = await hospital(
      oru('202403100900', 'OBR|1||F1|P', weight('70', ''), `SPM|1|S|||||||||||||||${collected}`),
    )
    expect(await found(house.record, 'Observation')).toMatchObject([expected])
  })

  it('a laboratory that repeats the number of a visit means the visit of the hospital', async () => {
    const pv1 = 'PV1|1|I|W||||||||||||||||V77^^^HOSP'
    const house = await hospital(
      message('MSH|^~\\&|REG|HOSP|||202403100900+0000||ADT^A01|1|P|2.5.1', pid, pv1),
      oru('202403101000', pv1, 'OBR|1||F1|P', weight('70', '')),
    )
    const [encounter, ...others] = await found(house.record, 'Encounter')
    expect(others).toEqual([])
    expect(await found(house.record, 'Observation')).toMatchObject([
      { encounter: { reference: `Encounter/${encounter?.id}` } },
    ])
  })
})

describe('documents and notes in an admission', () => {
  const pdf = 'OBX|1|ED|11502-2^Report^LN||^application^pdf^Base64^JVBERi0xLjQ=||||||F'

  it('a document becomes a DocumentReference of the visit', async () => {
    const house = await hospital(adt('A04', '202403100900', pdf))
    const [encounter] = await found(house.record, 'Encounter')
    expect(await found(house.record, 'DocumentReference')).toMatchObject([
      {
        status: 'current',
        type: { coding: [{ system: 'http://loinc.org', code: '11502-2' }] },
        content: [{ attachment: { data: 'JVBERi0xLjQ=' } }],
        context: { encounter: [{ reference: `Encounter/${encounter?.id}` }] },
      },
    ])
  })

  it('the same document again is the same, and one that is withdrawn was entered in error', async () => {
    const house = await hospital(adt('A04', '202403100900', pdf), adt('A08', '202403110900', pdf.replace(/F$/, 'D')))
    expect(await found(house.record, 'DocumentReference')).toMatchObject([{ status: 'entered-in-error' }])
  })

  it('notes belong to what they stand behind', async () => {
    const house = await hospital(
      adt(
        'A04',
        '202403100900',
        weight('70', ''),
        'NTE|1||of the weight',
        'AL1|1|DA|P^Penicillin',
        'NTE|1||of the allergy',
        'DG1|1||I10^Pressure^I10',
        'NTE|1||of the diagnosis',
      ),
    )
    for (const [type, text] of [
      ['Observation', 'weight'],
      ['AllergyIntolerance', 'allergy'],
      ['Condition', 'diagnosis'],
    ] as const)
      expect(await found(house.record, type)).toMatchObject([{ note: [{ text: `of the ${text}` }] }])
  })
})

describe('a diagnosis that is taken back – DG1-21 D', () => {
  const dg1 = (id: string, action: string) => `DG1|1||I10^Pressure^I10||20240310|F||||||||||||||${id}|${action}`
  const statuses = async (house: TestHouse) =>
    (await found(house.record, 'Condition')).map(
      one => (one.verificationStatus as { coding: { code: string }[] }).coding[0]?.code,
    )

  it.each([
    ['by its number', [dg1('D-1', 'A'), dg1('D-1', 'D')]],
    ['by its code', [dg1('', ''), dg1('', 'D')]],
  ])('%s', async (_, [told = '', deleted = '']) => {
    const house = await hospital(adt('A01', '202403100900', told), adt('A08', '202403110900', deleted))
    expect(await statuses(house)).toEqual(['entered-in-error'])
    const late = await hospital(adt('A08', '202403110900', deleted), adt('A01', '202403100900', told))
    expect(await statuses(late)).toEqual(['entered-in-error'])
  })

  it('that had no number when it was told', async () => {
    const house = await hospital(adt('A01', '202403100900', dg1('', '')), adt('A08', '202403110900', dg1('D-1', 'D')))
    expect(new Set(await statuses(house))).toEqual(new Set(['entered-in-error']))
  })
})

/** An AA says that all was taken over: HL7 v2.5.1, 2.9.2. */
describe('a document in an OBX that stands in no report is a DocumentReference', () => {
  const pdf = 'OBX|1|ED|11502-2^Report^LN||^application^pdf^Base64^JVBERi0xLjQ=||||||F'
  const pid = 'PID|1||4711^^^TESTHOSP^MR||Anna^A'

  it.each<[string, string[]]>([
    ['VXU^V04^VXU_V04', ['ORC|RE||1^X', 'RXA|0|1|20240101||08^HepB^CVX|0.5|mL', pdf]],
    ['ORM^O01', ['ORC|NW|1', 'OBR|1|1||2345-7^Glucose^LN', pdf]],
    ['OMG^O19', ['ORC|NW|1', 'OBR|1|1||2345-7^Glucose^LN', pdf]],
    ['OML^O21', ['ORC|NW|1', 'OBR|1|1||2345-7^Glucose^LN', pdf]],
    ['OUL^R22', ['SPM|1|S1||BLD', pdf, 'OBR|1|1|F1|2345-7^Glucose^LN']],
    ['PPR^PC1', ['PRB|AD|20240310|I10^Pressure^I10|P1', pdf]],
    ['PPR^PC2', ['PRB|AD|20240310|I10^Pressure^I10|P1', 'GOL|AD|20240310|G^Goal^L|G1', pdf]],
    ['RDE^O11', ['ORC|NW|1', 'RXE|^^^20240101|1^Drug^L|1||mg', 'RXR|PO', pdf]],
  ])('in %s', async (event, segments) => {
    const house = await openHouse()
    const send = (type: string, ...lines: string[]) =>
      house.ingest.hl7v2({
        grant: everything(),
        message: message(`MSH|^~\\&|REG|TESTFAC|||20240310120000+0000||${type}|1${type}|P|2.5.1`, pid, ...lines),
      })
    await send('ADT^A28')
    await send(event, ...segments)
    const documents = await found(house.record, 'DocumentReference')
    expect(documents).toMatchObject([{ status: 'current', content: [{ attachment: { data: 'JVBERi0xLjQ=' } }] }])
  })
})
