import type { Clock } from '#kernel'
import type { Documents } from '#vault'

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

  return {
    of,

    async add(guardianship) {
      const { patient, account } = guardianship
      const kept: Guardianship = { ...guardianship, sinceMs: clock.nowMs() }
      await documents.put(collection, nameOf(patient, account), kept, { group: patient })
    },

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
