import { type Grant, mayTouch, mergedWith, type Ownership, ownersInSteps, requireBeyondPatient } from '#access'
import type { Resource } from '#fhir'
import { inSlices, Problem } from '#kernel'
import type { Holder } from '#search'
import type { Locator } from '#store'
import type { DocumentDraft } from '#vault'
import type { Reach } from '../reading/reach.ts'
import { idErased } from '../registry/erased.ts'
import type { Pair } from '../registry/registration.ts'
import type { Change, Plan } from '../registry/registry.ts'

/** What is known of a resource beside what it says itself. */
export interface OwnerHints {
  readonly locator: Locator
  readonly verb: 'c' | 'u'
  /** Where resources lie that this transaction has staged before. */
  readonly stagedAt: ReadonlyMap<Locator, readonly Holder[]>
  /** What is written with it and refers to it: what names nobody belongs where these belong. */
  readonly referrers: readonly Resource[]
  /** The version before, if there is one. Patients whom it named and who were erased since are not asked for. */
  readonly before: Before | undefined
}

/** What a version that is to be replaced said, and where it lies. */
export interface Before {
  /** Undefined for a deletion. */
  read(): Promise<Resource | undefined>
  readonly holders: readonly Holder[]
}

/** A resource of more patients than this lies in the household of who wrote it. */
const mostOwners = 32

/**
 * Where a resource is to lie: in the compartment of each patient whose it is, with what it follows or what refers to it, in the
 * commons, or with whoever writes it. Whoever is new gets compartments here, which are theirs once the transaction is committed.
 */
export class Owners {
  readonly #grant: Grant
  readonly #reach: Reach
  readonly #homePatient: string | undefined
  readonly #newPatients = new Map<string, Plan>()
  readonly #newHouseholds = new Map<string | undefined, Plan>()
  /** Patients who are merged into another one, or no more, by this transaction. */
  readonly #merges = new Map<string, { readonly into: string | undefined; readonly change: Change }>()
  #keeping: { readonly count: number; readonly grant: Grant } | undefined

  /** @param homePatient  Patient id of whom what is nobody's becomes, if the grant may write there */
  constructor(grant: Grant, reach: Reach, homePatient: string | undefined) {
    this.#grant = grant
    this.#reach = reach
    this.#homePatient = homePatient
  }

