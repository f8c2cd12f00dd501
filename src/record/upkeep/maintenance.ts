import { isProblem, type Log, type Problem } from '#kernel'
import type { Holder } from '#search'
import type { CompartmentId, Store } from '#store'
import type { Documents, Vault } from '#vault'
import type { ReadAudit } from '../audit/audit.ts'
import { type Forgotten, forgetTexts, forgottenCollection, forgottenUntil } from '../audit/forget-texts.ts'
import type { Shelf } from '../ledger/shelf.ts'
import type { Household } from '../registry/household.ts'
import type { Pair } from '../registry/registration.ts'
import { nameOfHousehold } from '../registry/registration.ts'
import type { Registry } from '../registry/registry.ts'
import type { Erasure } from '../types.ts'
import type { HeadNotes } from './head-notes.ts'
import { renewKey } from './renew-keys.ts'

/** What maintenance works on. */
export interface MaintenanceRooms {
  readonly store: Store
  readonly vault: Vault
  readonly documents: Documents
  readonly registry: Registry
  readonly household: Household
  readonly shelf: Shelf
  readonly audit: ReadAudit
  readonly notes: HeadNotes
  readonly log: Log
  /** The compartment in which it is written what became of documents. */
  readonly documentLedger: CompartmentId
}

const isId = /^[0-9a-f]{32}$/

/** What is done to whole compartments: making their index anew, and removing what a patient had. */
export class Maintenance {
  readonly #rooms: MaintenanceRooms
  /** What could not be done at the moment, by the patient it is about or what else it is called. */
  readonly #owed = new Map<string, () => Promise<void>>()
  /** Of whom this process has removed what was left by an earlier one. */
  readonly #finished = new Set<string>()

  constructor(rooms: MaintenanceRooms) {
    this.#rooms = rooms
  }

  /** @returns how many entries were indexed anew */
  async reindex(): Promise<number> {
    const { registry, shelf, store } = this.#rooms
    let entries = 0
    await this.#forgetSearchesOfPatients()
    for (const holder of await registry.everyHolder()) {
      this.#close(holder)
      await store.dropSegments(holder.compartment)
      const ledger = await shelf.open(holder)
      await ledger.seal()
      entries += ledger.durableHead
    }
    return entries
  }

