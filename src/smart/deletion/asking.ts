import type { Actor } from '#access'
import { Problem } from '#kernel'
import type { Account } from '../accounts/accounts.ts'
import { endOpened } from '../accounts/new-password.ts'
import type { Parts } from '../parts.ts'
import type { Deletion } from './deletions.ts'
import { type Fate, fatesOf, type Said } from './fates.ts'

/** What asking for a deletion, and taking it back, needs. */
export type AskingParts = Pick<
  Parts,
  | 'record'
  | 'clock'
  | 'accounts'
  | 'guardians'
  | 'deletions'
  | 'browsers'
  | 'passkeys'
  | 'links'
  | 'resets'
  | 'permissions'
  | 'tokens'
  | 'deletionWaitMs'
>

/** How a deletion is asked for. */
interface Asked {
  readonly said: Said
  readonly actor: Actor
  /** The session that may take it back; every other one ends. */
  readonly except?: string
  /** Without waiting. */
  readonly isNow?: boolean
}

/**
 * Asks for an account to be deleted. What it has open ends: browsers but one, addresses for a new password, apps, tokens; and nobody and
 * nothing new comes to it.
 *
 * @throws Problem `unprocessable` · `smart.deletion-open` where it is not said of somebody, or does not hold any more, what becomes of them;
 *   `conflict` · `smart.deletion-begun`
 */
export async function askForDeletion(
  { id, name }: Account,
  { said, actor, except, isNow = false }: Asked,
  parts: AskingParts,
): Promise<Deletion> {
  const askedAtMs = parts.clock.nowMs()
  const dueAtMs = isNow ? askedAtMs : askedAtMs + parts.deletionWaitMs
  const fates = await fatesOf(id, { ...said, ...(isNow ? { dueAtMs } : {}) }, parts)
  if ([...fates.values()].some(({ kind }) => kind === 'open')) throw deletionOpen()
  const deletion: Deletion = { account: id, name, askedAtMs, dueAtMs, ...kept(said, fates) }
  if (!(await parts.deletions.ask(deletion)))
    throw new Problem('conflict', 'smart.deletion-begun', 'The account is being deleted already.')
  // Whoever logs in by a passkey or a provider can take it back.
  const stays = { keepPasskeys: true, keepLinks: true }
  await endOpened(id, parts, { keepApps: false, ...stays, ...(except === undefined ? {} : { except }) })
  const detail = `the account is to be deleted ${isNow ? 'at once' : 'after a while'}; what it had open has ended`
  parts.record.audit({ action: 'revoke', outcome: 'success', actor, detail })
  return deletion
}

/** As it was shown, and of nobody else: whoever is chosen by order is so for good. */
function kept({ erases }: Said, fates: ReadonlyMap<string, Fate>): Pick<Deletion, 'erases' | 'heirs'> {
  const given = [...fates].flatMap(([patient, fate]) => (fate.kind === 'given' ? [[patient, fate.to] as const] : []))
  return { erases: erases.filter(patient => fates.get(patient)?.kind === 'erased'), heirs: Object.fromEntries(given) }
}

function deletionOpen(): Problem {
  const text =
    'Say of everybody whom nobody else could decide about that all of theirs is to be erased, or give them to somebody first.'
  return new Problem('unprocessable', 'smart.deletion-open', text)
}

/** @returns whether there was something to take back, and it had not begun */
export async function takeDeletionBack(account: string, actor: Actor, parts: AskingParts): Promise<boolean> {
  if ((await parts.deletions.takeBack(account)) === undefined) return false
  const detail = 'the account is not to be deleted any more'
  parts.record.audit({ action: 'revoke', outcome: 'success', actor, detail })
  return true
}
