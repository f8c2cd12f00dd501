import type { Resource } from '#fhir'
import { createValidator } from '#validation'
import { hl7Outcomes, message, resourcesOf } from './reading.ts'

const validator = createValidator()
const msh = (event: string) => `MSH|^~\\&|HIS|CLINIC|||20260210081500+0100||${event}|M1|P|2.5`

function oru(...segments: string[]): readonly Resource[] {
  const outcomes = hl7Outcomes(message(msh('ORU^R01'), 'PID|1||4711^^^C', ...segments))[0] ?? []
  return resourcesOf(outcomes)
}

/** The Observation of an OBX: type, value, unit, code. */
function observed(type: string, given: string, unit = '', code = 'C^Thing^L'): Resource | undefined {
  const found = oru('OBR|1||F1|X', `OBX|1|${type}|${code}||${given}|${unit}|||||F`)
  return found.find(({ resourceType }) => resourceType === 'Observation')
}

function patient(...segments: string[]): Resource {
  const outcomes = hl7Outcomes(message(msh('ADT^A01'), ...segments))[0] ?? []
  const amend = outcomes.find(outcome => outcome.kind === 'amend')
  return (amend?.kind === 'amend' && amend.change({ resourceType: 'Patient' })) || { resourceType: 'Patient' }
}

const warnings = (...segments: string[]) =>
  (hl7Outcomes(message(msh('ADT^A01'), ...segments))[0] ?? []).flatMap(outcome =>
    outcome.kind === 'warning' ? [outcome.text] : outcome.kind === 'unread' ? [`${outcome.place} unread`] : [],
  )