  /**
   * New keys for a patient's compartments, or for all there are. Nobody else may have the store open.
   *
   * @returns how many entries were sealed anew
   */
  async renewKeys(patient?: string): Promise<number> {
    const { registry, documentLedger } = this.#rooms
    const pair = patient === undefined ? undefined : await registry.ofPatient(patient)
    const holders = patient === undefined ? await registry.everyHolder() : [pair?.data, pair?.audit]
    if (patient === undefined) registry.checkComplete()
    let count = patient === undefined ? await renewKey(this.#rooms, documentLedger) : 0
    for (const holder of holders.filter(each => each !== undefined)) {
      this.#close(holder)
      count += await renewKey(this.#rooms, holder.compartment)
      this.#close(holder)
    }
    return count
  }

  /**
   * Destroys a patient's key, and then what it had sealed and what is kept about the patient elsewhere. The audit stays, but for
   * the values of searches, and the id, which is never given again. From the first step on no process can write there any more.
   * Once the key is destroyed it is done: what cannot be removed at the moment is owed.
   *
   * @throws whatever keeps the key from being destroyed; that is gone on with all the same
   */
  async shred(patient: string): Promise<Erasure> {
    const { registry, audit } = this.#rooms
    const pair = await registry.ofPatient(patient)
    if (pair === undefined) return 'whole'
    await audit.flush()
    await this.#bury(pair)
    return this.#removeNow(nameOfPair(pair), pair)
  }

  /**
   * Goes on with the erasure of a patient, unless it was whole before this record was opened: then, and where there was none,
   * undefined. Throws like `shred`.
   */
  async shredOn(patient: string): Promise<Erasure | undefined> {
    const pair = await this.#rooms.registry.ofErased(patient)
    if (pair === undefined) return undefined
    if ((await this.#left([pair])).length > 0) return this.#removeNow(nameOfPair(pair), pair)
    return this.#finished.has(nameOfPair(pair)) ? 'whole' : undefined
  }

  /**
   * Destroys the key of an account's household, and then what it had sealed; the account keeps nobody any more, and is never given a
   * household again. The audit stays. Throws, and goes on, as `shred`.
   */
  async vacate(account: string): Promise<Erasure> {
    const { registry, household, audit } = this.#rooms
    await household.vacate(account)
    const pair = (await registry.ofHousehold(account)) ?? (await registry.ofVacated(account))
    if (pair === undefined) return 'whole'
    await audit.flush()
    await this.#bury(pair)
    return this.#removeNow(nameOfPair(pair), pair)
  }

  async #removeNow(name: string, pair: Pair): Promise<Erasure> {
    const hindrance = await this.#doOrOwe(name, () => this.#remove(pair))
    if (hindrance === undefined) return 'whole'
    if (await this.#rooms.vault.isDestroyed(pair.data.compartment)) return 'owed'
    throw hindrance
  }

  /** Goes on with what could not be done when it was to be. */
  async removeOwed(): Promise<void> {
    for (const [name, work] of [...this.#owed]) {
      this.#owed.delete(name)
      await this.#doOrOwe(name, work, 'again')
    }
  }

  /** @returns what stands in the way at the moment: then it is owed. @throws whatever will not go by itself */
  async #doOrOwe(name: string, work: () => Promise<void>, again?: 'again'): Promise<Problem | undefined> {
    try {
      await work()
      this.#owed.delete(name)
      return undefined
    } catch (error) {
      if (!isProblem(error, 'busy') && !isProblem(error, 'full')) throw error
      this.#owed.set(name, work)
      const text = 'what an erased patient had cannot be removed at the moment; it is tried again until it can'
      if (again === undefined) this.#rooms.log.warn(text, { room: 'record', code: error.code })
      return error
    }
  }

  /**
   * A crash in the middle, or a database that was restored beside a newer keystore, leaves the rest to do. What cannot be done at the
   * moment is owed.
   */
  async finishShredding(): Promise<void> {
    await this.#doOrOwe('', () => this.#finishAll())
  }

  async #finishAll(): Promise<void> {
    const { store, registry } = this.#rooms
    const destroyed = await this.#destroyed()
    await registry.catchUp()
    for (const compartment of destroyed) {
      const { patient, account } = registry.known(compartment) ?? {}
      const ofAccount = account === undefined ? undefined : await registry.ofHousehold(account)
      const pair = patient === undefined ? ofAccount : await registry.ofPatient(patient)
      if (pair?.data.compartment === compartment) await this.#bury(pair)
    }
    const left = new Set(await this.#removeAll(await this.#left(registry.erased)))
    for (const pair of registry.erased) {
      const { compartment, patient } = pair.data
      // Another process may have noted something about the patient at the moment of the erasure.
      if (patient !== undefined && !left.has(nameOfPair(pair))) await this.#forgetDocuments(patient)
      destroyed.delete(compartment)
    }
    const heads = await store.heads([...destroyed])
    for (const compartment of destroyed) if ((heads.get(compartment) ?? 0) > 0) await store.dropCompartment(compartment)
  }

  /** Goes on with erasures that whoever began them, in whatever process, has left. */
  async removeLeft(): Promise<void> {
    const { erased } = this.#rooms.registry
    if (erased.length > 0) await this.#removeAll(await this.#left(erased, await this.#destroyed()))
  }

  /** The compartments of which it is written that their keys were destroyed. */
  async #destroyed(): Promise<Set<CompartmentId>> {
    const tombstones = await this.#rooms.vault.keys.tombstones()
    return new Set(tombstones.flatMap(({ owner, isOurs }) => (isOurs && isId.test(owner) ? owner : [])))
  }

  /** @returns the names of whose they are */
  async #removeAll(pairs: readonly Pair[]): Promise<readonly string[]> {
    for (const pair of pairs) {
      const name = nameOfPair(pair)
      if ((await this.#doOrOwe(name, () => this.#remove(pair))) === undefined) this.#finished.add(name)
    }
    return pairs.map(nameOfPair)
  }

  /**
   * The erased ones of whom there is a key, or anything that it sealed.
   *
   * @param keyless  compartments that are known to have no key: each of the others is asked for
   */
  async #left(erased: readonly Pair[], keyless: ReadonlySet<CompartmentId> = new Set()): Promise<readonly Pair[]> {
    const { store, vault } = this.#rooms
    const heads = await store.heads(erased.map(({ data }) => data.compartment))
    const left: Pair[] = []
    for (const pair of erased) {
      const { compartment } = pair.data
      const isThere = (heads.get(compartment) ?? 0) > 0
      const hasKey = async () => !keyless.has(compartment) && (await vault.keys.of(compartment)).length > 0
      if (isThere || (await hasKey())) left.push(pair)
    }
    return left
  }

  #close({ compartment }: Holder): void {
    const { shelf } = this.#rooms
    for (const ledger of shelf.opened()) if (ledger.holder.compartment === compartment) shelf.discard(ledger)
  }

  /** Every commit into the compartment holds only while it is a living patient's, or that of an account that is there. */
  async #bury(pair: Pair): Promise<void> {
    const { documents, registry } = this.#rooms
    const { patient, account = '' } = pair.data
    const burying = patient === undefined ? registry.vacating(account, pair) : registry.erasing(patient, pair)
    await documents.commit([burying, registry.counting(undefined)])
    await registry.catchUp()
  }

  async #remove({ data }: Pair): Promise<void> {
    const { store, vault, household, notes } = this.#rooms
    this.#close(data)
    await vault.destroy(data.compartment)
    notes.forget(data.compartment)
    await this.#forgetSearches()
    if (data.patient !== undefined) {
      await household.remove(data.patient)
      await this.#forgetDocuments(data.patient)
    }
    // Last, because it also empties the log in which the others had been.
    await store.dropCompartment(data.compartment)
  }

