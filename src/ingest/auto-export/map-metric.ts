import { ownText } from '#kernel'
import type { BloodPressureDesk } from '../apple/blood-pressure.ts'
import type { AppleContext } from '../apple/context.ts'
import { parseAppleDate } from '../apple/dates.ts'
import type { Component } from '../apple/details.ts'
import { mapRecord } from '../apple/map-record.ts'
import { observation, spanOf } from '../apple/observation.ts'
import { quantityOf, readQuantity } from '../apple/quantity.ts'
import { appleTables } from '../apple/tables.ts'
import { categoryOf, systems } from '../codes.ts'
import { toFhirNumber } from '../numbers.ts'
import { type Outcome, type Reason, rowName } from '../outcome.ts'
import { frozen } from '../tables.ts'
import { appleDate, element, type JsonObject, told } from './rows.ts'
import { autoExportTables } from './tables.ts'

/** What the mappers of a file share. */
export interface AutoExportContext extends AppleContext {
  readonly desk: BloodPressureDesk
  readonly buckets: Buckets
}

/** What the file says of a metric before its rows. */
export interface Metric {
  readonly name: string
  readonly units: string | undefined
}

export function rejected(row: string, reason: Reason, expression: string): Outcome {
  return { kind: 'rejected', row, reason, expression }
}

/** Sums of a time that the file has told; a few hundred thousand are some years of minutes. */
const maxBuckets = 200_000

/**
 * A sum that has no end is one of a time that may not be over: the app sends it again when it has grown. It is known by its beginning,
 * so that the later word takes the place of the earlier one; another one of the same beginning in the same file is a fact by itself.
 */
export class Buckets {
  readonly #values = new Map<string, string>()

