import {
  DirectiveLocation,
  GraphQLBoolean,
  GraphQLDirective,
  type GraphQLFieldConfig,
  type GraphQLFieldConfigArgumentMap,
  type GraphQLFieldConfigMap,
  GraphQLFloat,
  GraphQLID,
  GraphQLInt,
  GraphQLInterfaceType,
  GraphQLList,
  GraphQLNonNull,
  GraphQLObjectType,
  type GraphQLOutputType,
  GraphQLScalarType,
  GraphQLSchema,
  GraphQLString,
  specifiedDirectives,
} from 'graphql'
import {
  type ElementDefinition,
  isPrimitiveType,
  isResourceType,
  resourceTypes,
  type Shape,
  shapeOf,
  shapeOfElement,
} from '#fhir'
import { searchParametersOf } from '#search'
import { connectionScalars, edgeScalars, typeNameOf } from './fields.ts'

type Fields = GraphQLFieldConfigMap<unknown, unknown>
type FieldOf = GraphQLFieldConfig<unknown, unknown>

const own: Readonly<Record<string, GraphQLScalarType>> = {
  boolean: GraphQLBoolean,
  integer: GraphQLInt,
  decimal: GraphQLFloat,
  string: GraphQLString,
  id: GraphQLID,
}
const scalars = new Map<string, GraphQLScalarType>(Object.entries(own))
const objects = new Map<string, GraphQLObjectType>()

const anyResource = new GraphQLInterfaceType({
  name: 'Resource',
  description: 'Any resource; a fragment says what is asked of a type.',
  fields: { resourceType: { type: scalarOf('code') }, id: { type: GraphQLID } },
})

const list: GraphQLFieldConfigArgumentMap = {
  fhirpath: { type: GraphQLString, description: 'FHIRPath that must be true of an element' },
  _offset: { type: GraphQLInt },
  _count: { type: GraphQLInt },
}
const ofTargets: GraphQLFieldConfigArgumentMap = {
  optional: { type: GraphQLBoolean, description: 'What cannot be resolved is left out' },
  type: { type: new GraphQLList(GraphQLString) },
}

const directives = [
  ...specifiedDirectives,
  ...[
    ['flatten', 'The fields within stand in the place of the field'],
    ['first', 'Only the first element'],
    ['singleton', 'One value, although what is around it is flattened'],
  ].map(
    ([name = '', description]) => new GraphQLDirective({ name, description, locations: [DirectiveLocation.FIELD] }),
  ),
  new GraphQLDirective({
    name: 'slice',
    description: 'What a FHIRPath finds in each element is appended to the names within',
    locations: [DirectiveLocation.FIELD],
    args: { path: { type: new GraphQLNonNull(GraphQLString) } },
  }),
]

/**
 * The schema of what is answered, for whoever asks for it: answers themselves are not made by it.
 *
 * @param root  `Query`, or the type of the resource that is asked
 * @see https://hl7.org/fhir/R4/graphql.html#conformance
 */
export function schemaOf(root: string): GraphQLSchema {
  const types = resourceTypes.map(type => objectOf(shapeOf(type)))
  const query = isResourceType(root)
    ? objectOf(shapeOf(root))
    : new GraphQLObjectType({ name: 'Query', fields: () => Object.assign({}, ...resourceTypes.map(ofType)) as Fields })
  return new GraphQLSchema({ query, types, directives })
}

function ofType(type: string): Fields {
  const id = { type: new GraphQLNonNull(GraphQLID) }
  return {
    [type]: { type: objectOf(shapeOf(type)), args: { id } },
    ...searchesOf(type, { ...searchArguments(type), ...ofPages }),
  }
}

function searchesOf(type: string, args: GraphQLFieldConfigArgumentMap): Fields {
  return {
    [`${type}List`]: { type: new GraphQLList(objectOf(shapeOf(type))), args },
    [`${type}Connection`]: { type: connectionOf(type), args },
  }
}

const ofPages: GraphQLFieldConfigArgumentMap = {
  _cursor: { type: GraphQLString, description: 'Another page of a connection, and nothing else' },
}

