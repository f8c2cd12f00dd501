import {
  type ElementDefinition,
  isPrimitiveType,
  type Resource,
  requiredCodes,
  type Shape,
  shapeOf,
  shapeOfElement,
} from '#fhir'

type Node = Readonly<Record<string, unknown>>

const values: Readonly<Record<string, unknown>> = {
  boolean: true,
  decimal: 1,
  integer: 0,
  positiveInt: 1,
  unsignedInt: 1,
  base64Binary: 'QUJD',
  date: '2026-01-01',
  id: 'x',
  dateTime: '2026-01-01',
  instant: '2026-01-01T00:00:00Z',
  time: '10:00:00',
  Reference: { display: 'x' },
  CodeableConcept: { text: 'x' },
  Coding: { display: 'x' },
  Identifier: { value: 'x' },
  Narrative: { status: 'generated', div: '<div xmlns="http://www.w3.org/1999/xhtml">x</div>' },
}

/** A resource with what its type makes mandatory, wherever it is missing. */
export function completed(type: string, given: Node): Resource {
  return { resourceType: type, ...complete(given, shapeOf(type)) } as Resource
}

function complete(given: Node, shape: Shape): Node {
  const here = Object.entries(given).map(([name, value]) => [
    name,
    completeValue(value, shape, shape.elements.get(name)),
  ])
  const elements = [...shape.elements.values()]
  const isGiven = ({ path }: ElementDefinition): boolean =>
    elements.some(
      each => each.path === path && (given[each.name] !== undefined || given[`_${each.name}`] !== undefined),
    )
  const missing = new Map(elements.filter(each => each.min > 0 && !isGiven(each)).map(each => [each.path, each]))
  return Object.fromEntries([...here, ...[...missing.values()].map(each => [each.name, made(shape, each)])])
}

function completeValue(value: unknown, shape: Shape, element: ElementDefinition | undefined): unknown {
  if (Array.isArray(value)) return value.map(item => completeValue(item, shape, element))
  if (typeof value !== 'object' || value === null || element === undefined) return value
  const inner = shapeOfElement(shape, element)
  if (inner !== undefined) return complete(value as Node, inner)
  const { resourceType } = value as Node
  return typeof resourceType === 'string' ? completed(resourceType, value as Node) : value
}

function made(shape: Shape, element: ElementDefinition): unknown {
  const value = single(shape, element)
  return element.isList ? [value] : value
}

/** A code of a set that cannot be listed. */
const ofSets: Readonly<Record<string, string>> = { mimetypes: 'text/plain', currencies: 'EUR', 'all-languages': 'en' }

function single(shape: Shape, { type, valueSet, mustBeIn = '', ...element }: ElementDefinition): unknown {
  const listed = Object.values((valueSet && requiredCodes(valueSet)) || {}).flat()
  const code = listed[0] ?? ofSets[mustBeIn.slice(mustBeIn.lastIndexOf('/') + 1)]
  if (isPrimitiveType(type)) return code ?? values[type] ?? 'http://x.example'
  if (values[type] !== undefined) return values[type]
  return complete({}, shapeOfElement(shape, { type, ...element }) ?? shapeOf('Basic'))
}
