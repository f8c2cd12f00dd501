import type { Grant } from '#access'
import { encodeResource, type Resource, toInstant } from '#fhir'
import { type Clock, giveWay, newResourceId, type Steps } from '#kernel'
import type { Append, CommitResult, CompartmentId, Store } from '#store'
import { type AuditKindName, auditEventOf, listedEntities } from '../audit/audit.ts'
import type { AuditWork } from '../audit/audit-outbox.ts'
import type { DocumentLedger, LostDrafts, PlacedDrafts, PreparedDrafts } from '../documents/document-ledger.ts'
import type { Composed, Draft, Ledger } from '../ledger/ledger.ts'
import type { Shelf } from '../ledger/shelf.ts'
import type { Reach } from '../reading/reach.ts'
import type { Claims } from './claims.ts'
import { Conditions, type Obstacle } from './conditions.ts'
import { untilWon } from './race.ts'
import { SealingTurns } from './sealing-turns.ts'
import type { StagedDraft } from './staging.ts'
import type { Transaction } from './transaction.ts'
import { UnderWay, type WrittenRow } from './under-way.ts'

/** What a commit holds beside drafts. */
interface Beside {
  readonly txn?: Transaction
  readonly documents?: PreparedDrafts
  readonly urgent?: boolean
  /** Records of what is done: nobody waits for them. */
  readonly unhurried?: boolean
}

/** Whether nobody was faster; undefined while nobody knows. */
type Won = boolean | undefined

/** Drafts for one ledger, in the order in which they were staged. */
type Work = Map<Ledger, Draft[]>

/** Turns what a transaction staged into one commit of the store, with its audit records in the same commit. */
export class Committer {
  readonly #store: Store
  readonly #clock: Clock
  readonly #reach: Reach
  readonly #shelf: Shelf
  /** Ledgers to which a long commit appends in slices; others wait for their seqs. */
  readonly #taken = new Map<Ledger, Promise<unknown>>()
  readonly #documents: DocumentLedger
  readonly #claims: Claims
  readonly #underWay = new UnderWay()
  readonly #turns = new SealingTurns()

  constructor(rooms: {
    readonly store: Store
    readonly clock: Clock
    readonly reach: Reach
    readonly shelf: Shelf
    readonly documents: DocumentLedger
    readonly claims: Claims
  }) {
    this.#documents = rooms.documents
    this.#claims = rooms.claims
    this.#store = rooms.store
    this.#clock = rooms.clock
    this.#reach = rooms.reach
    this.#shelf = rooms.shelf
  }

  /** Unix milliseconds. */
  nowMs(): number {
    return this.#clock.nowMs()
  }

