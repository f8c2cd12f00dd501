import { type ElementDefinition, isResourceType, type Resource, type Shape, shapeOf, shapeOfElement } from '#fhir'

/** An object of a resource, as JSON. */
export interface Node {
  readonly [element: string]: unknown
}

/** What lies around an element. */
export interface Surroundings {
  /** The resource the element belongs to: FHIRPath's `%resource`. */
  readonly resource: Node
  /** The resource in which `#id` is looked for, the same unless that is contained: `%rootResource`. */
  readonly container: Node
  /** The Bundle whose entries `urn:uuid:` may name. */
  readonly bundle: Node | undefined
}

/**
 * Told of each object that the shapes of R4 know, those of primitives' twins included, from the outside in.
 *
 * @param element  what it is in the object around it, a twin what its primitive is; undefined for the resource itself
 * @param at       JSON pointer: `/component/1/code`
 * @param within   the shape of the object around it; undefined for the resource itself
 */
export type Meet = (
  node: Node,
  shape: Shape,
  element: ElementDefinition | undefined,
  at: string,
  around: Surroundings,
  within: Shape | undefined,
) => void

/** Walks through a resource and the resources in it. What is none of R4's is passed over. */
export function walk(resource: Resource, meet: Meet): void {
  const around = { resource, container: resource, bundle: undefined }
  walkResource(resource, '', { element: undefined, within: undefined }, around, meet)
}

export function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What an object is in the one around it. */
interface Role {
  readonly element: ElementDefinition | undefined
  readonly within: Shape | undefined
}

function walkResource(node: Node, at: string, role: Role, around: Surroundings, meet: Meet): void {
  const { resourceType } = node
  if (typeof resourceType !== 'string' || !isResourceType(resourceType)) return
  walkNode(node, shapeOf(resourceType), at, role, around, meet)
}

function walkNode(
  node: Node,
  shape: Shape,
  at: string,
  { element, within }: Role,
  around: Surroundings,
  meet: Meet,
): void {
  meet(node, shape, element, at, around, within)
  for (const name in node) {
    const value = node[name]
    if (typeof value !== 'object' || value === null) continue
    if (name.charCodeAt(0) === 0x5f) {
      const role = { element: shape.elements.get(name.slice(1)), within: shape }
      walkEach(value, `${at}/${name}`, (twin, place) => walkNode(twin, shapeOf('Element'), place, role, around, meet))
    } else {
      const inner = shape.elements.get(name)
      if (inner !== undefined) walkElement(value, shape, inner, { at: `${at}/${name}`, around, meet })
    }
  }
}

interface Way {
  readonly at: string
  readonly around: Surroundings
  readonly meet: Meet
}

function walkElement(value: object, shape: Shape, element: ElementDefinition, { at, around, meet }: Way): void {
  const inner = shapeOfElement(shape, element)
  const role = { element, within: shape }
  if (inner !== undefined) walkEach(value, at, (item, place) => walkNode(item, inner, place, role, around, meet))
  else if (element.type === 'Resource')
    walkEach(value, at, (item, place) =>
      walkResource(item, place, role, surroundingsOf(item, shape, element, around), meet),
    )
}

/** Contained resources share their container; resources in a Bundle or Parameters are containers of their own. */
export function surroundingsOf(
  item: Node,
  shape: Shape,
  element: ElementDefinition,
  around: Surroundings,
): Surroundings {
  if (element.name === 'contained') return { ...around, resource: item }
  const bundle = shape.type === 'Bundle' ? (around.bundle ?? around.container) : around.bundle
  return { resource: item, container: item, bundle }
}

function walkEach(value: object, at: string, use: (item: Node, at: string) => void): void {
  if (!Array.isArray(value)) {
    if (isNode(value)) use(value, at)
    return
  }
  for (let i = 0; i < value.length; i++) if (isNode(value[i])) use(value[i], `${at}/${i}`)
}
