import { isDate, isInstant } from '#fhir'
import { toFhirNumber } from '../numbers.ts'
import { type Outcome, rowName } from '../outcome.ts'
import { type CsvRow, readCsvRows } from '../source/csv-rows.ts'
import { activityCategory, activityType, codeOf, conceptOfActivity, durationCode } from './activities.ts'
import { spansBetween } from './coverage.ts'
import type { FitValue } from './data-point.ts'
import { effectiveOf, fitObservation, quantity, readType, rejected } from './map-point.ts'
import type { RowsOf } from './recognise.ts'
import { type Activity, type FitType, fitTables } from './tables.ts'
import type { Takeout, TakeoutFile } from './takeout.ts'

/** A table of daily metrics. */
export interface DailyTable extends TakeoutFile {
  readonly rows: RowsOf
}

const dayMs = 24 * 60 * 60_000

/** A day, or a quarter of an hour. */
interface Time {
  /** Text that tells it from all others. */
  readonly key: string
  readonly startMs: number
  readonly endMs: number
  readonly effective: Readonly<Record<string, unknown>>
}

const rowNames: Readonly<Record<RowsOf, string>> = { days: 'fit.day', quarters: 'fit.quarter' }

/** Headings of what is no figure. */
const timeHeadings: ReadonlySet<string> = new Set(['Date', 'Start time', 'End time'])
const placeHeading = /^(?:Low|High) (?:latitude|longitude) \(deg\)$/
const durationHeading = /^(.{1,60}) duration \(ms\)$/

/**
 * The rows of a table of daily metrics: each type that it has a figure of is an Observation, of the day without a time, or of a quarter of an
 * hour. Of what the points, or the quarters, have told the sum says the same again.
 *
 * @throws Problem as `readCsvRows`
 */
export async function* readDaily(table: DailyTable, takeout: Takeout): AsyncGenerator<Outcome[], void, void> {
  const name = rowNames[table.rows]
  for await (const rows of readCsvRows(table.open(), takeout.limits))
    yield rows.flatMap(row => {
      if (row === undefined) return [rejected(name, 'structure-unknown', name)]
      const time = table.rows === 'days' ? dayOf(row) : quarterOf(row, table.name)
      if (time === undefined) return [rejected(name, 'date-malformed', `${name}.${[...row.keys()].find(isTime) ?? ''}`)]
      return figuresOf(row, time, name, takeout)
    })
}

function isTime(heading: string): boolean {
  return timeHeadings.has(heading)
}

function dayOf(row: CsvRow): Time | undefined {
  const date = row.get('Date') ?? ''
  if (date.length !== 10 || !isDate(date)) return undefined
  const startMs = Date.parse(`${date}T00:00:00Z`)
  return { key: date, startMs, endMs: startMs + dayMs, effective: { effectiveDateTime: date } }
}

/** The name of the file says of which day, its rows at what time there: `2020-02-20.csv`, `00:15:00.000-05:00`. */
function quarterOf(row: CsvRow, file: string): Time | undefined {
  const [date = ''] = /^\d{4}-\d{2}-\d{2}/.exec(file) ?? []
  const [start, end] = ['Start time', 'End time'].map(heading => `${date}T${row.get(heading) ?? ''}`)
  if (start === undefined || end === undefined || !isInstant(start) || !isInstant(end)) return undefined
  const startMs = Date.parse(start)
  // The last one of a day ends with it.
  const endMs = Date.parse(end) > startMs ? Date.parse(end) : Date.parse(end) + dayMs
  if (endMs - startMs > dayMs) return undefined
  return { key: String(startMs), startMs, endMs, effective: effectiveOf(startMs, endMs) }
}

