import { value } from '../message.ts'
import { applied, emit, type Mapper, reject } from '../scene.ts'

/** NK1 → RelatedPerson */
export const mapRelatedPerson: Mapper = (scene, { segments: [nk1] }) => {
  if (nk1 === undefined) return
  const elements = applied(scene, nk1, 'RelatedPerson')
  if (elements.name === undefined) return reject(scene, nk1, 'NK1-2')
  const key = [JSON.stringify(elements.name), value(nk1, 3)]
  emit(scene, nk1, 'RelatedPerson', key, { ...elements, patient: scene.context.subject })
}
