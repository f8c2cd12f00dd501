import { type Grant, homeInReach, patientsAsked, patientsInReach, patientsNamed } from '#access'
import { isProblem, mapFew, type Problem } from '#kernel'
import type { Holder, PopulationIndex, Query, Restricted } from '#search'
import type { CompartmentId } from '#store'
import type { Ledger } from '../ledger/ledger.ts'
import { ledgerDamaged } from '../ledger/ledger-index.ts'
import { ledgersAtOnce, type Shelf } from '../ledger/shelf.ts'
import type { Loss, Part, Population } from '../population/population.ts'
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
  readonly #apart: number

  constructor(rooms: {
    readonly reach: Reach
    readonly registry: Registry
    readonly shelf: Shelf
    readonly populations: Populations
    /** So many patients and households are searched by an index for each. */
    readonly apart: number
  }) {
    this.#reach = rooms.reach
    this.#registry = rooms.registry
    this.#shelf = rooms.shelf
    this.#populations = rooms.populations
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
    if (before?.kind !== 'heads') return searchedApart(ledgers, this.#opening, { unreadable })
    const heads = new Map(before.heads)
    const begun = ledgers.filter(({ holder }) => heads.has(holder.compartment))
    return searchedApart(begun, this.#opening, { unreadable, heads })
  }

  /**
   * The same as it was at an instant, which is not long ago: what was written later is not there, and what that replaced is.
   */
  async searchedAt(grant: Grant, query: Restricted<Query>, untilMs: number): Promise<Searched> {
    await this.#registry.refresh()
    if (await this.isWide(grant, query)) return this.#together(grant, query, { kind: 'instant', untilMs, arrivals: [] })
    const { ledgers, unreadable } = await this.readable(grant, query)
    const heads = new Map<CompartmentId, number>()
    for (const ledger of ledgers) heads.set(ledger.holder.compartment, await ledger.headAt(untilMs))
    return searchedApart(ledgers, this.#opening, { unreadable, heads })
  }

  /** Not before anything that this query can find was written; nothing behind it seems older. */
  async newestMs(grant: Grant, query: Query): Promise<number> {
    if (await this.isWide(grant, query)) return (await this.#populations.data.index()).newestMs
    const { ledgers } = await this.readable(grant, query)
    return Math.max(0, ...ledgers.map(({ lastMs }) => lastMs))
  }

  /**
   * The indexes by which a history of everybody finds what was written when; undefined where few are asked, or where something is
   * missing in them: then each ledger tells for itself.
   *
   * @throws Problem `fault` when it is not known of all whose they are
   */
  async everybodysHistory(grant: Grant, parts: readonly Part[]): Promise<readonly PopulationIndex[] | undefined> {
    await this.#registry.refresh()
    const { patients, households } = this.#registry.counts
    const isEverybodys = patientsInReach(grant) === 'all' && homeInReach(grant) === 'all'
    if (!isEverybodys || patients + households <= this.#apart) return undefined
    this.#registry.checkComplete()
    const indexes: PopulationIndex[] = []
    for (const part of parts) {
      const population = this.#populations[part]
      const index = await population.index()
      if (population.losses.length > 0 || index.hasTimeless) return undefined
      indexes.push(index)
    }
    return indexes
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
    const indexes: PopulationIndex[] = []
    for (const population of asked) indexes.push(await population.index())
    const unreadable = await this.#missing(
      grant,
      query,
      asked.flatMap(({ losses }) => losses),
    )
    const holderOf = (compartment: CompartmentId) =>
      indexes.map(index => index.holderOf(compartment)).find(each => each)
    return searchedTogether(
      {
        indexes,
        before,
        unreadable,
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

  /** How much is missing from an answer that can say so. @throws Problem `fault` when it is asked of some, who are all to be there */
  async #missing(grant: Grant, query: Query, losses: readonly Loss[]): Promise<number> {
    const isEverybody = await this.#asksEverybody(grant, query)
    if (losses.length === 0) return isEverybody ? this.#registry.broken : 0
    const reached = new Set((await this.holders(grant, query)).map(({ compartment }) => compartment))
    const [first, ...more] = losses.filter(({ holder }) => reached.has(holder.compartment))
    if (first === undefined) return isEverybody ? this.#registry.broken : 0
    if (!isEverybody) throw first.why
    return this.#registry.broken + 1 + more.length
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
