import { type Grant, permits } from '#access'
import { giveWay } from '#kernel'
import type { Holder } from '#search'
import type { CompartmentId, Store } from '#store'
import type { Ledger } from '../ledger/ledger.ts'
import type { Located } from '../ledger/opened-versions.ts'
import type { Shelf } from '../ledger/shelf.ts'
import type { Followed, FollowedTo, FollowedVersion, FollowRequest, Moved, Stored } from '../types.ts'
import type { Reach } from './reach.ts'
import type { Sighting } from './sighting.ts'

/** Compartments that are named at once as having moved. */
const movedAtOnce = 1_000
/** Entries that are fetched at once. */
const readAtOnce = 64
/** Where so few compartments are within reach, each is noted with its head when somebody begins to follow. */
const mostNoted = 512
/** For so long it is noted how far each compartment was told; what was written before is behind the instant that is noted for all. */
const notedForMs = 10 * 60_000

/** A version at its place. */
interface Placed {
  readonly stored: Located
  readonly seq: number
}

/** Tells what is written within a grant's reach, each ledger in its order, to whoever comes again with where they have come. */
export class Following {
  readonly #store: Store
  readonly #shelf: Shelf
  readonly #reach: Reach
  readonly #sighting: Sighting
  readonly #nowMs: () => number
  /** Up to where somebody has seen all that had moved: whoever begins to follow pages through no more than came since. */
  #seenTo: string | undefined

  constructor(rooms: {
    readonly store: Store
    readonly shelf: Shelf
    readonly reach: Reach
    readonly sighting: Sighting
    nowMs(): number
  }) {
    this.#store = rooms.store
    this.#shelf = rooms.shelf
    this.#reach = rooms.reach
    this.#sighting = rooms.sighting
    this.#nowMs = () => rooms.nowMs()
  }

  /** What has moved since a mark; without one everything has. */
  async moved(mark: string | undefined): Promise<Moved> {
    const { mark: next, moved, more } = await this.#store.changesSince(mark, movedAtOnce)
    if (!more) this.#seenTo = next
    return { mark: next, heads: moved, more }
  }

  /** From now on. */
  async begin(grant: Grant): Promise<FollowedTo> {
    const sinceMs = this.#nowMs()
    let last = await this.moved(this.#seenTo)
    while (last.more) last = await this.moved(last.mark)
    const { data } = await this.#reach.ofNow(grant)
    const few = data.length > mostNoted ? [] : data.map(({ compartment }) => compartment)
    const heads = await this.#store.heads(few)
    return { mark: last.mark, sinceMs, told: few.map(each => [each, heads.get(each) ?? 0, sinceMs]) }
  }

  /**
   * What was written since. The grant must have been asked for after `moved` was: who came in between would else be passed over.
   */
  async after(grant: Grant, from: FollowedTo, moved: Moved, request: FollowRequest): Promise<Followed> {
    const sinceMs = this.#sinceOf(from)
    const told = new Map(from.told.map(([compartment, seq, atMs]) => [compartment, { seq, atMs }]))
    const versions: FollowedVersion[] = []
    let looked = 0
    let isCut = false
    // What moved while nobody looked is known by now, also who it is.
    await this.#reach.ofNow(grant)
    for (const [compartment, head] of moved.heads) {
      const holder = head === 0 ? undefined : await this.#reach.holderWithin(grant, compartment)
      if (holder === undefined || holder.kind === 'audit') continue
      for await (const { stored, seq } of this.#from(holder, told.get(compartment)?.seq, head, sinceMs)) {
        isCut = versions.length >= request.limit || looked >= request.mostLooked
        if (isCut) break
        looked++
        if (await this.#isTold(grant, stored, request)) versions.push(await this.#withBefore(grant, stored))
        told.set(compartment, { seq, atMs: stored.lastUpdatedMs })
      }
      if (isCut) break
    }
    return { versions, looked, more: isCut || moved.more, to: this.#to(from, moved, told, isCut) }
  }

  /** Behind all that has moved nothing need be noted but what was written lately. */
  #to(
    from: FollowedTo,
    moved: Moved,
    told: ReadonlyMap<CompartmentId, { readonly seq: number; readonly atMs: number }>,
    isCut: boolean,
  ): FollowedTo {
    const all = [...told].map(([compartment, { seq, atMs }]) => [compartment, seq, atMs] as const)
    if (isCut) return { ...from, told: all }
    const sinceMs = Math.max(this.#sinceOf(from), this.#nowMs() - notedForMs)
    return { mark: moved.mark, sinceMs, told: all.filter(([, , atMs]) => atMs >= sinceMs) }
  }

  /** A clock that was set back stamps what comes now with what counted as told: rather twice than never. */
  #sinceOf({ sinceMs }: FollowedTo): number {
    const nowMs = this.#nowMs()
    return nowMs < sinceMs ? nowMs - notedForMs : sinceMs
  }

  async *#from(holder: Holder, told: number | undefined, head: number, sinceMs: number): AsyncGenerator<Placed> {
    const ledger = await this.#shelf.open(holder)
    let seq = told ?? (await this.#before(ledger, head, sinceMs))
    while (seq < head) {
      const entries = await this.#store.entriesFrom(holder.compartment, seq + 1, readAtOnce)
      if (entries.length === 0) return
      for (const entry of entries) {
        seq = entry.seq
        yield { stored: ledger.open(entry), seq }
        await giveWay()
      }
    }
  }

  /** The last seq that was written before an instant: in one ledger time does not go back. */
  async #before(ledger: Ledger, head: number, sinceMs: number): Promise<number> {
    let low = 0
    let high = head
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      const [entry] = await this.#store.entriesAt(ledger.holder.compartment, [middle])
      if (entry !== undefined && ledger.open(entry).lastUpdatedMs < sinceMs) low = middle
      else high = middle - 1
    }
    return low
  }

  async #isTold(grant: Grant, stored: Located, { tells }: FollowRequest): Promise<boolean> {
    if (!tells(stored.type) || !permits(grant, 's', stored.type)) return false
    if (!(await this.#isToldHere(grant, stored)) || !(await this.#sighting.visible(grant, 's', stored))) return false
    return !stored.movedAway || this.#reach.wentAway(grant, stored)
  }

  /** A deletion says nothing itself. */
  async #withBefore(grant: Grant, stored: Located): Promise<FollowedVersion> {
    if (!stored.deleted) return { stored }
    const sought = this.#reach.sought(stored.type, stored.id)
    const before = await this.#reach.version(grant, sought, stored.version - 1)
    const isSeen = before?.deleted === false && (await this.#sighting.visible(grant, 's', before))
    return isSeen ? { stored, before } : { stored }
  }

  /** What lies in several compartments is told once: where the first of those within reach has it. */
  async #isToldHere(grant: Grant, { holder, copies }: Stored): Promise<boolean> {
    for (const compartment of copies)
      if (compartment < holder.compartment && (await this.#reach.holderWithin(grant, compartment)) !== undefined)
        return false
    return true
  }
}
