import { isInstant, type Resource, toInstant } from '#fhir'
import { type CodeableConcept, systems } from '../codes.ts'
import { type Raw, readMeasure } from '../measures/read-measure.ts'
import type { Measure } from '../measures/tables.ts'
import type { Outcome, Reason } from '../outcome.ts'
import { saysTheSame } from '../same.ts'
import { frozen } from '../tables.ts'
import type { DeviceContext } from '../told-devices.ts'
import { isLifetimeMs, offsetMinutesOf, zoned } from '../zoned.ts'
import type { Row } from './database.ts'
import type { ConnectSources } from './sources.ts'
import type { ChildType, RecordType } from './tables.ts'

/** What the mappers of an export share. */
export interface ConnectContext extends DeviceContext {
  readonly sources: ConnectSources
}

type Mapped = Extract<Outcome, { kind: 'mapped' }>

/** A time of a record on the clock where it was, with the milliseconds that order it. */
interface Moment {
  readonly ms: number
  readonly text: string
}

interface Span {
  readonly start: Moment
  readonly end: Moment
}

/** What a record says of itself before it says anything of the person. */
interface Envelope {
  readonly key: readonly string[]
  readonly uuid: string | undefined
  readonly span: Span
  /** The zone was not told, and UTC is a guess. */
  readonly zoneless: boolean
}

const zonelessWarning = 'Some records do not say in which zone they were made; their times are given in UTC.'

export function rejected(row: string, reason: Reason, expression: string): Extract<Outcome, { kind: 'rejected' }> {
  return { kind: 'rejected', row, reason, expression }
}

function unread(place: string): Outcome {
  return { kind: 'unread', place, location: place }
}

/** What stands in a column, as a measure reads it. */
function rawOf(row: Row, column: string): Raw {
  const cell = row.cells.get(column)
  if (cell === undefined) return undefined
  return typeof cell === 'object' ? false : String(cell)
}

function numberIn(row: Row, column: string): number | undefined {
  const cell = row.cells.get(column)
  return typeof cell === 'number' ? cell : undefined
}

function momentOf(ms: number | undefined, offsetMinutes: number | undefined): Moment | undefined {
  if (ms === undefined || !isLifetimeMs(ms)) return undefined
  return { ms, text: offsetMinutes === undefined ? toInstant(ms) : zoned(ms, offsetMinutes) }
}

/** Instants have a `time`, what lasts a `start_time` and an `end_time`, each with its offset in seconds. */
function spanOf(row: Row): (Span & { readonly offset: number | undefined }) | undefined {
  const isInstantRecord = row.cells.has('time')
  const offset = offsetMinutesOf(numberIn(row, isInstantRecord ? 'zone_offset' : 'start_zone_offset'))
  const start = momentOf(numberIn(row, isInstantRecord ? 'time' : 'start_time'), offset)
  if (isInstantRecord) return start && { start, end: start, offset }
  const end = momentOf(numberIn(row, 'end_time'), offsetMinutesOf(numberIn(row, 'end_zone_offset')) ?? offset)
  return start === undefined || end === undefined || end.ms < start.ms ? undefined : { start, end, offset }
}

