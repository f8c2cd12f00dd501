import { readdirSync } from 'node:fs'
import type { Resource } from '#fhir'
import { Problem } from '#kernel'
import { createValidator } from '#validation'
import { acknowledge, verdictOf } from '../../../src/ingest/hl7v2/acknowledge.ts'
import { decodeHl7 } from '../../../src/ingest/hl7v2/decode.ts'
import { field, part, value } from '../../../src/ingest/hl7v2/message.ts'
import { parseMessage } from '../../../src/ingest/hl7v2/parse.ts'
import { splitMessages } from '../../../src/ingest/hl7v2/split.ts'
import { defaultLimits } from '../../../src/ingest/limits.ts'
import type { Outcome } from '../../../src/ingest/outcome.ts'
import { atOnce, cases, hl7Case, hl7Outcomes, message, plain, resourcesOf } from './reading.ts'

const validator = createValidator()
const msh = (event: string, rest = '') => `MSH|^~\\&|HIS|CLINIC|||20260210081500+0100||${event}|M1|P|2.5${rest}`
const adt = (...segments: string[]) => hl7Outcomes(message(msh('ADT^A01'), ...segments))[0] ?? []
const oru = (...segments: string[]) => hl7Outcomes(message(msh('ORU^R01'), 'PID|1||4711', ...segments))[0] ?? []
const ofType = (outcomes: readonly Outcome[], type: string) =>
  resourcesOf(outcomes).filter(({ resourceType }) => resourceType === type)
const obx = (...fields: string[]) => ofType(oru('OBR|1|||X', `OBX|1|${fields.join('|')}`), 'Observation')[0]

function patientOf(
  outcomes: readonly Outcome[],
  current: Resource = { resourceType: 'Patient' },
): Resource | undefined {
  const amend = outcomes.find(outcome => outcome.kind === 'amend')
  return amend?.kind === 'amend' ? amend.change(current) : undefined
}

const parsed = (bytes: Buffer) => {
  const { texts, decoder } = decodeHl7(bytes)
  const [first] = atOnce(splitMessages(texts, defaultLimits)).messages
  return atOnce(parseMessage(first?.lines ?? [], decoder))
}

describe('the encoding of HL7 v2 – chapter 2, 2.5 to 2.7', () => {
  it('takes delimiters from MSH-1 and MSH-2', () => {
    const odd = parsed(Buffer.from('MSH$%*!@$A$B%1.2%ISO\rPID$1$$X%Y|Z^@W~*Q$$R!F!S!T!\r'))
    const pid = odd.segments[1]
    expect(value(odd.msh, 4, 2)).toBe('1.2')
    expect(field(pid, 3)).toEqual([[['X'], ['Y|Z^', 'W~']], [['Q']]])
    expect(value(pid, 5)).toBe('R$S@')
  })

  it.each([
    ['\\F\\ \\S\\ \\T\\ \\R\\ \\E\\', '| ^ & ~ \\'],
    ['\\E\\T\\E\\', '\\T\\'],
    ['a\\.br\\b', 'a\nb'],
    ['caf\\XC3A9\\', 'café'],
    ['\\XC3\\\\XA4\\', 'ä'],
    ['a \\ b', 'a \\ b'],
    ['\\H\\bold\\N\\', 'bold'],
  ])('reads %s once', (text, expected) => {
    expect(value(parsed(message(msh('ADT^A01', '||||||UNICODE UTF-8'), `ZZZ|${text}`)).segments[1], 1)).toBe(expected)
  })

  it('reads repetitions, components and subcomponents', () => {
    const pid = parsed(message(msh('ADT^A01'), 'PID|1||A^^^H&1.2&ISO~B^^^K|""|a&b')).segments[1]
    expect(field(pid, 3)).toEqual([
      [['A'], [''], [''], ['H', '1.2', 'ISO']],
      [['B'], [''], [''], ['K']],
    ])
    expect(part(field(pid, 4)[0], 1)).toBe('')
    expect(field(pid, 5)).toEqual([[['a', 'b']]])
  })

  it('finds the character set', () => {
    const latin = Buffer.from(`${msh('ADT^A01', '||||||8859/1')}\rPID|1||||M\xfcller\r`, 'latin1')
    expect(value(parsed(latin).segments[1], 5)).toBe('Müller')
    const unsaid = Buffer.from(`${msh('ADT^A01')}\rPID|1||||M\xfcller\r`, 'latin1')
    expect(value(parsed(unsaid).segments[1], 5)).toBe('Müller')
    expect(value(parsed(Buffer.from(`\uFEFF${msh('ADT^A01')}\rPID|1||||Müller\r`)).segments[1], 5)).toBe('Müller')
  })

  it.each(['ISO IR87', '~ISO IR87', 'ASCII~ISO IR87', 'ISO IR6~ISO IR87'])(
    'changes to the character set of %s by escapes – 2.15.9.18',
    sets => {
      const name = '\x1b$BEDCf\x1b(B^\x1b$BB@O:\x1b(B'
      const bytes = Buffer.from(`${msh('ADT^A01', `||||||${sets}`)}\rPID|1||||${name}\r`, 'latin1')
      expect(part(field(parsed(bytes).segments[1], 5)[0], 1)).toBe('田中')
      expect(part(field(parsed(bytes).segments[1], 5)[0], 2)).toBe('太郎')
    },
  )

  it('cuts files at any line ends, frames and envelopes', () => {
    const file = `\v\nFHS|^~\\&\r\nBHS|^~\\&\n${msh('ADT^A01')}\r\n\n  PID|1\r${msh('ADT^A04')}\rPID|2\rbroken\x1c\rBTS|7\nFTS|1`
    const { messages, warnings } = atOnce(splitMessages([file], defaultLimits))
    expect(messages.map(({ lines }) => lines.length)).toEqual([2, 2])
    expect(messages[1]?.lines[1]).toBe('PID|2\\.br\\broken')
    expect(warnings).toHaveLength(2)
    expect(atOnce(splitMessages(['PID|1\rPV1|1'], defaultLimits)).warnings).toHaveLength(1)
  })

  it.each(['MSH', 'MSH|', 'MSHA^~\\&|', 'MSH||||', 'MSH|^^^^|'])('refuses %s', first => {
    expect(() => atOnce(parseMessage([first], new TextDecoder()))).toThrow(
      expect.objectContaining({ code: 'ingest.hl7-malformed' }),
    )
  })

  it('refuses a segment that would fill the memory', () => {
    expect(() => atOnce(splitMessages([`MSH|${'x'.repeat(2_000_000)}`], defaultLimits))).toThrow(
      expect.objectContaining({ code: 'ingest.token-too-long' }),
    )
  })
})

