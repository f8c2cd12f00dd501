import { categoriesIn, type Keeping, type Role } from '#access'
import { isDate } from '#fhir'
import { Problem } from '#kernel'
import { single } from '../form.ts'

/** The roles that somebody can be invited to. */
export const invitedRoles = ['guardian', 'member', 'viewer'] as const satisfies readonly Role[]

/** The days for which somebody can say no, as they may be chosen. */
export const waitDays = [1, 2, 7, 14, 30] as const

const dayMs = 24 * 60 * 60_000

function refusal(): Problem {
  const text =
    'Please choose what they may do; of who only looks, at least one kind of data; and if it is to end, a day that has not passed.'
  return new Problem('unprocessable', 'smart.role-invalid', text)
}

/** The end of a day, in UTC, Unix milliseconds. */
function endOf(day: string, nowMs: number): number {
  const untilMs = day.length === 10 && isDate(day) ? Date.parse(day) + dayMs : Number.NaN
  if (!(untilMs > nowMs)) throw refusal()
  return untilMs
}

/** What a form says that the giver of a person keeps: a role, likewise, or nothing. @throws as `readKeeping` */
export function readKept(form: URLSearchParams, nowMs: number): Keeping | undefined {
  return single(form, 'role') === 'nothing' ? undefined : readKeeping(form, nowMs)
}

/**
 * What a form says of an emergency: a role as below, which ends by itself, and `wait`, days for which somebody can say no.
 *
 * @throws as `readKeeping`
 */
export function readEmergency(form: URLSearchParams): { readonly as: Keeping; readonly waitMs: number } {
  const days = waitDays.find(each => String(each) === single(form, 'wait'))
  if (days === undefined || single(form, 'until') !== undefined) throw refusal()
  return { as: readRole(form), waitMs: days * dayMs }
}

/**
 * What a form says as what somebody is to keep a person: `role`, of a viewer each `category`, and `until` (a day, which is the last one),
 * or nothing for good.
 *
 * @throws Problem `unprocessable` · `smart.role-invalid`
 */
export function readKeeping(form: URLSearchParams, nowMs: number): Keeping {
  const until = single(form, 'until')
  return { ...readRole(form), ...(until === undefined ? {} : { untilMs: endOf(until, nowMs) }) }
}

function readRole(form: URLSearchParams): Keeping {
  const role = invitedRoles.find(each => each === single(form, 'role'))
  if (role === undefined) throw refusal()
  const categories = role === 'viewer' ? categoriesIn(form.getAll('category')) : undefined
  if (categories?.length === 0) throw refusal()
  return { role, ...(categories === undefined ? {} : { categories }) }
}
