import { Problem } from '#kernel'
import type { AccountSummary } from '#smart'
import { naming } from './naming.ts'
import { output } from './output.ts'
import { withGate } from './with-house.ts'

const ofName = /^smart\.account-/

/**
 * Makes an account. Its password is chosen by the person, at a one-time address that stands alone on the last line: one on a
 * command line would be seen by everybody on the machine.
 */
export async function createAccount({ name }: { name: string }): Promise<void> {
  await withGate(({ smart }) =>
    naming(name, ofName, async () => {
      await smart.createAccount({ name })
      tell((await smart.resetAccount(name)).url)
    }),
  )
}

interface Reset {
  readonly name: string
  readonly now?: boolean
  readonly secondFactor?: boolean
}

/**
 * For people who forgot their password, or lost phone and paper. What the account has open ends when they use the address, or with `now`
 * before it is told.
 */
export async function resetAccount({ name, now = false, secondFactor = false }: Reset): Promise<void> {
  await withGate(({ smart }) =>
    naming(name, ofName, async () => {
      const { url } = await smart.resetAccount(name, { endNow: now, endSecondFactor: secondFactor })
      if (secondFactor)
        output.say(
          'The second step and all passkeys were taken away, and all links to providers; nobody can log in until the address was used, and every browser was logged out.',
        )
      output.say(
        now
          ? 'Every browser was logged out, no passkey and no provider logs in any more, and no app has access.'
          : 'Using the address logs every browser out, and ends all passkeys, links to providers and the access of all apps, unless the person keeps those; --now ends all at once.',
      )
      tell(url)
    }),
  )
}

/** The accounts, one a line: id, what they keep, whether they can log in, and by what; the name they log in with where it is asked for. */
export async function listAccounts({ names }: { names?: boolean }): Promise<void> {
  for (const account of await withGate(({ smart }) => smart.listAccounts())) {
    const role = account.isOwner ? 'owner' : 'member'
    const password = wordsOfLogin(account)
    const shown = names === true ? [account.name] : []
    output.result([account.id, role, `${account.patients} patients`, password, ...shown].join('\t'))
  }
}

/** By what somebody logs in to an account, as a column of the list. */
export function wordsOfLogin({
  hasPassword,
  hasSecondFactor,
  passkeys,
  links,
}: Pick<AccountSummary, 'hasPassword' | 'hasSecondFactor' | 'passkeys' | 'links'>): string {
  // Without a password passkeys and providers log nobody in either.
  if (!hasPassword) return 'no password yet'
  const typed = hasSecondFactor ? 'password and code' : 'password'
  const others = [counted(passkeys, 'passkey'), counted(links, 'linked login')].filter(text => text !== undefined)
  return [typed, ...others].join(', ')
}

function counted(count: number, name: string): string | undefined {
  return count === 0 ? undefined : `${count} ${name}${count === 1 ? '' : 's'}`
}

/** How many patients an account keeps in its own right and may keep; with `patients` that is changed first. */
export async function accountQuota({ name, patients }: { name: string; patients?: string }): Promise<void> {
  const most = patients === undefined || patients === 'default' ? patients : Number(patients)
  if (most !== undefined && most !== 'default' && !/^\d{1,9}$/.test(patients ?? ''))
    throw new Problem('invalid', 'command.quota-malformed', 'A quota is a whole number, or default.')
  const { used, most: allowed } = await withGate(({ smart }) => naming(name, ofName, () => smart.quota(name, most)))
  output.result(`${used} of ${Number.isFinite(allowed) ? allowed : 'any number of'} patients`)
}

function tell(url: string): void {
  output.say('Whoever opens this address chooses the password. It works once, for a day; pass it on in private:')
  output.result(url)
}
