import { parseResource } from '#fhir'
import { isProblem } from '#kernel'
import {
  documentOf,
  entry,
  loinc,
  ofType,
  read,
  rowsOf,
  sample,
  section,
  template,
  validator,
  warningsOf,
} from './ccda-documents.ts'
import {
  countsOf,
  createPatient,
  everything,
  found,
  grantOf,
  ingested,
  ofPatient,
  openHouse,
  readPatient,
  streamOf,
  type TestHouse,
  versionsOf,
} from './house.ts'
import { zipOfMany } from './zips.ts'

const result = (extension: string, value: string) =>
  entry(
    `<observation classCode="OBS" moodCode="EVN">${template('4.2')}<id root="1.2.3.9" extension="${extension}"/>${loinc('2093-3')}<statusCode code="completed"/><effectiveTime value="20240102"/><value xsi:type="ST">${value}</value></observation>`,
  )
const person = (given: string, family: string, born: string, extension = '77') =>
  `<recordTarget><patientRole><id root="1.2.3.4" extension="${extension}"/><patient><name><given>${given}</given><family>${family}</family></name><administrativeGenderCode code="F"/><birthTime value="${born}"/></patient></patientRole></recordTarget>`

describe('documents of others', () => {
  it.each([
    [
      'ccd.xml',
      33,
      [
        'AllergyIntolerance',
        'Condition',
        'Coverage',
        'Device',
        'DiagnosticReport',
        'Encounter',
        'FamilyMemberHistory',
        'Immunization',
        'MedicationStatement',
        'Observation',
        'Procedure',
        'ServiceRequest',
      ],
    ],
    ['operative-note.xml', 12, ['Condition', 'Procedure', 'ServiceRequest']],
    ['discharge-header.xml', 2, ['DocumentReference']],
  ])('%s: every entry is a row, and every resource is valid', async (name, rows, types) => {
    const outcomes = await read(sample(name))
    expect(rowsOf(outcomes)).toEqual({ mapped: rows, unmapped: 0, rejected: 0 })
    for (const one of outcomes) if (one.kind === 'mapped') expect(validator.validate(one.resource)).toEqual([])
    for (const type of types) expect([type, ofType(outcomes, type).length > 0]).toEqual([type, true])
  })

  it('a section of an example of HL7’s in a document of our own', async () => {
    const outcomes = await read(
      documentOf(
        `<component>${sample('allergy-codeine.section.xml')
          .toString('utf8')
          .replace(/^<\?xml.*?\?>/, '')}</component>`,
      ),
    )
    const [allergy] = ofType(outcomes, 'AllergyIntolerance')
    expect(allergy).toMatchObject({ code: { coding: [{ code: '2670' }] }, category: ['medication'] })
  })
})

