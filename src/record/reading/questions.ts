import { type Grant, homeInReach, patientsAsked, patientsInReach, patientsNamed } from '#access'
import { isProblem, mapFew, Problem } from '#kernel'
import type { Holder, Query, Restricted } from '#search'
import type { CompartmentId } from '#store'
import type { Ledger } from '../ledger/ledger.ts'
import { ledgerDamaged } from '../ledger/ledger-index.ts'
import { ledgersAtOnce, type Shelf } from '../ledger/shelf.ts'
import { Passing, type View, Walked } from '../population/passing.ts'
import type { Part, Population } from '../population/population.ts'
import type { SliceRoom } from '../population/slice-room.ts'
import type { Registry } from '../registry/registry.ts'
import type { Found } from '../transaction/conditions.ts'
import { versionsOf } from './opening.ts'
import type { Reach } from './reach.ts'
import { type AsOf, type Opening, type Searched, searchedApart, searchedTogether, withoutLost } from './searched.ts'

/** The indexes of many compartments. */
export interface Populations {
  readonly data: Population
  readonly audit: Population
}

/** Audit is looked through only for a query that speaks of it. */
function asksForAudit({ types, text }: Query): boolean {
  return types.includes('AuditEvent') || text.includes('AuditEvent')
}

/** What a query asks, for a grant: whose compartments, and by which index – a few have one each, many have one together. */
export class Questions {
  readonly #reach: Reach
  readonly #registry: Registry
  readonly #shelf: Shelf
  readonly #populations: Populations
  readonly #room: SliceRoom
  readonly #apart: number

  constructor(rooms: {
    readonly reach: Reach
    readonly registry: Registry
    readonly shelf: Shelf
    readonly populations: Populations
    readonly room: SliceRoom
    /** So many patients and households are searched by an index for each. */
    readonly apart: number
  }) {
    this.#reach = rooms.reach
    this.#registry = rooms.registry
    this.#shelf = rooms.shelf
    this.#populations = rooms.populations
    this.#room = rooms.room
    this.#apart = rooms.apart
  }

  /** The holders whose rows a query may touch. Audit ledgers are opened only for a query that speaks of them. */
  async holders(grant: Grant, query?: Query): Promise<readonly Holder[]> {
    await this.#registry.refresh()
    const asked = query === undefined ? undefined : await this.askedWithin(grant, query)
    if (asked !== undefined && !query?.types.includes('AuditEvent')) return this.#registry.inReach(grant, asked)
    const { data, audit } = await this.#reach.ofNow(grant)
    return query !== undefined && asksForAudit(query) ? [...data, ...audit] : data
  }

  /**
   * The patients in whose compartments all that a query asks for must lie; undefined when it may lie elsewhere. What names
   * somebody beyond reach, or somebody who was erased, may lie with another of its owners.
   */
  async askedWithin(grant: Grant, query: Query): Promise<readonly string[] | undefined> {
    const asked = patientsAsked(query)
    const isKept = (patient: string) =>
      this.#reach.reachesPatient(grant, patient) && this.#registry.knownPatient(patient) !== undefined
    return asked?.every(isKept) === true ? asked : undefined
  }

