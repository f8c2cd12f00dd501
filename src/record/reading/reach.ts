import {
  asShown,
  type Grant,
  isShown,
  mayTouchAny,
  patientsInReach,
  reachOfNamed,
  type Standing,
  seesAlike,
  type Verb,
} from '#access'
import { parseStored } from '#fhir'
import { toUtf8 } from '#kernel'
import type { Erased, Holder } from '#search'
import type { CompartmentId, Locator, Store } from '#store'
import type { DocumentDraft, Vault } from '#vault'
import type { Ledger } from '../ledger/ledger.ts'
import type { Located } from '../ledger/opened-versions.ts'
import type { Shelf } from '../ledger/shelf.ts'
import type { EnteredNumbers } from '../registry/entered-numbers.ts'
import type { Household } from '../registry/household.ts'
import type { Pair } from '../registry/registration.ts'
import type { Change, Plan, Registry } from '../registry/registry.ts'
import type { Place, Stored } from '../types.ts'
import type { Foreseen, Foresight } from './foresight.ts'
import { type Opening, openInPortions, Portion } from './opening.ts'
import { type Reachable, type Reached, Reaches } from './reached.ts'
import { type Sought, Versions } from './versions.ts'

/** Hits that are fetched at once. */
const openedAtOnce = { least: 8, most: 256 }

const anyReading: readonly Verb[] = ['r', 's']

/** What a grant reaches: which compartments, which ledgers, which versions. Everything else does not exist for it. */
export class Reach {
  readonly baseUrl: string
  readonly #store: Store
  readonly #vault: Vault
  readonly #registry: Registry
  readonly #shelf: Shelf
  readonly #household: Household
  readonly enteredNumbers: EnteredNumbers
  readonly #foresight: Foresight
  readonly #reaches: Reaches
  readonly #versions: Versions

  constructor(rooms: {
    readonly baseUrl: string
    readonly store: Store
    readonly vault: Vault
    readonly registry: Registry
    readonly shelf: Shelf
    readonly household: Household
    readonly enteredNumbers: EnteredNumbers
    readonly foresight: Foresight
  }) {
    this.baseUrl = rooms.baseUrl
    this.#store = rooms.store
    this.#vault = rooms.vault
    this.#registry = rooms.registry
    this.#shelf = rooms.shelf
    this.#household = rooms.household
    this.enteredNumbers = rooms.enteredNumbers
    this.#foresight = rooms.foresight
    this.#reaches = new Reaches(rooms.registry)
    const { store, shelf, foresight } = rooms
    const isThere = (grant: Grant, located: Stored) => this.#isThere(grant, located)
    const newest = (grant: Grant, sought: Sought) => this.#durableOf(grant, sought, undefined)
    this.#versions = new Versions({ store, shelf, foresight, reaches: this.#reaches, isThere, newest })
  }

  locator(type: string, id: string): Locator {
    return this.#vault.locator(type, id)
  }

  sought(type: string, id: string): Sought {
    return { type, id, locator: this.locator(type, id) }
  }

  commonsOf(locator: Locator): Holder {
    return this.#registry.commonsOf(locator)
  }

  pairOf(patient: string): Promise<Pair | undefined> {
    return this.#registry.ofPatient(patient)
  }

  planPatient(patient: string): Promise<Plan> {
    return this.#registry.planPatient(patient)
  }

  isErased(patient: string): Promise<boolean> {
    return this.#registry.isErased(patient)
  }

  /** The same of everybody, as far as this process knows. */
  get erasedPatients(): Erased {
    return this.#registry.erasedPatients
  }

  /** The Patient into whom this one was merged. */
  mergedInto(patient: string): Promise<string | undefined> {
    return this.#registry.mergedInto(patient)
  }

  /** How often somebody was merged or parted: what was worked out under another count is worked out again. */
  get merges(): number {
    return this.#registry.merges
  }

  merging(patient: string, pair: Pair, into: string | undefined): Change {
    return this.#registry.merging(patient, pair, into)
  }

  /** The household of an account, or without one that of the instance. */
  householdOf(account: string | undefined): Promise<Pair | undefined> {
    return this.#registry.ofHousehold(account)
  }

  planHousehold(account: string | undefined): Promise<Plan> {
    return this.#registry.planHousehold(account)
  }

