import { parseAppleDate } from '../apple/dates.ts'
import { mapRecord } from '../apple/map-record.ts'
import { quantityOf } from '../apple/quantity.ts'
import { ecgResource } from '../apple/read-files.ts'
import { appleTables } from '../apple/tables.ts'
import { categoryOf, systems } from '../codes.ts'
import { exactly, toFhirNumber } from '../numbers.ts'
import { type Outcome, rowName } from '../outcome.ts'
import { frozen } from '../tables.ts'
import { type AutoExportContext, rejected } from './map-metric.ts'
import { appleDate, element, isObject, JsonObject } from './rows.ts'
import { autoExportTables, plainName } from './tables.ts'

function spanIn(row: JsonObject) {
  const start = parseAppleDate(appleDate(row.text('start', 'startDate', 'date')))
  const end = parseAppleDate(appleDate(row.text('end', 'endDate'))) ?? start
  return start === undefined || end === undefined || end.ms < start.ms ? undefined : { start, end }
}

type Span = NonNullable<ReturnType<typeof spanIn>>

function effectiveOf({ start, end }: Span) {
  return start.ms === end.ms
    ? { effectiveDateTime: start.text }
    : { effectivePeriod: { start: start.text, end: end.text } }
}

/** A symptom or what is told of a cycle, as an export has it. */
export function mapSymptom(row: JsonObject, context: AutoExportContext): Outcome[] {
  const name = row.text('name') ?? ''
  const type = autoExportTables().categories.get(plainName(name))
  const category = type === undefined ? undefined : appleTables().categories.get(type)
  if (type === undefined || category === undefined) return [{ kind: 'unmapped', row: rowName(row.row) }]
  const word = row.text('severity', 'value') ?? ''
  const value = autoExportTables().values.get(`${category.values} ${plainName(word)}`) ?? word
  const startDate = appleDate(row.text('start', 'startDate', 'date'))
  const attributes = {
    type,
    value: category.values === 'none' ? 'HKCategoryValueNotApplicable' : value,
    sourceName: row.text('source'),
    startDate,
    endDate: appleDate(row.text('end', 'endDate')) ?? startDate,
  }
  const entered = row.get('userEntered') === true ? '1' : undefined
  return [
    ...mapRecord(element('Record', attributes, { metadata: [['HKWasUserEntered', entered]] }), context),
    ...row.unread(),
  ]
}

function ownCode(code: string, text: string) {
  return { coding: [{ system: systems.healthKit, code }], text }
}

const survey = frozen(categoryOf('survey'))
const activity = frozen(categoryOf('activity'))
const mindCode = frozen(ownCode('HKStateOfMind', 'State of mind'))

/** Words of a state of mind, each a component. */
const words: readonly (readonly [name: string, code: string, text: string])[] = [
  ['kind', 'HKStateOfMind.kind', 'Kind'],
  ['labels', 'HKStateOfMind.labels', 'Feeling'],
  ['associations', 'HKStateOfMind.associations', 'Associated with'],
  ['valenceClassification', 'HKStateOfMind.valenceClassification', 'Class of valence'],
]

const maxText = 10_000

export function mapStateOfMind(row: JsonObject, context: AutoExportContext): Outcome[] {
  const span = spanIn(row)
  const valence = row.get('valence')
  const value = typeof valence === 'string' ? toFhirNumber(valence) : undefined
  if (span === undefined) return [rejected('HKStateOfMind', 'date-malformed', 'stateOfMind.start')]
  if (value === undefined) return [rejected('HKStateOfMind', 'value-missing', 'stateOfMind.valence')]
  const said = (name: string) => {
    const found = row.get(name)
    return (Array.isArray(found) ? found : [found]).filter(one => typeof one === 'string' && one.trim() !== '')
  }
  const component = words.flatMap(([name, code, text]) =>
    said(name).map(one => ({ code: ownCode(code, text), valueString: String(one).slice(0, maxText) })),
  )
  const metadata = row.get('metadata')
  const more = Object.entries(isObject(metadata) ? metadata : {}).flatMap(([name, one]) =>
    typeof one === 'string' && one !== ''
      ? [{ code: { text: name.slice(0, 200) }, valueString: one.slice(0, maxText) }]
      : [],
  )
  const id = row.text('id')
  const key = id === undefined ? [String(span.start.ms), String(valence)] : [id]
  const resource = {
    resourceType: 'Observation',
    id: context.fingerprint('auto-export', 'HKStateOfMind', ...key),
    meta: { source: context.source },
    ...(id === undefined
      ? {}
      : { identifier: [{ system: `${systems.healthKit}#HKStateOfMind`, value: id.slice(0, 500) }] }),
    status: 'final',
    category: survey,
    code: mindCode,
    subject: context.subject,
    ...effectiveOf(span),
    valueQuantity: quantityOf(value, '{score}'),
    ...(component.length + more.length === 0 ? {} : { component: [...component, ...more] }),
  }
  return [{ kind: 'mapped', row: 'HKStateOfMind', mode: 'upsert', resource }, ...row.unread()]
}

