/** Elements of other versions of FHIR that change the meaning of what they are in, and that R4 has not: by the pages of DSTU2, STU3 and R5. */
const modifying: ReadonlySet<string> = new Set([
  '1.0 Composition.confidentiality',
  '1.0 Immunization.wasNotGiven',
  '1.0 MedicationAdministration.wasNotGiven',
  '1.0 MedicationStatement.wasNotTaken',
  '1.0 Patient.animal',
  '1.0 Procedure.notPerformed',
  '3.0 Communication.notDone',
  '3.0 FamilyMemberHistory.notDone',
  '3.0 Immunization.notGiven',
  '3.0 MedicationAdministration.notGiven',
  '3.0 MedicationDispense.notDone',
  '3.0 MedicationStatement.taken',
  '3.0 Patient.animal',
  '3.0 Procedure.notDone',
  '3.0 ProcedureRequest.doNotPerform',
  '5.0 DeviceRequest.doNotPerform',
  '5.0 Task.doNotPerform',
])

const form = /^http:\/\/hl7\.org\/fhir\/(\d\.\d)\/StructureDefinition\/extension-(\w+\.\w+)$/

/** Whether an extension stands for an element of another version that modifies. @see https://hl7.org/fhir/R4/versions.html#extensions */
export function isOtherModifier(url: string): boolean {
  const [, version, element] = form.exec(url) ?? []
  return element !== undefined && modifying.has(`${version} ${element}`)
}
