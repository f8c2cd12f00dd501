import { type ElementDefinition, isPrimitiveType, requiredCodes, type Shape, shapeOf, shapeOfElement } from '#fhir'
import type { Steps } from '#kernel'
import { type Node, ref } from './node.ts'

/** Primitive types of FHIR that are more than texts. @see https://hl7.org/fhir/R4/datatypes.html#primitive */
const primitives: Readonly<Record<string, Node>> = {
  boolean: { type: 'boolean' },
  integer: { type: 'integer' },
  positiveInt: { type: 'integer', minimum: 1 },
  unsignedInt: { type: 'integer', minimum: 0 },
  decimal: { type: 'number' },
  id: { type: 'string', pattern: '^[A-Za-z0-9.\\-]{1,64}$' },
  instant: { type: 'string', format: 'date-time' },
}

/** What a schema is called: `Observation`, `Observation.component`, `Quantity`. */
function nameOf({ type, path }: Shape): string {
  return path === '' ? type : `${type}.${path}`
}

function primitive({ type, valueSet }: ElementDefinition): Node {
  const codes = valueSet === undefined ? undefined : Object.values(requiredCodes(valueSet) ?? {}).flat()
  return type === 'code' && codes !== undefined && codes.length > 0
    ? { type: 'string', enum: [...new Set(codes)] }
    : (primitives[type] ?? { type: 'string' })
}

function valueSchema(element: ElementDefinition, shape: Shape | undefined): Node {
  if (isPrimitiveType(element.type)) return primitive(element)
  return ref('schemas', shape === undefined ? 'Resource' : nameOf(shape))
}

/** Or nothing, at a place of a list where only the other one of a primitive's two lists has something. */
function orNull(node: Node): Node {
  return { anyOf: [node, { type: 'null' }] }
}

function property(element: ElementDefinition, shape: Shape | undefined): Node {
  const value = valueSchema(element, shape)
  if (!element.isList) return value
  return { type: 'array', items: isPrimitiveType(element.type) ? orNull(value) : value, minItems: 1 }
}

/** A choice is mandatory as a whole, which its names by themselves cannot say: `value[x]`. */
function isNamed({ path, min }: ElementDefinition): boolean {
  return min > 0 && !path.endsWith('[x]')
}

function schemaOf(shape: Shape, told: ReadonlySet<string>, within: (child: Shape) => void): Node {
  const properties: Record<string, Node> = {}
  const isResource = told.has(nameOf(shape))
  if (isResource) properties.resourceType = { const: shape.type }
  for (const element of shape.elements.values()) {
    const child = shapeOfElement(shape, element)
    if (child !== undefined) within(child)
    properties[element.name] = property(element, child)
  }
  const needed = [...shape.elements.values()].filter(element => isNamed(element) && !hasTwin(shape, element))
  const required = [...(isResource ? ['resourceType'] : []), ...needed.map(({ name }) => name)]
  return { type: 'object', properties, ...(required.length > 0 ? { required } : {}) }
}

/** Whether an extension beside it may take the place of a value, as it can of any primitive but an extension's name and a narrative. */
function hasTwin({ type, path }: Shape, { name, type: ofElement }: ElementDefinition): boolean {
  const isName = name === 'url' && type === 'Extension' && path === ''
  return isPrimitiveType(ofElement) && ofElement !== 'xhtml' && !isName
}

/**
 * The schemas of resource types and of all that they are made of, by name. They say which elements there are, which of them are
 * lists, which are needed and which codes are taken; what else is checked – invariants, forms of dates, references, what stands beside
 * primitives, and a primitive without which neither a value nor an extension is there – they do not.
 *
 * @param types  of resources
 * @see https://hl7.org/fhir/R4/json.html#primitive
 */
export function* resourceSchemas(types: readonly string[]): Steps<Readonly<Record<string, Node>>> {
  const told = new Set(types)
  const schemas: Record<string, Node> = {}
  const left = types.map(type => shapeOf(type))
  const seen = new Set(types)
  const within = (child: Shape) => {
    if (seen.has(nameOf(child))) return
    seen.add(nameOf(child))
    left.push(child)
  }
  for (const shape of left) {
    schemas[nameOf(shape)] = schemaOf(shape, told, within)
    yield
  }
  return schemas
}
