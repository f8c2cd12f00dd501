import type { Keeping } from '#access'
import { mapFew } from '#kernel'
import type { Account } from '../accounts/accounts.ts'
import { loadPeople, type Person } from '../consent/people.ts'
import { fateOf } from '../deletion/fates.ts'
import type { Emergency } from './emergencies.ts'
import { mayRefuse, type Stage, stageOf } from './emergency.ts'
import type { OpenInvitation } from './invitations.ts'
import { type KeepingParts, owns } from './keeping.ts'
import { comingOfAge } from './majority.ts'

/** Somebody who keeps a patient by invitation, as those who share keeping them know them. */
export interface Guardian {
  readonly account: string
  readonly name: string
  readonly as: Keeping
  readonly sinceMs: number
}

/** Somebody who may ask to keep a person in an emergency, as those who may say no know them. */
export interface Contact extends Pick<Emergency, 'account' | 'as' | 'waitMs'> {
  readonly name: string
  readonly stage: Stage
}

/** Whom an account may ask to keep, and how things stand with that. */
export interface MayAsk extends Pick<Emergency, 'patient' | 'as' | 'waitMs'> {
  readonly name: string
  /** Who named it. */
  readonly by: string
  readonly stage: Stage
  /** It keeps the person at the moment. */
  readonly keptUntilMs?: number | undefined
}

/** That the account of who invited is to be deleted, and what becomes of the person then. */
export interface Leaving {
  /** Unix milliseconds. */
  readonly atMs: number
  readonly becomes: 'mine' | 'anothers' | 'erased'
}

/** A person with whoever else keeps them. */
export interface KeptPerson extends Person {
  /** Who was invited; of a person whom the account keeps in its own right. */
  readonly guardians: readonly Guardian[]
  /** Who invited this account, and to what; absent where it keeps the person in its own right. */
  readonly invited?: { readonly by: string; readonly as: Keeping; readonly leaving?: Leaving | undefined }
  /** Who may ask to keep the person; to who may say no. */
  readonly contacts: readonly Contact[]
  /** The day on which the person comes of age, near it; of one whom the account keeps in its own right, and who it is not itself. */
  readonly ofAgeOn?: string | undefined
}

export interface Family {
  readonly people: readonly KeptPerson[]
  readonly invitations: readonly (OpenInvitation & { readonly name: string })[]
  readonly mayAsk: readonly MayAsk[]
}

const atOnce = 16
const nobody = 'Somebody'

/** Whom an account keeps, together with whom, and whom it has invited. */
export async function loadFamily(account: Account, parts: KeepingParts): Promise<Family> {
  const known = await loadPeople(account, parts)
  const people = await mapFew(known, atOnce, person => withKeepers(person, account, parts))
  const names = new Map(people.map(({ id, name }) => [id, name]))
  const open = await parts.invitations.of(account.id)
  const invitations = open.flatMap(each => {
    const name = names.get(each.patient)
    return name === undefined ? [] : [{ ...each, name }]
  })
  return { people, invitations, mayAsk: await whomToAsk(account, parts) }
}

/** Whom it may ask to keep; nobody of who is not kept any more in their own right by who named it. */
async function whomToAsk(account: Account, parts: KeepingParts): Promise<readonly MayAsk[]> {
  const found = await mapFew(await parts.emergencies.ofAccount(account.id), atOnce, async each => {
    const from = await parts.accounts.get(each.from)
    const person = from && (await loadPeople(from, parts)).find(({ id }) => id === each.patient)
    if (from === undefined || person === undefined || !(await owns(from, each.patient, parts))) return []
    const { patient, as, waitMs } = each
    const keptUntilMs = (await parts.record.keepingOf(account.id, patient))?.untilMs
    const stage = stageOf(each, parts.clock.nowMs())
    return [{ patient, as, waitMs, name: person.name, by: from.name, stage, keptUntilMs }]
  })
  return found.flat()
}

async function contactsOf(person: Person, account: Account, parts: KeepingParts): Promise<readonly Contact[]> {
  if (!(await mayRefuse(account, person.id, parts))) return []
  return mapFew(await parts.emergencies.ofPatient(person.id), atOnce, async each => {
    const name = (await parts.accounts.get(each.account))?.name ?? nobody
    return { account: each.account, as: each.as, waitMs: each.waitMs, name, stage: stageOf(each, parts.clock.nowMs()) }
  })
}

async function withKeepers(person: Person, account: Account, parts: KeepingParts): Promise<KeptPerson> {
  const nameOf = async (id: string | undefined) =>
    id === undefined ? nobody : ((await parts.accounts.get(id))?.name ?? nobody)
  const as = await parts.record.keepingOf(account.id, person.id)
  const contacts = await contactsOf(person, account, parts)
  if (as?.role !== 'owner') {
    const own = await parts.guardians.get(person.id, account.id)
    const leaving = own && (await leavingOf(person.id, own.from, account.id, parts))
    const invited = { by: await nameOf(own?.from), as: as ?? ({ role: 'viewer' } as const), leaving }
    return { ...person, contacts, guardians: [], invited }
  }
  const invited = await mapFew(await parts.guardians.of(person.id), atOnce, async each => {
    const guardian = await parts.accounts.get(each.account)
    const as = await parts.record.keepingOf(each.account, person.id)
    // It has ended by itself; or the administrator has given the person to them since, who keep them in their own right.
    if (as === undefined || as.role === 'owner') return []
    return [{ account: each.account, name: guardian?.name ?? nobody, as, sinceMs: each.sinceMs }]
  })
  const ofAgeOn = account.self === person.id ? undefined : comingOfAge(person.birthDate, parts.clock.nowMs())
  return { ...person, contacts, guardians: invited.flat(), ofAgeOn }
}

async function leavingOf(
  patient: string,
  from: string,
  account: string,
  parts: KeepingParts,
): Promise<Leaving | undefined> {
  const deletion = await parts.deletions.get(from)
  if (deletion === undefined) return undefined
  const fate = await fateOf(patient, from, deletion, parts)
  const { dueAtMs: atMs } = deletion
  if (fate.kind === 'given') return { atMs, becomes: fate.to === account ? 'mine' : 'anothers' }
  return { atMs, becomes: fate.kind === 'stays' ? 'anothers' : 'erased' }
}
