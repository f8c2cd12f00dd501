import type { Resource } from '#fhir'
import { overlaid } from '../overlay.ts'
import { saysTheSame } from '../same.ts'
import type { Amendment, Mapped } from './items.ts'

/** A resource that a batch writes once, with the items that it came of. */
export interface Gathered {
  readonly resource: Mapped['resource']
  /** Items whose fate is that of the resource. */
  readonly said: readonly Mapped[]
  /** Items that say what one of the others says. */
  readonly repeated: readonly Mapped[]
  /** What the batch changes in it besides. */
  readonly changes?: readonly Amendment[]
}

/** What a batch writes, each resource once, by `Type/id`. */
export function gather(items: readonly Mapped[]): ReadonlyMap<string, Gathered> {
  const gathered = new Map<string, Gathered>()
  for (const item of items) {
    const key = `${item.resource.resourceType}/${item.resource.id}`
    const earlier = gathered.get(key)
    const first = { resource: item.resource, said: [item], repeated: [] }
    gathered.set(key, earlier === undefined ? first : joined(earlier, item))
  }
  return gathered
}

/**
 * The same resource twice: of two equal ones either will do, of two versions the later one, and what one message leaves
 * unsaid the one before it has said.
 */
function joined(earlier: Gathered, item: Mapped): Gathered {
  const next = met(earlier.resource, item)
  if (next === undefined || saysTheSame(earlier.resource, next))
    return { ...earlier, repeated: [...earlier.repeated, item] }
  return { ...earlier, resource: { ...next, id: item.resource.id }, said: [...earlier.said, item] }
}

/** What shall stand where a resource meets one that is there; undefined when that one stays. */
export function met(before: Resource, { resource, mode, over }: Mapped): Resource | undefined {
  if (mode === 'create') return undefined
  if (over !== undefined) return over(before, resource)
  return mode === 'merge' ? overlaid(before, resource) : resource
}
