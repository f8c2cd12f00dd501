import type { Resource } from '#fhir'
import type { Outcome } from '../../../src/ingest/outcome.ts'
import {
  documentOf,
  entry,
  entryOutcomes,
  loinc,
  ofType,
  read,
  rowsOf,
  section,
  snomed,
  template,
  validator,
  warningsOf,
} from './ccda-documents.ts'

const first = async (type: string, templateId: string, statement: string, text = ''): Promise<Resource> => {
  const outcomes = await entryOutcomes(templateId, statement, text)
  const [found] = ofType(outcomes, type)
  if (found === undefined) throw new Error(`no ${type}: ${JSON.stringify(outcomes)}`)
  expect(validator.validate(found)).toEqual([])
  return found
}

const id = (extension: string) => `<id root="1.2.3.9" extension="${extension}"/>`
const done = '<statusCode code="completed"/>'
const related = (statement: string, type = 'SUBJ') =>
  `<entryRelationship typeCode="${type}">${statement}</entryRelationship>`
const observation = (templateId: string, inner: string, attributes = '') =>
  `<observation classCode="OBS" moodCode="EVN" ${attributes}>${template(templateId)}${inner}</observation>`
const act = (templateId: string, inner: string, attributes = 'moodCode="EVN"') =>
  `<act classCode="ACT" ${attributes}>${template(templateId)}${inner}</act>`
const since = (low: string, high = '') => `<effectiveTime><low value="${low}"/>${high}</effectiveTime>`
const author = `<author>${template('4.119')}<time value="20230102"/><assignedAuthor><id root="2.16.840.1.113883.4.6" extension="111"/>
  <assignedPerson><name><given>Ann</given><family>Doctor</family></name></assignedPerson></assignedAuthor></author>`

describe('allergies – https://hl7.org/fhir/us/ccda/CF-allergies.html', () => {
  const concern = (inner: string, status = 'active') => act('4.30', `${id('c')}<statusCode code="${status}"/>${inner}`)
  const substance = (code: string) =>
    `<participant typeCode="CSM"><participantRole><playingEntity>${code}</playingEntity></participantRole></participant>`
  const codeine = substance('<code code="2670" codeSystem="2.16.840.1.113883.6.88" displayName="Codeine"/>')
  const allergy = (inner: string, attributes = '') =>
    related(
      observation(
        '4.7',
        `${id('a')}<code code="ASSERTION" codeSystem="2.16.840.1.113883.5.4"/>${done}${inner}`,
        attributes,
      ),
    )

  it('takes substance, kind, status, criticality, reactions and their severity', async () => {
    const reaction = observation(
      '4.9',
      `${done}${since('20200102')}${snomed('56018004', 'Wheezing')}${related(observation('4.8', `<code code="SEV"/>${snomed('24484000', 'Severe')}`))}`,
    )
    const found = await first(
      'AllergyIntolerance',
      '2.6.1',
      concern(
        allergy(
          `${since('20200101')}${snomed('416098002', 'Allergy to drug')}${author}${codeine}${related(reaction, 'MFST')}${related(observation('4.145', '<code code="82606-5"/><value xsi:type="CD" code="CRITH"/>'))}${related(observation('4.28', `${loinc('33999-4')}${snomed('73425007', 'Inactive')}`))}`,
        ),
      ),
    )
    expect(found).toMatchObject({
      type: 'allergy',
      category: ['medication'],
      criticality: 'high',
      code: { coding: [{ system: 'http://www.nlm.nih.gov/research/umls/rxnorm', code: '2670' }], text: 'Codeine' },
      clinicalStatus: { coding: [{ code: 'inactive' }] },
      verificationStatus: { coding: [{ code: 'confirmed' }] },
      onsetDateTime: '2020-01-01',
      recordedDate: '2023-01-02',
      recorder: { display: 'Ann Doctor' },
      reaction: [{ manifestation: [{ coding: [{ code: '56018004' }] }], severity: 'severe', onset: '2020-01-02' }],
    })
  })

  it.each([
    ['419199007', '716186003'],
    ['416098002', '409137002'],
    ['414285001', '429625007'],
  ])('a denied kind of allergy (%s) without a substance is that none is known (%s)', async (kind, none) => {
    const denied = allergy(`${snomed(kind, 'Allergy')}${substance('<code nullFlavor="NA"/>')}`, 'negationInd="true"')
    const found = await first('AllergyIntolerance', '2.6.1', concern(denied))
    expect(found).toMatchObject({
      code: { coding: [{ system: 'http://snomed.info/sct', code: none }] },
      verificationStatus: { coding: [{ code: 'confirmed' }] },
    })
  })

  it('a denied allergy to something is refuted, and not an allergy', async () => {
    const found = await first(
      'AllergyIntolerance',
      '2.6.1',
      concern(allergy(`${snomed('414285001', 'Allergy to food')}${codeine}`, 'negationInd="true"')),
    )
    expect(found).toMatchObject({ code: { text: 'Codeine' }, verificationStatus: { coding: [{ code: 'refuted' }] } })
  })

  it.each([
    ['active', undefined, 'active'],
    ['completed', undefined, 'resolved'],
    ['suspended', undefined, 'inactive'],
    ['active', '20210101', 'resolved'],
  ])('the concern is %s and it ended %s: %s', async (status, high, expected) => {
    const time = since('20200101', high === undefined ? '' : `<high value="${high}"/>`)
    const found = await first('AllergyIntolerance', '2.6.1', concern(allergy(`${time}${codeine}`), status))
    expect(found.clinicalStatus).toMatchObject({ coding: [{ code: expected }] })
  })

  it('what is nullified was entered in error', async () => {
    const found = await first('AllergyIntolerance', '2.6.1', concern(allergy(codeine), 'nullified'))
    expect(found.verificationStatus).toMatchObject({ coding: [{ code: 'entered-in-error' }] })
    expect(found.clinicalStatus).toBeUndefined()
  })

  it('a substance that is only written is kept in words', async () => {
    const found = await first(
      'AllergyIntolerance',
      '2.6.1',
      concern(
        allergy(substance('<code nullFlavor="OTH"><originalText><reference value="#s1"/></originalText></code>')),
      ),
      '<content ID="s1">Trial drug 12</content>',
    )
    expect(found.code).toEqual({ text: 'Trial drug 12' })
  })

  it('each observation of a concern is an allergy of its own, and the entry one row', async () => {
    const two = concern(
      allergy(codeine) + allergy(substance('<name>Latex</name>')).replace('extension="a"', 'extension="b"'),
    )
    const outcomes = await entryOutcomes('2.6.1', two)
    expect(ofType(outcomes, 'AllergyIntolerance')).toHaveLength(2)
    expect(rowsOf(outcomes)).toEqual({ mapped: 1, unmapped: 0, rejected: 0 })
  })
})

