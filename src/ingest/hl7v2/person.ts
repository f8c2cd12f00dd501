import { claimsOf, type PersonClaims } from '../identity/claims.ts'
import type { IdentityElement } from '../identity/judge.ts'
import type { Read } from './map-message.ts'
import { patientElements } from './resources/patient.ts'
import { type Group, segmentOf } from './structure.ts'

/** Whom a patient's group of a message describes. */
export function personOf({ message, sending }: Pick<Read, 'message' | 'sending'>, group: Group): PersonClaims {
  return claimsOf(patientElements(group, { message, zone: sending.zone }).elements)
}

const fields: Readonly<Record<IdentityElement, number>> = {
  identifier: 3,
  name: 5,
  birthDate: 7,
  gender: 8,
  multipleBirth: 25,
}

/** Where a group says what an element says, e.g. `PID[2]-7`; the first segment of its kind has no number. */
export function placesOf(elements: readonly IdentityElement[], group: Group): readonly string[] {
  const nth = segmentOf(group, 'PID')?.nth ?? 1
  return elements.map(element => `PID${nth === 1 ? '' : `[${nth}]`}-${fields[element]}`)
}
