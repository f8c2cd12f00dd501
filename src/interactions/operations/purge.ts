import type { Grant, Term } from '#access'
import { Problem } from '#kernel'
import { granted } from '../perform.ts'
import { allIsWell } from '../rest/stored-response.ts'
import { narrowToPatient } from '../search/compartment.ts'
import type { FhirRequest, FhirResponse, PathParams, Rooms } from '../types.ts'
import { operationParameters } from './parameters.ts'

/** `confirm`: the patient's id once more. */
export const purgeParameters = ['confirm'] as const

/**
 * Erases a patient for good: the key is destroyed, and with it every version, the index, attachments, and what lies in backups
 * of the data. A tombstone stays, so the id is never given to anybody else; so does the audit.
 *
 * @throws Problem `forbidden` · `scope.missing` without the right to delete whatever a patient has; `not-found` ·
 *   `record.unknown` for a patient that is not within reach; `forbidden` · `purge.guarded` for one who is kept by invitation; `invalid` · `purge.unconfirmed` when `confirm` is not the id
 */
export async function purge(request: FhirRequest, params: PathParams, rooms: Rooms): Promise<FhirResponse> {
  const { id: patient = '' } = params
  const { grant } = granted(request)
  checkMayPurge(grant)
  // Once more as far as the grant reaches this one: what deletes may be meant for other patients.
  checkMayPurge(await narrowToPatient(grant, patient, rooms.record))
  if (!(await rooms.record.ownsPatient(grant, patient)))
    throw new Problem(
      'forbidden',
      'purge.guarded',
      'This person is kept by invitation: only who took them in can erase them.',
    )
  const asked = await operationParameters(request, purgeParameters)
  if (asked.getAll('confirm').join() !== patient)
    throw new Problem(
      'invalid',
      'purge.unconfirmed',
      'Erasing needs the parameter confirm, with the id of the patient.',
      {
        expression: 'confirm',
      },
    )
  const erasure = await rooms.purge(patient, grant.actor)
  return { status: 200, headers: {}, body: allIsWell(texts[erasure]) }
}

const erased = 'Erased. Nothing of this patient can be read any more.'
const texts = {
  whole: erased,
  owed: `${erased} What its key had sealed cannot be removed at the moment, and goes as soon as it can.`,
} as const

/**
 * A token of one patient is made for an app, and an app must not be able to end a record; nor must a scope that is limited to
 * some types, or to some values of them.
 */
function checkMayPurge({ terms }: Grant): void {
  if (terms.some(coversAll)) return
  throw new Problem('forbidden', 'scope.missing', 'This needs the scope user/*.d or system/*.d.')
}

const coversAll = ({ level, type, verbs, params }: Term): boolean =>
  level !== 'patient' && type === '*' && verbs.has('d') && params.length === 0
