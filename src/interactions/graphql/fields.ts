import {
  type ElementDefinition,
  isPrimitiveType,
  isResourceType,
  resourceTypes,
  type Shape,
  shapeOf,
  shapeOfElement,
} from '#fhir'

/** What a selection of fields is made on. */
export type Position =
  /** The whole system: resources are named by type. */
  | { readonly kind: 'system' }
  /** An element with children, or a resource. `stored`: it can be referred to, so that what refers to it can be asked. */
  | { readonly kind: 'element'; readonly shape: Shape; readonly stored: boolean; readonly targets: Targets }
  | { readonly kind: 'connection'; readonly type: string }
  | { readonly kind: 'edge'; readonly type: string }

/** Types of resources that a reference may lead to; undefined for any. */
type Targets = readonly string[] | undefined

/** What a field is, on a position. */
export type Field =
  | { readonly kind: 'typename' }
  | { readonly kind: 'scalar'; readonly name: string; readonly type: string; readonly isList: boolean }
  | {
      readonly kind: 'element'
      readonly name: string
      readonly isList: boolean
      readonly shape: Shape
      readonly targets: Targets
    }
  /** A resource within a resource, of whatever type. */
  | { readonly kind: 'inner'; readonly name: string; readonly isList: boolean }
  /** What a reference leads to. */
  | { readonly kind: 'target'; readonly types: Targets }
  | { readonly kind: 'read'; readonly type: string }
  | { readonly kind: 'list'; readonly type: string; readonly isReverse: boolean }
  | { readonly kind: 'connection'; readonly type: string; readonly isReverse: boolean }
  | { readonly kind: 'edges'; readonly type: string }
  /** The resource of an edge. */
  | { readonly kind: 'node'; readonly type: string }

/** The fields of a connection, and of an edge, that have no fields of their own. */
export const connectionScalars: Readonly<Record<string, string>> = {
  count: 'integer',
  offset: 'integer',
  pagesize: 'integer',
  first: 'string',
  previous: 'string',
  next: 'string',
  last: 'string',
}
export const edgeScalars: Readonly<Record<string, string>> = { mode: 'code', score: 'decimal' }

/** The elements of a resource as it is kept. */
export function resourcePosition(type: string, stored: boolean): Position {
  return { kind: 'element', shape: shapeOf(type), stored, targets: undefined }
}

/**
 * What a field is on a position; undefined where there is none of that name.
 *
 * @see https://hl7.org/fhir/R4/graphql.html#fields and https://hl7.org/fhir/R4/graphql.html#searching
 */
export function fieldOf(position: Position, name: string): Field | undefined {
  if (name === '__typename') return { kind: 'typename' }
  if (position.kind === 'system') return resourceField(name, false)
  if (position.kind === 'element') return elementField(position, name) ?? reverseField(position, name)
  const scalars = position.kind === 'connection' ? connectionScalars : edgeScalars
  if (Object.hasOwn(scalars, name)) return { kind: 'scalar', name, type: scalars[name] ?? '', isList: false }
  if (position.kind === 'connection') return name === 'edges' ? { kind: 'edges', type: position.type } : undefined
  return name === 'resource' ? { kind: 'node', type: position.type } : undefined
}

function resourceField(name: string, isReverse: boolean): Field | undefined {
  if (isResourceType(name)) return isReverse ? undefined : { kind: 'read', type: name }
  const [, type = '', how] = /^(\w+)(List|Connection)$/.exec(name) ?? []
  if (!isResourceType(type)) return undefined
  return { kind: how === 'List' ? 'list' : 'connection', type, isReverse }
}

type ElementPosition = Position & { readonly kind: 'element' }

function reverseField(position: ElementPosition, name: string): Field | undefined {
  return position.stored ? resourceField(name, true) : undefined
}

function elementField({ shape, targets }: ElementPosition, name: string): Field | undefined {
  const element = shape.elements.get(name)
  if (element !== undefined) return ofElement(shape, element)
  if (name === 'resource' && shape.type === 'Reference') return { kind: 'target', types: targets }
  if (name === 'resourceType' && shape.path === '' && isResourceType(shape.type))
    return { kind: 'scalar', name, type: 'code', isList: false }
  const primitive = name.startsWith('_') ? shape.elements.get(name.slice(1)) : undefined
  if (primitive === undefined || !isPrimitiveType(primitive.type)) return undefined
  return { kind: 'element', name, isList: primitive.isList, shape: shapeOf('Element'), targets: undefined }
}

function ofElement(shape: Shape, element: ElementDefinition): Field {
  const { name, type, isList, targets } = element
  if (type === 'Resource') return { kind: 'inner', name, isList }
  const inner = shapeOfElement(shape, element)
  return inner === undefined
    ? { kind: 'scalar', name, type, isList }
    : { kind: 'element', name, isList, shape: inner, targets }
}

/** Where the fields below a field stand: one position, or as many as there are types of resources; none below a scalar. */
export function below(field: Field, types: readonly string[] | undefined): readonly Position[] {
  switch (field.kind) {
    case 'element':
      return [{ kind: 'element', shape: field.shape, stored: false, targets: field.targets }]
    case 'inner':
      return (types ?? resourceTypes).map(type => resourcePosition(type, false))
    case 'target':
      return (types ?? field.types ?? resourceTypes).map(type => resourcePosition(type, true))
    case 'read':
    case 'list':
    case 'node':
      return [resourcePosition(field.type, true)]
    case 'connection':
      return [{ kind: 'connection', type: field.type }]
    case 'edges':
      return [{ kind: 'edge', type: field.type }]
    default:
      return []
  }
}

/** How a position is called in a fragment, and by `__typename`. */
export function typeNameOf(position: Position): string {
  if (position.kind === 'system') return 'Query'
  if (position.kind === 'element')
    return [position.shape.type, ...position.shape.path.split('.')].map(capitalised).join('')
  return `${position.type}${capitalised(position.kind)}`
}

/** Whether a fragment on a type is about a position; FHIR's abstract types are about all that derive from them. */
export function isOfType(position: Position, name: string): boolean {
  if (typeNameOf(position) === name) return true
  if (position.kind !== 'element' || position.shape.path !== '') return false
  const isResource = isResourceType(position.shape.type)
  return isResource && (name === 'Resource' || (name === 'DomainResource' && !plain.has(position.shape.type)))
}

/** https://hl7.org/fhir/R4/domainresource.html */
const plain: ReadonlySet<string> = new Set(['Binary', 'Bundle', 'Parameters'])

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