describe('the header', () => {
  const more = `<author><time value="20240105"/><assignedAuthor><id root="2.16.840.1.113883.4.6" extension="1"/><assignedPerson><name><given>Ann</given><family>Doctor</family></name></assignedPerson><representedOrganization><name>Clinic</name></representedOrganization></assignedAuthor></author>
    <custodian><assignedCustodian><representedCustodianOrganization><id root="1.2.3.7"/><name>Keeper</name></representedCustodianOrganization></assignedCustodian></custodian>
    <legalAuthenticator><time value="20240105"/><signatureCode code="S"/><assignedEntity><id root="2.16.840.1.113883.4.6" extension="1"/></assignedEntity></legalAuthenticator>
    <participant typeCode="IND"><associatedEntity classCode="NOK"><associatedPerson><name><given>Boris</given></name></associatedPerson></associatedEntity></participant>
    <documentationOf><serviceEvent classCode="PCPR"><effectiveTime><low value="2023"/><high value="2024"/></effectiveTime></serviceEvent></documentationOf>
    <componentOf><encompassingEncounter><id root="1.2.3.8" extension="v1"/><code code="IMP" codeSystem="2.16.840.1.113883.5.4"/><effectiveTime><low value="20240101"/><high value="20240104"/></effectiveTime>
    <encounterParticipant typeCode="ATND"><assignedEntity><id root="2.16.840.1.113883.4.6" extension="1"/></assignedEntity></encounterParticipant>
    <location><healthCareFacility><id root="1.2.3.6" extension="W"/><location><name>Ward 3</name></location></healthCareFacility></location></encompassingEncounter></componentOf>`

  it('becomes a DocumentReference, a visit and what the Patient lacks', async () => {
    const outcomes = await read(documentOf('', { more }))
    const [document] = ofType(outcomes, 'DocumentReference')
    const [visit] = ofType(outcomes, 'Encounter')
    expect(document).toMatchObject({
      masterIdentifier: { system: 'urn:oid:1.2.3', value: 'document-1' },
      status: 'current',
      docStatus: 'final',
      date: '2024-01-05T10:15:00+01:00',
      author: [{ display: 'Ann Doctor' }],
      authenticator: { display: 'Ann Doctor' },
      custodian: { display: 'Keeper' },
      context: {
        period: { start: '2023', end: '2024' },
        encounter: [{ reference: `Encounter/${visit?.id}` }],
        related: [{ display: 'Boris' }],
      },
    })
    expect(visit).toMatchObject({
      status: 'finished',
      class: { code: 'IMP' },
      participant: [{ individual: { display: 'Ann Doctor' }, type: [{ coding: [{ code: 'ATND' }] }] }],
      location: [{ location: { display: 'Ward 3' } }],
    })
    expect(rowsOf(outcomes)).toEqual({ mapped: 3, unmapped: 0, rejected: 0 })
    expect(warningsOf(outcomes)).toEqual([])
  })

  it('a time without an offset has that of the document', async () => {
    const outcomes = await read(
      documentOf(section('2.3.1', result('1', 'x').replace('value="20240102"', 'value="202401020830"'))),
    )
    expect(ofType(outcomes, 'Observation')[0]?.effectiveDateTime).toBe('2024-01-02T08:30:00+01:00')
  })

  it('fills what the Patient lacks', async () => {
    const house = await openHouse()
    const target = person('Eve', 'Everywoman', '19750501')
      .replace('<patient>', '<telecom value="mailto:eve@example.org" use="HP"/><patient>')
      .replace(
        '</patient>',
        '<raceCode code="2106-3" displayName="White" codeSystem="2.16.840.1.113883.6.238"/><languageCommunication><languageCode code="en"/></languageCommunication></patient>',
      )
    await ingested(house, house.anna, everything(), documentOf('', { target }))
    expect(await readPatient(house.record, house.anna)).toMatchObject({
      identifier: [{ system: 'urn:oid:1.2.3.4', value: '77' }],
      name: [{ given: ['Eve'], family: 'Everywoman' }],
      gender: 'female',
      birthDate: '1975-05-01',
      telecom: [{ system: 'email', value: 'eve@example.org' }],
      communication: [{ language: { coding: [{ code: 'en' }] } }],
      extension: [{ url: 'http://hl7.org/fhir/us/core/StructureDefinition/us-core-race' }],
    })
  })
})

describe('the document itself', () => {
  it('is kept as it came, byte by byte', async () => {
    const house = await openHouse()
    const bytes = sample('ccd.xml')
    await ingested(house, house.anna, everything(), bytes)
    const [document] = await found(house.record, 'DocumentReference')
    const [{ attachment }] = (document ?? fail()).content as [{ attachment: { url: string } }]
    const [, id = ''] = attachment.url.split('/')
    const kept = parseResource((await house.record.reader(everything()).read('Binary', id)).json)
    expect(kept.securityContext).toEqual({ reference: `Patient/${house.anna}` })
    expect(Buffer.from(String(kept.data), 'base64').equals(bytes)).toBe(true)
  })

  it('a file that is its body is kept beside it', async () => {
    const pdf = Buffer.from('%PDF-1.4 what it says')
    const text = `<text mediaType="application/pdf" representation="B64">${pdf.toString('base64')}</text>`
    const whole = documentOf('').replace(/<structuredBody>.*<\/structuredBody>/, `<nonXMLBody>${text}</nonXMLBody>`)
    const [document] = ofType(await read(whole), 'DocumentReference')
    expect(document?.content).toMatchObject([
      { format: { code: 'urn:hl7-org:sdwg:ccda-nonXMLBody:2.1' } },
      { attachment: { contentType: 'application/pdf', data: pdf.toString('base64') } },
    ])
  })

  it('a section without entries is told to be text of the document', async () => {
    const outcomes = await read(documentOf(section('1.3.6.1.4.1.19376.1.5.3.1.3.4', '', 'Came with a cough.')))
    expect(warningsOf(outcomes)).toEqual([
      'History of present illness: it has no entries, and is kept as text in the document alone.',
    ])
  })

  it('who may not write it is told so, and the entries go in', async () => {
    const house = await openHouse()
    const grant = grantOf('system/Patient.rus system/Provenance.cruds system/Observation.cruds')
    const { counts, report } = await ingested(house, house.anna, grant, documentOf(section('2.3.1', result('1', 'x'))))
    expect(JSON.stringify(report)).toContain('does not permit to keep the document itself')
    expect(counts).toMatchObject({ rows: 3, mapped: 2, rejected: [{ row: 'document', reason: 'not-permitted' }] })
  })
})

