import type { AnySchemaObject } from 'ajv'
import { type ElementDefinition, isPrimitiveType, isResourceType, requiredCodes, type Shape, shapeOf } from '#fhir'
import { integerRanges, stringFormats } from './primitives.ts'

/** Names a type, or a nested element of one: `Observation`, `Coding`, `Observation.component`. */
export type ShapeName = string

export function shapeNamed(name: ShapeName): Shape {
  const point = name.indexOf('.')
  return point < 0 ? shapeOf(name) : shapeOf(name.slice(0, point), name.slice(point + 1))
}

/**
 * The JSON schema of one type or nested element. Standard vocabulary says what JSON Schema can say; `fhirType` refers to another
 * schema (compiled when first met), which also says that an object is due; `fhirObject` holds the rules over an object's names, `fhirCodes` a required binding.
 */
export function schemaOf(name: ShapeName): AnySchemaObject {
  const shape = shapeNamed(name)
  const isResource = shape.path === '' && isResourceType(shape.type)
  return {
    type: 'object',
    properties: {
      ...(isResource ? { resourceType: { const: shape.type } } : {}),
      ...Object.fromEntries([...shape.elements.values()].flatMap(element => propertiesOf(shape, element))),
    },
    additionalProperties: false,
    fhirObject: name,
  }
}

type Property = readonly [name: string, schema: AnySchemaObject]

function propertiesOf(shape: Shape, element: ElementDefinition): readonly Property[] {
  const isPrimitive = isPrimitiveType(element.type)
  const single = isPrimitive ? primitiveSchema(element) : complexSchema(shape, element)
  const own: Property = [element.name, element.isList ? listOf(isPrimitive ? orNull(single) : single) : single]
  return hasTwin(shape, element) ? [own, [`_${element.name}`, twinSchema(element)]] : [own]
}

/** Ids are attributes in XML and `Extension.url` too: they have no extensions of their own, except a resource's id. */
export function hasTwin(shape: Shape, element: ElementDefinition): boolean {
  if (!isPrimitiveType(element.type)) return false
  if (element.name === 'id') return element.type === 'id'
  return shape.type !== 'Extension' || element.name !== 'url'
}

function listOf(items: AnySchemaObject): AnySchemaObject {
  return { type: 'array', minItems: 1, items }
}

function orNull(schema: AnySchemaObject): AnySchemaObject {
  return schema.type === undefined ? schema : { ...schema, type: [schema.type, 'null'] }
}

function twinSchema(element: ElementDefinition): AnySchemaObject {
  return element.isList ? listOf({ fhirTypeOrNull: 'Element' }) : { fhirType: 'Element' }
}

function primitiveSchema({ type, valueSet, isList }: ElementDefinition): AnySchemaObject {
  if (type === 'boolean') return { type }
  if (type === 'decimal') return { fhirDecimal: isList ? 'or-null' : 'always' }
  const range = integerRanges[type]
  if (range !== undefined) return { type: 'integer', ...range }
  if (stringFormats[type] === undefined) throw new RangeError(`no rule for the primitive ${type}`)
  return { type: 'string', ...(isListed(valueSet) ? { fhirCodes: valueSet } : { format: type }) }
}

function complexSchema(shape: Shape, element: ElementDefinition): AnySchemaObject {
  if (element.type === 'Resource') {
    return { type: 'object', fhirResource: element.name === 'contained' ? 'contained' : 'whole' }
  }
  const name = element.nested === undefined ? element.type : `${shape.type}.${element.nested}`
  return { fhirType: name, ...(isListed(element.valueSet) ? { fhirCodes: element.valueSet } : {}) }
}

function isListed(valueSet: string | undefined): boolean {
  return valueSet !== undefined && requiredCodes(valueSet) !== undefined
}
