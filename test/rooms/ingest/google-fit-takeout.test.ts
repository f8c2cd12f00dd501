/** What lies beside the streams of a Takeout of Google Fit: sessions, tables of daily metrics, tracks. */
import { createPatient, everything, found, ingested, openHouse, type TestHouse, validator } from './house.ts'
import { zipOfMany } from './zips.ts'

type Content = Readonly<Record<string, unknown>>

const quantity = (value: number, unit: string) => ({ value, unit, system: 'http://unitsofmeasure.org', code: unit })

function takeout(files: Content): Buffer {
  return zipOfMany(
    Object.entries(files).map(([name, content]) => ({
      name: `Takeout/Fit/${name}`,
      data: Buffer.from(typeof content === 'string' ? content : JSON.stringify(content)),
    })),
  )
}

/** In the order of their times, else of their values. */
function startOf({ effectivePeriod, valueQuantity }: Content): string {
  return `${(effectivePeriod as { readonly start?: string } | undefined)?.start ?? ''} ${JSON.stringify(valueQuantity)}`
}

async function taken(house: TestHouse, file: Buffer | string, patient = house.anna) {
  const { counts, report, state } = await ingested(house, patient, everything(), file)
  const observations = await found(house.record, 'Observation')
  for (const one of observations) expect(validator.validate(one)).toEqual([])
  const inOrder = observations.toSorted((one, other) => (startOf(one) < startOf(other) ? -1 : 1))
  const plain: typeof observations = JSON.parse(JSON.stringify(inOrder))
  return { state, counts, observations: plain, text: JSON.stringify(report) }
}

const imported = async (files: Content) => taken(await openHouse(), takeout(files))

const times = { startTime: '2024-05-21T13:02:57.418Z', endTime: '2024-05-21T13:11:15.920Z' }
const ride = {
  fitnessActivity: 'biking',
  ...times,
  duration: '498.502s',
  segment: [{ fitnessActivity: 'biking', ...times }],
  aggregate: [
    { metricName: 'com.google.heart_minutes.summary', floatValue: 7 },
    { metricName: 'com.google.calories.expended', floatValue: 48.5 },
    { metricName: 'com.google.distance.delta', floatValue: 1064.6040372085183 },
    { metricName: 'com.google.speed.summary', floatValue: 2.0999999046325684 },
    { metricName: 'com.google.active_minutes', intValue: 8 },
  ],
}
const sessionOf = (more: object) => ({ 'All Sessions/2024-05-21T16_02_57.418+03_00_BIKING.json': { ...ride, ...more } })

/** A stream of one point. */
function stream(type: string, value: number, start: string, end: string) {
  const nanos = (text: string) => `${Date.parse(text)}000000`
  const point = {
    fitValue: [{ value: { intVal: value } }],
    originDataSourceId: '',
    dataTypeName: type,
    startTimeNanos: nanos(start),
    endTimeNanos: nanos(end),
  }
  return { 'Data Source': `derived:${type}:com.google.android.gms:merge_x`, 'Data Points': [point] }
}

