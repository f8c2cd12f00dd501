import type { Resource } from '#fhir'
import { createValidator } from '#validation'
import { hl7Outcomes, message, resourcesOf, segment } from './reading.ts'

/**
 * What is ordered, given, vaccinated, booked and written: messages beside those of visits and results.
 *
 * @see https://build.fhir.org/ig/HL7/v2-to-fhir/message_maps.html
 */
const validator = createValidator()
const pid = 'PID|1||4711^^^HOSP^MR||Doe^Jane||19800101|F'

function sent(event: string, ...lines: readonly string[]) {
  return hl7Outcomes(message(`MSH|^~\\&|HIS|HOSP|||20260210081500+0100||${event}|M1|P|2.5.1`, ...lines))[0] ?? []
}

function mapped(event: string, ...lines: readonly string[]): readonly Resource[] {
  const resources = resourcesOf(sent(event, ...lines))
  for (const resource of resources)
    expect([resource.resourceType, validator.validate(resource)]).toEqual([resource.resourceType, []])
  return resources
}

/** The only one of its type. */
function only(type: string, resources: readonly Resource[]): Resource {
  const of = resources.filter(({ resourceType }) => resourceType === type)
  expect([type, of.length]).toEqual([type, 1])
  return of[0] as Resource
}

const of = (type: string, resources: readonly Resource[]) =>
  resources.filter(({ resourceType }) => resourceType === type)

describe('VXU: vaccinations', () => {
  const orc = 'ORC|RE|P1^NS|F1^NS'
  const rxa = (fields: string) => `RXA|0|1|20260102||140^Influenza^CVX|${fields}`

  it('are Immunizations with dose, lot, maker, route and site', () => {
    const given = mapped(
      'VXU^V04^VXU_V04',
      pid,
      orc,
      rxa('0.5|mL^^UCUM||00^New^NIP001|7^Lemon^Mike|||||L1|20270101|CSL^CSL^MVX|||CP|A'),
      'RXR|IM^Intramuscular^HL70162|LD^Left Deltoid^HL70163',
    )
    expect(only('Immunization', given)).toMatchObject({
      status: 'completed',
      occurrenceDateTime: '2026-01-02',
      vaccineCode: { coding: [{ system: 'http://hl7.org/fhir/sid/cvx', code: '140' }] },
      patient: { reference: 'Patient/anna' },
      doseQuantity: { value: expect.anything(), code: 'mL' },
      lotNumber: 'L1',
      expirationDate: '2027-01-01',
      manufacturer: { display: 'CSL' },
      primarySource: true,
      route: { coding: [{ code: 'IM' }] },
      identifier: [{ value: 'P1' }, { value: 'F1' }],
    })
  })

  it.each([
    ['completed', { 20: 'CP', 21: 'A' }, 'completed'],
    ['partly given', { 20: 'PA', 21: 'A' }, 'completed'],
    ['refused', { 18: '00^Parental decision^NIP002', 20: 'RE' }, 'not-done'],
    ['not given', { 20: 'NA' }, 'not-done'],
    ['without a status', {}, 'completed'],
    ['taken back', { 20: 'CP', 21: 'D' }, 'entered-in-error'],
  ])('%s', (_, fields, status) => {
    const line = segment('RXA', { 1: '0', 2: '1', 3: '20260102', 5: '140^Influenza^CVX', 6: '0.5', ...fields })
    expect(only('Immunization', mapped('VXU^V04', pid, orc, line)).status).toBe(status)
  })

  it('take a dose of 999 for one that nobody knows', () => {
    const outcomes = sent('VXU^V04', pid, orc, rxa('999|||01^Historical^NIP001'))
    const immunization = only('Immunization', resourcesOf(outcomes))
    expect(immunization).not.toHaveProperty('doseQuantity')
    expect(immunization).toMatchObject({ primarySource: false, reportOrigin: { coding: [{ code: '01' }] } })
    expect(outcomes.filter(({ kind }) => kind === 'unread')).toEqual([])
  })

  it('have what their OBX say, which are Observations that are part of them', () => {
    const obx = (n: number, type: string, code: string, sub: string, text: string) =>
      `OBX|${n}|${type}|${code}^x^LN|${sub}|${text}||||||F`
    const lines = [
      obx(1, 'CE', '64994-7', '1', 'V05^Eligible^HL70064'),
      obx(2, 'CE', '69764-9', '2', 'D^Flu sheet^L'),
      obx(3, 'TS', '29769-7', '2', '20260102'),
      obx(4, 'NM', '30973-2', '3', '2'),
    ]
    const resources = mapped('VXU^V04', pid, orc, rxa('0.5|mL'), ...lines)
    const immunization = only('Immunization', resources)
    expect(immunization).toMatchObject({
      programEligibility: [{ coding: [{ code: 'V05' }] }],
      education: [{ documentType: 'Flu sheet', presentationDate: '2026-01-02' }],
      protocolApplied: [{ doseNumberPositiveInt: 2 }],
    })
    const observations = of('Observation', resources)
    expect(observations).toHaveLength(4)
    for (const { partOf } of observations) expect(partOf).toEqual([{ reference: `Immunization/${immunization.id}` }])
  })

  it('take a code for what it is, whatever it is called', () => {
    const lines = ['__proto__', 'constructor', 'toString'].map((code, at) => `OBX|${at + 1}|ST|${code}^x^L||1||||||F`)
    const resources = mapped('VXU^V04', pid, orc, rxa('0.5'), ...lines)
    expect(Object.keys(only('Immunization', resources))).not.toContain('fields')
    expect(of('Observation', resources)).toHaveLength(3)
  })

  it('have no sheet of which nobody says what it is of (imm-1)', () => {
    const resources = mapped('VXU^V04', pid, orc, rxa('0.5'), 'OBX|1|TS|29769-7^x^LN|2|20260102||||||F')
    expect(only('Immunization', resources)).not.toHaveProperty('education')
    expect(of('Observation', resources)).toHaveLength(1)
  })

  it('are two, where two were given, with one order or none', () => {
    const second = 'RXA|0|1|20260102||03^MMR^CVX|0.5'
    expect(of('Immunization', mapped('VXU^V04', pid, orc, rxa('0.5'), 'ORC|RE||F2^NS', second))).toHaveLength(2)
    expect(of('Immunization', mapped('VXU^V04', pid, orc, rxa('0.5'), second))).toHaveLength(2)
    expect(of('Immunization', mapped('VXU^V04', pid, rxa('0.5'), second))).toHaveLength(2)
  })

  it('without a vaccine or a day are rejected with their place', () => {
    const places = (line: string) =>
      sent('VXU^V04', pid, orc, line).flatMap(one => (one.kind === 'rejected' ? [one.location] : []))
    expect(places('RXA|0|1|20260102|||0.5')).toEqual(['RXA^1^5'])
  })
})

