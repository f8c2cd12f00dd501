import { hash } from 'node:crypto'
import type { Actor } from '#access'
import { newSecret } from '#kernel'
import type { Documents, NamedFound, Vault } from '#vault'
import { expiredKnownMs } from './lifetimes.ts'

/** What a token stands for. The token itself is nowhere: the document is found by its keyed hash. */
export interface TokenDocument {
  readonly kind: 'access' | 'refresh'
  /** The permission it came of; for tokens without a person an id of its own. */
  readonly family: string
  readonly actor: Actor
  readonly scope: string
  readonly patient?: string
  /** The account whose patients `user/` scopes reach. */
  readonly account?: string
  readonly purpose?: string
  readonly issuedAtMs: number
  readonly expiresAtMs: number
  /** A refresh token that was used is kept, so that a second use is noticed. */
  readonly spent?: true
}

/** A token's document; `name` is the keyed hash that it is found by. */
export type FoundToken = NamedFound<TokenDocument>

export interface Tokens {
  /** A new opaque token: 256 random bits, base64url. */
  issue(token: TokenDocument): Promise<string>
  /** What a text stands for, expired or not; undefined for everything that is no token of ours. */
  find(text: string): Promise<FoundToken | undefined>
  /** Marks a refresh token as used; of two who try at once one gets false. */
  spend(found: FoundToken): Promise<boolean>
  delete(found: FoundToken): Promise<void>
  /** The tokens that came of one permission, or the one that was made by itself; expired ones too, for a while. */
  ofFamily(family: string): Promise<readonly TokenDocument[]>
  deleteFamily(family: string): Promise<void>
  /** Ends every token that an app holds, whoever let it in. */
  deleteOfClient(clientId: string): Promise<void>
  /** Ends every token that acts in the name of an account, also those that were minted on the host. */
  deleteOfAccount(account: string): Promise<void>
  /** Ends every token that acts in the name of an account with a patient in context, also those that were minted on the host. */
  deleteOfKeeping(account: string, patient: string): Promise<void>
  /** Ends every token that has a patient in context. */
  deleteOfPatient(patient: string): Promise<void>
}

const collection = 'smart.tokens'
const tokenForm = /^[A-Za-z0-9_-]{43}$/
const mostNames = 5_000

export function openTokens({ documents, vault }: { documents: Documents; vault: Vault }): Tokens {
  const namesByDigest = new Map<string, string>()
  const nameOf = (text: string) => vault.mac('smart.token', Buffer.from(text, 'latin1')).toString('hex')

  function keep(name: string, token: TokenDocument, ifRevision: number): Promise<boolean> {
    const expiresAtMs = token.expiresAtMs + expiredKnownMs
    return documents.put(collection, name, token, { ifRevision, group: token.family, expiresAtMs })
  }

  const recent = (name: string) => documents.recent<TokenDocument>(collection, name)

  async function findAnew(text: string, digest: string): Promise<FoundToken | undefined> {
    const found = await recent(nameOf(text))
    if (found === undefined) return undefined
    if (namesByDigest.size >= mostNames) namesByDigest.clear()
    namesByDigest.set(digest, found.name)
    return found
  }

  async function deleteWhere(isMeant: (token: TokenDocument) => boolean): Promise<void> {
    for (const { name, value } of await documents.list<TokenDocument>(collection))
      if (isMeant(value)) await documents.delete(collection, name)
  }

  return {
    async issue(token) {
      const text = newSecret()
      await keep(nameOf(text), token, 0)
      return text
    },

    find(text) {
      if (!tokenForm.test(text)) return Promise.resolve(undefined)
      // By a digest: texts that open doors are not kept, and comparing them takes no time that depends on them.
      const digest = hash('sha256', text, 'base64')
      const name = namesByDigest.get(digest)
      return name === undefined ? findAnew(text, digest) : recent(name)
    },

    spend({ name, value, revision }) {
      return keep(name, { ...value, spent: true }, revision)
    },

    async delete({ name }) {
      await documents.delete(collection, name)
    },

    async ofFamily(family) {
      return (await documents.list<TokenDocument>(collection, { group: family })).map(({ value }) => value)
    },

    async deleteFamily(family) {
      for (const { name } of await documents.list(collection, { group: family }))
        await documents.delete(collection, name)
    },

    deleteOfClient: clientId => deleteWhere(({ actor }) => actor.clientId === clientId),
    deleteOfAccount: account => deleteWhere(token => token.account === account),
    deleteOfKeeping: (account, patient) => deleteWhere(token => token.account === account && token.patient === patient),
    deleteOfPatient: patient => deleteWhere(token => token.patient === patient),
  }
}