  /** From here on, and with the commit for good, nothing new becomes a patient's who was merged into another one. */
  async merge(patient: string, into: string | undefined): Promise<void> {
    const pair = await this.#reach.pairOf(patient)
    if (pair === undefined) throw ownerUnknown()
    if ((await this.#reach.mergedInto(patient)) === into) return
    this.#merges.set(patient, { into, change: this.#reach.merging(patient, pair, into) })
  }

  /** Changes of what is registered of patients. */
  get changes(): readonly Change[] {
    return [...this.#merges.values()].map(({ change }) => change)
  }

  /** Compartments that come with this transaction. */
  get plans(): readonly Plan[] {
    return [...this.#newPatients.values(), ...this.#newHouseholds.values()]
  }

  /**
   * Where a Patient's data lie who must be there still when the commit is; nothing for whom it brings itself.
   *
   * @throws Problem `unprocessable` · `record.owner-unknown`
   */
  async keptOf(patient: string): Promise<readonly Holder[]> {
    if (this.#newPatients.has(patient)) return []
    const pair = await this.#reach.pairOf(patient)
    if (pair === undefined) throw ownerUnknown()
    return [pair.data]
  }

  /** What is to be committed for those who are new; an account keeps the Patients whom it creates. */
  async writes(): Promise<readonly DocumentDraft[]> {
    const { account } = this.#grant
    const patients = [...this.#newPatients.keys()]
    const kept = account === undefined ? [] : await this.#coming(account, patients)
    return [...this.plans.map(({ write }) => write), ...this.changes.map(({ write }) => write), ...kept]
  }

  /** What must be written, or hold, of an account to which Patients or a household come. */
  async #coming(account: string, patients: readonly string[]): Promise<readonly DocumentDraft[]> {
    if (patients.length > 0) return [await this.#reach.keepFor(account, patients)]
    return this.#newHouseholds.has(account) ? [await this.#reach.stillOpen(account)] : []
  }

  /**
   * @throws Problem `forbidden` · `record.owner-foreign` unless the grant may write in every one of them, whether or not the
   *   others exist; `unprocessable` · `record.owner-unknown`; `gone` · `record.id-erased`
   */
  async holdersOf(resource: Resource, hints: OwnerHints): Promise<readonly Holder[]> {
    if (resource.resourceType === 'Patient' && resource.id !== undefined) await this.#expect(resource.id, hints.verb)
    const owners = await this.#ownersOf(resource)
    const holders = await this.#holders(owners, resource, hints)
    for (const holder of holders) if (!(await this.#mayWrite(resource, holder, hints.verb))) throw ownerForeign()
    if (resource.resourceType === 'Patient') await this.#checkMerges(resource, hints.before)
    const isCrowd = owners.kind === 'patients' && owners.patients.length > mostOwners
    return isCrowd ? [await this.#household(resource, hints.verb)] : holders
  }

  /**
   * What the hospital sends of one would go to the other: whoever says that two are one may change both, and an account keeps both in
   * its own right. What was said before stays, whoever changes something else.
   *
   * @throws Problem `forbidden` · `record.owner-foreign`
   */
  async #checkMerges(patient: Resource, before: Before | undefined): Promise<void> {
    const { baseUrl } = this.#reach
    const stood = await before?.read()
    const said = stood === undefined ? new Set<string>() : mergedWith(stood, baseUrl)
    const added = mergedWith(patient, baseUrl).difference(said)
    // By its own id: a Patient that was deleted before is nobody else's for that.
    if (added.size > 0 && !(await this.#isOwn(patient.id ?? ''))) throw ownerForeign()
    for (const other of added) {
      if (!(await this.#isOwn(other))) throw ownerForeign()
      const isReached = this.#newPatients.has(other) || this.#reach.reachesPatient(this.#grant, other)
      const holder = isReached ? await this.#known(other) : undefined
      if (!isReached || (holder !== undefined && !(await this.#mayWrite(patient, holder, 'u')))) throw ownerForeign()
    }
  }

  /** Whether a patient is no other account's: a guardian must not lead away what is sent of them. */
  async #isOwn(patient: string): Promise<boolean> {
    return this.#newPatients.has(patient) || this.#reach.owns(this.#grant, patient)
  }

  #ownersOf(resource: Resource): Promise<Ownership> {
    return inSlices(ownersInSteps(resource, this.#reach.baseUrl))
  }

  async #holders(owners: Ownership, resource: Resource, hints: OwnerHints): Promise<readonly Holder[]> {
    if (owners.kind === 'commons') return [this.#reach.commonsOf(hints.locator)]
    if (owners.kind === 'patients') return this.#ofPatients(owners.patients, hints.before)
    const along = owners.kind === 'follow' ? await this.#followed(owners.targets, hints) : []
    if (along.length > 0) return along
    const staying = await this.#staying(hints.before)
    const referring = await this.#referring(hints)
    // With a patient it is better kept than in a household, so what refers to it draws it there.
    const kept = referring.length > 0 ? staying.filter(({ kind }) => kind === 'patient') : staying
    const drawn = new Map([...kept, ...referring].map(holder => [holder.compartment, holder]))
    return drawn.size > 0 ? [...drawn.values()] : [await this.#home(resource, hints.verb)]
  }

  /** What never said whose it is stays where it was put; what does not say so any more does not. */
  async #staying(before: Before | undefined): Promise<readonly Holder[]> {
    if (before === undefined) return []
    const resource = await before.read()
    const isSilent = resource === undefined || (await this.#ownersOf(resource)).kind === 'household'
    return isSilent ? before.holders.filter(({ kind }) => kind !== 'commons') : []
  }

  async #ofPatients(patients: readonly string[], before: Before | undefined): Promise<readonly Holder[]> {
    const holders: Holder[] = []
    for (const patient of patients) {
      const holder = await this.#ofPatient(patient)
      if (holder !== undefined) holders.push(holder)
      else if (!(await this.#wentSince(patient, before))) throw this.#absent(patient)
    }
    if (holders.length === 0) throw ownerUnknown()
    return holders
  }

  async #ofPatient(patient: string): Promise<Holder | undefined> {
    const planned = this.#newPatients.get(patient)
    if (planned !== undefined) return planned.pair.data
    const holder = this.#reach.reachesPatient(this.#grant, patient)
      ? (await this.#reach.pairOf(patient))?.data
      : undefined
    if (holder !== undefined) await this.#checkInUse(patient)
    return holder
  }

  /** @throws Problem `unprocessable` · `record.patient-merged` */
  async #checkInUse(patient: string): Promise<void> {
    const merge = this.#merges.get(patient)
    const into = merge === undefined ? await this.#reach.mergedInto(patient) : merge.into
    if (into !== undefined) throw patientMerged()
  }

  /** Whether the version before named a patient who was erased: the others may go on without that one. */
  async #wentSince(patient: string, before: Before | undefined): Promise<boolean> {
    const resource = await before?.read()
    if (resource === undefined || !(await this.#reach.isErased(patient))) return false
    const named = await this.#ownersOf(resource)
    return named.kind === 'patients' && named.patients.includes(patient)
  }

  #absent(patient: string): Problem {
    return this.#reach.reachesPatient(this.#grant, patient) ? ownerUnknown() : ownerForeign()
  }

  /** Where the grant sees what is followed; what lies in the commons draws nothing there. */
  async #followed(
    targets: Extract<Ownership, { kind: 'follow' }>['targets'],
    { stagedAt }: OwnerHints,
  ): Promise<readonly Holder[]> {
    const holders = new Map<string, Holder>()
    for (const { type, id } of targets) {
      const sought = this.#reach.sought(type, id)
      for (const holder of stagedAt.get(sought.locator) ?? (await this.#reach.holdersOf(this.#grant, sought)))
        if (holder.kind !== 'commons') holders.set(holder.compartment, holder)
    }
    return [...holders.values()]
  }

  /** Where that lies, or will lie, which is written with it and refers to it. */
  async #referring(hints: OwnerHints): Promise<readonly Holder[]> {
    const holders = new Map<string, Holder>()
    for (const referrer of hints.referrers) {
      const owners = await this.#ownersOf(referrer)
      const found =
        owners.kind === 'patients'
          ? await this.#ofPatients(owners.patients, undefined)
          : owners.kind === 'follow'
            ? await this.#followed(owners.targets, hints)
            : []
      for (const holder of found) holders.set(holder.compartment, holder)
    }
    return [...holders.values()]
  }

  /**
   * Where whoever writes keeps what is nobody's: with the patient in context, else in the account's household, else – under
   * `system/` terms – in that of the instance.
   */
  async #home(resource: Resource, verb: 'c' | 'u'): Promise<Holder> {
    const patient = this.#homePatient
    const inContext = patient === undefined ? undefined : await this.#known(patient)
    if (inContext !== undefined && (await this.#mayWrite(resource, inContext, verb))) {
      await this.#checkInUse(patient ?? '')
      return inContext
    }
    return this.#household(resource, verb)
  }

  /** What names many is not kept with one of them either: whoever reaches that one would read of all. */
  async #household(resource: Resource, verb: 'c' | 'u'): Promise<Holder> {
    const { account } = this.#grant
    if (account !== undefined && (await this.#mayWrite(resource, homeOf(account), verb)))
      return this.#householdOf(account)
    if (await this.#mayWrite(resource, homeOf(undefined), verb)) return this.#householdOf(undefined)
    throw ownerForeign()
  }

  async #known(patient: string): Promise<Holder | undefined> {
    return (this.#newPatients.get(patient)?.pair ?? (await this.#reach.pairOf(patient)))?.data
  }

  async #householdOf(account: string | undefined): Promise<Holder> {
    const known: Pair | undefined = this.#newHouseholds.get(account)?.pair ?? (await this.#reach.householdOf(account))
    if (known !== undefined) return known.data
    if (account !== undefined) await this.#reach.stillOpen(account)
    const plan = await this.#reach.planHousehold(account)
    this.#newHouseholds.set(account, plan)
    return plan.pair.data
  }

  /** A Patient that is not kept yet gets a compartment of its own. */
  async #expect(patient: string, verb: 'c' | 'u'): Promise<void> {
    if (this.#newPatients.has(patient) || (await this.#reach.pairOf(patient)) !== undefined) return
    requireBeyondPatient(this.#grant, [verb], 'Patient')
    if (await this.#reach.isErased(patient)) throw idErased()
    this.#newPatients.set(patient, await this.#reach.planPatient(patient))
  }

  #mayWrite(resource: Resource, holder: Holder, verb: 'c' | 'u'): Promise<boolean> {
    const isNew = holder.patient !== undefined && this.#newPatients.has(holder.patient)
    // What is new in the commons is made by the grant's account, and what is there was looked at before.
    return mayTouch(isNew ? this.#keepingNew() : this.#grant, verb, resource, holder, { mine: true })
  }

  /** The grant as it will be: its account keeps the Patients whom this transaction brings. Its terms stay what they are. */
  #keepingNew(): Grant {
    const { account, patients } = this.#grant
    if (account === undefined || patients === 'all') return this.#grant
    if (this.#keeping?.count !== this.#newPatients.size)
      this.#keeping = {
        count: this.#newPatients.size,
        grant: { ...this.#grant, patients: [...patients, ...this.#newPatients.keys()] },
      }
    return this.#keeping.grant
  }
}

/** A household before it is known whether there is one, to ask whether it may be written to. */
function homeOf(account: string | undefined): Holder {
  return { compartment: '', kind: 'household', ...(account === undefined ? {} : { account }) }
}

/** The same words whether those whom the grant does not reach exist or not, and without naming them. */
export const ownerForeign = (): Problem =>
  new Problem(
    'forbidden',
    'record.owner-foreign',
    'The resource belongs, or would belong, where this grant may not write.',
  )

/** https://hl7.org/fhir/R4/valueset-link-type.html: what was replaced must no longer be used. */
const patientMerged = (): Problem =>
  new Problem(
    'unprocessable',
    'record.patient-merged',
    'The Patient was merged into another one and takes nothing new: write to the one that its link replaced-by names.',
  )

export const ownerUnknown = (): Problem =>
  new Problem('unprocessable', 'record.owner-unknown', 'The resource names a Patient that this server does not keep.')
