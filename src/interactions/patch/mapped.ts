import { Decimal } from '#fhir'
import type { Steps } from '#kernel'

/**
 * A copy of a JSON value in which each value is what `change` makes of it; what that makes is gone through in its turn, but for a
 * Decimal. Between objects and lists it can be paused.
 */
export function* mapped(value: unknown, change: (value: unknown) => unknown): Steps<unknown> {
  const changed = change(value)
  if (typeof changed !== 'object' || changed === null || changed instanceof Decimal) return changed
  yield
  if (Array.isArray(changed)) {
    const items: unknown[] = []
    for (const item of changed) items.push(yield* mapped(item, change))
    return items
  }
  const members: [string, unknown][] = []
  for (const [name, member] of Object.entries(changed)) members.push([name, yield* mapped(member, change)])
  return Object.fromEntries(members)
}
