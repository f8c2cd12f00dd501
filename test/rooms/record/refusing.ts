/** Real parts, of which one refuses some calls for as long as it is to. */
export function refusing<T extends object>(
  part: T,
  refusal: Error,
  refuses: (name: string, args: readonly unknown[]) => boolean,
) {
  const state = { isOver: false }
  const proxy = new Proxy(part, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      return (...args: unknown[]) =>
        !state.isOver && refuses(String(name), args) ? Promise.reject(refusal) : value.apply(target, args)
    },
  })
  return { state, part: proxy }
}