describe('SIU: appointments', () => {
  const sch = (event = '^^^20260301090000^20260301093000', status = '') =>
    `SCH|A1^NS|A2^NS||||Snow|CHECKUP|Normal|||${event}||||||||||||||${status}`

  it('have patient, people, places, service, notes and orders', () => {
    const given = mapped(
      'SIU^S12^SIU_S12',
      `${sch()}|O1^NS`,
      'NTE|1||Come early',
      pid,
      'RGS|1',
      'AIS|1||E1^ECG^L',
      'NTE|1||No coffee',
      'AIL|1||ROOM1^2^3^HOSP',
      'AIP|1||7^Lemon^Mike|P^Physician^L',
      'AIG|1||D9^Scanner^L|M^Machine^L',
    )
    const { participant, ...appointment } = only('Appointment', given) as Resource & {
      participant: { actor: object; status: string }[]
    }
    expect(appointment).toMatchObject({
      status: 'booked',
      start: '2026-03-01T09:00:00+01:00',
      end: '2026-03-01T09:30:00+01:00',
      serviceType: [{ coding: [{ code: 'E1' }] }],
      comment: 'Come early\nNo coffee',
      basedOn: [{ type: 'ServiceRequest', identifier: { value: 'O1' } }],
    })
    expect(participant.map(one => one.status)).toEqual(['accepted', 'accepted', 'accepted', 'accepted'])
    expect(participant[0]?.actor).toEqual({ reference: 'Patient/anna' })
    expect(JSON.stringify(participant)).toMatch(/Scanner.*ROOM1|ROOM1.*Scanner/)
  })

  it.each([
    ['S12', '', 'booked'],
    ['S13', '', 'booked'],
    ['S15', '', 'cancelled'],
    ['S16', '', 'cancelled'],
    ['S17', '', 'entered-in-error'],
    ['S26', '', 'noshow'],
    ['S14', 'Pending', 'pending'],
    ['S14', 'COMPLETE', 'fulfilled'],
    ['S12', 'Overbook', 'booked'],
  ])('%s with SCH-25 %j is %s', (event, code, status) => {
    expect(only('Appointment', mapped(`SIU^${event}`, sch(undefined, code), pid)).status).toBe(status)
  })

  it('say why one is none', () => {
    expect(only('Appointment', mapped('SIU^S15', sch(), pid))).toMatchObject({ cancelationReason: { text: 'Snow' } })
  })

  it.each([
    ['SCH-11', sch(), '2026-03-01T09:30:00+01:00'],
    ['SCH-9 and SCH-10', 'SCH|A1|A2|||||||45|min|^^^20260301090000', '2026-03-01T09:45:00+01:00'],
    ['hours', 'SCH|A1|A2|||||||2|H|^^^20260301090000', '2026-03-01T11:00:00+01:00'],
  ])('end by %s', (_, line, end) => {
    expect(only('Appointment', mapped('SIU^S12', line, pid)).end).toBe(end)
  })

  it('take TQ1 and AIS for their time', () => {
    const bare = 'SCH|A1|A2'
    expect(only('Appointment', mapped('SIU^S12', bare, 'TQ1|||||||20260301090000|20260301100000', pid))).toMatchObject({
      end: '2026-03-01T10:00:00+01:00',
    })
    expect(only('Appointment', mapped('SIU^S12', bare, pid, 'AIS|1||E1^ECG^L|20260301090000|||20|min'))).toMatchObject({
      start: '2026-03-01T09:00:00+01:00',
      end: '2026-03-01T09:20:00+01:00',
    })
  })

  it('say that nobody said for how long, and who comes when', () => {
    const outcomes = sent('SIU^S12', 'SCH|A1|A2|||||||||^^^20260301090000', pid, 'AIP|1||7^Lemon^Mike||||10|min')
    expect(outcomes).toContainEqual(expect.objectContaining({ kind: 'warning', location: 'SCH^1^9' }))
    const { participant } = only('Appointment', resourcesOf(outcomes)) as Resource & { participant: object[] }
    expect(participant[1]).toMatchObject({
      period: { start: '2026-03-01T09:10:00+01:00' },
    })
  })

  it('leave out who is taken out again (table 0206, D)', () => {
    const { participant } = only('Appointment', mapped('SIU^S14', sch(), pid, 'AIP|1|D|7^Lemon^Mike')) as Resource & {
      participant: object[]
    }
    expect(participant).toHaveLength(1)
  })
})