describe('problems – https://hl7.org/fhir/us/ccda/CF-problems.html', () => {
  const problem = (inner: string, attributes = '') =>
    observation('4.4', `${id('p')}${snomed('55607006', 'Problem', 'code')}${done}${inner}`, attributes)
  const concern = (inner: string, status = 'active') =>
    act('4.3', `${id('c')}<code code="CONC"/><statusCode code="${status}"/>${related(inner)}`)
  const asthma = snomed('195967001', 'Asthma')

  it('keeps the code with its translations and words, the dates, and who recorded it', async () => {
    const value = `<value xsi:type="CD" code="195967001" codeSystem="2.16.840.1.113883.6.96" displayName="Asthma"><originalText><reference value="#p1"/></originalText>
      <translation code="J45.9" codeSystem="2.16.840.1.113883.6.90" displayName="Asthma, unspecified"/></value>`
    const found = await first(
      'Condition',
      '2.5.1',
      concern(problem(`${since('20120806')}${value}${author}`)),
      '<content ID="p1">Asthma since childhood</content>',
    )
    expect(found).toMatchObject({
      code: {
        text: 'Asthma since childhood',
        coding: [
          { system: 'http://snomed.info/sct', code: '195967001' },
          { system: 'http://hl7.org/fhir/sid/icd-10-cm', code: 'J45.9' },
        ],
      },
      category: [{ coding: [{ code: 'problem-list-item' }] }, { coding: [{ code: '55607006' }] }],
      clinicalStatus: { coding: [{ code: 'active' }] },
      onsetDateTime: '2012-08-06',
      recordedDate: '2023-01-02',
    })
  })

  it('has ended, at a time that is not known', async () => {
    const found = await first(
      'Condition',
      '2.5.1',
      concern(problem(`${since('2012', '<high nullFlavor="UNK"/>')}${asthma}`)),
    )
    expect(found).toMatchObject({
      onsetDateTime: '2012',
      clinicalStatus: { coding: [{ code: 'resolved' }] },
      _abatementDateTime: { extension: [{ valueCode: 'unknown' }] },
    })
  })

  it.each([
    ['55561003', 'active'],
    ['73425007', 'inactive'],
    ['413322009', 'resolved'],
    ['246455001', 'recurrence'],
    ['277022003', 'remission'],
    ['263855007', 'relapse'],
  ])('status %s of the problem counts before that of its concern: %s', async (code, status) => {
    const said = related(observation('4.6', `${loinc('33999-4')}${done}${snomed(code, 'Status')}`), 'REFR')
    const found = await first('Condition', '2.5.1', concern(problem(`${asthma}${said}`), 'completed'))
    expect(found.clinicalStatus).toMatchObject({ coding: [{ code: status }] })
  })

  it('a denied problem is refuted; that no problem is known is a code of its own', async () => {
    const denied = 'negationInd="true"'
    const refuted = await first('Condition', '2.5.1', concern(problem(asthma, denied)))
    expect(refuted.verificationStatus).toMatchObject({ coding: [{ code: 'refuted' }] })
    const none = await first('Condition', '2.5.1', concern(problem(snomed('55607006', 'Problem'), denied)))
    expect(none).toMatchObject({
      code: { coding: [{ code: '160245001' }] },
      verificationStatus: { coding: [{ code: 'confirmed' }] },
    })
  })

  it.each([
    ['2.58', '4.132', 'health-concern'],
    ['2.22.1', '4.80', 'encounter-diagnosis'],
    ['2.24', '4.33', 'encounter-diagnosis'],
    ['2.43', '4.34', 'encounter-diagnosis'],
    ['2.34', '4.65', 'encounter-diagnosis'],
    ['2.36', '4.51', 'encounter-diagnosis'],
    ['2.20', '4.3', 'problem-list-item'],
  ])('in section %s an act %s has category %s', async (inSection, wrapper, category) => {
    const found = await first('Condition', inSection, act(wrapper, `${id('c')}${related(problem(asthma))}`))
    expect(found.category).toMatchObject([{ coding: [{ code: category }] }, {}])
  })

  it('the age at its onset, the day of its diagnosis, and what it was seen by', async () => {
    const inner = `${asthma}${related(observation('4.31', `${snomed('445518008', 'Age', 'code')}<value xsi:type="PQ" value="57" unit="a"/>`))}
      ${related(act('4.502', `${loinc('77975-1')}<effectiveTime value="20130102"/>`))}
      ${related(observation('4.69', `${id('s')}${loinc('72514-3')}<effectiveTime value="20130102"/><value xsi:type="INT" value="4"/>`), 'SPRT')}`
    const outcomes = await entryOutcomes('2.5.1', concern(problem(inner)))
    const [pain] = ofType(outcomes, 'Observation')
    expect(ofType(outcomes, 'Condition')[0]).toMatchObject({
      onsetAge: { value: 57, code: 'a' },
      extension: [{ valueDateTime: '2013-01-02' }],
      evidence: [{ detail: [{ reference: `Observation/${pain?.id}` }] }],
    })
    expect(pain).toMatchObject({ valueInteger: 4, category: [{ coding: [{ code: 'survey' }] }] })
  })

  it('a qualifier, the side above all, stays with its code', async () => {
    const value = `<value xsi:type="CD" code="75183008" codeSystem="2.16.840.1.113883.6.96" displayName="Fracture"><qualifier><name code="272741003" displayName="Laterality"/><value code="7771000" displayName="Left"/></qualifier></value>`
    const found = await first('Condition', '2.5.1', concern(problem(value)))
    expect(found.code).toMatchObject({ text: 'Fracture (Laterality: Left)', coding: [{ code: '75183008' }] })
  })

  it('a concern that is only written is kept in words', async () => {
    const found = await first(
      'Condition',
      '2.58',
      act('4.132', `${id('c')}<text><reference value="#h"/></text><statusCode code="active"/>`),
      '<paragraph ID="h">Fear of falling</paragraph>',
    )
    expect(found.code).toEqual({ text: 'Fear of falling' })
  })
})

