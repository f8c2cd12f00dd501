import type { AppleElement } from '../apple/element.ts'
import { mapWorkout } from '../apple/map-workout.ts'
import { appleTables } from '../apple/tables.ts'
import { exactly } from '../numbers.ts'
import { type Outcome, rowName } from '../outcome.ts'
import type { AutoExportContext } from './map-metric.ts'
import { appleDate, element, type JsonObject, told } from './rows.ts'
import { autoExportTables } from './tables.ts'

/** Sums and means of a workout, and the quantity type that each is one of. */
const statistics: readonly (readonly [name: string, type: string, which: 'sum' | 'average' | 'maximum'])[] = [
  ['activeEnergyBurned', 'ActiveEnergyBurned', 'sum'],
  ['activeEnergy', 'ActiveEnergyBurned', 'sum'],
  ['avgHeartRate', 'HeartRate', 'average'],
  ['maxHeartRate', 'HeartRate', 'maximum'],
  ['stepCount', 'StepCount', 'sum'],
  ['flightsClimbed', 'FlightsClimbed', 'sum'],
  ['totalSwimmingStrokeCount', 'SwimmingStrokeCount', 'sum'],
]

/** What is known of a workout besides, by the key under which HealthKit has it. */
const details: readonly (readonly [name: string, key: string])[] = [
  ['intensity', 'HKAverageMETs'],
  ['temperature', 'HKWeatherTemperature'],
  ['humidity', 'HKWeatherHumidity'],
  ['avgSpeed', 'HKAverageSpeed'],
  ['speed', 'HKAverageSpeed'],
  ['maxSpeed', 'HKMaximumSpeed'],
  ['elevationUp', 'HKElevationAscended'],
  ['elevationDown', 'HKElevationDescended'],
  ['lapLength', 'HKLapLength'],
]

/** Lists of samples, which the metrics of the app have as well. */
const samples: readonly string[] = [
  'activeEnergy',
  'basalEnergy',
  'cyclingCadence',
  'cyclingDistance',
  'cyclingPower',
  'cyclingSpeed',
  'swimDistance',
  'swimStroke',
  'stepCount',
  'walkingAndRunningDistance',
  'heartRateData',
  'heartRateRecovery',
  'route',
]

const places: Readonly<Record<string, readonly [key: string, value: string]>> = {
  Indoor: ['HKIndoorWorkout', '1'],
  Outdoor: ['HKIndoorWorkout', '0'],
  Pool: ['HKSwimmingLocationType', '1'],
  'Open Water': ['HKSwimmingLocationType', '2'],
}

/** A workout, as an export has it. */
export function mapAppWorkout(row: JsonObject, context: AutoExportContext): Outcome[] {
  const name = row.text('name') ?? ''
  const type = autoExportTables().workouts.get(name.toLowerCase())
  const startDate = appleDate(row.text('start'))
  const distance = quantityIn(row, 'distance')
  const place = places[row.text('location') ?? '']
  const children = statistics.flatMap(([member, quantity, which]) => statisticOf(row, member, quantity, which))
  const seconds = row.get('duration')
  const attributes = {
    workoutActivityType: type ?? 'HKWorkoutActivityTypeOther',
    sourceName: row.text('source'),
    startDate,
    endDate: appleDate(row.text('end')) ?? startDate,
    ...(typeof seconds === 'string' ? { duration: seconds, durationUnit: 's' } : {}),
    ...(distance?.value === undefined || !hasDistance(type)
      ? {}
      : { totalDistance: distance.value, totalDistanceUnit: distance.unit }),
  }
  const metadata: (readonly [string, string | undefined])[] = [
    ['HKExternalUUID', row.text('id')],
    ...(type === undefined && name !== '' ? [['name', name] as const] : []),
    ...(place === undefined ? [] : [place]),
    ...details.map(([member, key]) => [key, textOf(row, member)] as const),
    ...['strokeStyle', 'swolfScore', 'salinity'].map(member => [member, row.text(member)] as const),
    ...(hasDistance(type) ? [] : [['distance', distance && `${distance.value} ${distance.unit}`] as const]),
  ]
  const outcomes = mapWorkout(element('Workout', attributes, { metadata, children }), context)
  return [...outcomes, ...samplesOf(row), ...row.unread()]
}

function hasDistance(type: string | undefined): boolean {
  return type !== undefined && appleTables().workouts.get(type)?.distance !== undefined
}

function quantityIn(row: JsonObject, name: string) {
  const member = row.object(name)
  const value = member?.get('qty')
  return member === undefined || typeof value !== 'string' ? undefined : told(value, member.text('units'))
}

function statisticOf(row: JsonObject, name: string, quantity: string, which: string): AppleElement[] {
  const said = quantityIn(row, name)
  if (said?.value === undefined) return []
  const type = `HKQuantityTypeIdentifier${quantity}`
  return [element('WorkoutStatistics', { type, unit: said.unit, [which]: said.value })]
}

/** `4200 cm`; a percentage is written there as hundredths of itself. */
function textOf(row: JsonObject, name: string): string | undefined {
  const said = quantityIn(row, name)
  if (said?.value === undefined || said.unit === undefined) return undefined
  return said.unit === '%' ? `${exactly(Number(said.value) * 10_000)} %` : `${said.value} ${said.unit}`
}

/** What the metrics say as well, sample by sample, and where the workout led. */
function samplesOf(row: JsonObject): Outcome[] {
  return samples.flatMap((name): Outcome[] => {
    const rows = row.list(name).length
    return rows === 0 ? [] : [{ kind: 'unmapped', row: rowName(`workouts.${name}`), rows }]
  })
}
