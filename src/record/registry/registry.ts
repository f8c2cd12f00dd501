import { type Grant, homeInReach, patientsInReach } from '#access'
import { isProblem, type Log, mapFew, Problem } from '#kernel'
import type { Erased, Holder } from '#search'
import type { CompartmentId, Locator } from '#store'
import type { DocumentDraft, Documents, Found, PlannedCompartment, Vault } from '#vault'
import type { DocumentLedger } from '../documents/document-ledger.ts'
import { Directory } from './directory.ts'
import { Everybodys, type Keeping } from './everybodys.ts'
import {
  registrations as collection,
  nameOfHousehold,
  nameOfPatient,
  type Pair,
  pairOf,
  type Registration,
} from './registration.ts'

/** Compartments that will be somebody's once they are committed. Until they are kept nothing of them is left anywhere. */
export interface Plan {
  readonly pair: Pair
  readonly write: DocumentDraft
  /** Makes their keys durable: before the commit, and not before everything else about it is certain. */
  keep(): Promise<void>
  /** The commit is durable. */
  adopt(): void
  /** There will be no commit. */
  forget(): void
  /** There was none: kept keys are removed again. */
  takeBack(): Promise<void>
}

/** A change of a registration, to be committed with what goes with it. */
export interface Change {
  readonly compartment: CompartmentId
  readonly write: DocumentDraft
  /** The commit is durable. */
  adopt(): void
}

/** What the registry is built on. */
interface RegistryRooms {
  readonly documents: Documents
  readonly vault: Vault
  readonly log: Log
  /** Writes over documents that are not what was written last. */
  repair(drafts: readonly DocumentDraft[]): Promise<void>
  /** Tells which documents have changed. */
  readonly changes: Pick<DocumentLedger, 'changedSince' | 'lastSeq'>
}

const censusName = 'census'
/** A census that no number is: whoever asks next looks again, however many are counted meanwhile. */
const notCounted = Number.NaN
/** Entries of the ledger of documents that are looked at, and two more for each registration, before all are read again. */
const patience = 2_000
/** Registrations that are asked for together. */
const askedAtOnce = 64

/** Which compartment belongs to whom. Only here do a patient's id and a compartment's random id meet. */
export class Registry {
  readonly #rooms: RegistryRooms
  readonly #documents: Documents
  readonly #vault: Vault
  readonly #log: Log
  readonly #directory = new Directory()
  /** Who keeps the audit of compartments that are planned. */
  readonly #planned = new Map<CompartmentId, Holder>()
  #commons: readonly Holder[] = []
  #instanceAudit: Holder | undefined
  /** The entry of the ledger of documents as of which all registrations are known here. */
  #seen: number | undefined
  /** The same by the census. */
  #censusSeen = notCounted
  /** Counts changes, so that what was derived from the registry can be kept until it changes. */
  #generation = 0
  /** Registrations that cannot be opened or are missing: whose they are is not known here. */
  #broken = 0

  constructor(rooms: RegistryRooms) {
    this.#rooms = rooms
    this.#documents = rooms.documents
    this.#vault = rooms.vault
    this.#log = rooms.log
  }

