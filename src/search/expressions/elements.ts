import { type ElementDefinition, requiredCodes, type Shape, shapeOf, shapeOfElement } from '#fhir'

/** Where a path has arrived: an element of some type, found under a JSON key. */
export interface Place {
  readonly key: string
  /** Type code, e.g. `Quantity`, `BackboneElement`. */
  readonly type: string
  /** The required value set the element is bound to, if any. */
  readonly valueSet: string | undefined
  /** What its children are; undefined for primitives, and for a resource of any type. */
  readonly shape: Shape | undefined
}

/** Where an expression about a resource type begins. */
export function rootPlace(type: string): Place {
  return { key: '', type, valueSet: undefined, shape: shapeOf(type) }
}

function placeOf(parent: Shape, element: ElementDefinition): Place {
  const { name, type, valueSet } = element
  return { key: name, type, valueSet, shape: shapeOfElement(parent, element) }
}

/** The child elements that a FHIRPath step can mean: one, or each type of a choice such as `value[x]`; none if unknown. */
export function childPlaces(from: Place, name: string): readonly Place[] {
  const { shape } = from
  if (shape === undefined) return []
  const path = shape.path === '' ? name : `${shape.path}.${name}`
  return [...shape.elements.values()]
    .filter(element => element.path === path || element.path === `${path}[x]`)
    .map(element => placeOf(shape, element))
}

const systems = new Map<string, ReadonlyMap<string, string>>()

function systemsOf(valueSet: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const [system, codes] of Object.entries(requiredCodes(valueSet) ?? {})) {
    for (const code of codes) found.set(code, system)
  }
  systems.set(valueSet, found)
  return found
}

/** The code system that a plain `code` comes from, as its required binding implies; undefined when it cannot be listed. */
export function impliedSystem(valueSet: string, code: string): string | undefined {
  return (systems.get(valueSet) ?? systemsOf(valueSet)).get(code)
}
