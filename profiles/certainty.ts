import { parse } from 'fhirpath'

/**
 * What must be so of an object for an invariant to hold for certain, told from which elements are there and what its codes are:
 * `["has", "value"]` at least one is there, `["lacks", "value"]` none is, `["valued", "start"]` it has a value of its own,
 * `["is", "type", …codes]` and `["isNot", "type", …codes]` it is one text that is, or is not, among them.
 */
export type Certainty =
  | boolean
  | readonly ['any' | 'all', ...Certainty[]]
  | readonly ['has' | 'lacks' | 'valued' | 'is' | 'isNot', string, ...string[]]

interface Branch {
  readonly type: string
  readonly text?: string
  readonly children?: readonly Branch[]
}

/** Functions of which nothing comes when nothing goes in. */
const ofEach = new Set(['where', 'select', 'ofType', 'as', 'first', 'last', 'tail', 'trace'])
const wrappers = new Set(['EntireExpression', 'TermExpression', 'InvocationTerm', 'ParenthesizedTerm', 'LiteralTerm'])

/**
 * A sound part of an invariant: where it says yes, the expression is true; elsewhere the expression must be evaluated. `false`
 * when nothing can be told without that. Elements are taken to be valid: no list is empty, nothing is without content (ele-1).
 */
export function certaintyOf(expression: string): Certainty {
  return certain(parse(expression) as Branch, true)
}

function certain(branch: Branch, wanted: boolean): Certainty {
  const node = unwrapped(branch)
  const [left, right] = node.children ?? []
  if (left === undefined) return false
  if (right === undefined) return false
  if (node.type === 'OrExpression' || node.type === 'AndExpression') return ofPair(node.text, left, right, wanted)
  if (node.type === 'ImpliesExpression')
    return wanted ? any(certain(left, false), certain(right, true)) : all(certain(left, true), certain(right, false))
  if (node.type === 'EqualityExpression') return ofEquality(left, right, (node.text === '=') === wanted)
  if (node.type === 'InequalityExpression') return ofCount(left, node.text, unwrapped(right), wanted)
  if (node.type === 'MembershipExpression' && node.text === 'in') return ofMember(left, textsOf(right), wanted)
  return node.type === 'InvocationExpression' ? ofFunction(left, unwrapped(right), wanted) : false
}

function ofPair(operator: string | undefined, left: Branch, right: Branch, wanted: boolean): Certainty {
  if (operator === 'xor') return differ(left, right, wanted)
  const both = [certain(left, wanted), certain(right, wanted)] as const
  return (operator === 'or') === wanted ? any(...both) : all(...both)
}

/** Both are told, and differ or not. */
function differ(left: Branch, right: Branch, wanted: boolean): Certainty {
  return any(all(certain(left, true), certain(right, !wanted)), all(certain(left, false), certain(right, wanted)))
}

function ofEquality(left: Branch, right: Branch, wanted: boolean): Certainty {
  const texts = textsOf(right)
  return texts === undefined ? differ(left, right, !wanted) : ofMember(left, texts, wanted)
}

function ofMember(left: Branch, texts: readonly string[] | undefined, wanted: boolean): Certainty {
  const name = nameOf(left)
  return name === undefined || texts === undefined ? false : [wanted ? 'is' : 'isNot', name, ...texts]
}

function ofFunction(input: Branch, invocation: Branch, wanted: boolean): Certainty {
  if (invocation.type !== 'FunctionInvocation') return false
  const parameters = invocation.children?.[0]?.children?.length ?? 0
  if (invocation.text === 'not') return certain(input, !wanted)
  if (invocation.text === 'all' || invocation.text === 'isDistinct') return wanted ? lacks(input) : false
  if (invocation.text === 'hasValue') return wanted ? named('valued', input) : lacks(input)
  if (parameters > 1 || (invocation.text !== 'exists' && invocation.text !== 'empty')) return false
  return (invocation.text === 'exists') === wanted ? named('has', input) : lacks(input)
}

