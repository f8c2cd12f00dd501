import { type Grant, mayTouch, ownerOf, patientsAsked, permits, requirePermission } from '#access'
import { parseResource, printJson, type Resource, toInstant } from '#fhir'
import { newResourceId, Problem } from '#kernel'
import { evaluate, type Holder, type Query, type Restricted } from '#search'
import type { DocumentWrite, Locator } from '#store'
import type { AuditKindName } from '../audit/audit.ts'
import type { Draft, Ledger } from '../ledger/ledger.ts'
import type { Reach } from '../reading/reach.ts'
import type { Pair } from '../registry/registry.ts'
import type { Staged, Stored, Txn } from '../types.ts'

/** A staged version, filled in when its place is known. */
interface Filling extends Staged {
  lastUpdatedMs: number
  json: Buffer
  holder: Holder
}

/** What a resource's newest version is, as this transaction has seen it. */
interface Seen {
  readonly holder: Holder
  readonly seq: number
  readonly version: number
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
  readonly documents: DocumentWrite[] = []
  /** Heads at which conditions were evaluated; if one moves, they must be evaluated again. */
  readonly observed = new Map<Ledger, number>()
  /** To be done once the commit is durable. */
  readonly afterCommit: (() => void)[] = []
  summary: string | undefined
  readonly #grant: Grant
  readonly #reach: Reach
  readonly #newPatients = new Map<string, Pair>()
  readonly #touched = new Map<Locator, Seen & { deleted: boolean }>()
  readonly #locators = new Map<string, Locator>()
  readonly #free = new Set<Locator>()
  #census: number | undefined
  readonly #stagedAt = new Map<Locator, Holder>()

  constructor(grant: Grant, reach: Reach) {
    this.#grant = grant
    this.#reach = reach
  }

  async find(query: Restricted<Query>, limit: number) {
    if (patientsAsked(query) === undefined) this.#census ??= await this.#reach.census(this.#grant)
    const ledgers = await this.#reach.ledgers(this.#grant, query)
    for (const ledger of ledgers) if (!this.observed.has(ledger)) this.observed.set(ledger, ledger.pendingHead)
    const indexes = await Promise.all(ledgers.map(ledger => ledger.index()))
    const capped = { ...query, count: limit }
    const { matches } = evaluate(capped, indexes, { offset: 0 })
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
    return this.#allowed('r', stored) ? stored : undefined
  }

