import { randomFrom } from '../../random.ts'
import { everything, found, ingested, openHouse, type TestHouse, validator } from './house.ts'
import { zipOfMany } from './zips.ts'

const at = '2026-01-05 08:00:00 +0100'
const later = '2026-01-05 08:30:00 +0100'
const quantity = (value: number, unit: string) => ({ value, unit, system: 'http://unitsofmeasure.org', code: unit })

const metric = (name: string, units: string, ...data: readonly unknown[]) => ({ name, units, data })

async function taken(house: TestHouse, data: object, patient = house.anna) {
  const { counts, report, state } = await ingested(house, patient, everything(), JSON.stringify({ data }))
  const observations = await found(house.record, 'Observation')
  for (const one of observations) expect(validator.validate(one)).toEqual([])
  return { state, counts, observations, text: JSON.stringify(report) }
}

const imported = async (data: object) => taken(await openHouse(), data)

async function one(metrics: object) {
  const { counts, observations } = await imported({ metrics: [metrics] })
  expect(counts).toMatchObject({ rows: 1, mapped: 1, rejected: [], unmapped: [] })
  return observations[0]
}

describe('metrics of Health Auto Export – https://github.com/Lybron/health-auto-export/wiki/API-Export---JSON-Format', () => {
  it('have the codes, units and digits that an Apple Health export would have', async () => {
    expect(await one(metric('weight_body_mass', 'kg', { date: at, qty: 71.35, source: 'Scale' }))).toMatchObject({
      code: { coding: [{ code: '29463-7' }, {}, {}] },
      effectiveDateTime: '2026-01-05T08:00:00+01:00',
      valueQuantity: quantity(71.35, 'kg'),
      device: { display: 'Scale' },
    })
    const percent = metric('walking_asymmetry_percentage', '%', { date: at, qty: 0.5 })
    expect((await one(percent))?.valueQuantity).toEqual(quantity(0.5, '%'))
    const oxygen = metric('blood_oxygen_saturation', '%', { date: at, qty: 97 })
    expect((await one(oxygen))?.valueQuantity).toEqual(quantity(97, '%'))
    const steps = metric('step_count', 'count', { start: at, end: later, qty: 812 })
    expect(await one(steps)).toMatchObject({ valueQuantity: quantity(812, '{steps}'), effectivePeriod: {} })
  })

  it('read pressure as a panel, heart rates as a sample or as least, mean and greatest', async () => {
    expect(await one(metric('blood_pressure', 'mmHg', { date: at, systolic: 121, diastolic: 79 }))).toMatchObject({
      code: { coding: [{ code: '85354-9' }, {}] },
      component: [{ valueQuantity: quantity(121, 'mm[Hg]') }, { valueQuantity: quantity(79, 'mm[Hg]') }],
    })
    const same = metric('heart_rate', 'bpm', { date: at, Min: 61, Avg: 61, Max: 61 })
    expect((await one(same))?.valueQuantity).toEqual(quantity(61, '/min'))
    const several = metric('heart_rate', 'count/min', { date: at, Min: 58, Avg: 66.4, Max: 90 })
    expect((await one(several))?.component).toMatchObject([
      { valueQuantity: quantity(58, '/min') },
      { valueQuantity: quantity(66.4, '/min') },
      { valueQuantity: quantity(90, '/min') },
    ])
  })

  it('read sleep in both forms', async () => {
    const stage = metric('sleep_analysis', 'hr', { startDate: at, endDate: later, qty: 0.5, value: 'REM', source: 'W' })
    expect(await one(stage)).toMatchObject({ valueCodeableConcept: { text: 'REM sleep' } })
    const night = {
      date: '2026-01-05',
      totalSleep: 7.25,
      deep: 1.5,
      rem: 2,
      core: 3.75,
      sleepStart: at,
      sleepEnd: later,
      inBed: 8,
    }
    expect(await one(metric('sleep_analysis', 'hr', night))).toMatchObject({
      code: { coding: [{ code: '93832-4' }, {}] },
      valueQuantity: quantity(7.25, 'h'),
      effectivePeriod: { start: '2026-01-05T08:00:00+01:00' },
    })
  })

  it('keep what an app says beside a value', async () => {
    const glucose = metric('blood_glucose', 'mg/dL', { date: at, qty: 104, mealTime: 'Before Meal' })
    expect(await one(glucose)).toMatchObject({
      component: [{ valueCodeableConcept: { text: 'Before meal (preprandial)' } }],
    })
    const insulin = metric('insulin_delivery', 'IU', { date: at, qty: 4, reason: 'Bolus' })
    expect(await one(insulin)).toMatchObject({ component: [{ valueCodeableConcept: { text: 'Bolus' } }] })
    const brushed = metric('toothbrushing', 's', { date: at, qty: 90, value: 'Complete' })
    expect(await one(brushed)).toMatchObject({ component: [{}, { valueString: 'Complete' }] })
  })

  it.each([
    ['a clock of twelve', '2026-01-05 1:05:00\u202fPM +0100', '2026-01-05T13:05:00+01:00'],
    ['midnight on it', '2026-01-05 12:05:00 AM -0800', '2026-01-05T00:05:00-08:00'],
    ['ISO 8601', '2026-01-05T07:05:00.250Z', '2026-01-05T07:05:00+00:00'],
  ])('read dates of %s', async (_, date, effectiveDateTime) => {
    expect(await one(metric('height', 'cm', { date, qty: 180 }))).toMatchObject({ effectiveDateTime })
  })

  it('name what they do not read', async () => {
    const { counts, text } = await imported({
      metrics: [
        metric('moon_phase', '%', { date: at, qty: 1 }),
        metric('height', 'cm', { date: at, qty: 180, mood: 'good' }, { date: 'today', qty: 1 }, { date: at }, 7, null),
        metric('weight_body_mass', 'hogshead', { date: at, qty: 1 }),
        { data: [{ date: at, qty: 1 }] },
        'nothing',
      ],
      tea: [{ cups: 2 }],
    })
    expect(counts).toMatchObject({ rows: 9, mapped: 1 })
    expect(counts.unmapped).toEqual([
      { row: 'metrics.moon_phase', count: 1 },
      { row: 'metrics.', count: 1 },
      { row: 'tea', count: 1 },
    ])
    expect(counts.rejected.map(({ reason, count }) => [reason, count])).toEqual([
      ['date-malformed', 1],
      ['value-missing', 1],
      ['structure-unknown', 2],
      ['unit-unknown', 1],
    ])
    expect(text).toContain('metrics.height.mood: unmapped')
  })
})