/** Sixteen bytes, or the text of older phones. */
function uuidOf(row: Row): string | undefined {
  const cell = row.cells.get('uuid')
  const hex =
    typeof cell === 'object'
      ? Buffer.from(cell).toString('hex')
      : String(cell ?? '')
          .replaceAll('-', '')
          .toLowerCase()
  const [, a, b, c, d, e] = /^([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/.exec(hex) ?? []
  return a === undefined ? undefined : `${a}-${b}-${c}-${d}-${e}`
}

/** What a record is known by: its name; of one without a name, all that it says. */
function keyOf(type: RecordType, row: Row, uuid: string | undefined): readonly string[] {
  if (uuid !== undefined) return ['health-connect', type.measure.name, uuid]
  const facts = [...row.cells].filter(([column]) => column !== 'row_id' && column !== 'last_modified_time')
  return ['health-connect', type.measure.name, JSON.stringify(facts.map(([column, cell]) => [column, String(cell)]))]
}

/** Undefined when the times of a record are none. */
function envelopeOf(type: RecordType, row: Row): Envelope | undefined {
  const span = spanOf(row)
  if (span === undefined) return undefined
  const uuid = uuidOf(row)
  return { key: keyOf(type, row, uuid), uuid, span, zoneless: span.offset === undefined }
}

const byHand: CodeableConcept = frozen({
  coding: [{ system: systems.healthConnect, code: 'Metadata.RECORDING_METHOD_MANUAL_ENTRY' }],
  text: 'Entered by hand',
})
const methodUrl = `${systems.healthConnect}#recording_method`

/** That something was not entered by hand is what every other record says by saying nothing. */
function methodOf(record: Row, element: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  if (numberIn(record, 'recording_method') !== 3) return {}
  if (element.method === undefined) return { method: byHand }
  const { extension = [] } = element as { extension?: readonly object[] }
  return { extension: [...extension, { url: methodUrl, valueCodeableConcept: byHand }] }
}

interface Facts {
  readonly key: readonly string[]
  readonly measure: Measure
  readonly span: Span
  readonly element: Readonly<Record<string, unknown>>
}

function effectiveOf({ start, end }: Span) {
  return start.ms === end.ms
    ? { effectiveDateTime: start.text }
    : { effectivePeriod: { start: start.text, end: end.text } }
}

/** An Observation of what a record, or a part of it, says. */
function observation(record: Row, { key, measure, span, element }: Facts, context: ConnectContext): Mapped['resource'] {
  const device = context.sources.of(record)
  return {
    resourceType: 'Observation',
    id: context.fingerprint(...key),
    meta: { source: context.source },
    status: 'final',
    category: measure.category,
    code: measure.code,
    subject: context.subject,
    ...effectiveOf(span),
    ...(device === undefined ? {} : { device }),
    ...element,
    ...methodOf(record, element),
  }
}

/** Under which names the phone and the app know a record. */
function namesOf(record: Row, uuid: string | undefined) {
  const client = rawOf(record, 'client_record_id')
  const identifier = [
    ...(uuid === undefined ? [] : [{ system: 'urn:ietf:rfc:3986', value: `urn:uuid:${uuid}` }]),
    ...(client ? [{ system: `${systems.healthConnect}#client_record_id`, value: client.slice(0, 500) }] : []),
  ]
  return identifier.length === 0 ? {} : { identifier }
}

/** When the phone was told of it last, if it says so. */
function issuedOf(record: Row) {
  const ms = numberIn(record, 'last_modified_time')
  return ms === undefined || !isLifetimeMs(ms) ? {} : { issued: toInstant(ms) }
}

/** A later word on the same record; apps say the same again and again, and an older export says what was true then. */
function over(stored: Resource, anew: Resource): Resource | undefined {
  const { issued: before } = stored
  const { issued: now } = anew
  if (isInstantText(before) && isInstantText(now) && now <= before) return undefined
  return saysTheSame({ ...stored, issued: now }, anew) ? undefined : anew
}

function isInstantText(value: unknown): value is string {
  return typeof value === 'string' && isInstant(value)
}

/** Columns that have a value and that nothing reads. */
function unreadColumns(name: string, row: Row, known: ReadonlySet<string>): Outcome[] {
  return [...row.cells.keys()].filter(column => !known.has(column)).map(column => unread(placeOf(name, column)))
}

function placeOf(name: string, column: string): string {
  return /^[A-Za-z_]\w{0,79}$/.test(column) ? `${name}.${column}` : `${name}.unrecognised`
}

/** A record that stands in one row, with what its children give. `rows`: how many rows it stands for. */
export function mapRecord(
  type: RecordType,
  record: Row,
  context: ConnectContext,
  parts: { readonly element: Readonly<Record<string, unknown>>; readonly rows: number } = { element: {}, rows: 1 },
): Outcome[] {
  const { measure } = type
  const envelope = envelopeOf(type, record)
  if (envelope === undefined)
    return refusals(parts.rows, rejected(measure.name, 'date-malformed', `${measure.name}.time`))
  const reading = readMeasure(measure, field => rawOf(record, field))
  if ('reason' in reading) return refusals(parts.rows, rejected(measure.name, reading.reason, reading.expression))
  const { key, uuid, span, zoneless } = envelope
  const element = {
    ...namesOf(record, uuid),
    ...issuedOf(record),
    ...reading.element,
    ...parts.element,
    ...componentsOf(reading.element, parts.element),
  }
  const resource = observation(record, { key, measure, span, element }, context)
  const saidMs = numberIn(record, 'last_modified_time')
  return [
    {
      kind: 'mapped',
      row: measure.name,
      rows: parts.rows,
      mode: 'upsert',
      over,
      resource,
      ...(saidMs === undefined ? {} : { saidMs }),
      ...(zoneless ? { warning: zonelessWarning } : {}),
    },
    ...reading.left.map(unread),
    ...unreadColumns(measure.name, record, type.known),
  ]
}

function refusals(rows: number, outcome: Outcome): Outcome[] {
  return Array.from({ length: rows }, () => outcome)
}

type Components = { readonly component?: readonly object[] }

function componentsOf(of: Components, more: Components): Components {
  const component = [...(of.component ?? []), ...(more.component ?? [])]
  return component.length === 0 ? {} : { component }
}

/** A sample of a record that is a series of them. */
export function mapSample(type: RecordType, record: Row, sample: Row, context: ConnectContext): Outcome[] {
  const { measure, series } = type
  const span = spanOf(record)
  const at = momentOf(numberIn(sample, series?.time ?? ''), span?.offset)
  if (at === undefined || span === undefined) return [rejected(measure.name, 'date-malformed', `${measure.name}.time`)]
  const reading = readMeasure(measure, field => rawOf(sample, field) ?? rawOf(record, field))
  if ('reason' in reading) return [rejected(measure.name, reading.reason, reading.expression)]
  const value = rawOf(sample, measure.value?.name ?? '')
  const key = [...keyOf(type, record, uuidOf(record)), String(at.ms), String(value)]
  const resource = observation(
    record,
    { key, measure, span: { start: at, end: at }, element: reading.element },
    context,
  )
  return [
    {
      kind: 'mapped',
      row: measure.name,
      mode: 'create',
      resource,
      ...(span.offset === undefined ? { warning: zonelessWarning } : {}),
    },
    ...reading.left.map(unread),
    ...unreadColumns(measure.name, sample, type.known),
    ...unreadColumns(measure.name, record, type.known),
  ]
}

/** A part of a record, with a time of its own within it. */
export function mapChild(
  type: RecordType,
  child: ChildType,
  rows: { readonly record: Row; readonly part: Row },
  context: ConnectContext,
): { readonly outcomes: Outcome[]; readonly component?: object; readonly member?: string } {
  const { record, part } = rows
  const { measure } = child
  const offset = spanOf(record)?.offset
  const [start, end] = [momentOf(numberIn(part, child.start), offset), momentOf(numberIn(part, child.end), offset)]
  if (start === undefined || end === undefined || end.ms < start.ms)
    return { outcomes: [rejected(measure.name, 'date-malformed', `${measure.name}.${child.start}`)] }
  const reading = readMeasure(measure, field => rawOf(part, field))
  if ('reason' in reading) return { outcomes: [rejected(measure.name, reading.reason, reading.expression)] }
  const beside = [...reading.left.map(unread), ...unreadColumns(measure.name, part, child.known)]
  const span = { start, end }
  if (child.as === 'component') return { outcomes: beside, component: partOf(measure, span, reading.element) }
  const value = String(rawOf(part, (measure.coded ?? measure.value)?.name ?? ''))
  const key = [...keyOf(type, record, uuidOf(record)), child.table, String(start.ms), String(end.ms), value]
  const resource = observation(record, { key, measure, span, element: reading.element }, context)
  return {
    outcomes: [{ kind: 'mapped', row: measure.name, mode: 'create', resource }, ...beside],
    member: `Observation/${resource.id}`,
  }
}

/** A lap or a segment: what it was, when, and what is known of it in extensions. */
function partOf(measure: Measure, { start, end }: Span, element: Readonly<Record<string, unknown>>): object {
  const { valueCodeableConcept, component = [] } = element as {
    valueCodeableConcept?: CodeableConcept
    component?: readonly ({ readonly code: CodeableConcept } & Readonly<Record<string, unknown>>)[]
  }
  const extension = component.map(({ code, ...value }) => ({
    url: `${systems.healthConnect}#${code.coding?.at(-1)?.code}`,
    ...value,
  }))
  return {
    ...(extension.length === 0 ? {} : { extension }),
    code: valueCodeableConcept ?? measure.code,
    valuePeriod: { start: start.text, end: end.text },
  }
}
