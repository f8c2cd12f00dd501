import { type ElementDefinition, isPrimitiveType, isResourceType, type Shape, shapeOf, shapeOfElement } from '#fhir'
import type { CodeSystemDefinition, ValueSetDefinition } from '#terminology'
import { isNode, type Node } from '../walk.ts'
import type { StructureDefinition } from './definition.ts'

/** A Questionnaire: `questionnaires/` takes nothing for granted of it. */
type QuestionnaireDefinition = Node & { readonly resourceType: 'Questionnaire' }

/** As of a Questionnaire: `counterparts/`. */
type MeasureDefinition = Node & { readonly resourceType: 'Measure' }

/** What a resource can be judged by. */
export type Definition =
  | StructureDefinition
  | ValueSetDefinition
  | CodeSystemDefinition
  | QuestionnaireDefinition
  | MeasureDefinition

const kinds: ReadonlySet<unknown> = new Set([
  'StructureDefinition',
  'ValueSet',
  'CodeSystem',
  'Questionnaire',
  'Measure',
])

/**
 * Reads what somebody keeps as a definition. Whatever has another shape than R4 gives it is left out, primitives that have only extensions
 * among it, so that whoever reads on meets what the types say.
 */
export function readDefinition(json: unknown): Definition | undefined {
  if (!isNode(json) || !kinds.has(json.resourceType)) return undefined
  const read = conformed(json, shapeOf(String(json.resourceType)))
  return isDefinition(read) ? read : undefined
}

function isDefinition(read: Node): read is Node & Definition {
  return kinds.has(read.resourceType)
}

function conformed(node: Node, shape: Shape): Node {
  const entries = Object.entries(node).flatMap(([name, value]) => {
    if (name === 'resourceType') return typeof value === 'string' ? [[name, value] as const] : []
    const element = shape.elements.get(name)
    const fitting = element === undefined ? undefined : fittingIn(value, element, shape)
    return fitting === undefined ? [] : [[name, fitting] as const]
  })
  return Object.fromEntries(entries)
}

function fittingIn(value: unknown, element: ElementDefinition, shape: Shape): unknown {
  if (!element.isList) return itemOf(value, element, shape)
  if (!Array.isArray(value)) return undefined
  return value.map(each => itemOf(each, element, shape)).filter(each => each !== undefined)
}

const otherPrimitives: Readonly<Record<string, string>> = {
  boolean: 'boolean',
  decimal: 'number',
  integer: 'number',
  positiveInt: 'number',
  unsignedInt: 'number',
}

function itemOf(value: unknown, element: ElementDefinition, shape: Shape): unknown {
  if (isPrimitiveType(element.type) || element.type === 'xhtml') {
    const wanted = otherPrimitives[element.type] ?? 'string'
    // Numbers that kept their digits are objects.
    const is = typeof value === 'object' ? typeof value?.valueOf() : typeof value
    return is === wanted ? value : undefined
  }
  if (!isNode(value)) return undefined
  const inner = element.type === 'Resource' ? shapeOfResource(value) : shapeOfElement(shape, element)
  return inner && conformed(value, inner)
}

function shapeOfResource({ resourceType }: Node): Shape | undefined {
  return typeof resourceType === 'string' && isResourceType(resourceType) ? shapeOf(resourceType) : undefined
}