describe('other lists of the app', () => {
  it('reads a workout, and names its samples and its route', async () => {
    const workout = {
      id: 'AB-1',
      name: 'Outdoor Run',
      start: at,
      end: later,
      duration: 1800,
      location: 'Outdoor',
      activeEnergyBurned: { qty: 250, units: 'kcal' },
      distance: { qty: 5.2, units: 'km' },
      avgHeartRate: { qty: 140, units: 'bpm' },
      humidity: { qty: 77, units: '%' },
      heartRateData: [{ date: at, Min: 1, Avg: 2, Max: 3, units: 'bpm' }],
      route: [{ latitude: 1 }, { latitude: 2 }],
    }
    const { counts, observations } = await imported({ workouts: [workout] })
    expect(counts).toMatchObject({
      rows: 4,
      mapped: 1,
      rejected: [],
      unmapped: [
        { row: 'workouts.heartRateData', count: 1 },
        { row: 'workouts.route', count: 2 },
      ],
    })
    expect(observations).toMatchObject([
      { valueCodeableConcept: { text: 'Running' }, identifier: [{ value: 'AB-1' }], effectivePeriod: {} },
    ])
    const components = observations[0]?.component as readonly { readonly valueQuantity?: object }[]
    const values = components.map(({ valueQuantity }) => valueQuantity)
    expect(values).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ value: 30, code: 'min' }),
        quantity(5200, 'm'),
        quantity(250, 'kcal'),
        quantity(77, '%'),
      ]),
    )
  })

  it('reads symptoms, and takes none that is not there for one that is', async () => {
    const { observations, counts } = await imported({
      symptoms: [
        { start: at, end: later, name: 'Headache', severity: 'Moderate', userEntered: true, source: 'Health' },
        { start: at, end: later, name: 'Lower Back Pain', severity: 'Not Present' },
        { start: at, end: later, name: 'Fever', severity: 'Green' },
        { start: at, end: later, name: 'Boredom', severity: 'Mild' },
      ],
    })
    expect(counts).toMatchObject({
      rows: 4,
      mapped: 2,
      unmapped: [{ row: 'symptoms' }],
      rejected: [{ reason: 'value-unknown' }],
    })
    expect(
      observations.map(({ valueCodeableConcept }) => (valueCodeableConcept as { text: string }).text).sort(),
    ).toEqual(['Moderate', 'Not present'])
  })

  it('reads states of mind, warnings of the watch and electrocardiograms', async () => {
    const { observations, counts } = await imported({
      stateOfMind: [
        {
          id: 'M1',
          start: '2026-01-05T07:00:00Z',
          end: '2026-01-05T07:00:00Z',
          kind: 'daily_mood',
          labels: ['calm', 'happy'],
          associations: ['family'],
          valence: 0.5,
          valenceClassification: 6,
        },
      ],
      heartRateNotifications: [
        {
          start: at,
          end: later,
          threshold: 120,
          heartRate: [{ hr: 130, units: 'bpm', timestamp: { start: at, end: later } }],
        },
      ],
      ecg: [
        {
          start: at,
          end: later,
          classification: 'Sinus Rhythm',
          averageHeartRate: 61,
          samplingFrequency: 512,
          voltageMeasurements: [
            { date: at, voltage: 0.0000125, units: 'V' },
            { date: at, voltage: -0.000004, units: 'V' },
          ],
        },
      ],
    })
    expect(counts).toMatchObject({ rows: 3, mapped: 3, rejected: [], unmapped: [] })
    const by = (text: string) => observations.find(({ code }) => (code as { text: string }).text === text)
    expect(by('State of mind')).toMatchObject({ valueQuantity: quantity(0.5, '{score}') })
    expect(by('State of mind')?.component).toHaveLength(5)
    expect(by('Heart rate notification')?.component).toHaveLength(2)
    expect(by('Electrocardiogram')).toMatchObject({
      component: [{ valueSampledData: { period: 1.953125, data: '12.5 -4' } }, { valueQuantity: quantity(61, '/min') }],
    })
  })

  it('makes statements of what was taken, and what was not', async () => {
    const dose = {
      displayText: 'Ibuprofen 400 mg',
      start: at,
      scheduledDate: at,
      form: 'Tablet',
      dosage: 1,
      codings: [
        { system: 'http://www.nlm.nih.gov/research/umls/rxnorm', code: '197805' },
        { system: 'Apple', code: 'x y' },
      ],
    }
    const house = await openHouse()
    const { counts } = await taken(house, { medications: [{ ...dose, status: 'Not Logged' }] })
    expect(counts).toMatchObject({ rows: 1, mapped: 1, rejected: [] })
    const { counts: second } = await taken(house, { medications: [{ ...dose, status: 'Taken' }] })
    expect(second).toMatchObject({ updated: 1 })
    const statements = await found(house.record, 'MedicationStatement')
    expect(statements).toMatchObject([
      { status: 'completed', medicationCodeableConcept: { coding: [{ code: '197805' }], text: 'Ibuprofen 400 mg' } },
    ])
    for (const statement of statements) expect(validator.validate(statement)).toEqual([])
  })

  it('two medicines that have a nickname alone are two', async () => {
    const house = await openHouse()
    const dose = { start: at, scheduledDate: at, status: 'Taken' }
    const medications = ['For the heart', 'For the knee'].map(nickname => ({ ...dose, nickname }))
    expect((await taken(house, { medications })).counts).toMatchObject({ rows: 2, mapped: 2 })
    expect(await found(house.record, 'MedicationStatement')).toHaveLength(2)
  })

  it('reads the files of an archive', async () => {
    const house = await openHouse()
    const file = (qty: number) =>
      Buffer.from(JSON.stringify({ data: { metrics: [metric('body_mass_index', 'count', { date: at, qty })] } }))
    const zip = zipOfMany([
      { name: 'HealthAutoExport/a.json', data: file(21) },
      { name: 'HealthAutoExport/b.json', data: file(22) },
      { name: 'HealthAutoExport/notes.txt', data: Buffer.from('notes') },
    ])
    const { counts, state } = await ingested(house, house.anna, everything(), zip)
    expect({ state, counts }).toMatchObject({ state: 'done', counts: { rows: 3, mapped: 2, unmapped: [{ count: 1 }] } })
  })
})