describe('medications – https://hl7.org/fhir/us/ccda/CF-medications.html', () => {
  const atenolol = `<consumable><manufacturedProduct>${template('4.23')}<manufacturedMaterial><code code="197380" codeSystem="2.16.840.1.113883.6.88" displayName="Atenolol 25 MG"/></manufacturedMaterial></manufacturedProduct></consumable>`
  const medication = (inner: string, attributes = 'moodCode="EVN"', status = 'active') =>
    `<substanceAdministration classCode="SBADM" ${attributes}>${template('4.16')}${id('m')}<statusCode code="${status}"/>${inner}</substanceAdministration>`
  const bounds = '<effectiveTime xsi:type="IVL_TS"><low value="20120318"/><high value="20120401"/></effectiveTime>'

  it('what is taken is a MedicationStatement with its signature', async () => {
    const found = await first(
      'MedicationStatement',
      '2.1.1',
      medication(
        `<text><reference value="#sig"/></text>${bounds}<effectiveTime xsi:type="PIVL_TS" operator="A"><period value="12" unit="h"/></effectiveTime>
        <routeCode code="C38288" codeSystem="2.16.840.1.113883.3.26.1.1" displayName="ORAL"/><doseQuantity value="1"/><rateQuantity value="90" unit="mL/min"/>
        <maxDoseQuantity><numerator value="2"/><denominator value="1" unit="d"/></maxDoseQuantity>
        <administrationUnitCode code="C48542" codeSystem="2.16.840.1.113883.3.26.1.1" displayName="Tablet"/>${atenolol}${author}
        <precondition><criterion><code code="ASSERTION"/>${snomed('56018004', 'Wheezing')}</criterion></precondition>
        ${related(observation('4.19', snomed('38341003', 'Hypertension')), 'RSON')}`,
      ),
      '<content ID="sig">1 tablet every 12 hours</content>',
    )
    expect(found).toMatchObject({
      status: 'active',
      medicationCodeableConcept: { coding: [{ code: '197380' }] },
      effectivePeriod: { start: '2012-03-18', end: '2012-04-01' },
      dateAsserted: '2023-01-02',
      reasonCode: [{ text: 'Hypertension' }],
      dosage: [
        {
          text: '1 tablet every 12 hours',
          timing: { repeat: { boundsPeriod: { start: '2012-03-18' }, frequency: 1, period: 12, periodUnit: 'h' } },
          asNeededCodeableConcept: { text: 'Wheezing' },
          route: { text: 'ORAL' },
          doseAndRate: [{ doseQuantity: { value: 1, unit: 'Tablet' }, rateQuantity: { value: 90, code: 'mL/min' } }],
          maxDosePerPeriod: { numerator: { value: 2 }, denominator: { value: 1, code: 'd' } },
        },
      ],
    })
  })

  it.each([
    [
      '<effectiveTime xsi:type="EIVL_TS" operator="A"><event code="ACM"/><offset><low value="30" unit="min"/></offset></effectiveTime>',
      { when: ['ACM'], offset: 30 },
    ],
    ['<effectiveTime xsi:type="EIVL_TS" operator="A"><event code="HS"/></effectiveTime>', { when: ['HS'] }],
    [
      '<effectiveTime xsi:type="PIVL_TS" operator="A"><period><low value="4" unit="h"/><high value="6" unit="h"/></period></effectiveTime>',
      { frequency: 1, period: 4, periodMax: 6, periodUnit: 'h' },
    ],
    [
      '<effectiveTime xsi:type="PIVL_TS" operator="A"><phase value="20120101080000+0000"/><period value="1" unit="d"/></effectiveTime>',
      { period: 1, periodUnit: 'd', timeOfDay: ['08:00:00'] },
    ],
  ])('%s', async (time, repeat) => {
    const found = await first('MedicationStatement', '2.1.1', medication(`${bounds}${time}${atenolol}`))
    expect(found.dosage).toMatchObject([{ timing: { repeat } }])
  })

  it('a single time, a range of a dose', async () => {
    const found = await first(
      'MedicationStatement',
      '2.1.1',
      medication(
        `<effectiveTime value="20120318"/><doseQuantity xsi:type="IVL_PQ"><low value="1" unit="mg"/><high value="2" unit="mg"/></doseQuantity>${atenolol}`,
        'moodCode="EVN"',
        'completed',
      ),
    )
    expect(found).toMatchObject({
      status: 'completed',
      effectiveDateTime: '2012-03-18',
      dosage: [{ doseAndRate: [{ doseRange: { low: { value: 1 }, high: { value: 2, code: 'mg' } } }] }],
    })
  })

  it.each([
    ['active', 'active'],
    ['suspended', 'on-hold'],
    ['aborted', 'stopped'],
    ['nullified', 'entered-in-error'],
  ])('%s is %s', async (status, expected) => {
    expect((await first('MedicationStatement', '2.1.1', medication(atenolol, 'moodCode="EVN"', status))).status).toBe(
      expected,
    )
  })

  it('what is denied is not taken', async () => {
    const found = await first('MedicationStatement', '2.1.1', medication(atenolol, 'moodCode="EVN" negationInd="true"'))
    expect(found.status).toBe('not-taken')
  })

  it.each([
    ['INT', 'plan'],
    ['RQO', 'order'],
    ['PRP', 'proposal'],
  ])('in mood %s it is a MedicationRequest, intent %s', async (mood, intent) => {
    const found = await first('MedicationRequest', '2.10', medication(`${bounds}${atenolol}`, `moodCode="${mood}"`))
    expect(found).toMatchObject({
      intent,
      status: 'active',
      dosageInstruction: [{ timing: { repeat: { boundsPeriod: { start: '2012-03-18' } } } }],
    })
  })

  it('a lot and a maker make a Medication of it; orders and dispenses are of it', async () => {
    const material = atenolol.replace(
      '</manufacturedMaterial>',
      '<lotNumberText>L1</lotNumberText></manufacturedMaterial><manufacturerOrganization><name>Maker</name></manufacturerOrganization>',
    )
    const supply = (templateId: string, mood: string, inner: string) =>
      `<supply classCode="SPLY" moodCode="${mood}">${template(templateId)}${id(templateId)}${done}${inner}</supply>`
    const outcomes = await entryOutcomes(
      '2.1.1',
      medication(
        `${material}${related(supply('4.17', 'INT', '<repeatNumber value="3"/><quantity value="75"/>'), 'REFR')}${related(supply('4.18', 'EVN', '<effectiveTime value="20120319"/><quantity value="30"/>'), 'REFR')}`,
      ),
    )
    const contained = [expect.anything(), { resourceType: 'Medication', batch: { lotNumber: 'L1' } }]
    expect(ofType(outcomes, 'MedicationStatement')[0]).toMatchObject({ contained })
    expect(ofType(outcomes, 'MedicationRequest')[0]).toMatchObject({
      contained,
      intent: 'order',
      dispenseRequest: { numberOfRepeatsAllowed: 2, quantity: { value: 75 } },
    })
    expect(ofType(outcomes, 'MedicationDispense')[0]).toMatchObject({
      contained,
      whenHandedOver: '2012-03-19',
      quantity: { value: 30 },
    })
    expect(rowsOf(outcomes)).toEqual({ mapped: 1, unmapped: 0, rejected: 0 })
  })

  it.each(['4.35', '4.36'])('is found in a discharge or admission medication (%s)', async wrapper => {
    const found = await first(
      'MedicationStatement',
      '2.11.1',
      act(wrapper, `${loinc('10183-2')}${related(medication(atenolol))}`),
    )
    expect(found.medicationCodeableConcept).toMatchObject({ coding: [{ code: '197380' }] })
  })
})

