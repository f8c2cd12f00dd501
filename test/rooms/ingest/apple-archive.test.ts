import { ZipFile } from 'yazl'
import { ownerOf, parseElectrocardiogram } from '../../../src/ingest/apple/electrocardiogram.ts'
import { everything, found, grantOf, ingested, ofPatient, openHouse, validator } from './house.ts'

const workout = `<Workout workoutActivityType="HKWorkoutActivityTypeRunning" sourceName="Watch" startDate="2024-03-10 08:00:00 +0000" endDate="2024-03-10 08:30:00 +0000"><WorkoutRoute><FileReference path="/workout-routes/route_1.gpx"/></WorkoutRoute></Workout>`
const clinical = (n: number) =>
  `<ClinicalRecord type="LabResultRecord" identifier="${n}" sourceName="Clinic" sourceURL="https://c.example/${n}" fhirVersion="4.0.1" receivedDate="2024-03-01 00:00:00 +0000" resourceFilePath="/clinical-records/LabResult-${n}.json"/>`
const xml = (...rows: string[]) => `<?xml version="1.0"?><HealthData>${rows.join('')}</HealthData>`
const gpx = '<?xml version="1.0"?><gpx><trk><trkseg><trkpt lat="52" lon="13"/></trkseg></trk></gpx>'
const samples = ['-12.345', '40.1', '7']
const ecg = [
  'Name,Anna',
  'Date of Birth,"May 17, 1984"',
  'Recorded Date,2024-03-10 09:00:00 +0100',
  'Classification,Sinus Rhythm',
  'Symptoms,',
  'Software Version,1.90',
  'Device,"Watch6,7"',
  'Sample Rate,512 hertz',
  '',
  '',
  'Lead,Lead I',
  'Unit,µV',
  '',
  ...samples,
  '',
].join('\r\n')
const result = (n: number, subject: string) => ({
  resourceType: 'Observation',
  id: `r${n}`,
  status: 'final',
  code: { text: 'Potassium' },
  subject: { reference: subject },
  valueString: String(n),
})