  /** The compartments of those within reach whom a query names; all it asks of one whom alone the grant reaches. */
  async namedWithin(grant: Grant, query: Query): Promise<readonly CompartmentId[]> {
    const reached = patientsInReach(grant)
    const named = reached !== 'all' && reached.length === 1 ? reached : patientsNamed(query)
    const within = named.filter(patient => this.#reach.reachesPatient(grant, patient))
    const pairs = within.map(patient => this.#registry.knownPatient(patient)).filter(pair => pair !== undefined)
    return pairs.map(({ data }) => data.compartment)
  }

  /** @throws Problem `fault` when one of them cannot be read: what is decided on them must rest on all */
  async ledgers(grant: Grant, query?: Query): Promise<readonly Ledger[]> {
    const holders = await this.holders(grant, query)
    if (await this.#asksEverybody(grant, query)) this.#registry.checkComplete()
    return this.#shelf.fresh(holders)
  }

  /**
   * The same for an answer that can say that something is missing. Whoever asks everybody gets what can be read, and the count
   * of what cannot; for everybody else it is a fault.
   */
  async readable(grant: Grant, query: Query): Promise<{ ledgers: readonly Ledger[]; unreadable: number }> {
    const holders = await this.holders(grant, query)
    if (!(await this.#asksEverybody(grant, query))) return { ledgers: await this.#shelf.fresh(holders), unreadable: 0 }
    const sound = await mapFew(holders, ledgersAtOnce, holder => this.#isReadable(holder))
    const ledgers = await this.#shelf.fresh(holders.filter((_, at) => sound[at]))
    return { ledgers, unreadable: this.#registry.broken + holders.length - ledgers.length }
  }

  /**
   * What a query is evaluated on. A few compartments have an index each, which their owners use too; many are asked as one.
   *
   * @param before  the state with which the pages of a search began: they go on as they began
   */
  async searched(grant: Grant, query: Restricted<Query>, before?: AsOf): Promise<Searched> {
    await this.#registry.refresh()
    const isWide = before === undefined ? await this.isWide(grant, query) : before.kind === 'instant'
    if (isWide) return this.#together(grant, query, before?.kind === 'instant' ? before : undefined)
    // A page link goes on with the compartments it began with, as far as the grant still reaches them.
    const { ledgers, unreadable } = await this.readable(grant, query)
    const erased = this.#registry.erasedPatients
    if (before?.kind !== 'heads') return searchedApart(ledgers, this.#opening, { unreadable, erased })
    const heads = new Map(before.heads)
    const begun = ledgers.filter(({ holder }) => heads.has(holder.compartment))
    return searchedApart(begun, this.#opening, { unreadable, heads, erased })
  }

  /**
   * The same as it was at an instant, which is not long ago: what was written later is not there, and what that replaced is.
   */
  async searchedAt(grant: Grant, query: Restricted<Query>, untilMs: number): Promise<Searched> {
    await this.#registry.refresh()
    if (await this.isWide(grant, query)) return this.#together(grant, query, { kind: 'instant', untilMs, arrivals: [] })
    const { ledgers, unreadable } = await this.readable(grant, query)
    const heads = await headsAt(ledgers, untilMs)
    return searchedApart(ledgers, this.#opening, { unreadable, heads, erased: this.#registry.erasedPatients })
  }

  /** Not before anything that this query can find was written; nothing behind it seems older. */
  async newestMs(grant: Grant, query: Query): Promise<number> {
    if (await this.isWide(grant, query)) return (await this.#populations.data.now()).newestMs
    const { ledgers } = await this.readable(grant, query)
    return Math.max(0, ...ledgers.map(({ lastMs }) => lastMs))
  }

  /**
   * The indexes by which a history of everybody finds what was written when; undefined where few are asked, or where something is
   * missing in them: then each ledger tells for itself.
   *
   * @throws Problem `fault` when it is not known of all whose they are
   */
  async everybodysHistory(grant: Grant, parts: readonly Part[]): Promise<readonly Walked[] | undefined> {
    await this.#registry.refresh()
    const { patients, households } = this.#registry.counts
    const isEverybodys = patientsInReach(grant) === 'all' && homeInReach(grant) === 'all'
    if (!isEverybodys || patients + households <= this.#apart) return undefined
    this.#registry.checkComplete()
    const walked: Walked[] = []
    for (const part of parts) {
      const population = this.#populations[part]
      const slices = await population.now()
      if (population.losses.length > 0 || slices.hasTimeless) return undefined
      walked.push(new Walked(population, slices))
    }
    return walked
  }

  /** Whether so many are asked that one index of all compartments answers. */
  async isWide(grant: Grant, query: Query): Promise<boolean> {
    const known = this.#registry.counts
    const reached = patientsInReach(grant)
    const asked = query.types.includes('AuditEvent') ? undefined : await this.askedWithin(grant, query)
    const patients = asked?.length ?? (reached === 'all' ? known.patients : reached.length)
    const households = homeInReach(grant) === 'all' ? known.households : 1
    return patients + households > this.#apart
  }

  /**
   * The matches of a question to many, for what is decided on them.
   *
   * @throws Problem `fault` when something of those who are asked cannot be read
   */
  decisive(grant: Grant, query: Restricted<Query>, limit: number): Promise<readonly Found[]> {
    return withoutLost(async () => {
      const searched = await this.#together(grant, query, undefined)
      if (searched.unreadable > 0) throw this.#whyUnreadable()
      const { matches } = await searched.answer({ ...query, count: limit }, 0)
      if (searched.unreadable > 0) throw this.#whyUnreadable()
      return versionsOf(matches, few => searched.open(few))
    })
  }

  #whyUnreadable(): Problem {
    this.#registry.checkComplete()
    const { data, audit } = this.#populations
    return [...data.losses, ...audit.losses][0]?.why ?? ledgerDamaged()
  }

  async #together(
    grant: Grant,
    query: Query,
    before: Extract<AsOf, { kind: 'instant' }> | undefined,
  ): Promise<Searched> {
    const asked = asksForAudit(query) ? [this.#populations.data, this.#populations.audit] : [this.#populations.data]
    const views: View[] = []
    for (const population of asked) {
      const slices = await population.now()
      views.push({ population, slices, moves: slices.moves })
    }
    const passing = new Passing(views, {
      room: this.#room,
      erased: this.#registry.erasedPatients,
      compartmentsOf: narrower => this.#compartmentsOf(narrower),
    })
    // What is told slice by slice is told of everybody; of some there is an index for each.
    if (!passing.isWhole && patientsInReach(grant) !== 'all') return this.#someApart(grant, query, before)
    const unreadable = await this.#missing(grant, query, asked)
    const holderOf = (compartment: CompartmentId) =>
      views.map(({ slices }) => slices.holderOf(compartment)).find(each => each)
    return searchedTogether(
      {
        views,
        before,
        unreadable,
        passing,
        ledgerOf: async compartment => {
          const holder = this.#registry.known(compartment) ?? holderOf(compartment)
          return holder === undefined ? undefined : (this.#shelf.atHand(holder) ?? this.#shelf.open(holder))
        },
        lose: (compartment, why) => {
          const holder = holderOf(compartment)
          if (holder !== undefined) for (const population of asked) population.lose(holder, why)
        },
      },
      this.#opening,
    )
  }

  /** Where what is asked for must lie. */
  #compartmentsOf(query: Query): ReadonlySet<CompartmentId> | undefined {
    if (query.types.includes('AuditEvent')) return undefined
    const pairs = patientsAsked(query)?.map(patient => this.#registry.knownPatient(patient))
    if (pairs?.every(pair => pair !== undefined) !== true) return undefined
    return new Set(pairs.map(({ data }) => data.compartment))
  }

  /** @throws Problem `too-costly` · `record.reach-too-wide` when the indexes of those whom a grant reaches have no room together */
  async #someApart(
    grant: Grant,
    query: Query,
    before: Extract<AsOf, { kind: 'instant' }> | undefined,
  ): Promise<Searched> {
    const holders = await this.holders(grant, query)
    const { data, audit } = this.#populations
    const versions = holders.reduce((sum, { compartment }) => {
      return sum + (data.headOf(compartment) ?? audit.headOf(compartment) ?? 0)
    }, 0)
    if (versions * data.bytesOfVersion > this.#shelf.limits.indexBytes) throw reachTooWide()
    const { ledgers, unreadable } = await this.readable(grant, query)
    const erased = this.#registry.erasedPatients
    if (before === undefined) return searchedApart(ledgers, this.#opening, { unreadable, erased })
    const heads = await headsAt(ledgers, before.untilMs)
    return searchedApart(ledgers, this.#opening, { unreadable, heads, erased })
  }

  /**
   * Tells how much is missing from an answer that can say so.
   *
   * @throws Problem `fault` when it is asked of some, who are all to be there
   */
  async #missing(grant: Grant, query: Query, asked: readonly Population[]): Promise<() => number> {
    const isEverybody = await this.#asksEverybody(grant, query)
    const all = () => asked.flatMap(({ losses }) => losses)
    const within = all().length === 0 ? undefined : await this.#reachedIds(grant, query)
    const count = () => {
      const lost = all().filter(({ holder }) => within?.has(holder.compartment) !== false)
      const [first] = lost
      if (first !== undefined && !isEverybody) throw first.why
      return (isEverybody ? this.#registry.broken : 0) + lost.length
    }
    count()
    return count
  }

  async #reachedIds(grant: Grant, query: Query): Promise<ReadonlySet<CompartmentId>> {
    return new Set((await this.holders(grant, query)).map(({ compartment }) => compartment))
  }

  readonly #opening: Opening = (...of) => this.#reach.openFrom(...of)

  async #asksEverybody(grant: Grant, query: Query | undefined): Promise<boolean> {
    if (patientsInReach(grant) !== 'all') return false
    return query === undefined || (await this.askedWithin(grant, query)) === undefined
  }

  async #isReadable(holder: Holder): Promise<boolean> {
    try {
      const ledger = await this.#shelf.open(holder)
      await ledger.index()
      return true
    } catch (error) {
      if (isProblem(error, 'fault')) return false
      throw error
    }
  }
}

/** How far each ledger had come at an instant. */
async function headsAt(ledgers: readonly Ledger[], untilMs: number): Promise<ReadonlyMap<CompartmentId, number>> {
  const heads = new Map<CompartmentId, number>()
  for (const ledger of ledgers) heads.set(ledger.holder.compartment, await ledger.headAt(untilMs))
  return heads
}

function reachTooWide(): Problem {
  const text =
    'Those within reach have more than fits into the memory of this server at once. Ask about some of them, as in patient=x,y.'
  return new Problem('too-costly', 'record.reach-too-wide', text)
}
