/** An instant of the export: what FHIR prints, and Unix milliseconds. */
export interface AppleInstant {
  readonly text: string
  readonly ms: number
}

const pattern = /^(\d{4})-(\d{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) ([+-])(\d{2})(\d{2})$/
const minuteMs = 60_000

let lastText = ''
let last: AppleInstant | undefined

/**
 * `2016-04-15 07:27:26 +0100` as an instant. The offset is the phone's at the time of the export, not of the
 * measurement: the instant is right, the local clock may not be.
 *
 * @param zone  IANA zone of the measurement (HKTimeZone), when the record tells it; the local clock is then that zone's
 */
export function parseAppleDate(text: string | undefined, zone?: string): AppleInstant | undefined {
  if (text === undefined) return undefined
  // @NOTE start and end of a sample are often the same text; parsing it twice would be a tenth of the import.
  if (text !== lastText) {
    lastText = text
    last = parse(text)
  }
  return zone === undefined || last === undefined ? last : inZone(last, zone)
}

function parse(text: string): AppleInstant | undefined {
  const m = pattern.exec(text)
  if (m === null) return undefined
  const [, year, month, day, hour, minute, second, sign, offsetHour, offsetMinute] = m
  const local = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second))
  // Date.UTC rolls 31 February over into March; such a date is a mistake, not March.
  const rolled = new Date(local)
  if (rolled.getUTCDate() !== Number(day) || rolled.getUTCMonth() + 1 !== Number(month)) return undefined
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59 || Number(offsetHour) > 14) return undefined
  const offset = (Number(offsetHour) * 60 + Number(offsetMinute)) * (sign === '-' ? -1 : 1)
  return {
    text: `${text.slice(0, 10)}T${text.slice(11, 19)}${sign}${offsetHour}:${offsetMinute}`,
    ms: local - offset * minuteMs,
  }
}

function inZone(instant: AppleInstant, zone: string): AppleInstant {
  try {
    const text = Temporal.Instant.fromEpochMilliseconds(instant.ms).toString({ timeZone: zone, smallestUnit: 'second' })
    return { text, ms: instant.ms }
  } catch {
    // Every instant that was read has a text; what has none is a zone that this machine does not know.
    return instant
  }
}
