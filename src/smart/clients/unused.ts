import type { Documents } from '#vault'

/** The registrations that nobody has let in yet; small documents, because all are looked through at each registration. */
export interface Unused {
  note(id: string, of: { readonly createdAtMs: number; readonly expiresAtMs: number }): Promise<void>
  /** It is in use, or gone. */
  forget(id: string): Promise<void>
  /** Forgets the oldest where there are too many for one more; resolves to their ids. */
  makeRoom(): Promise<readonly string[]>
}

const collection = 'smart.unused-clients'
/** Registration is open to everybody, and what it leaves behind must be bounded. */
const most = 300

export function openUnused(documents: Documents): Unused {
  return {
    async note(id, { createdAtMs, expiresAtMs }) {
      await documents.put(collection, id, { createdAtMs }, { ifRevision: 0, expiresAtMs })
    },

    async forget(id) {
      await documents.delete(collection, id)
    },

    async makeRoom() {
      const waiting = await documents.list<{ readonly createdAtMs: number }>(collection)
      const oldest = waiting.toSorted((a, b) => a.value.createdAtMs - b.value.createdAtMs).map(({ name }) => name)
      const going = oldest.slice(0, Math.max(0, waiting.length - most + 1))
      for (const id of going) await documents.delete(collection, id)
      return going
    },
  }
}
