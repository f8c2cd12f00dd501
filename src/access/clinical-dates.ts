/** When it was for which a resource is clinically relevant. */
import { searchParameter } from '#search'

/** Of the types that are dated by another search parameter than `date`, the one that says when the care was given. */
const datedBy: Readonly<Record<string, string>> = {
  ChargeItem: 'occurrence',
  Communication: 'sent',
  ImagingStudy: 'started',
  Media: 'created',
  MedicationAdministration: 'effective-time',
  MedicationDispense: 'whenhandedover',
  MedicationRequest: 'authoredon',
  MedicationStatement: 'effective',
  NutritionOrder: 'datetime',
  QuestionnaireResponse: 'authored',
  ServiceRequest: 'occurrence',
  Specimen: 'collected',
  VisionPrescription: 'datewritten',
}

/** The search parameter that says when care was given; undefined for a type that has no date of care (the Patient, conditions, coverage …). */
export function dateOfCare(type: string): string | undefined {
  const parameter = datedBy[type] ?? 'date'
  return searchParameter(type, parameter)?.type === 'date' ? parameter : undefined
}