  /** Reads what is there and makes the commons on first use. */
  async open(): Promise<void> {
    const keep: Keeping = (...of) => this.#keep(...of)
    const { instanceAudit, commons } = await new Everybodys({ ...this.#rooms, keep }).open()
    this.#instanceAudit = instanceAudit
    this.#commons = commons
    await this.reload()
  }

  /** How many compartments there are whose owners are not known: what is asked of everybody is not asked of them. */
  get broken(): number {
    return this.#broken
  }

  /** @throws Problem `fault` · `record.registration-broken` unless all that are kept here are known */
  checkComplete(): void {
    if (this.#broken > 0)
      throw new Problem(
        'fault',
        'record.registration-broken',
        'Whose a compartment is cannot be read; run kinhold verify.',
      )
  }

  get generation(): number {
    return this.#generation
  }

  get instanceAudit(): Holder {
    if (this.#instanceAudit === undefined) throw new TypeError('the registry is not open')
    return this.#instanceAudit
  }

  get commons(): readonly Holder[] {
    return this.#commons
  }

  /** The sub-ledger of the commons for a resource: by its locator, so that no ledger is a hot spot. */
  commonsOf(locator: Locator): Holder {
    const holder = this.#commons[Number.parseInt(locator.slice(0, 1), 16) % this.#commons.length]
    if (holder === undefined) throw new TypeError('the registry is not open')
    return holder
  }

  /** The compartments of a patient who is kept here; undefined also for one who was erased. */
  async ofPatient(patient: string): Promise<Pair | undefined> {
    const name = nameOfPatient(patient)
    return this.#directory.pair(name, 'patient') ?? (await this.#loaded(name, 'patient'))
  }

  /** Those of some ids that are of patients who are kept at this moment, whatever other processes have done since it was looked last. */
  async keptAmong(patients: Iterable<string>): Promise<readonly string[]> {
    await this.refresh()
    const kept: string[] = []
    for (const patient of patients) if ((await this.ofPatient(patient)) !== undefined) kept.push(patient)
    return kept
  }

  /** The household of an account, or without one that of the instance, once something was put there. */
  async ofHousehold(account: string | undefined): Promise<Pair | undefined> {
    const name = nameOfHousehold(account)
    return this.#directory.pair(name, 'household') ?? (await this.#loaded(name, 'household'))
  }

  /** Whether an id was that of a patient who was erased: it is never given again. */
  async isErased(patient: string): Promise<boolean> {
    return (await this.ofErased(patient)) !== undefined
  }

  /** The compartments of a patient who was erased. */
  async ofErased(patient: string): Promise<Pair | undefined> {
    const name = nameOfPatient(patient)
    // Another process may have erased somebody whom this one knows.
    return this.#directory.pair(name, 'erased') ?? (await this.#loaded(name, 'erased'))
  }

  /** The compartments of erased patients and of deleted accounts: what is left there is to be removed, but for their audit. */
  get erased(): readonly Pair[] {
    return [...this.#directory.pairs('erased'), ...this.#directory.pairs('vacated')]
  }

  /** The household of an account that was deleted. */
  async ofVacated(account: string): Promise<Pair | undefined> {
    const name = nameOfHousehold(account)
    return this.#directory.pair(name, 'vacated') ?? (await this.#loaded(name, 'vacated'))
  }

  /** Patients who were erased, as far as this process knows, without asking anew. */
  get erasedPatients(): Erased {
    const directory = this.#directory
    return {
      count: directory.count('erased'),
      has: patient => directory.pair(nameOfPatient(patient), 'erased') !== undefined,
    }
  }

  /** The ledger that keeps the audit of a compartment's data. */
  auditOf(holder: Holder): Holder {
    const { compartment, kind } = holder
    if (kind === 'audit') return holder
    return this.#directory.auditOf(compartment) ?? this.#planned.get(compartment) ?? this.instanceAudit
  }

  /** The holder of a compartment as far as this process knows, without asking anew. */
  known(compartment: CompartmentId): Holder | undefined {
    return this.#directory.holder(compartment)
  }

  async holder(compartment: CompartmentId): Promise<Holder | undefined> {
    if (this.known(compartment) === undefined) await this.catchUp()
    return this.known(compartment)
  }

  /** New keys for a new patient, and the document that makes them the patient's once it is committed. */
  planPatient(patient: string): Promise<Plan> {
    return this.#plan(nameOfPatient(patient), 'patient', { patient })
  }

  /** The same for the household of an account, or of the instance. */
  planHousehold(account: string | undefined): Promise<Plan> {
    return this.#plan(nameOfHousehold(account), 'household', account === undefined ? {} : { account })
  }

  /**
   * A condition for a commit that writes into a compartment: it is still whose it was. An erased patient's is not, whatever
   * this process believes, nor a deleted account's. Undefined where nobody can be erased, and for what the same commit makes somebody's.
   */
  stillRegistered({ compartment, kind, account }: Holder): DocumentDraft | undefined {
    const canEnd = kind === 'patient' || (kind === 'household' && account !== undefined)
    const registered = canEnd ? this.#directory.registered(compartment) : undefined
    return registered && this.#documents.check(collection, registered.name, registered.revision)
  }

  /** How often somebody was merged into another one, or parted again. */
  get merges(): number {
    return this.#directory.merges
  }

  /** Whether somebody was merged into a patient, if need be by way of others. */
  async isFormerOf(one: string, patient: string): Promise<boolean> {
    const seen = new Set<string>()
    for (let at: string | undefined = one; at !== undefined && !seen.has(at); at = await this.mergedInto(at)) {
      if (at === patient) return one !== patient
      seen.add(at)
    }
    return false
  }

  /** The Patient into whom this one was merged. That another process merged somebody, a commit finds out. */
  async mergedInto(patient: string): Promise<string | undefined> {
    const name = nameOfPatient(patient)
    // It may have been undone elsewhere since.
    if (this.#directory.mergedInto(name) !== undefined) await this.#loaded(name, 'patient')
    return this.#directory.mergedInto(name)
  }

  /** From this commit on a patient is merged into another one, or with undefined no more. */
  merging(patient: string, { data, audit }: Pair, mergedInto: string | undefined): Change {
    const { compartment } = data
    const name = nameOfPatient(patient)
    const revision = this.#directory.registered(compartment)?.revision ?? 0
    const known: Registration = { kind: 'patient', compartment, audit: audit.compartment, patient }
    const registration: Registration = mergedInto === undefined ? known : { ...known, mergedInto }
    return {
      compartment,
      write: this.#documents.write(collection, name, registration, { ifRevision: revision }),
      adopt: () => void this.#keep(name, registration, revision + 1),
    }
  }

  /** The write by which a patient's compartment becomes that of an erased one. */
  erasing(patient: string, pair: Pair): DocumentDraft {
    return this.#ending(nameOfPatient(patient), { kind: 'erased', patient }, pair)
  }

  /** The write by which an account's household becomes that of one that was deleted. */
  vacating(account: string, pair: Pair): DocumentDraft {
    return this.#ending(nameOfHousehold(account), { kind: 'vacated', account }, pair)
  }

  #ending(
    name: string,
    whose: Pick<Registration, 'kind' | 'patient' | 'account'>,
    { data, audit }: Pair,
  ): DocumentDraft {
    const ended = { ...whose, compartment: data.compartment, audit: audit.compartment }
    return this.#documents.write<Registration>(collection, name, ended)
  }

  /** Counts the compartments ever taken in or erased: whoever looked at all of them can tell whether one has come since. */
  async census(): Promise<number> {
    return (await this.#documents.recent(censusName, censusName))?.revision ?? 0
  }

  /** Compartments of data whose audit this one keeps. */
  auditedBy(audit: CompartmentId): readonly CompartmentId[] {
    const planned = [...this.#planned].filter(([, holder]) => holder.compartment === audit)
    return [...this.#directory.auditedBy(audit), ...planned.map(([compartment]) => compartment)]
  }

  /** Another one comes. With `seen`, the commit holds only if none came since the census was that. */
  counting(seen: number | undefined): DocumentDraft {
    return this.#documents.write(censusName, censusName, {}, seen === undefined ? {} : { ifRevision: seen })
  }

  /** Counts anew where the census cannot be read; nobody else may have the house open, who would know the numbers before. */
  async mendCensus(): Promise<void> {
    try {
      await this.census()
    } catch (error) {
      if (!isProblem(error, 'fault')) throw error
      this.#log.warn('the census could not be read, and is written anew', { room: 'record' })
      await this.#rooms.repair([this.counting(undefined)])
    }
  }

  /** The commit holds only if nobody was taken in since the census was that. */
  uncounted(seen: number): DocumentDraft {
    return this.#documents.check(censusName, censusName, seen)
  }

  /** Every patient; asks the documents again, since another process may have added one. */
  async patients(): Promise<readonly string[]> {
    await this.catchUp()
    return this.#directory.patients()
  }

  /** How many patients and households are known here. */
  get counts(): { readonly patients: number; readonly households: number } {
    return { patients: this.#directory.count('patient'), households: this.#directory.count('household') }
  }

  /** The compartments of a patient as far as this process knows, without asking anew. */
  knownPatient(patient: string): Pair | undefined {
    return this.#directory.pair(nameOfPatient(patient), 'patient')
  }

  /** Every compartment that is anybody's, with those of audit. */
  async everyHolder(): Promise<readonly Holder[]> {
    await this.catchUp()
    return this.holders
  }

  /** The same as far as this process knows. */
  get holders(): readonly Holder[] {
    const pairs = [...this.#directory.pairs('patient'), ...this.#directory.pairs('household')]
    const audits = [...pairs.map(({ audit }) => audit), this.instanceAudit]
    const all = [...pairs.map(({ data }) => data), ...this.#commons, ...audits]
    return [...new Map(all.map(holder => [holder.compartment, holder])).values()]
  }

  /** Every compartment that a registration names, of the erased too; undefined when one of them cannot be opened. */
  async named(): Promise<ReadonlySet<CompartmentId> | undefined> {
    let broken = 0
    const listed = await this.#documents.list<Registration>(collection, { onBroken: () => broken++ })
    if (broken > 0) return undefined
    return new Set(listed.flatMap(({ value }) => [value.compartment, value.audit]))
  }

  /**
   * The data holders that a grant reaches: its patients' compartments, its household and the commons.
   *
   * @param patients  of the patients only these, all of whom it reaches
   */
  async inReach(grant: Grant, patients?: readonly string[]): Promise<readonly Holder[]> {
    const pairs = await this.#pairsInReach(grant, patients)
    return [...pairs.map(pair => pair.data), ...this.#commons]
  }

  /** The audit ledgers that a grant reaches; that of the instance only for those who reach everybody. */
  async auditInReach(grant: Grant): Promise<readonly Holder[]> {
    const own = (await this.#pairsInReach(grant)).map(pair => pair.audit)
    if (patientsInReach(grant) !== 'all') return own
    const erased = this.erased.map(pair => pair.audit)
    const others = [...own, ...erased].filter(({ compartment }) => compartment !== this.instanceAudit.compartment)
    return [...others, this.instanceAudit]
  }

  /** A number by which a holder stands where `inReach` or `auditInReach` of everybody has it. */
  placeOf({ compartment }: Holder): number {
    const last = 2 ** 40
    if (compartment === this.instanceAudit.compartment) return last
    const known = this.#directory.placeOf(compartment)
    return known ?? last / 2 + this.#commons.findIndex(each => each.compartment === compartment)
  }

  /** Reads all registrations again. */
  async reload(): Promise<void> {
    // Who comes while all are being read is not among them.
    const known = this.#directory.size
    const seen = await this.#rooms.changes.lastSeq()
    // One that is damaged costs its own patient; everybody else stays within reach.
    let broken = 0
    const onBroken = () => {
      broken++
      this.#log.error('a registration cannot be opened; run verify', { room: 'record' })
    }
    const listed = await this.#documents.list<Registration>(collection, { onBroken })
    for (const { name, value, revision } of listed) this.#know(name, value, revision)
    this.#broken = broken
    this.#seen = broken === 0 ? seen : undefined
    if (broken > 0) return
    const kept = new Set(listed.map(({ value }) => value.compartment))
    if (this.#directory.keepOnly(kept, known)) this.#generation++
  }

  /**
   * Takes in what was registered, merged or erased since this process looked last, by whomever: only those documents are opened. When
   * that cannot be told, or any of it is damaged, all are.
   */
  async catchUp(): Promise<void> {
    const most = patience + 2 * this.#directory.size
    const changes =
      this.#seen === undefined ? undefined : await this.#rooms.changes.changedSince(this.#seen, collection, most)
    if (changes === undefined || !(await this.#takeIn(changes.keys))) return this.reload()
    this.#seen = changes.seq
  }

  /** @returns whether all of them are there and sound */
  async #takeIn(keys: readonly string[]): Promise<boolean> {
    if (keys.length === 0) return true
    let broken = 0
    const found = await this.#documents.some<Registration>(collection, keys, { onBroken: () => broken++ })
    if (broken > 0 || found.length < keys.length) return false
    for (const { name, value, revision } of found) this.#know(name, value, revision)
    return true
  }

  /** Does so if the census tells that somebody came or went in another process. */
  async refresh(): Promise<void> {
    const census = await this.census()
    if (census === this.#censusSeen) return
    await this.catchUp()
    // A commit of our own that is under way may be in this number already, and will be counted.
    this.#censusSeen = this.#planned.size > 0 ? notCounted : census
  }

  /** A commit of this process has raised the census by one, and what it brought is known already. */
  counted(): void {
    this.#censusSeen++
  }

  async #pairsInReach(grant: Grant, among?: readonly string[]): Promise<readonly Pair[]> {
    const reach = among ?? patientsInReach(grant)
    const home = homeInReach(grant)
    // Whoever reaches everybody has had newcomers looked for: to open every registration again costs more than a read.
    const patients = reach === 'all' ? this.#directory.pairs('patient') : await this.#pairsOf(reach)
    if (home === 'all') return [...patients, ...this.#directory.pairs('household')]
    const household = home === undefined ? undefined : await this.ofHousehold(home)
    return household === undefined ? patients : [...patients, household]
  }

  async #pairsOf(patients: readonly string[]): Promise<readonly Pair[]> {
    const pairs = await mapFew(patients, askedAtOnce, patient => this.ofPatient(patient))
    return pairs.filter(pair => pair !== undefined)
  }

  async #loaded(name: string, kind: Registration['kind']): Promise<Pair | undefined> {
    const found: Found<Registration> | undefined = await this.#documents.get(collection, name)
    if (found === undefined) return undefined
    const pair = this.#keep(name, found.value, found.revision)
    return found.value.kind === kind ? pair : undefined
  }

  /** What nobody's account keeps is audited with the instance; everybody else has an audit of their own. */
  async #plan(name: string, kind: 'patient' | 'household', owner: Partial<Registration>): Promise<Plan> {
    const data = await this.#vault.planCompartment(kind)
    const isSomebodys = owner.patient !== undefined || owner.account !== undefined
    const audit = isSomebodys ? await this.#vault.planCompartment('audit') : undefined
    const planned: readonly PlannedCompartment[] = audit === undefined ? [data] : [data, audit]
    const compartments = {
      compartment: data.compartment,
      audit: audit?.compartment ?? this.instanceAudit.compartment,
    }
    const registration: Registration = { kind, ...compartments, ...owner }
    const pair = pairOf(registration)
    // Known before the commit, because the record of the patient's own creation belongs into the patient's audit.
    this.#planned.set(pair.data.compartment, pair.audit)
    return {
      pair,
      write: this.#documents.write(collection, name, registration, { ifRevision: 0 }),
      keep: async () => void (await Promise.all(planned.map(each => each.keep()))),
      adopt: () => {
        this.#keep(name, registration, 1)
        this.#planned.delete(data.compartment)
      },
      forget: () => {
        this.#planned.delete(data.compartment)
        for (const each of planned) each.forget()
      },
      takeBack: async () => void (await Promise.allSettled(planned.map(each => each.takeBack()))),
    }
  }

  #keep(name: string, registration: Registration, revision: number): Pair {
    this.#know(name, registration, revision)
    return this.#directory.pair(name, registration.kind) ?? pairOf(registration)
  }

  /** The same, without making the objects that only who is asked for needs. */
  #know(name: string, registration: Registration, revision: number): void {
    if (this.#directory.set(name, registration, revision)) this.#generation++
  }
}