describe('what the app sends again', () => {
  it('is there already, and a sum of a time that was not over is brought up to date', async () => {
    const house = await openHouse()
    const data = (steps: number) => ({
      metrics: [
        metric('step_count', 'count', { date: at, qty: steps, source: steps > 500 ? 'Watch|Phone' : 'Watch' }),
        metric('weight_body_mass', 'kg', { date: at, qty: 71.35, source: 'Scale' }),
      ],
    })
    expect((await taken(house, data(500))).counts).toMatchObject({ rows: 2, mapped: 2 })
    expect((await taken(house, { ...data(500), symptoms: [] })).counts).toMatchObject({
      mapped: 0,
      duplicate: 2,
      created: 0,
    })
    const { counts, observations } = await taken(house, data(700))
    expect(counts).toMatchObject({ mapped: 1, duplicate: 1, updated: 1 })
    expect(observations).toHaveLength(2)
    await house.record.writer(everything()).transact(async txn => {
      for (const { id } of observations) await txn.delete('Observation', id ?? '')
    })
    expect((await taken(house, data(900))).observations).toEqual([])
    expect((await taken(house, data(900), house.bert)).observations).toHaveLength(2)
  })

  it('keeps two facts of one second in one file', async () => {
    const rows = [
      { date: at, qty: 5, source: 'A' },
      { date: at, qty: 7, source: 'B' },
    ]
    const { observations, counts } = await imported({ metrics: [metric('step_count', 'count', ...rows)] })
    expect(counts).toMatchObject({ rows: 2, mapped: 2 })
    expect(observations).toHaveLength(2)
  })

  it('has the id that an Apple Health export gives the same fact', async () => {
    const house = await openHouse()
    await taken(house, { metrics: [metric('weight_body_mass', 'kg', { date: at, qty: 71.35, source: 'Scale' })] })
    const record = `<?xml version="1.0"?><HealthData><Record type="HKQuantityTypeIdentifierBodyMass" sourceName="Scale" unit="kg" value="71.35" startDate="${at}" endDate="${at}"/></HealthData>`
    const { counts } = await ingested(house, house.anna, everything(), record)
    expect(counts).toMatchObject({ rows: 1, mapped: 0, duplicate: 1 })
  })
})

