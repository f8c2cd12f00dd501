import { type Grant, type Level, mayTouch, permits, requirePermission } from '#access'
import { parseResource, printJson, type Resource, toInstant } from '#fhir'
import { inSlices, newResourceId, Problem } from '#kernel'
import { evaluate, type Holder, type Query, type Restricted } from '#search'
import type { CompartmentId, DocumentWrite, Locator } from '#store'
import type { AuditKindName } from '../audit/audit.ts'
import type { Draft, Ledger } from '../ledger/ledger.ts'
import type { Located } from '../ledger/opened-versions.ts'
import type { Reach } from '../reading/reach.ts'
import type { Staged, Stored, Txn, WriterOptions } from '../types.ts'
import { binariesNamed } from './binaries-named.ts'
import { Owners, ownerForeign } from './owners.ts'

/** A staged version, filled in when its place is known. */
interface Filling extends Staged {
  lastUpdatedMs: number
  json: Buffer
  holder: Holder
}

/** What a resource's newest version is, as this transaction has seen it. */
interface Seen {
  readonly type: string
  readonly id: string
  readonly version: number
  readonly deleted: boolean
  /** Seq of each copy, by compartment. */
  readonly seqs: ReadonlyMap<CompartmentId, number>
  /** The compartments of the copies. */
  readonly holders: readonly Holder[]
  readonly creator?: string
}

/** One version to be written, with a copy in each of several compartments. */
interface Writing {
  readonly type: string
  readonly id: string
  /** Undefined for a removal. */
  readonly resource?: Resource
  readonly holders: readonly Holder[]
  readonly version: number
  /** What was there before. */
  readonly seen: Seen | undefined
  readonly kind: AuditKindName
  readonly method: Stored['method']
  readonly movedAway?: true
}

/** A draft, and the state of its resource that it builds on. */
export interface StagedDraft {
  readonly ledger: Ledger
  readonly draft: Draft
  readonly kind: AuditKindName
  /** The newest version that was seen (0: none), to be found unchanged when the transaction is placed. */
  readonly follows: number
}

/** Everything that one run of a transaction's work has staged and relied on. */
export class Transaction implements Txn {
  readonly staged: StagedDraft[] = []
  readonly #documents: DocumentWrite[] = []
  /** Heads at which conditions were evaluated; if one moves, they must be evaluated again. */
  readonly observed = new Map<Ledger, number>()
  summary: string | undefined
  readonly #grant: Grant
  readonly #reach: Reach
  readonly #owners: Owners
  readonly #locators = new Map<string, Locator>()
  readonly #free = new Set<Locator>()
  #census: number | undefined
  readonly #stagedAt = new Map<Locator, readonly Holder[]>()