describe('MDM: documents', () => {
  const txa = (fields: Readonly<Record<number, string>> = { 17: 'AU', 19: 'AV' }) =>
    segment('TXA', {
      1: '1',
      2: 'DS^Discharge summary^L',
      3: 'TX',
      4: '20260201',
      9: '7^Lemon^Mike',
      12: 'D1^NS',
      ...fields,
    })

  it('are one DocumentReference of the lines under each heading, and of files', () => {
    const pdf = Buffer.from('%PDF-1.4').toString('base64')
    const given = mapped(
      'MDM^T02^MDM_T02',
      pid,
      txa(),
      'OBX|1|TX|H^History^L|1|First line||||||F',
      'OBX|2|TX|H^History^L|2|Second line||||||F',
      'OBX|3|FT|P^Plan^L|1|Rest||||||F',
      `OBX|4|ED|F^File^L|1|^AP^PDF^Base64^${pdf}||||||F`,
    )
    const document = only('DocumentReference', given) as Resource & {
      content: { attachment: { data: string; contentType: string; title?: string } }[]
    }
    expect(document).toMatchObject({
      status: 'current',
      docStatus: 'final',
      masterIdentifier: { value: 'D1' },
      subject: { reference: 'Patient/anna' },
      author: [{ display: 'Mike Lemon' }],
    })
    const texts = document.content.map(({ attachment }) => [
      attachment.contentType,
      attachment.title,
      Buffer.from(attachment.data, 'base64').toString(),
    ])
    expect(texts).toEqual([
      ['text/plain; charset=utf-8', 'History', 'First line\nSecond line'],
      ['text/plain; charset=utf-8', 'Plan', 'Rest'],
      ['application/pdf', undefined, '%PDF-1.4'],
    ])
  })

  it('lead to the order of which they came', () => {
    const given = mapped(
      'MDM^T02',
      pid,
      'ORC|RE|P1^NS',
      'OBR|1|P1^NS||E1^Echo^L',
      txa(),
      'OBX|1|TX|H^History^L||words||||||F',
    )
    const { id } = only('ServiceRequest', given)
    expect(only('DocumentReference', given)).toMatchObject({
      context: { related: [{ reference: `ServiceRequest/${id}` }] },
    })
    expect(of('DiagnosticReport', given)).toEqual([])
  })

  it.each([
    ['T01', txa(), { status: 'current', docStatus: 'final' }],
    ['T05', txa({ 13: 'D0^NS' }), { relatesTo: [{ code: 'appends', target: { identifier: { value: 'D0' } } }] }],
    ['T09', txa({ 13: 'D0^NS' }), { relatesTo: [{ code: 'replaces', target: { type: 'DocumentReference' } }] }],
    ['T11', txa(), { status: 'entered-in-error' }],
    ['T03', txa({ 17: 'IP', 19: 'CA' }), { docStatus: 'preliminary', status: 'entered-in-error' }],
    ['T03', txa({ 17: 'LA', 19: 'OB' }), { docStatus: 'final', status: 'superseded' }],
  ])('%s without content has a title to open', (event, line, said) => {
    const document = only('DocumentReference', mapped(`MDM^${event}`, pid, line))
    expect(document).toMatchObject({ ...said, content: [{ attachment: { title: 'Discharge summary' } }] })
  })

  it('say who changed them, when and why', () => {
    const edited = txa({ 8: '20260203120000+0100', 11: '8^Typist^Tom', 21: 'Wrong side' })
    const given = mapped('MDM^T08', pid, edited, 'OBX|1|TX|||words||||||F')
    expect(only('Provenance', given)).toMatchObject({
      recorded: '2026-02-03T12:00:00+01:00',
      reason: [{ text: 'Wrong side' }],
      target: [{ reference: `DocumentReference/${only('DocumentReference', given).id}` }],
    })
  })
})

