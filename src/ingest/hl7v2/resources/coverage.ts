import { combined } from '../drafts.ts'
import { field, isEmpty, type Segment, value } from '../message.ts'
import { applied, type Elements, emit, join, type Mapper, reject, type Scene } from '../scene.ts'
import { type Group, groupsOf, segmentOf } from '../structure.ts'

/** IN1 and IN2 → Coverage */
export const mapCoverage: Mapper = (scene, group) => {
  const [in1, in2] = [segmentOf(group, 'IN1'), segmentOf(group, 'IN2')]
  if (in1 === undefined) return
  const elements = combined(applied(scene, in1, 'Coverage'), applied(scene, in2, 'Coverage'))
  if (in2 !== undefined) join(scene, in2, in1)
  if (elements.payor === undefined) return reject(scene, in1, 'IN1-4')
  const key = [value(in1, 3), value(in1, 4), value(in1, 36), value(in1, 2)]
  emit(scene, in1, 'Coverage', key, {
    status: 'active',
    ...insured(scene, in1, elements),
    beneficiary: scene.context.subject,
  })
}

const own = new Set(['SEL', 'SELF', '18', '01', 'S'])

/** The subscriber is the patient, or a person who is contained. */
function insured(scene: Scene, in1: Segment, elements: Elements): Elements {
  if (own.has(value(in1, 17).toUpperCase())) {
    scene.ledger.keep(in1, 16, 18, 19, 43)
    return { ...elements, subscriber: scene.context.subject }
  }
  return elements
}

const unknownPayor = {
  extension: [{ url: 'http://hl7.org/fhir/StructureDefinition/data-absent-reason', valueCode: 'unknown' }],
}

/** PV1-20 → Coverage, whose payer the sender does not name */
export function mapFinancialClass(scene: Scene, patient: Group): void {
  const pv1 = segmentOf(groupsOf(patient, 'VISIT')[0], 'PV1')
  if (pv1 === undefined || isEmpty(field(pv1, 20))) return
  const elements = applied(scene, pv1, 'Coverage')
  if (elements.type === undefined) return
  emit(scene, pv1, 'Coverage', ['PV1-20', value(pv1, 20), value(pv1, 19)], {
    status: 'active',
    ...elements,
    beneficiary: scene.context.subject,
    payor: [unknownPayor],
  })
}
