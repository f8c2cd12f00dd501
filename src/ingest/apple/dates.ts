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

const formats = new Map<string, Intl.DateTimeFormat | null>()

function formatOf(zone: string): Intl.DateTimeFormat | null {
  let format = formats.get(zone)
  if (format === undefined) {
    format = openFormat(zone)
    // A file may name any number of zones; the machine knows some hundred.
    if (formats.size < 1000) formats.set(zone, format)
  }
  return format
}

function openFormat(zone: string): Intl.DateTimeFormat | null {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' })
  } catch (error) {
    if (error instanceof RangeError) return null // a zone this machine does not know
    throw error
  }
}

function inZone(instant: AppleInstant, zone: string): AppleInstant {
  const name = formatOf(zone)
    ?.formatToParts(instant.ms)
    .find(part => part.type === 'timeZoneName')?.value
  const m = name === undefined ? null : /^GMT(?:([+-])(\d{2}):(\d{2}))?/.exec(name)
  if (m === null) return instant
  const offset = (Number(m[2] ?? 0) * 60 + Number(m[3] ?? 0)) * (m[1] === '-' ? -1 : 1)
  const local = new Date(instant.ms + offset * minuteMs).toISOString().slice(0, 19)
  return { text: `${local}${m[1] ?? '+'}${m[2] ?? '00'}:${m[3] ?? '00'}`, ms: instant.ms }
}
