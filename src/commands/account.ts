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
          'The second step was taken away; nobody can log in until the address was used, and every browser was logged out.',
        )
      output.say(
        now
          ? 'Every browser was logged out, and no app has access any more.'
          : 'Using the address logs every browser out and ends the access of all apps, unless the person keeps those; --now ends all at once.',
      )
      tell(url)
    }),
  )
}

/** The accounts, one a line: id, what they keep, whether they can log in, and with a code; the name they log in with where it is asked for. */
export async function listAccounts({ names }: { names?: boolean }): Promise<void> {
  for (const account of await withGate(({ smart }) => smart.listAccounts())) {
    const role = account.isOwner ? 'owner' : 'member'
    const password = wordsOfLogin(account)
    const shown = names === true ? [account.name] : []
    output.result([account.id, role, `${account.patients} patients`, password, ...shown].join('\t'))
  }
}

function wordsOfLogin({ hasPassword, hasSecondFactor }: AccountSummary): string {
  if (!hasPassword) return 'no password yet'
  return hasSecondFactor ? 'password and code' : 'password'
}

function tell(url: string): void {
  output.say('Whoever opens this address chooses the password. It works once, for a day; pass it on in private:')
  output.result(url)
}
