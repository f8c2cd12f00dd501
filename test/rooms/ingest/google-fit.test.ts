import { createReadStream } from 'node:fs'
import { createValidator } from '#validation'
import { readDataPoint } from '../../../src/ingest/fit/data-point.ts'
import { mapDataPoint } from '../../../src/ingest/fit/map-point.ts'
import { readPoints } from '../../../src/ingest/fit/read-points.ts'
import { type FitStream, rankStreams, readTakeout } from '../../../src/ingest/fit/read-takeout.ts'
import { isFitSession, recogniseFit } from '../../../src/ingest/fit/recognise.ts'
import { displayOf, FitSources } from '../../../src/ingest/fit/sources.ts'
import { defaultLimits } from '../../../src/ingest/limits.ts'
import { bytesOf, cases, context, gathered, observationsOf, resourcesOf } from './reading.ts'

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
  const [resource] = observationsOf(await map(point(type, values)))
  if (resource !== undefined) expect(validator.validate(resource)).toEqual([])
  return resource
}

const quantity = (value: number, unit: string) => ({ value, unit, system: 'http://unitsofmeasure.org', code: unit })

describe('data points of Google Fit – https://developers.google.com/fit/datatypes', () => {
  it('rounds what was a 32-bit float to what was measured', async () => {
    const temperature = await one('com.google.body.temperature', { fpVal: 36.599998474121094 }, { intVal: 3 })
    expect(temperature?.valueQuantity).toEqual(quantity(36.6, 'Cel'))
    // The components of a vital sign are vital signs; where it was measured is the body site.
    expect(temperature).not.toHaveProperty('component')
    expect(temperature?.bodySite).toEqual({ text: 'Forehead' })
    expect((await one('com.google.height', { fpVal: 1.7699999809265137 }))?.valueQuantity).toEqual(quantity(177, 'cm'))
  })

  it('makes one panel of a blood pressure', async () => {
    const pressure = await one('com.google.blood_pressure', { fpVal: 120 }, { fpVal: 80 }, { intVal: 2 }, { intVal: 3 })
    expect(pressure?.code).toMatchObject({ coding: [{ code: '85354-9' }, {}, {}] })
    expect(pressure?.component).toMatchObject([
      { valueQuantity: quantity(120, 'mm[Hg]') },
      { valueQuantity: quantity(80, 'mm[Hg]') },
    ])
    expect(pressure?.component).toHaveLength(2)
    expect(pressure?.bodySite).toEqual({ text: 'Left upper arm' })
    expect(pressure?.extension).toEqual([
      {
        url: 'http://hl7.org/fhir/StructureDefinition/observation-bodyPosition',
        valueCodeableConcept: { text: 'Sitting' },
      },
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
    expect(food).toMatchObject({
      valueString: 'Porridge',
      component: [
        { valueQuantity: quantity(250, 'kcal') },
        { code: { text: 'unheard_of' }, valueQuantity: { value: 1 } },
        { code: { text: 'Meal' }, valueCodeableConcept: { text: 'Breakfast' } },
      ],
    })
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
    expect(mapDataPoint(read, { ...context, sources: new FitSources(context) })).toMatchObject({
      kind: 'mapped',
      resource: { valueQuantity: quantity(65, '/min') },
    })
  })

  it('knows a fact again when it comes through another stream', async () => {
    const raw = 'raw:com.google.step_count.delta:com.example:App'
    const [direct] = observationsOf(await map(point('com.google.step_count.delta', [{ intVal: 5 }])))
    const [merged] = observationsOf(
      await map(point('com.google.step_count.delta', [{ intVal: 5 }], { originDataSourceId: raw })),
    )
    expect(merged?.id).toBe(direct?.id)
  })

  it('keeps all digits of nanoseconds in what the id is made of', async () => {
    const files = ['1582253434731798130', '1582253434731798131'].map(nanos =>
      point('com.google.step_count.delta', [{ intVal: 5 }]).replaceAll('1715771743000000000', nanos),
    )
    const ids = await Promise.all(files.map(async file => observationsOf(await map(file))[0]?.id))
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

  it('are recognised whatever the order of their keys', () => {
    const at = '"startTimeNanos":"1","endTimeNanos":"2"'
    for (const head of [
      '{"minStartTimeNs":"1","maxEndTimeNs":"2","dataSourceId":"raw:a:b","point":[{',
      `{"point":[{${at}}],"maxEndTimeNs":"2","dataSourceId":"raw:a:b"}`,
      `{"Data Points":[{"originDataSourceId":"raw:x:y",${at}}],"Data Source":"raw:a:b"}`,
      `[{"dataSourceId":"raw:a:b","point":[{${at}}]}]`,
    ])
      expect(recogniseFit(head)).toEqual({ dataSource: 'raw:a:b', empty: false })
    expect(recogniseFit(`{"point":[{${at}`)).toEqual({ dataSource: undefined, empty: false })
    for (const head of ['{"resourceType":"Bundle","dataSourceId":"x"}', '{"point":[1]}', 'dataSourceId', '{}'])
      expect(recogniseFit(head)).toBeUndefined()
    expect(isFitSession('{"fitnessActivity":"biking","startTime":"2024-05-21T13:02:57.418Z"}')).toBe(true)
  })

  it('are believed merged first, then raw, then as they are', () => {
    const merged = stream('derived:steps:gms:merge_step_deltas')
    const raw = stream('raw:steps:app:x')
    const other = stream('derived:steps:gms:estimated_steps')
    expect(rankStreams([raw, merged, other])).toEqual([[merged], [raw], [other]])
    expect(rankStreams([raw, stream('derived:steps:gms:merge_step_deltas', true), other])).toEqual([[raw], [other]])
    expect(rankStreams([stream('derived:com.google.sleep.segment:gms:merged'), raw])).toHaveLength(2)
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

const hour = 3_600_000_000_000n
const base = 1_715_760_000_000_000_000n // 2024-05-15T08:00:00Z

interface Fact {
  readonly from: bigint
  readonly until?: bigint
  readonly value?: number
}

function streamOf(dataSource: string, facts: readonly Fact[], shape: 'takeout' | 'rest' = 'takeout'): FitStream {
  const type = dataSource.split(':')[1] ?? ''
  const points = facts.map(({ from, until = from + hour / 2n, value = 2 }) => {
    const values = shape === 'takeout' ? `"fitValue":[{"value":{"intVal":${value}}}]` : `"value":[{"intVal":${value}}]`
    const quote = shape === 'takeout' ? '' : '"'
    return `{${values},"endTimeNanos":${quote}${base + until}${quote},"dataTypeName":"${type}","startTimeNanos":${quote}${base + from}${quote}}`
  })
  const file =
    shape === 'takeout'
      ? `{"Data Source":"${dataSource}","Data Points":[${points}]}`
      : `{"point":[${points}],"maxEndTimeNs":"2","dataSourceId":"${dataSource}","minStartTimeNs":"1"}`
  return { ...(recogniseFit(file.slice(0, 100)) ?? { dataSource: undefined, empty: false }), open: () => bytesOf(file) }
}

describe('the same fact in several streams', () => {
  const sleep = 'com.google.sleep.segment'
  const steps = 'com.google.step_count.delta'
  const night = 24n * hour
  const read = async (...streams: FitStream[]) => {
    const outcomes = await gathered(readTakeout(streams, context, defaultLimits))
    const starts = observationsOf(outcomes).map(({ effectivePeriod }) => (effectivePeriod as { start: string }).start)
    return { starts: starts.sort(), folded: outcomes.filter(({ kind }) => kind === 'folded').length }
  }

  it('is one, and other nights are other facts', async () => {
    const merged = streamOf(`derived:${sleep}:com.google.android.gms:merged`, [{ from: 14n * hour }])
    const raw = streamOf(`raw:${sleep}:app:x`, [
      { from: 15n * hour },
      { from: 14n * hour + night },
      { from: 14n * hour + 2n * night },
    ])
    const { starts, folded } = await read(raw, merged)
    expect(starts).toEqual(
      ['2024-05-15T22:00:00Z', '2024-05-16T22:00:00Z', '2024-05-17T22:00:00Z'].map(text => text.replace('Z', '.000Z')),
    )
    expect(folded).toBe(1)
  })

  it('is told by the hour where it is no sleep', async () => {
    const merged = streamOf(`derived:${steps}:gms:merge_step_deltas`, [{ from: 0n }])
    const raw = streamOf(`raw:${steps}:phone:x`, [{ from: hour / 2n }, { from: hour }])
    const derived = streamOf(`derived:${steps}:gms:estimated_steps`, [{ from: hour }, { from: 2n * hour }])
    expect(await read(derived, raw, merged)).toEqual({
      starts: ['2024-05-15T08:00:00.000Z', '2024-05-15T09:00:00.000Z', '2024-05-15T10:00:00.000Z'],
      folded: 2,
    })
  })

  it('of another type is another fact', async () => {
    const merged = streamOf(`derived:${steps}:gms:merge_step_deltas`, [{ from: 0n }])
    const raw = streamOf('raw:com.google.active_minutes:x:y', [{ from: 0n }])
    expect((await read(merged, raw)).starts).toHaveLength(2)
  })

  it('is read from the REST interface as from Takeout, whatever the order of keys', async () => {
    const rest = streamOf(`raw:${steps}:app:x`, [{ from: 0n }, { from: hour }], 'rest')
    expect(rest.dataSource).toBeUndefined()
    expect(await read(rest)).toEqual(await read(streamOf(`raw:${steps}:app:x`, [{ from: 0n }, { from: hour }])))
  })

  it('is counted, every point of it, in lists, buckets and datasets', async () => {
    const at = `"startTimeMillis":"1715760000000","endTimeMillis":"1715761800000"`
    const one = (n: number) => `{"dataTypeName":"${steps}",${at},"value":[{"intVal":${n}}]}`
    for (const file of [
      `[{"dataSourceId":"raw:a:b","point":[${one(1)},${one(2)}]},{"dataSourceId":"raw:a:b","point":[${one(3)}]}]`,
      `{"bucket":[{"dataset":[{"dataSourceId":"raw:a:b","point":[${one(1)}]},{"point":[${one(2)},${one(3)}]}]},{"dataset":[]}]}`,
      `{"point":[${one(1)},${one(2)},${one(3)},${''.padStart(0)}{"junk":true}]}`,
    ]) {
      const outcomes = await map(file)
      expect(observationsOf(outcomes).map(({ valueQuantity }) => (valueQuantity as { value: number }).value)).toEqual([
        1, 2, 3,
      ])
    }
    const many = Array.from({ length: 25_000 }, (_, i) => one(i))
    expect(observationsOf(await map(`{"Data Source":"raw:${steps}:x","Data Points":[${many}]}`))).toHaveLength(25_000)
  })

  it('comes from a Device, which is told once', async () => {
    const outcomes = await gathered(
      readTakeout(
        [streamOf(`raw:${steps}:motorola:moto g(7):b8c2d6403aa74c3c:Step Counter`, [{ from: 0n }, { from: hour }])],
        context,
        defaultLimits,
      ),
    )
    const devices = resourcesOf(outcomes).filter(({ resourceType }) => resourceType === 'Device')
    expect(devices).toMatchObject([
      { deviceName: [{ name: 'motorola moto g(7) Step Counter' }], patient: context.subject },
    ])
    for (const resource of observationsOf(outcomes))
      expect(resource.device).toMatchObject({ reference: `Device/${devices[0]?.id}` })
  })
})