describe('immunizations – https://hl7.org/fhir/us/ccda/CF-immunizations.html', () => {
  const vaccine =
    '<consumable><manufacturedProduct><manufacturedMaterial><code code="88" codeSystem="2.16.840.1.113883.12.292" displayName="Influenza"/><lotNumberText>L9</lotNumberText></manufacturedMaterial></manufacturedProduct></consumable>'
  const given = (inner: string, attributes = 'moodCode="EVN"') =>
    `<substanceAdministration classCode="SBADM" ${attributes}>${template('4.52')}${id('i')}${done}<effectiveTime value="20231001"/>${inner}</substanceAdministration>`

  it('was given', async () => {
    const found = await first(
      'Immunization',
      '2.2.1',
      given(`<repeatNumber value="2"/><doseQuantity value="0.5" unit="mL"/>${vaccine}`),
    )
    expect(found).toMatchObject({
      status: 'completed',
      vaccineCode: { coding: [{ system: 'http://hl7.org/fhir/sid/cvx', code: '88' }] },
      lotNumber: 'L9',
      occurrenceDateTime: '2023-10-01',
      doseQuantity: { value: 0.5, code: 'mL' },
      protocolApplied: [{ doseNumberPositiveInt: 2 }],
    })
  })

  it('was not given, and why', async () => {
    const refusal = related(observation('4.53', '<code code="PATOBJ" codeSystem="2.16.840.1.113883.5.8"/>'), 'RSON')
    const found = await first(
      'Immunization',
      '2.2.1',
      given(`${vaccine}${refusal}`, 'moodCode="EVN" negationInd="true"'),
    )
    expect(found).toMatchObject({ status: 'not-done', statusReason: { coding: [{ code: 'PATOBJ' }] } })
  })

  it('without a time says why it has none', async () => {
    const found = await first('Immunization', '2.2.1', given(vaccine).replace('value="20231001"', 'nullFlavor="ASKU"'))
    expect(found._occurrenceDateTime).toEqual({ extension: [expect.objectContaining({ valueCode: 'asked-unknown' })] })
  })

  it('is planned', async () => {
    const found = await first(
      'MedicationRequest',
      '2.10',
      given(vaccine, 'moodCode="INT"').replace(template('4.52'), template('4.120')),
    )
    expect(found).toMatchObject({ intent: 'plan', medicationCodeableConcept: { coding: [{ code: '88' }] } })
  })
})

