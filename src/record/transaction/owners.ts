import { type Grant, mayTouch, type Ownership, ownersOf, requirePermission } from '#access'
import type { Resource } from '#fhir'
import { Problem } from '#kernel'
import type { Holder } from '#search'
import type { DocumentWrite, Locator } from '#store'
import type { Reach } from '../reading/reach.ts'
import type { Pair } from '../registry/registry.ts'

/** What is known of a resource beside what it says itself. */
export interface OwnerHints {
  readonly locator: Locator
  readonly verb: 'c' | 'u'
  /** Where resources lie that this transaction has staged before. */
  readonly stagedAt: ReadonlyMap<Locator, readonly Holder[]>
}

/**
 * Where a resource is to lie: in the compartment of each patient whose it is, or with what it follows, in the commons, or with
 * whoever writes it. Patients who are new get their compartments here, which are theirs once the transaction is committed.
 */
export class Owners {
  /** To be committed with what is written. */
  readonly documents: DocumentWrite[] = []
  /** To be done once the commit is durable. */
  readonly afterCommit: (() => void)[] = []
  readonly #grant: Grant
  readonly #reach: Reach
  readonly #newPatients = new Map<string, Pair>()

  constructor(grant: Grant, reach: Reach) {
    this.#grant = grant
    this.#reach = reach
  }

  get bringsPatients(): boolean {
    return this.#newPatients.size > 0
  }

  /**
   * @throws Problem `forbidden` · `record.owner-foreign` unless the grant may write in every one of them, whether or not the
   *   others exist; `unprocessable` · `record.owner-unknown`
   */
  async holdersOf(resource: Resource, hints: OwnerHints): Promise<readonly Holder[]> {
    if (resource.resourceType === 'Patient' && resource.id !== undefined) await this.#expect(resource.id, hints.verb)
    const holders = await this.#holders(ownersOf(resource, this.#reach.baseUrl), hints)
    for (const holder of holders) if (!this.#mayWrite(resource, holder, hints.verb)) throw ownerForeign()
    return holders
  }

  async #holders(owners: Ownership, hints: OwnerHints): Promise<readonly Holder[]> {
    if (owners.kind === 'patients') return this.#ofPatients(owners.patients)
    if (owners.kind === 'follow') {
      const followed = await this.#followed(owners.targets, hints)
      if (followed.length > 0) return followed
    }
    return owners.kind === 'commons' || this.#grant.patient === undefined
      ? [this.#reach.commonsOf(hints.locator)]
      : this.#ofPatients([this.#grant.patient])
  }

  async #ofPatients(patients: readonly string[]): Promise<readonly Holder[]> {
    const holders: Holder[] = []
    for (const patient of patients) holders.push(await this.#ofPatient(patient))
    return holders
  }

  async #ofPatient(patient: string): Promise<Holder> {
    const planned = this.#newPatients.get(patient)
    if (planned !== undefined) return planned.data
    if (!this.#reach.reachesPatient(this.#grant, patient)) throw ownerForeign()
    const pair = await this.#reach.pairOf(patient)
    if (pair === undefined) throw ownerUnknown()
    return pair.data
  }

  /** Where the grant sees what is followed; what lies in the commons draws nothing there. */
  async #followed(
    targets: Extract<Ownership, { kind: 'follow' }>['targets'],
    { stagedAt }: OwnerHints,
  ): Promise<readonly Holder[]> {
    const holders = new Map<string, Holder>()
    for (const { type, id } of targets) {
      const locator = this.#reach.locator(type, id)
      for (const holder of stagedAt.get(locator) ?? (await this.#reach.holdersOf(this.#grant, locator)))
        if (holder.kind !== 'commons') holders.set(holder.compartment, holder)
    }
    return [...holders.values()]
  }

  /** A Patient that is not kept yet gets a compartment of its own. */
  async #expect(patient: string, verb: 'c' | 'u'): Promise<void> {
    if (this.#newPatients.has(patient) || (await this.#reach.pairOf(patient)) !== undefined) return
    const wider = { ...this.#grant, terms: this.#grant.terms.filter(term => term.level !== 'patient') }
    requirePermission(wider, verb, 'Patient')
    const { pair, write, adopt } = await this.#reach.planPatient(patient)
    if (this.#newPatients.size === 0) this.afterCommit.push(() => this.#reach.counted())
    this.#newPatients.set(patient, pair)
    this.documents.push(write)
    this.afterCommit.push(adopt)
    if (this.#grant.account !== undefined) this.documents.push(await this.#reach.keepFor(this.#grant.account, patient))
  }

  #mayWrite(resource: Resource, holder: Holder, verb: 'c' | 'u'): boolean {
    if (holder.patient !== undefined && this.#newPatients.has(holder.patient)) return true
    return mayTouch(this.#grant, verb, resource, holder)
  }
}

/** The same words whether those whom the grant does not reach exist or not, and without naming them. */
export const ownerForeign = (): Problem =>
  new Problem(
    'forbidden',
    'record.owner-foreign',
    'The resource belongs, or would belong, where this grant may not write.',
  )

const ownerUnknown = () =>
  new Problem('unprocessable', 'record.owner-unknown', 'The resource names a Patient that this server does not keep.')
