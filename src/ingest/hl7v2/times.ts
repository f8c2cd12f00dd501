const pattern = /^(\d{4})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:\.(\d{1,9}))?)?)?)?)?)?([+-]\d{4})?$/

/**
 * `YYYY[MM[DD[HH[MM[SS[.S]]]]]][+ZZZZ]` as a FHIR dateTime of the same precision; an hour alone is taken to the minute.
 * A local time that clocks skip is read as if they had not been set forward yet, one that comes twice as the first.
 *
 * @param zone  for times that carry no offset: an offset, `+01:00` or `Z`, or an IANA zone, `Europe/Berlin`
 * @returns     undefined for what is no date, and for `00000000`, which senders write for "not known"
 */
export function toDateTime(text: string, zone: string): string | undefined {
  const m = pattern.exec(text.trim())
  if (m === null) return undefined
  const [, year = '', month, day, hour, minute = '00', second = '00', fraction, offset] = m
  if (Number(year) === 0 || !isDay(year, month, day)) return undefined
  if (month === undefined) return year
  if (day === undefined) return `${year}-${month}`
  if (hour === undefined) return `${year}-${month}-${day}`
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined
  const local = `${year}-${month}-${day}T${hour}:${minute}:${second}`
  const rest = fraction === undefined ? '' : `.${fraction}`
  if (offset !== undefined) return withOffset(local, rest, `${offset.slice(0, 3)}:${offset.slice(3)}`)
  return isOffset(zone) ? withOffset(local, rest, zone) : inZone(local, rest, zone)
}

function isDay(year: string, month = '01', day = '01'): boolean {
  try {
    Temporal.PlainDate.from({ year: Number(year), month: Number(month), day: Number(day) }, { overflow: 'reject' })
    return true
  } catch {
    return false
  }
}

const offsets = /^(?:Z|[+-](?:0\d|1[0-4]):[0-5]\d)$/

function isOffset(zone: string): boolean {
  return offsets.test(zone)
}

function withOffset(local: string, fraction: string, offset: string): string | undefined {
  return isOffset(offset) ? `${local}${fraction}${offset}` : undefined
}

function inZone(local: string, fraction: string, zone: string): string {
  const zoned = Temporal.PlainDateTime.from(local).toZonedDateTime(zone)
  return `${zoned.toPlainDateTime().toString({ smallestUnit: 'second' })}${fraction}${zoned.offset.slice(0, 6)}`
}

/** A FHIR date: the day of a dateTime, or what there is of one. */
export function toDate(text: string): string | undefined {
  return toDateTime(text, 'Z')?.slice(0, 10)
}

/** A FHIR instant, which needs a time. */
export function toInstantText(text: string, zone: string): string | undefined {
  const dateTime = toDateTime(text, zone)
  return dateTime?.includes('T') ? dateTime : undefined
}

/** `HHMM[SS[.S]]` as a FHIR time. */
export function toTime(text: string): string | undefined {
  const m = /^([01]\d|2[0-3])([0-5]\d)([0-5]\d(?:\.\d+)?)?(?:[+-]\d{4})?$/.exec(text.trim())
  return m === null ? undefined : `${m[1]}:${m[2]}:${m[3] ?? '00'}`
}

/** Whether a FHIR dateTime is earlier than another one, as far as both say: a day is not before a time of that day. */
export function isBefore(one: unknown, other: unknown): boolean {
  if (typeof one !== 'string' || typeof other !== 'string') return false
  if (one.includes('T') && other.includes('T')) return Date.parse(one) < Date.parse(other)
  const length = Math.min(one.length, other.length, 'YYYY-MM-DD'.length)
  return one.slice(0, length) < other.slice(0, length)
}

/** A time so many minutes later, in the same offset. */
export function later(start: string, minutes: number): string {
  const [, offset = 'Z'] = /(Z|[+-]\d{2}:\d{2})$/.exec(start) ?? []
  const shift =
    offset === 'Z' ? 0 : Number(`${offset.slice(0, 1)}1`) * (Number(offset.slice(1, 3)) * 60 + Number(offset.slice(4)))
  const local = new Date(Date.parse(start) + (minutes + shift) * 60_000)
  return local.toISOString().slice(0, 19) + offset
}