describe('results and vital signs – https://hl7.org/fhir/us/ccda/CF-results.html, CF-vitals.html', () => {
  const result = (value: string, more = '', attributes = '') =>
    observation(
      '4.2',
      `${id('r')}${loinc('2093-3')}${done}<effectiveTime value="20240102083000+0100"/>${value}${more}`,
      attributes,
    )
  const organizer = (...members: string[]) =>
    `<organizer classCode="BATTERY" moodCode="EVN">${template('4.1')}${id('o')}${loinc('24331-1')}${done}${members.map(one => `<component>${one}</component>`).join('')}</organizer>`

  it('an organizer is a DiagnosticReport with its results', async () => {
    const ranges =
      '<interpretationCode code="H" codeSystem="2.16.840.1.113883.5.83"/><referenceRange><observationRange><text>below 200</text><value xsi:type="IVL_PQ"><high value="200" unit="mg/dL"/></value></observationRange></referenceRange>'
    const outcomes = await entryOutcomes(
      '2.3.1',
      organizer(result('<value xsi:type="PQ" value="220.0" unit="mg/dL"/>', ranges)),
    )
    const [observed] = ofType(outcomes, 'Observation')
    expect(JSON.parse(JSON.stringify(observed))).toMatchObject({
      status: 'final',
      category: [{ coding: [{ code: 'laboratory' }] }],
      effectiveDateTime: '2024-01-02T08:30:00+01:00',
      valueQuantity: { unit: 'mg/dL', code: 'mg/dL', system: 'http://unitsofmeasure.org' },
      interpretation: [
        { coding: [{ code: 'H', system: 'http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation' }] },
      ],
      referenceRange: [{ high: { value: 200 }, text: 'below 200' }],
    })
    expect(ofType(outcomes, 'DiagnosticReport')[0]).toMatchObject({
      status: 'final',
      code: { coding: [{ code: '24331-1' }] },
      effectiveDateTime: '2024-01-02T08:30:00+01:00',
      result: [{ reference: `Observation/${observed?.id}` }],
    })
    expect(rowsOf(outcomes)).toEqual({ mapped: 1, unmapped: 0, rejected: 0 })
  })

  it.each([
    [
      '<value xsi:type="CD" code="260373001" codeSystem="2.16.840.1.113883.6.96"/>',
      { valueCodeableConcept: { coding: [{ code: '260373001' }] } },
    ],
    ['<value xsi:type="ST">positive</value>', { valueString: 'positive' }],
    ['<value xsi:type="ED"><reference value="#t"/></value>', { valueString: 'see here' }],
    ['<value xsi:type="INT" value="3"/>', { valueInteger: 3 }],
    ['<value xsi:type="REAL" value="3.5"/>', { valueQuantity: { value: 3.5 } }],
    ['<value xsi:type="BL" value="true"/>', { valueBoolean: true }],
    ['<value xsi:type="TS" value="20240102"/>', { valueDateTime: '2024-01-02' }],
    [
      '<value xsi:type="IVL_TS"><low value="2023"/><high value="2024"/></value>',
      { valuePeriod: { start: '2023', end: '2024' } },
    ],
    [
      '<value xsi:type="IVL_PQ"><low value="1" unit="mg"/><high value="2" unit="mg"/></value>',
      { valueRange: { low: { value: 1 }, high: { value: 2 } } },
    ],
    [
      '<value xsi:type="IVL_PQ"><high value="5" unit="mg" inclusive="false"/></value>',
      { valueQuantity: { value: 5, comparator: '<' } },
    ],
    ['<value xsi:type="IVL_PQ"><low value="5" unit="mg"/></value>', { valueQuantity: { value: 5, comparator: '>=' } }],
    [
      '<value xsi:type="RTO_PQ_PQ"><numerator value="1"/><denominator value="128"/></value>',
      { valueRatio: { numerator: { value: 1 }, denominator: { value: 128 } } },
    ],
    ['<value xsi:type="PQ" value="5" unit="squares"/>', { valueQuantity: { value: 5, unit: 'squares' } }],
    [
      '<value xsi:type="PQ" value="5" unit="mg"><translation value="0.005" code="g" codeSystem="2.16.840.1.113883.6.8"/></value>',
      { valueQuantity: { extension: [{ valueQuantity: { value: 0.005, code: 'g' } }] } },
    ],
    ['<value xsi:type="PQ" nullFlavor="NASK"/>', { dataAbsentReason: { coding: [{ code: 'not-asked' }] } }],
    ['<value xsi:type="PQ" nullFlavor="MSK"/>', { dataAbsentReason: { coding: [{ code: 'masked' }] } }],
  ])('%s', async (value, expected) => {
    expect(await first('Observation', '2.3.1', result(value), '<content ID="t">see here</content>')).toMatchObject(
      expected,
    )
  })

  it('a second value is a component; one that cannot be read is named', async () => {
    const outcomes = await entryOutcomes(
      '2.3.1',
      result(
        '<value xsi:type="PQ" value="1" unit="mg"/><value xsi:type="PQ" value="2" unit="mg"/><value xsi:type="PQ" value="many"/>',
      ),
    )
    expect(ofType(outcomes, 'Observation')[0]).toMatchObject({
      component: [{ valueQuantity: { value: 1 } }, { valueQuantity: { value: 2 } }],
    })
    expect(warningsOf(outcomes)).toEqual(['entry.observation.value'])
  })

  it('a value that is denied does not read as if it were so', async () => {
    const denied = 'negationInd="true"'
    const concept = await first('Observation', '2.17', result(snomed('8517006', 'Ex-smoker'), '', denied))
    expect(concept.valueCodeableConcept).toEqual({ text: 'Not: Ex-smoker' })
    const assertion = await first(
      'Observation',
      '2.17',
      result(snomed('8517006', 'Ex-smoker'), '', denied).replace(loinc('2093-3'), '<code code="ASSERTION"/>'),
    )
    expect(assertion).toMatchObject({ code: { coding: [{ code: '8517006' }] }, valueBoolean: false })
    const nothing = await first('Observation', '2.3.1', result('', '', denied))
    expect(nothing).toMatchObject({ status: 'cancelled', dataAbsentReason: { coding: [{ code: 'not-performed' }] } })
  })

  const sign = (code: string, value: string, unit: string, time = '20240102') =>
    observation(
      '4.27',
      `${id(`${code}-${time}`)}${loinc(code)}${done}<effectiveTime value="${time}"/><value xsi:type="PQ" value="${value}" unit="${unit}"/>`,
    )
  const signs = (...members: string[]) =>
    `<organizer classCode="CLUSTER" moodCode="EVN">${template('4.26')}${id('v')}${snomed('46680005', 'Vital signs', 'code')}${done}<effectiveTime value="20240102"/>${members.map(one => `<component>${one}</component>`).join('')}</organizer>`

  it('two pressures of one time are one Observation, beside the other signs', async () => {
    const outcomes = await entryOutcomes(
      '2.4.1',
      signs(
        sign('8480-6', '120', 'mm[Hg]'),
        sign('8867-4', '61', '/min'),
        sign('8462-4', '80', 'mm[Hg]'),
        sign('8480-6', '130', 'mm[Hg]', '20240103'),
      ),
    )
    const observations = ofType(outcomes, 'Observation')
    expect(observations.map(({ code }) => (code as { coding: { code: string }[] }).coding[0]?.code)).toEqual([
      '85354-9',
      '8867-4',
      '8480-6',
      '85353-1',
    ])
    expect(observations[0]).toMatchObject({
      component: [{ valueQuantity: { value: 120 } }, { valueQuantity: { value: 80 } }],
    })
    expect(observations.at(-1)?.hasMember).toHaveLength(3)
    for (const one of observations) expect(validator.validate(one)).toEqual([])
    expect(rowsOf(outcomes)).toEqual({ mapped: 1, unmapped: 0, rejected: 0 })
  })
})

