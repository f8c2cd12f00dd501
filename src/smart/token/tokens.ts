import { hash } from 'node:crypto'
import type { Actor } from '#access'
import { type Clock, newSecret } from '#kernel'
import type { Store } from '#store'
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

/** A document that was opened before: while the very same sealed bytes are stored, it need not be opened again. */
interface Seen {
  readonly key: string
  readonly sealed: Uint8Array
  readonly found: FoundToken
}

/** What a text was found to stand for; it still does while no document has been written since. */
interface Recent {
  readonly mark: number
  readonly found: FoundToken
}

/** Where the documents lie, to look whether one is still the one that was opened before. */
type DocumentsAt = Pick<Store, 'document' | 'documentsMark'>

const maxSeen = 5_000

export function openTokens(options: {
  documents: Documents
  vault: Vault
  clock: Clock
  store?: DocumentsAt | undefined
}): Tokens {
  const { documents, vault, clock, store } = options
  const seenByName = new Map<string, Seen>()
  const recentByDigest = new Map<string, Recent>()
  const nameOf = (text: string) => vault.mac('smart.token', Buffer.from(text, 'latin1')).toString('hex')

  function keep(name: string, token: TokenDocument, ifRevision: number): Promise<boolean> {
    const expiresAtMs = token.expiresAtMs + expiredKnownMs
    return documents.put(collection, name, token, { ifRevision, group: token.family, expiresAtMs })
  }

  async function open(name: string): Promise<FoundToken | undefined> {
    const found = await documents.get<TokenDocument>(collection, name)
    return found === undefined ? undefined : { name, token: found.value, revision: found.revision }
  }

  // By a digest: texts that open doors are not kept, and comparing them takes no time that depends on them.
  async function findRecent(documentsAt: DocumentsAt, text: string): Promise<FoundToken | undefined> {
    const digest = hash('sha256', text, 'base64')
    const mark = await documentsAt.documentsMark()
    const recent = recentByDigest.get(digest)
    if (recent?.mark === mark && clock.nowMs() < recent.found.token.expiresAtMs) return recent.found
    const found = await findIn(documentsAt, nameOf(text))
    if (found === undefined) recentByDigest.delete(digest)
    else {
      if (recentByDigest.size >= maxSeen) recentByDigest.clear()
      recentByDigest.set(digest, { mark, found })
    }
    return found
  }

  async function findIn(documentsAt: DocumentsAt, name: string): Promise<FoundToken | undefined> {
    const seen = seenByName.get(name)
    const key = seen?.key ?? vault.documentKey(collection, name)
    const stored = await documentsAt.document(collection, key, clock.nowMs())
    if (stored === undefined) seenByName.delete(name)
    if (stored === undefined || (seen !== undefined && Buffer.compare(stored.sealed, seen.sealed) === 0))
      return stored && seen?.found
    const found = await open(name)
    if (seenByName.size >= maxSeen) seenByName.clear()
    // A document that was rewritten between the two looks is opened again the next time.
    if (found?.revision === stored.revision) seenByName.set(name, { key, sealed: stored.sealed, found })
    return found
  }

  return {
    async issue(token) {
      const text = newSecret()
      await keep(nameOf(text), token, 0)
      return text
    },

    find(text) {
      if (!tokenForm.test(text)) return Promise.resolve(undefined)
      return store === undefined ? open(nameOf(text)) : findRecent(store, text)
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
