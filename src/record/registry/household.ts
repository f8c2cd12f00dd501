import { type Bounds, boundOf, isWithin, type Keeping, type Role } from '#access'
import { type Clock, Problem } from '#kernel'
import type { DocumentDraft, Documents } from '#vault'
import type { Giving, Keeper } from '../types.ts'

/** What is kept of a role beside that it is by invitation; a guardian for good has none. */
type Limit = Omit<Keeping, 'role'> & { readonly role: Exclude<Keeping['role'], 'owner'> }

interface Kept {
  readonly patients: readonly string[]
  /** Those of them that are kept by invitation of whoever took them in. */
  readonly guarded?: readonly string[]
  /** Of those who are kept by invitation: as what, and until when, unless as a guardian for good. */
  readonly limits?: Readonly<Record<string, Limit>>
  /** The account is being deleted, or was: nobody comes to it any more. */
  readonly isClosed?: true
  /** How many the account may keep in its own right, where that is not as for all. */
  readonly mostPatients?: number
}

/** Whom an account keeps at one moment, as its grants say it. */
interface Keepings {
  readonly patients: readonly string[]
  readonly within?: Bounds
}

const owning: Keeping = { role: 'owner' }
const guarding: Keeping = { role: 'guardian' }

function keepingIn({ patients, guarded = [], limits = {} }: Kept, patient: string): Keeping | undefined {
  if (!patients.includes(patient)) return undefined
  if (!guarded.includes(patient)) return owning
  return Object.hasOwn(limits, patient) ? limits[patient] : guarding
}

function withoutPatient({ patients, guarded = [], limits = {}, ...others }: Kept, patient: string): Kept {
  const without = (ids: readonly string[]) => ids.filter(other => other !== patient)
  const { [patient]: _, ...rest } = limits
  return {
    ...others,
    patients: without(patients),
    guarded: without(guarded),
    ...(Object.keys(rest).length === 0 ? {} : { limits: rest }),
  }
}

function withPatient(kept: Kept, patient: string, as: Keeping): Kept {
  const { patients, guarded = [], limits, ...others } = withoutPatient(kept, patient)
  const { role, ...rest } = as
  // In the order in which they came.
  const all = kept.patients.includes(patient) ? kept.patients : [...patients, patient]
  if (role === 'owner') return { ...others, patients: all, guarded, ...(limits === undefined ? {} : { limits }) }
  const isLimited = role !== 'guardian' || rest.untilMs !== undefined
  const limited = isLimited ? { ...limits, [patient]: { ...rest, role } } : limits
  const guards = [...guarded, patient]
  return { ...others, patients: all, guarded: guards, ...(limited === undefined ? {} : { limits: limited }) }
}

/** How many are kept in the account's own right. */
const countOwned = ({ patients, guarded = [] }: Kept): number => patients.length - guarded.length

const isOver = ({ untilMs }: Keeping, nowMs: number): boolean => untilMs !== undefined && untilMs <= nowMs

/** The same with the role of each, and until when it holds. */
interface KeepingsAt {
  readonly untilMs: number
  readonly keepings: Keepings
  roleOf(patient: string): Role | undefined
}

function keepingsAt(kept: Kept, nowMs: number): KeepingsAt {
  const patients: string[] = []
  const roles = new Map<string, Role>()
  const bounds = new Map<string, ReturnType<typeof boundOf> & object>()
  let untilMs = Number.POSITIVE_INFINITY
  for (const patient of kept.patients) {
    const keeping = keepingIn(kept, patient) ?? owning
    if (isOver(keeping, nowMs)) continue
    patients.push(patient)
    roles.set(patient, keeping.role)
    untilMs = Math.min(untilMs, keeping.untilMs ?? untilMs)
    const bound = boundOf(keeping)
    if (bound !== undefined) bounds.set(patient, bound)
  }
  const keepings = { patients, ...(bounds.size === 0 ? {} : { within: bounds }) }
  return { untilMs, keepings, roleOf: patient => roles.get(patient) }
}

function tooManyPatients(most: number): Problem {
  const text = `The account may keep ${most} people in its own right, and has no room for another one.`
  return new Problem('full', 'record.patients-exceeded', text)
}

/** What is to be committed as well, asked anew whenever somebody was faster; undefined when nothing is to be done any more. */
type MoreDrafts = () => Promise<readonly DocumentDraft[] | undefined>

const collection = 'households'
const nobody: KeepingsAt = { untilMs: Number.POSITIVE_INFINITY, keepings: { patients: [] }, roleOf: () => undefined }

