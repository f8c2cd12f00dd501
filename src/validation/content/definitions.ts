import type { Shape } from '#fhir'
import { type Check, isAbsolute } from './check.ts'

/** Whether a shape is of a resource that defines something. @see https://hl7.org/fhir/R4/metadataresource.html */
export function isDefinition({ path, elements }: Shape): boolean {
  return path === '' && elements.has('implicitRules') && elements.get('url')?.type === 'uri' && elements.has('status')
}

/** @see https://hl7.org/fhir/R4/references.html#canonical */
export const checkUrl: Check = ({ node: { url }, at }, tell) => {
  if (typeof url === 'string' && !isAbsolute(url)) tell('definitionRelative', `${at}/url`)
}

/** @see https://hl7.org/fhir/R4/operationdefinition-definitions.html#OperationDefinition.parameter.max */
export const checkParameter: Check = ({ node: { min, max }, at }, tell) => {
  if (typeof min === 'number' && typeof max === 'string' && min > Number(max)) tell('occurrences', `${at}/max`)
}