describe('ORM, OML, OMG: what is ordered', () => {
  const orc = 'ORC|NW|P1^NS'
  it.each(['ORM^O01', 'OML^O21', 'OMG^O19'])('%s is a ServiceRequest, and no report', event => {
    const given = mapped(
      event,
      pid,
      orc,
      'OBR|1|P1^NS||2160-0^Creatinine^LN',
      'NTE|1||Fasting',
      'OBX|1|NM|8302-2^Height^LN||180|cm^^UCUM|||||F',
      'SPM|1|S1||SER^Serum^HL70487',
    )
    expect(of('DiagnosticReport', given)).toEqual([])
    const [specimen, observation] = [only('Specimen', given), only('Observation', given)]
    expect(only('ServiceRequest', given)).toMatchObject({
      status: 'active',
      intent: 'order',
      code: { coding: [{ code: '2160-0' }] },
      note: [{ text: 'Fasting' }],
      specimen: [{ reference: `Specimen/${specimen.id}` }],
      supportingInfo: [{ reference: `Observation/${observation.id}` }],
    })
  })

  it('has its reasons, each order its own', () => {
    const given = mapped(
      'OML^O21',
      pid,
      'PV1|1|O|||||||||||||||||V1',
      'ORC|NW|P1',
      'OBR|1|P1||X^x^L',
      'DG1|1||I10^Hypertension^I10',
      'OBX|1|NM|8302-2^Height^LN||180|cm|||||F',
      'ORC|NW|P2',
      'OBR|2|P2||Y^y^L',
      'DG1|1||E10^Diabetes^I10',
    )
    const codeOf = (reference: string) => JSON.stringify(given.find(({ id }) => reference === `Condition/${id}`)?.code)
    const requests = of('ServiceRequest', given) as (Resource & {
      reasonReference: { reference: string }[]
      supportingInfo?: object[]
    })[]
    expect(requests.map(({ reasonReference }) => reasonReference.map(({ reference }) => codeOf(reference)))).toEqual([
      [expect.stringContaining('I10')],
      [expect.stringContaining('E10')],
    ])
    expect(requests[0]?.supportingInfo).toHaveLength(1)
    expect(only('Encounter', given)).not.toHaveProperty('diagnosis')
  })

  it.each([
    ['ORU^R01', ['OBR|1||F1|X^x^L', 'DG1|1||I10^Hypertension^I10', 'OBX|1|NM|C^c^L||1||||||F'], 'DiagnosticReport'],
    ['RDE^O11', ['ORC|NW|P1', 'RXE||A1^A^L|1||mg', 'DG1|1||I10^Hypertension^I10'], 'MedicationRequest'],
  ])('%s: a diagnosis behind an order is kept as well', (event, lines, type) => {
    const given = mapped(event, pid, ...lines)
    expect([only('Condition', given).resourceType, only(type, given).resourceType]).toEqual(['Condition', type])
  })

  it('has who wrote several notes once', () => {
    const notes = [1, 2].map(at =>
      segment('NTE', { 1: String(at), 3: `Note ${at}`, 5: '8^Typist^Tom', 6: `2026010${at}` }),
    )
    const request = only('ServiceRequest', mapped('ORM^O01', pid, 'ORC|NW|P1^NS', 'OBR|1|P1^NS||X^x^L', ...notes))
    expect(request).toMatchObject({ note: [{ text: 'Note 1' }, { text: 'Note 2' }], contained: [expect.anything()] })
    const [report] = of(
      'DiagnosticReport',
      mapped('ORU^R01', pid, 'OBR|1||F1|X^x^L', 'OBX|1|NM|C^c^L||1||||||F', ...notes),
    )
    expect(report).toBeDefined()
  })

  it('is the order of the results that come of it', () => {
    const ordered = only('ServiceRequest', mapped('OML^O21', pid, orc, 'OBR|1|P1^NS||2160-0^Creatinine^LN'))
    const resulted = mapped(
      'ORU^R01',
      pid,
      'OBR|1|P1^NS||2160-0^Creatinine^LN',
      'OBX|1|NM|2160-0^Creatinine^LN||1.1|mg/dL|||||F',
    )
    expect(only('DiagnosticReport', resulted).basedOn).toEqual([{ reference: `ServiceRequest/${ordered.id}` }])
  })

  it('is kept though nobody numbered it', () => {
    expect(of('ServiceRequest', mapped('ORM^O01', pid, 'ORC|NW', 'OBR|1|||X^x^L'))).toHaveLength(1)
  })
})

