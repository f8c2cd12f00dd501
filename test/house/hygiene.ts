/** Habits that the house does without, each as a row: what is looked for, and where it is allowed. */
import { type Node, nameOf, nodesOf, type SourceFile } from './source.ts'

interface Habit {
  readonly what: string
  readonly found: (node: Node) => boolean
  /** Whether a file is free to do it. */
  readonly allowed?: (path: string) => boolean
}

const inVault = (path: string) => path.startsWith('src/vault/')
const inAccess = (path: string) => path.startsWith('src/access/')
const printsToTerminal = (path: string) => /^src\/(main\.ts|commands\/)|^test\/(bench\/|count\.ts)/.test(path)

export const habits: readonly Habit[] = [
  { what: 'any', found: node => node.type === 'TsKeywordType' && node.kind === 'any' },
  { what: 'as unknown as', found: node => isCast(node) && isCastTo(node.expression, 'unknown') },
  { what: '<type> cast', found: node => node.type === 'TsTypeAssertion' },
  { what: 'enum', found: node => node.type === 'TsEnumDeclaration' },
  { what: 'namespace', found: node => node.type === 'TsModuleDeclaration' && node.declare !== true },
  { what: 'parameter property', found: node => node.type === 'TsParameterProperty' },
  { what: 'empty catch', found: node => node.type === 'CatchClause' && isEmptyBlock(node.body) },
  { what: 'swallowing .catch()', found: isSwallowing },
  { what: 'console', found: node => isMemberOf(node, /^console$/, /./), allowed: printsToTerminal },
  { what: 'eval', found: node => node.type === 'CallExpression' && nameOf(node.callee) === 'eval' },
  { what: 'new Function', found: node => node.type === 'NewExpression' && nameOf(node.callee) === 'Function' },
  { what: 'as Sealed', found: node => isCast(node) && namesType(node, 'Sealed'), allowed: inVault },
  { what: 'as Restricted', found: node => isCast(node) && namesType(node, 'Restricted'), allowed: inAccess },
]

export const testHabits: readonly Habit[] = [
  // Tests of the store and of search stand below the rooms that mint these, and make their own.
  ...habits.filter(({ what }) => what !== 'as Sealed' && what !== 'as Restricted'),
  {
    what: 'skip, only or todo',
    found: node => isMemberOf(node, /^(describe|it|test|each)$/, /^(skip|only|todo|failing)$/),
  },
  {
    what: 'skipping alias',
    found: node => node.type === 'CallExpression' && /^([xf](it|describe)|xtest)$/.test(nameOf(node.callee) ?? ''),
  },
]

/** A habit found, and where: `file:line`. */
export interface Found {
  readonly what: string
  readonly at: string
}

/** The habits found in a file, in one walk. */
export function habitsIn(file: SourceFile, wanted: readonly Habit[]): readonly Found[] {
  const faults: Found[] = []
  for (const node of nodesOf(file.body))
    for (const { what, found, allowed } of wanted)
      if (found(node) && allowed?.(file.path) !== true) faults.push({ what, at: `${file.path}:${file.line(node)}` })
  return faults
}

function isCast(node: Node): boolean {
  return node.type === 'TsAsExpression'
}

function isCastTo(value: unknown, keyword: string): boolean {
  const node = value as Node
  if (node.type === 'ParenthesisExpression') return isCastTo(node.expression, keyword)
  return isCast(node) && (node.typeAnnotation as Node).kind === keyword
}

function namesType(node: Node, name: string): boolean {
  const [annotation] = [...nodesOf(node.typeAnnotation)]
  return annotation?.type === 'TsTypeReference' && nameOf(annotation.typeName) === name
}

function isEmptyBlock(value: unknown): boolean {
  const statements = (value as Node | null)?.stmts
  return Array.isArray(statements) && statements.length === 0
}

/** `.catch(() => {})`: whoever drops an error must look at it first. */
function isSwallowing(node: Node): boolean {
  if (node.type !== 'CallExpression' || !isMemberOf(node.callee as Node, /./, /^catch$/)) return false
  const [handler] = (node.arguments as readonly { readonly expression: Node }[]).map(it => it.expression)
  return handler?.type === 'ArrowFunctionExpression' && isEmptyBlock(handler.body)
}

function isMemberOf(node: Node, object: RegExp, property: RegExp): boolean {
  if (node.type !== 'MemberExpression') return false
  const owner = node.object as Node
  const names = [nameOf(owner), nameOf(owner.property)].filter(name => name !== undefined)
  const isAnything = object.source === '.'
  return (isAnything || names.some(name => object.test(name))) && property.test(nameOf(node.property) ?? '')
}

/** Words that no committed text may hold, as a pattern and its name. */
const words: readonly (readonly [what: string, pattern: RegExp])[] = [
  ['a path of one machine', /(?<![\w.:~/-])\/(?:work|root|home|Users|mnt)\/[\w.-]/],
  ['a path beside the repository', /\.\.\/shared\b/],
  ['a type check switched off', /@ts-(?:ignore|expect-error|nocheck)/],
  ['something left undone', /\b(?:TODO|FIXME|XXX)\b/],
]

/** Faults of a text, line by line. */
export function wordsIn(path: string, text: string): readonly string[] {
  const faults: string[] = []
  for (const [what, pattern] of words)
    if (pattern.test(text))
      text.split('\n').forEach((line, at) => {
        if (pattern.test(line)) faults.push(`${path}:${at + 1} ${what}`)
      })
  return faults
}