  /** Whether it is the first that a file says of the beginning, or says the same. */
  take(key: string, value: string): boolean {
    const known = this.#values.get(key)
    if (known !== undefined || this.#values.size >= maxBuckets) return known === value
    this.#values.set(ownText(key), ownText(value))
    return true
  }
}

const heartRate = 'HKQuantityTypeIdentifierHeartRate'
const [systolic, diastolic] = [
  'HKQuantityTypeIdentifierBloodPressureSystolic',
  'HKQuantityTypeIdentifierBloodPressureDiastolic',
]

type RowMapper = (row: JsonObject, metric: Metric, context: AutoExportContext) => Outcome[]

/** Metrics whose rows are built in a way of their own. */
const special: Readonly<Record<string, RowMapper>> = {
  blood_pressure: mapBloodPressure,
  heart_rate: mapHeartRate,
  sleep_analysis: mapSleep,
  sexual_activity: mapSexualActivity,
  handwashing: mapHygiene('HandwashingEvent'),
  toothbrushing: mapHygiene('ToothbrushingEvent'),
}

/** One row of a metric; metrics that HealthKit does not have are unmapped, by name. */
export function mapMetricRow(row: JsonObject, metric: Metric, context: AutoExportContext): Outcome[] {
  const own = Object.hasOwn(special, metric.name) ? special[metric.name] : undefined
  if (own !== undefined) return [...own(row, metric, context), ...row.unread()]
  const type = autoExportTables().quantities.get(metric.name)
  if (type === undefined) return [{ kind: 'unmapped', row: rowName(`metrics.${metric.name}`) }]
  return [...mapQuantity(type, row, metric, context), ...row.unread()]
}

const reasons: ReadonlyMap<string, string> = new Map(Object.entries({ Basal: '1', Bolus: '2' }))
const meals: ReadonlyMap<string, string> = new Map(Object.entries({ 'Before Meal': '1', 'After Meal': '2' }))

function startOf(row: JsonObject): string | undefined {
  return appleDate(row.text('start', 'startDate', 'date'))
}

function mapQuantity(type: string, row: JsonObject, { units }: Metric, context: AutoExportContext): Outcome[] {
  const [startDate, end] = [startOf(row), appleDate(row.text('end', 'endDate'))]
  const [meal, reason] = [row.text('mealTime'), row.text('reason')]
  const attributes = {
    type,
    ...told(row.get('qty'), units),
    sourceName: row.text('source'),
    startDate,
    endDate: end ?? startDate,
  }
  const record = element('Record', attributes, {
    metadata: [
      ['HKBloodGlucoseMealTime', meals.get(meal ?? '')],
      ['HKInsulinDeliveryReason', reasons.get(reason ?? '')],
    ],
  })
  const outcomes = mapRecord(record, context)
  if (end !== undefined || !autoExportTables().sums.has(type)) return outcomes
  return outcomes.map(outcome => asBucket(outcome, [type, String(parseAppleDate(startDate)?.ms)], context))
}

function asBucket(outcome: Outcome, key: readonly string[], { buckets, fingerprint }: AutoExportContext): Outcome {
  if (outcome.kind !== 'mapped') return outcome
  const { id, ...said } = outcome.resource
  if (!buckets.take(key.join(' '), JSON.stringify(said.valueQuantity ?? said.component))) return outcome
  return { ...outcome, mode: 'upsert', resource: { ...outcome.resource, id: fingerprint('auto-export', ...key) } }
}

function mapBloodPressure(row: JsonObject, { units = 'mmHg' }: Metric, context: AutoExportContext): Outcome[] {
  const startDate = startOf(row)
  const attributes = {
    sourceName: row.text('source'),
    startDate,
    endDate: appleDate(row.text('end', 'endDate')) ?? startDate,
  }
  const half = (type: string, name: string) => element('Record', { ...attributes, type, ...told(row.get(name), units) })
  const children = [half(systolic, 'systolic'), half(diastolic, 'diastolic')]
  const type = 'HKCorrelationTypeIdentifierBloodPressure'
  const panel = context.desk.correlate(element('Correlation', { ...attributes, type }, { children }))
  // Halves that make no panel wait at the desk; here they are one row, which is told already.
  return panel.slice(0, 1)
}

/** Least, mean and greatest of a time; all the same, it is one sample. */
function mapHeartRate(row: JsonObject, metric: Metric, context: AutoExportContext): Outcome[] {
  const [least, mean, most] = ['Min', 'Avg', 'Max'].map(name => row.get(name) ?? row.get(name.toLowerCase()))
  const startDate = startOf(row)
  const endDate = appleDate(row.text('end', 'endDate'))
  const attributes = { type: heartRate, sourceName: row.text('source'), startDate, endDate: endDate ?? startDate }
  const single = row.get('qty') ?? (least === mean && mean === most ? mean : undefined)
  const of = (value: typeof mean) => told(value, metric.units)
  if (single !== undefined) return mapRecord(element('Record', { ...attributes, ...of(single) }), context)
  const record = element('Record', attributes)
  const span = spanOf(record)
  if (span === undefined) return [rejected(heartRate, 'date-malformed', 'metrics.heart_rate.date')]
  const type = appleTables().quantities.get(heartRate)
  if (type === undefined) return []
  const components: Component[] = []
  for (const [name, value] of [
    ['minimum', least],
    ['average', mean],
    ['maximum', most],
  ] as const) {
    if (value === undefined) continue
    const { value: text, unit } = of(value)
    const reading = readQuantity(type, text, unit, 'metrics.heart_rate')
    if ('reason' in reading) return [rejected(heartRate, reading.reason, reading.expression)]
    const code = {
      coding: [{ system: systems.healthKit, code: `${heartRate}.${name}` }],
      text: `${type.text}, ${name}`,
    }
    components.push({ code, valueQuantity: reading.quantity })
  }
  if (components.length === 0) return [rejected(heartRate, 'value-missing', 'metrics.heart_rate.Avg')]
  const key = ['summary', heartRate, String(span.start.ms), attributes.sourceName ?? '']
  const facts = {
    id: context.fingerprint('auto-export', 'fact', ...key, JSON.stringify(components)),
    category: type.category,
    code: type.code,
    span,
    components,
  }
  const resource = observation(record, facts, context)
  return [asBucket({ kind: 'mapped', row: heartRate, mode: 'create', resource }, key, context)]
}

const sleepType = 'HKCategoryTypeIdentifierSleepAnalysis'
const sleepCode = frozen({
  coding: [
    { system: systems.loinc, code: '93832-4' },
    { system: systems.healthKit, code: `${sleepType}.duration` },
  ],
  text: 'Sleep duration',
})
const activity = frozen(categoryOf('activity'))

/** Hours of a night, by what the app calls them, and HealthKit's value for them. */
const stages: readonly (readonly [name: string, value: string, text: string])[] = [
  ['asleep', 'AsleepUnspecified', 'Asleep, stage not told'],
  ['core', 'AsleepCore', 'Light (core) sleep'],
  ['deep', 'AsleepDeep', 'Deep sleep'],
  ['rem', 'AsleepREM', 'REM sleep'],
  ['awake', 'Awake', 'Awake'],
  ['inBed', 'InBed', 'In bed'],
]

function mapSleep(row: JsonObject, metric: Metric, context: AutoExportContext): Outcome[] {
  const word = row.text('value')
  return word === undefined ? [mapNight(row, metric, context)] : mapStage(word, row, context)
}

/** A stage of a night, as an export has it; how long it was is said by its ends. */
function mapStage(word: string, row: JsonObject, context: AutoExportContext): Outcome[] {
  row.get('qty')
  const startDate = startOf(row)
  const value = autoExportTables().values.get(`sleep ${word.toLowerCase().replace(/[^a-z]/g, '')}`) ?? word
  const endDate = appleDate(row.text('end', 'endDate')) ?? startDate
  const attributes = { type: sleepType, value, sourceName: row.text('source'), startDate, endDate }
  return mapRecord(element('Record', attributes), context)
}

const durations: ReadonlyMap<string, string> = new Map(Object.entries({ hr: 'h', h: 'h', min: 'min', s: 's' }))

/** The sums of a night, in hours or the unit that the metric names. */
function mapNight(row: JsonObject, { units = 'hr' }: Metric, context: AutoExportContext): Outcome {
  const date = row.text('date') ?? ''
  const bed = {
    start: parseAppleDate(appleDate(row.text('inBedStart'))),
    end: parseAppleDate(appleDate(row.text('inBedEnd'))),
  }
  const sleep = {
    start: parseAppleDate(appleDate(row.text('sleepStart'))),
    end: parseAppleDate(appleDate(row.text('sleepEnd'))),
  }
  const span = [sleep, bed].find(({ start, end }) => start !== undefined && end !== undefined && end.ms >= start.ms)
  const day = /^\d{4}-\d{2}-\d{2}/.exec(date)?.[0]
  const ucum = durations.get(units)
  if (span === undefined && day === undefined)
    return rejected(sleepType, 'date-malformed', 'metrics.sleep_analysis.date')
  if (ucum === undefined) return rejected(sleepType, 'unit-unknown', 'metrics.sleep_analysis.units')
  const hours = (name: string) => {
    const value = row.get(name)
    const number = typeof value === 'string' ? toFhirNumber(value) : undefined
    return number === undefined ? undefined : quantityOf(number, ucum)
  }
  const component: object[] = stages.flatMap(([name, value, text]) => {
    const quantity = hours(name)
    const code = { coding: [{ system: systems.healthKit, code: `HKCategoryValueSleepAnalysis${value}` }], text }
    return quantity === undefined ? [] : [{ code, valueQuantity: quantity }]
  })
  if (bed.start !== undefined && bed.end !== undefined)
    component.push({
      code: { coding: [{ system: systems.healthKit, code: 'HKCategoryValueSleepAnalysisInBed' }], text: 'Time in bed' },
      valuePeriod: { start: bed.start.text, end: bed.end.text },
    })
  const total = hours('totalSleep') ?? hours('asleep')
  if (total === undefined && component.length === 0)
    return rejected(sleepType, 'value-missing', 'metrics.sleep_analysis.totalSleep')
  const [source, sleepSource] = [row.text('source'), row.text('sleepSource')]
  row.text('inBedSource')
  const device = context.sources.of(element('Record', { sourceName: sleepSource ?? source }))
  const resource = {
    resourceType: 'Observation',
    id: context.fingerprint(
      'auto-export',
      sleepType,
      day ?? date,
      sleepSource ?? source ?? '',
      String(span?.start?.ms),
    ),
    meta: { source: context.source },
    status: 'final',
    category: activity,
    code: sleepCode,
    subject: context.subject,
    ...(span === undefined
      ? { effectiveDateTime: day }
      : { effectivePeriod: { start: span.start?.text, end: span.end?.text } }),
    ...(device === undefined ? {} : { device }),
    ...(total === undefined ? {} : { valueQuantity: total }),
    ...(component.length === 0 ? {} : { component }),
  }
  return { kind: 'mapped', row: sleepType, mode: 'upsert', resource }
}

const protections: readonly (readonly [name: string, used: string | undefined])[] = [
  ['Unspecified', undefined],
  ['Protection Used', '1'],
  ['Protection Not Used', '0'],
]

function mapSexualActivity(row: JsonObject, _: Metric, context: AutoExportContext): Outcome[] {
  const type = 'HKCategoryTypeIdentifierSexualActivity'
  const startDate = startOf(row)
  const attributes = {
    type,
    value: 'HKCategoryValueNotApplicable',
    sourceName: row.text('source'),
    startDate,
    endDate: startDate,
  }
  const happened = protections.filter(([name]) => Number(row.get(name) ?? 0) > 0)
  if (happened.length === 0) return [rejected(type, 'value-missing', 'metrics.sexual_activity')]
  return happened.flatMap(([, used], nth) => {
    const record = element('Record', attributes, { metadata: [['HKSexualActivityProtectionUsed', used]] })
    const outcomes = mapRecord(record, context)
    const told = { id: context.fingerprint('auto-export', type, String(startDate), String(used)) }
    return outcomes.map(outcome =>
      outcome.kind === 'mapped'
        ? { ...outcome, rows: nth === 0 ? 1 : 0, resource: { ...outcome.resource, ...told } }
        : outcome,
    )
  })
}

function mapHygiene(type: string): RowMapper {
  return (row, _, context) => {
    const startDate = startOf(row)
    const [qty, value] = [row.get('qty'), row.text('value')]
    const attributes = {
      type: `HKCategoryTypeIdentifier${type}`,
      value: 'HKCategoryValueNotApplicable',
      sourceName: row.text('source'),
      startDate,
      endDate: appleDate(row.text('end', 'endDate')) ?? startDate,
    }
    const metadata = [
      ['qty', typeof qty === 'string' ? qty : undefined],
      ['value', value],
    ] as const
    return mapRecord(element('Record', attributes, { metadata }), context)
  }
}