describe('OMP, RDE, RDS, RAS: medicines', () => {
  const orc = 'ORC|NW|P1^NS||||||||||7^Lemon^Mike'

  it('are requested, with dose, route, timing and package', () => {
    const given = mapped(
      'OMP^O09',
      pid,
      orc,
      segment('TQ1', { 1: '1', 3: 'BID', 11: 'with food' }),
      'RXO|A1^Amoxicillin^L|500||mg^^UCUM||||||G|20|{tablet}^^UCUM|2',
      'RXR|PO^Oral^HL70162',
    )
    expect(only('MedicationRequest', given)).toMatchObject({
      status: 'active',
      intent: 'original-order',
      medicationCodeableConcept: { coding: [{ code: 'A1' }] },
      requester: { display: 'Mike Lemon' },
      dosageInstruction: [
        { route: { coding: [{ code: 'PO' }] }, doseAndRate: [{ doseQuantity: { code: 'mg' } }], text: 'with food' },
      ],
      dispenseRequest: { numberOfRepeatsAllowed: 2, quantity: { value: expect.anything() } },
    })
  })

  it('of a range have both ends, and with a strength a Medication', () => {
    const request = only(
      'MedicationRequest',
      mapped('OMP^O09', pid, orc, 'RXO|A1^Amoxicillin^L|1|2|{tablet}^^UCUM|TAB^Tablet^L|||||||||||||250|mg^^UCUM'),
    )
    expect(request).toMatchObject({
      dosageInstruction: [{ doseAndRate: [{ doseRange: { low: {}, high: {} } }] }],
      contained: expect.arrayContaining([
        expect.objectContaining({
          resourceType: 'Medication',
          form: expect.anything(),
          ingredient: [
            expect.objectContaining({ strength: { numerator: expect.anything(), denominator: { value: 1 } } }),
          ],
        }),
      ]),
    })
  })

  it('as the pharmacy encodes them are based on the order', () => {
    const given = mapped(
      'RDE^O11',
      pid,
      orc,
      'RXO|A1^Amoxicillin^L|500||mg',
      'RXE||A1^Amoxicillin^L|500||mg',
      'TQ1|1||TID',
      'RXR|PO^Oral^HL70162',
    )
    const [original, encoded] = of('MedicationRequest', given)
    expect(encoded).toMatchObject({
      intent: 'filler-order',
      basedOn: [{ reference: `MedicationRequest/${original?.id}` }],
    })
  })

  it.each([
    ['NW', '', 'active'],
    ['CA', '', 'cancelled'],
    ['DC', '', 'stopped'],
    ['HD', '', 'on-hold'],
    ['NW', 'CM', 'completed'],
    ['ZZ', '', 'unknown'],
  ])('with ORC-1 %s and ORC-5 %j are %s', (control, status, expected) => {
    expect(
      only('MedicationRequest', mapped('RDE^O11', pid, `ORC|${control}|P1^NS|||${status}`, 'RXE||A1^A^L|1||mg')).status,
    ).toBe(expected)
  })

  it('are dispensed, lot and all', () => {
    const given = mapped(
      'RDS^O13',
      pid,
      'ORC|RE|P1^NS',
      segment('RXD', {
        1: '1',
        2: 'A1^Amoxicillin^L',
        3: '20260102',
        4: '20',
        5: '{tablet}^^UCUM',
        7: 'RX9',
        18: 'L1',
        19: '20270101',
      }),
      'RXR|PO^Oral^HL70162',
    )
    expect(only('MedicationDispense', given)).toMatchObject({
      status: 'completed',
      whenHandedOver: '2026-01-02',
      identifier: expect.arrayContaining([{ value: 'RX9' }]),
      contained: [{ resourceType: 'Medication', batch: { lotNumber: 'L1' } }],
    })
  })

  it('are given, each time by itself', () => {
    const at = (time: string, status = 'CP') =>
      `RXA|0|1|${time}|${time}|A1^Amoxicillin^L|500|mg^^UCUM||||||||||||${'|'}${status}`
    const given = mapped(
      'RAS^O17',
      pid,
      'ORC|RE|P1^NS',
      at('20260102080000'),
      'RXR|PO^Oral^HL70162',
      at('20260102200000', 'RE'),
    )
    expect(
      of('MedicationAdministration', given).map(({ status, effectiveDateTime }) => [status, effectiveDateTime]),
    ).toEqual([
      ['completed', '2026-01-02T08:00:00+01:00'],
      ['not-done', '2026-01-02T20:00:00+01:00'],
    ])
    expect(of('MedicationAdministration', given)[0]).toMatchObject({
      dosage: { route: { coding: [{ code: 'PO' }] }, dose: { code: 'mg' } },
    })
  })
})

