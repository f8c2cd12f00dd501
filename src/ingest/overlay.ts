import { type Resource, type Shape, shapeOf, shapeOfElement } from '#fhir'
import { otherForms } from './choices.ts'
import { withContained } from './contained.ts'
import { isPlain, type Plain } from './plain.ts'

/**
 * What is said anew, over what was said before, element by element; lists are said anew as a whole, and so are a choice of forms and
 * a data type: a new code comes without the words of the old one. A period has a beginning and an end of its own.
 */
export function overlaid(before: Resource, anew: Resource): Resource {
  const next = { ...overlaidParts(before, anew, shapeOf(anew.resourceType)), resourceType: anew.resourceType }
  return withContained(next, before, anew)
}

function overlaidParts(before: Plain, anew: Plain, shape: Shape | undefined): Plain {
  const next: Record<string, unknown> = { ...before }
  for (const [name, value] of Object.entries(anew)) {
    const known = next[name]
    const isOver = isPlain(value) && isPlain(known) && hasParts(shape, name)
    next[name] = isOver ? overlaidParts(known, value, shapeWithin(shape, name)) : value
    for (const other of otherForms(shape, name)) if (!Object.hasOwn(anew, other)) delete next[other]
  }
  return next
}

const withParts = new Set(['BackboneElement', 'Element', 'Period', 'Meta'])

function hasParts(shape: Shape | undefined, name: string): boolean {
  return name.startsWith('_') || withParts.has(shape?.elements.get(name)?.type ?? 'Element')
}

function shapeWithin(shape: Shape | undefined, name: string): Shape | undefined {
  const element = shape?.elements.get(name)
  return shape && element && shapeOfElement(shape, element)
}
