import type { Amendment } from './items.ts'

/** What a batch changes in resources that are there, or that it writes itself, by `Type/id`. */
export class Amended {
  readonly #changes = new Map<string, Amendment[]>()
  readonly #taken = new Set<string>()

  add(item: Amendment, id: string): void {
    const key = `${item.type}/${id}`
    this.#changes.set(key, [...(this.#changes.get(key) ?? []), item])
  }

  /** Those of a resource, which is written with them: a transaction writes it once. */
  take(key: string): readonly Amendment[] {
    this.#taken.add(key)
    return this.#changes.get(key) ?? []
  }

  /** Those of resources that were not written otherwise. */
  left(): readonly (readonly [string, readonly Amendment[]])[] {
    return [...this.#changes].filter(([key]) => !this.#taken.has(key))
  }
}
