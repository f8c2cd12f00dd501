const pattern = /^(\d{4})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:\.(\d{1,9}))?)?)?)?)?)?([+-]\d{4})?$/

/**
 * `YYYY[MM[DD[HH[MM[SS[.S]]]]]][+ZZZZ]` as a FHIR dateTime of the same precision; an hour alone is taken to the minute.
 *
 * @param zone  offset for times that carry none, `+01:00` or `Z`
 * @returns     undefined for what is no date, and for `00000000`, which senders write for "not known"
 */
export function toDateTime(text: string, zone: string): string | undefined {
  const m = pattern.exec(text.trim())
  if (m === null) return undefined
  const [, year = '', month, day, hour, minute = '00', second = '00', fraction, offset] = m
  if (Number(year) === 0 || !isReal(year, month, day, hour, minute, second)) return undefined
  if (month === undefined) return year
  if (day === undefined) return `${year}-${month}`
  if (hour === undefined) return `${year}-${month}-${day}`
  const at = offset === undefined ? zone : `${offset.slice(0, 3)}:${offset.slice(3)}`
  return `${year}-${month}-${day}T${hour}:${minute}:${second}${fraction === undefined ? '' : `.${fraction}`}${at}`
}

function isReal(year: string, month = '01', day = '01', hour = '00', minute: string, second: string): boolean {
  const date = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)))
  const sameDay = date.getUTCMonth() + 1 === Number(month) && date.getUTCDate() === Number(day)
  return sameDay && Number(hour) < 24 && Number(minute) < 60 && Number(second) < 60
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

/** The offset of a message's own time, for those of its times that have none; UTC when it has none itself. */
export function zoneOfMessage(sentAt: string): string {
  const m = /([+-]\d{2})(\d{2})$/.exec(sentAt)
  return m === null ? 'Z' : `${m[1]}:${m[2]}`
}
