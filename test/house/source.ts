/** The tree as text and as syntax: what the checks of the house read. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseSync } from '@swc/core'

export const root = fileURLToPath(new URL('../..', import.meta.url))

/** A node of the syntax tree, as far as these checks look at it. */
export interface Node {
  readonly type: string
  readonly span?: { readonly start: number; readonly end: number }
  readonly [part: string]: unknown
}

export interface SourceFile {
  /** From the root of the repository, with slashes: `src/kernel/problem.ts`. */
  readonly path: string
  readonly text: string
  /** The room's name, `main` or `config`, `test` for everything else. */
  readonly place: string
  readonly body: readonly Node[]
  /** Where a node begins, as an offset into `text`. */
  offset(node: Node): number
  line(node: Node): number
  lines(node: Node): number
}

export interface ImportedName {
  readonly name: string
  readonly typeOnly: boolean
}

export interface Import {
  readonly specifier: string
  readonly typeOnly: boolean
  readonly names: readonly ImportedName[]
  readonly line: number
}

/** Paths of all files under a folder of the repository, sorted; nothing when the folder is missing. */
export function filesUnder(folder: string, ending = ''): readonly string[] {
  const found: string[] = []
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = folder === '.' ? entry.name : `${folder}/${entry.name}`
    if (isForeign(entry.name)) continue
    if (entry.isDirectory()) found.push(...filesUnder(path, ending))
    else if (path.endsWith(ending)) found.push(path)
  }
  return found.sort()
}

/** Of a linked working tree `.git` is a file, which names a folder of one machine. */
function isForeign(name: string): boolean {
  return name === 'node_modules' || name === '.git' || name === 'data' || name === 'coverage'
}

export function readText(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

/** Every TypeScript file of a folder, parsed. */
export function sourcesUnder(folder: string): readonly SourceFile[] {
  return filesUnder(folder, '.ts').map(path => parseSource(path, readText(path)))
}

/** `src/store/sqlite/x.ts` → store; `src/config.ts` → config; the composition and its commands → main. */
export function placeOf(path: string): string {
  const [, place = 'test'] = /^src\/([^/]+?)(?:\.ts$|\/)/.exec(path) ?? []
  return compositionParts.has(place) ? 'main' : place
}

const compositionParts: ReadonlySet<string> = new Set(['main', 'compose', 'commands'])

export function parseSource(path: string, text: string): SourceFile {
  const bytes = Buffer.from(text)
  const isAscii = bytes.length === text.length
  // The semicolon pins the origin: swc counts spans in bytes from a base of its own.
  const program = parseSync(`;${text}`, { syntax: 'typescript', target: 'es2022' })
  const [origin, ...body] = program.body as unknown[] as Node[]
  const base = (origin?.span?.start ?? 1) + 1
  const at = (byte: number) => (isAscii ? byte - base : bytes.toString('utf8', 0, byte - base).length)
  const offset = (node: Node) => at(node.span?.start ?? base)
  const lineAt = (index: number) => text.slice(0, index).split('\n').length
  return {
    path,
    text,
    place: placeOf(path),
    body,
    offset,
    line: node => lineAt(offset(node)),
    lines: node => lineAt(at(node.span?.end ?? base)) - lineAt(offset(node)) + 1,
  }
}

/** Every node under the given ones, parents first. */
export function* nodesOf(value: unknown): Generator<Node> {
  if (Array.isArray(value)) for (const item of value) yield* nodesOf(item)
  else if (isRecord(value)) {
    if (isNode(value)) yield value
    for (const part of Object.values(value)) if (typeof part === 'object') yield* nodesOf(part)
  }
}

export function isNode(value: unknown): value is Node {
  return isRecord(value) && typeof value.type === 'string'
}

function isRecord(value: unknown): value is { readonly [part: string]: unknown } {
  return typeof value === 'object' && value !== null
}

/** The value of a string literal or of a template without holes. */
export function stringOf(value: unknown): string | undefined {
  if (!isNode(value)) return undefined
  if (value.type === 'StringLiteral') return value.value as string
  if (value.type !== 'TemplateLiteral') return undefined
  const [only, ...more] = value.quasis as readonly { readonly cooked?: string }[]
  return more.length === 0 ? only?.cooked : undefined
}

/** Everything a file imports: declarations, re-exports, `import()` as expression and as type, `require()`. */
export function importsOf(file: SourceFile): readonly Import[] {
  const found: Import[] = []
  for (const node of nodesOf(file.body)) {
    const read = importReaders[node.type]
    const specifier = read === undefined ? undefined : read(node)
    if (specifier !== undefined)
      found.push({ specifier, typeOnly: isTypeOnly(node), names: namesOf(node), line: file.line(node) })
  }
  return found
}

/** What `import(…)` is given when it is not a literal: nobody can check where that leads. */
export const unknownSpecifier = '(computed)'

const importReaders: Readonly<Record<string, (node: Node) => string | undefined>> = {
  ImportDeclaration: node => stringOf(node.source),
  ExportNamedDeclaration: node => stringOf(node.source),
  ExportAllDeclaration: node => stringOf(node.source),
  TsImportType: node => stringOf(node.argument),
  CallExpression: calledImport,
}

function calledImport(node: Node): string | undefined {
  const callee = node.callee as Node
  if (callee.type !== 'Import' && !(callee.type === 'Identifier' && callee.value === 'require')) return undefined
  const [argument] = node.arguments as readonly { readonly expression: unknown }[]
  return stringOf(argument?.expression) ?? unknownSpecifier
}

function isTypeOnly(node: Node): boolean {
  if (node.type === 'TsImportType' || node.typeOnly === true) return true
  const names = namesOf(node)
  return names.length > 0 && names.every(name => name.typeOnly)
}

function namesOf(node: Node): readonly ImportedName[] {
  const specifiers = Array.isArray(node.specifiers) ? node.specifiers.filter(isNode) : []
  return specifiers.map(specifier => ({
    name: importedName(specifier),
    typeOnly: node.typeOnly === true || specifier.isTypeOnly === true,
  }))
}

const wholeModule: Readonly<Record<string, string>> = {
  ImportDefaultSpecifier: 'default',
  ImportNamespaceSpecifier: '*',
  ExportNamespaceSpecifier: '*',
}

function importedName(specifier: Node): string {
  const whole = wholeModule[specifier.type]
  return whole ?? nameOf(specifier.imported) ?? nameOf(specifier.orig) ?? nameOf(specifier.local) ?? '*'
}

/** The name an Identifier or a string-literal name stands for. */
export function nameOf(value: unknown): string | undefined {
  return isNode(value) && typeof value.value === 'string' ? value.value : undefined
}
