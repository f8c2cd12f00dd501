import type { Grant } from '#access'
import { Problem } from '#kernel'
import { type Account, actorOf } from '../accounts/accounts.ts'
import { pageGrant } from '../consent/people.ts'
import type { Parts } from '../parts.ts'
import type { Invitation } from './invitations.ts'

/** What keeping a patient together needs. */
export type KeepingParts = Pick<
  Parts,
  'record' | 'clock' | 'accounts' | 'permissions' | 'tokens' | 'invitations' | 'guardians' | 'guardianLeft'
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
export async function invite(account: Account, patient: string, parts: KeepingParts): Promise<string> {
  if (!(await owns(account, patient, parts)))
    throw new Problem('forbidden', 'smart.not-owner', 'Only who took a person in can share keeping them.')
  const { secret } = await parts.invitations.make({ patient, from: account.id })
  const detail = 'somebody was invited to keep the patient too'
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
  if (from !== undefined && (await owns(from, invitation.patient, parts))) return { invitation, from }
  // Who invited keeps the patient no more.
  throw new Problem('forbidden', 'smart.invitation-refused', 'This invitation is not good any more.')
}

/**
 * The account keeps the patient from now on, as whoever invited it does, but for what ends or gives away.
 *
 * @throws Problem `forbidden` · `smart.invitation-refused`; `conflict` · `smart.keeps-already`
 */
export async function accept(account: Account, secret: string, parts: KeepingParts): Promise<void> {
  const { invitation, from } = await loadInvitation(secret, parts)
  const { patient } = invitation
  if ((await parts.record.patientsOf(account.id)).includes(patient))
    throw new Problem('conflict', 'smart.keeps-already', 'You keep this person already.')
  await parts.invitations.take(secret)
  // The list for people first: cut off here, it names somebody who reaches nothing, and can be ended.
  await parts.guardians.add({ patient, account: account.id, from: from.id })
  await parts.record.addPatientTo(account.id, patient, 'guardian')
  // Whoever ended it in between must not leave somebody who keeps the patient and is on no list.
  if ((await parts.guardians.get(patient, account.id)) === undefined) {
    await parts.record.removePatientFrom(account.id, patient)
    throw new Problem('forbidden', 'smart.invitation-refused', 'It was ended already.')
  }
  const detail = 'keeps the patient too, by invitation'
  parts.record.audit({ action: 'attach', outcome: 'success', actor: actorOf(account), patient, detail })
}

/**
 * Ends that an account keeps a patient by invitation: by itself, or by an account that keeps them in its own right. What it wrote stays;
 * its apps with the patient in context and the links that it gave away end, and whatever reaches all that it keeps reaches less.
 *
 * @throws Problem `forbidden` · `smart.not-owner`
 */
export async function endGuardianship(
  { actor, patient, guardian }: { readonly actor: Account; readonly patient: string; readonly guardian: string },
  parts: KeepingParts,
): Promise<void> {
  const isOwn = actor.id === guardian
  if (!isOwn && !(await owns(actor, patient, parts)))
    throw new Problem('forbidden', 'smart.not-owner', 'Only who took a person in can end what others keep of them.')
  if ((await parts.guardians.get(patient, guardian)) === undefined) return
  const account = await parts.accounts.get(guardian)
  // The administrator has given the person to them since: it was not by the invitation alone.
  if (account !== undefined && (await owns(account, patient, parts))) return parts.guardians.remove(patient, guardian)
  await parts.record.removePatientFrom(guardian, patient)
  for (const permission of await parts.permissions.ofPatient(patient))
    if (permission.account === guardian) await parts.permissions.revoke(permission.id)
  await parts.tokens.deleteOfKeeping(guardian, patient)
  if (account?.self === patient) await parts.accounts.setSelf(account, undefined)
  await parts.guardianLeft?.(guardian, patient)
  // Last, so that whoever is cut off can end it again.
  await parts.guardians.remove(patient, guardian)
  // Once more, for an acceptance that was under way and was still on the list.
  await parts.record.removePatientFrom(guardian, patient)
  const detail = isOwn ? 'keeps the patient no more, by their own wish' : 'somebody keeps the patient no more'
  parts.record.audit({ action: 'revoke', outcome: 'success', actor: actorOf(actor), patient, detail })
}