describe('again, and anew', () => {
  it('the same document changes nothing', async () => {
    const house = await openHouse()
    const first = await ingested(house, house.anna, everything(), sample('ccd.xml'))
    const before = await versionsOf(house.record)
    const again = await ingested(house, house.anna, everything(), sample('ccd.xml'))
    expect(again.counts).toMatchObject({
      created: 0,
      updated: 0,
      mapped: 0,
      duplicate: first.counts.rows,
      rows: first.counts.rows,
    })
    expect(await versionsOf(house.record)).toBe(before)
  })

  it.each([
    ['the newer last', ['20240105101500+0100', '20240106101500+0100'], 'new'],
    ['the newer first', ['20240106101500+0100', '20240105101500+0100'], 'old'],
  ])('what two documents say of one thing is what the newer says: %s', async (_, [one = '', two = ''], last) => {
    const house = await openHouse()
    const other = last === 'new' ? 'old' : 'new'
    await ingested(house, house.anna, everything(), documentOf(section('2.3.1', result('1', other)), { time: one }))
    await ingested(
      house,
      house.anna,
      everything(),
      documentOf(section('2.3.1', result('1', last)), { time: two, id: '<id root="1.2.3" extension="document-2"/>' }),
    )
    expect((await found(house.record, 'Observation')).map(({ valueString }) => valueString)).toEqual(['new'])
    expect(await found(house.record, 'DocumentReference')).toHaveLength(2)
  })

  const versionOf = (n: number, more = '') =>
    documentOf(section('2.3.1', result(`${n}`, 'x')), {
      id: `<id root="1.2.3" extension="version-${n}"/>`,
      set: `<setId root="1.2.3.5" extension="set"/><versionNumber value="${n}"/>`,
      time: `2024010${n}101500+0100`,
      more,
    })
  const statuses = async (house: TestHouse) =>
    (await found(house.record, 'DocumentReference'))
      .map(({ masterIdentifier, status }) => `${(masterIdentifier as { value: string }).value} ${status}`)
      .sort()

  it.each([[[1, 2, 3]], [[3, 1, 2]], [[2, 3, 1]]])(
    'of the versions of a set the last one is current, in whichever order they come: %s',
    async order => {
      const house = await openHouse()
      for (const n of order) await ingested(house, house.anna, everything(), versionOf(n))
      const expected = ['version-1 superseded', 'version-2 superseded', 'version-3 current']
      expect(await statuses(house)).toEqual(expected)
      for (const n of order) {
        const again = await ingested(house, house.anna, everything(), versionOf(n))
        expect(again.counts).toMatchObject({ mapped: 0, created: 0, updated: 0 })
      }
      expect(await statuses(house)).toEqual(expected)
      expect(await found(house.record, 'Observation')).toHaveLength(3)
    },
  )

  it('what a document replaces is superseded, and what it is led to', async () => {
    const house = await openHouse()
    const first = documentOf('', { id: '<id root="1.2.3" extension="first"/>' })
    const more =
      '<relatedDocument typeCode="RPLC"><parentDocument><id root="1.2.3" extension="first"/></parentDocument></relatedDocument>'
    await ingested(house, house.anna, everything(), first)
    await ingested(
      house,
      house.anna,
      everything(),
      documentOf('', { id: '<id root="1.2.3" extension="second"/>', more }),
    )
    expect(await statuses(house)).toEqual(['first superseded', 'second current'])
    await ingested(house, house.anna, everything(), first)
    expect(await statuses(house)).toEqual(['first superseded', 'second current'])
    const all = await found(house.record, 'DocumentReference')
    const [old] = all.filter(({ status }) => status === 'superseded')
    expect(all.find(({ status }) => status === 'current')?.relatesTo).toMatchObject([
      { code: 'replaces', target: { reference: `DocumentReference/${old?.id}` } },
    ])
  })

  it('a document of somebody else’s with the same numbers stays as it is', async () => {
    const house = await openHouse()
    const target = person('Bert', 'Brown', '19800101', '8')
    await ingested(house, house.anna, everything(), versionOf(1))
    await ingested(house, house.bert, everything(), versionOf(2).replace(/<recordTarget>.*<\/recordTarget>/s, target))
    expect(await statuses(house)).toEqual(['version-1 current', 'version-2 current'])
  })

  it('two things to which a document gives one number are two', async () => {
    const house = await openHouse()
    const twice = result('1', 'a') + result('1', 'b').replace('value="20240102"', 'value="20240103"')
    await ingested(house, house.anna, everything(), documentOf(section('2.3.1', twice)))
    expect((await found(house.record, 'Observation')).map(({ valueString }) => valueString).sort()).toEqual(['a', 'b'])
  })
})