describe('what else a document tells', () => {
  const coded = (templateId: string, code: string, value: string) =>
    observation(templateId, `${id('x')}${code}${done}<effectiveTime value="20240102"/>${value}`)

  it.each([
    ['2.17', '4.78', loinc('72166-2'), snomed('449868002', 'Smokes daily'), 'social-history'],
    ['2.17', '4.38', loinc('11331-6'), '<value xsi:type="ST">now and then</value>', 'social-history'],
    ['2.14', '4.67', loinc('54522-8'), snomed('371153006', 'Independent'), 'functional-status'],
    ['2.56', '4.74', loinc('11332-4'), snomed('66557003', 'Aware'), 'cognitive-status'],
    ['2.14', '4.69', loinc('54614-3'), '<value xsi:type="INT" value="7"/>', 'survey'],
    [
      '2.21.1',
      '4.48',
      snomed('304251008', 'Resuscitation', 'code'),
      snomed('304253006', 'Not for resuscitation'),
      'survey',
    ],
    ['2.10', '4.2', loinc('2093-3'), '<value xsi:type="ST">x</value>', 'laboratory'],
  ])('in %s an observation %s has its category', async (inSection, templateId, code, value, category) => {
    const found = await first('Observation', inSection, coded(templateId, code, value))
    expect(found.category).toMatchObject([{ coding: [{ code: category }] }])
  })

  it('pregnancy is said by a code of LOINC, with the day that is expected', async () => {
    const due = related(
      observation('2.16.840.1.113883.10.20.15.3.1', `${loinc('11778-8')}<value xsi:type="TS" value="20240901"/>`),
    )
    const found = await first(
      'Observation',
      '2.17',
      coded('2.16.840.1.113883.10.20.15.3.8', '<code code="ASSERTION"/>', `${snomed('77386006', 'Pregnant')}${due}`),
    )
    expect(found).toMatchObject({
      code: { coding: [{ code: '82810-3' }] },
      component: [{ valueDateTime: '2024-09-01' }],
    })
  })

  it('sex at birth and gender are the person’s, and fill what is absent', async () => {
    const outcomes = await entryOutcomes(
      '2.17',
      coded('4.200', loinc('76689-9'), '<value xsi:type="CD" code="F" codeSystem="2.16.840.1.113883.5.1"/>'),
    )
    const [amend] = outcomes.filter((one): one is Extract<Outcome, { kind: 'amend' }> => one.kind === 'amend')
    const next = amend?.change({ resourceType: 'Patient' })
    expect(next).toMatchObject({ extension: [{ valueCode: 'F' }] })
    expect(amend?.change(next as Resource)).toBeUndefined()
    const gender = await entryOutcomes(
      '2.17',
      coded('2.16.840.1.113883.10.20.34.3.45', loinc('76691-5'), snomed('446141000124107', 'Female')),
    )
    expect(rowsOf(gender)).toEqual({ mapped: 1, unmapped: 0, rejected: 0 })
  })

  it('procedures are done, not done, asked for', async () => {
    const procedure = (templateId: string, attributes: string, element = 'procedure') =>
      `<${element} ${attributes}>${template(templateId)}${id('q')}${snomed('73761001', 'Colonoscopy', 'code')}${done}<effectiveTime value="2012"/>
      <targetSiteCode code="71854001" codeSystem="2.16.840.1.113883.6.96" displayName="Colon"/></${element}>`
    expect(await first('Procedure', '2.7.1', procedure('4.14', 'moodCode="EVN"'))).toMatchObject({
      status: 'completed',
      performedDateTime: '2012',
      bodySite: [{ text: 'Colon' }],
    })
    expect(await first('Procedure', '2.7.1', procedure('4.12', 'moodCode="EVN"', 'act'))).toMatchObject({
      status: 'completed',
    })
    expect(await first('Procedure', '2.7.1', procedure('4.14', 'moodCode="EVN" negationInd="true"'))).toMatchObject({
      status: 'not-done',
    })
    expect(await first('ServiceRequest', '2.10', procedure('4.41', 'moodCode="RQO"'))).toMatchObject({
      intent: 'order',
      status: 'completed',
      occurrenceDateTime: '2012',
    })
    expect(await first('ServiceRequest', '2.10', procedure('4.44', 'moodCode="INT"', 'observation'))).toMatchObject({
      intent: 'plan',
    })
  })

  it('a device of a procedure, and one that is used', async () => {
    const role = `<participant typeCode="DEV"><participantRole>${template('4.37')}<id root="2.16.840.1.113883.3.3719" extension="(01)00643169007222"/><playingDevice>${snomed('14106009', 'Pacemaker', 'code')}<manufacturerModelName>Model 3</manufacturerModelName></playingDevice><scopingEntity><id root="2.16.840.1.113883.3.3719"/><desc>Maker</desc></scopingEntity></participantRole></participant>`
    const outcomes = await entryOutcomes(
      '2.23',
      `<supply classCode="SPLY" moodCode="EVN">${template('4.50')}${id('d')}${done}<effectiveTime value="20230101"/>${role}</supply>`,
    )
    const [device] = ofType(outcomes, 'Device')
    expect(device).toMatchObject({
      udiCarrier: [{ carrierHRF: '(01)00643169007222' }],
      type: { text: 'Pacemaker' },
      deviceName: [{ name: 'Model 3' }],
      manufacturer: 'Maker',
    })
    expect(ofType(outcomes, 'DeviceUseStatement')[0]).toMatchObject({
      status: 'completed',
      timingDateTime: '2023-01-01',
      device: { reference: `Device/${device?.id}` },
    })
  })

  it('visits with their class, diagnoses and discharge', async () => {
    const diagnosis = act(
      '4.80',
      related(observation('4.4', `${id('e')}<code code="ASSERTION"/>${snomed('233604007', 'Pneumonia')}`)),
    )
    const visit = `<encounter classCode="ENC" moodCode="EVN">${template('4.49')}${id('n')}<code code="99213" codeSystem="2.16.840.1.113883.6.12" displayName="Office visit"><translation code="AMB" codeSystem="2.16.840.1.113883.5.4"/></code>${since('20240101', '<high value="20240102"/>')}<sdtc:dischargeDispositionCode code="01" codeSystem="2.16.840.1.113883.6.301.5" displayName="Home"/>${related(diagnosis)}</encounter>`
    const outcomes = await entryOutcomes('2.22.1', visit)
    const [condition] = ofType(outcomes, 'Condition')
    expect(ofType(outcomes, 'Encounter')[0]).toMatchObject({
      status: 'finished',
      class: { code: 'AMB' },
      period: { start: '2024-01-01', end: '2024-01-02' },
      hospitalization: { dischargeDisposition: { text: 'Home' } },
      diagnosis: [{ condition: { reference: `Condition/${condition?.id}` } }],
    })
    expect(condition?.category).toMatchObject([{ coding: [{ code: 'encounter-diagnosis' }] }])
    const planned = await first(
      'Encounter',
      '2.10',
      `<encounter moodCode="INT">${template('4.40')}${id('n')}<statusCode code="active"/></encounter>`,
    )
    expect(planned.status).toBe('planned')
  })

  it('the family, and what a relative does not have', async () => {
    const ill = (code: string, name: string, more = '', attributes = '') =>
      `<component>${observation('4.46', `${id(code)}<code code="ASSERTION"/>${done}${snomed(code, name)}${more}`, attributes)}</component>`
    const dead =
      related(observation('4.47', `<code code="ASSERTION"/>${snomed('419099009', 'Dead')}`), 'CAUS') +
      related(observation('4.31', `${snomed('445518008', 'Age', 'code')}<value xsi:type="PQ" value="57" unit="a"/>`))
    const father = `<organizer moodCode="EVN">${template('4.45')}${id('f')}${done}<subject><relatedSubject classCode="PRS"><code code="FTH" codeSystem="2.16.840.1.113883.5.111"/><subject><administrativeGenderCode code="M"/><birthTime value="1910"/></subject></relatedSubject></subject>
      ${ill('22298006', 'Infarction', dead)}${ill('73211009', 'Diabetes', '', 'negationInd="true"')}</organizer>`
    expect(await first('FamilyMemberHistory', '2.15', father)).toMatchObject({
      relationship: { coding: [{ code: 'FTH' }] },
      sex: { coding: [{ code: 'male' }] },
      bornDate: '1910',
      deceasedAge: { value: 57 },
      condition: [{ code: { text: 'Infarction' }, contributedToDeath: true, onsetAge: { value: 57 } }],
      note: [{ text: 'Not: Diabetes' }],
    })
  })

  it('what stands with a relative never becomes the patient’s', async () => {
    const sugar = observation('4.2', `${loinc('2339-0')}<value xsi:type="PQ" value="300" unit="mg/dL"/>`)
    const alive = observation('4.47', snomed('419099009', 'Dead'), 'negationInd="true"')
    const removed = `<procedure moodCode="EVN">${template('4.14')}${snomed('80146002', 'Appendectomy', 'code')}</procedure>`
    const words = act('4.64', `${loinc('48767-8')}<text>Told by his son</text>`)
    const father = `<organizer moodCode="EVN">${template('4.45')}${id('f')}${done}<subject><relatedSubject classCode="PRS"><code code="FTH"/></relatedSubject></subject>
      <component>${observation('4.46', `${snomed('22298006', 'Infarction')}${related(sugar)}${related(alive)}${related(words)}`)}</component>
      <component>${removed}</component><component>${words}</component></organizer>`
    const outcomes = await entryOutcomes('2.15', father)
    const mapped = outcomes.flatMap(one => (one.kind === 'mapped' ? [one.resource] : []))
    expect(mapped).toHaveLength(1)
    expect(mapped[0]).toMatchObject({
      resourceType: 'FamilyMemberHistory',
      condition: [{ code: { text: 'Infarction' }, note: [{ text: 'Told by his son' }] }],
      note: [{ text: 'Told by his son' }],
    })
    expect(mapped[0]).not.toHaveProperty('deceasedBoolean')
    expect(validator.validate(mapped[0] as Resource)).toEqual([])
    const told = warningsOf(outcomes).join()
    for (const place of ['organizer.procedure', 'observation.observation']) expect(told).toContain(place)
  })

  it('goals, with what is to be reached and by when', async () => {
    const goal = observation(
      '4.121',
      `${id('g')}${loinc('29463-7')}<statusCode code="active"/><effectiveTime><low value="20240101"/><high value="20240601"/></effectiveTime><value xsi:type="PQ" value="70" unit="kg"/>`,
    ).replace('moodCode="EVN"', 'moodCode="GOL"')
    expect(await first('Goal', '2.60', goal)).toMatchObject({
      lifecycleStatus: 'active',
      startDate: '2024-01-01',
      target: [
        {
          measure: { coding: [{ code: '29463-7' }] },
          detailQuantity: { value: 70, code: 'kg' },
          dueDate: '2024-06-01',
        },
      ],
    })
  })

  it('policies, the first first', async () => {
    const payer = `<performer typeCode="PRF">${template('4.87')}<assignedEntity><id root="1.2.3.5" extension="P"/><representedOrganization><name>Good Insurance</name></representedOrganization></assignedEntity></performer>`
    const covered =
      '<participant typeCode="COV"><time><low value="2023"/></time><participantRole><id root="1.2.3.6" extension="1138345"/><code code="SELF" codeSystem="2.16.840.1.113883.5.111"/></participantRole></participant>'
    const policy = act(
      '4.61',
      `${id('k')}<code code="81" codeSystem="2.16.840.1.113883.3.221.5" displayName="Self-pay"/>${done}${payer}${covered}`,
    )
    const coverage = act(
      '4.60',
      `${id('l')}${loinc('48768-6')}${done}<entryRelationship typeCode="COMP"><sequenceNumber value="1"/>${policy}</entryRelationship>`,
    )
    expect(await first('Coverage', '2.18', coverage)).toMatchObject({
      status: 'active',
      type: { text: 'Self-pay' },
      subscriberId: '1138345',
      period: { start: '2023' },
      order: 1,
      payor: [{ display: 'Good Insurance' }],
    })
  })

  it('the team, notes, instructions', async () => {
    const member = `<component>${act('4.500.1', `${loinc('92707-9')}<statusCode code="active"/>${since('2020')}<performer><functionCode code="PCP" codeSystem="2.16.840.1.113883.5.88"/><assignedEntity><id root="1" extension="2"/><assignedPerson><name>Dr Who</name></assignedPerson></assignedEntity></performer>`)}</component>`
    const team = `<organizer moodCode="EVN">${template('4.500')}${id('t')}<code code="86744-0" codeSystem="2.16.840.1.113883.6.1"><originalText>My team</originalText></code><statusCode code="active"/>${member}</organizer>`
    expect(await first('CareTeam', '2.500', team)).toMatchObject({
      status: 'active',
      name: 'My team',
      participant: [
        { role: [{ coding: [{ code: 'PCP' }] }], member: { display: 'Dr Who' }, period: { start: '2020' } },
      ],
    })
    const note = act(
      '4.202',
      `${id('w')}<code code="34109-9" codeSystem="2.16.840.1.113883.6.1"><translation code="11488-4" codeSystem="2.16.840.1.113883.6.1"/></code><text><reference value="#n"/></text>${done}<effectiveTime value="20240102"/>${author}`,
    )
    const kept = await first('DocumentReference', '2.65', note, '<paragraph ID="n">Came with a cough.</paragraph>')
    expect(kept).toMatchObject({
      type: { coding: [{ code: '11488-4' }] },
      content: [{ attachment: { contentType: 'text/plain; charset=utf-8' } }],
    })
    const [{ attachment }] = kept.content as [{ attachment: { data: string } }]
    expect(Buffer.from(attachment.data, 'base64').toString('utf8')).toBe('Came with a cough.')
    const instruction = act(
      '4.20',
      `<code code="409073007" codeSystem="2.16.840.1.113883.6.96" displayName="instruction"/><text>Drink water</text>${done}`,
      'moodCode="INT"',
    )
    expect(await first('CommunicationRequest', '2.45', instruction)).toMatchObject({
      status: 'completed',
      payload: [{ contentString: 'Drink water' }],
    })
  })
})