describe('PPR: problems', () => {
  it.each([
    ['PC1', 'AD', 'ACTIVE', 'active', undefined],
    ['PC2', 'UP', 'RESOLVED', 'resolved', undefined],
    ['PC3', 'DE', '', undefined, 'entered-in-error'],
  ])('%s %s %s', (event, action, cycle, clinical, verification) => {
    const condition = only(
      'Condition',
      mapped(
        `PPR^${event}`,
        pid,
        `PRB|${action}|20260102|I10^Hypertension^I10|N1^NS|||20260102|||||||${cycle}||20251201`,
      ),
    ) as Resource & Record<'clinicalStatus' | 'verificationStatus', { coding: { code: string }[] } | undefined>
    expect(condition).toMatchObject({
      category: [{ coding: [{ code: 'problem-list-item' }] }],
      onsetDateTime: '2025-12-01',
    })
    expect([condition.clinicalStatus?.coding[0]?.code, condition.verificationStatus?.coding[0]?.code]).toEqual([
      clinical,
      verification,
    ])
  })
})

describe('messages whose segments are known from others', () => {
  it.each([
    ['ORU^R30', ['OBR|1||F1|X^x^L', 'OBX|1|NM|C^c^L||1||||||F'], 'DiagnosticReport'],
    ['ORU^R40', ['OBR|1||F1|X^x^L', 'OBX|1|NM|C^c^L||1||||||F'], 'DiagnosticReport'],
    ['BAR^P01', ['PV1|1|I|||||||||||||||||V1', 'DG1|1||I10^x^I10'], 'Condition'],
    ['DFT^P03', ['PV1|1|I|||||||||||||||||V1', 'PR1|1||P1^x^L||20260101'], 'Procedure'],
    ['ADT^A60', ['PV1|1|I|||||||||||||||||V1', 'IAM|1||NUT^Nuts^L||R^Rash^L|A'], 'AllergyIntolerance'],
    ['ADT^A09', ['PV1|1|I|||||||||||||||||V1'], 'Encounter'],
  ])('%s', (event, lines, type) => {
    expect(of(type, mapped(event, pid, ...lines))).toHaveLength(1)
  })
})

