/** What a door exports, and whether the place that declares it says what it is. */
import { posix } from 'node:path'
import { type Node, nameOf, type SourceFile, stringOf } from './source.ts'

export type Files = ReadonlyMap<string, SourceFile>

/** Exports of a file without a docstring, as `path: name`. Follows re-exports to where the name is declared. */
export function undocumentedIn(file: SourceFile, files: Files): readonly string[] {
  const faults: string[] = []
  for (const node of file.body) {
    if (node.type === 'ExportAllDeclaration') faults.push(`${file.path}: export *; a door names what it gives`)
    for (const { name, from, orig } of exportsOf(node)) {
      const fault = from === undefined ? faultOf(file, orig, files) : faultIn(file, from, orig, files)
      if (fault !== undefined) faults.push(`${file.path}: ${name} ${fault}`)
    }
  }
  return faults
}

interface Exported {
  readonly name: string
  readonly orig: string
  readonly from: string | undefined
}

function exportsOf(node: Node): readonly Exported[] {
  if (node.type === 'ExportNamedDeclaration')
    return (node.specifiers as readonly Node[]).map(specifier => {
      const orig = nameOf(specifier.orig) ?? nameOf(specifier.name) ?? '*'
      return { name: nameOf(specifier.exported) ?? orig, orig, from: stringOf(node.source) }
    })
  if (node.type !== 'ExportDeclaration') return []
  return declaredBy(node.declaration as Node).map(name => ({ name, orig: name, from: undefined }))
}

function declaredBy(declaration: Node): readonly string[] {
  if (declaration.type === 'VariableDeclaration')
    return (declaration.declarations as readonly Node[]).map(one => nameOf(one.id)).filter(name => name !== undefined)
  const name = nameOf(declaration.identifier) ?? nameOf(declaration.id)
  return name === undefined ? [] : [name]
}

/** Follows `export … from` and `import …; export …` until the declaration. */
function faultIn(file: SourceFile, specifier: string, name: string, files: Files): string | undefined {
  if (!specifier.startsWith('.')) return `is re-exported from ${specifier}; a room gives its own`
  const path = posix.normalize(posix.join(posix.dirname(file.path), specifier))
  const target = files.get(path)
  return target === undefined ? `leads to ${path}, which is missing` : faultOf(target, name, files)
}

function faultOf(file: SourceFile, name: string, files: Files): string | undefined {
  for (const node of file.body) {
    const again = exportsOf(node).find(one => one.name === name && one.from !== undefined)
    if (again?.from !== undefined) return faultIn(file, again.from, again.orig, files)
  }
  const declarations = file.body.filter(node => declaredBy(declarationOf(node)).includes(name))
  if (declarations.length === 0) return imported(file, name, files)
  return declarations.some(node => hasDocstring(file, node)) ? undefined : `has no docstring in ${file.path}`
}

function imported(file: SourceFile, name: string, files: Files): string | undefined {
  for (const node of file.body) {
    if (node.type !== 'ImportDeclaration') continue
    const specifier = (node.specifiers as readonly Node[]).find(one => nameOf(one.local) === name)
    if (specifier !== undefined)
      return faultIn(file, stringOf(node.source) ?? '', nameOf(specifier.imported) ?? name, files)
  }
  return `is declared nowhere in ${file.path}`
}

function declarationOf(node: Node): Node {
  return node.type === 'ExportDeclaration' ? (node.declaration as Node) : node
}

/** Whether a `/** … *​/` comment with some words stands right before the node. */
function hasDocstring(file: SourceFile, node: Node): boolean {
  // A word to the formatter may stand between the two.
  const before = file.text.slice(0, file.offset(node)).replace(/(?:\s*^[ \t]*\/\/.*$)*\s*$(?![\s\S])/m, '')
  const openings = [...before.matchAll(/^[ \t]*\/\*\*(?=\s)/gm)]
  const comment = before.slice(openings.at(-1)?.index ?? before.length)
  return comment.indexOf('*/') === comment.length - 2 && comment.replace(/[^a-z]/gi, '').length >= 10
}

/** What is missing in the comment that opens a door. */
export function faultsOfOpening(room: string, text: string): readonly string[] {
  const end = text.indexOf('*/')
  if (!text.startsWith('/**\n') || end < 0) return [`${room}: no opening comment`]
  const lines = text.slice(0, end).trimEnd().split('\n').slice(1)
  const comment = lines.join('\n')
  const wanted: readonly (readonly [what: string, found: boolean])[] = [
    [`first line "${room} – what it is"`, lines[0]?.startsWith(` * ${room} – `) ?? false],
    ['"must never know"', /must never know/.test(comment)],
    ['"The one idea"', /The one idea/.test(comment)],
    ['"Its data"', /Its data/.test(comment)],
    ['"Decisions"', /Decisions/.test(comment)],
    ['at most six lines', lines.length <= 6],
  ]
  return wanted.filter(([, found]) => !found).map(([what]) => `${room}: opening comment lacks ${what}`)
}
