import { type Grant, homeInReach, requirePermission, withheldFrom } from '#access'
import type { Resource } from '#fhir'
import { inSlices, mapFew, newResourceId, Problem } from '#kernel'
import { evaluate, type Holder, type Query, type Restricted } from '#search'
import type { Locator } from '#store'
import type { DocumentDraft } from '#vault'
import type { Contents } from '../contents/contents.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { ledgersAtOnce } from '../ledger/shelf.ts'
import { versionsOf } from '../reading/opening.ts'
import type { Questions } from '../reading/questions.ts'
import type { Reach } from '../reading/reach.ts'
import type { ReaderRooms } from '../reading/reader.ts'
import type { Meant, Staged, Stored, Txn, WriterOptions } from '../types.ts'
import { checkChosenId, choosesFreely } from './chosen-ids.ts'
import type { Conditions, Found } from './conditions.ts'
import { ConsentsWritten } from './consents-written.ts'
import { asFiled } from './filed-events.ts'
import { Lookup } from './lookup.ts'
import { enteredIn, NumberSources, type PatientNumber } from './number-sources.ts'
import { asEdited, withoutOwnNotes } from './own-notes.ts'
import { Owners, ownerForeign } from './owners.ts'
import { idTaken, type NextOptions, type StagedDraft, Staging, type WriteOptions } from './staging.ts'

/** Everything that one run of a transaction's work has staged and relied on. */
export class Transaction implements Txn {
  readonly #documents: DocumentDraft[] = []
  /** Patients of whom documents are. */
  readonly #remembered = new Set<string>()
  readonly conditions: Conditions
  /** Heads at which conditions were evaluated; if one moves, they must be evaluated again. */
  readonly observed = new Map<Ledger, number>()
  /** Where its records of access go. */
  readonly audits = new Set<Ledger>()
  summary: string | undefined
  readonly #read = new Map<Locator, number>()
  readonly #grant: Grant
  readonly #reach: Reach
  readonly #questions: Questions
  readonly #owners: Owners
  readonly #lookup: Lookup
  readonly #staging: Staging
  readonly #numbers: NumberSources
  readonly #consents: ConsentsWritten
  readonly #contents: Contents
  readonly #nowMs: () => number
  readonly #imports: WriterOptions['imports']
  #census: number | undefined
  /** Merges that were known when the work began. */
  readonly #merges: number

