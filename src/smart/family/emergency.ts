import type { Keeping } from '#access'
import { Problem } from '#kernel'
import { type Account, actorOf } from '../accounts/accounts.ts'
import { wordsOfKeeping } from '../pages/roles.ts'
import type { Emergency } from './emergencies.ts'
import { accountLeaving, invitationOver, type KeepingParts, keepsAlready, loadInvitation, owns } from './keeping.ts'

const dayMs = 24 * 60 * 60_000

/** So long what nobody said no to can be used; then it has to be asked for anew. */
const usableMs = 7 * dayMs
/** So long a patient is kept by it. */
export const emergencyDays = 14
/** Who may ask of one patient. */
const mostContacts = 20

/** How things stand with what may be asked for. `waiting`: somebody can say no; `open`: nobody has. */
export type Stage =
  | { readonly is: 'quiet' }
  | { readonly is: 'waiting'; readonly opensAtMs: number }
  | { readonly is: 'open'; readonly untilMs: number }

export function stageOf({ askedAtMs, waitMs }: Emergency, nowMs: number): Stage {
  if (askedAtMs === undefined) return { is: 'quiet' }
  const opensAtMs = askedAtMs + waitMs
  if (nowMs < opensAtMs) return { is: 'waiting', opensAtMs }
  const untilMs = opensAtMs + usableMs
  return nowMs < untilMs ? { is: 'open', untilMs } : { is: 'quiet' }
}

const daysOf = (waitMs: number) => `${waitMs / dayMs} ${waitMs === dayMs ? 'day' : 'days'}`

/** `as a viewer, who sees: …, 7 days after they have asked`; to who may ask it is `you`. */
export function wordsOfEmergency(
  { as, waitMs }: Pick<Emergency, 'as' | 'waitMs'>,
  who: 'they' | 'you' = 'they',
): string {
  return `${wordsOfKeeping(as)}, ${daysOf(waitMs)} after ${who} have asked and if nobody has said no`
}

function notOwner(): Problem {
  const text = 'Only who took a person in says who may ask to keep them in an emergency.'
  return new Problem('forbidden', 'smart.not-owner', text)
}

/** There is nothing to ask for, or who named the account keeps the patient no more. */
function emergencyOver(): Problem {
  const text = 'You cannot ask to keep this person, or not any more.'
  return new Problem('forbidden', 'smart.emergency-over', text)
}

interface Told {
  readonly action?: 'attach' | 'revoke'
  readonly patient: string
  readonly detail: string
}

function tell(account: Account, { action = 'attach', patient, detail }: Told, { record }: KeepingParts): void {
  record.audit({ action, outcome: 'success', actor: actorOf(account), patient, detail })
}

/**
 * Makes a one-time secret: whoever accepts may ask to keep the patient, and keeps them if nobody says no in time.
 *
 * @throws Problem `forbidden` · `smart.not-owner`; `conflict` · `smart.too-many-invitations`, `smart.too-many-contacts`
 */
export async function nameContact(
  account: Account,
  { patient, as, waitMs }: { readonly patient: string; readonly as: Keeping; readonly waitMs: number },
  parts: KeepingParts,
): Promise<string> {
  if (!(await owns(account, patient, parts))) throw notOwner()
  if ((await parts.emergencies.ofPatient(patient)).length >= mostContacts)
    throw new Problem('conflict', 'smart.too-many-contacts', 'Twenty may ask of this person. Take some off first.')
  const { secret } = await parts.invitations.make({ patient, from: account.id, as, emergency: { waitMs } })
  const detail = `somebody was invited to keep the patient in an emergency, ${wordsOfEmergency({ as, waitMs })}`
  tell(account, { patient, detail }, parts)
  return secret
}

/**
 * The account may ask from now on; it reaches nothing by that.
 *
 * @throws Problem `forbidden` · `smart.invitation-refused`, `smart.account-leaving`; `conflict` · `smart.keeps-already`
 */
export async function acceptContact(account: Account, secret: string, parts: KeepingParts): Promise<void> {
  const { invitation, from } = await loadInvitation(secret, parts)
  const { patient, as, emergency } = invitation
  if (emergency === undefined || as === undefined) throw invitationOver()
  await checkNew(account, patient, parts)
  const { waitMs } = emergency
  const contact = { patient, account: account.id, from: from.id, as, waitMs }
  if (!(await parts.emergencies.add(contact, [await parts.invitations.taking(secret)]))) throw invitationOver()
  tell(account, { patient, detail: `may ask to keep the patient, ${wordsOfEmergency({ as, waitMs })}` }, parts)
}

/** Whoever keeps the patient has nothing to ask for, and whoever leaves takes nobody in. */
async function checkNew({ id }: Account, patient: string, { record, deletions }: KeepingParts): Promise<void> {
  if ((await record.patientsOf(id)).includes(patient)) throw keepsAlready()
  if ((await deletions.get(id)) !== undefined) throw accountLeaving()
}

