/** What a request makes a store give and a vault open. */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Entry, Store } from '#store'
import type { CompartmentKeys, Vault } from '#vault'

/** What was asked of a store, how many sealed bytes of versions it gave, and how many of them were opened. */
export interface Work {
  readonly calls: string[]
  bytes: number
  opened: number
}

/** Of the request that is being answered: what the record does by itself in the meantime is nobody's. */
const working = new AsyncLocalStorage<Work>()

/** What some work asks for. */
export async function workOf<T>(work: () => Promise<T>): Promise<Work & { readonly answer: T }> {
  const done: Work = { calls: [], bytes: 0, opened: 0 }
  const answer = await working.run(done, work)
  return { ...done, calls: [...done.calls], answer }
}

/**
 * Conditions share 65,536 documents by chance, and the revision of one that was looked at is kept: which of them is asked of the
 * store is drawn with the house's keys, and tells nothing of what others have.
 */
const isDrawn = (name: string, given: readonly unknown[]) => name === 'document' && given[0] === 'claims'

/** A real store, of which each call is counted. */
export function counted(store: Store): Store {
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      return (...given: unknown[]) => {
        const work = working.getStore()
        if (!isDrawn(String(name), given)) work?.calls.push(String(name))
        const answer: unknown = value.apply(target, given)
        return work !== undefined && answer instanceof Promise ? answer.then(found => weigh(found, work)) : answer
      }
    },
  })
}

function weigh<T>(found: T, work: Work): T {
  for (const each of Array.isArray(found) ? found : [found])
    if (typeof each === 'object' && each !== null && 'locator' in each && 'sealed' in each)
      work.bytes += (each.sealed as Uint8Array).length
  return found
}

/** A real vault, of whose compartments each opened entry is counted. */
export function countedVault(vault: Vault): Vault {
  return withOwn(vault, {
    compartment: async id => {
      const keys: CompartmentKeys = await vault.compartment(id)
      const openEntry = (entry: Entry) => {
        const work = working.getStore()
        if (work !== undefined) work.opened += entry.sealed.length
        return keys.openEntry(entry)
      }
      return withOwn(keys, { openEntry })
    },
  })
}

/** An object of which some members are others. */
function withOwn<T extends object>(whole: T, own: Partial<T>): T {
  return new Proxy(whole, {
    get(target, name) {
      const value: unknown = Reflect.get(name in own ? own : target, name, name in own ? own : target)
      return typeof value === 'function' && !(name in own) ? value.bind(target) : value
    },
  })
}
