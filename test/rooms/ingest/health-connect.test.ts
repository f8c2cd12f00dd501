import { at, databaseOf, type Rows, record, zipOf } from './health-connect-files.ts'
import { everything, found, ingested, openHouse, validator } from './house.ts'

const minute = 60_000
const quantity = (value: number, unit: string) => ({ value, unit, system: 'http://unitsofmeasure.org', code: unit })

/** What one database becomes for somebody of whom nothing is known. */
async function imported(rows: Rows, more = '') {
  const house = await openHouse()
  const { counts, report, state } = await ingested(house, house.anna, everything(), zipOf(databaseOf(rows, more)))
  const observations = await found(house.record, 'Observation')
  for (const one of observations) expect(validator.validate(one)).toEqual([])
  return { house, counts, report, state, observations }
}

async function one(table: string, row: object) {
  const { observations, counts } = await imported({ [table]: [row] })
  expect(counts).toMatchObject({ rows: 1, mapped: 1, unmapped: [], rejected: [] })
  return observations[0]
}

describe('records of Health Connect', () => {
  it('reads a weight in grams, on the clock where it was, from the app and the device that told it', async () => {
    const { observations, house } = await imported({
      weight_record_table: [record({ weight: 64_250, client_record_id: 'scale-7', recording_method: 3 })],
    })
    expect(observations).toEqual([
      expect.objectContaining({
        code: expect.objectContaining({ text: 'Body weight' }),
        effectiveDateTime: '2024-03-10T08:00:00+01:00',
        issued: '2024-03-10T07:00:00.000Z',
        valueQuantity: quantity(64.25, 'kg'),
        method: expect.objectContaining({ text: 'Entered by hand' }),
        device: { reference: expect.stringContaining('Device/'), display: 'Example, Acme Band 3' },
      }),
    ])
    // https://hl7.org/fhir/R4/datatypes.html#Identifier: a value that is a URI has this system.
    expect(observations[0]?.identifier).toEqual([
      { system: 'urn:ietf:rfc:3986', value: expect.stringMatching(/^urn:uuid:[0-9a-f-]{36}$/) },
      { system: expect.stringMatching(/#client_record_id$/), value: 'scale-7' },
    ])
    expect(await found(house.record, 'Device')).toEqual([
      expect.objectContaining({ manufacturer: 'Acme', modelNumber: 'Band 3', type: { text: 'Fitness band' } }),
    ])
  })

  it('makes one panel of a blood pressure, whose integers are texts', async () => {
    const row = record({ systolic: 121, diastolic: 79.5, body_position: '2', measurement_location: '3' })
    expect(await one('blood_pressure_record_table', row)).toMatchObject({
      bodySite: { text: 'Left upper arm' },
      extension: [{ valueCodeableConcept: { text: 'Sitting' } }],
      component: [{ valueQuantity: quantity(121, 'mm[Hg]') }, { valueQuantity: quantity(79.5, 'mm[Hg]') }],
    })
  })

  it('converts watts and small calories, and keeps what was rounded as it was', async () => {
    expect(await one('basal_metabolic_rate_record_table', record({ basal_metabolic_rate: 70.5 }))).toMatchObject({
      valueQuantity: { value: 1456, code: 'kcal/d', extension: [{ valueQuantity: quantity(70.5, 'W') }] },
    })
    expect(await one('total_calories_burned_record_table', record({ energy: 749_366.5 }, minute))).toMatchObject({
      valueQuantity: quantity(749.3665, 'kcal'),
      effectivePeriod: { start: '2024-03-10T08:00:00+01:00', end: '2024-03-10T08:01:00+01:00' },
    })
  })

  it('reads what is an integer, an event or a meal', async () => {
    expect(await one('menstruation_flow_record_table', record({ flow: 0 }))).toMatchObject({
      valueCodeableConcept: { text: 'Present, amount not told' },
    })
    const meal = record({ energy: 250_000, protein: 8.5, vitamin_c: 0.02, meal_type: 1, meal_name: 'Porridge' }, minute)
    expect(await one('nutrition_record_table', meal)).toMatchObject({
      component: [
        { valueQuantity: quantity(250, 'kcal') },
        { valueQuantity: quantity(8.5, 'g') },
        { valueQuantity: quantity(20, 'mg') },
        { valueString: 'Porridge' },
        { valueCodeableConcept: { text: 'Breakfast' } },
      ],
    })
  })

  it('takes each sample of a series, and names records without any and samples without a record', async () => {
    const { counts, observations } = await imported({
      heart_rate_record_table: [record({ row_id: 1 }, minute), record({ row_id: 2 }, minute)],
      heart_rate_record_series_table: [
        { parent_key: 1, beats_per_minute: 61, epoch_millis: at + 1500 },
        { parent_key: 1, beats_per_minute: 64, epoch_millis: at + 2000 },
        { parent_key: 9, beats_per_minute: 70, epoch_millis: at },
      ],
    })
    expect(counts).toMatchObject({ rows: 4, mapped: 2, unmapped: [] })
    expect(counts.rejected).toMatchObject([
      { row: 'HeartRateRecord', reason: 'element-missing', count: 1 },
      { row: 'HeartRateRecord', reason: 'value-missing', count: 1 },
    ])
    expect(observations.map(({ effectiveDateTime }) => effectiveDateTime).sort()).toEqual([
      '2024-03-10T08:00:01.500+01:00',
      '2024-03-10T08:00:02+01:00',
    ])
  })

  it('gives each stage of a night an Observation, and the night its stages', async () => {
    const { counts, observations } = await imported({
      sleep_session_record_table: [record({ row_id: 5, title: 'Night', notes: 'slept badly' }, 60 * minute)],
      sleep_stages_table: [
        { parent_key: 5, stage_start_time: at, stage_end_time: at + minute, stage_type: 4 },
        { parent_key: 5, stage_start_time: at + minute, stage_end_time: at + 2 * minute, stage_type: 6 },
        { parent_key: 6, stage_start_time: at, stage_end_time: at + minute, stage_type: 5 },
        { parent_key: 5, stage_start_time: at, stage_end_time: at + minute, stage_type: 44 },
      ],
    })
    expect(counts).toMatchObject({ rows: 5, mapped: 3 })
    expect(counts.rejected).toMatchObject([
      { row: 'SleepSessionRecord.Stage', reason: 'value-unknown', count: 1 },
      { row: 'SleepSessionRecord.Stage', reason: 'element-missing', count: 1 },
    ])
    const night = observations.find(({ hasMember }) => hasMember !== undefined)
    expect(night).toMatchObject({ note: [{ text: 'slept badly' }], component: [{ valueString: 'Night' }] })
    expect(night?.hasMember).toHaveLength(2)
    expect(observations.map(({ valueCodeableConcept }) => (valueCodeableConcept as { text?: string })?.text)).toEqual(
      expect.arrayContaining(['Light sleep', 'REM sleep']),
    )
  })

  it('keeps laps and segments of an exercise as its components, and names the points of its route', async () => {
    const { counts, observations } = await imported({
      exercise_session_record_table: [
        record({ row_id: 1, exercise_type: 33, title: 'Park', has_route: 1 }, 30 * minute),
      ],
      exercise_laps_table: [{ parent_key: 1, lap_start_time: at, lap_end_time: at + minute, lap_length: 400 }],
      exercise_segments_table: [
        {
          parent_key: 1,
          segment_start_time: at,
          segment_end_time: at + minute,
          segment_type: 67,
          repetitions_count: 0,
        },
      ],
      exercise_route_table: [
        { parent_key: 1, timestamp_millis: at, latitude: 1, longitude: 2 },
        { parent_key: 1, timestamp_millis: at + 1, latitude: 1, longitude: 2 },
      ],
    })
    expect(counts).toMatchObject({
      rows: 5,
      mapped: 3,
      unmapped: [{ row: 'exercise_route_table', count: 2 }],
      rejected: [],
    })
    expect(observations).toMatchObject([
      {
        code: { text: 'Exercise activity' },
        valueCodeableConcept: { text: 'Running' },
        component: [
          { valueString: 'Park' },
          { code: { text: 'Pause' }, valuePeriod: { start: '2024-03-10T08:00:00+01:00' } },
          { code: { text: 'Lap' }, extension: [{ valueQuantity: quantity(400, 'm') }] },
        ],
      },
    ])
  })

  it('names what it does not read: columns, tables, values, times', async () => {
    const { counts, report } = await imported(
      {
        steps_record_table: [
          record({ count: 12 }, minute),
          record({ count: 'twelve' }, minute),
          record({}, minute),
          record({ count: 5 }, -minute),
          record({ count: 5, start_time: 'yesterday' }, minute),
          record({ count: Buffer.alloc(8) }, minute),
          record({ count: Number.POSITIVE_INFINITY }, minute),
        ],
      },
      'ALTER TABLE steps_record_table ADD COLUMN mood TEXT; UPDATE steps_record_table SET mood = 1; CREATE TABLE tea_record_table (x); INSERT INTO tea_record_table VALUES (1), (2)',
    )
    expect(counts).toMatchObject({ rows: 9, mapped: 1, unmapped: [{ row: 'tea_record_table', count: 2 }] })
    expect(counts.rejected).toMatchObject([
      { reason: 'value-malformed', expression: 'StepsRecord.count', count: 3 },
      { reason: 'value-missing', count: 1 },
      { reason: 'date-malformed', count: 2 },
    ])
    expect(JSON.stringify(report)).toContain('StepsRecord.mood: unmapped')
    expect(JSON.stringify(report)).not.toMatch(/twelve|yesterday/)
  })

  it.each([
    ['no zone', { zone_offset: null }, '2024-03-10T07:00:00.000Z'],
    ['a zone of seconds', { zone_offset: 3601 }, '2024-03-10T07:00:00.000Z'],
    ['half an hour west', { zone_offset: -12_600 }, '2024-03-10T03:30:00-03:30'],
    ['London', { zone_offset: 0 }, '2024-03-10T07:00:00+00:00'],
  ])('says where it does not know the zone: %s', async (_, rest, time) => {
    const { observations, report } = await imported({ weight_record_table: [record({ weight: 1000, ...rest })] })
    expect(observations).toMatchObject([{ effectiveDateTime: time }])
    expect(JSON.stringify(report).includes('in which zone')).toBe(time.endsWith('Z'))
  })
})

describe('a second export of the same phone', () => {
  it('finds everything there, by whatever id the row has, and what was deleted stays deleted', async () => {
    const rows: Rows = {
      steps_record_table: [record({ row_id: 1, count: 12 }, minute), record({ row_id: 2, count: 13 }, minute)],
      heart_rate_record_table: [record({ row_id: 1 }, minute)],
      heart_rate_record_series_table: [{ parent_key: 1, beats_per_minute: 61, epoch_millis: at }],
      sleep_session_record_table: [record({ row_id: 1 }, minute)],
      sleep_stages_table: [{ parent_key: 1, stage_start_time: at, stage_end_time: at + minute, stage_type: 5 }],
    }
    const { house } = await imported(rows)
    const steps = await found(house.record, 'Observation', 'code=55423-8')
    await house.record.writer(everything()).transact(txn => txn.delete('Observation', steps[0]?.id ?? ''))
    const moved = {
      ...rows,
      heart_rate_record_table: (rows.heart_rate_record_table ?? []).map(row => ({ ...row, row_id: 40 })),
      heart_rate_record_series_table: [{ parent_key: 40, beats_per_minute: 61, epoch_millis: at }],
    }
    const { counts } = await ingested(house, house.anna, everything(), databaseOf(moved))
    expect(counts).toMatchObject({ rows: 5, mapped: 0, created: 0, updated: 0, duplicate: 5 })
    expect(await found(house.record, 'Observation')).toHaveLength(4)
  })

  it('takes a later word on a record, and not an earlier one', async () => {
    const first = record({ weight: 64_000 })
    const { house } = await imported({ weight_record_table: [first] })
    const later = { ...first, weight: 46_000, last_modified_time: at + minute }
    const again = { ...later, last_modified_time: at + 2 * minute }
    for (const [row, value, updated] of [
      [later, 46, 1],
      [first, 46, 0],
      [again, 46, 0],
    ] as const) {
      const { counts } = await ingested(house, house.anna, everything(), databaseOf({ weight_record_table: [row] }))
      expect(counts).toMatchObject({ rows: 1, updated })
      expect(await found(house.record, 'Observation')).toMatchObject([{ valueQuantity: quantity(value, 'kg') }])
    }
  })

  it('is another person’s for another person', async () => {
    const file = databaseOf({ weight_record_table: [record({ weight: 64_000 })] })
    const house = await openHouse()
    await ingested(house, house.anna, everything(), file)
    expect((await ingested(house, house.bert, everything(), file)).counts).toMatchObject({ mapped: 1, created: 2 })
    const ids = (await found(house.record, 'Observation')).map(({ id }) => id)
    expect(new Set(ids).size).toBe(2)
  })
})
