import { ownText } from '#kernel'
import { BloodPressureDesk } from '../apple/blood-pressure.ts'
import { nothingBeside } from '../apple/context.ts'
import { Sources } from '../apple/sources.ts'
import { type Outcome, rowName } from '../outcome.ts'
import type { ReadContext } from '../read-context.ts'
import { type JsonRow, type Path, readJsonRows } from '../source/json-rows.ts'
import type { Loose } from '../source/json-tokens.ts'
import { mapEcg, mapNotification, mapStateOfMind, mapSymptom } from './map-events.ts'
import { mapMedication } from './map-medication.ts'
import { type AutoExportContext, Buckets, type Metric, mapMetricRow } from './map-metric.ts'
import { mapAppWorkout } from './map-workout.ts'
import { isObject, JsonObject } from './rows.ts'

type RowMapper = (row: JsonObject, context: AutoExportContext) => Outcome[]

/** The lists of a file, and what their rows are. */
const lists: Readonly<Record<string, RowMapper>> = {
  workouts: mapAppWorkout,
  stateOfMind: mapStateOfMind,
  medications: mapMedication,
  symptoms: mapSymptom,
  cycleTracking: mapSymptom,
  ecg: mapEcg,
  heartRateNotifications: mapNotification,
}

const names = ['metrics', ...Object.keys(lists)]
const sign = new RegExp(`"data"\\s*:\\s*\\{\\s*"(?:${names.join('|')})"\\s*:\\s*\\[`)

/** Whether a file is one of Health Auto Export, by what is in it. */
export function isAutoExport(head: string): boolean {
  return /^\uFEFF?\s*\{/.test(head) && sign.test(head) && !/"resourceType"\s*:/.test(head)
}

/** A workout with its route, second by second, has some megabytes. Characters. */
const longestRow = 32 * 1024 ** 2

/** Metrics of a file; HealthKit has some two hundred. */
const maxMetrics = 10_000

/**
 * The rows of a file, as it streams by. It is read twice, since what a metric is called and its unit may stand after its rows.
 *
 * @throws Problem as `readJsonRows`
 */
export async function* readAutoExport(
  open: () => AsyncIterable<Uint8Array>,
  read: ReadContext,
): AsyncGenerator<Outcome[], void, void> {
  const metrics = await metricsOf(open(), read)
  const shared = { ...read, sources: new Sources(read), ...nothingBeside, documentId: () => '' }
  const context: AutoExportContext = { ...shared, desk: new BloodPressureDesk(shared), buckets: new Buckets() }
  for await (const rows of readJsonRows(open(), read.limits, isRow, longestRow)) {
    const outcomes = rows.flatMap(row => outcomesOf(row, metrics, context))
    yield [...context.sources.take(), ...outcomes]
  }
}

async function metricsOf(
  chunks: AsyncIterable<Uint8Array>,
  { limits }: ReadContext,
): Promise<ReadonlyMap<string | number, Metric>> {
  const metrics = new Map<string | number, Metric>()
  for await (const rows of readJsonRows(chunks, limits, isFactOfMetric, limits.maxToken))
    for (const { path, value } of rows) {
      const [, , at = 0, member] = path
      if (typeof value !== 'string' || (metrics.size >= maxMetrics && !metrics.has(at))) continue
      const known = metrics.get(at) ?? { name: '', units: undefined }
      metrics.set(at, { ...known, [String(member)]: ownText(value.trim().slice(0, 200)) })
    }
  return metrics
}

/** `data.metrics[3].name`, `data.metrics[3].units` */
function isFactOfMetric([data, list, at, member, ...more]: Path): boolean {
  return (
    isList(data, list, 'metrics') &&
    typeof at === 'number' &&
    (member === 'name' || member === 'units') &&
    more.length === 0
  )
}

function isList(data: Path[number] | undefined, list: Path[number] | undefined, name?: string): boolean {
  return data === 'data' && (name === undefined ? typeof list === 'string' : list === name)
}

/** `data.metrics[3].data[17]`, `data.workouts[2]`; of lists that nobody knows each row as well. */
function isRow([data, list, at, member, nth, ...more]: Path): boolean {
  if (!isList(data, list) || typeof at !== 'number' || more.length > 0) return false
  return list === 'metrics' ? member === 'data' && typeof nth === 'number' : member === undefined
}

function outcomesOf(
  { path, value }: JsonRow,
  metrics: ReadonlyMap<string | number, Metric>,
  context: AutoExportContext,
): Outcome[] {
  const [, list = '', at = 0] = path
  const name = String(list)
  const metric = metrics.get(at) ?? { name: '', units: undefined }
  const row = rowName(name === 'metrics' ? `metrics.${metric.name}` : name)
  if (!isObject(value)) return [{ kind: 'rejected', row, reason: 'structure-unknown', expression: 'data' }]
  if (name === 'metrics') return mapMetricRow(objectOf(value, row), metric, context)
  const mapper = Object.hasOwn(lists, name) ? lists[name] : undefined
  return mapper === undefined ? [{ kind: 'unmapped', row }] : mapper(objectOf(value, row), context)
}

function objectOf(value: { readonly [name: string]: Loose }, row: string): JsonObject {
  return new JsonObject(value, row)
}