function searchArguments(type: string): GraphQLFieldConfigArgumentMap {
  const texts = { type: new GraphQLList(GraphQLString) }
  const names = searchParametersOf(type).map(({ name }) => name.replaceAll('-', '_'))
  const controls = { fhirpath: { type: GraphQLString }, _count: { type: GraphQLInt }, _sort: texts }
  return { ...Object.fromEntries(names.map(name => [name, texts])), ...controls }
}

function connectionOf(type: string): GraphQLObjectType {
  const edge = () =>
    new GraphQLObjectType({
      name: `${type}Edge`,
      fields: { ...ofScalars(edgeScalars), resource: { type: objectOf(shapeOf(type)) } },
    })
  const edges = { type: new GraphQLList(remembered(`${type}Edge`, edge)) }
  return remembered(
    `${type}Connection`,
    () => new GraphQLObjectType({ name: `${type}Connection`, fields: { ...ofScalars(connectionScalars), edges } }),
  )
}

function ofScalars(types: Readonly<Record<string, string>>): Fields {
  return Object.fromEntries(Object.entries(types).map(([name, type]) => [name, { type: scalarOf(type) }]))
}

function remembered(name: string, make: () => GraphQLObjectType): GraphQLObjectType {
  const object = objects.get(name) ?? make()
  objects.set(name, object)
  return object
}

function objectOf(shape: Shape): GraphQLObjectType {
  const name = typeNameOf({ kind: 'element', shape, stored: false, targets: undefined })
  const isResource = shape.path === '' && isResourceType(shape.type)
  return remembered(
    name,
    () =>
      new GraphQLObjectType({
        name,
        interfaces: isResource ? [anyResource] : [],
        fields: () => ({ ...fieldsOf(shape), ...(isResource ? ofResource(shape.type) : {}) }),
      }),
  )
}

function ofResource(type: string): Fields {
  const reverse = resourceTypes.filter(other => refersTo(other, type)).map(other => searchesOf(other, ofReverse))
  return { resourceType: { type: scalarOf('code') }, ...(Object.assign({}, ...reverse) as Fields) }
}

/** The parameters of the search may stand beside them; to list them at each of thousands of fields would make nobody wiser. */
const ofReverse: GraphQLFieldConfigArgumentMap = {
  _reference: { type: new GraphQLNonNull(GraphQLString), description: 'The search parameter that refers here' },
  _count: { type: GraphQLInt },
}

function refersTo(other: string, type: string): boolean {
  return searchParametersOf(other).some(
    ({ type: kind, target = [type] }) => kind === 'reference' && target.includes(type),
  )
}

function fieldsOf(shape: Shape): Fields {
  const fields = [...shape.elements.values()].flatMap(element => ofElement(shape, element))
  const target: FieldOf = { type: anyResource, args: ofTargets }
  return { ...Object.fromEntries(fields), ...(shape.type === 'Reference' ? { resource: target } : {}) }
}

function ofElement(shape: Shape, element: ElementDefinition): readonly (readonly [string, FieldOf])[] {
  const { name, type, isList } = element
  const listed = (of: GraphQLOutputType) => (isList ? new GraphQLList(of) : of)
  if (type === 'Resource') return [[name, { type: listed(anyResource), args: list }]]
  const inner = shapeOfElement(shape, element)
  if (inner !== undefined)
    return [[name, { type: listed(objectOf(inner)), args: isList ? { ...list, ...filtersOf(inner) } : {} }]]
  return [
    [name, { type: listed(scalarOf(type)) }],
    [`_${name}`, { type: listed(objectOf(shapeOf('Element'))) }],
  ]
}

function filtersOf(inner: Shape): GraphQLFieldConfigArgumentMap {
  const primitives = [...inner.elements.values()].filter(({ type }) => isPrimitiveType(type))
  return Object.fromEntries(primitives.map(({ name }) => [name, { type: GraphQLString }]))
}

function scalarOf(type: string): GraphQLScalarType {
  const scalar = scalars.get(type) ?? new GraphQLScalarType({ name: type })
  scalars.set(type, scalar)
  return scalar
}
