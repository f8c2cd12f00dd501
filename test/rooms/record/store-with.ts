import type { Store } from '#store'

/** A store of which some methods do something else; all others are its own. */
export function storeWith(store: Store, others: Partial<Store>): Store {
  return new Proxy(store, {
    get: (of, name) => {
      const other = Reflect.get(others, name)
      if (other !== undefined) return other
      const member = Reflect.get(of, name)
      return typeof member === 'function' ? member.bind(of) : member
    },
  })
}
