import type { Actor } from '#access'
import { type Clock, newResourceId, Problem } from '#kernel'
import type { Documents } from '#vault'
import { parseAccountName, toLoginName } from './account-names.ts'
import { checkGuessing, wordsOfHost } from './guessing.ts'
import { checkPassword, hashPassword, isPassword, type PasswordHash } from './passwords.ts'

/** A person who can log in. The Patients that an account keeps are the record's to know. */
export interface Account {
  readonly id: string
  /** As shown on pages. */
  readonly name: string
  /** Absent until the person has chosen one. */
  readonly password?: PasswordHash
  readonly createdAtMs: number
  /** Patient id of the person themself, when they said which one they are. */
  readonly self?: string
  /** The account that claimed this server. */
  readonly isOwner?: true
}

/** What an account is made of. */
export interface NewAccount {
  readonly name: string
  /** Without one nobody can log in until a reset has set it. */
  readonly password?: string
  readonly isOwner?: true
}

export interface Accounts {
  /** Creates an account; the id that comes back is random. */
  create(account: NewAccount): Promise<Account>
  /** Nobody logs in by its name any more, which is free again; what names the account by its id still finds it. */
  close(account: Account): Promise<void>
  /** Removes an account that has nothing any more. */
  remove(account: Account): Promise<void>
  /** Takes back an account that was just made and has nothing. */
  takeBack(account: Account): Promise<void>
  get(id: string): Promise<Account | undefined>
  /** The account of a name, however it was typed. */
  named(name: string): Promise<Account | undefined>
  /** Oldest first. */
  list(): Promise<readonly Account[]>
  /** The account if name and password fit; takes as long when there is no such account. */
  logIn(name: string, password: string): Promise<Account | undefined>
  /** Resolves to the account as it is then: what was opened with the old password does not fit to it. */
  changePassword(account: Account, password: string): Promise<Account>
  /** Nobody can log in any more until a reset has set a new one. */
  forgetPassword(account: Account): Promise<void>
  /** @throws Problem `unprocessable` · `smart.password-weak`, `smart.password-common` for one that must not be had under the name */
  checkPassword(name: string, password: string): Promise<void>
  /** Remembers which of the account's Patients the person is; undefined forgets it. */
  setSelf(account: Account, patient: string | undefined): Promise<void>
  /** Whether anybody can log in. */
  any(): Promise<boolean>
}

/** The account as it stands in audits. */
export function actorOf({ id, name }: Pick<Account, 'id' | 'name'>): Actor {
  return { kind: 'account', id, display: name }
}

const collection = 'smart.accounts'
/** Login name → account id; the first write of a name wins. An account that has no name here cannot log in. */
const nameCollection = 'smart.account-names'

export function openAccounts(options: { documents: Documents; clock: Clock; baseUrl: string }): Accounts {
  const { documents, clock } = options
  let seen = false
  const hostWords = wordsOfHost(options.baseUrl)

  async function checkNew(name: string, password: string): Promise<void> {
    checkPassword(password, name)
    await checkGuessing(password, name, hostWords)
  }

  async function get(id: string): Promise<Account | undefined> {
    return (await documents.get<Account>(collection, id))?.value
  }

  async function named(name: string): Promise<Account | undefined> {
    const found = await documents.get<{ readonly account: string }>(nameCollection, toLoginName(name))
    return found === undefined ? undefined : get(found.value.account)
  }

  async function update(id: string, change: (account: Account) => Account): Promise<Account | undefined> {
    const found = await documents.get<Account>(collection, id)
    if (found === undefined) return undefined
    const account = change(found.value)
    const written = await documents.put(collection, id, account, { ifRevision: found.revision })
    return written ? account : update(id, change)
  }

  async function close({ id, name }: Account): Promise<void> {
    const found = await documents.get<{ readonly account: string }>(nameCollection, toLoginName(name))
    // It may be somebody else's by now.
    if (found?.value.account === id) await documents.delete(nameCollection, toLoginName(name))
    await update(id, ({ password: _, ...rest }) => rest)
  }

  async function remove(account: Account): Promise<void> {
    // The name first: dying in between leaves an account that nobody can use.
    await close(account)
    await documents.delete(collection, account.id)
  }

  return {
    get,
    named,

    async create({ name, password, isOwner }) {
      const shown = parseAccountName(name)
      if (password !== undefined) await checkNew(shown, password)
      const account: Account = {
        id: newResourceId(),
        name: shown,
        createdAtMs: clock.nowMs(),
        ...(password === undefined ? {} : { password: await hashPassword(password) }),
        ...(isOwner === undefined ? {} : { isOwner }),
      }
      // The name comes last: dying in between leaves an account nobody can use, not a name nobody can use.
      await documents.put(collection, account.id, account, { ifRevision: 0 })
      const named = await documents.put(nameCollection, toLoginName(shown), { account: account.id }, { ifRevision: 0 })
      if (named) return account
      await documents.delete(collection, account.id)
      throw new Problem('conflict', 'smart.account-name-taken', 'There is an account with this name already.')
    },

    close,
    remove,
    takeBack: remove,

    async list() {
      const found = await documents.list<Account>(collection)
      return found.map(({ value }) => value).toSorted((a, b) => a.createdAtMs - b.createdAtMs)
    },

    checkPassword: checkNew,

    async logIn(name, password) {
      const account = await named(name)
      return (await isPassword(password, account?.password)) ? account : undefined
    },

    async changePassword(account, password) {
      await checkNew(account.name, password)
      const hash = await hashPassword(password)
      return (await update(account.id, current => ({ ...current, password: hash }))) ?? account
    },

    async forgetPassword(account) {
      await update(account.id, ({ password: _, ...rest }) => rest)
    },

    async setSelf(account, patient) {
      await update(account.id, ({ self: _, ...rest }) => (patient === undefined ? rest : { ...rest, self: patient }))
    },

    async any() {
      // What was once seen need not be looked for again, and cannot be made to look unseen.
      seen ||= (await documents.list(nameCollection)).length > 0
      return seen
    },
  }
}
