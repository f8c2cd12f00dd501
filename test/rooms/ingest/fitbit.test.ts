import { randomFrom } from '../../random.ts'
import { createPatient, everything, found, ingested, openHouse, type TestHouse, validator } from './house.ts'
import { zipOfMany } from './zips.ts'

const quantity = (value: number, unit: string) => ({ value, unit, system: 'http://unitsofmeasure.org', code: unit })
const profile =
  'id,full_name,first_name,last_name,date_of_birth,gender,timezone\nX,Anna Wolf,Anna,Wolf,1980-02-03,FEMALE,Europe/Berlin\n'

type Content = Readonly<Record<string, unknown>>

/** An archive of these files, JSON where it is no text. */
function takeout(files: Content): Buffer {
  return zipOfMany(
    Object.entries(files).map(([name, content]) => ({
      name: `Takeout/Fitbit/Global Export Data/${name}`,
      data: Buffer.from(typeof content === 'string' ? content : JSON.stringify(content)),
    })),
  )
}

async function taken(house: TestHouse, file: Buffer | string, patient = house.anna) {
  const { counts, report, state } = await ingested(house, patient, everything(), file)
  const observations = await found(house.record, 'Observation')
  for (const one of observations) expect(validator.validate(one)).toEqual([])
  return { state, counts, observations, text: JSON.stringify(report) }
}

const imported = async (files: Content) => taken(await openHouse(), takeout(files))

async function one(files: Content) {
  const { counts, observations } = await imported(files)
  expect(counts).toMatchObject({ rows: 1, mapped: 1, rejected: [], unmapped: [] })
  return observations[0]
}

const night = {
  logId: 41,
  dateOfSleep: '2024-01-06',
  startTime: '2024-01-05T23:30:00.000',
  endTime: '2024-01-06T06:30:00.000',
  duration: 25_200_000,
  minutesAsleep: 380,
  minutesAwake: 40,
  timeInBed: 420,
  efficiency: 91,
  type: 'stages',
  levels: {
    summary: { deep: { count: 2, minutes: 80, thirtyDayAvgMinutes: 70 }, wake: { count: 3, minutes: 40 } },
    data: [
      { dateTime: '2024-01-05T23:30:00.000', level: 'light', seconds: 1800 },
      { dateTime: '2024-01-06T00:00:00.000', level: 'deep', seconds: 60 },
    ],
    shortData: [{ dateTime: '2024-01-06T00:10:00.000', level: 'wake', seconds: 30 }],
  },
}

