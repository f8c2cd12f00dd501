import { value } from '../message.ts'
import { applied, emit, inEncounter, type Mapper, reject, visitNumber } from '../scene.ts'
import { notesOf } from './notes.ts'

const diagnosis = [
  {
    coding: [{ system: 'http://terminology.hl7.org/CodeSystem/condition-category', code: 'encounter-diagnosis' }],
  },
]

/** DG1 → Condition */
export const mapCondition: Mapper = (scene, group) => {
  const [dg1] = group.segments
  if (dg1 === undefined) return
  const elements = applied(scene, dg1, 'Condition')
  if (elements.code === undefined) return reject(scene, dg1, 'DG1-3')
  const key = [visitNumber(scene) ?? '', value(dg1, 3) || value(dg1, 4), value(dg1, 3, 3), value(dg1, 5)]
  emit(scene, dg1, 'Condition', key, {
    ...elements,
    ...notesOf(scene, group),
    category: diagnosis,
    subject: scene.context.subject,
    ...inEncounter(scene),
  })
}
