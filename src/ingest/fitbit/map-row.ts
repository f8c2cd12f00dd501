import { type Coverage, spansOf } from '../fit/coverage.ts'
import type { DataPoint } from '../fit/data-point.ts'
import { readMeasure } from '../measures/read-measure.ts'
import type { Outcome, Reason } from '../outcome.ts'
import type { DeviceContext } from '../told-devices.ts'
import type { FitbitSources } from './sources.ts'
import type { FileType } from './tables.ts'
import { type Moment, momentOf } from './times.ts'

/** What the mappers of a Takeout share. */
export interface FitbitContext extends DeviceContext {
  readonly sources: FitbitSources
  /** IANA zone of the profile. */
  readonly zone: string | undefined
  /** What a file that is believed more has told. */
  readonly coverage: Coverage
  /** What the files that are being read tell. */
  readonly told: Set<string>
}

/** A row of a file, whichever form it has. */
export interface Fields {
  get(field: string): string | undefined | false
  readonly names: readonly string[]
}

export const zonelessWarning = 'Some times say no zone and no profile lies beside them; of these only the day was kept.'

export function rejected(row: string, reason: Reason, expression: string): Outcome {
  return { kind: 'rejected', row, reason, expression }
}

export function unread(place: string): Outcome {
  return { kind: 'unread', place, location: place }
}

/** A time of a kind, as what has told of it before is looked up. */
export function pointOf(type: string, startMs: number, endMs: number): DataPoint {
  return { type, origin: '', startNanos: `${startMs}000000`, endNanos: `${endMs}000000`, values: [] }
}

export function effectiveOf(start: Moment, end: Moment) {
  return start.ms === end.ms
    ? { effectiveDateTime: start.text }
    : { effectivePeriod: { start: start.text, end: end.text } }
}

/** The apps and phones that have written it elsewhere, where it is imported from as well. */
const elsewhere = /health connect$/i

/** One row; what another file has told of the same time is a duplicate. */
export function mapRow(type: FileType, row: Fields, context: FitbitContext): Outcome[] {
  const { measure } = type
  const source = textIn(row, 'data source')
  if (source !== undefined && elsewhere.test(source))
    return [{ kind: 'unmapped', row: `${measure.name}.health-connect` }]
  const [time, hour] = [textIn(row, type.time), type.hour === undefined ? undefined : textIn(row, type.hour)]
  const start = momentOf(hour === undefined ? time : `${time} ${hour}`, type.clock, context.zone)
  const end = type.end === undefined ? start : momentOf(textIn(row, type.end), type.clock, context.zone)
  if (start === undefined || end === undefined || end.ms < start.ms)
    return [rejected(measure.name, 'date-malformed', `${measure.name}.${type.time}`)]
  const point = pointOf(measure.name, start.ms, end.ms)
  if (context.coverage.has(point)) return [{ kind: 'folded', row: measure.name }]
  const reading = readMeasure(measure, field => row.get(field))
  if ('reason' in reading) return [rejected(measure.name, reading.reason, reading.expression)]
  for (const span of spansOf(point)) context.told.add(span)
  const device = source === undefined ? undefined : context.sources.of(source)
  const key = keyOf(type, row, { start, end, source })
  const resource = {
    resourceType: 'Observation',
    id: context.fingerprint('fitbit', measure.name, ...key.parts),
    meta: { source: context.source },
    status: 'final',
    category: measure.category,
    code: measure.code,
    subject: context.subject,
    ...effectiveOf(start, end),
    ...(device === undefined ? {} : { device }),
    ...reading.element,
  }
  const beyond = row.names.filter(name => !type.known.has(name) && name !== 'data source')
  const warning = start.zoneless ? { warning: zonelessWarning } : {}
  return [
    { kind: 'mapped', row: measure.name, mode: key.isName ? 'upsert' : 'create', resource, ...warning },
    ...reading.left.map(unread),
    ...beyond.map(name => unread(`${measure.name}.${/^\w[\w. ]{0,80}$/.test(name) ? name : 'unrecognised'}`)),
  ]
}

export function textIn(row: Fields, field: string): string | undefined {
  const value = row.get(field)
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined
}

interface Said {
  readonly start: Moment
  readonly end: Moment
  readonly source: string | undefined
}

/** A row with a name is known by it, the value of a day by the day: both are put right later. Others are facts. */
function keyOf({ key, clock, measure }: FileType, row: Fields, { start, end, source = '' }: Said) {
  const name = key === undefined ? undefined : textIn(row, key)
  if (name !== undefined) return { isName: true, parts: [name] }
  if (clock === 'day') return { isName: true, parts: [start.text, source] }
  const value = String(row.get(measure.value?.name ?? ''))
  return { isName: false, parts: [String(start.ms), String(end.ms), value, source] }
}
