import { hash } from 'node:crypto'
import type { Actor } from '#access'
import { newSecret } from '#kernel'
import type { Documents, Vault } from '#vault'
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

export interface FoundToken {
  readonly name: string
  readonly token: TokenDocument
  readonly revision: number
}

export interface Tokens {
  /** A new opaque token: 256 random bits, base64url. */
  issue(token: TokenDocument): Promise<string>
  /** What a text stands for, expired or not; undefined for everything that is no token of ours. */
  find(text: string): Promise<FoundToken | undefined>
  /** Marks a refresh token as used; of two who try at once one gets false. */
  spend(found: FoundToken): Promise<boolean>
  delete(found: FoundToken): Promise<void>
  deleteFamily(family: string): Promise<void>
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

  // By a digest: texts that open doors are not kept, and comparing them takes no time that depends on them.
  function remember(digest: string, name: string): void {
    if (namesByDigest.size >= mostNames) namesByDigest.clear()
    namesByDigest.set(digest, name)
  }

  return {
    async issue(token) {
      const text = newSecret()
      await keep(nameOf(text), token, 0)
      return text
    },

    async find(text) {
      if (!tokenForm.test(text)) return undefined
      const digest = hash('sha256', text, 'base64')
      const known = namesByDigest.get(digest)
      const name = known ?? nameOf(text)
      const found = await documents.recent<TokenDocument>(collection, name)
      if (found === undefined) return undefined
      if (known === undefined) remember(digest, name)
      return { name, token: found.value, revision: found.revision }
    },

    spend({ name, token, revision }) {
      return keep(name, { ...token, spent: true }, revision)
    },

    async delete({ name }) {
      await documents.delete(collection, name)
    },

    async deleteFamily(family) {
      for (const { name } of await documents.list(collection, { group: family }))
        await documents.delete(collection, name)
    },
  }
}
