import type { Steps } from '../../turns.ts'
import type { Mapper, Scene } from '../scene.ts'
import { type Group, groupsOf } from '../structure.ts'
import { mapAllergy } from './allergy-intolerance.ts'
import { mapAppointment } from './appointment.ts'
import { mapCharge } from './charge-item.ts'
import { mapCondition } from './condition.ts'
import { mapCoverage, mapFinancialClass } from './coverage.ts'
import { mapGoal } from './goal.ts'
import { mapAdministration } from './immunization.ts'
import { noteLists } from './listing.ts'
import { mapNotes } from './notes.ts'
import { mapLooseObservation } from './observation.ts'
import { mapOrder, mapSpecimenSet } from './order.ts'
import { mapOwnSegments } from './own-segments.ts'
import { mapCareTeam } from './participants.ts'
import { mapPatientFacts } from './patient-facts.ts'
import { mapProblem } from './problem.ts'
import { mapProcedure } from './procedure.ts'
import { mapGuarantor, mapRelatedPerson } from './related-person.ts'
import { mapDocumentOrder, mapTranscript } from './transcript.ts'

/** By group of a patient, in the order in which they are mapped; patient and visit come before all of them. */
export const mappers: Readonly<Record<string, Mapper>> = {
  NEXT_OF_KIN: mapRelatedPerson,
  ALLERGY: mapAllergy,
  ADVERSE_REACTION: mapAllergy,
  DIAGNOSIS: mapCondition,
  PROCEDURE: mapProcedure,
  GUARANTOR: mapGuarantor,
  INSURANCE: mapCoverage,
  PROBLEM: mapProblem,
  GOAL: (scene, group) => mapGoal(scene, group),
  FINANCIAL: mapCharge,
  OBSERVATION: mapLooseObservation,
  ADMINISTRATION: mapAdministration,
  ORDER: mapOrder,
  OBSERVATION_REQUEST: mapOrder,
  SPECIMEN_SET: mapSpecimenSet,
  DOCUMENT_ORDER: mapDocumentOrder,
  DOCUMENT: mapTranscript,
  APPOINTMENT: mapAppointment,
}

/** Maps the groups of a patient, kind by kind. */
export function* mapGroups(scene: Scene, patient: Group): Steps<void> {
  mapPatientFacts(scene, patient)
  mapFinancialClass(scene, patient)
  mapCareTeam(scene, patient)
  yield* mapNotes(scene, patient)
  for (const visit of groupsOf(patient, 'VISIT')) yield* mapNotes(scene, visit, visit.segments[0], scene.encounter)
  for (const [name, map] of Object.entries(mappers))
    for (const group of groupsOf(patient, name)) {
      yield* map(scene, group) ?? []
      yield
    }
  mapOwnSegments(scene, patient)
  noteLists(scene)
}
