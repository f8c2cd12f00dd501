/** What the patients of the model have. */
import type { Resource } from '#fhir'
import type { Dice } from '../../../journeys/non-interference/dice.ts'

export const families = ['Amsel', 'Drossel', 'Kauz']
export const codes = ['pulse', 'weight']

export const newPatient = (dice: Dice): Resource => ({
  resourceType: 'Patient',
  name: [{ family: dice.pick(families) }],
})

/** @param number  by which it is known, if by any */
export function newObservation(dice: Dice, patient: string, number?: number): Resource {
  return {
    resourceType: 'Observation',
    ...(number === undefined ? {} : { identifier: [{ system: 'urn:number', value: String(number) }] }),
    status: 'final',
    code: { coding: [{ system: 'urn:code', code: dice.pick(codes) }] },
    subject: { reference: `Patient/${patient}` },
    valueQuantity: { value: dice.below(100), system: 'http://unitsofmeasure.org', code: '1' },
  }
}

export const newAppointment = (patients: readonly string[]): Resource => ({
  resourceType: 'Appointment',
  status: 'booked',
  participant: patients.map(id => ({ actor: { reference: `Patient/${id}` }, status: 'accepted' })),
})

export const newPractitioner = (dice: Dice): Resource => ({
  resourceType: 'Practitioner',
  name: [{ family: dice.pick(families) }],
})

/** So many values that three of them fill a segment. */
export const longList = (patient: string, number: number): Resource => ({
  resourceType: 'List',
  status: 'current',
  mode: 'working',
  title: `list ${number}`,
  subject: { reference: `Patient/${patient}` },
  entry: Array.from({ length: 22_000 }, (_, at) => ({ item: { reference: `Device/d${at}` } })),
})

export const amountOf = (resource: Resource): number =>
  (resource as { valueQuantity?: { value?: number } }).valueQuantity?.value ?? 0