describe('ADT – HL7 v2-to-FHIR Implementation Guide 1.0.0', () => {
  const pid =
    'PID|1||4711^^^CLINIC&1.2.3&ISO^MR~99||Doe^Jane^Q^III^Dr.^PhD^L~Roe^Jane^^^^^M||19800101|F|||1 Main&Main^Apt 2^Town^ST^123^DE^H||^PRN^PH^^49^431^555~^NET^Internet^j@x.de|^WPN^CP^^^^556|de|M|||123-45-6789'

  it('A01 fills what the Patient lacks and adds identifiers', () => {
    expect(patientOf(adt(pid))).toMatchObject({
      identifier: [
        { system: 'urn:oid:1.2.3', value: '4711', type: { coding: [{ code: 'MR' }] } },
        { value: '99' },
        { system: 'http://hl7.org/fhir/sid/us-ssn', value: '123-45-6789' },
      ],
      name: [
        { use: 'official', family: 'Doe', given: ['Jane', 'Q'], prefix: ['Dr.'], suffix: ['III', 'PhD'] },
        { use: 'maiden', family: 'Roe', given: ['Jane'] },
      ],
      birthDate: '1980-01-01',
      gender: 'female',
      address: [{ use: 'home', line: ['1 Main', 'Apt 2'], city: 'Town', postalCode: '123', country: 'DE' }],
      telecom: [
        { system: 'phone', value: '+49 431 555', use: 'home' },
        { system: 'email', value: 'j@x.de' },
        { value: '556', use: 'mobile' },
      ],
      maritalStatus: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-MaritalStatus', code: 'M' }] },
    })
    const kept = patientOf(adt(pid), { resourceType: 'Patient', name: [{ family: 'Own' }], birthDate: '1979' })
    // A maiden name is no other form of the name that stands.
    const name = [{ family: 'Own' }, { use: 'maiden', family: 'Roe' }]
    expect(kept).toMatchObject({ name, birthDate: '1979', gender: 'female' })
    expect(patientOf(adt('PID|1||'), { resourceType: 'Patient' })).toBeUndefined()
  })

  it('A08 replaces what it names, deletes what is null and keeps the rest', () => {
    const before = {
      resourceType: 'Patient',
      name: [{ family: 'Old' }],
      address: [{ city: 'Old' }],
      gender: 'male',
      photo: [{}],
    }
    const [outcomes = []] = hl7Outcomes(message(msh('ADT^A08'), 'PID|1||||New||||||""'))
    // When it was said is noted, and what was taken away then, so that an older message that comes later does not turn time back.
    const valueInstant = '2026-02-10T07:15:00.000Z'
    const gone = [
      { url: 'what', valueString: 'PID-11' },
      { url: 'at', valueInstant },
    ]
    const meta = {
      extension: [
        { url: 'urn:kinhold:hl7v2:taken-back', extension: gone },
        { url: 'urn:kinhold:hl7v2:said-at', valueInstant },
      ],
    }
    const { address, ...rest } = before
    expect(patientOf(outcomes, before)).toEqual({ ...rest, name: [{ family: 'New' }], meta })
  })

  it('keeps the time of birth as the extension for it', () => {
    const born = patientOf(adt('PID|1||||X||198808181126+0215'))
    expect(born).toMatchObject({
      birthDate: '1988-08-18',
      _birthDate: { extension: [{ valueDateTime: '1988-08-18T11:26:00+02:15' }] },
    })
  })

  it('gives Encounter, RelatedPerson, AllergyIntolerance, Condition, Coverage and Observation', () => {
    const outcomes = adt(
      pid,
      'NK1|1|Doe^Jim|SPO|||555',
      'PV1|1|I|W^1^2|||7^Doc|||||||||||||V1^^^CLINIC|||||||||||||||||||||||||20260210|20260212',
      'AL1|1|DA|123^Penicillin^L|SV|Rash',
      'DG1|1||I10^High blood pressure^I10||20260210|F',
      'IN1|1|P|C1|Insurer||||||||20260101||||||||||||||||||||||||N1',
      'OBX|1|NM|8867-4^Heart rate^LN||88|/min|||||F',
      'ZXX|1',
    )
    for (const resource of resourcesOf(outcomes)) expect(validator.validate(resource)).toEqual([])
    expect(resourcesOf(outcomes).map(({ resourceType }) => resourceType)).toEqual([
      'Encounter',
      'RelatedPerson',
      'AllergyIntolerance',
      'Condition',
      'Coverage',
      'Observation',
    ])
    expect(ofType(outcomes, 'Encounter')[0]).toMatchObject({
      status: 'finished',
      class: { code: 'IMP' },
      period: { start: '2026-02-10', end: '2026-02-12' },
    })
    expect(ofType(outcomes, 'AllergyIntolerance')[0]).toMatchObject({
      category: ['medication'],
      criticality: 'high',
      reaction: [{ manifestation: [{ text: 'Rash' }], severity: 'severe' }],
    })
    expect(ofType(outcomes, 'Condition')[0]).toMatchObject({
      verificationStatus: { coding: [{ code: 'confirmed' }, { code: 'F' }] },
      code: { coding: [{ system: 'http://hl7.org/fhir/sid/icd-10', code: 'I10' }] },
    })
    expect(outcomes).toContainEqual({ kind: 'unmapped', row: 'ZXX', location: 'ZXX^1' })
  })

  it('gives the same ids whatever the order of unrelated segments', () => {
    const segments = ['AL1|1|DA|1^A^L', 'DG1|1||I10^B^I10', 'NK1|1|Doe^Jim|SPO']
    const ids = (list: readonly string[]) =>
      resourcesOf(adt(pid, ...list))
        .map(({ id }) => id)
        .sort()
    expect(ids(segments.toReversed())).toEqual(ids(segments))
  })

  it('names fields it cannot read and goes on', () => {
    const outcomes = adt('PID|1||||X||196203520')
    expect(outcomes).toContainEqual(
      expect.objectContaining({ text: 'PID-7 could not be read and was left out.', location: 'PID^1^7' }),
    )
    expect(patientOf(outcomes)).toMatchObject({ name: [{ family: 'X' }] })
  })

  it('refuses what it does not take in, by type and by event', () => {
    const query = message(msh('QBP^Q22'), 'PID|1||4711')
    expect(() => hl7Outcomes(query)).toThrow(expect.objectContaining({ code: 'ingest.hl7-query-unanswered' }))
    const personnel = message(msh('PMU^B01'), 'PID|1||4711')
    expect(() => hl7Outcomes(personnel)).toThrow(expect.objectContaining({ code: 'ingest.hl7-type-unsupported' }))
    // A20 is the state of a bed, and of nobody.
    const bed = message(msh('ADT^A20'), 'PID|1||4711')
    expect(() => hl7Outcomes(bed)).toThrow(expect.objectContaining({ code: 'ingest.hl7-event-unsupported' }))
    expect(hl7Case('ADT-A40-01.hl7').flat()).not.toEqual([])
    expect(() => adt('PV1|1')).toThrow(expect.objectContaining({ code: 'ingest.hl7-segment-missing' }))
  })
})

