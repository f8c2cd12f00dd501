import {
  type DocumentNode,
  type FragmentDefinitionNode,
  GraphQLObjectType,
  GraphQLSchema,
  GraphQLString,
  Kind,
  NoFragmentCyclesRule,
  NoUnusedFragmentsRule,
  type OperationDefinitionNode,
  parse,
  type TypeNode,
  type ValueNode,
  type VariableDefinitionNode,
  validate,
  visit,
} from 'graphql'
import { Problem } from '#kernel'
import { malformed, refused } from './faults.ts'

/** What is asked, as it was sent. */
export interface Asked {
  readonly query: string
  readonly operationName: string | undefined
  readonly variables: { readonly [name: string]: unknown }
}

/** A question that was read: one operation, its variables, and the fragments of its document. */
export interface Question {
  readonly operation: OperationDefinitionNode
  readonly fragments: ReadonlyMap<string, FragmentDefinitionNode>
  readonly variables: ReadonlyMap<string, Value>
}

/** A value of an argument or variable. */
export type Value = string | number | boolean | null | readonly Value[]

const limits = { maxLexicalTokens: 20_000, maxSourceLength: 200_000, maxComments: 1_000 }

/**
 * Reads a document and chooses its operation.
 *
 * @throws Problem `invalid` · `graphql.malformed`, `graphql.operation-unclear`, `graphql.variable-malformed`,
 *   `graphql.selection-malformed`; `unsupported` · `graphql.operation-unsupported`
 * @see https://spec.graphql.org/October2021/#sec-Language
 */
export function readQuestion({ query, operationName, variables }: Asked): Question {
  const document = parsed(query)
  const { definitions } = document
  const operation = chosen(
    definitions.filter(each => each.kind === Kind.OPERATION_DEFINITION),
    operationName,
  )
  const fragments = new Map(
    definitions.flatMap(each => (each.kind === Kind.FRAGMENT_DEFINITION ? [[each.name.value, each]] : [])),
  )
  checkVariables(operation, fragments)
  checkFragments(document)
  return { operation, fragments, variables: variablesOf(operation.variableDefinitions ?? [], variables) }
}

/** A filter whose variable nobody declared would be left out, and the answer hold more than was asked. */
function checkVariables(operation: OperationDefinitionNode, fragments: Question['fragments']): void {
  const declared = new Set((operation.variableDefinitions ?? []).map(({ variable }) => variable.name.value))
  const seen = new Set<string>()
  const open: (OperationDefinitionNode | FragmentDefinitionNode)[] = [operation]
  for (let next = open.pop(); next !== undefined; next = open.pop())
    visit(next, {
      VariableDefinition: () => false,
      Variable({ name, loc }) {
        if (!declared.has(name.value))
          throw refused(
            { loc },
            'graphql.variable-malformed',
            'A variable is used that the operation does not declare.',
          )
      },
      FragmentSpread({ name }) {
        const fragment = seen.has(name.value) ? undefined : fragments.get(name.value)
        seen.add(name.value)
        if (fragment !== undefined) open.push(fragment)
      },
    })
}

/** The library wants a schema, also for rules that ask for no types. */
const schema = new GraphQLSchema({
  query: new GraphQLObjectType({ name: 'Query', fields: { __typename: { type: GraphQLString } } }),
  assumeValid: true,
})

/**
 * Its rule of variables is not among these: it goes through all fragments for each operation, where one walk is enough.
 *
 * @see https://spec.graphql.org/October2021/#sec-Fragment-spreads-must-not-form-cycles and
 *   https://spec.graphql.org/October2021/#sec-Fragments-Must-Be-Used
 */
function checkFragments(document: DocumentNode): void {
  const [error] = validate(schema, document, [NoFragmentCyclesRule, NoUnusedFragmentsRule], { maxErrors: 1 })
  if (error !== undefined)
    throw refused(
      { loc: error.nodes?.[0]?.loc },
      'graphql.selection-malformed',
      'A fragment is used nowhere, or within itself.',
    )
}

function parsed(query: string): DocumentNode {
  try {
    return parse(query, limits)
  } catch (error) {
    throw malformed(error)
  }
}

function chosen(operations: readonly OperationDefinitionNode[], name: string | undefined): OperationDefinitionNode {
  const named = name === undefined ? operations : operations.filter(each => each.name?.value === name)
  const [operation, more] = named
  if (operation === undefined || more !== undefined)
    throw new Problem(
      'invalid',
      'graphql.operation-unclear',
      'The query needs one operation; operationName chooses it.',
      {
        expression: 'operationName',
      },
    )
  if (operation.operation === 'query') return operation
  throw new Problem(
    'unsupported',
    'graphql.operation-unsupported',
    'This server answers queries in GraphQL; changes are made by create, update, patch and delete.',
  )
}

function variablesOf(definitions: readonly VariableDefinitionNode[], given: Asked['variables']): Question['variables'] {
  const values = new Map<string, Value>()
  for (const { variable, type, defaultValue, loc } of definitions) {
    const name = variable.name.value
    const value = Object.hasOwn(given, name) ? given[name] : undefined
    const set = value === undefined && defaultValue !== undefined ? literalOf(defaultValue, values) : value
    if (!fits(set, type))
      throw refused(
        { loc },
        'graphql.variable-malformed',
        'A variable is not of the type that the query says, or missing.',
      )
    if (set !== undefined) values.set(name, set as Value)
  }
  return values
}

type Check = (value: unknown) => boolean
const isText: Check = value => typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
const scalars: Readonly<Record<string, Check>> = {
  Boolean: value => typeof value === 'boolean',
  Int: Number.isSafeInteger,
  Float: value => typeof value === 'number',
  String: value => typeof value === 'string',
}

function fits(value: unknown, type: TypeNode): boolean {
  if (type.kind === Kind.NON_NULL_TYPE) return value !== null && value !== undefined && fits(value, type.type)
  if (value === null || value === undefined) return true
  if (type.kind === Kind.LIST_TYPE)
    return Array.isArray(value) ? value.every(item => fits(item, type.type)) : fits(value, type.type)
  const { value: name } = type.name
  // Other names are FHIR's own scalars, and the types that values of arguments are called by.
  return (Object.hasOwn(scalars, name) ? scalars[name] : isText)?.(value) ?? false
}

const literals: { readonly [kind: string]: (node: never, variables: Question['variables']) => Value | undefined } = {
  [Kind.INT]: ({ value }: { readonly value: string }) => Number(value),
  [Kind.FLOAT]: ({ value }: { readonly value: string }) => Number(value),
  [Kind.STRING]: ({ value }: { readonly value: string }) => value,
  [Kind.BOOLEAN]: ({ value }: { readonly value: boolean }) => value,
  // `id: example` means the text: https://hl7.org/fhir/R4/graphql.html#searching
  [Kind.ENUM]: ({ value }: { readonly value: string }) => value,
  [Kind.NULL]: () => null,
  [Kind.VARIABLE]: ({ name }: { readonly name: { readonly value: string } }, variables) => variables.get(name.value),
  [Kind.LIST]: ({ values }: { readonly values: readonly ValueNode[] }, variables) =>
    values.map(each => literalOf(each, variables) ?? null),
}

/** What a value stands for; undefined for a variable that was not given. @throws Problem `invalid` · `graphql.argument-malformed` */
export function literalOf(node: ValueNode, variables: Question['variables']): Value | undefined {
  const read = literals[node.kind]
  if (read === undefined)
    throw refused({ loc: node.loc }, 'graphql.argument-malformed', 'No argument here is an object.')
  return read(node as never, variables)
}