const notificationCode = frozen(ownCode('HKHeartRateNotification', 'Heart rate notification'))

/** Readings within one notification; it is about some minutes. */
const mostReadings = 500

/** A warning of the watch: since when, until when, above or below what, and what it measured meanwhile. */
export function mapNotification(row: JsonObject, context: AutoExportContext): Outcome[] {
  const name = 'HKHeartRateNotification'
  const span = spanIn(row)
  if (span === undefined) return [rejected(name, 'date-malformed', 'heartRateNotifications.start')]
  const threshold = row.get('threshold')
  const limit = typeof threshold === 'string' ? toFhirNumber(threshold) : undefined
  const readings = [
    ...readingsIn(row, 'heartRate', 'hr', '/min', 'Heart rate'),
    ...readingsIn(row, 'heartRateVariation', 'hrv', 'ms', 'Heart rate variability'),
  ]
  const component = [
    ...(limit === undefined
      ? []
      : [{ code: ownCode(`${name}.threshold`, 'Threshold'), valueQuantity: quantityOf(limit, '/min') }]),
    ...readings.slice(0, mostReadings),
  ]
  const resource = {
    resourceType: 'Observation',
    id: context.fingerprint('auto-export', name, String(span.start.ms), String(span.end.ms), String(threshold)),
    meta: { source: context.source },
    status: 'final',
    category: activity,
    code: notificationCode,
    subject: context.subject,
    ...effectiveOf(span),
    ...(component.length === 0 ? {} : { component }),
  }
  const beyond = readings.length - mostReadings
  return [
    { kind: 'mapped', row: name, mode: 'create', resource },
    ...(beyond > 0 ? [{ kind: 'unmapped', row: `${name}.reading`, rows: beyond } as const] : []),
    ...row.unread(),
  ]
}

const periodUrl = `${systems.healthKit}#period`

function readingsIn(row: JsonObject, list: string, member: string, ucum: string, text: string): object[] {
  return row.list(list).flatMap(one => {
    if (!isObject(one)) return []
    const reading = new JsonObject(one, `${row.row}.${list}`)
    const value = reading.get(member)
    const number = typeof value === 'string' ? toFhirNumber(value) : undefined
    const span = spanIn(reading.object('timestamp') ?? reading)
    if (number === undefined) return []
    const period = span && { start: span.start.text, end: span.end.text }
    return [
      {
        ...(period === undefined ? {} : { extension: [{ url: periodUrl, valuePeriod: period }] }),
        code: ownCode(`HKHeartRateNotification.${list}`, text),
        valueQuantity: quantityOf(number, ucum),
      },
    ]
  })
}

/** Microvolts of one of the app's units. */
const microvolts: ReadonlyMap<string, number> = new Map(
  Object.entries({ V: 1e6, mV: 1e3, mcV: 1, uV: 1, µV: 1, μV: 1 }),
)

export function mapEcg(row: JsonObject, context: AutoExportContext): Outcome[] {
  const name = 'electrocardiogram'
  const recorded = appleDate(row.text('start', 'date'))
  const at = parseAppleDate(recorded)
  row.get('end')
  row.get('numberOfVoltageMeasurements')
  const [hertz, mean] = [Number(row.get('samplingFrequency')), row.get('averageHeartRate')]
  const samples: string[] = []
  for (const one of row.list('voltageMeasurements')) {
    const sample = isObject(one) ? new JsonObject(one, row.row) : undefined
    const [voltage, factor] = [sample?.get('voltage'), microvolts.get(sample?.text('units') ?? 'mcV')]
    const number = typeof voltage === 'string' ? toFhirNumber(voltage) : undefined
    if (number === undefined || factor === undefined)
      return [rejected(name, 'value-malformed', 'ecg.voltageMeasurements')]
    samples.push(String(factor === 1 ? number : exactly(Number(number) * factor)))
  }
  if (at === undefined) return [rejected(name, 'date-malformed', 'ecg.start')]
  if (samples.length === 0 || !(hertz > 0)) return [rejected(name, 'value-missing', 'ecg.voltageMeasurements')]
  const rate = typeof mean === 'string' ? toFhirNumber(mean) : undefined
  const ecg = {
    recorded: recorded ?? '',
    classification: row.text('classification') ?? '',
    symptoms: row.text('severity') ?? '',
    software: '',
    device: row.text('source') ?? '',
    lead: '',
    hertz,
    samples: samples.join(' '),
  }
  const resource = ecgResource(ecg, at, context)
  if (rate !== undefined)
    resource.component.push({
      code: ownCode('HKElectrocardiogram.averageHeartRate', 'Average heart rate'),
      valueQuantity: quantityOf(rate, '/min'),
    })
  return [{ kind: 'mapped', row: name, mode: 'create', resource }, ...row.unread()]
}
