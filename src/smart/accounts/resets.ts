import { type Clock, newSecret, Problem } from '#kernel'
import type { Documents, Vault } from '#vault'
import type { Account, Accounts } from './accounts.ts'

/** One-time secrets with which an account gets a password: its first, or one in place of a forgotten one. */
export interface Resets {
  /** A new secret; those that were made for the account before are worth nothing from now on. */
  make(account: Account): Promise<{ readonly secret: string; readonly expiresAtMs: number }>
  /** The account a secret is for. @throws Problem `forbidden` · `smart.reset-refused` */
  check(secret: string): Promise<Account>
  /**
   * Sets the password; resolves to the account as it is then. Of two who try at once, one is refused.
   *
   * @throws Problem `forbidden` · `smart.reset-refused`; `unprocessable` · `smart.password-weak`, `smart.password-common`
   */
  use(secret: string, password: string): Promise<Account>
  /** Makes the account's addresses worth nothing. */
  forget(account: string): Promise<void>
}

interface Reset {
  readonly account: string
}

const collection = 'smart.resets'
const lifeMs = 24 * 60 * 60_000

const refusal = () =>
  new Problem('forbidden', 'smart.reset-refused', 'This address was used already, is more than a day old, or wrong.')

export function openResets(options: { documents: Documents; vault: Vault; clock: Clock; accounts: Accounts }): Resets {
  const { documents, vault, clock, accounts } = options
  const nameOf = (secret: string) => vault.mac('smart.reset', Buffer.from(secret)).toString('hex')

  async function check(secret: string): Promise<Account> {
    const found = await documents.get<Reset>(collection, nameOf(secret))
    const account = found === undefined ? undefined : await accounts.get(found.value.account)
    if (account === undefined) throw refusal()
    return account
  }

  async function forget(account: string): Promise<void> {
    for (const { name } of await documents.list(collection, { group: account }))
      await documents.delete(collection, name)
  }

  return {
    check,
    forget,

    async make(account) {
      await forget(account.id)
      const secret = newSecret()
      const expiresAtMs = clock.nowMs() + lifeMs
      const options = { ifRevision: 0, group: account.id, expiresAtMs }
      await documents.put<Reset>(collection, nameOf(secret), { account: account.id }, options)
      return { secret, expiresAtMs }
    },

    async use(secret, password) {
      const account = await check(secret)
      await accounts.checkPassword(account.name, password)
      if ((await documents.take<Reset>(collection, nameOf(secret))) === undefined) throw refusal()
      return accounts.changePassword(account, password)
    },
  }
}
