/** The house in numbers, so that drift is seen before it is felt. Nothing here is a limit. */
import { type Node, nodesOf, type SourceFile } from './source.ts'

const functionTypes: ReadonlySet<string> = new Set([
  'FunctionDeclaration',
  'FunctionExpression',
  'ClassMethod',
  'PrivateMethod',
  'Constructor',
  'MethodProperty',
])

function isFunction(node: Node): boolean {
  return functionTypes.has(node.type) || (node.type === 'ArrowFunctionExpression' && 'stmts' in (node.body as Node))
}

interface Sized {
  readonly name: string
  readonly lines: number
}

function functionsOf(file: SourceFile): readonly Sized[] {
  const found: Sized[] = []
  for (const node of nodesOf(file.body))
    if (isFunction(node)) found.push({ name: `${file.path}:${file.line(node)}`, lines: file.lines(node) })
  return found
}

function filesOf(files: readonly SourceFile[]): readonly Sized[] {
  return files.map(file => ({ name: file.path, lines: file.text.split('\n').length - 1 }))
}

function quantile(sorted: readonly Sized[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]?.lines ?? 0
}

function row(name: string, sized: readonly Sized[]): string {
  const sorted = sized.toSorted((one, other) => one.lines - other.lines)
  const largest = sorted.at(-1)
  const cells = [sorted.length, quantile(sorted, 0.5), quantile(sorted, 0.9), largest?.lines ?? 0]
  return `${name.padEnd(14)}${cells.map(cell => String(cell).padStart(8)).join('')}  ${largest?.name ?? ''}\n`
}

const heading = (what: string) =>
  `${what.padEnd(14)}${['count', 'median', 'p90', 'max'].map(it => it.padStart(8)).join('')}\n`

/** Lines of files and of functions, for each place and for all of src. */
export function houseReport(files: readonly SourceFile[]): string {
  const places = [...new Set(files.map(file => file.place))]
  const of = (place: string) => files.filter(file => file.place === place)
  return [
    `\n${heading('file lines')}`,
    ...places.map(place => row(place, filesOf(of(place)))),
    row('src', filesOf(files)),
    `\n${heading('function lines')}`,
    ...places.map(place => row(place, of(place).flatMap(functionsOf))),
    row('src', files.flatMap(functionsOf)),
  ].join('')
}
