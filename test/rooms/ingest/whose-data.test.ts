import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createPatient,
  everything,
  found,
  grantOf,
  ofPatient,
  openHouse,
  readPatient,
  type TestHouse,
  versionsOf,
} from './house.ts'
import { message } from './reading.ts'

/** A message of a hospital; `from` stands in MSH-3 and MSH-4. */
const adt = (event: string, pid: string, from = 'REG|HOSP', id = 'M1') =>
  message(`MSH|^~\\&|${from}|KIN|HOME|20240310120000+0000||ADT^${event}|${id}|P|2.5.1`, pid)
const send = async (house: TestHouse, bytes: Buffer) => {
  const { status, ack } = await house.ingest.hl7v2({ grant: everything(), message: bytes })
  return { status, code: /MSA\|(..)/.exec(ack)?.[1], places: /ERR\|\|([^|]*)/.exec(ack)?.[1], ack }
}
const people = (house: TestHouse, query: string) => found(house.record, 'Patient', query)

describe('whom an HL7 message is about', () => {
  it('two hospitals give the same bare number to two people – CX.4 defaults to the sender', async () => {
    const house = await openHouse()
    expect((await send(house, adt('A04', 'PID|1||4711||Sample^Ann||19800203|F'))).code).toBe('AA')
    expect((await send(house, adt('A04', 'PID|1||4711||Other^Bob||19910714|M', 'REG|CLINIC'))).code).toBe('AA')
    const found = await people(house, 'identifier=4711')
    expect(found.map(({ identifier }) => identifier)).toEqual(
      expect.arrayContaining([
        [expect.objectContaining({ system: 'urn:x-hl7v2-hd:HOSP', value: '4711' })],
        [expect.objectContaining({ system: 'urn:x-hl7v2-hd:CLINIC', value: '4711' })],
      ]),
    )
    expect(found).toHaveLength(2)
  })

  it.each([
    ['REG|', 'urn:x-hl7v2-hd:REG'],
    ['REG|HOSP^1.2.3^ISO', 'urn:oid:1.2.3'],
  ])('a bare number of %s is of the authority %s', async (from, system) => {
    const house = await openHouse()
    await send(house, adt('A04', 'PID|1||4711||Sample^Ann', from))
    expect(await people(house, `identifier=${system}|4711`)).toHaveLength(1)
  })

  // https://www.rfc-editor.org/rfc/rfc8141#section-2.2: what a URN does not have is percent-encoded.
  it.each([
    ['REG|KLINIKUM SÜD', 'urn:x-hl7v2-hd:KLINIKUM_S%C3%9CD'],
    ['REG|ГКБ1', 'urn:x-hl7v2-hd:%D0%93%D0%9A%D0%911'],
    ['REG|病院', 'urn:x-hl7v2-hd:%E7%97%85%E9%99%A2'],
    ["REG|ST. MARY'S (WEST): 2", "urn:x-hl7v2-hd:ST._MARY'S_(WEST)%3A_2"],
    [`REG|${'LONG'.repeat(20)}`, `urn:x-hl7v2-hd:${'LONG'.repeat(20)}`],
  ])('a hospital may be called as people call it: %s', async (from, system) => {
    const house = await openHouse()
    expect((await send(house, adt('A04', 'PID|1||4711||Sample^Ann||19800203|F', from))).code).toBe('AA')
    expect(await people(house, 'identifier=4711')).toMatchObject([{ identifier: [{ system, value: '4711' }] }])
    // The same name in composed and in decomposed letters is one hospital.
    expect((await send(house, adt('A08', 'PID|1||4711||Sample^Ann', from.normalize('NFD'), 'M2'))).code).toBe('AA')
    expect(await people(house, 'identifier=4711')).toHaveLength(1)
  })

  it('a bare number of nobody finds nobody', async () => {
    const house = await openHouse()
    expect(await send(house, adt('A04', 'PID|1||4711||Sample^Ann', '|'))).toMatchObject({
      code: 'AE',
      places: 'PID^1^3',
    })
  })

  it.each(['HC', 'PN', 'AN', 'MC', 'FAM'])('siblings with one number of type %s are two people', async type => {
    const house = await openHouse()
    await send(house, adt('A04', `PID|1||A1^^^HOSP^MR~P1^^^INS^${type}||Sample^Cleo||20150101|F`))
    await send(house, adt('A04', `PID|1||B1^^^HOSP^MR~P1^^^INS^${type}||Sample^Dan||20170202|M`, undefined, 'M2'))
    const [cleo, ...more] = await people(house, 'identifier=A1')
    expect(more).toEqual([])
    expect(cleo).toMatchObject({ name: [{ given: ['Cleo'] }], birthDate: '2015-01-01' })
    expect(await people(house, 'identifier=B1')).toMatchObject([{ name: [{ given: ['Dan'] }] }])
  })

  const ann = 'PID|1||4711^^^HOSP^MR||Sample^Ann||19800203|F'

  it.each([
    ['another birth date', 'Sample^Ann||19910714|F', 'PID^1^7'],
    ['another sex', 'Sample^Ann||19800203|M', 'PID^1^8'],
    ['another name', 'Other^Bob||19800203|F', 'PID^1^5'],
    ['another person', 'Other^Bob||19910714|M', 'PID^1^5~PID^1^7~PID^1^8'],
  ])('%s under a known number is refused by place, and nothing is written', async (_, who, places) => {
    const house = await openHouse()
    await send(house, adt('A04', ann))
    const before = await versionsOf(house.record)
    for (const event of ['A01', 'A08', 'A31']) {
      const answer = await send(house, adt(event, `PID|1||4711^^^HOSP^MR||${who}`, undefined, event))
      expect(answer).toMatchObject({ status: 422, code: 'AE', places })
      expect(answer.ack).not.toMatch(/Other|Bob|199107|Sample/)
    }
    expect(await versionsOf(house.record)).toBe(before)
  })

  it.each(['Sample^Ann', 'SAMPLE^ANN^MARIE||1980', 'Sample^A||19800203|U', '""', ''])(
    'what agrees is taken in: %s',
    async who => {
      const house = await openHouse()
      await send(house, adt('A04', ann))
      expect((await send(house, adt('A03', `PID|1||4711^^^HOSP^MR||${who}`, undefined, 'M2'))).code).toBe('AA')
    },
  )
})

