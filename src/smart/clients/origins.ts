import type { Documents } from '#vault'

/** Web origins from which pages of registered apps come; they may call the API. */
export interface Origins {
  /** An origin lives as long as the longest-lived of its apps; without an expiry until it is forgotten. */
  keep(origins: readonly string[], expiresAtMs?: number): Promise<void>
  forget(origins: readonly string[]): Promise<void>
  has(origin: string): Promise<boolean>
}

interface Origin {
  readonly origin: string
  /** While nobody has let any of its apps in. */
  readonly expiresAtMs?: number
}

const collection = 'smart.origins'

function livesLonger(kept: Origin | undefined, { expiresAtMs = Number.POSITIVE_INFINITY }: Origin): boolean {
  return kept !== undefined && (kept.expiresAtMs ?? Number.POSITIVE_INFINITY) >= expiresAtMs
}

export function openOrigins(documents: Documents): Origins {
  async function get(origin: string): Promise<Origin | undefined> {
    return (await documents.get<Origin>(collection, origin))?.value
  }

  return {
    async keep(origins, expiresAtMs) {
      const until = expiresAtMs === undefined ? {} : { expiresAtMs }
      for (const origin of origins) {
        const wanted: Origin = { origin, ...until }
        if (!livesLonger(await get(origin), wanted)) await documents.put(collection, origin, wanted, until)
      }
    },

    async forget(origins) {
      for (const origin of origins) await documents.delete(collection, origin)
    },

    has: async origin => (await get(origin)) !== undefined,
  }
}
