const minuteMs = 60_000
const [firstMs, lastMs] = [Date.UTC(1900, 0), Date.UTC(2500, 0)]

/** Whether a number may be the Unix milliseconds of something in a person's life. */
export function isLifetimeMs(ms: number): boolean {
  return Number.isInteger(ms) && ms >= firstMs && ms < lastMs
}

/**
 * An instant as FHIR prints it, on the clock of a zone: milliseconds only where there are some.
 *
 * @param offsetMinutes  east of UTC, at most 14 hours
 */
export function zoned(ms: number, offsetMinutes: number): string {
  const local = new Date(ms + offsetMinutes * minuteMs)
    .toISOString()
    .slice(0, 23)
    .replace(/\.000$/, '')
  return `${local}${offsetText(offsetMinutes)}`
}

function offsetText(offsetMinutes: number): string {
  const minutes = Math.abs(offsetMinutes)
  const two = (number: number) => String(number).padStart(2, '0')
  return `${offsetMinutes < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`
}

/** Minutes east of UTC of so many seconds, if FHIR can say it: whole minutes, up to 14 hours. */
export function offsetMinutesOf(seconds: number | undefined): number | undefined {
  if (seconds === undefined || !Number.isInteger(seconds / 60)) return undefined
  return Math.abs(seconds) <= 14 * 3600 ? seconds / 60 : undefined
}