describe('a file is taken in for a patient only if it is about them', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kinhold-test-'))
  const imported = (house: TestHouse, patient: string, file: string, force = false) => {
    const path = join(folder, 'file')
    writeFileSync(path, file)
    return house.ingest.importFile({ grant: everything(), patient, path, force })
  }
  const ann = { name: [{ family: 'Sample', given: ['Ann'] }], birthDate: '1980-02-03', gender: 'female' }
  const observation = { resourceType: 'Observation', id: 'o', status: 'final', code: { text: 'x' } }

  const files: readonly (readonly [string, (who: { name: string; born: string; sex: string }) => string])[] = [
    [
      'a FHIR Bundle whose Patient stands last',
      ({ name, born, sex }) =>
        JSON.stringify({
          resourceType: 'Bundle',
          type: 'collection',
          entry: [
            { resource: { ...observation, subject: { reference: 'Patient/p' } } },
            { resource: { resourceType: 'Patient', id: 'p', name: [{ text: name }], birthDate: born, gender: sex } },
          ],
        }),
    ],
    [
      'NDJSON',
      ({ name, born, sex }) =>
        [
          { resourceType: 'Patient', id: 'p', name: [{ text: name }], birthDate: born, gender: sex },
          { ...observation, subject: { reference: 'Patient/p' } },
        ]
          .map(line => `${JSON.stringify(line)}\n`)
          .join(''),
    ],
    [
      'Apple Health',
      ({ born, sex }) =>
        `<?xml version="1.0"?><HealthData locale="en"><ExportDate value="2026-01-01 00:00:00 +0000"/>
         <Me HKCharacteristicTypeIdentifierDateOfBirth="${born}" HKCharacteristicTypeIdentifierBiologicalSex="HKBiologicalSex${sex === 'male' ? 'Male' : 'Female'}"/>
         <Record type="HKQuantityTypeIdentifierBodyMass" sourceName="x" unit="kg" creationDate="2026-01-01 00:00:00 +0000" startDate="2026-01-01 00:00:00 +0000" endDate="2026-01-01 00:00:00 +0000" value="80"/>
         </HealthData>`,
    ],
    [
      'HL7 v2',
      ({ name, born, sex }) =>
        [
          'MSH|^~\\&|LAB|HOSP|KIN|HOME|20240310120000+0000||ORU^R01|C1|P|2.5.1',
          `PID|1||1^^^HOSP^MR||${name.split(' ').reverse().join('^')}||${born.replaceAll('-', '')}|${sex === 'male' ? 'M' : 'F'}`,
          'OBR|1||F1|2345-7^Glucose^LN|||20240310080000+0000',
          'OBX|1|NM|2345-7^Glucose^LN||90|mg/dL|||||F\r',
        ].join('\r'),
    ],
  ]
  const herself = { name: 'Ann Sample', born: '1980-02-03', sex: 'female' }

  describe.each(files)('%s', (kind, fileOf) => {
    const taken = async (who: Partial<typeof herself>, force?: boolean) => {
      const house = await openHouse()
      const patient = await createPatient(house.record, ann)
      const report = await imported(house, patient, fileOf({ ...herself, ...who }), force)
      const observations = await found(house.record, 'Observation')
      return { house, patient, report, count: observations.length, text: JSON.stringify(report) }
    }

    it('of the same person goes in', async () => {
      expect(await taken({})).toMatchObject({ count: 1, report: { state: 'done', rejected: [] } })
    })

    it.each<[string, Partial<typeof herself>, string]>([
      ['birthDate', { born: '1991-07-14' }, 'PID-7'],
      ['gender', { sex: 'male' }, 'PID-8'],
      ...(kind === 'Apple Health' ? [] : [['name', { name: 'Bob Other' }, 'PID-5'] satisfies [string, object, string]]),
    ])(
      'with another %s is refused, names what differs and no value, and can be forced',
      async (element, who, place) => {
        const { count, report, text, house, patient } = await taken(who)
        expect(count).toBe(0)
        expect(text).toContain(kind === 'HL7 v2' ? place : `ingest.patient-contradicted`)
        expect(text).not.toMatch(/1991-?07|Bob|Other/)
        if (kind !== 'HL7 v2')
          expect(report).toMatchObject({ state: 'failed', problem: { expression: [`Patient.${element}`] } })
        expect(await readPatient(house.record, patient)).toMatchObject({ ...ann, meta: { versionId: '1' } })
        const forced = await taken(who, true)
        expect(forced).toMatchObject({ count: 1, report: { state: 'done' } })
        // What the record has stays, and that the file says otherwise is told.
        expect(JSON.stringify(forced.report.warnings)).toContain(kind === 'HL7 v2' ? place : `Patient.${element}`)
        expect(JSON.stringify(await found(forced.house.record, 'AuditEvent'))).toContain('forced')
      },
    )

    it('forced, it is audited with the patient, also where it changes nothing or breaks off', async () => {
      const house = await openHouse()
      const patient = await createPatient(house.record, ann)
      const told = async () => {
        await house.record.flush()
        const events = await found(house.record, 'AuditEvent', '', ofPatient(patient, 'patient/AuditEvent.rs'))
        return events.map(({ outcomeDesc }) => String(outcomeDesc)).filter(text => text.includes('forced'))
      }
      const file = fileOf({ ...herself, sex: 'male' })
      await imported(house, patient, file, true)
      const [first, ...others] = await told()
      expect([first, others]).toEqual([expect.not.stringContaining('nothing'), []])
      const before = await versionsOf(house.record)
      await imported(house, patient, file, true)
      expect(await versionsOf(house.record)).toBe(before)
      expect((await told()).filter(text => text.includes('nothing was changed'))).toHaveLength(1)
      await imported(house, patient, file)
      expect(await told()).toHaveLength(2)
      await imported(house, patient, file.slice(0, -40), true)
      expect((await told()).length).toBeGreaterThan(2)
    })

    it('with a slip in the birth date is doubtful, and refused until somebody says so', async () => {
      const { count, text } = await taken({ born: '1980-03-02' })
      expect(count).toBe(0)
      expect(text).toMatch(/ingest\.patient-doubtful|doubtful-patient/)
      expect((await taken({ born: '1980-03-02' }, true)).count).toBe(1)
    })
  })

  it('of several people gives the patient what fits by name and birth date, and names the places of the others', async () => {
    const house = await openHouse()
    const patient = await createPatient(house.record, ann)
    const bundle = {
      resourceType: 'Bundle',
      type: 'collection',
      entry: [
        { resource: { resourceType: 'Patient', id: 'b', name: [{ family: 'Other' }], birthDate: '1991-07-14' } },
        { resource: { resourceType: 'Patient', id: 'a', ...ann } },
        { resource: { ...observation, subject: { reference: 'Patient/b' } } },
        { resource: { ...observation, id: 'mine', subject: { reference: 'Patient/a' } } },
      ],
    }
    const report = await imported(house, patient, JSON.stringify(bundle))
    expect(report).toMatchObject({ state: 'done', created: 1 })
    expect(report.rejected.map(({ expression }) => expression)).toEqual(['Bundle.entry[0]', 'Bundle.entry[2]'])
    expect(await readPatient(house.record, patient)).toMatchObject(ann)
  })

  it.each([
    ['a Patient alone', (patient: object) => patient],
    ['an entry', (patient: object) => ({ resourceType: 'Bundle', type: 'collection', entry: [{ resource: patient }] })],
  ])('%s without id and address is the patient as well', async (_, wrapped) => {
    const house = await openHouse()
    const patient = await createPatient(house.record, ann)
    const file = JSON.stringify(wrapped({ resourceType: 'Patient', ...ann, maritalStatus: { text: 'married' } }))
    expect(await imported(house, patient, file)).toMatchObject({ state: 'done', rejected: [], mapped: 1, updated: 1 })
  })

  it('of several strangers is refused with the place of each', async () => {
    const house = await openHouse()
    const bundle = {
      resourceType: 'Bundle',
      type: 'collection',
      entry: ['a', 'b'].map(id => ({ resource: { resourceType: 'Patient', id, name: [{ family: id }] } })),
    }
    expect(await imported(house, house.anna, JSON.stringify(bundle))).toMatchObject({
      state: 'failed',
      problem: { code: 'ingest.several-patients', expression: ['Bundle.entry[0]', 'Bundle.entry[1]'] },
    })
  })

  it('an app that may not read the Patient is told nothing by what is compared', async () => {
    const house = await openHouse()
    const patient = await createPatient(house.record, ann)
    const grant = grantOf('patient/Observation.cru patient/Provenance.c', { patient, patients: [] })
    const path = join(folder, 'blind')
    writeFileSync(path, JSON.stringify({ ...observation, subject: { reference: 'Patient/p' } }))
    expect(await house.ingest.importFile({ grant, patient, path })).toMatchObject({ state: 'done', created: 1 })
  })
})