/** `(identifier.count() + name.count()) > 0`: one of them is there. Of what is not there, there are not more than any number. */
function ofCount(left: Branch, operator: string | undefined, limit: Branch, wanted: boolean): Certainty {
  if (limit.type !== 'NumberLiteral' || (operator !== '>' && operator !== '<=')) return false
  const isMore = (operator === '>') === wanted
  return isMore && limit.text !== '0' ? false : ofSum(left, isMore)
}

function ofSum(branch: Branch, isMore: boolean): Certainty {
  const node = unwrapped(branch)
  const [left, right] = node.children ?? []
  if (left === undefined || right === undefined) return false
  if (node.type === 'AdditiveExpression' && node.text === '+')
    return (isMore ? any : all)(ofSum(left, isMore), ofSum(right, isMore))
  if (!isFunction(right, 'count')) return false
  return isMore ? named('has', left) : lacks(left)
}

function isFunction(branch: Branch, name: string): boolean {
  const node = unwrapped(branch)
  return node.type === 'FunctionInvocation' && node.text === name
}

function named(kind: 'has' | 'valued', input: Branch): Certainty {
  const name = nameOf(input)
  return name === undefined ? false : [kind, name]
}

function lacks(input: Branch): Certainty {
  const head = headOf(input)
  return head === undefined ? false : ['lacks', head]
}

/** The element itself, and not one within it; the type before it, and a trace of it, say nothing more. */
function nameOf(branch: Branch): string | undefined {
  const node = unwrapped(branch)
  if (node.type === 'MemberInvocation') return memberName(node)
  const [left, right] = node.children ?? []
  if (node.type !== 'InvocationExpression' || left === undefined || right === undefined) return undefined
  if (isFunction(right, 'trace')) return nameOf(left)
  return isTypeName(left) && unwrapped(right).type === 'MemberInvocation' ? memberName(unwrapped(right)) : undefined
}

/** The element without which there is nothing. */
function headOf(branch: Branch): string | undefined {
  const node = unwrapped(branch)
  const name = nameOf(node)
  if (name !== undefined) return isTypeName(node) ? undefined : name
  const [left, right] = node.children ?? []
  if (node.type !== 'InvocationExpression' || left === undefined || right === undefined) return undefined
  const last = unwrapped(right)
  const isOfEach =
    last.type === 'MemberInvocation' || (last.type === 'FunctionInvocation' && ofEach.has(last.text ?? ''))
  return isOfEach ? headOf(left) : undefined
}

function isTypeName(branch: Branch): boolean {
  const node = unwrapped(branch)
  return node.type === 'MemberInvocation' && /^[A-Z]/.test(node.text ?? '')
}

function memberName({ text = '' }: Branch): string {
  return text.replace(/^`|`$/g, '')
}

/** Literal texts, alone or joined by `|`. */
function textsOf(branch: Branch): readonly string[] | undefined {
  const node = unwrapped(branch)
  if (node.type === 'StringLiteral') return [(node.text ?? '').slice(1, -1)]
  if (node.type !== 'UnionExpression') return undefined
  const parts = (node.children ?? []).map(textsOf)
  return parts.every(part => part !== undefined) ? parts.flat() : undefined
}

function unwrapped(branch: Branch): Branch {
  const [only, more] = branch.children ?? []
  return only !== undefined && more === undefined && wrappers.has(branch.type) ? unwrapped(only) : branch
}

function any(...parts: readonly Certainty[]): Certainty {
  return joined(
    'any',
    parts.filter(part => part !== false),
  )
}

function all(...parts: readonly Certainty[]): Certainty {
  return parts.includes(false) ? false : joined('all', parts)
}

/** What is joined alike lies in one list, and once. */
function joined(kind: 'any' | 'all', parts: readonly Certainty[]): Certainty {
  const flat = parts.flatMap(part => (isJoined(part, kind) ? part.slice(1) : [part])) as readonly Certainty[]
  const different = flat.filter((part, at) => flat.findIndex(each => isSame(each, part)) === at)
  return different.length > 1 ? [kind, ...different] : (different[0] ?? false)
}

function isJoined(part: Certainty, kind: string): part is readonly ['any' | 'all', ...Certainty[]] {
  return typeof part === 'object' && part[0] === kind
}

function isSame(one: Certainty, other: Certainty): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}
