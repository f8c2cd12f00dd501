import type { Keeping } from '#access'
import { isProblem, Problem } from '#kernel'
import { type Account, actorOf } from '../accounts/accounts.ts'
import { wordsOfKeeping } from '../pages/roles.ts'
import type { Parts } from '../parts.ts'
import type { Invitation } from './invitations.ts'
import { endReach, invitationOver, type KeepingParts, keepsAlready, loadInvitation, owns } from './keeping.ts'
import type { Leaving } from './leavings.ts'

/** What giving a patient away needs. */
export type GivingParts = KeepingParts & Pick<Parts, 'leavings' | 'log'>

/** As what the giver keeps the patient; nothing when they are to keep nothing, or its end has come. */
export function keptByGiver({ gives }: Invitation, nowMs: number): Keeping | undefined {
  const keeps = gives?.keeps
  return (keeps?.untilMs ?? Number.POSITIVE_INFINITY) > nowMs ? keeps : undefined
}

const wordsOfRest = (keeps: Keeping | undefined) =>
  keeps === undefined ? 'who gives them keeps them no more' : `who gives them keeps them ${wordsOfKeeping(keeps)}`

/**
 * Makes a one-time secret: whoever accepts keeps the patient in their own right in the place of the account.
 *
 * @throws Problem `forbidden` · `smart.not-owner`; `conflict` · `smart.too-many-invitations`
 */
export async function offer(
  account: Account,
  { patient, keeps }: { readonly patient: string; readonly keeps: Keeping | undefined },
  parts: GivingParts,
): Promise<string> {
  if (!(await owns(account, patient, parts)) || (await parts.record.isReplaced(patient)))
    throw new Problem('forbidden', 'smart.not-owner', 'Only who keeps a person in their own right can give them away.')
  const gives = keeps === undefined ? {} : { keeps }
  const { secret } = await parts.invitations.make({ patient, from: account.id, gives })
  const detail = `the patient was offered to somebody to keep in their own right; ${wordsOfRest(keeps)}`
  parts.record.audit({ action: 'attach', outcome: 'success', actor: actorOf(account), patient, detail })
  return secret
}

/**
 * The account keeps the patient in its own right from now on, and who gave them as what was said: both in one commit with the end of the
 * offer, so that never nobody does, and of two who accept at once one is refused.
 *
 * @throws Problem `forbidden` · `smart.invitation-refused`; `conflict` · `smart.keeps-already`
 */
export async function acceptGiven(account: Account, secret: string, parts: GivingParts): Promise<void> {
  const { record, invitations, guardians, leavings, clock } = parts
  const { invitation, from } = await loadInvitation(secret, parts)
  const { patient } = invitation
  if (invitation.gives === undefined) throw invitationOver()
  if (from.id === account.id) throw keepsAlready()
  const keeps = keptByGiver(invitation, clock.nowMs())
  const given = await record.givePatient({ patient, from: from.id, to: account.id, keeps }, async patients => [
    await invitations.taking(secret),
    ...patients.flatMap(one => [
      guardians.removing(one, account.id),
      ...(keeps === undefined ? [] : [guardians.adding({ patient: one, account: from.id, from: account.id })]),
      leavings.noting({ patient: one, account: from.id }),
    ]),
  ])
  if (given === undefined) throw invitationOver()
  const detail = `keeps the patient in their own right from now on, as was offered; ${wordsOfRest(keeps)}`
  for (const one of given)
    record.audit({ action: 'attach', outcome: 'success', actor: actorOf(account), patient: one, detail })
  await goOn(
    given.map(one => ({ patient: one, account: from.id })),
    parts,
  )
}

/**
 * Ends what accounts had of patients whom they gave away, where it was cut off: addresses that they passed on, links, and of who keeps
 * nothing the apps and tokens for that person alone. Nothing of what is thrown leaves: it is gone on with the next time.
 */
export async function endLeft(parts: GivingParts): Promise<void> {
  await logged(async () => goOn(await parts.leavings.all(), parts), parts)
}

async function goOn(leavings: readonly Leaving[], parts: GivingParts): Promise<void> {
  for (const leaving of leavings) await logged(() => endOne(leaving, parts), parts)
}

async function logged(work: () => Promise<void>, { log }: GivingParts): Promise<void> {
  try {
    await work()
  } catch (error) {
    const code = isProblem(error) ? error.code : 'unexpected'
    log.error('what somebody had of a person whom they gave away ends later', { room: 'smart', code })
  }
}

async function endOne(leaving: Leaving, parts: GivingParts): Promise<void> {
  const { patient, account } = leaving
  const keeping = await parts.record.keepingOf(account, patient)
  // The person was given back since.
  if (keeping?.role === 'owner') return parts.leavings.done(leaving)
  await parts.invitations.forget(patient, account)
  await parts.emergencies.forget(patient, account)
  if (keeping === undefined) await endReach(account, patient, parts)
  // Copies of what an owner saw.
  await parts.guardianLeft?.(account, patient)
  await parts.leavings.done(leaving)
}
