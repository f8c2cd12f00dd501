import type { Grant } from '#access'
import { giveWay } from '#kernel'
import type { CompartmentId, Entry, Locator, Store } from '#store'
import type { Located, Named } from '../ledger/opened-versions.ts'
import type { Shelf } from '../ledger/shelf.ts'
import type { Stored } from '../types.ts'
import type { Foreseen, Foresight } from './foresight.ts'
import type { Reached, Reaches } from './reached.ts'
import { inOrder, seenEntries, seenVersion } from './seen-entries.ts'

/** Versions of a resource, each perhaps of many MB, that are fetched at once. */
const versionsAtOnce = 4

/** What is looked for. */
export interface Sought extends Named {
  readonly locator: Locator
}

interface VersionRooms {
  readonly store: Store
  readonly shelf: Shelf
  readonly foresight: Foresight
  readonly reaches: Reaches
  /** Whether a version is there for a grant that reaches its compartment, by whom it names. */
  isThere(grant: Grant, located: Stored): boolean | Promise<boolean>
  /** The newest durable version within reach, whoever sees it. */
  newest(grant: Grant, sought: Sought): Promise<Located | undefined>
}

/** Every version of a resource that a grant reaches, not the newest one alone. */
export class Versions {
  readonly #rooms: VersionRooms

  constructor(rooms: VersionRooms) {
    this.#rooms = rooms
  }

  /**
   * The versions of a resource within reach, newest first, of the copies of a version one; where it went away, a deletion.
   * Each is opened when it is asked for.
   *
   * @param below  begins with the newest version below this one
   */
  async *all(grant: Grant, sought: Sought, below = Number.POSITIVE_INFINITY): AsyncGenerator<Stored> {
    const reached = await this.#rooms.reaches.now(grant)
    const foreseen = await this.#foreseeVersions(grant, sought, reached)
    const { whole, some } = foreseen ?? { whole: await reached.ids(), some: nothingSeen }
    const opened = this.#entriesOf(sought.locator, whole, below)
    let newer: number | undefined
    for await (const entry of some.size === 0
      ? opened
      : inOrder([opened, ...seenEntries(this.#rooms.store, some, below)])) {
      const { version } = entry
      const holder = reached.holder(entry.compartment)
      const isNext = version !== newer && version < below
      // What only went from one compartment within reach to another has not gone away: a newer version follows at once.
      const hasNewer = newer === version + 1
      newer = version
      if (!isNext || holder === undefined) continue
      const stored = (await this.#rooms.shelf.open(holder)).open(entry)
      if ((!stored.movedAway || !hasNewer) && (await this.#rooms.isThere(grant, stored))) yield stored
      const pause = giveWay()
      if (pause !== undefined) await pause
    }
  }

  /** Nothing where each is to be opened: where all is seen, and where too many would have to be asked. */
  async #foreseeVersions(grant: Grant, sought: Sought, reached: Reached): Promise<Foreseen | undefined> {
    const foreseen = await this.#rooms.foresight.of(grant, sought, reached)
    return typeof foreseen === 'string' ? undefined : foreseen
  }

  /** With the version that is followed by the first one asked for; fetched a few at a time. */
  async *#entriesOf(locator: Locator, compartments: readonly CompartmentId[], below: number): AsyncGenerator<Entry> {
    if (compartments.length === 0) return
    const limit = versionsAtOnce
    let page = below === Number.POSITIVE_INFINITY ? { limit } : { below: below + 1, limit }
    for (;;) {
      const entries = await this.#rooms.store.versions(locator, compartments, page)
      yield* entries
      const last = entries.at(-1)
      if (last === undefined || entries.length < limit) return
      page = { below: last.version, limit }
    }
  }

  async one(grant: Grant, sought: Sought, version: number): Promise<Stored | undefined> {
    const foreseen = await this.#foreseeVersions(grant, sought, await this.#rooms.reaches.now(grant))
    return this.#versionOf(grant, sought, version, foreseen)
  }

  async #versionOf(
    grant: Grant,
    sought: Sought,
    version: number,
    foreseen: Foreseen | undefined,
  ): Promise<Stored | undefined> {
    const reached = await this.#rooms.reaches.now(grant)
    const { whole, some } = foreseen ?? { whole: await reached.ids(), some: nothingSeen }
    const entry =
      (whole.length === 0 ? undefined : await this.#rooms.store.version(sought.locator, version, whole)) ??
      (await seenVersion(this.#rooms.store, some, version))
    const holder = entry === undefined ? undefined : reached.holder(entry.compartment)
    if (entry === undefined || holder === undefined) return undefined
    const stored = (await this.#rooms.shelf.open(holder)).open(entry)
    if (!(await this.#rooms.isThere(grant, stored))) return undefined
    return stored.movedAway && !(await this.wentAway(grant, sought, version)) ? undefined : stored
  }

  /** The newest version of the same resource within reach that says anything, whoever sees it; this one where there is no other. */
  async lastSaid(grant: Grant, stored: Stored, sought: Sought): Promise<Stored> {
    const newest = (await this.#rooms.newest(grant, sought)) ?? (await this.#removalOf(grant, sought, undefined))
    if (newest === undefined || newest.version <= stored.version) return stored
    if (!newest.deleted) return newest
    const before = await this.#versionOf(grant, sought, newest.version - 1, undefined)
    return before === undefined || before.deleted ? stored : before
  }

  /** The removal that took a resource out of reach, if its newest version within reach is one. */
  async removal(grant: Grant, sought: Sought): Promise<Stored | undefined> {
    const reached = this.#rooms.reaches.known(grant) ?? (await this.#rooms.reaches.look(grant))
    return this.#removalOf(grant, sought, await this.#foreseeVersions(grant, sought, reached))
  }

  /** Only who sees all of a type sees a removal. */
  async #removalOf(grant: Grant, sought: Sought, foreseen: Foreseen | undefined): Promise<Stored | undefined> {
    const reached = this.#rooms.reaches.known(grant) ?? (await this.#rooms.reaches.look(grant))
    const whole = foreseen?.whole ?? (await reached.ids())
    const [newest] = whole.length === 0 ? [] : await this.#rooms.store.versions(sought.locator, whole, { limit: 1 })
    const holder = newest === undefined ? undefined : reached.holder(newest.compartment)
    if (newest === undefined || holder === undefined) return undefined
    const stored = (await this.#rooms.shelf.open(holder)).open(newest)
    return stored.movedAway ? stored : undefined
  }

  /** Whether a removal took a resource out of reach: then it is told as a deletion, which says no more. */
  async wentAway(grant: Grant, sought: Sought, version: number): Promise<boolean> {
    return (await this.one(grant, sought, version + 1)) === undefined
  }
}

const nothingSeen: Foreseen['some'] = new Map()
