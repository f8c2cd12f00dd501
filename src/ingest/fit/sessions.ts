import { isInstant } from '#fhir'
import { bytesWithin } from '../attached.ts'
import type { CodeableConcept } from '../codes.ts'
import { toFhirNumber } from '../numbers.ts'
import { type Outcome, rowName } from '../outcome.ts'
import { activityCategory, activityType, codeOf, conceptOfActivity, durationCode } from './activities.ts'
import { spansBetween } from './coverage.ts'
import type { FitValue } from './data-point.ts'
import { effectiveOf, type FitContext, fitObservation, quantity, readType, rejected } from './map-point.ts'
import { type Activity, fitTables } from './tables.ts'
import type { Takeout, TakeoutFile } from './takeout.ts'

/** A session has some hundred bytes, one with many breaks some thousand. */
const longest = 256 * 1024

export const sessionRow = 'fit.session'

type Node = { readonly [name: string]: unknown }

/** What somebody did, from when until when; Unix milliseconds. */
interface Span {
  readonly startMs: number
  readonly endMs: number
}

/** A session of `All Sessions`: an Observation, with what was measured meanwhile; of which the streams have told, a duplicate. */
export async function readSession({ open }: Pick<TakeoutFile, 'open'>, takeout: Takeout): Promise<Outcome[]> {
  const bytes = await bytesWithin(open(), longest)
  const session = bytes && nodeOf(parsed(bytes.toString('utf8')))
  return session === undefined ? [rejected(sessionRow, 'structure-unknown', sessionRow)] : mapSession(session, takeout)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch {
    return undefined // cut off, or no JSON behind its head
  }
}

function nodeOf(value: unknown): Node | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Node) : undefined
}

function textOf(node: Node | undefined, name: string): string | undefined {
  const value = node !== undefined && Object.hasOwn(node, name) ? node[name] : undefined
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined
}

const known: ReadonlySet<string> = new Set([
  'fitnessActivity',
  'startTime',
  'endTime',
  'duration',
  'segment',
  'aggregate',
  'name',
  'description',
  'packageName',
])

function mapSession(session: Node, { context, coverage, told, begun }: Takeout): Outcome[] {
  const span = spanOf(session)
  if (span === undefined) return [rejected(sessionRow, 'date-malformed', 'startTime')]
  const activity = activityOf(session)
  if (activity === undefined) return [rejected(sessionRow, 'value-missing', 'fitnessActivity')]
  if (activity.kind === 'other') return [{ kind: 'unmapped', row: `${sessionRow}.not-exercise` }]
  begun.add(secondOf(span.startMs))
  const spans = activity.spans(span)
  if (coverage.hasAny(spans)) return [{ kind: 'folded', row: sessionRow }]
  for (const one of spans) told.add(one)
  const unread = new Set<string>()
  const members = segmentsIn(session, span).flatMap(segment => segmentOf(segment, session, context))
  const component = [...durationOf(session), ...figuresIn(session, unread)]
  const element = {
    valueCodeableConcept: activity.concept,
    ...(component.length === 0 ? {} : { component }),
    ...(members.length === 0 ? {} : { hasMember: members.map(({ id }) => ({ reference: `Observation/${id}` })) }),
    ...noteOf(session),
  }
  const resource = observationOf(idOf(span, session, context), { activity, span, element, session }, context)
  for (const name of Object.keys(session)) if (!known.has(name)) unread.add(name)
  return [
    ...members.map(
      (member): Outcome => ({ kind: 'mapped', row: sessionRow, rows: 0, mode: 'upsert', resource: member }),
    ),
    { kind: 'mapped', row: sessionRow, mode: 'upsert', resource },
    ...[...unread].map(unreadAt),
  ]
}

/** A second is the same whatever fraction of it another file has. */
export function secondOf(ms: number): number {
  return Math.floor(ms / 1000)
}

function unreadAt(name: string): Outcome {
  const place = rowName(`${sessionRow}.${/^[\w.]{1,80}$/.test(name) ? name : 'unrecognised'}`)
  return { kind: 'unread', place, location: place }
}

function spanOf(node: Node): Span | undefined {
  const [startMs, endMs] = ['startTime', 'endTime'].map(name => msOf(textOf(node, name)))
  return startMs === undefined || endMs === undefined || endMs < startMs ? undefined : { startMs, endMs }
}

function msOf(text = ''): number | undefined {
  return isInstant(text) ? Date.parse(text) : undefined
}

interface Doing {
  readonly kind: Activity['kind']
  readonly code: CodeableConcept
  readonly concept: CodeableConcept
  /** The hours of which it is noted that it was told. */
  spans(span: Span): readonly string[]
}

