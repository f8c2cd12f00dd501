import { applied } from '../applied.ts'
import { nameText } from '../drafts.ts'
import { emit } from '../emit.ts'
import { field, isEmpty, type Segment, value } from '../message.ts'
import type { Elements, Mapper, Scene } from '../scene.ts'
import { reject } from '../telling.ts'
import { mapNotes } from './notes.ts'

/** What a related person has to be known by: https://hl7.org/fhir/R4/relatedperson.html wants none of it, a reader does. */
const knownBy = ['name', 'identifier', 'telecom', 'address', 'relationship']

/** NK1 → RelatedPerson; an employer or an agency is a contact of the Patient instead, see patient.ts. */
export const mapRelatedPerson: Mapper = (scene, group) => {
  const [nk1] = group.segments
  if (nk1 === undefined) return
  const person = isOrganization(nk1)
    ? undefined
    : emitPerson(scene, nk1, applied(scene, nk1, 'RelatedPerson'), [value(nk1, 3)], 'NK1-2')
  return mapNotes(scene, group, nk1, person)
}

/** GT1 → RelatedPerson, who pays */
export const mapGuarantor: Mapper = (scene, group) => {
  const [gt1] = group.segments
  if (gt1 === undefined) return
  const { relationship, ...elements } = applied(scene, gt1, 'RelatedPerson')
  const roles = [...((relationship as readonly unknown[] | undefined) ?? []), guarantor]
  return mapNotes(scene, group, gt1, emitPerson(scene, gt1, { ...elements, relationship: roles }, ['GT1'], 'GT1-3'))
}

const guarantor = {
  coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-RoleClass', code: 'GUAR', display: 'guarantor' }],
}

function emitPerson(
  scene: Scene,
  segment: Segment,
  elements: Elements,
  key: readonly string[],
  place: string,
): string | undefined {
  if (knownBy.every(name => elements[name] === undefined)) {
    reject(scene, segment, place)
    return undefined
  }
  const person = elements.name === undefined ? JSON.stringify(elements) : JSON.stringify(elements.name)
  return emit(scene, segment, 'RelatedPerson', [person, ...key], { ...elements, patient: scene.context.subject })
}

/** Table 0131 in NK1-7, or NK1-3: employer, federal and state agency, insurance company. Or an organization without a person. */
export function isOrganization(nk1: Segment): boolean {
  if (isEmpty(field(nk1, 13))) return false
  const isRole = ['EMR', 'E', 'F', 'I', 'S'].some(role => role === value(nk1, 3) || role === value(nk1, 7))
  return isRole || nameText({ family: value(nk1, 2), given: value(nk1, 2, 2) }) === undefined
}