  constructor(grant: Grant, reach: Reach, options: WriterOptions) {
    this.#grant = grant
    this.#reach = reach
    this.#owners = new Owners(grant, reach, options.home ?? grant.patient)
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

  /** Unless it was committed, nothing is left of the compartments that it would have brought. */
  ended(): void {
    for (const plan of this.#owners.plans) plan.forget()
  }

  async find(query: Restricted<Query>, limit: number) {
    if ((await this.#reach.askedWithin(this.#grant, query)) === undefined)
      this.#census ??= await this.#reach.census(this.#grant)
    const ledgers = await this.#reach.ledgers(this.#grant, query)
    for (const ledger of ledgers) if (!this.observed.has(ledger)) this.observed.set(ledger, ledger.pendingHead)
    const indexes = await Promise.all(ledgers.map(ledger => ledger.index()))
    const capped = { ...query, count: limit }
    const { matches } = await inSlices(evaluate(capped, indexes, { offset: 0 }))
    const found = await this.#reach.open(matches, ledgers)
    return found.map(({ type, id, version }) => ({ type, id, version }))
  }

  async existing(type: string, ids: readonly string[]): Promise<ReadonlySet<string>> {
    const byLocator = new Map(ids.map(id => [this.#locator(type, id), id]))
    const { within, free } = await this.#reach.places(this.#grant, [...byLocator.keys()])
    for (const locator of free) this.#free.add(locator)
    return new Set(within.map(locator => byLocator.get(locator) ?? ''))
  }

  async read(type: string, id: string): Promise<Stored | undefined> {
    const stored = await this.#current(type, id)
    if (stored === undefined || stored.deleted) return undefined
    return (await this.#allowedSomewhere('r', stored)) ? stored : undefined
  }

  async create(resource: Resource, options: { readonly id?: string } & WriteOptions = {}): Promise<Staged> {
    const type = resource.resourceType
    refuseAuditWrites(type)
    requirePermission(this.#grant, 'c', type)
    const id = options.id ?? newResourceId()
    const locator = this.#locator(type, id)
    if (options.id !== undefined && (await this.#isTaken(locator))) throw idTaken()
    return this.#stageFirst({ ...resource, id }, locator, 'c', 'POST', options)
  }

  async update(
    type: string,
    id: string,
    resource: Resource,
    options: { readonly ifMatch?: string; readonly ifNoneMatchAny?: boolean } & WriteOptions = {},
  ): Promise<Staged> {
    refuseAuditWrites(type)
    requirePermission(this.#grant, 'u', type)
    const current = await this.#current(type, id)
    // What may not be updated is answered like what never was, or every other answer would tell that it is there.
    if (current === undefined || !(await this.#allowedSomewhere('u', current))) {
      if (current !== undefined && (await this.#allowedSomewhere('r', current))) throw ownerForeign()
      return this.#createWithId(type, id, resource, options)
    }
    const seen = await this.#wholly('u', current)
    checkMatch(current, options.ifMatch)
    if (options.ifNoneMatchAny && !current.deleted) throw versionExists()
    return this.#stageNext({ ...resource, id }, seen, current, options)
  }

  async delete(type: string, id: string, options: { readonly ifMatch?: string } = {}): Promise<Staged | undefined> {
    refuseAuditWrites(type)
    requirePermission(this.#grant, 'd', type)
    const current = await this.#current(type, id)
    if (current === undefined || current.deleted) return undefined
    if (!(await this.#allowedSomewhere('d', current))) {
      if (current.holder.kind === 'commons' && (await this.#allowedSomewhere('r', current))) throw ownerForeign()
      return undefined
    }
    const seen = await this.#wholly('d', current)
    checkMatch(current, options.ifMatch)
    const { holders, version } = seen
    return this.#stage({ type, id, holders, version: version + 1, seen, kind: 'delete', method: 'DELETE' })
  }

  /** Every document write of the commit, with what must hold of the census and of the compartments that are written to. */
  async documentWrites(): Promise<readonly DocumentWrite[]> {
    const census = this.#reach.censusWrite(this.#census, this.#owners.plans.length > 0)
    const changed = new Set(this.#owners.changes.map(({ compartment }) => compartment))
    const written = new Set(this.staged.map(({ ledger }) => ledger.holder))
    const alive = this.#reach.stillRegistered([...written].filter(({ compartment }) => !changed.has(compartment)))
    const writes = [...this.#documents, ...(await this.#owners.writes()), ...alive]
    return census === undefined ? writes : [...writes, census]
  }

  /** Whether there is nothing to commit. */
  get isEmpty(): boolean {
    return this.staged.length === 0 && this.#documents.length === 0 && this.#owners.changes.length === 0
  }

  document(write: DocumentWrite): void {
    this.#documents.push(write)
  }

  note(summary: string): void {
    this.summary = summary
  }

  merged(patient: string, into: string | undefined): Promise<void> {
    return this.#owners.merge(patient, into)
  }

  // -- where things lie

  /** A deletion says nothing by which it could be judged: it is for those who may do this to every row. */
  #allowed(verb: 'r' | 'u' | 'd', stored: Stored, holder = stored.holder): boolean {
    const mine = stored.creator !== undefined && stored.creator === this.#grant.account
    if (this.#reach.mayTouchAny(this.#grant, verb, stored.type, holder, { mine })) return true
    return !stored.deleted && mayTouch(this.#grant, verb, parseResource(stored.json), holder, { mine })
  }

  /** Whether it may be done in the compartment of one of its owners: then the grant knows of it. */
  async #allowedSomewhere(verb: 'r' | 'u' | 'd', stored: Stored): Promise<boolean> {
    if (this.#allowed(verb, stored)) return true
    for (const compartment of stored.copies) {
      const holder = await this.#reach.holderWithin(this.#grant, compartment)
      if (holder !== undefined && this.#allowed(verb, stored, holder)) return true
    }
    return false
  }

  /** The newest version within reach, also when deleted; pending ones count. */
  #current(type: string, id: string): Promise<Located | undefined> {
    return this.#reach.newest(this.#grant, this.#locator(type, id))
  }

  /** Where the newest version lies. @throws Problem `forbidden` · `record.owner-foreign` unless it may be written in all */
  async #wholly(verb: 'u' | 'd', current: Located): Promise<Seen> {
    const { type, id, version, deleted } = current
    const seqs = await this.#reach.placesOf(this.#locator(type, id), current)
    const holders: Holder[] = []
    for (const compartment of seqs.keys()) {
      const holder = await this.#reach.holderWithin(this.#grant, compartment)
      if (holder === undefined || !this.#allowed(verb, current, holder)) throw ownerForeign()
      holders.push(holder)
    }
    const { creator } = current
    return { type, id, version, deleted, seqs, holders, ...(creator === undefined ? {} : { creator }) }
  }

  /** Whether a name is in use in any compartment: only to refuse it. What `existing` found free is not asked again. */
  async #isTaken(locator: Locator): Promise<boolean> {
    return !this.#free.has(locator) && (await this.#reach.takenVersion(locator)) !== undefined
  }

  #locator(type: string, id: string): Locator {
    const name = `${type}/${id}`
    const known = this.#locators.get(name)
    if (known !== undefined) return known
    const locator = this.#reach.locator(type, id)
    this.#locators.set(name, locator)
    return locator
  }

  async #createWithId(
    type: string,
    id: string,
    resource: Resource,
    options: { readonly ifMatch?: string } & WriteOptions,
  ): Promise<Staged> {
    if (options.ifMatch !== undefined) throw versionStale()
    this.#checkChosenId(type, id)
    const locator = this.#locator(type, id)
    if (await this.#isTaken(locator)) throw idTaken()
    return this.#stageFirst({ ...resource, id }, locator, 'u', 'PUT', options)
  }

  /**
   * A client may name a new resource only where that cannot tell it whether somebody else already uses the name: under
   * `system/` scopes, and under `user/` scopes with what no other account's ids begin with.
   */
  #checkChosenId(type: string, id: string): void {
    const { terms, account } = this.#grant
    const permitsAt = (level: Level) =>
      permits({ ...this.#grant, terms: terms.filter(term => term.level === level) }, 'u', type)
    if (permitsAt('system')) return
    if (account === undefined || !permitsAt('user')) throw clientIdRefused()
    const prefix = this.#reach.idPrefixOf(account)
    if (!id.startsWith(prefix)) throw clientIdForeign(prefix)
  }

  // -- staging

  async #stageFirst(
    resource: Resource,
    locator: Locator,
    verb: 'c' | 'u',
    method: 'POST' | 'PUT',
    { referrers = [] }: WriteOptions,
  ): Promise<Staged> {
    const type = resource.resourceType
    if (this.#stagedAt.has(locator)) throw idTaken()
    const holders = await this.#owners.holdersOf(resource, {
      locator,
      verb,
      stagedAt: this.#stagedAt,
      referrers,
      before: undefined,
    })
    const id = resource.id ?? ''
    return this.#stage({ type, id, resource, holders, version: 1, seen: undefined, kind: 'create', method })
  }

  /** A version for each of its owners, and a removal where it had been and belongs no more. */
  async #stageNext(resource: Resource, seen: Seen, current: Stored, { referrers = [] }: WriteOptions): Promise<Staged> {
    const { type, id, version } = seen
    const locator = this.#locator(type, id)
    if (this.#stagedAt.has(locator)) throw idTaken()
    const holders = await this.#owners.holdersOf(resource, {
      locator,
      verb: 'u',
      stagedAt: this.#stagedAt,
      referrers,
      before: {
        holders: seen.holders,
        read: () => (current.deleted ? undefined : parseResource(current.json)),
      },
    })
    const kept = new Set(holders.map(({ compartment }) => compartment))
    const left = seen.holders.filter(({ compartment }) => !kept.has(compartment))
    const next = { type, id, seen, kind: 'update' as const }
    if (left.length === 0) return this.#stage({ ...next, resource, holders, version: version + 1, method: 'PUT' })
    await this.#stage({ ...next, holders: left, version: version + 1, method: 'DELETE', movedAway: true })
    return this.#stage({ ...next, resource, holders, version: version + 2, method: 'PUT' })
  }

  async #stage(writing: Writing): Promise<Staged> {
    const { type, id, resource, holders, version, seen, kind, method, movedAway } = writing
    const [first] = holders
    if (first === undefined) throw new TypeError('a version has an owner')
    const deleted = resource === undefined
    const created = !deleted && (seen === undefined || seen.deleted)
    const staged: Filling = {
      type,
      id,
      version,
      lastUpdatedMs: 0,
      deleted,
      method,
      json: Buffer.alloc(0),
      holder: first,
      copies: [],
      created,
    }
    const locator = this.#locator(type, id)
    const drafted = {
      locator,
      version,
      method,
      deleted,
      movedAway: movedAway ?? false,
      created,
      type,
      id,
      compose: once(lastUpdatedMs => composed(resource ?? { resourceType: type, id }, version, lastUpdatedMs)),
      placed: (lastUpdatedMs: number, json: Buffer, holder: Holder) => {
        staged.lastUpdatedMs = lastUpdatedMs
        staged.json = json
        staged.holder = holder
      },
    }
    this.#stagedAt.set(locator, holders)
    if (resource !== undefined) await this.#takeAlong(resource, holders)
    for (const holder of holders) {
      const copies = movedAway ? [] : compartmentsBeside(holder, holders)
      const creator = holder.kind === 'commons' ? this.#creatorOf(seen) : undefined
      const draft: Draft = { ...drafted, copies, creator, supersedes: seen?.seqs.get(holder.compartment) ?? 0 }
      this.staged.push({ ledger: await this.#reach.ledger(holder), draft, kind, follows: seen?.version ?? 0 })
    }
    return staged
  }

  /**
   * A Binary that was written before, and kept in a household because nothing said whose it is, goes to the patients whose
   * the resource is that now refers to it – as far as the grant may write both there and here.
   *
   * @see https://hl7.org/fhir/R4/binary.html#securityContext
   */
  async #takeAlong(resource: Resource, holders: readonly Holder[]): Promise<void> {
    const patients = holders.filter(({ kind }) => kind === 'patient')
    if (patients.length === 0) return
    for (const id of binariesNamed(resource, this.#reach.baseUrl)) {
      const current = this.#stagedAt.has(this.#locator('Binary', id)) ? undefined : await this.#current('Binary', id)
      if (current?.holder.kind === 'household' && this.#mayMove(current, patients))
        await this.#moveTo(patients, current, await this.#wholly('u', current))
    }
  }

  #mayMove(current: Stored, to: readonly Holder[]): boolean {
    if (current.deleted || !this.#allowed('u', current)) return false
    const resource = parseResource(current.json)
    return to.every(holder => mayTouch(this.#grant, 'u', resource, holder))
  }

  async #moveTo(holders: readonly Holder[], { type, id, version, json }: Stored, seen: Seen): Promise<void> {
    const moved = { type, id, seen, kind: 'update' as const }
    const removal = { holders: seen.holders, version: version + 1, method: 'DELETE', movedAway: true } as const
    await this.#stage({ ...moved, ...removal })
    const resource = parseResource(json)
    await this.#stage({ ...moved, resource, holders, version: version + 2, method: 'PUT' })
  }

  /** Who made it stays who made it; what was made before that was noted is the administrator's. */
  #creatorOf(seen: Seen | undefined): string | undefined {
    return seen === undefined ? this.#grant.account : seen.creator
  }
}

/** What is known of a write beside the resource. */
interface WriteOptions {
  /** Resources of the same request that refer to it: what names nobody belongs where these belong. */
  readonly referrers?: readonly Resource[]
}

function compartmentsBeside(holder: Holder, holders: readonly Holder[]): readonly CompartmentId[] {
  if (holders.length === 1) return alone
  return holders.filter(other => other !== holder).map(({ compartment }) => compartment)
}

const alone: readonly CompartmentId[] = []

/** The same text for every copy: all of a commit is written at one instant. */
function once(compose: Draft['compose']): Draft['compose'] {
  let made: ReturnType<Draft['compose']> | undefined
  let madeAtMs = 0
  return lastUpdatedMs => {
    if (made === undefined || madeAtMs !== lastUpdatedMs) made = compose(lastUpdatedMs)
    madeAtMs = lastUpdatedMs
    return made
  }
}

/** The text as it will be served: `meta.versionId` and `meta.lastUpdated` are the server's, the rest the client's. */
function composed(resource: Resource, version: number, lastUpdatedMs: number): { resource: Resource; json: Buffer } {
  const { resourceType, id, meta, ...rest } = resource
  const stamped = { ...meta, versionId: String(version), lastUpdated: toInstant(lastUpdatedMs) }
  const whole: Resource = { resourceType, ...(id === undefined ? {} : { id }), meta: stamped, ...rest }
  return { resource: whole, json: Buffer.from(printJson(whole), 'utf8') }
}

function checkMatch(current: Stored, ifMatch: string | undefined): void {
  if (ifMatch !== undefined && ifMatch !== String(current.version)) throw versionStale()
}

function refuseAuditWrites(type: string): void {
  if (type === 'AuditEvent')
    throw new Problem('not-allowed', 'record.audit-readonly', 'AuditEvents are written by the server alone.')
}

const versionStale = () =>
  new Problem('precondition', 'version.stale', 'The resource has another version than If-Match names.')
const versionExists = () =>
  new Problem('precondition', 'version.exists', 'The resource exists, and If-None-Match asked that it should not.')
const idTaken = () =>
  new Problem('conflict', 'record.id-taken', 'The id is in use, or stands twice in one transaction.')
/** Says the same of every id that does not begin so, taken or not. */
const clientIdForeign = (prefix: string) =>
  new Problem(
    'not-allowed',
    'record.client-id-refused',
    `With the scopes of an account the ids that you choose begin with ${prefix}; or create it with POST.`,
    { expression: 'id' },
  )
const clientIdRefused = () =>
  new Problem(
    'not-allowed',
    'record.client-id-refused',
    'With the scopes of one patient the server chooses the id: create it with POST.',
  )
