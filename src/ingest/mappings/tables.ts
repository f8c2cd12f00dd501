import { below } from './read-table.ts'

/** Tables that fit their schemas, by name. */
export type Tables = ReadonlyMap<string, unknown>

/** Says what is wrong, and in which table something is not that is referred to. */
export type Tell = (at: Place, text: string, missingIn?: string) => void

/** A place in a table. */
export interface Place {
  readonly file: string
  readonly pointer: string
}

/** A value with its place. */
export interface Found extends Place {
  readonly value: unknown
  /** The name or the number under which it stands. */
  readonly key: string
}

type Node = Readonly<Record<string, unknown>>

export function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * The values at a path: names, `*` for every entry of a list and every member of an object, `**` for all that lies below.
 *
 * @param path  e.g. `rows`, any entry, `loinc`, any entry, with slashes between
 */
export function valuesAt(tables: Tables, file: string, path: string): readonly Found[] {
  const root: Found = { file, pointer: '', key: '', value: tables.get(file) }
  return path.split('/').reduce((found, step) => found.flatMap(one => stepInto(one, step)), [root])
}

function stepInto(found: Found, step: string): Found[] {
  if (step === '**') return [found, ...partsOf(found).flatMap(part => stepInto(part, step))]
  return partsOf(found).filter(({ key }) => step === '*' || key === step)
}

/** Rules look at the same parts again and again; a value stands in one place. */
const parts = new WeakMap<object, readonly Found[]>()

/** The members of an object, the entries of a list. */
export function partsOf({ file, pointer, value }: Found): readonly Found[] {
  if (typeof value !== 'object' || value === null) return []
  const known = parts.get(value)
  if (known !== undefined) return known
  const made = Object.entries(value).map(([key, part]) => ({ file, pointer: below(pointer, key), key, value: part }))
  parts.set(value, made)
  return made
}

/** The member of this name with its place, in a list of one; an empty one when there is none. */
export function partsNamed(found: Found, name: string): readonly Found[] {
  return partsOf(found).filter(({ key }) => key === name)
}

/** The rows of a map, or of a set. */
export function rowsOf(found: Found): readonly Found[] {
  return partsNamed(found, 'rows').flatMap(partsOf)
}

/** A member of an object; undefined when there is none. */
export function memberOf(value: unknown, name: string): unknown {
  return isNode(value) && Object.hasOwn(value, name) ? value[name] : undefined
}

/** The texts at a path. */
export function textsAt(tables: Tables, file: string, path: string): ReadonlySet<string> {
  return new Set(valuesAt(tables, file, path).map(({ value }) => String(value)))
}
