import {
  type Asker,
  type ConsentRules,
  type Grant,
  patientsInReach,
  type Role,
  type Withholding,
  withholdingFor,
} from '#access'
import type { Clock } from '#kernel'
import type { Store } from '#store'
import type { DocumentDraft, Documents } from '#vault'
import type { NamedRecipient } from '../types.ts'
import type { Household } from './household.ts'

/** The rules of one patient's Consents, as they are kept. */
interface Kept {
  readonly patient: string
  readonly consents: readonly ConsentRules[]
  /** How often they were changed: what was so once is not taken for what is so again. */
  readonly changes: number
}

/** How often any of them was changed. */
interface Changes {
  readonly count: number
  /** Whose were, by the last ones of these changes, the newest last. */
  readonly lately: readonly string[]
}

/** Changes of which a process that was not asked for a while learns one by one; behind more of them it looks at all. */
const mostLately = 100

/** What is known of all patients as of one count of changes. */
interface Known {
  readonly count: number
  /** Of those of whom anything is ruled. */
  readonly byPatient: ByPatient
  /** Of those of whom anything ever was. */
  readonly changes: ReadonlyMap<string, number>
}

const collection = 'consents'
const changesCollection = 'consents.changes'
const changesName = 'all'

type RolesOf = (patient: string) => Role | undefined

/** A grant as it was bound, and what that rested on. */
interface Bound {
  readonly byPatient: ByPatient
  readonly rolesOf: RolesOf
  readonly fromMs: number
  readonly untilMs: number
  readonly concerned: readonly string[]
  readonly grant: Grant
}

type ByPatient = ReadonlyMap<string, readonly ConsentRules[]>

const noRole: RolesOf = () => undefined

/**
 * What patients' Consents withhold, and from whom: compiled when a Consent is written, in the same commit, and joined to every grant that
 * the record is asked with, each time. Whether anything was changed is one document, so that any process knows at once.
 */
export class Consents {
  readonly #documents: Documents
  readonly #household: Household
  readonly #clock: Clock
  readonly #store: Pick<Store, 'documentsMark'>
  #mark: number | undefined
  #known: Known = { count: 0, byPatient: new Map(), changes: new Map() }
  readonly #bound = new WeakMap<Grant, Bound>()

  constructor(rooms: {
    readonly documents: Documents
    readonly household: Household
    readonly clock: Clock
    readonly store: Pick<Store, 'documentsMark'>
  }) {
    this.#documents = rooms.documents
    this.#household = rooms.household
    this.#clock = rooms.clock
    this.#store = rooms.store
  }

  /** The grant with what is withheld from it at this moment; the same object while nothing changes, and itself where nothing is. */
  async bound(grant: Grant): Promise<Grant> {
    const { byPatient } = await this.#now()
    if (byPatient.size === 0) return grant
    const known = this.#bound.get(grant)
    const concerned = known?.byPatient === byPatient ? known.concerned : concernedBy(grant, byPatient)
    if (concerned.length === 0) return grant
    const account = accountOf(grant)
    const rolesOf = account === undefined ? noRole : await this.#household.rolesOf(account)
    const nowMs = this.#clock.nowMs()
    const isSame = known?.byPatient === byPatient && known.rolesOf === rolesOf
    if (known !== undefined && isSame && known.fromMs <= nowMs && nowMs < known.untilMs) return known.grant
    const bound = bind(grant, concerned, { byPatient, rolesOf, nowMs })
    this.#bound.set(grant, bound)
    return bound.grant
  }

