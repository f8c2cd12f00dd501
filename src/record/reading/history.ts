import { type Grant, permits, requirePermission } from '#access'
import { giveWay, mapFew } from '#kernel'
import type { CompartmentId, Entry, Store } from '#store'
import type { Ledger } from '../ledger/ledger.ts'
import type { Located } from '../ledger/opened-versions.ts'
import { ledgersAtOnce, type Shelf } from '../ledger/shelf.ts'
import type { Walked } from '../population/passing.ts'
import type { Registry } from '../registry/registry.ts'
import type { HistoryPage, HistoryRequest, Period, Place, Stored } from '../types.ts'
import type { Absences } from './absences.ts'
import { type Cursors, cursorInvalid, type HistoryPosition } from './cursors.ts'
import { EverybodysHistory } from './everybodys-history.ts'
import type { Foresight } from './foresight.ts'
import { type Opening, openInPortions, Portion } from './opening.ts'
import type { Questions } from './questions.ts'
import type { Reach } from './reach.ts'
import { Room } from './room.ts'
import type { Sighting } from './sighting.ts'

/** Versions that are fetched at once. */
const readBack = { least: 4, most: 128 }
/** A page that has looked at so many versions ends, whatever it has found; it goes on behind its next link. */
const mostLookedAt = 10_000

/** Versions, newest first: https://hl7.org/fhir/R4/http.html#history */
export class Histories {
  readonly #store: Store
  readonly #shelf: Shelf
  readonly #registry: Registry
  readonly #reach: Reach
  readonly #questions: Questions
  readonly #sighting: Sighting
  readonly #cursors: Cursors
  readonly #absences: Absences
  readonly #foresight: Foresight

  constructor(rooms: {
    readonly store: Store
    readonly shelf: Shelf
    readonly registry: Registry
    readonly reach: Reach
    readonly questions: Questions
    readonly sighting: Sighting
    readonly cursors: Cursors
    readonly absences: Absences
    readonly foresight: Foresight
  }) {
    this.#store = rooms.store
    this.#shelf = rooms.shelf
    this.#registry = rooms.registry
    this.#questions = rooms.questions
    this.#reach = rooms.reach
    this.#sighting = rooms.sighting
    this.#cursors = rooms.cursors
    this.#absences = rooms.absences
    this.#foresight = rooms.foresight
  }

  async page(request: HistoryRequest, grant: Grant): Promise<HistoryPage> {
    const { type, id } = request
    if (type !== undefined) requirePermission(grant, id === undefined ? 's' : 'r', type)
    const position = request.cursor === undefined ? undefined : await this.#position(request, grant)
    return type !== undefined && id !== undefined
      ? this.#ofOne(type, id, request, grant, position)
      : this.#ofMany(request, grant, position)
  }

