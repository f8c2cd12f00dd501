import { type Grant, mayTouch, type Ownership, ownersInSteps } from '#access'
import { encodeResource, isLarge, isSameJson, parseJsonInSteps, parseStored, type Resource, toInstant } from '#fhir'
import { appendAll, inSlices, Problem, type Steps } from '#kernel'
import { type Holder, isWordy } from '#search'
import type { CompartmentId, Locator } from '#store'
import type { AuditKindName } from '../audit/audit.ts'
import type { ContentSource, Contents } from '../contents/contents.ts'
import { contentUnknown, notedIn, withNote } from '../contents/note.ts'
import type { Composed, Draft, Ledger } from '../ledger/ledger.ts'
import type { Reach } from '../reading/reach.ts'
import type { Arriving, Content, Staged, Stored } from '../types.ts'
import { binariesNamed } from './binaries-named.ts'
import type { ConsentsWritten } from './consents-written.ts'
import type { Lookup, Seen } from './lookup.ts'
import type { Owners } from './owners.ts'

/** A staged version, filled in when its place is known. */
interface Filling extends Staged {
  lastUpdatedMs: number
  json: Buffer
  holder: Holder
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
  readonly entered?: readonly string[] | undefined
  readonly referrers?: readonly Resource[]
  readonly content?: ContentSource | 'to-come' | undefined
}

/** A draft, and the state of its resource that it builds on. */
export interface StagedDraft {
  readonly ledger: Ledger
  readonly draft: Draft
  readonly kind: AuditKindName
  /** The newest version that was seen (0: none), to be found unchanged when the transaction is placed. */
  readonly follows: number
}

/** What is known of a write beside the resource. */
export interface WriteOptions {
  /** Resources of the same request that refer to it: what names nobody belongs where these belong. */
  readonly referrers?: readonly Resource[]
  /** Of its numbers those that stand on the word of an account. */
  readonly entered?: readonly string[]
  /** What a Binary holds beside its JSON. */
  readonly content?: Arriving | undefined
}

/** What is known of a version that replaces another one. */
export interface NextOptions extends WriteOptions {
  /** Whether no version is made of what stands already. */
  readonly unlessSame?: boolean
}

/** The versions that a transaction will write, each with a draft for every compartment in which it is to lie. */
export class Staging {
  readonly drafts: StagedDraft[] = []
  /** What stood already as it was to be written. */
  readonly unchanged: Stored[] = []
  /** Contents that these versions are the first to name. */
  readonly contents: Content[] = []
  /** Names of those that were copied for this run alone. */
  readonly copied: string[] = []
  /** Where a content is to lie that comes later. */
  readonly awaiting: Holder[] = []
  readonly #contents: Contents
  readonly #consents: ConsentsWritten
  readonly #grant: Grant
  readonly #reach: Reach
  readonly #owners: Owners
  readonly #lookup: Lookup
  readonly #stagedAt = new Map<Locator, readonly Holder[]>()
  /** Whom that names which is staged in a household. */
  readonly #namedAt = new Map<Locator, readonly string[]>()

  constructor(
    grant: Grant,
    {
      reach,
      owners,
      lookup,
      contents,
      consents,
    }: {
      readonly reach: Reach
      readonly owners: Owners
      readonly lookup: Lookup
      readonly contents: Contents
      readonly consents: ConsentsWritten
    },
  ) {
    this.#contents = contents
    this.#consents = consents
    this.#grant = grant
    this.#reach = reach
    this.#owners = owners
    this.#lookup = lookup
  }

  /** A version that makes its resource. */
  async first(
    sent: Resource,
    locator: Locator,
    verb: 'c' | 'u',
    method: 'POST' | 'PUT',
    { referrers = [], entered, content: given }: WriteOptions,
  ): Promise<Staged> {
    const { resource, content } = withContent(sent, given, undefined)
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
    const made = { type, id, resource, content, holders, version: 1, seen: undefined, method, entered, referrers }
    return this.version({ ...made, kind: 'create' })
  }