  /**
   * What is withheld of a patient at this moment from one who is named; undefined: nothing. Nobody named is who holds the grant; an
   * app alone is that app in the hands of the grant's account.
   */
  async withheldFrom(grant: Grant, patient: string, recipient: NamedRecipient): Promise<Withholding | undefined> {
    const consents = (await this.#now()).byPatient.get(patient) ?? []
    const { app, account = recipient.role === undefined ? accountOf(grant) : undefined } = recipient
    const kept = account === undefined ? undefined : await this.roleIn(account, patient)
    const role = recipient.role === 'none' ? undefined : (recipient.role ?? kept)
    const isNobodys = account === undefined && role === undefined
    const isNamed = (app ?? recipient.account ?? recipient.role) !== undefined
    const asker = { app, account, role, isOwner: role === 'owner', isForNobody: isNobodys }
    const { withholding } = withholdingFor(consents, isNamed ? asker : askerOf(grant, role), this.#clock.nowMs())
    return withholding
  }

  /**
   * What is withheld from anybody at this moment, as a text that is another one whenever that changes, and never again one that it was
   * before; empty: nothing ever was.
   */
  async noteOf(patient: string): Promise<string> {
    return noteIn(await this.#now(), patient, this.#clock.nowMs())
  }

  /** The same of all whom a grant reaches. */
  async noteFor(grant: Grant): Promise<string> {
    const known = await this.#now()
    const reached = patientsInReach(grant)
    const nowMs = this.#clock.nowMs()
    return [...known.changes.keys()]
      .filter(patient => reached === 'all' || reached.includes(patient))
      .toSorted()
      .map(patient => `${patient}:${noteIn(known, patient, nowMs)}`)
      .join(' ')
  }

  /** As what an account keeps a patient: who may write what withholds. */
  async roleIn(account: string, patient: string): Promise<Role | undefined> {
    return (await this.#household.rolesOf(account))(patient)
  }

  /** Whether a grant, as it is bound, is of who keeps a patient so that they may say what is withheld, and sees all of theirs. */
  async isRuledBy({ account, withheld }: Grant, patient: string): Promise<boolean> {
    if (account === undefined || withheld?.has(patient) === true) return false
    const role = await this.roleIn(account, patient)
    return role === 'owner' || role === 'guardian'
  }

  async has(patient: string, consent: string): Promise<boolean> {
    return (await this.#now()).byPatient.get(patient)?.some(each => each.consent === consent) === true
  }

  /**
   * The writes by which the rules of Consents are what they are from now on, by patient and Consent; undefined: none. They fail over if
   * somebody was faster.
   */
  async changing(changed: ReadonlyMap<string, ReadonlyMap<string, ConsentRules['rules'] | undefined>>) {
    const drafts: DocumentDraft[] = []
    const patients: string[] = []
    for (const [patient, rules] of changed) {
      const known = await this.#documents.get<Kept>(collection, patient)
      const { consents: before = [], changes = 0 } = known?.value ?? {}
      const consents = changedBy(before, rules)
      if (JSON.stringify(consents) === JSON.stringify(before)) continue
      const kept: Kept = { patient, consents, changes: changes + 1 }
      drafts.push(
        this.#documents.write(collection, patient, kept, { ifRevision: known?.revision ?? 0, group: patient }),
      )
      patients.push(patient)
    }
    if (drafts.length === 0) return []
    const known = await this.#documents.get<Changes>(changesCollection, changesName)
    const { count = 0, lately = [] } = known?.value ?? {}
    const next = { count: count + patients.length, lately: [...lately, ...patients].slice(-mostLately) }
    const options = { ifRevision: known?.revision ?? 0 }
    return [...drafts, this.#documents.write<Changes>(changesCollection, changesName, next, options)]
  }

  async #now(): Promise<Known> {
    // Asked before the documents are: what is written in between shows the next time.
    const mark = await this.#store.documentsMark()
    if (mark === this.#mark) return this.#known
    const changes = (await this.#documents.recent<Changes>(changesCollection, changesName))?.value
    const known = this.#known
    if (changes !== undefined && changes.count !== known.count) this.#known = await this.#after(known, changes)
    this.#mark = mark
    return this.#known
  }

  /** What is known once these changes are: of a few whose rules were changed these are read, else all. */
  async #after(known: Known, { count, lately }: Changes): Promise<Known> {
    const missed = count - known.count
    const isFollowed = known.count > 0 && missed > 0 && missed <= lately.length
    if (!isFollowed)
      return knownOf(
        count,
        (await this.#documents.list<Kept>(collection)).map(({ value }) => value),
      )
    const byPatient = new Map(known.byPatient)
    const changes = new Map(known.changes)
    for (const patient of new Set(lately.slice(-missed))) {
      const kept = (await this.#documents.get<Kept>(collection, patient))?.value
      byPatient.delete(patient)
      changes.delete(patient)
      if (kept === undefined) continue
      changes.set(patient, kept.changes)
      if (kept.consents.length > 0) byPatient.set(patient, kept.consents)
    }
    return { count, byPatient, changes }
  }
}

function knownOf(count: number, all: readonly Kept[]): Known {
  const ruled = all.filter(({ consents }) => consents.length > 0)
  return {
    count,
    byPatient: new Map(ruled.map(({ patient, consents }) => [patient, consents])),
    changes: new Map(all.map(({ patient, changes }) => [patient, changes])),
  }
}

/** Each stays in its place, so that what is written as it was changes nothing. */
function changedBy(
  before: readonly ConsentRules[],
  changed: ReadonlyMap<string, ConsentRules['rules'] | undefined>,
): readonly ConsentRules[] {
  const stood = new Set(before.map(({ consent }) => consent))
  const all = [
    ...before.map(each => (changed.has(each.consent) ? { ...each, rules: changed.get(each.consent) } : each)),
    ...[...changed].flatMap(([consent, rules]) => (stood.has(consent) ? [] : [{ consent, rules }])),
  ]
  return all.flatMap(({ consent, rules }) => (rules === undefined ? [] : [{ consent, rules }]))
}

/** Times at which a rule or an exception begins or ends only pass, while the rules are what they are. */
function noteIn({ byPatient, changes }: Known, patient: string, nowMs: number): string {
  const changed = changes.get(patient)
  if (changed === undefined) return ''
  const times = (byPatient.get(patient) ?? []).flatMap(({ rules }) =>
    rules.flatMap(rule => [rule, ...rule.unless]).flatMap(({ fromMs, untilMs }) => [fromMs, untilMs]),
  )
  return `${changed}.${times.filter(each => each !== undefined && each <= nowMs).length}`
}

function concernedBy(grant: Grant, byPatient: ByPatient): readonly string[] {
  const reached = patientsInReach(grant)
  return reached === 'all' ? [...byPatient.keys()] : reached.filter(patient => byPatient.has(patient))
}

/**
 * For whom it acts, although it may reach no household of theirs. A link that an account has made is asked by strangers, who are not to see
 * more than its maker.
 */
function accountOf({ account, actor }: Grant): string | undefined {
  return account ?? (actor.kind === 'account' ? actor.id : undefined)
}

function bind(
  grant: Grant,
  concerned: readonly string[],
  { byPatient, rolesOf, nowMs }: { readonly byPatient: ByPatient; readonly rolesOf: RolesOf; readonly nowMs: number },
): Bound {
  const withheld = new Map<string, Withholding>()
  let untilMs = Number.POSITIVE_INFINITY
  for (const patient of concerned) {
    const found = withholdingFor(byPatient.get(patient) ?? [], askerOf(grant, rolesOf(patient)), nowMs)
    untilMs = Math.min(untilMs, found.untilMs)
    if (found.withholding !== undefined) withheld.set(patient, found.withholding)
  }
  const bound = withheld.size === 0 ? grant : { ...grant, withheld }
  return { byPatient, rolesOf, fromMs: nowMs, untilMs, concerned, grant: bound }
}

function askerOf(grant: Grant, role: Role | undefined): Asker {
  return {
    app: grant.actor.clientId,
    account: accountOf(grant),
    role,
    isOwner: grant.isForStrangers !== true && role === 'owner',
    isForNobody: grant.isForStrangers !== true && accountOf(grant) === undefined,
  }
}