function fail(): never {
  throw new Error('there is no document')
}

async function started(house: TestHouse, patient: string, force: boolean, text: string) {
  const grant = everything()
  const job = await house.ingest.start({ grant, patient, force, body: streamOf(text) })
  await job.done
  return countsOf((await house.ingest.job(job.id, grant))?.report)
}

describe('whose it is', () => {
  const eve = { name: [{ given: ['Eve'], family: 'Everywoman' }], birthDate: '1975-05-01', gender: 'female' }
  const document = (target: string) => documentOf(section('2.3.1', result('1', 'x')), { target })

  it('somebody else’s is refused before anything is written, unless it is forced', async () => {
    const house = await openHouse()
    const patient = await createPatient(house.record, eve)
    const before = await versionsOf(house.record)
    const refused = await ingested(house, patient, everything(), document(person('Adam', 'Other', '19601111', '9')))
    expect(refused.counts.problem?.code).toBe('ingest.patient-contradicted')
    expect(await versionsOf(house.record)).toBe(before)
    const told = await started(house, patient, true, document(person('Adam', 'Other', '19601111', '9')))
    expect(told).toMatchObject({ rows: 3, problem: undefined })
  })

  it('one that may be somebody else’s waits for a person', async () => {
    const house = await openHouse()
    const patient = await createPatient(house.record, eve)
    const { counts, report } = await ingested(
      house,
      patient,
      everything(),
      document(person('Eve', 'Everywoman', '19750502', '9')),
    )
    expect(counts.problem?.code).toBe('ingest.patient-doubtful')
    expect(JSON.stringify(report)).toContain('"review"')
    expect(await found(house.record, 'Observation')).toEqual([])
  })

  it('one about several people is refused, forced or not', async () => {
    for (const force of [false, true]) {
      const house = await openHouse()
      const two = person('Eve', 'Everywoman', '19750501') + person('Adam', 'Other', '19601111', '9')
      const { problem } = await started(house, house.anna, force, document(two))
      expect(problem?.code).toBe('ingest.several-patients')
      expect(await found(house.record, 'Observation')).toEqual([])
    }
  })

  it('two families: each sees its own, and nobody else’s doctor is told', async () => {
    const house = await openHouse()
    await ingested(
      house,
      house.anna,
      ofPatient(house.anna, 'patient/*.cruds'),
      document(person('Eve', 'Everywoman', '19750501')),
    )
    await ingested(
      house,
      house.bert,
      ofPatient(house.bert, 'patient/*.cruds'),
      document(person('Bert', 'Brown', '19800101', '8')),
    )
    const seen = async (patient: string) =>
      (await found(house.record, 'Observation', '', ofPatient(patient))).map(({ subject }) => subject)
    expect(await seen(house.anna)).toEqual([{ reference: `Patient/${house.anna}` }])
    expect(await seen(house.bert)).toEqual([{ reference: `Patient/${house.bert}` }])
    expect(await found(house.record, 'Practitioner')).toEqual([])
  })
})

describe('numbers that are nobody’s', () => {
  const doctor = (id: string, name = '') =>
    `<author><time value="20240105"/><assignedAuthor>${id}${name}</assignedAuthor></author>`
  const ann = '<assignedPerson><name><given>Ann</given><family>Doctor</family></name></assignedPerson>'

  it.each([
    ['a number that is not known', '<id root="2.16.840.1.113883.4.6" nullFlavor="UNK"/>'],
    ['a register alone', '<id root="2.16.840.1.113883.4.6"/>'],
  ])('%s does not stand for whoever else has none', async (_, id) => {
    const told = section('2.3.1', result('1', 'x').replace('<value', `${doctor(id)}<value`))
    const outcomes = await read(documentOf(told, { more: doctor(id, ann) }))
    expect(ofType(outcomes, 'DocumentReference')).toMatchObject([{ author: [{ display: 'Ann Doctor' }] }])
    expect(JSON.stringify(ofType(outcomes, 'Observation'))).not.toContain('Ann')
  })

  it('an id without a root is not the same in two documents', async () => {
    const ids = async (value: string) =>
      ofType(
        await read(documentOf(section('2.3.1', result('1', value).replace('root="1.2.3.9"', 'nullFlavor="NI"')))),
        'Observation',
      ).map(({ id }) => id)
    expect(await ids('x')).not.toEqual(await ids('y'))
    expect(await ids('x')).toEqual(await ids('x'))
  })

  it('a relation of a document that has the name of something else is none', async () => {
    const parent =
      '<relatedDocument typeCode="constructor"><parentDocument><id root="1.2.8"/></parentDocument></relatedDocument>'
    const [document] = ofType(await read(documentOf('', { more: parent })), 'DocumentReference')
    expect(document).not.toHaveProperty('relatesTo')
  })
})

