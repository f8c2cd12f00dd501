import { type Grant, patientsInReach } from '#access'
import { parseDateInterval, parseStored } from '#fhir'
import type { GrantedRequest, Rooms } from '../types.ts'
import { localPatient } from './asked.ts'

interface Member {
  readonly entity?: { readonly reference?: string }
  readonly inactive?: boolean
  readonly period?: { readonly end?: string }
}

/**
 * The patients of a Group who are members of it at this moment and whom the grant reaches; all others are not there for it.
 *
 * @throws Problem as a read of the Group
 */
export async function membersOf(
  id: string,
  { grant, baseUrl }: GrantedRequest,
  rooms: Rooms,
): Promise<readonly string[]> {
  const { record, clock } = rooms
  const { json } = await record.reader(grant).read('Group', id)
  const { member = [] } = (await parseStored(json)) as { readonly member?: readonly Member[] }
  const present = member.filter(({ inactive, period }) => inactive !== true && isNotOver(period, clock.nowMs()))
  const named = present.map(({ entity }) => localPatient(entity?.reference ?? '', baseUrl))
  return within(
    grant,
    named.filter(patient => patient !== undefined),
    rooms,
  )
}

/** An end of which the time is not told lasts as long as what is: https://hl7.org/fhir/R4/datatypes.html#Period */
function isNotOver(period: Member['period'], nowMs: number): boolean {
  const { untilMs = Number.POSITIVE_INFINITY } = parseDateInterval(period?.end ?? '') ?? {}
  return nowMs < untilMs
}

/** Those of some patients whom a grant reaches. */
export async function within(grant: Grant, patients: readonly string[], { record }: Rooms): Promise<readonly string[]> {
  const reach = patientsInReach(grant)
  const asked = new Set(patients)
  return reach === 'all' ? record.keptAmong(asked) : [...asked].filter(patient => reach.includes(patient))
}
