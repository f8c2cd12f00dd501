import { type Clock, newSecret, Problem } from '#kernel'
import type { Documents } from '#vault'
import { isDeceptive } from './account-names.ts'

/** A passkey of an account, as its owner sees it. */
export interface Passkey {
  /** The credential's id, in base64url. */
  readonly id: string
  readonly name: string
  /** The host that it was made at; at another one no browser offers it. */
  readonly host: string
  readonly addedAtMs: number
  readonly usedAtMs?: number
  /** When it last came with a counter that had been counted before: there are two of it. */
  readonly copiedAtMs?: number
}

/** What is kept of a passkey. */
export interface KeptPasskey extends Omit<Passkey, 'id'> {
  readonly account: string
  /** Names the account to authenticators: random, so that it tells nothing where the device is somebody else's. In base64url. */
  readonly userHandle: string
  /** COSE_Key, in base64url. */
  readonly publicKey: string
  /** The authenticator's count of signatures; those that are kept by several devices stay at 0. */
  readonly counter: number
  /** Whether it may be kept by several devices, which never changes: https://www.w3.org/TR/webauthn-3/#backup-eligibility */
  readonly deviceType: 'singleDevice' | 'multiDevice'
}

/** The passkeys of all accounts. */
export interface Passkeys {
  /** Oldest first. */
  of(account: string): Promise<readonly Passkey[]>
  find(id: string): Promise<KeptPasskey | undefined>
  isOf(id: string, account: string): Promise<boolean>
  /** What names the account to authenticators: that of its passkeys, else a new one. */
  handleOf(account: string): Promise<string>
  /** @throws Problem `conflict` · `smart.too-many-passkeys` where an account has as many as it may have */
  checkRoom(account: string): Promise<void>
  /** @throws Problem `conflict` · `smart.passkey-known`, `smart.too-many-passkeys` */
  add(id: string, passkey: KeptPasskey): Promise<void>
  /** Notes a signature with this count: `copied` where that had been counted before; undefined where there is no such passkey any more. */
  use(id: string, counter: number): Promise<'used' | 'copied' | undefined>
  /**
   * Gives one another name.
   *
   * @returns whether there is one of that account
   * @throws Problem `unprocessable` · `smart.passkey-name-invalid`
   */
  rename(id: string, account: string, name: string): Promise<boolean>
  /** Whether there was one of that account. */
  end(id: string, account: string): Promise<boolean>
  endAll(account: string): Promise<void>
}

const collection = 'smart.passkeys'
/** Written with each that is added, so that those of one account are added one after the other, and each sees those before it. */
const turns = 'smart.passkey-turns'
const mostOfAccount = 20
const longestName = 60

/**
 * What somebody calls a passkey, as it will be shown.
 *
 * @throws Problem `unprocessable` · `smart.passkey-name-invalid`
 */
export function parsePasskeyName(text: string): string {
  const name = text.normalize('NFKC').trim().replace(/\s+/gu, ' ')
  if (name === '' || [...name].length > longestName || isDeceptive(name))
    throw new Problem(
      'unprocessable',
      'smart.passkey-name-invalid',
      'Give the passkey a name of 1 to 60 visible characters, such as the device that it is on.',
    )
  return name
}

/** An authenticator that counts never says the same count twice: https://www.w3.org/TR/webauthn-3/#sctn-sign-counter */
function wasCounted(counter: number, last: number): boolean {
  return (counter > 0 || last > 0) && counter <= last
}

export function openPasskeys({ documents, clock }: { documents: Documents; clock: Clock }): Passkeys {
  async function find(id: string): Promise<KeptPasskey | undefined> {
    return (await documents.get<KeptPasskey>(collection, id))?.value
  }

  async function keptOf(account: string) {
    const found = await documents.list<KeptPasskey>(collection, { group: account })
    return found.toSorted((a, b) => a.value.addedAtMs - b.value.addedAtMs)
  }

  async function isOf(id: string, account: string): Promise<boolean> {
    return (await find(id))?.account === account
  }

  async function checkRoom(account: string): Promise<void> {
    if ((await keptOf(account)).length >= mostOfAccount)
      throw new Problem('conflict', 'smart.too-many-passkeys', 'You have twenty passkeys. End one of them first.')
  }

  /** Whether it was added: not where another one of the account came first, since how many there were was looked at. */
  async function tryToAdd(id: string, passkey: KeptPasskey): Promise<boolean> {
    const { account } = passkey
    const turn = (await documents.get(turns, account))?.revision ?? 0
    await checkRoom(account)
    if ((await find(id)) !== undefined)
      throw new Problem('conflict', 'smart.passkey-known', 'This passkey opens an account here already.')
    return documents.commit([
      documents.write(collection, id, passkey, { ifRevision: 0, group: account }),
      documents.write(turns, account, {}, { ifRevision: turn }),
    ])
  }

  async function use(id: string, counter: number): Promise<'used' | 'copied' | undefined> {
    const found = await documents.get<KeptPasskey>(collection, id)
    if (found === undefined) return undefined
    const { value, revision } = found
    const isCopied = wasCounted(counter, value.counter)
    const nowMs = clock.nowMs()
    const next = isCopied ? { ...value, copiedAtMs: nowMs } : { ...value, counter, usedAtMs: nowMs }
    const written = await documents.put(collection, id, next, { ifRevision: revision, group: value.account })
    if (!written) return use(id, counter)
    return isCopied ? 'copied' : 'used'
  }

  async function rename(id: string, account: string, name: string): Promise<boolean> {
    const found = await documents.get<KeptPasskey>(collection, id)
    if (found?.value.account !== account) return false
    const next = { ...found.value, name: parsePasskeyName(name) }
    const written = await documents.put(collection, id, next, { ifRevision: found.revision, group: account })
    // It was used, or ended, meanwhile.
    return written || rename(id, account, name)
  }

  return {
    find,
    isOf,
    use,
    rename,
    checkRoom,

    async of(account) {
      return (await keptOf(account)).map(({ name: id, value }) => ({
        id,
        name: value.name,
        host: value.host,
        addedAtMs: value.addedAtMs,
        ...(value.usedAtMs === undefined ? {} : { usedAtMs: value.usedAtMs }),
        ...(value.copiedAtMs === undefined ? {} : { copiedAtMs: value.copiedAtMs }),
      }))
    },

    async handleOf(account) {
      return (await keptOf(account))[0]?.value.userHandle ?? newSecret()
    },

    async add(id, passkey) {
      let isAdded = false
      while (!isAdded) isAdded = await tryToAdd(id, passkey)
    },

    async end(id, account) {
      if (!(await isOf(id, account))) return false
      await documents.delete(collection, id)
      return true
    },

    async endAll(account) {
      for (const { name } of await documents.list(collection, { group: account }))
        await documents.delete(collection, name)
      await documents.delete(turns, account)
    },
  }
}
