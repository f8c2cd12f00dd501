import type { Clock } from '#kernel'
import type { Vault } from '#vault'

/** What is under way in a form between two requests: sealed and dated there, and kept nowhere here. */
export interface SealedWords<T extends object> {
  seal(value: T): string
  /** Undefined for what was not sealed here for this, and for what is too old. */
  open(text: string | undefined): T | undefined
}

const maxLength = 4_096

export function openSealedWords<T extends object>(options: {
  readonly vault: Vault
  readonly clock: Clock
  /** Under which name of a key; what was sealed for one purpose opens for no other. */
  readonly purpose: string
  readonly lifeMs: number
}): SealedWords<T> {
  const { vault, clock, purpose, lifeMs } = options
  const context = Buffer.from('a form under way')

  return {
    seal(value) {
      const plain = Buffer.from(JSON.stringify({ value, atMs: clock.nowMs() }))
      return vault.sealUnder(purpose, plain, context).toString('base64url')
    },

    open(text) {
      if (text === undefined || text.length > maxLength) return undefined
      try {
        const plain = vault.openUnder(purpose, Buffer.from(text, 'base64url'), context)
        const { value, atMs }: { value: T; atMs: number } = JSON.parse(plain.toString('utf8'))
        return atMs + lifeMs > clock.nowMs() ? value : undefined
      } catch {
        return undefined
      }
    },
  }
}
