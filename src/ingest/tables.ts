import { AsyncLocalStorage } from 'node:async_hooks'
import { readFileSync } from 'node:fs'

const mappings = new URL('../../mappings/', import.meta.url)

/** The mapping tables as they are at one moment: those of the server, some of one's own in their places. */
export class Edition {
  /** By name, `apple-health/units.json`. */
  readonly own: ReadonlyMap<string, unknown>
  /** What was made of the tables, by what made it. */
  readonly made = new Map<object, unknown>()

  constructor(own: ReadonlyMap<string, unknown>) {
    this.own = own
  }
}

const shipped = new Edition(new Map())
const editions = new AsyncLocalStorage<Edition>()

/** Does work with an edition: all that it begins keeps that one, whatever comes later. */
export function withEdition<T>(edition: Edition, work: () => T): T {
  return editions.run(edition, work)
}

/** What is made of tables, once for each edition, when it is first needed. */
export function perEdition<T>(make: () => T): () => T {
  return () => {
    const { made } = editions.getStore() ?? shipped
    const known = made.get(make) as { readonly value: T } | undefined
    if (known !== undefined) return known.value
    const value = make()
    made.set(make, { value })
    return value
  }
}

const read = new Map<string, unknown>()

function shippedTable(path: string): unknown {
  const known = read.get(path)
  if (known !== undefined) return known
  const table: unknown = JSON.parse(readFileSync(new URL(path, mappings), 'utf8'))
  read.set(path, table)
  return table
}

/** A mapping table, e.g. `apple-health/units.json`; each is read once, when it is first needed. */
export function lazyTable<T>(path: string): () => T {
  return perEdition(() => (editions.getStore()?.own.get(path) ?? shippedTable(path)) as T)
}

/** Freezes what many resources share, so that a change to one of them would be an error and not a leak. */
export function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const part of Object.values(value)) frozen(part)
  }
  return value
}