  /** A version for each of its owners, and a removal where it had been and belongs no more. */
  async next(
    sent: Resource,
    seen: Seen,
    current: Stored,
    { referrers = [], unlessSame = false, entered, content: given }: NextOptions,
  ): Promise<Staged> {
    const { resource, content } = withContent(sent, given, current)
    const { type, id, version } = seen
    const locator = this.#lookup.locator(type, id)
    if (this.#stagedAt.has(locator)) throw idTaken()
    const holders = await this.#owners.holdersOf(resource, {
      locator,
      verb: 'u',
      stagedAt: this.#stagedAt,
      referrers,
      before: {
        holders: seen.holders,
        read: async () => (current.deleted ? undefined : await parseStored(current.json)),
      },
    })
    const kept = new Set(holders.map(({ compartment }) => compartment))
    const left = seen.holders.filter(({ compartment }) => !kept.has(compartment))
    const isInPlace = left.length === 0 && holders.length === seen.holders.length
    // What is not durable yet cannot be answered for.
    const isSettled = this.#reach.pendingVersion(locator) === undefined
    if (unlessSame && isInPlace && isSettled && (await standsAs(resource, current)))
      return this.#kept(current, resource, holders)
    const next = { type, id, seen, kind: 'update' as const, entered, referrers }
    if (left.length === 0)
      return this.version({ ...next, resource, content, holders, version: version + 1, method: 'PUT' })
    await this.version({ ...next, holders: left, version: version + 1, method: 'DELETE', movedAway: true })
    return this.version({ ...next, resource, content, holders, version: version + 2, method: 'PUT' })
  }

  async #kept(current: Stored, resource: Resource, holders: readonly Holder[]): Promise<Staged> {
    this.#stagedAt.set(this.#lookup.locator(current.type, current.id), holders)
    await this.#takeAlong(resource, holders)
    this.unchanged.push(current)
    return { ...current, created: false }
  }

  async version(writing: Writing): Promise<Staged> {
    const { type, id, resource, holders, version, seen, kind, method, movedAway, entered } = writing
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
    if (type === 'Consent') await this.#consents.written(id, resource, holders)
    const locator = this.#lookup.locator(type, id)
    const drafted = {
      locator,
      version,
      method,
      deleted,
      movedAway: movedAway ?? false,
      created,
      type,
      id,
      entered: resource === undefined ? undefined : entered,
      isLarge: resource !== undefined && (isLarge(resource) || isWordy(resource)),
      compose: once(lastUpdatedMs => composed(resource ?? { resourceType: type, id }, version, lastUpdatedMs)),
      placed: (lastUpdatedMs: number, json: Buffer, holder: Holder) => {
        staged.lastUpdatedMs = lastUpdatedMs
        staged.json = json
        staged.holder = holder
      },
    }
    this.#stagedAt.set(locator, holders)
    if (resource !== undefined) await this.#takeAlong(resource, holders)
    const named = await this.#namedBy(writing)
    if (named !== undefined) this.#namedAt.set(locator, named)
    for (const holder of holders) {
      const copies = movedAway ? [] : compartmentsBeside(holder, holders)
      const creator = holder.kind === 'commons' ? this.#creatorOf(seen) : undefined
      const content = await this.#contentIn(holder, writing.content)
      const own = { copies, creator, named: holder.kind === 'household' ? named : undefined, content }
      const draft: Draft = { ...drafted, ...own, supersedes: seen?.seqs.get(holder.compartment) ?? 0 }
      this.drafts.push({ ledger: await this.#reach.ledger(holder), draft, kind, follows: seen?.version ?? 0 })
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
    for (const id of await inSlices(binariesNamed(resource, this.#reach.baseUrl))) {
      const current = this.#stagedAt.has(this.#lookup.locator('Binary', id))
        ? undefined
        : await this.#lookup.current('Binary', id)
      if (current?.holder.kind === 'household' && (await this.#mayMove(current, patients)))
        await this.#moveTo(patients, current, await this.#lookup.wholly('u', current))
    }
  }

  async #mayMove(current: Stored, to: readonly Holder[]): Promise<boolean> {
    if (current.deleted || !(await this.#lookup.allowed('u', current))) return false
    const resource = await parseStored(current.json)
    for (const holder of to) if (!(await mayTouch(this.#grant, 'u', resource, holder))) return false
    return true
  }

  async #moveTo(holders: readonly Holder[], current: Stored, seen: Seen): Promise<void> {
    const { type, id, version, json, entered } = current
    const moved = { type, id, seen, kind: 'update' as const, entered }
    const removal = { holders: seen.holders, version: version + 1, method: 'DELETE', movedAway: true } as const
    await this.version({ ...moved, ...removal })
    const { resource, content } = withContent(await parseStored(json), undefined, current)
    await this.version({ ...moved, resource, content, holders, version: version + 2, method: 'PUT' })
  }

  /** The content as it lies in a compartment; where it lies elsewhere it is copied there, so that it is under the keys of each owner. */
  async #contentIn(holder: Holder, source: Writing['content']): Promise<Content | undefined> {
    if (source === undefined) return undefined
    if (source === 'to-come') {
      this.awaiting.push(holder)
      return undefined
    }
    const content = await this.#contents.within(holder, source)
    if (content.name !== nameStood(source)) this.contents.push(content)
    if (!('places' in source) && content.name !== source.content.name) this.copied.push(content.name)
    return content
  }

  /**
   * Of what lies in a household whose it is by what it says, or by what it follows; a removal is told to whom that was told which it
   * removes.
   */
  async #namedBy({ resource, seen, holders, referrers = [] }: Writing): Promise<readonly string[] | undefined> {
    if (!holders.some(({ kind }) => kind === 'household')) return undefined
    if (resource === undefined) return seen?.named
    const named = new Set<string>()
    for (const one of [resource, ...referrers]) {
      const each = await inSlices(ownersInSteps(one, this.#reach.baseUrl))
      if (one === resource && each.kind === 'patients') return each.patients
      if (each.kind === 'patients') for (const patient of each.patients) named.add(patient)
      if (each.kind === 'follow') for (const patient of await this.#namedByAll(each.targets)) named.add(patient)
    }
    return named.size === 0 ? undefined : [...named]
  }

  /** A Provenance of a Group tells of its members. */
  async #namedByAll(targets: Extract<Ownership, { kind: 'follow' }>['targets']): Promise<readonly string[]> {
    const named: string[] = []
    for (const { type, id } of targets) {
      const staged = this.#namedAt.get(this.#lookup.locator(type, id))
      appendAll(named, staged ?? (await this.#lookup.current(type, id))?.named ?? [])
    }
    return named
  }

  /** Who made it stays who made it; what was made before that was noted is the administrator's. */
  #creatorOf(seen: Seen | undefined): string | undefined {
    return seen === undefined ? this.#grant.account : seen.creator
  }
}

/** The name of a content that a version names already. */
function nameStood(source: ContentSource): string | undefined {
  return 'places' in source ? undefined : source.content.name
}

/**
 * The resource as it is kept, and its content where that lies beside it: what was given, or what stands and is said to stay.
 *
 * @throws Problem `unprocessable` · `record.content-unknown`
 */
function withContent(
  sent: Resource,
  given: Arriving | undefined,
  current: Stored | undefined,
): { readonly resource: Resource; readonly content?: Writing['content'] } {
  if (given === 'to-come') return { resource: sent, content: given }
  if (given !== undefined) return { resource: withNote(sent, given), content: given }
  const noted = notedIn(sent)
  if (noted === undefined) return { resource: sent }
  const { content } = current ?? {}
  if (current === undefined || content === undefined || sent.data !== undefined) throw contentUnknown()
  if (content.sha256 !== noted.sha256 || content.sizeBytes !== noted.sizeBytes) throw contentUnknown()
  return { resource: sent, content: { holder: current.holder, content } }
}

/** Whether a version says what a resource says, but for what the server itself writes into `meta`. */
async function standsAs(resource: Resource, current: Stored): Promise<boolean> {
  if (current.deleted) return false
  const stood = await inSlices(parseJsonInSteps(current.json))
  return inSlices(isSameJson(withoutStamp(stood), withoutStamp(resource)))
}

function withoutStamp(resource: unknown): Resource {
  const { meta, ...rest } = resource as Resource
  const { versionId: _version, lastUpdated: _instant, ...own } = meta ?? {}
  return Object.keys(own).length === 0 ? rest : { ...rest, meta: own }
}

function compartmentsBeside(holder: Holder, holders: readonly Holder[]): readonly CompartmentId[] {
  if (holders.length === 1) return alone
  return holders.filter(other => other !== holder).map(({ compartment }) => compartment)
}

const alone: readonly CompartmentId[] = []

/** The same text for every copy: all of a commit is written at one instant. */
function once(compose: Draft['compose']): Draft['compose'] {
  let made: Composed | undefined
  let madeAtMs = 0
  return function* (lastUpdatedMs) {
    if (made === undefined || madeAtMs !== lastUpdatedMs) made = yield* compose(lastUpdatedMs)
    madeAtMs = lastUpdatedMs
    return made
  }
}

/** The text as it will be served: `meta.versionId` and `meta.lastUpdated` are the server's, the rest the client's. */
function* composed(resource: Resource, version: number, lastUpdatedMs: number): Steps<Composed> {
  const { resourceType, id, meta, ...rest } = resource
  const stamped = { ...meta, versionId: String(version), lastUpdated: toInstant(lastUpdatedMs) }
  const whole: Resource = { resourceType, ...(id === undefined ? {} : { id }), meta: stamped, ...rest }
  return { resource: whole, json: yield* encodeResource(whole) }
}

export const idTaken = () =>
  new Problem('conflict', 'record.id-taken', 'The id is in use, or stands twice in one transaction.')
