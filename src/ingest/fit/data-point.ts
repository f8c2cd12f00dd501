import type { Loose } from '../source/json-tokens.ts'

/** A value of a data point, as text; a map of numbers for nutrition. */
export type FitValue =
  | { readonly kind: 'number'; readonly text: string; readonly float: boolean }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'map'; readonly entries: readonly (readonly [string, string])[] }

export interface DataPoint {
  readonly type: string
  /** Where the fact came from first; the stream itself when the file does not say. */
  readonly origin: string
  readonly startNanos: string
  readonly endNanos: string
  readonly values: readonly (FitValue | undefined)[]
}

function member(value: Loose | undefined, name: string): Loose | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.hasOwn(value, name)
    ? (value as { readonly [name: string]: Loose })[name]
    : undefined
}

function text(value: Loose | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** Takeout writes `fitValue[].value.intVal`, the REST API writes `value[].intVal`. */
function readValue(entry: Loose): FitValue | undefined {
  const value = member(entry, 'value') ?? entry
  const int = text(member(value, 'intVal'))
  if (int !== undefined) return { kind: 'number', text: int, float: false }
  const float = text(member(value, 'fpVal'))
  if (float !== undefined) return { kind: 'number', text: float, float: true }
  const string = text(member(value, 'stringVal'))
  if (string !== undefined) return { kind: 'text', text: string }
  const map = member(value, 'mapVal')
  return Array.isArray(map) ? { kind: 'map', entries: map.flatMap(entryOf) } : undefined
}

function entryOf(entry: Loose): (readonly [string, string])[] {
  const key = text(member(entry, 'key'))
  const value = text(member(member(entry, 'value'), 'fpVal'))
  return key === undefined || value === undefined ? [] : [[key, value]]
}

/** Reads one point of either shape; undefined when it is not built as a data point. */
export function readDataPoint(point: Loose, dataSource: string): DataPoint | undefined {
  const values = member(point, 'fitValue') ?? member(point, 'value')
  const type = text(member(point, 'dataTypeName')) ?? typeOfSource(dataSource)
  const startNanos = nanosOf(point, 'startTime')
  const endNanos = nanosOf(point, 'endTime')
  if (!Array.isArray(values) || type === undefined || startNanos === undefined || endNanos === undefined)
    return undefined
  const origin = text(member(point, 'originDataSourceId')) || dataSource
  return { type, origin, startNanos, endNanos, values: values.map(readValue) }
}

/** Times are nanoseconds, as text or number; some tools write milliseconds. */
function nanosOf(point: Loose, name: string): string | undefined {
  const nanos = text(member(point, `${name}Nanos`))
  const millis = text(member(point, `${name}Millis`))
  return nanos ?? (millis === undefined ? undefined : `${millis}000000`)
}

/** `derived:com.google.step_count.delta:…` → `com.google.step_count.delta` */
export function typeOfSource(dataSource: string): string | undefined {
  return dataSource.split(':')[1]
}

/** Unix milliseconds of a text of nanoseconds; undefined outside the years 1970 to 2500. */
export function nanosToMs(nanos: string): number | undefined {
  if (!/^\d{7,20}$/.test(nanos)) return undefined
  const ms = Number(nanos.slice(0, -6))
  return ms < 16_725_225_600_000 ? ms : undefined
}