  /** What the ids that an account chooses begin with: nobody else's do, so that none can be taken by others. */
  idPrefixOf(account: string): string {
    return `${this.#vault.mac('account-ids', toUtf8(account)).toString('hex', 0, 5)}-`
  }

  /** What must hold of the compartments that a commit writes to: none of them is an erased patient's. */
  stillRegistered(holders: Iterable<Holder>): readonly DocumentDraft[] {
    return [...holders].map(holder => this.#registry.stillRegistered(holder)).filter(check => check !== undefined)
  }

  /** Looks again at what is whose: a commit was lost, perhaps because somebody came or was erased. */
  reload(): Promise<void> {
    return this.#registry.catchUp()
  }

  /** The census, for grants that reach everybody: a patient who comes later would be theirs to find. */
  async census(grant: Grant): Promise<number | undefined> {
    return patientsInReach(grant) === 'all' ? this.#registry.census() : undefined
  }

  /** What the commit must say about the census: who came, and that nobody else did since it was `seen`. */
  censusWrite(seen: number | undefined, comes: boolean): DocumentDraft | undefined {
    if (comes) return this.#registry.counting(seen)
    return seen === undefined ? undefined : this.#registry.uncounted(seen)
  }

  /** To be called when a commit that brought patients is durable. */
  counted(): void {
    this.#registry.counted()
  }

  /** What must hold of an account to which something new comes: it is not being deleted. */
  stillOpen(account: string): Promise<DocumentDraft> {
    return this.#household.stillOpen(account)
  }

  keepFor(account: string, patients: readonly string[]): Promise<DocumentDraft> {
    return this.#household.adding(account, patients)
  }

  /** Whether a grant may say whose a patient is: an account keeps the patient in its own right, or nobody is out of reach. */
  async owns(grant: Grant, patient: string): Promise<boolean> {
    const { account } = grant
    return account === undefined || patientsInReach(grant) === 'all' || this.#household.owns(account, patient)
  }

  reachesPatient(grant: Grant, patient: string): boolean {
    const reach = patientsInReach(grant)
    return reach === 'all' || reach.includes(patient)
  }

  /** Whether a grant may do this to every row of a type in a holder, so that the row itself need not be looked at. */
  mayTouchAny(grant: Grant, verb: Verb, type: string, holder: Holder, standing: Standing): boolean {
    return mayTouchAny(grant, verb, type, holder, standing)
  }

  /**
   * Of the patients whom a household's version names one who is kept here and whom the grant does not reach, so that it does not see
   * the version; nobody for nearly all. Nothing is promised where nothing need be asked.
   */
  namedBeyond(
    grant: Grant,
    verbs: readonly Verb[],
    { type, holder, named = [] }: Pick<Stored, 'type' | 'holder' | 'named'>,
  ): readonly string[] | Promise<readonly string[]> {
    const reaches = holder.kind === 'household' && named.length > 0 ? reachOfNamed(grant, verbs, type) : undefined
    const beyond = reaches === undefined ? [] : named.filter(patient => !reaches(patient))
    return beyond.length === 0 ? beyond : this.#keptAmong(beyond)
  }

  async #keptAmong(patients: readonly string[]): Promise<readonly string[]> {
    for (const patient of patients) if (!(await this.isErased(patient))) return [patient]
    return []
  }