  async create(resource: Resource, options: { readonly id?: string } = {}): Promise<Staged> {
    const type = resource.resourceType
    refuseAuditWrites(type)
    requirePermission(this.#grant, 'c', type)
    const id = options.id ?? newResourceId()
    const locator = this.#locator(type, id)
    if (options.id !== undefined && (await this.#isTaken(locator))) throw idTaken()
    return this.#stageFirst({ ...resource, id }, locator, 'c', 'POST')
  }

  async update(
    type: string,
    id: string,
    resource: Resource,
    options: { readonly ifMatch?: string; readonly ifNoneMatchAny?: boolean } = {},
  ): Promise<Staged> {
    refuseAuditWrites(type)
    requirePermission(this.#grant, 'u', type)
    const current = await this.#current(type, id)
    // What may not be updated is answered like what never was, or every other answer would tell that it is there.
    if (current === undefined || !this.#allowed('u', current))
      return this.#createWithId(type, id, resource, options.ifMatch)
    checkMatch(current, options.ifMatch)
    if (options.ifNoneMatchAny && !current.deleted) throw versionExists()
    return this.#stageNext({ ...resource, id }, current)
  }

  async delete(type: string, id: string, options: { readonly ifMatch?: string } = {}): Promise<Staged | undefined> {
    refuseAuditWrites(type)
    requirePermission(this.#grant, 'd', type)
    const current = await this.#current(type, id)
    if (current === undefined || current.deleted || !this.#allowed('d', current)) return undefined
    checkMatch(current, options.ifMatch)
    const ledger = await this.#reach.ledger(current.holder)
    const place = this.#seen(current)
    return this.#stage({ ledger, type, id, follows: place, kind: 'delete', method: 'DELETE' })
  }

  /** Every document write of the commit, with what must hold of the census. */
  documentWrites(): readonly DocumentWrite[] {
    const census = this.#reach.censusWrite(this.#census, this.#newPatients.size > 0)
    return census === undefined ? this.documents : [...this.documents, census]
  }

  document(write: DocumentWrite): void {
    this.documents.push(write)
  }

  note(summary: string): void {
    this.summary = summary
  }

  // -- where things lie

  /** A deletion says nothing by which it could be judged: it is for those who may do this to every row. */
  #allowed(verb: 'r' | 'u' | 'd', stored: Stored): boolean {
    if (this.#reach.seesAll(this.#grant, verb, stored.type, stored.holder)) return true
    return !stored.deleted && mayTouch(this.#grant, verb, parseResource(stored.json), stored.holder)
  }

  /** The newest version within reach, also when deleted; pending ones count. */
  async #current(type: string, id: string): Promise<Stored | undefined> {
    const locator = this.#locator(type, id)
    const entry = await this.#reach.newest(this.#grant, locator)
    if (entry === undefined) return undefined
    this.#touched.set(locator, { holder: entry.holder, seq: entry.seq, version: entry.version, deleted: entry.deleted })
    return entry
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

  #seen(stored: Stored): Seen {
    const seen = this.#touched.get(this.#locator(stored.type, stored.id))
    if (seen === undefined) throw new TypeError('a version was staged that was not read')
    return seen
  }

  async #createWithId(type: string, id: string, resource: Resource, ifMatch?: string): Promise<Staged> {
    if (ifMatch !== undefined) throw versionStale()
    if (!this.#mayChooseIds(type)) throw clientIdRefused()
    const locator = this.#locator(type, id)
    if (await this.#isTaken(locator)) throw idTaken()
    return this.#stageFirst({ ...resource, id }, locator, 'u', 'PUT')
  }

  /**
   * A client may name a new resource only where that cannot tell it whether another patient already uses the name:
   * under `user/` and `system/` scopes, not under those of one patient.
   */
  #mayChooseIds(type: string): boolean {
    const wider = { ...this.#grant, terms: this.#grant.terms.filter(term => term.level !== 'patient') }
    return permits(wider, 'u', type)
  }

  /** The compartment that will own a resource, by the CompartmentDefinition; a new Patient gets its own. */
  async #holderOf(resource: Resource, locator: Locator, verb: 'c' | 'u'): Promise<Holder> {
    if (resource.resourceType === 'Patient' && resource.id !== undefined) return this.#patientHolder(resource.id, verb)
    const owner = ownerOf(resource, this.#reach.baseUrl)
    if (owner.kind === 'patient') return this.#ownHolder(owner.patient)
    if (owner.kind === 'follow') {
      const followed = await this.#followed(owner.type, owner.id)
      // Under the scopes of one patient nothing is written to the commons, and what lies there must not be told by that.
      if (followed !== undefined && (followed.kind !== 'commons' || this.#mayWrite(resource, followed, verb)))
        return followed
    }
    return owner.kind === 'commons' || this.#grant.patient === undefined
      ? this.#reach.commonsOf(locator)
      : this.#ownHolder(this.#grant.patient)
  }

  async #ownHolder(patient: string): Promise<Holder> {
    const planned = this.#newPatients.get(patient)
    if (planned !== undefined) return planned.data
    if (!this.#reach.reachesPatient(this.#grant, patient)) throw ownerForeign()
    const pair = await this.#reach.pairOf(patient)
    if (pair === undefined) throw ownerUnknown()
    return pair.data
  }

  async #followed(type: string, id: string): Promise<Holder | undefined> {
    const locator = this.#locator(type, id)
    const here = this.#stagedAt.get(locator)
    if (here !== undefined) return here
    return (await this.#reach.newest(this.#grant, locator))?.holder
  }

  async #patientHolder(patient: string, verb: 'c' | 'u'): Promise<Holder> {
    const known = await this.#reach.pairOf(patient)
    if (known !== undefined) return known.data
    const planned = this.#newPatients.get(patient)
    if (planned !== undefined) return planned.data
    const wider = { ...this.#grant, terms: this.#grant.terms.filter(term => term.level !== 'patient') }
    requirePermission(wider, verb, 'Patient')
    const { pair, write, adopt } = await this.#reach.planPatient(patient)
    if (this.#newPatients.size === 0) this.afterCommit.push(() => this.#reach.counted())
    this.#newPatients.set(patient, pair)
    this.documents.push(write)
    this.afterCommit.push(adopt)
    if (this.#grant.account !== undefined) this.documents.push(await this.#reach.keepFor(this.#grant.account, patient))
    return pair.data
  }

  #mayWrite(resource: Resource, holder: Holder, verb: 'c' | 'u'): boolean {
    if (holder.patient !== undefined && this.#newPatients.has(holder.patient)) return true
    return mayTouch(this.#grant, verb, resource, holder)
  }

  // -- staging

  async #stageFirst(resource: Resource, locator: Locator, verb: 'c' | 'u', method: 'POST' | 'PUT'): Promise<Staged> {
    const type = resource.resourceType
    if (this.#stagedAt.has(locator)) throw idTaken()
    const holder = await this.#holderOf(resource, locator, verb)
    if (!this.#mayWrite(resource, holder, verb)) throw ownerForeign()
    const ledger = await this.#reach.ledger(holder)
    return this.#stage({ ledger, type, id: resource.id ?? '', resource, kind: 'create', method })
  }

  async #stageNext(resource: Resource, current: Stored): Promise<Staged> {
    const type = resource.resourceType
    const locator = this.#locator(type, current.id)
    if (this.#stagedAt.has(locator)) throw idTaken()
    const holder = await this.#holderOf(resource, locator, 'u')
    if (!this.#mayWrite(resource, holder, 'u')) throw ownerForeign()
    const follows = this.#seen(current)
    const ledger = await this.#reach.ledger(holder)
    const next = { type, id: current.id, resource, kind: 'update' as const, method: 'PUT' as const }
    if (holder.compartment === current.holder.compartment) return this.#stage({ ...next, ledger, follows })
    const left = await this.#reach.ledger(current.holder)
    this.#stage({ ledger: left, type, id: current.id, follows, kind: 'update', method: 'DELETE', movedAway: true })
    const removal: Seen = { holder, seq: 0, version: follows.version + 1 }
    return this.#stage({ ...next, ledger, follows: removal, seen: follows.version })
  }

  #stage(what: {
    ledger: Ledger
    type: string
    id: string
    resource?: Resource
    follows?: Seen
    kind: AuditKindName
    method: Stored['method']
    movedAway?: boolean
    /** The version that was seen, where it is not the one that is followed: the second half of a move. */
    seen?: number
  }): Staged {
    const { ledger, type, id, resource, follows, kind, method } = what
    const version = (follows?.version ?? 0) + 1
    const deleted = resource === undefined
    const created = !deleted && (follows === undefined || this.#wasDeleted(type, id))
    const staged: Filling = {
      type,
      id,
      version,
      lastUpdatedMs: 0,
      deleted,
      method,
      json: Buffer.alloc(0),
      holder: ledger.holder,
      created,
    }
    const draft: Draft = {
      locator: this.#locator(type, id),
      version,
      supersedes: follows !== undefined && follows.seq > 0 ? follows.seq : 0,
      method,
      deleted,
      movedAway: what.movedAway ?? false,
      created,
      type,
      id,
      compose: lastUpdatedMs => composed(resource ?? { resourceType: type, id }, version, lastUpdatedMs),
      placed: (lastUpdatedMs, json, holder) => {
        staged.lastUpdatedMs = lastUpdatedMs
        staged.json = json
        staged.holder = holder
      },
    }
    this.#stagedAt.set(draft.locator, ledger.holder)
    this.staged.push({ ledger, draft, kind, follows: what.seen ?? follows?.version ?? 0 })
    return staged
  }

  #wasDeleted(type: string, id: string): boolean {
    return this.#touched.get(this.#locator(type, id))?.deleted ?? false
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
const ownerForeign = () =>
  new Problem('forbidden', 'record.owner-foreign', 'The resource would belong where this grant may not write.')
const ownerUnknown = () =>
  new Problem('unprocessable', 'record.owner-unknown', 'The resource names a Patient that this server does not keep.')
const clientIdRefused = () =>
  new Problem(
    'not-allowed',
    'record.client-id-refused',
    'With the scopes of one patient the server chooses the id: create it with POST.',
  )
