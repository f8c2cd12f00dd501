import { type Clock, newSecret } from '#kernel'
import type { Documents, Vault } from '#vault'
import { codeLifeMs, spentCodeLifeMs } from './lifetimes.ts'

/** What a code was given out for. */
export interface CodeDocument {
  readonly permission: string
  readonly clientId: string
  readonly redirectUri: string
  readonly challenge: string
  readonly expiresAtMs: number
  readonly spent?: true
}

/** What came of an attempt to use a code. */
export type SpentCode =
  | { readonly state: 'fresh'; readonly code: CodeDocument }
  | { readonly state: 'replayed'; readonly code: CodeDocument }
  | { readonly state: 'lost' }
  | { readonly state: 'unknown' }

export interface Codes {
  issue(code: Omit<CodeDocument, 'expiresAtMs'>): Promise<string>
  /**
   * Takes a code for its one use, whether or not the use will succeed.
   *
   * @returns `fresh` to one caller only; `replayed` to whoever comes after; `lost` to who came at the same moment
   */
  spend(text: string): Promise<SpentCode>
}

const collection = 'smart.codes'
const codeForm = /^[A-Za-z0-9_-]{43}$/

export function openCodes(options: { documents: Documents; vault: Vault; clock: Clock }): Codes {
  const { documents, vault, clock } = options
  const nameOf = (text: string) => vault.mac('smart.code', Buffer.from(text, 'latin1')).toString('hex')

  return {
    async issue(wanted) {
      const text = newSecret()
      const code: CodeDocument = { ...wanted, expiresAtMs: clock.nowMs() + codeLifeMs }
      await documents.put(collection, nameOf(text), code, { ifRevision: 0, expiresAtMs: code.expiresAtMs })
      return text
    },

    async spend(text) {
      if (!codeForm.test(text)) return { state: 'unknown' }
      const name = nameOf(text)
      const found = await documents.get<CodeDocument>(collection, name)
      if (found === undefined) return { state: 'unknown' }
      if (found.value.spent) return { state: 'replayed', code: found.value }
      const spent: CodeDocument = { ...found.value, spent: true }
      const options = { ifRevision: found.revision, expiresAtMs: clock.nowMs() + spentCodeLifeMs }
      const mine = await documents.put(collection, name, spent, options)
      return mine ? { state: 'fresh', code: found.value } : { state: 'lost' }
    },
  }
}