  /** What was searched for may name the patient: of all searches until now the parameters are kept, and no value. */
  async #forgetSearches(): Promise<void> {
    const { documents, registry } = this.#rooms
    const { compartment } = registry.instanceAudit
    await this.#forgetTexts(compartment, await forgottenUntil(documents, compartment))
  }

  async #forgetTexts(compartment: CompartmentId, afterSeq: number): Promise<void> {
    const untilSeq = await forgetTexts(this.#rooms, compartment, afterSeq)
    await this.#rooms.documents.put<Forgotten>(forgottenCollection, compartment, { untilSeq })
  }

  /** An earlier release kept the text of a search with every patient that was looked through. */
  async #forgetSearchesOfPatients(): Promise<void> {
    const { registry } = this.#rooms
    for (const holder of await registry.everyHolder())
      if (holder.kind === 'audit' && holder.compartment !== registry.instanceAudit.compartment)
        await this.#forgetTexts(holder.compartment, 0)
  }

  /** Links, tokens, permissions, keys and checkpoints of imports: what names the patient, or belongs to the patient's group. */
  async #forgetDocuments(patient: string): Promise<void> {
    const { store, documents } = this.#rooms
    await documents.purge()
    for (const collection of await store.collections()) {
      if (ownCollections.has(collection)) continue
      const grouped = await documents.list(collection, { group: patient, onBroken: ignored })
      const all = await documents.list<unknown>(collection, { onBroken: ignored })
      const about = [...grouped, ...all.filter(({ value }) => isAbout(value, patient))]
      for (const name of new Set(about.map(each => each.name))) await documents.delete(collection, name)
    }
  }
}

/** An account may have the id of a patient. */
function nameOfPair({ data: { patient, account } }: Pair): string {
  return patient ?? nameOfHousehold(account)
}

/** What says which compartment is whose, and which accounts keep whom, is looked after by name. */
const ownCollections: ReadonlySet<string> = new Set(['compartments', 'households', 'census', forgottenCollection])

/** What cannot be opened is for `verify` to name. */
const ignored = (): void => undefined

/** Whether a document names the patient: as `patient`, among `patients`, or by a reference, wherever in it. */
function isAbout(value: unknown, patient: string): boolean {
  if (typeof value === 'string') return value === `Patient/${patient}`
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) return value.some(each => isAbout(each, patient))
  const { patient: one, patients: several } = value as { readonly patient?: unknown; readonly patients?: unknown }
  if (one === patient || (Array.isArray(several) && several.includes(patient))) return true
  return Object.values(value).some(each => isAbout(each, patient))
}
