import { type Grant, patientsInReach } from '#access'
import type { Log } from '#kernel'
import type { Holder } from '#search'
import type { CompartmentId, DocumentWrite, Locator } from '#store'
import type { Documents, Vault } from '#vault'

/** A compartment of data and the one that keeps its audit. */
export interface Pair {
  readonly data: Holder
  readonly audit: Holder
}

/** As kept in the sealed documents: which random compartment is whose. */
interface Registration {
  readonly kind: 'patient' | 'commons' | 'instance'
  readonly compartment: CompartmentId
  readonly audit: CompartmentId
  readonly patient?: string
}

const collection = 'compartments'
const censusName = 'census'
const commonsShards = 16

/** Which compartment belongs to whom. Only here do a patient's id and a compartment's random id meet. */
export class Registry {
  readonly #documents: Documents
  readonly #vault: Vault
  readonly #log: Log
  readonly #byPatient = new Map<string, Pair>()
  readonly #byCompartment = new Map<CompartmentId, Holder>()
  readonly #auditOf = new Map<CompartmentId, Holder>()
  readonly #commons: Holder[] = []
  #instanceAudit: Holder | undefined
  /** The census as of which all registrations are known here. */
  #censusSeen = -1
  /** Counts changes, so that what was derived from the registry can be kept until it changes. */
  #generation = 0

  constructor(documents: Documents, vault: Vault, log: Log) {
    this.#documents = documents
    this.#vault = vault
    this.#log = log
  }

  /** Reads what is there and makes the commons on first use. */
  async open(): Promise<void> {
    await this.reload()
    const instance = await this.#found('instance', 'instance')
    this.#instanceAudit = instance.audit
    for (let shard = 0; shard < commonsShards; shard++)
      this.#commons[shard] = (await this.#found(`commons/${shard}`, 'commons')).data
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
    const holder = this.#commons[Number.parseInt(locator.slice(0, 1), 16) % commonsShards]
    if (holder === undefined) throw new TypeError('the registry is not open')
    return holder
  }

  async ofPatient(patient: string): Promise<Pair | undefined> {
    const known = this.#byPatient.get(patient)
    if (known !== undefined) return known
    const found = await this.#documents.get<Registration>(collection, `patient/${patient}`)
    return found === undefined ? undefined : this.#keep(found.value)
  }

  /** The ledger that keeps the audit of a compartment's data. */
  auditOf(holder: Holder): Holder {
    return this.#auditOf.get(holder.compartment) ?? this.instanceAudit
  }

  /** The holder of a compartment as far as this process knows, without asking anew. */
  known(compartment: CompartmentId): Holder | undefined {
    return this.#byCompartment.get(compartment)
  }