  /** Whether a version is there for a grant that reaches its compartment, by whom it names: by content others judge. */
  #isThere(grant: Grant, located: Stored): boolean | Promise<boolean> {
    const beyond = this.namedBeyond(grant, anyReading, located)
    return beyond instanceof Promise ? beyond.then(known => known.length === 0) : true
  }

  /** The version that a locator has in this process ahead of the store; undefined when it is not ahead. */
  pendingVersion(locator: Locator): number | undefined {
    return this.#shelf.pendingOf(locator)[0]?.version
  }

  /** The compartments that a grant reaches; undefined where they are more than so many. */
  async fewWithin(grant: Grant, most: number): Promise<readonly CompartmentId[] | undefined> {
    const reached = this.#reaches.known(grant) ?? (await this.#reaches.look(grant))
    const ids = reached.everybody ? undefined : await reached.ids()
    return ids !== undefined && ids.length <= most ? ids : undefined
  }

  /** The holder of a compartment, if the grant reaches it. */
  async holderWithin(grant: Grant, compartment: CompartmentId): Promise<Holder | undefined> {
    return (this.#reaches.known(grant) ?? (await this.#reaches.look(grant))).holder(compartment)
  }

  /**
   * Where the newest version lies, as far as the grant reaches; nowhere when it does not exist for it, or for its account's role. What
   * lies in households alone may name somebody beyond reach, and what is still under way is in no index: these are opened.
   */
  async holdersOf(grant: Grant, sought: Sought): Promise<readonly Holder[]> {
    const isUnderWay = this.#shelf.pendingOf(sought.locator).length > 0
    const holders = await this.#holdersWithin(grant, sought.locator)
    const isLesser = grant.within !== undefined || grant.withheld !== undefined
    if (holders.length === 0) return holders
    if ((isUnderWay && isLesser) || holders.every(({ kind }) => kind === 'household'))
      return this.#holdersOpened(grant, sought)
    const isPatients = holders.every(({ patient }) => patient !== undefined)
    return isLesser && isPatients && !(await this.#isShownIn(grant, sought, holders)) ? [] : holders
  }

  async #holdersOpened(grant: Grant, sought: Sought): Promise<readonly Holder[]> {
    const found = await this.#newestOf(grant, sought, undefined)
    if (found === undefined) return []
    const copies = await Promise.all(found.copies.map(compartment => this.holderWithin(grant, compartment)))
    const holders = [found.holder, ...copies.filter(holder => holder !== undefined)]
    return (await isShownIn(grant, found, holders)) ? holders : []
  }

  /** In one of them is enough, as for reading. */
  async #isShownIn(grant: Grant, sought: Sought, holders: readonly Holder[]): Promise<boolean> {
    const foreseen = await this.#foresight.among(asShown(grant), sought, holders)
    return foreseen === undefined || whereCurrent(foreseen).length > 0
  }

  async #holdersWithin(grant: Grant, locator: Locator): Promise<readonly Holder[]> {
    const reached = this.#reaches.known(grant) ?? (await this.#reaches.look(grant))
    const pending = this.#shelf.pendingOf(locator).map(({ stored }) => stored.holder)
    const copies = pending.length > 0 ? pending : ((await this.#store.places([locator], undefined)).get(locator) ?? [])
    const holders: Holder[] = []
    for (const { compartment } of copies) {
      const holder = reached.holder(compartment) ?? (await this.#newcomer(compartment, reached))
      if (holder !== undefined) holders.push(holder)
    }
    const isPerhapsNew = holders.length === 0 && copies.length > 0 && reached.homeless !== undefined
    const home = isPerhapsNew ? await this.#registry.ofHousehold(reached.homeless) : undefined
    return home === undefined ? holders : this.#holdersWithin(grant, locator)
  }

  /** All places of a version that was found, those beyond reach too: only to write to all of them or to refuse. */
  async placesOf(locator: Locator, found: Located): Promise<ReadonlyMap<CompartmentId, number>> {
    if (found.copies.length === 0) return new Map([[found.holder.compartment, found.seq]])
    const pending = this.#shelf.pendingOf(locator)
    if (pending[0]?.version === found.version)
      return new Map(pending.map(({ stored, seq }) => [stored.holder.compartment, seq]))
    const places = (await this.#store.places([locator], undefined)).get(locator) ?? []
    return new Map(places.map(({ compartment, seq }) => [compartment, seq]))
  }

  ledger(holder: Holder): Promise<Ledger> {
    return this.#shelf.open(holder)
  }

  auditLedger(holder: Holder): Promise<Ledger> {
    return this.#shelf.open(this.#registry.auditOf(holder))
  }

  /** Data and audit ledgers alike; for histories. Throws like `ledgers`. */
  async everyLedger(grant: Grant): Promise<readonly Ledger[]> {
    const { data, audit } = await this.ofNow(grant)
    if (patientsInReach(grant) === 'all') this.#registry.checkComplete()
    return this.#shelf.fresh([...data, ...audit])
  }

  /** The newest version within reach, whether durable or still pending in this process. */
  async newest(grant: Grant, sought: Sought): Promise<Located | undefined> {
    return this.#newestOf(grant, sought, await this.#foresee(grant, sought))
  }

  async #newestOf(grant: Grant, sought: Sought, foreseen: Foreseen | undefined): Promise<Located | undefined> {
    const durable = await this.#durableOf(grant, sought, foreseen)
    const reached = this.#reaches.known(grant) ?? (await this.#reaches.look(grant))
    const copies = this.#shelf.pendingOf(sought.locator)
    const pending = copies.find(({ stored }) => reached.holder(stored.holder.compartment) !== undefined)
    if (pending === undefined || pending.version <= (durable?.version ?? 0)) return durable
    if (!(await this.#isThere(grant, pending.stored))) return undefined
    return { ...pending.stored, seq: pending.seq, movedAway: false }
  }

  /** The newest durable version within reach that the grant may know of: one lookup, one decryption. */
  async durable(grant: Grant, sought: Sought): Promise<Located | undefined> {
    const foreseen = seesAlike(grant, sought.type) ? undefined : await this.#foresee(grant, sought)
    return this.#durableOf(grant, sought, foreseen)
  }

  async #durableOf(grant: Grant, sought: Sought, foreseen: Foreseen | undefined): Promise<Located | undefined> {
    const { locator } = sought
    const reached = this.#reaches.known(grant) ?? (await this.#reaches.look(grant))
    const within = foreseen === undefined ? await allOf(reached) : whereCurrent(foreseen)
    const entry = within?.length === 0 ? undefined : await this.#store.newest(locator, within)
    if (entry === undefined) return this.#atNewHome(grant, sought, reached, foreseen)
    const holder = reached.holder(entry.compartment) ?? (await this.#newcomer(entry.compartment, reached))
    if (holder === undefined) return undefined
    const ledger = this.#shelf.atHand(holder) ?? (await this.#shelf.open(holder))
    const located = ledger.open(entry, sought)
    const isThere = this.#isThere(grant, located)
    return isThere === true || (await isThere) ? located : undefined
  }

  /** What is seen of a resource by a grant that does not see alike all that it reaches. */
  async #foresee(grant: Grant, sought: Sought): Promise<Foreseen | undefined> {
    if (seesAlike(grant, sought.type)) return undefined
    const reached = this.#reaches.known(grant) ?? (await this.#reaches.look(grant))
    const foreseen = await this.#foresight.of(grant, sought, reached)
    if (foreseen === 'whole') return undefined
    // Of many those are asked where it lies.
    if (foreseen === 'wide')
      return this.#foresight.among(grant, sought, await this.#holdersWithin(grant, sought.locator))
    return foreseen
  }

  // The household of the account may have been made since it was looked for, in another process too.
  async #atNewHome(
    grant: Grant,
    sought: Sought,
    reached: Reached,
    foreseen: Foreseen | undefined,
  ): Promise<Located | undefined> {
    if (reached.homeless === undefined) return undefined
    const home = await this.#registry.ofHousehold(reached.homeless)
    if (home === undefined) return undefined
    return foreseen === undefined ? this.#durableOf(grant, sought, undefined) : this.durable(grant, sought)
  }

  // Whoever reaches everybody reaches whom another process has just taken in. Nobody else's reach is ever widened by what
  // the store answers: without a holder no key is asked for.
  async #newcomer(compartment: CompartmentId, { everybody }: Reached): Promise<Holder | undefined> {
    return everybody ? this.#registry.holder(compartment) : undefined
  }

  /** The versions of a resource within reach, newest first, of the copies of a version one; where it went away, a deletion. */
  versions(grant: Grant, sought: Sought, below?: number): AsyncGenerator<Stored> {
    return this.#versions.all(grant, sought, below)
  }

  version(grant: Grant, sought: Sought, version: number): Promise<Stored | undefined> {
    return this.#versions.one(grant, sought, version)
  }

  /** The newest version of the same resource within reach that says anything, whoever sees it; this one where there is no other. */
  lastSaid(grant: Grant, stored: Stored): Promise<Stored> {
    return this.#versions.lastSaid(grant, stored, this.sought(stored.type, stored.id))
  }

  /** Whether the newest version lies in another compartment within reach. */
  async liesElsewhere(grant: Grant, { type, id, holder }: Pick<Stored, 'type' | 'id' | 'holder'>): Promise<boolean> {
    const holders = await this.#holdersWithin(grant, this.locator(type, id))
    return holders.some(({ compartment }) => compartment !== holder.compartment)
  }

  /** The removal that took a resource out of reach, if its newest version within reach is one. */
  removal(grant: Grant, sought: Sought): Promise<Stored | undefined> {
    return this.#versions.removal(grant, sought)
  }

  /** Whether a removal took a resource out of reach: then it is told as a deletion, which says no more. */
  wentAway(grant: Grant, { type, id, version }: Pick<Stored, 'type' | 'id' | 'version'>): Promise<boolean> {
    return this.#versions.wentAway(grant, this.sought(type, id), version)
  }

  /** Which of these are in use within reach, and which are in use nowhere; the rest belongs to others. */
  async places(
    grant: Grant,
    sought: readonly Sought[],
  ): Promise<{ readonly within: readonly Sought[]; readonly free: readonly Sought[] }> {
    const reached = this.#reaches.known(grant) ?? (await this.#reaches.look(grant))
    const places = await this.#store.places(
      sought.map(({ locator }) => locator),
      undefined,
    )
    const within: Sought[] = []
    const free: Sought[] = []
    for (const each of sought) {
      const pending = this.#shelf.pendingOf(each.locator).map(({ stored }) => stored.holder)
      const copies = pending.length > 0 ? pending : (places.get(each.locator) ?? [])
      const holders = copies
        .map(({ compartment }) => reached.holder(compartment))
        .filter(holder => holder !== undefined)
      if (copies.length === 0) free.push(each)
      else if (holders.length > 0 && (await this.#isThereIn(grant, each, holders))) within.push(each)
    }
    return { within, free }
  }

  /** What may name somebody beyond reach lies in a household, and is looked at. */
  async #isThereIn(grant: Grant, sought: Sought, holders: readonly Holder[]): Promise<boolean> {
    if (grant.withheld !== undefined) return (await this.holdersOf(grant, sought)).length > 0
    const isWhole = patientsInReach(grant) === 'all' || holders.some(({ kind }) => kind !== 'household')
    return isWhole || (await this.#newestOf(grant, sought, undefined)) !== undefined
  }

  /** The version under which a locator is taken in any compartment; only ever used to refuse. */
  async takenVersion(locator: Locator): Promise<number | undefined> {
    const pending = this.pendingVersion(locator)
    return pending ?? (await this.#store.places([locator], undefined)).get(locator)?.[0]?.version
  }

  /** Opens hits in their order, as long as `takes` has room. */
  async openFrom(
    hits: readonly Place[],
    ledgerOf: (compartment: CompartmentId) => Promise<Ledger | undefined>,
    takes: (stored: Stored) => boolean = () => true,
  ): Promise<readonly Stored[]> {
    const found: Stored[] = []
    for await (const opened of this.openPortions(hits, ledgerOf))
      for (const stored of opened) {
        if (!takes(stored)) return found
        found.push(stored)
      }
    return found
  }

  /** Opens what lies at some places, in their order: as much at a time as has some MB. */
  async *openPortions(
    places: readonly Place[],
    ledgerOf: (compartment: CompartmentId) => Promise<Ledger | undefined>,
  ): AsyncGenerator<readonly Stored[], void, void> {
    const opening: Opening<Stored> = { store: this.#store, openerOf: ledgerOf }
    for await (const opened of openInPortions(places, new Portion(openedAtOnce), opening))
      yield opened.map(({ stored, place: { parts } }) => (parts === undefined ? stored : { ...stored, parts }))
  }

  /** All that it reaches now. */
  async ofNow(grant: Grant): Promise<Reachable> {
    return (await this.#reaches.now(grant)).all()
  }
}

/** The compartments that are looked into; undefined for all. */
async function allOf(reached: Reached): Promise<readonly CompartmentId[] | undefined> {
  return reached.everybody ? undefined : reached.ids()
}

/** The compartments in which the newest version may be opened. */
function whereCurrent({ whole, some }: Foreseen): readonly CompartmentId[] {
  const seen = [...some].filter(([, { current }]) => current !== undefined)
  return [...whole, ...seen.map(([compartment]) => compartment)]
}

/** In one of them is enough, as for reading. */
async function isShownIn(grant: Grant, { type, deleted, json }: Stored, holders: readonly Holder[]): Promise<boolean> {
  if (grant.within === undefined && grant.withheld === undefined) return true
  const resource = async () => (deleted ? undefined : await parseStored(json))
  for (const holder of holders) if (await isShown(grant, { type, resource }, holder)) return true
  return false
}