describe('sessions of a Takeout', () => {
  it('are what was done, with what was measured meanwhile', async () => {
    const { observations, counts } = await imported(sessionOf({ name: 'To the lake' }))
    expect(counts).toMatchObject({ rows: 1, mapped: 1, rejected: [], unmapped: [] })
    expect(observations).toMatchObject([
      {
        code: { coding: [{ code: '73985-4' }, {}, { code: 'activity.segment' }] },
        valueCodeableConcept: { coding: [{ code: 'com.google.activity.segment.1' }], text: 'Biking' },
        effectivePeriod: { start: times.startTime, end: times.endTime },
        component: [
          { code: { coding: [{ code: '55411-3' }, {}] }, valueQuantity: quantity(498.502, 's') },
          { valueQuantity: quantity(7, '{score}') },
          { valueQuantity: quantity(48.5, 'kcal') },
          { valueQuantity: quantity(1064.6040372085183, 'm') },
          // A 32-bit float, printed as a 64-bit one.
          { code: { text: 'Speed, average' }, valueQuantity: quantity(2.1, 'm/s') },
          { valueQuantity: quantity(8, 'min') },
        ],
        note: [{ text: 'To the lake' }],
      },
    ])
  })

  it('have their parts where they are not one', async () => {
    const middle = '2024-05-21T13:05:00Z'
    const { observations } = await imported(
      sessionOf({
        segment: [
          { fitnessActivity: 'running', startTime: times.startTime, endTime: middle },
          { fitnessActivity: 'still', startTime: middle, endTime: '2024-05-21T13:06:00Z' },
          { fitnessActivity: 'biking', startTime: '2024-05-21T13:06:00Z', endTime: times.endTime },
        ],
      }),
    )
    const whole = observations.find(({ hasMember }) => hasMember !== undefined)
    const parts = observations.filter(one => one !== whole)
    expect(parts.map(one => one.valueCodeableConcept)).toMatchObject([{ text: 'Running' }, { text: 'Biking' }])
    expect(whole?.hasMember).toEqual(parts.map(({ id }) => ({ reference: `Observation/${id}` })))
  })

  it.each([
    ['a name that nobody knows', { fitnessActivity: 'quidditch' }, { text: 'quidditch' }],
    [
      'the name of a media type',
      { fitnessActivity: 'vnd.google.fitness.activity/running.treadmill' },
      { text: 'Running on a treadmill' },
    ],
    ['sleep', { fitnessActivity: 'sleep' }, { text: 'Sleeping' }],
  ])('keep %s', async (_what, more, concept) => {
    const { observations } = await imported(sessionOf({ ...more, segment: [] }))
    expect(observations).toMatchObject([{ valueCodeableConcept: concept }])
  })

  it.each([
    ['that end before they begin', { endTime: '2024-05-21T13:00:00Z' }, { rejected: [{ reason: 'date-malformed' }] }],
    ['without an end', { endTime: undefined }, { rejected: [{ reason: 'date-malformed' }] }],
    ['of nothing', { fitnessActivity: ' ' }, { rejected: [{ reason: 'value-missing' }] }],
    ['of lying still', { fitnessActivity: 'still' }, { unmapped: [{ row: 'fit.session.not-exercise' }] }],
    ['of `__proto__`', { fitnessActivity: '__proto__' }, { mapped: 1 }],
  ])('%s are told', async (_what, more, counts) => {
    expect((await imported(sessionOf(more))).counts).toMatchObject({ rows: 1, ...counts })
  })

  it('name what they have that is not known here', async () => {
    const { counts, text } = await imported(
      sessionOf({
        mood: 'secret-mood',
        aggregate: [
          { metricName: 'com.google.joy', floatValue: 3 },
          { metricName: 'secret-metric', floatValue: 1 },
        ],
      }),
    )
    expect(counts).toMatchObject({ rows: 1, mapped: 1 })
    for (const place of ['fit.session.mood', 'fit.session.com.google.joy', 'fit.session.aggregate'])
      expect(text).toContain(place)
    expect(text).not.toContain('secret-')
  })

  it('that are cut off or are too long are refused by themselves', async () => {
    const { counts } = await imported({
      'All Sessions/a.json': JSON.stringify(ride).slice(0, 200),
      'All Sessions/b.json': { ...ride, name: 'x'.repeat(300_000) },
      ...sessionOf({}),
    })
    expect(counts).toMatchObject({ rows: 3, mapped: 1, rejected: [{ reason: 'structure-unknown', count: 2 }] })
  })

  it('are duplicates where a stream tells of the same activity in those hours, and only there', async () => {
    const segment = (activity: number, start: string, end: string) => ({
      'All Data/activity.json': stream('com.google.activity.segment', activity, start, end),
    })
    const same = await imported({ ...segment(1, '2024-05-21T13:03:00Z', '2024-05-21T13:10:00Z'), ...sessionOf({}) })
    expect(same.counts).toMatchObject({ mapped: 1, duplicate: 1 })
    const walk = await imported({ ...segment(7, '2024-05-21T13:03:00Z', '2024-05-21T13:10:00Z'), ...sessionOf({}) })
    expect(walk.counts).toMatchObject({ mapped: 2, duplicate: 0 })
    const later = await imported({ ...segment(1, '2024-05-21T18:03:00Z', '2024-05-21T18:10:00Z'), ...sessionOf({}) })
    expect(later.counts).toMatchObject({ mapped: 2, duplicate: 0 })
  })

  it('are known alone, without an archive, and put right by a later export', async () => {
    const house = await openHouse()
    await taken(house, JSON.stringify(ride))
    expect((await taken(house, JSON.stringify(ride))).counts).toMatchObject({ duplicate: 1 })
    const { observations } = await taken(house, takeout(sessionOf({ duration: '400s' })))
    expect(observations).toHaveLength(1)
    expect(observations[0]?.component).toMatchObject([{ valueQuantity: quantity(400, 's') }, {}, {}, {}, {}, {}])
  })
})