  async #ofOne(
    type: string,
    id: string,
    request: HistoryRequest,
    grant: Grant,
    position: HistoryPosition | undefined,
  ): Promise<HistoryPage> {
    const items: Stored[] = []
    const room = new Room()
    let isKnown = false
    for await (const stored of this.#reach.versions(grant, this.#reach.sought(type, id), position?.belowVersion)) {
      if (!(await this.#sighting.visible(grant, 'r', stored))) continue
      isKnown = true
      // Each version is written after the one that it replaces, wherever they lie.
      if (stored.lastUpdatedMs < (request.sinceMs ?? 0)) break
      const { at } = request
      if (at !== undefined && stored.lastUpdatedMs >= at.untilMs) continue
      if (items.length === request.count || !room.takes(stored))
        return { items, next: await this.#cursors.seal(positionBelow(request, items), grant) }
      items.push(stored)
      // It was the current one as the time began; those before it were no more.
      if (at !== undefined && stored.lastUpdatedMs <= at.fromMs) break
    }
    if (!isKnown) throw await this.#absences.of(type, grant)
    return position === undefined ? { items, total: items.length } : { items }
  }

  async #ofMany(request: HistoryRequest, grant: Grant, position: HistoryPosition | undefined): Promise<HistoryPage> {
    // Pages go on as they began.
    const isByIndex = position === undefined || position.untilMs !== undefined
    const parts = isOfAudit(request) ? (['audit', 'data'] as const) : (['data'] as const)
    const walked = isByIndex ? await this.#questions.everybodysHistory(grant, parts) : undefined
    return walked === undefined
      ? this.#ofLedgers(request, grant, position)
      : this.#ofEverybody(walked, request, grant, position)
  }

  async #ofEverybody(
    walked: readonly Walked[],
    request: HistoryRequest,
    grant: Grant,
    position: HistoryPosition | undefined,
  ): Promise<HistoryPage> {
    const rooms = { store: this.#store, shelf: this.#shelf, registry: this.#registry }
    const { type, count, sinceMs = 0 } = request
    const walk = new EverybodysHistory(rooms, walked, { type, count, sinceMs }, position)
    const items: Stored[] = []
    const room = new Room()
    let looked = 0
    const isEnough = () => items.length >= request.count || looked >= mostLookedAt || room.isFull
    for await (const { stored, take } of isEnough() ? [] : walk.versions()) {
      looked++
      const isWalked = (compartment: CompartmentId) => walk.walks(compartment)
      const isShown = isTold(stored, isWalked) && (await this.#tells(items, request, grant, stored))
      if (isShown && room.takes(stored)) items.push(stored)
      if (!room.isFull) take()
      if (isEnough()) break
    }
    if (!isEnough()) return { items }
    const next: HistoryPosition = { kind: 'history', of: nameOf(request), belowVersion: 0, ...walk.position }
    return { items, next: await this.#cursors.seal(next, grant) }
  }

  async #ofLedgers(request: HistoryRequest, grant: Grant, position: HistoryPosition | undefined): Promise<HistoryPage> {
    const ledgers = await this.#ledgers(request, grant)
    const heads = ledgers.map(ledger => [ledger.holder.compartment, ledger.durableHead + 1] as const)
    const below = new Map(position === undefined || position.untilMs !== undefined ? heads : position.below)
    const begun = ledgers.filter(ledger => (below.get(ledger.holder.compartment) ?? 0) > 1)
    // What was walked before may tell of what is still to come, where both hold the same.
    const seen = await this.#foresight.seqsSeen(grant, ledgers)
    const walks = begun.map(ledger => {
      const from = { below: below.get(ledger.holder.compartment) ?? 0 }
      return new Walk(ledger, this.#store, { ...from, isSeen: seen.get(ledger) ?? everything })
    })
    const walked = new Set(ledgers.map(ledger => ledger.holder.compartment))
    const items: Stored[] = []
    const room = new Room()
    for (let looked = 0; items.length < request.count && looked < mostLookedAt; looked++) {
      const newest = await newestOf(walks, request.sinceMs ?? 0)
      if (newest === undefined) return { items }
      const { walk, stored, seq } = newest
      const isAhead = position?.untilMs === undefined || isBehind(position, walk.compartment, { stored, seq })
      if (isAhead && isTold(stored, each => walked.has(each)) && (await this.#tells(items, request, grant, stored))) {
        if (!room.takes(stored)) break
        items.push(stored)
      }
      walk.step()
      below.set(walk.compartment, seq)
      await giveWay()
    }
    const cursor: HistoryPosition = { kind: 'history', of: nameOf(request), belowVersion: 0, below: [...below] }
    return { items, next: await this.#cursors.seal(cursor, grant) }
  }

  // What is written to the audit ledger is history of AuditEvents only: the system's history does not grow by being read.
  async #ledgers(request: HistoryRequest, grant: Grant): Promise<readonly Ledger[]> {
    const ledgers = await this.#reach.everyLedger(grant)
    const data = ledgers.filter(({ holder }) => holder.kind !== 'audit')
    if (!isOfAudit(request)) return data
    // Those that apps have filed are never changed or deleted, so the index has them all.
    const filed = await mapFew(data, ledgersAtOnce, async ledger => (await ledger.index()).tables.has('AuditEvent'))
    return [...ledgers.filter(({ holder }) => holder.kind === 'audit'), ...data.filter((_, at) => filed[at])]
  }

  async #tells(items: readonly Stored[], request: HistoryRequest, grant: Grant, stored: Located): Promise<boolean> {
    if (!(await this.#wanted(request, grant, stored))) return false
    return !stored.movedAway || this.#tellsOfLeaving(items, grant, stored)
  }

  /** Once for all of those whom it left together. */
  async #tellsOfLeaving(items: readonly Stored[], grant: Grant, { type, id, version }: Located): Promise<boolean> {
    if (items.some(item => item.version === version && item.id === id && item.type === type)) return false
    return this.#reach.wentAway(grant, { type, id, version })
  }

  async #wanted({ type, at }: HistoryRequest, grant: Grant, stored: Stored): Promise<boolean> {
    if (type !== undefined && stored.type !== type) return false
    if (at !== undefined && !(await this.#wasCurrent(at, grant, stored))) return false
    return permits(grant, 's', stored.type) && this.#sighting.visible(grant, 's', stored)
  }

  /** The version after it, or what says that it went elsewhere, lies beside it, so whoever sees it reaches that as well. */
  async #wasCurrent({ fromMs, untilMs }: Period, grant: Grant, stored: Stored): Promise<boolean> {
    const { type, id, version, lastUpdatedMs } = stored
    if (lastUpdatedMs >= untilMs) return false
    if (lastUpdatedMs >= fromMs) return true
    const after = await this.#reach.version(grant, this.#reach.sought(type, id), version + 1)
    return after === undefined || after.lastUpdatedMs > fromMs
  }

  async #position(request: HistoryRequest, grant: Grant): Promise<HistoryPosition> {
    const position = await this.#cursors.open(request.cursor ?? '', grant)
    if (position.kind !== 'history' || position.of !== nameOf(request)) throw cursorInvalid()
    return position
  }
}

const everything = () => true

/** What lies in several compartments is told once: where the first of those that are walked has it. */
function isTold({ holder, copies }: Stored, isWalked: (compartment: CompartmentId) => boolean): boolean {
  return !copies.some(compartment => compartment < holder.compartment && isWalked(compartment))
}

function isOfAudit({ type }: HistoryRequest): boolean {
  return type === 'AuditEvent'
}

/** Whether a version comes behind where pages that the index of all has given have come. */
function isBehind(
  { untilMs = 0, below }: HistoryPosition,
  compartment: CompartmentId,
  { stored, seq }: { readonly stored: Stored; readonly seq: number },
): boolean {
  if (stored.lastUpdatedMs !== untilMs) return stored.lastUpdatedMs < untilMs
  return seq < (new Map(below).get(compartment) ?? Number.POSITIVE_INFINITY)
}

function nameOf({ type, id, sinceMs, at }: HistoryRequest): string {
  const during = at === undefined ? '' : `&${at.fromMs}-${at.untilMs}`
  return `${type ?? ''}/${id ?? ''}?${sinceMs ?? ''}${during}`
}

function positionBelow(request: HistoryRequest, items: readonly Stored[]): HistoryPosition {
  return { kind: 'history', of: nameOf(request), belowVersion: items.at(-1)?.version ?? 0, below: [] }
}

/** The newest version at the front of any walk, with its seq. */
async function newestOf(
  walks: readonly Walk[],
  sinceMs: number,
): Promise<{ readonly walk: Walk; readonly stored: Located; readonly seq: number } | undefined> {
  let newest: { walk: Walk; stored: Located; seq: number } | undefined
  for (const walk of walks) {
    const front = await walk.front()
    if (front === undefined || front.stored.lastUpdatedMs < sinceMs) continue
    if (newest === undefined || front.stored.lastUpdatedMs > newest.stored.lastUpdatedMs) newest = { walk, ...front }
  }
  return newest
}

/** One compartment's ledger, walked from a seq downwards; what is hidden is not fetched. */
class Walk {
  readonly compartment: CompartmentId
  readonly #opening: Opening<Located>
  readonly #portions: AsyncGenerator<Opened, void, void>
  readonly #isSeen: (seq: number) => boolean
  readonly #ahead: { stored: Located; seq: number }[] = []

  constructor(
    ledger: Ledger,
    store: Store,
    { below, isSeen }: { readonly below: number; readonly isSeen: (seq: number) => boolean },
  ) {
    this.#isSeen = isSeen
    this.compartment = ledger.holder.compartment
    const durable = { pendingAt: () => undefined, open: (entry: Entry) => ledger.open(entry) }
    this.#opening = { store, openerOf: async () => durable }
    this.#portions = this.#downwards(below)
  }

  async front(): Promise<{ stored: Located; seq: number } | undefined> {
    while (this.#ahead.length === 0) {
      const { done, value } = await this.#portions.next()
      if (done === true) return undefined
      this.#ahead.push(...value.map(({ place, stored }) => ({ stored, seq: place.seq })))
    }
    return this.#ahead[0]
  }

  step(): void {
    this.#ahead.shift()
  }

  async *#downwards(below: number): AsyncGenerator<Opened, void, void> {
    const portion = new Portion(readBack)
    for (let until = below; until > 1; until -= readBack.most) {
      const count = Math.min(readBack.most, until - 1)
      const seqs = Array.from({ length: count }, (_, at) => until - 1 - at).filter(this.#isSeen)
      const places = seqs.map(seq => ({ compartment: this.compartment, seq }))
      yield* openInPortions(places, portion, this.#opening)
    }
  }
}

type Opened = readonly { readonly place: Place; readonly stored: Located }[]