describe('OBX-5 by its type – https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-obx-to-observation.html', () => {
  const ucum = 'http://unitsofmeasure.org'

  it.each([
    ['not equal', '<>^23', { valueString: '<> 23 mg/dL' }],
    ['plus', '^2^+', { valueString: '2 + mg/dL' }],
    ['greater or equal', '>=^90', { valueQuantity: { comparator: '>=', value: 90 } }],
    ['equal', '=^5', { valueQuantity: { value: 5, unit: 'mg/dL' } }],
    ['alone', '^5', { valueQuantity: { value: 5 } }],
    ['a range', '^1^-^5', { valueRange: { low: { value: 1, unit: 'mg/dL' }, high: { value: 5 } } }],
    ['a range with a comparator', '>^1^-^5', { valueString: '> 1 - 5 mg/dL' }],
    ['a titre', '^1^:^128', { valueRatio: { numerator: { value: 1 }, denominator: { value: 128 } } }],
    // The guide's OBX[Observation] gives OBX-6 to both parts of a ratio.
    [
      'a ratio with a unit',
      '^1^/^20',
      { valueRatio: { numerator: { unit: 'mg/dL' }, denominator: { unit: 'mg/dL' } } },
    ],
    ['a ratio', '<^1^/^20', { valueRatio: { numerator: { comparator: '<', value: 1 } } }],
    ['two numbers and no separator', '^1^^5', { valueString: '1 5 mg/dL' }],
    ['no number', '^few', { valueString: 'few mg/dL' }],
  ])('SN %s', (_, given, expected) => {
    const found = observed('SN', given, 'mg/dL')
    expect(found).toMatchObject(expected)
    expect(found && validator.validate(found)).toEqual([])
    expect(Object.keys(found ?? {}).filter(name => name.startsWith('value'))).toHaveLength(1)
  })

  it('several texts are components, several lines are one text (2.A.76)', () => {
    expect(observed('ST', 'cloudy~bloody')).toMatchObject({
      component: [{ valueString: 'cloudy' }, { valueString: 'bloody' }],
    })
    for (const type of ['TX', 'FT']) expect(observed(type, 'one~two')).toMatchObject({ valueString: 'one\ntwo' })
    expect(observed('ST', 'one^two')).toMatchObject({ valueString: 'one^two' })
  })

  it.each([
    ['OBR-34', `${'|'.repeat(9)}7&Tech&Tom`, 'SPRF'],
    ['OBR-35', `${'|'.repeat(10)}7&Tech&Tom`, 'TRANS'],
  ])('%s: who did a part of the work is told from the others', (_, rest, code) => {
    const report = oru(`OBR|1||F1|X|||20260210${'|'.repeat(18)}F${rest}`).find(
      ({ resourceType }) => resourceType === 'DiagnosticReport',
    )
    expect(report).toMatchObject({
      performer: [
        {
          extension: [
            {
              url: 'http://hl7.org/fhir/StructureDefinition/event-performerFunction',
              valueCodeableConcept: { coding: [{ code }] },
            },
          ],
          display: 'Tom Tech',
        },
      ],
    })
    expect(report && validator.validate(report)).toEqual([])
  })

  it('words and version of a code that the table has, too, are kept', () => {
    const type = (given: string) => {
      const found = oru('OBR|1||F1|X', `SPM|1|^S1||${given}`).find(({ resourceType }) => resourceType === 'Specimen')
      return (found as { type?: { coding?: object[] } } | undefined)?.type?.coding
    }
    expect(type('119297000^Blood specimen^SCT^BLD^Blood from the arm^HL70487')).toMatchObject([
      { code: '119297000', display: 'Blood specimen' },
      { code: 'BLD', display: 'Blood from the arm' },
    ])
    expect(type('BLD^Blood^HL70487^^^^2.1')).toMatchObject([
      { code: 'BLD' },
      { system: 'http://terminology.hl7.org/CodeSystem/v2-0487', code: 'BLD', version: '2.1' },
    ])
  })

  it.each([
    ['Rash', { text: 'Rash' }],
    ['271807003^Rash^SCT', { coding: [{ system: 'http://snomed.info/sct', code: '271807003' }], text: 'Rash' }],
  ])('AL1-5, IAM-5: a reaction in words, or in a code: %s', (given, manifestation) => {
    for (const segment of [`AL1|1|DA|P^Penicillin^L|SV|${given}`, `IAM|1|DA|P^Penicillin^L|SV|${given}|A`])
      expect(resourcesOf(hl7Outcomes(message(msh('ADT^A08'), 'PID|1||4711^^^C', segment))[0] ?? [])).toMatchObject([
        { reaction: [{ manifestation: [manifestation] }] },
      ])
  })

  it('EVN-6 alone is told, with who sent it, where nobody is named', () => {
    const [event] = resourcesOf(
      hl7Outcomes(message(msh('ADT^A08'), 'EVN|A08|20260210081000+0100||||20260209', 'PID|1||4711^^^C'))[0] ?? [],
    ).filter(({ resourceType }) => resourceType === 'Provenance')
    expect(event).toMatchObject({
      occurredDateTime: '2026-02-09',
      agent: [{ type: { coding: [{ code: 'author' }] }, who: { type: 'Organization', display: 'CLINIC' } }],
    })
    expect(event && validator.validate(event)).toEqual([])
  })

  it.each([
    ['a signed number', 'NM', '+5.2', { valueQuantity: { value: 5.2 } }],
    ['a user code', 'IS', 'M', { valueCodeableConcept: { coding: [{ code: 'M' }] } }],
    ['an HL7 code', 'ID', 'Y', { valueCodeableConcept: { coding: [{ code: 'Y' }] } }],
    ['a period', 'DR', '20240101^20240131', { valuePeriod: { start: '2024-01-01', end: '2024-01-31' } }],
    ['an open period', 'DR', '20240101', { valuePeriod: { start: '2024-01-01' } }],
    ['a period that ends before it starts', 'DR', '20240131^20240101', { valueString: '20240131^20240101' }],
    ['a period of which half is none', 'DR', '2024x^20240101', { valueString: '2024x^20240101' }],
    ['a range that is turned', 'NR', '10^5', { valueString: '10^5' }],
    ['a range', 'NR', '5^10', { valueRange: { low: { value: 5 }, high: { value: 10 } } }],
    ['a range of one end', 'NR', '^10', { valueRange: { high: { value: 10 } } }],
    ['a variable range', 'VR', '5^10', { valueString: '5-10' }],
    ['a quantity with a unit of its own', 'CQ', '5^mL', { valueQuantity: { value: 5, unit: 'mL' } }],
    ['money', 'MO', '12.50^EUR', { valueQuantity: { unit: 'EUR', system: 'urn:iso:std:iso:4217', code: 'EUR' } }],
    ['a name', 'XPN', 'Doe^Jane^Q^^Dr.', { valueString: 'Dr. Jane Q Doe' }],
    ['a place', 'PL', 'W^101^2', { valueString: 'W, 101, 2' }],
    ['a number of numbers', 'NA', '125^34^-22', { valueSampledData: { dimensions: 1, data: '125 34 -22' } }],
    ['an array', 'NA', '1.2^-3.5~2^3', { valueSampledData: { dimensions: 2, data: '1.2 -3.5 2 3' } }],
    ['an array with holes', 'NA', '^2~5^', { valueSampledData: { dimensions: 2, data: 'E 2 5 E' } }],
    ['a small type code in lower case', 'nm', '7', { valueQuantity: { value: 7 } }],
  ])('%s', (_, type, given, expected) => {
    const found = observed(type, given)
    expect(JSON.parse(JSON.stringify(found))).toMatchObject(expected)
    expect(found && validator.validate(found)).toEqual([])
  })

  it('several coded values are components of one observation, lines of text are one text', () => {
    const found = observed('CWE', 'A^One^L~B^Two^L')
    expect(found).toMatchObject({
      component: [
        { code: { text: 'Thing' }, valueCodeableConcept: { text: 'One' } },
        { code: { text: 'Thing' }, valueCodeableConcept: { text: 'Two' } },
      ],
    })
    expect(found && validator.validate(found)).toEqual([])
    expect(observed('FT', 'one~two')).toMatchObject({ valueString: 'one\ntwo' })
  })

  it.each([
    ['in the alternate triplet alone', '^^^mL^milliliter^UCUM', { unit: 'milliliter', system: ucum, code: 'mL' }],
    [
      'code, words and system of another code system',
      '258773002^mL^SCT',
      { unit: 'mL', system: 'http://snomed.info/sct', code: '258773002' },
    ],
    ['UCUM by name', 'mmol/L^millimole^UCUM', { unit: 'millimole', system: ucum, code: 'mmol/L' }],
    ['UCUM by name in a spelling', 'mmHg^^UCUM', { unit: 'mmHg', system: ucum, code: 'mm[Hg]' }],
    ['a certain unit', 'mg/dL', { unit: 'mg/dL', system: ucum, code: 'mg/dL' }],
    ['ISO+', 'g/dl^^ISO+', { unit: 'g/dl', system: ucum, code: 'g/dL' }],
  ])('OBX-6 %s', (_, unit, expected) => {
    expect(observed('NM', '5', unit)?.valueQuantity).toEqual({ value: 5, ...expected })
  })

  it.each(['F', 'C', 'MG', 'yd', 'G', 'K', 'bananas', 'ST', 'T'])('OBX-6 %s is no UCUM code by itself', unit => {
    expect(observed('NM', '5', unit)?.valueQuantity).toEqual({ value: 5, unit })
  })

  it('F is the degree of Fahrenheit where a temperature was measured', () => {
    expect(observed('NM', '98.6', 'F', '8310-5^Body temperature^LN')?.valueQuantity).toMatchObject({
      code: '[degF]',
      unit: 'F',
    })
    expect(observed('NM', '37', 'C', 'T^Temp^L^8310-5^Body temperature^LN')?.valueQuantity).toMatchObject({
      code: 'Cel',
    })
    expect(observed('NM', '5', 'F', '2345-7^Glucose^LN')?.valueQuantity).toEqual({ value: 5, unit: 'F' })
  })

  it('what R4 calls a vital sign by its code is in that category', () => {
    const category = [{ coding: [{ code: 'vital-signs' }] }]
    expect(observed('NM', '88', '/min', '8867-4^Heart rate^LN')).toMatchObject({ category })
    expect(observed('NM', '88', '/min', 'HR^Pulse^L^8867-4^Heart rate^LN')).toMatchObject({ category })
    expect(observed('NM', '88', 'mg/dL', '2345-7^Glucose^LN')?.category).toBeUndefined()
  })

  it('OBX-7 has limits in the unit of the value when it is two numbers', () => {
    const [, found] = [0, oru('OBR|1||F1|X', 'OBX|1|NM|C^X^L||4|g/L|3.5-5.0||||F')] as const
    expect(JSON.parse(JSON.stringify(found.find(({ resourceType }) => resourceType === 'Observation')))).toMatchObject({
      referenceRange: [{ low: { value: 3.5, code: 'g/L' }, high: { value: 5, code: 'g/L' }, text: '3.5-5.0' }],
    })
  })
})

