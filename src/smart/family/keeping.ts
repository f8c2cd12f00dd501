import { type Grant, isWithin, type Keeping } from '#access'
import { Problem } from '#kernel'
import { type Account, actorOf } from '../accounts/accounts.ts'
import { pageGrant } from '../consent/people.ts'
import { wordsOfKeeping } from '../pages/roles.ts'
import type { Parts } from '../parts.ts'
import type { Invitation } from './invitations.ts'

/** What keeping a patient together needs. */
export type KeepingParts = Pick<
  Parts,
  | 'record'
  | 'clock'
  | 'accounts'
  | 'permissions'
  | 'tokens'
  | 'invitations'
  | 'guardians'
  | 'emergencies'
  | 'guardianLeft'
  | 'deletions'
>

async function ownerGrant(account: Account, { record, clock }: KeepingParts): Promise<Grant> {
  return pageGrant(account, await record.patientsOf(account.id), 'r', clock)
}

/** Whether the account took the patient in, and may share and erase them. */
export async function owns(account: Account, patient: string, parts: KeepingParts): Promise<boolean> {
  return parts.record.ownsPatient(await ownerGrant(account, parts), patient)
}

/**
 * Invites somebody to keep a patient too.
 *
 * @throws Problem `forbidden` · `smart.not-owner`; `conflict` · `smart.too-many-invitations`
 */
export async function invite(
  account: Account,
  { patient, as }: { readonly patient: string; readonly as: Keeping },
  parts: KeepingParts,
): Promise<string> {
  if (!(await owns(account, patient, parts)))
    throw new Problem('forbidden', 'smart.not-owner', 'Only who took a person in can share keeping them.')
  const { secret } = await parts.invitations.make({ patient, from: account.id, as })
  const detail = `somebody was invited to keep the patient too, ${wordsOfKeeping(as)}`
  parts.record.audit({ action: 'attach', outcome: 'success', actor: actorOf(account), patient, detail })
  return secret
}

/** What an invitation is about, while it can be accepted. @throws Problem `forbidden` · `smart.invitation-refused` */
export async function loadInvitation(
  secret: string,
  parts: KeepingParts,
): Promise<{ readonly invitation: Invitation; readonly from: Account }> {
  const invitation = await parts.invitations.check(secret)
  const from = await parts.accounts.get(invitation.from)
  const isOver = (invitation.as?.untilMs ?? Number.POSITIVE_INFINITY) <= parts.clock.nowMs()
  if (from !== undefined && !isOver && (await owns(from, invitation.patient, parts))) return { invitation, from }
  throw invitationOver()
}

/** Who invited keeps the patient no more, or what was offered would have ended already. */
export function invitationOver(): Problem {
  return new Problem('forbidden', 'smart.invitation-refused', 'This invitation is not good any more.')
}

export function keepsAlready(): Problem {
  return new Problem('conflict', 'smart.keeps-already', 'You keep this person already.')
}

export function accountLeaving(): Problem {
  const text = 'Your account waits to be deleted, and takes nobody in. Keep your account first, on its page.'
  return new Problem('forbidden', 'smart.account-leaving', text)
}

/**
 * The account keeps the patient from now on, as what the invitation says.
 *
 * @throws Problem `forbidden` · `smart.invitation-refused`, `smart.account-leaving`; `conflict` · `smart.keeps-already`
 */
export async function accept(account: Account, secret: string, parts: KeepingParts): Promise<void> {
  const { invitation, from } = await loadInvitation(secret, parts)
  const { patient, as = { role: 'guardian' } } = invitation
  // To be given a person is another thing, which `acceptGiven` does, and to ask in an emergency a third one, `acceptContact`.
  if (invitation.gives !== undefined || invitation.emergency !== undefined) throw invitationOver()
  if ((await parts.record.patientsOf(account.id)).includes(patient)) throw keepsAlready()
  // The record refuses it as well; before that, so that the address is not used up.
  if ((await parts.deletions.get(account.id)) !== undefined) throw accountLeaving()
  await parts.invitations.take(secret)
  // The list for people first: cut off here, it names somebody who reaches nothing, and can be ended.
  await parts.guardians.add({ patient, account: account.id, from: from.id })
  await parts.record.addPatientTo(account.id, patient, as)
  // Whoever ended it in between must not leave somebody who keeps the patient and is on no list.
  if ((await parts.guardians.get(patient, account.id)) === undefined) {
    await parts.record.removePatientFrom(account.id, patient)
    throw new Problem('forbidden', 'smart.invitation-refused', 'It was ended already.')
  }
  const detail = `keeps the patient too, by invitation, ${wordsOfKeeping(as)}`
  parts.record.audit({ action: 'attach', outcome: 'success', actor: actorOf(account), patient, detail })
}