function checkOpen(kept: Kept | undefined): void {
  if (kept?.isClosed === true)
    throw new Problem(
      'forbidden',
      'record.account-closed',
      'The account is being deleted: it takes nobody in any more.',
    )
}

/** Which patients an account keeps: themselves, their children, their parents; as what, and until when. */
export class Household {
  readonly #documents: Documents
  readonly #clock: Clock
  readonly #mostPatients: number
  readonly #keepings = new WeakMap<Kept, KeepingsAt>()

  /** @param mostPatients  how many an account may keep in its own right unless something else was said of it */
  constructor(documents: Documents, clock: Clock, mostPatients = Number.POSITIVE_INFINITY) {
    this.#documents = documents
    this.#clock = clock
    this.#mostPatients = mostPatients
  }

  /** How many an account keeps in its own right, and may keep. */
  async quotaOf(account: string): Promise<{ readonly used: number; readonly most: number }> {
    const kept = (await this.#documents.get<Kept>(collection, account))?.value
    return { used: kept === undefined ? 0 : countOwned(kept), most: kept?.mostPatients ?? this.#mostPatients }
  }

  /** From now on it may keep so many; undefined: as many as all others. Whom it keeps already, it keeps. */
  setQuota(account: string, mostPatients: number | undefined): Promise<void> {
    return this.#change(account, kept => {
      const { mostPatients: _, ...rest } = kept
      return mostPatients === undefined ? rest : { ...rest, mostPatients }
    })
  }

