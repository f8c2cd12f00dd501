import { toDateTime } from '../hl7v2/times.ts'
import type { Clock } from './tables.ts'

/** A time as FHIR prints it, to the second or to the day, with the milliseconds that order it. */
export interface Moment {
  readonly ms: number
  readonly text: string
  /** The zone is not known, so only the day was kept. */
  readonly zoneless: boolean
}

const iso = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?$/
const american = /^(\d{2})\/(\d{2})\/(\d{2})(?: (\d{2}):(\d{2}):(\d{2}))?$/

/**
 * A time of Fitbit: ISO 8601, or month, day and year of two digits.
 *
 * @param clock  what a time without an offset means
 * @param zone   IANA zone of the profile
 */
export function momentOf(text: string | undefined, clock: Clock, zone: string | undefined): Moment | undefined {
  const parts = partsOf((text ?? '').trim())
  if (parts === undefined) return undefined
  const { date, time, fraction, offset } = parts
  const isDay = clock === 'day' || time === undefined
  const where = offset ?? (clock === 'utc' ? 'Z' : zone)
  if (isDay || where === undefined) return moment(toDateTime(date, 'Z'), !isDay)
  return moment(toDateTime(`${date}${time}${fraction}`, where), false)
}

function moment(text: string | undefined, zoneless: boolean): Moment | undefined {
  return text === undefined ? undefined : { ms: Date.parse(text), text, zoneless }
}

/** Digits as HL7 writes times, `20240110` and `073000`, which `toDateTime` reads. */
function partsOf(text: string) {
  const [, year, month, day, hour, minute, second = '00', fraction = '', zone] = iso.exec(text) ?? []
  if (year !== undefined) {
    const time = hour === undefined ? undefined : `${hour}${minute}${second}`
    const offset = zone === undefined || zone === 'Z' ? zone : `${zone.slice(0, 3)}:${zone.slice(-2)}`
    return { date: `${year}${month}${day}`, time, fraction: /[1-9]/.test(fraction) ? fraction : '', offset }
  }
  const [, mm, dd, yy, hh, min, ss] = american.exec(text) ?? []
  if (mm === undefined) return undefined
  return {
    date: `20${yy}${mm}${dd}`,
    time: hh === undefined ? undefined : `${hh}${min}${ss}`,
    fraction: '',
    offset: undefined,
  }
}