describe('files of a Fitbit Takeout', () => {
  it('read heart rates, which are in UTC, and what tells how sure they are', async () => {
    const row = { dateTime: '01/06/24 07:00:05', value: { bpm: 61, confidence: 2 } }
    expect(await one({ 'heart_rate-2024-01-06.json': [row] })).toMatchObject({
      code: { coding: [{ code: '8867-4' }, {}, {}, { code: 'heart_rate' }] },
      effectiveDateTime: '2024-01-06T07:00:05Z',
      valueQuantity: quantity(61, '/min'),
      extension: [{ valueQuantity: quantity(2, '{score}') }],
    })
  })

  it('tell apart by their names what looks the same', async () => {
    const rows = [{ dateTime: '01/06/24 07:00:00', value: '12' }]
    expect((await one({ 'steps-2024-01-06.json': rows }))?.valueQuantity).toEqual(quantity(12, '{steps}'))
    expect((await one({ 'calories-2024-01-06.json': rows }))?.valueQuantity).toEqual(quantity(12, 'kcal'))
    expect((await one({ 'distance-2024-01-06.json': rows }))?.valueQuantity).toEqual(quantity(0.12, 'm'))
    const minutes = await one({ 'very_active_minutes-2024-01-06.json': rows })
    expect(minutes).toMatchObject({ effectiveDateTime: '2024-01-06', valueQuantity: quantity(12, 'min') })
  })

  it('read the values of a day as those of the day', async () => {
    const row = { dateTime: '01/06/24 00:00:00', value: { date: '01/06/24', value: 58.4, error: 6.1 } }
    const none = { dateTime: '01/07/24 00:00:00', value: { date: null, value: 0, error: 0 } }
    const { observations, counts } = await imported({ 'resting_heart_rate-2024-01-06.json': [row, none] })
    expect(counts).toMatchObject({ rows: 2, mapped: 1, rejected: [{ reason: 'value-missing' }] })
    expect(observations).toMatchObject([{ effectiveDateTime: '2024-01-06', valueQuantity: quantity(58.4, '/min') }])
    const csv = 'timestamp,beats per minute,data source\n2024-01-06T00:00:00Z,59.0,Charge 6\n'
    expect(await one({ 'daily_resting_heart_rate.csv': csv })).toMatchObject({
      effectiveDateTime: '2024-01-06',
      device: { display: 'Charge 6' },
    })
  })

  it('give local times the zone of the profile, and without one keep their day alone', async () => {
    const weight = [{ logId: 7, weight: 150, bmi: 22.1, date: '07/06/24', time: '07:20:11', source: 'Aria' }]
    const files = { 'weight-2024-07-06.json': weight }
    const house = await openHouse()
    const { observations } = await taken(house, takeout({ ...files, 'Profile.csv': profile }))
    expect(observations).toMatchObject([
      {
        effectiveDateTime: '2024-07-06T07:20:11+02:00',
        valueQuantity: { value: 68.04, code: 'kg', extension: [{ valueQuantity: quantity(150, '[lb_av]') }] },
      },
    ])
    const { observations: zoneless, text } = await imported(files)
    expect(zoneless).toMatchObject([{ effectiveDateTime: '2024-07-06' }])
    expect(text).toContain('say no zone')
  })

  it('read a night with its stages, and exercises', async () => {
    const run = {
      logId: 9,
      activityName: 'Run',
      activityTypeId: 90009,
      startTime: '01/06/24 10:00:00',
      duration: 1_800_000,
      calories: 300,
      steps: 4000,
      averageHeartRate: 140,
      distance: 3.1,
      distanceUnit: 'Mile',
      lastModified: '01/06/24 10:40:00',
      mood: 'good',
    }
    const { observations, counts, text } = await imported({
      'Profile.csv': profile,
      'sleep-2024-01-01.json': [night],
      'exercise-0.json': [run],
    })
    expect(counts).toMatchObject({ rows: 5, mapped: 5, rejected: [], unmapped: [] })
    const by = (words: string) => observations.filter(({ code }) => (code as { text: string }).text === words)
    expect(by('Sleep duration')).toMatchObject([
      {
        valueQuantity: quantity(380, 'min'),
        effectivePeriod: { start: '2024-01-05T23:30:00+01:00', end: '2024-01-06T06:30:00+01:00' },
        hasMember: [{}, {}, {}],
      },
    ])
    expect(by('Sleep analysis')).toHaveLength(3)
    expect(by('Exercise activity')).toMatchObject([
      {
        effectivePeriod: { start: '2024-01-06T10:00:00Z', end: '2024-01-06T10:30:00Z' },
        valueCodeableConcept: { text: 'Run' },
      },
    ])
    expect(by('Exercise activity')[0]?.component).toHaveLength(5)
    expect(text).toContain('exercise.mood: unmapped')
  })

  it('name what has no place and no zone, what came from elsewhere, and what is no row', async () => {
    const csv =
      'timestamp,steps,data source\n2024-01-06T08:00:00Z,12,Charge\n2024-01-06T08:01:00Z,9,Garmin Health Connect\n2024-01-06T08:02:00Z,NaN,Charge\nodd\n,1,Charge\n'
    const { counts } = await imported({
      'steps_2024-01-06.csv': csv,
      'sleep-2024-01-01.json': [night, 7],
      'UserActivityProbabilities.csv': 'a,b\n1,2\n',
    })
    expect(counts).toMatchObject({ rows: 11, mapped: 2 })
    expect(counts.unmapped).toEqual([
      { row: 'file.csv', count: 1 },
      { row: 'steps.health-connect', count: 1 },
      { row: 'sleep.levels', count: 3 },
    ])
    expect(counts.rejected.map(({ row, reason }) => `${row} ${reason}`).sort()).toEqual([
      'sleep structure-unknown',
      'steps date-malformed',
      'steps structure-unknown',
      'steps value-missing',
    ])
  })

  it('fold what the older files say of an hour of which a newer one has told', async () => {
    const { counts, observations } = await imported({
      'steps_2024-01-06.csv': 'timestamp,steps\n2024-01-06T07:10:00Z,12\n',
      'steps-2024-01-06.json': [
        { dateTime: '01/06/24 07:10:00', value: '12' },
        { dateTime: '01/06/24 09:10:00', value: '40' },
      ],
    })
    expect(counts).toMatchObject({ rows: 3, mapped: 2, duplicate: 1 })
    expect(observations).toHaveLength(2)
  })

  it('read answers of the Web API – https://dev.fitbit.com/build/reference/web-api/', async () => {
    const house = await openHouse()
    const answer = {
      'activities-steps': [{ dateTime: '2024-01-06', value: '8000' }],
      'activities-steps-intraday': { dataset: [] },
    }
    const { counts, observations } = await taken(house, JSON.stringify(answer))
    expect(counts).toMatchObject({ rows: 1, mapped: 1 })
    expect(observations).toMatchObject([{ effectiveDateTime: '2024-01-06', valueQuantity: quantity(8000, '{steps}') }])
    const more = JSON.stringify({ hrv: [{ dateTime: '2024-01-06', value: { dailyRmssd: 42.5, deepRmssd: 48.2 } }] })
    expect((await taken(house, more)).observations).toHaveLength(2)
    expect((await taken(house, JSON.stringify({ sleep: [night], summary: {} }))).counts).toMatchObject({ mapped: 1 })
  })
})

