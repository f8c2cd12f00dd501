import type { DocumentWrite } from '#store'
import type { Documents } from '#vault'

interface Kept {
  readonly patients: readonly string[]
}

const collection = 'households'
const nobody: readonly string[] = []

/** Which patients an account keeps: themselves, their children, their parents. */
export class Household {
  readonly #documents: Documents

  constructor(documents: Documents) {
    this.#documents = documents
  }

  /** The same list each time while nobody was added. */
  async patientsOf(account: string): Promise<readonly string[]> {
    return (await this.#documents.recent<Kept>(collection, account))?.value.patients ?? nobody
  }

  /** The write that adds a patient, to be committed together with the patient; it fails over if somebody was faster. */
  async adding(account: string, patient: string): Promise<DocumentWrite> {
    const known = await this.#documents.get<Kept>(collection, account)
    const patients = [...new Set([...(known?.value.patients ?? []), patient])]
    return this.#documents.write(collection, account, { patients }, { ifRevision: known?.revision ?? 0 })
  }

  async add(account: string, patient: string): Promise<void> {
    const known = await this.#documents.get<Kept>(collection, account)
    if (known?.value.patients.includes(patient)) return
    const patients = [...(known?.value.patients ?? []), patient]
    const won = await this.#documents.put(collection, account, { patients }, { ifRevision: known?.revision ?? 0 })
    if (!won) await this.add(account, patient)
  }
}