/**
 * Makes it more or less as what an account keeps a patient by invitation; from the next request on it counts for whatever was given
 * before. Links that it gave away end unless it loses nothing: they are copies of what it saw.
 *
 * @throws Problem `forbidden` · `smart.not-owner`
 */
export async function changeKeeping(
  { actor, patient, guardian, as }: Named & { readonly as: Keeping },
  parts: KeepingParts,
): Promise<void> {
  if (!(await owns(actor, patient, parts)))
    throw new Problem('forbidden', 'smart.not-owner', 'Only who took a person in says as what others keep them.')
  const before = await parts.record.keepingOf(guardian, patient)
  if (before === undefined || before.role === 'owner') return
  const endLinks = async () => {
    if (!isWithin(before, as)) await parts.guardianLeft?.(guardian, patient)
  }
  // First, so that whoever is cut off can do it again: once the role is lesser nobody knows that it was more.
  await endLinks()
  await parts.record.limitKeeping(guardian, patient, as)
  // Once more, for one that was made meanwhile.
  await endLinks()
  const detail = `somebody keeps the patient ${wordsOfKeeping(as)}`
  parts.record.audit({ action: 'attach', outcome: 'success', actor: actorOf(actor), patient, detail })
}

/** Ends the apps and tokens of an account for one patient, whom it keeps no more. */
export async function endReach(id: string, patient: string, parts: KeepingParts): Promise<void> {
  for (const permission of await parts.permissions.ofPatient(patient))
    if (permission.account === id) await parts.permissions.revoke(permission.id)
  await parts.tokens.deleteOfKeeping(id, patient)
  const account = await parts.accounts.get(id)
  if (account?.self === patient) await parts.accounts.setSelf(account, undefined)
}

/** Who does it, of whom, to whom of those who keep them by invitation. */
interface Named {
  readonly actor: Account
  readonly patient: string
  readonly guardian: string
}

/**
 * Ends that an account keeps a patient by invitation: by itself, or by an account that keeps them in its own right. What it wrote stays;
 * its apps with the patient in context and the links that it gave away end, and whatever reaches all that it keeps reaches less.
 *
 * @throws Problem `forbidden` · `smart.not-owner`
 */
export async function endGuardianship({ actor, patient, guardian }: Named, parts: KeepingParts): Promise<void> {
  const isOwn = actor.id === guardian
  if (!isOwn && !(await owns(actor, patient, parts)))
    throw new Problem('forbidden', 'smart.not-owner', 'Only who took a person in can end what others keep of them.')
  if ((await parts.guardians.get(patient, guardian)) === undefined) return
  const account = await parts.accounts.get(guardian)
  // The administrator has given the person to them since: it was not by the invitation alone.
  if (account !== undefined && (await owns(account, patient, parts))) return parts.guardians.remove(patient, guardian)
  // What was asked for in an emergency and has just opened must not open again.
  await parts.emergencies.refuse(patient, guardian)
  await parts.record.removePatientFrom(guardian, patient)
  await endReach(guardian, patient, parts)
  await parts.guardianLeft?.(guardian, patient)
  // Last, so that whoever is cut off can end it again.
  await parts.guardians.remove(patient, guardian)
  // Once more, for an acceptance that was under way and was still on the list.
  await parts.record.removePatientFrom(guardian, patient)
  const detail = isOwn ? 'keeps the patient no more, by their own wish' : 'somebody keeps the patient no more'
  parts.record.audit({ action: 'revoke', outcome: 'success', actor: actorOf(actor), patient, detail })
}
