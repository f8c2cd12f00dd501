import { type DirectiveNode, type FieldNode, Kind, print, type SelectionNode, type SelectionSetNode } from 'graphql'
import { literalOf, type Question, type Value } from './document.ts'
import { refused } from './faults.ts'
import { isOfType, type Position } from './fields.ts'

/** A field that is asked for, with all selections of the same name in the answer put together. */
export interface Chosen {
  /** The name in the answer. */
  readonly key: string
  readonly name: string
  readonly node: FieldNode
  readonly sets: readonly SelectionSetNode[]
  readonly args: ReadonlyMap<string, Value>
  readonly how: Arrangement
}

/** How the answer is arranged otherwise than what is asked. @see https://hl7.org/fhir/R4/graphql.html#flattening */
export interface Arrangement {
  readonly flatten: boolean
  readonly first: boolean
  readonly singleton: boolean
  /** FHIRPath of what is appended to names. */
  readonly slice: string | undefined
}

/**
 * The fields that are asked for on a position: fragments are gone into, what is skipped is left out.
 *
 * @throws Problem `invalid` · `graphql.selection-malformed`, `graphql.directive-unknown`, `graphql.argument-malformed`
 */
export function choose(sets: readonly SelectionSetNode[], position: Position, question: Question): readonly Chosen[] {
  const groups = new Map<string, FieldNode[]>()
  const spread = new Set<string>()
  const visit = (set: SelectionSetNode) => {
    for (const selection of set.selections) if (isWanted(selection, question)) add(selection)
  }
  const add = (selection: SelectionNode) => {
    if (selection.kind === Kind.FIELD) {
      const key = selection.alias?.value ?? selection.name.value
      groups.set(key, [...(groups.get(key) ?? []), selection])
    } else if (selection.kind === Kind.INLINE_FRAGMENT) {
      const on = selection.typeCondition?.name.value
      if (on === undefined || isOfType(position, on)) visit(selection.selectionSet)
    } else if (!spread.has(selection.name.value)) {
      spread.add(selection.name.value)
      const fragment = question.fragments.get(selection.name.value)
      if (fragment === undefined)
        throw refused({ loc: selection.loc }, 'graphql.selection-malformed', 'There is no fragment of that name.')
      if (isOfType(position, fragment.typeCondition.name.value)) visit(fragment.selectionSet)
    }
  }
  for (const set of sets) visit(set)
  return Array.from(groups, ([key, nodes]) => together(key, nodes, question))
}

/** @see https://spec.graphql.org/October2021/#sec-Field-Selection-Merging */
function together(key: string, nodes: readonly FieldNode[], question: Question): Chosen {
  const [node, ...more] = nodes as [FieldNode, ...FieldNode[]]
  if (more.some(other => headOf(other) !== headOf(node)))
    throw refused(
      { loc: node.loc },
      'graphql.selection-malformed',
      'Two fields would have one name in the answer, and are not the same; an alias tells them apart.',
    )
  return {
    key,
    name: node.name.value,
    node,
    sets: nodes.flatMap(({ selectionSet }) => selectionSet ?? []),
    args: argumentsOf(node, question),
    how: arrangementOf(node.directives ?? [], question),
  }
}

function headOf({ name, arguments: args = [], directives = [] }: FieldNode): string {
  const arranging = directives.filter(each => Object.hasOwn(arranged, each.name.value))
  return [name.value, ...args.map(print), ...arranging.map(print)].join(' ')
}

function argumentsOf(node: FieldNode, { variables }: Question): ReadonlyMap<string, Value> {
  const args = new Map<string, Value>()
  for (const { name, value, loc } of node.arguments ?? []) {
    if (args.has(name.value)) throw refused({ loc }, 'graphql.argument-malformed', 'An argument is given twice.')
    const given = literalOf(value, variables)
    if (given !== undefined && given !== null) args.set(name.value, given)
  }
  return args
}

function isWanted({ directives = [] }: SelectionNode, { variables }: Question): boolean {
  return directives.every(directive => {
    const { value: name } = directive.name
    if (name !== 'skip' && name !== 'include') return true
    return truth(directive, variables) === (name === 'include')
  })
}

function truth(directive: DirectiveNode, variables: Question['variables']): boolean {
  const value = onlyArgument(directive, 'if', variables)
  if (typeof value === 'boolean') return value
  throw refused(
    { loc: directive.loc },
    'graphql.argument-malformed',
    'skip and include need if, which is true or false.',
  )
}

function onlyArgument({ arguments: args = [] }: DirectiveNode, name: string, variables: Question['variables']) {
  const [argument, more] = args
  return argument?.name.value === name && more === undefined ? literalOf(argument.value, variables) : undefined
}

const arranged = { flatten: 0, first: 0, singleton: 0, slice: 1 } as const

function arrangementOf(directives: readonly DirectiveNode[], { variables }: Question): Arrangement {
  const given = new Map(directives.map(each => [each.name.value, each]))
  for (const [name, { loc, arguments: args = [] }] of given)
    if (!isKnown(name, args.length))
      throw refused(
        { loc },
        'graphql.directive-unknown',
        'The directives are skip, include, flatten, first, singleton and slice, with the arguments that FHIR gives them.',
      )
  const slice = given.get('slice')
  return {
    flatten: given.has('flatten'),
    first: given.has('first'),
    singleton: given.has('singleton'),
    slice: slice === undefined ? undefined : pathOf(slice, variables),
  }
}

function isKnown(name: string, args: number): boolean {
  if (name === 'skip' || name === 'include') return true
  return Object.hasOwn(arranged, name) && arranged[name as keyof typeof arranged] === args
}

/** The page writes both `slice(path: …)` and `slice(fhirpath)`. */
function pathOf(slice: DirectiveNode, variables: Question['variables']): string {
  const path = onlyArgument(slice, 'path', variables) ?? onlyArgument(slice, 'fhirpath', variables)
  if (typeof path === 'string') return path
  throw refused({ loc: slice.loc }, 'graphql.argument-malformed', 'slice needs path, an expression of FHIRPath.')
}