describe('ED and RP – https://hl7.org/fhir/R4/datatypes.html#Attachment att-1', () => {
  const forms = (given: string, type = 'ED') =>
    oru('OBR|1||F1|X', `OBX|1|${type}|P^Doc^L||${given}||||||F`).find(
      ({ resourceType }) => resourceType === 'DiagnosticReport',
    )?.presentedForm

  it.each([
    ['plain text', '^TEXT^PLAIN^A^hello', 'text/plain', 'hello'],
    ['an image', '^IM^TIFF^Base64^SUkqAA==', 'image/tiff', 'II*\0'],
    ['hexadecimal', '^AP^PDF^Hex^255044462d', 'application/pdf', '%PDF-'],
    ['a type in full', '^application^pdf^Base64^JVBERi0=', 'application/pdf', '%PDF-'],
    ['a subtype that is a media type', '^^image/png^Base64^AAAA', 'image/png', '\0\0\0'],
    ['neither type nor subtype', '^^^Base64^JVBERi0=', 'application/octet-stream', '%PDF-'],
    ['another subtype', '^IM^WEBP^Base64^AAAA', 'image/webp', '\0\0\0'],
    ['base 64 that is none', '^TEXT^^Base64^not base 64!', 'text/plain', 'not base 64!'],
    ['base 64 that is no document', '^AP^PDF^Base64^@@@@', 'application/octet-stream', '@@@@'],
    ['hexadecimal that is none', '^AP^PDF^Hex^4949ZZ', 'application/octet-stream', '4949ZZ'],
    ['a data URI', '^^^^data:application/pdf;base64,JVBERi0=', 'application/pdf', '%PDF-'],
  ])('%s', (_, given, contentType, text) => {
    expect(forms(given)).toEqual([{ contentType, data: Buffer.from(text, 'latin1').toString('base64') }])
  })

  it.each([
    ['a time of day with an offset', '143015+0100', true, 'TM'],
    ['a time of day', '143015', false, 'TM'],
    ['data that are not in their encoding', '^AP^PDF^Base64^@@@@', true],
    ['good data', '^AP^PDF^Base64^JVBERi0=', false],
    ['data of no encoding', '^TX^^A^@@@@', false],
  ])('%s are named, or not', (_, given, isNamed, type = 'ED') => {
    const obx = `OBX|1|${type}|P^Doc^L||${given}||||||F`
    const [outcomes = []] = hl7Outcomes(message(msh('ORU^R01'), 'PID|1||4711^^^C', 'OBR|1||F1|X', obx))
    const told = outcomes.filter(one => one.kind === 'warning' && one.text.startsWith('OBX-5'))
    expect(told).toHaveLength(isNamed ? 1 : 0)
  })

  it.each([
    ['ED', 'PDFDATA', 'PDFDATA'],
    ['ED', '^AP^PDF^Base64^', '^AP^PDF^Base64'],
    ['RP', '^APP^AP', '^APP^AP'],
  ])('what is in %s %j and no document stays as text', (type, given, text) => {
    const [observation] = oru('OBR|1||F1|X', `OBX|1|${type}|P^Doc^L||${given}||||||F`).filter(
      ({ resourceType }) => resourceType === 'Observation',
    )
    expect(observation).toMatchObject({ valueString: text })
  })

  it('several, and one that lies elsewhere', () => {
    expect(forms('^AP^PDF^Base64^JVBERi0=~^IM^PNG^Base64^AAAA')).toHaveLength(2)
    expect(forms('https://lab.example/1.pdf^APP^AP^PDF', 'RP')).toEqual([
      { contentType: 'application/pdf', url: 'https://lab.example/1.pdf' },
    ])
  })
})

