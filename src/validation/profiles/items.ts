import { type ElementDefinition, isPrimitiveType, type Shape, shapeOf, shapeOfElement } from '#fhir'
import { isNode, type Node, type Surroundings, surroundingsOf } from '../walk.ts'
import { elementsAt, shapeNamed } from './build.ts'

/** One occurrence of an element: its value, or the twin alone of a primitive that has none. */
export interface Item {
  /** An object, a primitive; undefined for a primitive that has only a twin. */
  readonly value: unknown
  /** The id and extensions of a primitive. */
  readonly twin: Node | undefined
  /** Its type: a resource says its own. */
  readonly type: string
  /** Undefined for a resource that stands for itself. */
  readonly element: ElementDefinition | undefined
  /** What it is in, as `element`. */
  readonly within: Shape | undefined
  /** JSON pointer. */
  readonly at: string
  readonly around: Surroundings
  /** Around the element that holds it: another than `around` for a resource in a resource. */
  readonly outside: Surroundings
}

/** A resource as an item of its own. */
export function itemOfResource(resource: Node, at: string, around: Surroundings): Item {
  const type = String(resource.resourceType)
  return { value: resource, twin: undefined, type, element: undefined, within: undefined, at, around, outside: around }
}

/** Whether an item stands for what lies elsewhere: no more than its type is known, and `''` where not even that. */
export function isStub({ value, twin }: Item): boolean {
  return value === undefined && twin === undefined
}

/** What lies elsewhere, of whatever type. */
export function untold({ at, around }: Item): Item {
  return stubOf('', at, around)
}

export function stubOf(type: string, at: string, around: Surroundings): Item {
  return { value: undefined, twin: undefined, type, element: undefined, within: undefined, at, around, outside: around }
}

/** What an item has inside: an object itself, of a primitive its twin. */
export function insideOf(item: Item): { readonly node: Node; readonly shape: Shape } | undefined {
  const { value, twin, element, within, type } = item
  if (isNode(value) && !isPrimitiveType(type)) {
    const isOwn = element === undefined || within === undefined || element.type === 'Resource'
    const shape = isOwn ? shapeNamed(type) : shapeOfElement(within, element)
    return shape && { node: value, shape }
  }
  return twin && { node: twin, shape: shapeOf('Element') }
}

/**
 * The occurrences of an element in an item, in their order.
 *
 * @param name  as paths have it: `value[x]` means whichever type is there
 */
export function itemsIn(item: Item, name: string): readonly Item[] {
  const inside = insideOf(item)
  if (inside === undefined) return []
  return elementsAt(inside.shape, name).flatMap(element => itemsOfElement(inside.node, inside.shape, element, item))
}

function itemsOfElement(node: Node, shape: Shape, element: ElementDefinition, { at, around }: Item): readonly Item[] {
  const { name } = element
  const value = node[name]
  const twin = isPrimitiveType(element.type) ? node[`_${name}`] : undefined
  if (value === undefined && twin === undefined) return []
  if (!Array.isArray(value) && !Array.isArray(twin)) {
    const place = `${at}/${value === undefined ? '_' : ''}${name}`
    return [itemOf(value, twin, { shape, element, at: place, around })]
  }
  const values = Array.isArray(value) ? value : []
  const twins = Array.isArray(twin) ? twin : []
  return Array.from({ length: Math.max(values.length, twins.length) }, (_, index) => {
    const isBare = values[index] === undefined || values[index] === null
    const place = `${at}/${isBare ? '_' : ''}${name}/${index}`
    return itemOf(isBare ? undefined : values[index], twins[index], { shape, element, at: place, around })
  })
}

interface Where {
  readonly shape: Shape
  readonly element: ElementDefinition
  readonly at: string
  readonly around: Surroundings
}

function itemOf(value: unknown, twin: unknown, { shape, element, at, around }: Where): Item {
  const isResource = element.type === 'Resource' && isNode(value)
  return {
    value,
    twin: isNode(twin) ? twin : undefined,
    type: isResource ? String(value.resourceType) : element.type,
    element,
    within: shape,
    at,
    around: isResource ? surroundingsOf(value, shape, element, around) : around,
    outside: around,
  }
}