  /** Judged on the list that is written with it: of two who add the last one at the same moment one looks again. */
  #checkRoom(before: Kept | undefined, after: Kept): void {
    const [had, has] = [before === undefined ? 0 : countOwned(before), countOwned(after)]
    const most = before?.mostPatients ?? this.#mostPatients
    if (has > had && has > most) throw tooManyPatients(most)
  }

  /** The same list each time while nobody was added, and nothing ended. */
  async patientsOf(account: string): Promise<readonly string[]> {
    return (await this.keptBy(account)).patients
  }

  /** The same with what its grants count for of patients whom it keeps in a lesser role. */
  async keptBy(account: string): Promise<Keepings> {
    return (await this.#keptAt(account)).keepings
  }

  /** As what it keeps each of them: the same function each time while nothing changes. */
  async rolesOf(account: string): Promise<KeepingsAt['roleOf']> {
    return (await this.#keptAt(account)).roleOf
  }

  async #keptAt(account: string): Promise<KeepingsAt> {
    const kept = (await this.#documents.recent<Kept>(collection, account))?.value
    if (kept === undefined) return nobody
    const nowMs = this.#clock.nowMs()
    const known = this.#keepings.get(kept)
    if (known !== undefined && nowMs < known.untilMs) return known
    const found = keepingsAt(kept, nowMs)
    this.#keepings.set(kept, found)
    return found
  }

  /** As what an account keeps a patient; undefined when it does not, or does no more. */
  async keepingOf(account: string, patient: string): Promise<Keeping | undefined> {
    const kept = (await this.#documents.get<Kept>(collection, account))?.value
    const keeping = kept && keepingIn(kept, patient)
    return keeping === undefined || isOver(keeping, this.#clock.nowMs()) ? undefined : keeping
  }

  /** Whether an account keeps a patient in its own right, and not by invitation. */
  async owns(account: string, patient: string): Promise<boolean> {
    return (await this.keepingOf(account, patient))?.role === 'owner'
  }

  /** The write that adds patients, to be committed together with them; it fails over if somebody was faster. */
  async adding(account: string, added: readonly string[]): Promise<DocumentDraft> {
    const known = await this.#documents.get<Kept>(collection, account)
    checkOpen(known?.value)
    const patients = [...new Set([...(known?.value.patients ?? []), ...added])]
    const kept: Kept = { ...known?.value, patients }
    this.#checkRoom(known?.value, kept)
    return this.#documents.write(collection, account, kept, { ifRevision: known?.revision ?? 0 })
  }

  /**
   * A condition for a commit that brings an account something new: it is not being deleted.
   *
   * @throws Problem `forbidden` · `record.account-closed`
   */
  async stillOpen(account: string): Promise<DocumentDraft> {
    const known = await this.#documents.get<Kept>(collection, account)
    checkOpen(known?.value)
    return this.#documents.check(collection, account, known?.revision ?? 0)
  }

  /** From now on nobody and nothing new comes to an account, whoever is faster; or again. */
  async close(account: string, isClosed: boolean, more: MoreDrafts): Promise<boolean> {
    for (;;) {
      const known = await this.#documents.get<Kept>(collection, account)
      const { isClosed: _, ...rest } = known?.value ?? { patients: [] }
      const kept: Kept = isClosed ? { ...rest, isClosed } : rest
      const drafts = await more()
      if (drafts === undefined) return false
      const closing = this.#documents.write(collection, account, kept, { ifRevision: known?.revision ?? 0 })
      if (await this.#documents.commit([closing, ...drafts])) return true
    }
  }

  /** An account that is deleted keeps nobody, and stays closed. */
  async vacate(account: string): Promise<void> {
    await this.#documents.put<Kept>(collection, account, { patients: [], isClosed: true })
  }

  /**
   * Every account that keeps a patient at this moment, or only who was merged into them, and as what.
   *
   * @param isFormer  whether somebody was merged into the patient
   */
  async keepersOf(patient: string, isFormer: (other: string) => Promise<boolean>): Promise<readonly Keeper[]> {
    const nowMs = this.#clock.nowMs()
    const keepers: Keeper[] = []
    for (const { name: account, value } of await this.#documents.list<Kept>(collection)) {
      for (const one of new Set([patient, ...value.patients])) {
        const keeping = keepingIn(value, one)
        if (keeping === undefined || isOver(keeping, nowMs)) continue
        if (one === patient) keepers.push({ account, keeping })
        else if (await isFormer(one)) keepers.push({ account, keeping, ofFormer: one })
      }
    }
    return keepers
  }

  /**
   * Whoever keeps a patient in their own right, or as more or for longer, stays so.
   *
   * @throws Problem `forbidden` · `record.account-closed`
   */
  add(account: string, patient: string, as: Keeping): Promise<void> {
    return this.#change(account, kept => {
      checkOpen(kept)
      const before = keepingIn(kept, patient)
      const isMore = before !== undefined && !isOver(before, this.#clock.nowMs()) && isWithin(as, before)
      if (isMore) return kept
      const next = withPatient(kept, patient, as)
      this.#checkRoom(kept, next)
      return next
    })
  }

  /** Makes it more or less, of whoever keeps a patient by invitation. */
  limit(account: string, patient: string, as: Keeping): Promise<void> {
    return this.#change(account, kept => {
      const before = keepingIn(kept, patient)
      return before === undefined || before.role === 'owner' ? kept : withPatient(kept, patient, as)
    })
  }

  /**
   * The writes by which an account keeps patients in its own right in the place of another one; undefined where that one does not keep
   * all of them so. They fail over if somebody was faster.
   */
  async giving({ from, to, keeps, isBeyondQuota = false }: Omit<Giving, 'patient'>, patients: readonly string[]) {
    const giver = await this.#documents.get<Kept>(collection, from)
    const receiver = await this.#documents.get<Kept>(collection, to)
    if (from === to || giver === undefined) return undefined
    checkOpen(receiver?.value)
    if (!patients.every(patient => keepingIn(giver.value, patient)?.role === 'owner')) return undefined
    const rest = patients.reduce(
      (kept, patient) => (keeps === undefined ? withoutPatient(kept, patient) : withPatient(kept, patient, keeps)),
      giver.value,
    )
    const got = patients.reduce(
      (kept, patient) => withPatient(kept, patient, owning),
      receiver?.value ?? { patients: [] },
    )
    if (!isBeyondQuota) this.#checkRoom(receiver?.value, got)
    return [
      this.#documents.write(collection, from, rest, { ifRevision: giver.revision }),
      this.#documents.write(collection, to, got, { ifRevision: receiver?.revision ?? 0 }),
    ]
  }

  /** Takes a patient from the list of every account. */
  async remove(patient: string): Promise<void> {
    for (const { name, value } of await this.#documents.list<Kept>(collection))
      if (value.patients.includes(patient)) await this.removeFrom(name, patient)
  }

  /** Takes a patient from the list of one account that keeps them by invitation. */
  endInvited(account: string, patient: string): Promise<void> {
    return this.#change(account, kept => {
      const before = keepingIn(kept, patient)
      return before === undefined || before.role === 'owner' ? kept : withoutPatient(kept, patient)
    })
  }

  /** Takes a patient from the list of one account. */
  removeFrom(account: string, patient: string): Promise<void> {
    return this.#change(account, kept => (kept.patients.includes(patient) ? withoutPatient(kept, patient) : kept))
  }

  async #change(account: string, change: (kept: Kept) => Kept): Promise<void> {
    const known = await this.#documents.get<Kept>(collection, account)
    const before = known?.value ?? { patients: [] }
    const kept = change(before)
    if (kept === before) return
    const won = await this.#documents.put(collection, account, kept, { ifRevision: known?.revision ?? 0 })
    if (!won) await this.#change(account, change)
  }
}