const child = '<subject><relatedSubject><code code="NCHILD"/></relatedSubject></subject>'

describe('what is not taken is named', () => {
  it('an entry of an unknown template is what its element is, or is named', async () => {
    expect(rowsOf(await entryOutcomes('2.3.1', '<observationMedia><value/></observationMedia>'))).toEqual({
      mapped: 0,
      unmapped: 1,
      rejected: 0,
    })
    const found = await first(
      'Observation',
      '2.3.1',
      `<observation moodCode="EVN">${template('9.9.9')}${loinc('2093-3')}<value xsi:type="ST">x</value></observation>`,
    )
    expect(found.valueString).toBe('x')
  })

  it('an entry about somebody else is none of the patient’s', async () => {
    const fetus = observation(
      '4.2',
      `${loinc('2093-3')}<subject><relatedSubject><code code="NCHILD"/></relatedSubject></subject><value xsi:type="ST">x</value>`,
    )
    const outcomes = await entryOutcomes('2.3.1', fetus)
    expect(outcomes).toEqual([expect.objectContaining({ kind: 'rejected', reason: 'other-patient' })])
    const ofSection = section('2.3.1', entry(observation('4.2', loinc('2093-3')))).replace(
      '<text>',
      '<subject><relatedSubject><code code="NCHILD"/></relatedSubject></subject><text>',
    )
    expect(ofType(await read(documentOf(ofSection)), 'Observation')).toEqual([])
  })

  describe.each([
    ['somebody else', (one: string) => one.replace(/(<templateId[^>]*>)/, `$1${child}`)],
    ['nobody', (one: string) => one.replace(/^<(\w+)/, '<$1 nullFlavor="NI"')],
  ])('a part that is about %s', (_, change) => {
    const medicine =
      '<consumable><manufacturedProduct><manufacturedMaterial><code code="1" codeSystem="2.16.840.1.113883.6.88"/></manufacturedMaterial></manufacturedProduct></consumable>'
    const pressure = (code: string) =>
      `<component>${change(observation('4.27', `${loinc(code)}<value xsi:type="PQ" value="90" unit="mm[Hg]"/>`))}</component>`
    const ofParts = async (templateId: string, statement: string, type: string) =>
      ofType(await entryOutcomes(templateId, statement), type)

    it('is no problem, and no allergy', async () => {
      const problem = change(observation('4.4', snomed('1', 'Anomaly')))
      const words = `<text>Anomaly</text>${related(problem)}`
      for (const inner of [related(problem), words])
        expect(await ofParts('2.5.1', act('4.3', inner), 'Condition')).toEqual([])
      const allergy = change(observation('4.7', snomed('416098002', 'Allergy to drug')))
      expect(await ofParts('2.6.1', act('4.30', related(allergy)), 'AllergyIntolerance')).toEqual([])
    })

    it('is no sign, no component, no dispense', async () => {
      const panel = `<organizer moodCode="EVN">${template('4.26')}${done}${pressure('8480-6')}${pressure('8462-4')}${pressure('8867-4')}</organizer>`
      expect(await ofParts('2.4.1', panel, 'Observation')).toEqual([])
      const scale = observation('4.69', `${loinc('9269-2')}${related(change(observation('4.86', loinc('9267-6'))))}`)
      for (const one of await ofParts('2.14', scale, 'Observation')) expect(one.component ?? []).toEqual([])
      const supply = change(`<supply moodCode="EVN">${template('4.18')}${done}</supply>`)
      const taken = `<substanceAdministration moodCode="EVN">${template('4.16')}${medicine}${related(supply, 'REFR')}</substanceAdministration>`
      expect(await ofParts('2.1.1', taken, 'MedicationDispense')).toEqual([])
    })
  })

  it('a part that is denied is no reaction, no order and no dispense', async () => {
    const hives = observation('4.9', snomed('247472004', 'Hives'), 'negationInd="true"')
    const allergy = await first(
      'AllergyIntolerance',
      '2.6.1',
      act('4.30', related(observation('4.7', `${snomed('416098002', 'Allergy to drug')}${related(hives, 'MFST')}`))),
    )
    expect(allergy).not.toHaveProperty('reaction')
    const supply = (number: string, mood: string) =>
      related(`<supply moodCode="${mood}" negationInd="true">${template(number)}${done}</supply>`, 'REFR')
    const taken = `<substanceAdministration moodCode="EVN">${template('4.16')}<consumable><manufacturedProduct><manufacturedMaterial><code code="1" codeSystem="2.16.840.1.113883.6.88"/></manufacturedMaterial></manufacturedProduct></consumable>${supply('4.17', 'INT')}${supply('4.18', 'EVN')}</substanceAdministration>`
    const outcomes = await entryOutcomes('2.1.1', taken)
    for (const type of ['MedicationRequest', 'MedicationDispense']) expect(ofType(outcomes, type)).toEqual([])
    expect(warningsOf(outcomes).join()).toContain('supply.negationInd')
  })

  it('a denial that a resource cannot say rejects the entry', async () => {
    const goal = observation('4.121', loinc('29463-7'), 'negationInd="true"')
    expect(await entryOutcomes('2.60', goal)).toEqual([
      expect.objectContaining({ kind: 'rejected', reason: 'not-supported', expression: 'observation.negationInd' }),
    ])
  })

  it('an entry that says that nothing is known is named', async () => {
    const outcomes = await entryOutcomes('2.6.1', '<act classCode="ACT" moodCode="EVN" nullFlavor="NI"/>')
    expect(rowsOf(outcomes)).toEqual({ mapped: 0, unmapped: 1, rejected: 0 })
  })

  it('an element that nothing reads is told with its place, once', async () => {
    const odd = observation('4.2', `${loinc('2093-3')}<value xsi:type="ST">x</value><oddity value="1"/>`)
    const outcomes = await read(documentOf(section('2.3.1', entry(odd) + entry(odd))))
    expect(warningsOf(outcomes)).toEqual(['entry.observation.oddity'])
  })
})
