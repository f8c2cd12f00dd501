import { gzipSync } from 'node:zlib'
import { findMe } from '../../../src/ingest/apple/find-me.ts'
import { defaultLimits } from '../../../src/ingest/limits.ts'
import { countsOf, everything, found, ingested, openHouse, readPatient } from './house.ts'
import { bytesOf, readApple } from './reading.ts'
import { zipOfMany } from './zips.ts'

const times = 'startDate="2024-03-10 09:00:00 +0000" endDate="2024-03-10 09:00:00 +0000"'
const record = (more = '', within = '') =>
  `<Record type="HKQuantityTypeIdentifierStepCount" sourceName="W" unit="count" value="7" ${times} ${more}>${within}</Record>`
const exported = (...rows: readonly string[]) => `<HealthData locale="en">${rows.join('\n')}</HealthData>`

async function* inPieces(text: string, size: number, encoding: BufferEncoding = 'utf8') {
  const bytes = Buffer.from(text, encoding)
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

const unreadIn = async (text: string, size = 7) =>
  (await readApple(inPieces(text, size))).flatMap(outcome => (outcome.kind === 'unread' ? [outcome.place] : []))

describe('what of an Apple export nothing reads is named', () => {
  it.each([
    ['an attribute of a record', record('weather="fine"'), ['Record.weather']],
    ['a date that is none', record('creationDate="last week"'), ['Record.creationDate']],
    ['text in a record', record('', 'by hand'), ['Record.text']],
    ['text in a child', record('', '<MetadataEntry key="a" value="b">more</MetadataEntry>'), ['MetadataEntry.text']],
    [
      'an element in metadata',
      record('', '<MetadataEntry key="a" value="b"><Foo/></MetadataEntry>'),
      ['MetadataEntry.Foo'],
    ],
    ['text between rows', `${record()} and so on ${record()}`, ['HealthData.text']],
    ['a CDATA section', `${record()}<![CDATA[ <Record x="1"/> ]]>`, ['HealthData.CDATA']],
    ['an attribute of metadata', record('', '<MetadataEntry key="a" value="b" unit="c"/>'), ['MetadataEntry.unit']],
    [
      'metadata that are said twice, differently',
      record('', '<MetadataEntry key="a" value="b"/><MetadataEntry key="a" value="c"/>'),
      ['MetadataEntry.repeated'],
    ],
    [
      'an attribute of a part of a workout',
      `<Workout workoutActivityType="HKWorkoutActivityTypeRunning" ${times}><WorkoutEvent type="HKWorkoutEventTypeLap" date="2024-03-10 09:00:00 +0000" duration="3" durationUnit="fortnight" mood="good"/></Workout>`,
      ['WorkoutEvent.mood', 'WorkoutEvent.duration'],
    ],
    [
      'an attribute of a day',
      '<ActivitySummary dateComponents="2024-01-01" activeEnergyBurned="3" activeEnergyBurnedUnit="kcal" steps="3"/>',
      ['ActivitySummary.steps'],
    ],
    ['an attribute that is no name', record('Ann.Smith-1980="1"'), ['Record.Ann.Smith-1980']],
    ['what Me says and nobody understands', '<Me hair="red"/>', ['Me.hair']],
    [
      'values of Me that are none',
      '<Me HKCharacteristicTypeIdentifierDateOfBirth="June" HKCharacteristicTypeIdentifierBiologicalSex="Robot" HKCharacteristicTypeIdentifierBloodType="X"/>',
      ['DateOfBirth', 'BiologicalSex', 'BloodType'].map(name => `Me.HKCharacteristicTypeIdentifier${name}`),
    ],
  ])('%s', async (_, rows, places) => {
    for (const size of [7, 100_000]) expect(await unreadIn(exported(rows), size)).toEqual(places)
  })

  it('an attribute of the root', async () => {
    expect(await unreadIn('<HealthData locale="de" owner="x"></HealthData>')).toEqual(['HealthData.owner'])
  })

  it('nothing, of what real exports have', async () => {
    const route = `<WorkoutRoute sourceName="W" creationDate="2024-03-10 09:00:00 +0000" ${times}><FileReference path="/a.gpx"/></WorkoutRoute>`
    const rows = [
      record('creationDate="2024-03-10 09:00:00 +0000" device="x" sourceVersion="1"'),
      `<Workout workoutActivityType="HKWorkoutActivityTypeRunning" duration="3" durationUnit="min" ${times}>${route}</Workout>`,
      '<Me HKCharacteristicTypeIdentifierDateOfBirth="" HKCharacteristicTypeIdentifierBiologicalSex="HKBiologicalSexNotSet"/>',
    ]
    expect(await unreadIn(exported(...rows))).toEqual([])
  })

  it('once in the report, and a Me of which nothing is read is a row', async () => {
    const house = await openHouse()
    const { report } = await ingested(
      house,
      house.anna,
      everything(),
      exported(record('a="1"'), record('a="2"'), '<Me b="1"/>'),
    )
    expect(countsOf(report)).toMatchObject({ rows: 3, unmapped: [{ row: 'Me', count: 1 }] })
    expect(JSON.stringify(report).match(/Record\.a: unmapped/g)).toHaveLength(1)
  })
})

describe('comments in an export', () => {
  const me = (year: number) => `<Me HKCharacteristicTypeIdentifierDateOfBirth="${year}-01-01"/>`

  it.each<[string, BufferEncoding, string]>([
    ['in UTF-8', 'utf8', ''],
    ['in UTF-16', 'utf16le', '\uFEFF'],
  ])('say nothing of the person, %s', async (_, encoding, mark) => {
    const text = `${mark}<HealthData><!-- ${me(1950)} --><![CDATA[${me(1951)}]]>${me(1980)}<!--${me(1952)}--></HealthData>`
    for (const size of [8, 64, 100_000]) {
      const said = await findMe(inPieces(text, size, encoding), defaultLimits)
      expect(said.map(({ birthDate }) => birthDate)).toEqual(['1980-01-01'])
    }
  })

  it('do not make a file somebody else’s', async () => {
    const house = await openHouse()
    const { state } = await ingested(house, house.anna, everything(), exported(me(1980), `<!-- ${me(1950)} -->`))
    expect([state, (await readPatient(house.record, house.anna)).birthDate]).toEqual(['done', '1980-01-01'])
  })

  it('are passed over however long they are, with what looks like rows in them', async () => {
    const long = `<!-- ${record().repeat(12_000)} -->`
    expect(long.length).toBeGreaterThan(defaultLimits.maxToken)
    const house = await openHouse()
    const text = `<?xml version="1.0"?>\n<!DOCTYPE HealthData [ ${long} ]>\n<HealthData>${long}${record()}${long}</HealthData>${long}`
    const { state, counts } = await ingested(house, house.anna, everything(), text)
    expect([state, counts.rows, await found(house.record, 'Observation')]).toEqual(['done', 1, [expect.anything()]])
  })

  it.each<[string, (text: string) => Buffer | Promise<Buffer>]>([
    ['as it is', text => Buffer.from(text)],
    ['in UTF-16', text => Buffer.from(`\uFEFF${text}`, 'utf16le')],
    ['with a byte order mark', text => Buffer.from(`\uFEFF${text}`)],
    ['packed', text => gzipSync(text)],
    ['in an archive', text => zipOfMany([{ name: 'export.xml', data: Buffer.from(text) }])],
  ])('before the first element hide no export: %s', async (_, packed) => {
    const long = `<!-- ${'a note '.repeat(12_000)} -->`
    for (const prolog of [
      '<?xml version="1.0"?>\n',
      '',
      '<?xml version="1.0"?>\n<!DOCTYPE HealthData [<!ELEMENT HealthData ANY>]>',
    ]) {
      const house = await openHouse()
      const file = await packed(`${prolog}${long}\n${long}<HealthData>${record()}</HealthData>`)
      const { state, counts } = await ingested(house, house.anna, everything(), file)
      expect([state, counts.rows]).toEqual(['done', 1])
    }
  })

  it('before something else make it no export', async () => {
    const house = await openHouse()
    const other = `<?xml version="1.0"?><!-- ${'<HealthData> '.repeat(12_000)} --><html></html>`
    await expect(ingested(house, house.anna, everything(), other)).rejects.toMatchObject({
      code: 'ingest.format-unknown',
    })
  })

  it('that begin in an attribute are none', async () => {
    const said = record('', '<MetadataEntry key="note" value="a &lt;!-- b"/>')
    const outcomes = await readApple(bytesOf(exported(said, record().replace('"W"', '"W <!-- "'), record())))
    expect(outcomes.filter(({ kind }) => kind === 'mapped').length).toBeGreaterThanOrEqual(2)
    expect(outcomes.filter(({ kind }) => kind === 'rejected')).toHaveLength(1)
  })

  it('that do not end cut the file off', async () => {
    await expect(readApple(bytesOf(exported(record(), '<!-- ')))).rejects.toMatchObject({ code: 'ingest.truncated' })
  })
})
