import { dateOfCare } from '#access'
import { Problem } from '#kernel'
import { parseCriterion, type Query } from '#search'

/** The two ends of a range of care, as they were given. */
export interface CareDates {
  readonly start: string | null
  readonly end: string | null
}

const prefixes = [
  ['start', 'ge'],
  ['end', 'le'],
] as const

/**
 * Only what was done for a patient within a range of dates: `start` and `end` of $everything. Types that have no date of care
 * (the Patient, conditions, allergies of no date, coverage …) are not narrowed.
 *
 * @throws Problem `invalid` · `everything.date-malformed`
 * @see https://hl7.org/fhir/R4/patient-operation-everything.html
 */
export function withinCareDates(query: Query, dates: CareDates): Query {
  const given = prefixes.flatMap(([name, prefix]) =>
    dates[name] === null ? [] : [[name, prefix + dates[name]] as const],
  )
  if (given.length === 0) return query
  const criteriaByType = new Map(query.criteriaByType)
  for (const type of query.types) {
    const parameter = dateOfCare(type)
    if (parameter === undefined) continue
    const more = given.map(([name, value]) => careCriterion(type, parameter, { name, value, baseUrl: query.baseUrl }))
    criteriaByType.set(type, [...(criteriaByType.get(type) ?? []), ...more])
  }
  const shown = new URLSearchParams(query.text)
  for (const [name, value] of given) shown.set(name, value.slice(2))
  return { ...query, criteriaByType, text: shown.toString() }
}

function careCriterion(type: string, parameter: string, asked: { name: string; value: string; baseUrl: string }) {
  const { name, value, baseUrl } = asked
  if (/^[a-z]{2}\d{4}(?:-\d{2}(?:-\d{2}(?:T[\d:.]+(?:Z|[+-]\d{2}:\d{2}))?)?)?$/.test(value))
    return parseCriterion(type, parameter, value, baseUrl)
  throw new Problem('invalid', 'everything.date-malformed', `${name} must be a date.`, { expression: name })
}
