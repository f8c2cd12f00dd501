import { type ElementDefinition, isPrimitiveType, isResourceType, type Shape, shapeOf, shapeOfElement } from '#fhir'

/** A name that may be shown; others could carry somebody's data in place of a name. */
const showable = /^_?[A-Za-z][A-Za-z0-9]{0,63}$/

/** How far a pointer has been followed. */
interface Place {
  readonly text: string
  readonly value: unknown
  readonly shape: Shape | undefined
  /** The element whose list was entered last: its items have its shape. */
  readonly element: ElementDefinition | undefined
}

/**
 * A place in a resource as FHIRPath names it: element names, indexes, and `ofType()` where the name in JSON tells a type, or
 * where a resource lies in another. The public validators print the same.
 *
 * @param pointer  JSON pointer: `/component/1/_valueString` is `Observation.component[1].value.ofType(string)`
 * @see https://hl7.org/fhir/R4/fhirpath.html#simple and https://hl7.org/fhir/R4/operationoutcome-definitions.html#OperationOutcome.issue.expression
 */
export function expressionOf(resource: object, type: string, pointer: string): string {
  const shape = isResourceType(type) ? shapeOf(type) : undefined
  let place: Place = { text: type, value: resource, shape, element: undefined }
  for (const segment of pointer.split('/').slice(1))
    place = /^[0-9]+$/.test(segment) ? itemOf(place, segment) : childOf(place, segment)
  return place.text
}

function itemOf(place: Place, index: string): Place {
  const value = Array.isArray(place.value) ? place.value[Number(index)] : undefined
  return within({ ...place, text: `${place.text}[${index}]`, value })
}

function childOf({ text, value, shape }: Place, segment: string): Place {
  const inner = (value as { readonly [name: string]: unknown } | undefined)?.[segment]
  const name = segment.startsWith('_') ? segment.slice(1) : segment
  const element = definitionOf(shape, segment, name)
  if (element === undefined)
    return { text: showable.test(name) ? `${text}.${segment}` : text, value: inner, shape: undefined, element }
  const shapeOfChild = segment.startsWith('_') ? shapeOf('Element') : shape && shapeOfElement(shape, element)
  const place = { text: `${text}.${stepTo(element, name)}`, value: inner, shape: shapeOfChild, element }
  return Array.isArray(inner) ? place : within(place)
}

/** Only primitives have a twin. */
function definitionOf(shape: Shape | undefined, segment: string, name: string): ElementDefinition | undefined {
  const element = shape?.elements.get(name) ?? choiceOf(shape, name)
  return element !== undefined && segment !== name && !isPrimitiveType(element.type) ? undefined : element
}

/** A missing choice is named as the specification writes it: `medication[x]`. */
function choiceOf(shape: Shape | undefined, name: string): ElementDefinition | undefined {
  return name.endsWith('[x]')
    ? [...(shape?.elements.values() ?? [])].find(({ path }) => lastOf(path) === name)
    : undefined
}

function stepTo(element: ElementDefinition, name: string): string {
  const written = lastOf(element.path)
  if (!written.endsWith('[x]')) return written
  const plain = written.slice(0, -3)
  return name === written ? plain : `${plain}.ofType(${element.type})`
}

function lastOf(path: string): string {
  return path.slice(path.lastIndexOf('.') + 1)
}

/** What lies in an element for any resource has the shape of its own type. */
function within(place: Place): Place {
  const { resourceType } = (place.value ?? {}) as { readonly resourceType?: unknown }
  if (place.element?.type !== 'Resource' || typeof resourceType !== 'string' || !isResourceType(resourceType))
    return place
  return { ...place, text: `${place.text}.ofType(${resourceType})`, shape: shapeOf(resourceType), element: undefined }
}
