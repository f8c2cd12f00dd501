/** Who and what there is in a random family, so that the same names serve as data, as bait and as questions. */
import type { Dice } from './dice.ts'

export type Person = 'anna' | 'bruno' | 'clara'
/** Whose a resource is: a person's, or common property. */
export type Owner = Person | 'all'

export const persons: readonly Person[] = ['anna', 'bruno', 'clara']
export const families: Readonly<Record<Person, string>> = { anna: 'Alder', bruno: 'Birch', clara: 'Cedar' }

export const ownTypes = [
  'Observation',
  'Condition',
  'MedicationStatement',
  'DiagnosticReport',
  'Encounter',
  'Provenance',
  'RelatedPerson',
  'AllergyIntolerance',
  'Immunization',
  'Procedure',
  'DocumentReference',
  'CareTeam',
  'List',
  'Device',
  'MedicationRequest',
  'QuestionnaireResponse',
  'Task',
  'Binary',
  'Composition',
] as const

export const sharedTypes = [
  'Practitioner',
  'Organization',
  'PractitionerRole',
  'Location',
  'Medication',
  'Group',
  'Device',
  'Observation',
  'Questionnaire',
  'ValueSet',
] as const

/** Seen by everybody, referred to or not. */
export const published: ReadonlySet<string> = new Set(['Questionnaire', 'ValueSet'])

/** So many resources of a type has a person at most: what comes again is a new version. */
export const slots = 3

export function idOf(owner: Owner, type: string, slot: number): string {
  return `${owner}-${type.toLowerCase()}-${slot}`
}

/** Another's more rarely than one's own. */
export function drawOwner(dice: Dice, own: Owner): Owner {
  return dice.maybe(60) ? own : dice.pick(['anna', 'bruno', 'clara'] as const)
}

/** A reference to something that may or may not exist. */
export function drawReference(dice: Dice, types: readonly string[], own: Owner): string {
  const type = dice.pick(types)
  if (type === 'Patient') return `Patient/${own === 'all' ? dice.pick(persons) : drawOwner(dice, own)}`
  const isShared = (sharedTypes as readonly string[]).includes(type) && !(ownTypes as readonly string[]).includes(type)
  return `${type}/${idOf(isShared ? 'all' : drawOwner(dice, own), type, dice.below(slots))}`
}