describe('ORU^R01 – HL7 v2-to-FHIR Implementation Guide 1.0.0', () => {
  it.each([
    [
      'a number',
      ['NM', 'C^X^LN', '', '4.06', 'tera.l-1'],
      { valueQuantity: { value: 4.06, unit: 'tera.l-1', system: 'http://unitsofmeasure.org', code: '10*12/L' } },
    ],
    [
      'a number below',
      ['NM', 'C', '', '<0.10', 'kU/L'],
      { valueQuantity: { comparator: '<', unit: 'kU/L', code: 'kU/L' } },
    ],
    ['a unit that is none', ['NM', 'C', '', '3', 'bananas'], { valueQuantity: { value: 3, unit: 'bananas' } }],
    ['a structured number', ['SN', 'C', '', '>=^90', 'mg/L'], { valueQuantity: { comparator: '>=', value: 90 } }],
    ['a range', ['SN', 'C', '', '^1^-^5', 'mg/L'], { valueRange: { low: { value: 1 }, high: { value: 5 } } }],
    ['a titre', ['SN', 'C', '', '^1^:^128'], { valueRatio: { numerator: { value: 1 }, denominator: { value: 128 } } }],
    [
      'a code',
      ['CWE', 'C', '', '260373001^Detected^SCT'],
      { valueCodeableConcept: { coding: [{ system: 'http://snomed.info/sct', code: '260373001' }], text: 'Detected' } },
    ],
    ['text in lines', ['TX', 'C', '', 'one~two'], { valueString: 'one\ntwo' }],
    ['a date', ['DT', 'C', '', '20260210'], { valueDateTime: '2026-02-10' }],
    ['a time of day', ['TM', 'C', '', '0815'], { valueTime: '08:15:00' }],
    ['a number that is none', ['NM', 'C', '', 'clotted'], { valueString: 'clotted' }],
    ['a type that is none', ['FN', 'C', '', 'x^y&z'], { valueString: 'x^y&z' }],
  ])('reads %s', (_, fields, expected) => {
    const observation = obx(...fields, ...Array.from({ length: 6 - fields.length + 3 }, () => ''), 'F')
    expect(observation).toMatchObject(expected)
    expect(observation && validator.validate(observation)).toEqual([])
  })

  it('keeps the trailing zero of a result', () => {
    expect(JSON.stringify(obx('NM', 'C', '', '12.10', 'g/dL'))).toContain('"value":12.10')
  })

  it('reads status, interpretation, range, method and notes', () => {
    const outcomes = oru(
      'OBR|1|||X|||20260210',
      'OBX|1|NM|C||1|g/L|0-2|HH|||C|||20260211|||M^Method^L',
      'NTE|1||seen twice',
      'NTE|2||and again',
    )
    expect(ofType(outcomes, 'Observation')[0]).toMatchObject({
      status: 'corrected',
      interpretation: [
        { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation', code: 'HH' }] },
      ],
      referenceRange: [{ text: '0-2' }],
      effectiveDateTime: '2026-02-11',
      method: { text: 'Method' },
      note: [{ text: 'seen twice\nand again' }],
    })
  })

  it('ties report, order, specimen and results together', () => {
    const outcomes = oru(
      'ORC|RE|P1|F1||CM',
      'OBR|1|P1|F1|58410-2^CBC^LN|||20260210|||||||||||||||20260211120000||LAB|F',
      'OBX|1|NM|718-7^Hb^LN||12|g/dL|||||F',
      'SPM|1|S&A^S2&B||BLD|||||||||||||20260210',
    )
    const [report] = ofType(outcomes, 'DiagnosticReport')
    const reference = (type: string) => ({ reference: `${type}/${ofType(outcomes, type)[0]?.id}` })
    expect(report).toMatchObject({
      status: 'final',
      basedOn: [reference('ServiceRequest')],
      specimen: [reference('Specimen')],
      result: [reference('Observation')],
      issued: '2026-02-11T12:00:00+01:00',
    })
    expect(ofType(outcomes, 'ServiceRequest')[0]).toMatchObject({ status: 'completed', intent: 'order' })
    for (const resource of resourcesOf(outcomes)) expect(validator.validate(resource)).toEqual([])
  })

  it('attaches an embedded document to the report', () => {
    const outcomes = oru('OBR|1||F2|X', 'OBX|1|ED|P^Report^L||LAB^application^pdf^Base64^JVBERi0=||||||F')
    expect(ofType(outcomes, 'DiagnosticReport')[0]?.presentedForm).toEqual([
      { contentType: 'application/pdf', data: 'JVBERi0=' },
    ])
  })

  it('gives a corrected result the id of the first one', () => {
    const result = (number: string, status: string) =>
      ofType(oru('OBR|1||F1|X', `OBX|1|NM|718-7^Hb^LN||${number}|g/dL|||||${status}`), 'Observation')[0]?.id
    expect(result('12', 'F')).toBe(result('13', 'C'))
  })
})

describe('messages from the wild', () => {
  const unsupported = new Set(['ADT-A40-01.hl7'])
  const files = readdirSync(new URL('hl7v2/', cases)).filter(name => name.endsWith('.hl7') && !unsupported.has(name))

  it.each(files)('%s gives valid resources whose references are among them', name => {
    for (const outcomes of hl7Case(name)) {
      const resources = resourcesOf(outcomes)
      const patient = patientOf(outcomes)
      for (const resource of patient === undefined ? resources : [...resources, patient])
        expect(validator.validate({ id: 'x', ...resource })).toEqual([])
      const known = new Set(['Patient/anna', ...resources.map(({ resourceType, id }) => `${resourceType}/${id}`)])
      const named = JSON.stringify(plain(outcomes)).matchAll(/"reference":"([^#"][^"]*)"/g)
      for (const [, reference] of named) expect(known).toContain(reference)
      expect(outcomes.length).toBeGreaterThan(0)
    }
  })
})

describe('acknowledgements – HL7 v2.5 chapter 2.9, table 0357', () => {
  const now = Date.parse('2026-02-10T08:15:00Z')
  const received = parsed(
    message('MSH|^~\\&|HIS|CLINIC^1.2^ISO|KIN|HOME|2026||ADT^A01|M|1|T|2.3', 'PID|1||SECRET-4711'),
  )

  it('swaps sender and receiver and repeats the control id', () => {
    const [msh = '', msa] = acknowledge(parsed(message(msh2)), { code: 'AA', condition: '0', text: '' }, now).split(
      '\r',
    )
    expect(msh.split('|').slice(2, 9)).toEqual([
      'KIN',
      'HOME',
      'HIS',
      'CLINIC^1.2^ISO',
      '20260210081500+0000',
      '',
      'ACK^A01^ACK',
    ])
    expect(msa).toBe('MSA|AA|M1')
  })

  const msh2 = 'MSH|^~\\&|HIS|CLINIC^1.2^ISO|KIN|HOME|2026||ADT^A01|M1|P|2.5'

  it('says where and why and quotes nothing', () => {
    const problem = new Problem('unprocessable', 'ingest.hl7-patient-unknown', 'The patient is not known here.', {
      expression: 'PID-3',
    })
    const ack = acknowledge(received, verdictOf(problem), now)
    expect(ack).toContain('ERR||PID^1^3|204^Unknown key identifier^HL70357|E||||The patient is not known here.')
    expect(ack).not.toContain('SECRET')
  })

  it.each([
    ['ingest.hl7-malformed', 'AR', '100'],
    ['ingest.hl7-type-unsupported', 'AR', '200'],
    ['ingest.hl7-event-unsupported', 'AR', '201'],
    ['ingest.hl7-processing-unsupported', 'AR', '202'],
    ['ingest.hl7-version-unsupported', 'AR', '203'],
    ['ingest.hl7-segment-missing', 'AE', '100'],
    ['ingest.hl7-field-missing', 'AE', '101'],
    ['ingest.hl7-invalid', 'AE', '102'],
    ['ingest.hl7-patient-unknown', 'AE', '204'],
    ['ingest.patient-contradicted', 'AE', '205'],
    ['ingest.patient-doubtful', 'AE', '205'],
    ['store.failed', 'AR', '207'],
  ])('answers %s with %s and %s', (code, verdict, condition) => {
    expect(verdictOf(new Problem('fault', code, 'x'))).toMatchObject({ code: verdict, condition })
  })

  it('tells a sender nothing of faults that are not its own', () => {
    expect(verdictOf(new Problem('fault', 'store.failed', 'the disk of the server')).text).not.toContain('disk')
  })

  it('answers even what was no message', () => {
    expect(acknowledge(undefined, { code: 'AR', condition: '100', text: 'x' }, now)).toMatch(
      /^MSH\|\^~\\&\|\|\|\|\|20260210081500\+0000\|\|ACK\|[0-9a-f]{20}\|P\|2\.5\rMSA\|AR\|\rERR\|/,
    )
  })
})
