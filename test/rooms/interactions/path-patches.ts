/** FHIRPath Patches in short: https://hl7.org/fhir/R4/fhirpatch.html */

/** A part of an operation, with its value under the name that says its type. */
export const part = (name: string, value: object) => ({ name, ...value })
export const operation = (type: string, path: string, ...parts: object[]) => ({
  name: 'operation',
  part: [part('type', { valueCode: type }), part('path', { valueString: path }), ...parts],
})
export const pathPatch = (...parameter: object[]) => ({ resourceType: 'Parameters', parameter })
