import { applied } from '../applied.ts'
import { emit } from '../emit.ts'
import { field, part, type Segment, value } from '../message.ts'
import { inEncounter, type Scene } from '../scene.ts'
import { type Group, segmentOf } from '../structure.ts'
import { join } from '../telling.ts'
import { mapLastUpdate } from './provenance.ts'

/** What PID and PD1 say that is no element of Patient: the mother, the living will. */
export function mapPatientFacts(scene: Scene, patient: Group): void {
  const [pid, pd1] = [segmentOf(patient, 'PID'), segmentOf(patient, 'PD1')]
  if (pid !== undefined) {
    mapMother(scene, pid)
    mapLastUpdate(scene, pid)
  }
  if (pd1 !== undefined) mapLivingWill(scene, pd1)
}

const mother = [
  { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-RoleCode', code: 'MTH', display: 'mother' }] },
]

/** PID-21 → RelatedPerson */
function mapMother(scene: Scene, pid: Segment): void {
  const elements = applied(scene, pid, 'RelatedPerson')
  if (elements.identifier === undefined) return
  const [first] = field(pid, 21)
  emit(scene, pid, 'RelatedPerson', ['mother', part(first, 1), part(first, 4)], {
    ...elements,
    patient: scene.context.subject,
    relationship: mother,
  })
}

/** PD1-7 → Observation, LOINC 75320-2 */
function mapLivingWill(scene: Scene, pd1: Segment): void {
  const elements = applied(scene, pd1, 'Observation')
  if (elements.valueCodeableConcept === undefined) return
  join(scene, pd1, pd1)
  emit(scene, pd1, 'Observation', ['living will', scene.context.patient, value(scene.message.msh, 4)], {
    status: 'final',
    code: { coding: [{ system: 'http://loinc.org', code: '75320-2', display: 'Advance directive' }] },
    ...elements,
    subject: scene.context.subject,
    ...inEncounter(scene),
  })
}