describe('a Takeout again', () => {
  const files = {
    'Profile.csv': profile,
    'heart_rate-2024-01-06.json': [{ dateTime: '01/06/24 07:00:05', value: { bpm: 61, confidence: 2 } }],
    'sleep-2024-01-01.json': [night],
  }

  it('finds everything there; what was deleted stays deleted; another person has their own', async () => {
    const house = await openHouse()
    const first = await taken(house, takeout(files))
    const [gone] = first.observations
    await house.record.writer(everything()).transact(txn => txn.delete('Observation', gone?.id ?? ''))
    const again = await taken(house, takeout({ ...files, 'Readme.txt': 'x' }))
    expect(again.counts).toMatchObject({ mapped: 0, created: 0, updated: 0, duplicate: 5 })
    expect(again.observations).toHaveLength(first.observations.length - 1)
    const { observations } = await taken(house, takeout(files), house.bert)
    expect(observations).toHaveLength(first.observations.length * 2 - 1)
  })

  it('of somebody else is refused', async () => {
    const house = await openHouse()
    const child = await createPatient(house.record, {
      name: [{ family: 'Wolf', given: ['Mia'] }],
      birthDate: '2018-05-06',
    })
    expect(await taken(house, takeout(files), child)).toMatchObject({
      state: 'failed',
      counts: { mapped: 0, problem: { code: 'ingest.patient-contradicted' } },
    })
  })

  it('of two accounts is refused, whichever of them is the patient’s', async () => {
    const house = await openHouse()
    const anna = await createPatient(house.record, {
      name: [{ family: 'Wolf', given: ['Anna'] }],
      birthDate: '1980-02-03',
      gender: 'female',
    })
    const other = profile.replace('Anna Wolf,Anna', 'Mia Wolf,Mia').replace('1980-02-03', '2018-05-06')
    for (const [first, second] of [
      [profile, other],
      [other, profile],
    ])
      expect(
        await taken(house, takeout({ ...files, 'Profile.csv': first, 'a/Profile.csv': second }), anna),
      ).toMatchObject({
        state: 'failed',
        counts: { mapped: 0, problem: { code: 'ingest.patient-contradicted' } },
      })
  })

  it.each(['constructor', '__proto__'])('with the word %s where one of a few stands', async word => {
    const exercise = {
      logId: 7,
      activityName: word,
      startTime: '01/06/24 07:00:00',
      duration: 60_000,
      distance: 1,
      distanceUnit: word,
    }
    const { state, counts } = await imported({
      'Profile.csv': profile.replace('FEMALE', word).replace('Europe/Berlin', word),
      'exercise-0.json': [exercise],
    })
    expect({ state, counts }).toMatchObject({ state: 'done', counts: { rows: 1, mapped: 1 } })
  })

  it('that is damaged ends in a report whose counts add up, or in a clear Problem', async () => {
    const random = randomFrom(20240106)
    const texts = Object.entries({
      ...files,
      'steps_2024-01-06.csv': 'timestamp,steps\n2024-01-06T07:10:00Z,12\n"a""b",3\n',
    })
    // Something tells what the archive is, whatever became of the others.
    const intact = { 'steps_2024-01-07.csv': 'timestamp,steps\n2024-01-07T07:10:00Z,12\n' }
    const house = await openHouse()
    for (let times = 0; times < 60; times++) {
      const mutated = texts.map(([name, content]) => {
        const bytes = Buffer.from(typeof content === 'string' ? content : JSON.stringify(content))
        for (let nth = 0; nth < 2; nth++) bytes[Math.floor(random() * bytes.length)] = 32 + Math.floor(random() * 95)
        return [name, bytes.toString('utf8')] as const
      })
      const { counts, state } = await ingested(
        house,
        house.anna,
        everything(),
        takeout({ ...Object.fromEntries(mutated), ...intact }),
      )
      const { rows = 0, mapped = 0, duplicate = 0, unmapped, rejected, problem } = counts
      const sum = (of: readonly { count?: unknown }[]) => of.reduce((all, { count }) => all + Number(count), 0)
      expect(mapped + duplicate + sum(unmapped) + sum(rejected)).toBe(rows)
      if (state === 'failed')
        expect(String(problem?.code)).toMatch(/^ingest\.(?:json-malformed|truncated|patient-\w+)$/)
    }
  })
})
