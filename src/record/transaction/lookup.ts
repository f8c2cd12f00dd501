import { type Grant, mayTouch } from '#access'
import { parseStored } from '#fhir'
import type { Holder } from '#search'
import type { CompartmentId, Locator } from '#store'
import type { Located } from '../ledger/opened-versions.ts'
import type { Reach } from '../reading/reach.ts'
import type { Sought } from '../reading/versions.ts'
import type { Stored } from '../types.ts'
import { ownerForeign } from './owners.ts'

/** What a resource's newest version is, as a transaction has seen it. */
export interface Seen {
  readonly type: string
  readonly id: string
  readonly version: number
  readonly deleted: boolean
  /** Seq of each copy, by compartment. */
  readonly seqs: ReadonlyMap<CompartmentId, number>
  /** The compartments of the copies. */
  readonly holders: readonly Holder[]
  readonly creator?: string
  readonly named?: readonly string[]
}

/** What is there for one grant, and whether it may be written: in one of the compartments where it lies, or in all. */
export class Lookup {
  readonly #grant: Grant
  readonly #reach: Reach
  readonly #locators = new Map<string, Locator>()
  readonly #free = new Set<Locator>()

  constructor(grant: Grant, reach: Reach) {
    this.#grant = grant
    this.#reach = reach
  }

  /** Which of these ids exist within reach: one lookup. */
  async existing(type: string, ids: readonly string[]): Promise<ReadonlySet<string>> {
    const sought = [...new Set(ids)].map(id => this.sought(type, id))
    const { within, free } = await this.#reach.places(this.#grant, sought)
    for (const { locator } of free) this.#free.add(locator)
    return new Set(within.map(({ id }) => id))
  }

  /** A deletion says nothing by which it could be judged: it is for those who may do this to every row. */
  async allowed(verb: 'r' | 'u' | 'd', stored: Stored, holder = stored.holder): Promise<boolean> {
    const mine = stored.creator !== undefined && stored.creator === this.#grant.account
    const standing = { mine, named: await this.#reach.namedBeyond(this.#grant, [verb], { ...stored, holder }) }
    if (this.#reach.mayTouchAny(this.#grant, verb, stored.type, holder, standing)) return true
    if (stored.deleted) return false
    return mayTouch(this.#grant, verb, await parseStored(stored.json), holder, standing)
  }

  /** Whether it may be done in the compartment of one of its owners: then the grant knows of it. */
  async allowedSomewhere(verb: 'r' | 'u' | 'd', stored: Stored): Promise<boolean> {
    if (await this.allowed(verb, stored)) return true
    for (const compartment of stored.copies) {
      const holder = await this.#reach.holderWithin(this.#grant, compartment)
      if (holder !== undefined && (await this.allowed(verb, stored, holder))) return true
    }
    return false
  }

  /** The newest version within reach, also when deleted; pending ones count. */
  current(type: string, id: string): Promise<Located | undefined> {
    return this.#reach.newest(this.#grant, this.sought(type, id))
  }

  /** Where the newest version lies. @throws Problem `forbidden` · `record.owner-foreign` unless it may be written in all */
  async wholly(verb: 'u' | 'd', current: Located): Promise<Seen> {
    const { type, id, version, deleted } = current
    const seqs = await this.#reach.placesOf(this.locator(type, id), current)
    const holders: Holder[] = []
    for (const compartment of seqs.keys()) {
      const holder = await this.#reach.holderWithin(this.#grant, compartment)
      if (holder === undefined || !(await this.allowed(verb, current, holder))) throw ownerForeign()
      holders.push(holder)
    }
    const { creator, named } = current
    const noted = { ...(creator === undefined ? {} : { creator }), ...(named === undefined ? {} : { named }) }
    return { type, id, version, deleted, seqs, holders, ...noted }
  }

  /** Whether a name is in use in any compartment: only to refuse it. What `existing` found free is not asked again. */
  async isTaken(locator: Locator): Promise<boolean> {
    return !this.#free.has(locator) && (await this.#reach.takenVersion(locator)) !== undefined
  }

  sought(type: string, id: string): Sought {
    return { type, id, locator: this.locator(type, id) }
  }

  locator(type: string, id: string): Locator {
    const name = `${type}/${id}`
    const known = this.#locators.get(name)
    if (known !== undefined) return known
    const locator = this.#reach.locator(type, id)
    this.#locators.set(name, locator)
    return locator
  }
}
