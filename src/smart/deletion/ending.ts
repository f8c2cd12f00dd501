import type { Actor } from '#access'
import { isProblem } from '#kernel'
import { endOpened } from '../accounts/new-password.ts'
import type { GivingParts } from '../family/giving.ts'
import type { Parts } from '../parts.ts'
import type { AskingParts } from './asking.ts'
import type { Deletion } from './deletions.ts'
import { type Fate, fatedOf, fateOf, fatesOf } from './fates.ts'

/** What ending an account needs. */
export type EndingParts = AskingParts & GivingParts & Pick<Parts, 'secondFactors' | 'accountEnds'>

/**
 * Ends the accounts whose time has come, and those whose end was cut off. Whatever one is hindered by is logged, and gone on with the next
 * time. A process that has not all rooms open does nothing.
 *
 * @param only  id of the only account that is to be ended
 */
export async function endDueAccounts(parts: EndingParts, only?: string): Promise<void> {
  const nowMs = parts.clock.nowMs()
  for (const deletion of await parts.deletions.all()) {
    const isDue = deletion.isBegun === true || deletion.dueAtMs <= nowMs
    if (isDue && (only === undefined || deletion.account === only)) await logged(deletion, parts)
  }
}

async function logged(deletion: Deletion, parts: EndingParts): Promise<void> {
  try {
    await endAccount(deletion, parts)
  } catch (error) {
    const code = isProblem(error) ? error.code : 'unexpected'
    parts.log.error('an account is deleted later', { room: 'smart', code })
  }
}

const actorOf = ({ account, name }: Deletion): Actor => ({ kind: 'account', id: account, display: name })

/** Each step can be done again: whoever is cut off begins anew. What tells that it has begun goes last. */
async function endAccount(deletion: Deletion, parts: EndingParts): Promise<void> {
  const { account: id } = deletion
  const { record, accounts, deletions, accountEnds } = parts
  if (accountEnds === undefined) return
  if (deletion.isBegun !== true && !(await begun(deletion, parts))) return
  const account = await accounts.get(id)
  // From here on nobody logs in.
  if (account !== undefined) await accounts.close(account)
  await endOpened(id, parts, { keepApps: false, keepPasskeys: false, keepLinks: false })
  // Before it is looked who else keeps somebody: whoever accepts does so before that, or not at all.
  await parts.invitations.forgetOf(id)
  await parts.emergencies.forgetOf(id)
  const begunOne: Deletion = { ...deletion, isBegun: true }
  for (const patient of await fatedOf(id, parts)) await settle(patient, begunOne, parts)
  await record.vacate(id)
  // What was under way when it closed has ended by now, or finds it closed.
  await endOpened(id, parts, { keepApps: false, keepPasskeys: false, keepLinks: false })
  await accountEnds.endReach(id)
  await parts.secondFactors.remove(id)
  if (account !== undefined) await accounts.remove(account)
  record.audit({ action: 'erase', outcome: 'success', actor: actorOf(deletion), detail: 'the account was deleted' })
  await deletions.done(id)
}

/**
 * Whoever finds a day that has passed for longer than that has not been there on it, or has a backup from before it, in which somebody waits
 * who has taken it back since: they can do so again until as long has passed.
 */
const mostLateMs = 24 * 60 * 60_000

/** Whether it may be done now: it is known what becomes of everybody, and nobody has taken it back. */
async function begun(deletion: Deletion, parts: EndingParts): Promise<boolean> {
  const { deletions, clock, log, record } = parts
  const { account } = deletion
  const fates = await fatesOf(account, deletion, parts)
  const nowMs = clock.nowMs()
  if (nowMs - deletion.dueAtMs > mostLateMs && deletion.isLate !== true) {
    await deletions.putOff(account, nowMs + mostLateMs, { isLate: true })
    log.warn('an account that was to be deleted days ago is deleted a day from now', { room: 'smart' })
    return false
  }
  if (![...fates.values()].some(({ kind }) => kind === 'open'))
    return deletions.begin(account, nowMs, [...fates.values()].flatMap(reliedOn))
  await deletions.putOff(account, nowMs + parts.deletionWaitMs, { isPutOff: true })
  const detail = 'the account is deleted later: it is not said what becomes of somebody whom it keeps'
  record.audit({ action: 'revoke', outcome: 'failure', actor: actorOf(deletion), detail })
  log.warn('an account is not deleted yet: it is not said what becomes of somebody whom it keeps', { room: 'smart' })
  return false
}

/** How often it is looked again at what becomes of somebody while others change that. */
const mostLooks = 8

function reliedOn(fate: Fate): readonly string[] {
  if (fate.kind === 'given') return [fate.to]
  return fate.kind === 'stays' && fate.keeper !== undefined ? [fate.keeper] : []
}

/** By how things stand at that moment: others may have come or gone since it began. */
async function settle(patient: string, deletion: Deletion, parts: EndingParts): Promise<void> {
  const { accountEnds, guardians, emergencies } = parts
  const { account } = deletion
  let fate = await fateOf(patient, account, deletion, parts)
  for (let looks = 1; fate.kind === 'given' && looks < mostLooks; looks++) {
    if (await given(patient, fate.to, deletion, parts)) break
    fate = await fateOf(patient, account, deletion, parts)
  }
  if (fate.kind === 'erased') await accountEnds?.erasePatient(patient, actorOf(deletion))
  await guardians.remove(patient, account)
  await emergencies.forget(patient, account)
  if (fate.kind === 'stays') tellEnd(patient, deletion, 'an account that kept the patient was deleted', parts)
  if (fate.kind !== 'open') return
  // Nobody said it of somebody who came to be alone since it began: they stay here, for the administrator to give to an account.
  tellEnd(
    patient,
    deletion,
    'the account that kept the patient was deleted; nobody keeps them in their own right',
    parts,
  )
  const text = 'nobody keeps somebody in their own right any more, as the audit says of whom: give them to an account'
  parts.log.warn(text, { room: 'smart' })
}

function tellEnd(patient: string, deletion: Deletion, detail: string, { record }: EndingParts): void {
  record.audit({ action: 'revoke', outcome: 'success', actor: actorOf(deletion), patient, detail })
}

class NoGuardian extends Error {}

/** @returns false where the one who is to keep the patient does not do so any more */
async function given(patient: string, to: string, deletion: Deletion, parts: EndingParts): Promise<boolean> {
  const { record, guardians } = parts
  const { account } = deletion
  try {
    const patients = await record.givePatient({ patient, from: account, to, isBeyondQuota: true }, async all => {
      if (!(await record.keepersOf(patient)).some(keeper => keeper.account === to)) throw new NoGuardian()
      return all.map(one => guardians.removing(one, to))
    })
    const detail = 'keeps the patient in their own right from now on: the account of who did was deleted'
    const receiver: Actor = { kind: 'account', id: to }
    for (const one of patients ?? [])
      record.audit({ action: 'attach', outcome: 'success', actor: receiver, patient: one, detail })
    return patients !== undefined
  } catch (error) {
    if (error instanceof NoGuardian || (isProblem(error) && error.code === 'record.account-closed')) return false
    throw error
  }
}