const headings =
  'Date,Average weight (kg),Max weight (kg),Min weight (kg),Calories (kcal),Heart Points,Heart Minutes,Low latitude (deg),High latitude (deg),Average heart rate (bpm),Max heart rate (bpm),Min heart rate (bpm),Step count,Cycling duration (ms),Inactive duration (ms),Quidditch duration (ms)'
const days = 'Daily activity metrics/Daily activity metrics.csv'
const day = '2018-04-03,72.0,72.5,71.0,1546.1112594623457,7.0,7,28.1,28.2,70.5,100,55,1627,19000,17532243,1000'
const quarters = (rows: string) => ({
  'Daily activity metrics/2020-02-20.csv': `Start time,End time,Calories (kcal),Step count\r\n${rows}\r\n`,
})

describe('daily metrics of a Takeout', () => {
  it('are Observations of the day, one for each type', async () => {
    const { observations, counts } = await imported({ [days]: `${headings}\n${day}\n` })
    expect(counts).toMatchObject({ rejected: [], unmapped: [{ row: 'com.google.activity.summary.not-exercise' }] })
    expect(observations.every(one => one.effectiveDateTime === '2018-04-03')).toBe(true)
    const of = (text: string) => observations.find(one => (one.code as { text?: string }).text === text)
    expect(of('Steps')?.valueQuantity).toEqual(quantity(1627, '{steps}'))
    expect(of('Total energy burned, resting energy included')?.valueQuantity).toEqual(
      quantity(1546.1112594623457, 'kcal'),
    )
    expect(of('Heart points, summary')).toMatchObject({
      valueQuantity: quantity(7, '{score}'),
      component: [{ valueQuantity: quantity(7, 'min') }],
    })
    expect(of('Body weight, summary')?.component).toMatchObject(
      [72, 72.5, 71].map(value => ({ valueQuantity: quantity(value, 'kg') })),
    )
    expect(of('Heart rate, summary')?.component).toHaveLength(3)
    const durations = observations.filter(one => (one.code as { text?: string }).text === 'Exercise duration')
    expect(durations.map(({ valueQuantity, component }) => [valueQuantity, component])).toMatchObject([
      [quantity(1000, 'ms'), [{ valueCodeableConcept: { text: 'Quidditch' } }]],
      [quantity(19_000, 'ms'), [{ valueCodeableConcept: { text: 'Biking' } }]],
    ])
  })

  it('say nothing where a cell is empty, and are refused where cells are missing', async () => {
    const empty = `2018-04-04${','.repeat(15)}`
    const short = '2018-04-05,72.0,72.0'
    const { observations, counts } = await imported({
      [days]: `${headings}\n${empty}\n${short}\n2018-13-99${','.repeat(14)},5\n`,
    })
    expect(observations).toEqual([])
    expect(counts).toMatchObject({
      rows: 3,
      unmapped: [{ row: 'fit.day.empty' }],
      rejected: [{ reason: 'structure-unknown' }, { reason: 'date-malformed' }],
    })
  })

  it('refuse numbers that are none, by their type', async () => {
    const { counts, text } = await imported({ [days]: 'Date,Step count,Distance (m)\n2018-04-03,secret,12\n' })
    expect(counts).toMatchObject({ rows: 2, mapped: 1, rejected: [{ row: 'com.google.step_count.delta' }] })
    expect(text).not.toContain('secret')
  })

  it('of a quarter of an hour are of that time, in its zone, also the last of the day', async () => {
    const { observations } = await imported(
      quarters('00:15:00.000-05:00,00:30:00.000-05:00,18.5,\r\n23:45:00.000-05:00,00:00:00.000-05:00,,12'),
    )
    expect(observations.map(one => one.effectivePeriod)).toEqual([
      { start: '2020-02-20T05:15:00.000Z', end: '2020-02-20T05:30:00.000Z' },
      { start: '2020-02-21T04:45:00.000Z', end: '2020-02-21T05:00:00.000Z' },
    ])
  })

  it('say again what points, or quarters of an hour, have told', async () => {
    const steps = {
      'All Data/steps.json': stream('com.google.step_count.delta', 5, '2018-04-03T10:00:00Z', '2018-04-03T10:01:00Z'),
    }
    const both = await imported({
      ...steps,
      [days]: 'Date,Step count,Distance (m)\n2018-04-03,1627,12\n2018-04-04,3,\n',
    })
    expect(both.counts).toMatchObject({ mapped: 3, duplicate: 1 })
    const row = '10:15:00.000-05:00,10:30:00.000-05:00,18.5,4'
    const sums = await imported({ ...quarters(row), [days]: 'Date,Step count,Distance (m)\n2020-02-20,4,12\n' })
    expect(sums.counts).toMatchObject({ mapped: 3, duplicate: 1 })
    const beats = {
      'All Data/beats.json': stream('com.google.heart_rate.bpm', 60, '2018-04-03T10:00:00Z', '2018-04-03T10:00:00Z'),
    }
    const means = await imported({ ...beats, [days]: 'Date,Average heart rate (bpm)\n2018-04-03,61.5\n' })
    expect(means.counts).toMatchObject({ mapped: 1, duplicate: 1 })
  })

  it('are put right by a later export, and are another one’s for another person', async () => {
    const house = await openHouse()
    const file = (steps: number) => takeout({ [days]: `Date,Step count\n2018-04-03,${steps}\n` })
    await taken(house, file(5))
    const { observations } = await taken(house, file(6))
    expect(observations.map(one => one.valueQuantity)).toEqual([quantity(6, '{steps}')])
    const berta = await createPatient(house.record, { name: [{ family: 'Berta' }] })
    expect((await taken(house, file(6), berta)).observations).toHaveLength(2)
  })
})

