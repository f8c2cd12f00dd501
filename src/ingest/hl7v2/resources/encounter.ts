import { field, isEmpty, value } from '../message.ts'
import { applied, emit, join, type Scene, visitNumber } from '../scene.ts'
import { groupsOf, segmentOf } from '../structure.ts'

const unknownClass = { system: 'http://terminology.hl7.org/CodeSystem/v3-NullFlavor', code: 'UNK' }

/** PV1 and PV2 → Encounter; gives its reference. */
export function mapVisit(scene: Scene): string | undefined {
  const [visit] = groupsOf(scene.patient, 'VISIT')
  const pv1 = segmentOf(visit, 'PV1')
  if (visit === undefined || pv1 === undefined) return undefined
  const number = visitNumber(scene)
  // A result needs no visit of its own; a visit without number and time cannot be told from another.
  if (number === undefined && (scene.row.encounter === undefined || isEmpty(field(pv1, 44)))) return undefined
  const pv2 = segmentOf(visit, 'PV2')
  join(scene, pv2, pv1)
  const encounter = {
    class: unknownClass,
    ...applied(scene, pv1, 'Encounter'),
    ...applied(scene, pv2, 'Encounter'),
    status: isEmpty(field(pv1, 45)) ? (scene.row.encounter ?? 'unknown') : 'finished',
    subject: scene.context.subject,
  }
  // What a result says about the visit in passing must not replace what the admission said.
  const mode = scene.row.encounter === undefined ? 'create' : 'merge'
  return emit(scene, pv1, 'Encounter', [number ?? value(pv1, 44)], encounter, mode)
}
