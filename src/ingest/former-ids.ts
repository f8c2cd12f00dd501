import type { Txn } from '#record'
import { idOf, type Named, nameIn, renamed, typeOf } from './renaming.ts'

/** Makes an id of facts, as `createFingerprint` does. */
type Fingerprint = (...parts: readonly string[]) => string

/**
 * What was imported for a patient who was merged into another keeps the id that it got under that patient's key. What
 * says the same again, or something newer of it, comes for the one who stayed, and must meet it there.
 */
export class FormerIds {
  readonly #fingerprints: readonly Fingerprint[]
  /** By id under the own key: the ids under those of the others. */
  readonly #others = new Map<string, readonly string[]>()
  /** `Type/id` under the own key → the id under which it stands. */
  readonly #known = new Map<string, string>()

  /** @param fingerprints  of the patients who were merged into this one */
  constructor(fingerprints: readonly Fingerprint[]) {
    this.#fingerprints = fingerprints
  }

  /** A fingerprint that is noted with what it would be for the others. */
  noting(own: Fingerprint): Fingerprint {
    return (...parts) => {
      const id = own(...parts)
      this.#others.set(
        id,
        this.#fingerprints.map(other => other(...parts)),
      )
      return id
    }
  }

  /**
   * The items of a batch under the names by which they are known, and so are all that they refer to.
   *
   * @param isDeleted  whether a source has deleted what is, or would be, under `Type/id`: then it is known by that name, too
   */
  async named<T extends Named>(
    txn: Txn,
    items: readonly T[],
    isDeleted: (name: string) => boolean,
  ): Promise<readonly T[]> {
    const byType = Map.groupBy(
      items.filter(item => this.#others.has(idOf(item))),
      typeOf,
    )
    for (const [type, of] of byType) await this.#look(txn, type, new Set(of.map(idOf)), isDeleted)
    return renamed(items, this.#known)
  }

  /** The name under which `Type/id` stands. */
  nameOf(name: string): string {
    return nameIn(this.#known, name)
  }

  /** What is there under the own key stays what it is. */
  async #look(txn: Txn, type: string, ids: ReadonlySet<string>, isDeleted: (name: string) => boolean): Promise<void> {
    const others = [...ids].flatMap(id => this.#others.get(id) ?? [])
    const existing = await txn.existing(type, [...ids, ...others])
    for (const id of ids) {
      const isKnown = (one: string) => existing.has(one) || isDeleted(`${type}/${one}`)
      const other = existing.has(id) ? undefined : this.#others.get(id)?.find(isKnown)
      if (other !== undefined) this.#known.set(`${type}/${id}`, other)
      this.#others.delete(id)
    }
  }
}