  async holder(compartment: CompartmentId): Promise<Holder | undefined> {
    if (!this.#byCompartment.has(compartment)) await this.reload()
    return this.#byCompartment.get(compartment)
  }

  /** New keys for a new patient, and the document that makes them the patient's once it is committed. */
  async plan(patient: string): Promise<{ pair: Pair; write: DocumentWrite; adopt: () => void }> {
    const registration = await this.#register('patient', patient)
    const write = this.#documents.write(collection, `patient/${patient}`, registration, { ifRevision: 0 })
    const pair = pairOf(registration)
    // Known before the commit, because the record of the patient's own creation belongs into the patient's audit.
    this.#auditOf.set(pair.data.compartment, pair.audit)
    return { pair, write, adopt: () => void this.#keep(registration) }
  }

  /** Counts the patients ever taken in: whoever looked at all of them can tell whether one has come since. */
  async census(): Promise<number> {
    return (await this.#documents.get(censusName, censusName))?.revision ?? 0
  }

  /** Another patient comes. With `seen`, the commit holds only if none came since the census was that. */
  counting(seen: number | undefined): DocumentWrite {
    return this.#documents.write(censusName, censusName, {}, seen === undefined ? {} : { ifRevision: seen })
  }

  /** The commit holds only if nobody was taken in since the census was that. */
  uncounted(seen: number): DocumentWrite {
    return this.#documents.check(censusName, censusName, seen)
  }

  /** Every patient; asks the documents again, since another process may have added one. */
  async patients(): Promise<readonly string[]> {
    await this.reload()
    return [...this.#byPatient.keys()]
  }

  /** The data holders that a grant reaches: its patients' compartments and the commons. */
  async inReach(grant: Grant): Promise<readonly Holder[]> {
    const pairs = await this.#pairsInReach(grant)
    return [...pairs.map(pair => pair.data), ...this.#commons]
  }

  /** The audit ledgers that a grant reaches; that of the instance only for those who reach everybody. */
  async auditInReach(grant: Grant): Promise<readonly Holder[]> {
    const pairs = await this.#pairsInReach(grant)
    const own = pairs.map(pair => pair.audit)
    return patientsInReach(grant) === 'all' ? [...own, this.instanceAudit] : own
  }

  forget(patient: string): void {
    const pair = this.#byPatient.get(patient)
    if (pair === undefined) return
    this.#byPatient.delete(patient)
    this.#byCompartment.delete(pair.data.compartment)
    this.#generation++
  }

  async reload(): Promise<void> {
    // One that is damaged costs its own patient; everybody else stays within reach.
    let broken = 0
    const onBroken = () => {
      broken++
      this.#log.error('a registration cannot be opened; run verify', { room: 'record' })
    }
    const listed = await this.#documents.list<Registration>(collection, { onBroken })
    for (const { value } of listed) this.#keep(value)
    if (broken === 0) this.#forgetOthers(new Set(listed.map(({ value }) => value.patient)))
  }

  /** Reads the registrations again if the census tells that a patient came or went in another process. */
  async refresh(): Promise<void> {
    const census = await this.census()
    if (census === this.#censusSeen) return
    await this.reload()
    this.#censusSeen = census
  }

  /** A commit of this process has raised the census by one, and what it brought is known already. */
  counted(): void {
    this.#censusSeen++
  }

  #forgetOthers(patients: ReadonlySet<string | undefined>): void {
    for (const patient of this.#byPatient.keys()) if (!patients.has(patient)) this.forget(patient)
  }

  async #pairsInReach(grant: Grant): Promise<readonly Pair[]> {
    const reach = patientsInReach(grant)
    // Whoever reaches everybody has had newcomers looked for: to open every registration again costs more than a read.
    if (reach === 'all') return [...this.#byPatient.values()]
    const pairs = await Promise.all(reach.map(patient => this.ofPatient(patient)))
    return pairs.filter(pair => pair !== undefined)
  }

  async #found(name: string, kind: 'commons' | 'instance'): Promise<Pair> {
    const known = await this.#documents.get<Registration>(collection, name)
    if (known !== undefined) return this.#keep(known.value)
    const registration = await this.#register(kind)
    const won = await this.#documents.put(collection, name, registration, { ifRevision: 0 })
    return won ? this.#keep(registration) : this.#found(name, kind)
  }

  async #register(kind: Registration['kind'], patient?: string): Promise<Registration> {
    const auditing = kind === 'commons' ? this.instanceAudit.compartment : this.#newCompartment('audit')
    const compartment = await (kind === 'instance' ? auditing : this.#newCompartment(kind))
    const audit = await auditing
    return { kind, compartment, audit, ...(patient === undefined ? {} : { patient }) }
  }

  async #newCompartment(kind: 'patient' | 'commons' | 'audit'): Promise<CompartmentId> {
    return (await this.#vault.createCompartment(kind)).compartment
  }

  #keep(registration: Registration): Pair {
    const known = this.#byCompartment.get(registration.compartment)
    const pair = pairOf(registration)
    if (known !== undefined && registration.patient !== undefined)
      return this.#byPatient.get(registration.patient) ?? pair
    this.#byCompartment.set(pair.data.compartment, pair.data)
    this.#byCompartment.set(pair.audit.compartment, pair.audit)
    this.#auditOf.set(pair.data.compartment, pair.audit)
    if (registration.patient !== undefined) this.#byPatient.set(registration.patient, pair)
    this.#generation++
    return pair
  }
}

function pairOf(registration: Registration): Pair {
  const owner = registration.patient === undefined ? {} : { patient: registration.patient }
  const data: Holder = {
    compartment: registration.compartment,
    kind: registration.kind === 'instance' ? 'audit' : registration.kind,
    ...owner,
  }
  return { data, audit: { compartment: registration.audit, kind: 'audit', ...owner } }
}
