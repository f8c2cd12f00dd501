import type { DocumentDraft, Documents } from '#vault'

interface Kept {
  readonly patients: readonly string[]
  /** Those of them that are kept by invitation of whoever took them in. */
  readonly guarded?: readonly string[]
}

/** How an account keeps a patient: in its own right, or by invitation of somebody who does. */
export type Keeping = 'owner' | 'guardian'

function withPatient(kept: Kept, patient: string, as: Keeping): Kept {
  const { patients, guarded = [] } = kept
  const isKept = patients.includes(patient)
  if (isKept && (as === 'guardian' || !guarded.includes(patient))) return kept
  if (isKept) return { patients, guarded: guarded.filter(other => other !== patient) }
  return { patients: [...patients, patient], guarded: as === 'guardian' ? [...guarded, patient] : guarded }
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

  /** Whether an account keeps a patient in its own right, and not by invitation. */
  async owns(account: string, patient: string): Promise<boolean> {
    const kept = (await this.#documents.get<Kept>(collection, account))?.value
    return kept?.patients.includes(patient) === true && kept.guarded?.includes(patient) !== true
  }

  /** The write that adds patients, to be committed together with them; it fails over if somebody was faster. */
  async adding(account: string, added: readonly string[]): Promise<DocumentDraft> {
    const known = await this.#documents.get<Kept>(collection, account)
    const patients = [...new Set([...(known?.value.patients ?? []), ...added])]
    const kept: Kept = { ...known?.value, patients }
    return this.#documents.write(collection, account, kept, { ifRevision: known?.revision ?? 0 })
  }

  /** Whoever keeps a patient in their own right stays so. */
  async add(account: string, patient: string, as: Keeping): Promise<void> {
    const known = await this.#documents.get<Kept>(collection, account)
    const next = withPatient(known?.value ?? { patients: [] }, patient, as)
    if (next === known?.value) return
    const won = await this.#documents.put(collection, account, next, { ifRevision: known?.revision ?? 0 })
    if (!won) await this.add(account, patient, as)
  }

  /** Takes a patient from the list of every account. */
  async remove(patient: string): Promise<void> {
    for (const { name, value } of await this.#documents.list<Kept>(collection))
      if (value.patients.includes(patient)) await this.removeFrom(name, patient)
  }

  /** Takes a patient from the list of one account. */
  async removeFrom(account: string, patient: string): Promise<void> {
    const known = await this.#documents.get<Kept>(collection, account)
    if (known?.value.patients.includes(patient) !== true) return
    const others = (patients: readonly string[]) => patients.filter(other => other !== patient)
    const { patients, guarded = [] } = known.value
    const kept: Kept = { patients: others(patients), guarded: others(guarded) }
    const won = await this.#documents.put(collection, account, kept, { ifRevision: known.revision })
    if (!won) await this.removeFrom(account, patient)
  }
}