  constructor(
    grant: Grant,
    {
      reach,
      questions,
      contents,
      consents,
      conditions,
      nowMs,
    }: Pick<ReaderRooms, 'reach' | 'questions' | 'contents' | 'consents'> & {
      readonly conditions: Conditions
      nowMs(): number
    },
    options: WriterOptions,
  ) {
    this.conditions = conditions
    this.#grant = grant
    this.#nowMs = nowMs
    this.#imports = options.imports
    this.#reach = reach
    this.#merges = reach.merges
    this.#questions = questions
    this.#owners = new Owners(grant, reach, options.home ?? grant.patient)
    this.#lookup = new Lookup(grant, reach)
    this.#numbers = new NumberSources(grant, reach.enteredNumbers)
    this.#consents = new ConsentsWritten(grant, { consents, reach, isMoving: options.imports === 'moves' })
    this.#staging = new Staging(grant, {
      reach,
      owners: this.#owners,
      lookup: this.#lookup,
      contents,
      consents: this.#consents,
    })
    this.#contents = contents
  }

  get staged(): readonly StagedDraft[] {
    return this.#staging.drafts
  }

  /** The ledgers that it relies on so far. */
  *ledgers(): Generator<Ledger, void, void> {
    for (const { ledger } of this.staged) yield ledger
    yield* this.observed.keys()
    yield* this.audits
  }

  /** The version that was first read under a locator (0: none), on which whatever is written there must build; undefined when none was looked for. */
  versionRead(locator: Locator): number | undefined {
    return this.#read.get(locator)
  }

  /** What was to be written as it stands. */
  get unchanged(): readonly Stored[] {
    return this.#staging.unchanged
  }

  /** Makes the keys of new compartments durable: once everything else is certain to be tried. */
  async keepKeys(): Promise<void> {
    await Promise.all(this.#owners.plans.map(plan => plan.keep()))
  }

  /** The commit is durable. */
  committed(): void {
    if (this.#owners.plans.length > 0) this.#reach.counted()
    for (const plan of this.#owners.plans) plan.adopt()
    for (const change of this.#owners.changes) change.adopt()
  }

  /** It was not committed: keys that were kept for it are removed. */
  async takeBack(): Promise<void> {
    await Promise.all(this.#owners.plans.map(plan => plan.takeBack()))
  }

  /** Unless it was committed, nothing is left of the compartments that it would have brought. */
  ended(): void {
    this.conditions.ended()
    for (const plan of this.#owners.plans) plan.forget()
  }

  async find(asked: Restricted<Query>, limit: number): Promise<readonly Found[]> {
    const query = withheldFrom(asked, this.#grant)
    const isWide = await this.#questions.isWide(this.#grant, query)
    return this.conditions.judge(query, isWide, () =>
      isWide ? this.#questions.decisive(this.#grant, query, limit) : this.#findAmongFew(query, limit),
    )
  }

  async #findAmongFew(query: Restricted<Query>, limit: number): Promise<readonly Found[]> {
    if ((await this.#questions.askedWithin(this.#grant, query)) === undefined)
      this.#census ??= await this.#reach.census(this.#grant)
    const ledgers = await this.#questions.ledgers(this.#grant, query)
    for (const ledger of ledgers) if (!this.observed.has(ledger)) this.observed.set(ledger, ledger.pendingHead)
    const indexes = await mapFew(ledgers, ledgersAtOnce, ledger => ledger.index())
    const capped = { ...query, count: limit }
    const { matches } = await inSlices(evaluate(capped, indexes, { offset: 0, erased: this.#reach.erasedPatients }))
    const byCompartment = new Map(ledgers.map(ledger => [ledger.holder.compartment, ledger]))
    return versionsOf(matches, few => this.#reach.openFrom(few, async compartment => byCompartment.get(compartment)))
  }

  existing(type: string, ids: readonly string[]): Promise<ReadonlySet<string>> {
    return this.#lookup.existing(type, ids)
  }

  async read(type: string, id: string): Promise<Stored | undefined> {
    const stored = await this.#lookup.current(type, id)
    const locator = this.#lookup.locator(type, id)
    // Whoever reads it again may have decided by what was there first.
    if (!this.#read.has(locator)) this.#read.set(locator, stored?.version ?? 0)
    if (stored === undefined || stored.deleted) return undefined
    return (await this.#lookup.allowedSomewhere('r', stored)) ? stored : undefined
  }

  async *before({ type, id, version }: Pick<Stored, 'type' | 'id' | 'version'>): AsyncGenerator<Stored> {
    for await (const stored of this.#reach.versions(this.#grant, this.#lookup.sought(type, id), version)) {
      if (stored.deleted || !(await this.#lookup.allowedSomewhere('r', stored))) return
      yield stored
    }
  }

  async checkMeant(standing: Stored, meant: Meant): Promise<void> {
    checkMatch(standing, meant)
    const { ifMatch, ifUnmodifiedSince: since } = meant
    if (ifMatch !== undefined || since === undefined) return
    const { type, id, version } = standing
    // Whoever saw the version before within the same second names the same time, and may not overwrite what they did not see.
    for await (const before of this.#reach.versions(this.#grant, this.#lookup.sought(type, id), version)) {
      if (before.lastUpdatedMs >= since.fromMs) throw versionModified()
      return
    }
  }

  async create(resource: Resource, options: { readonly id?: string } & WriteOptions = {}): Promise<Staged> {
    const type = resource.resourceType
    requirePermission(this.#grant, 'c', type)
    const id = options.id ?? newResourceId()
    const locator = this.#lookup.locator(type, id)
    if (options.id !== undefined && (await this.#lookup.isTaken(locator))) throw idTaken()
    await this.#numbers.written(id, resource)
    const entered = await this.#entered(resource)
    return this.#staging.first({ ...asFiled(this.#anew(resource)), id }, locator, 'c', 'POST', { ...options, entered })
  }

  async update(
    type: string,
    id: string,
    resource: Resource,
    options: Meant & { readonly ifNoneMatchAny?: boolean } & NextOptions = {},
  ): Promise<Staged> {
    refuseAuditWrites(type)
    requirePermission(this.#grant, 'u', type)
    const current = await this.#lookup.current(type, id)
    // What may not be updated is answered like what never was, or every other answer would tell that it is there.
    if (current === undefined || !(await this.#lookup.allowedSomewhere('u', current))) {
      if (current !== undefined && (await this.#lookup.allowedSomewhere('r', current))) throw ownerForeign()
      return this.#createWithId(type, id, resource, options)
    }
    // What went to somebody who was erased since is answered as before that, or the answer would tell of the erasure.
    if (current.movedAway) this.#checkGivenAway(type, id, options)
    const seen = await this.#lookup.wholly('u', current)
    await this.checkMeant(current, options)
    if (options.ifNoneMatchAny && !current.deleted) throw versionExists()
    await this.#numbers.written(id, resource, current)
    const noted = this.#imports ? resource : await asEdited(resource, current, this.#nowMs())
    return this.#staging.next({ ...noted, id }, seen, current, {
      ...options,
      entered: await this.#entered(resource, current),
    })
  }

  async delete(type: string, id: string, options: Meant = {}): Promise<Staged | undefined> {
    refuseAuditWrites(type)
    requirePermission(this.#grant, 'd', type)
    const current = await this.#lookup.current(type, id)
    if (current === undefined || current.deleted) return undefined
    if (!(await this.#lookup.allowedSomewhere('d', current))) {
      if (await this.#lookup.allowedSomewhere('r', current)) throw ownerForeign()
      return undefined
    }
    const seen = await this.#lookup.wholly('d', current)
    await this.checkMeant(current, options)
    const { holders, version } = seen
    return this.#staging.version({ type, id, holders, version: version + 1, seen, kind: 'delete', method: 'DELETE' })
  }

  /** Every document write of the commit, with what must hold of the census and of the compartments that are written to. */
  async documentDrafts(): Promise<readonly DocumentDraft[]> {
    const census = this.#reach.censusWrite(this.#census, this.#owners.plans.length > 0)
    const changed = new Set(this.#owners.changes.map(({ compartment }) => compartment))
    const holders = [...this.staged.map(({ ledger }) => ledger.holder), ...(await this.#remembering())]
    const concerned = new Map(holders.map(holder => [holder.compartment, holder]))
    const alive = this.#reach.stillRegistered(concerned.values().filter(({ compartment }) => !changed.has(compartment)))
    const writes = [
      ...this.#documents,
      ...(await this.#owners.writes()),
      ...(await this.#numbers.writes()),
      ...(await this.#consents.writes()),
      ...alive,
      ...this.#claims(),
    ]
    return census === undefined ? writes : [...writes, census]
  }

  #claims(): readonly DocumentDraft[] {
    return this.#staging.contents.map(content => this.#contents.claim(content))
  }

  /** Where a content is to lie that is still to come. */
  get awaiting(): readonly Holder[] {
    return this.#staging.awaiting
  }

  /** Names of contents that were copied for what it writes: of no use to another run. */
  get copied(): readonly string[] {
    return this.#staging.copied
  }

  async #remembering(): Promise<readonly Holder[]> {
    const holders: Holder[] = []
    for (const patient of this.#remembered) holders.push(...(await this.#owners.keptOf(patient)))
    return holders
  }

  /** Whether somebody was merged or parted since the work began: what it placed may not be theirs any more. */
  get isOvertakenByMerge(): boolean {
    return this.#reach.merges !== this.#merges
  }

  /** Whether there is nothing to commit. */
  get isEmpty(): boolean {
    const isUntold = this.#owners.changes.length === 0 && this.#numbers.isEmpty
    return this.staged.length === 0 && this.#documents.length === 0 && isUntold
  }

  document(write: DocumentDraft, patient?: string): void {
    this.#documents.push(write)
    if (patient !== undefined) this.#remembered.add(patient)
  }

  note(summary: string): void {
    this.summary = summary
  }

  vouch(patient: string, numbers: readonly PatientNumber[]): void {
    this.#numbers.vouch(patient, numbers)
  }

  async enteredNumbers(type: string, id: string): Promise<ReadonlySet<string>> {
    if (type === 'Patient') return this.#numbers.enteredFor(id)
    return new Set((await this.#lookup.current(type, id))?.entered)
  }

  merged(patient: string, into: string | undefined): Promise<void> {
    this.#numbers.merged(patient, into)
    return this.#owners.merge(patient, into)
  }

  async #createWithId(type: string, id: string, resource: Resource, options: Meant & WriteOptions): Promise<Staged> {
    this.#checkChosen(type, id, options)
    const locator = this.#lookup.locator(type, id)
    if (await this.#lookup.isTaken(locator)) throw idTaken()
    await this.#numbers.written(id, resource)
    const entered = await this.#entered(resource)
    return this.#staging.first({ ...this.#anew(resource), id }, locator, 'u', 'PUT', { ...options, entered })
  }

  #anew(resource: Resource): Resource {
    return this.#imports ? resource : withoutOwnNotes(resource)
  }

  #entered(resource: Resource, before?: Stored): Promise<readonly string[]> {
    if (homeInReach(this.#grant) !== 'all') return enteredIn(resource, before, 'account')
    return enteredIn(resource, before, this.#imports === 'source' ? 'source' : 'house')
  }

  /** One's own prefix as well: the id stays in use, by whoever came after whom it went to. */
  #checkGivenAway(type: string, id: string, options: Meant): void {
    this.#checkChosen(type, id, options)
    if (!choosesFreely(this.#grant, type)) throw idTaken()
  }

  #checkChosen(type: string, id: string, { ifMatch }: Meant): void {
    if (ifMatch !== undefined) throw versionStale()
    checkChosenId(this.#grant, this.#reach, type, id)
  }
}

/**
 * Whether the version that is there is the one that is meant: by its number, or as `*`, whichever stands; else by its time.
 *
 * @throws Problem `precondition` · `version.stale`, `version.modified`
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-13.2.2
 */
export function checkMatch(
  current: Pick<Stored, 'version' | 'deleted' | 'lastUpdatedMs'>,
  { ifMatch, ifUnmodifiedSince }: Meant,
): void {
  if (ifMatch !== undefined) {
    const isMeant = ifMatch === '*' ? !current.deleted : ifMatch === String(current.version)
    if (!isMeant) throw versionStale()
  } else if (ifUnmodifiedSince !== undefined && current.lastUpdatedMs >= ifUnmodifiedSince.untilMs)
    throw versionModified()
}

function refuseAuditWrites(type: string): void {
  if (type === 'AuditEvent')
    throw new Problem('not-allowed', 'record.audit-readonly', 'AuditEvents are created, and never changed or deleted.')
}

/** What If-Match names is not what stands. */
export const versionStale = (): Problem =>
  new Problem('precondition', 'version.stale', 'The resource has another version than If-Match names.')
const versionModified = () =>
  new Problem(
    'precondition',
    'version.modified',
    'The resource was changed after the time in If-Unmodified-Since, or more than once within it; If-Match names a version.',
  )
const versionExists = () =>
  new Problem('precondition', 'version.exists', 'The resource exists, and If-None-Match asked that it should not.')
