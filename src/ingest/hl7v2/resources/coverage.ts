import { value } from '../message.ts'
import { applied, emit, type Mapper, reject } from '../scene.ts'

/** IN1 → Coverage */
export const mapCoverage: Mapper = (scene, { segments: [in1] }) => {
  if (in1 === undefined) return
  const elements = applied(scene, in1, 'Coverage')
  if (elements.payor === undefined) return reject(scene, in1, 'IN1-4')
  const key = [value(in1, 3), value(in1, 4), value(in1, 36), value(in1, 2)]
  emit(scene, in1, 'Coverage', key, { ...elements, status: 'active', beneficiary: scene.context.subject })
}
