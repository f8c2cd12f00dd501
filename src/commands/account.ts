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

/** For people who forgot their password. What the account has open ends when they use the address, or with `now` before it is told. */
export async function resetAccount({ name, now = false }: { name: string; now?: boolean }): Promise<void> {
  await withGate(({ smart }) =>
    naming(name, ofName, async () => {
      const { url } = await smart.resetAccount(name, { endNow: now })
      output.say(
        now
          ? 'Every browser was logged out, and no app has access any more.'
          : 'Using the address logs every browser out and ends the access of all apps, unless the person keeps those; --now ends all at once.',
      )
      tell(url)
    }),
  )
}

/** The accounts, one a line: id, what they keep, whether they can log in; the name they log in with where it is asked for. */
export async function listAccounts({ names }: { names?: boolean }): Promise<void> {
  for (const account of await withGate(({ smart }) => smart.listAccounts())) {
    const role = account.isOwner ? 'owner' : 'member'
    const password = account.hasPassword ? 'password' : 'no password yet'
    const shown = names === true ? [account.name] : []
    output.result([account.id, role, `${account.patients} patients`, password, ...shown].join('\t'))
  }
}

function tell(url: string): void {
  output.say('Whoever opens this address chooses the password. It works once, for a day; pass it on in private:')
  output.result(url)
}
