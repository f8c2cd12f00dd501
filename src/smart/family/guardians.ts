import type { Clock } from '#kernel'
import type { DocumentDraft, Documents } from '#vault'

/** That an account keeps a patient by invitation of somebody who does so in their own right. */
export interface Guardianship {
  readonly patient: string
  /** Who was invited. */
  readonly account: string
  /** Who invited. */
  readonly from: string
  readonly sinceMs: number
}

/** Who keeps whom by whose invitation; what they may do is the record's to know. */
export interface Guardians {
  add(guardianship: Omit<Guardianship, 'sinceMs'>): Promise<void>
  get(patient: string, account: string): Promise<Guardianship | undefined>
  /** Oldest first. */
  of(patient: string): Promise<readonly Guardianship[]>
  remove(patient: string, account: string): Promise<void>
  /** `add` and `remove` as writes, to be committed with others. */
  adding(guardianship: Omit<Guardianship, 'sinceMs'>): DocumentDraft
  removing(patient: string, account: string): DocumentDraft
  /** The patient is erased. */
  forget(patient: string): Promise<void>
}

const collection = 'smart.guardians'

export function openGuardians({ documents, clock }: { documents: Documents; clock: Clock }): Guardians {
  const nameOf = (patient: string, account: string) => `${patient} ${account}`

  async function of(patient: string): Promise<readonly Guardianship[]> {
    const found = await documents.list<Guardianship>(collection, { group: patient })
    return found.map(({ value }) => value).toSorted((one, other) => one.sinceMs - other.sinceMs)
  }

  function adding(guardianship: Omit<Guardianship, 'sinceMs'>): DocumentDraft {
    const { patient, account } = guardianship
    const kept: Guardianship = { ...guardianship, sinceMs: clock.nowMs() }
    return documents.write(collection, nameOf(patient, account), kept, { group: patient })
  }

  return {
    of,

    adding,
    removing: (patient, account) => documents.remove(collection, nameOf(patient, account)),
    add: async guardianship => void (await documents.commit([adding(guardianship)])),

    async get(patient, account) {
      return (await documents.get<Guardianship>(collection, nameOf(patient, account)))?.value
    },

    async remove(patient, account) {
      await documents.delete(collection, nameOf(patient, account))
    },

    async forget(patient) {
      for (const { account } of await of(patient)) await documents.delete(collection, nameOf(patient, account))
    },
  }
}
