import { value } from '../message.ts'
import { applied, emit, type Mapper, reject } from '../scene.ts'
import { notesOf } from './notes.ts'

const activeAllergy = {
  coding: [{ system: 'http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical', code: 'active' }],
}

/** AL1 → AllergyIntolerance */
export const mapAllergy: Mapper = (scene, group) => {
  const [al1] = group.segments
  if (al1 === undefined) return
  const elements = applied(scene, al1, 'AllergyIntolerance')
  if (elements.code === undefined) return reject(scene, al1, 'AL1-3')
  emit(scene, al1, 'AllergyIntolerance', [value(al1, 3), value(al1, 3, 2), value(al1, 3, 3)], {
    ...elements,
    ...notesOf(scene, group),
    clinicalStatus: activeAllergy,
    patient: scene.context.subject,
  })
}