const track = `<?xml version="1.0" encoding="UTF-8"?>
<TrainingCenterDatabase xmlns="http://www.garmin.com/xmlschemas/TrainingCenterDatabase/v2"><Activities><Activity Sport="Other">
<Id>2018-04-03T02:49:43.000Z</Id>
<Lap StartTime="2018-04-03T02:49:43.000Z"><TotalTimeSeconds>600.5</TotalTimeSeconds><DistanceMeters>700.1</DistanceMeters><Calories>40</Calories>
<Track><Trackpoint><Time>2018-04-03T02:59:43.500Z</Time><DistanceMeters>9</DistanceMeters></Trackpoint></Track></Lap>
<Lap StartTime="2018-04-03T02:59:44.000Z"><TotalTimeSeconds>100.25</TotalTimeSeconds><DistanceMeters>0.2</DistanceMeters><Calories>2</Calories></Lap>
</Activity></Activities></TrainingCenterDatabase>`
const trackFile = 'Activities/2018-04-03T08_19_43+05_30_Walking.tcx'

describe('tracks of a Takeout', () => {
  it('are kept as they are, and tell of what was done', async () => {
    const house = await openHouse()
    const { observations } = await taken(house, takeout({ [trackFile]: track, ...sessionOf({}) }))
    const [walk] = observations.filter(one => one.derivedFrom !== undefined)
    expect(walk).toMatchObject({
      valueCodeableConcept: { text: 'Walking' },
      effectivePeriod: { start: '2018-04-03T02:49:43.000Z', end: '2018-04-03T02:59:44.000Z' },
      component: [
        { valueQuantity: quantity(700.75, 's') },
        { valueQuantity: quantity(700.3, 'm') },
        { valueQuantity: quantity(42, 'kcal') },
      ],
    })
    const [document] = await found(house.record, 'DocumentReference')
    expect(walk?.derivedFrom).toEqual([{ reference: `DocumentReference/${document?.id}` }])
    const [binary] = await found(house.record, 'Binary')
    expect(Buffer.from(String(binary?.data), 'base64').toString()).toBe(track)
  })

  it('say again what a session has told, and stay', async () => {
    const house = await openHouse()
    const walk = { fitnessActivity: 'walking', startTime: '2018-04-03T02:49:43.120Z', endTime: '2018-04-03T03:01:00Z' }
    const { observations, counts } = await taken(house, takeout({ [trackFile]: track, 'All Sessions/a.json': walk }))
    expect(counts).toMatchObject({ duplicate: 1 })
    expect(observations).toHaveLength(1)
    expect(await found(house.record, 'DocumentReference')).toHaveLength(1)
  })

  it.each([
    ['no XML', 'plain text'],
    ['another document', '<gpx/>'],
    ['a file that breaks off', track.slice(0, 500)],
    ['entities', '<!DOCTYPE x [<!ENTITY a "secret">]><TrainingCenterDatabase>&a;</TrainingCenterDatabase>'],
  ])('that are %s are refused by themselves', async (_what, text) => {
    const { counts, text: report } = await imported({ [trackFile]: text, ...sessionOf({}) })
    expect(counts).toMatchObject({ mapped: 1, rejected: [{ row: 'file.tcx', reason: 'structure-unknown' }] })
    expect(report).not.toContain('secret')
  })
})