  /** To judge the conditions of one run of a transaction by. */
  conditions(): Conditions {
    return new Conditions({ claims: this.#claims, underWay: this.#underWay })
  }

  /** Does one run of a transaction's work; what it relies on stays open meanwhile. */
  during<T>(txn: Transaction, run: () => Promise<T>): Promise<T> {
    return this.#shelf.sparing(() => txn.ledgers(), run)
  }

  /** @returns false when somebody else was faster and the work must be run again */
  async commit(txn: Transaction, grant: Grant): Promise<boolean> {
    if (txn.isEmpty) return true
    const work = draftsByLedger(txn.staged)
    const pause = isLong(work) ? giveWay : () => undefined
    await pause()
    for (const [ledger, drafts] of await this.#auditWork(txn, grant)) work.set(ledger, drafts)
    await pause()
    const drafts = await txn.documentDrafts()
    await pause()
    if (await isOutrun(obstacle(txn, this.#reach))) return false
    await pause()
    await txn.keepKeys()
    // Last, so that nobody has written these documents between the look at them and the commit.
    let documents = await this.#documents.prepare(drafts)
    const tryNow = () => this.#tryNow(work, { txn, documents })
    // What is placed by a look at documents is outdated when they move on while one waits, and few commits write any.
    const mayWait = drafts.every(({ op }) => op === 'check')
    for (;;) {
      const won = await (mayWait ? this.#turns.run(tryNow) : tryNow())
      if (won !== undefined) return won
      documents = await this.#documents.prepare(drafts)
    }
  }

  /** @returns undefined once one is done who appended in slices to the same: it has not been tried */
  async #tryNow(work: Work, { txn, documents }: Required<Pick<Beside, 'txn' | 'documents'>>): Promise<Won> {
    const others = this.#othersIn(work)
    if (others !== undefined) {
      await others
      return undefined
    }
    const inTheWay = obstacle(txn, this.#reach)
    if (inTheWay !== undefined) return !(await isOutrun(inTheWay))
    const result = await this.#write(work, { txn, documents })
    if (result.ok) txn.committed()
    // Somebody came, or was erased.
    else if (result.documents.length > 0) await this.#reach.reload()
    return result.ok
  }

  /**
   * Appends AuditEvents of reads or of events outside the FHIR interactions.
   *
   * @param urgent  whether they may use what is kept in reserve for a full disk
   * @throws Problem `busy` · `record.contended`
   */
  audit(events: readonly AuditWork[], urgent = false): Promise<void> {
    return untilWon(() => this.#tryAudit(events, urgent))
  }

  #tryAudit(events: readonly AuditWork[], urgent: boolean): Promise<boolean> {
    const work: Work = new Map()
    return this.#shelf.sparing(
      () => work.keys(),
      () => this.#auditedIn(work, events, urgent),
    )
  }

  async #auditedIn(work: Work, events: readonly AuditWork[], urgent: boolean): Promise<boolean> {
    for (const { holder, event } of events) {
      const ledger = await this.#shelf.open(holder)
      const drafts = work.get(ledger) ?? []
      drafts.push(this.#auditDraft(event))
      work.set(ledger, drafts)
    }
    for (let others = this.#othersIn(work); others !== undefined; others = this.#othersIn(work)) await others
    return (
      [...work.keys()].every(ledger => ledger.alive) && (await this.#write(work, { urgent, unhurried: !urgent })).ok
    )
  }

  // From the first append to the store's commit nobody else may append to these ledgers: seqs are given out in between.
  async #write(work: Work, beside: Beside): Promise<CommitResult> {
    const most = beside.unhurried === true ? sealedAtOnce : mostInOneTurn
    const release = isLong(work, most) ? this.#take([...work.keys()]) : undefined
    const early = release === undefined ? this.#placed(beside.documents) : nothing
    if ('lost' in early) {
      await early.underWay
      return lost
    }
    let placed = early
    let won = false
    let rowsSettled = (_won: boolean) => {}
    const claims = beside.txn?.conditions.take()
    try {
      const atMs = Math.max(this.#clock.nowMs(), ...[...work.keys()].map(ledger => ledger.lastMs))
      const asserted = assertions(beside.txn, work)
      const appends = release === undefined ? appendedNow(work, atMs) : await appendedInSlices(work, atMs)
      if (release !== undefined && beside.documents !== undefined) {
        const late = this.#placed(await this.#documents.prepare(beside.documents.drafts))
        if ('lost' in late) return this.#outrun(work)
        placed = late
        // What others have written between the slices is in no look that came before.
        if (beside.txn?.conditions.writtenSince() !== undefined) return this.#outrun(work)
      }
      rowsSettled = this.#underWay.add(rowsOf(work, appends))
      const documents = [...placed.documents, ...(claims?.writes ?? [])]
      const { urgent = false, unhurried = false } = beside
      const send = () =>
        this.#store.commit({ appends: [...appends, ...asserted, ...placed.appends], documents, urgent, unhurried })
      // Documents are written by others as well, and who has taken ledgers keeps others waiting.
      const isWritten = placed.appends.length > 0 || (claims !== undefined && claims.writes.length > 0)
      const mayWait = !isWritten && release === undefined
      const committing = mayWait ? this.#turns.handOver(send) : this.#turns.handOverNow(send)
      release?.()
      const result = await committing
      won = result.ok
      if (result.ok) becameDurable(appends, work)
      else this.#outrun(work)
      return result
    } catch (error) {
      this.#discard(work)
      throw error
    } finally {
      release?.()
      placed.settle(won)
      claims?.settle(won)
      rowsSettled(won)
    }
  }

  #placed(documents: PreparedDrafts | undefined): PlacedDrafts | LostDrafts {
    return documents === undefined ? nothing : this.#documents.place(documents)
  }

  #outrun(work: Work): CommitResult {
    for (const ledger of work.keys()) this.#shelf.outrun(ledger)
    return lost
  }

  /** Takes ledgers for oneself. @returns lets go of them */
  #take(ledgers: readonly Ledger[]): () => void {
    const { promise, resolve } = Promise.withResolvers<void>()
    for (const ledger of ledgers) this.#taken.set(ledger, promise)
    return () => {
      for (const ledger of ledgers) if (this.#taken.get(ledger) === promise) this.#taken.delete(ledger)
      resolve()
    }
  }

  /**
   * Resolves when one who appends to these ledgers in slices is done; undefined when nobody does. Whoever appends asks in the
   * same turn in which it does so: after any wait somebody may have begun.
   */
  #othersIn(work: Work): Promise<unknown> | undefined {
    const taken = work.keys().find(ledger => this.#taken.has(ledger))
    return taken && this.#taken.get(taken)
  }

  #discard(work: Work): void {
    for (const ledger of work.keys()) this.#shelf.discard(ledger)
  }

  /** One AuditEvent for each audit ledger: all compartments of the commons share one. */
  async #auditWork(txn: Transaction, grant: Grant): Promise<Work> {
    const audits = new Map<Ledger, StagedDraft[][]>()
    for (const [ledger, staged] of Map.groupBy(txn.staged, each => each.ledger)) {
      const audit = await this.#reach.auditLedger(ledger.holder)
      txn.audits.add(audit)
      audits.set(audit, [...(audits.get(audit) ?? []), staged])
    }
    const work: Work = new Map()
    for (const [audit, staged] of audits) {
      const event = this.#eventOf(staged.flat(), grant, txn.summary, audit.holder.patient)
      work.set(audit, [this.#auditDraft(event)])
    }
    return work
  }

  #eventOf(
    staged: readonly StagedDraft[],
    grant: Grant,
    note: string | undefined,
    patient: string | undefined,
  ): Resource {
    const nowMs = this.#clock.nowMs()
    const written = staged.filter(({ draft }) => !draft.movedAway)
    const first = written[0]
    const kind: AuditKindName = written.length === 1 && first !== undefined ? first.kind : 'transaction'
    const entities = written
      .slice(0, listedEntities)
      .map(({ draft }) => `${draft.type}/${draft.id}/_history/${draft.version}`)
    const unlisted = written.length - entities.length
    const { actor, purpose } = grant
    return auditEventOf({
      kind,
      actor,
      purpose,
      fromMs: nowMs,
      untilMs: nowMs,
      patient,
      entities,
      unlisted,
      queries: [],
      note,
    })
  }

  #auditDraft(event: Resource): Draft {
    const id = newResourceId()
    return {
      locator: this.#reach.locator('AuditEvent', id),
      version: 1,
      supersedes: 0,
      method: 'POST',
      deleted: false,
      movedAway: false,
      created: true,
      copies: [],
      type: 'AuditEvent',
      id,
      compose: lastUpdatedMs => stamped(event, id, lastUpdatedMs),
      placed: () => undefined,
    }
  }
}

const nothing: PlacedDrafts = { appends: [], documents: [], settle: () => undefined }

/** A document has moved on, perhaps by a commit that is under way. */
const lost: CommitResult = { ok: false, heads: [], locators: [], documents: [] }

function* stamped(event: Resource, id: string, lastUpdatedMs: number): Steps<Composed> {
  const { resourceType, ...rest } = event
  const resource: Resource = {
    resourceType,
    id,
    meta: { versionId: '1', lastUpdated: toInstant(lastUpdatedMs) },
    ...rest,
  }
  return { resource, json: yield* encodeResource(resource) }
}

function draftsByLedger(staged: readonly StagedDraft[]): Work {
  const work: Work = new Map()
  for (const { ledger, draft } of staged) {
    const drafts = work.get(ledger)
    if (drafts === undefined) work.set(ledger, [draft])
    else drafts.push(draft)
  }
  return work
}

/** Entries that are sealed in one turn, if a commit has many: some milliseconds. */
const sealedAtOnce = 16
const mostInOneTurn = 64

function isLong(work: Work, most = mostInOneTurn): boolean {
  let drafts = 0
  for (const of of work.values()) {
    if (of.some(({ isLarge }) => isLarge)) return true
    drafts += of.length
  }
  return drafts > most
}

function appendedNow(work: Work, atMs: number): Append[] {
  return [...work].map(([ledger, drafts]) => ledger.append(drafts, atMs))
}

/** In their order: a large one alone, small ones several at once. */
function slicesOf(drafts: readonly Draft[]): readonly (readonly Draft[])[] {
  const slices: Draft[][] = []
  for (const draft of drafts) {
    const last = slices.at(-1)
    const isFull = last === undefined || last.length === sealedAtOnce || last[0]?.isLarge === true
    if (isFull || draft.isLarge === true) slices.push([draft])
    else last.push(draft)
  }
  return slices
}

/** The same, while others have their turns. */
async function appendedInSlices(work: Work, atMs: number): Promise<Append[]> {
  const appends: Append[] = []
  for (const [ledger, drafts] of work) {
    const slices: Append[] = []
    for (const slice of slicesOf(drafts)) {
      const prepared = await ledger.prepare(slice, atMs)
      const pause = giveWay()
      if (pause !== undefined) await pause
      slices.push(ledger.append(slice, atMs, prepared))
    }
    const [first] = slices
    if (first !== undefined) appends.push({ ...first, entries: slices.flatMap(({ entries }) => entries) })
  }
  return appends
}

/** Why not everything that a transaction saw is still so, if it is not; what other processes do, the store's commit finds out. */
function obstacle(txn: Transaction, reach: Reach): Obstacle | undefined {
  if (txn.isOvertakenByMerge) return atOnce
  for (const [ledger, head] of txn.observed) if (!ledger.alive || ledger.pendingHead !== head) return atOnce
  return txn.conditions.obstacle() ?? (txn.staged.every(draft => isNext(draft, txn, reach)) ? undefined : atOnce)
}

/** Whether a draft builds on the version that stands, and that the transaction has read and found. */
function isNext({ ledger, draft, follows }: StagedDraft, txn: Transaction, reach: Reach): boolean {
  const { locator, type, id } = draft
  const seen = [reach.pendingVersion(locator), txn.conditions.foundVersion(type, id), txn.versionRead(locator)]
  return ledger.alive && seen.every(version => version === undefined || version === follows)
}

/** Nothing to wait for. */
const atOnce: Obstacle = { settled: Promise.resolve() }

/** @returns whether something is in the way, once that is settled */
async function isOutrun(inTheWay: Obstacle | undefined): Promise<boolean> {
  await inTheWay?.settled
  return inTheWay !== undefined
}

/** A commit may have thousands of ledgers, so none is looked for among all. */
function byCompartment(work: Work): ReadonlyMap<CompartmentId, Ledger> {
  return new Map([...work.keys()].map(ledger => [ledger.holder.compartment, ledger]))
}

function becameDurable(appends: readonly Append[], work: Work): void {
  const ledgers = byCompartment(work)
  for (const append of appends) ledgers.get(append.compartment)?.committed(append)
}

/** The rows of these appends that conditions may be about. */
function rowsOf(work: Work, appends: readonly Append[]): readonly WrittenRow[] {
  const ledgers = byCompartment(work)
  return appends.flatMap(append => {
    const ledger = ledgers.get(append.compartment)
    if (ledger === undefined || ledger.holder.kind === 'audit') return []
    return ledger.rowsOf(append).map(row => ({ holder: ledger.holder, row }))
  })
}

/** Conditions were evaluated in these compartments too: their heads must not have moved when the commit lands. */
function assertions(txn: Transaction | undefined, work: Work): Append[] {
  const ledgers = [...(txn?.observed.keys() ?? [])].filter(ledger => !work.has(ledger))
  return ledgers.map(ledger => ledger.assertion())
}
