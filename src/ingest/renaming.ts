import type { Resource } from '#fhir'

/** What names a resource of a run: an item of a batch. */
export interface Named {
  readonly kind: string
  readonly type?: string
  readonly id?: string
  readonly resource?: Resource & { id: string }
  readonly via?: { readonly type: string; readonly id: string }
}

/** Other ids, by `Type/id`. */
type Ids = ReadonlyMap<string, string>

/** The items under other names, and so is all that they refer to. */
export function renamed<T extends Named>(items: readonly T[], ids: Ids): readonly T[] {
  return ids.size === 0 ? items : items.map(item => itemUnder(item, ids))
}

/** `Type/id` under its other name, if it has one. */
export function nameIn(ids: Ids, name: string): string {
  const id = ids.get(name)
  return id === undefined ? name : `${name.slice(0, name.indexOf('/'))}/${id}`
}

function itemUnder<T extends Omit<Named, 'kind'>>(item: T, ids: Ids): T {
  const id = ids.get(`${typeOf(item)}/${idOf(item)}`) ?? idOf(item)
  if (item.via !== undefined) return { ...item, via: itemUnder(item.via, ids) }
  if (item.resource === undefined) return { ...item, id }
  return { ...item, resource: { ...(turned(item.resource, ids) as Resource), id } }
}

function turned(node: unknown, ids: Ids, name = ''): unknown {
  if (typeof node === 'string') return name === 'reference' ? nameIn(ids, node) : node
  if (Array.isArray(node)) return node.map(entry => turned(entry, ids))
  if (typeof node !== 'object' || node === null || Object.getPrototypeOf(node) !== Object.prototype) return node
  return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, turned(value, ids, key)]))
}

/** The type of what an item writes or changes. */
export function typeOf(item: Omit<Named, 'kind'>): string {
  return item.resource?.resourceType ?? item.type ?? ''
}

/** Its id, under which the item knows it. */
export function idOf(item: Omit<Named, 'kind'>): string {
  return item.resource?.id ?? item.id ?? ''
}