describe('a Takeout with Fitbit beside Google Fit', () => {
  const profile =
    'id,full_name,first_name,last_name,date_of_birth,gender,timezone\nX,Anna Wolf,Anna,Wolf,1980-02-03,FEMALE,Europe/Berlin\n'
  const rows = [{ dateTime: '01/06/24 07:00:00', value: '12' }]
  const files = { ...sessionOf({}), 'Fitbit/Global Export Data/steps-2024-01-06.json': rows }

  it('is both', async () => {
    const { observations, counts } = await imported(files)
    expect(counts).toMatchObject({ rows: 2, mapped: 2, rejected: [], unmapped: [] })
    expect(observations.map(one => (one.code as { text?: string }).text).sort()).toEqual(['Exercise activity', 'Steps'])
  })

  it('is refused whole where Fitbit says that it is somebody else’s, or Google Fit does', async () => {
    const house = await openHouse()
    const anna = await createPatient(house.record, {
      name: [{ family: 'Wolf', given: ['Anna'] }],
      birthDate: '1980-02-03',
      gender: 'female',
    })
    const foreign = profile.replace('Anna Wolf,Anna', 'Mia Wolf,Mia').replace('1980-02-03', '2018-05-06')
    const account = (givenName: string, birthday: string) => ({
      name: { givenName, familyName: 'Wolf', formattedName: `${givenName} Wolf` },
      birthday,
    })
    for (const said of [
      { 'Fitbit/Profile.csv': foreign },
      { 'Fitbit/Profile.csv': profile, 'Profile/Profile.json': account('Mia', '2018-05-06') },
      { 'Fitbit/Profile.csv': foreign, 'Profile/Profile.json': account('Anna', '1980-02-03') },
    ])
      expect(await taken(house, takeout({ ...files, ...said }), anna)).toMatchObject({
        state: 'failed',
        observations: [],
        counts: { mapped: 0, problem: { code: 'ingest.patient-contradicted' } },
      })
    const own = { 'Fitbit/Profile.csv': profile, 'Profile/Profile.json': account('Anna', '1980-02-03') }
    expect((await taken(house, takeout({ ...files, ...own }), anna)).observations).toHaveLength(2)
  })
})