/** What an account may ask for, while who named it keeps the patient in their own right. */
async function loadContact(account: Account, patient: string, parts: KeepingParts): Promise<Emergency> {
  const found = await parts.emergencies.get(patient, account.id)
  const from = found && (await parts.accounts.get(found.from))
  if (found === undefined || from === undefined || !(await owns(from, patient, parts))) throw emergencyOver()
  await checkNew(account, patient, parts)
  return found
}

/**
 * Asks to keep the patient. What was asked before goes on as it was.
 *
 * @throws Problem `forbidden` · `smart.emergency-over`, `smart.account-leaving`; `conflict` · `smart.keeps-already`
 */
export async function askInEmergency(account: Account, patient: string, parts: KeepingParts): Promise<void> {
  const { as, waitMs } = await loadContact(account, patient, parts)
  const nowMs = parts.clock.nowMs()
  const asked = await parts.emergencies.change(patient, account.id, each =>
    stageOf(each, nowMs).is === 'quiet' ? { ...each, askedAtMs: nowMs } : undefined,
  )
  if (asked === undefined) return
  tell(account, { patient, detail: `asked to keep the patient, ${wordsOfEmergency({ as, waitMs })}` }, parts)
}

/** Who may say no: whoever keeps the patient in their own right, and the patient. */
export async function mayRefuse(account: Account, patient: string, parts: KeepingParts): Promise<boolean> {
  const isSelf = account.self === patient && (await parts.record.patientsOf(account.id)).includes(patient)
  return isSelf || owns(account, patient, parts)
}

/** A patient, and who may ask to keep them. */
interface Contact {
  readonly patient: string
  readonly contact: string
}

/** Says no to what was asked. @throws Problem `forbidden` · `smart.not-owner` */
export async function refuseEmergency(
  account: Account,
  { patient, contact }: Contact,
  parts: KeepingParts,
): Promise<void> {
  if (!(await mayRefuse(account, patient, parts))) throw notOwner()
  if (!(await parts.emergencies.refuse(patient, contact))) return
  const detail = 'somebody who asked to keep the patient in an emergency was told no'
  tell(account, { action: 'revoke', patient, detail }, parts)
}

/** Takes somebody off, or oneself. @throws Problem `forbidden` · `smart.not-owner` */
export async function endContact(account: Account, { patient, contact }: Contact, parts: KeepingParts): Promise<void> {
  if (account.id !== contact && !(await owns(account, patient, parts))) throw notOwner()
  if ((await parts.emergencies.remove(patient, contact)) === undefined) return
  const detail = 'somebody may not ask any more to keep the patient in an emergency'
  tell(account, { action: 'revoke', patient, detail }, parts)
}

/**
 * Keeps the patient from now on, for two weeks: somebody asked, and nobody has said no.
 *
 * @throws Problem `forbidden` · `smart.emergency-over`, `smart.emergency-closed`, `smart.account-leaving`; `conflict` · `smart.keeps-already`
 */
export async function openEmergency(account: Account, patient: string, parts: KeepingParts): Promise<void> {
  const { record, emergencies, guardians, clock } = parts
  const { from, as, askedAtMs } = await loadContact(account, patient, parts)
  const nowMs = clock.nowMs()
  const keeping: Keeping = { ...as, untilMs: nowMs + emergencyDays * dayMs }
  // The list for people first, as when an invitation is accepted: cut off here, it can be opened again, and ended.
  const listed = await emergencies.change(
    patient,
    account.id,
    each => (stageOf(each, nowMs).is === 'open' ? { ...each } : undefined),
    [guardians.adding({ patient, account: account.id, from })],
  )
  if (listed === undefined) throw emergencyClosed()
  await record.addPatientTo(account.id, patient, keeping)
  if (!(await isOpened({ patient, contact: account.id, askedAtMs, nowMs }, parts))) {
    await record.removePatientFrom(account.id, patient)
    await guardians.remove(patient, account.id)
    throw emergencyClosed()
  }
  const detail = `keeps the patient in an emergency: nobody said no; ${wordsOfKeeping(keeping)}`
  tell(account, { patient, detail }, parts)
}

/** Whether nobody said no, or ended it, in between. Of two that the same person opens at once the later one finds it opened. */
async function isOpened(
  {
    patient,
    contact,
    askedAtMs = 0,
    nowMs,
  }: Contact & { readonly askedAtMs: number | undefined; readonly nowMs: number },
  { emergencies, guardians }: KeepingParts,
): Promise<boolean> {
  await emergencies.change(patient, contact, ({ askedAtMs: asked, ...rest }) =>
    asked === undefined ? undefined : { ...rest, openedAtMs: nowMs },
  )
  const openedAtMs = (await emergencies.get(patient, contact))?.openedAtMs ?? 0
  return openedAtMs > askedAtMs && (await guardians.get(patient, contact)) !== undefined
}

function emergencyClosed(): Problem {
  const text =
    'It was not asked for, or not long enough ago; or somebody has said no; or it was not used within a week.'
  return new Problem('forbidden', 'smart.emergency-closed', text)
}
