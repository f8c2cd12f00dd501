import { equalSecrets, newSecret, Problem } from '#kernel'
import type { Documents, Vault } from '#vault'
import { parseAccountName } from './account-names.ts'
import type { Account, Accounts } from './accounts.ts'

export interface Claim {
  /** Whether somebody owns this server, or ever did. */
  isOver(): Promise<boolean>
  /** The one-time secret while nobody owns this server; the same until it is used. */
  secret(): Promise<string | undefined>
  /** @throws Problem `forbidden` · `smart.claim-refused` */
  check(secret: string): Promise<void>
  /**
   * Makes the first account. Of two who try at once, one is refused.
   *
   * @throws Problem `forbidden` · `smart.claim-refused`; `unprocessable` · `smart.password-weak`, `smart.password-common`,
   *   `smart.account-name-invalid`
   */
  use(secret: string, owner: { readonly name: string; readonly password: string }): Promise<Account>
}

const collection = 'smart.claim'
const name = 'first-account'

interface Secret {
  readonly secret: string
}

export function openClaim(options: { documents: Documents; vault: Vault; accounts: Accounts }): Claim {
  const { documents, vault, accounts } = options
  const refusal = () =>
    new Problem(
      'forbidden',
      'smart.claim-refused',
      'This server has an owner already, or the address is not the right one.',
    )

  /** Whoever takes the accounts out of the database does not become the owner: it is noted beside the keys as well. */
  async function isOver(): Promise<boolean> {
    if (await vault.hasFact('claimed')) return true
    if (!(await accounts.any())) return false
    await vault.noteFact('claimed')
    return true
  }

  async function check(secret: string): Promise<void> {
    const kept = (await documents.get<Secret>(collection, name))?.value.secret
    if (kept === undefined || !equalSecrets(kept, secret) || (await isOver())) throw refusal()
  }

  async function secret(): Promise<string | undefined> {
    if (await isOver()) return undefined
    const kept = await documents.get<Secret>(collection, name)
    if (kept !== undefined) return kept.value.secret
    await documents.put<Secret>(collection, name, { secret: newSecret() }, { ifRevision: 0 })
    return secret()
  }

  return {
    isOver,
    secret,
    check,
    async use(secret, owner) {
      await check(secret)
      await accounts.checkPassword(parseAccountName(owner.name), owner.password)
      // Taken before the account is made: should we die in between, there is no account, and the next start makes a new URL.
      if ((await documents.take<Secret>(collection, name)) === undefined || (await isOver())) throw refusal()
      const account = await accounts.create({ ...owner, isOwner: true })
      await vault.noteFact('claimed')
      return account
    },
  }
}