describe('OUL: results of automated equipment', () => {
  const spm = (id: string) => `SPM|1|${id}^LAB||BLD^Blood^HL70487|||||||||||||20260102080000`
  const obr = (id: string) => `OBR|1||${id}^LAB|X^x^L|||20260102`
  const obx = (code: string) => `OBX|1|NM|${code}^c^L||1||||||F`
  const summary = (given: readonly Resource[]) =>
    (of('DiagnosticReport', given) as (Resource & { result?: object[]; specimen?: object[] })[]).map(
      ({ specimen, result }) => [specimen, result?.length],
    )
  const references = (given: readonly Resource[]) =>
    of('Specimen', given).map(({ id }) => [{ reference: `Specimen/${id}` }])

  it.each(['OUL^R22', 'OUL^R23'])('%s has several orders of a specimen, and several specimens', event => {
    const given = mapped(
      event,
      pid,
      spm('S1'),
      'OBX|1|NM|V^volume^L||5||||||F',
      ...[obr('F1'), 'ORC|RE||F1^LAB', obx('A'), obx('B')],
      ...['ORC|RE||F2^LAB', obr('F2'), obx('C')],
      spm('S2'),
      ...[obr('F3'), obx('D')],
    )
    const [first, second] = references(given)
    expect(summary(given)).toEqual([
      [first, 2],
      [first, 1],
      [second, 1],
    ])
    expect(of('Observation', given)[0]).toMatchObject({ specimen: first?.[0] })
    expect(of('ServiceRequest', given)).toHaveLength(3)
  })

  it.each(['OUL^R24', 'OUL^R21'])('%s has the specimens of an order', event => {
    const orders = event === 'OUL^R24' ? [obr('F1'), 'ORC|RE||F1^LAB'] : ['ORC|RE||F1^LAB', obr('F1')]
    const given = mapped(
      event,
      pid,
      ...orders,
      obx('A'),
      spm('S1'),
      ...orders.map(one => one.replace('F1', 'F2')),
      obx('B'),
    )
    expect(summary(given)).toEqual([
      [references(given)[0], 1],
      [undefined, 1],
    ])
    expect(of('ServiceRequest', given)).toHaveLength(2)
  })

  it('says of a result what ORU says of it: one result by both is one', () => {
    const lines = [obr('F1'), obx('A')]
    const ids = (given: readonly Resource[]) => given.map(({ resourceType, id }) => `${resourceType}/${id}`).sort()
    expect(ids(mapped('OUL^R22', pid, spm('S1'), ...lines))).toEqual(ids(mapped('ORU^R01', pid, ...lines, spm('S1'))))
  })
})

describe('RGV: medicines to be given', () => {
  it('are requested for each time, based on the order', () => {
    const give = (sub: string, start: string) =>
      `RXG|${sub}|1|1^^^${start}|A1^Amoxicillin^L|500||mg^^UCUM||||||||||||L1`
    const given = mapped(
      'RGV^O15',
      pid,
      'ORC|RE|P1^NS',
      'RXO|A1^Amoxicillin^L|500||mg',
      ...[give('1', '20260102080000'), 'RXR|PO^Oral^HL70162'],
      ...[give('2', '20260102200000'), 'RXR|PO^Oral^HL70162'],
    )
    const [original, ...gives] = of('MedicationRequest', given)
    expect(gives).toHaveLength(2)
    for (const one of gives)
      expect(one).toMatchObject({
        intent: 'instance-order',
        basedOn: [{ reference: `MedicationRequest/${original?.id}` }],
        contained: expect.arrayContaining([expect.objectContaining({ batch: { lotNumber: 'L1' } })]),
        dosageInstruction: [{ doseAndRate: [{ doseQuantity: { code: 'mg' } }] }],
      })
  })
})

