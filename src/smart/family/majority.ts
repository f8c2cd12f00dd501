/** Years after which a person is of age, nearly everywhere. */
const yearsOfMinority = 18
/** So long before and after it is said. */
const yearMs = 365 * 24 * 60 * 60_000

/**
 * The day on which somebody comes of age, within a year of it.
 *
 * @param birthDate  a FHIR date; of one that is no whole day it is not known
 * @returns          `YYYY-MM-DD`; who is born on a 29 February comes of age on the 1 March of a year without one
 */
export function comingOfAge(birthDate: string | undefined, nowMs: number): string | undefined {
  const [year, month, day] =
    /^(\d{4})-(\d\d)-(\d\d)$/
      .exec(birthDate ?? '')
      ?.slice(1)
      .map(Number) ?? []
  if (year === undefined || month === undefined || day === undefined) return undefined
  const ofAgeMs = Date.UTC(year + yearsOfMinority, month - 1, day)
  return Math.abs(ofAgeMs - nowMs) < yearMs ? new Date(ofAgeMs).toISOString().slice(0, 10) : undefined
}
