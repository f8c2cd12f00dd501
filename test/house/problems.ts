/** The Problems of a room: what its source throws, and what its README promises. */
import { type Node, nameOf, nodesOf, type SourceFile, stringOf } from './source.ts'

export interface Thrown {
  readonly code: string
  /** Undefined where the kind is not written beside the code. */
  readonly kind: string | undefined
  readonly place: string
  /** `file:line`. */
  readonly at: string
}

export interface Listed {
  readonly code: string
  readonly kinds: readonly string[]
}

const codeShape = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*\.[a-z0-9]+(?:-[a-z0-9]+)*$/

/** Every `new Problem(kind, code, …)` whose code is written out, both branches of a choice included. */
export function thrownIn(file: SourceFile): readonly Thrown[] {
  const found: Thrown[] = []
  for (const node of nodesOf(file.body)) {
    if (node.type !== 'NewExpression' || (node.callee as Node).value !== 'Problem') continue
    const [kind, code] = ((node.arguments ?? []) as readonly { readonly expression: unknown }[]).map(
      it => it.expression,
    )
    const kinds = choicesOf(kind)
    for (const text of choicesOf(code))
      found.push({ code: text, kind: kinds.length === 1 ? kinds[0] : undefined, place: file.place, at: at(file, node) })
  }
  return found
}

function choicesOf(value: unknown): readonly string[] {
  const text = stringOf(value)
  if (text !== undefined) return [text]
  const node = value as Node | undefined
  return node?.type === 'ConditionalExpression' ? [...choicesOf(node.consequent), ...choicesOf(node.alternate)] : []
}

/** Codes in rows of a table, `{ code: 'x.y', kind: 'invalid' }`. */
function tabledIn(file: SourceFile): readonly Thrown[] {
  const found: Thrown[] = []
  for (const node of nodesOf(file.body)) {
    if (node.type !== 'ObjectExpression') continue
    const code = stringOf(propertyOf(node, 'code'))
    const kind = stringOf(propertyOf(node, 'kind'))
    if (code !== undefined && codeShape.test(code)) found.push({ code, kind, place: file.place, at: at(file, node) })
  }
  return found
}

function propertyOf(object: Node, name: string): unknown {
  const properties = object.properties as readonly Node[]
  return properties.find(one => one.type === 'KeyValueProperty' && nameOf(one.key) === name)?.value
}

/** Codes handed to a function of the room that makes a Problem of what it is given. */
function handedIn(file: SourceFile, makers: ReadonlySet<string>): readonly Thrown[] {
  const found: Thrown[] = []
  for (const node of nodesOf(file.body)) {
    if (node.type !== 'CallExpression' || !makers.has(nameOf(node.callee) ?? '')) continue
    for (const { expression } of node.arguments as readonly { readonly expression: unknown }[])
      for (const code of choicesOf(expression))
        if (codeShape.test(code)) found.push({ code, kind: undefined, place: file.place, at: at(file, node) })
  }
  return found
}

/** Names of functions whose `new Problem` takes a code that is not written there. */
function makersIn(file: SourceFile): readonly string[] {
  return [...nodesOf(file.body)].flatMap(node => {
    const [name, body] = functionOf(node)
    return name !== undefined && [...nodesOf(body)].some(isOpenProblem) ? [name] : []
  })
}

function functionOf(node: Node): readonly [name: string | undefined, body: unknown] {
  if (node.type === 'FunctionDeclaration') return [nameOf(node.identifier), node.body]
  const isArrow = node.type === 'VariableDeclarator' && (node.init as Node | null)?.type === 'ArrowFunctionExpression'
  return isArrow ? [nameOf(node.id), node.init] : [undefined, undefined]
}

function isOpenProblem(node: Node): boolean {
  if (node.type !== 'NewExpression' || nameOf(node.callee) !== 'Problem') return false
  const [, code] = (node.arguments ?? []) as readonly { readonly expression: unknown }[]
  return choicesOf(code?.expression).length === 0
}

function at(file: SourceFile, node: Node): string {
  return `${file.path}:${file.line(node)}`
}

/** The rows of the table under `## Problems`: `| code | kind | when |`. */
export function listedIn(readme: string): readonly Listed[] {
  const [, section = ''] = /^## Problems\s*\n([\s\S]*?)(?=^## |$(?![\s\S]))/m.exec(readme) ?? []
  const rows = section.split('\n').filter(line => line.trimStart().startsWith('|'))
  return rows.slice(2).map(row => {
    const [code = '', kinds = ''] = row
      .split('|')
      .slice(1)
      .map(cell => cell.replaceAll('`', '').trim())
    return { code, kinds: kinds.split(/[\s,/·]+/) }
  })
}

/** Everything the room throws: written at `new Problem`, in a table, or handed to a function that makes one. */
export function thrownBy(files: readonly SourceFile[]): readonly Thrown[] {
  const makers = new Set(files.flatMap(makersIn))
  return files.flatMap(file => [...thrownIn(file), ...tabledIn(file), ...handedIn(file, makers)])
}

/** Every string written in the files: a listed code that is among them is not forgotten, wherever it is kept. */
function stringsIn(files: readonly SourceFile[]): ReadonlySet<string> {
  const strings = files.flatMap(file => [...nodesOf(file.body)].map(stringOf))
  return new Set(strings.filter(text => text !== undefined))
}

/** What is thrown and not listed, listed and not thrown, or listed under another kind. */
export function faultsOfRoom(readmePath: string, readme: string, files: readonly SourceFile[]): readonly string[] {
  const listed = listedIn(readme)
  const thrown = thrownBy(files)
  const rows = new Map(listed.map(row => [row.code, row]))
  const unlisted = thrown
    .filter(({ code }) => !rows.has(code))
    .map(it => `${it.at} throws ${it.code}, not in ${readmePath}`)
  const otherKind = thrown
    .filter(({ code, kind }) => kind !== undefined && rows.get(code)?.kinds.includes(kind) === false)
    .map(
      ({ at, code, kind }) => `${at} throws ${code} as ${kind}; ${readmePath} says ${rows.get(code)?.kinds.join(' ')}`,
    )
  const codes = stringsIn(files)
  const unthrown = listed
    .filter(({ code }) => !codes.has(code))
    .map(({ code }) => `${readmePath} lists ${code}, never thrown`)
  return [...new Set([...unlisted, ...otherKind, ...unthrown])].sort()
}
