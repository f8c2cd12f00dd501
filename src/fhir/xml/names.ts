/** Namespace of every element of a resource. @see https://hl7.org/fhir/R4/xml.html */
export const fhirNamespace = 'http://hl7.org/fhir'
/** Namespace of a narrative's `div`, and of all within it. */
export const xhtmlNamespace = 'http://www.w3.org/1999/xhtml'

/** What XML has as attributes of elements that are no resources; everything else is an element. */
export function isAttribute(type: string, name: string, isResource: boolean): boolean {
  return (name === 'id' && !isResource) || (name === 'url' && type === 'Extension')
}
