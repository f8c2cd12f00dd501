import type { Resource } from '#fhir'
import type { Left, Namesakes } from '../../outcome.ts'
import { isLate, stampOf } from '../said-at.ts'

/** What was an error has no clinical status: https://hl7.org/fhir/R4/condition.html con-5, allergyintolerance.html ait-2. */
export function deletion(_: Resource, { clinicalStatus, ...deleted }: Resource): Resource {
  return deleted
}

/** What is told again after it was deleted is no error any more. */
export function addition(stored: Resource, told: Resource): Resource {
  const { verificationStatus, ...rest } = told
  const isOld = JSON.stringify(verificationStatus) === JSON.stringify(stored.verificationStatus)
  return isOld && hasCode(verificationStatus, 'entered-in-error') ? rest : told
}

/** Whether a concept has a code. */
export function hasCode(concept: unknown, code: string): boolean {
  const { coding = [] } = (concept ?? {}) as { coding?: readonly { readonly code?: string }[] }
  return coding.some(one => one.code === code)
}

/**
 * A diagnosis or procedure without a number is known by its code and its day, and the message that takes it back (`D`) may say another
 * day, or none: it is the one of its visit that has its code. What was told before and comes late is what was taken back since.
 *
 * @param place    DG1-21 or PR1-20, with its place as ERR-2 has it
 */
export function unnumbered(isDeletion: boolean, { place, location }: { place: string; location: string }): Namesakes {
  if (!isDeletion)
    return {
      isLikely: (visit, anew, beside) => [visit, ...beside].some(one => one !== undefined && isLate(one, anew)),
      isIt: (other, anew) => isLate(other, anew) && isWithdrawn(other) && haveOneCode(other, anew),
    }
  const said = (text: string): Left => ({ text: `${place} (D): ${text}`, location })
  return {
    isLikely: () => true,
    isIt: (other, anew) => stampOf(other, 'said') !== undefined && !isWithdrawn(other) && haveOneCode(other, anew),
    several: said('several of this visit have the code, and none the day; none of them was taken back.'),
    none: said('nothing that it takes back is known.'),
  }
}

/** Of what has a name of its own: where nothing has it, a deletion deletes nothing, and the sender is told. */
export function deletedByName(place: string, location: string): Namesakes {
  return {
    isLikely: () => true,
    isIt: () => false,
    none: { text: `${place}: nothing that it takes back is known.`, location },
  }
}

/** Whether it was taken back. */
export function isWithdrawn({ status, verificationStatus }: Resource): boolean {
  return status === 'entered-in-error' || hasCode(verificationStatus, 'entered-in-error')
}

interface Coding {
  readonly system?: string
  readonly code?: string
}

function haveOneCode(one: Resource, other: Resource): boolean {
  const [codings, others] = [codingsOf(one), codingsOf(other)]
  return codings.some(({ system, code }) => others.some(it => it.system === system && it.code === code))
}

function codingsOf({ code }: Resource): readonly Coding[] {
  const { coding = [] } = (code ?? {}) as { coding?: readonly Coding[] }
  return coding.filter(one => one.code !== undefined)
}
