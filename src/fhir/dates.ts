/** Half open, in Unix milliseconds. */
export interface DateInterval {
  readonly fromMs: number
  /** Exclusive. */
  readonly untilMs: number
}

interface DateParts {
  readonly year: number
  readonly month?: number
  readonly day?: number
  readonly hour?: number
  readonly minute?: number
  readonly second?: number
  /** Digits after the point. */
  readonly fraction?: string
  /** Minutes east of UTC; undefined when the text names no zone. */
  readonly offsetMinutes?: number
}

const grammar =
  /^([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})(?:T([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]+))?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?)?)?$/
const timeGrammar = /^(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?$/

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs
/** The Gregorian calendar repeats after 400 years; adding them keeps Date.UTC from reading year 50 as 1950. */
const cycleYears = 400
const cycleMs = 146_097 * dayMs

/**
 * The interval that a FHIR date, dateTime or instant denotes: `2026-03` is all of March, `…:05.6` is 100 ms. Minutes without
 * seconds and times without zone are read too, since searches have them; without one they are in UTC. What is finer than a
 * millisecond is that millisecond.
 *
 * @returns  undefined when the text is no such date
 * @see      https://hl7.org/fhir/R4/search.html#date
 */
export function parseDateInterval(text: string): DateInterval | undefined {
  const parts = partsOf(text)
  if (parts === undefined) return undefined
  const [fromMs, untilMs] = localInterval(parts)
  const { offsetMinutes } = parts
  const eastMs = (offsetMinutes ?? 0) * minuteMs
  return { fromMs: fromMs - eastMs, untilMs: untilMs - eastMs }
}

/** `2026`, `2026-03` or `2026-03-15`: https://hl7.org/fhir/R4/datatypes.html#date */
export function isDate(text: string): boolean {
  return text.length <= 10 && partsOf(text) !== undefined
}

/** A date, or date and time with seconds and zone: https://hl7.org/fhir/R4/datatypes.html#dateTime */
export function isDateTime(text: string): boolean {
  const parts = partsOf(text)
  return parts !== undefined && (parts.hour === undefined || isComplete(parts))
}

/** Date and time with seconds and zone: https://hl7.org/fhir/R4/datatypes.html#instant */
export function isInstant(text: string): boolean {
  const parts = partsOf(text)
  return parts !== undefined && isComplete(parts)
}

/** `hh:mm:ss[.fraction]`: https://hl7.org/fhir/R4/datatypes.html#time */
export function isTime(text: string): boolean {
  return timeGrammar.test(text)
}

/** `2026-01-02T03:04:05.678Z`. @param ms  Unix milliseconds */
export function toInstant(ms: number): string {
  return new Date(ms).toISOString()
}

function isComplete(parts: DateParts): boolean {
  return parts.second !== undefined && parts.offsetMinutes !== undefined
}

function partsOf(text: string): DateParts | undefined {
  const match = grammar.exec(text)
  if (match === null) return undefined
  const [, year, month, day, hour, minute, second, fraction, zone] = match
  const offsetMinutes = zone === undefined ? undefined : offsetOf(zone)
  const parts = {
    year: Number(year),
    ...(month === undefined ? {} : { month: Number(month) }),
    ...(day === undefined ? {} : { day: Number(day) }),
    ...(hour === undefined ? {} : { hour: Number(hour), minute: Number(minute) }),
    ...(second === undefined ? {} : { second: Number(second) }),
    ...(fraction === undefined ? {} : { fraction }),
    ...(offsetMinutes === undefined ? {} : { offsetMinutes }),
  }
  return isCalendar(parts) ? parts : undefined
}

/** @NOTE a second 60 is allowed by the R4 grammar for leap seconds; it is read as the second after 59. 24:00 is not allowed. */
function isCalendar({
  year,
  month = 1,
  day = 1,
  hour = 0,
  minute = 0,
  second = 0,
  offsetMinutes = 0,
}: DateParts): boolean {
  return (
    year >= 1 &&
    month >= 1 &&
    month <= 12 &&
    day >= 1 &&
    day <= daysIn(year, month) &&
    hour <= 23 &&
    minute <= 59 &&
    second <= 60 &&
    !Number.isNaN(offsetMinutes)
  )
}

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}

/** Minutes east of UTC, at most ±14:00; NaN when there is no such zone. */
function offsetOf(zone: string): number {
  if (zone === 'Z') return 0
  const minutes = Number(zone.slice(4))
  const total = Number(zone.slice(1, 3)) * 60 + minutes
  if (minutes > 59 || total > 14 * 60) return Number.NaN
  return zone.startsWith('-') ? -total : total
}

/** From and until as if the clock on the wall showed UTC. */
function localInterval({ year, month, day, hour, minute = 0, second, fraction }: DateParts): readonly [number, number] {
  if (month === undefined) return [utc(year, 1, 1), utc(year + 1, 1, 1)]
  if (day === undefined) return [utc(year, month, 1), utc(year, month + 1, 1)]
  const start = utc(year, month, day)
  if (hour === undefined) return [start, start + dayMs]
  const time = start + hour * hourMs + minute * minuteMs
  if (second === undefined) return [time, time + minuteMs]
  const whole = time + second * 1000
  if (fraction === undefined) return [whole, whole + 1000]
  const widthMs = 10 ** (3 - Math.min(fraction.length, 3))
  const from = whole + Number(fraction.slice(0, 3)) * widthMs
  return [from, from + widthMs]
}

function utc(year: number, month: number, day: number): number {
  return Date.UTC(year + cycleYears, month - 1, day) - cycleMs
}
