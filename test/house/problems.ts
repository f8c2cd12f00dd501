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

/** String literals that look like codes: those of tables, and those handed to a function that makes the Problem. */
export function codeLiteralsIn(file: SourceFile): readonly Thrown[] {
  const found: Thrown[] = []
  const paths = new Set(elementPathsIn(file))
  for (const node of nodesOf(file.body)) {
    const text = stringOf(node)
    if (text !== undefined && codeShape.test(text) && !paths.has(node))
      found.push({ code: text, kind: undefined, place: file.place, at: at(file, node) })
  }
  return found
}

/** What stands at `expression:` names an element, and an element's path may look like a code. */
function* elementPathsIn(file: SourceFile): Generator<Node> {
  for (const node of nodesOf(file.body))
    if (node.type === 'KeyValueProperty' && nameOf(node.key) === 'expression') yield* nodesOf(node.value)
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

/** `search.modifier-unknown` → `search` */
export function familyOf(code: string): string {
  return code.slice(0, code.indexOf('.'))
}

/** Everything the room throws: written at `new Problem`, or a literal of a family that the room uses. */
export function thrownBy(files: readonly SourceFile[], listed: readonly Listed[]): readonly Thrown[] {
  const direct = files.flatMap(thrownIn)
  const families = new Set([...direct, ...listed].map(({ code }) => familyOf(code)))
  const literals = files.flatMap(codeLiteralsIn).filter(({ code }) => families.has(familyOf(code)))
  return [...direct, ...literals]
}

/** What is thrown and not listed, listed and not thrown, or listed under another kind. */
export function faultsOfRoom(readmePath: string, readme: string, files: readonly SourceFile[]): readonly string[] {
  const listed = listedIn(readme)
  const thrown = thrownBy(files, listed)
  const rows = new Map(listed.map(row => [row.code, row]))
  const unlisted = thrown
    .filter(({ code }) => !rows.has(code))
    .map(it => `${it.at} throws ${it.code}, not in ${readmePath}`)
  const otherKind = thrown
    .filter(({ code, kind }) => kind !== undefined && rows.get(code)?.kinds.includes(kind) === false)
    .map(
      ({ at, code, kind }) => `${at} throws ${code} as ${kind}; ${readmePath} says ${rows.get(code)?.kinds.join(' ')}`,
    )
  const codes = new Set(thrown.map(({ code }) => code))
  const unthrown = listed
    .filter(({ code }) => !codes.has(code))
    .map(({ code }) => `${readmePath} lists ${code}, never thrown`)
  return [...new Set([...unlisted, ...otherKind, ...unthrown])].sort()
}