/** What was done, also by a name that the table does not have. */
function activityOf(node: Node): Doing | undefined {
  const name = textOf(node, 'fitnessActivity')?.replace(/^vnd\.google\.fitness\.activity\//, '')
  if (name === undefined) return undefined
  const row = fitTables().named.get(name)
  if (row === undefined) {
    const kind = 'exercise'
    return { kind, code: codeOf({ kind }), concept: { text: name.slice(0, 200) }, spans: () => [] }
  }
  const spans = ({ startMs, endMs }: Span) => spansBetween(activityType(row), startMs, endMs)
  return { kind: row.kind, code: codeOf(row), concept: conceptOfActivity(row), spans }
}

/** One that is brought up to date later is the same: it begins when it began. */
function idOf({ startMs }: Span, session: Node, { fingerprint }: FitContext, ...part: readonly string[]): string {
  const what = textOf(session, 'fitnessActivity') ?? ''
  return fingerprint('fit', 'session', textOf(session, 'packageName') ?? '', what, String(startMs), ...part)
}

interface Said {
  readonly activity: Doing
  readonly span: Span
  readonly element: Readonly<Record<string, unknown>>
  readonly session: Node
}

function observationOf(id: string, { activity, span, element, session }: Said, context: FitContext) {
  const { code } = activity
  const effective = effectiveOf(span.startMs, span.endMs)
  const origin = `fit:session:${textOf(session, 'packageName') ?? ''}`
  return fitObservation({ id, code, category: activityCategory, effective, origin, element }, context)
}

/** Its parts, where they are not the whole of it. */
function segmentsIn(session: Node, { startMs, endMs }: Span): readonly { readonly part: Node; readonly span: Span }[] {
  const parts = listOf(session, 'segment').flatMap(part => {
    const span = spanOf(part)
    return span === undefined ? [] : [{ part, span }]
  })
  const [only] = parts
  const isWhole = parts.length === 1 && only?.span.startMs === startMs && only.span.endMs === endMs
  return isWhole && textOf(only?.part, 'fitnessActivity') === textOf(session, 'fitnessActivity') ? [] : parts
}

function segmentOf({ part, span }: { readonly part: Node; readonly span: Span }, session: Node, context: FitContext) {
  const activity = activityOf(part)
  if (activity === undefined || activity.kind === 'other') return []
  const id = idOf(span, session, context, 'segment', textOf(part, 'fitnessActivity') ?? '')
  const element = { valueCodeableConcept: activity.concept }
  return [observationOf(id, { activity, span, element, session }, context)]
}

function listOf(node: Node, name: string): readonly Node[] {
  const list = node[name]
  return Array.isArray(list) ? list.map(nodeOf).filter(each => each !== undefined) : []
}

/** How long it was done, without its breaks. */
function durationOf(session: Node): object[] {
  const [, seconds] = /^(\d{1,9}(?:\.\d{1,9})?)s$/.exec(textOf(session, 'duration') ?? '') ?? []
  const value = seconds === undefined ? undefined : toFhirNumber(seconds)
  return value === undefined ? [] : [{ code: durationCode, valueQuantity: quantity(value, 's') }]
}

/** What was measured meanwhile: sums, and of speeds and heart rates the mean, which is the first field of their summaries. */
function figuresIn(session: Node, unread: Set<string>): object[] {
  return listOf(session, 'aggregate').flatMap(aggregate => {
    const name = textOf(aggregate, 'metricName') ?? ''
    const figure = figureOf(name, fitValueOf(aggregate.floatValue ?? aggregate.intValue))
    if (figure !== undefined) return [figure]
    unread.add(/^com\.google\.[\w.]{1,60}$/.test(name) ? name : 'aggregate')
    return []
  })
}

function figureOf(name: string, value: FitValue | undefined): object | undefined {
  const type = fitTables().types.get(name)
  const reading = type && readType(type, { values: [value] })
  if (type === undefined || reading === undefined || 'reason' in reading) return undefined
  const { valueQuantity, component = [] } = reading.element as { valueQuantity?: object; component?: readonly object[] }
  return valueQuantity === undefined ? component[0] : { code: type.code, valueQuantity }
}

/** 32-bit floats are printed as 64-bit ones. */
function fitValueOf(value: unknown): FitValue | undefined {
  if (typeof value !== 'number' && typeof value !== 'string') return undefined
  const isFloat = !Number.isInteger(Number(value)) && Math.fround(Number(value)) === Number(value)
  return { kind: 'number', text: String(value), float: isFloat }
}

function noteOf(session: Node) {
  const said = [textOf(session, 'name'), textOf(session, 'description')].filter(text => text !== undefined)
  return said.length === 0 ? {} : { note: said.map(text => ({ text })) }
}