function figuresOf(row: CsvRow, time: Time, name: string, takeout: Takeout): Outcome[] {
  const values = new Map<FitType, (FitValue | undefined)[]>()
  const outcomes: Outcome[] = []
  const left = new Set<string>()
  for (const [heading, text] of row) {
    if (isTime(heading)) continue
    const { type: typeName, field = 0 } = fitTables().columns.get(heading) ?? {}
    const type = typeName === undefined ? undefined : fitTables().types.get(typeName)
    const [, doing] = durationHeading.exec(heading) ?? []
    if (type !== undefined) fieldsOf(type, values)[field] = { kind: 'number', text, float: false }
    else if (doing !== undefined) outcomes.push(durationOf(doing, text, time, takeout))
    else left.add(placeHeading.test(heading) ? 'location' : headingOf(heading))
  }
  for (const [type, fields] of values) outcomes.push(figureOf(type, fields, time, takeout))
  if (outcomes.length === 0) outcomes.push({ kind: 'unmapped', row: `${name}.empty` })
  return [...takeout.context.sources.take(), ...outcomes, ...[...left].map(heading => unread(`${name}.${heading}`))]
}

function headingOf(heading: string): string {
  return /^[\w ()/%.-]{1,80}$/.test(heading) ? heading : 'unrecognised'
}

function unread(place: string): Outcome {
  return { kind: 'unread', place, location: place }
}

function fieldsOf(type: FitType, values: Map<FitType, (FitValue | undefined)[]>): (FitValue | undefined)[] {
  const fields = values.get(type) ?? []
  values.set(type, fields)
  return fields
}

function figureOf(type: FitType, values: readonly (FitValue | undefined)[], time: Time, takeout: Takeout): Outcome {
  const { name, code, category } = type
  const of = fitTables().summarised.get(name) ?? name
  if (takeout.coverage.hasAny(spansOf([name, of], time))) return { kind: 'folded', row: name }
  const reading = readType(type, { values })
  if ('reason' in reading) return rejected(name, reading.reason, name)
  return told({ name, code, category, spans: spansOf([name], time), element: reading.element }, time, takeout)
}

function spansOf(types: readonly string[], { startMs, endMs }: Time): readonly string[] {
  return [...new Set(types)].flatMap(type => spansBetween(type, startMs, endMs))
}

/** How long somebody did something that day; to sit still is no exercise. */
function durationOf(heading: string, text: string, time: Time, takeout: Takeout): Outcome {
  const activity = fitTables().headed.get(heading.toLowerCase())
  const name = 'com.google.activity.summary'
  if (activity?.kind === 'other') return { kind: 'unmapped', row: `${name}.not-exercise` }
  const types = activity === undefined ? [] : typesOf(activity)
  if (takeout.coverage.hasAny(spansOf(types, time))) return { kind: 'folded', row: name }
  const value = toFhirNumber(text)
  if (value === undefined) return rejected(name, 'value-malformed', rowName(`${name}.duration`))
  const what = activity === undefined ? { text: heading } : conceptOfActivity(activity)
  const element = {
    valueQuantity: quantity(value, 'ms'),
    component: [{ code: codeOf(activity ?? { kind: 'exercise' }), valueCodeableConcept: what }],
  }
  const spans = spansOf(types.slice(0, 1), time)
  return told({ name, code: durationCode, category: activityCategory, spans, element, of: heading }, time, takeout)
}

/** Under which names it may have been told: sleep has a type of its own. */
function typesOf(activity: Activity): readonly string[] {
  return [activityType(activity), ...(activity.kind === 'sleep' ? ['com.google.sleep.segment'] : [])]
}

interface Figure extends Pick<FitType, 'name' | 'code' | 'category'> {
  readonly element: Readonly<Record<string, unknown>>
  readonly spans: readonly string[]
  /** What tells it from others of its type. */
  readonly of?: string
}

/** A later export brings it up to date. */
function told({ name, code, category, element, spans, of = '' }: Figure, time: Time, takeout: Takeout): Outcome {
  for (const span of spans) takeout.told.add(span)
  const { context } = takeout
  const id = context.fingerprint('fit', 'daily', name, of, time.key)
  const facts = { id, code, category, effective: time.effective, origin: 'fit:daily', element }
  return { kind: 'mapped', row: name, mode: 'upsert', resource: fitObservation(facts, context) }
}