describe('files that are no such document, or more than one', () => {
  const refusalOf = async (text: string | Buffer) => {
    try {
      await read(text)
      return 'none'
    } catch (error) {
      return isProblem(error) ? error.code : String(error)
    }
  }

  it.each([
    [
      'an entity',
      documentOf('').replace('<ClinicalDocument', '<!DOCTYPE x [<!ENTITY a "b">]>\n<ClinicalDocument'),
      'ingest.xml-entity',
    ],
    [
      'an external subset',
      documentOf('').replace('<ClinicalDocument', '<!DOCTYPE x SYSTEM "file:///etc/passwd">\n<ClinicalDocument'),
      'ingest.xml-entity',
    ],
    [
      'a parameter entity',
      documentOf('').replace('<ClinicalDocument', '<!DOCTYPE x [ %a; ]>\n<ClinicalDocument'),
      'ingest.xml-entity',
    ],
    ['a reference to an entity', documentOf(section('2.3.1', '', '&nbsp;')), 'ingest.xml-entity'],
    ['a tag that nothing opened', documentOf('</section>'), 'ingest.xml-malformed'],
    ['a header of too many elements', documentOf('', { more: '<id/>'.repeat(100_001) }), 'ingest.token-too-long'],
    [
      'a document within something else, whose person would be passed over',
      documentOf('').replace('<ClinicalDocument', '<Batch><ClinicalDocument').concat('</Batch>'),
      'ingest.xml-malformed',
    ],
    ['a file that is cut off', documentOf('').slice(0, -20), 'ingest.truncated'],
    ['elements in elements', documentOf(`${'<a>'.repeat(200)}${'</a>'.repeat(200)}`), 'ingest.too-deep'],
    [
      'one entry of too many elements',
      documentOf(section('2.3.1', entry('<act>'.concat('<a/>'.repeat(100_001), '</act>')))),
      'ingest.token-too-long',
    ],
  ])('%s', async (_, text, code) => {
    expect(await refusalOf(text)).toBe(code)
  })

  it('a document type without entities is passed over', async () => {
    expect(
      await refusalOf(documentOf('').replace('<ClinicalDocument', '<!DOCTYPE ClinicalDocument>\n<ClinicalDocument')),
    ).toBe('none')
  })

  it('is known by what is in it: with a prefix, behind a comment, in another encoding', async () => {
    const house = await openHouse()
    const plain = documentOf(section('2.3.1', result('1', 'Müller')))
    const prefixed = plain.replaceAll(/<(\/?)([A-Za-z])/g, '<$1n:$2').replace('xmlns="urn', 'xmlns:n="urn')
    const latin = Buffer.from(plain.replace('UTF-8', 'ISO-8859-1'), 'latin1')
    const commented = plain.replace('<ClinicalDocument', `<!-- ${'a'.repeat(40_000)} -->\n<ClinicalDocument`)
    const wide = Buffer.from(`\ufeff${plain.replace('UTF-8', 'UTF-16')}`, 'utf16le')
    for (const file of [plain, prefixed, latin, commented, wide]) {
      const { counts } = await ingested(house, house.anna, everything(), file)
      expect(counts.rows).toBe(3)
    }
    expect((await found(house.record, 'Observation')).map(({ valueString }) => valueString)).toEqual(['Müller'])
  })

  it('several in an archive, beside what a style sheet is', async () => {
    const house = await openHouse()
    const second = documentOf(section('2.3.1', result('2', 'y')), { id: '<id root="1.2.3" extension="document-2"/>' })
    const zip = await zipOfMany([
      { name: 'IHE_XDM/A/DOC1.XML', data: Buffer.from(documentOf(section('2.3.1', result('1', 'x')))) },
      { name: 'IHE_XDM/A/DOC2.XML', data: Buffer.from(second) },
      { name: 'IHE_XDM/A/CDA.xsl', data: Buffer.from('<xsl/>') },
    ])
    const { counts } = await ingested(house, house.anna, everything(), zip)
    expect(counts).toMatchObject({ rows: 7, unmapped: [{ row: 'file.xsl', count: 1 }] })
    expect(await found(house.record, 'Observation')).toHaveLength(2)
  })
})
