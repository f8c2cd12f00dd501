import { everything, found, ingested, openHouse } from './house.ts'
import { zipOfMany } from './zips.ts'

const record = (type: string, value: string, unit: string, at: string, rest = '') =>
  `<Record type="${type}" sourceName="Watch" sourceVersion="1" unit="${unit}" startDate="${at}" endDate="${at}" value="${value}"${rest}/>`
const exportOf = (records: string) =>
  `<?xml version="1.0"?>\n<HealthData locale="en_US"><ExportDate value="2024-01-02 10:00:00 +0100"/>${records}</HealthData>`

const observation = (type: string, value: string, unit: string, at: string, loinc = '8867-4') =>
  `<component><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.27"/><id root="c6f88321-67ad-11db-bd13-0800200c9a66"/>
  <code code="${loinc}" codeSystem="2.16.840.1.113883.6.1"/>
  <text><sourceName>Watch</sourceName><sourceVersion>1</sourceVersion><value>${value}</value><type>${type}</type><unit>${unit}</unit></text>
  <statusCode code="completed"/><effectiveTime><low value="${at}"/><high value="${at}"/></effectiveTime><value xsi:type="PQ" value="${value}" unit="${unit}"/></observation></component>`
const person = (born: string) =>
  `<recordTarget><patientRole><patient><name><given>Anna</given><family>Adler</family></name><administrativeGenderCode code="F"/><birthTime value="${born}"/></patient></patientRole></recordTarget>`
const cdaOf = (observations: string, target = person('19800101')) =>
  `<?xml version="1.0"?>\n<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><id root="1.1.1" extension="Health Export CDA"/><title>Health Data Export</title>
  <effectiveTime value="20240102100000+0100"/>${target}
  <entry typeCode="DRIV"><organizer classCode="CLUSTER" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.26"/><id root="c6f88320-67ad-11db-bd13-0800200c9a66"/><code code="46680005" codeSystem="2.16.840.1.113883.6.96"/>${observations}</organizer></entry></ClinicalDocument>`

const [rate, systolic, diastolic] = ['HeartRate', 'BloodPressureSystolic', 'BloodPressureDiastolic'].map(
  name => `HKQuantityTypeIdentifier${name}`,
) as [string, string, string]
const records =
  record(rate, '61', 'count/min', '2024-01-01 08:00:00 +0100') +
  record(systolic, '120', 'mmHg', '2024-01-01 09:00:00 +0100') +
  record(diastolic, '80', 'mmHg', '2024-01-01 09:00:00 +0100')
const observations =
  observation(rate, '61', 'count/min', '20240101080000+0100') +
  observation(systolic, '120', 'mmHg', '20240101090000+0100', '8480-6') +
  observation(diastolic, '80', 'mmHg', '20240101090000+0100', '8462-4')
const zipped = (cda: string) =>
  zipOfMany([
    { name: 'apple_health_export/export.xml', data: Buffer.from(exportOf(records)) },
    { name: 'apple_health_export/export_cda.xml', data: Buffer.from(cda) },
  ])

describe('export_cda.xml of Apple Health', () => {
  it('beside the export says the same measurements again', async () => {
    const house = await openHouse()
    const { counts } = await ingested(house, house.anna, everything(), zipped(cdaOf(observations)))
    expect(counts).toMatchObject({ rows: 7, mapped: 4, duplicate: 3, unmapped: [], rejected: [] })
    expect(await found(house.record, 'Observation')).toHaveLength(2)
    expect(await found(house.record, 'DocumentReference')).toEqual([])
  })

  it.each([
    ['the document first', [cdaOf(observations), exportOf(records)]],
    ['the export first', [exportOf(records), cdaOf(observations)]],
  ])('alone is the same measurements as the export: %s', async (_, files) => {
    const house = await openHouse()
    for (const file of files) await ingested(house, house.anna, everything(), file)
    const all = await found(house.record, 'Observation')
    expect(all.map(({ valueQuantity, component }) => valueQuantity ?? component)).toHaveLength(2)
    expect(await found(house.record, 'Device')).toHaveLength(1)
  })

  it('a type that the tables do not have is named; a measurement that names none is an Observation', async () => {
    const house = await openHouse()
    const bare = observation('', '5', 'mg', '20240101080000+0100', '2093-3').replace(/<text>.*?<\/text>/s, '')
    const unheard = observation('HKQuantityTypeIdentifierUnheard', '5', 'mg', '20240101080000+0100')
    const { counts } = await ingested(house, house.anna, everything(), cdaOf(bare + unheard))
    expect(counts).toMatchObject({
      rows: 3,
      mapped: 2,
      unmapped: [{ row: 'HKQuantityTypeIdentifierUnheard', count: 1 }],
    })
  })

  it('of somebody else refuses the archive before anything is written', async () => {
    const house = await openHouse()
    await ingested(house, house.anna, everything(), cdaOf('', person('19800101')))
    const { counts } = await ingested(house, house.anna, everything(), zipped(cdaOf(observations, person('19601111'))))
    expect(counts.problem?.code).toBe('ingest.patient-contradicted')
    expect(await found(house.record, 'Observation')).toEqual([])
  })

  it('that is broken costs itself', async () => {
    const house = await openHouse()
    const { counts } = await ingested(
      house,
      house.anna,
      everything(),
      zipped(cdaOf(observations).replace('</organizer>', '')),
    )
    expect(counts).toMatchObject({ mapped: 3, rejected: [{ row: 'file.xml', reason: 'structure-unknown' }] })
  })

  it('that says nothing of anybody is named', async () => {
    const house = await openHouse()
    const empty =
      '<?xml version="1.0"?>\n<ClinicalDocument xmlns="urn:hl7-org:v3"><title>None</title></ClinicalDocument>'
    const { counts } = await ingested(house, house.anna, everything(), zipped(empty))
    expect(counts).toMatchObject({ mapped: 3, unmapped: [{ row: 'file.xml', count: 1 }] })
  })
})
