import { type Grant, permits, termsOf } from '#access'
import { ownerForeign } from '#record'

/**
 * Refuses who keeps a patient in a role that adds nothing, before anything is looked for: a report would tell them what of that which
 * they send is here already.
 *
 * @throws Problem `forbidden` · `record.owner-foreign`
 */
export function checkMayAdd(grant: Grant, patient: string): void {
  const { within, ...whole } = grant
  if (within?.has(patient) !== true) return
  if (!permits({ ...whole, terms: termsOf(grant, patient) }, 'c', 'Provenance')) throw ownerForeign()
}
