import type { DocumentDraft, Documents } from '#vault'

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

  /** The write that adds patients, to be committed together with them; it fails over if somebody was faster. */
  async adding(account: string, added: readonly string[]): Promise<DocumentDraft> {
    const known = await this.#documents.get<Kept>(collection, account)
    const patients = [...new Set([...(known?.value.patients ?? []), ...added])]
    return this.#documents.write(collection, account, { patients }, { ifRevision: known?.revision ?? 0 })
  }

  async add(account: string, patient: string): Promise<void> {
    const known = await this.#documents.get<Kept>(collection, account)
    if (known?.value.patients.includes(patient)) return
    const patients = [...(known?.value.patients ?? []), patient]
    const won = await this.#documents.put(collection, account, { patients }, { ifRevision: known?.revision ?? 0 })
    if (!won) await this.add(account, patient)
  }

  /** Takes a patient from the list of every account. */
  async remove(patient: string): Promise<void> {
    for (const { name, value } of await this.#documents.list<Kept>(collection))
      if (value.patients.includes(patient)) await this.#removeFrom(name, patient)
  }

  async #removeFrom(account: string, patient: string): Promise<void> {
    const known = await this.#documents.get<Kept>(collection, account)
    if (known?.value.patients.includes(patient) !== true) return
    const patients = known.value.patients.filter(other => other !== patient)
    const won = await this.#documents.put(collection, account, { patients }, { ifRevision: known.revision })
    if (!won) await this.#removeFrom(account, patient)
  }
}
