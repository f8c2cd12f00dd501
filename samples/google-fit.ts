import { steadyRandom } from './steady-random.ts'

const dayMs = 86_400_000
const from = Date.parse('2026-02-01T00:00:00Z')
const phone = 'raw:com.google.step_count.cumulative:motorola:moto g(7) power:b8c2d6403aa74c3c:Step Counter'

type Value = Readonly<Record<string, unknown>>

function point(type: string, startMs: number, endMs: number, values: readonly Value[], origin = ''): string {
  const fitValue = JSON.stringify(values.map(value => ({ value })))
  return `{"fitValue":${fitValue},"originDataSourceId":${JSON.stringify(origin)},"endTimeNanos":${endMs}000000,"dataTypeName":"${type}","startTimeNanos":${startMs}000000,"modifiedTimeMillis":${endMs + 1000},"rawTimestampNanos":0}`
}

function stream(dataSource: string, points: readonly string[]): string {
  const list = points.map(text => `        ${text}`).join(',\n')
  return `{\n    "Data Source": ${JSON.stringify(dataSource)},\n    "Data Points": [\n${list}\n    ]\n}\n`
}

/** Fit keeps 32-bit floats; Takeout prints them as the 64-bit numbers they become. */
const single = (value: number) => Math.fround(value)

/** The files of a Takeout archive, with a German folder name. */
export function takeout(): Readonly<Record<string, string>> {
  const random = steadyRandom(11)
  const days = Array.from({ length: 10 }, (_, i) => from + i * dayMs)
  const steps = days.flatMap(day =>
    [9, 13, 17].map(hour => {
      const start = day + hour * 3_600_000
      return point(
        'com.google.step_count.delta',
        start,
        start + 600_000,
        [{ intVal: 100 + Math.floor(random() * 900) }],
        phone,
      )
    }),
  )
  const pulse = days.map(day =>
    point('com.google.heart_rate.bpm', day + 36_000_000, day + 36_000_000, [{ fpVal: 60 + Math.floor(random() * 30) }]),
  )
  const weight = days
    .slice(0, 3)
    .map((day, i) => point('com.google.weight', day + 25_200_000, day + 25_200_000, [{ fpVal: single(17.4 + i / 10) }]))
  const height = [point('com.google.height', from, from, [{ fpVal: single(1.08) }])]
  const temperature = [
    point('com.google.body.temperature', from + 72_000_000, from + 72_000_000, [
      { fpVal: single(37.9) },
      { intVal: 8 },
    ]),
  ]
  const night = from + 20 * 3_600_000
  const sleep = [4, 5, 6, 4, 1].map((stage, i) =>
    point('com.google.sleep.segment', night + i * 3_600_000, night + (i + 1) * 3_600_000, [{ intVal: stage }]),
  )
  const place = [point('com.google.location.sample', from, from, [{ fpVal: 52.5 }, { fpVal: 13.4 }, { fpVal: 10 }])]
  const folder = 'Takeout/Fit/Alle Daten'
  const merged = 'derived:com.google.step_count.delta:com.google.android.gms:merge_step_deltas'
  const estimated = 'derived:com.google.step_count.delta:com.google.android.gms:estimated_steps'
  return {
    [`${folder}/derived_com.google.step_count.delta_com.google.json`]: stream(merged, steps),
    [`${folder}/derived_com.google.step_count.delta_com.google(1).json`]: stream(estimated, steps),
    [`${folder}/raw_com.google.heart_rate.bpm_com.example.json`]: stream(
      'raw:com.google.heart_rate.bpm:com.example.band:Kinderuhr',
      pulse,
    ),
    [`${folder}/raw_com.google.weight_com.google.json`]: stream(
      'raw:com.google.weight:com.google.android.apps.fitness:user_input',
      weight,
    ),
    [`${folder}/raw_com.google.height_com.google.json`]: stream(
      'raw:com.google.height:com.google.android.apps.fitness:user_input',
      height,
    ),
    [`${folder}/raw_com.google.body.temperature_com.google.json`]: stream(
      'raw:com.google.body.temperature:com.google.android.apps.fitness:user_input',
      temperature,
    ),
    [`${folder}/raw_com.google.sleep.segment_com.example.json`]: stream(
      'raw:com.google.sleep.segment:com.example.band:Kinderuhr',
      sleep,
    ),
    [`${folder}/derived_com.google.location.sample_com.google.json`]: stream(
      'derived:com.google.location.sample:com.google.android.gms:merge_location_samples',
      place,
    ),
    'Takeout/Fit/Tägliche Aktivitätsmesswerte/2026-02-01.csv':
      'Start time,End time,Step count\n00:00:00.000+01:00,00:15:00.000+01:00,\n',
  }
}
