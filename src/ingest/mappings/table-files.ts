import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Problem } from '#kernel'
import { type Finding, readTable, type Table } from './read-table.ts'

/** A table is a file that people read; the largest of ours has an eighth of this. */
const mostBytes = 1024 * 1024
const shippedFolder = new URL('../../../mappings/', import.meta.url)

/** What was read of a folder. */
export interface TableFolder {
  readonly tables: ReadonlyMap<string, Table>
  readonly findings: readonly Finding[]
}

/** The JSON files of a folder and those in its folders, `apple-health/units.json`, without the schemas. */
function jsonIn(folder: string | URL): readonly string[] {
  const here = readdirSync(folder, { withFileTypes: true })
  const inside = here
    .filter(entry => !entry.isFile() && !entry.name.startsWith('.'))
    .flatMap(({ name }) => namesIn(folder, name).map(file => `${name}/${file}`))
  const files = here.filter(entry => !entry.isDirectory()).map(({ name }) => name)
  return [...files, ...inside].filter(name => name.endsWith('.json') && !name.endsWith('.schema.json')).sort()
}

/** A link may lead to a folder, to a file or nowhere. */
function namesIn(folder: string | URL, name: string): readonly string[] {
  try {
    return readdirSync(folder instanceof URL ? new URL(`${name}/`, folder) : join(folder, name))
  } catch {
    return []
  }
}

/** The names of all tables there are. */
export const tableNames: readonly string[] = jsonIn(shippedFolder)

/** The tables that come with the server. */
export function shippedTables(): TableFolder {
  return readAll(tableNames, name => read(name, new URL(name, shippedFolder)))
}

/**
 * The tables in a folder of one's own.
 *
 * @throws Problem `not-found` · `ingest.mappings-unreadable`
 */
export function tablesIn(folder: string): TableFolder {
  return readAll(ownNames(folder), name =>
    ownable(name)
      ? read(name, join(folder, name))
      : { findings: [whole(name, 'There is no table of this name, so nothing reads it.')] },
  )
}

/** What Consents are judged by is read before any folder, and from one place. */
function ownable(name: string): boolean {
  return tableNames.includes(name) && !name.startsWith('labels/')
}

function ownNames(folder: string): readonly string[] {
  try {
    return jsonIn(folder)
  } catch (cause) {
    const text = 'The folder of mapping tables is no folder, or cannot be read.'
    throw new Problem('not-found', 'ingest.mappings-unreadable', text, { cause })
  }
}

function readAll(names: readonly string[], readOne: (name: string) => ReturnType<typeof read>): TableFolder {
  const all = names.map(name => ({ name, ...readOne(name) }))
  return {
    tables: new Map(all.flatMap(({ name, table }) => (table === undefined ? [] : [[name, table] as const]))),
    findings: all.flatMap(({ findings }) => findings),
  }
}

function whole(file: string, text: string): Finding {
  return { file, pointer: '', line: 1, text }
}

function read(name: string, path: string | URL): { readonly table?: Table; readonly findings: Finding[] } {
  try {
    const facts = statSync(path)
    if (!facts.isFile()) return { findings: [whole(name, 'This is no file.')] }
    if (facts.size > mostBytes) return { findings: [whole(name, 'The file is larger than 1 MB, and so is no table.')] }
    return readTable(name, new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path)))
  } catch (cause) {
    if (cause instanceof TypeError) return { findings: [whole(name, 'The file is not UTF-8.')] }
    return { findings: [whole(name, 'The file cannot be read.')] }
  }
}

/** What tells that the tables in a folder are others than before, without reading them. */
export function stampOf(folder: string): string {
  return tableNames.map(name => stampOfFile(join(folder, name))).join()
}

/** What cannot be looked at, for a link that leads to itself or a folder that may not be entered, is told when it is read. */
function stampOfFile(path: string): string {
  try {
    const facts = statSync(path, { bigint: true, throwIfNoEntry: false })
    return facts === undefined ? '' : `${facts.ino} ${facts.size} ${facts.mtimeNs} ${facts.ctimeNs}`
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code ?? 'unknown'
  }
}
