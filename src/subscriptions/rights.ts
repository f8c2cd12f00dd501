import { type Grant, isNarrower, parseScope, patientsInReach, patientsNamed, permits, requirePermission } from '#access'
import { resourceTypes } from '#fhir'
import { isProblem, Problem } from '#kernel'
import type { Record as PatientRecord } from '#record'
import { parseQuery } from '#search'
import { grantOf, type Made, makerOf } from './state.ts'
import { asksFor, isTold, type Wanted } from './wanted.ts'

/**
 * Whether a grant may be told what is asked for: each type must be its to search and to read, and each patient that a filter names
 * within its reach – the same words whether there is such a patient elsewhere or not.
 *
 * @throws Problem `forbidden` · `scope.missing`, `subscription.patient-foreign`
 */
export async function checkRights(wanted: Wanted, grant: Grant, rooms: Rooms): Promise<void> {
  for (const type of typesAsked(wanted, grant))
    for (const verb of ['s', 'r'] as const) requirePermission(grant, verb, type)
  for (const patient of patientsOf(wanted, rooms.baseUrl))
    if (!(await reaches(grant, patient, rooms))) throw patientForeign()
}

/**
 * What the grant with which something was asked stands for at this moment; undefined when it has ended, or does not reach any more what
 * is asked for.
 */
export async function grantNow(
  made: Made,
  wanted: Wanted,
  rooms: Rooms & { standing(given: Grant): Promise<Grant | undefined> },
): Promise<Grant | undefined> {
  const grant = await rooms.standing(grantOf(made))
  if (grant === undefined) return undefined
  try {
    await checkRights(wanted, grant, rooms)
    return grant
  } catch (error) {
    if (isProblem(error, 'forbidden')) return undefined
    throw error
  }
}

/** What is needed to look. */
interface Rooms {
  readonly record: Pick<PatientRecord, 'keepsPatient'>
  readonly baseUrl: string
}

/** Of all types those that may be told; if there are none, the first one says which scope is missing. */
function typesAsked({ types }: Wanted, grant: Grant): readonly string[] {
  if (types !== 'all') return types
  return resourceTypes.some(type => isTold(type) && mayBeTold(grant, type)) ? [] : ['Patient']
}

/** Whether a grant may be told of a type: found by searching, and read. */
export function mayBeTold(grant: Grant, type: string): boolean {
  return permits(grant, 's', type) && permits(grant, 'r', type)
}

function patientsOf({ filters }: Wanted, baseUrl: string): ReadonlySet<string> {
  const queries = filters.map(({ type, query }) => parseQuery(type, new URLSearchParams(query), { baseUrl }))
  return new Set(queries.flatMap(query => [...patientsNamed(query)]))
}

async function reaches(grant: Grant, patient: string, { record }: Rooms): Promise<boolean> {
  const reached = patientsInReach(grant)
  return reached === 'all' ? record.keepsPatient(patient) : reached.includes(patient)
}

function patientForeign(): Problem {
  return new Problem(
    'forbidden',
    'subscription.patient-foreign',
    'The criteria name a Patient who is not within reach.',
    {
      expression: 'Subscription.criteria',
    },
  )
}

/**
 * Whether whoever asks may see how a Subscription stands: they made it, and may now see all that it may tell; or they reach everybody.
 * Its numbers count what lies within reach of the access that made it, and would tell others of that.
 */
export function maySeeState(grant: Grant, made: Made, wanted: Wanted): boolean {
  if (patientsInReach(grant) === 'all')
    return resourceTypes.every(type => !asksFor(wanted, type) || mayBeTold(grant, type))
  if (!isMaker(grant, made) || grant.patient !== made.patient || grant.account !== made.account) return false
  const own = made.scopes.map(parseScope).filter(term => term !== undefined)
  const telling = own.filter(({ verbs }) => verbs.has('r') || verbs.has('s'))
  return telling.every(term => grant.terms.some(({ text }) => text === term.text) || isNarrower(term, grant.terms))
}

/** Whether it is the same person with the same app, or the same token of the administrator's. */
export function isMaker(grant: Grant, made: Made): boolean {
  return makerOf(grant) === makerOf(made)
}
