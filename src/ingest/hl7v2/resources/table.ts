import type { Mapper } from '../scene.ts'
import { groupsOf } from '../structure.ts'
import { mapAllergy } from './allergy-intolerance.ts'
import { mapCondition } from './condition.ts'
import { mapCoverage } from './coverage.ts'
import { mapOrder } from './diagnostic-report.ts'
import { mapLooseObservation } from './observation.ts'
import { mapRelatedPerson } from './related-person.ts'

/** By group of a patient, in the order in which they are mapped; patient and visit come before all of them. */
export const mappers: Readonly<Record<string, Mapper>> = {
  NEXT_OF_KIN: mapRelatedPerson,
  ALLERGY: mapAllergy,
  DIAGNOSIS: mapCondition,
  INSURANCE: mapCoverage,
  OBSERVATION: mapLooseObservation,
  ORDER: mapOrder,
}

/** Maps the groups of a patient, kind by kind. */
export const mapGroups: Mapper = (scene, patient) => {
  for (const [name, map] of Object.entries(mappers)) for (const group of groupsOf(patient, name)) map(scene, group)
}
