import { isDate, type Resource } from '#fhir'
import { categoryOf } from '../codes.ts'
import type { MapContext, Outcome } from '../outcome.ts'
import { frozen } from '../tables.ts'
import type { AppleElement } from './element.ts'
import { appleTables } from './tables.ts'

const prefix = 'HKCharacteristicTypeIdentifier'
const laboratory = frozen(categoryOf('laboratory'))

/**
 * `Me`: birth date and gender fill what the Patient lacks and never replace what it has – the file has no name, and may
 * be another person's. The blood type becomes an Observation.
 */
export function mapMe(element: AppleElement, context: MapContext): Outcome[] {
  const outcomes: Outcome[] = []
  const birthDate = element.attributes[`${prefix}DateOfBirth`] ?? ''
  const gender = appleTables().genders.get(element.attributes[`${prefix}BiologicalSex`] ?? '')
  const known = { ...(isDate(birthDate) ? { birthDate } : {}), ...(gender === undefined ? {} : { gender }) }
  if (Object.keys(known).length > 0)
    outcomes.push({
      kind: 'amend',
      row: 'Me',
      type: 'Patient',
      id: context.patient,
      change: current => fillAbsent(current, known),
    })
  const bloodType = appleTables().bloodTypes.get(element.attributes[`${prefix}BloodType`] ?? '')
  if (bloodType !== undefined) outcomes.push(bloodTypeObservation(element, bloodType, context))
  return outcomes
}

/** The Patient with the elements it lacked, or undefined when it lacks none of them. */
export function fillAbsent(current: Resource, known: Readonly<Record<string, unknown>>): Resource | undefined {
  const absent = Object.entries(known).filter(([name]) => current[name] === undefined)
  return absent.length === 0 ? undefined : { ...current, ...Object.fromEntries(absent) }
}

function bloodTypeObservation(element: AppleElement, value: object, context: MapContext): Outcome {
  const text = element.attributes[`${prefix}BloodType`] ?? ''
  return {
    kind: 'mapped',
    row: 'Me',
    mode: 'create',
    resource: {
      resourceType: 'Observation',
      id: context.fingerprint('apple', 'BloodType', text),
      meta: { source: context.source },
      status: 'final',
      category: laboratory,
      code: appleTables().bloodTypeCode,
      subject: context.subject,
      valueCodeableConcept: value,
    },
  }
}