describe('files that are no good', () => {
  const whole = JSON.stringify({
    data: {
      metrics: [
        metric('step_count', 'count', { date: at, qty: 5 }),
        metric('sleep_analysis', 'hr', { date: '2026-01-05', asleep: 7 }),
      ],
      workouts: [{ name: 'Yoga', start: at, end: later, duration: 60 }],
      ecg: [{ start: at, samplingFrequency: 512, voltageMeasurements: [{ voltage: 1, units: 'mcV' }] }],
    },
  })

  it.each([
    ['cut off', whole.slice(0, -9), 'ingest.truncated'],
    ['no JSON', whole.replace('"qty"', '"qty"""'), 'ingest.json-malformed'],
    ['nested without end', `{"data":{"metrics":[{"name":"a","data":[${'['.repeat(3000)}`, 'ingest.too-deep'],
  ])('%s', async (_, text, code) => {
    const house = await openHouse()
    expect(await ingested(house, house.anna, everything(), text)).toMatchObject({
      state: 'failed',
      counts: { problem: { code } },
    })
  })

  it('with names of everything’s ancestors are rows like others', async () => {
    const text = `{"data":{"metrics":[{"name":"__proto__","units":"constructor","data":[{"__proto__":{"qty":1},"date":"${at}"}]}],"__proto__":[{"a":1}],"constructor":[{"a":1}]}}`
    const house = await openHouse()
    const { counts } = await ingested(house, house.anna, everything(), text)
    expect(counts).toMatchObject({ rows: 3, mapped: 0 })
  })

  it.each(['constructor', 'toString', '__proto__', 'valueOf'])(
    'with the word %s where one of a few stands',
    async word => {
      const { state, counts } = await imported({
        metrics: [
          metric('blood_glucose', 'mg/dL', { date: at, qty: 90, mealTime: word }),
          metric('insulin_delivery', 'IU', { date: at, qty: 2, reason: word }),
          metric('sleep_analysis', word, { date: '2026-01-05', asleep: 7 }),
        ],
        ecg: [{ start: at, samplingFrequency: 512, voltageMeasurements: [{ voltage: 1, units: word }] }],
        medications: [{ displayText: 'A', start: at, status: word, form: word }],
        workouts: [{ name: word, start: at, end: later, location: word }],
      })
      expect({ state, counts }).toMatchObject({
        state: 'done',
        counts: {
          rows: 6,
          mapped: 4,
          rejected: [{ reason: 'unit-unknown' }, { reason: 'value-malformed' }],
        },
      })
    },
  )

  it('end in a report whose counts add up, or in a clear Problem', async () => {
    const random = randomFrom(20260105)
    const house = await openHouse()
    for (let times = 0; times < 80; times++) {
      const bytes = Buffer.from(whole)
      for (let nth = 0; nth < 3; nth++)
        bytes[20 + Math.floor(random() * (bytes.length - 20))] = 32 + Math.floor(random() * 95)
      const { counts, state } = await ingested(house, house.anna, everything(), bytes)
      const { rows = 0, mapped = 0, duplicate = 0, unmapped, rejected, problem } = counts
      const sum = (of: readonly { count?: unknown }[]) => of.reduce((all, { count }) => all + Number(count), 0)
      expect(mapped + duplicate + sum(unmapped) + sum(rejected)).toBe(rows)
      if (state === 'failed') expect(String(problem?.code)).toMatch(/^ingest\.(?:json-malformed|truncated|too-deep)$/)
    }
  })
})
