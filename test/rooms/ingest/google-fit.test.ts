import { createReadStream } from 'node:fs'
import { createValidator } from '#validation'
import { readDataPoint } from '../../../src/ingest/fit/data-point.ts'
import { displayOf, mapDataPoint } from '../../../src/ingest/fit/map-point.ts'
import { readPoints } from '../../../src/ingest/fit/read-points.ts'
import { chooseStreams, type FitStream, readTakeout, recogniseFit } from '../../../src/ingest/fit/read-takeout.ts'
import { defaultLimits } from '../../../src/ingest/limits.ts'
import { bytesOf, cases, context, gathered, resourcesOf } from './reading.ts'

const validator = createValidator()

function point(type: string, values: readonly object[], rest: object = {}) {
  const at = '1715771743000000000'
  const text = JSON.stringify({
    dataTypeName: type,
    fitValue: values.map(value => ({ value })),
    originDataSourceId: '',
    ...rest,
  })
  const nanos = `,"startTimeNanos":${at},"endTimeNanos":${at}}`
  return `{"Data Source":"raw:${type}:com.example:App","Data Points":[${text.slice(0, -1)}${nanos}]}`
}

async function map(file: string) {
  const stream: FitStream = { ...(recogniseFit(file) ?? { dataSource: '', empty: false }), open: () => bytesOf(file) }
  return gathered(readTakeout([stream], context, defaultLimits))
}

async function one(type: string, ...values: readonly object[]) {
  const [resource] = resourcesOf(await map(point(type, values)))
  if (resource !== undefined) expect(validator.validate(resource)).toEqual([])
  return resource
}

const quantity = (value: number, unit: string) => ({ value, unit, system: 'http://unitsofmeasure.org', code: unit })

describe('data points of Google Fit – https://developers.google.com/fit/datatypes', () => {
  it('rounds what was a 32-bit float to what was measured', async () => {
    const temperature = await one('com.google.body.temperature', { fpVal: 36.599998474121094 }, { intVal: 3 })
    expect(temperature?.valueQuantity).toEqual(quantity(36.6, 'Cel'))
    expect(temperature?.component).toEqual([
      { code: { text: 'Place of measurement' }, valueCodeableConcept: { text: 'Forehead' } },
    ])
    expect((await one('com.google.height', { fpVal: 1.7699999809265137 }))?.valueQuantity).toEqual(quantity(177, 'cm'))
  })

  it('makes one panel of a blood pressure', async () => {
    const pressure = await one('com.google.blood_pressure', { fpVal: 120 }, { fpVal: 80 }, { intVal: 2 }, { intVal: 3 })
    expect(pressure?.code).toMatchObject({ coding: [{ code: '85354-9' }, {}, {}] })
    expect(pressure?.component).toMatchObject([
      { valueQuantity: quantity(120, 'mm[Hg]') },
      { valueQuantity: quantity(80, 'mm[Hg]') },
      { valueCodeableConcept: { text: 'Sitting' } },
      { valueCodeableConcept: { text: 'Left upper arm' } },
    ])
    expect(await map(point('com.google.blood_pressure', [{ fpVal: 120 }]))).toEqual([
      { kind: 'rejected', row: 'com.google.blood_pressure', reason: 'element-missing', expression: 'fitValue' },
    ])
  })

  it('reads nutrition from a map, and sleep and exercise from integers', async () => {
    const map = [
      { key: 'calories', value: { fpVal: 250 } },
      { key: 'unheard_of', value: { fpVal: 1 } },
    ]
    const food = await one('com.google.nutrition', { mapVal: map }, { intVal: 2 }, { stringVal: 'Porridge' })
    expect(food).toMatchObject({ valueString: 'Porridge', component: [{ valueQuantity: quantity(250, 'kcal') }] })
    expect((await one('com.google.sleep.segment', { intVal: 5 }))?.valueCodeableConcept).toMatchObject({
      text: 'Deep sleep',
    })
    expect(await one('com.google.activity.segment', { intVal: 110 })).toMatchObject({
      code: { text: 'Sleep analysis' },
    })
    expect(await one('com.google.activity.segment', { intVal: 8 })).toMatchObject({
      code: { text: 'Exercise activity' },
      valueCodeableConcept: { text: 'Running' },
    })
  })

  it('does not take to lie still for exercise, and names what it leaves out', async () => {
    expect(await map(point('com.google.activity.segment', [{ intVal: 3 }]))).toEqual([
      { kind: 'unmapped', row: 'com.google.activity.segment.not-exercise' },
    ])
    expect(await map(point('com.google.location.sample', [{ fpVal: 52 }]))).toEqual([
      { kind: 'unmapped', row: 'com.google.location.sample' },
    ])
  })

  it('refuses points that are no points, by kind and place', async () => {
    const file = '{"Data Source":"raw:com.google.weight:a:b","Data Points":[null,7,[],{},{"fitValue":{}}]}'
    const refused = {
      kind: 'rejected',
      row: 'com.google.weight',
      reason: 'structure-unknown',
      expression: 'Data Points',
    }
    expect(await map(file)).toEqual(Array.from({ length: 5 }, () => refused))
  })

  it('reads the shape of the REST interface as well', () => {
    const rest = {
      dataTypeName: 'com.google.heart_rate.bpm',
      startTimeNanos: '1715771743000000000',
      endTimeNanos: '1715771743000000000',
      value: [{ fpVal: '65' }],
    }
    const read = readDataPoint(rest, 'raw:com.google.heart_rate.bpm:x:y')
    expect(read).toBeDefined()
    if (read === undefined) return
    expect(mapDataPoint(read, context)).toMatchObject({
      kind: 'mapped',
      resource: { valueQuantity: quantity(65, '/min') },
    })
  })

  it('knows a fact again when it comes through another stream', async () => {
    const raw = 'raw:com.google.step_count.delta:com.example:App'
    const [direct] = resourcesOf(await map(point('com.google.step_count.delta', [{ intVal: 5 }])))
    const [merged] = resourcesOf(
      await map(point('com.google.step_count.delta', [{ intVal: 5 }], { originDataSourceId: raw })),
    )
    expect(merged?.id).toBe(direct?.id)
  })

  it('keeps all digits of nanoseconds in what the id is made of', async () => {
    const files = ['1582253434731798130', '1582253434731798131'].map(nanos =>
      point('com.google.step_count.delta', [{ intVal: 5 }]).replaceAll('1715771743000000000', nanos),
    )
    const ids = await Promise.all(files.map(async file => resourcesOf(await map(file))[0]?.id))
    expect(ids[0]).not.toBe(ids[1])
  })

  it.each(['merged-steps.json', 'calories.json', 'sleep.json'])('reads %s from the wild', async name => {
    const stream = {
      dataSource: 'raw:x:y:z',
      empty: false,
      open: () => createReadStream(new URL(`google-fit/${name}`, cases), { highWaterMark: 61 }),
    }
    const outcomes = await gathered(readTakeout([stream], context, defaultLimits))
    expect(outcomes.length).toBeGreaterThan(0)
    expect(outcomes.filter(({ kind }) => kind !== 'mapped')).toEqual([])
    for (const resource of resourcesOf(outcomes)) expect(validator.validate(resource)).toEqual([])
  })
})