describe('segments for which the guide has no map', () => {
  it('RXC is what a medicine is made of', () => {
    const lines = ['RXC|B|D5W^Dextrose 5%^L|1000|mL^^UCUM', 'RXC|A|KCL^Potassium chloride^L|20|meq^^UCUM']
    for (const [event, rx, type] of [
      ['OMP^O09', 'RXO|IV^Infusion^L|1000||mL^^UCUM', 'MedicationRequest'],
      ['RDE^O11', 'RXE||IV^Infusion^L|1000||mL^^UCUM', 'MedicationRequest'],
      ['RDS^O13', 'RXD|1|IV^Infusion^L|20260102', 'MedicationDispense'],
    ] as const) {
      const outcomes = sent(event, pid, 'ORC|NW|P1^NS', rx, ...lines)
      expect(outcomes.filter(({ kind }) => kind === 'unread')).toEqual([])
      const medication = mapped(event, pid, 'ORC|NW|P1^NS', rx, ...lines)
      expect(only(type, medication)).toMatchObject({
        contained: [
          {
            resourceType: 'Medication',
            ingredient: [
              {
                isActive: false,
                itemCodeableConcept: { coding: [{ code: 'D5W' }] },
                strength: { numerator: { code: 'mL' } },
              },
              {
                isActive: true,
                itemCodeableConcept: { coding: [{ code: 'KCL' }] },
                strength: { denominator: { value: 1 } },
              },
            ],
          },
        ],
      })
    }
  })

  it.each([
    ['AD', 'ACTIVE', 'active'],
    ['UP', 'ACHIEVED', 'completed'],
    ['UP', '', 'active'],
    ['DE', 'ACTIVE', 'entered-in-error'],
  ])('GOL %s %s is a Goal that is %s, of its problem', (action, cycle, status) => {
    const gol = `GOL|${action}|20260102|W^Walk 100 m^L|G1^NS|||20260102|20260301||||||||||${cycle}`
    const given = mapped('PPR^PC1', pid, 'PRB|AD|20260102|I10^x^I10|N1^NS', 'NTE|1||words', gol)
    expect(only('Goal', given)).toMatchObject({
      lifecycleStatus: status,
      startDate: '2026-01-02',
      target: [{ dueDate: '2026-03-01' }],
      addresses: [{ reference: `Condition/${only('Condition', given).id}` }],
      description: { coding: [{ code: 'W' }] },
    })
  })

  it('FT1 is a charge, and what is paid is none', () => {
    const ft1 = (id: string, kind: string) =>
      `FT1|1|${id}||20260102|20260103|${kind}|99213^Visit^C4|||2|120.50|||||||||7^Lemon^Mike`.replace(
        '|||||||||7',
        '|||||||||7',
      )
    const outcomes = sent('DFT^P03', pid, 'PV1|1|I|||||||||||||||||V1', ft1('T1', 'CG'), ft1('T2', 'PY'))
    expect(outcomes).toContainEqual({ kind: 'unmapped', row: 'FT1', location: 'FT1^2' })
    const given = mapped('DFT^P03', pid, 'PV1|1|I|||||||||||||||||V1', ft1('T1', 'CG'), ft1('T2', 'PY'))
    expect(only('ChargeItem', given)).toMatchObject({
      status: 'billable',
      occurrenceDateTime: '2026-01-02',
      context: { reference: `Encounter/${only('Encounter', given).id}` },
      performer: [{ actor: { display: 'Mike Lemon' } }],
    })
  })
})

describe('answers to queries', () => {
  it('RSP K11 tells of vaccinations as VXU does', () => {
    const lines = [pid, 'ORC|RE|P1^NS|F1^NS', 'RXA|0|1|20260102||140^Influenza^CVX|0.5|mL^^UCUM']
    const head = ['MSA|AA|Q1', 'QAK|Q1|OK', 'QPD|Z34^Request^CDCPHINVS|Q1|4711^^^HOSP^MR']
    const ids = (given: readonly Resource[]) => of('Immunization', given).map(({ id }) => id)
    expect(ids(mapped('RSP^K11^RSP_K11', ...head, ...lines))).toEqual(ids(mapped('VXU^V04', ...lines)))
  })

  it('RSP K22 tells of people, each by themselves', () => {
    const people = [pid, pid.replaceAll('4711', '4712').replace('Jane', 'Jill')]
    const outcomes = hl7Outcomes(
      message('MSH|^~\\&|HIS|HOSP|||20260210||RSP^K22|M1|P|2.5', 'MSA|AA|Q1', 'QAK|Q1|OK', ...people),
    )[0]
    expect(outcomes?.filter(({ kind }) => kind === 'amend')).toHaveLength(2)
  })
})
