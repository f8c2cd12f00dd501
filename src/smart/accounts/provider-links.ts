import { type Clock, lengthPrefixed, newResourceId, Problem } from '#kernel'
import type { Documents, Vault } from '#vault'
import type { Identity, ProviderSettings } from './provider-protocol.ts'
import type { Provider } from './providers.ts'

/** An identity at a provider that logs in to an account, as its owner sees it. */
export interface ProviderLink {
  /** Names it in forms and sessions; linked anew it has another one. */
  readonly id: string
  readonly kind: ProviderSettings['kind']
  readonly issuer: string
  readonly addedAtMs: number
  readonly usedAtMs?: number
  /** Whether people can log in there for this server at the moment. */
  readonly isOpen: boolean
}

/** What is kept of it. Who the person is there is not: a keyed hash of that finds it. */
interface KeptLink extends Omit<ProviderLink, 'id' | 'isOpen'> {
  readonly account: string
  /** Another one for each time that it is linked. */
  readonly salt: string
}

/** A link, and to what it is one. */
export interface FoundLink {
  readonly id: string
  readonly account: string
}

/** The links of all accounts. */
export interface ProviderLinks {
  /** Oldest first. */
  of(account: string): Promise<readonly ProviderLink[]>
  find(identity: Identity): Promise<FoundLink | undefined>
  /** Whether it opens the account: not where its provider is set up no more, for whoever took that away trusts it no longer. */
  isOf(id: string, account: string): Promise<boolean>
  /** @throws Problem `conflict` · `smart.too-many-links` where an account has as many as it may have */
  checkRoom(account: string): Promise<void>
  /**
   * @returns its id
   * @throws Problem `conflict` · `smart.link-known`, `smart.too-many-links`
   */
  add(identity: Identity, account: string): Promise<string>
  /** Notes that somebody logged in by it: false where it has ended meanwhile. */
  use(id: string): Promise<boolean>
  /** Whether there was one of that account. */
  end(id: string, account: string): Promise<boolean>
  endAll(account: string): Promise<void>
}

const collection = 'smart.provider-links'
/** Written with each that is added, so that those of one account are added one after the other, and each sees those before it. */
const turns = 'smart.provider-link-turns'
const mostOfAccount = 10

export function openProviderLinks({
  documents,
  vault,
  clock,
  providers,
}: {
  documents: Documents
  vault: Vault
  clock: Clock
  providers: readonly Pick<Provider, 'kind' | 'issuer'>[]
}): ProviderLinks {
  const nameOf = ({ kind, issuer, subject }: Identity) =>
    vault.mac('smart.provider-identity', lengthPrefixed([kind, issuer, subject])).toString('base64url')
  const isOpen = ({ kind, issuer }: KeptLink) => providers.some(each => each.kind === kind && each.issuer === issuer)
  const idOf = (name: string, { salt }: KeptLink) => `${name}.${salt}`

  /** The link of this id, if it is that one still. */
  async function load(id: string) {
    const [name = ''] = id.split('.', 1)
    const found = name === '' ? undefined : await documents.get<KeptLink>(collection, name)
    return found !== undefined && idOf(name, found.value) === id ? { name, ...found } : undefined
  }

  async function keptOf(account: string) {
    const found = await documents.list<KeptLink>(collection, { group: account })
    return found.toSorted((a, b) => a.value.addedAtMs - b.value.addedAtMs)
  }

  async function checkRoom(account: string): Promise<void> {
    if ((await keptOf(account)).length >= mostOfAccount)
      throw new Problem(
        'conflict',
        'smart.too-many-links',
        'Ten logins are linked to your account. End one of them first.',
      )
  }

  /** Whether it was added: not where another one came first, since it was looked whose it is, and how many the account has. */
  async function tryToAdd(name: string, link: KeptLink): Promise<boolean> {
    const { account } = link
    const turn = (await documents.get(turns, account))?.revision ?? 0
    await checkRoom(account)
    if ((await documents.get(collection, name)) !== undefined)
      throw new Problem('conflict', 'smart.link-known', 'This login opens an account here already.')
    return documents.commit([
      documents.write(collection, name, link, { ifRevision: 0, group: account }),
      documents.write(turns, account, {}, { ifRevision: turn }),
    ])
  }

  async function use(id: string): Promise<boolean> {
    const found = await load(id)
    if (found === undefined) return false
    const { name, value, revision } = found
    const next = { ...value, usedAtMs: clock.nowMs() }
    const written = await documents.put(collection, name, next, { ifRevision: revision, group: value.account })
    // It was used, or ended, meanwhile.
    return written || use(id)
  }

  return {
    use,
    checkRoom,

    async of(account) {
      return (await keptOf(account)).map(({ name, value }) => {
        const { kind, issuer, addedAtMs, usedAtMs } = value
        const used = usedAtMs === undefined ? {} : { usedAtMs }
        return { id: idOf(name, value), kind, issuer, addedAtMs, ...used, isOpen: isOpen(value) }
      })
    },

    async find(identity) {
      const name = nameOf(identity)
      const value = (await documents.get<KeptLink>(collection, name))?.value
      return value && { id: idOf(name, value), account: value.account }
    },

    async isOf(id, account) {
      const link = (await load(id))?.value
      return link?.account === account && isOpen(link)
    },

    async add(identity, account) {
      const { kind, issuer } = identity
      const name = nameOf(identity)
      const link: KeptLink = { account, salt: newResourceId(), kind, issuer, addedAtMs: clock.nowMs() }
      let isAdded = false
      while (!isAdded) isAdded = await tryToAdd(name, link)
      return idOf(name, link)
    },

    async end(id, account) {
      const found = await load(id)
      if (found?.value.account !== account) return false
      await documents.delete(collection, found.name)
      return true
    },

    async endAll(account) {
      for (const { name } of await documents.list(collection, { group: account }))
        await documents.delete(collection, name)
      await documents.delete(turns, account)
    },
  }
}