describe('XTN – https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-datatype-xtn-to-contactpoint.html', () => {
  const telecom = (field: string) => patient(`PID|1||4711|${'|'.repeat(8)}${'|'}${field}`).telecom

  it.each([
    [
      'a telephone and an e-mail address in one',
      '(555)111-2222^PRN^PH^a@b.example',
      [
        ['phone', '(555)111-2222', 'home'],
        ['email', 'a@b.example', 'home'],
      ],
    ],
    ['an address of the internet', '^NET^Internet^j@x.de', [['email', 'j@x.de', 'home']]],
    ['an address in the first component', 'j@x.de^NET', [['email', 'j@x.de', 'home']]],
    ['parts', '^WPN^PH^^49^431^555^12', [['phone', '+49 431 555 X12', 'work']]],
    ['parts and the whole', '^WPN^PH^^49^431^555^^^^^0431555', [['phone', '0431555', 'work']]],
    ['a cell phone', '^PRN^CP^^^^556', [['phone', '556', 'mobile']]],
    ['a fax', '555^WPN^FX', [['fax', '555', 'work']]],
    ['a pager', '555^BPN^BP', [['pager', '555', 'home']]],
    [
      'several repetitions',
      '1^PRN~2^WPN',
      [
        ['phone', '1', 'home'],
        ['phone', '2', 'work'],
      ],
    ],
  ])('%s', (_, field, expected) => {
    const found = (telecom(field) ?? []) as { system?: string; value?: string; use?: string }[]
    expect(found.map(({ system, value, use }) => [system, value, use])).toEqual(expected)
  })

  it('keeps country, area, number and extension apart, the time and the rank', () => {
    expect(telecom('^PRN^PH^^1^555^1112222^9^^^^^20200101^20301231^^^^2')).toMatchObject([
      {
        extension: [{ valueString: '1' }, { valueString: '555' }, { valueString: '1112222' }, { valueString: '9' }],
        period: { start: '2020-01-01', end: '2030-12-31' },
        rank: 2,
      },
    ])
  })
})

