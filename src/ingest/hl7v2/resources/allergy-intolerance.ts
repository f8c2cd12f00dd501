import { applied } from '../applied.ts'
import { combined } from '../drafts.ts'
import { emit } from '../emit.ts'
import { type Segment, value } from '../message.ts'
import type { Mapper } from '../scene.ts'
import { reject } from '../telling.ts'
import { addition, deletion } from './action.ts'
import { notesOf } from './notes.ts'

const activeAllergy = {
  coding: [{ system: 'http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical', code: 'active' }],
}

/** AL1, IAM → AllergyIntolerance */
export const mapAllergy: Mapper = (scene, group) => {
  const [segment] = group.segments
  if (segment === undefined) return
  const elements = applied(scene, segment, 'AllergyIntolerance')
  if (elements.code === undefined) return reject(scene, segment, `${segment.name}-3`)
  const deleted = segment.name === 'IAM' && value(segment, 6) === 'D'
  if (segment.name === 'IAM') scene.ledger.keep(segment, 6)
  const said = {
    ...combined(elements, notesOf(scene, group)),
    ...(deleted ? { verificationStatus: enteredInError } : { clinicalStatus: activeAllergy }),
    patient: scene.context.subject,
  }
  // IAM names what it changes by its action code; AL1 is sent as a whole: HL7 v2.5.1, 3.4.6 and 3.4.7.
  const meeting =
    segment.name === 'IAM' ? { updates: [segment], over: deleted ? deletion : addition, isDeletion: deleted } : {}
  emit(scene, segment, 'AllergyIntolerance', keyOf(segment), said, meeting)
}

/** https://hl7.org/fhir/R4/allergyintolerance.html ait-2: what was an error has no clinical status. */
const enteredInError = {
  coding: [
    { system: 'http://terminology.hl7.org/CodeSystem/allergyintolerance-verification', code: 'entered-in-error' },
  ],
}

function keyOf(segment: Segment): readonly string[] {
  return [value(segment, 3), value(segment, 3, 2), value(segment, 3, 3)]
}
