import { readFileSync } from 'node:fs'

const mappings = new URL('../../mappings/', import.meta.url)

/** A mapping table, e.g. `apple-health/units.json`; each is read once, when it is first needed. */
export function lazyTable<T>(path: string): () => T {
  let table: T | undefined
  return () => {
    table ??= JSON.parse(readFileSync(new URL(path, mappings), 'utf8')) as T
    return table
  }
}

/** Freezes what many resources share, so that a change to one of them would be an error and not a leak. */
export function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const part of Object.values(value)) frozen(part)
  }
  return value
}
