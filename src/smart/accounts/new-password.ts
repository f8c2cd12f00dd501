import type { Permissions } from '../token/permissions.ts'
import type { Tokens } from '../token/tokens.ts'
import type { Browsers } from './browsers.ts'
import type { Passkeys } from './passkeys.ts'
import type { ProviderLinks } from './provider-links.ts'
import type { Resets } from './resets.ts'

/** What may be open under an account. */
export interface Opened {
  readonly browsers: Browsers
  readonly passkeys: Passkeys
  readonly links: ProviderLinks
  readonly resets: Resets
  readonly permissions: Permissions
  readonly tokens: Tokens
}

/**
 * Ends what was opened under an account's old password, because somebody else may have opened it: every browser's session and
 * unused address for a new password; and, unless they are to be kept, the passkeys, the links to providers, and the apps' permissions with all tokens, among them
 * those that make and end links. To be called once the new password is written. `except` is the id of a session that stays.
 */
export async function endOpened(
  account: string,
  { browsers, passkeys, links, resets, permissions, tokens }: Opened,
  {
    keepApps,
    keepPasskeys,
    keepLinks,
    except,
  }: {
    readonly keepApps: boolean
    readonly keepPasskeys: boolean
    readonly keepLinks: boolean
    readonly except?: string
  },
): Promise<void> {
  await browsers.logOutEverywhere(account, except)
  // After the sessions: whoever was adding one finds its session gone, or is found here.
  if (!keepPasskeys) await passkeys.endAll(account)
  if (!keepLinks) await links.endAll(account)
  await resets.forget(account)
  if (keepApps) return
  await permissions.revokeAllOf(account)
  await tokens.deleteOfAccount(account)
}