describe('names, identifiers, codes', () => {
  it('a name has its parts, its order, its time and what one is called by', () => {
    expect(
      patient('PID|1||1||Doe&van&Does&de&Smith^Jane^Q^III^Dr.^PhD^L^^^^G^20000101^20101231^MD^Janey').name,
    ).toMatchObject([
      {
        use: 'official',
        family: 'Doe',
        _family: {
          extension: [{ valueString: 'van' }, { valueString: 'Does' }, { valueString: 'de' }, { valueString: 'Smith' }],
        },
        given: ['Jane', 'Q'],
        prefix: ['Dr.'],
        suffix: ['III', 'PhD', 'MD'],
        period: { start: '2000-01-01', end: '2010-12-31' },
        extension: [{ valueCode: 'G' }],
      },
      { use: 'nickname', given: ['Janey'] },
    ])
  })

  it('an identifier has its check digit, its type, its time and who gave it', () => {
    expect(patient('PID|1||4711^3^M10^CLINIC&1.2.3&ISO^MR^^20200101^20301231').identifier).toMatchObject([
      {
        extension: [{ valueString: '3' }, { valueString: 'M10' }],
        type: { coding: [{ code: 'MR' }] },
        system: 'urn:oid:1.2.3',
        value: '4711',
        period: { start: '2020-01-01', end: '2030-12-31' },
        assigner: { display: 'CLINIC' },
      },
    ])
  })

  it('a code of an HL7 table becomes FHIR’s, and the sender’s own stays beside it', () => {
    const { maritalStatus } = patient(`PID|1||1|${'|'.repeat(12)}A^Separated^HL70002`)
    expect(maritalStatus).toMatchObject({
      coding: [
        { system: 'http://terminology.hl7.org/CodeSystem/v3-MaritalStatus', code: 'L' },
        { system: 'http://terminology.hl7.org/CodeSystem/v2-0002', code: 'A' },
      ],
      text: 'Separated',
    })
  })

  it('a code that a table does not have names the table; one of another system stays', () => {
    const status = (code: string) => patient(`PID|1||1|${'|'.repeat(12)}${code}`).maritalStatus
    expect(status('Q')).toEqual({ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v2-0002', code: 'Q' }] })
    expect(status('87915002^Married^SCT')).toMatchObject({
      coding: [{ system: 'http://snomed.info/sct', code: '87915002' }],
    })
  })

  it('a code without a word in R4 is kept beside, and the sender is told', () => {
    const pid = 'PID|1||1||Doe^Jane|||X'
    expect(patient(pid)).toMatchObject({
      _gender: {
        extension: [
          {
            valueCodeableConcept: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v2-0001', code: 'X' }] },
          },
        ],
      },
    })
    expect(validator.validate({ ...patient(pid), id: 'x' })).toEqual([])
    expect(warnings(pid)).toContain('PID-8 has a code that R4 has no word for; it is kept beside.')
  })

  it('another number than that of the parts, a unit of a text and half a period are named', () => {
    const phone = (first: string) => `PID|1||4711||${'|'.repeat(8)}${first}^PRN^PH^^^555^1112222`
    expect(warnings(phone('78788788'))).toContain('PID-13.1 unread')
    expect(warnings(phone('(555)111-2222'))).toEqual([])
    expect(warnings('PID|1||4711', 'OBX|1|ST|C^X^L||few|g/L|||||F')).toContain('OBX-6 unread')
    expect(warnings('PID|1||4711^^^C', `PV1|1|I|||||||||||||||||V1`, 'OBX|1|NM|C^X^L||5|g/L|||||F')).toEqual([])
  })

  const visit = (...fields: string[]) => ['PID|1||4711^^^C', `PV1|1|I|${'|'.repeat(16)}V1`, ...fields]
  const fourth = (kind: string) => `HOSP&1.2.3&ISO&more^${kind}`

  it.each([
    ['a surname of seven parts', ['PID|1||4711^^^C||Ludwig&van&L&von&P&sixth&seventh^Ann'], ['PID-5.1.6', 'PID-5.1.7']],
    ['in the second repetition', ['PID|1||4711^^^C||Eva^A~Ludwig&&&&&sixth^A^^^^^M'], ['PID-5[2].1.6']],
    ['a given name of two is one text', ['PID|1||4711^^^C||Eva^Ann&Marie'], []],
    ['an authority of four parts', [`PID|1||4711^^^${fourth('MR')}`], ['PID-3.4.4']],
    ['the words of a code', ['PID|1||4711^^^C|||||F^Female^HL70001'], ['PID-8.2']],
    ['a code of two parts', ['PID|1||4711^^^C|||||F&more'], ['PID-8.1.2']],
    ['a coding of two parts', ['PID|1||4711^^^C||||||||||||M&more^Married^HL70002'], ['PID-15.1.2']],
    ['the doctor', visit().with(1, `PV1|1|I|||||7^Roe&&&&&sixth${'|'.repeat(12)}V1`), ['PV1-7.2.6']],
    [
      'the second coding of one that is taken',
      visit(`PV2|${'|'.repeat(37)}A^Ambulance^HL70430^X^Other^L`),
      ['PV2-38.4', 'PV2-38.5', 'PV2-38.6'],
    ],
  ])('what stands in a part that has no place is named: %s', (_, segments, places) => {
    expect(warnings(...segments)).toEqual(places.map(place => `${place} unread`))
  })

  it('the acknowledgement finds the subcomponent (ERL.6)', () => {
    const [outcomes = []] = hl7Outcomes(message(msh('ADT^A01'), 'PID|1||4711^^^C||Eva&&&&&sixth'))
    expect(outcomes).toContainEqual({ kind: 'unread', place: 'PID-5.1.6', location: 'PID^1^5^1^1^6' })
  })

  it.each([
    ['CX', 'PID|1||4711^7^M10^HOSP&1.2.3&ISO^MR'],
    ['CX of a name', 'PID|1||4711^^^HOSP&hosp.example&DNS^MR'],
    ['XPN', 'PID|1||4711^^^C||van Beethoven&van&Beethoven&von&Preussen^Eva^M^Jr^Dr^^L'],
    ['XAD', 'PID|1||4711^^^C||||||||Main 1&Main&1^Flat 2^Town^ST^1234^DE^H'],
    ['CWE', 'PID|1||4711^^^C||||||||||||M^Married^HL70002^V^Verheiratet^L^1^2^married'],
    ['CWE that is a code', 'PID|1||4711^^^C|||||F^^HL70001'],
    ['CWE of text', 'PID|1||4711^^^C||||||||||||^Married^L'],
    ['XCN', `PV1|1|I|||||7^Roe&&Roe^R^^^Dr^MD^^HOSP&1.2.3&ISO^L^1^M10^DN${'|'.repeat(12)}V1`],
    [
      'PL',
      `PV1|1|I|A&1.2.3&ISO^1&1.2.4&ISO^2^HOSP&1.2.5&ISO^^^B^3^Where^9&HOSP&1.2.3&ISO^HOSP&1.2.3&ISO${'|'.repeat(16)}V1`,
    ],
  ])('nothing is said of a %s that is understood', (_, segment) => {
    const segments = segment.startsWith('PID') ? [segment] : ['PID|1||4711^^^C', segment]
    expect(warnings(...segments)).toEqual([])
  })

  it('a place that two authorities number keeps both', () => {
    const place = `PV1|1|I|A^1^2^^^^^^^N&NS&1.2&ISO^HOSP&1.3&ISO${'|'.repeat(16)}V1`
    const outcomes = hl7Outcomes(message(msh('ADT^A01'), 'PID|1||4711^^^C', place))[0] ?? []
    const text = JSON.stringify(resourcesOf(outcomes))
    expect(text).toContain('"system":"urn:oid:1.2","value":"N"')
    expect(text).toContain('"value":"urn:oid:1.3"},"display":"HOSP, NS"')
    expect(warnings('PID|1||4711^^^C', place)).toEqual([])
  })

  it.each([
    ['the unit of a volume', 'OBR|1||F1|X^X^L|||||5^mL&milli&UCUM&other||||||BLD', ['OBR-9.2.4']],
    ['a parent specimen', 'SPM|1|9^8|7&N&1.2&ISO&more^6&N&1.2&ISO|BLD', ['SPM-3.1.5']],
    ['the payer', 'IN1|1|P^Plan^L|K^^^N&1.2&ISO&more|Payer^^77^^^N&1.2&ISO&more', ['IN1-3.4.4', 'IN1-4.6.4']],
  ])('of %s what has no place is named', (_, segment, places) => {
    const isOrder = !segment.startsWith('IN1')
    const obr = segment.startsWith('SPM') ? ['OBR|1||F1|X^X^L'] : []
    const sent = message(msh(isOrder ? 'ORU^R01' : 'ADT^A01'), 'PID|1||4711^^^C', ...obr, segment)
    const outcomes = hl7Outcomes(sent)[0] ?? []
    expect(outcomes.flatMap(one => (one.kind === 'unread' ? [one.place] : []))).toEqual(places)
  })

  it('of a note that is text alone, the number of the author is named', () => {
    const outcomes = hl7Outcomes(
      message(
        msh('ORU^R01'),
        'PID|1||4711^^^C',
        'OBR|1||F1|X^X^L',
        'NTE|1||Words||7&more^Roe&van^R',
        'SPM|1|9&N&1.2&ISO&more^8||BLD',
      ),
    )[0]
    expect((outcomes ?? []).flatMap(one => (one.kind === 'unread' ? [one.place] : []))).toEqual([
      'NTE-5.1',
      'NTE-5.2.2',
      'SPM-2.1.5',
    ])
  })

  it('DG1-2 and PR1-2 name the system of a code that names none, as in HL7 v2.3', () => {
    const outcomes = hl7Outcomes(
      message(
        msh('ADT^A01'),
        'PID|1||1',
        'DG1|1|I9C|155.0|Neoplasm of liver',
        'DG1|2|I9C|I10^High^I10',
        'PR1|1|C4|64721|Carpal',
      ),
    )[0]
    const codes = resourcesOf(outcomes ?? []).map(({ code }) => code)
    expect(codes).toMatchObject([
      { coding: [{ system: 'http://hl7.org/fhir/sid/icd-9-cm', code: '155.0' }], text: 'Neoplasm of liver' },
      { coding: [{ system: 'http://hl7.org/fhir/sid/icd-10', code: 'I10' }] },
      { coding: [{ system: 'http://www.ama-assn.org/go/cpt', code: '64721' }], text: 'Carpal' },
    ])
  })

  it('who pays is a guarantor, whoever else it is', () => {
    const outcomes = hl7Outcomes(message(msh('ADT^A01'), 'PID|1||1', 'GT1|1||Doe^Jim||||||||FTH'))[0]
    expect(resourcesOf(outcomes ?? [])).toMatchObject([
      {
        name: [{ family: 'Doe' }],
        relationship: [
          { coding: [{ code: 'FTH' }] },
          { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-RoleClass', code: 'GUAR' }] },
        ],
      },
    ])
  })

  it('who gives a number is named by an identifier of another kind too', () => {
    expect(patient('PID|1||4711^^^LAB&36D1332559&CLIA').identifier).toMatchObject([
      {
        system: 'urn:x-hl7v2-hd:LAB',
        assigner: { display: 'LAB', identifier: { value: '36D1332559', type: { coding: [{ code: 'CLIA' }] } } },
      },
    ])
  })

  it('a part that cannot be read is named by its component, and the rest is taken', () => {
    const pid = 'PID|1||1||Doe^Jane^^^^^L^^^^^20001399'
    expect(patient(pid).name).toMatchObject([{ family: 'Doe' }])
    expect(warnings(pid)).toContain('PID-5.12 could not be read and was left out.')
  })
})

describe('resources that are only known within another – https://hl7.org/fhir/R4/references.html#contained', () => {
  it('a doctor is contained, with name and number on the reference, once however often named', () => {
    const outcomes = hl7Outcomes(
      message(
        msh('ADT^A01'),
        'PID|1||1',
        `PV1|1|I|W^1^2||||7^Who^Ann^^^Dr.^MD^^A&1.2&ISO|7^Who^Ann^^^Dr.^MD^^A&1.2&ISO${'|'.repeat(11)}V1`,
      ),
    )[0]
    const [encounter] = resourcesOf(outcomes ?? []).filter(({ resourceType }) => resourceType === 'Encounter')
    const { contained, participant } = encounter as Resource & {
      contained: Resource[]
      participant: { individual: { reference: string; display: string; identifier: object } }[]
    }
    expect(contained.filter(({ resourceType }) => resourceType === 'Practitioner')).toHaveLength(1)
    expect(participant.map(({ individual }) => individual)).toMatchObject([
      { display: 'Dr. Ann Who', identifier: { system: 'urn:oid:1.2', value: '7' } },
      { reference: participant[0]?.individual.reference },
    ])
    expect(contained.filter(({ resourceType }) => resourceType === 'Location')).toMatchObject([
      { name: 'W' },
      { name: '1', partOf: {} },
      { name: '2', partOf: {} },
    ])
    expect(encounter && validator.validate(encounter)).toEqual([])
  })

  it('an employer among the next of kin is a contact of the Patient', () => {
    const found = patient('PID|1||1', `NK1|1||EMR|||||||||ACME^L^5`.replace('EMR|||||||||', 'EMR||||||||||'))
    expect(found).toMatchObject({ contact: [{ organization: { display: 'ACME' } }], contained: [{ name: 'ACME' }] })
  })
})