async function zipOf(files: Readonly<Record<string, string>>): Promise<Buffer> {
  const zip = new ZipFile()
  for (const [name, content] of Object.entries(files))
    zip.addBuffer(Buffer.from(content), `apple_health_export/${name}`)
  zip.end()
  const chunks: Buffer[] = []
  for await (const chunk of zip.outputStream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

async function imported(files: Readonly<Record<string, string>>, grant = everything()) {
  const house = await openHouse()
  const { counts, report } = await ingested(house, house.anna, grant, await zipOf(files))
  const all = async (type: string) => found(house.record, type)
  return { house, counts, report, all }
}

describe('the files beside an Apple Health export', () => {
  it('a route becomes a document of the patient, to which the workout refers', async () => {
    const { house, counts, all } = await imported({ 'export.xml': xml(workout), 'workout-routes/route_1.gpx': gpx })
    expect(counts).toMatchObject({ rows: 2, mapped: 2, unmapped: [], rejected: [] })
    const [document] = await all('DocumentReference')
    expect((await all('Observation'))[0]?.derivedFrom).toEqual([{ reference: `DocumentReference/${document?.id}` }])
    const [bytes] = await found(house.record, 'Binary', '', ofPatient(house.anna))
    expect(document?.content).toMatchObject([{ attachment: { url: `Binary/${bytes?.id}`, title: 'route_1.gpx' } }])
    expect(Buffer.from(String(bytes?.data), 'base64').toString()).toBe(gpx)
    expect(await found(house.record, 'Binary', '', ofPatient(house.bert))).toEqual([])
  })

  it('a route that is not there, or may not be kept, is named and not referred to', async () => {
    const missing = await imported({ 'export.xml': xml(workout) })
    expect((await missing.all('Observation'))[0]).toMatchObject({
      component: [{ valueString: '/workout-routes/route_1.gpx' }],
    })
    const house = await openHouse()
    const grant = grantOf('patient/Observation.cruds patient/Provenance.c', { patient: house.anna, patients: [] })
    const zip = await zipOf({ 'export.xml': xml(workout), 'workout-routes/route_1.gpx': gpx })
    const { counts } = await ingested(house, house.anna, grant, zip)
    expect(counts).toMatchObject({ created: 1, unmapped: [{ row: 'file.gpx' }], rejected: [] })
    const [stored] = await found(house.record, 'Observation')
    expect(stored).not.toHaveProperty('derivedFrom')
    expect(stored?.device).toEqual({ display: 'Watch' })
  })

  it('an electrocardiogram is an Observation with its samples', async () => {
    const { counts, all } = await imported({
      'export.xml': xml(),
      'electrocardiograms/ecg_2024-03-10.csv': ecg,
      'notes.csv': 'a,b\n1,2\n',
    })
    expect(counts).toMatchObject({ created: 1, unmapped: [{ row: 'file.csv', count: 1 }] })
    const [stored] = await all('Observation')
    expect(validator.validate(stored ?? { resourceType: 'x' })).toEqual([])
    expect(stored).toMatchObject({
      effectiveDateTime: '2024-03-10T09:00:00+01:00',
      valueString: 'Sinus Rhythm',
      device: { display: 'Watch6,7' },
      component: [{ valueSampledData: { period: 1.953125, data: samples.join(' ') } }, { valueString: '1.90' }],
    })
    expect(JSON.stringify(stored)).not.toContain('May 17')
  })

  it('an electrocardiogram is read in the language of the phone', () => {
    const german = ecg
      .replace('Recorded Date', 'Aufzeichnungsdatum')
      .replace('512 hertz', '"512,4 Hertz"')
      .replace('-12.345', '"-12,345"')
    expect(parseElectrocardiogram(german)).toMatchObject({ hertz: 512.4, samples: samples.join(' ') })
    for (const text of [
      '',
      'a,b\n1\n',
      ecg.replace('2024-03-10 09', 'then'),
      ecg.replace('512 hertz', 'often'),
      ecg.replace('40.1', 'x,y'),
    ])
      expect(parseElectrocardiogram(text)).toBeUndefined()
  })

  it('an electrocardiogram says whose it is, by name and day of birth in the words of the phone', () => {
    const born = (text: string) => ownerOf(ecg.replace('"May 17, 1984"', text))?.birthDate
    expect(ownerOf(ecg)).toEqual({ name: [{ text: 'Anna' }], birthDate: '1984-05-17' })
    for (const text of [
      '17. Mai 1984',
      '"17 May 1984"',
      '17 de mayo de 1984',
      '17 mai 1984',
      '1984-05-17',
      '17.05.1984',
      '17.5.1984',
    ])
      expect([text, born(text)]).toEqual([text, '1984-05-17'])
    // Day and month could be exchanged, no such day, a language that is not known: nothing is said.
    for (const text of ['05/06/1984', '"Feb 30, 1984"', '1984-13-01', '1984年5月17日', '', 'May 1984', '"May 17, 84"'])
      expect([text, born(text)]).toEqual([text, undefined])
    expect(ownerOf(ecg.replace('Name,Anna', 'Name,').replace('"May 17, 1984"', ''))).toBeUndefined()
    expect(ownerOf('a,b\nc,d\n')).toBeUndefined()
  })

  it('the records of clinics are taken in, also of two clinics that have their own ids', async () => {
    for (const subjects of [
      ['Patient/a', 'Patient/a'],
      ['Patient/a', 'Patient/b'],
    ]) {
      const files = Object.fromEntries(
        subjects.map((subject, n) => [`clinical-records/LabResult-${n}.json`, JSON.stringify(result(n, subject))]),
      )
      const { counts, all } = await imported({ 'export.xml': xml(clinical(0), clinical(1), clinical(7)), ...files })
      expect((await all('Observation')).map(({ valueString }) => valueString).sort()).toEqual(['0', '1'])
      expect(counts).toMatchObject({ rows: 3, unmapped: [{ row: 'ClinicalRecord', count: 1 }], rejected: [] })
    }
  })

  it('records of clinics that have one name in two folders are both taken in', async () => {
    const { counts, all } = await imported({
      'export.xml': xml(clinical(0)),
      'clinical-records/LabResult-0.json': JSON.stringify(result(0, 'Patient/a')),
      'more/LabResult-0.json': JSON.stringify(result(1, 'Patient/a')),
    })
    expect((await all('Observation')).map(({ valueString }) => valueString).sort()).toEqual(['0', '1'])
    expect(counts).toMatchObject({ rows: 2, unmapped: [], rejected: [] })
  })

  it('of a record of FHIR DSTU2 each element is told that R4 does not have, and the name of a type', async () => {
    const { counts, report } = await imported({
      'export.xml': xml(clinical(0), clinical(1)),
      'clinical-records/LabResult-0.json': JSON.stringify({
        ...result(0, 'Patient/a'),
        comments: 'x',
        reliability: 'ok',
      }),
      'clinical-records/LabResult-1.json': JSON.stringify({
        resourceType: 'MedicationOrder',
        id: 'm',
        status: 'active',
      }),
    })
    expect(counts.rejected).toMatchObject([
      { row: 'unknown-resource', expression: 'MedicationOrder' },
      { row: 'Observation', reason: 'not-valid', expression: 'Observation.comments' },
    ])
    expect(JSON.stringify(report)).toContain('Observation: Observation.reliability would not be valid FHIR R4, too.')
  })

  it('one record that cannot be read costs itself', async () => {
    const { counts, all } = await imported({
      'export.xml': xml(clinical(0), clinical(1)),
      'clinical-records/LabResult-0.json': '{"resourceType":"Observation",',
      'clinical-records/LabResult-1.json': JSON.stringify(result(1, 'Patient/a')),
      'other.json': '{"a":1}',
    })
    expect(await all('Observation')).toHaveLength(1)
    expect(counts).toMatchObject({
      unmapped: [{ row: 'file.json', count: 1 }],
      rejected: [{ row: 'ClinicalRecord', reason: 'structure-unknown', count: 1 }],
    })
  })
})
