import { compact, type Node } from '../hl7v2/drafts.ts'
import { type Around, numberOf, periodOf, spanOf } from './data-types.ts'
import type { CdaElement } from './element.ts'
import { inSet } from './tables.ts'

/** The effectiveTimes of a medication: from when to when, and how often. */
export interface Course {
  /** The bounds: `{ start, end }`, or a single time. */
  readonly bounds?: Node
  readonly at?: string
  /** Timing.repeat and code. */
  readonly timing?: Node
}

const recurring: ReadonlySet<string> = new Set(['PIVL_TS', 'EIVL_TS', 'PIVL', 'EIVL', 'SXPR_TS'])

/**
 * GTS in the parts that documents write: an interval for the whole, and a period or an event for how often.
 *
 * @see https://hl7.org/fhir/us/ccda/CF-medications.html
 */
export function courseOf(times: readonly CdaElement[], around: Around): Course {
  let course: Course = {}
  for (const time of times) {
    if (isRecurring(time)) course = withRepeat(course, repeatOf(time, around))
    else if (course.bounds === undefined && course.at === undefined) course = { ...course, ...boundsOf(time, around) }
  }
  return course
}

function isRecurring(time: CdaElement): boolean {
  const type = time.attribute('xsi:type') ?? ''
  return recurring.has(type) || time.find('period') !== undefined || time.find('event') !== undefined
}

function boundsOf(time: CdaElement, around: Around): Course {
  const { at } = spanOf(time, around)
  if (at !== undefined) return { at }
  const bounds = periodOf(time, around)
  return bounds === undefined ? {} : { bounds }
}

function withRepeat(course: Course, repeat: Node | undefined): Course {
  if (repeat === undefined) return course
  return course.timing === undefined
    ? { ...course, timing: repeat }
    : { ...course, timing: { ...repeat, ...course.timing } }
}

function repeatOf(time: CdaElement, around: Around): Node | undefined {
  const parts = time.all('comp').flatMap(part => repeatOf(part, around) ?? [])
  if (parts.length > 0) return Object.assign({}, ...parts) as Node
  return periodic(time, around) ?? eventOf(time)
}

/** PIVL: `<period value="6" unit="h"/>` is once every six hours; a range is from one to the other. */
function periodic(time: CdaElement, around: Around): Node | undefined {
  const period = time.find('period')
  if (period === undefined) return undefined
  const [low, high] = [period.find('low'), period.find('high')]
  const main = low ?? period
  const value = numberOf(main.attribute('value'))
  const unit = inSet('timing-unit', main.attribute('unit'))?.code
  if (value === undefined || unit === undefined) return undefined
  main.use()
  const most = numberOf(high?.attribute('value'))
  if (most !== undefined && inSet('timing-unit', high?.attribute('unit'))?.code === unit) high?.use()
  const time24 = timeOfDay(time, around)
  return compact({
    frequency: 1,
    period: value,
    periodUnit: unit,
    periodMax: high?.isUsed === true ? most : undefined,
    timeOfDay: time24 === undefined ? [] : [time24],
  })
}

/** The phase of a period of a day says at what time of the day. */
function timeOfDay(time: CdaElement, around: Around): string | undefined {
  const phase = time.find('phase')
  const start = phase && (spanOf(phase, around).at ?? spanOf(phase, around).start)
  return start?.includes('T') === true ? start.slice(11, 19) : undefined
}

/** EIVL: before a meal, at bedtime. */
function eventOf(time: CdaElement): Node | undefined {
  const event = time.find('event')
  const code = inSet('timing-event', event?.attribute('code'))?.code
  if (event === undefined || code === undefined) return undefined
  event.use()
  const offset = time.find('offset.low') ?? time.find('offset')
  const [value, unit] = [Number(offset?.attribute('value')), offset?.attribute('unit')]
  const minutes = Math.abs(value) * (unit === 'h' ? 60 : 1)
  const isOffset = offset !== undefined && Number.isInteger(minutes) && minutes > 0 && (unit === 'h' || unit === 'min')
  // tim-9: an offset needs an event that is none of the meals themselves.
  if (!isOffset || /^C[DMV]?$/.test(code)) return { when: [code] }
  offset.use()
  return { when: [code], offset: minutes }
}

/** Timing with its bounds. */
export function timingOf({ bounds, at, timing }: Course): Node | undefined {
  const repeat = compact({ boundsPeriod: bounds, ...timing })
  return compact({ event: at === undefined ? [] : [at], repeat })
}