describe('the streams of a Takeout', () => {
  const stream = (dataSource: string, empty = false): FitStream => ({ dataSource, empty, open: () => bytesOf() })

  it('are recognised by what is inside', () => {
    expect(recogniseFit('\uFEFF{ "Data Source" : "derived:a:b\\u003c-raw:c" , "Data Points": [ ] }')).toEqual({
      dataSource: 'derived:a:b<-raw:c',
      empty: true,
    })
    expect(recogniseFit('{"fitnessActivity":"biking"}')).toBeUndefined()
  })

  it('are taken merged where the merged one has data, else raw, else as they are', () => {
    const merged = stream('derived:steps:gms:merge_step_deltas')
    const raw = stream('raw:steps:app:x')
    const other = stream('derived:steps:gms:estimated_steps')
    expect(chooseStreams([raw, merged, other])).toEqual([merged])
    expect(chooseStreams([raw, stream('derived:steps:gms:merge_step_deltas', true), other])).toEqual([raw])
    expect(chooseStreams([other])).toEqual([other])
  })

  it('are named without the numbers of devices', () => {
    expect(displayOf('raw:com.google.x:motorola:moto g(7) power:b8c2d6403aa74c3c:Step Counter')).toBe(
      'motorola moto g(7) power Step Counter',
    )
    expect(displayOf('')).toBe('Google Fit')
  })
})

describe('hostile JSON', () => {
  const read = async (...texts: string[]) => {
    for await (const points of readPoints(bytesOf(...texts), defaultLimits)) expect(points).toBeDefined()
  }

  it.each([
    ['ingest.json-malformed', '{"Data Points":[{]'],
    ['ingest.truncated', '{"Data Points":[{"fitValue":[]}'],
    ['ingest.too-deep', `{"Data Points":[${'['.repeat(1000)}`],
    ['ingest.token-too-long', `{"Data Points":["${'a'.repeat(3_000_000)}`],
  ])('gives %s', async (code, text) => {
    const pieces = text.match(/[\s\S]{1,65536}/g) ?? []
    await expect(read(...pieces)).rejects.toMatchObject({ code })
  })

  it('keeps no prototype from a key', async () => {
    await read('{"Data Points":[{"__proto__":{"polluted":"yes"}}]}')
    expect({}).not.toHaveProperty('polluted')
  })
})
